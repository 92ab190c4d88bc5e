//! One drive's burn-in: own steps, the engine, own steps, partition and format, verdict.
//!
//! The engine runs in this thread ([`session`]); what it does not do itself (SMART, self-tests) is done by [`own`] where
//! the steps say so, also between two of the engine's; [`watch`] looks at the temperature meanwhile.

mod doubt;
mod earlier;
mod end;
mod foreign;
mod kernel;
mod own;
mod selftest;
mod session;
mod watch;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use burnin::evidence::{Evidence, Stop};
use burnin::header::Note;
use burnin::job::Left;
use burnin::playbook::first_data;
use burnin::worker::{Backend, Io, Limits, Order};
use burnin::{Checkpoint, Fingerprint, Headers, JobKey, device};
use drive::guard::Guard;
use drive::smart::Smartctl;
use wire::drive::Content;
use wire::gate::PlanDrive;
use wire::job::Outcome;
use wire::{JobId, Time};

use super::admit::Held;
use super::choice::Choice;
use super::ended::Ended;
use super::pacing::Pacer;
use super::saved::{ENGINE, Over, Saved};
use super::screen::Line;
use super::state::Found;
use super::state::StateDir;
pub(super) use earlier::GivenUp;
use kernel::Kernel;
use own::Own;
use session::Session;
use watch::{Seen, Watch};

/// Everything one job needs; it holds the guarded descriptor.
pub(super) struct Job {
    pub drive: PlanDrive,
    /// The words of the command line that name it.
    pub names: super::Names,
    pub node: PathBuf,
    pub held: Held,
    pub guard: Guard,
    pub choice: Choice,
    pub backend: Backend,
    pub limits: Limits,
    pub resume: bool,
    pub state: StateDir,
    pub smartctl: Smartctl,
    pub asked: Arc<AtomicBool>,
    /// What the drives of one command share.
    pub pacer: Pacer,
    /// Whether what is kept of it stands where an earlier burn-in's stood, which cannot be gone on with any more.
    pub in_place: Cell<bool>,
    /// Why something could not be kept, once that was so.
    pub unkept: RefCell<Option<String>>,
}

/// Who and since when: what stays the same over all sessions.
#[derive(Clone, Debug)]
struct Birth {
    id: JobId,
    key: JobKey,
    started: Time,
    /// What stood on the drive, where nothing is written to it.
    fingerprint: Option<Fingerprint>,
    /// What stood on it when it was agreed to lose that, where it is known.
    agreed: Option<Content>,
}

impl Job {
    /// What to call it on screen.
    pub(super) fn name(&self) -> String {
        super::short(&self.node)
    }

