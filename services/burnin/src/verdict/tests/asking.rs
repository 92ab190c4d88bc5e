//! Readings of SMART that failed in part, and what smartctl says of its own asking.

use drive::smart::{SelfTest as LogEntry, SnapshotMessage};
use wire::drive::Rotation;

use super::*;

fn exited(status: u8) -> Snapshot {
    Snapshot {
        exit_status: Some(status),
        ..snapshot()
    }
}

#[test]
fn every_bit_of_the_exit_status_is_told_or_judged() {
    let good = snapshot();
    for (bit, after_alone, on_both_sides) in [
        (0, Outcome::Inconclusive, Outcome::Inconclusive),
        (1, Outcome::Inconclusive, Outcome::Inconclusive),
        (2, Outcome::Inconclusive, Outcome::Passed),
        (3, Outcome::Failed, Outcome::Failed),
        (4, Outcome::Failed, Outcome::Failed),
        (5, Outcome::Warn, Outcome::Warn),
        (6, Outcome::Passed, Outcome::Passed),
        // A self-test that failed since the baseline is the newest.
        (7, Outcome::Failed, Outcome::Warn),
    ] {
        let told = exited(1 << bit);
        let alone = verdict(&clean(), Some(&good), Some(&told));
        let both = verdict(&clean(), Some(&told), Some(&told));
        assert_eq!((alone.outcome, both.outcome), (after_alone, on_both_sides), "bit {bit}");
        assert!(!alone.rules.is_empty() && !both.rules.is_empty(), "bit {bit}");
        // What was so before the job alone is told as well.
        let before = verdict(&clean(), Some(&told), Some(&good));
        assert!(!before.rules.is_empty(), "bit {bit}");
    }
}

#[test]
fn a_reading_that_failed_in_part_says_what_smartctl_said() {
    let mut told = exited(0b100);
    told.messages = vec![
        SnapshotMessage {
            severity: "information".into(),
            text: "nothing".into(),
        },
        SnapshotMessage {
            severity: "warning".into(),
            text: "ATA error count 9 inconsistent with error log pointer 5.".into(),
        },
    ];
    let verdict = verdict(&clean(), Some(&told), Some(&told));
    assert_eq!(
        (verdict.outcome, ids(&verdict)),
        (Outcome::Passed, vec!["smart-failed-in-part"])
    );
    assert!(
        verdict.rules[0].value.contains(
            "before: exit status 4, ATA error count 9 inconsistent with error log pointer 5; after: exit status 4"
        ),
        "{}",
        verdict.rules[0].value
    );
}

#[test]
fn wrong_checksums_of_what_is_judged_are_inconclusive_and_of_logs_warn() {
    let good = snapshot();
    for (name, want) in [
        ("SMART Attribute Data Structure", Outcome::Inconclusive),
        ("SMART Attribute Thresholds Structure", Outcome::Inconclusive),
        ("SMART Self-Test Log Structure", Outcome::Warn),
        ("SMART ATA Error Log Structure", Outcome::Warn),
        ("SMART Selective Self-Test Log Structure", Outcome::Passed),
        ("Drive Identity Structure", Outcome::Passed),
    ] {
        let wrong = Snapshot {
            wrong_checksums: vec![name.to_owned()],
            ..snapshot()
        };
        for (before, after) in [(&good, &wrong), (&wrong, &good), (&wrong, &wrong)] {
            let verdict = verdict(&clean(), Some(before), Some(after));
            assert_eq!(verdict.outcome, want, "{name}");
            assert!(verdict.rules[0].value.contains(name), "{verdict:?}");
        }
    }
}

#[test]
fn attributes_with_a_wrong_checksum_prove_neither_growth_nor_an_end() {
    let mut garbled = with(5, 9);
    garbled.wrong_checksums = vec!["SMART Attribute Data Structure".to_owned()];
    let last = garbled.attributes.last_mut().unwrap();
    (last.value, last.worst, last.threshold, last.prefail) = (Some(1), Some(1), Some(50), true);
    let good = with(5, 0);
    for (before, after) in [(&good, &garbled), (&garbled, &good), (&garbled, &garbled)] {
        let verdict = verdict(&clean(), Some(before), Some(after));
        assert_eq!(verdict.outcome, Outcome::Inconclusive, "{verdict:?}");
        assert!(
            verdict.rules.iter().all(|hit| hit.outcome != Outcome::Failed),
            "{verdict:?}"
        );
    }
}

