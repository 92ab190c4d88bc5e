//! What a drive tells of itself, whatever it speaks: sectors, thresholds, self-tests, wear, and what it takes back.

use std::time::Duration;

use drive::smart::{SelfTest as LogEntry, Switch, WriteCounter};
use wire::drive::Rotation;
use wire::job::{SelfTest, SelfTestOutcome};

use super::complete::long;
use super::*;

#[test]
fn reallocated_sectors_of_a_used_drive() {
    for (sectors, want) in [(0, None), (1, WARN), (15, WARN), (16, FAILED)] {
        assert_eq!(
            fired(&both(&clean(), &with(5, sectors)), "reallocated"),
            want,
            "{sectors}"
        );
    }
}

#[test]
fn thresholds_now_fail_in_the_past_warn_and_heat_and_age_are_no_faults() {
    for (id, word, rule, want) in [
        (5, "now", "attribute-at-threshold", FAILED),
        (184, "now", "attribute-at-threshold", FAILED),
        // Starts, hours and load cycles are age.
        (4, "now", "attribute-at-threshold", None),
        (4, "now", "attribute-was-at-threshold", WARN),
        (193, "now", "attribute-was-at-threshold", WARN),
        (5, "past", "attribute-was-at-threshold", WARN),
        (190, "now", "attribute-was-at-threshold", WARN),
        (190, "now", "attribute-at-threshold", None),
        // Heat that is past tells how it was kept.
        (190, "past", "attribute-was-at-threshold", None),
        (190, "past", "attribute-was-hot", TOLD),
        (194, "past", "attribute-was-hot", TOLD),
        (190, "now", "attribute-was-hot", None),
        (190, "", "attribute-was-hot", None),
        (5, "past", "attribute-was-hot", None),
    ] {
        let mut drive = with(id, 0);
        drive.attributes.last_mut().unwrap().when_failed = word.into();
        assert_eq!(fired(&both(&clean(), &drive), rule), want, "{id} {word}");
    }
}

#[test]
fn heat_is_past_only_where_it_was_before_the_job() {
    let evidence = clean();
    let told = |word: &str| {
        let mut drive = with(190, 0);
        drive.attributes.last_mut().unwrap().when_failed = word.into();
        drive
    };
    for (before, after, warns, hot) in [
        ("", "", None, None),
        ("past", "past", None, TOLD),
        ("past", "", None, TOLD),
        ("", "past", WARN, None),
        ("now", "past", WARN, None),
        ("", "now", WARN, None),
    ] {
        let (first, last) = (told(before), told(after));
        let case = Case {
            before: Some(&first),
            ..both(&evidence, &last)
        };
        let got = ["attribute-was-at-threshold", "attribute-was-hot"].map(|rule| fired(&case, rule));
        assert_eq!(got, [warns, hot], "{before:?} to {after:?}");
    }
    let last = told("past");
    let case = Case {
        before: None,
        ..both(&evidence, &last)
    };
    assert_eq!(fired(&case, "attribute-was-hot"), TOLD);
}

#[test]
fn the_drives_own_self_test_log() {
    let entry = |passed| LogEntry {
        kind: "Extended offline".into(),
        status: String::new(),
        passed: Some(passed),
        hours: None,
        lba: None,
    };
    let mut drive = snapshot();
    drive.self_tests = vec![entry(true), entry(false)];
    assert_eq!(fired(&both(&clean(), &drive), "self-test-failed-before"), WARN);
    drive.self_tests.reverse();
    assert_eq!(fired(&both(&clean(), &drive), "self-test-failed"), FAILED);
}

#[test]
fn self_tests_of_the_job_are_never_passed_silently() {
    let (evidence, drive) = (clean(), snapshot());
    let test = |outcome| SelfTest {
        phase: Phase::SelfTestShort,
        outcome,
        told: "its own words".into(),
        lba: None,
        step: None,
    };
    for (outcome, id, want) in [
        (SelfTestOutcome::Passed, "", Outcome::Passed),
        (SelfTestOutcome::Failed, "job-self-test-failed", Outcome::Failed),
        (SelfTestOutcome::Unsupported, "selftest-unsupported", Outcome::Warn),
        (SelfTestOutcome::Aborted, "selftest-unfinished", Outcome::Inconclusive),
        (SelfTestOutcome::Unknown, "selftest-unfinished", Outcome::Inconclusive),
    ] {
        let tests = [test(outcome)];
        let case = Case {
            self_tests_due: &[Phase::SelfTestShort],
            self_tests: &tests,
            ..both(&evidence, &drive)
        };
        let verdict = judge(&case);
        assert_eq!(verdict.outcome, want);
        if let Some(hit) = verdict.rules.first() {
            assert_eq!(hit.id, id);
            assert!(hit.value.ends_with("(its own words)"), "{}", hit.value);
        }
    }
    let missing = Case {
        self_tests_due: &[Phase::SelfTestShort, Phase::SelfTestExtended],
        self_tests: &[test(SelfTestOutcome::Passed)],
        ..both(&evidence, &drive)
    };
    assert_eq!(fired(&missing, "selftest-missing"), INCONCLUSIVE);
}

