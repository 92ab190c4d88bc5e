//! Self-tests, which run beside the host's commands, and both logs of them (ACS-3, SMART feature set; annex A).

use std::time::Duration;

use super::page::Page;
use crate::own_test::{Run, Verdict};

/// Which self-test; as its number is in SMART EXECUTE OFF-LINE IMMEDIATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Short, 01h.
    Short = 1,
    /// Extended, 02h.
    Extended = 2,
}

/// Completed without error, aborted by the host, read failure, in progress (ACS-3, SMART READ DATA).
const PASSED: u8 = 0x0;
const ABORTED: u8 = 0x1;
const READ_FAILURE: u8 = 0x7;
const RUNNING: u8 = 0xF;

/// A test that runs.
#[derive(Clone, Copy, Debug)]
struct Running {
    kind: Kind,
    run: Run,
}

impl Running {
    /// Tenths of it that remain, 1 to 9.
    fn remains(&self, now: Duration) -> u8 {
        (10 - self.run.done(now, 10)).clamp(1, 9) as u8
    }
}

/// A test that ended.
#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: Kind,
    /// Self-test execution status: what it came to, and the tenths that remained.
    status: u8,
    hours: u16,
    lba: Option<u64>,
}

/// The self-tests of a disk.
#[derive(Clone, Debug)]
pub struct SelfTests {
    /// How long the next short test takes.
    pub short: Duration,
    /// How long the next extended test takes.
    pub extended: Duration,
    /// How the next test ends.
    pub verdict: Verdict,
    running: Option<Running>,
    /// All that ended since power-on, the oldest first.
    ended: Vec<Entry>,
}

impl Default for SelfTests {
    /// Two minutes, two hours; nothing is found.
    fn default() -> Self {
        Self {
            short: Duration::from_mins(2),
            extended: Duration::from_hours(2),
            verdict: Verdict::Passes,
            running: None,
            ended: Vec::new(),
        }
    }
}

impl SelfTests {
    /// Which test runs.
    #[must_use]
    pub fn running(&self) -> Option<Kind> {
        self.running.map(|test| test.kind)
    }

    /// Starts a test; one that runs is aborted by it.
    pub(crate) fn start(&mut self, kind: Kind, now: Duration, hours: u16) {
        self.abort(now, hours);
        let takes = match kind {
            Kind::Short => self.short,
            Kind::Extended => self.extended,
        };
        let verdict = self.verdict;
        let run = Run {
            began: now,
            takes,
            verdict,
        };
        self.running = Some(Running { kind, run });
    }

    /// Ends the test that runs, as the host bids.
    pub(crate) fn abort(&mut self, now: Duration, hours: u16) {
        if let Some(test) = self.running.take() {
            self.end(test, ABORTED << 4 | test.remains(now), hours, None);
        }
    }

    /// Ends the test whose time has come, on a disk of so many sectors.
    pub(crate) fn settle(&mut self, now: Duration, hours: u16, sectors: u64) {
        let Some(test) = self.running else { return };
        if let Some((at, bad)) = test.run.end(sectors).filter(|(at, _)| *at <= now) {
            self.running = None;
            let status = match bad {
                Some(_) => READ_FAILURE << 4 | test.remains(at),
                None => PASSED << 4,
            };
            self.end(test, status, hours, bad);
        }
    }

    fn end(&mut self, Running { kind, .. }: Running, status: u8, hours: u16, lba: Option<u64>) {
        self.ended.push(Entry {
            kind,
            status,
            hours,
            lba,
        });
    }

    /// Self-test execution status byte (ACS-3, SMART READ DATA).
    pub(crate) fn status(&self, now: Duration) -> u8 {
        match (&self.running, self.ended.last()) {
            (Some(test), _) => RUNNING << 4 | test.remains(now),
            (None, last) => last.map_or(0, |entry| entry.status),
        }
    }

    /// Minutes after which the host may ask for the result, short and extended, at least 1.
    pub(crate) fn polling(&self) -> [u16; 2] {
        [self.short, self.extended].map(|takes| u16::try_from(takes.as_secs().div_ceil(60).max(1)).unwrap_or(u16::MAX))
    }

    /// SMART self-test log, 06h (ACS-3, annex A): 21 descriptors of 24 bytes from byte 2 on, the newest one's number at
    /// 508.
    pub(crate) fn log(&self) -> Vec<u8> {
        let mut page = self.ring(2, 21, 24, 4);
        page.number(508, 1, self.newest(21)).number(0, 2, 1).sealed()
    }