#[test]
fn an_attribute_at_its_threshold_is_judged_by_its_figures_where_the_word_is_missing() {
    for (value, worst, threshold, prefail, want) in [
        (Some(10), Some(10), Some(10), true, Outcome::Failed),
        (Some(9), Some(9), Some(10), false, Outcome::Failed),
        (Some(100), Some(10), Some(10), false, Outcome::Warn),
        (Some(11), Some(11), Some(10), true, Outcome::Passed),
        (Some(0), Some(0), Some(0), true, Outcome::Passed),
        (Some(0), Some(0), None, true, Outcome::Passed),
        (None, None, Some(10), true, Outcome::Passed),
    ] {
        let mut told = with(3, 0);
        let last = told.attributes.last_mut().unwrap();
        (last.value, last.worst, last.threshold, last.prefail) = (value, worst, threshold, prefail);
        let verdict = verdict(&clean(), Some(&told), Some(&told));
        assert_eq!(verdict.outcome, want, "{value:?} {worst:?} {threshold:?}");
    }
}

#[test]
fn entries_that_join_the_error_log_warn() {
    let counted = |count| Snapshot {
        error_log_count: Some(count),
        ..snapshot()
    };
    let of = |before: &Snapshot, after: &Snapshot| {
        let verdict = verdict(&clean(), Some(before), Some(after));
        (verdict.outcome, ids(&verdict).join(" "))
    };
    let (none, twelve) = (counted(0), counted(12));
    assert_eq!(of(&none, &none), (Outcome::Passed, String::new()));
    assert_eq!(of(&twelve, &twelve), (Outcome::Passed, "error-log".to_owned()));
    let (outcome, told) = of(&none, &twelve);
    assert!(
        outcome == Outcome::Warn && told.contains("error-log-entries-added"),
        "{told}"
    );
    assert_eq!(
        of(&none, &snapshot()).0,
        Outcome::Inconclusive,
        "it is not told any more"
    );
}

#[test]
fn heat_alone_is_no_failure_of_an_nvme_drive_and_any_other_warning_is() {
    let of = |warning, passed, status| {
        let told = Snapshot {
            protocol: Protocol::Nvme,
            attributes: Vec::new(),
            passed,
            exit_status: Some(status),
            nvme: Some(NvmeHealth {
                critical_warning: Some(warning),
                media_errors: Some(0),
                ..NvmeHealth::default()
            }),
            ..snapshot()
        };
        verdict(&clean(), Some(&told), Some(&told)).outcome
    };
    // smartctl calls a hot drive FAILED, since a bit is set.
    assert_eq!(of(0b10, Some(false), 8), Outcome::Inconclusive);
    assert_eq!(of(0b11, Some(false), 8), Outcome::Failed);
    assert_eq!(
        of(0b100_0000, Some(false), 8),
        Outcome::Failed,
        "a bit that is reserved"
    );
    assert_eq!(of(0, Some(false), 8), Outcome::Failed, "word and bits differ");
    assert_eq!(of(0, Some(true), 0), Outcome::Passed);
}

#[test]
fn a_failed_self_test_that_only_the_exit_status_tells_beside_newer_ones_is_told() {
    let mut told = exited(128);
    told.self_tests = vec![LogEntry {
        kind: "Short offline".into(),
        status: String::new(),
        passed: Some(true),
        hours: None,
        lba: None,
    }];
    assert_eq!(fired(&both(&clean(), &told), "self-test-failed-before"), WARN);
}

#[test]
fn what_cannot_be_true_is_told_and_never_passed() {
    let odd = Snapshot {
        strange: vec!["attribute 5 stands there more than once".into()],
        ..snapshot()
    };
    let verdict = judge(&both(&clean(), &odd));
    assert_eq!((verdict.outcome, ids(&verdict)), (Outcome::Warn, vec!["smart-strange"]));
    assert!(verdict.rules[0].value.contains("after: attribute 5"), "{verdict:?}");
}

