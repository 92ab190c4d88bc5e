//! What is kept of one drive's burn-in: for `--resume` while it runs, and for whoever asks once it is over.

use std::path::PathBuf;

use burnin::evidence::{Evidence, Stop};
use burnin::job::Mark;
use burnin::playbook::Step;
use burnin::{Checkpoint, ENGINE, Proof, device, header};
use wire::job::Outcome;
use wire::{DriveId, Time};

use super::own::Own;
use super::watch::Seen;
use super::{Birth, Job, doubt, end};
use crate::burn::ended::Ended;
use crate::burn::saved::{Over, Saved};
use crate::burn::screen::Line;
use crate::burn::state::{Found, StateDir};

impl Job {
    /// Keeps what is known for `--resume`. Where that fails it is told at once: after a kill there is nobody to tell it.
    pub(super) fn keep(&self, birth: &Birth, own: &Own, seen: Seen, line: &Line) {
        let text = own.checkpoint.clone().unwrap_or_default();
        let saved = self.saved(birth, own, seen, text);
        let kept = match self.in_place.get() {
            true => self.state.save(&self.drive.id, &saved),
            false => self.state.save_begun(&self.drive.id, &saved),
        };
        let Err(error) = kept else { return };
        // What lies there knows nothing of a fault that is known now, or of a write that covers what it wants to verify: nobody may go on
        // from it. The drive itself tells where a write stands.
        if own.has_found() || self.has_moved_on(own) {
            self.state.forget(&self.drive.id);
        }
        let mut unkept = self.unkept.borrow_mut();
        if unkept.is_none() {
            let note = format!(
                "progress could not be kept below {}: {error}. After a kill or a power cut nobody knows what was found until then: \
                 begin anew in that case",
                self.state.path().display()
            );
            line.say(&note);
            *unkept = Some(note);
        }
    }

    /// Whether the job writes, or has written, another pass than what is kept of it.
    fn has_moved_on(&self, own: &Own) -> bool {
        let now = own.checkpoint.as_deref().and_then(|text| Checkpoint::decode(text).ok());
        match (self.state.look(&self.drive.id), now) {
            (Found::Good(found), Some(now)) => self.choice.erases() && found.1.holds != now.holds,
            (Found::Begun(_) | Found::Nothing | Found::Ended(_) | Found::Bad(..) | Found::Unreadable(_), _)
            | (Found::Good(_), None) => false,
        }
    }

    pub(super) fn saved(&self, birth: &Birth, own: &Own, seen: Seen, checkpoint: String) -> Saved {
        Saved {
            drive: Some(self.drive.id.clone()),
            model: self.drive.model.clone(),
            serial: self.drive.serial.clone(),
            capacity: self.drive.capacity,
            medium: Some(own.medium.clone().unwrap_or_else(|| self.medium(seen.sequence))),
            job: birth.id,
            key: Some(birth.key),
            engine: ENGINE.to_owned(),
            kept: Some(Time::now()),
            playbook: self.choice.playbook.name.clone(),
            options: self.choice.options.clone(),
            steps: self.choice.steps.clone(),
            own: own.states.clone(),
            self_tests: own.self_tests.clone(),
            timeline: seen.timeline,
            started: birth.started,
            smart_before: own.before.clone(),
            kernel: seen.kernel,
            overlay: own.overlay.clone(),
            unreadable: own.unreadable.clone(),
            paused: seen.paused || own.was_hot,
            doubted: own.doubted,
            shared: seen.shared,
            company: (!seen.uncounted).then_some(seen.company),
            torn: own.torn,
            findings: own.told.clone(),
            findings_before_loss: own.findings_before_loss.clone(),
            fingerprint: birth.fingerprint.clone(),
            front: birth.front,
            agreed: birth.agreed.clone(),
            resumes: own.resumes.clone(),
            took_in: None,
            ended: None,
            checkpoint,
        }
    }

    /// All that its test came to, as the text of a checkpoint.
    pub(super) fn checkpoint_of_the_end(&self, birth: &Birth, own: &Own, evidence: &Evidence) -> String {
        let whole = Checkpoint::of_the_end(birth.key, &self.choice.steps, own.checkpoint.as_deref(), evidence);
        whole.map(|whole| whole.encode()).unwrap_or_default()
    }

    /// Nothing was written: an earlier burn-in of the drive can be gone on with as before; a fault that this one found counts then.
    /// Where it was to go on (`goes_on`), it did not: that is no interruption.
    pub(super) fn leaves_the_earlier(&self, birth: &Birth, own: &mut Own, goes_on: bool, seen: Seen) {
        if !own.has_found() {
            self.state.forget_begun(&self.drive.id);
        }
        if goes_on {
            own.resumes.pop();
            // Where it cannot be taken back, what lies there is right but for one interruption too many.
            let checkpoint = own.checkpoint.clone().unwrap_or_default();
            let _ = self
                .state
                .save(&self.drive.id, &self.saved(birth, own, seen, checkpoint));
        }
    }

    /// It is about to write.
    pub(super) fn takes_place(&self) {
        if !self.in_place.replace(true) {
            self.state.take_place(&self.drive.id);
        }
    }

