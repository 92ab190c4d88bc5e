//! What a burn-in tells of itself: phases, progress, findings, verdict.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::certificate::CertificateInfo;
use crate::options::{Formatted, PlanOptions};
use crate::{Bytes, Celsius, DriveId, JobId, Lba, Time};

/// One burn-in of one drive: its whole present state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Job {
    /// Id; later jobs sort later.
    pub id: JobId,
    /// The drive.
    pub drive: DriveId,
    /// Model, as it was at the start.
    pub model: String,
    /// Serial, as it was at the start: behind some docks their own, whatever drive is in them.
    pub serial: String,
    /// Serial that the drive itself told with its SMART data, once there is a verdict; `None` where it told none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub own_serial: Option<String>,
    /// Capacity that the drive claims.
    pub capacity: Bytes,
    /// Logical sector size in bytes; LBAs of the findings count these.
    pub sector: u32,
    /// Name of the playbook.
    pub playbook: String,
    /// Who armed it.
    pub actor: String,
    /// Where it stands.
    pub state: JobState,
    /// The phases in order.
    pub phases: Vec<PhaseState>,
    /// Progress of the running phase.
    pub progress: Option<Progress>,
    /// What was found wrong, most telling first; at most [`FINDINGS_MAX`], the rest is only counted.
    pub findings: Vec<Finding>,
    /// How many sectors are bad in all.
    pub bad_sectors: u64,
    /// What the verdict is heading for while there is none: rules that fired by SMART before and by self-tests, the worst first. Beside
    /// them what is found leads to its own.
    #[serde(default)]
    pub heading: Vec<RuleHit>,
    /// The verdict, once there is one.
    pub verdict: Option<Verdict>,
    /// Interruptions that it went on after.
    pub resumes: Vec<Resume>,
    /// Throughput over LBA and latencies, per phase that moved data.
    pub surface: Vec<Surface>,
    /// SMART attributes before and after, those that both snapshots know or one alone.
    pub smart: Vec<SmartRow>,
    /// The drive's own self-tests, as its own log told of *these* tests.
    #[serde(default)]
    pub self_tests: Vec<SelfTest>,
    /// Temperature, throughput and errors over time; at most [`TIMELINE_MAX`] points, evenly thinned out.
    #[serde(default)]
    pub timeline: Vec<TimePoint>,
    /// What the person chose beside the playbook.
    #[serde(default)]
    pub options: PlanOptions,
    /// What partitioning and formatting came to.
    #[serde(default)]
    pub formatted: Option<Formatted>,
    /// The certificate, once one is signed.
    #[serde(default)]
    pub certificate: Option<CertificateInfo>,
    /// Who has seen how it ended, once a person said so. The server alone tells it, never the agent; it changes nothing of the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub acknowledged: Option<Acknowledged>,
    /// When it was started.
    #[schema(value_type = String, format = DateTime)]
    pub started: Time,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended: Option<Time>,
}

/// Most findings carried in a [`Job`]; the number of bad sectors is counted beyond it.
pub const FINDINGS_MAX: usize = 200;

/// Most points of [`Job::timeline`]; where more come, every second one is dropped.
pub const TIMELINE_MAX: usize = 512;

/// That a person has seen how a job ended, and decided: it asks for nobody any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Acknowledged {
    /// User name.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
}

/// How a job ended, as far as another end is told from it: a job may go on after all, and what it comes to then has to be seen for itself.
///
/// `POST /api/v1/jobs/{id}/ack` names with it what was seen, both fields as the job has them; answered with an [`Acknowledged`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct JobEnd {
    /// The verdict's; `None` where it ended without one.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    pub outcome: Option<Outcome>,
    /// When it ended, as [`Job::ended`] has it.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub ended: Option<Time>,
}

impl JobEnd {
    /// `None` while the job is not over.
    pub fn of(job: &Job) -> Option<Self> {
        let outcome = job.verdict.as_ref().map(|verdict| verdict.outcome);
        let ended = job.ended;
        job.state.is_over().then_some(Self { outcome, ended })
    }
}