#[test]
fn wear_helium_and_attributes_that_only_share_the_number() {
    let of = |id, name: &str, value, threshold, rpm| {
        let mut drive = with(id, 0);
        let last = drive.attributes.last_mut().unwrap();
        (last.name, last.value, last.threshold) = (name.into(), Some(value), Some(threshold));
        drive.rpm = Some(rpm);
        judge(&both(&clean(), &drive)).outcome
    };
    assert_eq!(of(177, "Wear_Leveling_Count", 21, 5, 0), Outcome::Passed);
    assert_eq!(of(177, "Wear_Leveling_Count", 20, 5, 0), Outcome::Warn);
    assert_eq!(of(231, "SSD_Life_Left", 10, 5, 0), Outcome::Failed);
    assert_eq!(of(202, "Percent_Lifetime_Remain", 30, 30, 0), Outcome::Failed);
    assert_eq!(of(233, "Media_Wearout_Indicator", 15, 0, 0), Outcome::Warn);
    for (id, name) in [
        (169, "Remaining_Lifetime_Perc"),
        (173, "Wear_Leveling_Count"),
        (201, "Lifetime_Remaining%"),
        (209, "Remaining_Lifetime_Perc"),
        (248, "PCT_Life_Remaining"),
    ] {
        for (value, outcome) in [(21, Outcome::Passed), (20, Outcome::Warn), (10, Outcome::Failed)] {
            assert_eq!(of(id, name, value, 0, 0), outcome, "{id} {name}");
        }
    }
    for name in ["Percent_Lifetime_Used", "Perc_Rated_Life_Used"] {
        for (used, outcome) in [
            (79, Outcome::Passed),
            (80, Outcome::Warn),
            (90, Outcome::Failed),
            (120, Outcome::Failed),
        ] {
            let mut drive = with(202, used);
            drive.attributes.last_mut().unwrap().name = name.into();
            drive.rpm = Some(0);
            assert_eq!(judge(&both(&clean(), &drive)).outcome, outcome, "{name} {used}");
        }
    }
    assert_eq!(of(245, "Percent_Life_Remaining", 2, 0, 0), Outcome::Failed);
    for (value, raw, outcome) in [
        (28, 0x0AF0_020C_0AF0, Outcome::Passed),
        (100, 0x2F24_2314_2F24, Outcome::Passed),
        (90, 0x2328_020C_2328, Outcome::Failed),
        (100, 0x5A1E_5A1E_5A1E, Outcome::Failed),
    ] {
        let mut drive = with(230, raw);
        let attribute = drive.attributes.last_mut().unwrap();
        (attribute.name, attribute.value) = ("Media_Wearout_Indicator".into(), Some(value));
        drive.rpm = Some(0);
        assert_eq!(judge(&both(&clean(), &drive)).outcome, outcome, "{value} {raw:#x}");
    }
    // smartctl gives these names to any flash that it does not know.
    for (id, name) in [(177, "Wear_Leveling_Count"), (233, "Media_Wearout_Indicator")] {
        assert_eq!(of(id, name, 0, 0, 0), Outcome::Passed, "{id} {name}");
        assert_eq!(of(id, name, 0, 1, 0), Outcome::Failed, "{id} {name}: at its threshold");
        assert_eq!(of(id, name, 1, 0, 0), Outcome::Failed, "{id} {name}");
    }
    assert_eq!(of(231, "SSD_Life_Left", 0, 0, 0), Outcome::Failed);
    assert_eq!(of(173, "Unknown_Attribute", 1, 0, 0), Outcome::Passed);
    assert_eq!(of(233, "Lifetime_Wts_to_Flsh_GB", 0, 0, 0), Outcome::Passed);
    assert_eq!(of(177, "Wear_Range_Delta", 0, 0, 0), Outcome::Passed);
    assert_eq!(of(202, "Data_Address_Mark_Errs", 1, 0, 7200), Outcome::Passed);
    assert_eq!(of(22, "Helium_Level", 100, 25, 7200), Outcome::Passed);
    assert_eq!(of(22, "Helium_Level", 99, 25, 7200), Outcome::Warn);
    assert_eq!(of(22, "Helium_Level", 25, 25, 7200), Outcome::Failed);
}

