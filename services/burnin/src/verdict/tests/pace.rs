//! How fast, how warm and how evenly: heat, long accesses, throughput.

use std::time::Duration;

use drive::kernel_log::Account;
use wire::Celsius;
use wire::drive::{Bus, Rotation};
use wire::job::TimePoint;

use super::allowed::{as_the_version_before_kept, read, soak as limited_soak};
use super::complete::long;
use super::*;
use crate::evidence::{Record, Zones};
use crate::playbook::Direction;

/// An access that took so long, with none beside it.
pub(super) fn stall(record: &mut Record, took: Duration) {
    let alone = Duration::from_secs(100) * u32::try_from(1 + record.latency.count()).unwrap();
    record.timed(alone, took, took);
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
    assert_eq!(judge(&hot).outcome, Outcome::Inconclusive);
    let mut resumed = evidence.clone();
    resumed.resumes.push(Resume {
        at: Time::UNIX_EPOCH,
        why: "the agent was restarted".into(),
        phase: Phase::Write,
        step: 0,
        from: Bytes(0),
    });
    assert_eq!(fired(&both(&resumed, &drive), "slow-access"), FAILED);
    // House-keeping of a shingled disk: its writes alone, also those of a probe and of headers.
    for phase in [Phase::Probe, Phase::Verify] {
        evidence.incident(Incident {
            phase,
            ..incident(FaultKind::Slow)
        });
        let shingled = Case {
            smr: Some("zoned=host-aware"),
            ..both(&evidence, &drive)
        };
        let verdict = judge(&shingled);
        assert_eq!((verdict.outcome, ids(&verdict)), (Outcome::Warn, vec!["smr"]));
        assert!(verdict.rules[0].value.contains("declared: zoned=host-aware"));
    }
    // Also one that looks again at what a write may have lost.
    let mut read = incident(FaultKind::Slow);
    read.detail = "a read took 12.0 s".to_owned();
    evidence.incident(read);
    let case = Case {
        smr: Some("zoned=host-aware"),
        ..both(&evidence, &drive)
    };
    assert_eq!(fired(&case, "slow-access"), FAILED);
    evidence.incident(incident(FaultKind::Reset));
    assert_eq!(fired(&both(&evidence, &drive), "slow-access"), None);
    assert_eq!(fired(&both(&evidence, &drive), "slow-access-disturbed"), INCONCLUSIVE);
}

