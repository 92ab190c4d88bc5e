//! What was judged is the whole drive, and SMART told something to judge by.

use drive::smart::{NvmeHealth, ScsiHealth};
use wire::job::{SelfTest, SelfTestOutcome};

use super::*;

fn judged(evidence: &Evidence, snapshot: &Snapshot, profile: Profile) -> Verdict {
    judge(&Case {
        wants_smart: true,
        before: Some(snapshot),
        after: Some(snapshot),
        profile,
        ..Case::new(evidence)
    })
}

fn sized(capacity: u64) -> Snapshot {
    Snapshot {
        capacity: Some(capacity),
        ..snapshot()
    }
}

#[test]
fn a_part_of_the_drive_that_this_box_cannot_reach_is_told() {
    let mut evidence = clean();
    evidence.geometry.sectors = 801_569_726_464 / 512;
    for record in &mut evidence.phases {
        record.total = Bytes(801_569_726_464);
        record.done = record.total;
    }
    // A 3 TB disk behind a bridge that counts 32 bits of sectors; one name space of a 2 TB drive.
    for whole in [3_000_592_982_016, 2_000_398_934_016] {
        let verdict = judged(&evidence, &sized(whole), Profile::Used);
        assert_eq!((verdict.outcome, ids(&verdict)), (Outcome::Warn, vec!["size-untested"]));
        let told = &verdict.rules[0].value;
        assert!(told.starts_with(&Bytes(whole - 801_569_726_464).to_string()), "{told}");
        assert!(told.contains(&Bytes(whole).to_string()), "{told}");
    }
    // The larger one counts; that they differ is judged as well.
    let (large, small) = (sized(3_000_592_982_016), sized(801_569_726_464));
    let verdict = verdict(&evidence, Some(&small), Some(&large));
    assert_eq!(ids(&verdict), ["other-identity", "size-untested"]);
}

#[test]
fn one_of_two_units_with_one_serial_number_is_not_the_drive() {
    let evidence = clean();
    let own = evidence.geometry.bytes();
    let of = |smart: Option<&Snapshot>, beside: u64| {
        let verdict = judge(&Case {
            before: smart,
            after: smart,
            beside: Bytes(beside),
            ..Case::new(&evidence)
        });
        let hit = verdict.rules.into_iter().find(|hit| hit.id == "size-untested");
        (verdict.outcome, hit.map(|hit| hit.value))
    };
    let mut unit = snapshot();
    unit.capacity = Some(own);
    let mut all = snapshot();
    all.capacity = Some(2 * own + (8 << 20));
    for smart in [None, Some(&unit)] {
        assert_eq!(of(smart, 0).1, None);
        let (outcome, value) = of(smart, own);
        assert_eq!(outcome, Outcome::Warn);
        assert!(value.unwrap().contains("other logical units"));
    }
    assert!(of(Some(&all), own).1.unwrap().contains("the drive tells"));
}

#[test]
fn sizes_that_differ_by_rounding_are_one_size() {
    const TB: u64 = 1_000_000_000_000;
    let mut large = clean();
    large.geometry.sectors = TB / 512;
    for (evidence, told, alarmed) in [
        (&large, TB, false),
        (&large, TB + 8 * 512, false),
        (&large, TB + 90_000_000, false),
        (&large, TB + 110_000_000, true),
        (&large, TB - 110_000_000, false),
        (&large, 0, false),
        (&clean(), (512 << 20) + (1 << 20), false),
        (&clean(), (512 << 20) + (1 << 20) + 1, true),
    ] {
        let case = sized(told);
        let case = Case {
            wants_smart: true,
            before: Some(&case),
            after: Some(&case),
            ..Case::new(evidence)
        };
        let fired = judge(&case).rules.iter().any(|hit| hit.id == "size-untested");
        assert_eq!(fired, alarmed, "{told} of {}", evidence.geometry.bytes());
    }
}

