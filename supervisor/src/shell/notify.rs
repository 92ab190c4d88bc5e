//! The notify socket: systemd's datagrams, each checked against the process that sent it.

use std::io;
use std::mem::discriminant;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use nix::sys::socket::{setsockopt, sockopt};

use super::datagram::{self, Beside};
use super::fdstore::{self, Given};

/// Longest datagram understood, in bytes; systemd's own limit is a page. One that is longer is dropped: its last word may be cut.
const MESSAGE_MAX: usize = 4096;
/// Longest name of a bus error, in bytes (the D-Bus specification).
const BUS_ERROR_MAX: usize = 255;

/// What a datagram asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// `READY=1`
    Ready,
    /// `WATCHDOG=1`
    Heartbeat,
    /// `STOPPING=1`
    Stopping,
    /// `STATUS=text`
    Status(String),
    /// `EXTEND_TIMEOUT_USEC=n`, in milliseconds
    Extend(u64),
    /// `WATCHDOG_USEC=n`, in milliseconds; 0 is no time.
    Interval(u64),
    /// `WATCHDOG=trigger`
    Trigger,
    /// `MAINPID=n`
    Main(i32),
    /// `RELOADING=1`
    Reloading,
    /// `ERRNO=n` or `BUSERROR=name`, in words.
    Said(String),
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
    pub fds: Vec<Given>,
    /// What of it was not taken.
    pub wrong: Option<&'static str>,
}

/// Reads a datagram; what is not understood is left out, as systemd does, and of two equal words the first counts. So there
/// are never more notes than there are words.
pub fn parse(bytes: &[u8]) -> Vec<Note> {
    let text = String::from_utf8_lossy(bytes);
    let mut notes: Vec<Note> = Vec::new();
    let mut put = |note: Option<Note>| {
        if let Some(note) = note.filter(|n| !notes.iter().any(|o| discriminant(o) == discriminant(n))) {
            notes.push(note);
        }
    };
    let (mut stores, mut removes, mut name, mut polled) = (false, false, None, true);
    for line in text.lines() {
        match line.split_once('=') {
            Some(("READY", "1")) => put(Some(Note::Ready)),
            Some(("WATCHDOG", "1")) => put(Some(Note::Heartbeat)),
            Some(("WATCHDOG", "trigger")) => put(Some(Note::Trigger)),
            Some(("STOPPING", "1")) => put(Some(Note::Stopping)),
            Some(("RELOADING", "1")) => put(Some(Note::Reloading)),
            Some(("STATUS", s)) => put(Some(Note::Status(s.to_owned()))),
            Some(("EXTEND_TIMEOUT_USEC", n)) => put(millis(n).map(Note::Extend)),
            Some(("WATCHDOG_USEC", n)) => put(millis(n).filter(|ms| *ms > 0).map(Note::Interval)),
            Some(("MAINPID", n)) => put(n.parse().ok().filter(|pid| *pid > 1).map(Note::Main)),
            Some(("ERRNO", n)) => put(n.parse().ok().filter(|n| *n > 0).map(errno)),
            Some(("BUSERROR", name)) if is_bus_error(name) => put(Some(Note::Said(format!("it said: {name}")))),
            Some(("FDSTORE", "1")) => stores = true,
            Some(("FDSTOREREMOVE", "1")) => removes = true,
            Some(("FDNAME", n)) if fdstore::is_name(n) => name = Some(n.to_owned()),
            Some(("FDPOLL", "0")) => polled = false,
            _ => {}
        }
    }
    match (stores, removes, name) {
        // systemd, too, drops nothing without a name, and removing goes before keeping.
        (_, true, Some(name)) => notes.push(Note::Unstore { name }),
        (true, false, name) => notes.push(Note::Store {
            name: name.unwrap_or_else(|| fdstore::NAME_DEFAULT.into()),
            polled,
        }),
        (_, true, None) | (false, false, _) => {}
    }
    notes
}

/// Microseconds as milliseconds.
fn millis(text: &str) -> Option<u64> {
    Some(text.parse::<u64>().ok()? / 1000)
}

