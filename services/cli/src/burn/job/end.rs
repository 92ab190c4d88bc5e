//! The end of one drive's burn-in: what it came to, the file system on a good drive, the verdict.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use burnin::JobKey;
use burnin::evidence::{Evidence, Stop};
use burnin::format::{self, Order, Said, Ties, Turn, turns};
use burnin::job::{EXCHANGE, End};
use burnin::playbook::is_of_formatter;
use burnin::verdict::{self, Case, Peer, judge};
use drive::sysfs::{self, DevNum};
use drive::temperature;
use std::os::unix::fs::MetadataExt;
use wire::drive::{Bus, Rotation};
use wire::job::{Outcome, Phase, PhaseState, PhaseStatus};
use wire::options::{FormatRequest, Formatted, Profile};
use wire::{Bytes, DriveId, JobId, Time};

use super::doubt::{Asked, LOOK, Since};
use super::kernel::Kernel;
use super::own::Own;
use super::watch::Seen;
use super::{Birth, Job};
use crate::burn::ended::Ended;
use crate::burn::saved::{Over, Saved};
use crate::burn::screen::Line;
use crate::peers;

/// Why nobody goes on with a burn-in whose format was cut off, where the drive does not show that it has no table yet.
pub(super) const WHILE_FORMATTED: &str =
    "it was interrupted while the drive was formatted, and may be formatted by hand";

impl Job {
    /// Judges it, formats a good drive, and judges that, too. Also tells whether the burn-in can be gone on with.
    pub(super) fn end(
        self,
        birth: &Birth,
        mut evidence: Evidence,
        own: Own,
        (mut seen, kernel): (Seen, Option<&Kernel>),
        mut notes: Vec<String>,
        line: &Line,
    ) -> (Ended, bool) {
        let stopped_by_heat = seen.too_hot.is_some();
        own.tell(&mut seen);
        let (state, known_as, model) = (
            self.state.path().to_owned(),
            self.known_as(&own),
            self.model(&own).to_owned(),
        );
        let (others, untold) = peers::others(&state, &model, &known_as);
        let facts = Facts {
            others,
            ..Facts::of(&self, birth)
        };
        // Of a drive that is bad anyway nobody has to ask whether it is still there.
        let good = facts.is_good(&evidence, &own, &seen);
        let request = self.choice.request();
        // Before the last look, as every wait.
        let _turn = request.as_ref().filter(|_| good).and_then(|_| self.turn(line));
        let mut since = match kernel.filter(|_| good) {
            Some(kernel) => self.since(birth, kernel, &mut evidence, line),
            None => Since::Ours,
        };
        heed(&since, &mut evidence, line);
        if let Some(kernel) = kernel {
            kernel.tell(&mut seen);
        }
        // By what the kernel told since, too.
        let mut good = good && facts.is_good(&evidence, &own, &seen);
        let mut phases = self.phases(&evidence, &own);
        let began = Instant::now();
        if let (Some(request), true, Since::Ours) = (&request, good, &since) {
            let cut_off = format::cut_off(request, None);
            let states = formatted_as(phases.clone(), PhaseStatus::Interrupted, 0.0);
            let parts = EndedParts::of(&self, birth);
            let whole = facts.whole(&parts, (&evidence, &own, &seen), states, Some(cut_off), false);
            let cut = Ended::new(parts.node, whole, notes.clone());
            since = self.begin_format(birth, (&mut evidence, &own, &seen), &cut, kernel, line);
            if let Some(kernel) = kernel {
                kernel.tell(&mut seen);
            }
            heed(&since, &mut evidence, line);
            good = facts.is_good(&evidence, &own, &seen);
            if !good || since != Since::Ours {
                // Nothing of it is formatted after all.
                self.keep(birth, &own, seen.clone(), line);
            }
        }
        if request.is_some() && !good {
            line.say("not formatted: only a drive that came through is");
        }
        let (mut formatted, mut cut) = (None, false);
        // What outlives the descriptor, which the formatter takes.
        let (ended, asked_for) = (EndedParts::of(&self, birth), Arc::clone(&self.asked));
        if let Some(request) = request.filter(|_| good) {
            let made = match &since {
                Since::Refused(why) => {
                    line.say(&format!("not formatted: {why}"));
                    format::unformatted(&request, why.clone())
                }
                Since::Ours | Since::Another(_) | Since::Ended(Asked) => {
                    let (guard, name) = (self.guard.clone(), self.held.device.name.clone());
                    let sequence = self.medium(seen.sequence).sequence;
                    let mut steps = (0..).zip(&self.choice.steps);
                    let first = steps.find(|(_, step)| is_of_formatter(step.phase));
                    let step = first.map_or(0, |(at, _)| at);
                    let sensed = || temperature::sensed(&guard, &name).ok().flatten();
                    let mut mark = || seen.beside(step, sensed(), Time::now());
                    mark();
                    let made = self.format((request, birth.key), sequence, line);
                    mark();
                    made
                }
            };
            let status = if made.problem.is_none() {
                PhaseStatus::Done
            } else {
                PhaseStatus::Interrupted
            };
            phases = formatted_as(phases, status, began.elapsed().as_secs_f64());
            // The test had come to its end: only the format was ended by a person.
            cut = made.problem.is_some() && matches!(since, Since::Ours) && asked_for.load(Ordering::Relaxed);
            if let Some(kernel) = kernel {
                kernel.tell(&mut seen);
            }
            formatted = Some(made);
        }
        // A drive that was not formatted still holds what was written last; a half formatted one shows nothing of the job.
        let goes_on = match since {
            Since::Refused(_) => true,
            Since::Ours if formatted.is_some() => false,
            Since::Ours | Since::Another(_) | Since::Ended(Asked) => {
                matches!(evidence.stopped, Some(Stop::Asked { .. } | Stop::Engine { .. }))
            }
        };
        let aborted = cut || matches!(evidence.stopped, Some(Stop::Asked { .. })) && !stopped_by_heat;
        let job = facts.whole(&ended, (&evidence, &own, &seen), phases, formatted, aborted);
        let peer = Peer::of(&facts.case(&evidence, &own, &seen), known_as, &model, job.capacity);
        let kept = peer.map_or(Ok(None), |peer| peers::note(&state, peer));
        for told in untold.into_iter().chain(kept.unwrap_or_else(Some)) {
            line.say(&told);
            notes.push(told);
        }
        (Ended::new(ended.node, job, notes), goes_on)
    }

