//! What SAS and NVMe drives tell in words of their own.

use drive::smart::{ErrorCounters, ScsiException, ScsiHealth};
use wire::Celsius;
use wire::job::TimePoint;

use super::*;

/// smartctl adds an entry to the log of some drives at each reading, which is no error of theirs.
#[test]
fn commands_that_the_drive_does_not_know_are_no_errors() {
    let evidence = clean();
    let of = |entries: u64, refused: &[u64]| Snapshot {
        protocol: Protocol::Nvme,
        attributes: Vec::new(),
        nvme: Some(NvmeHealth {
            num_err_log_entries: Some(entries),
            refused_commands: refused.to_vec(),
            ..NvmeHealth::default()
        }),
        ..snapshot()
    };
    for (before, after, refused, want) in [
        (7, 7, &[7][..], None),
        (7, 9, &[9, 8, 7], None),
        (7, 9, &[9, 9, 7], WARN),
        (7, 9, &[9, 7, 6], WARN),
        (7, 9, &[], WARN),
        (0, 40, &[40, 39, 38], WARN),
        // It began anew.
        (9, 2, &[2, 1], None),
        (9, 7, &[7, 6], WARN),
    ] {
        let (first, last) = (of(before, &[]), of(after, refused));
        let case = Case {
            before: Some(&first),
            ..both(&evidence, &last)
        };
        assert_eq!(fired(&case, "error-log-grew"), want, "{before} to {after}: {refused:?}");
    }
}

/// `smartctl -x` lists sixteen, and hours of readings add more.
#[test]
fn entries_that_fell_out_of_a_list_of_unknown_commands_are_told() {
    let evidence = clean();
    let of = |entries: u64, refused: &[u64], oldest_listed| Snapshot {
        protocol: Protocol::Nvme,
        attributes: Vec::new(),
        nvme: Some(NvmeHealth {
            num_err_log_entries: Some(entries),
            refused_commands: refused.to_vec(),
            oldest_listed,
            ..NvmeHealth::default()
        }),
        ..snapshot()
    };
    for (after, refused, oldest, grew, unlisted) in [
        (24, &[24, 23, 22, 21][..], Some(21), None, TOLD),
        (300, &[300, 299, 298, 297], Some(297), None, TOLD),
        // The list was not full, or is not whole.
        (24, &[24, 23, 22, 21], None, WARN, None),
        (24, &[24, 23, 21], Some(21), WARN, None),
        (25, &[24, 23, 22, 21], Some(21), WARN, None),
        (24, &[], Some(21), WARN, None),
        (24, &[], None, WARN, None),
        // All new ones are listed.
        (9, &[9, 8, 7, 6], Some(6), None, None),
        (8, &[8, 7, 6, 5], Some(5), None, None),
        (9, &[9, 7, 6], Some(6), WARN, None),
        (7, &[7, 6, 5, 4], Some(4), None, None),
    ] {
        let (first, last) = (of(7, &[], None), of(after, refused, oldest));
        let case = Case {
            before: Some(&first),
            ..both(&evidence, &last)
        };
        let got = ["error-log-grew", "error-log-unlisted"].map(|rule| fired(&case, rule));
        assert_eq!(got, [grew, unlisted], "to {after}: {refused:?} from {oldest:?}");
    }
}

