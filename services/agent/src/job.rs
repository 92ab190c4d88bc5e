//! One job from start to verdict: a task that waits for its drive, runs workers on it, and keeps what they tell.
//!
//! ```text
//!  wait for the drive ─► hold it (guard) ─► SMART before ─► worker ─► SMART after ─► verdict
//!        ▲                                                   │  │
//!        └── agent or box restarted ◄── parked ◄─── stop ────┘  └─► worker ended: again from the checkpoint,
//!                                                                   on the same descriptor, checked again
//! ```
//!
//! A drive that goes away while the agent watches ends its job; a drive that is not there when the agent starts is
//! waited for. Nothing here decides what a fault means: that is `burnin::verdict`.

use std::sync::Arc;
use std::time::Duration;

use burnin::Checkpoint;
use burnin::Evidence;
use burnin::evidence::Stop as Stopped;
use burnin::worker::{Io, Limits, Order, Report, Resumption};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{error, info, warn};
use wire::drive::Drive;
use wire::event::Severity;
use wire::job::{JobState, Phase, PhaseStatus};
use wire::{Celsius, JobId, Time};

use crate::events::{self, Happening};
use crate::hands::{Hands, Held};
use crate::jobs::Jobs;
use crate::outbox::Outbox;
use crate::record::{Record, log_line};
use crate::stop::Stop;
use crate::verdict;
use crate::worker::Worker;

/// Time for a worker to take a checkpoint and end when asked: one access of the longest allowed kind.
const STOPPING: Duration = Duration::from_secs(20);

/// Time for a worker to end by itself after its drive is gone.
const DISCONNECTING: Duration = Duration::from_secs(10);

/// Workers that may end without having come further before the job is given up.
const CRASHES_MAX: u32 = 5;

/// How often a drive that was refused is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Time after which a job tells that it waits for its drive: the agent's first look at all drives is over by then.
const PATIENCE: Duration = Duration::from_secs(20);

/// A worker that says nothing for this long hangs; its own limit for one access is four minutes.
const SILENCE: Duration = Duration::from_secs(600);

/// What a job needs of the agent.
#[derive(Clone, Debug)]
pub struct Means {
    /// Guard and smartctl.
    pub hands: Hands,
    /// Where jobs are kept.
    pub jobs: Jobs,
    /// Where it is told.
    pub outbox: Outbox,
    /// All drives as they are now.
    pub drives: watch::Receiver<Arc<Vec<Drive>>>,
    /// Turns true when the agent stops.
    pub stop: Stop,
    /// Limits of every worker.
    pub limits: Limits,
    /// Kernel's id of this boot.
    pub boot_id: String,
}

/// One job.
#[derive(Debug)]
pub struct JobTask {
    means: Means,
    record: Record,
    checkpoint: Option<String>,
    /// Why the next session is a resumption; `None` for the first one.
    why: Option<String>,
    aborts: mpsc::Receiver<String>,
    abort_by: Option<String>,
}

/// How a session with one worker ended.
enum Session {
    /// It ran to its end, or stopped by itself.
    Done(Box<Evidence>),
    /// The agent stops; the checkpoint is kept.
    Parked,
    /// A person ended it.
    Aborted(Option<Box<Evidence>>),
    /// The drive is gone.
    Gone(Option<Box<Evidence>>),
    /// The worker ended without a result.
    Crashed(String),
}

/// Why there is no held drive.
enum NoDrive {
    Parked,
    Aborted,
}

impl JobTask {
    /// A job that `record` and `checkpoint` describe; `why` says why it was interrupted.
    pub fn new(
        means: Means,
        record: Record,
        checkpoint: Option<String>,
        why: Option<String>,
        aborts: mpsc::Receiver<String>,
    ) -> Self {
        Self {
            means,
            record,
            checkpoint,
            why,
            aborts,
            abort_by: None,
        }
    }

