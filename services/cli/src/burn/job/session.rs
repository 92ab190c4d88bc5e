//! The engine, from its start to its end: what it is asked while it runs, and what its reports set going.

use std::cell::{Cell, RefCell};

use burnin::evidence::{Evidence, Stop};
use burnin::findings::keep_untold;
use burnin::runner::{self, Ask};
use burnin::worker::{Order, Report};
use burnin::{Checkpoint, Headers, device};
use wire::job::Outcome;

use super::kernel::Kernel;
use super::own::Own;
use super::watch::Watch;
use super::{Birth, Job, SIGNAL, heard};
use crate::burn::fingerprints;
use crate::burn::pacing::Share;
use crate::burn::screen::Line;

/// One run of the engine.
pub(super) struct Session<'a> {
    job: &'a Job,
    order: &'a Order,
    share: Option<&'a Share>,
    birth: &'a Birth,
    watch: &'a Watch,
    kernel: &'a Kernel,
    line: &'a Line,
    /// The step of the engine's that it may go on with, once the ones before are done.
    go: Cell<Option<u16>>,
    /// Whether it was told to stop.
    stopping: Cell<bool>,
    /// Whether the headers stand: they are flushed before the first checkpoint.
    stand: Cell<bool>,
    /// Whether something happened before they stood, and is to be asked of all of them.
    doubted: Cell<bool>,
    /// Whether the engine waits because the kernel counts its drive anew.
    recounted: Cell<bool>,
    /// Whether another drive is in the place of the job's: what the engine saw of that counts for nothing.
    strange: Cell<bool>,
    /// Why it must not go on with its drive.
    why: RefCell<Option<String>>,
    /// Resets that are kept.
    resets: Cell<u64>,
    /// Whether it is ended since its drive does not show whose it is.
    unproven: Cell<bool>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        job: &'a Job,
        (order, share): (&'a Order, Option<&'a Share>),
        birth: &'a Birth,
        (watch, kernel): (&'a Watch, &'a Kernel),
        line: &'a Line,
    ) -> Self {
        Self {
            job,
            order,
            share,
            birth,
            watch,
            kernel,
            line,
            go: Cell::new(None),
            stopping: Cell::new(false),
            stand: Cell::new(order.resume.is_some()),
            doubted: Cell::new(false),
            recounted: Cell::new(false),
            strange: Cell::new(false),
            why: RefCell::new(None),
            resets: Cell::new(kernel.resets()),
            unproven: Cell::new(false),
        }
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// Why it could not begin; nothing was written.
    pub(super) fn run(self, own: &mut Own) -> Result<Evidence, String> {
        let Self { job, order, .. } = self;
        if let Some(before) = &own.before {
            job.smartctl.recall(&job.held.device.identity, before);
        }
        let file = job.held.file.try_clone().map_err(|e| e.to_string())?;
        let (mut device, way) = device::open(file, order.io).map_err(|e| e.to_string())?;
        // The runner asks this once more; as long as nothing is begun it is a refusal.
        let resumed = order.resume.as_ref();
        let resumed = resumed.and_then(|resume| Checkpoint::decode(&resume.checkpoint).ok());
        if let Some(checkpoint) = resumed {
            own.far.take(&checkpoint.evidence);
            if let Some(why) = job.stranger_to(device.as_mut(), &checkpoint) {
                return Err(why);
            }
        }
        fingerprints::check(&job.held)?;
        self.doubted.set(own.doubted);
        let evidence = runner::run_asked(device.as_mut(), order, &way, &mut || self.ask(), &mut |report| {
            self.hear(report, own);
        });
        Ok(self.over(evidence.map_err(|e| e.to_string())?, own))
    }

    /// What the engine is told next.
    fn ask(&self) -> Option<Ask> {
        if self.stopping.get() {
            return None;
        }
        let strange = self.why.borrow().clone();
        let why = strange
            .or_else(|| self.watch.too_hot())
            .or_else(|| self.job.is_asked().then(|| SIGNAL.to_owned()));
        if let Some(why) = why {
            self.stopping.set(true);
            return Some(Ask::Stop(why));
        }
        // One at a time: a rate that was taken and not told would be lost.
        let pace = self.share.filter(|_| self.go.get().is_none()).and_then(Share::changed);
        // Before its turn nothing is written, and an earlier burn-in stays to go on with.
        if !self.share.is_some_and(Share::waits) {
            self.job.takes_place();
        }
        if let Some(step) = self.go.take() {
            return Some(Ask::Go(step));
        }
        if pace.is_some() {
            return pace;
        }
        if self.recounted.take() {
            // Before its headers stand nothing can prove it.
            return match self.job.doubt(self.birth, self.kernel, self.headers()) {
                None => self.kernel.counted().map(Ask::Medium),
                Some(why) => Some(self.ends(why)),
            };
        }
        let ask = self.watch.next();
        match &ask {
            Some(Ask::Hold(_)) => self.rests(true),
            Some(Ask::Release) => self.rests(false),
            Some(Ask::Stop(_) | Ask::Pace(_) | Ask::Medium(_) | Ask::Go(_)) | None => {}
        }
        match self.doubt(ask == Some(Ask::Release)) {
            None => ask,
            Some(why) => Some(self.ends(why)),
        }
    }

    /// How it is ended with the drive that it has.
    fn ends(&self, why: String) -> Ask {
        self.stopping.set(true);
        self.unproven.set(true);
        self.strange
            .set(self.strange.get() || self.job.is_another(self.birth, self.headers()));
        // Who does not wait for a drive that says nothing ends it like any other; the doubt stays for who goes on.
        if self.is_only_asked() {
            return Ask::Stop(SIGNAL.to_owned());
        }
        self.why.replace(Some(why.clone()));
        Ask::Stop(why)
    }

    /// Why it must not go on with the drive that it has, where there is reason to ask: a reset, an exchange, or that it `stood` still.
    fn doubt(&self, stood: bool) -> Option<String> {
        if !self.stand.get() {
            // It is asked as soon as the headers stand.
            self.doubted.set(self.doubted.get() | self.kernel.doubts());
            return None;
        }
        let asks = self.doubted.get() || self.kernel.doubts() || stood;
        let why = asks.then(|| self.job.doubt(self.birth, self.kernel, self.headers()))?;
        // One that proved itself by all of its headers is doubted no more.
        self.doubted.set(self.doubted.get() && why.is_some());
        why
    }

    /// Whether a doubt is no more than that somebody ends it while its drive says nothing.
    fn is_only_asked(&self) -> bool {
        let is_another = || self.job.is_another(self.birth, self.headers());
        self.job.is_asked() && !self.strange.get() && self.kernel.gone().is_none() && !is_another()
    }

    fn headers(&self) -> Headers {
        Headers {
            stand: self.stand.get(),
            doubted: self.doubted.get(),
            settled: self.kernel.is_settled(),
        }
    }

    /// Whether what the engine tells counts: the kernel tells a reset before anything is read behind it.
    fn counts(&self) -> bool {
        if self.stand.get() && !self.strange.get() && self.kernel.is_doubted() {
            self.strange.set(self.job.is_another(self.birth, self.headers()));
        }
        !self.strange.get()
    }

    /// Whether its drive moves nothing for now, so that others have its share.
    fn rests(&self, rests: bool) {
        if let Some(share) = self.share {
            share.rests(rests);
        }
    }

    /// Takes one report to heart.
    fn hear(&self, report: Report, own: &mut Own) {
        let line = self.line;
        match report {
            Report::Started {
                step,
                phase,
                from,
                engine,
            } => {
                // What is read back first lies before the checkpoint.
                if let Some(resume) = own.resumes.last_mut().filter(|_| self.order.resume.is_some()) {
                    (resume.step, resume.phase, resume.from) = (step, phase, from);
                }
                line.say(&engine);
                if from.0 > 0 {
                    line.say(&format!("goes on at {from}"));
                }
            }
            Report::PhaseStarted { step, phase } => {
                own.far.begins(step);
                line.phase(phase);
            }
            Report::Progress { progress, spent } => {
                let mut progress = own.of_steps(&progress, spent);
                progress.temperature = self.watch.saw(&progress);
                if let Some(share) = self.share {
                    share.measured(progress.rate.0);
                }
                line.progress(&progress);
                // Whoever goes on after a kill is to know of a doubt, too.
                let doubted = std::mem::replace(&mut own.doubted, self.doubted.get()) != self.doubted.get();
                let resets = self.kernel.resets();
                if self.resets.replace(resets) != resets || doubted {
                    self.keep(own);
                }
            }
            Report::Recounted => self.recounted.set(true),
            Report::Yield { step } => {
                self.rests(true);
                own.until(self.job, step, self.watch, line, &mut |own| self.keep(own));
                self.rests(false);
                // They may have taken hours, in which the kernel tells nothing of some exchanges.
                let named = own.stranger.take();
                let is_named = named.is_some();
                match named.or_else(|| self.doubt(true)) {
                    None => self.go.set(Some(step)),
                    // It is told to stop as soon as it asks.
                    Some(_) if !is_named && self.is_only_asked() => {}
                    Some(why) => {
                        own.stranger = Some(why.clone());
                        self.why.replace(Some(why));
                    }
                }
            }
            // A line may tell of a bad sector, too.
            Report::Checkpoint { .. } | Report::Findings { .. } | Report::Log { .. } | Report::Done { .. }
                if !self.counts() => {}
            Report::Log { text } => line.say(&text),
            Report::Checkpoint { text, .. } => {
                self.stand.set(true);
                self.kernel.keep(&text);
                own.checkpoint = Some(text);
                self.keep(own);
            }
            Report::Findings {
                findings,
                bad_sectors,
                failing,
            } => {
                self.watch.found(bad_sectors);
                line.found(bad_sectors);
                if let Some(why) = failing {
                    own.heads(&why.rule, Outcome::Failed, &why.words, line);
                }
                // What shows once only must not wait for the next checkpoint, nor for the first.
                if own.told != findings {
                    own.told = findings;
                    self.keep(own);
                }
            }
            Report::PhaseDone { step, state, .. } => own.far.ended(step, state),
            Report::Done { evidence } => own.far.take(&evidence),
        }
    }

    fn keep(&self, own: &Own) {
        self.job
            .keep(self.birth, own, heard(self.watch, self.kernel), self.line);
    }

    /// What it saw, without what it saw of another drive.
    fn over(self, mut evidence: Evidence, own: &mut Own) -> Evidence {
        let why = self.why.take();
        if !self.strange.get() {
            own.stranger = own.stranger.take().or(why);
            if self.unproven.get() {
                evidence.stopped = in_doubt(evidence.stopped, own.stranger.clone());
            }
            return evidence;
        }
        let why = why.or_else(|| self.job.doubt(self.birth, self.kernel, self.headers()));
        own.stranger = own.stranger.take().or(why);
        let mut kept = self.before(own.checkpoint.as_deref(), evidence);
        // Why the other one stopped it is nothing of this drive either, nor an end for good.
        if let Some(why) = own.stranger.clone() {
            kept.stopped = Some(Stop::Engine { why });
        }
        // Told since, and before the other one came.
        keep_untold(&mut own.findings_before_loss, &own.told, &kept.findings());
        kept
    }

    /// What was seen until the last checkpoint that counts.
    fn before(&self, checkpoint: Option<&str>, evidence: Evidence) -> Evidence {
        let kept = checkpoint.and_then(|text| Checkpoint::decode(text).ok());
        let kept = kept.map_or_else(
            || Evidence::new(self.order.geometry, &self.order.steps),
            |checkpoint| checkpoint.evidence,
        );
        Evidence {
            stopped: evidence.stopped,
            ..kept
        }
    }
}

/// How one is over whose drive did not show whose it is, and what it is told `why`; `None` where only somebody ended it meanwhile. A first fault
/// that came in then may be another drive's: whoever goes on asks the drive first.
fn in_doubt(stopped: Option<Stop>, why: Option<String>) -> Option<Stop> {
    match stopped {
        Some(Stop::FirstFault) => Some(why.map_or_else(super::asked, |why| Stop::Engine { why })),
        stopped => stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_fault_that_is_met_in_doubt_is_no_end_for_good() {
        let why = || "it does not show whose it is".to_owned();
        let engine = || Some(Stop::Engine { why: why() });
        for (stopped, doubt, want) in [
            (Some(Stop::FirstFault), Some(why()), engine()),
            (Some(Stop::FirstFault), None, Some(super::super::asked())),
            (Some(Stop::Hung), Some(why()), Some(Stop::Hung)),
            (engine(), None, engine()),
            (None, Some(why()), None),
        ] {
            assert_eq!(in_doubt(stopped.clone(), doubt), want, "{stopped:?}");
        }
    }
}
