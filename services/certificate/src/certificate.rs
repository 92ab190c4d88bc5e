//! What a certificate says: the essence of one finished job, and who says it.
//!
//! Built from [`wire::job::Job`] alone. What the buyer of a drive has no business with (who armed the
//! job, the other drives of its plan, paths) is left out. Limits keep the text below [`TEXT_MAX`]: a
//! certificate travels in one frame.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::ToSpan;
use serde::{Deserialize, Serialize};
use wire::certificate::VALID_DAYS;
use wire::job::{
    FaultKind, Finding, Job, JobState, Outcome, Phase, PhaseState, Resume, SelfTest, SmartRow, Surface, TimePoint,
    Verdict,
};
use wire::options::{FormatRequest, Formatted, Profile};
use wire::{Bytes, DriveId, JobId, Time};

use crate::key::PublicKey;
use crate::report::is_drawn;

/// What `format` says in every certificate.
pub const FORMAT: &str = "kiln-certificate";

/// The version that this code writes and reads.
pub const VERSION: u32 = 1;

/// This software as certificates name it, with a sum over what page and PDF are drawn by (`services/version.rs`): `kiln 0.1.0+1f0c3a9e`.
/// In older ones the number stands alone.
pub const SOFTWARE: &str = concat!("kiln ", env!("KILN_DRAWING"));

/// Until when a certificate of this moment speaks for its drive.
pub(crate) fn valid_until(made: Time) -> Time {
    made.checked_add((VALID_DAYS * 24).hours()).unwrap_or(made)
}

/// Longest text of a certificate in bytes: quoted into a frame it stays below 512 KiB.
pub const TEXT_MAX: usize = 400 * 1024;

/// Findings that are listed one by one, some of each kind; all are counted by kind.
pub const FINDINGS_LISTED: usize = 50;

/// Phases whose throughput over LBA is carried: the last of each kind that is drawn, the others of these kinds, and the rest, the last
/// ones first. Of what is beyond that the latencies are.
pub const SURFACES_DRAWN: usize = 12;

/// Who makes certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maker {
    /// Id of the box, or `cli` for a burn-in without one.
    pub id: String,
    /// Its name, as people know it.
    pub name: String,
    /// [`SOFTWARE`] that signed it.
    pub software: String,
}

/// What was signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// Its name, as printed: `KC-…`.
    pub id: String,
    /// The signing key's public half, 64 hexadecimal digits.
    pub key: String,
    /// Who made it.
    #[serde(rename = "box")]
    pub maker: Maker,
    /// When it was made.
    pub made: Time,
    /// Until when it speaks for the drive.
    pub valid_until: Time,
    /// The job it is of.
    pub job: JobId,
    /// The drive.
    pub drive: DriveFacts,
    /// Name of the playbook.
    pub playbook: String,
    /// What was chosen beside it.
    pub options: Choices,
    /// When the job was started.
    pub started: Time,
    /// When it ended.
    pub ended: Time,
    /// Whether a person ended it early.
    pub aborted: bool,
    /// The verdict with every rule that fired.
    pub verdict: Verdict,
    /// The phases with their times.
    pub phases: Vec<PhaseState>,
    /// Interruptions that it went on after.
    pub resumes: Vec<Resume>,
    /// What was found wrong.
    pub findings: Findings,
    /// Throughput over LBA and latencies.
    pub surface: Vec<Surface>,
    /// Temperature, throughput and errors over time.
    pub timeline: Vec<TimePoint>,
    /// SMART before and after.
    pub smart: Vec<SmartPair>,
    /// The drive's own self-tests.
    pub self_tests: Vec<SelfTest>,
    /// What partitioning and formatting came to.
    pub formatted: Option<Formatted>,
}

/// The drive's identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriveFacts {
    /// What names it wherever it is plugged in.
    pub id: DriveId,
    /// Model.
    pub model: String,
    /// Serial, as on the label.
    pub serial: String,
    /// Capacity.
    pub capacity: Bytes,
    /// Logical sector in bytes.
    pub sector: u32,
}

/// What a person chose beside the playbook; that a job was to end at its first fault is told by its verdict, where it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    /// Which limits judged it.
    pub profile: Profile,
    /// What was to be made on it.
    pub format: Option<FormatRequest>,
    /// Hours of a soak.
    pub soak_hours: Option<u32>,
}

/// What was found wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Bad sectors in all.
    pub bad_sectors: u64,
    /// The most telling ones.
    pub listed: Vec<Finding>,
    /// How many findings the job told of each kind, most frequent first.
    pub kinds: Vec<KindCount>,
}

/// Findings of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindCount {
    /// The kind.
    pub kind: FaultKind,
    /// Findings.
    pub findings: u64,
    /// Their different sectors: each pass tells of a bad one anew. An access that failed and did not fail again, or was not tried again,
    /// has none: what it covered is not bad.
    pub sectors: u64,
}

