//! A burn-in's durable progress: one line of head with a checksum, then rows of packed JSON.
//!
//! ```text
//!  kiln-checkpoint 6 CRC32C-IN-HEX LENGTH\n
//!  base64 of deflated {"key":…,"geometry":…,"steps":[…],"step":1,"frontier":123456,"holds":{…},"record":{…},"found":{…}}\n
//!  base64 of deflated evidence, without what the other rows have
//!  base64 of deflated {"incidents":[…]} or {"runs":[…]}, as many rows as it takes
//! ```
//!
//! The sum is that of all rows. The first one changes on the way and has the newest findings, the second one changes with a step, and
//! of the others one now and then as findings add up; so whoever keeps one checkpoint after another on a medium that wears writes only
//! those that differ ([`split`]).
//!
//! A text that was cut, changed or comes from another version is an [`Error`] that says
//! so; the caller sets it aside under a dated name and tells it. Everything before
//! `frontier` is on stable storage: the pipeline hands out a checkpoint only after a flush.
//! Tested here, in `tests/resume/`, and by the fuzz target `checkpoint`.

mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use rows::{frame, split};
use serde::{Deserialize, Serialize};
use wire::job::{FaultKind, Phase, PhaseStatus};

use crate::device::Geometry;
use crate::evidence::{Evidence, INCIDENTS_MAX, Incident, MemoryTests, Record};
use crate::findings::{Defects, RUNS_MAX, Run};
use crate::pattern::JobKey;
use crate::playbook::{Direction, Fill, STEPS_MAX, Step, moves_data};

/// Version of the layout. An older or newer one is refused, not guessed at.
///
/// 1 knew phases instead of steps, and no second pass; what 2 tells of was written with another base block of the pattern,
/// and what 3 tells of with other tags of a complement. 4 had the evidence in one, 5 each finding with all of the other steps.
pub const VERSION: u32 = 6;

/// Longest accepted text in bytes: 64 steps' zones and latencies and 4096 runs take less.
pub const TEXT_MAX: usize = 4 << 20;

/// Fewest bytes that the limit of what a step may have moved is taken from; the capacity where that is more.
const MOVED_MIN: u64 = 1 << 40;

/// Bytes that no seeks move: 144 PB, a hundred times what a day of them has over the widest link.
const SOUGHT_MAX: u64 = 1 << 57;

/// Where a burn-in stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The job's secret.
    pub key: JobKey,
    /// Size and sectors of the drive.
    pub geometry: Geometry,
    /// All steps of the playbook.
    pub steps: Vec<Step>,
    /// The step under way, one that moves data.
    pub step: u16,
    /// Sectors of that step that are done, in the order in which it sweeps.
    pub frontier: u64,
    /// What the drive holds, or is being filled with.
    pub holds: Option<Holds>,
    /// Everything seen so far.
    pub evidence: Evidence,
}

/// The row that changes with each checkpoint: a [`Checkpoint`] with the record of its step and what is new for all of the evidence.
#[derive(Serialize, Deserialize)]
struct UnderWay {
    key: JobKey,
    geometry: Geometry,
    steps: Vec<Step>,
    step: u16,
    frontier: u64,
    holds: Option<Holds>,
    record: Option<Record>,
    found: Newest,
}

/// What each finding changes: it stands in the row that is written down anyway.
#[derive(Serialize, Deserialize)]
struct Newest {
    incident_counts: BTreeMap<FaultKind, u64>,
    memory: MemoryTests,
    /// Bad sectors of which no place is kept, and those last seen.
    defects: Defects,
    incidents: Vec<Incident>,
}

/// The rows that findings add up to.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Found<I, R> {
    Incidents(I),
    Runs(R),
}

