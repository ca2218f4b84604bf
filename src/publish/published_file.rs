//! One file that other programs read again and again: exchanged whole, never created beside a link, and
//! removed when its content no longer holds.
//!
//! The directory belongs to its reader: where it is missing, that reader is not installed (yet), so it is
//! never made here, and it is opened anew each time, since it may come, go and come back.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::PublishError;

/// Whoever reads it is another user, whatever the umask.
const MODE: Mode = Mode::from_raw_mode(0o644);

/// Whether the bytes must be on disk before they get their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    /// Gone after a power cut anyway.
    Memory,
    /// Outlives a power cut, and must then be the old file or the new one, not an empty one.
    Disk,
}

/// A file by its directory and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublishedFile {
    directory: PathBuf,
    name: &'static str,
    medium: Medium,
}

impl PublishedFile {
    pub(super) fn new(directory: &Path, name: &'static str, medium: Medium) -> Self {
        Self { directory: directory.to_owned(), name, medium }
    }

    /// Puts the bytes there, all at once. After an error the file is as it was.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<(), PublishError> {
        let directory = self.open()?.ok_or_else(|| PublishError::NoDirectory {
            path: self.path(),
            directory: self.directory.clone(),
        })?;
        self.standing(&directory)?;
        let temporary = self.temporary();
        // What a killed run left; a link there is removed as such, and never followed.
        self.unlink(&directory, &temporary, "remove the remains of an earlier try at")?;
        let done = self.fill(&directory, &temporary, bytes).and_then(|()| {
            let renamed = retry_on_intr(|| {
                rustix::fs::renameat(&directory, &*temporary, &directory, self.name)
            });
            renamed.map_err(self.failed("put in place"))
        });
        if done.is_err() {
            // The error at hand matters more than one about a file that nobody reads.
            let _ = rustix::fs::unlinkat(&directory, &*temporary, AtFlags::empty());
        }
        done
    }

    /// Takes the file away; that it is not there is as good.
    pub(super) fn remove(&self) -> Result<(), PublishError> {
        let Some(directory) = self.open()? else { return Ok(()) };
        self.standing(&directory)?;
        self.unlink(&directory, &self.temporary(), "remove the remains of an earlier try at")?;
        self.unlink(&directory, self.name, "remove")
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.join(self.name)
    }

    /// Hidden, so that no collector reads it: neither ends in `.prom`, and NFD skips names with a dot
    /// before them. One name only, so that nothing piles up however often a run is killed.
    fn temporary(&self) -> String {
        format!(".{}.tmp", self.name)
    }

    fn open(&self) -> Result<Option<OwnedFd>, PublishError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match retry_on_intr(|| rustix::fs::open(&self.directory, flags, Mode::empty())) {
            Ok(directory) => Ok(Some(directory)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.failed("open the directory of")(errno)),
        }
    }

    /// Whatever is no regular file was put there by somebody who does not want ours.
    fn standing(&self, directory: &OwnedFd) -> Result<(), PublishError> {
        let stat = match rustix::fs::statat(directory, self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(self.failed("look at")(errno)),
        };
        let what = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => return Ok(()),
            FileType::Directory => "a directory",
            FileType::Symlink => "a symbolic link",
            _ => "a FIFO, a socket or a device",
        };
        Err(PublishError::Unfit { path: self.path(), what })
    }

    fn fill(&self, directory: &OwnedFd, temporary: &str, bytes: &[u8]) -> Result<(), PublishError> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = retry_on_intr(|| rustix::fs::openat(directory, temporary, flags, mode));
        let mut file = File::from(file.map_err(self.failed("make a temporary file beside"))?);
        let io = |what| move |source| PublishError::Failed { what, path: self.path(), source };
        file.write_all(bytes).map_err(io("write a temporary file beside"))?;
        rustix::fs::fchmod(&file, MODE).map_err(self.failed("set the mode of"))?;
        match self.medium {
            Medium::Memory => Ok(()),
            Medium::Disk => file.sync_data().map_err(io("sync a temporary file beside")),
        }
    }

    fn unlink(
        &self,
        directory: &OwnedFd,
        name: &str,
        what: &'static str,
    ) -> Result<(), PublishError> {
        match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed(what)(errno)),
        }
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(Errno) -> PublishError {
        let path = self.path();
        move |errno| PublishError::Failed { what, path, source: errno.into() }
    }
}

#[cfg(test)]
#[path = "published_file_tests.rs"]
mod tests;
