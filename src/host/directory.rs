//! Files of a machine that is a directory: the live `/`, or a tree given by `--root`.
//!
//! `openat2(RESOLVE_IN_ROOT)` does the work that is easy to get wrong by hand: absolute links and `..`
//! resolve inside the root, whatever changes meanwhile.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{FileStat, Mode, SFlag};

use super::mounts;
use super::reading::{Cause, Reading};
use super::root::{DirEntry, FileKind, RootError, Stat};
use super::steps::{Handle, Identity, Step};

/// How much is asked for at first; most files of sysfs and proc fit.
const CHUNK: usize = 4096;

/// How much of the scratch space outlives a file that needed more.
const KEPT: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Directory {
    root: OwnedFd,
    live: bool,
    /// Where files are read to. A buffer for each of ten thousand small files would cost more than
    /// reading them.
    scratch: RefCell<Vec<u8>>,
}

impl Directory {
    pub(super) fn open(path: &Path, live: bool) -> Result<Self, RootError> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = nix::fcntl::open(path, flags, Mode::empty())
            .map_err(|source| RootError::Open { path: path.to_owned(), source })?;
        let directory = Self { root, live, scratch: RefCell::default() };
        match directory.open_path("/", OFlag::O_PATH) {
            Err(Errno::ENOSYS) => Err(RootError::NoOpenat2 { path: path.to_owned() }),
            Err(source) => Err(RootError::Open { path: path.to_owned(), source }),
            Ok(_) => Ok(directory),
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// The same root for somebody else to walk in.
    pub(super) fn try_clone(&self) -> std::io::Result<Self> {
        Ok(Self { root: self.root.try_clone()?, live: self.live, scratch: RefCell::default() })
    }

    /// What stands at a path, its last name not followed.
    pub(super) fn step(&self, path: &str) -> Step {
        let looked = self
            .open_path(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)
            .and_then(|file| nix::sys::stat::fstat(&file).map(|stat| (file, stat)));
        let (file, stat) = match looked {
            Ok(looked) => looked,
            Err(Errno::ENOENT) => return Step::Absent,
            Err(errno) => return Step::Closed(errno),
        };
        match file_kind(&stat) {
            FileKind::Directory => Step::Directory(Handle::new(file)),
            FileKind::Symlink => match nix::fcntl::readlinkat(file.as_fd(), "") {
                Ok(target) => Step::Link(target.to_string_lossy().into_owned()),
                Err(errno) => Step::Closed(errno),
            },
            _ => Step::Other(Identity(stat.st_dev, stat.st_ino)),
        }
    }

    pub(super) fn open_path(&self, path: &str, flags: OFlag) -> nix::Result<OwnedFd> {
        let relative = match path.trim_start_matches('/') {
            "" => ".",
            relative => relative,
        };
        let how =
            OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(ResolveFlag::RESOLVE_IN_ROOT);
        loop {
            match nix::fcntl::openat2(self.root.as_fd(), relative, how) {
                // EAGAIN: a rename elsewhere raced with the walk, and the kernel cannot vouch for it.
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                other => return other,
            }
        }
    }

    /// Opens a regular file for reading. `O_NONBLOCK` keeps a FIFO from blocking the open; it means
    /// nothing for a regular file.
    pub(super) fn open_file(&self, path: &str) -> Result<(OwnedFd, FileStat), Reading<Infallible>> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = self.open_path(path, flags).map_err(failure)?;
        let stat = nix::sys::stat::fstat(&file).map_err(failure)?;
        match file_kind(&stat) {
            FileKind::Regular => Ok((file, stat)),
            other => Err(Reading::Unreadable(Cause::NotAFile(other.describe()))),
        }
    }

    pub(super) fn read(&self, path: &str, cap: u64) -> Reading<Vec<u8>> {
        self.read_with(path, cap, <[u8]>::to_vec)
    }