    /// Runs until the verdict, or until the agent stops.
    pub async fn run(mut self, held: Option<Held>) -> JobId {
        self.record.take_up(&self.means.boot_id);
        let mut held = held;
        let mut crashes = 0;
        loop {
            let drive = match held.take() {
                Some(held) => held,
                None => match self.wait_for_drive().await {
                    Ok(held) => held,
                    Err(NoDrive::Parked) => return self.park().await,
                    Err(NoDrive::Aborted) => return self.conclude(None, None).await,
                },
            };
            self.check_checkpoint();
            self.keep_findings();
            if !self.smart_before(&drive).await {
                return self.park().await;
            }
            let before = self.checkpoint.clone();
            match self.session(&drive).await {
                Session::Done(evidence) => {
                    let gone = evidence.stopped == Some(Stopped::Disconnected);
                    return self.conclude(Some(evidence), (!gone).then_some(&drive)).await;
                }
                Session::Aborted(evidence) => return self.conclude(evidence, Some(&drive)).await,
                Session::Gone(evidence) => {
                    let mut evidence = evidence.unwrap_or_else(|| self.evidence_so_far());
                    evidence.stopped = Some(Stopped::Disconnected);
                    return self.conclude(Some(evidence), None).await;
                }
                Session::Parked => return self.park().await,
                Session::Crashed(why) => {
                    crashes = if self.checkpoint == before { crashes + 1 } else { 1 };
                    warn!(job = %self.record.job.id, why, crashes, "a worker ended without a result");
                    self.log("warn", format!("{why}; going on from the last checkpoint"));
                    if crashes > CRASHES_MAX {
                        let mut evidence = self.evidence_so_far();
                        evidence.stopped = Some(Stopped::Engine {
                            why: format!("{why}, {crashes} times in a row"),
                        });
                        return self.conclude(Some(evidence), Some(&drive)).await;
                    }
                    if self.listed().is_none() {
                        let mut evidence = self.evidence_so_far();
                        evidence.stopped = Some(Stopped::Disconnected);
                        return self.conclude(Some(evidence), None).await;
                    }
                    self.why = Some(why);
                    if let Err(why) = self.means.hands.check(&drive).await {
                        self.log("warn", format!("The drive may not be written any more: {why}"));
                        continue;
                    }
                    held = Some(drive);
                }
            }
        }
    }

    /// Waits until the drive is there and the guard lets it be held.
    async fn wait_for_drive(&mut self) -> Result<Held, NoDrive> {
        let began = Instant::now();
        let mut told = None;
        loop {
            let listed = self.listed();
            let why = match listed {
                Some(listed) => match self.means.hands.open(self.record.identity.clone(), listed).await {
                    Ok(held) => match self.record.strange(&held.fresh.content) {
                        Some(why) => why,
                        None => {
                            if told.is_some() {
                                self.set_state(JobState::Running);
                            }
                            return Ok(held);
                        }
                    },
                    Err(problem) => problem.to_string(),
                },
                None => format!("{} is not plugged in", events::drive_words(&self.record.job)),
            };
            if told.as_ref() != Some(&why) && began.elapsed() >= PATIENCE {
                self.set_state(JobState::Waiting { why: why.clone() });
                self.means.outbox.event(events::waiting(&self.record.job, &why));
                told = Some(why);
            }
            tokio::select! {
                changed = self.means.drives.changed() => if changed.is_err() { return Err(NoDrive::Parked) },
                () = sleep(ASK_AGAIN) => {}
                actor = self.aborts.recv() => {
                    self.abort_by = Some(actor.unwrap_or_default());
                    return Err(NoDrive::Aborted);
                }
                () = self.means.stop.asked() => return Err(NoDrive::Parked),
            }
        }
    }

    /// The job's drive as it is listed now.
    fn listed(&self) -> Option<Drive> {
        let drives = self.means.drives.borrow();
        drives
            .iter()
            .find(|drive| drive.present && drive.id.as_ref() == Some(&self.record.job.drive))
            .cloned()
    }

    fn temperature(&self) -> Option<Celsius> {
        self.listed()?.temperature
    }

