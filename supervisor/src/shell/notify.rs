//! The notify socket: systemd's datagrams, each checked against the process that sent it.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, setsockopt, sockopt};

/// Longest datagram understood, in bytes; systemd's own limit is a page.
const MESSAGE_MAX: usize = 4096;

/// One assignment of a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// `READY=1`
    Ready,
    /// `WATCHDOG=1`
    Beat,
    /// `STATUS=text`
    Status(String),
    /// `EXTEND_TIMEOUT_USEC=n`, in milliseconds
    Extend(u64),
}

/// Reads a datagram; what is not understood is left out, as systemd does.
pub fn parse(bytes: &[u8]) -> Vec<Note> {
    let text = String::from_utf8_lossy(bytes);
    let mut notes = Vec::new();
    for line in text.lines().take(16) {
        match line.split_once('=') {
            Some(("READY", "1")) => notes.push(Note::Ready),
            Some(("WATCHDOG", "1")) => notes.push(Note::Beat),
            Some(("STATUS", s)) => notes.push(Note::Status(s.to_owned())),
            Some(("EXTEND_TIMEOUT_USEC", n)) => notes.extend(n.parse::<u64>().ok().map(|us| Note::Extend(us / 1000))),
            _ => {}
        }
    }
    notes
}

/// The socket, with credentials switched on.
#[derive(Debug)]
pub struct NotifySocket(UnixDatagram);

impl NotifySocket {
    /// Binds it; a stale one is replaced.
    ///
    /// # Errors
    /// It could not be bound.
    pub fn bind(path: &Path) -> io::Result<NotifySocket> {
        let _ = std::fs::remove_file(path);
        let s = UnixDatagram::bind(path)?;
        s.set_nonblocking(true)?;
        setsockopt(&s, sockopt::PassCred, &true)?;
        // Every service may write; who it is, the kernel says.
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
        Ok(NotifySocket(s))
    }

    /// The next datagram and the process it came from; `None` when there is none.
    pub fn next(&self) -> Option<(i32, Vec<Note>)> {
        let mut buf = [0u8; MESSAGE_MAX];
        let mut control = nix::cmsg_space!(libc::ucred, [libc::c_int; 4]);
        loop {
            let mut iov = [IoSliceMut::new(&mut buf)];
            let got = recvmsg::<UnixAddr>(
                self.0.as_raw_fd(),
                &mut iov,
                Some(&mut control),
                MsgFlags::MSG_CMSG_CLOEXEC,
            );
            let (len, mut pid) = match got {
                Ok(m) => {
                    let mut pid = None;
                    for c in m.cmsgs().into_iter().flatten() {
                        match c {
                            ControlMessageOwned::ScmCredentials(c) => pid = Some(c.pid()),
                            ControlMessageOwned::ScmRights(fds) => {
                                for fd in fds {
                                    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
                                    drop(unsafe { OwnedFd::from_raw_fd(fd) });
                                }
                            }
                            _ => {}
                        }
                    }
                    (m.bytes, pid)
                }
                Err(nix::errno::Errno::EINTR) => continue,
                Err(_) => return None,
            };
            if let Some(pid) = pid.take() {
                return Some((pid, parse(&buf[..len.min(MESSAGE_MAX)])));
            }
        }
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemds_words_are_understood_and_others_left_out() {
        assert_eq!(
            parse(b"READY=1\nSTATUS=all well = good\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC=5000000\nMAINPID=4\n\xff\nWATCHDOG=trigger"),
            [Note::Ready, Note::Status("all well = good".into()), Note::Beat, Note::Extend(5000)]
        );
        assert_eq!(parse(b""), []);
    }
}
