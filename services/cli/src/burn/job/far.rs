//! How far a job is, as its line tells it: the engine's steps beside those that this process does itself. [`Whole`] decides.

use std::collections::BTreeMap;

use burnin::Evidence;
use burnin::job::Whole;
use burnin::playbook::{Step, moves_data};
use wire::job::{PhaseState, PhaseStatus, Progress};

use super::own::Own;

/// Where the engine's steps stand, and how far the job was told to be.
#[derive(Clone, Debug)]
pub(super) struct Far {
    /// By step.
    engine: BTreeMap<u16, PhaseState>,
    /// In percent.
    told: f64,
}

impl Far {
    pub(super) fn new(steps: &[Step]) -> Self {
        let engine = (0..).zip(steps).filter(|(_, step)| moves_data(step.phase));
        Self {
            engine: engine.map(|(at, step)| (at, step.pending())).collect(),
            told: 0.0,
        }
    }

    /// The engine came to this.
    pub(super) fn take(&mut self, evidence: &Evidence) {
        self.engine.extend(evidence.step_states());
    }

    /// One of the engine's steps ended.
    pub(super) fn ended(&mut self, step: u16, state: PhaseState) {
        self.engine.insert(step, state);
    }

    /// One of the engine's steps began.
    pub(super) fn begins(&mut self, step: u16) {
        if let Some(state) = self.engine.get_mut(&step) {
            state.status = PhaseStatus::Running;
        }
    }
}

impl Own {
    /// What the engine told of its own steps, as it is of the whole job.
    pub(super) fn of_steps(&mut self, told: &Progress, spent: f64) -> Progress {
        let told = self.as_whole(|whole| whole.of_steps(told, spent));
        self.far.told = told.percent;
        told
    }

    /// Of a self-test under way, as [`Whole::with_test`].
    pub(super) fn with_test(&mut self, elapsed: f64, left: f64) -> (Option<f64>, f64) {
        let (eta, percent) = self.as_whole(|whole| whole.with_test(elapsed, left));
        self.far.told = percent;
        (eta, percent)
    }

    fn as_whole<T>(&self, of: impl FnOnce(Whole<'_>) -> T) -> T {
        let phases = self.states.values().chain(self.far.engine.values());
        of(Whole {
            phases: &phases.cloned().collect::<Vec<_>>(),
            smart_before: self.before.as_ref(),
            told_percent: self.far.told,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use drive::smart::Snapshot;
    use wire::Bytes;
    use wire::job::Phase;

    use super::*;

    fn told(percent: f64) -> Progress {
        Progress {
            phase: Phase::Write,
            step: 1,
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

    /// The bar fell back to nothing in each of them, and the time left knew of none.
    #[test]
    fn self_tests_are_part_of_what_is_told_of_a_job() {
        let steps = [Phase::SelfTestShort, Phase::Write, Phase::SelfTestExtended].map(Step::from);
        let mut own = Own::new(&steps);
        let mut before = Snapshot::default();
        before.self_test.short_minutes = Some(2);
        before.self_test.extended_minutes = Some(10);
        own.before = Some(before);
        let stands = |own: &mut Own, step, status, seconds| {
            let state = own.states.get_mut(&step).unwrap();
            (state.status, state.seconds) = (status, seconds);
        };
        stands(&mut own, 0, PhaseStatus::Running, 0.0);
        assert_eq!(
            own.with_test(60.0, 60.0),
            (None, 0.0),
            "nobody knows how long a write takes"
        );
        stands(&mut own, 0, PhaseStatus::Done, 100.0);
        own.far.begins(1);
        let moved = own.of_steps(&told(50.0), 100.0);
        assert_eq!((moved.eta_job, moved.percent), (Some(700.0), 100.0 * 200.0 / 900.0));
        let state = PhaseState {
            status: PhaseStatus::Done,
            seconds: 200.0,
            ..steps[1].pending()
        };
        own.far.ended(1, state);
        stands(&mut own, 2, PhaseStatus::Running, 0.0);
        assert_eq!(own.with_test(150.0, 450.0), (Some(450.0), 50.0));
        // It takes longer than the drive announced.
        assert_eq!(own.with_test(100.0, 500.0), (Some(500.0), 50.0));
    }
}