/// Forty before a power cut and 25 after it are 25 at least that the job saw.
#[test]
fn a_counter_that_began_anew_has_counted_what_stands_there() {
    let nvme = |entries: u64| Snapshot {
        protocol: Protocol::Nvme,
        attributes: Vec::new(),
        nvme: Some(NvmeHealth {
            num_err_log_entries: Some(entries),
            ..NvmeHealth::default()
        }),
        ..snapshot()
    };
    let log = |entries: u64| Snapshot {
        error_log_count: Some(entries),
        ..snapshot()
    };
    let told: [(&str, &dyn Fn(u64) -> Snapshot); 5] = [
        ("command-timeout-grew", &|count| with(188, count)),
        ("phy-errors-grew", &|count| sas(&|told| told.phy_errors = Some(count))),
        ("non-medium-grew", &|count| sas(&|told| told.non_medium = Some(count))),
        ("error-log-grew", &nvme),
        ("error-log-entries-added", &log),
    ];
    let evidence = clean();
    for (rule, of) in told {
        for (before, after, want) in [(40, 25, Some("25")), (40, 0, None), (40, 40, None), (40, 41, Some("1"))] {
            let (first, last) = (of(before), of(after));
            let verdict = judge(&Case {
                before: Some(&first),
                ..both(&evidence, &last)
            });
            let hit = verdict.rules.iter().find(|hit| hit.id == rule);
            let grew = hit.and_then(|hit| hit.value.split(' ').next());
            assert_eq!(grew, want, "{rule}: {before} to {after}");
        }
    }
}

#[test]
fn sas_counters() {
    let of = |change: &dyn Fn(&mut ScsiHealth)| {
        let mut drive = Snapshot {
            attributes: Vec::new(),
            scsi: Some(ScsiHealth {
                grown_defects: Some(0),
                non_medium: Some(0),
                phy_errors: Some(0),
                read: Some(ErrorCounters {
                    rereads_rewrites: Some(0),
                    corrected: Some(9_999),
                    uncorrected: Some(0),
                }),
                ..ScsiHealth::default()
            }),
            ..snapshot()
        };
        change(drive.scsi.as_mut().unwrap());
        drive
    };
    let good = of(&|_| {});
    let outcome = |before: &Snapshot, after: &Snapshot, profile| {
        let evidence = clean();
        let case = Case {
            wants_smart: true,
            before: Some(before),
            after: Some(after),
            profile,
            ..Case::new(&evidence)
        };
        judge(&case).outcome
    };
    for (grown, want) in [
        (0, Outcome::Passed),
        (1, Outcome::Warn),
        (9, Outcome::Warn),
        (10, Outcome::Failed),
    ] {
        let drive = of(&|s| s.grown_defects = Some(grown));
        assert_eq!(outcome(&drive, &drive, Profile::Used), want, "{grown}");
    }
    assert_eq!(
        outcome(&good, &of(&|s| s.grown_defects = Some(1)), Profile::Used),
        Outcome::Failed
    );
    let uncorrected = of(&|s| s.read.as_mut().unwrap().uncorrected = Some(1));
    assert_eq!(outcome(&uncorrected, &uncorrected, Profile::Used), Outcome::Warn);
    assert_eq!(outcome(&uncorrected, &uncorrected, Profile::New), Outcome::Failed);
    assert_eq!(outcome(&good, &uncorrected, Profile::Used), Outcome::Failed);
    // smartctl leaves the row out while all in it is 0; the first check of the drive's own brings it.
    for (count, want) in [(0, Outcome::Passed), (1, Outcome::Failed)] {
        let verified = of(&|s| {
            s.verify = Some(ErrorCounters {
                uncorrected: Some(count),
                ..s.read.clone().unwrap()
            });
        });
        assert_eq!(outcome(&good, &verified, Profile::Used), want, "{count} in a new row");
    }
    for after in [
        of(&|s| s.read.as_mut().unwrap().rereads_rewrites = Some(10)),
        of(&|s| s.non_medium = Some(1)),
        of(&|s| s.phy_errors = Some(1)),
    ] {
        assert_eq!(outcome(&good, &after, Profile::Used), Outcome::Warn);
    }
    assert_eq!(
        outcome(
            &good,
            &of(&|s| s.read.as_mut().unwrap().rereads_rewrites = Some(9)),
            Profile::Used
        ),
        Outcome::Passed
    );
}

