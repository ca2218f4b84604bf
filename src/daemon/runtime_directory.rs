//! The directory that goes with the machine's run, where the daemon keeps what it knows, and the lock in it
//! that allows one daemon only.
//!
//! The lock is a descriptor: it goes with the process, however that ends. The pid in the file is for people.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::environment;
use crate::publish::{LOCK, RUNTIME_DIRECTORY};

/// How often the lock is tried for,
const TRIES: u32 = 10;
/// and how long it is left alone in between.
const PAUSE: Duration = Duration::from_millis(20);

/// Why there is no place to work in.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeDirectoryError {
    #[error("another daemon is at work: {holder}")]
    Held { holder: String },
    #[error("cannot {what} {}", path.display())]
    Failed { what: &'static str, path: PathBuf, source: std::io::Error },
}

/// The directory, which nobody else has as long as this value lives.
#[derive(Debug)]
pub(super) struct RuntimeDirectory {
    path: PathBuf,
    _lock: OwnedFd,
}

impl RuntimeDirectory {
    /// The one of the service manager; else the usual one. It is made where it is missing.
    pub(super) fn take() -> Result<Self, RuntimeDirectoryError> {
        match environment::runtime_directory() {
            Some(path) => Self::take_at(path),
            None => Self::take_at(PathBuf::from(RUNTIME_DIRECTORY)),
        }
    }

    fn take_at(path: PathBuf) -> Result<Self, RuntimeDirectoryError> {
        let failed = |what, path: &Path| {
            let path = path.to_owned();
            move |errno: Errno| RuntimeDirectoryError::Failed { what, path, source: errno.into() }
        };
        let mode = Mode::from_raw_mode(0o755);
        match retry_on_intr(|| rustix::fs::mkdir(&path, mode)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed("make the directory", &path)(errno)),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = retry_on_intr(|| rustix::fs::open(&path, flags, Mode::empty()))
            .map_err(failed("open the directory", &path))?;
        let name = path.join(LOCK);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        // Who can open it can hold it, and so keep every daemon from starting.
        let mode = Mode::from_raw_mode(0o600);
        let lock =
            retry_on_intr(|| rustix::fs::openat(&directory, LOCK, flags | OFlags::CLOEXEC, mode));
        let lock = lock.map_err(failed("open", &name))?;
        match exclusive(&lock) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(RuntimeDirectoryError::Held { holder: holder(&lock) });
            }
            Err(errno) => return Err(failed("lock", &name)(errno)),
        }
        // A lock whose holder has no name is held all the same.
        let _ = rustix::fs::ftruncate(&lock, 0).and_then(|()| {
            rustix::io::pwrite(&lock, format!("{}\n", std::process::id()).as_bytes(), 0)
        });
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Tries more than once: `status` holds the lock for a moment to ask whether somebody does.
fn exclusive(lock: &OwnedFd) -> Result<(), Errno> {
    let try_it =
        || retry_on_intr(|| rustix::fs::flock(lock, FlockOperation::NonBlockingLockExclusive));
    for _ in 0..TRIES {
        match try_it() {
            Err(Errno::WOULDBLOCK) => std::thread::sleep(PAUSE),
            other => return other,
        }
    }
    try_it()
}

fn holder(lock: &OwnedFd) -> String {
    let mut text = [0; 16];
    let count = rustix::io::pread(lock, &mut text, 0).unwrap_or_default();
    let text = text.get(..count).unwrap_or_default();
    match std::str::from_utf8(text).ok().and_then(|text| text.trim().parse::<u32>().ok()) {
        Some(pid) => format!("process {pid}"),
        None => "a process that did not leave its number".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_at_work_and_gets_its_turn_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run");
        let first = RuntimeDirectory::take_at(path.clone()).unwrap();
        match RuntimeDirectory::take_at(path.clone()) {
            Err(RuntimeDirectoryError::Held { holder }) => {
                assert_eq!(holder, format!("process {}", std::process::id()));
            }
            other => panic!("{other:?}"),
        }
        drop(first);
        RuntimeDirectory::take_at(path).unwrap();
    }

    #[test]
    fn who_only_asks_keeps_no_daemon_from_starting_and_others_cannot_ask() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        drop(RuntimeDirectory::take_at(path.clone()).unwrap());
        #[expect(clippy::disallowed_methods, reason = "a test opens the lock itself")]
        let asks = std::fs::File::open(path.join(LOCK)).unwrap();
        assert_eq!(asks.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        rustix::fs::flock(&asks, FlockOperation::NonBlockingLockShared).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(PAUSE);
                drop(asks);
            });
            RuntimeDirectory::take_at(path).unwrap();
        });
    }

    #[test]
    fn a_lock_that_is_a_link_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join(LOCK)).unwrap();
        let taken = RuntimeDirectory::take_at(directory.path().to_owned());
        assert!(matches!(taken, Err(RuntimeDirectoryError::Failed { what: "open", .. })));
    }

    #[test]
    fn a_number_that_is_none_is_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let _held = RuntimeDirectory::take_at(directory.path().to_owned()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the test makes the file")]
        std::fs::write(directory.path().join(LOCK), "\x1b[2J").unwrap();
        let Err(error) = RuntimeDirectory::take_at(directory.path().to_owned()) else { panic!() };
        assert_eq!(
            error.to_string(),
            "another daemon is at work: a process that did not leave its number"
        );
    }
}
