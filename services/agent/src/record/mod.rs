//! What is kept of a job, and how a worker's reports change it. Pure; [`crate::jobs`] keeps it, [`crate::job`] runs it.
//!
//! [`apply`](Record::apply): a worker's reports. [`strange`](Record::strange): whether the drive still is the one that
//! was armed. [`findings`](Record::keep_findings): what was once found stays found.

mod findings;
mod report;
mod strange;

use burnin::device::Geometry;
use burnin::{JobKey, Playbook};
use drive::Identity;
use drive::smart::Snapshot;
use serde::{Deserialize, Serialize};
use wire::drive::{Content, Drive};
use wire::frame::LogLine;
use wire::job::{Finding, Job, JobState, Phase, PhaseState, PhaseStatus};
use wire::{Bytes, JobId, Time};

pub use report::Effects;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What is told.
    pub job: Job,
    /// The pattern's secret.
    pub key: JobKey,
    /// Size and sectors that the drive had when it was armed.
    pub geometry: Geometry,
    /// The drive, compared again before each session.
    pub identity: Identity,
    /// Kernel's id of the boot in which it last ran.
    pub boot_id: String,
    /// Whether the agent stopped it in order, with a checkpoint.
    pub parked: bool,
    /// SMART before; `None` when it was not read yet or could not be.
    pub smart_before: Option<Snapshot>,
    /// Why SMART before could not be read.
    pub smart_trouble: Option<String>,
    /// What stood on the drive when it was armed; a drive that holds something else later is not gone on with.
    #[serde(default = "nothing_known")]
    pub content: Content,
    /// Findings of a session whose checkpoint was lost: they stand beside what the new start finds.
    pub findings_before_loss: Vec<Finding>,
    /// Raised at each change; of two copies the higher one counts.
    pub revision: u64,
}

fn nothing_known() -> Content {
    Content::Unknown
}

impl Record {
    /// A job that begins.
    pub fn new(
        drive: &Drive,
        identity: Identity,
        geometry: Geometry,
        book: &Playbook,
        actor: &str,
        key: JobKey,
        now: Time,
    ) -> Option<Self> {
        let pending = |phase: &Phase| PhaseState {
            note: String::new(),
            rounds: 0,
            phase: *phase,
            status: PhaseStatus::Pending,
            seconds: 0.0,
            bytes: Bytes(0),
        };
        let job = Job {
            id: JobId::now(),
            drive: drive.id.clone()?,
            model: drive.model.clone(),
            serial: drive.serial.clone(),
            capacity: drive.capacity,
            sector: drive.logical_sector,
            playbook: book.name.clone(),
            actor: actor.to_owned(),
            state: JobState::Running,
            phases: book.phases.iter().map(pending).collect(),
            progress: None,
            findings: Vec::new(),
            bad_sectors: 0,
            verdict: None,
            resumes: Vec::new(),
            surface: Vec::new(),
            smart: Vec::new(),
            self_tests: Vec::new(),
            timeline: Vec::new(),
            options: wire::options::PlanOptions::default(),
            formatted: None,
            certificate: None,
            started: now,
            ended: None,
        };
        Some(Self {
            job,
            key,
            geometry,
            identity,
            boot_id: String::new(),
            parked: false,
            smart_before: None,
            smart_trouble: None,
            content: drive.content.clone(),
            findings_before_loss: Vec::new(),
            revision: 0,
        })
    }

    /// Why the job was interrupted, judged at the start of an agent that finds it unfinished.
    pub fn interruption(&self, boot_id: &str) -> String {
        match (self.boot_id == boot_id, self.parked) {
            (true, true) => "the agent was restarted",
            (true, false) => "the agent ended without warning",
            (false, true) => "the box was restarted",
            (false, false) => "power cut or reset",
        }
        .to_owned()
    }