#[test]
fn nvme_counters() {
    let of = |change: &dyn Fn(&mut NvmeHealth)| {
        let mut health = NvmeHealth {
            critical_warning: Some(0),
            available_spare: Some(100),
            available_spare_threshold: Some(10),
            percentage_used: Some(0),
            media_errors: Some(0),
            num_err_log_entries: Some(5),
            warning_temp_time: Some(0),
            critical_comp_time: Some(0),
            ..NvmeHealth::default()
        };
        change(&mut health);
        Snapshot {
            protocol: Protocol::Nvme,
            attributes: Vec::new(),
            nvme: Some(health),
            ..snapshot()
        }
    };
    let good = of(&|_| {});
    let evidence = clean();
    let outcome = |before: &Snapshot, after: &Snapshot, profile| {
        let case = Case {
            wants_smart: true,
            before: Some(before),
            after: Some(after),
            profile,
            ..Case::new(&evidence)
        };
        judge(&case).outcome
    };
    let same = |drive: Snapshot, profile| outcome(&drive, &drive, profile);
    for (bit, want) in [
        (0, Outcome::Failed),
        (1, Outcome::Inconclusive),
        (2, Outcome::Failed),
        (3, Outcome::Failed),
        (4, Outcome::Failed),
        (5, Outcome::Failed),
    ] {
        assert_eq!(
            same(of(&|n| n.critical_warning = Some(1 << bit)), Profile::Used),
            want,
            "bit {bit}"
        );
    }
    for (used, in_used, in_new) in [
        (1, Outcome::Passed, Outcome::Passed),
        (2, Outcome::Passed, Outcome::Warn),
        (79, Outcome::Passed, Outcome::Warn),
        (80, Outcome::Warn, Outcome::Warn),
        (100, Outcome::Failed, Outcome::Failed),
    ] {
        assert_eq!(
            same(of(&|n| n.percentage_used = Some(used)), Profile::Used),
            in_used,
            "{used} %"
        );
        assert_eq!(
            same(of(&|n| n.percentage_used = Some(used)), Profile::New),
            in_new,
            "{used} %"
        );
    }
    assert_eq!(same(of(&|n| n.media_errors = Some(7)), Profile::Used), Outcome::Warn);
    assert_eq!(
        outcome(&good, &of(&|n| n.media_errors = Some(1)), Profile::Used),
        Outcome::Failed
    );
    assert_eq!(
        outcome(&good, &of(&|n| n.num_err_log_entries = Some(9)), Profile::Used),
        Outcome::Warn
    );
    assert_eq!(
        outcome(&good, &of(&|n| n.warning_temp_time = Some(1)), Profile::Used),
        Outcome::Warn
    );
    assert_eq!(
        outcome(&good, &of(&|n| n.critical_comp_time = Some(1)), Profile::Used),
        Outcome::Warn
    );
    for (spare, want) in [
        (20, Outcome::Warn),
        (21, Outcome::Passed),
        (10, Outcome::Warn),
        (9, Outcome::Failed),
    ] {
        assert_eq!(
            same(of(&|n| n.available_spare = Some(spare)), Profile::Used),
            want,
            "{spare} %"
        );
    }
    let less = of(&|n| n.available_spare = Some(99));
    assert_eq!(outcome(&good, &less, Profile::New), Outcome::Warn);
    assert_eq!(outcome(&good, &less, Profile::Used), Outcome::Passed);
}

/// Bit 1 of the critical warning is clear again after the job, and minutes are whole ones.
#[test]
fn nvme_heat_that_is_past_is_told_and_heat_during_the_job_is_warn() {
    let evidence = clean();
    let mut drive = snapshot();
    drive.attributes.clear();
    drive.heat_warning = Some(80);
    drive.nvme = Some(NvmeHealth {
        critical_warning: Some(0),
        warning_temp_time: Some(0),
        critical_comp_time: Some(0),
        ..NvmeHealth::default()
    });
    let line = |degrees: &[i32]| -> Vec<TimePoint> {
        let point = |degrees: &i32| TimePoint {
            at: Time::UNIX_EPOCH,
            step: 0,
            temperature: Some(Celsius(*degrees)),
            rate: Bytes(0),
            bad_sectors: 0,
        };
        degrees.iter().map(point).collect()
    };
    for (degrees, want) in [(vec![40, 79], None), (vec![40, 80, 81, 50], WARN), (vec![], None)] {
        let timeline = line(&degrees);
        let case = Case {
            timeline: &timeline,
            ..both(&evidence, &drive)
        };
        assert_eq!(fired(&case, "nvme-hot-meanwhile"), want, "{degrees:?}");
    }
    assert_eq!(fired(&both(&evidence, &drive), "hot-minutes-before"), None);
    drive.nvme = drive.nvme.map(|health| NvmeHealth {
        warning_temp_time: Some(12),
        critical_comp_time: Some(3),
        ..health
    });
    let case = both(&evidence, &drive);
    assert_eq!(fired(&case, "hot-minutes-before"), TOLD);
    assert_eq!(fired(&case, "critical-minutes-before"), TOLD);
    assert_eq!(fired(&case, "hot-minutes"), None, "nothing was added");
}

