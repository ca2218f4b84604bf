//! What is not watched, and why: reasons for a log, since a full check from time to time has to make up
//! for it.

use std::collections::BTreeMap;
use std::io;

use nix::errno::Errno;

/// Something that may change without being noticed.
#[derive(Debug, thiserror::Error)]
pub enum Gap {
    #[error("devices and modules are not watched: no socket for the kernel's events")]
    Uevents(#[source] io::Error),
    #[error("files are not watched")]
    Files(#[source] io::Error),
    /// Some directories; the first of them by its path inside the root.
    #[error("{path}{} cannot be watched", and_more(*.more))]
    Directories { path: Box<str>, more: usize, source: io::Error },
    #[error("mounts are not watched")]
    Mounts(#[source] io::Error),
    #[error("the end of the kubelet's process is not watched")]
    Kubelet(#[source] io::Error),
}

impl Gap {
    /// One gap for all directories. That there are no watches left is the most telling of reasons.
    pub(super) fn of(unwatched: &BTreeMap<Box<str>, Errno>) -> Option<Self> {
        let exhausted = unwatched.iter().find(|(_, errno)| **errno == Errno::ENOSPC);
        let (path, errno) = exhausted.or_else(|| unwatched.first_key_value())?;
        let source = match errno {
            Errno::ENOSPC => io::Error::other(
                "no inotify watches are left to this user (sysctl fs.inotify.max_user_watches)",
            ),
            errno => (*errno).into(),
        };
        let path = if path.is_empty() { "/".into() } else { path.clone() };
        Some(Self::Directories { path, more: unwatched.len() - 1, source })
    }

    /// With its cause, in one line.
    pub fn reason(&self) -> String {
        let source = std::error::Error::source(self);
        source.map_or_else(|| self.to_string(), |source| format!("{self}: {source}"))
    }
}

fn and_more(more: usize) -> String {
    match more {
        0 => String::new(),
        1 => " and 1 more directory".to_owned(),
        more => format!(" and {more} more directories"),
    }
}
