//! Lines of units' standard output. Standard error of most programs is not buffered: one line comes in as many datagrams as the
//! program makes writes, a panic's backtrace in pieces of few bytes. What a process writes is one line until it ends it, as with
//! systemd's stdout stream, or until it has said nothing more for a while. Pure, by the caller's clock.

use super::entry::{Sender, VALUE_MAX};

/// Processes whose lines are kept unfinished; beyond that the longest begun is taken as it is.
const SENDERS_MAX: usize = 256;
/// Bytes of all of them together.
const HELD_MAX: usize = 1 << 20;
/// A line that was begun so long ago is taken as it is, in milliseconds.
const WITHIN: u64 = 1_000;

/// Lines that were begun, the last touched at the end.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<Begun>);

#[derive(Debug)]
struct Begun {
    sender: Sender,
    bytes: Vec<u8>,
    /// When its first byte came, in milliseconds.
    since: u64,
}

impl Begun {
    fn end(&mut self, out: &mut impl FnMut(&Sender, &[u8])) {
        if !self.bytes.is_empty() {
            out(&self.sender, &self.bytes);
            self.bytes.clear();
        }
    }

    /// Takes more of it; one that is too long is cut into several.
    fn go_on(&mut self, mut piece: &[u8], out: &mut impl FnMut(&Sender, &[u8])) {
        while self.bytes.len() + piece.len() > VALUE_MAX {
            let (fits, rest) = piece.split_at(VALUE_MAX - self.bytes.len());
            self.bytes.extend_from_slice(fits);
            self.end(out);
            piece = rest;
        }
        self.bytes.extend_from_slice(piece);
    }
}

impl Lines {
    /// Takes what a process has written at `now`, in milliseconds; hands every line that ends to `out`, without its newline.
    pub(super) fn take(&mut self, sender: Sender, bytes: &[u8], now: u64, mut out: impl FnMut(&Sender, &[u8])) {
        let at = self.0.iter().position(|b| b.sender.pid == sender.pid);
        let mut line = at.map_or_else(
            || Begun {
                sender: sender.clone(),
                bytes: Vec::new(),
                since: now,
            },
            |at| self.0.remove(at),
        );
        if (&line.sender.unit, line.sender.uid) != (&sender.unit, sender.uid) {
            // Another process under the same number.
            line.end(&mut out);
            line.sender = sender;
        }
        for (n, piece) in bytes.split(|b| *b == b'\n').enumerate() {
            if n > 0 {
                line.end(&mut out);
            }
            if line.bytes.is_empty() {
                line.since = now;
            }
            line.go_on(piece, &mut out);
        }
        if !line.bytes.is_empty() {
            self.0.push(line);
        }
        while self.0.len() > SENDERS_MAX || self.0.iter().map(|b| b.bytes.len()).sum::<usize>() > HELD_MAX {
            self.0.remove(0).end(&mut out);
        }
    }

    /// Hands out what was begun too long ago; with `now` at its end, everything.
    pub(super) fn due(&mut self, now: u64, mut out: impl FnMut(&Sender, &[u8])) {
        self.0.retain_mut(|line| {
            let waits = now.saturating_sub(line.since) < WITHIN;
            if !waits {
                line.end(&mut out);
            }
            waits
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(pid: i32) -> Sender {
        Sender {
            pid,
            ..Sender::default()
        }
    }

    fn taken(lines: &mut Lines, sends: &[(i32, &str, u64)]) -> Vec<(i32, String)> {
        let mut found = Vec::new();
        for (pid, text, now) in sends {
            lines.take(of(*pid), text.as_bytes(), *now, |s, l| {
                found.push((s.pid, String::from_utf8_lossy(l).into_owned()));
            });
        }
        found
    }

    #[test]
    fn a_line_in_pieces_is_one_though_another_process_writes_in_between() {
        let mut lines = Lines::default();
        let sends = [
            (1, "a ", 0),
            (2, "x", 1),
            (1, "b", 2),
            (2, "\ny\n\nz", 3),
            (1, " c\n", 4),
        ];
        let told = |pid, text: &str| (pid, text.to_owned());
        assert_eq!(
            taken(&mut lines, &sends),
            [told(2, "x"), told(2, "y"), told(1, "a b c")]
        );
        let mut late = Vec::new();
        lines.due(1_002, |_, l| late.push(l.to_vec()));
        assert!(late.is_empty());
        lines.due(1_003, |_, l| late.push(l.to_vec()));
        assert_eq!(late, [b"z".to_vec()], "what is never ended is told after a while");
        assert!(lines.0.is_empty());
    }

    #[test]
    fn another_unit_under_the_same_number_does_not_go_on_with_its_line() {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for (unit, text) in [("a", "torn"), ("b", "whole\n")] {
            let sender = Sender {
                unit: Some(unit.into()),
                ..of(7)
            };
            lines.take(sender, text.as_bytes(), 0, |s, l| {
                found.push((s.unit.clone(), l.to_vec()));
            });
        }
        let told = |unit: &str, text: &str| (Some(unit.to_owned()), text.as_bytes().to_vec());
        assert_eq!(found, [told("a", "torn"), told("b", "whole")]);
    }

    #[test]
    fn what_is_held_is_bounded_and_the_longest_untouched_goes_first() {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for pid in 0..300 {
            lines.take(of(pid), b"x", 0, |s, _| found.push(s.pid));
        }
        assert_eq!(found, (0..44).collect::<Vec<_>>());
        for pid in 0..100 {
            lines.take(of(pid), &[b'y'; 60_000], 0, |_, _| {});
        }
        assert!(lines.0.iter().map(|b| b.bytes.len()).sum::<usize>() <= HELD_MAX);
        let mut lengths = Vec::new();
        lines.take(of(999), &[b'z'; 200_000], 0, |s, l| {
            if s.pid == 999 {
                lengths.push(l.len());
            }
        });
        assert_eq!(lengths, [VALUE_MAX; 3]);
    }

    proptest! {
        #[test]
        fn however_it_is_torn_nothing_is_lost(text in "[ab\n]{0,60}", cuts in proptest::collection::vec(1usize..9, 0..30)) {
            let (mut lines, mut found, mut rest) = (Lines::default(), Vec::new(), text.as_bytes());
            for cut in cuts.into_iter().chain([60]) {
                let (piece, more) = rest.split_at(cut.min(rest.len()));
                lines.take(of(1), piece, 0, |_, l| found.push(l.to_vec()));
                rest = more;
            }
            lines.due(u64::MAX, |_, l| found.push(l.to_vec()));
            let whole: Vec<Vec<u8>> = text.split('\n').filter(|l| !l.is_empty()).map(|l| l.as_bytes().to_vec()).collect();
            prop_assert_eq!(found, whole);
        }
    }
}
