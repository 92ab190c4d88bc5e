//! The drive's own self-tests, short and extended: started, followed, and judged by *this* test's own entry in the
//! drive's log.
//!
//! ```text
//! start ─► Running ─► poll … poll ─► Step::Ended(wire SelfTest)      abort: smartctl -X
//!   │                   │ log and status compared with the log from before the start
//!   └► NotStarted       └► Step::Running { percent }
//! ```
//!
//! An older entry never counts: a drive that answers "completed without error" with the log of last year has not been
//! tested. What ends without an entry of its own is `Unknown`, what the drive cannot do is `Unsupported`; neither is ever
//! passed. smartctl itself exits 0 whether or not it started anything (measured with 7.3 on NVMe), so its word is not
//! proof; the log is. One that takes longer than any does is given up by [`poll`], and ended on the drive.
//!
//! The decisions are pure ([`Running::step`], [`own`]); [`start`], [`poll`] and [`abort`] put smartctl around them.
//! Tested in `tests/self_test.rs` with a smartctl that plays recorded sequences, and in QEMU, whose SATA disk implements
//! a self-test that ends at once. No test of a real drive has been followed by this code.

mod abort;
mod empty;
mod full;
mod hours;
mod limits;
mod overdue;
mod own;
mod start;
mod suspect;

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wire::job::{Phase, PhaseStatus, SelfTestOutcome};

pub use abort::{NotEnded, abort};
pub use limits::{Limits, limits};
pub use own::{Own, own};
pub use start::{NotStarted, start};

use crate::identity::Identity;
use crate::smart::{Meanwhile, Protocol, SelfTest, SelfTestLog, Smartctl, Snapshot, Unreadable};
use empty::Empty;
use full::Full;
use suspect::{Suspect, Whose};

/// Which self-test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Two minutes or so: electronics, mechanics, a little of the surface.
    Short,
    /// The whole surface, read by the drive itself: hours.
    Extended,
}

impl Kind {
    /// The kind that a phase of a playbook asks for.
    pub fn of(phase: Phase) -> Option<Self> {
        match phase {
            Phase::SelfTestShort => Some(Self::Short),
            Phase::SelfTestExtended => Some(Self::Extended),
            Phase::SmartBefore
            | Phase::Probe
            | Phase::Sample
            | Phase::Write
            | Phase::Verify
            | Phase::Seek
            | Phase::Trim
            | Phase::TrimCheck
            | Phase::Scan
            | Phase::SmartAfter
            | Phase::Partition
            | Phase::Format => None,
        }
    }

    /// The phase that asks for it.
    pub fn phase(self) -> Phase {
        match self {
            Self::Short => Phase::SelfTestShort,
            Self::Extended => Phase::SelfTestExtended,
        }
    }

    /// smartctl's word for it.
    fn argument(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Extended => "long",
        }
    }

    /// Whether a log entry of type `told` (`Short offline`, `Extended`, `Background long`) is of this kind.
    fn matches(self, told: &str) -> bool {
        let told = told.to_ascii_lowercase();
        match self {
            Self::Short => told.contains("short"),
            Self::Extended => told.contains("extended") || told.contains("long"),
        }
    }
}

/// A self-test under way. Serialises, so that whoever is started anew goes on following it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Which.
    pub kind: Kind,
    /// Command set of the drive.
    pub protocol: Protocol,
    /// The drive's self-test log before the start, newest first.
    before: Vec<SelfTest>,
    /// Which of an ATA drive's logs `before` is; `None` where that is not known.
    #[serde(default)]
    log: Option<SelfTestLog>,
    /// What is known of an entry that may be of somebody else's test.
    #[serde(default)]
    suspect: Suspect,
    /// Whether that log was empty, and is known to have been.
    #[serde(default)]
    empty: Empty,
    /// What a log full of equal entries has shown of the test.
    #[serde(default)]
    full: Full,
    /// Power-on hours at the start.
    hours: Option<u64>,
    /// How long it may take, and how often to look.
    pub limits: Limits,
    /// Whether it was seen running, or smartctl said that it began.
    begun: bool,
    /// Highest share seen, in percent.
    percent: u8,
    /// Seconds after the start since which the drive says that nothing runs, though there is no entry yet.
    quiet_since: Option<u64>,
    /// Seconds after the start since which the drive has not answered.
    silent_since: Option<u64>,
    /// Whether the log showed this test alone while it ran: it was empty at the start, and not only not given. SCSI and NVMe, which have
    /// one log each.
    #[serde(default)]
    alone: bool,
    /// What the drive told of its temperature at the last look.
    #[serde(default)]
    temperature: Option<i64>,
    /// The worst that it told of its health so far.
    #[serde(default)]
    told: Meanwhile,
}

