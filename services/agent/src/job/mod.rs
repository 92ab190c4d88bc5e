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

mod checkpoint;
mod end;
mod session;
mod smart;
mod wait;

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

/// Workers that may end without having come further before the job is given up.
const CRASHES_MAX: u32 = 5;

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

    fn set_phase(&mut self, phase: Phase, status: PhaseStatus, seconds: f64) {
        let Some(state) = self.record.phase_mut(phase) else {
            return;
        };
        state.status = status;
        state.seconds = seconds;
        let state = state.clone();
        let told = (status == PhaseStatus::Done).then(|| events::phase_finished(&self.record.job, &state));
        self.keep(None, told.into_iter().collect());
    }

    fn set_state(&mut self, state: JobState) {
        self.record.job.state = state;
        self.save(None);
    }

    /// Writes down and tells.
    fn save(&mut self, checkpoint: Option<&str>) {
        self.keep(checkpoint, Vec::new());
    }

    /// Writes the job down together with what happened to it, and tells both.
    fn keep(&mut self, checkpoint: Option<&str>, told: Vec<Happening>) {
        self.means.outbox.job(self.record.job.clone());
        let written = self.means.jobs.save(&mut self.record, checkpoint, &told);
        self.means.outbox.tell_after(written, told);
    }

    fn log(&self, level: &str, message: String) {
        self.means
            .outbox
            .log(log_line(&self.record.job, level, message, Time::now()));
    }
}
