//! Tells that something was mounted or unmounted, in this process's own mount namespace. inotify tells
//! nothing of a file system that is mounted over a directory.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::descriptor::register;

use crate::host::steps::mount_table;

#[derive(Debug)]
pub(super) struct Mounts {
    table: AsyncFd<OwnedFd>,
}

impl Mounts {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self { table: register(mount_table()?, Interest::PRIORITY)? })
    }

    /// Waits for a change.
    pub(super) async fn changed(&self) {
        match self.table.ready(Interest::PRIORITY).await {
            Ok(mut ready) => ready.clear_ready(),
            // The runtime ends; so does the wait.
            Err(_) => std::future::pending().await,
        }
    }
}
