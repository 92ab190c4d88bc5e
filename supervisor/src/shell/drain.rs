//! Sockets of a log that does not read: what stands in them is dropped and counted, so that no service waits for its log.
//!
//! Standard output of every unit, and the native protocol, are datagram sockets that PID 1 keeps and the journal reads. While
//! the journal stands (stopped, hung in the kernel, between two failures) they fill up, and a service that writes a line
//! waits, heartbeat and all. PID 1 reads nothing while the journal does; it only looks whether the first line, by its arrival and
//! its words, is still the same. One that stands for [`STANDS`] is dropped with all behind it, and from then on they are looked at often.

use std::os::fd::BorrowedFd;

use super::datagram::{self, Beside};
use crate::core::Millis;

/// How long the first line may stand in the socket of a log that has read before, in milliseconds.
const STANDS: Millis = 2_000;
/// The same before it has: it may start late, and what was said before is worth having.
const STANDS_AT_FIRST: Millis = 30_000;
/// Between two looks while nobody reads, in milliseconds.
pub const LOOK: Millis = 50;
/// Datagrams that are dropped in one turn.
const BURST: usize = 4_096;

/// What is known of one socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drain {
    /// A sum of the first datagram, and since when it stands there.
    head: Option<(u64, Millis)>,
    /// When datagrams were dropped last, while nobody reads.
    dropped_at: Option<Millis>,
    /// How many, since somebody read.
    dropped: u64,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    None,
    /// Everything in it is to be dropped.
    Drop,
    /// Somebody reads again; so many were dropped.
    Over(u64),
}

impl Drain {
    /// Looks. `head`: a sum of the first datagram; `had_read`: the log was ready in this boot; `alive_at`: when it last said
    /// that all is read.
    pub fn step(&mut self, now: Millis, head: Option<u64>, had_read: bool, alive_at: Millis) -> Act {
        let moved = matches!((self.head, head), (Some((old, _)), Some(new)) if old != new)
            || matches!((self.head, head), (Some(_), None));
        if let Some(at) = self.dropped_at
            && (moved || alive_at > at)
        {
            let dropped = self.dropped;
            *self = Self::default();
            return Act::Over(dropped);
        }
        let Some(new) = head else {
            self.head = None;
            return Act::None;
        };
        let since = match self.head {
            Some((old, since)) if old == new => since,
            _ => now,
        };
        self.head = Some((new, since));
        let most = match (self.dropped_at, had_read) {
            (Some(_), _) => LOOK,
            (None, true) => STANDS,
            (None, false) => STANDS_AT_FIRST,
        };
        if now.saturating_sub(since) >= most {
            Act::Drop
        } else {
            Act::None
        }
    }

    /// So many were dropped.
    pub fn dropped(&mut self, now: Millis, count: u64) {
        self.head = None;
        self.dropped_at = Some(now);
        self.dropped += count;
    }

    /// Whether nobody reads, so that it is looked at often.
    pub fn stands(&self) -> bool {
        self.dropped_at.is_some()
    }

    /// Whether these are the first that are dropped.
    pub fn begins(&self) -> bool {
        self.dropped == 0
    }
}

/// A sum of the first datagram in a socket (FNV-1a of its arrival, its length and its beginning); `None` where there is none.
/// Takes nothing away. The arrival tells two equal lines apart, as far as the socket notes it.
pub fn head(socket: BorrowedFd<'_>) -> Option<u64> {
    let mut buf = [0u8; 256];
    let (len, arrival) = datagram::first(socket, &mut buf).ok()?;
    let bytes = buf[..len.min(buf.len())].iter().map(|b| u64::from(*b));
    let sum = arrival.into_iter().chain([len as u64]).chain(bytes);
    Some(sum.fold(0xcbf2_9ce4_8422_2325, |sum: u64, b| {
        (sum ^ b).wrapping_mul(0x0100_0000_01b3)
    }))
}

