//! How far a whole job is: the engine knows its own steps, whoever runs it the drive's self-tests beside them. Pure.

use drive::selftest::{Kind, limits};
use drive::smart::Snapshot;
use wire::job::{Phase, PhaseState, PhaseStatus, Progress};

use crate::evidence::percent_by_time;
use crate::playbook::moves_data;

/// A job under way, with all its steps.
#[derive(Clone, Copy, Debug)]
pub struct Whole<'a> {
    /// Where its steps stand, in any order.
    pub phases: &'a [PhaseState],
    /// SMART before the first write, where the drive told it.
    pub smart_before: Option<&'a Snapshot>,
    /// How far it was told to be last, in percent: an estimate takes none of that back.
    pub told_percent: f64,
}

impl Whole<'_> {
    /// What the engine told of its own steps, as it is of the whole job: by time, where self-tests are part of it. `spent`: seconds that
    /// the engine was at work.
    pub fn of_steps(&self, told: &Progress, spent: f64) -> Progress {
        let mut told = told.clone();
        if !self.phases.iter().any(|state| Kind::of(state.phase).is_some()) {
            return told;
        }
        told.eta_job = told.eta_job.map(|left| left + self.tests_to_come());
        told.percent = self.percent(self.spent(|phase| !moves_data(phase)) + spent, told.eta_job);
        told
    }

    /// Of a self-test under way: what it has left, with all behind it where that is known; and how far the job is, in percent.
    pub fn with_test(&self, elapsed: f64, left: f64) -> (Option<f64>, f64) {
        let sweeps = |state: &PhaseState| moves_data(state.phase);
        let is_to_come = |state: &&PhaseState| matches!(state.status, PhaseStatus::Pending | PhaseStatus::Running);
        // How long a sweep takes shows only when it moves.
        let known = !self.phases.iter().filter(is_to_come).any(sweeps);
        let eta = known.then(|| left + self.tests_to_come());
        (eta, self.percent(self.spent(|_| true) + elapsed, eta))
    }

    /// Seconds of the steps of these phases that have ended.
    fn spent(&self, of: fn(Phase) -> bool) -> f64 {
        let ended = |state: &&PhaseState| state.status == PhaseStatus::Done && of(state.phase);
        self.phases.iter().filter(ended).map(|state| state.seconds).sum()
    }

    /// Seconds of the self-tests that have not begun, as the drive announces them: none where it was asked for its SMART and told
    /// nothing, as it will hardly run one then.
    fn tests_to_come(&self) -> f64 {
        let untold = |state: &PhaseState| state.phase == Phase::SmartBefore && state.status == PhaseStatus::Skipped;
        let unasked = Snapshot::default();
        let drive = match self.smart_before {
            None if self.phases.iter().any(untold) => return 0.0,
            told => told.unwrap_or(&unasked),
        };
        let pending = |state: &&PhaseState| state.status == PhaseStatus::Pending;
        let kinds = self
            .phases
            .iter()
            .filter(pending)
            .filter_map(|state| Kind::of(state.phase));
        kinds.map(|kind| limits(kind, drive).announced.as_secs_f64()).sum()
    }

    /// Percent of a job's time: no less than was told last, and the same where nobody knows what is left.
    fn percent(&self, spent: f64, left: Option<f64>) -> f64 {
        let now = left.map_or(0.0, |left| percent_by_time(spent, left));
        now.max(self.told_percent).min(100.0)
    }
}

#[cfg(test)]
mod tests {
    use wire::Bytes;

    use super::*;

    fn states(phases: &[(Phase, PhaseStatus, f64)]) -> Vec<PhaseState> {
        let state = |(phase, status, seconds): &(Phase, PhaseStatus, f64)| PhaseState {
            status: *status,
            seconds: *seconds,
            ..PhaseState::pending(*phase, "")
        };
        phases.iter().map(state).collect()
    }

