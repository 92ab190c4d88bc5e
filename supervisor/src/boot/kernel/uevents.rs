//! The kernel's uevents: PID 1's own netlink socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, setsockopt, socket, sockopt,
};
use wire::uevent::{UEVENT_MAX, Uevent};

/// Receive buffer, in bytes: a rack of drives powered up at once.
const BUFFER: usize = 8 << 20;

/// The socket.
#[derive(Debug)]
pub struct Uevents(OwnedFd);

/// What the socket had.
#[derive(Debug)]
pub enum Next {
    /// An event.
    Event(Uevent),
    /// Events were lost: walk `/sys` again.
    Lost,
    /// Nothing more for now.
    Empty,
}

impl Uevents {
    /// Begins to listen.
    ///
    /// # Errors
    /// The socket could not be made.
    pub fn listen() -> io::Result<Uevents> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            flags,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        let _ = setsockopt(&fd, sockopt::RcvBufForce, &BUFFER);
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 1))?;
        Ok(Uevents(fd))
    }

    /// The next event.
    pub fn next(&self) -> Next {
        let mut buf = [0u8; UEVENT_MAX];
        loop {
            // The socket does not block.
            match recvfrom::<NetlinkAddr>(self.0.as_raw_fd(), &mut buf) {
                // Others may send to it, too; only the kernel has port 0.
                Ok((_, from)) if from.is_none_or(|a| a.pid() != 0) => {}
                Ok((n, _)) => {
                    if let Ok(e) = Uevent::parse(&buf[..n]) {
                        return Next::Event(e);
                    }
                }
                Err(Errno::EINTR) => {}
                Err(Errno::ENOBUFS) => return Next::Lost,
                Err(_) => return Next::Empty,
            }
        }
    }
}

impl From<OwnedFd> for Uevents {
    /// Goes on with one that an earlier image has opened.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl AsFd for Uevents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use nix::sys::socket::{MsgFlags, getsockname, sendto};

    #[test]
    fn only_the_kernel_is_believed() {
        let (ours, theirs) = (Uevents::listen().unwrap(), Uevents::listen().unwrap());
        let at: NetlinkAddr = getsockname(ours.0.as_raw_fd()).unwrap();
        let forged = b"remove@/devices/forged\0ACTION=remove\0DEVPATH=/devices/forged\0SUBSYSTEM=block\0SEQNUM=1\0";
        let to = NetlinkAddr::new(at.pid(), 0);
        match sendto(theirs.0.as_raw_fd(), forged, &to, MsgFlags::empty()) {
            Ok(_) => {}
            // Who may not administer the network can send none.
            Err(Errno::EPERM) => return,
            Err(e) => panic!("{e}"),
        }
        loop {
            match ours.next() {
                Next::Event(e) => assert_ne!(e.devpath, "/devices/forged"),
                Next::Lost => {}
                Next::Empty => break,
            }
        }
    }
}
