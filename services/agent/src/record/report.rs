//! What a worker's report changes in a job, and what is to be done about it. Pure.

use burnin::playbook::moves_data;
use burnin::worker::Report;
use wire::frame::ProgressFrame;
use wire::job::{Job, JobState, Phase, PhaseState, PhaseStatus, Progress, Resume};
use wire::{Bytes, Celsius, Time};

use super::{Heads, Record};

/// What a report means beside its change of the record.
#[derive(Debug, Default, PartialEq)]
pub struct Effects {
    /// To be kept, with the record.
    pub checkpoint: Option<String>,
    /// Worth writing down and telling.
    pub changed: bool,
    /// A phase that ended.
    pub finished: Option<PhaseState>,
    /// It heads for FAILED, and that is to be told.
    pub heads: Option<Heads>,
    /// It went on after an interruption.
    pub resumed: Option<Resume>,
    /// How far it is.
    pub progress: Option<ProgressFrame>,
    /// For the job's log.
    pub log: Option<String>,
}

impl Record {
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
            Report::Started {
                step,
                phase,
                from,
                engine,
            } => {
                // A pause may come between a worker's start and its first word.
                if self.paused.is_none() {
                    self.job.state = JobState::Running;
                }
                if let Some(why) = resume_why {
                    let resume = Resume {
                        step: *step,
                        at: now,
                        why: why.to_owned(),
                        phase: *phase,
                        from: *from,
                    };
                    self.goes_on(resume.clone());
                    effects.resumed = Some(resume);
                }
                effects.log = Some(format!("Worker started: {engine}"));
            }
            Report::PhaseStarted { step, phase } => {
                if let Some(state) = self.step_mut(*step) {
                    state.status = PhaseStatus::Running;
                }
                self.unbegin(step.saturating_add(1));
                effects.log = Some(format!("Phase {} begins", phase.label()));
            }
            Report::Progress { progress, spent } => {
                let progress = Progress {
                    temperature,
                    ..self.whole().of_steps(progress, *spent)
                };
                // It counts the round under way alone.
                if let Some(state) = self.step_mut(progress.step).filter(|state| state.rounds == 0) {
                    state.bytes = progress.done;
                }
                effects.changed = false;
                effects.progress = Some(progress_frame(&self.job, &progress));
                self.job.progress = Some(progress);
            }
            Report::Checkpoint { text, .. } => {
                self.saved = true;
                if self.erases() {
                    // Its header proves the drive from here on, and this would be written with each later change.
                    self.fingerprint = None;
                }
                effects.checkpoint = Some(text.clone());
            }
            Report::Findings {
                findings,
                bad_sectors,
                failing,
            } => {
                self.job.findings.clone_from(findings);
                self.job.bad_sectors = *bad_sectors;
                effects.heads = failing.as_ref().and_then(|why| self.heads(Heads::found(why)));
            }
            Report::Yield { .. } | Report::Recounted => effects.changed = false,
            Report::PhaseDone { step, state, surface } => {
                // A session that goes on from before an end comes to it again.
                let mut told = false;
                if let Some(mine) = self.step_mut(*step) {
                    told = mine.rounds > 0;
                    *mine = state.clone();
                }
                if let Some(surface) = surface {
                    self.job.surface.retain(|old| old.step != surface.step);
                    self.job.surface.push(surface.clone());
                }
                // A soak comes round thousands of times; its first end is told.
                if state.status == PhaseStatus::Done && state.rounds <= 1 && !told {
                    effects.finished = Some(state.clone());
                }
            }
            Report::Log { text } => {
                effects.changed = false;
                effects.log = Some(text.clone());
            }
            Report::Done { evidence } => {
                for (step, state) in evidence.step_states() {
                    if let Some(mine) = self.step_mut(step) {
                        *mine = state;
                    }
                }
                self.job.surface = evidence.surfaces();
                self.job.bad_sectors = evidence.bad_sectors();
                self.job.findings = evidence.findings();
                self.told_percent = self.job.progress.take().map_or(self.told_percent, |told| told.percent);
            }
        }
        effects
    }

    /// The worker's steps from this one on have not begun: where one of them had, that was behind the checkpoint from which it goes on.
    fn unbegin(&mut self, from: u16) {
        let later = self.job.phases.iter_mut().skip(usize::from(from));
        let begun = |state: &&mut PhaseState| {
            moves_data(state.phase) && matches!(state.status, PhaseStatus::Running | PhaseStatus::Interrupted)
        };
        for state in later.filter(begun) {
            (state.status, state.seconds, state.bytes) = (PhaseStatus::Pending, 0.0, Bytes(0));
        }
    }
}

/// The documented progress frame of a job, with ours beside it.
pub fn progress_frame(job: &Job, progress: &Progress) -> ProgressFrame {
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
        eta: progress.eta_job.or(progress.eta).map(compact).unwrap_or_default(),
        bytes_done: i64::try_from(progress.done.0).unwrap_or(i64::MAX),
        bytes_total: i64::try_from(progress.total.0).unwrap_or(i64::MAX),
        kiln: Some(progress.clone()),
    }
}

