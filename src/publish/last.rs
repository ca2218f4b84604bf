//! The daemon's last report, and whether it still says anything about now.
//!
//! Three things must hold: the daemon that wrote it is at work, it is of this boot, and its time is not
//! over by the clock that counts from boot. The wall clock is not asked, since anybody may have set it.
//! Whatever fails here makes the report stale, and a stale one is never green.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::{LOCK, REPORT};
use crate::host::{Cause, Reading, Root, uptime};
use crate::report::Verdict;
use crate::report::stored::{Stored, StoredError};

/// Bytes that a report may have; on the largest machines it has 1 MiB.
const CAP: u64 = 64 << 20;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What a daemon left, as seen now.
#[derive(Debug)]
pub struct Last {
    /// `None` where there is none that can be read.
    pub report: Option<Stored>,
    /// `None` where it cannot be told, as for a report of another boot.
    pub age: Option<Duration>,
    pub daemon: Daemon,
    /// Why the report says nothing about now; `None` while it does.
    pub stale: Option<Stale>,
}

/// Whether a daemon is at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Daemon {
    /// Its pid, as it wrote it.
    Running(Option<u32>),
    NotRunning,
    /// Why it cannot be told.
    Unknown(String),
}

/// Why a report says nothing about now.
#[derive(Debug, thiserror::Error)]
pub enum Stale {
    #[error("the daemon is not running")]
    NotRunning,
    #[error("cannot tell whether the daemon is running: {0}")]
    DaemonUnknown(String),
    #[error("the daemon has not judged this host yet")]
    NotYet,
    #[error("the daemon's report cannot be read: {0}")]
    Unreadable(Cause),
    #[error("the daemon's report cannot be used: {0}")]
    Unfit(StoredError),
    #[error("cannot tell which boot this is")]
    BootUnknown,
    #[error("the last report is of another boot")]
    OtherBoot,
    #[error("the last report is older than it may be: the daemon hangs")]
    TooOld,
}

impl Last {
    /// What lies in a runtime directory.
    pub fn read(directory: &Path) -> Self {
        // First whether somebody is at work: what is read later is no older.
        let daemon = Daemon::at(directory);
        let report = Root::named_file(&directory.join(REPORT), CAP);
        let boot = Root::named_file(Path::new(BOOT_ID), 64).into_known();
        let boot = boot.and_then(|bytes| String::from_utf8(bytes).ok());
        Self::of(report, daemon, boot.as_deref().map(str::trim), uptime())
    }

    fn of(report: Reading<Vec<u8>>, daemon: Daemon, boot: Option<&str>, now: Duration) -> Self {
        let report = match report {
            Reading::Known(bytes) => Stored::parse(&bytes).map_err(Stale::Unfit),
            Reading::Absent => Err(Stale::NotYet),
            Reading::Unreadable(cause) => Err(Stale::Unreadable(cause)),
        };
        let (report, doubt) = match report {
            Ok(report) => (Some(report), None),
            Err(why) => (None, Some(why)),
        };
        let same_boot = report.as_ref().filter(|report| Some(&*report.judged.boot_id) == boot);
        let age = same_boot.and_then(|report| now.checked_sub(report.judged.uptime));
        let stale = match (&daemon, &report) {
            (Daemon::NotRunning, _) => Some(Stale::NotRunning),
            (Daemon::Unknown(why), _) => Some(Stale::DaemonUnknown(why.clone())),
            (_, None) => doubt,
            (_, Some(_)) if boot.is_none_or(str::is_empty) => Some(Stale::BootUnknown),
            (Daemon::Running(pid), Some(report)) => match age {
                None => Some(Stale::OtherBoot),
                // A daemon that died wrote it; what happened until the next one began is not in it.
                Some(_) if *pid != Some(report.judged.pid) => Some(Stale::NotYet),
                Some(age) if age > report.judged.valid_for => Some(Stale::TooOld),
                Some(_) => None,
            },
        };
        Self { report, age, daemon, stale }
    }

    /// What is known about now.
    pub fn verdict(&self) -> Verdict {
        match (&self.report, &self.stale) {
            (Some(report), None) => report.verdict,
            _ => Verdict::CannotTell,
        }
    }
}

impl Daemon {
    /// Asks the lock, which goes with the process that holds it, however that ends. It is had for a
    /// moment where nobody holds it; whoever starts then has to try more than once.
    fn at(directory: &Path) -> Self {
        let unknown = |errno: Errno| match errno {
            Errno::ACCESS | Errno::PERM => {
                Self::Unknown("permission denied; run it again as root".to_owned())
            }
            errno => Self::Unknown(std::io::Error::from(errno).to_string()),
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let path = directory.join(LOCK);
        let file = match retry_on_intr(|| rustix::fs::open(&path, flags, Mode::empty())) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Self::NotRunning,
            Err(errno) => return unknown(errno),
        };
        match rustix::fs::fstat(&file).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
            Ok(FileType::RegularFile) => {}
            Ok(_) => return Self::Unknown("its lock is no regular file".to_owned()),
            Err(errno) => return unknown(errno),
        }
        let operation = FlockOperation::NonBlockingLockShared;
        match retry_on_intr(|| rustix::fs::flock(&file, operation)) {
            Ok(()) => Self::NotRunning,
            Err(Errno::WOULDBLOCK) => Self::Running(pid(&file)),
            Err(errno) => unknown(errno),
        }
    }
}

fn pid(lock: &OwnedFd) -> Option<u32> {
    let mut text = [0; 16];
    let count = retry_on_intr(|| rustix::io::pread(lock, &mut text, 0)).ok()?;
    std::str::from_utf8(text.get(..count)?).ok()?.trim().parse().ok()
}

#[cfg(test)]
#[path = "last_tests.rs"]
mod tests;
