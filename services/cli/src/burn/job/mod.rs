//! One drive's burn-in: own steps, the engine, own steps, partition and format, verdict.
//!
//! The engine runs in this thread ([`session`]); what it does not do itself (SMART, self-tests) is done by [`own`] where
//! the steps say so, also between two of the engine's; [`watch`] looks at the temperature meanwhile, and [`kept`] has what
//! outlives this process.

mod doubt;
mod earlier;
mod end;
mod far;
mod foreign;
mod kept;
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
use burnin::format::Turns;
use burnin::header::Note;
use burnin::job::Left;
use burnin::playbook::first_data;
use burnin::worker::{Backend, Io, Limits, Order, Resumption};
use burnin::{Fingerprint, Front, Headers, JobKey, device};
use drive::guard::Guard;
use drive::smart::Smartctl;
use wire::drive::Content;
use wire::gate::PlanDrive;
use wire::{JobId, Time};

use super::admit::Held;
use super::choice::Choice;
use super::ended::Ended;
use super::pacing::Pacer;
use super::screen::Line;
use super::seat::Seat;
use super::state::StateDir;
pub(super) use earlier::GivenUp;
use kept::Close;
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
    pub seat: Seat,
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
    /// How many of them are formatted at once.
    pub turns: Turns,
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
    /// What stood at its beginning before its first write, where that is erased.
    front: Option<Front>,
    /// What stood on it when it was agreed to lose that, where it is known.
    agreed: Option<Content>,
}

impl Job {
    /// What to call it on screen.
    pub(super) fn name(&self) -> String {
        super::short(&self.node)
    }

    /// What to call it beside a bar.
    pub(super) fn brief(&self) -> String {
        super::brief(self.name(), &self.drive.label, &self.held.device.name)
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
            .or_else(|| self.drive.content.unreadable().map(str::to_owned))
            .or_else(|| self.held.unread.clone());
        // Link resets during self-tests tell as much of drive and cable as those during the engine's work.
        let kernel = Kernel::start(&self.guard.system, &self.held.device, &own.earlier);
        // From here on what is found is kept, whatever becomes of this process.
        let watch = Watch::start(&self, std::mem::take(&mut own.earlier));
        let goes_on = resume.is_some();
        let ran = self
            .steps_before(&birth, &mut own, goes_on, (&watch, &kernel), (&mut notes, line))
            .and_then(|()| self.engine(&birth, &mut own, resume, (&watch, &kernel), line));
        let mut evidence = match ran {
            Ok(evidence) => evidence,
            Err(why) => {
                self.leaves_the_earlier(&birth, &mut own, goes_on, heard(&watch, &kernel));
                return self.not_begun(why, notes);
            }
        };
        evidence.lost |= own.torn;
        let seen = heard(&watch, &kernel);
        let over = self.over(&birth, &own, &seen, &evidence, (&mut notes, line));
        self.mark(&birth, &evidence, over.as_ref().is_some_and(|over| over.stands));
        // What made the engine's session doubt ended that session, and nothing it saw of another drive is kept.
        let doubted = own.stranger.is_some();
        self.steps_after(&birth, &mut own, (&evidence, over.is_some()), (&watch, &kernel), line);
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
        let close = Close::of(&self, &birth, &own, (&evidence, &seen), over);
        let (mut ended, goes_on) = self.end(&birth, evidence, own, (seen, Some(&kernel)), notes, line);
        close.keep(&mut ended, goes_on, line);
        ended
    }

    /// The own steps before the engine's, and whether the drive may still be written then.
    ///
    /// # Errors
    /// Why not; nothing was written.
    fn steps_before(
        &self,
        birth: &Birth,
        own: &mut Own,
        goes_on: bool,
        (watch, kernel): (&Watch, &Kernel),
        (notes, line): (&mut Vec<String>, &Line),
    ) -> Result<(), String> {
        self.keep(birth, own, heard(watch, kernel), line);
        own.look(self);
        own.until(self, first_data(&self.choice.steps), watch, line, &mut |own| {
            self.keep(birth, own, heard(watch, kernel), line);
        });
        if let Some(why) = own.stranger.take() {
            notes.append(&mut own.notes);
            return Err(why);
        }
        match own.whole {
            Some(_) => Ok(()),
            None => self.still(kernel, goes_on),
        }
    }

    /// The engine's steps, and those of its own between two of them; what they came to where an earlier session had ended them.
    ///
    /// # Errors
    /// Why they could not begin; nothing was written.
    fn engine(
        &self,
        birth: &Birth,
        own: &mut Own,
        resume: Option<Resumption>,
        (watch, kernel): (&Watch, &Kernel),
        line: &Line,
    ) -> Result<Evidence, String> {
        if let Some(whole) = own.whole.take() {
            own.far.take(&whole);
            return Ok(*whole);
        }
        watch.engine(self.heat_limits(own.before.as_ref()));
        let share = self.pacer.join(&self.held.device.syspath);
        let order = Order {
            key: birth.key,
            geometry: self.geometry(),
            steps: self.choice.steps.clone(),
            header: self.choice.erases().then(|| self.note(birth, own)),
            limits: self.limits(),
            io: self.io(),
            resume,
            failed_before: burnin::findings::fails(&own.findings_before_loss),
            pace: share.as_ref().map(|_| 0),
            medium: kernel.counted().filter(|_| self.choice.erases()),
        };
        let session = Session::new(self, (&order, share.as_ref()), birth, (watch, kernel), line);
        let ran = session.run(own);
        watch.engine_is_done();
        ran
    }

    /// How its drive is reached.
    fn io(&self) -> Io {
        Io {
            backend: self.backend,
            ..Io::for_drive(self.held.device.identity.bus, self.held.device.rotation)
        }
    }

    /// What its engine keeps to.
    fn limits(&self) -> Limits {
        Limits {
            stop_at_first: self.choice.options.stop_at_first,
            ..self.limits
        }
    }

    /// The own steps that are left once the engine has ended. Of a job that is `over` nothing more is kept for `--resume`.
    fn steps_after(
        &self,
        birth: &Birth,
        own: &mut Own,
        (evidence, over): (&Evidence, bool),
        (watch, kernel): (&Watch, &Kernel),
        line: &Line,
    ) {
        // Where the engine failed that may be why, once headers could tell: what another drive tells is nobody's verdict.
        let failed = matches!(evidence.stopped, Some(Stop::Engine { .. }));
        let headers = Headers {
            stand: own.checkpoint.is_some(),
            doubted: own.doubted,
            settled: kernel.is_settled(),
        };
        if failed && self.is_another(birth, headers) {
            return;
        }
        own.rest(self, Left::of(evidence.stopped.as_ref()), watch, line, &mut |own| {
            if !over {
                self.keep(birth, own, heard(watch, kernel), line);
            }
        });
    }

    /// Whether a signal asked it to end.
    fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    fn geometry(&self) -> device::Geometry {
        self.held.geometry()
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
            front: birth.front,
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
