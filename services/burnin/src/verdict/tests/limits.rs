//! Every limit of the table of rules for what a drive tells of itself, at the limit and one before it, in both profiles.

use drive::smart::{ErrorCounters, Farm, FarmErrors, NvmeHealth, ScsiHealth};

use super::*;

/// What a drive tells, with one count set.
type Count = fn(i64) -> Snapshot;

const USED: &[Profile] = &[Profile::Used];
const NEW: &[Profile] = &[Profile::New];
const BOTH: &[Profile] = &[Profile::Used, Profile::New];

fn ata<const ID: u16>(count: i64) -> Snapshot {
    with(ID, count.unsigned_abs())
}

fn pending_ecc(count: i64) -> Snapshot {
    let mut drive = ata::<197>(count);
    drive.attributes.last_mut().unwrap().name = "Current_Pending_ECC_Cnt".into();
    drive
}

/// Attribute 22 normalised, of a threshold of 25.
fn helium(value: i64) -> Snapshot {
    let mut drive = with(22, 0);
    let last = drive.attributes.last_mut().unwrap();
    (last.name, last.value, last.threshold) = ("Helium_Level".into(), u8::try_from(value).ok(), Some(25));
    drive
}

/// Life that is left, normalised.
fn left(value: i64) -> Snapshot {
    let mut drive = with(231, 0);
    let last = drive.attributes.last_mut().unwrap();
    (last.name, last.value, last.threshold) = ("SSD_Life_Left".into(), u8::try_from(value).ok(), Some(0));
    drive.rpm = Some(0);
    drive
}

/// Spare blocks that are left, normalised, of a threshold of 10.
fn reserve(value: i64) -> Snapshot {
    let mut drive = with(232, 0);
    let last = drive.attributes.last_mut().unwrap();
    (last.name, last.value) = ("Available_Reservd_Space".into(), u8::try_from(value).ok());
    drive.rpm = Some(0);
    drive
}

fn hours(hours: i64) -> Snapshot {
    super::hours(hours.unsigned_abs())
}

fn cycles(cycles: i64) -> Snapshot {
    Snapshot {
        power_cycles: Some(cycles.unsigned_abs()),
        ..snapshot()
    }
}

/// So many hours by the field log, 5 by SMART.
fn farm(hours: i64) -> Snapshot {
    Snapshot {
        farm: Farm::Told {
            hours: hours.unsigned_abs(),
            errors: FarmErrors::default(),
        },
        ..snapshot()
    }
}

fn nvme(change: impl FnOnce(&mut NvmeHealth)) -> Snapshot {
    let mut health = NvmeHealth {
        critical_warning: Some(0),
        available_spare: Some(100),
        available_spare_threshold: Some(10),
        percentage_used: Some(0),
        data_units_read: Some(1),
        data_units_written: Some(1),
        media_errors: Some(0),
        num_err_log_entries: Some(0),
        unsafe_shutdowns: Some(0),
        warning_temp_time: Some(0),
        critical_comp_time: Some(0),
        refused_commands: Vec::new(),
        oldest_listed: None,
    };
    change(&mut health);
    Snapshot {
        protocol: Protocol::Nvme,
        attributes: Vec::new(),
        nvme: Some(health),
        rpm: None,
        ..snapshot()
    }
}

fn sas(change: impl FnOnce(&mut ScsiHealth)) -> Snapshot {
    let counters = || {
        Some(ErrorCounters {
            rereads_rewrites: Some(100),
            corrected: Some(0),
            uncorrected: Some(0),
        })
    };
    let mut health = ScsiHealth {
        grown_defects: Some(0),
        read: counters(),
        write: counters(),
        verify: counters(),
        non_medium: Some(0),
        phy_errors: Some(0),
        pending_defects: Some(0),
        ..ScsiHealth::default()
    };
    change(&mut health);
    Snapshot {
        protocol: Protocol::Scsi,
        attributes: Vec::new(),
        scsi: Some(health),
        ..snapshot()
    }
}

fn count(value: i64) -> Option<u64> {
    u64::try_from(value).ok()
}

/// Rule; profiles in which it holds; what is counted before the job (`None`: the same as after it); then counts with the outcome
/// that each has.
type Row = (
    &'static str,
    &'static [Profile],
    Count,
    Option<i64>,
    &'static [(i64, Option<Outcome>)],
);

