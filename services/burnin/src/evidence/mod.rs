//! What a burn-in has seen so far: phases, throughput over LBA, latencies, defects, incidents, resumes.
//!
//! It is part of every checkpoint, so all of it serialises and all of it is bounded.

mod ahead;
mod latency;
mod rounds;
pub(crate) mod stalls;
mod zones;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wire::job::{FINDINGS_MAX, FaultKind, Finding, Phase, PhaseState, PhaseStatus, Resume, Surface};
use wire::unproven::OVERWRITTEN;
use wire::{Bytes, Lba};

use crate::ENGINE;
use crate::device::Geometry;
use crate::findings::Defects;
use crate::ours::Front;
use crate::pace::Allowed;
use crate::playbook::{Direction, Soak, Step, erases, moves_data};
use crate::stretches::Stretches;

pub(crate) use ahead::{Ahead, percent_by_time};
pub use latency::Latency;
pub use rounds::{Round, Rounds};
pub use stalls::Stalls;
pub use zones::{ZONES, Zone, Zones};

/// Most incidents kept one by one; the rest is only counted.
pub const INCIDENTS_MAX: usize = 256;

/// Everything seen by one burn-in, over all its sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Engine version that began it.
    pub engine: String,
    /// The drive's size and sectors.
    pub geometry: Geometry,
    /// The steps that move data, in order.
    pub phases: Vec<Record>,
    /// Bad sectors.
    pub defects: Defects,
    /// What happened that is no bad sector; at most [`INCIDENTS_MAX`].
    pub incidents: Vec<Incident>,
    /// How many there were of each kind, also beyond that number.
    pub incident_counts: BTreeMap<FaultKind, u64>,
    /// Tests of the host's own buffers, made after wrong data that bad memory explains as well as a bad drive.
    #[serde(default)]
    pub memory: MemoryTests,
    /// Whether what an earlier session saw is lost: it went on from what the drive alone tells ([`crate::header::recover`]).
    #[serde(default)]
    pub lost: bool,
    /// Interruptions that it went on after.
    pub resumes: Vec<Resume>,
    /// Why it ended before its end; `None` while it runs, and when it ran to the end.
    pub stopped: Option<Stop>,
    /// The access that the drive held when it was ended, and for how long, in words. It blames the drive for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// What stood at the drive's beginning before the first write: until the job has written there, who goes on tells by it whether
    /// somebody else has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front: Option<Front>,
    /// Longest that the drive was at work on one flush, without what was asked before it; whole seconds.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub longest_flush: Duration,
}

/// Tests of the host's own buffers ([`crate::memory`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryTests {
    /// Tests that found nothing.
    pub good: u32,
    /// Tests that found the host's memory bad.
    pub bad: u32,
}

/// One step that moves data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its number in the playbook.
    pub step: u16,
    /// Its phase.
    pub phase: Phase,
    /// All of it.
    pub work: Step,
    /// Where it stands.
    pub status: PhaseStatus,
    /// How often it was run to its end.
    pub rounds: u32,
    /// Whether it ended in a session whose record is lost, so that nothing is known of what it saw.
    #[serde(default)]
    pub lost: bool,
    /// Why the drive cannot do it; then it is skipped.
    pub unsupported: Option<String>,
    /// Trim check: the most sectors that still held what stood there before the trim, of all its rounds.
    pub kept: u64,
    /// The same of the round under way; in a checkpoint, of what lies before its frontier.
    #[serde(default)]
    pub keeps: u64,
    /// Bytes done; in the verify phase, bytes read back.
    pub done: Bytes,
    /// Bytes in all.
    pub total: Bytes,
    /// Time spent in it, in seconds, without interruptions.
    pub seconds: f64,
    /// Throughput over LBA.
    pub zones: Zones,
    /// Short regions that may be slow.
    #[serde(default)]
    pub stretches: Stretches,
    /// Latencies of whole blocks.
    pub latency: Latency,
    /// How often and how long it stood still.
    #[serde(default, skip_serializing_if = "Stalls::is_empty")]
    pub stalls: Stalls,
    /// How fast it was allowed to go.
    #[serde(default, skip_serializing_if = "Allowed::is_untold")]
    pub allowed: Allowed,
    /// How fast its rounds were, where it is repeated for a time; not noted by older engines.
    #[serde(default, skip_serializing_if = "Rounds::is_empty")]
    pub by_round: Rounds,
}