    pub(super) fn read_with<T>(
        &self,
        path: &str,
        cap: u64,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Reading<T> {
        let (file, stat) = match self.open_file(path) {
            Ok(opened) => opened,
            Err(reading) => return reading.map(|never| match never {}),
        };
        // Taken out rather than borrowed: whoever looks may read another file.
        let mut scratch = self.scratch.take();
        let read = read_all(&file, cap, End::of(path, &stat), &mut scratch);
        let reading = read.map(|length| look(scratch.get(..length).unwrap_or_default()));
        if scratch.len() <= KEPT {
            self.scratch.replace(scratch);
        }
        reading
    }

    /// The lines that are wanted of a text that is not to be in memory as a whole.
    pub(super) fn read_lines(
        &self,
        path: &str,
        cap: u64,
        keep: impl Fn(&[u8]) -> bool,
    ) -> Reading<Vec<u8>> {
        let (file, stat) = match self.open_file(path) {
            Ok(opened) => opened,
            Err(reading) => return reading.map(|never| match never {}),
        };
        if u64::try_from(stat.st_size).is_ok_and(|size| size > cap) {
            return Reading::Unreadable(Cause::TooLarge(cap));
        }
        let file = std::fs::File::from(file).take(cap.saturating_add(1));
        let mut reader = BufReader::with_capacity(KEPT, file);
        let (mut kept, mut line, mut length) = (Vec::new(), Vec::new(), 0_u64);
        loop {
            line.clear();
            match reader.read_until(b'\n', &mut line) {
                Ok(0) => return Reading::Known(kept),
                Ok(count) => length += count as u64,
                Err(error) => return failure(Errno::from_raw(error.raw_os_error().unwrap_or(0))),
            }
            if length > cap {
                return Reading::Unreadable(Cause::TooLarge(cap));
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            if keep(text) {
                kept.extend_from_slice(text);
                kept.push(b'\n');
            }
        }
    }

    pub(super) fn read_at(&self, path: &str, offset: u64, length: usize) -> Reading<Vec<u8>> {
        let file = match self.open_file(path) {
            Ok((file, _)) => file,
            Err(reading) => return reading.map(|never| match never {}),
        };
        let Ok(offset) = i64::try_from(offset) else {
            return Reading::Known(Vec::new());
        };
        let mut bytes = vec![0; length];
        match nix::sys::uio::pread(&file, &mut bytes, offset) {
            Ok(count) => {
                bytes.truncate(count);
                Reading::Known(bytes)
            }
            Err(errno) => failure(errno),
        }
    }

    pub(super) fn list(&self, path: &str) -> Reading<Vec<DirEntry>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NONBLOCK;
        let opened = self.open_path(path, flags).and_then(nix::dir::Dir::from_fd);
        let directory = match opened {
            Ok(directory) => directory,
            Err(Errno::ENOTDIR) => return Reading::Unreadable(Cause::NotADirectory),
            Err(errno) => return failure(errno),
        };
        let mut entries = Vec::new();
        for entry in directory {
            match entry {
                Ok(entry) => match entry.file_name().to_bytes() {
                    b"." | b".." => {}
                    name => {
                        entries.push(DirEntry { name: String::from_utf8_lossy(name).into_owned() });
                    }
                },
                Err(errno) => return failure(errno),
            }
        }
        entries.sort_unstable();
        Reading::Known(entries)
    }

    pub(super) fn link(&self, path: &str) -> Reading<String> {
        let file = match self.open_path(path, OFlag::O_PATH | OFlag::O_NOFOLLOW) {
            Ok(file) => file,
            Err(errno) => return failure(errno),
        };
        // The empty path reads the link that the descriptor itself names, so that the walk to it
        // stays inside the root. For anything that is no link the kernel answers ENOENT.
        match nix::fcntl::readlinkat(file.as_fd(), "") {
            Ok(target) => Reading::Known(target.to_string_lossy().into_owned()),
            Err(Errno::EINVAL | Errno::ENOENT) => {
                Reading::Unreadable(Cause::NotAFile("no symbolic link"))
            }
            Err(errno) => failure(errno),
        }
    }

    pub(super) fn resolve(&self, path: &str) -> Reading<String> {
        let absolute = |file: &OwnedFd| {
            use std::os::fd::AsRawFd;
            let name = format!("/proc/self/fd/{}", file.as_raw_fd());
            nix::fcntl::readlink(name.as_str()).map(|path| path.to_string_lossy().into_owned())
        };
        let file = match self.open_path(path, OFlag::O_PATH) {
            Ok(file) => file,
            Err(errno) => return failure(errno),
        };
        match (absolute(&file), absolute(&self.root)) {
            (Ok(path), Ok(root)) => {
                let root = root.trim_end_matches('/');
                match path.strip_prefix(root) {
                    Some("") => Reading::Known("/".to_owned()),
                    Some(inside) => Reading::Known(inside.to_owned()),
                    None => Reading::Unreadable(Cause::Os(Errno::EXDEV as i32)),
                }
            }
            (Err(errno), _) | (_, Err(errno)) => failure(errno),
        }
    }

    /// Whether the first process that this tree shows has this very directory as its `/`.
    pub(super) fn is_that_of_the_first_process(&self) -> Reading<bool> {
        let its = self.read("/proc/1/mountinfo", mounts::CAP);
        let own = named_file(Path::new("/proc/self/mountinfo"), mounts::CAP);
        its.and_then(|its| {
            own.map(|own| {
                let its = String::from_utf8_lossy(&its);
                let own = String::from_utf8_lossy(&own);
                let place = mounts::topped_by(&self.root).and_then(|id| mounts::with_id(&own, id));
                place.is_some() && place == mounts::at_slash(&its)
            })
        })
    }

    pub(super) fn stat(&self, path: &str) -> Reading<Stat> {
        let stat =
            self.open_path(path, OFlag::O_PATH).and_then(|file| nix::sys::stat::fstat(&file));
        match stat {
            Ok(stat) => Reading::Known(Stat {
                kind: file_kind(&stat),
                mode: stat.st_mode & 0o7777,
                device: (nix::sys::stat::major(stat.st_rdev), nix::sys::stat::minor(stat.st_rdev)),
                modified: Some(stat.st_mtime),
            }),
            Err(errno) => failure(errno),
        }
    }
}

/// What tells that a read which filled less than it could was the last one. It spares a second read of
/// every small file, whose only answer is that nothing follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Only a read of nothing: files of proc come in pieces, and have a size of 0.
    Empty,
    /// That it was short: an attribute of sysfs comes whole, and its size is that of a page.
    Short,
    /// That all bytes that the file has were read.
    Size(u64),
}