    /// Begins another session: a look at SMART that was cut short is taken again.
    pub fn take_up(&mut self, boot_id: &str) {
        boot_id.clone_into(&mut self.boot_id);
        self.parked = false;
        for phase in [Phase::SmartBefore, Phase::SmartAfter] {
            if let Some(state) = self
                .phase_mut(phase)
                .filter(|state| matches!(state.status, PhaseStatus::Running | PhaseStatus::Interrupted))
            {
                state.status = PhaseStatus::Pending;
            }
        }
    }

    /// The phase's state, to be changed.
    pub fn phase_mut(&mut self, phase: Phase) -> Option<&mut PhaseState> {
        self.job.phases.iter_mut().find(|state| state.phase == phase)
    }

    /// Whether the phase is in the playbook and not begun or done.
    pub fn is_pending(&self, phase: Phase) -> bool {
        self.job
            .phases
            .iter()
            .any(|state| state.phase == phase && state.status == PhaseStatus::Pending)
    }
}

/// A line of a job's log.
pub fn log_line(job: &Job, level: &str, message: String, now: Time) -> LogLine {
    LogLine {
        level: level.to_owned(),
        message,
        source: format!("{} {}", job.model, job.serial),
        job_id: Some(job.id.to_string()),
        timestamp: Some(now.to_string()),
    }
}
#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use burnin::worker::Report;
    use wire::Celsius;
    use wire::drive::Bus;

    use super::*;

    pub(crate) fn record() -> Record {
        let job = crate::events::tests::job();
        let identity = Identity {
            id: Some(job.drive.clone()),
            model: job.model.clone(),
            serial: job.serial.clone(),
            wwn: None,
            capacity: job.capacity,
            logical_sector: 512,
            bus: Bus::Sata,
        };
        let pending = |phase| PhaseState {
            note: String::new(),
            rounds: 0,
            phase,
            status: PhaseStatus::Pending,
            seconds: 0.0,
            bytes: Bytes(0),
        };
        let phases = Playbook::named("standard")
            .unwrap()
            .phases
            .into_iter()
            .map(pending)
            .collect();
        Record {
            job: Job { phases, ..job },
            key: JobKey([1; 16]),
            geometry: Geometry {
                sectors: 1000,
                sector: 512,
                physical: 512,
            },
            identity,
            boot_id: "now".into(),
            parked: false,
            smart_before: None,
            smart_trouble: None,
            content: Content::Empty,
            findings_before_loss: vec![],
            revision: 0,
        }
    }

    pub(crate) fn apply(record: &mut Record, report: &Report) -> Effects {
        record.apply(report, None, Some(Celsius(41)), Time::UNIX_EPOCH)
    }

    #[test]
    fn an_interruption_is_named_by_boot_and_manner() {
        let mut record = record();
        assert_eq!(record.interruption("now"), "the agent ended without warning");
        assert_eq!(record.interruption("later"), "power cut or reset");
        record.parked = true;
        assert_eq!(record.interruption("now"), "the agent was restarted");
        assert_eq!(record.interruption("later"), "the box was restarted");
    }

    #[test]
    fn a_look_at_smart_that_was_cut_short_is_taken_again() {
        let mut record = record();
        record.parked = true;
        for cut in [PhaseStatus::Running, PhaseStatus::Interrupted] {
            for phase in [Phase::SmartBefore, Phase::SmartAfter] {
                record.phase_mut(phase).unwrap().status = cut;
                record.take_up("later");
                assert!(record.is_pending(phase), "{phase:?} was {cut:?}");
            }
        }
        assert!(!record.parked && record.boot_id == "later");
        record.phase_mut(Phase::SmartBefore).unwrap().status = PhaseStatus::Done;
        record.phase_mut(Phase::Write).unwrap().status = PhaseStatus::Running;
        record.take_up("later");
        assert_eq!(record.phase_mut(Phase::SmartBefore).unwrap().status, PhaseStatus::Done);
        assert_eq!(record.phase_mut(Phase::Write).unwrap().status, PhaseStatus::Running);
    }
}
