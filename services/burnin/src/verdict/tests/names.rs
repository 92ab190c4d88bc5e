//! Attributes whose number means something else on some drives: smartctl's name decides.

use super::*;

/// The verdict where attribute `id` has this name, and counted `before` and `after` the job.
fn named(id: u16, name: &str, before: u64, after: u64) -> Outcome {
    let of = |count| {
        let mut drive = snapshot();
        let row = drive.attributes.iter_mut().find(|row| row.id == id).unwrap();
        (row.name, row.count, row.raw) = (name.to_owned(), count, count);
        drive
    };
    verdict(&clean(), Some(&of(before)), Some(&of(after))).outcome
}

#[test]
fn what_the_host_read_and_wrote_is_no_fault_whatever_its_number() {
    for (id, name, before, after) in [
        (198, "Host_Reads_GiB", 12_000, 12_345),
        (199, "Host_Writes_GiB", 500, 999),
        (198, "Read_Sectors_Tot_Ct", 4_000_000, 5_000_000),
        (199, "Write_Sectors_Tot_Ct", 4_000_000, 9_000_000),
        (184, "Factory_Bad_Block_Count", 42, 42),
        (184, "Initial_Bad_Block_Count", 8, 8),
        (197, "Bogus_Current_Pend_Sect", 0, 1),
        (197, "Not_In_Use", 7, 9),
        (187, "Unknown_JMF_Attribute", 9, 3),
    ] {
        assert_eq!(named(id, name, before, after), Outcome::Passed, "{id} {name}");
    }
}

#[test]
fn the_usual_and_the_unknown_names_go_by_their_number() {
    for (id, name, before, after, expected) in [
        (198, "Offline_Uncorrectable", 0, 5, Outcome::Failed),
        (199, "UDMA_CRC_Error_Count", 500, 999, Outcome::Inconclusive),
        (184, "End-to-End_Error", 42, 42, Outcome::Warn),
        (197, "Current_Pending_Sector", 0, 1, Outcome::Failed),
        (197, "Unknown_Attribute", 0, 1, Outcome::Failed),
        (187, "Reported_Uncorrect", 0, 2, Outcome::Failed),
    ] {
        assert_eq!(named(id, name, before, after), expected, "{id} {name}");
    }
}

/// A healthy drive with one row more, and the same after the job with another count.
fn grown(id: u16, name: &str, before: u64, after: u64) -> Vec<(String, Outcome)> {
    grown_on(snapshot(), id, name, before, after)
}

fn grown_on(drive: Snapshot, id: u16, name: &str, before: u64, after: u64) -> Vec<(String, Outcome)> {
    let of = |count| {
        let mut drive = drive.clone();
        drive.attributes.retain(|row| row.id != id);
        drive.attributes.push(Attribute {
            name: name.to_owned(),
            ..attribute(id, count)
        });
        drive
    };
    let verdict = verdict(&clean(), Some(&of(before)), Some(&of(after)));
    verdict.rules.into_iter().map(|hit| (hit.id, hit.outcome)).collect()
}

#[test]
fn the_same_fault_under_another_number_is_not_missed() {
    for (id, name, before, after, rule, outcome) in [
        (200, "Current_Pending_Sector", 0, 1, "pending-after", Outcome::Failed),
        (
            160,
            "Uncorrectable_Error_Cnt",
            0,
            1,
            "reported-uncorrect-grew",
            Outcome::Failed,
        ),
        (
            195,
            "Uncorrectable_Error_Cnt",
            3,
            3,
            "reported-uncorrect",
            Outcome::Warn,
        ),
        (210, "SATA_CRC_Error_Count", 0, 10, "crc-errors", Outcome::Inconclusive),
        (218, "CRC_Error_Count", 0, 1, "crc-errors", Outcome::Warn),
        (170, "Grown_Bad_Block_Ct", 30, 31, "bad-blocks-grew", Outcome::Warn),
        // What flash lost over its life before is none of it.
        (
            197,
            "Total_Unc_Read_Failures",
            3,
            3,
            "reported-uncorrect",
            Outcome::Warn,
        ),
    ] {
        let hits = grown(id, name, before, after);
        assert!(hits.contains(&(rule.to_owned(), outcome)), "{id} {name}: {hits:?}");
        assert!(hits.iter().all(|hit| hit.1 <= outcome), "{id} {name}: {hits:?}");
    }
    // A disk has no blocks: there it is its link that went slower.
    assert_eq!(
        grown(183, "Runtime_Bad_Block", 0, 7),
        [("link-slower".to_owned(), Outcome::Warn)]
    );
    assert_eq!(grown(183, "Runtime_Bad_Block", 7, 7), []);
    assert_eq!(grown(170, "Grown_Bad_Block_Ct", 300, 300), []);
    assert_eq!(grown(184, "Error_Correction_Count", 12, 99), []);
}

