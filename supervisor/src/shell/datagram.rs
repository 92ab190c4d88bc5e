//! One datagram with all that came beside it: who sent it, as the kernel says, and descriptors.
//!
//! `nix` shows nothing of a message whose control part was cut off, although the kernel has opened what did fit. Here every
//! descriptor has its owner before anything is judged, so nobody can fill this process's table; and one that waits for nobody
//! when it is closed ([`Given`]), so nobody can make this process stand.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::fdstore::Given;

/// Most descriptors that the kernel lets one message carry (`SCM_MAX_FD`, net/scm.h).
pub const FDS_MAX: usize = 253;

/// Room for what comes beside the bytes.
#[derive(Debug)]
pub struct Beside {
    /// As words: headers want that alignment.
    control: Vec<u64>,
    /// The sender's address, as the kernel writes it (`sockaddr_un`), and its length.
    from: [u8; size_of::<libc::sockaddr_un>()],
    from_len: usize,
}

impl Beside {
    /// For the sender, when it came, and so many descriptors.
    pub fn room(fds: usize) -> Beside {
        // Neither is more than a few KiB.
        let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        // SAFETY: only calculates.
        let sender = unsafe { libc::CMSG_SPACE(size(size_of::<libc::ucred>())) };
        // SAFETY: only calculates.
        let arrival = unsafe { libc::CMSG_SPACE(size(size_of::<libc::timespec>())) };
        // SAFETY: only calculates.
        let bytes = sender + arrival + unsafe { libc::CMSG_SPACE(size(fds * size_of::<RawFd>())) };
        Beside {
            control: vec![0; (bytes as usize).div_ceil(size_of::<u64>())],
            from: [0; size_of::<libc::sockaddr_un>()],
            from_len: 0,
        }
    }

    /// The path that the sender of the last datagram is bound to; most are bound to none.
    pub fn from(&self) -> Option<&Path> {
        let path = self
            .from
            .get(std::mem::offset_of!(libc::sockaddr_un, sun_path)..self.from_len)?;
        let path = path.split(|b| *b == 0).next()?;
        (!path.is_empty()).then(|| Path::new(OsStr::from_bytes(path)))
    }
}

/// What came.
#[derive(Debug)]
pub struct Received {
    /// Bytes, of which the buffer may have had room for fewer.
    pub len: usize,
    /// Who sent it, where the socket asks for that (`SO_PASSCRED`).
    pub sender: Option<libc::ucred>,
    /// What it carried; without any, this asks for no memory.
    pub fds: Vec<Given>,
    /// More came beside it than there was room for.
    pub cut: bool,
}

/// Takes one datagram; never waits.
///
/// # Errors
/// What the kernel says: `WouldBlock` where there is none.
#[expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "one walk over what came beside it, true or not as a whole"
)]
pub fn receive(socket: BorrowedFd<'_>, buf: &mut [u8], beside: &mut Beside) -> io::Result<Received> {
    let mut iov = libc::iovec {
        iov_base: buf.as_mut_ptr().cast(),
        iov_len: buf.len(),
    };
    // SAFETY: numbers and pointers, for which zero is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    let len = loop {
        message.msg_control = beside.control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(beside.control.as_slice()) as _;
        message.msg_name = beside.from.as_mut_ptr().cast();
        message.msg_namelen = libc::socklen_t::try_from(beside.from.len()).unwrap_or(0);
        let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
        // SAFETY: all that the message points to outlives the call, with the lengths given.
        match unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) } {
            n if n >= 0 => break n.unsigned_abs(),
            _ => match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::Interrupted => {}
                e => return Err(e),
            },
        }
    };
    beside.from_len = message.msg_namelen as usize;
    let mut received = Received {
        len,
        sender: None,
        fds: Vec::new(),
        cut: message.msg_flags & libc::MSG_CTRUNC != 0,
    };
    // SAFETY: the kernel has filled in as many whole headers as `msg_controllen` now says, also where it has cut some off;
    // each one's length is that of what it really wrote.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while let Some(h) = header.as_ref() {
            let data = libc::CMSG_DATA(h);
            let length = h.cmsg_len.saturating_sub(libc::CMSG_LEN(0) as usize);
            match (h.cmsg_level, h.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) if length >= size_of::<libc::ucred>() => {
                    received.sender = Some(data.cast::<libc::ucred>().read_unaligned());
                }
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                    let numbers = (0..length / size_of::<RawFd>())
                        .map(|n| data.add(n * size_of::<RawFd>()).cast::<RawFd>().read_unaligned());
                    // The kernel has just opened them for this process; nobody else owns them.
                    received
                        .fds
                        .extend(numbers.map(|fd| Given::from(OwnedFd::from_raw_fd(fd))));
                }
                _ => {}
            }
            header = libc::CMSG_NXTHDR(&raw const message, h);
        }
    }
    Ok(received)
}