    /// Runs it to its end, once its turn has come.
    pub(super) fn run(self, turn: Duration, line: &Line) -> Ended {
        let mut notes = Vec::new();
        self.pacer.wait(turn, &self.asked);
        let (birth, mut own, resume) = match self.begin(line, &mut notes) {
            Ok(begun) => begun,
            Err(why) => return self.not_begun(why, notes),
        };
        own.unreadable = own
            .unreadable
            .or_else(|| self.drive.content.unreadable().map(str::to_owned));
        // Link resets during self-tests tell as much of drive and cable as those during the engine's work.
        let kernel = Kernel::start(&self.guard.system, &self.held.device, &own.earlier);
        // From here on what is found is kept, whatever becomes of this process.
        let watch = Watch::start(&self, std::mem::take(&mut own.earlier));
        self.keep(&birth, &own, heard(&watch, &kernel), line);
        own.look(&self);
        own.until(&self, first_data(&self.choice.steps), &watch, line, &mut |own| {
            self.keep(&birth, own, heard(&watch, &kernel), line);
        });
        let goes_on = resume.is_some();
        if let Some(why) = own.stranger.take() {
            notes.append(&mut own.notes);
            self.leaves_the_earlier(&birth, &mut own, goes_on, heard(&watch, &kernel));
            return self.not_begun(why, notes);
        }
        if own.whole.is_none()
            && let Err(why) = self.still(&kernel, goes_on)
        {
            self.leaves_the_earlier(&birth, &mut own, goes_on, heard(&watch, &kernel));
            return self.not_begun(why, notes);
        }
        watch.engine(self.heat_limits(own.before.as_ref()));
        let share = self.pacer.join(&self.held.device.syspath);
        let order = Order {
            key: birth.key,
            geometry: self.geometry(),
            steps: self.choice.steps.clone(),
            header: self.choice.erases().then(|| self.note(&birth, &own)),
            limits: self.limits,
            io: Io {
                backend: self.backend,
                ..Io::for_drive(self.held.device.identity.bus, self.held.device.rotation)
            },
            resume,
            pace: share.as_ref().map(|_| 0),
        };
        let session = Session::new(&self, (&order, share.as_ref()), &birth, (&watch, &kernel), line);
        let ran = match own.whole.take() {
            Some(whole) => Ok(*whole),
            None => session.run(&mut own),
        };
        let mut evidence = match ran {
            Ok(evidence) => evidence,
            Err(why) => {
                self.leaves_the_earlier(&birth, &mut own, goes_on, heard(&watch, &kernel));
                return self.not_begun(why, notes);
            }
        };
        evidence.lost |= own.torn;
        drop(share);
        watch.engine_is_done();
        let seen = heard(&watch, &kernel);
        let over = self.over(&birth, &own, &seen, &evidence, (&mut notes, line));
        let left = Left::of(evidence.stopped.as_ref());
        // What made the engine's session doubt ended that session, and nothing it saw of another drive is kept.
        let doubted = own.stranger.is_some();
        // Where the engine failed that may be why, once headers could tell: what another drive tells is nobody's verdict.
        let failed = matches!(evidence.stopped, Some(Stop::Engine { .. }));
        let headers = Headers {
            stand: own.checkpoint.is_some(),
            doubted: own.doubted,
            settled: kernel.is_settled(),
        };
        if !(failed && self.is_another(&birth, headers)) {
            own.rest(&self, left, &watch, line, &mut |own| {
                if over.is_none() {
                    self.keep(&birth, own, heard(&watch, &kernel), line);
                }
            });
        }
        let mut seen = watch.end();
        kernel.tell(&mut seen);
        if kernel.recounts() > 0 {
            notes.push(doubt::RECOUNTED.to_owned());
        }
        if evidence.stopped.is_none() && self.is_asked() && (self.choice.request().is_some() || own.is_left()) {
            evidence.stopped = Some(asked());
        }
        if let Some(why) = own.stranger.take() {
            line.say(&why);
            evidence.end_by(if doubted {
                Stop::Engine { why }
            } else {
                Stop::Stranger { why }
            });
        }
        notes.append(&mut own.notes);
        notes.extend(self.unkept.take());
        let (state, drive) = (self.state.clone(), self.drive.id.clone());
        let whole = self.checkpoint_of_the_end(&birth, &own, &evidence);
        let through = Saved {
            ended: Some(Over {
                at: Time::now(),
                outcome: None,
                why: "it ran to its end".to_owned(),
                untabled: false,
                result: None,
            }),
            ..self.saved(&birth, &own, seen.clone(), whole)
        };
        let steps = self.choice.steps.clone();
        let (node, proof) = (self.node.clone(), self.proof(birth.key, true));
        let (mut ended, goes_on) = self.end(&birth, evidence, own, (seen, Some(&kernel)), notes, line);
        // Before its end is kept: whoever is killed in between has it end once more.
        ended.take_back(state.path(), line);
        let early = over.is_some();
        let Some(mut saved) = over.or_else(|| (!goes_on).then_some(through)) else {
            return ended;
        };
        if let Some(over) = &mut saved.ended {
            (over.at, over.outcome) = (Time::now(), Some(ended.outcome()));
            // What is promised to go on is asked of the drive, which the formatter has let go of.
            over.untabled = ended.is_untabled() && doubt::shows_a_cut_format(&node, &proof);
            if ended.is_cut_in_format() {
                end::WHILE_FORMATTED.clone_into(&mut over.why);
            }
            over.result = ended.kept(&steps);
            if !over.untabled {
                saved.timeline = Vec::new();
            }
        }
        // Where its end cannot be kept, the checkpoint that lies there would be gone on from.
        if state.save(&drive, &saved).is_err() && !early {
            state.forget(&drive);
        }
        ended
    }

