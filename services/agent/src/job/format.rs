//! Partition and file system, on a drive that came through: by a short-lived child of its own (`burnin::format`).
//!
//! Its table comes last, so a job that is interrupted in it goes on where its drive shows no table and proves by the pattern that it is its
//! own: it is formatted anew. Any other holds what nobody can tell from a person's: the job ends then, keeps the test's verdict, and says
//! that the format is to be made again.

use std::sync::{Arc, OnceLock};

use burnin::playbook::is_of_formatter;
use burnin::{Checkpoint, Evidence, Shown, format, job};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};
use wire::job::{Phase, PhaseStatus, Resume};
use wire::options::Formatted;
use wire::{Bytes, Time};

use super::resets::LOOK;
use super::{JobTask, NoDrive, Own, Wish};
use crate::events;
use crate::hands::Held;
use crate::record::log_line;

/// Why a format that was interrupted is not made anew.
pub(super) enum NoFormat {
    /// The agent stops: it is asked again later.
    Parked,
    /// A person ended the job, or its drive is not as it left it, which is told in words.
    Cut(Option<String>),
}

impl JobTask {
    /// The drive of a job that was interrupted while it was formatted, once it is there: it holds no table, and what the job wrote last.
    pub(super) async fn take_up_format(&mut self) -> Result<Held, NoFormat> {
        if self.record.aborted_by.is_some() {
            return Err(NoFormat::Cut(None));
        }
        let held = match self.wait_for_drive().await {
            Ok(held) => held,
            Err(NoDrive::Parked) => return Err(NoFormat::Parked),
            Err(NoDrive::Aborted) => return Err(NoFormat::Cut(None)),
            Err(NoDrive::Used(strange)) => return Err(self.leaves(strange.why)),
        };
        match self.shows_a_cut_format(&held).await {
            Shown::Ours => {
                let why = "The format was interrupted before its table; it is made anew";
                self.log("warn", why.to_owned());
                self.note_the_cut();
                Ok(held)
            }
            Shown::Not => {
                Err(self
                    .leaves("the drive does not hold what the job left on it: somebody may have put something there, or used it since".to_owned()))
            }
            Shown::Unknown => Err(self.leaves("what stands on the drive could not be read".to_owned())),
        }
    }

    /// That the drive is left as it is, and why.
    fn leaves(&self, why: String) -> NoFormat {
        self.log(
            "warn",
            format!("The format that was interrupted is not made anew: {why}"),
        );
        NoFormat::Cut(Some(why))
    }

    /// The interruption, as that of any other step.
    fn note_the_cut(&mut self) {
        let first = self.formatters_steps().into_iter().next();
        let Some((step, phase)) = first else { return };
        let resume = Resume {
            at: Time::now(),
            why: self.why.take().unwrap_or_else(|| "the formatter ended".to_owned()),
            phase,
            step,
            from: Bytes(0),
        };
        let told = vec![events::resumed(&self.record.job, &resume)];
        self.record.goes_on(resume);
        self.keep(None, told);
    }

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
        let making = hands.format(held, (&request, self.record.key), tell, Arc::clone(&cancel));
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
                    // Half a file system helps nobody, and it ends in a minute: a pause was refused.
                    Some(Wish::Pause(_) | Wish::Resume(_)) => {}
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

    /// Writes down that the drive is formatted from now on, and all that the test of it came to: that must stand on the medium before the
    /// drive holds what is no pattern, since nothing of it can be read back any more then.
    pub(super) async fn begin_format(&mut self, evidence: &Evidence) {
        self.record.formatting = true;
        let (key, steps) = (self.record.key, &self.record.steps);
        if let Some(whole) = Checkpoint::of_the_end(key, steps, self.checkpoint.as_deref(), evidence) {
            self.record.saved = true;
            self.checkpoint = Some(whole.encode());
        }
        let checkpoint = self.checkpoint.clone();
        if let Err(cause) = self.means.jobs.save(&mut self.record, checkpoint.as_deref(), &[]).await {
            warn!(job = %self.record.job.id, error = %cause, "that a drive is formatted was not written down");
        }
    }

    /// The end of a job that was interrupted while its drive was formatted.
    pub(super) fn format_was_cut(&mut self, left: Option<&str>) {
        let Some(request) = job::request(&self.record.steps, &self.record.job.options) else {
            return;
        };
        self.formatted(format::cut_off(&request, left), 0.0);
    }

    /// Whether an earlier session formatted the drive and verified that. Its steps are over then, though that session may not have come to
    /// write down the last of them.
    pub(super) fn has_formatted(&mut self) -> bool {
        let made = self.record.job.formatted.as_ref();
        if made.is_none_or(|made| made.problem.is_some()) {
            return false;
        }
        for (step, _) in self.formatters_steps() {
            if self
                .record
                .step_mut(step)
                .is_some_and(|state| state.status != PhaseStatus::Done)
            {
                self.set_step(step, PhaseStatus::Done, 0.0);
            }
        }
        true
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
        let steps = self.formatters_steps();
        for (index, (step, _)) in steps.iter().enumerate() {
            // One child does both; its time stands with the last.
            let last = index + 1 == steps.len();
            self.set_step(*step, status, if last { seconds } else { 0.0 });
        }
    }

    /// The formatter's steps, with their numbers.
    fn formatters_steps(&self) -> Vec<(u16, Phase)> {
        let steps = (0_u16..).zip(&self.record.steps);
        let steps = steps.filter(|(_, step)| is_of_formatter(step.phase));
        steps.map(|(at, step)| (at, step.phase)).collect()
    }
}