/// What was written last over the whole drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holds {
    /// Which bytes.
    pub fill: Fill,
    /// In which pass.
    pub pass: u8,
    /// By which step.
    pub step: u16,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not begin as a checkpoint does.
    #[error("no checkpoint: expected `kiln-checkpoint {VERSION} CRC LENGTH` in the first line")]
    Head,
    /// Another version wrote it.
    #[error("checkpoint of version {0}: this engine reads version {VERSION}")]
    Version(String),
    /// It was cut, or something was added.
    #[error("checkpoint of {is} bytes instead of {due}: it was cut or extended")]
    Length {
        /// Bytes there are.
        is: usize,
        /// Bytes its head names.
        due: usize,
    },
    /// Its bytes changed.
    #[error("checkpoint whose checksum is wrong: {is:08x} instead of {due:08x}")]
    Checksum {
        /// Sum of the bytes.
        is: u32,
        /// Sum its head names.
        due: u32,
    },
    /// The sum is right and the content is not.
    #[error("checkpoint with impossible content: {0}")]
    Content(String),
    /// It belongs to another job.
    #[error("checkpoint of another job: {0} differs")]
    Other(&'static str),
}

impl Checkpoint {
    /// Whether no step that the drive can do follows the one under way: at its end the headers give way to what was written last.
    pub(crate) fn is_in_last_step(&self) -> bool {
        let mut later = self.evidence.phases.iter().filter(|record| record.step > self.step);
        later.all(|record| record.unsupported.is_some())
    }

    /// Where a burn-in stands of which all steps that move data are done: `evidence` is all that it came to, `before` its last
    /// checkpoint's text, if one was taken. `None` where no step moves data.
    pub fn of_the_end(key: JobKey, steps: &[Step], before: Option<&str>, evidence: &Evidence) -> Option<Self> {
        let last = evidence.phases.last()?.step;
        let before = before.and_then(|text| Self::decode(text).ok());
        Some(Self {
            key,
            geometry: evidence.geometry,
            steps: steps.to_vec(),
            step: last,
            frontier: evidence.geometry.sectors,
            holds: before.and_then(|before| before.holds),
            evidence: evidence.clone(),
        })
    }

    /// Whether it is one [of the end](Self::of_the_end): all of its steps are over, and the last one is at its end.
    pub fn is_of_the_end(&self) -> bool {
        let over = |record: &Record| !matches!(record.status, PhaseStatus::Pending | PhaseStatus::Running);
        self.frontier == self.geometry.sectors
            && self.evidence.stopped.is_none()
            && self.evidence.phases.iter().all(over)
    }

    /// As text.
    pub fn encode(&self) -> String {
        self.clone().into_text()
    }

    /// As text, without a second one in memory.
    pub(crate) fn into_text(self) -> String {
        let mut evidence = self.evidence;
        let at = evidence.phases.iter().position(|record| record.step == self.step);
        let mut incidents = std::mem::take(&mut evidence.incidents);
        let newest = incidents.split_off(incidents.len() - incidents.len() % rows::INCIDENTS);
        let mut defects = std::mem::take(&mut evidence.defects);
        let order = |step| {
            evidence
                .step(step)
                .map_or(Direction::Forward, |record| record.work.order)
        };
        let runs = defects.take_runs();
        let mut runs = rows::of_runs(&runs, self.geometry.sectors, order);
        let lba = match order(self.step) {
            Direction::Forward => self.frontier,
            Direction::Reverse => self.geometry.sectors.saturating_sub(self.frontier),
        };
        if let Some(at) = rows::newest(&runs, (self.step, lba), order(self.step)) {
            defects.put_runs(runs.remove(at).to_vec());
        }
        let under_way = UnderWay {
            key: self.key,
            geometry: self.geometry,
            steps: self.steps,
            step: self.step,
            frontier: self.frontier,
            holds: self.holds,
            record: at.map(|at| evidence.phases.remove(at)),
            found: Newest {
                incident_counts: std::mem::take(&mut evidence.incident_counts),
                memory: std::mem::take(&mut evidence.memory),
                defects,
                incidents: newest,
            },
        };
        let incidents = incidents.chunks(rows::INCIDENTS).map(Found::Incidents);
        let found = incidents.chain(runs.into_iter().map(Found::Runs));
        let found = found.map(|found| rows::pack_json(&found));
        let first = [rows::pack_json(&under_way), rows::pack_json(&evidence)];
        rows::join(first.into_iter().chain(found))
    }