/// Where a job stands.
///
/// ```text
///  Running ─► Finished
///     │  ▲ ╲
///     ▼  │  ► Aborted
///  Waiting (drive or worker away; goes on by itself)
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobState {
    /// A worker is at it.
    Running,
    /// Interrupted, and going to go on by itself.
    Waiting {
        /// What it waits for.
        why: String,
    },
    /// Ended with a verdict.
    Finished,
    /// A person ended it; the verdict is INCONCLUSIVE.
    Aborted,
}

/// What a job's verdict rests on, as far as it says whether a failure still stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grounds {
    /// Whether the drive failed.
    pub failed: bool,
    /// Whether the drive showed that it keeps what is written to it: one that only read, or was ended, showed nothing of that, and a constant
    /// pattern looks the same in every place.
    pub keeps: bool,
    /// Whether the drive was asked what it says of itself: of a failure by SMART or a self-test at all, else by SMART at the end.
    pub own_word: bool,
}

impl Grounds {
    /// By what is asked of a job; `rules`: the ids of those that fired.
    pub fn of<'a>(
        state: &JobState,
        outcome: Option<Outcome>,
        rules: impl IntoIterator<Item = &'a str>,
        phases: impl IntoIterator<Item = (Phase, PhaseStatus)>,
    ) -> Self {
        let failed = outcome == Some(Outcome::Failed);
        let is_good = matches!(outcome, Some(Outcome::Passed | Outcome::Warn));
        let done = phases.into_iter().filter(|(_, status)| *status == PhaseStatus::Done);
        let done: Vec<Phase> = done.map(|(phase, _)| phase).collect();
        let asks = [
            Phase::SmartAfter,
            Phase::SmartBefore,
            Phase::SelfTestShort,
            Phase::SelfTestExtended,
        ];
        let asks = if failed { &asks[..] } else { &asks[..1] };
        let constant = rules.into_iter().any(|id| id.starts_with("constant-pattern"));
        Self {
            failed,
            keeps: state.is_over() && is_good && done.contains(&Phase::Verify) && !constant,
            own_word: done.iter().any(|phase| asks.contains(phase)),
        }
    }

    /// Whether a drive that failed on those grounds is good on these later ones: what the drive said of itself then was asked again.
    pub fn disproves(self, failed: Self) -> bool {
        self.keeps && (self.own_word || !failed.own_word)
    }
}

impl Job {
    /// A job that begins, and of whose drive no more than its id is told yet.
    pub fn new(id: JobId, drive: DriveId, playbook: &str, started: Time) -> Self {
        Self {
            id,
            drive,
            model: String::new(),
            serial: String::new(),
            own_serial: None,
            capacity: Bytes(0),
            sector: 0,
            playbook: playbook.to_owned(),
            actor: String::new(),
            state: JobState::Running,
            phases: Vec::new(),
            progress: None,
            findings: Vec::new(),
            bad_sectors: 0,
            heading: Vec::new(),
            verdict: None,
            resumes: Vec::new(),
            surface: Vec::new(),
            smart: Vec::new(),
            self_tests: Vec::new(),
            timeline: Vec::new(),
            options: PlanOptions::default(),
            formatted: None,
            certificate: None,
            acknowledged: None,
            started,
            ended: None,
        }
    }

    /// What its verdict rests on.
    pub fn grounds(&self) -> Grounds {
        let outcome = self.verdict.as_ref().map(|verdict| verdict.outcome);
        let rules = self.verdict.iter().flat_map(|verdict| &verdict.rules);
        let phases = self.phases.iter().map(|state| (state.phase, state.status));
        Grounds::of(&self.state, outcome, rules.map(|rule| rule.id.as_str()), phases)
    }
}

impl JobState {
    /// Whether nothing more will happen.
    pub fn is_over(&self) -> bool {
        match self {
            Self::Running | Self::Waiting { .. } => false,
            Self::Finished | Self::Aborted => true,
        }
    }
}

