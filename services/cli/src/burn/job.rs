//! One drive's burn-in: SMART, the engine, SMART, verdict.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burnin::evidence::{Evidence, Stop};
use burnin::verdict::{Case, Profile, judge};
use burnin::worker::{Backend, Io, Limits, Order, Report, Resumption};
use burnin::{JobKey, Playbook, device, runner};
use drive::guard::Opened;
use drive::smart::{Smartctl, Snapshot, delta};
use wire::gate::PlanDrive;
use wire::job::{FINDINGS_MAX, Outcome, Phase, PhaseState, PhaseStatus};
use wire::{Bytes, JobId, Time};

use super::screen::Line;
use super::state::{Found, Saved, StateDir};

/// Everything one job needs; it holds the guarded descriptor.
pub(super) struct Job {
    pub drive: PlanDrive,
    pub node: PathBuf,
    pub opened: Opened,
    pub playbook: Playbook,
    pub backend: Backend,
    pub profile: Profile,
    pub resume: bool,
    pub state: StateDir,
    pub asked: Arc<AtomicBool>,
}

/// A job that ended.
pub(super) struct Ended {
    node: PathBuf,
    job: wire::job::Job,
    notes: Vec<String>,
}

impl Job {
    /// What to call it on screen.
    pub fn name(&self) -> String {
        self.node
            .file_name()
            .map_or_else(|| self.drive.serial.clone(), |n| n.to_string_lossy().into_owned())
    }

    /// Runs it to its end.
    pub fn run(self, line: &Line) -> Ended {
        let mut notes = Vec::new();
        let (saved, resume) = self.earlier(line, &mut notes);
        let Some(key) = resume.as_ref().map(|(key, _)| *key).or_else(new_key) else {
            return self.not_begun("the kernel gives no random numbers".to_owned(), notes);
        };
        let started = saved.as_ref().map_or_else(Time::now, |s| s.started);
        let before = match &saved {
            Some(saved) => saved.smart_before.clone(),
            None if self.playbook.wants_smart() => self.smart(line, &mut notes),
            None => None,
        };
        let geometry = device::Geometry {
            sectors: self.drive.capacity.0 / u64::from(self.drive.sector.max(1)),
            sector: self.drive.sector,
            physical: self.opened.device.physical_sector.max(self.drive.sector),
        };
        let device = &self.opened.device;
        let io = Io {
            backend: self.backend,
            ..Io::for_drive(device.identity.bus, device.rotation)
        };
        let order = Order {
            key,
            geometry,
            steps: self.playbook.steps().to_vec(),
            header: None,
            limits: Limits::default(),
            io,
            resume: resume.map(|(_, resumption)| resumption),
            pace: None,
        };
        let evidence = match self.engine(&order, started, before.as_ref(), line, &mut notes) {
            Ok(evidence) => evidence,
            Err(why) => return self.not_begun(why, notes),
        };
        let stopped = matches!(evidence.stopped, Some(Stop::Asked { .. } | Stop::Engine { .. }));
        if !stopped {
            self.state.forget(&self.drive.id);
        }
        let gone = matches!(evidence.stopped, Some(Stop::Disconnected | Stop::Hung));
        let after = (self.playbook.wants_smart() && !stopped && !gone)
            .then(|| self.smart(line, &mut notes))
            .flatten();
        self.verdict(&evidence, before.as_ref(), after.as_ref(), started, notes)
    }

    /// What an interrupted burn-in of this drive left, if it is asked to go on.
    fn earlier(&self, line: &Line, notes: &mut Vec<String>) -> (Option<Saved>, Option<(JobKey, Resumption)>) {
        if !self.resume {
            // From now on the drive holds another pattern than an earlier burn-in left.
            self.state.forget(&self.drive.id);
            return (None, None);
        }
        let note = match self.state.load(&self.drive.id) {
            Found::Nothing => "nothing to go on with; it begins anew".to_owned(),
            Found::SetAside(why) => format!("{why}; it begins anew"),
            Found::Good(found) => {
                let (saved, checkpoint) = *found;
                if saved.playbook == self.playbook.name {
                    let why = "stopped, killed or power cut".to_owned();
                    let resumption = Resumption {
                        checkpoint: saved.checkpoint.clone(),
                        why,
                        at: Time::now(),
                    };
                    return (Some(saved), Some((checkpoint.key, resumption)));
                }
                format!(
                    "the interrupted burn-in was `{}`; it begins anew as `{}`",
                    saved.playbook, self.playbook.name
                )
            }
        };
        line.say(&note);
        notes.push(note);
        (None, None)
    }

    fn smart(&self, line: &Line, notes: &mut Vec<String>) -> Option<Snapshot> {
        match Smartctl::default().read(&self.node, &self.opened.identity) {
            Ok(snapshot) => Some(snapshot),
            Err(why) => {
                let mut note = format!("SMART: {why}");
                let mut source = std::error::Error::source(&why);
                while let Some(cause) = source {
                    note += &format!(": {cause}");
                    source = cause.source();
                }
                line.say(&note);
                notes.push(note);
                None
            }
        }
    }

