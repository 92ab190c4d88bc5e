//! Phases of an add-on's jobs whose end was told: each is told once, until it begins anew. Pure; time is passed in.
//!
//! Several things may run under one job and phase, as the drives of one sync: one at 100 % beside one at 40 % is no beginning.

use std::collections::BTreeMap;
use std::time::Duration;

/// Most that are remembered: enough to tell each once; past that, telling twice does no harm.
const MOST: usize = 100;

/// Below this percent a phase begins anew: a percent that flickers at its end does not.
const BEGINS: f64 = 50.0;

/// How long none of its kind may have been at its end. Source: add-ons tell where they are each few seconds.
const QUIET: Duration = Duration::from_mins(1);

/// By job and phase, when one was last at its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Phases(BTreeMap<(String, String), Duration>);

impl Phases {
    /// Whether this is an end that was not told yet; it counts as told from then on.
    pub(super) fn ends(&mut self, now: Duration, job: &str, phase: &str, percent: f64) -> bool {
        let key = (job.to_owned(), phase.to_owned());
        if percent >= 100.0 {
            if self.0.len() >= MOST && !self.0.contains_key(&key) {
                self.0.clear();
            }
            return self.0.insert(key, now).is_none();
        }
        if percent < BEGINS && self.0.get(&key).is_some_and(|at| now.saturating_sub(*at) >= QUIET) {
            self.0.remove(&key);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(phases: &mut Phases, at: u64, percent: f64) -> bool {
        phases.ends(Duration::from_secs(at), "sync", "SYNC", percent)
    }

    #[test]
    fn what_runs_beside_one_that_is_over_does_not_begin_it_anew() {
        let mut phases = Phases::default();
        let ends = (0..1000).filter(|at| told(&mut phases, *at, 100.0) | told(&mut phases, *at, 40.0));
        assert_eq!(ends.count(), 1);
        let flickers = (1000..2000).filter(|at| told(&mut phases, at * 100, if at % 2 == 0 { 100.0 } else { 99.9 }));
        assert_eq!(flickers.count(), 0);
    }

    #[test]
    fn one_that_begins_anew_ends_anew() {
        let mut phases = Phases::default();
        assert!(told(&mut phases, 0, 100.0));
        assert!(!told(&mut phases, 59, 0.0) && !told(&mut phases, 60, 100.0));
        assert!(!told(&mut phases, 120, 49.0) && told(&mut phases, 121, 100.0));
    }
}