/// The firmware of an MX500 counts one while it moves data.
#[test]
fn one_pending_ecc_count_is_told_and_two_fail_the_drive() {
    for (before, after, worst) in [
        (0, 0, None),
        (0, 1, TOLD),
        (1, 0, TOLD),
        (1, 1, TOLD),
        (2, 0, WARN),
        (0, 2, FAILED),
        (2, 2, FAILED),
    ] {
        let hits = grown(197, "Current_Pending_ECC_Cnt", before, after);
        let found = hits.iter().map(|hit| hit.1).max();
        assert_eq!(found, worst, "{before} to {after}: {hits:?}");
    }
}

/// smartctl(8), `197,increasing` and `198,increasing`: neither is reset when the sector is reallocated.
#[test]
fn counts_of_waiting_sectors_that_never_clear_are_a_lifes() {
    for (id, name) in [(197, "Total_Pending_Sectors"), (198, "Total_Offl_Uncorrectabl")] {
        let stood = ("reported-uncorrect".to_owned(), Outcome::Warn);
        let grew = ("reported-uncorrect-grew".to_owned(), Outcome::Failed);
        assert_eq!(grown(id, name, 3, 4), [grew, stood.clone()], "{name}");
        assert_eq!(grown(id, name, 3, 3), [stood], "{name}");
    }
}

/// Whatever kind of drive it is, and whatever number the count has.
#[test]
fn a_link_that_went_slower_is_told_by_its_name() {
    for rpm in [Some(7200), Some(0), None] {
        for (id, name) in [
            (183, "SATA_Downshift_Count"),
            (183, "SATA_Iface_Downshift"),
            (250, "sata_interfac_downshift"),
        ] {
            let hits = |before, after| grown_on(Snapshot { rpm, ..snapshot() }, id, name, before, after);
            let due = [("link-slower".to_owned(), Outcome::Warn)];
            assert_eq!(hits(0, 7), due, "{id} {name} {rpm:?}");
            assert_eq!(hits(7, 7), [], "{id} {name} {rpm:?}");
        }
    }
}

#[test]
fn device_statistics_count_as_attributes_do() {
    use drive::smart::Statistic;
    let of = |name: &str, value, normalized| {
        let mut drive = snapshot();
        drive.statistics = vec![Statistic {
            name: name.to_owned(),
            value,
            normalized,
        }];
        drive
    };
    for (name, before, after, want) in [
        ("Number of Reported Uncorrectable Errors", 0, 1, Outcome::Failed),
        ("Number of Reported Uncorrectable Errors", 2, 2, Outcome::Warn),
        ("Number of Reallocated Logical Sectors", 0, 1, Outcome::Failed),
        (
            "Number of Reallocation Candidate Logical Sectors",
            0,
            1,
            Outcome::Failed,
        ),
        ("Pending Error Count", 0, 3, Outcome::Failed),
        ("Pending Error Count", 3, 0, Outcome::Warn),
        ("Number of Interface CRC Errors", 3, 4, Outcome::Warn),
        ("Percentage Used Endurance Indicator", 19, 19, Outcome::Passed),
        ("Percentage Used Endurance Indicator", 100, 100, Outcome::Failed),
        ("Number of Hardware Resets", 3, 99, Outcome::Passed),
        // Cleared meanwhile.
        ("Number of Reported Uncorrectable Errors", 2, 0, Outcome::Inconclusive),
    ] {
        let verdict = verdict(&clean(), Some(&of(name, before, false)), Some(&of(name, after, false)));
        assert_eq!(verdict.outcome, want, "{name}: {before} to {after}");
    }
    let name = "Number of Reallocated Logical Sectors";
    let scaled = verdict(&clean(), Some(&of(name, 100, true)), Some(&of(name, 100, true)));
    assert_eq!(scaled.outcome, Outcome::Passed, "a normalised value is no count");
    let gone = verdict(&clean(), Some(&of(name, 0, false)), Some(&snapshot()));
    assert_eq!(gone.outcome, Outcome::Inconclusive);
}