impl End {
    fn of(path: &str, stat: &FileStat) -> Self {
        match u64::try_from(stat.st_size) {
            Ok(0) | Err(_) => Self::Empty,
            Ok(_) if path.starts_with("/sys/") => Self::Short,
            Ok(size) => Self::Size(size),
        }
    }

    fn is_at(self, length: usize) -> bool {
        match self {
            Self::Empty => false,
            Self::Short => true,
            Self::Size(size) => length as u64 == size,
        }
    }
}

/// Reads to the end, but no more than `cap` bytes, into a buffer that only grows. Says how many.
fn read_all(file: &OwnedFd, cap: u64, end: End, buffer: &mut Vec<u8>) -> Reading<usize> {
    // A size is a promise that there is so much, sparse or not; it is not worth reading up to the cap.
    if matches!(end, End::Size(size) if size > cap) {
        return Reading::Unreadable(Cause::TooLarge(cap));
    }
    // Room for one byte more than the cap shows that there is more where no size says so.
    let limit = usize::try_from(cap.saturating_add(1)).unwrap_or(usize::MAX);
    let mut length = 0;
    loop {
        if length == buffer.len() {
            buffer.resize(limit.min(CHUNK.max(length.saturating_mul(2))), 0);
        }
        let room = limit.min(buffer.len());
        let Some(room) = buffer.get_mut(length..room) else {
            return Reading::Unreadable(Cause::TooLarge(cap));
        };
        match nix::unistd::read(file, room) {
            Ok(0) => return Reading::Known(length),
            Ok(count) => {
                let short = count < room.len();
                length += count;
                if length as u64 > cap {
                    return Reading::Unreadable(Cause::TooLarge(cap));
                }
                if short && end.is_at(length) {
                    return Reading::Known(length);
                }
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return failure(errno),
        }
    }
}

/// The wanted lines of a text, each with a newline at its end.
pub(super) fn lines(text: &[u8], keep: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let mut kept = Vec::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| keep(line)) {
        kept.extend_from_slice(line);
        kept.push(b'\n');
    }
    kept
}

/// A file of the machine that this program runs on, named by the user on the command line. Only pipes
/// that a shell set up are read besides regular files: a FIFO given by mistake must not hang.
pub(super) fn named_file(path: &Path, cap: u64) -> Reading<Vec<u8>> {
    let piped = path.starts_with("/dev/fd") || path == Path::new("/dev/stdin");
    let nonblock = if piped { OFlag::empty() } else { OFlag::O_NONBLOCK };
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOCTTY | nonblock;
    let opened = nix::fcntl::open(path, flags, Mode::empty())
        .and_then(|file| nix::sys::stat::fstat(&file).map(|stat| (file, file_kind(&stat))));
    match opened {
        Ok((file, kind)) if kind == FileKind::Regular || (piped && kind == FileKind::Fifo) => {
            let mut bytes = Vec::new();
            read_all(&file, cap, End::Empty, &mut bytes).map(|length| {
                bytes.truncate(length);
                bytes
            })
        }
        Ok((_, kind)) => Reading::Unreadable(Cause::NotAFile(kind.describe())),
        Err(errno) => failure(errno),
    }
}

pub(super) fn file_kind(stat: &FileStat) -> FileKind {
    match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => FileKind::Regular,
        SFlag::S_IFDIR => FileKind::Directory,
        SFlag::S_IFLNK => FileKind::Symlink,
        SFlag::S_IFCHR => FileKind::CharDevice,
        SFlag::S_IFBLK => FileKind::BlockDevice,
        SFlag::S_IFIFO => FileKind::Fifo,
        SFlag::S_IFSOCK => FileKind::Socket,
        _ => FileKind::Unknown,
    }
}

/// An error of the operating system as a reading. ENOENT is the only one that proves absence: ENOTDIR
/// means that something unexpected stands in the way.
pub(super) fn failure<T>(errno: Errno) -> Reading<T> {
    Reading::Unreadable(match errno {
        Errno::ENOENT => return Reading::Absent,
        Errno::EACCES | Errno::EPERM => Cause::Permission,
        Errno::ELOOP => Cause::SymlinkLoop,
        Errno::ENODEV | Errno::ENXIO | Errno::EIO => Cause::DeviceGone,
        Errno::EISDIR => Cause::NotAFile("a directory"),
        Errno::ENOTDIR => Cause::NotADirectory,
        other => Cause::Os(other as i32),
    })
}
