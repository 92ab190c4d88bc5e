//! The notify socket: systemd's datagrams, each checked against the process that sent it.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, setsockopt, sockopt};

use super::store;

/// Longest datagram understood, in bytes; systemd's own limit is a page.
const MESSAGE_MAX: usize = 4096;
/// Assignments of one datagram that are read.
const LINES_MAX: usize = 32;
/// Descriptors that one datagram may carry; the kernel closes more.
const FDS_MAX: usize = 64;

/// What a datagram asks for.
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
    /// `FDSTORE=1`: keep the descriptors that came along, under this name; `polled`: until they hang up.
    Store { name: String, polled: bool },
    /// `FDSTOREREMOVE=1`: drop those of this name.
    Unstore { name: String },
}

/// A datagram, and the process that sent it, as the kernel says.
#[derive(Debug)]
pub struct Message {
    /// Its process.
    pub pid: i32,
    /// What it asks for.
    pub notes: Vec<Note>,
    /// What it carried.
    pub fds: Vec<OwnedFd>,
}

/// Reads a datagram; what is not understood is left out, as systemd does.
pub fn parse(bytes: &[u8]) -> Vec<Note> {
    let text = String::from_utf8_lossy(bytes);
    let mut notes = Vec::new();
    let (mut stores, mut removes, mut name, mut polled) = (false, false, None, true);
    for line in text.lines().take(LINES_MAX) {
        match line.split_once('=') {
            Some(("READY", "1")) => notes.push(Note::Ready),
            Some(("WATCHDOG", "1")) => notes.push(Note::Beat),
            Some(("STATUS", s)) => notes.push(Note::Status(s.to_owned())),
            Some(("EXTEND_TIMEOUT_USEC", n)) => notes.extend(n.parse::<u64>().ok().map(|us| Note::Extend(us / 1000))),
            Some(("FDSTORE", "1")) => stores = true,
            Some(("FDSTOREREMOVE", "1")) => removes = true,
            Some(("FDNAME", n)) if store::is_name(n) => name = Some(n.to_owned()),
            Some(("FDPOLL", "0")) => polled = false,
            _ => {}
        }
    }
    match (stores, removes, name) {
        // systemd, too, drops nothing without a name, and removing goes before keeping.
        (_, true, Some(name)) => notes.push(Note::Unstore { name }),
        (true, false, name) => notes.push(Note::Store {
            name: name.unwrap_or_else(|| store::NAME_DEFAULT.into()),
            polled,
        }),
        (_, true, None) | (false, false, _) => {}
    }
    notes
}

/// The socket, with credentials switched on.
#[derive(Debug)]
pub struct NotifySocket {
    socket: UnixDatagram,
    /// For credentials and descriptors; kept, since a look at an empty socket must not ask for memory.
    control: Vec<u8>,
}

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
        Ok(NotifySocket::of(s))
    }

    /// Goes on with one that was bound before.
    pub fn of(socket: UnixDatagram) -> NotifySocket {
        NotifySocket {
            socket,
            control: nix::cmsg_space!(libc::ucred, [libc::c_int; FDS_MAX]),
        }
    }

    /// The next datagram; `None` when there is none.
    pub fn receive(&mut self) -> Option<Message> {
        let mut buf = [0u8; MESSAGE_MAX];
        loop {
            let mut iov = [IoSliceMut::new(&mut buf)];
            let got = recvmsg::<UnixAddr>(
                self.socket.as_raw_fd(),
                &mut iov,
                Some(&mut self.control),
                MsgFlags::MSG_CMSG_CLOEXEC,
            );
            let (len, pid, fds) = match got {
                Ok(m) => {
                    let (mut pid, mut passed) = (None, Vec::new());
                    for c in m.cmsgs().into_iter().flatten() {
                        match c {
                            ControlMessageOwned::ScmCredentials(c) => pid = Some(c.pid()),
                            ControlMessageOwned::ScmRights(fds) => {
                                // SAFETY: the kernel has just given us these descriptors; nobody else owns them.
                                passed.extend(fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
                            }
                            _ => {}
                        }
                    }
                    (m.bytes, pid, passed)
                }
                Err(nix::errno::Errno::EINTR) => continue,
                Err(_) => return None,
            };
            if let Some(pid) = pid {
                return Some(Message {
                    pid,
                    notes: parse(&buf[..len.min(MESSAGE_MAX)]),
                    fds,
                });
            }
        }
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
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

    #[test]
    fn descriptors_are_kept_and_dropped_by_name() {
        let store = |name: &str, polled| Note::Store {
            name: name.into(),
            polled,
        };
        assert_eq!(parse(b"FDSTORE=1"), [store("stored", true)]);
        assert_eq!(parse(b"FDNAME=conn\nFDPOLL=0\nFDSTORE=1"), [store("conn", false)]);
        assert_eq!(parse(b"FDSTORE=1\nFDNAME=a:b"), [store("stored", true)]);
        assert_eq!(
            parse(b"FDSTOREREMOVE=1\nFDNAME=conn"),
            [Note::Unstore { name: "conn".into() }]
        );
        assert_eq!(parse(b"FDSTOREREMOVE=1"), []);
        assert_eq!(parse(b"FDNAME=conn\nFDPOLL=0"), []);
    }
}