#[test]
fn smart_that_tells_nothing_that_is_judged_is_no_witness() {
    let of = |change: &dyn Fn(&mut Snapshot)| {
        let mut told = snapshot();
        change(&mut told);
        let verdict = judged(&clean(), &told, Profile::Used);
        (verdict.outcome, ids(&verdict).join(" "))
    };
    let without = (Outcome::Warn, "smart-without-counters".to_owned());
    assert_eq!(of(&|s| s.attributes = vec![attribute(194, 33)]), without);
    assert_eq!(of(&|s| s.attributes = vec![attribute(9, 5), attribute(12, 2)]), without);
    let alone = |s: &mut Snapshot| s.attributes.clear();
    assert_eq!(
        of(&|s| {
            alone(s);
            s.nvme = Some(NvmeHealth {
                critical_warning: Some(0),
                ..NvmeHealth::default()
            });
        }),
        without
    );
    assert_eq!(
        of(&|s| {
            alone(s);
            s.scsi = Some(ScsiHealth::default());
        }),
        without
    );
    let silent = (Outcome::Passed, String::new());
    assert_eq!(of(&|s| s.attributes = vec![attribute(5, 0)]), silent);
    assert_eq!(
        of(&|s| {
            alone(s);
            s.nvme = Some(NvmeHealth {
                critical_warning: Some(0),
                media_errors: Some(0),
                ..NvmeHealth::default()
            });
        }),
        silent
    );
}

#[test]
fn a_failed_command_and_no_word_of_its_own_is_told() {
    for (passed, exit_status, want) in [
        (None, 0, vec!["smart-without-verdict"]),
        (None, 0b100, vec!["smart-without-verdict", "smart-failed-in-part"]),
        (Some(true), 0b100, vec!["smart-failed-in-part"]),
        (Some(true), 0b100_0000, vec!["error-log"]),
        (Some(true), 0, vec![]),
    ] {
        let told = Snapshot {
            passed,
            exit_status: Some(exit_status),
            ..snapshot()
        };
        let verdict = judged(&clean(), &told, Profile::Used);
        assert_eq!(ids(&verdict), want, "{passed:?} {exit_status:#b}");
        assert_eq!(verdict.outcome == Outcome::Warn, passed.is_none());
    }
}

#[test]
fn warnings_that_cannot_be_read_are_not_none() {
    let nvme = |critical_warning| Snapshot {
        protocol: Protocol::Nvme,
        attributes: Vec::new(),
        nvme: Some(NvmeHealth {
            critical_warning,
            media_errors: Some(0),
            ..NvmeHealth::default()
        }),
        ..snapshot()
    };
    let (read, unread) = (nvme(Some(0)), nvme(None));
    let of = |before, after| {
        let verdict = verdict(&clean(), Some(before), Some(after));
        (verdict.outcome, ids(&verdict).join(" "))
    };
    assert_eq!(of(&read, &read), (Outcome::Passed, String::new()));
    assert_eq!(
        of(&unread, &unread),
        (Outcome::Warn, "smart-without-verdict".to_owned())
    );
    let (outcome, told) = of(&read, &unread);
    assert!(
        outcome == Outcome::Inconclusive && told.contains("smart-counters-gone"),
        "{told}"
    );
    let (outcome, told) = of(&unread, &read);
    assert!(
        outcome == Outcome::Inconclusive && told.contains("smart-counters-new"),
        "{told}"
    );
}

