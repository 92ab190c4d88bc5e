//! What every part of a job does: look at its drive in the list, write itself down, tell, log.

use drive::guard::Place;
use wire::drive::Drive;
use wire::job::{JobState, PhaseStatus};
use wire::{Celsius, Time};

use super::JobTask;
use crate::events::{self, Happening};
use crate::hands::{Hands, Held};
use crate::record::log_line;

impl JobTask {
    /// The job's drive as it is listed now.
    pub(super) fn listed(&self) -> Option<Drive> {
        let drives = self.means.drives.borrow();
        drives
            .iter()
            .find(|drive| drive.present && drive.id.as_ref() == Some(&self.record.job.drive))
            .cloned()
    }

    /// Whether a held drive went away, or another medium is in its place; one that was counted anew may prove that it is none. A
    /// second device that tells the same identity takes both out of the list by that name; the one that is held is still what it was.
    pub(super) fn is_gone(&self, held: &Held) -> bool {
        let has_a_twin = || {
            let drives = self.means.drives.borrow();
            let same_place = |drive: &&Drive| drive.present && drive.kernel_name == held.fresh.kernel_name;
            drives.iter().find(same_place).is_some_and(|drive| drive.id.is_none())
        };
        let is_there = match Hands::place(held) {
            Place::Same => true,
            Place::Recounted => self.provable(),
            Place::Another | Place::Empty => false,
        };
        !is_there || self.listed().is_none() && !has_a_twin()
    }

    pub(super) fn temperature(&self) -> Option<Celsius> {
        self.listed()?.temperature
    }

    pub(super) fn set_step(&mut self, step: u16, status: PhaseStatus, seconds: f64) {
        let Some(state) = self.record.step_mut(step) else {
            return;
        };
        state.status = status;
        state.seconds = seconds;
        if status == PhaseStatus::Done {
            state.rounds = 1;
        }
        let state = state.clone();
        let told = (status == PhaseStatus::Done).then(|| events::phase_finished(&self.record.job, &state));
        self.keep(None, told.into_iter().collect());
    }

    pub(super) fn set_state(&mut self, state: JobState, told: Vec<Happening>) {
        self.record.job.state = state;
        self.keep(None, told);
    }

    /// Writes the job down together with what happened to it, and tells both.
    pub(super) fn keep(&mut self, checkpoint: Option<&str>, told: Vec<Happening>) {
        self.means.outbox.job(self.record.job.clone());
        let written = self.means.jobs.save(&mut self.record, checkpoint, &told);
        self.means.outbox.tell_after(written, told);
    }

    /// A person ended it. That is kept at once: what comes before the verdict takes minutes on a sick drive, and no restart in
    /// them may let the job go on.
    pub(super) fn aborted(&mut self, actor: String) {
        self.record.aborted_by = Some(actor.clone());
        self.abort_by = Some(actor);
        self.keep(None, Vec::new());
    }

    pub(super) fn log(&self, level: &str, message: String) {
        self.means
            .outbox
            .log(log_line(&self.record.job, level, message, Time::now()));
    }
}