    fn sweep(percent: f64) -> Progress {
        Progress {
            step: 0,
            phase: Phase::Write,
            done: Bytes(500),
            total: Bytes(1000),
            rate: Bytes(5),
            eta: Some(100.0),
            eta_job: Some(100.0),
            percent,
            temperature: None,
            phase_percent: None,
        }
    }

    fn ten_minutes() -> Snapshot {
        let mut before = Snapshot::default();
        before.self_test.extended_minutes = Some(10);
        before
    }

    fn whole<'a>(phases: &'a [PhaseState], before: Option<&'a Snapshot>, told_percent: f64) -> Whole<'a> {
        Whole {
            phases,
            smart_before: before,
            told_percent,
        }
    }

    #[test]
    fn an_extended_self_test_at_the_end_is_part_of_the_whole() {
        let before = ten_minutes();
        let before = Some(&before);
        let extended = Phase::SelfTestExtended;
        let moves = states(&[
            (Phase::Write, PhaseStatus::Running, 0.0),
            (extended, PhaseStatus::Pending, 0.0),
        ]);
        // A hundred seconds behind it, a hundred to come, and the ten minutes.
        let told = whole(&moves, before, 0.0).of_steps(&sweep(50.0), 100.0);
        assert_eq!((told.eta_job, told.percent), (Some(700.0), 12.5));
        let tests = states(&[
            (Phase::Write, PhaseStatus::Done, 200.0),
            (extended, PhaseStatus::Running, 0.0),
        ]);
        assert_eq!(whole(&tests, before, 12.5).with_test(200.0, 400.0), (Some(400.0), 50.0));
        assert_eq!(whole(&tests, before, 0.0).with_test(0.0, 600.0), (Some(600.0), 25.0));
    }

    /// 100 % were told at the soak's end, and all through the self-test behind it.
    #[test]
    fn a_soak_leaves_the_self_test_behind_it_its_share() {
        let before = ten_minutes();
        let phases = states(&[
            (Phase::SelfTestShort, PhaseStatus::Done, 100.0),
            (Phase::Write, PhaseStatus::Done, 400.0),
            (Phase::Verify, PhaseStatus::Running, 300.0),
            (Phase::SelfTestExtended, PhaseStatus::Pending, 0.0),
        ]);
        let told = Progress {
            eta_job: Some(0.0),
            ..sweep(100.0)
        };
        let told = whole(&phases, Some(&before), 10.0).of_steps(&told, 800.0);
        assert_eq!((told.eta_job, told.percent), (Some(600.0), 60.0));
    }

    /// An hour was told to be left in the last minute.
    #[test]
    fn a_self_test_of_a_drive_without_smart_takes_no_time() {
        let untold = (Phase::SmartBefore, PhaseStatus::Skipped, 0.0);
        let to_come = [
            (Phase::Write, PhaseStatus::Running, 0.0),
            (Phase::SelfTestExtended, PhaseStatus::Pending, 0.0),
        ];
        let phases = states(&[&[untold], &to_come[..]].concat());
        let told = whole(&phases, None, 0.0).of_steps(&sweep(50.0), 100.0);
        assert_eq!((told.eta_job, told.percent), (Some(100.0), 50.0));
        // Of a drive that was not asked nobody knows that it runs none.
        let told = whole(&states(&to_come), None, 0.0).of_steps(&sweep(50.0), 100.0);
        assert!(told.eta_job > Some(1_000.0), "{:?}", told.eta_job);
    }

    #[test]
    fn before_a_sweep_nobody_knows_how_long_it_takes() {
        let phases = states(&[
            (Phase::SelfTestShort, PhaseStatus::Running, 0.0),
            (Phase::Write, PhaseStatus::Pending, 0.0),
        ]);
        for told in [0.0, 31.0] {
            assert_eq!(whole(&phases, None, told).with_test(60.0, 60.0), (None, told));
        }
    }

    #[test]
    fn without_self_tests_it_is_what_the_engine_told() {
        let phases = states(&[(Phase::Write, PhaseStatus::Running, 0.0)]);
        assert_eq!(whole(&phases, None, 0.0).of_steps(&sweep(50.0), 100.0), sweep(50.0));
    }
}
