//! The steps that this process does itself: SMART here, the drive's self-tests in [`super::selftest`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use burnin::Evidence;
use burnin::heat::celsius;
use burnin::job::{Left, heading, switched, take_again};
use burnin::playbook::{Step, is_own};
use burnin::verdict::{Case, lacks};
use drive::medium::Medium;
use drive::overlay::{self, Overlay};
use drive::selftest::Kind;
use drive::smart::run::again;
use drive::smart::{Snapshot, Unreadable, words};
use drive::temperature;
use wire::job::{Finding, Outcome, Phase, PhaseState, PhaseStatus, Resume, SelfTest, SelfTestOutcome};

use super::Job;
use super::far::Far;
use super::watch::{Seen, Watch};
use crate::burn::remains::Remains;
use crate::burn::screen::Line;

/// How often a signal is looked for while the drive is waited for.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// Where the own steps stand, and what they told.
#[derive(Clone, Debug)]
pub(super) struct Own {
    /// By step.
    pub states: BTreeMap<u16, PhaseState>,
    /// SMART before the first write.
    pub before: Option<Snapshot>,
    /// SMART after.
    pub after: Option<Snapshot>,
    /// Self-tests that ended.
    pub self_tests: Vec<SelfTest>,
    /// What a setting of the drive hides on the drive; `None` where nobody looked.
    pub overlay: Option<Overlay>,
    /// Why the drive could not be read when it was asked what stands on it, in this session or an earlier one.
    pub unreadable: Option<String>,
    /// Rules of which it was said that the verdict is heading for them.
    headed: BTreeSet<String>,
    /// Whether a self-test was ever ended for heat.
    pub was_hot: bool,
    /// Why a self-test was given up for heat.
    pub too_hot: Option<String>,
    /// What earlier sessions saw beside the engine.
    pub earlier: Seen,
    /// What was told as found last, and the checkpoint that was kept last.
    pub told: Vec<Finding>,
    /// See [`Own::told`].
    pub checkpoint: Option<String>,
    /// What earlier sessions found and the checkpoint does not have.
    pub findings_before_loss: Vec<Finding>,
    /// Where sessions went on, this one's among them.
    pub resumes: Vec<Resume>,
    /// What is to be known besides.
    pub notes: Vec<String>,
    /// Whether the drive was reset while its headers were written, and was not asked for all of them since.
    pub doubted: bool,
    /// Whether what an earlier session kept of what it saw could not be read.
    pub torn: bool,
    /// The medium that was proved to be the job's last, where this session's cannot be.
    pub medium: Option<Medium>,
    /// All that the test came to, where an earlier session had ended it: of a drive that was being formatted nothing is read back.
    pub whole: Option<Box<Evidence>>,
    /// Why another drive answers in this one's place: nothing more is done to it.
    pub stranger: Option<String>,
    /// How far the job is.
    pub far: Far,
}

impl Own {
    pub(super) fn new(steps: &[Step]) -> Self {
        Self {
            states: (0..)
                .zip(steps)
                .filter(|(_, s)| is_own(s.phase))
                .map(|(at, s)| (at, s.pending()))
                .collect(),
            before: None,
            after: None,
            self_tests: Vec::new(),
            overlay: None,
            unreadable: None,
            headed: BTreeSet::new(),
            was_hot: false,
            too_hot: None,
            earlier: Seen::default(),
            told: Vec::new(),
            checkpoint: None,
            findings_before_loss: Vec::new(),
            resumes: Vec::new(),
            notes: Vec::new(),
            doubted: false,
            torn: false,
            medium: None,
            whole: None,
            stranger: None,
            far: Far::new(steps),
        }
    }

    /// What was seen stays seen, though where the job stood is lost.
    pub(super) fn remember(&mut self, left: &Remains) {
        self.findings_before_loss.clone_from(&left.findings);
        self.earlier = Seen::left(left);
        self.self_tests.clone_from(&left.failed);
        self.overlay.clone_from(&left.overlay);
        self.unreadable.clone_from(&left.unreadable);
        self.torn |= left.torn;
    }

    /// Goes on with what an earlier session did, but for what is taken again.
    pub(super) fn take_up(&mut self, mut earlier: BTreeMap<u16, PhaseState>, self_tests: Vec<SelfTest>) {
        self.self_tests = self_tests;
        let states = earlier.iter_mut().map(|(step, state)| (*step, state));
        take_again(states, &mut self.self_tests);
        for (step, state) in earlier {
            let ended = matches!(state.status, PhaseStatus::Done | PhaseStatus::Skipped);
            let mine = self.states.get_mut(&step);
            if let Some(mine) = mine.filter(|mine| ended && mine.phase == state.phase) {
                *mine = state;
            }
        }
    }