#[test]
fn the_drives_write_counter_is_a_witness_that_never_fails_it() {
    let evidence = long();
    let outcome = |units: &[u64], before, after| {
        let of = |count| Snapshot {
            written: Some(WriteCounter {
                source: "ATA attribute 241 Total_LBAs_Written".into(),
                count,
                units: units.to_vec(),
            }),
            ..snapshot()
        };
        let (before, after) = (of(before), of(after));
        let case = Case {
            wants_smart: true,
            before: Some(&before),
            after: Some(&after),
            ..Case::new(&evidence)
        };
        judge(&case)
    };
    let whole = 1_u64 << 32;
    assert_eq!(outcome(&[512], 7, 7 + whole).outcome, Outcome::Passed);
    assert_eq!(outcome(&[512], 0, whole * 101 / 100).outcome, Outcome::Passed);
    assert_eq!(outcome(&[512, 32 << 20], 0, 65_536).outcome, Outcome::Passed);
    let still = outcome(&[512], 7, 7);
    assert_eq!((still.outcome, ids(&still)), (Outcome::Passed, vec!["written-still"]));
    // It has 32 bits.
    assert_eq!(outcome(&[512], 9, 4).outcome, Outcome::Passed);
    for (before, after) in [(0, 1), (0, whole / 2), (whole + 9, whole), (0, whole * 3)] {
        let verdict = outcome(&[512], before, after);
        assert_eq!(ids(&verdict), ["written-differs"], "{before} to {after}: {verdict:?}");
        assert_eq!(verdict.outcome, Outcome::Warn);
    }
}

/// A board without a clock of its own begins at 1970, and is set right in the middle of a job.
#[test]
fn a_clock_that_is_set_forward_does_not_make_hours_that_were_set_back_a_wrap() {
    let evidence = clean();
    let told = |hours| {
        let mut drive = snapshot();
        drive.power_on_hours = Some(hours);
        drive
    };
    let (before, after) = (told(31_000), told(3));
    for years in [0, 50] {
        let case = Case {
            before: Some(&before),
            after: Some(&after),
            lasted: Some(Duration::from_secs(years * 365 * 86_400)),
            ..both(&evidence, &before)
        };
        assert_eq!(fired(&case, "counters-went-back"), INCONCLUSIVE, "{years} years");
    }
}

#[test]
fn a_counter_that_stands_on_one_side_alone_is_no_known_change() {
    let evidence = clean();
    let whole = with(187, 0);
    let mut one_word = snapshot();
    one_word.attributes.clear();
    let of = |before: &Snapshot, after: &Snapshot| {
        judge(&Case {
            wants_smart: true,
            before: Some(before),
            after: Some(after),
            ..Case::new(&evidence)
        })
    };
    assert_eq!(of(&whole, &whole).outcome, Outcome::Passed);
    let gone = of(&whole, &one_word);
    assert_eq!(
        (gone.outcome, ids(&gone)),
        (Outcome::Inconclusive, vec!["smart-counters-gone"])
    );
    // The worse for what it hides: 5 and 187 had risen meanwhile, or always stood there.
    let mut worn = with(187, 50);
    worn.attributes.iter_mut().find(|a| a.id == 5).unwrap().count = 100;
    let new = of(&one_word, &worn);
    assert_eq!(new.outcome, Outcome::Inconclusive, "{new:?}");
    assert!(ids(&new).contains(&"smart-counters-new"));
    // One attribute is enough, and only if a rule looks at it.
    let mut without = whole.clone();
    without.attributes.retain(|a| a.id != 187);
    assert_eq!(ids(&of(&whole, &without)), ["smart-counters-gone"]);
    let with_a_load_cycle = with(193, 7);
    let without = {
        let mut drive = with_a_load_cycle.clone();
        drive.attributes.retain(|a| a.id != 193);
        drive
    };
    assert_eq!(of(&with_a_load_cycle, &without).outcome, Outcome::Passed);
    // Nor is its own word on its health lost in silence.
    let mut wordless = whole.clone();
    wordless.passed = None;
    assert_eq!(
        ids(&of(&whole, &wordless)),
        ["smart-counters-gone", "smart-without-verdict"]
    );
    // One word on both sides compares nothing.
    let word = of(&one_word, &one_word);
    assert_eq!(
        (word.outcome, ids(&word)),
        (Outcome::Warn, vec!["smart-without-counters"])
    );
}

