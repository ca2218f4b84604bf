//! Files of a machine that is a directory: the live `/`, or a tree given by `--root`.
//!
//! `openat2(RESOLVE_IN_ROOT)` does the work that is easy to get wrong by hand: absolute links and `..`
//! resolve inside the root, whatever changes meanwhile.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{FileStat, Mode, SFlag};

use super::reading::{Cause, Reading};
use super::root::{DirEntry, FileKind, RootError, Stat};

/// How much is asked for at once; most files of sysfs and proc fit.
const CHUNK: usize = 4096;

#[derive(Debug)]
pub(super) struct Directory {
    root: OwnedFd,
    live: bool,
}

impl Directory {
    pub(super) fn open(path: &Path, live: bool) -> Result<Self, RootError> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = nix::fcntl::open(path, flags, Mode::empty())
            .map_err(|source| RootError::Open { path: path.to_owned(), source })?;
        let directory = Self { root, live };
        match directory.open_path("/", OFlag::O_PATH) {
            Err(Errno::ENOSYS) => Err(RootError::NoOpenat2 { path: path.to_owned() }),
            Err(source) => Err(RootError::Open { path: path.to_owned(), source }),
            Ok(_) => Ok(directory),
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    fn open_path(&self, path: &str, flags: OFlag) -> nix::Result<OwnedFd> {
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

    /// Opens a regular file for reading. O_NONBLOCK keeps a FIFO from blocking the open; it means
    /// nothing for a regular file.
    fn open_file(&self, path: &str) -> Result<OwnedFd, Reading<()>> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = self.open_path(path, flags).map_err(failure)?;
        let stat = nix::sys::stat::fstat(&file).map_err(failure)?;
        match file_kind(&stat) {
            FileKind::Regular => Ok(file),
            other => Err(Reading::Unreadable(Cause::NotAFile(other.describe()))),
        }
    }

    pub(super) fn read(&self, path: &str, cap: u64) -> Reading<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_into(path, cap, &mut bytes).map(|()| bytes)
    }

    pub(super) fn read_into(&self, path: &str, cap: u64, buffer: &mut Vec<u8>) -> Reading<()> {
        let file = match self.open_file(path) {
            Ok(file) => file,
            Err(reading) => return reading,
        };
        buffer.clear();
        let mut length = 0;
        loop {
            // Room for one byte more than the cap shows that there is more, whatever stat says: the
            // sizes that sysfs and proc give mean nothing.
            let limit = usize::try_from(cap.saturating_add(1)).unwrap_or(usize::MAX);
            let room = limit.min(length + CHUNK.max(length));
            buffer.resize(room, 0);
            match nix::unistd::read(&file, &mut buffer[length..]) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(Errno::EINTR) => continue,
                Err(errno) => return failure(errno),
            }
            if length as u64 > cap {
                return Reading::Unreadable(Cause::TooLarge(cap));
            }
        }
        buffer.truncate(length);
        Reading::Known(())
    }

    pub(super) fn read_at(&self, path: &str, offset: u64, length: usize) -> Reading<Vec<u8>> {
        let file = match self.open_file(path) {
            Ok(file) => file,
            Err(reading) => return reading.map(|()| Vec::new()),
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
        let mut directory = match opened {
            Ok(directory) => directory,
            Err(Errno::ENOTDIR) => return Reading::Unreadable(Cause::NotADirectory),
            Err(errno) => return failure(errno),
        };
        let mut entries = Vec::new();
        for entry in directory.iter() {
            match entry {
                Ok(entry) => match entry.file_name().to_bytes() {
                    b"." | b".." => {}
                    name => {
                        entries.push(DirEntry { name: String::from_utf8_lossy(name).into_owned() })
                    }
                },
                Err(errno) => return failure(errno),
            }
        }
        entries.sort_unstable();
        Reading::Known(entries)
    }

    pub(super) fn link(&self, path: &str) -> Reading<String> {
        // The empty path reads the link that the descriptor itself names, so that the walk to it
        // stays inside the root.
        let link = self
            .open_path(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)
            .and_then(|file| nix::fcntl::readlinkat(file.as_fd(), ""));
        match link {
            Ok(target) => Reading::Known(target.to_string_lossy().into_owned()),
            // The descriptor is open, so ENOENT and EINVAL both say that it is no link.
            Err(Errno::EINVAL) => Reading::Unreadable(Cause::NotAFile("no symbolic link")),
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

fn file_kind(stat: &FileStat) -> FileKind {
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
fn failure<T>(errno: Errno) -> Reading<T> {
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
