//! The socket on which the kernel sends its events. What does not come from the kernel is dropped; what
//! did not fit is told as "anything".

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvmsg,
    setsockopt, socket, sockopt,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::descriptor::register;
use super::uevent::Uevent;
use crate::facts::Needs;

/// The kernel's own messages; udev sends its to another group.
const KERNEL: u32 = 1;
/// Bytes that wait in the kernel while a burst is dealt with.
const WAITING: usize = 1 << 20;
/// More than the kernel puts into one message.
const LONGEST: usize = 8 << 10;
/// Messages that are taken before anything else gets its turn.
const TURN: usize = 256;

#[derive(Debug)]
pub(super) struct Uevents {
    socket: AsyncFd<OwnedFd>,
}

impl Uevents {
    pub(super) fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let protocol = SockProtocol::NetlinkKObjectUEvent;
        let open = socket(AddressFamily::Netlink, SockType::Datagram, flags, protocol)?;
        // The first needs a privilege; with neither the kernel's default stands, and a burst that does
        // not fit is told.
        if setsockopt(&open, sockopt::RcvBufForce, &WAITING).is_err() {
            let _ = setsockopt(&open, sockopt::RcvBuf, &WAITING);
        }
        bind(open.as_raw_fd(), &NetlinkAddr::new(0, KERNEL))?;
        Self::on(open)
    }

    pub(super) fn on(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self { socket: register(socket, Interest::READABLE)? })
    }

    /// Waits for messages, and says what they may have changed; perhaps nothing.
    pub(super) async fn next(&self) -> Needs {
        let mut buffer = [0; LONGEST];
        loop {
            let Ok(mut ready) = self.socket.readable().await else {
                // The runtime ends; so does the wait.
                return std::future::pending().await;
            };
            let mut needs = Needs::NONE;
            for turn in 0..TURN {
                match ready.try_io(|socket| receive(socket.get_ref(), &mut buffer)) {
                    Ok(Ok(more)) => needs = needs.and(more),
                    // ENOBUFS: some were dropped. Anything else is as bad a reason to trust what came.
                    Ok(Err(_)) => return Needs::ALL,
                    Err(_) if turn == 0 => break,
                    Err(_) => return needs,
                }
                if turn + 1 == TURN {
                    return needs;
                }
            }
        }
    }
}

fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<Needs> {
    let mut parts = [io::IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let received = match recvmsg::<NetlinkAddr>(socket.as_fd().as_raw_fd(), &mut parts, None, flags)
    {
        Ok(received) => received,
        Err(Errno::EINTR) => return Ok(Needs::NONE),
        Err(errno) => return Err(errno.into()),
    };
    if received.flags.contains(MsgFlags::MSG_TRUNC) {
        return Ok(Needs::ALL);
    }
    let (from, length) = (received.address, received.bytes);
    // Any process with the right to administer the network may write to the group, under its own number.
    if from.is_some_and(|from| from.pid() != 0) {
        return Ok(Needs::NONE);
    }
    let message = buffer.get(..length).unwrap_or_default();
    Ok(Uevent::parse(message).map_or(Needs::NONE, |event| event.needs()))
}
