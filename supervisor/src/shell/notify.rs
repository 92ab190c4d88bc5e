//! The notify socket: systemd's datagrams, each checked against the process that sent it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use nix::sys::socket::{setsockopt, sockopt};

use super::datagram::{self, Beside};
use super::{log, store};

/// Longest datagram understood, in bytes; systemd's own limit is a page.
const MESSAGE_MAX: usize = 4096;

/// What a datagram asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// `READY=1`
    Ready,
    /// `WATCHDOG=1`
    Beat,
    /// `STOPPING=1`
    Stopping,
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
    for line in text.lines() {
        match line.split_once('=') {
            Some(("READY", "1")) => notes.push(Note::Ready),
            Some(("WATCHDOG", "1")) => notes.push(Note::Beat),
            Some(("STOPPING", "1")) => notes.push(Note::Stopping),
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
    /// Kept, since a look at an empty socket must not ask for memory.
    buf: Vec<u8>,
    beside: Beside,
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
            buf: vec![0; MESSAGE_MAX],
            beside: Beside::room(datagram::FDS_MAX),
        }
    }

    /// The next datagram; `None` when there is none.
    pub fn receive(&mut self) -> Option<Message> {
        loop {
            let got = datagram::receive(self.socket.as_fd(), &mut self.buf, &mut self.beside).ok()?;
            if got.cut {
                log::warn("a notification carried more than this process has room for; the rest of it is lost");
            }
            if let Some(sender) = got.sender {
                return Some(Message {
                    pid: sender.pid,
                    notes: parse(&self.buf[..got.len.min(MESSAGE_MAX)]),
                    fds: got.fds,
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
        assert_eq!(
            parse(b"STOPPING=1\nSTATUS=bye"),
            [Note::Stopping, Note::Status("bye".into())]
        );
        let late = format!("{}READY=1", "X_OTHER=1\n".repeat(100));
        assert_eq!(parse(late.as_bytes()), [Note::Ready], "however late it stands");
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