/// The statistic counts logical sectors, of which eight are one that attribute 5 counts on a disk of 4 KiB sectors.
#[test]
fn reallocated_logical_sectors_are_weighed_as_those_that_attribute_5_counts() {
    use drive::smart::Statistic;
    let of = |attribute: Option<u64>, statistic: Option<i64>| {
        let mut drive = attribute.map_or_else(snapshot, |count| with(5, count));
        if attribute.is_none() {
            drive.attributes.retain(|row| row.id != 5);
        }
        drive.statistics = statistic
            .map(|value| Statistic {
                name: "Number of Reallocated Logical Sectors".to_owned(),
                value,
                normalized: false,
            })
            .into_iter()
            .collect();
        drive
    };
    for (attribute, statistic, want) in [
        (Some(2), Some(16), Outcome::Warn),
        (Some(15), Some(120), Outcome::Warn),
        (Some(16), Some(16), Outcome::Failed),
        // What the unit does not explain, attribute 5 does not excuse.
        (Some(1), Some(121), Outcome::Failed),
        (Some(0), Some(16), Outcome::Failed),
        (Some(0), Some(15), Outcome::Warn),
        (None, Some(16), Outcome::Failed),
        (Some(16), None, Outcome::Failed),
        (Some(0), Some(0), Outcome::Passed),
    ] {
        let drive = of(attribute, statistic);
        let outcome = judge(&both(&clean(), &drive)).outcome;
        assert_eq!(outcome, want, "{attribute:?} {statistic:?}");
    }
    // Of 4 KiB sectors one logical sector is one that was replaced.
    let mut native = clean();
    (native.geometry.sector, native.geometry.physical) = (4096, 4096);
    assert_eq!(fired(&both(&native, &of(Some(2), Some(16))), "reallocated"), FAILED);
    for (attribute, statistic) in [(3, 16), (2, 17)] {
        let (before, after) = (of(Some(2), Some(16)), of(Some(attribute), Some(statistic)));
        let verdict = verdict(&clean(), Some(&before), Some(&after));
        assert!(ids(&verdict).contains(&"reallocated-grew"), "{verdict:?}");
    }
}

/// Each of them is a block of flash that is replaced; the names are smartctl's own for drives that it does not know, too, and there tell nothing.
#[test]
fn flash_that_fails_to_write_or_erase_in_the_job_is_told_where_its_names_are_known() {
    let flash = |family: Option<&str>, rpm| Snapshot {
        family: family.map(str::to_owned),
        rpm,
        ..snapshot()
    };
    for (id, name) in [
        (171, "Program_Fail_Count"),
        (172, "Erase_Fail_Count"),
        (181, "Program_Fail_Cnt_Total"),
        (182, "Erase_Fail_Count_Total"),
        (179, "Used_Rsvd_Blk_Cnt_Tot"),
        (163, "Total_Bad_Block_Count"),
        (195, "Program_Failure_Blk_Ct"),
    ] {
        let hits = |drive, before, after| grown_on(drive, id, name, before, after);
        let hit = [("flash-failures-grew".to_owned(), Outcome::Warn)];
        assert_eq!(
            hits(flash(Some("Samsung based SSDs"), Some(0)), 7, 8),
            hit,
            "{id} {name}"
        );
        assert_eq!(
            hits(flash(Some("Samsung based SSDs"), Some(0)), 7, 7),
            [],
            "{id} {name}"
        );
        assert_eq!(hits(flash(None, Some(0)), 7, 8), [], "{id} {name}, not listed");
        assert_eq!(
            hits(flash(Some("A disk"), Some(7200)), 7, 8),
            [],
            "{id} {name}, of platters"
        );
    }
    let flash = flash(Some("Samsung based SSDs"), Some(0));
    assert_eq!(grown_on(flash, 180, "Unused_Rsvd_Blk_Cnt_Tot", 8, 9), []);
}

#[test]
fn spare_blocks_of_flash_are_known_by_their_names() {
    let evidence = clean();
    let of = |(id, name): (u16, &str), rpm, threshold| {
        let mut drive = snapshot();
        drive.attributes.push(Attribute {
            name: name.to_owned(),
            value: Some(12),
            threshold: Some(threshold),
            ..attribute(id, 0)
        });
        drive.rpm = Some(rpm);
        fired(&both(&evidence, &drive), "flash-spare")
    };
    for named in [
        (170, "Available_Reservd_Space"),
        (170, "Reserved_Block_Count"),
        (170, "Reserve_Block_Count"),
        (170, "Reserve_Blk_Remaining"),
        (178, "Used_Rsvd_Blk_Cnt_Chip"),
        (179, "Used_Rsvd_Blk_Cnt_Tot"),
        (180, "Unused_Rsvd_Blk_Cnt_Tot"),
        (232, "Available_Reservd_Space"),
        (232, "Perc_Avail_Resrvd_Space"),
    ] {
        assert_eq!(of(named, 0, 10), WARN, "{named:?}");
        assert_eq!(of(named, 0, 0), None, "{named:?} has no threshold");
        assert_eq!(of(named, 7200, 10), None, "{named:?} of a disk");
    }
    assert_eq!(of((232, "Endurance_Remaining"), 0, 10), None);
}