    /// A checkpoint that cannot be used is set aside and told; the job then begins again.
    fn check_checkpoint(&mut self) {
        let Some(text) = self.checkpoint.take() else { return };
        match Checkpoint::decode(&text) {
            Ok(checkpoint) if checkpoint.key == self.record.key && checkpoint.geometry == self.record.geometry => {
                self.checkpoint = Some(text);
            }
            Ok(_) => self.set_checkpoint_aside(&text, "it belongs to another job or drive"),
            Err(cause) => self.set_checkpoint_aside(&text, &cause.to_string()),
        }
    }

    /// What was told after the checkpoint was taken stays told.
    fn keep_findings(&mut self) {
        if !self.record.job.findings.is_empty() {
            let saved = self.evidence_so_far().findings();
            self.record.keep_findings(&saved);
        }
    }

    fn set_checkpoint_aside(&mut self, text: &str, why: &str) {
        let place = match self
            .means
            .jobs
            .set_checkpoint_aside(self.record.job.id, text, Time::now())
        {
            Ok(path) => path.display().to_string(),
            Err(cause) => {
                error!(%cause, "a bad checkpoint could not be set aside");
                "nowhere: the medium takes no file".to_owned()
            }
        };
        let message = format!(
            "The checkpoint of the burn-in of {} cannot be used ({why}); it lies at {place} now, and the burn-in begins again",
            events::drive_words(&self.record.job)
        );
        error!(job = %self.record.job.id, why, place, "checkpoint set aside");
        self.log("error", message.clone());
        let data = serde_json::json!({ "path": place, "why": why });
        let mut happening = Happening::new(
            "agent.checkpoint_set_aside",
            Severity::Warning,
            Some(self.record.job.drive.clone()),
            message,
            data,
        );
        happening.event.job = Some(self.record.job.id);
        self.means.outbox.event(happening);
        self.record.restart();
        self.save(None);
    }

    /// Reads SMART before the first write; false where the agent was asked to stop meanwhile.
    async fn smart_before(&mut self, held: &Held) -> bool {
        if !self.record.is_pending(Phase::SmartBefore) {
            return true;
        }
        let began = Instant::now();
        self.set_phase(Phase::SmartBefore, PhaseStatus::Running, 0.0);
        let result = tokio::select! {
            result = self.means.hands.smart(held) => result,
            () = self.means.stop.asked() => {
                self.set_phase(Phase::SmartBefore, PhaseStatus::Pending, 0.0);
                return false;
            }
        };
        let status = match result {
            Ok(snapshot) => {
                self.record.smart_before = Some(snapshot);
                PhaseStatus::Done
            }
            Err(why) => {
                self.log("warn", format!("SMART before could not be read: {why}"));
                self.record.smart_trouble = Some(why);
                PhaseStatus::Skipped
            }
        };
        self.set_phase(Phase::SmartBefore, status, began.elapsed().as_secs_f64());
        true
    }

