//! A job that a person holds: it keeps its place, says so, and survives a restart of the agent as it is.

use tokio::time::sleep;
use wire::job::JobState;

use super::resets::LOOK;
use super::{JobTask, Own, Wish};
use crate::events;

impl JobTask {
    /// Takes a person's wish to pause or go on; true if that changed something.
    pub(super) fn wish(&mut self, wish: &Wish) -> bool {
        match wish {
            Wish::Pause(actor) if self.record.paused.is_none() => {
                self.record.paused = Some(actor.clone());
                let told = vec![events::paused(&self.record.job, actor)];
                self.set_state(self.waits(), told);
                self.log("info", format!("Paused by {actor}"));
                true
            }
            Wish::Resume(actor) if self.record.paused.take().is_some() => {
                let told = vec![events::continued(&self.record.job, actor)];
                self.set_state(JobState::Running, told);
                self.log("info", format!("{actor} lets it go on"));
                true
            }
            Wish::Pause(_) | Wish::Resume(_) | Wish::Abort(_) => false,
        }
    }

    /// The state of a job that a person holds.
    pub(super) fn waits(&self) -> JobState {
        match &self.record.paused {
            Some(actor) => JobState::Waiting {
                why: format!("paused by {actor}"),
            },
            None => JobState::Running,
        }
    }

    /// What was wished since somebody listened last; waits while the job is paused.
    pub(super) async fn heed_wishes(&mut self) -> Own {
        match self.is_aborted() {
            true => Own::Aborted,
            false => self.wait_while_paused().await,
        }
    }

    /// Takes what was wished since somebody listened last; true once the job was aborted.
    pub(super) fn is_aborted(&mut self) -> bool {
        while let Some(wish) = self.wishes.try_recv() {
            match wish {
                Wish::Abort(actor) => self.aborted(actor),
                wish @ (Wish::Pause(_) | Wish::Resume(_)) => drop(self.wish(&wish)),
            }
        }
        self.abort_by.is_some()
    }

    /// Hears for the last time: an abort that was answered counts, and whoever comes from now on is told that the job is over.
    pub(super) fn hear_the_last(&mut self) {
        self.wishes.close();
        while let Some(wish) = self.wishes.try_recv() {
            match wish {
                Wish::Abort(actor) => self.aborted(actor),
                // Nothing is left to hold.
                Wish::Pause(_) | Wish::Resume(_) => {}
            }
        }
    }

    /// Waits until a paused job is let go.
    pub(super) async fn wait_while_paused(&mut self) -> Own {
        while self.record.paused.is_some() {
            if self.record.job.state != self.waits() {
                self.set_state(self.waits(), Vec::new());
            }
            tokio::select! {
                wish = self.wishes.recv() => match wish {
                    Some(Wish::Abort(actor)) => {
                        self.aborted(actor);
                        return Own::Aborted;
                    }
                    Some(wish) => drop(self.wish(&wish)),
                    None => return Own::Parked,
                },
                () = self.means.stop.asked() => return Own::Parked,
                // The kernel's ring goes round in a long pause.
                () = sleep(LOOK) => {
                    if self.note_resets(false).await {
                        self.doubt_later();
                    }
                }
            }
        }
        Own::Done
    }
}
