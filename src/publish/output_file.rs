//! The file that `--output` names: either what stood there, or the whole report.
//!
//! It stands beside the outputs and not in `host`, which never writes, nor in `apply`, which changes the
//! host's own files under a journal: this is the user's file, anywhere, and nothing is to be undone. What
//! stands under the name must be a regular file or nothing. A link is refused: what it points to would
//! have to be written in place, and `/dev/stdout` is one.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, retry_on_intr};

/// What a new file gets, whatever the umask: other users' exporters and CI runners read it.
const MODE: u32 = 0o644;

/// How many names are tried for the temporary file.
const NAMES: u32 = 16;

/// Why a report could not be put into a file; what stood there is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    #[error("cannot {what} {}", path.display())]
    Failed { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("cannot write {}: it is {what}, and no regular file", path.display())]
    Unfit { path: PathBuf, what: &'static str },
    #[error("cannot write {}: it is no name of a file", path.display())]
    NoName { path: PathBuf },
}

/// A place for a report, looked at before the work begins.
#[derive(Debug)]
pub(crate) struct OutputFile {
    path: PathBuf,
    directory: OwnedFd,
    name: PathBuf,
}

impl OutputFile {
    pub(crate) fn at(path: &Path) -> Result<Self, OutputError> {
        let name = path.file_name().ok_or_else(|| OutputError::NoName { path: path.to_owned() })?;
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(OutputError::NoName { path: path.to_owned() });
        }
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = retry_on_intr(|| rustix::fs::open(parent, flags, Mode::empty()));
        let directory = directory.map_err(failed("open the directory of", path))?;
        let file = Self { path: path.to_owned(), directory, name: PathBuf::from(name) };
        file.standing()?;
        Ok(file)
    }

    /// Puts the bytes there, all at once, and makes that last.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), OutputError> {
        let (temporary, file) = self.temporary()?;
        let outcome = self.fill(file, bytes).and_then(|()| {
            retry_on_intr(|| {
                rustix::fs::renameat(&self.directory, &*temporary, &self.directory, &self.name)
            })
            .map_err(failed("put in place", &self.path))
        });
        if outcome.is_err() {
            // The error at hand matters more than one about a file that nobody will read.
            let _ = rustix::fs::unlinkat(&self.directory, &*temporary, AtFlags::empty());
        }
        outcome?;
        match retry_on_intr(|| rustix::fs::fsync(&self.directory)) {
            // Some filesystems cannot sync a directory; the file itself is on disk.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(errno) => Err(failed("sync the directory of", &self.path)(errno)),
        }
    }

    /// What stands there now; an error for what must not be replaced.
    fn standing(&self) -> Result<Option<Stat>, OutputError> {
        let stat = match rustix::fs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW)
        {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(failed("look at", &self.path)(errno)),
        };
        let what = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => return Ok(Some(stat)),
            FileType::Directory => "a directory",
            FileType::Symlink => "a symbolic link",
            FileType::Fifo => "a FIFO",
            FileType::Socket => "a socket",
            FileType::CharacterDevice | FileType::BlockDevice => "a device",
            FileType::Unknown => "a file of an unknown kind",
        };
        Err(OutputError::Unfit { path: self.path.clone(), what })
    }

    /// A new file in the same directory. Its name begins with a dot and ends in `.tmp`, so that no
    /// collector takes it for a report.
    fn temporary(&self) -> Result<(String, File), OutputError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mut last = Errno::EXIST;
        for number in 0..NAMES {
            let name = format!(".ccgpu-node.{}.{number}.tmp", std::process::id());
            let mode = Mode::RUSR | Mode::WUSR;
            match retry_on_intr(|| {
                rustix::fs::openat(&self.directory, &*name, flags | OFlags::CLOEXEC, mode)
            }) {
                Ok(file) => return Ok((name, File::from(file))),
                Err(Errno::EXIST) => {}
                Err(errno) => {
                    last = errno;
                    break;
                }
            }
        }
        Err(failed("make a temporary file beside", &self.path)(last))
    }

    /// The owner and the mode of what stands there are kept, as far as this user may give them.
    fn fill(&self, mut file: File, bytes: &[u8]) -> Result<(), OutputError> {
        let io = |what| {
            let path = self.path.clone();
            move |source| OutputError::Failed { what, path, source }
        };
        file.write_all(bytes).map_err(io("write a temporary file beside"))?;
        let mode = match self.standing()? {
            None => MODE,
            Some(stat) => {
                let owner = rustix::fs::Uid::from_raw(stat.st_uid);
                let group = rustix::fs::Gid::from_raw(stat.st_gid);
                match rustix::fs::fchown(&file, Some(owner), Some(group)) {
                    Ok(()) | Err(Errno::PERM) => {}
                    Err(errno) => return Err(failed("keep the owner of", &self.path)(errno)),
                }
                stat.st_mode & 0o777
            }
        };
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))
            .map_err(failed("set the mode of", &self.path))?;
        file.sync_all().map_err(io("sync a temporary file beside"))
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(Errno) -> OutputError {
    let path = path.to_owned();
    move |errno| OutputError::Failed { what, path, source: errno.into() }
}

#[cfg(test)]
#[path = "output_file_tests.rs"]
mod tests;