/// What a phase does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// SMART snapshot before anything is written.
    SmartBefore,
    /// The drive's own short self-test, judged by its own entry in the drive's log.
    SelfTestShort,
    /// Tags at powers of two, random places and the end: does the claimed capacity exist?
    Probe,
    /// Blocks all over the drive are written and read back: a sample, never the whole.
    Sample,
    /// Every sector is written with the step's pattern.
    Write,
    /// Every sector is read back and compared.
    Verify,
    /// Reads and compares at random places for a time.
    Seek,
    /// Every sector is given back by a discard.
    Trim,
    /// What was given back is read: it must be zeros, or not the data that stood there where the drive promises none.
    TrimCheck,
    /// Every sector is read and nothing is compared: tells unreadable and slow places of a drive with data.
    Scan,
    /// The drive's own extended self-test.
    SelfTestExtended,
    /// SMART snapshot after, and the difference.
    SmartAfter,
    /// A partition table is written and read again.
    Partition,
    /// A file system is made, checked by its own checker, mounted read-only and verified.
    Format,
}

impl Phase {
    /// Whether it changes what the drive holds.
    pub fn erases(self) -> bool {
        matches!(
            self,
            Self::Probe | Self::Sample | Self::Write | Self::Trim | Self::Partition | Self::Format
        )
    }

    /// The word on screen and in logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::SmartBefore => "SMART before",
            Self::SelfTestShort => "Short self-test",
            Self::Probe => "Capacity probe",
            Self::Sample => "Samples",
            Self::Write => "Write",
            Self::Verify => "Read back and verify",
            Self::Seek => "Random seeks",
            Self::Trim => "Trim",
            Self::TrimCheck => "Check trim",
            Self::Scan => "Read scan",
            Self::SelfTestExtended => "Extended self-test",
            Self::SmartAfter => "SMART after",
            Self::Partition => "Partition",
            Self::Format => "Format",
        }
    }
}

/// One phase of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PhaseState {
    /// Which.
    pub phase: Phase,
    /// What tells it from other steps of the same phase: "pass 2, complement, backwards"; empty where none is needed.
    #[serde(default)]
    pub note: String,
    /// How often it has been run to its end, where steps repeat; 1 after the first.
    #[serde(default)]
    pub rounds: u32,
    /// Where it stands.
    pub status: PhaseStatus,
    /// Wall time spent in it so far, in seconds, without interruptions.
    pub seconds: f64,
    /// Bytes moved, over all rounds; 0 for a phase that moves none.
    pub bytes: Bytes,
}

impl PhaseState {
    /// One that has not begun: no round, no second, no byte.
    pub fn pending(phase: Phase, note: impl Into<String>) -> Self {
        Self {
            phase,
            note: note.into(),
            rounds: 0,
            status: PhaseStatus::Pending,
            seconds: 0.0,
            bytes: Bytes(0),
        }
    }
}

/// Where a phase stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhaseStatus {
    /// Not begun.
    Pending,
    /// Under way.
    Running,
    /// Done to its end. What it found is in the findings.
    Done,
    /// Not done: unsupported, or the job ended before it. Never counts as passed.
    Skipped,
    /// Begun, not done.
    Interrupted,
}

/// How far the running phase is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Progress {
    /// The running phase.
    pub phase: Phase,
    /// Which step of the job: index into [`Job::phases`].
    #[serde(default)]
    pub step: u16,
    /// Bytes done of this phase.
    pub done: Bytes,
    /// Bytes of this phase in all; 0 where it moves none.
    pub total: Bytes,
    /// Throughput over the last seconds, bytes a second.
    pub rate: Bytes,
    /// Seconds to the end of this phase, from the rate so far; `None` while unknown.
    pub eta: Option<f64>,
    /// Seconds to the end of the job, likewise.
    pub eta_job: Option<f64>,
    /// Share of the whole job that is done, 0–100; never goes back but for a resume.
    pub percent: f64,
    /// Temperature, where a sensor tells it.
    pub temperature: Option<Celsius>,
    /// Share of this phase that is done, 0–100, where it moves no bytes (a self-test).
    #[serde(default)]
    pub phase_percent: Option<f64>,
}

/// One thing that was found wrong with the drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Finding {
    /// What kind of fault.
    pub kind: FaultKind,
    /// First bad sector; `None` for a fault without a place (a disconnect).
    pub lba: Option<Lba>,
    /// Number of consecutive bad sectors of this kind.
    pub sectors: u64,
    /// The sector whose data was found there, for a misdirected or wrapped access.
    pub found: Option<Lba>,
    /// Which phase saw it.
    pub phase: Phase,
    /// Which step of the job: index into [`Job::phases`].
    #[serde(default)]
    pub step: u16,
    /// In words: "17 bits differ", "Input/output error, three re-reads failed".
    pub detail: String,
}