/// Why a burn-in ended early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Stop {
    /// A person or the agent asked; it can go on from its checkpoint.
    Asked {
        /// Who or why.
        why: String,
    },
    /// The drive is gone.
    Disconnected,
    /// The drive tells another capacity than at the start.
    Resized {
        /// What it tells now.
        bytes: Bytes,
    },
    /// An access did not come back.
    Hung,
    /// Another computer has reserved the drive, which refuses accesses of this one for that.
    Reserved,
    /// The capacity probe proved the capacity false; writing all of it could add nothing.
    FakeCapacity,
    /// So much is unreadable that going on would take weeks and add nothing.
    TooManyErrors,
    /// A fault that fails the drive was found, and the job was to end at the first.
    FirstFault,
    /// Another drive answered in its place when all was done: what was seen may be that one's.
    Stranger {
        /// How it is known.
        why: String,
    },
    /// Our own machinery failed.
    Engine {
        /// The error.
        why: String,
    },
}

/// Something that happened, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Milliseconds since this session began.
    pub at_ms: u64,
    /// What kind.
    pub kind: FaultKind,
    /// In which step.
    pub step: u16,
    /// In which phase.
    pub phase: Phase,
    /// Where, if it has a place.
    pub lba: Option<Lba>,
    /// Sectors that the access covered.
    pub sectors: u64,
    /// In words.
    pub detail: String,
}

impl Evidence {
    /// Nothing seen yet of these steps; those that move no data are passed over.
    pub fn new(geometry: Geometry, steps: &[Step]) -> Self {
        Self {
            engine: ENGINE.to_owned(),
            geometry,
            phases: (0..)
                .zip(steps)
                .filter(|(_, step)| moves_data(step.phase))
                .map(|(at, step)| Record {
                    step: at,
                    phase: step.phase,
                    work: step.clone(),
                    status: PhaseStatus::Pending,
                    rounds: 0,
                    lost: false,
                    unsupported: None,
                    kept: 0,
                    keeps: 0,
                    done: Bytes(0),
                    total: Bytes(0),
                    seconds: 0.0,
                    zones: Zones::default(),
                    stretches: Stretches::default(),
                    latency: Latency::default(),
                    stalls: Stalls::default(),
                    allowed: Allowed::default(),
                    by_round: Rounds::default(),
                })
                .collect(),
            defects: Defects::default(),
            incidents: Vec::new(),
            incident_counts: BTreeMap::new(),
            memory: MemoryTests::default(),
            lost: false,
            resumes: Vec::new(),
            stopped: None,
            held: None,
            front: None,
            longest_flush: Duration::ZERO,
        }
    }

    /// Ends it for this reason. What the drive itself ended it by stands: a lie about its size that is proven stays proven, whoever
    /// pulls the drive or answers in its place afterwards. Where nobody knows since when another one answers, nothing stands.
    pub fn end_by(&mut self, stop: Stop) {
        match self.stopped {
            _ if matches!(stop, Stop::Stranger { .. }) => self.stopped = Some(stop),
            None | Some(Stop::Asked { .. } | Stop::Engine { .. }) => self.stopped = Some(stop),
            Some(
                Stop::Stranger { .. }
                | Stop::Disconnected
                | Stop::Resized { .. }
                | Stop::Hung
                | Stop::Reserved
                | Stop::FakeCapacity
                | Stop::TooManyErrors
                | Stop::FirstFault,
            ) => {}
        }
    }

    /// Keeps an incident; of too many the least telling kinds are only counted.
    pub fn incident(&mut self, incident: Incident) {
        *self.incident_counts.entry(incident.kind).or_default() += 1;
        if self.incidents.len() < INCIDENTS_MAX {
            self.incidents.push(incident);
            return;
        }
        let least = self
            .incidents
            .iter()
            .enumerate()
            .max_by_key(|(at, i)| (severity(i.kind), *at));
        if let Some((at, kept)) = least
            && severity(kept.kind) > severity(incident.kind)
        {
            self.incidents.remove(at);
            self.incidents.push(incident);
        }
    }

    /// Number of different bad sectors, and no more than the drive has: of those without a place several steps may have seen the same.
    pub fn bad_sectors(&self) -> u64 {
        self.defects.bad_sectors_in(0..self.geometry.sectors)
    }

    /// How many incidents of a kind there were, also beyond those that are kept.
    pub fn incidents_of(&self, kind: FaultKind) -> u64 {
        self.incident_counts.get(&kind).copied().unwrap_or(0)
    }

    /// How many of those tell of the link or the power; a sector that a session wrote over before it went on may be the drive's.
    pub fn disturbances_of(&self, kind: FaultKind) -> u64 {
        let told = self
            .incidents
            .iter()
            .filter(|i| i.kind == kind && i.detail.ends_with(OVERWRITTEN));
        self.incidents_of(kind).saturating_sub(told.count() as u64)
    }

    /// The first record of a phase.
    pub fn phase(&self, phase: Phase) -> Option<&Record> {
        self.phases.iter().find(|record| record.phase == phase)
    }

    /// The record of a step.
    pub fn step(&self, step: u16) -> Option<&Record> {
        self.phases.iter().find(|record| record.step == step)
    }