    /// One worker, from its start to its end.
    async fn session(&mut self, held: &Held) -> Session {
        let resume = match (&self.checkpoint, &self.why) {
            (Some(text), why) => Some(Resumption {
                checkpoint: text.clone(),
                why: why.clone().unwrap_or_else(|| "worker ended".to_owned()),
                at: Time::now(),
            }),
            (None, _) => None,
        };
        let why = self.why.take();
        let order = Order {
            key: self.record.key,
            geometry: self.record.geometry,
            phases: self.record.job.phases.iter().map(|state| state.phase).collect(),
            limits: self.means.limits,
            io: Io::default(),
            resume,
            pace: None,
        };
        let mut worker = match Worker::start(self.record.job.id, &held.file, order).await {
            Ok(worker) => worker,
            Err(error) => {
                sleep(Duration::from_secs(1)).await;
                return Session::Crashed(format!("worker could not be started: {error}"));
            }
        };
        info!(job = %self.record.job.id, pid = worker.pid(), "worker started");
        let mut reason = Reason::None;
        let mut until = Instant::now() + SILENCE;
        loop {
            let asked = reason != Reason::None;
            tokio::select! {
                report = worker.report() => match report {
                    Some(Report::Done { evidence }) => {
                        self.take(&Report::Done { evidence: evidence.clone() }, None);
                        let word = worker.end(Duration::from_secs(5)).await;
                        info!(job = %self.record.job.id, word, stopped = ?evidence.stopped, "worker done");
                        return match (reason, &evidence.stopped) {
                            (Reason::Stop, Some(Stopped::Asked { .. })) => Session::Parked,
                            (Reason::Abort, _) => Session::Aborted(Some(evidence)),
                            (Reason::Gone, _) => Session::Gone(Some(evidence)),
                            (Reason::None | Reason::Stop, _) => Session::Done(evidence),
                        };
                    }
                    Some(report) => {
                        self.take(&report, why.as_deref());
                        if !asked {
                            until = Instant::now() + SILENCE;
                        }
                    }
                    None => {
                        let word = worker.end(Duration::from_secs(5)).await;
                        return match reason {
                            Reason::None => Session::Crashed(word),
                            Reason::Stop => Session::Parked,
                            Reason::Abort => Session::Aborted(None),
                            Reason::Gone => Session::Gone(None),
                        };
                    }
                },
                actor = self.aborts.recv(), if !asked => {
                    let actor = actor.unwrap_or_default();
                    worker.stop(&format!("aborted by {actor}")).await;
                    self.abort_by = Some(actor);
                    reason = Reason::Abort;
                    until = Instant::now() + STOPPING;
                }
                () = self.means.stop.asked(), if !asked => {
                    worker.stop("the agent stops").await;
                    reason = Reason::Stop;
                    until = Instant::now() + STOPPING;
                }
                changed = self.means.drives.changed(), if !asked => {
                    if changed.is_ok() && self.listed().is_none() {
                        // Its accesses fail at once, as a rule, and it ends by itself with what it knows.
                        self.log("warn", "The drive is gone".to_owned());
                        reason = Reason::Gone;
                        until = Instant::now() + DISCONNECTING;
                    }
                }
                () = sleep_until(until) => {
                    let word = worker.end(Duration::ZERO).await;
                    return match reason {
                        Reason::None => Session::Crashed(format!("worker said nothing for {} s; {word}", SILENCE.as_secs())),
                        Reason::Stop => Session::Parked,
                        Reason::Abort => Session::Aborted(None),
                        Reason::Gone => Session::Gone(None),
                    };
                }
            }
        }
    }

    /// Takes one report, keeps and tells what it means.
    fn take(&mut self, report: &Report, why: Option<&str>) {
        let temperature = self.temperature();
        let effects = self.record.apply(report, why, temperature, Time::now());
        if let Some(line) = effects.log {
            self.log("info", line);
        }
        if let Some(progress) = effects.progress {
            self.means.outbox.progress(self.record.job.id, progress);
        }
        if let Some(text) = effects.checkpoint {
            self.save(Some(&text));
            self.checkpoint = Some(text);
        } else if effects.changed {
            self.save(None);
        }
        if let Some(resume) = effects.resumed {
            self.log(
                "info",
                format!(
                    "Going on in phase {} at {} after: {}",
                    resume.phase.label(),
                    resume.from,
                    resume.why
                ),
            );
            self.means.outbox.event(events::resumed(&self.record.job, &resume));
        }
        if let Some(phase) = effects.finished {
            self.means
                .outbox
                .event(events::phase_finished(&self.record.job, &phase));
        }
    }

    /// What is known when no worker can tell it any more: the last checkpoint's evidence.
    fn evidence_so_far(&self) -> Box<Evidence> {
        let checkpoint = self
            .checkpoint
            .as_deref()
            .and_then(|text| Checkpoint::decode(text).ok());
        Box::new(checkpoint.map_or_else(
            || {
                let phases: Vec<Phase> = self
                    .record
                    .job
                    .phases
                    .iter()
                    .map(|state| state.phase)
                    .filter(|phase| burnin::playbook::moves_data(*phase))
                    .collect();
                Evidence::new(self.record.geometry, &phases)
            },
            |checkpoint| checkpoint.evidence,
        ))
    }