/// One SMART value before and after; beyond ±(2^53 − 1) as a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmartPair {
    /// ATA attribute number.
    pub id: Option<u16>,
    /// Name as smartctl gives it.
    pub name: String,
    /// Before.
    #[serde(with = "crate::canonical::whole")]
    pub before: Option<i64>,
    /// After.
    #[serde(with = "crate::canonical::whole")]
    pub after: Option<i64>,
}

impl From<&SmartRow> for SmartPair {
    fn from(row: &SmartRow) -> Self {
        Self {
            id: row.id,
            name: row.name.clone(),
            before: row.before,
            after: row.after,
        }
    }
}

impl Certificate {
    /// The certificate of a job that is over; `None` for one that is not, or has no verdict.
    pub fn of(job: &Job, maker: &Maker, key: PublicKey, made: Time) -> Option<Self> {
        let verdict = job.verdict.clone()?;
        let ended = job.ended?;
        if !job.state.is_over() {
            return None;
        }
        let mut phases = job.phases.clone();
        for phase in &mut phases {
            phase.seconds = milliseconds(phase.seconds);
        }
        Some(Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            id: crate::id::of(job.id, key, made),
            key: key.to_hex(),
            maker: maker.clone(),
            made,
            valid_until: valid_until(made),
            job: job.id,
            drive: DriveFacts {
                id: job.drive.clone(),
                model: job.model.clone(),
                serial: job.serial.clone(),
                capacity: job.capacity,
                sector: job.sector,
            },
            playbook: job.playbook.clone(),
            options: Choices {
                profile: job.options.profile,
                format: job.options.format.clone(),
                soak_hours: job.options.soak_hours,
            },
            started: job.started,
            ended,
            aborted: job.state == JobState::Aborted,
            verdict,
            phases,
            resumes: job.resumes.clone(),
            findings: findings(job),
            surface: surfaces(&job.surface),
            timeline: job.timeline.clone(),
            smart: job.smart.iter().map(Into::into).collect(),
            self_tests: job.self_tests.clone(),
            formatted: job.formatted.clone(),
        })
    }

    /// Whether the drive was read from end to end and nothing written to it.
    pub fn only_reads(&self) -> bool {
        let is = |which: fn(Phase) -> bool| self.phases.iter().any(|phase| which(phase.phase));
        is(|phase| phase == Phase::Scan) && !is(Phase::erases)
    }

    /// The verdict's word.
    pub fn outcome(&self) -> Outcome {
        self.verdict.outcome
    }
}

/// Rounded to milliseconds; what is no time counts as none.
fn milliseconds(seconds: f64) -> f64 {
    if seconds.is_finite() && (0.0..1e12).contains(&seconds) {
        (seconds * 1000.0).round() / 1000.0
    } else {
        0.0
    }
}

fn findings(job: &Job) -> Findings {
    let mut of_kind: BTreeMap<FaultKind, Vec<&Finding>> = BTreeMap::new();
    for finding in &job.findings {
        of_kind.entry(finding.kind).or_default().push(finding);
    }
    let count = |(kind, findings): (FaultKind, Vec<&Finding>)| {
        let bad = || findings.iter().filter(|finding| !finding.is_unproven());
        let placed = bad().filter_map(|finding| {
            let first = finding.lba?.0;
            Some(first..first.saturating_add(finding.sectors))
        });
        let unplaced = bad().filter(|finding| finding.lba.is_none());
        KindCount {
            kind,
            findings: findings.len() as u64,
            sectors: wire::different(placed).saturating_add(unplaced.map(|finding| finding.sectors).sum()),
        }
    };
    let mut kinds: Vec<KindCount> = of_kind.into_iter().map(count).collect();
    kinds.sort_by_key(|k| (Reverse(k.findings), k.kind));
    Findings {
        bad_sectors: job.bad_sectors,
        listed: wire::fair::at_most(FINDINGS_LISTED, job.findings.clone()),
        kinds,
    }
}

fn surfaces(all: &[Surface]) -> Vec<Surface> {
    let is_last = |at: usize| {
        let mut later = all[at + 1..].iter().filter(|surface| !surface.zones.is_empty());
        later.all(|surface| surface.phase != all[at].phase)
    };
    let mut wanted: Vec<usize> = (0..all.len()).filter(|at| !all[*at].zones.is_empty()).collect();
    wanted.sort_by_key(|at| match is_drawn(all[*at].phase) {
        true if is_last(*at) => (0, Reverse(*at)),
        true => (1, Reverse(*at)),
        false => (2, Reverse(*at)),
    });
    wanted.truncate(SURFACES_DRAWN);
    let mut surfaces = all.to_vec();
    for (at, surface) in surfaces.iter_mut().enumerate() {
        if !wanted.contains(&at) {
            surface.zones.clear();
        }
    }
    surfaces
}
