//! Self-tests of a SAS disk (SPC-4, 5.12): one at a time in the background, and the results of the last twenty.

use std::time::Duration;

use crate::inquiry::number;
use crate::own_test::{Run, Verdict};
use crate::sense;
use crate::unit::Reply;

/// LOGICAL UNIT NOT READY, SELF-TEST IN PROGRESS.
const IN_PROGRESS: (u8, u8) = (0x04, 0x09);
/// LOGICAL UNIT FAILED SELF-TEST.
const FAILED: (u8, u8) = (0x3E, 0x03);

/// Results that the log keeps (SPC-4, 7.3.21).
const KEPT: usize = 20;

/// The self-tests of one disk.
#[derive(Clone, Debug)]
pub struct SelfTests {
    /// How long a short one takes.
    pub short: Duration,
    /// How long an extended one takes; told in seconds (mode page 0A) and minutes (page 86).
    pub extended: Duration,
    /// What the next ones will come to.
    pub verdict: Verdict,
    running: Option<Running>,
    /// Newest first.
    results: Vec<Done>,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    code: u8,
    run: Run,
    /// When it ends, if it does, and the sector that it could not read.
    end: Option<(Duration, Option<u64>)>,
}

/// A result: its self-test code, its result code (SPC-4, table 334), when it ended, and where it failed.
#[derive(Clone, Copy, Debug)]
struct Done {
    code: u8,
    result: u8,
    at: Duration,
    lba: Option<u64>,
}

impl Default for SelfTests {
    fn default() -> Self {
        Self {
            short: Duration::from_mins(2),
            extended: Duration::from_hours(8),
            verdict: Verdict::Passes,
            running: None,
            results: Vec::new(),
        }
    }
}

impl SelfTests {
    /// Whether one runs at `now`.
    pub fn is_running(&mut self, now: Duration) -> bool {
        self.settle(now);
        self.running.is_some()
    }

    /// Enters what has ended by `now`.
    fn settle(&mut self, now: Duration) {
        if let Some(test) = self.running
            && let Some((at, bad)) = test.end.filter(|(at, _)| *at <= now)
        {
            self.end(test, if bad.is_some() { 7 } else { 0 }, at, bad);
        }
    }

    fn end(&mut self, Running { code, .. }: Running, result: u8, at: Duration, lba: Option<u64>) {
        self.results.insert(0, Done { code, result, at, lba });
        self.results.truncate(KEPT);
        self.running = None;
    }

    /// SEND DIAGNOSTIC (SPC-4, 6.32) of a disk of `sectors` sectors.
    pub(super) fn send(&mut self, now: Duration, cdb: &[u8], sectors: u64) -> Reply {
        self.settle(now);
        let (code, default) = (number(cdb, 1, 2) >> 5, number(cdb, 1, 2) & 0x04 != 0);
        if number(cdb, 3, 5) != 0 || default && code != 0 {
            return Reply::check(sense::invalid_field());
        }
        let takes = match (code, self.running) {
            // To abort what does not run is an error (SPC-4, table 230).
            (4, None) => return Reply::check(sense::invalid_field()),
            (4, Some(test)) => {
                self.end(test, 1, now, None);
                return Reply::good();
            }
            (0, None) => return self.at_once(default),
            (1, None) => self.short,
            (2, None) => self.extended,
            (0..=2, Some(_)) => return Reply::check(sense::fixed(sense::NOT_READY, IN_PROGRESS, None)),
            _ => return Reply::check(sense::invalid_field()),
        };
        let run = Run {
            began: now,
            takes,
            verdict: self.verdict,
        };
        self.running = Some(Running {
            code: if code == 1 { 1 } else { 2 },
            run,
            end: run.end(sectors),
        });
        Reply::good()
    }

    /// The default self-test, which is over when the command is.
    fn at_once(&self, wanted: bool) -> Reply {
        match self.verdict {
            Verdict::FailsAt(_) if wanted => Reply::check(sense::fixed(sense::HARDWARE_ERROR, FAILED, None)),
            Verdict::Passes | Verdict::FailsAt(_) | Verdict::NeverEnds => Reply::good(),
        }
    }

    /// What REQUEST SENSE tells while one runs: its progress in 65536ths (SPC-4, 5.12.4.3 and 4.5.2.4.4).
    pub(super) fn progress(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.settle(now);
        let done = self.running?.run.done(now, 0x1_0000).min(0xFFFF);
        let part = (done as u16).to_be_bytes();
        let mut sense = sense::fixed(0, IN_PROGRESS, None);
        sense[15..18].copy_from_slice(&[0x80, part[0], part[1]]);
        Some(sense)
    }

    /// The parameters of log page 10 (SPC-4, 7.3.21), always twenty; `hours` tells the power-on hours of a time.
    pub(super) fn parameters(&mut self, now: Duration, hours: impl Fn(Duration) -> u64) -> Vec<Vec<u8>> {
        self.settle(now);
        let running = self.running.map(|test| Done {
            code: test.code,
            result: 0x0F,
            at: now,
            lba: None,
        });
        let all = running.into_iter().chain(self.results.iter().copied());
        let mut all: Vec<_> = all.take(KEPT).map(|done| done.parameter(hours(done.at))).collect();
        all.resize(KEPT, vec![0; 16]);
        all
    }
}

impl Done {
    fn parameter(&self, hours: u64) -> Vec<u8> {
        // Which part failed: the third, which reads.
        let mut data = vec![self.code << 5 | self.result, if self.lba.is_some() { 3 } else { 0 }];
        // FFFFh: later than the field can tell.
        data.extend(u16::try_from(hours).unwrap_or(u16::MAX).to_be_bytes());
        data.extend(self.lba.unwrap_or(u64::MAX).to_be_bytes());
        let (code, qualifier) = sense::UNRECOVERED_READ;
        data.extend(match self.lba {
            Some(_) => [sense::MEDIUM_ERROR, code, qualifier, 0],
            None => [0; 4],
        });
        data
    }
}