/// A shingled disk is known by a whole write and what its verify shows: a job that ended before that knows nothing of it.
#[test]
fn a_long_write_without_a_verify_is_no_fault_yet() {
    let (drive, mut evidence) = (snapshot(), clean());
    evidence.incident(incident(FaultKind::Slow));
    evidence.phases[1].done = Bytes(0);
    let told = |evidence: &Evidence| {
        let case = both(evidence, &drive);
        ["slow-access", "slow-write-alone", "slow-access-disturbed"].map(|id| fired(&case, id))
    };
    assert_eq!(told(&evidence), [None, INCONCLUSIVE, None]);
    // A header that could not be read when it went on says nothing of the link.
    let mut header = incident(FaultKind::Transient);
    header.detail = format!("a read of this job's header: EIO; {}", wire::unproven::OVERWRITTEN);
    evidence.incident(header);
    assert_eq!(told(&evidence), [None, INCONCLUSIVE, None]);
    evidence.incident(incident(FaultKind::Reset));
    assert_eq!(told(&evidence), [None, None, INCONCLUSIVE]);
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

/// A disk at a port of its own, as the kernel knows it.
fn disk<'a>(evidence: &'a Evidence, drive: &'a Snapshot) -> Case<'a> {
    Case {
        bus: Bus::Sata,
        rotation: Rotation::Spinning { rpm: Some(7200) },
        ..both(evidence, drive)
    }
}

/// One that is slow from its first track on has no first part that is better.
#[test]
fn a_large_disk_that_is_slow_throughout_is_told_where_nothing_else_sets_the_pace() {
    let drive = snapshot();
    let of = |rate, limit| read([(rate, limit), (rate, limit)]);
    let told = |evidence: &Evidence| fired(&disk(evidence, &drive), "slow-throughout");
    for (rate, want) in [(1, WARN), (15, WARN), (59, WARN), (60, None), (100, None)] {
        assert_eq!(told(&of(rate, None)), want, "{rate} MB/s");
    }
    let slow = of(15, None);
    let case = disk(&slow, &drive);
    assert_eq!(judge(&case).outcome, Outcome::Warn);
    let on = |bus| Case { bus, ..case };
    let of_kind = |rotation| Case { rotation, ..case };
    let quiet = [
        ("USB", on(Bus::Usb)),
        ("virtual", on(Bus::Virtio)),
        ("a loop device", on(Bus::Loop)),
        ("attached in some way", on(Bus::Other)),
        ("flash", of_kind(Rotation::SolidState)),
        // Those of QEMU and of RAID controllers.
        ("no rate of revolutions", of_kind(Rotation::Spinning { rpm: None })),
        ("of some kind", of_kind(Rotation::Unknown)),
        ("nothing is said of it", both(&slow, &drive)),
    ];
    for (why, case) in quiet {
        for rule in ["slow-throughout", "slow-throughout-disturbed"] {
            assert_eq!(fired(&case, rule), None, "{why}");
            let shared = Case { shared: true, ..case };
            assert_eq!(fired(&shared, rule), None, "{why}");
        }
    }
    let mut others = ["1 TiB", "a short read", "backwards", "a part"].map(|why| (why, slow.clone()));
    others[0].1.geometry.sectors = 1 << 31;
    others[1].1.phases[1].seconds = 599.0;
    others[2].1.phases[1].work.order = Direction::Reverse;
    others[3].1.phases[1].status = PhaseStatus::Interrupted;
    for (why, slow) in &others {
        assert_eq!(told(slow), None, "{why}");
    }
    for (halves, want, why) in [
        ([(15, Some(200)); 2], WARN, "far below its limit"),
        ([(15, Some(5_000)); 2], WARN, "and below one of all drives"),
        ([(15, Some(23)); 2], WARN, "what a governor leaves to who uses no more"),
        ([(15, Some(16)); 2], None, "it used what it had"),
        ([(40, Some(30)); 2], None, "it waited"),
        ([(15, None), (15, Some(200))], WARN, "a limit came"),
        (
            [(900, Some(40)), (20, None)],
            WARN,
            "it was taken away, and the disk is slow without",
        ),
        ([(900, Some(5)), (20, None)], None, "the limit took most of the time"),
        ([(100, Some(200)); 2], None, "a sound one"),
    ] {
        assert_eq!(told(&read(halves)), want, "{why}");
    }
    let mut older = of(15, Some(200));
    older.phases[1].allowed.lowest = None;
    assert_eq!(told(&older), None, "an earlier version noted no limits");
}

/// Of ten rounds one has a limit of its own, or none.
#[test]
fn the_limits_of_other_rounds_of_a_soak_excuse_none_that_was_slow_throughout() {
    let drive = snapshot();
    let told = |evidence: &Evidence| fired(&disk(evidence, &drive), "slow-throughout");
    let soak = |round, others| {
        let mut rounds = [[others; 2]; 10];
        rounds[6] = [round; 2];
        limited_soak(&rounds)
    };
    for (round, others, want, why) in [
        ((15, None), (200, None), WARN, "no limit at all"),
        ((15, None), (550, Some(50)), WARN, "nine beside others, and one alone"),
        ((15, Some(200)), (550, Some(50)), WARN, "one far below its limit"),
        ((15, Some(16)), (200, None), None, "it used what it had"),
        ((550, Some(15)), (200, None), None, "it waited"),
        ((100, None), (550, Some(50)), None, "a sound one"),
    ] {
        assert_eq!(told(&soak(round, others)), want, "{why}");
    }
    for round in [None, Some(16)] {
        let older = as_the_version_before_kept(soak((15, round), (550, Some(50))));
        assert_eq!(told(&older), None, "whose limit was which nobody kept");
    }
}

/// A soak of a week: three rounds, of which the second reads so many MB/s in the drive's first half and behind it.
fn soak(slow: [u64; 2]) -> Evidence {
    let mut evidence = read([(200, None), (200, None)]);
    let (sectors, drive_bytes) = (evidence.geometry.sectors, evidence.geometry.bytes());
    let verify = &mut evidence.phases[1];
    verify.seconds = 168.0 * 3600.0;
    for rates in [[200, 200], slow, [200, 200]] {
        for zone in 0..1024 {
            let bytes = 2_u64 << 30;
            let took = Duration::from_nanos(bytes * 1_000 / rates[zone as usize / 512]);
            verify.by_round.add(zone << 22, sectors, bytes, took, None);
        }
        verify.by_round.end(drive_bytes);
    }
    evidence
}

/// Nine good rounds of a soak do not hide a bad one.
#[test]
fn the_slowest_round_of_a_soak_is_judged_by_itself() {
    let drive = snapshot();
    let of = |slow| ["slow-throughout", "throughput"].map(|rule| fired(&disk(&soak(slow), &drive), rule));
    assert_eq!(of([200, 200]), [None; 2]);
    assert_eq!(of([15, 15]), [WARN, None]);
    assert_eq!(of([200, 80]), [None, WARN]);
    assert_eq!(of([200, 20]), [WARN, FAILED]);
}

/// Half an hour of others in a week is nothing on the mean, and may all have been in the one round.
#[test]
fn who_came_in_one_round_of_a_soak_alone_is_an_excuse_of_that_round() {
    let drive = snapshot();
    let rules = [
        "throughput",
        "throughput-shared",
        "slow-throughout",
        "slow-throughout-disturbed",
    ];
    for (slow, company, due) in [
        ([200, 30], Some(0.0001), [FAILED, None, WARN, None]),
        ([200, 30], Some(0.009), [None, WARN, None, None]),
        ([200, 30], Some(0.02), [None, WARN, None, None]),
        ([200, 30], None, [None, WARN, None, None]),
        ([15, 15], Some(0.0001), [None, None, WARN, None]),
        ([15, 15], Some(0.009), [None, None, None, WARN]),
        // Each of these hours beside three.
        ([15, 15], Some(0.7), [None; 4]),
    ] {
        let evidence = soak(slow);
        let case = Case {
            shared: true,
            company,
            ..disk(&evidence, &drive)
        };
        assert_eq!(rules.map(|rule| fired(&case, rule)), due, "{slow:?}, {company:?}");
    }
    // Nor is one read behind a week of writes most of its job.
    let mut evidence = read([(200, None), (20, None)]);
    evidence.phases[0].seconds = 168.0 * 3600.0;
    let case = Case {
        shared: true,
        company: Some(0.009),
        ..both(&evidence, &drive)
    };
    let told = ["throughput", "throughput-shared"].map(|rule| fired(&case, rule));
    assert_eq!(told, [None, WARN]);
}

/// One reset or one second of company takes no warning away; what they explain is none.
#[test]
fn a_large_disk_that_is_slow_throughout_is_told_whatever_disturbed_it() {
    let drive = snapshot();
    let kernel = |resets| Account {
        resets,
        ..Account::NOTHING
    };
    for (rate, company, resets, hit) in [
        (15, Some(0.0), 0, [WARN, None]),
        (15, Some(0.0), 1, [None, WARN]),
        // USB 2 before an interruption.
        (35, Some(0.0), 1, [None; 2]),
        (15, Some(0.001), 0, [WARN, None]),
        (15, Some(0.001), 1, [None, WARN]),
        (14, Some(1.0), 0, [None, WARN]),
        (15, Some(1.0), 0, [None; 2]),
        (15, Some(7.0), 0, [None; 2]),
        (15, None, 0, [None; 2]),
        (3, None, 0, [None, WARN]),
    ] {
        let evidence = read([(rate, None), (rate, None)]);
        let case = Case {
            shared: company != Some(0.0),
            company,
            kernel: &kernel(resets),
            ..disk(&evidence, &drive)
        };
        let told = ["slow-throughout", "slow-throughout-disturbed"].map(|rule| fired(&case, rule));
        assert_eq!(told, hit, "{rate} MB/s, {company:?}, {resets}");
    }
}

/// A link that was trained anew and flash that is too warm are slower from then on, and the medium is as good as before.
#[test]
fn a_slow_mean_of_a_disturbed_run_fails_no_drive() {
    let mut evidence = long();
    for zone in 512..1024_u64 {
        let ms = Duration::from_millis(8);
        evidence.phases[1]
            .zones
            .add((zone << 22, 1), 1 << 32, 0, 256 * ms * 8, ms);
    }
    let drive = snapshot();
    let alone = both(&evidence, &drive);
    assert_eq!(fired(&alone, "throughput"), FAILED);
    let hot = Case {
        paused_for_heat: true,
        ..alone
    };
    assert_eq!(fired(&hot, "throughput"), FAILED, "a disk does not slow down by heat");
    let reset = Case {
        kernel: &Account {
            resets: 1,
            ..Account::NOTHING
        },
        ..alone
    };
    let met = |step| {
        let mut evidence = evidence.clone();
        evidence.incident(Incident {
            step,
            ..incident(FaultKind::Transient)
        });
        evidence
    };
    let (written, read) = (met(evidence.phases[0].step), met(evidence.phases[1].step));
    let before = fired(&both(&written, &drive), "throughput");
    assert_eq!(before, FAILED, "what came before slowed the first part, too");
    let erred = both(&read, &drive);
    let mut flash = snapshot();
    (flash.nvme, flash.heat_warning, flash.rpm) = (Some(NvmeHealth::default()), Some(75), Some(0));
    let line = [TimePoint {
        at: Time::UNIX_EPOCH,
        step: 0,
        temperature: Some(Celsius(76)),
        rate: Bytes(0),
        bad_sectors: 0,
    }];
    let throttled = Case {
        timeline: &line,
        ..both(&evidence, &flash)
    };
    let paused = Case {
        paused_for_heat: true,
        ..both(&evidence, &flash)
    };
    for case in [reset, erred, throttled, paused] {
        assert_eq!(fired(&case, "throughput"), None);
        assert_eq!(fired(&case, "throughput-disturbed"), WARN);
    }
    // No narrower link explains a fiftieth.
    let mut evidence = long();
    for zone in 512..1024_u64 {
        let ms = Duration::from_millis(8);
        evidence.phases[1]
            .zones
            .add((zone << 22, 1), 1 << 32, 0, 256 * ms * 100, ms);
    }
    let reset = Case {
        kernel: &Account {
            resets: 1,
            ..Account::NOTHING
        },
        ..both(&evidence, &drive)
    };
    assert_eq!(fired(&reset, "throughput-disturbed"), FAILED);
}

#[test]
fn sporadic_long_accesses_are_counted_a_tebibyte() {
    let drive = snapshot();
    let with = |count, time| {
        let mut evidence = long();
        for _ in 0..count {
            stall(&mut evidence.phases[1], time);
        }
        fired(&both(&evidence, &drive), "slow-outliers")
    };
    assert_eq!(with(20, Duration::from_millis(600)), None, "ten a TiB");
    assert_eq!(with(22, Duration::from_millis(600)), WARN);
    assert_eq!(with(22, Duration::from_millis(202)), WARN, "from the limit on");
    assert_eq!(with(22, Duration::from_millis(198)), None, "up to the limit");
    assert_eq!(with(500, Duration::from_millis(60)), None, "less than 200 ms on a disk");
}

#[test]
fn long_accesses_are_told_by_their_number_and_the_longest() {
    let mut evidence = clean();
    let usual = [8; 6];
    for time in usual.into_iter().chain([500, 912]).chain([500; 10]) {
        stall(&mut evidence.phases[1], Duration::from_millis(time));
    }
    let verdict = judge(&both(&evidence, &snapshot()));
    assert!(
        verdict
            .summary
            .starts_with("12 answers took longer than 200 ms, the longest 9"),
        "{}",
        verdict.summary
    );
    assert!(
        verdict.rules[0].value.contains("a TiB (12 answers"),
        "{:?}",
        verdict.rules
    );
}

/// A drive of less than a quarter of a tebibyte is no better than a large one for being small.
#[test]
fn many_long_accesses_are_told_of_a_small_drive_too() {
    let drive = snapshot();
    let with = |count: u32| {
        let mut evidence = clean();
        // A weak head slows more than half of all.
        for _ in 0..count / 2 {
            stall(&mut evidence.phases[1], Duration::from_millis(8));
        }
        for _ in 0..count {
            stall(&mut evidence.phases[1], Duration::from_millis(500));
        }
        fired(&both(&evidence, &drive), "slow-outliers")
    };
    assert_eq!((with(10), with(11)), (None, WARN));
    // A seek of two hours moves little, and meets as many on a healthy disk.
    let mut seeks = clean();
    seeks.phases[1].phase = Phase::Seek;
    for _ in 0..11 {
        stall(&mut seeks.phases[1], Duration::from_millis(500));
    }
    assert_eq!(fired(&both(&seeks, &drive), "slow-outliers"), None);
}

/// Where a step goes on in another box, behind another link, the rate says nothing of the drive.
#[test]
fn a_read_that_went_on_after_an_interruption_is_not_held_against_its_first_part_alone() {
    let drive = snapshot();
    let mut evidence = long();
    let record = &mut evidence.phases[1];
    record.zones = Zones::default();
    for zone in 0..1024_u64 {
        let ms = Duration::from_millis(if zone < 100 { 1 } else { 30 });
        record.zones.add((zone << 22, 1 << 22), 1 << 32, 2 << 30, 256 * ms, ms);
    }
    assert_eq!(fired(&both(&evidence, &drive), "throughput"), FAILED);
    for (step, hit) in [(0, "throughput"), (1, "throughput-disturbed")] {
        let mut resumed = evidence.clone();
        resumed.resumes.push(Resume {
            at: Time::UNIX_EPOCH,
            why: "the power was cut".into(),
            phase: Phase::Verify,
            step,
            from: Bytes(0),
        });
        assert_eq!(ids(&judge(&both(&resumed, &drive))), [hit, "resumed"]);
    }
    // Flash that is warm throttles below the temperature at which it warns, and what holds no data is read at once.
    let flash = Snapshot {
        rpm: Some(0),
        ..snapshot()
    };
    assert_eq!(fired(&both(&evidence, &flash), "throughput"), FAILED);
    let warm = |degrees| {
        [TimePoint {
            at: Time::UNIX_EPOCH,
            step: 1,
            temperature: Some(Celsius(degrees)),
            rate: Bytes(0),
            bad_sectors: 0,
        }]
    };
    for (degrees, hit) in [(59, "throughput"), (60, "throughput-disturbed")] {
        let line = warm(degrees);
        let case = Case {
            timeline: &line,
            ..both(&evidence, &flash)
        };
        let verdict = judge(&case);
        assert!(ids(&verdict).contains(&hit), "{degrees}: {verdict:?}");
    }
    evidence.phases[1].phase = Phase::Scan;
    let verdict = judge(&both(&evidence, &flash));
    assert!(
        !ids(&verdict).iter().any(|id| id.starts_with("throughput")),
        "{verdict:?}"
    );
}