fn sas(change: &dyn Fn(&mut ScsiHealth)) -> Snapshot {
    let mut health = ScsiHealth {
        grown_defects: Some(0),
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

#[test]
fn pending_defects_are_judged_as_pending_sectors_are() {
    let (good, waiting) = (sas(&|_| {}), sas(&|s| s.pending_defects = Some(2)));
    let untold = sas(&|s| s.pending_defects = None);
    let mut scan = Evidence::new(GEOMETRY, &plain(&[Phase::Scan]));
    scan.phases[0].status = PhaseStatus::Done;
    for (evidence, before, after, id, want) in [
        (clean(), &waiting, &good, "pending-defects-before", WARN),
        (clean(), &waiting, &good, "pending-defects-after", None),
        (clean(), &good, &waiting, "pending-defects-after", FAILED),
        (scan.clone(), &good, &waiting, "pending-defects-after", None),
        (scan.clone(), &good, &waiting, "pending-defects-before", None),
        (scan.clone(), &good, &waiting, "pending-defects-grew", WARN),
        (scan, &waiting, &waiting, "pending-defects-before", WARN),
        (clean(), &good, &untold, "smart-counters-gone", INCONCLUSIVE),
        (clean(), &untold, &good, "smart-counters-new", INCONCLUSIVE),
    ] {
        let case = Case {
            before: Some(before),
            ..both(&evidence, after)
        };
        assert_eq!(fired(&case, id), want, "{id}");
    }
    assert_eq!(judge(&both(&clean(), &good)).outcome, Outcome::Passed);
}

#[test]
fn an_exception_fails_the_drive_unless_it_tells_of_its_temperature() {
    let of = |asc, ascq| {
        let mut drive = sas(&|s| {
            s.exception = Some(ScsiException {
                asc,
                ascq,
                text: "its words".into(),
            });
        });
        (drive.passed, drive.exit_status) = (Some(false), Some(8));
        judge(&both(&clean(), &drive))
    };
    let predicted = of(0x5d, 0x10);
    assert_eq!(
        (predicted.outcome, ids(&predicted)),
        (Outcome::Failed, vec!["smart-failing"])
    );
    assert!(
        predicted.rules[0].value.contains("its words [asc=5d, ascq=10]"),
        "{predicted:?}"
    );
    for (ascq, what) in [
        (0x03, "its own test failed"),
        (0x05, "its scan met bad sectors"),
        (0x06, "its cache is volatile now"),
        (0x14, "an element is lost"),
    ] {
        assert_eq!(of(0x0b, ascq).outcome, Outcome::Failed, "{what}");
    }
    // Enclosure, loss of power, statistics, humidity, microcode, and what its maker alone knows.
    for ascq in [0x02, 0x08, 0x09, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x80, 0x96, 0xff] {
        let warned = of(0x0b, ascq);
        assert_eq!(
            (warned.outcome, ids(&warned)),
            (Outcome::Warn, vec!["exception-warning"]),
            "{ascq:#x}"
        );
    }
    // Exceeded, and the high and low critical and operating limits.
    for ascq in [0x01, 0x0a, 0x0b, 0x0c, 0x0d] {
        let hot = of(0x0b, ascq);
        assert_eq!(
            (hot.outcome, ids(&hot)),
            (Outcome::Inconclusive, vec!["exception-hot"]),
            "{ascq:#x}"
        );
    }
}

#[test]
fn sectors_of_which_a_sas_disk_warned_are_cured_by_a_write() {
    let of = |exception: Option<(u8, u8)>| {
        let mut drive = sas(&|s| {
            s.exception = exception.map(|(asc, ascq)| ScsiException {
                asc,
                ascq,
                text: "its words".into(),
            });
        });
        drive.passed = Some(exception.is_none());
        drive.exit_status = Some(if exception.is_none() { 0 } else { 8 });
        drive
    };
    let evidence = clean();
    let judged = |before, after| {
        let (before, after) = (of(before), of(after));
        let verdict = judge(&Case {
            before: Some(&before),
            ..both(&evidence, &after)
        });
        (verdict.outcome, ids(&verdict).first().map(ToString::to_string))
    };
    let is = |outcome, rule: &str| (outcome, Some(rule.to_owned()));
    let cured = judged(Some((0x0b, 0x05)), None);
    assert_eq!(cured, is(Outcome::Warn, "exception-warning"));
    for (before, after) in [
        (Some((0x0b, 0x05)), Some((0x0b, 0x05))),
        (Some((0x0b, 0x05)), Some((0x5d, 0x10))),
        (Some((0x5d, 0x10)), None),
        (Some((0x0b, 0x03)), None),
    ] {
        assert_eq!(
            judged(before, after),
            is(Outcome::Failed, "smart-failing"),
            "{before:x?} {after:x?}"
        );
    }
}

#[test]
fn what_one_error_counter_takes_back_hides_nothing_that_another_adds() {
    let counted = |read, write| {
        let of = |uncorrected| {
            Some(ErrorCounters {
                uncorrected: Some(uncorrected),
                ..ErrorCounters::default()
            })
        };
        sas(&|s| (s.read, s.write) = (of(read), of(write)))
    };
    let (before, after, grown) = (counted(0, 5), counted(5, 0), counted(5, 5));
    let evidence = clean();
    let case = Case {
        before: Some(&before),
        ..both(&evidence, &after)
    };
    assert_eq!(fired(&case, "uncorrected-grew"), FAILED);
    assert_eq!(fired(&both(&evidence, &grown), "uncorrected-before"), WARN);
    assert_eq!(fired(&both(&evidence, &sas(&|_| {})), "uncorrected-before"), None);
}

#[test]
fn a_scan_of_the_drives_own_that_errors_halted_warns() {
    let scanned = |status, errors, not_reassigned| {
        sas(&|s| {
            s.scan = Some(drive::smart::BackgroundScan {
                status,
                text: "its words".into(),
                errors,
                not_reassigned,
            });
        })
    };
    let evidence = clean();
    for (status, id, want) in [
        (0, "scan-halted", None),
        (1, "scan-halted", None),
        (3, "scan-halted", WARN),
        (4, "scan-halted", WARN),
        (8, "scan-stopped", None),
        (7, "scan-stopped", TOLD),
    ] {
        let told = scanned(status, 0, 0);
        assert_eq!(fired(&both(&evidence, &told), id), want, "{status}");
    }
    let (before, after) = (scanned(1, 2, 0), scanned(1, 3, 0));
    let case = Case {
        before: Some(&before),
        ..both(&evidence, &after)
    };
    assert_eq!(fired(&case, "scan-errors-grew"), WARN);
    assert_eq!(fired(&both(&evidence, &before), "scan-errors-before"), TOLD);
    assert_eq!(fired(&both(&evidence, &scanned(0, 0, 1)), "not-reassigned"), WARN);
    // What halted it before the job counts, though it was started again since.
    let (halted, active) = (scanned(3, 0, 0), scanned(1, 0, 0));
    let case = Case {
        before: Some(&halted),
        ..both(&evidence, &active)
    };
    assert_eq!(fired(&case, "scan-halted"), WARN);
}
