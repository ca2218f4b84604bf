//! Who is changing the software of the host right now: package managers, by the locks they hold.
//!
//! A lock file that lies about is no lock. The `fcntl` lock on it is asked for, and of a file that names a
//! process, whether that process is there.

use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag};
use nix::sys::stat::Mode;

use super::busy::{Busy, process_name};
use crate::host::{Cause, Reading, Root};

/// Lock files, and what holds each.
const LOCKS: [(&str, &str); 6] = [
    ("var/lib/dpkg/lock-frontend", "apt or dpkg"),
    ("var/lib/dpkg/lock", "dpkg"),
    ("var/lib/apt/lists/lock", "apt"),
    ("var/cache/apt/archives/lock", "apt"),
    ("var/lib/rpm/.rpm.lock", "rpm"),
    ("usr/lib/sysimage/rpm/.rpm.lock", "rpm"),
];

/// Files that hold the number of a process.
const PID_FILES: [(&str, &str); 3] =
    [("/run/dnf.pid", "dnf"), ("/run/yum.pid", "yum"), ("/run/zypp.pid", "zypper")];

/// Package managers at work on the host whose files stand in `top`, which `root` reads.
pub(super) fn look(root: &Root, top: &Path) -> Vec<Busy> {
    let locks = LOCKS.iter().filter_map(|(path, who)| {
        let path = top.join(path);
        match holder(&path) {
            Ok(None) => None,
            Ok(Some(Holder { pid })) => Some(Busy::PackageManager {
                name: pid.and_then(|pid| process_name(root, pid)).unwrap_or((*who).to_owned()),
                pid,
                lock: path.display().to_string(),
            }),
            Err(errno) => {
                let cause = match errno {
                    Errno::EACCES | Errno::EPERM => Cause::Permission,
                    errno => Cause::Os(errno as i32),
                };
                Some(Busy::CannotTell(format!("whether {who} holds {}: {cause}", path.display())))
            }
        }
    });
    let pid_files = PID_FILES.iter().filter_map(|(path, who)| match root.read_text(path) {
        Reading::Known(text) => {
            let pid: u32 = text.trim().parse().ok()?;
            let name = process_name(root, pid)?;
            Some(Busy::PackageManager { name, pid: Some(pid), lock: (*path).to_owned() })
        }
        Reading::Absent => None,
        Reading::Unreadable(cause) => {
            Some(Busy::CannotTell(format!("whether {who} runs: {path}: {cause}")))
        }
    });
    locks.chain(pid_files).collect()
}

/// Who holds a lock. The process has no number where an open file description holds the lock, or a process
/// that does not show here.
struct Holder {
    pid: Option<u32>,
}

fn holder(path: &Path) -> Result<Option<Holder>, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let fd = match nix::fcntl::open(path, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let mut lock = lock();
    // Of an open file description, so that a lock of this very process would show as well.
    nix::fcntl::fcntl(&fd, FcntlArg::F_OFD_GETLK(&mut lock))?;
    if lock.l_type == short(nix::libc::F_UNLCK) {
        return Ok(None);
    }
    Ok(Some(Holder { pid: u32::try_from(lock.l_pid).ok().filter(|pid| *pid != 0) }))
}

/// A lock for writing on the whole of a file.
fn lock() -> nix::libc::flock {
    nix::libc::flock {
        l_type: short(nix::libc::F_WRLCK),
        l_whence: short(nix::libc::SEEK_SET),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// The structure is narrower than the constants that go into it, all of which fit.
fn short(constant: nix::libc::c_int) -> nix::libc::c_short {
    nix::libc::c_short::try_from(constant).unwrap_or(nix::libc::c_short::MAX)
}

#[cfg(test)]
#[path = "locks_tests.rs"]
mod tests;