/// What one look at a running test came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It goes on.
    Running {
        /// Share done, 0–100, in the drive's own steps (most tell tens; SAS none, so by time); never goes back.
        percent: f64,
    },
    /// It ended, one way or another; the entry for `Job::self_tests`.
    Ended(wire::job::SelfTest),
}

/// Whether an entry's hours prove that it is not older than the test.
type Proof = fn(Protocol, Option<u64>, Option<u64>, Duration) -> bool;

/// Bits of smartctl's exit status by which it says that an order was not carried out. Source: smartctl(8), "EXIT STATUS", bits 0 to 2.
const NOT_DONE: u8 = 0b111;

/// What becomes of the step whose self-test came to this.
pub fn status(outcome: SelfTestOutcome) -> PhaseStatus {
    match outcome {
        SelfTestOutcome::Passed | SelfTestOutcome::Failed => PhaseStatus::Done,
        SelfTestOutcome::Unsupported => PhaseStatus::Skipped,
        SelfTestOutcome::Aborted | SelfTestOutcome::Unknown => PhaseStatus::Interrupted,
    }
}

fn ended(kind: Kind, outcome: SelfTestOutcome, told: String, lba: Option<u64>) -> wire::job::SelfTest {
    wire::job::SelfTest {
        phase: kind.phase(),
        outcome,
        told,
        lba: lba.map(wire::Lba),
        // Whoever runs the steps knows which one it was.
        step: None,
    }
}

/// Longest that a drive may take to write its log entry after it says that nothing runs, in seconds.
const ENTRY_LATE: u64 = 120;

/// Longest that a drive may not answer, in seconds: a self-test can hold commands up, but not for ever.
const SILENT: u64 = 600;

impl Running {
    /// A test that was started after the drive had told `before`. `begun`: whether smartctl said that it began.
    pub fn new(kind: Kind, before: &Snapshot, begun: bool) -> Self {
        let mut told = Meanwhile::default();
        told.heed(before);
        Self {
            kind,
            protocol: before.protocol,
            before: before.self_tests.clone(),
            log: before.self_test_log,
            suspect: Suspect::default(),
            empty: Empty::of(before),
            full: Full::of(kind, before),
            hours: before.power_on_hours,
            limits: limits(kind, before),
            begun,
            percent: 0,
            quiet_since: None,
            silent_since: None,
            alone: false,
            temperature: before.temperature,
            told,
        }
    }

    /// Degrees Celsius that the drive told at the last look; `None` where it told none.
    pub fn temperature(&self) -> Option<i64> {
        self.temperature
    }

    /// The worst that the drive told of its health, at its start and since.
    pub fn told(&self) -> Meanwhile {
        self.told
    }

    /// Notes that the drive is about to be ordered to end it, whatever comes of that: its end may leave no entry. Whether that is new.
    pub fn note_end_ordered(&mut self) -> bool {
        std::mem::take(&mut self.full) != Full::Unknown
    }

