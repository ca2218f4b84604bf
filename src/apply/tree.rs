//! The writable twin of `host::Root`: a directory, and everything below it by descriptor.
//!
//! Every path is resolved by `openat2(RESOLVE_IN_ROOT)`, so absolute links and `..` stay inside, whatever
//! changes meanwhile. The contents of the host's files are changed by `replace` only; this module finds,
//! reads, and makes and removes names.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::{Errno, retry_on_intr};

use crate::host::{Root, RootError};

/// Links that are followed at the end of a path; as many as the kernel follows.
const LINKS: usize = 40;

/// Why something in the tree could not be had or done.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("cannot open {} as a root directory", path.display())]
    Open { path: PathBuf, source: Errno },
    #[error("cannot {what} {path}")]
    Failed { what: &'static str, path: String, source: Errno },
    /// Something else than what is needed stands there.
    #[error("{path} is {what}")]
    Unfit { path: String, what: &'static str },
    #[error("{path} is larger than {cap} bytes")]
    TooLarge { path: String, cap: u64 },
    #[error("cannot read the tree")]
    Reader(#[from] RootError),
}

impl TreeError {
    pub(super) fn failed(what: &'static str, path: &str) -> impl FnOnce(Errno) -> Self {
        move |source| Self::Failed { what, path: path.to_owned(), source }
    }
}

/// A machine's files, to be changed: those of `/`, or of a directory given by `--root`.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
    path: PathBuf,
    live: bool,
    owner: (u32, u32),
}

/// A name in a directory that is held open: what a path names after all links are followed.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) directory: OwnedFd,
    pub(super) name: String,
    /// The path inside the root that led here without a link at its end.
    pub(super) path: String,
}

impl Tree {
    /// The machine that this program runs on.
    pub fn live() -> Result<Self, TreeError> {
        Self::open(Path::new("/"), true)
    }

    /// A directory that holds a machine's files, such as a mounted image.
    pub fn directory(path: &Path) -> Result<Self, TreeError> {
        Self::open(path, false)
    }