    /// The drive is no longer as it was before the first write: what is known of SMART then is known, or never will be.
    pub(super) fn baseline_is_past(&mut self) {
        let status = if self.before.is_some() {
            PhaseStatus::Done
        } else {
            PhaseStatus::Skipped
        };
        for state in self.states.values_mut().filter(|s| s.phase == Phase::SmartBefore) {
            state.status = status;
        }
    }

    /// Whether anything bad is known of the drive.
    pub(super) fn has_found(&self) -> bool {
        let failed = |test: &SelfTest| test.outcome == SelfTestOutcome::Failed;
        let found = !self.told.is_empty() || !self.findings_before_loss.is_empty();
        found || self.unreadable.is_some() || self.self_tests.iter().any(failed)
    }

    /// Adds what was seen of heat in self-tests.
    pub(super) fn tell(&self, seen: &mut Seen) {
        seen.paused |= self.was_hot;
        if seen.too_hot.is_none() {
            seen.too_hot.clone_from(&self.too_hot);
        }
    }

    /// Whether a step is still to be done, or to be begun again.
    pub(super) fn is_left(&self) -> bool {
        let left = |state: &PhaseState| matches!(state.status, PhaseStatus::Pending | PhaseStatus::Interrupted);
        self.states.values().any(left)
    }

    /// Asks for hidden sectors before SMART: a drive that refuses may write that into its error log.
    pub(super) fn look(&mut self, job: &Job) {
        if Overlay::is_open(self.overlay.as_ref()) && self.before.is_none() {
            let told = overlay::look(&job.guard.system, &job.held.file, &job.held.identity);
            self.overlay = Overlay::over_time(self.overlay.take(), told);
        }
    }

    /// Does every own step before `until` that is still to be done; `keep` is called after each.
    pub(super) fn until(&mut self, job: &Job, until: u16, watch: &Watch, line: &Line, keep: &mut dyn FnMut(&Self)) {
        self.work(job, &|step, _| step < until, watch, line, keep);
    }

    /// The same of what is left once the engine has ended.
    pub(super) fn rest(&mut self, job: &Job, left: Left, watch: &Watch, line: &Line, keep: &mut dyn FnMut(&Self)) {
        self.work(job, &|_, phase| left.has(phase), watch, line, keep);
    }

    fn work(
        &mut self,
        job: &Job,
        which: &dyn Fn(u16, Phase) -> bool,
        watch: &Watch,
        line: &Line,
        keep: &mut dyn FnMut(&Self),
    ) {
        let due: Vec<(u16, Phase)> = self
            .states
            .iter()
            .filter(|(step, state)| state.status == PhaseStatus::Pending && which(**step, state.phase))
            .map(|(step, state)| (*step, state.phase))
            .collect();
        // Of an earlier session.
        self.head(job, line);
        for (step, phase) in due {
            if job.is_asked() || self.stranger.is_some() {
                return;
            }
            line.phase(phase);
            watch.begins(step);
            if let Some(state) = self.states.get_mut(&step) {
                state.status = PhaseStatus::Running;
            }
            let began = Instant::now();
            let status = match phase {
                Phase::SmartBefore => {
                    self.before = self.smart(job, (step, None), watch, line);
                    self.head(job, line);
                    read(self.before.is_some(), job.is_asked())
                }
                Phase::SmartAfter => {
                    let before = self.before.clone();
                    self.after = self.smart(job, (step, before.as_ref()), watch, line);
                    read(self.after.is_some(), job.is_asked())
                }
                Phase::SelfTestShort | Phase::SelfTestExtended => {
                    let kind = if phase == Phase::SelfTestShort {
                        Kind::Short
                    } else {
                        Kind::Extended
                    };
                    let status = self.self_test(job, kind, step, watch, line);
                    self.head(job, line);
                    status
                }
                Phase::Probe
                | Phase::Sample
                | Phase::Write
                | Phase::Verify
                | Phase::Seek
                | Phase::Trim
                | Phase::TrimCheck
                | Phase::Scan
                | Phase::Partition
                | Phase::Format => PhaseStatus::Skipped,
            };
            if let Some(state) = self.states.get_mut(&step) {
                state.status = status;
                state.seconds = began.elapsed().as_secs_f64();
                state.rounds = u32::from(status == PhaseStatus::Done);
            }
            keep(self);
        }
    }

    /// Says what the verdict is heading for, as soon as that is known: the rest takes hours.
    fn head(&mut self, job: &Job, line: &Line) {
        let (nothing, due) = (Evidence::new(job.geometry(), &[]), job.choice.self_tests());
        let heading = heading(&Case {
            before: self.before.as_ref(),
            self_tests_due: &due,
            self_tests: &self.self_tests,
            profile: job.choice.options.profile,
            rotation: job.held.device.rotation,
            bus: job.held.identity.bus,
            ..Case::new(&nothing)
        });
        for hit in heading {
            self.heads(&hit.id, hit.outcome, &format!("{} ({})", hit.means, hit.value), line);
        }
    }