    /// What is kept of a job that ended for good before its end, and is kept at once: nobody goes on with it. Where its drive failed,
    /// that counts from now on, too: SMART after may take minutes on a sick drive, and a kill then would lose it. What was signed of the
    /// drive is taken back behind that alone ([`Close::keep`]): where smartctl names another drive, it was not this one that failed.
    pub(super) fn over(
        &self,
        birth: &Birth,
        own: &Own,
        seen: &Seen,
        evidence: &Evidence,
        (notes, line): (&mut Vec<String>, &Line),
    ) -> Option<Early> {
        let why = match evidence.stopped.as_ref()? {
            Stop::Disconnected => "the drive went away",
            Stop::Resized { .. } => "the drive told another capacity",
            Stop::Hung => "an access did not come back",
            Stop::Reserved => "another computer has reserved the drive",
            Stop::FakeCapacity => "the drive stores less than it claims",
            Stop::TooManyErrors => "so much failed that going on could add nothing",
            Stop::FirstFault => "it was to end at the first fault, and met it",
            Stop::Asked { .. } | Stop::Engine { .. } | Stop::Stranger { .. } => return None,
        };
        let early = self.so_far(birth, evidence, own, seen, notes);
        let failed = early.outcome() == Outcome::Failed;
        notes.clone_from(&early.notes);
        if !failed {
            let note = format!(
                "{why}: this burn-in is over, and --resume does not go on with it; begin anew without --resume"
            );
            line.say(&note);
            notes.push(note);
        }
        let over = Over {
            at: Time::now(),
            outcome: failed.then_some(Outcome::Failed),
            why: why.to_owned(),
            untabled: false,
            result: early.kept(&self.choice.steps).filter(|_| failed),
        };
        let saved = Saved {
            ended: Some(over),
            ..self.saved(birth, own, seen.clone(), own.checkpoint.clone().unwrap_or_default())
        };
        let stands = self.state.save(&self.drive.id, &saved).is_ok();
        Some(Early { saved, stands })
    }

    /// Marks the drive of a job that ended before its end, where that is due. `kept`: whether its end is.
    pub(super) fn mark(&self, birth: &Birth, evidence: &Evidence, kept: bool) {
        if !self.choice.erases() || !Mark::of(evidence, false).is_due(kept) {
            return;
        }
        let file = self.held.file.try_clone().ok();
        // One that takes no marks has its verdict all the same.
        if let Some(Ok((mut device, _))) = file.map(|file| device::open(file, self.io())) {
            header::retire(device.as_mut(), self.geometry(), birth.key);
        }
    }
}

/// What is kept of a job that ended for good before its end.
pub(super) struct Early {
    saved: Saved,
    /// Whether that stands on its medium.
    pub stands: bool,
}

/// What is kept of a job at its end, once that has come: by then the formatter has the descriptor, and the job is gone with it.
pub(super) struct Close {
    state: StateDir,
    drive: DriveId,
    node: PathBuf,
    proof: Proof,
    steps: Vec<Step>,
    /// Of a job that ended before its time; it is kept already.
    over: Option<Early>,
    /// Of one that ran to its end.
    through: Saved,
}

impl Close {
    pub(super) fn of(
        job: &Job,
        birth: &Birth,
        own: &Own,
        (evidence, seen): (&Evidence, &Seen),
        over: Option<Early>,
    ) -> Self {
        let whole = job.checkpoint_of_the_end(birth, own, evidence);
        Self {
            state: job.state.clone(),
            drive: job.drive.id.clone(),
            node: job.node.clone(),
            proof: job.proof(birth.key, true),
            steps: job.choice.steps.clone(),
            over,
            through: Saved {
                ended: Some(Over {
                    at: Time::now(),
                    outcome: None,
                    why: "it ran to its end".to_owned(),
                    untabled: false,
                    result: None,
                }),
                ..job.saved(birth, own, seen.clone(), whole)
            },
        }
    }

    /// Keeps what it came to, unless it `goes_on`.
    pub(super) fn keep(self, ended: &mut Ended, goes_on: bool, line: &Line) {
        // Before its end is kept: whoever is killed in between has it end once more.
        ended.take_back(self.state.path(), line);
        let early = self.over.is_some();
        let over = self.over.map(|over| over.saved);
        let Some(mut saved) = over.or_else(|| (!goes_on).then_some(self.through)) else {
            return;
        };
        if let Some(over) = &mut saved.ended {
            (over.at, over.outcome) = (Time::now(), Some(ended.outcome()));
            // What is promised to go on is asked of the drive, which the formatter has let go of.
            over.untabled = ended.is_untabled() && doubt::shows_a_cut_format(&self.node, &self.proof);
            if ended.is_cut_in_format() {
                end::WHILE_FORMATTED.clone_into(&mut over.why);
            }
            over.result = ended.kept(&self.steps);
            if !over.untabled {
                saved.timeline = Vec::new();
            }
        }
        // Where its end cannot be kept, the checkpoint that lies there would be gone on from.
        if self.state.save(&self.drive, &saved).is_err() && !early {
            self.state.forget(&self.drive);
        }
    }
}
