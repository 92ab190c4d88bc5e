//! One drive's burn-in: own steps, the engine, own steps, partition and format, verdict.
//!
//! The engine runs in this thread; what it does not do itself (SMART, self-tests) is done by [`own`] where
//! the steps say so, also between two of the engine's; [`watch`] looks at the temperature meanwhile.

mod earlier;
mod end;
mod own;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burnin::evidence::{Evidence, Stop};
use burnin::header::Note;
use burnin::playbook::moves_data;
use burnin::runner::{self, Ask};
use burnin::worker::{Backend, Io, Limits, Order, Report};
use burnin::{JobKey, device};
use drive::System;
use drive::smart::Smartctl;
use wire::gate::PlanDrive;
use wire::job::Phase;
use wire::{JobId, Time};

use super::admit::Held;
use super::choice::Choice;
use super::ended::Ended;
use super::screen::Line;
use super::state::{Saved, StateDir};
use own::Own;
use watch::Watch;

/// Everything one job needs; it holds the guarded descriptor.
pub(super) struct Job {
    pub drive: PlanDrive,
    pub node: PathBuf,
    pub held: Held,
    pub system: System,
    pub choice: Choice,
    pub backend: Backend,
    pub resume: bool,
    pub state: StateDir,
    pub smartctl: Smartctl,
    pub asked: Arc<AtomicBool>,
}

/// Who and since when: what stays the same over all sessions.
#[derive(Clone, Debug)]
struct Birth {
    id: JobId,
    key: JobKey,
    started: Time,
}

impl Job {
    /// What to call it on screen.
    pub fn name(&self) -> String {
        super::short(&self.node)
    }

    /// Runs it to its end.
    pub fn run(self, line: &Line) -> Ended {
        let mut notes = Vec::new();
        let (birth, mut own, resume) = match self.begin(line, &mut notes) {
            Ok(begun) => begun,
            Err(why) => return self.not_begun(why, notes),
        };
        let first = self.choice.steps.iter().position(|step| moves_data(step.phase));
        let first = u16::try_from(first.unwrap_or(self.choice.steps.len())).unwrap_or(u16::MAX);
        own.until(&self, first, line);
        if let Some(why) = own.stranger.take() {
            notes.append(&mut own.notes);
            return self.not_begun(why, notes);
        }
        let watch = Watch::start(&self, own.before.as_ref(), std::mem::take(&mut own.timeline));
        let order = Order {
            key: birth.key,
            geometry: self.geometry(),
            steps: self.choice.steps.clone(),
            header: self.choice.erases().then(|| self.note(&birth, &own)),
            limits: Limits::default(),
            io: Io {
                backend: self.backend,
                ..Io::for_drive(self.held.device.identity.bus, self.held.device.rotation)
            },
            resume,
            pace: None,
        };
        let mut evidence = match self.engine(&order, &birth, &mut own, &watch, line) {
            Ok(evidence) => evidence,
            Err(why) => return self.not_begun(why, notes),
        };
        let seen = watch.end();
        own.timeline = seen.timeline.clone();
        let stopped = matches!(evidence.stopped, Some(Stop::Asked { .. } | Stop::Engine { .. }));
        if !stopped {
            self.state.forget(&self.drive.id);
            if !matches!(evidence.stopped, Some(Stop::Disconnected | Stop::Hung)) {
                own.until(&self, u16::MAX, line);
            }
        }
        if let Some(why) = own.stranger.take() {
            evidence.stopped = Some(Stop::Engine { why });
        }
        notes.append(&mut own.notes);
        self.end(&birth, evidence, own, seen, notes, line)
    }

    fn geometry(&self) -> device::Geometry {
        device::Geometry {
            sectors: self.drive.capacity.0 / u64::from(self.drive.sector.max(1)),
            sector: self.drive.sector,
            physical: self.held.device.physical_sector.max(self.drive.sector),
        }
    }

    /// What the drive itself keeps, so that the job can go on without this computer.
    fn note(&self, birth: &Birth, own: &Own) -> Note {
        Note {
            job: birth.id.to_string(),
            drive: self.drive.id.clone(),
            playbook: self.choice.playbook.name.clone(),
            options: self.choice.options.clone(),
            started: birth.started,
            baseline: own
                .before
                .as_ref()
                .and_then(|before| serde_json::to_string(before).ok()),
        }
    }

    fn engine(
        &self,
        order: &Order,
        birth: &Birth,
        own: &mut Own,
        watch: &Watch,
        line: &Line,
    ) -> Result<Evidence, String> {
        let file = self.held.file.try_clone().map_err(|e| e.to_string())?;
        let (mut device, way) = device::open(file, order.io).map_err(|e| e.to_string())?;
        let waiting = std::cell::Cell::new(None);
        let stranger = std::cell::Cell::new(None);
        let mut stopping = false;
        let mut asked = || {
            if stopping {
                return None;
            }
            let why = stranger
                .take()
                .or_else(|| watch.too_hot())
                .or_else(|| self.asked.load(Ordering::Relaxed).then(|| "a signal".to_owned()));
            if let Some(why) = why {
                stopping = true;
                return Some(Ask::Stop(why));
            }
            waiting.take().map(Ask::Go).or_else(|| watch.next())
        };
        let mut unsaved = None;
        let mut emit = |report: Report| match report {
            Report::Started { from, engine, .. } => {
                line.say(&engine);
                if from.0 > 0 {
                    line.say(&format!("goes on at {from}"));
                }
            }
            Report::PhaseStarted { phase, .. } => line.phase(phase),
            Report::Progress(mut progress) => {
                progress.temperature = watch.saw(&progress);
                line.progress(&progress);
            }
            Report::Log { text } => line.say(&text),
            Report::Yield { step } => {
                own.until(self, step, line);
                match own.stranger.clone() {
                    Some(why) => stranger.set(Some(why)),
                    None => waiting.set(Some(step)),
                }
            }
            Report::Checkpoint { text } => {
                if let Err(error) = self.state.save(&self.drive.id, &self.saved(birth, own, watch, text)) {
                    unsaved.get_or_insert(error.to_string());
                }
            }
            Report::Findings {
                findings: _,
                bad_sectors,
                ..
            } => watch.found(bad_sectors),
            Report::PhaseDone { .. } | Report::Done { .. } => {}
        };
        let evidence =
            runner::run_asked(device.as_mut(), order, &way, &mut asked, &mut emit).map_err(|e| e.to_string())?;
        if let Some(error) = unsaved {
            let note = format!("progress could not be kept: {error}");
            line.say(&note);
            own.notes.push(note);
        }
        Ok(evidence)
    }

    fn saved(&self, birth: &Birth, own: &Own, watch: &Watch, checkpoint: String) -> Saved {
        Saved {
            job: birth.id,
            playbook: self.choice.playbook.name.clone(),
            options: self.choice.options.clone(),
            steps: self.choice.steps.clone(),
            own: own.states.clone(),
            self_tests: own.self_tests.clone(),
            timeline: watch.timeline(),
            started: birth.started,
            smart_before: own.before.clone(),
            checkpoint,
        }
    }
}

/// Whether a step is this process's, and done where it stands; partition and format wait for the outcome.
fn is_own(phase: Phase) -> bool {
    !moves_data(phase) && !matches!(phase, Phase::Partition | Phase::Format)
}