    /// Whether something was found that the host's memory may have made, and that was never tested.
    pub(crate) fn is_memory_to_be_asked(&self) -> bool {
        self.memory == MemoryTests::default() && self.defects.runs().any(|run| run.fault.may_be_memory())
    }

    pub(crate) fn step_mut(&mut self, step: u16) -> Option<&mut Record> {
        self.phases.iter_mut().find(|record| record.step == step)
    }

    /// The records of a block of steps that is repeated.
    pub(crate) fn block(&self, soak: Soak) -> impl Iterator<Item = &Record> {
        let steps = soak.first..=soak.last;
        self.phases.iter().filter(move |record| steps.contains(&record.step))
    }

    /// Seconds that a block which is repeated for a time has left.
    pub(crate) fn soak_left(&self, soak: Soak) -> f64 {
        (soak.seconds as f64 - self.block(soak).map(|record| record.seconds).sum::<f64>()).max(0.0)
    }

    /// Seconds that it was at work on its steps, in all sessions, without interruptions.
    pub(crate) fn spent(&self) -> f64 {
        self.phases.iter().map(|record| record.seconds).sum()
    }

    /// Bytes written and then read back without a difference, by the verify that read most.
    pub fn verified(&self) -> Bytes {
        let verifies = self.known_verifies();
        Bytes(verifies.map(|record| self.verified_by(record)).max().unwrap_or(0))
    }

    /// Verifies of which it is known what they saw.
    fn known_verifies(&self) -> impl Iterator<Item = &Record> {
        let verifies = self.phases.iter().filter(|record| record.phase == Phase::Verify);
        verifies.filter(|record| !record.lost)
    }

    fn verified_by(&self, record: &Record) -> u64 {
        let sector = u64::from(self.geometry.sector);
        let sectors = record.read(self.geometry) / sector;
        let read = match record.work.order {
            Direction::Forward => 0..sectors,
            Direction::Reverse => self.geometry.sectors - sectors..self.geometry.sectors,
        };
        sectors.saturating_sub(self.defects.bad_sectors_in(read)) * sector
    }

    /// Whether some verify step is part of the playbook; else only samples or reads are asked for.
    pub fn compares_all(&self) -> bool {
        self.phases.iter().any(|record| record.phase == Phase::Verify)
    }

    /// Whether the drive was to be read from end to end, and nothing written.
    pub fn only_reads(&self) -> bool {
        let is = |which: fn(Phase) -> bool| self.phases.iter().any(|record| which(record.phase));
        is(|phase| phase == Phase::Scan) && !is(erases)
    }

    /// Bytes that the best verify left unread; the whole drive where there is none.
    pub fn unread(&self) -> Bytes {
        let whole = self.geometry.bytes();
        let verifies = self.known_verifies();
        let read = verifies.map(|record| record.read(self.geometry)).min().unwrap_or(0);
        Bytes(whole.saturating_sub(read))
    }

    /// Whether every verify was of a constant pattern, so that exchanged and misdirected sectors stay unseen.
    pub fn constant_only(&self) -> bool {
        let mut verifies = self
            .phases
            .iter()
            .filter(|record| record.phase == Phase::Verify)
            .peekable();
        verifies.peek().is_some() && verifies.all(|record| !record.work.fill.is_keyed())
    }

    /// Everything found wrong: bad memory of the host, which casts doubt on all that follows, bad sectors, then incidents
    /// that say something about the drive.
    ///
    /// At most [`FINDINGS_MAX`], some of each kind.
    pub fn findings(&self) -> Vec<Finding> {
        wire::fair::at_most(FINDINGS_MAX, self.all_findings())
    }

    /// The same, as many as are kept.
    pub fn all_findings(&self) -> Vec<Finding> {
        let told = |host: bool| {
            let these = self
                .incidents
                .iter()
                .filter(move |i| (i.kind == FaultKind::HostMemory) == host);
            these.map(|i| Finding {
                step: i.step,
                kind: i.kind,
                lba: i.lba,
                sectors: i.sectors,
                found: None,
                phase: i.phase,
                detail: i.detail.clone(),
            })
        };
        let mut findings: Vec<Finding> = told(true).collect();
        findings.extend(self.defects.findings(self.geometry));
        findings.extend(told(false));
        findings
    }

    /// The steps that move data as others see them, in order.
    pub fn phase_states(&self) -> Vec<PhaseState> {
        self.phases.iter().map(Record::state).collect()
    }

    /// The same, each with its number in the playbook.
    pub fn step_states(&self) -> impl Iterator<Item = (u16, PhaseState)> {
        self.phases.iter().map(|record| (record.step, record.state()))
    }