    fn engine(
        &self,
        order: &Order,
        started: Time,
        before: Option<&Snapshot>,
        line: &Line,
        notes: &mut Vec<String>,
    ) -> Result<Evidence, String> {
        let file = self.opened.file.try_clone().map_err(|e| e.to_string())?;
        let (mut device, way) = device::open(file, order.io).map_err(|e| e.to_string())?;
        let mut asked = || self.asked.load(Ordering::Relaxed).then(|| "a signal".to_owned());
        let mut unsaved = None;
        let mut emit = |report: Report| match report {
            Report::Started { from, engine, .. } => {
                line.say(&engine);
                if from.0 > 0 {
                    line.say(&format!("goes on at {from}"));
                }
            }
            Report::PhaseStarted { phase, .. } => line.phase(phase),
            Report::Progress(progress) => line.progress(&progress),
            Report::Log { text } => line.say(&text),
            Report::Checkpoint { text } => {
                let saved = Saved {
                    playbook: self.playbook.name.clone(),
                    started,
                    smart_before: before.cloned(),
                    checkpoint: text,
                };
                if let Err(error) = self.state.save(&self.drive.id, &saved) {
                    unsaved.get_or_insert(error.to_string());
                }
            }
            Report::Findings { .. } | Report::Yield { .. } | Report::PhaseDone { .. } | Report::Done { .. } => {}
        };
        let evidence = runner::run(device.as_mut(), order, &way, &mut asked, &mut emit).map_err(|e| e.to_string())?;
        if let Some(error) = unsaved {
            let note = format!("progress could not be kept: {error}");
            line.say(&note);
            notes.push(note);
        }
        Ok(evidence)
    }

    fn verdict(
        &self,
        evidence: &Evidence,
        before: Option<&Snapshot>,
        after: Option<&Snapshot>,
        started: Time,
        notes: Vec<String>,
    ) -> Ended {
        let case = Case {
            wants_smart: self.playbook.wants_smart(),
            before,
            after,
            profile: self.profile,
            ..Case::new(evidence)
        };
        let verdict = judge(&case);
        let mut findings = evidence.findings();
        findings.truncate(FINDINGS_MAX);
        let aborted = matches!(evidence.stopped, Some(Stop::Asked { .. }));
        let job = wire::job::Job {
            id: JobId::now(),
            drive: self.drive.id.clone(),
            model: self.drive.model.clone(),
            serial: self.drive.serial.clone(),
            capacity: self.drive.capacity,
            sector: self.drive.sector,
            playbook: self.playbook.name.clone(),
            actor: std::env::var("USER").unwrap_or_else(|_| "kiln burn".to_owned()),
            state: if aborted {
                wire::job::JobState::Aborted
            } else {
                wire::job::JobState::Finished
            },
            phases: self.phases(evidence, before.is_some(), after.is_some()),
            progress: None,
            findings,
            bad_sectors: evidence.defects.bad_sectors(),
            verdict: Some(verdict),
            resumes: evidence.resumes.clone(),
            surface: evidence.surfaces(),
            smart: match (before, after) {
                (Some(before), Some(after)) => delta(before, after).into_iter().map(Into::into).collect(),
                _ => Vec::new(),
            },
            self_tests: Vec::new(),
            timeline: Vec::new(),
            options: wire::options::PlanOptions::default(),
            formatted: None,
            certificate: None,
            started,
            ended: Some(Time::now()),
        };
        Ended {
            node: self.node.clone(),
            job,
            notes,
        }
    }

    /// The playbook's phases with their states; SMART phases are this process's.
    fn phases(&self, evidence: &Evidence, before: bool, after: bool) -> Vec<PhaseState> {
        let smart = |phase, read: bool| PhaseState {
            note: String::new(),
            rounds: 0,
            phase,
            status: if read { PhaseStatus::Done } else { PhaseStatus::Skipped },
            seconds: 0.0,
            bytes: Bytes(0),
        };
        (0..)
            .zip(self.playbook.steps())
            .map(|(at, step)| match step.phase {
                Phase::SmartBefore => smart(Phase::SmartBefore, before),
                Phase::SmartAfter => smart(Phase::SmartAfter, after),
                phase => evidence.step(at).map_or_else(|| smart(phase, false), |record| record.state()),
            })
            .collect()
    }

    /// The engine could not begin: nothing is known, so nothing is passed.
    fn not_begun(&self, why: String, notes: Vec<String>) -> Ended {
        let geometry = device::Geometry {
            sectors: 0,
            sector: self.drive.sector.max(512),
            physical: self.drive.sector.max(512),
        };
        let mut evidence = Evidence::new(geometry, self.playbook.steps());
        evidence.stopped = Some(Stop::Engine { why });
        self.verdict(&evidence, None, None, Time::now(), notes)
    }
}

fn new_key() -> Option<JobKey> {
    let mut key = [0; 16];
    getrandom::fill(&mut key).ok()?;
    Some(JobKey(key))
}

impl Ended {
    /// The verdict's word.
    pub fn outcome(&self) -> Outcome {
        self.job.verdict.as_ref().map_or(Outcome::Inconclusive, |v| v.outcome)
    }

    /// Tells the result: JSON on standard output, or words.
    pub fn tell(&self, json: bool) {
        if json {
            super::print_json(&Told {
                path: &self.node,
                notes: &self.notes,
                job: &self.job,
            });
            return;
        }
        let Some(verdict) = &self.job.verdict else { return };
        result!(
            "{}  {} {} ({})",
            verdict.outcome.word(),
            self.job.model,
            self.job.serial,
            self.node.display()
        );
        result!("  {}", verdict.summary);
        for hit in &verdict.rules {
            result!(
                "  {}: {} (limit {}): {}",
                hit.outcome.word(),
                hit.value,
                hit.limit,
                hit.id
            );
        }
        for finding in self.job.findings.iter().take(20) {
            let place = finding
                .lba
                .map(|lba| format!("{lba}, {} sectors: ", finding.sectors))
                .unwrap_or_default();
            result!("  {}: {place}{}", finding.phase.label(), finding.detail);
        }
    }
}

/// What `--json` prints: the job as everywhere else, where it was, and what is to be known besides.
#[derive(serde::Serialize)]
struct Told<'a> {
    path: &'a PathBuf,
    notes: &'a [String],
    #[serde(flatten)]
    job: &'a wire::job::Job,
}
