//! The kernel's uevents of block devices, from a netlink socket of our own. No udev.
//!
//! The parser is [`wire::uevent`]. A lost message (the socket's buffer overflowed) is told as [`Heard::Lost`], and means
//! that everything must be walked again.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, setsockopt, socket, sockopt,
};
use wire::uevent::{UEVENT_MAX, Uevent};

/// Receive buffer of the socket in bytes. A hundred drives that appear at once are some 2 MB of messages; the kernel
/// drops what does not fit.
const BUFFER: usize = 8 << 20;

/// The kernel's own multicast group; group 2 is udev's.
const KERNEL_GROUP: u32 = 1;

/// What was heard.
#[derive(Debug)]
pub enum Heard {
    /// A uevent of subsystem `block`.
    Block(Uevent),
    /// Messages were lost: walk again.
    Lost,
    /// Nothing for us within the time.
    Nothing,
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Listener {
    /// Opens the socket; from now on nothing is missed, so walk `/sys` after this.
    pub fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        // Beyond the system's limit only with CAP_NET_ADMIN; without it, as much as is allowed.
        if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &BUFFER)?;
        }
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP))?;
        Ok(Listener {
            socket,
            buffer: vec![0; UEVENT_MAX + 1],
        })
    }

    /// Waits for the next uevent of a block device, at most `patience`.
    pub fn next(&mut self, patience: Duration) -> io::Result<Heard> {
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        let mut wait = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut wait, timeout) {
            Ok(0) | Err(Errno::EINTR) => return Ok(Heard::Nothing),
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        loop {
            match recvfrom::<NetlinkAddr>(self.socket.as_raw_fd(), &mut self.buffer) {
                Ok((length, from)) => {
                    // Any process may send to the group; only the kernel has port 0.
                    if from.is_none_or(|from| from.pid() != 0) {
                        continue;
                    }
                    match Uevent::parse(&self.buffer[..length]) {
                        Ok(event) if event.subsystem == "block" => return Ok(Heard::Block(event)),
                        Ok(_) => {}
                        Err(error) => tracing::debug!(%error, "an unreadable uevent was ignored"),
                    }
                }
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(Heard::Nothing),
                Err(Errno::ENOBUFS) => return Ok(Heard::Lost),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}
