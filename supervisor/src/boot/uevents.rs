//! The kernel's uevents: PID 1's own netlink socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, setsockopt, socket, sockopt,
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
            match recv(self.0.as_raw_fd(), &mut buf, MsgFlags::MSG_DONTWAIT) {
                Ok(n) => {
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