#[test]
fn what_the_drive_said_before_is_not_taken_back_after() {
    let (evidence, healthy) = (clean(), snapshot());
    let of = |before: &Snapshot, id: &str| {
        let case = Case {
            before: Some(before),
            ..both(&evidence, &healthy)
        };
        fired(&case, id)
    };
    let mut failing = snapshot();
    failing.passed = Some(false);
    assert_eq!(of(&failing, "smart-failing"), FAILED);
    let mut at_threshold = snapshot();
    at_threshold.attributes[0].when_failed = "now".into();
    assert_eq!(of(&at_threshold, "attribute-was-at-threshold"), WARN);
    let nvme = |critical_warning| Snapshot {
        attributes: Vec::new(),
        nvme: Some(NvmeHealth {
            critical_warning: Some(critical_warning),
            ..NvmeHealth::default()
        }),
        ..snapshot()
    };
    let (sick, well) = (nvme(0b100), nvme(0));
    let case = Case {
        before: Some(&sick),
        ..both(&evidence, &well)
    };
    assert_eq!(fired(&case, "nvme-critical"), FAILED);
}

#[test]
fn what_the_drive_said_between_the_readings_is_not_taken_back_either() {
    let (evidence, well) = (clean(), snapshot());
    let of = |failing, critical| {
        let meanwhile = Meanwhile { failing, critical };
        let verdict = judge(&Case {
            before: Some(&well),
            meanwhile,
            ..both(&evidence, &well)
        });
        let hits = verdict.rules.iter().filter(|hit| hit.outcome == Outcome::Failed);
        hits.map(|hit| (hit.id.clone(), hit.value.clone())).collect::<Vec<_>>()
    };
    let hit = |id: &str, value: &str| (id.to_owned(), value.to_owned());
    assert_eq!(of(false, 0), []);
    let failing = hit("smart-failing", "1 verdict (in a reading during the job)");
    assert_eq!(of(true, 0), [failing]);
    let critical = hit("nvme-critical", "2 bits (in a reading during the job)");
    assert_eq!(of(false, 2), [critical]);
    // Without a reading before or after it counts, too.
    let meanwhile = Meanwhile {
        failing: true,
        critical: 0,
    };
    let alone = Case {
        meanwhile,
        ..Case::new(&evidence)
    };
    assert_eq!(fired(&alone, "smart-failing"), FAILED);
}

#[test]
fn sectors_that_wait_fail_only_where_everything_was_written() {
    let waiting = with(197, 3);
    assert_eq!(fired(&both(&clean(), &waiting), "pending-after"), FAILED);
    let mut scan = Evidence::new(GEOMETRY, &plain(&[Phase::Scan]));
    scan.phases[0].status = PhaseStatus::Done;
    assert_eq!(fired(&both(&scan, &waiting), "pending-after"), None);
    assert_eq!(fired(&both(&scan, &waiting), "pending-before"), WARN);
}

/// Whoever sold the drive is not to blame for what the test met.
#[test]
fn sectors_that_came_to_wait_during_a_scan_are_not_told_as_from_before_it() {
    let mut scan = Evidence::new(GEOMETRY, &plain(&[Phase::Scan]));
    scan.phases[0].status = PhaseStatus::Done;
    let rules = |before: Option<&Snapshot>, after: &Snapshot| {
        let verdict = judge(&Case {
            before,
            ..both(&scan, after)
        });
        let of_waiting = |hit: &&RuleHit| hit.id.starts_with("pending") || hit.id.starts_with("uncorrectable");
        let hits = verdict.rules.iter().filter(of_waiting);
        let mut told: Vec<_> = hits
            .map(|hit| (hit.id.clone(), hit.value.clone(), hit.outcome))
            .collect();
        told.sort();
        told
    };
    let hit = |id: &str, value: &str, outcome| (id.to_owned(), value.to_owned(), outcome);
    let (warn, failed) = (Outcome::Warn, Outcome::Failed);
    let (none, three, five) = (with(197, 0), with(197, 3), with(197, 5));
    let grew = |sectors| hit("pending-grew", sectors, warn);
    assert_eq!(rules(Some(&none), &five), [grew("5 sectors")]);
    let stood = hit("pending-before", "3 sectors", warn);
    assert_eq!(rules(Some(&three), &five), [stood.clone(), grew("2 sectors")]);
    assert_eq!(rules(Some(&three), &none), [stood]);
    // Nobody looked before.
    assert_eq!(rules(None, &five), [grew("5 sectors")]);
    assert_eq!(rules(None, &none), []);
    // What a log of its own tells anew beside the attribute is none that came up.
    let logged = |defects| Snapshot {
        pending_defects: Some(defects),
        ..with(197, 5)
    };
    let stood = hit("pending-before", "5 sectors", warn);
    assert_eq!(rules(Some(&five), &logged(5)), [stood]);
    // Offline uncorrectable ones have had a rule for their growth.
    let grown = hit("uncorrectable-grew", "4 sectors", failed);
    assert_eq!(rules(Some(&with(198, 0)), &with(198, 4)), [grown]);
    let unknown = hit("uncorrectable-since", "4 sectors", warn);
    assert_eq!(rules(None, &with(198, 4)), [unknown]);
}