    /// Says once of a rule that the verdict is heading for it.
    pub(super) fn heads(&mut self, rule: &str, outcome: Outcome, words: &str, line: &Line) {
        if self.headed.insert(rule.to_owned()) {
            line.say(&format!("Heading for {}: {words}", outcome.word()));
        }
    }

    /// `before`: what the drive told at the beginning; `None` where this is the beginning.
    fn smart(
        &mut self,
        job: &Job,
        (step, before): (u16, Option<&Snapshot>),
        watch: &Watch,
        line: &Line,
    ) -> Option<Snapshot> {
        let may_set = job.choice.erases();
        let read = || {
            let read = job.smartctl.read_for_job(&job.node, &job.held.identity, may_set);
            read.map(|(snapshot, _)| snapshot)
        };
        let mut result = read();
        for pause in again(job.held.identity.bus, before.is_some()) {
            let why = match &result {
                Ok(snapshot) => lacks(before, snapshot, job.held.device.rotation),
                Err(Unreadable::OtherDrive { .. }) => None,
                Err(why) => Some(words(why)),
            };
            let Some(why) = why else { break };
            line.say(&format!("SMART could not be read whole and is asked for again: {why}"));
            let until = Instant::now() + *pause;
            while Instant::now() < until && !job.is_asked() {
                std::thread::sleep(LOOK);
            }
            if job.is_asked() {
                break;
            }
            result = match (read(), result) {
                // What was told in part is more than nothing.
                (Err(why), Ok(short)) if !matches!(why, Unreadable::OtherDrive { certain: true, .. }) => Ok(short),
                (Ok(mut whole), Ok(short)) => {
                    whole.switch = whole.switch.after(short.switch);
                    Ok(whole)
                }
                (result, _) => result,
            };
        }
        match result {
            Ok(mut snapshot) => {
                if let Some(word) = switched(snapshot.switch) {
                    line.say(word);
                    self.notes.push(word.to_owned());
                }
                temperature::add_warning(&job.guard, &job.held.device.name, &mut snapshot);
                watch.told(step, celsius(snapshot.temperature));
                Some(snapshot)
            }
            Err(why) => {
                if matches!(why, Unreadable::OtherDrive { certain: true, .. }) {
                    self.other_drive(&words(&why));
                }
                let note = format!("SMART: {}", words(&why));
                line.say(&note);
                self.notes.push(note);
                None
            }
        }
    }

    pub(super) fn other_drive(&mut self, why: &str) {
        self.stranger = Some(format!(
            "smartctl names another drive than the one that was chosen ({why}). Plug the drive in directly, without a dock \
             that answers for another one, and begin again"
        ));
    }
}

/// How reading SMART ended. What a signal cut short says nothing of the drive: whoever goes on asks again.
fn read(told: bool, asked: bool) -> PhaseStatus {
    match (told, asked) {
        (true, _) => PhaseStatus::Done,
        (false, true) => PhaseStatus::Interrupted,
        (false, false) => PhaseStatus::Skipped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What SMART told is kept nowhere, and it may have told of a fault.
    #[test]
    fn smart_after_and_a_self_test_that_was_cut_short_are_taken_again_by_a_session_that_goes_on() {
        let steps = [
            Phase::SmartBefore,
            Phase::Write,
            Phase::SelfTestShort,
            Phase::SelfTestExtended,
            Phase::SmartAfter,
        ]
        .map(Step::from);
        let mut earlier = Own::new(&steps).states;
        for state in earlier.values_mut() {
            state.status = if state.phase == Phase::SelfTestExtended {
                PhaseStatus::Interrupted
            } else {
                PhaseStatus::Done
            };
        }
        let entry = |step, phase, outcome| SelfTest {
            phase,
            outcome,
            told: String::new(),
            lba: None,
            step: Some(step),
        };
        let passed = entry(2, Phase::SelfTestShort, SelfTestOutcome::Passed);
        let cut = entry(3, Phase::SelfTestExtended, SelfTestOutcome::Aborted);
        let mut own = Own::new(&steps);
        own.take_up(earlier, vec![passed.clone(), cut]);
        assert_eq!(own.self_tests, [passed]);
        let left: Vec<Phase> = own
            .states
            .values()
            .filter(|state| state.status == PhaseStatus::Pending)
            .map(|state| state.phase)
            .collect();
        assert_eq!(left, [Phase::SelfTestExtended, Phase::SmartAfter]);
    }
}