    /// What the drive's answer, `elapsed` after the start, means. Pure but for what it remembers of earlier looks.
    pub fn step(&mut self, elapsed: Duration, now: &Snapshot) -> Step {
        let second = elapsed.as_secs();
        // Another way to the same drive shows another log, of which nothing is known.
        if now.protocol != self.protocol {
            return self.silent(
                elapsed,
                &format!("it tells {:?} now, {:?} at the start", now.protocol, self.protocol),
            );
        }
        self.silent_since = None;
        self.temperature = now.temperature;
        self.told.heed(now);
        self.empty.look(now);
        self.full.look(self.kind, &self.before, second, now);
        let may_be_anothers = self.may_be_anothers(elapsed, now);
        // Before all else: what runs by now may be somebody else's, begun after ours.
        // QEMU's disks invent the hours of their entries, so that these have no highest.
        if let Some(entry) = self.entry(now, hours::is_of_this_time).filter(|_| !may_be_anothers) {
            return Step::Ended(self.told_by(&entry));
        }
        if let Some(remaining) = now.self_test_remaining {
            self.begun = true;
            let shows = match self.protocol {
                Protocol::Scsi => !now.self_tests.is_empty(),
                Protocol::Nvme => now.self_test.log_told && self.before.is_empty() && !is_garbled(now),
                // An ATA drive's other log may have more: see `empty`.
                Protocol::Ata | Protocol::Unknown => false,
            };
            self.alone |= shows && own::ended(&now.self_tests).is_empty();
            self.quiet_since = None;
            self.percent = self
                .percent
                .max(100_u8.saturating_sub(remaining))
                .max(self.guess(elapsed))
                .min(99);
            if !self.is_overdue(elapsed, now) {
                return self.running();
            }
            let told = format!(
                "still running after {} min; the drive announced {} min",
                second / 60,
                self.limits.announced.as_secs() / 60
            );
            return Step::Ended(ended(self.kind, SelfTestOutcome::Unknown, told, None));
        }
        let since = *self.quiet_since.get_or_insert(second);
        if second.saturating_sub(since) < ENTRY_LATE && elapsed < self.limits.longest {
            return self.running();
        }
        if let Some(entry) = self.full.entry(self.kind, &self.before, second, now) {
            return Step::Ended(self.told_by(&entry));
        }
        if self.full.waits(second, now) {
            return self.running();
        }
        let told = if self.begun {
            "it ended without an entry of its own in the drive's log"
        } else {
            "it never ran: the drive showed neither progress nor an entry in its log"
        };
        Step::Ended(ended(self.kind, SelfTestOutcome::Unknown, told.to_owned(), None))
    }

    /// Whether the new entry may be of [somebody else's test](suspect); what is known to be, counts as from before.
    fn may_be_anothers(&mut self, elapsed: Duration, now: &Snapshot) -> bool {
        let remaining = now.self_test_remaining;
        // What an ATA drive's other log has more may be older.
        let is_same_log = self.log.is_none() || self.log == now.self_test_log;
        let new = match own(self.kind, &self.before, &now.self_tests) {
            Own::Entry(new) if is_same_log && !is_garbled(now) => new,
            Own::Entry(_) | Own::Unproven(_) | Own::None => {
                self.suspect.began_anew(remaining);
                return false;
            }
        };
        let followed = |log| matches!(own(self.kind, log, &now.self_tests), Own::Entry(_));
        let look = suspect::Look {
            second: elapsed.as_secs(),
            is_soon: elapsed < Duration::from_secs(ENTRY_LATE).min(self.limits.announced / 2),
            remaining,
            new: &new,
            more: self.suspect.log().is_some_and(followed),
            log: &now.self_tests,
        };
        match self.suspect.look(&look) {
            Whose::Own => false,
            Whose::Unknown => true,
            Whose::Anothers(log) => {
                self.before = log;
                false
            }
        }
    }

    /// Whether it still runs, `elapsed` after the start, when it should long have ended.
    fn is_overdue(&self, elapsed: Duration, now: &Snapshot) -> bool {
        now.protocol == self.protocol && now.self_test_remaining.is_some() && elapsed >= self.limits.longest
    }

    /// This test's own entry, if the drive has written it. `at_rest`: by which hours it is, where the log proves nothing and none runs.
    fn entry(&self, now: &Snapshot, at_rest: Proof) -> Option<SelfTest> {
        if is_garbled(now) {
            return None;
        }
        let own = match own(self.kind, &self.before, &now.self_tests) {
            // An ATA drive's other log may have had it.
            Own::Entry(entry) if self.log.is_some() && self.log != now.self_test_log => Own::Unproven(vec![entry]),
            own @ (Own::Entry(_) | Own::Unproven(_) | Own::None) => own,
        };
        match own {
            Own::Entry(entry) => Some(entry),
            Own::Unproven(mut entries) => {
                // While one runs, it may be ours, and an entry of this hour an old one.
                let shows: Proof = match now.self_test_remaining {
                    Some(_) => hours::is_surely_later,
                    None => at_rest,
                };
                let longest = self.limits.longest;
                let is_later = self.alone || self.empty.proves(now);
                entries.retain(|entry| is_later || shows(self.protocol, self.hours, entry.hours, longest));
                let first = entries.first()?;
                // Which of them is its own is not known, so they have to agree.
                entries
                    .iter()
                    .all(|entry| entry.passed == first.passed)
                    .then(|| first.clone())
            }
            Own::None => None,
        }
    }