#[test]
fn a_password_that_is_set_warns() {
    for (password, want) in [(None, None), (Some(false), None), (Some(true), WARN)] {
        let drive = Snapshot { password, ..with(5, 0) };
        assert_eq!(fired(&both(&clean(), &drive), "password-set"), want, "{password:?}");
    }
}

#[test]
fn what_is_known_of_a_model_is_told_in_its_words() {
    let hangs = "This drive may hang after 5184 hours of power-on time: https://example.net";
    let newer = "A firmware update for this drive may be available, see https://example.net";
    for (text, fault, update) in [(hangs, WARN, None), (newer, None, TOLD)] {
        let drive = Snapshot {
            warning: Some(text.into()),
            ..with(5, 0)
        };
        let evidence = clean();
        let case = both(&evidence, &drive);
        let got = ["known-fault", "known-update"].map(|rule| fired(&case, rule));
        assert_eq!(got, [fault, update], "{text}");
        let verdict = judge(&case);
        assert!(verdict.rules.iter().any(|hit| hit.value.contains(text)), "{verdict:#?}");
    }
}

#[test]
fn smart_that_is_off_is_told_as_that_and_blames_no_bridge() {
    let (evidence, good) = (clean(), snapshot());
    let off = Snapshot {
        switch: Switch::Off,
        rpm: Some(7200),
        ..Snapshot::default()
    };
    let on = Snapshot {
        switch: Switch::SwitchedOn,
        ..good.clone()
    };
    for (before, after, outcome, ids) in [
        (Some(&off), Some(&off), Outcome::Warn, &["smart-off"][..]),
        (Some(&off), None, Outcome::Warn, &["smart-off"]),
        (
            Some(&off),
            Some(&good),
            Outcome::Inconclusive,
            &["smart-baseline-lost", "smart-off"],
        ),
        (
            Some(&good),
            Some(&off),
            Outcome::Inconclusive,
            &["smart-went-silent", "smart-off"],
        ),
        (Some(&on), Some(&good), Outcome::Passed, &["smart-switched-on"]),
        (Some(&good), Some(&good), Outcome::Passed, &[]),
    ] {
        let verdict = verdict(&evidence, before, after);
        let told: Vec<&str> = verdict.rules.iter().map(|hit| hit.id.as_str()).collect();
        assert_eq!((verdict.outcome, told.as_slice()), (outcome, ids));
    }
}

/// A Samsung 850 EVO at its end, without VPD page B1h: the kernel takes it for a disk.
#[test]
fn worn_flash_that_the_kernel_takes_for_a_disk_by_default_is_worn() {
    let evidence = clean();
    let mut worn = with(177, 2981);
    let row = worn.attributes.last_mut().unwrap();
    (row.name, row.value) = ("Wear_Leveling_Count".into(), Some(1));
    for (rotation, rpm, want) in [
        (Rotation::Spinning { rpm: None }, Some(0), FAILED),
        (Rotation::Spinning { rpm: None }, None, FAILED),
        (Rotation::SolidState, Some(0), FAILED),
        (Rotation::Spinning { rpm: None }, Some(7200), None),
        (Rotation::Spinning { rpm: Some(7200) }, Some(0), None),
    ] {
        worn.rpm = rpm;
        let case = Case {
            rotation,
            ..both(&evidence, &worn)
        };
        assert_eq!(fired(&case, "wear"), want, "{rotation:?} {rpm:?}");
    }
}