fn errno(number: i32) -> Note {
    let name = nix::errno::Errno::from_raw(number);
    Note::Said(format!("it said: errno {number}, {}", name.desc()))
}

/// `org.example.Error.Name`
fn is_bus_error(name: &str) -> bool {
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    name.len() <= BUS_ERROR_MAX && name.contains('.') && name.split('.').all(word)
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
            // One more, to know one that is too long.
            buf: vec![0; MESSAGE_MAX + 1],
            beside: Beside::room(datagram::FDS_MAX),
        }
    }

    /// The next datagram; `None` when there is none.
    pub fn receive(&mut self) -> Option<Message> {
        loop {
            let got = datagram::receive(self.socket.as_fd(), &mut self.buf, &mut self.beside).ok()?;
            let Some(sender) = got.sender else { continue };
            let (notes, wrong) = if got.len > MESSAGE_MAX {
                (
                    Vec::new(),
                    Some("a notification was longer than 4096 bytes and is dropped"),
                )
            } else {
                let cut = "a notification carried more than the supervisor has room for; the rest of it is lost";
                (parse(&self.buf[..got.len]), got.cut.then_some(cut))
            };
            return Some(Message {
                pid: sender.pid,
                notes,
                fds: got.fds,
                wrong,
            });
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
            [
                Note::Ready,
                Note::Status("all well = good".into()),
                Note::Heartbeat,
                Note::Extend(5000),
                Note::Main(4),
                Note::Trigger
            ]
        );
        assert_eq!(
            parse(b"RELOADING=1\nMONOTONIC_USEC=7\nWATCHDOG_USEC=20000000\nERRNO=2"),
            [
                Note::Reloading,
                Note::Interval(20_000),
                Note::Said("it said: errno 2, No such file or directory".into())
            ]
        );
        assert_eq!(
            parse(b"BUSERROR=org.example.Error.TimedOut\nERRNO=5"),
            [Note::Said("it said: org.example.Error.TimedOut".into())],
            "one word of a failure is enough"
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
    fn words_without_a_meaning_and_repeated_ones_are_left_out() {
        for nothing in [
            "MAINPID=0",
            "MAINPID=1",
            "MAINPID=-4",
            "MAINPID=x",
            "MAINPID=99999999999",
            "WATCHDOG_USEC=0",
            "WATCHDOG_USEC=-1",
            "WATCHDOG=2",
            "RELOADING=0",
            "ERRNO=0",
            "ERRNO=-2",
            "ERRNO=two",
            "BUSERROR=x",
            "BUSERROR=a..b",
            "BUSERROR=a.\u{1b}[2J",
            "X_SELF=1",
            "=1",
            "READY",
            "READY=10",
        ] {
            assert_eq!(parse(nothing.as_bytes()), [], "{nothing}");
        }
        assert_eq!(parse(format!("BUSERROR=a.{}", "b".repeat(300)).as_bytes()), []);
        let many = "WATCHDOG=1\nSTATUS=x\nMAINPID=7\n".repeat(100);
        assert_eq!(
            parse(many.as_bytes()),
            [Note::Heartbeat, Note::Status("x".into()), Note::Main(7)],
            "one datagram asks for a thing once"
        );
    }

    #[test]
    fn one_that_is_too_long_is_dropped_rather_than_read_in_part() {
        let (from, to) = UnixDatagram::pair().expect("a pair");
        setsockopt(&to, sockopt::PassCred, &true).expect("credentials");
        let mut socket = NotifySocket::of(to);
        // Cut at 4096 bytes, the last word would name another process.
        let mut long = format!("X={}\nMAINPID=", "y".repeat(MESSAGE_MAX - 12)).into_bytes();
        long.extend(b"12345");
        from.send(&long).expect("sent");
        from.send(b"READY=1").expect("sent");
        let mut told = || socket.receive().map(|m| (m.notes, m.wrong.is_some()));
        assert_eq!(told(), Some((Vec::new(), true)), "whoever it was is told of");
        assert_eq!(told(), Some((vec![Note::Ready], false)));
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
