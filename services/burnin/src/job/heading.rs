//! What a verdict is heading for while there is none.

use std::collections::BTreeSet;

use drive::smart::Snapshot;
use wire::job::{Outcome, RuleHit};

use crate::evidence::Evidence;
use crate::verdict::{Case, Rule, Rules, judge};

/// The rules that have fired by what a drive told of itself before it was written to, and by the job's own self-tests; the worst first.
///
/// Nothing of what is only missing because the job goes on, nor of what is counted at its end: a write clears pending sectors. Nor of an
/// earlier self-test that failed where the job has one of its own, which is the newest then; nor of what a drive takes back by telling nothing
/// of it at the end, as a value that recovers from its threshold.
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
        meanwhile: case.meanwhile,
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
    let cured = case.before.map(cured);
    let stays = judge(&Case {
        after: cured.as_ref(),
        ..told
    });
    let stays = |hit: &RuleHit| {
        stays
            .rules
            .iter()
            .any(|kept| (&kept.id, kept.outcome) == (&hit.id, hit.outcome))
    };
    let mut rules = judge(&told).rules;
    rules.retain(|hit| {
        matches!(hit.outcome, Outcome::Warn | Outcome::Failed) && !left_out.contains(&hit.id) && stays(hit)
    });
    rules
}

/// The same drive with nothing to tell but that it is well, and of no newer self-test.
fn cured(before: &Snapshot) -> Snapshot {
    Snapshot {
        passed: Some(true),
        model: before.model.clone(),
        serial: before.serial.clone(),
        wwn: before.wwn.clone(),
        capacity: before.capacity,
        protocol: before.protocol,
        rpm: before.rpm,
        self_tests: before.self_tests.clone(),
        self_test_failed: before.self_test_failed,
        ..Snapshot::default()
    }
}

#[cfg(test)]
mod tests {
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

    /// A value may come back above its threshold while the drive works, and is one that was at it in the past then.
    #[test]
    fn what_a_drive_may_take_back_heads_for_no_more_than_that_it_was() {
        let told = |passed: bool| {
            format!(
                r#"{{"smartctl":{{"exit_status":0,"version":[7,4]}},"device":{{"name":"x","type":"sat","protocol":"ATA"}},"serial_number":"S",
                "smart_status":{{"passed":{passed}}},"power_on_time":{{"hours":100}},"ata_smart_attributes":{{"table":[{{"id":7,"name":"Seek_Error_Rate",
                "value":25,"worst":25,"thresh":30,"when_failed":"now","flags":{{"prefailure":true}},"raw":{{"value":0,"string":"0"}}}}]}}}}"#
            )
        };
        let geometry = Geometry {
            sectors: 1000,
            sector: 512,
            physical: 512,
        };
        let nothing = Evidence::new(geometry, &[]);
        for (passed, want) in [
            (true, &["attribute-was-at-threshold"][..]),
            (false, &["smart-failing", "attribute-was-at-threshold"]),
        ] {
            let before = drive::smart::parse(told(passed).as_bytes());
            let hits = heading(&Case {
                before: before.as_ref().ok(),
                ..Case::new(&nothing)
            });
            assert!(before.is_ok());
            let ids: Vec<&str> = hits.iter().map(|hit| hit.id.as_str()).collect();
            assert_eq!(ids, want, "{before:?}");
        }
    }
}
