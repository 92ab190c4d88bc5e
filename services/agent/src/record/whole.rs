//! How far a whole job is: the worker knows its own sweeps, the agent the drive's self-tests beside them. Pure.

use drive::selftest::{Kind, limits};
use drive::smart::Snapshot;
use wire::job::{Phase, PhaseState, PhaseStatus, Progress};

use super::Record;

impl Record {
    /// What a worker told of its own steps, as it is of the whole job: by time, where self-tests are part of it.
    pub fn of_the_whole(&self, told: &Progress) -> Progress {
        let mut told = told.clone();
        if !self.job.phases.iter().any(|state| Kind::of(state.phase).is_some()) {
            return told;
        }
        told.eta_job = told.eta_job.map(|left| left + self.tests_to_come());
        // Rounds of a soak are counted by the worker alone.
        if self
            .steps
            .get(usize::from(told.step))
            .is_some_and(|step| step.soak.is_some())
        {
            return told;
        }
        let share = match told.phase_percent {
            Some(percent) => percent / 100.0,
            None if told.total.0 > 0 => told.done.0 as f64 / told.total.0 as f64,
            None => 0.0,
        };
        let running = told
            .eta
            .filter(|_| share < 1.0)
            .map_or(0.0, |eta| eta * share / (1.0 - share));
        told.percent = self.percent(self.spent_on_steps() + running, told.eta_job);
        told
    }

    /// Of a self-test under way: what it has left, with all behind it where that is known; and how far the job is, in percent.
    pub fn with_test(&self, elapsed: f64, left: f64) -> (Option<f64>, f64) {
        let sweeps = |state: &PhaseState| burnin::playbook::moves_data(state.phase);
        let is_to_come = |state: &&PhaseState| matches!(state.status, PhaseStatus::Pending | PhaseStatus::Running);
        // How long a sweep takes shows only when it moves.
        let known = !self.job.phases.iter().filter(is_to_come).any(sweeps);
        let eta = known.then(|| left + self.tests_to_come());
        (eta, self.percent(self.spent_on_steps() + elapsed, eta))
    }

    /// Seconds of the steps that have ended.
    fn spent_on_steps(&self) -> f64 {
        let ended = |state: &&PhaseState| state.status == PhaseStatus::Done;
        self.job.phases.iter().filter(ended).map(|state| state.seconds).sum()
    }

    /// Seconds of the self-tests that have not begun, as the drive announces them: none where it was asked for its SMART and told
    /// nothing, as it will hardly run one then.
    fn tests_to_come(&self) -> f64 {
        let untold = |state: &PhaseState| state.phase == Phase::SmartBefore && state.status == PhaseStatus::Skipped;
        let unasked = Snapshot::default();
        let drive = match &self.smart_before {
            None if self.job.phases.iter().any(untold) => return 0.0,
            told => told.as_ref().unwrap_or(&unasked),
        };
        let pending = |state: &&PhaseState| state.status == PhaseStatus::Pending;
        let kinds = self
            .job
            .phases
            .iter()
            .filter(pending)
            .filter_map(|state| Kind::of(state.phase));
        kinds.map(|kind| limits(kind, drive).announced.as_secs_f64()).sum()
    }

    /// Percent of a job's time: no less than was told last, and the same where nobody knows what is left.
    fn percent(&self, spent: f64, left: Option<f64>) -> f64 {
        let before = self
            .job
            .progress
            .as_ref()
            .map_or(self.told_percent, |told| told.percent);
        let of = |left: f64| 100.0 * spent / (spent + left).max(f64::EPSILON);
        left.map_or(before, |left| of(left).max(before).min(100.0))
    }
}

#[cfg(test)]
mod tests {
    use wire::Bytes;

    use super::*;
    use crate::record::tests::record;

    fn steps(record: &mut Record, phases: &[(Phase, PhaseStatus, f64)]) {
        let state = |(phase, status, seconds): &(Phase, PhaseStatus, f64)| PhaseState {
            phase: *phase,
            note: String::new(),
            rounds: 0,
            status: *status,
            seconds: *seconds,
            bytes: Bytes(0),
        };
        record.job.phases = phases.iter().map(state).collect();
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

    #[test]
    fn an_extended_self_test_at_the_end_is_part_of_the_whole() {
        let mut record = record();
        let extended = Phase::SelfTestExtended;
        record.smart_before = Some(Snapshot::default());
        if let Some(before) = &mut record.smart_before {
            before.self_test.extended_minutes = Some(10);
        }
        steps(
            &mut record,
            &[
                (Phase::Write, PhaseStatus::Running, 0.0),
                (extended, PhaseStatus::Pending, 0.0),
            ],
        );
        // A hundred seconds behind it, a hundred to come, and the ten minutes.
        let told = record.of_the_whole(&sweep(50.0));
        assert_eq!((told.eta_job, told.percent), (Some(700.0), 12.5));
        record.job.progress = Some(told);
        steps(
            &mut record,
            &[
                (Phase::Write, PhaseStatus::Done, 200.0),
                (extended, PhaseStatus::Running, 0.0),
            ],
        );
        assert_eq!(record.with_test(200.0, 400.0), (Some(400.0), 50.0));
        // The worker's end takes its progress with it.
        record.job.progress = None;
        assert_eq!(record.with_test(0.0, 600.0), (Some(600.0), 25.0));
    }

    /// An hour was told to be left in the last minute.
    #[test]
    fn a_self_test_of_a_drive_without_smart_takes_no_time() {
        let mut record = record();
        record.smart_before = None;
        let to_come = [
            (Phase::Write, PhaseStatus::Running, 0.0),
            (Phase::SelfTestExtended, PhaseStatus::Pending, 0.0),
        ];
        steps(
            &mut record,
            &[&[(Phase::SmartBefore, PhaseStatus::Skipped, 0.0)], &to_come[..]].concat(),
        );
        let told = record.of_the_whole(&sweep(50.0));
        assert_eq!((told.eta_job, told.percent), (Some(100.0), 50.0));
        // Of a drive that was not asked nobody knows that it runs none.
        steps(&mut record, &to_come);
        let told = record.of_the_whole(&sweep(50.0));
        assert!(told.eta_job > Some(1_000.0), "{:?}", told.eta_job);
    }

    #[test]
    fn before_a_sweep_nobody_knows_how_long_it_takes() {
        let mut record = record();
        steps(
            &mut record,
            &[
                (Phase::SelfTestShort, PhaseStatus::Running, 0.0),
                (Phase::Write, PhaseStatus::Pending, 0.0),
            ],
        );
        assert_eq!(record.with_test(60.0, 60.0), (None, 0.0));
        record.job.progress = Some(sweep(31.0));
        assert_eq!(record.with_test(60.0, 60.0), (None, 31.0));
    }

    #[test]
    fn without_self_tests_it_is_what_the_worker_told() {
        let mut record = record();
        steps(&mut record, &[(Phase::Write, PhaseStatus::Running, 0.0)]);
        assert_eq!(record.of_the_whole(&sweep(50.0)), sweep(50.0));
    }
}