#[test]
fn what_the_exit_status_alone_tells_is_believed() {
    // What was so before the job, too, has been so in the past.
    const NOW: [&str; 2] = ["attribute-at-threshold", "attribute-was-at-threshold"];
    let failing = |exit_status, passed| Snapshot {
        passed,
        exit_status: Some(exit_status),
        self_tests: Vec::new(),
        ..snapshot()
    };
    for (told, outcome, want) in [
        (
            failing(8, None),
            Outcome::Failed,
            vec!["smart-failing", "smart-without-verdict"],
        ),
        (failing(8, Some(true)), Outcome::Failed, vec!["smart-failing"]),
        (failing(16, Some(true)), Outcome::Failed, NOW.to_vec()),
        (
            failing(32, Some(true)),
            Outcome::Warn,
            vec!["attribute-was-at-threshold"],
        ),
        (failing(128, Some(true)), Outcome::Warn, vec!["self-test-failed-before"]),
        (failing(64, Some(true)), Outcome::Passed, vec!["error-log"]),
    ] {
        let verdict = judged(&clean(), &told, Profile::Used);
        assert_eq!(
            (verdict.outcome, ids(&verdict)),
            (outcome, want),
            "{:?}",
            told.exit_status
        );
    }
    // Heat is no failure of an NVMe drive, and its own bits say so.
    let warm = Snapshot {
        nvme: Some(NvmeHealth {
            critical_warning: Some(0),
            media_errors: Some(0),
            ..NvmeHealth::default()
        }),
        ..failing(8, None)
    };
    assert_eq!(judged(&clean(), &warm, Profile::Used).outcome, Outcome::Passed);
    // A row that tells of it is counted once, and a temperature's is heat.
    let at = |id, word: &str, exit_status| {
        let mut told = failing(exit_status, Some(true));
        told.attributes.push(Attribute {
            when_failed: word.to_owned(),
            ..attribute(id, 0)
        });
        judged(&clean(), &told, Profile::Used)
    };
    assert_eq!(ids(&at(5, "now", 16)), NOW);
    assert_eq!(ids(&at(194, "now", 16)), ["attribute-was-at-threshold"]);
    assert!(at(5, "past", 32).rules.iter().all(|hit| hit.value.starts_with("1 ")));
}

#[test]
fn whether_a_drive_is_new_is_not_passed_over_without_smart_from_before() {
    let (evidence, good) = (clean(), snapshot());
    let of = |wants_smart, before, profile| {
        let verdict = judge(&Case {
            wants_smart,
            before,
            after: before,
            profile,
            ..Case::new(&evidence)
        });
        (verdict.outcome, ids(&verdict).join(" "))
    };
    assert_eq!(
        of(false, None, Profile::New),
        (Outcome::Warn, "new-unknown".to_owned()),
        "a playbook without SMART"
    );
    assert_eq!(
        of(true, None, Profile::New),
        (Outcome::Warn, "smart-unreadable new-unknown".to_owned())
    );
    assert_eq!(of(true, Some(&good), Profile::New).0, Outcome::Passed);
    assert_eq!(of(false, None, Profile::Used).0, Outcome::Passed);
}

#[test]
fn each_self_test_that_is_due_is_looked_for_by_its_kind() {
    use Phase::{SelfTestExtended as Extended, SelfTestShort as Short};
    let evidence = clean();
    for (due, ran, missing) in [
        (&[Short, Extended][..], &[Short, Short][..], 1.0),
        (&[Short, Extended], &[Extended, Short], 0.0),
        (&[Short, Extended, Short], &[Short, Extended], 1.0),
        (&[Short, Extended, Short], &[], 3.0),
        (&[Short], &[Short, Extended], 0.0),
    ] {
        let ran: Vec<SelfTest> = ran
            .iter()
            .map(|phase| SelfTest {
                phase: *phase,
                outcome: SelfTestOutcome::Passed,
                told: "x".into(),
                lba: None,
                step: None,
            })
            .collect();
        let case = Case {
            self_tests_due: due,
            self_tests: &ran,
            ..Case::new(&evidence)
        };
        assert_eq!(
            metrics(&case).get("self_test.missing"),
            Some(missing),
            "{due:?} {ran:?}"
        );
        let fired = judge(&case).outcome == Outcome::Inconclusive;
        assert_eq!(fired, missing > 0.0);
    }
}

/// Nobody had asked the drive by then.
#[test]
fn a_job_that_was_ended_before_it_did_anything_does_not_say_that_smart_was_unreadable() {
    let mut evidence = Evidence::new(GEOMETRY, &plain(&[Phase::Write, Phase::Verify]));
    evidence.stopped = Some(Stop::Asked {
        why: "aborted by ann".to_owned(),
    });
    let told = |evidence: &Evidence| {
        let verdict = judge(&Case {
            wants_smart: true,
            profile: Profile::New,
            ..Case::new(evidence)
        });
        let smart = verdict
            .rules
            .iter()
            .filter(|hit| ["smart-unreadable", "new-unknown"].contains(&hit.id.as_str()));
        (verdict.outcome, smart.count())
    };
    assert_eq!(told(&evidence), (Outcome::Inconclusive, 0));
    evidence.phases[0].done = Bytes(512);
    assert_eq!(told(&evidence), (Outcome::Inconclusive, 2));
}
