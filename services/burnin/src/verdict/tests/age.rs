//! How long a drive lived before the job: hours by SMART, field log and heads, wear, and what is asked of one sold as new.

use std::time::Duration;

use drive::smart::{Farm, FarmErrors, SelfTest, Statistic, WriteCounter};
use wire::drive::Rotation;
use wire::job::TimePoint;

use super::*;

/// The field log and the wear count on while the job runs.
#[test]
fn hours_and_wear_of_the_job_itself_make_no_new_drive_a_used_one() {
    let evidence = clean();
    let farm = |hours| Snapshot {
        farm: Farm::Told {
            hours,
            errors: FarmErrors::default(),
        },
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

/// Of each document somebody set back the power-on hours, which are 5, and nothing else.
#[test]
fn hours_that_other_counts_tell_are_hours_too() {
    let evidence = clean();
    let attribute_of = |id, name: &str, hours| {
        let mut drive = snapshot();
        drive.attributes.push(Attribute {
            name: name.to_owned(),
            ..attribute(id, hours)
        });
        drive
    };
    let statistic = |name: &str, hours, normalized| Snapshot {
        statistics: vec![Statistic {
            name: name.to_owned(),
            value: hours,
            normalized,
        }],
        ..snapshot()
    };
    let entry = |hours| SelfTest {
        kind: "Extended offline".to_owned(),
        status: "Completed without error".to_owned(),
        passed: Some(true),
        hours,
        lba: None,
    };
    let test = |hours| Snapshot {
        self_tests: vec![entry(hours)],
        ..snapshot()
    };
    let tests = |hours: &[u64]| Snapshot {
        self_tests: hours.iter().map(|hours| entry(Some(*hours))).collect(),
        ..snapshot()
    };
    let flash = |drive| Snapshot { rpm: Some(0), ..drive };
    let nvme = |drive| Snapshot {
        nvme: Some(NvmeHealth::default()),
        protocol: Protocol::Nvme,
        ..drive
    };
    let motor = "Spindle Motor Power-on Hours";
    for (drive, fires) in [
        (attribute_of(222, "Loaded_Hours", 9_550), true),
        (attribute_of(222, "Loaded_Hours", 29), false),
        (attribute_of(222, "RAID_Recovery_Count", 9_550), false),
        (flash(attribute_of(222, "Loaded_Hours", 9_550)), false),
        (statistic(motor, 31_000, false), true),
        (statistic("Head Flying Hours", 31_000, false), true),
        (statistic(motor, 29, false), false),
        (statistic(motor, -1, false), false),
        (statistic(motor, 31_000, true), false),
        (flash(statistic(motor, 31_000, false)), false),
        (test(Some(30_120)), true),
        (test(Some(30)), true),
        (test(Some(29)), false),
        (test(None), false),
        (flash(test(Some(30_120))), true),
        // Those of ATA and SCSI have 16 bits, all of which are set where they are not known.
        (test(Some(65_534)), true),
        (test(Some(65_535)), false),
        (nvme(test(Some(70_000))), true),
        (nvme(test(Some(u64::MAX))), false),
        // No hours at all, of a Plextor PX-128M5M (linuxhw/SMART A0DE81E53299).
        (
            tests(&[24_325, 60_161, 3_585, 47_616, 41_728, 33_792, 22_528, 12_800, 6_656, 0]),
            false,
        ),
        // Set back, or rolled over, in between.
        (tests(&[3, 2, 30_120, 30_000]), true),
        (tests(&[30_120, 30_000, 65_535, 1]), true),
        // What rolled over is fewer.
        (
            Snapshot {
                power_on_hours: Some(70_000),
                ..test(Some(65_000))
            },
            false,
        ),
    ] {
        for (profile, rule, outcome) in [
            (Profile::New, "heads-flew-longer", WARN),
            (Profile::Used, "heads-flew-longer-used", TOLD),
        ] {
            let case = Case {
                profile,
                ..both(&evidence, &drive)
            };
            assert_eq!(fired(&case, rule), outcome.filter(|_| fires), "{drive:?}");
        }
    }
}

#[test]
fn no_drive_was_written_faster_than_its_link_carries() {
    let evidence = clean();
    let told = |protocol, source: &str, (count, unit), on| Snapshot {
        protocol,
        power_on_hours: Some(on),
        written: Some(WriteCounter {
            source: source.to_owned(),
            count,
            units: vec![unit],
        }),
        ..snapshot()
    };
    const TB: u64 = 1_000_000_000_000;
    for (protocol, unit, tb, on, fires) in [
        (Protocol::Ata, 512, 154, 2, true),
        (Protocol::Ata, 512, 9, 2, true),
        (Protocol::Ata, 512, 8, 2, false),
        (Protocol::Ata, 512, 154, 70, false),
        (Protocol::Scsi, 1_000_000, 154, 2, true),
        (Protocol::Scsi, 1_000_000, 60, 2, false),
        (Protocol::Nvme, 512_000, 307, 2, true),
        (Protocol::Nvme, 512_000, 200, 2, false),
        (Protocol::Nvme, 512_000, 307, 4, false),
    ] {
        let before = told(protocol, "x", (tb * TB / unit, unit), on);
        for (profile, rule, outcome) in [
            (Profile::New, "written-beyond-hours", WARN),
            (Profile::Used, "written-beyond-hours-used", TOLD),
        ] {
            let case = Case {
                profile,
                ..both(&evidence, &before)
            };
            let want = outcome.filter(|_| fires);
            assert_eq!(fired(&case, rule), want, "{protocol:?}, {tb} TB in {on} h");
        }
    }
    // Only the job wrote that, or nobody knows the unit.
    let (none, much) = (
        told(Protocol::Ata, "x", (0, 512), 2),
        told(Protocol::Ata, "x", (154 * TB / 512, 512), 4),
    );
    let mut unknown = Snapshot {
        rpm: Some(0),
        ..much.clone()
    };
    unknown.written.as_mut().unwrap().units = vec![512, 32 << 20];
    for (before, after) in [(Some(&none), &much), (None, &much), (Some(&unknown), &unknown)] {
        let case = Case {
            before,
            profile: Profile::New,
            ..both(&evidence, after)
        };
        assert_eq!(fired(&case, "written-beyond-hours"), None, "{before:?}");
    }
}

/// A reset of the attributes leaves the field log alone, as a recertified IronWolf shows (smartmontools issue 564).
#[test]
fn errors_by_the_field_log_are_errors_too() {
    let evidence = clean();
    let told = |reallocated, candidates, unrecoverable| Snapshot {
        farm: Farm::Told {
            hours: 5,
            errors: FarmErrors {
                reallocated: Some(reallocated),
                candidates: Some(candidates),
                unrecoverable: Some(unrecoverable),
            },
        },
        ..snapshot()
    };
    let none = told(0, 0, 0);
    // Eight logical sectors of one physical one, where the attribute counts those.
    let mut open = told(24, 0, 2);
    for (id, count) in [(5, 3), (187, 2)] {
        open.attributes.retain(|a| a.id != id);
        open.attributes.push(attribute(id, count));
    }
    let unknown = Snapshot {
        farm: Farm::NotAsked,
        ..none.clone()
    };
    let beyond = "farm-errors-beyond";
    for (before, after, rules) in [
        (&none, &none, vec![]),
        (&told(96, 0, 0), &told(96, 0, 0), vec![(beyond, WARN)]),
        (&told(0, 1, 0), &told(0, 0, 0), vec![(beyond, WARN)]),
        (&told(0, 0, 1), &told(0, 0, 1), vec![(beyond, WARN)]),
        (&none, &told(1, 0, 0), vec![("farm-reallocated-grew", WARN)]),
        (&none, &told(0, 1, 0), vec![("farm-candidates-grew", WARN)]),
        (&none, &told(0, 0, 1), vec![("farm-unrecoverable-grew", WARN)]),
        (&open, &open, vec![("reallocated", WARN), ("reported-uncorrect", WARN)]),
        (&none, &unknown, vec![]),
        (&unknown, &none, vec![]),
    ] {
        let case = Case {
            before: Some(before),
            ..both(&evidence, after)
        };
        let fired: Vec<_> = judge(&case)
            .rules
            .iter()
            .map(|hit| (hit.id.clone(), Some(hit.outcome)))
            .collect();
        let rules: Vec<_> = rules
            .into_iter()
            .map(|(id, outcome)| (id.to_owned(), outcome))
            .collect();
        assert_eq!(fired, rules, "{:?} to {:?}", before.farm, after.farm);
    }
    let hit = judge(&both(&evidence, &told(96, 0, 14))).rules.swap_remove(0);
    assert!(
        hit.value
            .contains("96 reallocated, 0 by SMART; 14 unrecoverable, 0 by SMART"),
        "{}",
        hit.value
    );
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

/// Self-tests, pauses and heat are the job's own hours, too, and no step of the engine's tells of them.
#[test]
fn a_clock_that_was_set_back_makes_no_new_drive_a_used_one() {
    let mut evidence = clean();
    for record in &mut evidence.phases {
        record.seconds = 66.0 * 3600.0;
    }
    let worked = 66 * evidence.phases.len() as u64;
    let told = |hours| Snapshot {
        power_on_hours: Some(hours),
        farm: Farm::Told {
            hours,
            errors: FarmErrors::default(),
        },
        ..snapshot()
    };
    // In the midst of these hours the clock was set back by as many.
    let line = |hours: i64| -> Vec<TimePoint> {
        let point = |hour: i64| TimePoint {
            at: Time::from_second(hour * 3600).unwrap(),
            step: 0,
            temperature: None,
            rate: Bytes(0),
            bad_sectors: 0,
        };
        (hours..=2 * hours).chain(hours + 1..=2 * hours).map(point).collect()
    };
    let (half, none) = (line(150), Vec::new());
    for (before, after, lasted, timeline, want) in [
        (2, 2 + worked + 45, None, &none, None),
        (2, 2 + worked + 45 + 200, None, &none, None),
        (2, 2 + 300, Some(150), &half, None),
        (2, 2 + 300 + 202, Some(150), &half, FAILED),
        (300, 300 + worked + 45, None, &none, FAILED),
        // A baseline that a former owner's header told.
        (2, 31_000, None, &none, FAILED),
    ] {
        let (first, last) = (told(before), told(after));
        let case = Case {
            wants_smart: true,
            before: Some(&first),
            after: Some(&last),
            lasted: lasted.map(Duration::from_hours),
            timeline,
            profile: Profile::New,
            ..Case::new(&evidence)
        };
        for rule in ["hours-on-new", "farm-hours-on-new"] {
            assert_eq!(fired(&case, rule), want, "{rule}: {before} to {after} in {lasted:?}");
        }
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
        "wwn": {"naa": 5, "oui": if model.starts_with("OOS") { 0xc50 } else { 0x14ee }, "id": 7},
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
    for (model, family, rpm, want, otherwise) in [
        ("WDC WD40EFRX-68N32N0", "Western Digital Red", 5400, None, None),
        ("ST4000VN008-2DR166", "Seagate IronWolf", 5900, WARN, None),
        ("ST16000NM000J-2TW103", "Seagate Exos X16", 7200, WARN, None),
        // Good new ones have none.
        ("ST4000LM024-2AN17V", "Seagate Barracuda 2.5 5400", 5526, None, TOLD),
        ("ST2000LM015-2E8174", "Seagate Barracuda 2.5 5400", 5400, None, TOLD),
        ("ST5000LM000-2AN170", "Seagate Barracuda 2.5 5400", 5526, None, TOLD),
        ("ST4000DM004-2CV104", "Seagate BarraCuda 3.5 (SMR)", 5425, None, TOLD),
        ("ST8000DM004-2CX188", "Seagate BarraCuda 3.5 (SMR)", 5425, None, TOLD),
        ("ST480FN0021", "Seagate 600 Pro SSDs", 0, None, None),
        // By its world wide name alone.
        ("OOS12000G", "", 7200, WARN, None),
    ] {
        let drive = without_field_log(model, family, rpm);
        let case = Case {
            profile: Profile::New,
            ..both(&evidence, &drive)
        };
        assert_eq!(fired(&case, "farm-absent"), want, "{model}");
        assert_eq!(fired(&case, "farm-absent-small"), otherwise, "{model}");
        assert_eq!(fired(&case, "farm-unknown"), None, "{model}");
        // Of smaller ones some never had any.
        let small = Snapshot {
            capacity: Some(1_000_204_886_016),
            ..drive.clone()
        };
        let case = Case {
            profile: Profile::New,
            ..both(&evidence, &small)
        };
        assert_eq!(fired(&case, "farm-absent"), None, "{model}");
        assert_eq!(
            fired(&case, "farm-absent-small"),
            want.and(TOLD).or(otherwise),
            "{model}"
        );
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
            new(
                &|d| d.farm = Farm::Told {
                    hours,
                    errors: FarmErrors::default()
                },
                "farm-hours-on-new"
            ),
            want,
            "{hours} h"
        );
    }
    assert_eq!(new(&|d| d.power_on_hours = None, "hours-unknown"), TOLD);
    // It says 5 hours.
    for (hours, want) in [(5, None), (15, None), (16, WARN)] {
        assert_eq!(
            new(
                &|d| d.farm = Farm::Told {
                    hours,
                    errors: FarmErrors::default()
                },
                "farm-hidden-hours"
            ),
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
    used.farm = Farm::Told {
        hours: 60_000,
        errors: FarmErrors::default(),
    };
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