    /// Throughput and latencies as others see them; steps that measured nothing are left out.
    pub fn surfaces(&self) -> Vec<Surface> {
        self.phases.iter().filter_map(Record::surface).collect()
    }
}

impl Record {
    /// Bytes of the drive that it has read or written at least once: all of them after a first round.
    pub fn read(&self, geometry: Geometry) -> u64 {
        if self.rounds > 0 {
            geometry.bytes()
        } else {
            self.done.0.min(geometry.bytes())
        }
    }

    /// Bytes that it moved over all its rounds.
    pub fn moved(&self) -> u64 {
        // What ends by time has no total.
        if self.total.0 == 0 && self.rounds > 1 {
            return self.measured().max(self.done.0);
        }
        // What is done of the last round stands in `done`.
        let last = u32::from(self.status == PhaseStatus::Done);
        let whole = u64::from(self.rounds.saturating_sub(last));
        self.total.0.saturating_mul(whole).saturating_add(self.done.0)
    }

    /// Its state as others see it.
    pub fn state(&self) -> PhaseState {
        PhaseState {
            note: match &self.unsupported {
                Some(why) => why.clone(),
                None => [self.work.note(), self.allowed.note()]
                    .into_iter()
                    .filter(|words| !words.is_empty())
                    .collect::<Vec<_>>()
                    .join(", "),
            },
            rounds: self.rounds,
            phase: self.phase,
            status: self.status,
            seconds: self.seconds,
            bytes: Bytes(self.moved()),
        }
    }

    /// Adds an access of the sweep that came back `now`, on the session's clock; `alone`: what it took without the flushes that it waited for.
    pub(crate) fn timed(&mut self, now: Duration, took: Duration, alone: Duration) {
        let usual = || usual(self.phase, &self.latency);
        self.stalls.add(now, alone, usual);
        self.latency.add(took);
    }

    /// How long an access of it usually took.
    pub(crate) fn usual(&self) -> Duration {
        usual(self.phase, &self.latency)
    }

    /// What it measured as others see it.
    pub fn surface(&self) -> Option<Surface> {
        (!matches!(self.phase, Phase::Probe | Phase::Sample | Phase::Trim) && self.latency.count() > 0).then(|| {
            Surface {
                step: self.step,
                phase: self.phase,
                zones: self.zones.rates(),
                p50_us: self.latency.quantile_us(0.5),
                p99_us: self.latency.quantile_us(0.99),
                max_us: self.latency.max_us(),
                latencies: self.latency.octaves(),
            }
        })
    }
}

/// How long an access usually takes: the median, and of reads the first quarter, as one weak head of a few slows every few of them.
/// Writes are fast at first on flash, up to where its cache is full.
fn usual(phase: Phase, latency: &Latency) -> Duration {
    let reads = matches!(phase, Phase::Verify | Phase::Scan | Phase::Seek | Phase::TrimCheck);
    Duration::from_micros(latency.quantile_us(if reads { 0.25 } else { 0.5 }))
}

/// Order in which incidents are kept, the most telling first.
fn severity(kind: FaultKind) -> u8 {
    match kind {
        FaultKind::WriteError | FaultKind::ReadError | FaultKind::HostMemory => 0,
        FaultKind::Disconnect | FaultKind::Reset | FaultKind::Hang => 1,
        FaultKind::Transient => 2,
        FaultKind::Slow => 4,
        FaultKind::BitFlip
        | FaultKind::Corrupt
        | FaultKind::LostWrite
        | FaultKind::Stale
        | FaultKind::Misdirected
        | FaultKind::WrapAround
        | FaultKind::Truncated
        | FaultKind::Zeroed => 3,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_the_drive_itself_ended_stands_whatever_happens_to_it_afterwards() {
        let why = || Stop::Engine { why: "another".into() };
        let stranger = || Stop::Stranger { why: "another".into() };
        for (first, then, stands) in [
            (None, Stop::Disconnected, Stop::Disconnected),
            (Some(Stop::Asked { why: "ann".into() }), why(), why()),
            (Some(Stop::FakeCapacity), Stop::Disconnected, Stop::FakeCapacity),
            (Some(Stop::FakeCapacity), why(), Stop::FakeCapacity),
            (Some(Stop::TooManyErrors), why(), Stop::TooManyErrors),
            (Some(Stop::FirstFault), Stop::Disconnected, Stop::FirstFault),
            (Some(Stop::TooManyErrors), stranger(), stranger()),
            (None, stranger(), stranger()),
            (Some(stranger()), Stop::Disconnected, stranger()),
        ] {
            let geometry = Geometry {
                sectors: 1,
                sector: 512,
                physical: 512,
            };
            let mut evidence = Evidence {
                stopped: first,
                ..Evidence::new(geometry, &[])
            };
            evidence.end_by(then);
            assert_eq!(evidence.stopped, Some(stands));
        }
    }
}