/// What kind of fault a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Single bits differ from what was written.
    BitFlip,
    /// The sector holds its own data in part, or ones: more than single bits are wrong.
    Corrupt,
    /// The sector still holds what was there before: the write was lost.
    LostWrite,
    /// The sector holds data of an earlier pass of this job.
    Stale,
    /// The sector holds, or the read brought, the data of another sector.
    Misdirected,
    /// The drive has less than it claims: addresses wrap around.
    WrapAround,
    /// The drive has less than it claims: the rest is not stored.
    Truncated,
    /// The sector reads as zeros though data was written.
    Zeroed,
    /// A read that failed.
    ReadError,
    /// A write that failed.
    WriteError,
    /// Wrong once, right on every re-read: cable, memory or controller are suspects.
    Transient,
    /// An access that took longer than the limit.
    Slow,
    /// An access that did not come back.
    Hang,
    /// The drive went away.
    Disconnect,
    /// A device reset was seen, or another identity afterwards.
    Reset,
    /// The box's own memory failed a self-test of its buffers: no fault of the drive.
    HostMemory,
}

impl FaultKind {
    /// What it is called on paper and on screen (`faultName` of the dashboard's `called.ts`).
    pub fn label(self) -> &'static str {
        match self {
            Self::BitFlip => "Flipped bits",
            Self::Corrupt => "Damaged data",
            Self::LostWrite => "Lost write",
            Self::Stale => "Old data of an earlier pass",
            Self::Misdirected => "Data of another sector",
            Self::WrapAround => "Addresses wrap around",
            Self::Truncated => "Capacity that is not there",
            Self::Zeroed => "Zeros instead of data",
            Self::ReadError => "Unreadable",
            Self::WriteError => "Unwritable",
            Self::Transient => "Wrong once, then right",
            Self::Slow => "Slow",
            Self::Hang => "Did not answer",
            Self::Disconnect => "Went away",
            Self::Reset => "Was reset",
            Self::HostMemory => "Memory of the testing box",
        }
    }
}

/// One interruption after which a job went on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Resume {
    /// When it went on.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    /// Why it had been interrupted: "power cut or reset", "worker ended", …
    pub why: String,
    /// The phase it went on in.
    pub phase: Phase,
    /// Which step of the job: index into [`Job::phases`].
    #[serde(default)]
    pub step: u16,
    /// Where in the phase it went on, in bytes.
    pub from: Bytes,
}

/// Throughput over LBA and latencies of one phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Surface {
    /// The phase.
    pub phase: Phase,
    /// Which step of the job: index into [`Job::phases`].
    #[serde(default)]
    pub step: u16,
    /// Bytes a second in each of up to 1024 equal zones from LBA 0 to the end; 0 where nothing was measured.
    pub zones: Vec<Bytes>,
    /// Latency of one I/O in microseconds: median.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// Longest.
    pub max_us: u64,
    /// Number of I/Os whose latency was in [2^i, 2^(i+1)) microseconds, from i = 0.
    #[serde(default)]
    #[ts(as = "Vec<f64>")]
    pub latencies: Vec<u64>,
}

/// One moment of a job's time line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct TimePoint {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    /// Step that ran, index into [`Job::phases`].
    pub step: u16,
    /// Temperature, where a sensor told it.
    pub temperature: Option<Celsius>,
    /// Bytes a second at that time.
    pub rate: Bytes,
    /// Bad sectors found up to then.
    #[ts(as = "f64")]
    pub bad_sectors: u64,
}

/// A gap of so many seconds between two points is the clock's. Chosen: nobody leaves a job on hold for a month, and a box without a clock of
/// its own begins years back.
const AHEAD: i64 = 30 * 24 * 3600;

/// So many seconds a clock is set back now and then while it is kept right. Chosen.
const BACK: i64 = 60;

/// Seconds that count for such a gap, as between points of a job that has just begun.
pub const TIMELINE_EVERY: i64 = 5;

