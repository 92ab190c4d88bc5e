//! What a verdict is heading for while there is none.

use std::collections::BTreeSet;

use wire::job::{Outcome, RuleHit};

use crate::evidence::Evidence;
use crate::verdict::{Case, Rule, Rules, judge};

/// The rules that have fired by what a drive told of itself before it was written to, and by the job's own self-tests; the worst first.
///
/// Nothing of what is only missing because the job goes on, nor of what is counted at its end: a write clears pending sectors.
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
        .collect();
    let mut rules = judge(&told).rules;
    rules.retain(|hit| matches!(hit.outcome, Outcome::Warn | Outcome::Failed) && !left_out.contains(&hit.id));
    rules
}