const ROWS: &[Row] = &[
    (
        "reallocated",
        USED,
        ata::<5>,
        None,
        &[(0, None), (1, WARN), (15, WARN), (16, FAILED)],
    ),
    (
        "reallocated-new",
        NEW,
        ata::<5>,
        None,
        &[(0, None), (1, WARN), (4, WARN), (5, FAILED)],
    ),
    ("reallocated-grew", BOTH, ata::<5>, Some(1), &[(1, None), (2, FAILED)]),
    ("pending-before", BOTH, ata::<197>, None, &[(0, None), (1, WARN)]),
    ("pending-after", BOTH, ata::<197>, Some(0), &[(0, None), (1, FAILED)]),
    (
        "pending-ecc-before",
        BOTH,
        pending_ecc,
        None,
        &[(0, None), (1, TOLD), (2, WARN)],
    ),
    (
        "pending-ecc-after",
        BOTH,
        pending_ecc,
        Some(0),
        &[(0, None), (1, TOLD), (2, FAILED)],
    ),
    ("uncorrectable-before", BOTH, ata::<198>, None, &[(0, None), (1, WARN)]),
    ("uncorrectable-after", BOTH, ata::<198>, None, &[(0, None), (1, FAILED)]),
    (
        "uncorrectable-grew",
        BOTH,
        ata::<198>,
        Some(3),
        &[(2, None), (3, None), (4, FAILED)],
    ),
    ("reported-uncorrect", BOTH, ata::<187>, None, &[(0, None), (1, WARN)]),
    (
        "reported-uncorrect-grew",
        BOTH,
        ata::<187>,
        Some(1),
        &[(1, None), (2, FAILED)],
    ),
    (
        "command-timeout-grew",
        BOTH,
        ata::<188>,
        Some(7),
        &[(7, None), (8, WARN), (16, WARN), (17, FAILED)],
    ),
    ("end-to-end", BOTH, ata::<184>, None, &[(0, None), (1, WARN)]),
    ("end-to-end-grew", BOTH, ata::<184>, Some(1), &[(1, None), (2, FAILED)]),
    ("spin-retry", BOTH, ata::<10>, None, &[(0, None), (1, WARN)]),
    ("spin-retry-grew", BOTH, ata::<10>, Some(1), &[(1, None), (2, FAILED)]),
    ("reallocation-events", BOTH, ata::<196>, None, &[(0, None), (1, WARN)]),
    (
        "reallocation-events-grew",
        BOTH,
        ata::<196>,
        Some(1),
        &[(1, None), (2, FAILED)],
    ),
    (
        "crc-errors",
        BOTH,
        ata::<199>,
        Some(5),
        &[(5, None), (6, WARN), (14, WARN), (15, INCONCLUSIVE)],
    ),
    ("helium", BOTH, helium, None, &[(100, None), (99, WARN)]),
    ("helium-low", BOTH, helium, None, &[(26, None), (25, FAILED)]),
    (
        "wear",
        BOTH,
        left,
        None,
        &[(21, None), (20, WARN), (11, WARN), (10, FAILED)],
    ),
    (
        "flash-spare",
        BOTH,
        reserve,
        None,
        &[(21, None), (20, WARN), (11, WARN)],
    ),
    ("flash-spare-fell", NEW, reserve, Some(100), &[(100, None), (99, WARN)]),
    (
        "flash-spare-fell-used",
        USED,
        reserve,
        Some(100),
        &[(100, None), (99, TOLD), (98, WARN), (60, WARN)],
    ),
    (
        "hours-on-new",
        NEW,
        hours,
        None,
        &[(24, None), (25, WARN), (200, WARN), (201, FAILED)],
    ),
    ("power-cycles-on-new", NEW, cycles, None, &[(99, None), (100, WARN)]),
    (
        "farm-hours-on-new",
        NEW,
        farm,
        None,
        &[(24, None), (25, WARN), (200, WARN), (201, FAILED)],
    ),
    ("farm-hidden-hours", NEW, farm, None, &[(15, None), (16, WARN)]),
    ("farm-hidden-hours-used", USED, farm, None, &[(15, None), (16, TOLD)]),
    (
        "nvme-critical",
        BOTH,
        |bits| nvme(|told| told.critical_warning = u8::try_from(bits).ok()),
        None,
        &[
            (0, None),
            (1, FAILED),
            (2, None),
            (4, FAILED),
            (8, FAILED),
            (16, FAILED),
            (32, FAILED),
        ],
    ),
    (
        "nvme-hot",
        BOTH,
        |bits| nvme(|told| told.critical_warning = u8::try_from(bits).ok()),
        None,
        &[(0, None), (1, None), (2, INCONCLUSIVE)],
    ),
    (
        "spare",
        BOTH,
        |spare| nvme(|told| told.available_spare = u8::try_from(spare).ok()),
        None,
        &[(21, None), (20, WARN), (10, WARN), (9, FAILED)],
    ),
    (
        "spare-fell",
        NEW,
        |spare| nvme(|told| told.available_spare = u8::try_from(spare).ok()),
        Some(100),
        &[(100, None), (99, WARN)],
    ),
    (
        "spare-fell-used",
        USED,
        |spare| nvme(|told| told.available_spare = u8::try_from(spare).ok()),
        Some(50),
        &[(50, None), (49, TOLD), (48, WARN), (22, WARN)],
    ),
    (
        "percentage-used",
        BOTH,
        |used| nvme(|told| told.percentage_used = count(used)),
        None,
        &[(79, None), (80, WARN), (99, WARN), (100, FAILED)],
    ),
    (
        "percentage-used-new",
        NEW,
        |used| nvme(|told| told.percentage_used = count(used)),
        None,
        &[(1, None), (2, WARN), (100, WARN)],
    ),
    (
        "media-errors",
        BOTH,
        |errors| nvme(|told| told.media_errors = count(errors)),
        None,
        &[(0, None), (1, WARN)],
    ),
    (
        "media-errors-grew",
        BOTH,
        |errors| nvme(|told| told.media_errors = count(errors)),
        Some(1),
        &[(1, None), (2, FAILED)],
    ),
    (
        "error-log-grew",
        BOTH,
        |entries| nvme(|told| told.num_err_log_entries = count(entries)),
        Some(7),
        &[(7, None), (8, WARN), (7000, WARN)],
    ),
    (
        "hot-minutes",
        BOTH,
        |minutes| nvme(|told| told.warning_temp_time = count(minutes)),
        Some(7),
        &[(7, None), (8, WARN)],
    ),
    (
        "critical-minutes",
        BOTH,
        |minutes| nvme(|told| told.critical_comp_time = count(minutes)),
        Some(7),
        &[(7, None), (8, WARN)],
    ),
    (
        "grown-defects",
        BOTH,
        |defects| sas(|told| told.grown_defects = count(defects)),
        None,
        &[(0, None), (1, WARN), (9, WARN), (10, FAILED)],
    ),
    (
        "grown-defects-grew",
        BOTH,
        |defects| sas(|told| told.grown_defects = count(defects)),
        Some(1),
        &[(1, None), (2, FAILED)],
    ),
    (
        "uncorrected-before",
        USED,
        |errors| sas(|told| told.read.as_mut().unwrap().uncorrected = count(errors)),
        None,
        &[(0, None), (1, WARN)],
    ),
    (
        "uncorrected-new",
        NEW,
        |errors| sas(|told| told.read.as_mut().unwrap().uncorrected = count(errors)),
        None,
        &[(0, None), (1, FAILED)],
    ),
    (
        "uncorrected-grew",
        BOTH,
        |errors| sas(|told| told.verify.as_mut().unwrap().uncorrected = count(errors)),
        Some(1),
        &[(1, None), (2, FAILED)],
    ),
    (
        "rereads-grew",
        BOTH,
        |errors| sas(|told| told.read.as_mut().unwrap().rereads_rewrites = count(errors)),
        Some(100),
        &[(100, None), (109, None), (110, WARN), (9000, WARN)],
    ),
    (
        "non-medium-grew",
        BOTH,
        |errors| sas(|told| told.non_medium = count(errors)),
        Some(7),
        &[(7, None), (8, WARN)],
    ),
    (
        "phy-errors-grew",
        BOTH,
        |errors| sas(|told| told.phy_errors = count(errors)),
        Some(7),
        &[(7, None), (8, WARN)],
    ),
];