/// Seconds from each of these points to the next, without what the clock was set by: that of a box without one of its own is, once it
/// hears the time.
pub fn gaps(line: &[TimePoint]) -> impl Iterator<Item = i64> {
    line.windows(2)
        .map(|pair| clock_gap(pair[0].at, pair[1].at).unwrap_or(TIMELINE_EVERY))
}

/// Seconds from one moment to a later one; `None` where the clock was set meanwhile, and nobody knows.
pub(crate) fn clock_gap(from: Time, to: Time) -> Option<i64> {
    let gap = to.as_second() - from.as_second();
    (-BACK..AHEAD).contains(&gap).then_some(gap.max(0))
}

/// One self-test that this job started on the drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct SelfTest {
    /// [`Phase::SelfTestShort`] or [`Phase::SelfTestExtended`].
    pub phase: Phase,
    /// What came of it.
    pub outcome: SelfTestOutcome,
    /// The drive's own words.
    pub told: String,
    /// First failing sector, where the drive names one.
    pub lba: Option<Lba>,
    /// Place of its step among the job's phases; not told by older agents, nor of an earlier burn-in of the drive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub step: Option<u16>,
}

/// What came of a self-test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SelfTestOutcome {
    /// This test's own log entry says: completed without error.
    Passed,
    /// This test's own log entry tells a failure.
    Failed,
    /// Ended by a reset, the host or a person.
    Aborted,
    /// The drive has none, or the way to it carries none.
    Unsupported,
    /// It did not end in its time, or left no entry of its own.
    Unknown,
}

/// One SMART value before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SmartRow {
    /// ATA attribute number; `None` for NVMe and SAS values.
    pub id: Option<u16>,
    /// Name as smartctl gives it.
    pub name: String,
    /// Raw value before, decoded.
    pub before: Option<i64>,
    /// Raw value after.
    pub after: Option<i64>,
    /// By how much it may change before a rule of the verdict speaks of it; absent where none looks at its change, and in jobs of
    /// older engines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub limit: Option<SmartLimit>,
}

/// Changes of a value from which on a verdict is that word, in its own unit: 1 where any rise counts, negative where a fall does. Of each
/// word the limit that is met first; at least one is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SmartLimit {
    /// WARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub warn: Option<f64>,
    /// INCONCLUSIVE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub inconclusive: Option<f64>,
    /// FAILED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub failed: Option<f64>,
}

/// The answer to "may I put my data on this drive?", with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Verdict {
    /// The word.
    pub outcome: Outcome,
    /// Each rule that fired, worst first.
    pub rules: Vec<RuleHit>,
    /// In one sentence.
    pub summary: String,
    /// Bytes written and then read back without a difference.
    pub verified: Bytes,
    /// Engine version that gave it, and the one that began the burn-in where that was another; `0.1.0+1f0c3a9e`, of older ones the number alone.
    pub engine: String,
}

/// The four words. Ordered from best to worst: PASSED < WARN < INCONCLUSIVE < FAILED.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    /// Every block written, read back and equal; nothing fired.
    Passed,
    /// As passed, with something to know.
    Warn,
    /// Not everything could be known.
    Inconclusive,
    /// The drive is bad.
    Failed,
}

impl Outcome {
    /// The word as shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Warn => "WARN",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Failed => "FAILED",
        }
    }
}

/// One rule that fired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct RuleHit {
    /// Id of the rule, e.g. `verify-mismatch`.
    pub id: String,
    /// What it leads to.
    pub outcome: Outcome,
    /// What was seen.
    pub value: String,
    /// The limit it broke.
    pub limit: String,
    /// Where the limit comes from.
    pub source: String,
    /// What that means, as the rest of a sentence about the value; empty where the source says it, and in older certificates.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub means: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeMap;

    use super::*;

    /// A kind that is missing in the table would be called by nobody's test.
    #[test]
    fn faults_are_called_as_the_table_says_and_as_on_the_dashboard() {
        let table: BTreeMap<FaultKind, String> = serde_json::from_str(include_str!("../cases/faults.json")).unwrap();
        assert_eq!(table.keys().next_back(), Some(&FaultKind::HostMemory));
        assert_eq!(table.len(), FaultKind::HostMemory as usize + 1);
        for (kind, words) in table {
            assert_eq!(kind.label(), words);
        }
    }
}