    /// By what name the drive is remembered: the one that SMART told, where it did, since behind a dock it has another.
    fn known_as(&self, own: &Own) -> DriveId {
        let told = own.after.as_ref().or(own.before.as_ref());
        let wwn = told.and_then(|told| DriveId::from_wwn(told.wwn.as_deref()?));
        wwn.unwrap_or_else(|| self.drive.id.clone())
    }

    /// By what name it is compared with others of its model.
    fn model<'a>(&'a self, own: &'a Own) -> &'a str {
        verdict::model(own.after.as_ref().or(own.before.as_ref()), &self.drive.model)
    }

    /// What it comes to by what is known so far, with own steps still to be done.
    pub(super) fn so_far(&self, birth: &Birth, evidence: &Evidence, own: &Own, seen: &Seen, notes: &[String]) -> Ended {
        let mut seen = seen.clone();
        own.tell(&mut seen);
        let mut job = EndedParts::of(self, birth).job;
        job.phases = self.phases(evidence, own);
        job.resumes.clone_from(&own.resumes);
        job.timeline.clone_from(&seen.timeline);
        End::of(&Facts::of(self, birth).case(evidence, own, &seen)).tell(&mut job, false, Time::now());
        job.self_tests.clone_from(&own.self_tests);
        Ended::new(self.node.clone(), job, notes.to_vec())
    }

    /// All steps with their states: the engine's, this process's, and those of the formatter, which are still to come.
    fn phases(&self, evidence: &Evidence, own: &Own) -> Vec<PhaseState> {
        (0..)
            .zip(&self.choice.steps)
            .map(|(at, step)| match (evidence.step(at), own.states.get(&at)) {
                (Some(record), _) => record.state(),
                (None, Some(state)) => state.clone(),
                (None, None) => PhaseState {
                    status: PhaseStatus::Skipped,
                    ..step.pending()
                },
            })
            .collect()
    }

    /// Writes down that it is formatted from now on (`cut`: what it comes to where that is cut off), and tells what the drive is then: that
    /// took as long as the medium does, and a dock does not tell that its drive was exchanged.
    fn begin_format(
        &self,
        birth: &Birth,
        (evidence, own, seen): (&mut Evidence, &Own, &Seen),
        cut: &Ended,
        kernel: Option<&Kernel>,
        line: &Line,
    ) -> Since {
        let began = Instant::now();
        let checkpoint = self.checkpoint_of_the_end(birth, own, evidence);
        self.mark_formatting(self.saved(birth, own, seen.clone(), checkpoint), cut);
        match kernel.filter(|_| began.elapsed() >= EXCHANGE) {
            Some(kernel) => self.since(birth, kernel, evidence, line),
            None => Since::Ours,
        }
    }