    /// From text; never panics, whatever the text is.
    ///
    /// # Errors
    /// Each says what is wrong; all mean the same to the caller: set it aside and begin anew.
    pub fn decode(text: &str) -> Result<Self, Error> {
        let mut rows = rows::unjoin(text)?;
        let mut unpacking = rows::Unpacking::new();
        let under_way: UnderWay = unpacking.json(rows.next())?;
        let mut evidence: Evidence = unpacking.json(rows.next())?;
        let at = evidence.phases.partition_point(|record| record.step < under_way.step);
        evidence.phases.splice(at..at, under_way.record);
        let newest = under_way.found;
        (evidence.incident_counts, evidence.memory) = (newest.incident_counts, newest.memory);
        evidence.defects = newest.defects;
        for row in rows {
            match unpacking.json(Some(row))? {
                Found::Incidents::<Vec<Incident>, Vec<Run>>(incidents) => evidence.incidents.extend(incidents),
                Found::Runs(runs) => evidence.defects.put_runs(runs),
            }
        }
        evidence.incidents.extend(newest.incidents);
        let checkpoint = Self {
            key: under_way.key,
            geometry: under_way.geometry,
            steps: under_way.steps,
            step: under_way.step,
            frontier: under_way.frontier,
            holds: under_way.holds,
            evidence,
        };
        checkpoint.possible().map_err(Error::Content)?;
        Ok(checkpoint)
    }

    /// Whether the numbers fit each other, so that whoever goes on with them can calculate without care.
    fn possible(&self) -> Result<(), String> {
        let Self { geometry, evidence, .. } = self;
        geometry.check().map_err(|e| e.to_string())?;
        if evidence.geometry != *geometry {
            return Err("the evidence is of a drive of another size".to_owned());
        }
        let due = (0..).zip(&self.steps).filter(|(_, step)| moves_data(step.phase));
        if self.steps.len() > STEPS_MAX || !due.eq(evidence.phases.iter().map(|r| (r.step, &r.work))) {
            return Err("the evidence is of other steps".to_owned());
        }
        if evidence.phases.iter().any(|record| record.phase != record.work.phase) {
            return Err("a record of another phase than its step's".to_owned());
        }
        let soaks = self.steps.iter().filter_map(|step| step.soak);
        if soaks
            .into_iter()
            .any(|soak| soak.first > soak.last || usize::from(soak.last) >= self.steps.len())
        {
            return Err("a block of steps that is none".to_owned());
        }
        if evidence.step(self.step).is_none() {
            return Err(format!("step {} of {}", self.step, self.steps.len()));
        }
        if self.frontier > geometry.sectors {
            return Err(format!("sector {} lies behind the end", self.frontier));
        }
        for record in &evidence.phases {
            // Seeks come by again and again until their time is over, however small the drive.
            let most = if record.phase == Phase::Seek {
                SOUGHT_MAX
            } else {
                geometry.bytes().max(MOVED_MIN).saturating_mul(4)
            };
            if record.done.0.max(record.total.0) > most
                || record.rounds > 1 << 24
                || !record.zones.are_possible()
                || !record.stretches.are_possible()
                || !record.by_round.are_possible()
                || !(0.0..1e12).contains(&record.seconds)
            {
                return Err(format!("figures of {:?}", record.phase));
            }
        }
        let inside =
            |first: u64, count: u64| count > 0 && first.checked_add(count).is_some_and(|end| end <= geometry.sectors);
        match evidence.defects.runs().find(|run| !inside(run.first, run.count)) {
            Some(run) => Err(format!(
                "bad sectors {} to {} of {}",
                run.first, run.count, geometry.sectors
            )),
            None if evidence.defects.runs().count() > RUNS_MAX || evidence.incidents.len() > INCIDENTS_MAX => {
                Err("more entries than any burn-in keeps".to_owned())
            }
            None => Ok(()),
        }
    }
}