/// Takes what is there away; returns how many datagrams.
pub fn empty(socket: BorrowedFd<'_>, beside: &mut Beside) -> u64 {
    let mut one = [0u8; 1];
    let gone = (0..BURST).take_while(|_| datagram::text(socket, &mut one, beside).is_ok());
    gone.count() as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::shell::paths::Paths;
    use crate::shell::sockets;
    use crate::unit::{Address, Listen};
    use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
    use proptest::prelude::*;
    use std::io::IoSlice;
    use std::os::fd::{AsFd, AsRawFd};
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn what_stands_is_dropped_and_from_then_on_soon_until_somebody_reads() {
        let mut d = Drain::default();
        assert_eq!(d.step(0, Some(7), true, 0), Act::None);
        assert_eq!(d.step(1_999, Some(7), true, 0), Act::None);
        assert_eq!(d.step(2_000, Some(7), true, 0), Act::Drop);
        assert!(d.begins());
        d.dropped(2_000, 10);
        assert!(d.stands() && !d.begins());
        assert_eq!(
            d.step(2_010, Some(8), true, 0),
            Act::None,
            "the first look at what came"
        );
        assert_eq!(d.step(2_060, Some(8), true, 0), Act::Drop);
        d.dropped(2_060, 10);
        // Nobody writes: nothing is known of whether somebody reads.
        assert_eq!(d.step(9_000, None, true, 0), Act::None);
        assert_eq!(d.step(9_100, Some(9), true, 0), Act::None);
        assert_eq!(
            d.step(9_110, Some(10), true, 0),
            Act::Over(20),
            "another line is the first: somebody reads"
        );
        assert!(!d.stands());
        assert_eq!(d.step(10_000, Some(11), true, 0), Act::None);
        assert_eq!(d.step(12_000, Some(11), true, 0), Act::Drop);
        d.dropped(12_000, 1);
        assert_eq!(
            d.step(12_050, None, true, 12_001),
            Act::Over(1),
            "the log says that all is read"
        );
    }

    #[test]
    fn a_log_that_has_not_begun_is_waited_for_and_not_for_ever() {
        let mut d = Drain::default();
        assert_eq!(d.step(0, Some(7), false, 0), Act::None);
        assert_eq!(d.step(29_999, Some(7), false, 0), Act::None);
        assert_eq!(d.step(30_000, Some(7), false, 0), Act::Drop);
    }

    #[test]
    fn a_look_takes_nothing_and_emptying_takes_all() {
        let (from, to) = UnixDatagram::pair().unwrap();
        to.set_nonblocking(true).unwrap();
        assert_eq!(head(to.as_fd()), None);
        from.send(b"one").unwrap();
        from.send(&[b'x'; 1000]).unwrap();
        let first = head(to.as_fd());
        assert!(first.is_some() && head(to.as_fd()) == first);
        let mut buf = [0; 10];
        assert_eq!(to.recv(&mut buf).unwrap(), 3);
        assert_ne!(head(to.as_fd()), first);
        let gone = empty(to.as_fd(), &mut Beside::room(datagram::FDS_MAX));
        assert_eq!((gone, head(to.as_fd())), (1, None));
    }

    #[test]
    fn equal_lines_are_told_apart_by_their_arrival() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(Some(dir.path().to_owned()));
        let listen = Listen {
            name: "stdout".into(),
            address: Address::Datagram("/stdout.sock".into()),
            mode: 0o600,
            user: None,
        };
        let to = UnixDatagram::from(sockets::open(&listen, &paths).unwrap());
        to.set_nonblocking(true).unwrap();
        let from = UnixDatagram::unbound().unwrap();
        from.connect(dir.path().join("stdout.sock")).unwrap();
        let file = tempfile::tempfile().unwrap();
        for _ in 0..3 {
            let rights = [ControlMessage::ScmRights(&[file.as_raw_fd()])];
            let iov = [IoSlice::new(b"the same\n")];
            sendmsg::<UnixAddr>(from.as_raw_fd(), &iov, &rights, MsgFlags::empty(), None).unwrap();
        }
        let mut heads = Vec::new();
        for _ in 0..3 {
            let first = head(to.as_fd());
            assert_eq!(first, head(to.as_fd()), "one that stands stays the same");
            heads.push(first);
            let mut beside = Beside::room(1);
            let got = datagram::receive(to.as_fd(), &mut [0; 16], &mut beside).unwrap();
            assert!(!got.cut && got.sender.is_some() && got.fds.len() == 1);
        }
        heads.dedup();
        assert_eq!(heads.len(), 3);
    }

    proptest! {
        /// A log that reads (each look finds another line, or none) loses nothing; one that does not is never waited for longer
        /// than the limit.
        #[test]
        fn who_reads_loses_nothing_and_who_stands_is_not_waited_for(passes in proptest::collection::vec((1u64..3_000, any::<bool>()), 1..50)) {
            let (mut reads, mut stands, mut now, mut since) = (Drain::default(), Drain::default(), 0, None);
            for (n, (pass, empty)) in passes.into_iter().enumerate() {
                now += pass;
                let line = (!empty).then_some(n as u64);
                prop_assert_eq!(reads.step(now, line, true, 0), Act::None);
                match stands.step(now, Some(1), true, 0) {
                    Act::Drop => { stands.dropped(now, 1); since = None; }
                    Act::None => prop_assert!(now - *since.get_or_insert(now) < STANDS),
                    Act::Over(_) => prop_assert!(false, "nobody has read"),
                }
            }
        }
    }
}
