//! What every part of a job does: look at its drive in the list, write itself down, tell, log.

use burnin::timeline;
use drive::guard::Place;
use wire::drive::Drive;
use wire::job::{JobState, Phase, PhaseStatus};
use wire::{Bytes, Celsius, DriveId, Time};

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
    /// second device that tells the same identity may take it out of the list by that name; the one that is held is still what it was.
    pub(super) fn is_gone(&self, held: &Held) -> bool {
        let is_there = match Hands::place(held) {
            Place::Same => true,
            Place::Recounted => self.provable(),
            Place::Another | Place::Empty => false,
        };
        !is_there || self.listed_at_its_place(held).is_none()
    }

    /// The drive that is held as it is listed now; also while a second device tells its identity.
    fn listed_at_its_place(&self, held: &Held) -> Option<Drive> {
        of_held(
            &self.means.drives.borrow(),
            &self.record.job.drive,
            &held.fresh.kernel_name,
        )
        .cloned()
    }

    pub(super) fn temperature(&self) -> Option<Celsius> {
        self.listed()?.temperature
    }

    /// The same of the drive that is held, whether or not a second device tells its identity: its heat is watched then, too.
    pub(super) fn temperature_of(&self, held: &Held) -> Option<Celsius> {
        self.listed_at_its_place(held)?.temperature
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
        if status == PhaseStatus::Running {
            // The step before it lasts no longer, whatever this one will measure.
            let point = self.record.point(step, Bytes(0), self.temperature());
            timeline::sample(&mut self.record.job.timeline, point);
        }
        let told = (status == PhaseStatus::Done).then(|| events::phase_finished(&self.record.job, &state));
        let told = told.into_iter().chain(self.heading_told(Some(state.phase))).collect();
        self.keep(None, told);
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

    /// What is to be said where the verdict is heading for FAILED by what the drive says of itself, and that was not said; `phase`: by which
    /// it is known.
    pub(super) fn heading_told(&mut self, phase: Option<Phase>) -> Option<Happening> {
        let why = self.record.heads_by_its_word()?;
        Some(events::failing(&self.record.job, phase, &why))
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

/// The drive with this identity, or the one of this name whose identity is listed for none, as two devices tell it.
fn of_held<'a>(drives: &'a [Drive], id: &DriveId, kernel_name: &str) -> Option<&'a Drive> {
    let present = || drives.iter().filter(|drive| drive.present);
    present()
        .find(|drive| drive.id.as_ref() == Some(id))
        .or_else(|| present().find(|drive| drive.id.is_none() && drive.kernel_name == kernel_name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vigil::shapes::tests::drives;

    /// Its heat was watched no more, and the drive wrote on.
    #[test]
    fn a_second_device_with_its_identity_does_not_hide_the_drive_that_is_held() {
        let mut list = drives(2);
        let id = list[0].id.clone().unwrap();
        let degrees = |list: &[Drive]| of_held(list, &id, "sd0").and_then(|drive| drive.temperature);
        assert_eq!(degrees(&list), Some(Celsius(30)));
        for drive in &mut list {
            drive.id = None;
        }
        assert_eq!(degrees(&list), Some(Celsius(30)));
        // Under its name stands another drive by now, or none.
        list[0].id = Some(DriveId::from_serial("WD", "VK-9", 1_000_000).unwrap());
        assert_eq!(degrees(&list), None);
        list[0].id = None;
        list[0].present = false;
        assert_eq!(degrees(&list), None);
    }
}