    /// Extended SMART self-test log, 07h (ACS-3, annex A): 19 descriptors of 26 bytes from byte 4 on, the newest one's
    /// number at 2.
    pub(crate) fn extended_log(&self) -> Vec<u8> {
        let mut page = self.ring(4, 19, 26, 6);
        page.number(2, 2, self.newest(19)).number(0, 1, 1).sealed()
    }

    /// Number of the newest of `slots` descriptors, from 1 on; 0 where there was no test.
    fn newest(&self, slots: usize) -> u64 {
        self.ended
            .len()
            .checked_sub(1)
            .map_or(0, |last| (last % slots) as u64 + 1)
    }

    /// A page whose `slots` descriptors are filled round and round; an LBA takes `address` bytes. Both forms begin
    /// alike:
    ///
    /// ```text
    /// 0  subcommand    1  status    2  hours (2)    4  checkpoint    5  LBA, all ones for none and for one too large
    /// ```
    fn ring(&self, first: usize, slots: usize, size: usize, address: usize) -> Page {
        let mut page = Page::blank();
        let none = u64::MAX >> (64 - 8 * address);
        let from = self.ended.len().saturating_sub(slots);
        for (number, entry) in self.ended.iter().enumerate().skip(from) {
            let at = first + number % slots * size;
            page.number(at, 1, entry.kind as u64)
                .number(at + 1, 1, entry.status.into())
                .number(at + 2, 2, entry.hours.into())
                .number(at + 5, address, entry.lba.unwrap_or(none).min(none));
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ata::page::sum;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn logs_turn_round_when_they_are_full() {
        for (count, short, extended) in [(0_u16, 0, 0), (1, 1, 1), (19, 19, 19), (21, 21, 2), (22, 1, 3)] {
            let mut tests = SelfTests::default();
            for hours in 1..=count {
                tests.start(Kind::Short, Duration::ZERO, hours);
                tests.settle(2 * MINUTE, hours, 1000);
            }
            let (log, long) = (tests.log(), tests.extended_log());
            assert_eq!((log[508], long[2]), (short, extended), "{count}");
            for page in [&log, &long] {
                assert_eq!(sum(page), 0);
            }
            // The descriptor that the index names is the newest; the one behind it the oldest, or still empty.
            if count > 0 {
                let [at, next] = [short - 1, short % 21].map(|slot| 2 + usize::from(slot) * 24);
                assert_eq!(u16::from(log[at + 2]), count);
                assert_eq!(u16::from(log[next + 2]), count.saturating_sub(20));
                assert_eq!(u16::from(long[4 + usize::from(extended - 1) * 26 + 2]), count);
            }
        }
    }

    #[test]
    fn a_running_test_counts_down_and_passes() {
        let mut tests = SelfTests::default();
        tests.start(Kind::Extended, MINUTE, 5);
        for (minutes, status) in [(1, 0xF9), (61, 0xF5), (120, 0xF1), (121, 0x00)] {
            tests.settle(minutes * MINUTE, 7, 1000);
            assert_eq!(tests.status(minutes * MINUTE), status, "{minutes}");
        }
        assert_eq!(tests.log()[2..6], [2, 0x00, 7, 0]);
    }

    #[test]
    fn a_read_failure_is_found_where_it_lies_and_an_abort_is_the_hosts() {
        let verdict = Verdict::FailsAt(0x1_0000_0250);
        let mut tests = SelfTests {
            verdict,
            ..SelfTests::default()
        };
        tests.start(Kind::Extended, Duration::ZERO, 5);
        tests.settle(59 * MINUTE, 5, 0x2_0000_04A0);
        assert_eq!(tests.running(), Some(Kind::Extended));
        tests.settle(60 * MINUTE, 6, 0x2_0000_04A0);
        assert_eq!(tests.status(MINUTE), 0x75);
        assert_eq!(
            tests.log()[2..11],
            [2, 0x75, 6, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
            "33 bits"
        );
        assert_eq!(tests.extended_log()[4..15], [2, 0x75, 6, 0, 0, 0x50, 0x02, 0, 0, 1, 0]);
        tests.verdict = Verdict::NeverEnds;
        tests.start(Kind::Short, Duration::ZERO, 5);
        tests.settle(999 * MINUTE, 5, 1000);
        assert_eq!(tests.status(999 * MINUTE), 0xF1);
        tests.abort(999 * MINUTE, 9);
        assert_eq!((tests.status(999 * MINUTE), tests.log()[508]), (0x11, 2));
    }

    #[test]
    fn polling_times_are_whole_minutes() {
        let tests = SelfTests {
            short: Duration::from_secs(3),
            extended: Duration::from_secs(18_001),
            ..SelfTests::default()
        };
        assert_eq!(tests.polling(), [1, 301]);
    }
}
