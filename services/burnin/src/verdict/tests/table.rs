//! The table of rules in the project's facts, line by line, where `tests.rs` does not hold it already.

use std::time::Duration;

use drive::kernel_log::Unheard;
use drive::smart::{ErrorCounters, Farm, ScsiHealth, SelfTest as LogEntry, WriteCounter};
use wire::job::{SelfTest, SelfTestOutcome, TimePoint};
use wire::options::{FileSystem, Formatted, Table};
use wire::{Celsius, DriveId};

use super::complete::{long, peers};
use super::*;

/// The outcome of the rule `id`; `None` where it does not fire.
fn fired(case: &Case<'_>, id: &str) -> Option<Outcome> {
    judge(case).rules.iter().find(|hit| hit.id == id).map(|hit| hit.outcome)
}

fn both<'a>(evidence: &'a Evidence, snapshot: &'a Snapshot) -> Case<'a> {
    Case {
        wants_smart: true,
        before: Some(snapshot),
        after: Some(snapshot),
        ..Case::new(evidence)
    }
}

const WARN: Option<Outcome> = Some(Outcome::Warn);
const FAILED: Option<Outcome> = Some(Outcome::Failed);
const INCONCLUSIVE: Option<Outcome> = Some(Outcome::Inconclusive);
const TOLD: Option<Outcome> = Some(Outcome::Passed);

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
    assert_eq!(new(&|d| d.farm = Farm::Absent, "farm-absent"), WARN);
    assert_eq!(new(&|d| d.farm = Farm::NotAsked, "farm-absent"), None);
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
fn thresholds_now_fail_in_the_past_warn_and_heat_is_no_fault() {
    for (id, word, rule, want) in [
        (5, "now", "attribute-at-threshold", FAILED),
        (193, "now", "attribute-at-threshold", FAILED),
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
    assert_eq!(outcome(&uncorrected, &uncorrected, Profile::Used), Outcome::Passed);
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
            same(of(&|n| n.critical_warning = 1 << bit), Profile::Used),
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
    assert_eq!(of(233, "Lifetime_Wts_to_Flsh_GB", 0, 0, 0), Outcome::Passed);
    assert_eq!(of(177, "Wear_Range_Delta", 0, 0, 0), Outcome::Passed);
    assert_eq!(of(202, "Data_Address_Mark_Errs", 1, 0, 7200), Outcome::Passed);
    assert_eq!(of(22, "Helium_Level", 100, 25, 7200), Outcome::Passed);
    assert_eq!(of(22, "Helium_Level", 99, 25, 7200), Outcome::Warn);
    assert_eq!(of(22, "Helium_Level", 25, 25, 7200), Outcome::Failed);
}

#[test]
fn heat_on_average_and_heat_that_ended_the_job() {
    let (evidence, drive) = (clean(), snapshot());
    let line = |degrees: &[i32]| -> Vec<TimePoint> {
        let point = |t: &i32| TimePoint {
            at: Time::UNIX_EPOCH,
            step: 0,
            temperature: Some(Celsius(*t)),
            rate: Bytes(0),
            bad_sectors: 0,
        };
        degrees.iter().map(point).collect()
    };
    let mut flash = snapshot();
    flash.rpm = Some(0);
    for (drive, degrees, want) in [
        (&drive, &[40, 60][..], Outcome::Passed),
        (&drive, &[41, 60], Outcome::Warn),
        (&flash, &[60, 80], Outcome::Passed),
        (&flash, &[61, 80], Outcome::Warn),
    ] {
        let line = line(degrees);
        let case = Case {
            timeline: &line,
            ..both(&evidence, drive)
        };
        assert_eq!(judge(&case).outcome, want, "{degrees:?}");
    }
    let case = Case {
        too_hot: Some("61 °C after 30 minutes of rest"),
        ..both(&evidence, &drive)
    };
    assert_eq!(fired(&case, "too-hot"), INCONCLUSIVE);
}

#[test]
fn one_access_of_ten_seconds_fails_unless_something_explains_it() {
    let drive = snapshot();
    let mut evidence = clean();
    assert_eq!(judge(&both(&evidence, &drive)).outcome, Outcome::Passed);
    evidence.incident(incident(FaultKind::Slow));
    assert_eq!(fired(&both(&evidence, &drive), "slow-access"), FAILED);
    let hot = Case {
        paused_for_heat: true,
        ..both(&evidence, &drive)
    };
    assert_eq!(judge(&hot).outcome, Outcome::Warn);
    let mut resumed = evidence.clone();
    resumed.resumes.push(Resume {
        at: Time::UNIX_EPOCH,
        why: "the agent was restarted".into(),
        phase: Phase::Write,
        step: 0,
        from: Bytes(0),
    });
    assert_eq!(fired(&both(&resumed, &drive), "slow-access"), FAILED);
    // House-keeping of a shingled disk: its writes alone.
    let shingled = Case {
        smr: Some("zoned=host-aware"),
        ..both(&evidence, &drive)
    };
    let verdict = judge(&shingled);
    assert_eq!((verdict.outcome, ids(&verdict)), (Outcome::Warn, vec!["smr"]));
    assert!(verdict.rules[0].value.contains("declared: zoned=host-aware"));
    let mut read = incident(FaultKind::Slow);
    read.phase = Phase::Verify;
    evidence.incident(read);
    let case = Case {
        smr: Some("zoned=host-aware"),
        ..both(&evidence, &drive)
    };
    assert_eq!(fired(&case, "slow-access"), FAILED);
    evidence.incident(incident(FaultKind::Reset));
    assert_eq!(fired(&both(&evidence, &drive), "slow-access"), None);
    assert_eq!(fired(&both(&evidence, &drive), "slow-access-disturbed"), WARN);
}

#[test]
fn shingles_are_known_by_trim_and_by_behaviour() {
    let evidence = clean();
    let mut disk = snapshot();
    disk.trim = Some(true);
    assert_eq!(fired(&both(&evidence, &disk), "smr"), WARN);
    disk.rpm = Some(0);
    assert_eq!(fired(&both(&evidence, &disk), "smr"), None, "flash takes trim");
    let drive = snapshot();
    let mut paused = long();
    for _ in 0..10 {
        paused.phases[0].latency.add(Duration::from_secs(12));
    }
    let verdict = judge(&both(&paused, &drive));
    assert_eq!(ids(&verdict), ["smr"], "{verdict:?}");
    // Reads pause as well: then it is no house-keeping.
    paused.phases[1].latency.add(Duration::from_secs(3));
    assert_eq!(fired(&both(&paused, &drive), "smr"), None);
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

#[test]
fn what_only_samples_or_reads_is_at_best_a_warning_that_says_so() {
    let mut evidence = Evidence::new(GEOMETRY, &plain(&[Phase::Probe, Phase::Sample]));
    for record in &mut evidence.phases {
        record.status = PhaseStatus::Done;
    }
    let verdict = judge(&both(&evidence, &snapshot()));
    assert_eq!(
        (verdict.outcome, ids(&verdict)),
        (Outcome::Warn, vec!["not-whole-drive"]),
        "{verdict:?}"
    );
    assert_eq!(verdict.verified, Bytes(0));
}

#[test]
fn constant_patterns_warn_with_a_probe_and_without() {
    use crate::playbook::{Fill, Step};
    for (phases, want) in [
        (&[Phase::Write, Phase::Verify][..], (Outcome::Warn, "constant-pattern")),
        (
            &[Phase::Probe, Phase::Write, Phase::Verify],
            (Outcome::Warn, "constant-pattern-probed"),
        ),
    ] {
        let steps: Vec<Step> = plain(phases)
            .into_iter()
            .map(|step| Step {
                fill: Fill::Zeros,
                ..step
            })
            .collect();
        let mut evidence = Evidence::new(GEOMETRY, &steps);
        for record in &mut evidence.phases {
            record.status = PhaseStatus::Done;
            record.rounds = 1;
            record.done = Bytes(GEOMETRY.bytes());
        }
        let verdict = judge(&Case::new(&evidence));
        assert_eq!((verdict.outcome, verdict.rules[0].id.as_str()), want);
    }
}

#[test]
fn a_trim_that_is_not_done_or_does_nothing_is_told() {
    let (mut evidence, drive) = (clean(), snapshot());
    evidence.phases[0].kept = GEOMETRY.sectors / 50;
    assert_eq!(fired(&both(&evidence, &drive), "trim-kept"), WARN);
    evidence.phases[0].kept = 9;
    assert_eq!(fired(&both(&evidence, &drive), "trim-kept"), None);
    evidence.phases[0].unsupported = Some("the drive takes no trim".into());
    evidence.phases[0].status = PhaseStatus::Skipped;
    let verdict = judge(&both(&evidence, &drive));
    assert_eq!(
        (verdict.outcome, ids(&verdict)),
        (Outcome::Warn, vec!["step-unsupported"])
    );
}

#[test]
fn a_mean_far_below_the_first_part_is_slow() {
    let drive = snapshot();
    let with = |factor: u64| {
        let mut evidence = long();
        let verify = &mut evidence.phases[1];
        for zone in 512..1024_u64 {
            let ms = Duration::from_millis(8);
            verify
                .zones
                .add((zone << 22, 1), 1 << 32, 0, 256 * ms * (factor as u32 - 1), ms);
        }
        let case = both(&evidence, &drive);
        let shared = Case { shared: true, ..case };
        let others = (fired(&case, "throughput-shared"), fired(&shared, "throughput"));
        assert_eq!(others, (None, None), "each in its own case");
        (fired(&case, "throughput"), fired(&shared, "throughput-shared"))
    };
    assert_eq!(with(1), (None, None));
    assert_eq!(with(2), (WARN, WARN));
    // Who comes later takes its part of the link.
    assert_eq!(with(9), (FAILED, WARN));
}

#[test]
fn sporadic_long_accesses_are_counted_a_tebibyte() {
    let drive = snapshot();
    let with = |count, time| {
        let mut evidence = long();
        for _ in 0..count {
            evidence.phases[1].latency.add(time);
        }
        fired(&both(&evidence, &drive), "slow-outliers")
    };
    assert_eq!(with(20, Duration::from_millis(600)), None, "ten a TiB");
    assert_eq!(with(22, Duration::from_millis(600)), WARN);
    assert_eq!(with(500, Duration::from_millis(60)), None, "less than 200 ms on a disk");
}

#[test]
fn a_hidden_area_is_not_tested_and_that_is_told() {
    let (evidence, drive) = (clean(), snapshot());
    let with = |hidden| {
        let case = Case {
            hidden,
            ..both(&evidence, &drive)
        };
        fired(&case, "hidden-area")
    };
    assert_eq!((with(0), with(1)), (None, WARN));
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

/// Bit 1 of the critical warning is clear again after the job, and minutes are whole ones.
#[test]
fn nvme_heat_that_is_past_is_told_and_heat_during_the_job_is_warn() {
    let evidence = clean();
    let mut drive = snapshot();
    drive.attributes.clear();
    drive.heat_warning = Some(80);
    drive.nvme = Some(NvmeHealth {
        warning_temp_time: Some(0),
        critical_comp_time: Some(0),
        ..NvmeHealth::default()
    });
    let line = |degrees: &[i32]| -> Vec<TimePoint> {
        let point = |degrees: &i32| TimePoint {
            at: wire::Time::UNIX_EPOCH,
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

/// A log that nobody could read is not a log without resets.
#[test]
fn resets_that_could_not_be_heard_are_told() {
    let (evidence, drive) = (clean(), snapshot());
    let log = Unheard::Log("the kernel's log may not be read: Operation not permitted".to_owned());
    let with = |unheard| {
        let case = Case {
            unheard,
            ..both(&evidence, &drive)
        };
        let hit = |id| judge(&case).rules.into_iter().find(|hit| hit.id == id);
        (judge(&case).outcome, hit("resets-unknown"), hit("resets-untold"))
    };
    assert_eq!(with(None), (Outcome::Passed, None, None));
    let (outcome, unknown, untold) = with(Some(&log));
    assert_eq!((outcome, untold), (Outcome::Warn, None));
    assert!(unknown.unwrap().value.contains("Operation not permitted"));
    let (outcome, unknown, untold) = with(Some(&Unheard::Kind));
    assert_eq!((outcome, unknown), (Outcome::Passed, None));
    assert_eq!(untold.unwrap().outcome, Outcome::Passed);
}

#[test]
fn link_resets_identity_and_format() {
    let (mut evidence, drive) = (clean(), snapshot());
    let mut other = snapshot();
    other.serial = Some("B".into());
    let mut first = snapshot();
    first.serial = Some("A".into());
    let case = Case {
        before: Some(&first),
        after: Some(&other),
        ..both(&evidence, &drive)
    };
    assert_eq!(fired(&case, "other-identity"), INCONCLUSIVE);
    for count in 1..=4 {
        evidence.incident(incident(FaultKind::Reset));
        let want = if count > 3 { INCONCLUSIVE } else { TOLD };
        assert_eq!(fired(&both(&evidence, &drive), "resets"), want, "{count}");
        let clean = clean();
        let told = Case {
            resets: count,
            ..both(&clean, &drive)
        };
        assert_eq!(fired(&told, "resets"), want, "{count} by the kernel");
    }
    let clean = clean();
    let mut formatted = Formatted {
        table: Table::Gpt,
        filesystem: FileSystem::Ext4,
        label: String::new(),
        uuid: None,
        size: Bytes(0),
        checks: Vec::new(),
        problem: None,
    };
    let outcome = |formatted: Option<&Formatted>| {
        let case = Case {
            wants_format: true,
            formatted,
            ..both(&clean, &drive)
        };
        fired(&case, "format-failed")
    };
    assert_eq!(outcome(None), INCONCLUSIVE);
    assert_eq!(outcome(Some(&formatted)), None);
    formatted.problem = Some("e2fsck found errors".into());
    assert_eq!(outcome(Some(&formatted)), INCONCLUSIVE);
}

#[test]
fn a_drive_unlike_its_kind_is_told_with_figures() {
    let (evidence, drive) = (long(), snapshot());
    let case = both(&evidence, &drive);
    let mut others = peers(&case, 3);
    assert_eq!(judge(&Case { peers: &others, ..case }).outcome, Outcome::Passed);
    for peer in &mut others {
        peer.read.iter_mut().for_each(|rate| *rate *= 2);
    }
    let verdict = judge(&Case { peers: &others, ..case });
    assert_eq!(
        (verdict.outcome, ids(&verdict)),
        (Outcome::Warn, vec!["population-throughput"])
    );
    assert!(
        verdict.rules[0].value.contains("the median of 3 drives is 2097 MB/s"),
        "{}",
        verdict.rules[0].value
    );
    // Two are no population.
    assert_eq!(
        judge(&Case {
            peers: &others[..2],
            ..case
        })
        .outcome,
        Outcome::Passed
    );
    // A run that did not end tells nothing of others.
    let mut stopped = long();
    stopped.stopped = Some(Stop::Disconnected);
    assert!(
        Peer::of(
            &both(&stopped, &drive),
            DriveId::from_serial("M", "S9", 1).unwrap(),
            "M",
            Bytes(1)
        )
        .is_none()
    );
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
    assert_eq!(ids(&of(&whole, &wordless)), ["smart-counters-gone"]);
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
            critical_warning,
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
