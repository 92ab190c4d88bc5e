//! How fast, how warm and how evenly: heat, long accesses, shingles, throughput.

use std::time::Duration;

use wire::Celsius;
use wire::drive::{Bus, Rotation};
use wire::job::TimePoint;

use super::allowed::read;
use super::complete::long;
use super::*;
use crate::evidence::{INCIDENTS_MAX, Record, Zones};
use crate::playbook::Direction;

/// An access that took so long, with none beside it.
fn stall(record: &mut Record, took: Duration) {
    let alone = Duration::from_secs(100) * u32::try_from(1 + record.latency.count()).unwrap();
    record.timed(alone, took);
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
        stall(&mut paused.phases[0], Duration::from_secs(12));
    }
    let verdict = judge(&both(&paused, &drive));
    assert_eq!(ids(&verdict), ["smr"], "{verdict:?}");
    // Its bridge may call it flash.
    let mut bridged = paused.clone();
    bridged.incident(incident(FaultKind::Slow));
    let case = Case {
        rotation: Rotation::SolidState,
        ..both(&bridged, &drive)
    };
    let verdict = judge(&case);
    assert_eq!(ids(&verdict), ["smr"], "{verdict:?}");
    // What is flash, or may be, pauses for reasons of its own.
    let mut slow = paused.clone();
    slow.incident(incident(FaultKind::Slow));
    for evidence in [&paused, &slow] {
        let drive = Snapshot {
            rpm: None,
            ..snapshot()
        };
        let verdict = judge(&both(evidence, &drive));
        let outcome = (verdict.outcome, ids(&verdict));
        assert_eq!(outcome, (Outcome::Warn, vec!["writes-pause"]), "{verdict:?}");
    }
    let flash = Snapshot {
        rpm: Some(0),
        ..snapshot()
    };
    let verdict = judge(&both(&paused, &flash));
    assert!(!ids(&verdict).contains(&"smr"), "{verdict:?}");
    assert_eq!(fired(&both(&slow, &flash), "slow-access"), FAILED);
    // What reads slowly is slow, whatever the drive is.
    let unknown = Snapshot {
        rpm: None,
        ..snapshot()
    };
    let mut reads = slow.clone();
    reads.incident(Incident {
        detail: "a read took 12.0 s".to_owned(),
        ..incident(FaultKind::Slow)
    });
    assert_eq!(fired(&both(&reads, &unknown), "slow-access"), FAILED);
    stall(&mut reads.phases[1], Duration::from_secs(12));
    assert_eq!(fired(&both(&reads, &unknown), "slow-access"), FAILED);
    assert_eq!(fired(&both(&reads, &unknown), "writes-pause"), None);
    // Reads pause as well: then it is no house-keeping.
    for _ in 0..2 {
        stall(&mut paused.phases[1], Duration::from_secs(3));
    }
    assert_eq!(fired(&both(&paused, &drive), "smr"), None);
}

/// The verify begins while a disk that declares nothing still cleans up behind the last write.
#[test]
fn a_read_that_waits_for_the_house_keeping_of_shingles_fails_no_disk() {
    let drive = snapshot();
    let with = |reads| {
        let mut evidence = long();
        for _ in 0..40 {
            stall(&mut evidence.phases[0], Duration::from_secs(12));
            evidence.incident(incident(FaultKind::Slow));
        }
        for _ in 0..reads {
            stall(&mut evidence.phases[1], Duration::from_millis(2_100));
        }
        evidence
    };
    for reads in [0, 1, 3] {
        let verdict = judge(&both(&with(reads), &drive));
        let outcome = (verdict.outcome, ids(&verdict));
        assert_eq!(outcome, (Outcome::Warn, vec!["smr"]), "{reads}: {verdict:?}");
    }
    for reads in [5, 40, 400] {
        let evidence = with(reads);
        let sick = both(&evidence, &drive);
        assert_eq!(
            (fired(&sick, "smr"), fired(&sick, "slow-access")),
            (None, FAILED),
            "{reads}"
        );
    }
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
        ("shared", Case { shared: true, ..case }),
        ("reset", Case { resets: 1, ..case }),
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
        assert_eq!(fired(&case, "slow-throughout"), None, "{why}");
    }
    let mut others = ["1 TiB", "a short read", "backwards", "a part"].map(|why| (why, slow.clone()));
    others[0].1.geometry.sectors = 1 << 31;
    others[1].1.phases[1].seconds = 599.0;
    others[2].1.phases[1].work.order = Direction::Reverse;
    others[3].1.phases[1].status = PhaseStatus::Interrupted;
    for (why, slow) in &others {
        assert_eq!(told(slow), None, "{why}");
    }
    assert_eq!(told(&of(15, Some(200))), None, "a limit");
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
    let reset = Case { resets: 1, ..alone };
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
        resets: 1,
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