    /// From now on the drive holds what is no pattern: whoever is cut off here must not compare it.
    /// `cut`: what it comes to then.
    fn mark_formatting(&self, saved: Saved, cut: &Ended) {
        let saved = Saved {
            ended: Some(Over {
                at: Time::now(),
                outcome: Some(cut.outcome()),
                why: WHILE_FORMATTED.to_owned(),
                untabled: true,
                result: cut.kept(&self.choice.steps),
            }),
            ..saved
        };
        // Where nothing can be kept, the checkpoint that lies there would be gone on from.
        if self.state.save(&self.drive.id, &saved).is_err() {
            self.state.forget(&self.drive.id);
        }
    }

    /// Waits until its drive may be formatted; none where a signal comes first.
    fn turn(&self, line: &Line) -> Option<Turn> {
        let mut told = false;
        while !self.is_asked() {
            if let Some(turn) = self.turns.try_take() {
                return Some(turn);
            }
            if !std::mem::replace(&mut told, true) {
                line.say(turns::WAITS);
            }
            let until = Instant::now() + turns::ASK_AGAIN;
            while Instant::now() < until && !self.is_asked() {
                std::thread::sleep(LOOK);
            }
        }
        None
    }

    /// Gives the drive to a formatter and waits for its end. `sequence`: the kernel's count of the medium that is held.
    fn format(self, (request, key): (FormatRequest, JobKey), sequence: u64, line: &Line) -> Formatted {
        let order = Order {
            node: self.node.clone(),
            capacity: self.drive.capacity.0,
            sector: self.drive.sector,
            request,
            key,
        };
        line.phase(Phase::Partition);
        let number = self.held.file.metadata().map(|meta| DevNum::from_raw(meta.rdev()));
        let expected = self.held.identity;
        let system = self.guard.system;
        let mut identity = || {
            let number = number.as_ref().map_err(|error| error.to_string())?;
            let found = sysfs::read_number(&system, *number).ok_or("the drive is gone")?;
            expected.same_drive(&found.identity).map_err(|e| e.to_string())?;
            // Name and size are the reader's or the dock's, whatever is in it.
            let same = sequence == found.sequence;
            same.then_some(()).ok_or_else(|| drive::medium::RECOUNTED.to_owned())
        };
        let mut tell = |said: &Said| match said {
            Said::Ready => {}
            Said::Laid => line.phase(Phase::Format),
            Said::Made => line.phase(Phase::Partition),
            Said::At { what } => line.say(what),
            Said::Done(formatted) => {
                for check in &formatted.checks {
                    line.say(check);
                }
            }
        };
        // Not current_exe(): its path is gone once an update has replaced the binary.
        let mut command = Command::new("/proc/self/exe");
        command.arg("internal-formatter");
        let asked = self.asked;
        let ties = Ties {
            identity: &mut identity,
            tell: &mut tell,
            cancel: &mut || asked.load(Ordering::Relaxed).then(|| super::SIGNAL.to_owned()),
        };
        let formatted = format::run(&mut command, self.held.file, &order, format::LONGEST, ties);
        if let Some(problem) = &formatted.problem {
            line.say(&format!("not formatted: {problem}"));
        }
        formatted
    }

    /// It could not begin, and wrote nothing: nothing is known, so nothing is passed.
    pub(super) fn not_begun(self, why: String, notes: Vec<String>) -> Ended {
        let geometry = burnin::device::Geometry {
            sectors: 0,
            sector: self.drive.sector.max(512),
            physical: self.drive.sector.max(512),
        };
        let mut evidence = Evidence::new(geometry, &self.choice.steps);
        evidence.stopped = Some(Stop::Engine { why });
        let birth = Birth {
            id: JobId::now(),
            key: JobKey([0; 16]),
            started: Time::now(),
            fingerprint: None,
            front: None,
            agreed: None,
        };
        let own = Own::new(&self.choice.steps);
        let (ended, _) = self.end(&birth, evidence, own, (Seen::default(), None), notes, &Line::silent());
        ended.unbegun()
    }
}

/// What a drive is since its test ends that test, where it is not the job's or a person was first.
fn heed(since: &Since, evidence: &mut Evidence, line: &Line) {
    match since {
        Since::Another(why) => {
            line.say(why);
            evidence.stopped = Some(Stop::Engine { why: why.clone() });
        }
        Since::Ended(Asked) => evidence.stopped = Some(super::asked()),
        Since::Ours | Since::Refused(_) => {}
    }
}

