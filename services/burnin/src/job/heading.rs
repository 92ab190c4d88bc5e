//! What a verdict is heading for while there is none.

use std::collections::BTreeSet;

use wire::job::{Outcome, RuleHit};

use crate::evidence::Evidence;
use crate::verdict::{Case, Rule, Rules, judge};

/// The rules that have fired by what a drive told of itself before it was written to, and by the job's own self-tests; the worst first.
///
/// Nothing of what is only missing because the job goes on, nor of what is counted at its end: a write clears pending sectors. Nor of an
/// earlier self-test that failed where the job has one of its own, which is the newest then.
pub fn heading(case: &Case<'_>) -> Vec<RuleHit> {
    let nothing = Evidence::new(case.evidence.geometry, &[]);
    let untold = Case {
        profile: case.profile,
        bus: case.bus,
        rotation: case.rotation,
        ..Case::new(&nothing)
    };
    let told = Case {
        before: case.before,
        self_tests: case.self_tests,
        ..untold
    };
    let of_the_end = |rule: &&Rule| rule.metric.ends_with(".after");
    let left_out: BTreeSet<String> = judge(&untold)
        .rules
        .into_iter()
        .map(|hit| hit.id)
        .chain(Rules::built_in().iter().filter(of_the_end).map(|rule| rule.id.clone()))
        .chain((!case.self_tests_due.is_empty()).then(|| "self-test-failed".to_owned()))
        .collect();
    let mut rules = judge(&told).rules;
    rules.retain(|hit| matches!(hit.outcome, Outcome::Warn | Outcome::Failed) && !left_out.contains(&hit.id));
    rules
}

#[cfg(test)]
mod tests {
    use drive::smart::Snapshot;
    use wire::job::Phase;

    use super::*;
    use crate::device::Geometry;

    #[test]
    fn an_earlier_self_test_counts_where_the_job_has_none_of_its_own() {
        let geometry = Geometry {
            sectors: 1000,
            sector: 512,
            physical: 512,
        };
        let nothing = Evidence::new(geometry, &[]);
        let before = Snapshot {
            passed: Some(true),
            self_test_failed: true,
            ..Snapshot::default()
        };
        let ids = |due: &[Phase]| -> Vec<String> {
            let hits = heading(&Case {
                before: Some(&before),
                self_tests_due: due,
                ..Case::new(&nothing)
            });
            hits.into_iter().map(|hit| hit.id).collect()
        };
        assert_eq!(ids(&[]), ["self-test-failed"]);
        assert_eq!(ids(&[Phase::SelfTestShort]), [""; 0]);
    }
}