/// What has no long access is slow for long, and nothing else may have slowed it.
#[test]
fn even_slowness_is_a_region_only_in_a_read_that_nothing_else_slows() {
    let mut evidence = long();
    let verify = &mut evidence.phases[1];
    verify.zones = Zones::default();
    for zone in 0..1024_u64 {
        let ms = Duration::from_millis(if (500..505).contains(&zone) { 80 } else { 8 });
        verify.zones.add((zone << 22, 1 << 22), 1 << 32, 2 << 30, 256 * ms, ms);
    }
    let disk = snapshot();
    let is_slow = |case: &Case<'_>| fired(case, "slow-region");
    assert_eq!(is_slow(&both(&evidence, &disk)), WARN);
    let shared = Case {
        shared: true,
        ..both(&evidence, &disk)
    };
    assert_eq!(is_slow(&shared), None, "others on its link");
    let mut resumed = evidence.clone();
    resumed.resumes.push(Resume {
        at: Time::UNIX_EPOCH,
        why: "the power was cut".into(),
        phase: Phase::Verify,
        step: 1,
        from: Bytes(0),
    });
    assert_eq!(is_slow(&both(&resumed, &disk)), None, "behind another link");
    for (phase, rotation, hit) in [
        (Phase::Write, Rotation::Spinning { rpm: Some(7200) }, None),
        (Phase::Scan, Rotation::Spinning { rpm: Some(7200) }, WARN),
        // Places without data are read at once.
        (Phase::Scan, Rotation::Spinning { rpm: None }, None),
        (Phase::Scan, Rotation::SolidState, None),
    ] {
        evidence.phases[1].phase = phase;
        let case = Case {
            rotation,
            ..both(&evidence, &disk)
        };
        assert_eq!(is_slow(&case), hit, "{phase:?} {rotation:?}");
    }
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

/// Of very many long accesses only some are kept one by one.
#[test]
fn a_shingled_disk_whose_reads_are_slow_behind_hundreds_of_slow_writes_fails() {
    let drive = snapshot();
    let mut evidence = long();
    for _ in 0..INCIDENTS_MAX {
        evidence.incident(incident(FaultKind::Slow));
    }
    let case = |evidence: &Evidence| {
        fired(
            &Case {
                smr: Some("zoned=host-aware"),
                ..both(evidence, &drive)
            },
            "slow-access",
        )
    };
    assert_eq!(case(&evidence), None);
    evidence.incident(incident(FaultKind::Slow));
    assert_eq!(case(&evidence), None, "one more write");
    evidence.incident(Incident {
        detail: "a read took 12.0 s".to_owned(),
        ..incident(FaultKind::Slow)
    });
    stall(&mut evidence.phases[1], Duration::from_secs(12));
    assert_eq!(case(&evidence), FAILED);
}

/// How long firmware takes to unmap a gigabyte tells nothing of a place, and trims queue behind each other.
#[test]
fn a_trim_that_takes_its_time_is_neither_a_slow_region_nor_an_outlier() {
    let drive = snapshot();
    let phase = |phase| {
        let mut evidence = long();
        let record = &mut evidence.phases[1];
        record.phase = phase;
        for _ in 0..500 {
            stall(record, Duration::from_millis(600));
        }
        record.zones.add(
            (100 << 22, 1),
            1 << 30,
            0,
            Duration::from_mins(10),
            Duration::from_millis(600),
        );
        ["slow-region", "slow-outliers"].map(|rule| fired(&both(&evidence, &drive), rule))
    };
    assert_eq!(phase(Phase::Verify), [WARN; 2]);
    assert_eq!(phase(Phase::Trim), [None; 2]);
}

/// The limit of a long access is that of outliers, so flash's is another one than a disk's.
#[test]
fn a_slow_region_is_one_of_64_mib_with_accesses_that_are_long_for_its_kind() {
    let sectors = 1_u64 << 26;
    let geometry = Geometry { sectors, ..GEOMETRY };
    let of = |slow: std::ops::Range<u64>, longest, rpm| {
        let mut evidence = Evidence::new(geometry, &plain(&[Phase::Write, Phase::Verify]));
        for zone in 0..1024_u64 {
            let (ms, longest) = if slow.contains(&zone) {
                (4_000, longest)
            } else {
                (100, 4)
            };
            let (time, longest) = (Duration::from_millis(ms), Duration::from_millis(longest));
            let at = (zone * 65_536, 65_536);
            evidence.phases[1].zones.add(at, sectors, 32 << 20, time, longest);
        }
        let mut drive = snapshot();
        drive.rpm = Some(rpm);
        fired(&both(&evidence, &drive), "slow-region")
    };
    for (rpm, limit) in [(7200, 200), (0, 50)] {
        assert_eq!(of(500..502, limit + 1, rpm), WARN, "{rpm} rpm");
        assert_eq!(
            of(500..502, limit, rpm),
            None,
            "{rpm} rpm: accesses are not long, nor is it slow for long"
        );
        assert_eq!(of(500..503, limit, rpm), WARN, "{rpm} rpm: ten seconds more than usual");
        assert_eq!(of(500..501, limit + 1, rpm), None, "{rpm} rpm: 32 MiB");
    }
}

/// However fast the drive is beside it; and a region that is swept in each round of a soak has its length once.
#[test]
fn a_stall_or_two_make_no_region_and_rounds_make_none_longer() {
    let geometry = Geometry {
        sectors: 1024 * 488_000,
        ..GEOMETRY
    };
    let of = |rounds: u32, slow: std::ops::Range<u64>, zone: &dyn Fn(bool) -> (u64, u64)| {
        let mut evidence = Evidence::new(geometry, &plain(&[Phase::Write, Phase::Verify]));
        let each = geometry.sectors / 1024;
        for at in (0..1024_u64).flat_map(|at| std::iter::repeat_n(at, rounds as usize)) {
            let (ms, longest) = zone(slow.contains(&at));
            let (time, longest) = (Duration::from_millis(ms), Duration::from_millis(longest));
            let place = (at * each, each);
            evidence.phases[1]
                .zones
                .add(place, geometry.sectors, each * 512, time, longest);
        }
        let mut drive = snapshot();
        drive.rpm = Some(0);
        let verdict = judge(&both(&evidence, &drive));
        let hit = verdict.rules.iter().find(|hit| hit.id == "slow-region");
        hit.map(|hit| hit.value.clone())
    };
    // 3 GB/s: 83 ms a zone.
    let stall = |slow| if slow { (83 + 700, 700) } else { (83, 1) };
    assert_eq!(of(1, 500..501, &stall), None);
    let stalls = |slow| if slow { (83 + 1_400, 700) } else { (83, 1) };
    assert_eq!(of(1, 500..501, &stalls), None);
    let weak = |slow| if slow { (2_000, 60) } else { (83, 1) };
    let once = of(1, 500..501, &weak).unwrap();
    let stalled = |slow| if slow { (2_000, 900) } else { (83, 1) };
    assert_eq!(
        of(40, 500..501, &stalled).unwrap(),
        once,
        "a stall of one round hides no region"
    );
    assert_eq!(of(6, 500..501, &weak).unwrap(), once, "of one length");
}

/// The zones of a drive of 20 TB are of 20 GB: 64 MiB of weak tracks are a 300th of one.
#[test]
fn a_short_slow_region_of_a_large_drive_is_found_with_its_place() {
    let (bytes, zones) = (20_000_000_000_000_u64, 1024);
    let sectors = bytes / 512;
    let geometry = Geometry { sectors, ..GEOMETRY };
    // In MiB.
    let from = 11_000_000_000_000_u64 >> 26 << 6;
    // `behind`: how many times slower the drive is behind the zone with the region.
    let of_drive = |behind: u64, millis: &dyn Fn(u64) -> u64| {
        let mut evidence = Evidence::new(geometry, &plain(&[Phase::Write, Phase::Verify]));
        let verify = &mut evidence.phases[1];
        for zone in 0..zones {
            let first = zone * sectors / zones;
            let times = if first << 9 > from << 20 { behind } else { 1 };
            let time = Duration::from_millis((125_000 + zone * 50) * times);
            let longest = Duration::from_millis(30);
            let place = (first, sectors / zones);
            verify.zones.add(place, sectors, bytes / zones, time, longest);
        }
        for n in 0..2_000 {
            let took = Duration::from_millis(millis(n));
            verify.stretches.add((from + n) << 20, 1 << 20, took, took);
        }
        let drive = snapshot();
        let verdict = judge(&both(&evidence, &drive));
        let hit = verdict.rules.iter().find(|hit| hit.id == "slow-region");
        hit.map(|hit| (hit.outcome, hit.value.clone()))
    };
    let weak = |mib: std::ops::Range<u64>, ms| move |n| if mib.contains(&n) { ms } else { 9 };
    let (outcome, told) = of_drive(1, &weak(700..860, 250)).unwrap();
    assert_eq!(outcome, Outcome::Warn);
    // By parts of 8 MiB; of the first stretch a single one was slow.
    let (first, last) = ((from + 704) << 11, ((from + 864) << 11) - 1);
    let due = format!("LBA {first} to {last}: 4.3 MB/s, around it 127.2");
    assert!(told.contains(&due), "{told}");
    // Evenly, with no access that is long for a disk.
    assert!(of_drive(1, &weak(700..860, 190)).is_some());
    for (why, behind, millis) in [
        ("nothing is slow", 1, weak(0..0, 0)),
        ("from there on all is slow", 30, weak(700..860, 250)),
        ("one long access is no region", 1, weak(777..778, 9_000)),
        ("seven times slower", 1, weak(700..860, 55)),
        (
            "no access is long for a disk, and all is over soon",
            1,
            weak(704..776, 90),
        ),
        ("40 MiB", 1, weak(700..740, 250)),
    ] {
        assert_eq!(of_drive(behind, &millis), None, "{why}");
    }
}