    fn open(path: &Path, live: bool) -> Result<Self, TreeError> {
        let failed = |source| TreeError::Open { path: path.to_owned(), source };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root =
            retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty())).map_err(failed)?;
        let stat = rustix::fs::fstat(&root).map_err(failed)?;
        let owner = if live { (0, 0) } else { (stat.st_uid, stat.st_gid) };
        let tree = Self { root, path: path.to_owned(), live, owner };
        // A kernel without openat2 is found out here rather than in the middle.
        tree.at("/", OFlags::PATH).map_err(failed)?;
        Ok(tree)
    }

    /// Whose files may be changed, by user and group id: root's, or those of the tree's own owner.
    pub fn owner(&self) -> (u32, u32) {
        self.owner
    }

    /// The same tree, for reading as facts are read.
    pub(super) fn reader(&self) -> Result<Root, TreeError> {
        Ok(if self.live { Root::live()? } else { Root::directory(&self.path)? })
    }

    fn at(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        self.at_with(path, flags, Mode::empty())
    }

    fn at_with(&self, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let relative = match path.trim_start_matches('/') {
            "" => ".",
            relative => relative,
        };
        let flags = flags | OFlags::CLOEXEC;
        loop {
            match rustix::fs::openat2(&self.root, relative, flags, mode, ResolveFlags::IN_ROOT) {
                // EAGAIN: a rename elsewhere raced with the walk, and the kernel cannot vouch for it.
                Err(Errno::INTR | Errno::AGAIN) => {}
                other => return other,
            }
        }
    }

    /// A directory, to be synced and worked in.
    pub(super) fn open_directory(&self, path: &str) -> Result<OwnedFd, TreeError> {
        self.at(path, OFlags::RDONLY | OFlags::DIRECTORY)
            .map_err(TreeError::failed("open the directory", path))
    }

    /// Opens a file of our own, made where it is not there.
    pub(super) fn open_own(&self, path: &str, flags: OFlags) -> Result<OwnedFd, TreeError> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mode =
            if flags.contains(OFlags::CREATE) { Mode::RUSR | Mode::WUSR } else { Mode::empty() };
        let file = self.at_with(path, flags, mode).map_err(TreeError::failed("open", path))?;
        let stat = rustix::fs::fstat(&file).map_err(TreeError::failed("look at", path))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(file),
            other => Err(TreeError::Unfit { path: path.to_owned(), what: describe(other) }),
        }
    }

    /// Where a path leads. `Err(ENOENT)` within is a directory on the way that does not exist.
    pub(super) fn place(&self, path: &str) -> Result<Place, TreeError> {
        let failed = |source| TreeError::Failed { what: "find", path: path.to_owned(), source };
        let mut walk = path.to_owned();
        for _ in 0..LINKS {
            let (parent, name) = walk.rsplit_once('/').unwrap_or(("", &walk));
            if matches!(name, "" | "." | "..") {
                return Err(TreeError::Unfit { path: path.to_owned(), what: "no name of a file" });
            }
            let directory = self.at(parent, OFlags::RDONLY | OFlags::DIRECTORY).map_err(failed)?;
            match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                    let target = rustix::fs::readlinkat(&directory, name, Vec::new());
                    let target = target.map_err(failed)?.into_string().map_err(|_| {
                        let what = "a link to a name that is not UTF-8";
                        TreeError::Unfit { path: path.to_owned(), what }
                    })?;
                    walk =
                        if target.starts_with('/') { target } else { format!("{parent}/{target}") };
                }
                Ok(_) | Err(Errno::NOENT) => {
                    return Ok(Place { directory, name: name.to_owned(), path: walk });
                }
                Err(errno) => return Err(failed(errno)),
            }
        }
        Err(failed(Errno::LOOP))
    }

    /// Directories above this path that do not exist, outermost first.
    pub(super) fn missing_parents(&self, path: &str) -> Result<Vec<String>, TreeError> {
        let mut missing = Vec::new();
        let mut path = path;
        while let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty())
        {
            match self.at(parent, OFlags::PATH | OFlags::DIRECTORY) {
                Ok(_) => break,
                Err(Errno::NOENT) => missing.push(parent.to_owned()),
                Err(source) => return Err(TreeError::failed("find", parent)(source)),
            }
            path = parent;
        }
        missing.reverse();
        Ok(missing)
    }

    /// The bytes of a regular file; `None` where nothing has that name.
    pub fn read(&self, path: &str, cap: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match self.at(path, flags) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(TreeError::failed("open", path)(errno)),
        };
        let stat = rustix::fs::fstat(&file).map_err(TreeError::failed("look at", path))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            other => {
                return Err(TreeError::Unfit { path: path.to_owned(), what: describe(other) });
            }
        }
        read_whole(&file, cap, path).map(Some)
    }

    /// Names in a directory, sorted; none where it does not exist.
    pub(super) fn list(&self, path: &str) -> Result<Vec<String>, TreeError> {
        let directory = match self.at(path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(Vec::new()),
            Err(errno) => return Err(TreeError::failed("list", path)(errno)),
        };
        let mut names = Vec::new();
        for entry in Dir::new(directory).map_err(TreeError::failed("list", path))? {
            let entry = entry.map_err(TreeError::failed("list", path))?;
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => names.push(name.to_owned()),
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Makes a directory and its name last. Says whether it is new.
    pub(super) fn make_directory(&self, path: &str, mode: u32) -> Result<bool, TreeError> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let directory = self.open_directory(parent)?;
        match retry_on_intr(|| rustix::fs::mkdirat(&directory, name, Mode::from_raw_mode(mode))) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(false),
            Err(errno) => return Err(TreeError::failed("make the directory", path)(errno)),
        }
        let new = self.open_directory(path)?;
        // The umask took bits away that a directory of the host needs.
        rustix::fs::fchmod(&new, Mode::from_raw_mode(mode))
            .map_err(TreeError::failed("set the mode of", path))?;
        sync(&new, path)?;
        sync(&directory, path)?;
        Ok(true)
    }

    /// Removes a directory if it is there and empty. Says whether it did.
    pub(super) fn remove_empty_directory(&self, path: &str) -> Result<bool, TreeError> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let directory = match self.at(parent, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(TreeError::failed("open the directory", parent)(errno)),
        };
        match retry_on_intr(|| rustix::fs::unlinkat(&directory, name, AtFlags::REMOVEDIR)) {
            Ok(()) => sync(&directory, path).map(|()| true),
            // Somebody else's files are in it, or it became something else: not ours any more.
            Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR | Errno::BUSY) => {
                Ok(false)
            }
            Err(errno) => Err(TreeError::failed("remove the directory", path)(errno)),
        }
    }

    /// Removes one file of our own, if it is there.
    pub(super) fn remove_file(&self, path: &str) -> Result<bool, TreeError> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let directory = match self.at(parent, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(TreeError::failed("open the directory", parent)(errno)),
        };
        match retry_on_intr(|| rustix::fs::unlinkat(&directory, name, AtFlags::empty())) {
            Ok(()) => sync(&directory, path).map(|()| true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(TreeError::failed("remove", path)(errno)),
        }
    }

    /// Bytes that are free on the filesystem of a directory; `None` where it does not count them.
    pub(super) fn space(&self, path: &str) -> Result<Option<u64>, TreeError> {
        let directory = self.open_directory(path)?;
        let space = rustix::fs::fstatvfs(&directory)
            .map_err(TreeError::failed("measure the filesystem of", path))?;
        if space.f_blocks == 0 {
            return Ok(None);
        }
        let inodes = space.f_files == 0 || space.f_favail > 16;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        Ok(Some(if inodes { free } else { 0 }))
    }

    /// What `stat` tells of a path, links followed; `None` where nothing has that name.
    pub(super) fn stat(&self, path: &str) -> Result<Option<Stat>, TreeError> {
        match self.at(path, OFlags::PATH).and_then(rustix::fs::fstat) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(TreeError::failed("look at", path)(errno)),
        }
    }
}

/// All bytes of an open file. A size is not believed, only counted against.
pub(super) fn read_whole(file: impl AsFd, cap: u64, path: &str) -> Result<Vec<u8>, TreeError> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 << 10];
    loop {
        let offset = bytes.len() as u64;
        let read = retry_on_intr(|| rustix::io::pread(file.as_fd(), &mut chunk, offset));
        match read.map_err(TreeError::failed("read", path))? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(chunk.get(..count).unwrap_or_default()),
        }
        if bytes.len() as u64 > cap {
            return Err(TreeError::TooLarge { path: path.to_owned(), cap });
        }
    }
}

/// Writes all of it; a short write is gone on with.
pub(super) fn write_whole(file: impl AsFd, bytes: &[u8]) -> Result<(), Errno> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match retry_on_intr(|| rustix::io::write(file.as_fd(), rest))? {
            0 => return Err(Errno::IO),
            count => rest = rest.get(count..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// Makes what was done to a file or a directory last.
pub(super) fn sync(file: impl AsFd, path: &str) -> Result<(), TreeError> {
    retry_on_intr(|| rustix::fs::fsync(file.as_fd())).map_err(TreeError::failed("sync", path))
}

/// With its article, for messages.
pub(super) fn describe(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a regular file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::CharacterDevice => "a character device",
        FileType::BlockDevice => "a block device",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::Unknown => "a file of an unknown kind",
    }
}
