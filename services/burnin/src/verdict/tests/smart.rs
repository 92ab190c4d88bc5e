//! What a drive tells of itself, whatever it speaks: age, sectors, thresholds, self-tests, wear, and what it takes back.

use std::time::Duration;

use drive::smart::{Farm, SelfTest as LogEntry, Statistic, WriteCounter};
use wire::drive::Rotation;
use wire::job::{SelfTest, SelfTestOutcome};

use super::complete::long;
use super::*;

/// The field log and the wear count on while the job runs.
#[test]
fn hours_and_wear_of_the_job_itself_make_no_new_drive_a_used_one() {
    let evidence = clean();
    let farm = |hours| Snapshot {
        farm: Farm::Told { hours },
        ..snapshot()
    };
    let worn = |used| Snapshot {
        nvme: Some(NvmeHealth {
            percentage_used: Some(used),
            ..NvmeHealth::default()
        }),
        ..snapshot()
    };
    let of = |before: Option<&Snapshot>, after: Option<&Snapshot>, hours: u64, rule| {
        let case = Case {
            wants_smart: true,
            before,
            after,
            lasted: Some(Duration::from_secs(hours * 3600)),
            profile: Profile::New,
            ..Case::new(&evidence)
        };
        fired(&case, rule)
    };
    for (before, after, hours, want) in [
        (Some(3), Some(225), 222, None),
        (Some(3), Some(59), 56, None),
        (None, Some(225), 222, None),
        (Some(300), Some(522), 222, FAILED),
        // What was read before the job may be what a former owner wrote.
        (Some(3), Some(522), 222, FAILED),
        (Some(300), None, 222, FAILED),
        (Some(30), Some(86), 56, WARN),
    ] {
        let (first, last) = (before.map(farm), after.map(farm));
        let got = of(first.as_ref(), last.as_ref(), hours, "farm-hours-on-new");
        assert_eq!(got, want, "{before:?} to {after:?} in {hours} h");
    }
    for (before, after, want) in [
        (Some(1), 4, None),
        (Some(2), 4, WARN),
        (Some(0), 90, None),
        (None, 4, WARN),
    ] {
        let (first, last) = (before.map(worn), worn(after));
        let got = of(first.as_ref(), Some(&last), 24, "percentage-used-new");
        assert_eq!(got, want, "{before:?} to {after}");
    }
    assert_eq!(of(Some(&worn(0)), Some(&worn(90)), 24, "percentage-used"), WARN);
}

/// Somebody set the hours back and forgot the heads'.
#[test]
fn heads_do_not_fly_longer_than_the_drive_was_on() {
    let evidence = clean();
    let of = |name: &str, flown, rotation, profile, rule| {
        let mut drive = snapshot();
        drive.attributes.push(Attribute {
            name: name.to_owned(),
            ..attribute(240, flown)
        });
        drive.rpm = Some(rotation);
        let case = Case {
            profile,
            ..both(&evidence, &drive)
        };
        fired(&case, rule)
    };
    let heads = "Head_Flying_Hours";
    let (new, used) = ("heads-flew-longer", "heads-flew-longer-used");
    for (flown, want) in [
        (0, None),
        (5, None),
        (29, None),
        (30, WARN),
        (31_000, WARN),
        (500_000, None),
    ] {
        assert_eq!(of(heads, flown, 7200, Profile::New, new), want, "{flown}");
    }
    assert_eq!(of(heads, 31_000, 7200, Profile::Used, used), TOLD);
    assert_eq!(of("Transfer_Error_Rate", 31_000, 7200, Profile::New, new), None);
    assert_eq!(of(heads, 31_000, 0, Profile::New, new), None, "flash has no heads");
}

/// What a bridge tells that keeps what it read once, or a drive of which nothing is true.
#[test]
fn hours_that_stand_still_while_it_works_are_no_reading() {
    let of = |worked: f64, hours| {
        let mut evidence = clean();
        evidence.phases[0].seconds = worked * 3600.0;
        let (before, mut after) = (snapshot(), snapshot());
        after.power_on_hours = hours;
        let case = Case {
            before: Some(&before),
            ..both(&evidence, &after)
        };
        fired(&case, "hours-still")
    };
    for (worked, hours, want) in [
        (47.0, Some(5), None),
        (48.0, Some(5), WARN),
        (100.0, Some(5), WARN),
        (100.0, Some(6), None),
        (100.0, None, None),
    ] {
        assert_eq!(of(worked, hours), want, "{worked} h, {hours:?}");
    }
}