    /// All that its test came to, as the text of a checkpoint.
    fn checkpoint_of_the_end(&self, birth: &Birth, own: &Own, evidence: &Evidence) -> String {
        let whole = Checkpoint::of_the_end(birth.key, &self.choice.steps, own.checkpoint.as_deref(), evidence);
        whole.map(|whole| whole.encode()).unwrap_or_default()
    }

    /// Nothing was written: an earlier burn-in of the drive can be gone on with as before; a fault that this one found counts then.
    /// Where it was to go on (`goes_on`), it did not: that is no interruption.
    fn leaves_the_earlier(&self, birth: &Birth, own: &mut Own, goes_on: bool, seen: Seen) {
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
    fn takes_place(&self) {
        if !self.in_place.replace(true) {
            self.state.take_place(&self.drive.id);
        }
    }

    /// What is kept of a job that ended for good before its end, and is kept at once: nobody goes on with it. Where its drive failed,
    /// that counts from now on, too: SMART after may take minutes on a sick drive, and a kill then would lose it.
    fn over(
        &self,
        birth: &Birth,
        own: &Own,
        seen: &Seen,
        evidence: &Evidence,
        (notes, line): (&mut Vec<String>, &Line),
    ) -> Option<Saved> {
        let why = match evidence.stopped.as_ref()? {
            Stop::Disconnected => "the drive went away",
            Stop::Resized { .. } => "the drive told another capacity",
            Stop::Hung => "an access did not come back",
            Stop::Reserved => "another computer has reserved the drive",
            Stop::FakeCapacity => "the drive stores less than it claims",
            Stop::TooManyErrors => "so much failed that going on could add nothing",
            Stop::Asked { .. } | Stop::Engine { .. } | Stop::Stranger { .. } => return None,
        };
        let mut early = self.so_far(birth, evidence, own, seen, notes);
        early.take_back(self.state.path(), line);
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
        let _ = self.state.save(&self.drive.id, &saved);
        Some(saved)
    }

    /// Whether a signal asked it to end.
    fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    fn geometry(&self) -> device::Geometry {
        let Held { device, .. } = &self.held;
        device::Geometry {
            sectors: self.drive.capacity.0 / u64::from(self.drive.sector.max(1)),
            sector: self.drive.sector,
            physical: device.physical_sector.max(self.drive.sector),
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
            front: birth.fingerprint.as_ref().and_then(Fingerprint::front),
        }
    }

    /// Keeps what is known for `--resume`. Where that fails it is told at once: after a kill there is nobody to tell it.
    fn keep(&self, birth: &Birth, own: &Own, seen: Seen, line: &Line) {
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

    fn saved(&self, birth: &Birth, own: &Own, seen: Seen, checkpoint: String) -> Saved {
        Saved {
            drive: Some(self.drive.id.clone()),
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
            torn: own.torn,
            findings: own.told.clone(),
            findings_before_loss: own.findings_before_loss.clone(),
            fingerprint: birth.fingerprint.clone(),
            agreed: birth.agreed.clone(),
            resumes: own.resumes.clone(),
            took_in: None,
            ended: None,
            checkpoint,
        }
    }
}

/// The stop of a job that a signal ended.
fn asked() -> Stop {
    Stop::Asked { why: SIGNAL.to_owned() }
}

/// Why a job ends that a signal ends.
const SIGNAL: &str = "a signal";

/// What was seen so far, with what the kernel told.
fn heard(watch: &Watch, kernel: &Kernel) -> Seen {
    let mut seen = watch.seen();
    kernel.tell(&mut seen);
    seen
}