    /// Its own entry, if it is there, so that what runs by now is another's. An answer that lacks the status does not say that none runs.
    fn over(&self, now: &Snapshot) -> Option<SelfTest> {
        let may_be_anothers = self.suspect.log().is_some() && now.self_test_remaining.is_some();
        (now.protocol == self.protocol && !may_be_anothers)
            .then(|| self.entry(now, hours::is_in_its_time))
            .flatten()
    }

    /// What its own entry says.
    fn told_by(&self, entry: &SelfTest) -> wire::job::SelfTest {
        if entry.passed == Some(true) && self.suspect.spoils_a_pass() {
            let told = format!(
                "{}: {}; but the entry of one that did not pass came while it ran, and nobody knows which of both was this one",
                entry.kind, entry.status
            );
            return ended(self.kind, SelfTestOutcome::Unknown, told, None);
        }
        let outcome = match entry.passed {
            Some(true) => SelfTestOutcome::Passed,
            Some(false) => SelfTestOutcome::Failed,
            None => SelfTestOutcome::Aborted,
        };
        let hours = entry.hours.map(|h| format!(", at {h} h")).unwrap_or_default();
        let told = format!("{}: {}{hours}", entry.kind, entry.status);
        ended(self.kind, outcome, told, entry.lba)
    }

    /// What it means that the drive did not answer, `elapsed` after the start.
    pub fn silent(&mut self, elapsed: Duration, why: &str) -> Step {
        let second = elapsed.as_secs();
        let since = *self.silent_since.get_or_insert(second);
        self.temperature = None;
        if second.saturating_sub(since) < SILENT {
            return self.running();
        }
        let told = format!("the drive has not answered for {} min: {why}", SILENT / 60);
        Step::Ended(ended(self.kind, SelfTestOutcome::Unknown, told, None))
    }

    /// SCSI tells only that a test runs: there the announced time says how far it should be.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a percentage, at most 95"
    )]
    fn guess(&self, elapsed: Duration) -> u8 {
        if self.protocol != Protocol::Scsi {
            return 0;
        }
        let share = elapsed.as_secs_f64() / self.limits.announced.as_secs_f64().max(1.0);
        (share * 100.0).clamp(0.0, 95.0) as u8
    }

    fn running(&self) -> Step {
        Step::Running {
            percent: f64::from(self.percent),
        }
    }

    /// The entry for a test that a person or the host ended: after [`abort`], or when the drive went away.
    pub fn ended_by(&self, why: &str) -> wire::job::SelfTest {
        ended(self.kind, SelfTestOutcome::Aborted, why.to_owned(), None)
    }
}

/// Looks at a running test, `elapsed` after its start. One that takes longer than any does is given up: it is ended on the drive as by
/// [`abort`], which may take a few seconds more, and has no result.
pub fn poll(smartctl: &Smartctl, node: &Path, expected: &Identity, running: &mut Running, elapsed: Duration) -> Step {
    match smartctl.read(node, expected) {
        Ok(now) => match running.step(elapsed, &now) {
            // An entry of its own is told in place of this.
            Step::Ended(test) if test.outcome == SelfTestOutcome::Unknown && running.is_overdue(elapsed, &now) => {
                Step::Ended(overdue::give_up(smartctl, node, expected, running, &test.told))
            }
            step @ (Step::Running { .. } | Step::Ended(_)) => step,
        },
        Err(error) => running.silent(elapsed, &words(&error)),
    }
}

fn words(error: &Unreadable) -> String {
    crate::smart::words(error)
}

/// Whether the self-test log came with a wrong checksum, so that no entry of it is a result.
fn is_garbled(now: &Snapshot) -> bool {
    let wrong = now.wrong_checksums.iter().map(|name| name.to_ascii_lowercase());
    wrong
        .into_iter()
        .any(|name| name.contains("self-test log") && !name.contains("selective"))
}

#[cfg(test)]
mod tests;
