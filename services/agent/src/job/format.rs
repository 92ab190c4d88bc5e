//! Partition and file system, on a drive that came through: by a short-lived child of its own (`burnin::format`).
//!
//! Once it began, the drive holds what nobody can tell from a person's: so a job that is interrupted in it does not go on
//! with the drive, but ends, and says that the format is to be made again.

use std::sync::{Arc, OnceLock};

use burnin::{format, job};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};
use wire::Time;
use wire::job::{Phase, PhaseStatus};
use wire::options::Formatted;

use super::resets::LOOK;
use super::{JobTask, Own, Wish};
use crate::hands::Held;
use crate::record::log_line;

impl JobTask {
    /// Partitions and formats where that is asked for and the drive is `good` so far and not `refused`. Lets go of the drive.
    /// [`Own::Parked`] where the agent was asked to stop meanwhile; a person's abort ends the formatter.
    pub(super) async fn format(&mut self, held: Held, good: bool, refused: Option<String>) -> Own {
        let request = job::request(&self.record.steps, &self.record.job.options);
        let Some(request) = request.filter(|_| self.record.erases()) else {
            return Own::Done;
        };
        if !good {
            self.log("info", "Not formatted: only a drive that came through is".to_owned());
            return Own::Done;
        }
        if let Some(why) = refused {
            self.formatted(format::unformatted(&request, why), 0.0);
            return Own::Done;
        }
        let began = Instant::now();
        self.set_format_steps(PhaseStatus::Running, 0.0);
        let (outbox, job) = (self.means.outbox.clone(), self.record.job.clone());
        let tell = move |what: &str| {
            let line = log_line(&job, "info", format!("Formatting: {what}"), Time::now());
            outbox.log(line);
        };
        let (hands, mut stop) = (self.means.hands.clone(), self.means.stop.clone());
        let cancel: Arc<OnceLock<String>> = Arc::default();
        let making = hands.format(held, &request, tell, Arc::clone(&cancel));
        tokio::pin!(making);
        let formatted = loop {
            tokio::select! {
                formatted = &mut making => break formatted,
                () = stop.asked() => {
                    cancel.get_or_init(|| "the agent stops".to_owned());
                    return Own::Parked;
                }
                wish = self.wishes.recv() => match wish {
                    Some(Wish::Abort(actor)) => {
                        cancel.get_or_init(|| format!("aborted by {actor}"));
                        self.aborted(actor);
                    }
                    // Half a file system helps nobody, and it ends in a minute.
                    Some(Wish::Pause(_)) => {
                        self.log("warn", "The drive is being formatted, which is not paused".to_owned());
                    }
                    Some(Wish::Resume(_)) => {}
                    // The controller is gone only when the agent stops.
                    None => {
                        cancel.get_or_init(|| "the agent stops".to_owned());
                        return Own::Parked;
                    }
                },
                () = sleep(LOOK) => {
                    self.note_resets(false).await;
                }
            }
        };
        // What came since is part of the verdict, as in every step before.
        self.note_resets(true).await;
        self.formatted(formatted, began.elapsed().as_secs_f64());
        Own::Done
    }

    /// Writes down that the drive is formatted from now on: that must stand on the medium before it holds what is no pattern.
    pub(super) async fn begin_format(&mut self) {
        self.record.formatting = true;
        if let Err(cause) = self.means.jobs.save(&mut self.record, None, &[]).await {
            warn!(job = %self.record.job.id, error = %cause, "that a drive is formatted was not written down");
        }
    }

    /// The end of a job that was interrupted while its drive was formatted.
    pub(super) fn format_was_cut(&mut self) {
        let Some(request) = job::request(&self.record.steps, &self.record.job.options) else {
            return;
        };
        self.formatted(format::cut_off(&request), 0.0);
    }

    fn formatted(&mut self, formatted: Formatted, seconds: f64) {
        let status = match &formatted.problem {
            None => PhaseStatus::Done,
            Some(why) => {
                self.log("error", format!("Formatting failed: {why}"));
                PhaseStatus::Interrupted
            }
        };
        info!(job = %self.record.job.id, ?formatted, "formatted");
        self.record.job.formatted = Some(formatted);
        self.set_format_steps(status, seconds);
    }

    fn set_format_steps(&mut self, status: PhaseStatus, seconds: f64) {
        let steps = (0_u16..).zip(&self.record.steps);
        let steps: Vec<u16> = steps
            .filter(|(_, step)| matches!(step.phase, Phase::Partition | Phase::Format))
            .map(|(at, _)| at)
            .collect();
        for (index, step) in steps.iter().enumerate() {
            // One child does both; its time stands with the last.
            let last = index + 1 == steps.len();
            self.set_step(*step, status, if last { seconds } else { 0.0 });
        }
    }
}