/// What a verdict asks of a job beside what was seen.
struct Facts {
    wants_smart: bool,
    profile: Profile,
    due: Vec<Phase>,
    rotation: Rotation,
    bus: Bus,
    link_mbps: Option<u32>,
    shingled: Option<String>,
    beside: Bytes,
    started: Time,
    /// Of its model; none before its end.
    others: Vec<Peer>,
}

impl Facts {
    fn of(job: &Job, birth: &Birth) -> Self {
        Self {
            wants_smart: job.choice.wants_smart(),
            profile: job.choice.options.profile,
            due: job.choice.self_tests(),
            rotation: job.held.device.rotation,
            bus: job.held.device.identity.bus,
            link_mbps: job.held.device.link_mbps,
            shingled: job.held.device.shingled.clone(),
            beside: job.held.device.beside,
            started: birth.started,
            others: Vec::new(),
        }
    }

    /// Whether the drive came through, as far as it was tested.
    fn is_good(&self, evidence: &Evidence, own: &Own, seen: &Seen) -> bool {
        let verdict = judge(&self.case(evidence, own, seen));
        evidence.stopped.is_none() && matches!(verdict.outcome, Outcome::Passed | Outcome::Warn)
    }

    /// The job as it ended, with its verdict.
    fn whole(
        &self,
        parts: &EndedParts,
        (evidence, own, seen): (&Evidence, &Own, &Seen),
        phases: Vec<PhaseState>,
        formatted: Option<Formatted>,
        aborted: bool,
    ) -> wire::job::Job {
        let mut job = parts.job.clone();
        job.phases = phases;
        job.resumes.clone_from(&own.resumes);
        let told = End::of(&Case {
            wants_format: formatted.is_some(),
            formatted: formatted.as_ref(),
            ..self.case(evidence, own, seen)
        });
        job.timeline.clone_from(&seen.timeline);
        told.tell(&mut job, aborted, Time::now());
        job.self_tests.clone_from(&own.self_tests);
        job.formatted = formatted;
        job
    }

    fn case<'a>(&'a self, evidence: &'a Evidence, own: &'a Own, seen: &'a Seen) -> Case<'a> {
        Case {
            wants_smart: self.wants_smart,
            before: own.before.as_ref(),
            after: own.after.as_ref(),
            profile: self.profile,
            self_tests_due: &self.due,
            self_tests: &own.self_tests,
            timeline: &seen.timeline,
            rotation: self.rotation,
            bus: self.bus,
            link_mbps: self.link_mbps,
            smr: self.shingled.as_deref(),
            too_hot: seen.too_hot.as_deref(),
            paused_for_heat: seen.paused,
            shared: seen.shared,
            company: seen.mean_company(),
            peers: &self.others,
            unreadable: own.unreadable.as_deref(),
            kernel: &seen.kernel,
            overlay: own.overlay.as_ref(),
            beside: self.beside,
            findings_before_loss: &own.findings_before_loss,
            resumes: &own.resumes,
            lasted: Duration::try_from(Time::now().duration_since(self.started)).ok(),
            ..Case::new(evidence)
        }
    }
}

/// The steps' states once the formatter has ended. One child does both of its steps; its time stands with the last.
fn formatted_as(mut states: Vec<PhaseState>, status: PhaseStatus, mut seconds: f64) -> Vec<PhaseState> {
    let of_formatter = |state: &&mut PhaseState| is_of_formatter(state.phase);
    for state in states.iter_mut().rev().filter(of_formatter) {
        state.status = status;
        state.rounds = u32::from(status == PhaseStatus::Done);
        state.seconds = std::mem::take(&mut seconds);
    }
    states
}

/// What is known of a job before its end.
struct EndedParts {
    node: std::path::PathBuf,
    job: wire::job::Job,
}

impl EndedParts {
    fn of(job: &Job, birth: &Birth) -> Self {
        let drive = &job.drive;
        Self {
            node: job.node.clone(),
            job: wire::job::Job {
                model: drive.model.clone(),
                serial: drive.serial.clone(),
                capacity: drive.capacity,
                sector: drive.sector,
                actor: std::env::var("USER").unwrap_or_else(|_| "kiln burn".to_owned()),
                options: job.choice.options.clone(),
                ..wire::job::Job::new(birth.id, drive.id.clone(), &job.choice.playbook.name, birth.started)
            },
        }
    }
}