    /// Verdict and end. `held` is the drive if it is still there to be asked.
    async fn conclude(mut self, evidence: Option<Box<Evidence>>, held: Option<&Held>) -> JobId {
        let mut evidence = evidence.unwrap_or_else(|| self.evidence_so_far());
        if let Some(actor) = &self.abort_by {
            evidence.stopped = Some(Stopped::Asked {
                why: format!("aborted by {actor}"),
            });
        }
        let mut after = Err("the drive is gone".to_owned());
        if self.record.is_pending(Phase::SmartAfter) {
            let began = Instant::now();
            if let Some(held) = held {
                self.set_phase(Phase::SmartAfter, PhaseStatus::Running, 0.0);
                after = tokio::select! {
                    after = self.means.hands.smart(held) => after,
                    // The last checkpoint brings it back here in no time.
                    () = self.means.stop.asked() => {
                        self.set_phase(Phase::SmartAfter, PhaseStatus::Pending, 0.0);
                        return self.park().await;
                    }
                };
            }
            let status = if after.is_ok() {
                PhaseStatus::Done
            } else {
                PhaseStatus::Skipped
            };
            if let Err(why) = &after {
                self.log("warn", format!("SMART after could not be read: {why}"));
            }
            self.set_phase(Phase::SmartAfter, status, began.elapsed().as_secs_f64());
        }
        verdict::conclude(
            &mut self.record,
            &evidence,
            after.as_ref().ok(),
            self.abort_by.is_some(),
            Time::now(),
        );
        let job = self.record.job.clone();
        let outcome = job.verdict.as_ref().map_or("", |verdict| verdict.outcome.word());
        info!(job = %job.id, outcome, "job ended");
        self.log("info", events::ended(&job).event.message);
        match self.means.jobs.finish(&mut self.record).await {
            Ok(gone) => self.means.outbox.forget_jobs(&gone),
            Err(cause) => error!(job = %job.id, error = %cause, "the end of a job was not written down"),
        }
        let ended = events::ended(&job);
        let id = job.id;
        self.means.outbox.job(job);
        self.means.outbox.event(ended);
        id
    }

    /// The agent stops: the record says that it stopped in order.
    async fn park(mut self) -> JobId {
        self.record.parked = true;
        for state in &mut self.record.job.phases {
            if state.status == PhaseStatus::Running {
                state.status = PhaseStatus::Interrupted;
            }
        }
        self.set_state(JobState::Waiting {
            why: "the agent stops".to_owned(),
        });
        let checkpoint = self.checkpoint.take();
        if let Err(cause) = self.means.jobs.save(&mut self.record, checkpoint.as_deref()).await {
            error!(job = %self.record.job.id, error = %cause, "a parked job was not written down");
        }
        self.record.job.id
    }

    fn set_phase(&mut self, phase: Phase, status: PhaseStatus, seconds: f64) {
        let Some(state) = self.record.phase_mut(phase) else {
            return;
        };
        state.status = status;
        state.seconds = seconds;
        let state = state.clone();
        self.save(None);
        if status == PhaseStatus::Done {
            self.means
                .outbox
                .event(events::phase_finished(&self.record.job, &state));
        }
    }

    fn set_state(&mut self, state: JobState) {
        self.record.job.state = state;
        self.save(None);
    }

    /// Writes down and tells.
    fn save(&mut self, checkpoint: Option<&str>) {
        self.means.jobs.save(&mut self.record, checkpoint).forget();
        self.means.outbox.job(self.record.job.clone());
    }

    fn log(&self, level: &str, message: String) {
        self.means
            .outbox
            .log(log_line(&self.record.job, level, message, Time::now()));
    }
}

/// Why a worker was asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    None,
    Stop,
    Abort,
    Gone,
}