#[test]
fn every_limit_holds_from_its_first_count_on_and_in_its_profiles_alone() {
    let evidence = clean();
    for (rule, profiles, told, stood, counts) in ROWS {
        for (count, want) in *counts {
            let after = told(*count);
            let before = told(stood.unwrap_or(*count));
            for profile in BOTH {
                let case = Case {
                    before: Some(&before),
                    profile: *profile,
                    ..both(&evidence, &after)
                };
                let want = want.filter(|_| profiles.contains(profile));
                assert_eq!(fired(&case, rule), want, "{rule}: {count}, {profile:?}");
            }
        }
    }
}

/// Nothing was written that could clear it, and nothing was that could have shown it: it grew while the drive was read.
#[test]
fn offline_uncorrectable_sectors_that_a_scan_brought_fail_the_drive() {
    let mut scan = Evidence::new(GEOMETRY, &plain(&[Phase::Scan]));
    scan.phases[0].status = PhaseStatus::Done;
    for (before, after, want) in [(0, 0, None), (3, 3, None), (3, 4, FAILED)] {
        let (first, last) = (with(198, before), with(198, after));
        let case = Case {
            before: Some(&first),
            ..both(&scan, &last)
        };
        assert_eq!(fired(&case, "uncorrectable-grew"), want, "{before} to {after}");
        assert_eq!(fired(&case, "uncorrectable-after"), None, "nothing was written");
    }
}

/// A counter of one kind of access that was set back excuses none of another kind.
#[test]
fn rereads_that_one_kind_of_access_takes_back_do_not_outweigh_anothers() {
    let evidence = clean();
    let before = sas(|_| {});
    let after = sas(|told| {
        told.read.as_mut().unwrap().rereads_rewrites = Some(0);
        told.write.as_mut().unwrap().rereads_rewrites = Some(150);
    });
    let case = Case {
        before: Some(&before),
        ..both(&evidence, &after)
    };
    assert_eq!(fired(&case, "rereads-grew"), WARN);
}
