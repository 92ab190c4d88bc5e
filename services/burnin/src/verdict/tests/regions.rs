//! Slow regions: how long, how slow, and where nothing else slowed them.

use std::time::Duration;

use drive::kernel_log::Account;
use wire::drive::Rotation;

use super::complete::long;
use super::pace::stall;
use super::*;
use crate::evidence::Zones;
use crate::playbook::Direction;

/// What has no long access is slow for long, and nothing else may have slowed it.
#[test]
fn even_slowness_is_a_region_only_in_a_read_that_nothing_else_slows() {
    let mut evidence = long();
    let verify = &mut evidence.phases[1];
    verify.zones = Zones::default();
    for zone in 0..1024_u64 {
        let ms = Duration::from_millis(if (500..505).contains(&zone) { 80 } else { 8 });
        verify
            .zones
            .add((zone << 22, 1 << 22), 1 << 32, 2 << 30, 256 * ms, ms / 2);
    }
    let disk = snapshot();
    let is_slow = |case: &Case<'_>| fired(case, "slow-region");
    assert_eq!(is_slow(&both(&evidence, &disk)), WARN);
    let shared = Case {
        shared: true,
        ..both(&evidence, &disk)
    };
    assert_eq!(is_slow(&shared), None, "others on its link");
    // Ten times slower: as seven others make it, or one; and not as a minute of one does, nor as one reset.
    let excused = |case: &Case<'_>| fired(case, "slow-region-disturbed");
    assert_eq!(excused(&both(&evidence, &disk)), None);
    assert_eq!(excused(&shared), None, "nobody knows how many");
    for (company, hit) in [(7.0, None), (4.1, None), (0.003, WARN)] {
        let company = Some(company);
        assert_eq!(excused(&Case { company, ..shared }), hit, "{company:?}");
    }
    let reset = Case {
        kernel: &Account {
            resets: 1,
            ..Account::NOTHING
        },
        ..both(&evidence, &disk)
    };
    assert_eq!((is_slow(&reset), excused(&reset)), (None, WARN));
    let mut resumed = evidence.clone();
    resumed.resumes.push(Resume {
        at: Time::UNIX_EPOCH,
        why: "the power was cut".into(),
        phase: Phase::Verify,
        step: 1,
        from: Bytes(0),
    });
    assert_eq!(is_slow(&both(&resumed, &disk)), None, "behind another link");
    assert_eq!(excused(&both(&resumed, &disk)), WARN);
    let rpm = Some(7200);
    for (phase, rotation, told, hit) in [
        (Phase::Write, Rotation::Spinning { rpm }, rpm, None),
        (Phase::Scan, Rotation::Spinning { rpm }, rpm, WARN),
        // Its bridge says nothing, and SMART does.
        (Phase::Scan, Rotation::Unknown, rpm, WARN),
        // A virtual disk and flash: places without data are read at once.
        (Phase::Scan, Rotation::Spinning { rpm: None }, None, None),
        (Phase::Scan, Rotation::SolidState, Some(0), None),
    ] {
        evidence.phases[1].phase = phase;
        let disk = Snapshot {
            rpm: told,
            ..snapshot()
        };
        let case = Case {
            rotation,
            ..both(&evidence, &disk)
        };
        assert_eq!(is_slow(&case), hit, "{phase:?} {rotation:?}");
    }
}

/// A bridge that is reset stands still for half a minute; seven others take their share of USB 2 for a while, or all the time.
#[test]
fn a_good_drive_beside_others_or_with_a_reset_has_no_slow_region() {
    let disk = snapshot();
    // Milliseconds of a zone of 2 GiB; the longest access.
    let of = |slow: std::ops::Range<u64>, ms: u64, company, resets| {
        let mut evidence = long();
        let verify = &mut evidence.phases[1];
        verify.zones = Zones::default();
        for zone in 0..1024_u64 {
            let time = if slow.contains(&zone) { ms } else { 55_000 };
            let (time, longest) = (Duration::from_millis(time), Duration::from_millis(190));
            verify.zones.add((zone << 22, 1 << 22), 1 << 32, 2 << 30, time, longest);
        }
        evidence.phases.iter_mut().for_each(|record| record.seconds = 60_000.0);
        let kernel = Account {
            resets,
            ..Account::NOTHING
        };
        let case = Case {
            shared: company != Some(0.0),
            company,
            kernel: &kernel,
            ..both(&evidence, &disk)
        };
        ["slow-region", "slow-region-disturbed"].map(|rule| fired(&case, rule))
    };
    for company in [None, Some(0.2), Some(1.0), Some(7.0), Some(23.0)] {
        assert_eq!(of(500..505, 55_000 * 9, company, 0), [None; 2], "{company:?}");
    }
    for company in [None, Some(7.0), Some(23.0)] {
        assert_eq!(of(500..600, 55_000 * 9, company, 1), [None; 2], "{company:?}");
    }
    assert_eq!(of(500..501, 55_000 + 60_000, Some(0.0), 1), [None; 2]);
    // Others that came for 25 minutes do not explain two hours.
    assert_eq!(of(500..515, 55_000 * 9, Some(0.01), 0), [None, WARN]);
}

/// Inside of a large one the neighbours are as slow as itself.
#[test]
fn a_region_is_slow_however_large_it_is() {
    let disk = snapshot();
    let rpm = Some(7200);
    let flash = Rotation::SolidState;
    let spins = Rotation::Spinning { rpm };
    for (zones, order, rotation, hit) in [
        (500..511, Direction::Forward, spins, WARN),
        (500..700, Direction::Forward, spins, WARN),
        (500..700, Direction::Forward, flash, WARN),
        (500..700, Direction::Reverse, spins, WARN),
        (0..40, Direction::Forward, spins, WARN),
        // Behind the writes flash clears its cache; and what stays slow may be another link.
        (0..40, Direction::Forward, flash, None),
        (984..1024, Direction::Forward, spins, None),
        (0..40, Direction::Reverse, spins, None),
        (984..1024, Direction::Reverse, spins, WARN),
    ] {
        let mut evidence = long();
        let verify = &mut evidence.phases[1];
        verify.work.order = order;
        verify.zones = Zones::default();
        for zone in 0..1024_u64 {
            let ms = Duration::from_millis(if zones.contains(&zone) { 80 } else { 8 });
            verify
                .zones
                .add((zone << 22, 1 << 22), 1 << 32, 2 << 30, 256 * ms, ms / 2);
        }
        let told = Snapshot {
            rpm: (rotation == spins).then_some(7200).or(Some(0)),
            ..disk.clone()
        };
        let case = Case {
            rotation,
            ..both(&evidence, &told)
        };
        let what = format!("{zones:?} {order:?} {rotation:?}");
        assert_eq!(fired(&case, "slow-region"), hit, "{what}");
        if hit == WARN {
            let verdict = judge(&case);
            let place = format!("LBA {} to {}", zones.start << 22, (zones.end << 22) - 1);
            assert!(
                verdict.rules.iter().any(|hit| hit.value.contains(&place)),
                "{what}: {verdict:#?}"
            );
        }
    }
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
