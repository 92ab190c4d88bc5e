//! Phases of an add-on's jobs whose end was told: each is told once, until it begins anew. Pure; time is passed in.
//!
//! Several things may run under one job and phase, as the drives of one sync: one at 100 % beside one at 40 % is no beginning.

use std::collections::BTreeMap;
use std::time::Duration;

/// Most that are remembered: of sixty drives several phases each. Past that the one that was longest silent is forgotten, and is
/// told again when it speaks.
const MOST: usize = 400;

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
                let oldest = self.0.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone());
                oldest.and_then(|oldest| self.0.remove(&oldest));
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
    fn of_more_phases_than_are_remembered_those_that_go_on_speaking_are_told_once() {
        let mut phases = Phases::default();
        let mut tell = |round: u64, drive: u64| {
            let at = Duration::from_millis(round * 5000 + drive);
            ["VERIFY", "SYNC"].map(|phase| phases.ends(at, &format!("drive {drive}"), phase, 100.0))
        };
        let told = (0..10).flat_map(|round| (0..60).map(move |drive| (round, drive)));
        let told = told.flat_map(|(round, drive)| tell(round, drive)).filter(|told| *told);
        assert_eq!(told.count(), 120);
        // Of others that come beside them, the sixty are not forgotten.
        for drive in 60..600 {
            tell(10 + drive, drive);
            assert_eq!(tell(10 + drive, 0), [false, false], "{drive}");
        }
        assert_eq!(tell(700, 1), [true, true], "long silent, told again");
    }

    #[test]
    fn one_that_begins_anew_ends_anew() {
        let mut phases = Phases::default();
        assert!(told(&mut phases, 0, 100.0));
        assert!(!told(&mut phases, 59, 0.0) && !told(&mut phases, 60, 100.0));
        assert!(!told(&mut phases, 120, 49.0) && told(&mut phases, 121, 100.0));
    }
}
