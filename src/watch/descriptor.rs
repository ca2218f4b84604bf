//! Descriptors that the runtime waits for.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Has the runtime wait for a descriptor, which it owns from now on.
#[expect(
    deprecated,
    reason = "it is unsound for types whose descriptor can change, which an OwnedFd's cannot; what \
              replaces it is unsafe, and unsafe code is forbidden here"
)]
pub(super) fn register(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(descriptor, interest)
}
