//! What is kept of a job, and how a worker's reports change it. Pure; [`crate::jobs`] keeps it, [`crate::job`] runs it.

use burnin::device::Geometry;
use burnin::worker::Report;
use burnin::{JobKey, Playbook};
use drive::Identity;
use drive::smart::Snapshot;
use serde::{Deserialize, Serialize};
use wire::drive::{Content, Drive, Signature};
use wire::frame::{LogLine, ProgressFrame};
use wire::job::{Finding, Job, JobState, Phase, PhaseState, PhaseStatus, Progress, Resume};
use wire::{Bytes, Celsius, JobId, Time};

use crate::events::duration_words;

/// A job as it stands in LMDB: what is told of it, and what only the agent needs.
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

/// What a report means beside its change of the record.
#[derive(Debug, Default, PartialEq)]
pub struct Effects {
    /// To be kept, with the record.
    pub checkpoint: Option<String>,
    /// Worth writing down and telling.
    pub changed: bool,
    /// A phase that ended.
    pub finished: Option<PhaseState>,
    /// It went on after an interruption.
    pub resumed: Option<Resume>,
    /// How far it is.
    pub progress: Option<ProgressFrame>,
    /// For the job's log.
    pub log: Option<String>,
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

    /// Why the job must not go on with a drive that holds `now`: somebody put something on it since it was armed, or
    /// another drive answers by its name (two behind one USB bridge). What the job itself left of the old content is fine.
    pub fn strange(&self, now: &Content) -> Option<String> {
        let Content::Found { signatures, summary } = now else {
            return None;
        };
        let old: &[Signature] = match &self.content {
            Content::Found { signatures, .. } => signatures,
            Content::Unknown | Content::Empty | Content::Unreadable { .. } => &[],
        };
        // A partition whose file system is overwritten and whose table is not is still the old one.
        let known = |new: &Signature| {
            old.iter().any(|old| {
                old == new || (old.partition == new.partition && new.partition != 0 && new.kind == "unknown")
            })
        };
        (!signatures.iter().all(known)).then(|| {
            format!(
                "{} {} holds \"{summary}\" now, which was not on it when it was armed; nothing of it is erased. Abort this job, or \
                 plug in the drive that it began with",
                self.job.model, self.job.serial
            )
        })
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

    /// Begins again from nothing, with the same baseline: its checkpoint could not be used.
    pub fn restart(&mut self) {
        let found = std::mem::take(&mut self.job.findings);
        self.findings_before_loss.extend(found);
        self.findings_before_loss.truncate(wire::job::FINDINGS_MAX);
        self.job.bad_sectors = 0;
        self.job.surface.clear();
        for state in self
            .job
            .phases
            .iter_mut()
            .filter(|state| burnin::playbook::moves_data(state.phase))
        {
            *state = PhaseState {
                note: String::new(),
                rounds: 0,
                phase: state.phase,
                status: PhaseStatus::Pending,
                seconds: 0.0,
                bytes: Bytes(0),
            };
        }
    }

    /// Keeps what was told of findings and is not among those `saved` in the checkpoint that the job goes on from: what
    /// shows only once would be forgotten by an interruption between finding and checkpoint.
    pub fn keep_findings(&mut self, saved: &[Finding]) {
        let same = |a: &Finding, b: &Finding| (a.phase, a.lba) == (b.phase, b.lba);
        for found in &self.job.findings {
            let kept = saved
                .iter()
                .chain(&self.findings_before_loss)
                .any(|kept| same(kept, found));
            if !kept && self.findings_before_loss.len() < wire::job::FINDINGS_MAX {
                self.findings_before_loss.push(found.clone());
            }
        }
    }

    /// Takes one report of the worker.
    pub fn apply(
        &mut self,
        report: &Report,
        resume_why: Option<&str>,
        temperature: Option<Celsius>,
        now: Time,
    ) -> Effects {
        let mut effects = Effects {
            changed: true,
            ..Effects::default()
        };
        match report {
            Report::Started { phase, from, engine } => {
                self.job.state = JobState::Running;
                if let Some(why) = resume_why {
                    let resume = Resume {
                        step: 0,
                        at: now,
                        why: why.to_owned(),
                        phase: *phase,
                        from: *from,
                    };
                    self.job.resumes.push(resume.clone());
                    effects.resumed = Some(resume);
                }
                effects.log = Some(format!("Worker started: {engine}"));
            }
            Report::PhaseStarted { phase } => {
                if let Some(state) = self.phase_mut(*phase) {
                    state.status = PhaseStatus::Running;
                }
                effects.log = Some(format!("Phase {} begins", phase.label()));
            }
            Report::Progress(progress) => {
                let progress = Progress {
                    temperature,
                    ..progress.clone()
                };
                if let Some(state) = self.phase_mut(progress.phase) {
                    state.bytes = progress.done;
                }
                effects.changed = false;
                effects.progress = Some(progress_frame(&self.job, &progress));
                self.job.progress = Some(progress);
            }
            Report::Checkpoint { text } => effects.checkpoint = Some(text.clone()),
            Report::Findings { findings, bad_sectors } => {
                self.job.findings.clone_from(findings);
                self.job.bad_sectors = *bad_sectors;
            }
            Report::PhaseDone { state, surface } => {
                if let Some(mine) = self.phase_mut(state.phase) {
                    *mine = state.clone();
                }
                if let Some(surface) = surface {
                    self.job.surface.retain(|old| old.phase != surface.phase);
                    self.job.surface.push(surface.clone());
                }
                if state.status == PhaseStatus::Done {
                    effects.finished = Some(state.clone());
                }
            }
            Report::Log { text } => {
                effects.changed = false;
                effects.log = Some(text.clone());
            }
            Report::Done { evidence } => {
                for state in evidence.phase_states() {
                    if let Some(mine) = self.phase_mut(state.phase) {
                        *mine = state;
                    }
                }
                self.job.surface = evidence.surfaces();
                self.job.bad_sectors = evidence.defects.bad_sectors();
                self.job.findings = evidence.findings();
                self.job.progress = None;
            }
        }
        effects
    }
}

/// The documented progress frame of a job, with ours beside it.
fn progress_frame(job: &Job, progress: &Progress) -> ProgressFrame {
    let doing = match progress.phase {
        Phase::SmartBefore | Phase::SmartAfter => "Reading SMART of",
        Phase::SelfTestShort | Phase::SelfTestExtended => "Self-test of",
        Phase::Probe => "Probing the capacity of",
        Phase::Sample => "Sampling",
        Phase::Write => "Writing to",
        Phase::Verify => "Reading back",
        Phase::Seek => "Seeking on",
        Phase::Trim => "Trimming",
        Phase::TrimCheck => "Checking the trim of",
        Phase::Scan => "Reading",
        Phase::Partition => "Partitioning",
        Phase::Format => "Formatting",
    };
    let phase = serde_json::to_value(progress.phase)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default();
    ProgressFrame {
        job_id: job.id.to_string(),
        phase,
        percent: progress.percent.clamp(0.0, 100.0),
        message: format!("{doing} {} {}, {}/s", job.model, job.serial, progress.rate),
        eta: progress
            .eta_job
            .or(progress.eta)
            .map(duration_words)
            .unwrap_or_default(),
        bytes_done: i64::try_from(progress.done.0).unwrap_or(i64::MAX),
        bytes_total: i64::try_from(progress.total.0).unwrap_or(i64::MAX),
        kiln: Some(progress.clone()),
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
    use wire::Lba;
    use wire::drive::Bus;
    use wire::job::FaultKind;

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

    fn apply(record: &mut Record, report: &Report) -> Effects {
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
    fn progress_is_told_with_temperature_and_documented_fields() {
        let mut record = record();
        let progress = Progress {
            step: 0,
            phase_percent: None,
            phase: Phase::Write,
            done: Bytes(500),
            total: Bytes(1000),
            rate: Bytes(180_000_000),
            eta: Some(10.0),
            eta_job: Some(7980.0),
            percent: 25.0,
            temperature: None,
        };
        let effects = apply(&mut record, &Report::Progress(progress));
        assert!(!effects.changed, "progress alone is not written down");
        let frame = effects.progress.unwrap();
        assert_eq!(
            (frame.phase.as_str(), frame.eta.as_str(), frame.bytes_done),
            ("write", "2h13m", 500)
        );
        assert_eq!(frame.kiln.unwrap().temperature, Some(Celsius(41)));
        assert!(
            frame.message.contains("Writing to WD80EFAX VK1234, 180 MB/s"),
            "{}",
            frame.message
        );
    }

    #[test]
    fn phases_go_from_pending_over_running_to_done() {
        let mut record = record();
        apply(&mut record, &Report::PhaseStarted { phase: Phase::Write });
        assert_eq!(record.phase_mut(Phase::Write).unwrap().status, PhaseStatus::Running);
        let done = PhaseState {
            note: String::new(),
            rounds: 0,
            phase: Phase::Write,
            status: PhaseStatus::Done,
            seconds: 9.0,
            bytes: Bytes(7),
        };
        let effects = apply(
            &mut record,
            &Report::PhaseDone {
                state: done.clone(),
                surface: None,
            },
        );
        assert_eq!(effects.finished, Some(done));
        let stopped = PhaseState {
            note: String::new(),
            rounds: 0,
            phase: Phase::Verify,
            status: PhaseStatus::Interrupted,
            seconds: 9.0,
            bytes: Bytes(7),
        };
        let effects = apply(
            &mut record,
            &Report::PhaseDone {
                state: stopped,
                surface: None,
            },
        );
        assert_eq!(effects.finished, None, "an interrupted phase did not finish");
    }

    #[test]
    fn a_resume_is_recorded_with_its_reason() {
        let mut record = record();
        let report = Report::Started {
            phase: Phase::Verify,
            from: Bytes(4096),
            engine: "e".into(),
        };
        let effects = record.apply(&report, Some("power cut or reset"), None, Time::UNIX_EPOCH);
        assert_eq!(record.job.resumes, [effects.resumed.unwrap()]);
        assert_eq!(record.job.resumes[0].why, "power cut or reset");
        let effects = record.apply(&report, None, None, Time::UNIX_EPOCH);
        assert_eq!(effects.resumed, None);
    }

    #[test]
    fn a_restart_keeps_what_was_found_and_forgets_what_was_done() {
        let mut record = record();
        let finding = Finding {
            step: 0,
            kind: FaultKind::BitFlip,
            lba: Some(Lba(7)),
            sectors: 1,
            found: None,
            phase: Phase::Verify,
            detail: "1 bit".into(),
        };
        apply(
            &mut record,
            &Report::Findings {
                findings: vec![finding.clone()],
                bad_sectors: 1,
            },
        );
        record.phase_mut(Phase::SmartBefore).unwrap().status = PhaseStatus::Done;
        record.phase_mut(Phase::Write).unwrap().status = PhaseStatus::Done;
        record.restart();
        assert_eq!(record.findings_before_loss, [finding]);
        assert!(record.is_pending(Phase::Write) && !record.is_pending(Phase::SmartBefore));
        assert_eq!(record.job.bad_sectors, 0);
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

    fn signature(partition: u32, kind: &str, uuid: Option<&str>) -> Signature {
        Signature {
            partition,
            kind: kind.into(),
            label: None,
            uuid: uuid.map(Into::into),
            name: None,
        }
    }

    fn found(signatures: &[Signature]) -> Content {
        Content::Found {
            signatures: signatures.to_vec(),
            summary: "something".into(),
        }
    }

    #[test]
    fn a_drive_that_holds_what_it_did_not_hold_when_armed_is_not_gone_on_with() {
        let (table, system) = (signature(0, "gpt", Some("a")), signature(1, "ext4", Some("b")));
        let old = found(&[table.clone(), system.clone()]);
        let mut record = record();
        for armed in [
            Content::Empty,
            Content::Unknown,
            Content::Unreadable { why: "slow".into() },
            old.clone(),
        ] {
            record.content = armed.clone();
            for nothing in [
                Content::Empty,
                Content::Unknown,
                Content::Unreadable { why: "slow".into() },
            ] {
                assert_eq!(record.strange(&nothing), None, "{armed:?} then {nothing:?}");
            }
            for new in [
                found(&[signature(0, "ext4", Some("c"))]),
                found(&[signature(0, "gpt", Some("x")), system.clone()]),
                found(&[table.clone(), signature(1, "ext4", Some("x"))]),
                found(&[table.clone(), system.clone(), signature(2, "unknown", None)]),
            ] {
                assert!(
                    record.strange(&new).unwrap().contains("\"something\""),
                    "{armed:?} then {new:?}"
                );
            }
        }
        for left in [
            old,
            found(std::slice::from_ref(&table)),
            found(&[table, signature(1, "unknown", None)]),
            found(&[system]),
        ] {
            assert_eq!(record.strange(&left), None, "{left:?} is what is left of it");
        }
    }

    #[test]
    fn a_finding_between_the_last_checkpoint_and_an_interruption_is_kept() {
        let at = |lba, sectors| Finding {
            step: 0,
            kind: FaultKind::Transient,
            lba: Some(Lba(lba)),
            sectors,
            found: None,
            phase: Phase::Verify,
            detail: String::new(),
        };
        let mut record = record();
        let findings = vec![at(7, 3), at(90, 1)];
        apply(
            &mut record,
            &Report::Findings {
                findings,
                bad_sectors: 4,
            },
        );
        record.keep_findings(&[at(7, 1)]);
        assert_eq!(
            record.findings_before_loss,
            [at(90, 1)],
            "the other one is in the checkpoint, and grew since"
        );
        record.keep_findings(&[]);
        record.keep_findings(&[]);
        assert_eq!(record.findings_before_loss, [at(90, 1), at(7, 3)]);
    }
}
