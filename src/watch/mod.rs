//! Tells that something changed which a judgement was made from, without asking again and again: kernel
//! uevents for devices and modules, inotify for files, a process's end for the kubelet. It reads no facts
//! and judges nothing. What it cannot tell for certain it tells as "all of it may have changed".

use crate::facts::Needs;

/// Why nothing can be watched at all.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error("cannot open a socket for the kernel's events")]
    Netlink(#[source] std::io::Error),
    #[error("cannot watch files")]
    Inotify(#[source] std::io::Error),
}

/// The open channels.
#[derive(Debug)]
pub struct Watch {}

impl Watch {
    /// Opens the channels of the running machine. To be called inside a runtime.
    pub fn open() -> Result<Self, WatchError> {
        Ok(Self {})
    }

    /// Waits for the next change and says which sources may read differently now. It never answers with
    /// nothing, and it loses no change that happens between two calls.
    pub async fn changed(&mut self) -> Needs {
        std::future::pending().await
    }
}