#[test]
fn another_model_or_capacity_after_the_job_is_another_drive() {
    let good = Snapshot {
        model: Some("ST4000".into()),
        capacity: Some(GEOMETRY.bytes()),
        serial: Some("S1".into()),
        ..snapshot()
    };
    for change in [
        (|s| s.model = Some("ST8000".into())) as fn(&mut Snapshot),
        |s| s.capacity = Some(512),
        |s| s.serial = Some("S2".into()),
    ] {
        let mut other = good.clone();
        change(&mut other);
        let verdict = verdict(&clean(), Some(&good), Some(&other));
        assert_eq!(verdict.outcome, Outcome::Inconclusive, "{verdict:?}");
        assert!(ids(&verdict).contains(&"other-identity"));
        assert_eq!(verdict.verified, Bytes(0));
    }
    assert_eq!(verdict(&clean(), Some(&good), Some(&good)).outcome, Outcome::Passed);
}

#[test]
fn counters_of_faults_that_fall_or_come_to_their_end_are_never_passed() {
    for id in [5, 10, 184, 187, 196, 199] {
        for (from, to) in [(3, 0), (255, 0), (250, 3), (65_535, 2)] {
            let (before, after) = (with(id, from), with(id, to));
            let evidence = clean();
            let case = Case {
                before: Some(&before),
                ..both(&evidence, &after)
            };
            assert_eq!(fired(&case, "counters-went-back"), INCONCLUSIVE, "{id}: {from} to {to}");
        }
    }
}

#[test]
fn hours_of_the_statistics_tell_a_used_drive_whose_attribute_was_set_back() {
    use drive::smart::Statistic;
    let (evidence, mut drive) = (clean(), snapshot());
    drive.statistics = vec![Statistic {
        name: "Power-on Hours".into(),
        value: 31_000,
        normalized: false,
    }];
    let case = Case {
        profile: Profile::New,
        ..both(&evidence, &drive)
    };
    assert_eq!(fired(&case, "hours-on-new"), FAILED);
    assert_eq!(judge(&both(&evidence, &drive)).outcome, Outcome::Passed, "a used one");
}

#[test]
fn a_field_log_that_could_not_be_asked_for_is_told_of_a_new_drive() {
    let (evidence, mut drive) = (clean(), snapshot());
    drive.seagate = true;
    let case = Case {
        profile: Profile::New,
        ..both(&evidence, &drive)
    };
    assert_eq!(fired(&case, "farm-unknown"), TOLD);
    let flash = Snapshot {
        rpm: Some(0),
        ..drive.clone()
    };
    let case = Case {
        profile: Profile::New,
        ..both(&evidence, &flash)
    };
    assert_eq!(fired(&case, "farm-unknown"), None);
}

#[test]
fn an_error_that_smartctl_tells_is_told_whatever_its_exit_status() {
    let of = |severity: &str| {
        let mut told = exited(0);
        told.messages = vec![SnapshotMessage {
            severity: severity.into(),
            text: "Read SMART Log failed".into(),
        }];
        fired(&both(&clean(), &told), "smart-failed-in-part")
    };
    assert_eq!((of("error"), of("warning"), of("information")), (TOLD, None, None));
}

/// Each of these makes the comparison INCONCLUSIVE, and may be gone when the drive is asked once more.
#[test]
fn a_reading_that_lacks_what_was_told_before_is_worth_asking_again() {
    let disk = Rotation::Spinning { rpm: Some(7200) };
    let good = snapshot();
    let without = |id| {
        let mut told = snapshot();
        told.attributes.retain(|attribute| attribute.id != id);
        told
    };
    let wrong = |name: &str| Snapshot {
        wrong_checksums: vec![name.to_owned()],
        ..snapshot()
    };
    let silent = Snapshot {
        passed: None,
        ..snapshot()
    };
    for (before, now, worth) in [
        (Some(&good), &good, false),
        (Some(&good), &exited(0b100), true),
        (Some(&exited(0b100)), &exited(0b100), false),
        (None, &exited(0b100), false),
        (Some(&good), &without(197), true),
        (Some(&without(197)), &good, false),
        (None, &without(197), false),
        (Some(&good), &silent, true),
        (None, &wrong("SMART Attribute Data Structure"), true),
        (Some(&good), &wrong("Drive Identity Structure"), false),
        (None, &exited(0b10), true),
        // What the drive says of itself is an answer.
        (Some(&good), &exited(0b1000), false),
    ] {
        let lacks = lacks(before, now, disk);
        assert_eq!(lacks.is_some(), worth, "{lacks:?}");
    }
}
