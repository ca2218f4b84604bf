//! A root, looked at one name at a time: for whoever has to know each directory and each link on a path
//! rather than what stands at its end.

use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::directory::Directory;

/// A root to walk in.
#[derive(Debug)]
pub struct Steps {
    pub(super) directory: Directory,
}

/// What stands at a path, its last name not followed.
#[derive(Debug)]
pub enum Step {
    Directory(Handle),
    /// Where it points, as written.
    Link(String),
    /// Anything else; which one, tells whether it is still the same.
    Other(Identity),
    Absent,
    Closed(Errno),
}

/// Device and number of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity(pub u64, pub u64);

/// A directory that is held open without a right to read it.
#[derive(Debug)]
pub struct Handle(OwnedFd);

impl Handle {
    pub(super) fn new(file: OwnedFd) -> Self {
        Self(file)
    }

    /// A path that leads to this very directory for as long as the handle lives, whatever is renamed or
    /// mounted meanwhile.
    pub fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.0.as_raw_fd())
    }
}

impl Steps {
    /// What stands at a path inside the root.
    pub fn at(&self, path: &str) -> Step {
        self.directory.step(path)
    }
}

/// The table of this process's mounts. It is never read: a poll for urgent data tells that it changed.
pub fn mount_table() -> nix::Result<OwnedFd> {
    nix::fcntl::open("/proc/self/mountinfo", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
}
