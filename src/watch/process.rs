//! The end of a process, told by the kernel through a descriptor of it.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::descriptor::register;

/// A process that ran when it was opened. Should its number have been given to another one before, this is
/// the other one; so whoever opens it must look afterwards whether it is the process that was meant.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) number: u32,
    descriptor: AsyncFd<OwnedFd>,
}

impl Process {
    /// `None` where there is no such process.
    pub(super) fn open(number: u32) -> io::Result<Option<Self>> {
        let Some(pid) = i32::try_from(number).ok().and_then(Pid::from_raw) else { return Ok(None) };
        match pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Ok(descriptor) => {
                Ok(Some(Self { number, descriptor: register(descriptor, Interest::READABLE)? }))
            }
            Err(rustix::io::Errno::SRCH) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Waits for its end.
    pub(super) async fn ended(&self) {
        if self.descriptor.readable().await.is_err() {
            // The runtime ends; so does the wait.
            std::future::pending::<()>().await;
        }
    }
}