/// The engine counts its own seconds; the clock of a box without a battery is set back by days.
#[test]
fn hours_that_the_engine_worked_are_its_own_whatever_the_clock_says() {
    let mut evidence = clean();
    for record in &mut evidence.phases {
        record.seconds = 148.0 * 3600.0;
    }
    let told = |hours| Snapshot {
        power_on_hours: Some(hours),
        ..snapshot()
    };
    for (before, after, want) in [(1, 297, None), (300, 596, FAILED)] {
        let (before, after) = (told(before), told(after));
        let case = Case {
            wants_smart: true,
            before: Some(&before),
            after: Some(&after),
            lasted: Some(Duration::from_hours(8)),
            profile: Profile::New,
            ..Case::new(&evidence)
        };
        assert_eq!(fired(&case, "hours-on-new"), want);
    }
}

/// Hours can be set back; the life of its flash cannot.
#[test]
fn flash_that_tells_its_wear_by_attributes_alone_is_new_only_while_it_is_unworn() {
    let evidence = clean();
    let worn = |id, name: &str, value| {
        let mut drive = with(id, 0);
        let last = drive.attributes.last_mut().unwrap();
        (last.name, last.value, last.threshold) = (name.into(), Some(value), Some(0));
        drive.rpm = Some(0);
        drive
    };
    let of = |before: &Snapshot, after: &Snapshot, profile| {
        let case = Case {
            before: Some(before),
            profile,
            ..both(&evidence, after)
        };
        fired(&case, "percentage-used-new")
    };
    for (id, name, value, want) in [
        (231, "SSD_Life_Left", 45, WARN),
        (177, "Wear_Leveling_Count", 30, WARN),
        (202, "Percent_Lifetime_Remain", 40, WARN),
        (202, "Percent_Lifetime_Remain", 98, WARN),
        (202, "Percent_Lifetime_Remain", 99, None),
        (231, "Unknown_SSD_Attribute", 45, None),
        (231, "Temperature_Celsius", 45, None),
    ] {
        let drive = worn(id, name, value);
        assert_eq!(of(&drive, &drive, Profile::New), want, "{id} {name} {value}");
        assert_eq!(of(&drive, &drive, Profile::Used), None, "{id} {name} {value}");
    }
    // What the job itself wore off is none of its past.
    let (new, after) = (worn(231, "SSD_Life_Left", 100), worn(231, "SSD_Life_Left", 95));
    assert_eq!(of(&new, &after, Profile::New), None);
    // Its own word outranks the attributes.
    let mut told = worn(231, "SSD_Life_Left", 45);
    told.statistics = vec![Statistic {
        name: "Percentage Used Endurance Indicator".into(),
        value: 1,
        normalized: false,
    }];
    assert_eq!(of(&told, &told, Profile::New), None);
}

/// As smartctl 7.4 writes it with `-x`: the field log of whatever ATA drive has none.
fn without_field_log(model: &str, family: &str, rpm: u32) -> Snapshot {
    let document = serde_json::json!({
        "smartctl": {"version": [7, 4], "exit_status": 0},
        "device": {"name": "/dev/sda", "type": "sat", "protocol": "ATA"},
        "model_family": family,
        "model_name": model,
        "serial_number": "Z1",
        "rotation_rate": rpm,
        "smart_status": {"passed": true},
        "power_on_time": {"hours": 3},
        "temperature": {"current": 30},
        "seagate_farm_log": {"supported": false},
    });
    drive::smart::parse(document.to_string().as_bytes()).unwrap()
}