/// Looks at the first datagram and takes nothing away: its length, of which `buf` may have room for less, and its arrival as the
/// kernel writes it (`SO_TIMESTAMPNS`), to be compared alone. Asks for no memory.
///
/// # Errors
/// As [`receive`].
pub fn first(socket: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<(usize, [u64; 4])> {
    // Room for the arrival, which comes first, and nothing else: no descriptor is opened.
    let mut arrival = [0; 4];
    let mut iov = libc::iovec {
        iov_base: buf.as_mut_ptr().cast(),
        iov_len: buf.len(),
    };
    // SAFETY: numbers and pointers, for which zero is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut arrival).cast();
    message.msg_controllen = size_of_val(&arrival) as _;
    // With MSG_TRUNC its whole length comes back.
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT | libc::MSG_TRUNC | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: all that the message points to outlives the call, with the lengths given.
    match unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) } {
        n if n >= 0 => Ok((n.unsigned_abs(), arrival)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes what was said where nobody asks for descriptors: those that came all the same are closed here, which waits for nobody.
/// No bytes are the end of a stream.
///
/// # Errors
/// As [`receive`].
pub fn text(socket: BorrowedFd<'_>, buf: &mut [u8], beside: &mut Beside) -> io::Result<usize> {
    Ok(receive(socket, buf, beside)?.len)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg, setsockopt, sockopt};
    use std::io::IoSlice;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn who_is_bound_to_a_path_is_known_by_it() {
        let dir = tempfile::tempdir().unwrap();
        let to = UnixDatagram::bind(dir.path().join("to")).unwrap();
        let mut beside = Beside::room(1);
        assert_eq!(beside.from(), None);
        let bound = UnixDatagram::bind(dir.path().join("from")).unwrap();
        let unbound = UnixDatagram::unbound().unwrap();
        for (socket, path) in [(&bound, Some(dir.path().join("from"))), (&unbound, None)] {
            socket.send_to(b"text", dir.path().join("to")).unwrap();
            receive(to.as_fd(), &mut [0; 8], &mut beside).unwrap();
            assert_eq!(beside.from().map(Path::to_owned), path);
        }
    }

    #[test]
    fn what_came_has_an_owner_also_where_it_was_cut_off() {
        let (from, to) = UnixDatagram::pair().unwrap();
        setsockopt(&to, sockopt::PassCred, &true).unwrap();
        let file = tempfile::tempfile().unwrap();
        let send = |count: usize| {
            let fds = vec![file.as_raw_fd(); count];
            let rights = [ControlMessage::ScmRights(&fds)];
            let control = if count == 0 { &[][..] } else { &rights[..] };
            sendmsg::<UnixAddr>(
                from.as_raw_fd(),
                &[IoSlice::new(b"text")],
                control,
                MsgFlags::empty(),
                None,
            )
            .unwrap();
        };
        let mut buf = [0; 16];
        for (count, room, whole) in [(0, 1, true), (FDS_MAX, FDS_MAX, true), (FDS_MAX, 1, false)] {
            send(count);
            let got = receive(to.as_fd(), &mut buf, &mut Beside::room(room)).unwrap();
            assert_eq!((got.len, got.cut), (4, !whole));
            assert_eq!(got.sender.map(|s| s.pid.unsigned_abs()), Some(std::process::id()));
            assert_eq!(got.fds.len() == count, whole, "{} of {count}", got.fds.len());
            // They are open, each its own.
            assert!(got.fds.iter().all(|fd| {
                std::fs::File::from(fd.as_fd().try_clone_to_owned().unwrap())
                    .metadata()
                    .is_ok()
            }));
            if !whole {
                assert!(
                    (1..FDS_MAX).contains(&got.fds.len()),
                    "what did fit is there, and is closed with this"
                );
            }
        }
        assert_eq!(
            receive(to.as_fd(), &mut buf, &mut Beside::room(1)).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
    }
}