/// Seconds as a progress frame of the foreign protocol has them: `42 s`, `7 min`, `2h13m`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole and not negative; what is larger stays at the highest"
)]
fn compact(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::record::tests::{apply, record};

    #[test]
    fn progress_is_told_with_temperature_and_documented_fields() {
        let mut record = record();
        let progress = Progress {
            step: 2,
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
        let effects = apply(&mut record, &Report::Progress { progress, spent: 10.0 });
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
    fn what_stood_on_its_drive_is_kept_until_its_own_header_proves_the_drive() {
        let mut record = record();
        let stood = serde_json::from_value(serde_json::json!([{ "sum": 1, "blank": false }, null])).unwrap();
        record.fingerprint = Some(stood);
        let phase = Phase::Probe;
        apply(&mut record, &Report::PhaseStarted { step: 1, phase });
        let kept = serde_json::to_value(&record).unwrap();
        let mut record: Record = serde_json::from_value(kept).unwrap();
        assert!(record.fingerprint.is_some());
        let (text, waits) = (String::new(), false);
        apply(&mut record, &Report::Checkpoint { text, waits });
        assert_eq!(record.fingerprint, None);
    }

    #[test]
    fn phases_go_from_pending_over_running_to_done() {
        let mut record = record();
        apply(
            &mut record,
            &Report::PhaseStarted {
                step: 2,
                phase: Phase::Write,
            },
        );
        assert_eq!(record.step_mut(2).unwrap().status, PhaseStatus::Running);
        let done = PhaseState {
            status: PhaseStatus::Done,
            seconds: 9.0,
            bytes: Bytes(7),
            ..PhaseState::pending(Phase::Write, "")
        };
        let effects = apply(
            &mut record,
            &Report::PhaseDone {
                step: 2,
                state: done.clone(),
                surface: None,
            },
        );
        assert_eq!(effects.finished, Some(done));
        let stopped = PhaseState {
            status: PhaseStatus::Interrupted,
            seconds: 9.0,
            bytes: Bytes(7),
            ..PhaseState::pending(Phase::Verify, "")
        };
        let effects = apply(
            &mut record,
            &Report::PhaseDone {
                step: 3,
                state: stopped,
                surface: None,
            },
        );
        assert_eq!(effects.finished, None, "an interrupted phase did not finish");
    }

    /// The agent was killed behind a step's end, before the next one's first checkpoint: both were told to run, and the end twice.
    #[test]
    fn a_step_that_is_done_again_runs_alone_and_ends_once() {
        let mut record = record();
        let begins = |step, phase| Report::PhaseStarted { step, phase };
        let done = |rounds| Report::PhaseDone {
            step: 2,
            state: PhaseState {
                rounds,
                status: PhaseStatus::Done,
                seconds: 9.0,
                bytes: Bytes(7),
                ..PhaseState::pending(Phase::Write, "")
            },
            surface: None,
        };
        apply(&mut record, &begins(2, Phase::Write));
        assert!(apply(&mut record, &done(1)).finished.is_some());
        apply(&mut record, &begins(3, Phase::Verify));
        for cut in [PhaseStatus::Running, PhaseStatus::Interrupted] {
            record.step_mut(3).unwrap().status = cut;
            apply(&mut record, &begins(2, Phase::Write));
            let running = record
                .job
                .phases
                .iter()
                .filter(|state| state.status == PhaseStatus::Running);
            assert_eq!(running.count(), 1);
            assert_eq!(record.step_mut(3).unwrap().status, PhaseStatus::Pending);
            assert_eq!(apply(&mut record, &done(1)).finished, None, "it was told");
        }
    }

    #[test]
    fn a_paused_job_does_not_say_that_it_runs() {
        let report = Report::Started {
            step: 2,
            phase: Phase::Write,
            from: Bytes(0),
            engine: "e".into(),
        };
        let waits = JobState::Waiting {
            why: "paused by ann".into(),
        };
        let mut record = record();
        for (paused, then) in [(Some("ann"), &waits), (None, &JobState::Running)] {
            record.job.state = waits.clone();
            record.paused = paused.map(str::to_owned);
            apply(&mut record, &report);
            assert_eq!(&record.job.state, then);
        }
    }

    #[test]
    fn a_resume_is_recorded_with_its_reason() {
        let mut record = record();
        let report = Report::Started {
            step: 3,
            phase: Phase::Verify,
            from: Bytes(4096),
            engine: "e".into(),
        };
        let effects = record.apply(&report, Some("power cut or reset"), None, Time::UNIX_EPOCH);
        assert_eq!(record.job.resumes, [effects.resumed.unwrap()]);
        assert_eq!(
            (record.job.resumes[0].why.as_str(), record.job.resumes[0].step),
            ("power cut or reset", 3)
        );
        let effects = record.apply(&report, None, None, Time::UNIX_EPOCH);
        assert_eq!(effects.resumed, None);
    }
}