#[test]
fn only_a_seagate_disk_can_lack_the_field_log() {
    let evidence = clean();
    for (model, family, rpm, want) in [
        ("WDC WD40EFRX-68N32N0", "Western Digital Red", 5400, None),
        ("ST4000DM000-1F2168", "Seagate Desktop HDD.15", 5900, WARN),
        ("ST480FN0021", "Seagate 600 Pro SSDs", 0, None),
    ] {
        let drive = without_field_log(model, family, rpm);
        let case = Case {
            profile: Profile::New,
            ..both(&evidence, &drive)
        };
        assert_eq!(fired(&case, "farm-absent"), want, "{model}");
        assert_eq!(fired(&case, "farm-unknown"), None, "{model}");
        // Behind a bridge that hides its revolutions the kernel may know.
        let (rotation, drive) = (Rotation::SolidState, Snapshot { rpm: None, ..drive });
        let case = Case {
            rotation,
            profile: Profile::New,
            ..both(&evidence, &drive)
        };
        assert_eq!(fired(&case, "farm-absent"), None, "{model}");
    }
}

#[test]
fn a_drive_sold_as_new_has_a_new_drives_hours_sectors_and_field_log() {
    let evidence = clean();
    let new = |change: &dyn Fn(&mut Snapshot), id: &str| {
        let mut drive = snapshot();
        change(&mut drive);
        let case = Case {
            profile: Profile::New,
            ..both(&evidence, &drive)
        };
        fired(&case, id)
    };
    for (hours, want) in [(24, None), (25, WARN), (200, WARN), (201, FAILED)] {
        assert_eq!(
            new(&|d| d.power_on_hours = Some(hours), "hours-on-new"),
            want,
            "{hours} h"
        );
        assert_eq!(
            new(&|d| d.farm = Farm::Told { hours }, "farm-hours-on-new"),
            want,
            "{hours} h"
        );
    }
    assert_eq!(new(&|d| d.power_on_hours = None, "hours-unknown"), TOLD);
    // It says 5 hours.
    for (hours, want) in [(5, None), (15, None), (16, WARN)] {
        assert_eq!(
            new(&|d| d.farm = Farm::Told { hours }, "farm-hidden-hours"),
            want,
            "{hours} h"
        );
    }
    for (sectors, want) in [(0, None), (1, WARN), (4, WARN), (5, FAILED)] {
        assert_eq!(
            new(
                &|d| d.attributes.iter_mut().find(|a| a.id == 5).unwrap().count = sectors,
                "reallocated-new"
            ),
            want
        );
    }
    // All of that is no matter on a used one, but for the reset.
    let mut used = snapshot();
    used.power_on_hours = Some(60_000);
    assert_eq!(judge(&both(&evidence, &used)).outcome, Outcome::Passed);
    used.power_on_hours = Some(3);
    used.farm = Farm::Told { hours: 60_000 };
    let verdict = judge(&both(&evidence, &used));
    assert_eq!(
        (verdict.outcome, ids(&verdict)),
        (Outcome::Passed, vec!["farm-hidden-hours-used"])
    );
    assert!(
        verdict.rules[0]
            .value
            .contains("60000 h by the field log, 3 h by SMART"),
        "{verdict:?}"
    );
}

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
    ] {
        let mut drive = with(id, 0);
        drive.attributes.last_mut().unwrap().when_failed = word.into();
        assert_eq!(fired(&both(&clean(), &drive), rule), want, "{id} {word}");
    }
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
    for (before, after) in [(0, 1), (0, whole / 2), (9, 0), (0, whole * 3)] {
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
fn sectors_that_wait_fail_only_where_everything_was_written() {
    let waiting = with(197, 3);
    assert_eq!(fired(&both(&clean(), &waiting), "pending-after"), FAILED);
    let mut scan = Evidence::new(GEOMETRY, &plain(&[Phase::Scan]));
    scan.phases[0].status = PhaseStatus::Done;
    assert_eq!(fired(&both(&scan, &waiting), "pending-after"), None);
    assert_eq!(fired(&both(&scan, &waiting), "pending-before"), WARN);
    let (before, after) = (with(197, 0), with(197, 3));
    let case = Case {
        before: Some(&before),
        ..both(&scan, &after)
    };
    assert_eq!(fired(&case, "pending-before"), WARN);
}
