//! A limit of pace: what the interface gave meanwhile is not held against the drive, and does not hide it either.

use std::time::Duration;

use super::complete::{long, peers};
use super::*;

const MB: u64 = 1_000_000;

/// A verify of two TiB: MB/s that were measured in each half, and the limit of each.
pub(super) fn read(halves: [(u64, Option<u64>); 2]) -> Evidence {
    let mut evidence = long();
    let sectors = evidence.geometry.sectors;
    let verify = &mut evidence.phases[1];
    (verify.zones, verify.latency) = Default::default();
    for zone in 0..1024 {
        let (rate, limit) = halves[zone as usize / 512];
        let (at, bytes) = ((zone << 22, 1 << 22), 2_u64 << 30);
        let took = Duration::from_nanos(bytes * 1_000 / rate);
        let longest = Duration::from_millis(8);
        verify.zones.add(at, sectors, bytes, took, longest);
        verify.allowed.add(at.0, sectors, bytes, took, limit.map(|mb| mb * MB));
        verify.latency.add(longest);
    }
    evidence
}

/// A disk reads ahead while its worker waits: up to the limit it is measured at the interface's speed, below it at its own.
#[test]
fn a_limit_makes_no_drive_slow_and_hides_none() {
    let drive = snapshot();
    let throughput = |halves| fired(&both(&read(halves), &drive), "throughput");
    for (halves, due, why) in [
        (
            [(909, Some(200)), (160, Some(200))],
            None,
            "slower than the limit on its inner tracks",
        ),
        (
            [(909, Some(200)), (909, Some(50))],
            None,
            "a lower limit, since others came",
        ),
        ([(909, Some(50)), (160, None)], None, "the limit was taken away"),
        ([(250, None), (909, Some(50))], None, "a limit came"),
        ([(909, Some(200)), (40, Some(200))], WARN, "slow"),
        (
            [(909, Some(200)), (20, Some(30))],
            FAILED,
            "slow, and let off with less",
        ),
        ([(200, Some(900)), (20, Some(900))], FAILED, "no limit held it back"),
        (
            [(909, None), (150, None)],
            FAILED,
            "without a limit the first part is its own",
        ),
    ] {
        assert_eq!(throughput(halves), due, "{why}");
    }
}

/// The same, of rounds: MB/s in the first twentieth of the drive and behind it, and the limit of each.
pub(super) fn soak(rounds: &[[(u64, Option<u64>); 2]]) -> Evidence {
    let mut evidence = read([(200, None); 2]);
    let (sectors, drive_bytes) = (evidence.geometry.sectors, evidence.geometry.bytes());
    let verify = &mut evidence.phases[1];
    (verify.zones, verify.allowed) = Default::default();
    for parts in rounds {
        for zone in 0..1024 {
            let (rate, limit) = parts[usize::from(zone >= 51)];
            let (at, bytes) = ((zone << 22, 1 << 22), 2_u64 << 30);
            let (took, limit) = (Duration::from_nanos(bytes * 1_000 / rate), limit.map(|mb| mb * MB));
            verify.zones.add(at, sectors, bytes, took, Duration::from_millis(8));
            verify.allowed.add(at.0, sectors, bytes, took, limit);
            verify.by_round.add(at.0, sectors, bytes, took, limit);
        }
        verify.by_round.end(drive_bytes);
    }
    evidence
}

/// One limit is for all drives together, and 29 others may end in the midst of a round: of thirty that counts for the one alone.
#[test]
fn the_limit_of_one_round_of_a_soak_is_held_against_no_other() {
    let drive = snapshot();
    let throughput = |first: (u64, Option<u64>), behind: (u64, Option<u64>)| {
        let mut rounds = [[(200, Some(1500)); 2]; 30];
        rounds[9] = [first, behind];
        fired(&both(&soak(&rounds), &drive), "throughput")
    };
    assert_eq!(throughput((909, Some(50)), (160, Some(1500))), None, "the others ended");
    assert_eq!(
        throughput((909, Some(50)), (160, None)),
        None,
        "the limit was taken away"
    );
    assert_eq!(
        throughput((909, Some(50)), (909, Some(50))),
        None,
        "all of it beside others"
    );
    assert_eq!(throughput((909, Some(50)), (20, Some(50))), WARN, "slow beside others");
    assert_eq!(throughput((909, Some(200)), (40, Some(200))), FAILED, "slow");
    assert_eq!(
        throughput((200, Some(1500)), (40, Some(1500))),
        FAILED,
        "no limit held it back"
    );
}

/// What the version before kept of limits was of all rounds together.
pub(super) fn as_the_version_before_kept(mut evidence: Evidence) -> Evidence {
    let verify = &mut evidence.phases[1];
    let mut rounds = serde_json::to_value(verify.by_round).unwrap();
    for round in ["slowest", "steepest"] {
        assert!(rounds[round].as_object_mut().unwrap().remove("allowed").is_some());
    }
    verify.by_round = serde_json::from_value(rounds).unwrap();
    (verify.allowed.lowest, verify.allowed.least) = (None, 0);
    evidence
}

#[test]
fn rounds_of_which_no_limit_was_kept_are_held_against_what_their_step_was_allowed() {
    let drive = snapshot();
    let throughput = |evidence: &Evidence| fired(&both(evidence, &drive), "throughput");
    for (first, behind, limit, due) in [
        (909, 160, 200, None),
        (550, 135, 150, None),
        (909, 20, 200, FAILED),
        (150, 135, 900, None),
        (150, 15, 900, FAILED),
    ] {
        let rounds = soak(&[[(first, Some(limit)), (behind, Some(limit))]; 3]);
        assert_eq!(throughput(&rounds), due, "{first} MB/s, then {behind}, limit {limit}");
        let older = as_the_version_before_kept(rounds);
        assert_eq!(throughput(&older), due, "the same, of the version before");
    }
}

#[test]
fn what_came_near_a_limit_is_compared_with_no_other_drive() {
    let drive = snapshot();
    let (free, paced) = (
        read([(160, None), (120, None)]),
        read([(909, Some(200)), (120, Some(200))]),
    );
    let case = both(&paced, &drive);
    let told = &peers(&case, 1)[0];
    assert!(told.read.is_empty() && told.read_p99_us.is_none() && !told.write.is_empty());
    for (own, others) in [(&free, &paced), (&paced, &free)] {
        let others = peers(&both(others, &drive), 5);
        let case = Case {
            peers: &others,
            ..both(own, &drive)
        };
        let verdict = judge(&case);
        assert!(
            !ids(&verdict).iter().any(|id| id.starts_with("population")),
            "{verdict:?}"
        );
    }
}

/// With a limit of all drives each has one, and most never come near it.
#[test]
fn what_stayed_far_below_its_limit_is_compared_as_if_there_were_none() {
    let drive = snapshot();
    let rates = |limits: [Option<u64>; 2]| {
        let evidence = read([(160, limits[0]), (120, limits[1])]);
        let told = &peers(&both(&evidence, &drive), 1)[0];
        assert_eq!(told.read.is_empty(), told.read_p99_us.is_none());
        told.read.clone()
    };
    let free = rates([None; 2]);
    assert_eq!(free.len(), 16);
    assert_eq!(rates([Some(5_000); 2]), free);
    assert_eq!(rates([None, Some(330)]), free);
    assert!(
        rates([Some(5_000), Some(300)]).is_empty(),
        "the lowest counts everywhere"
    );
    let (own, others) = (
        read([(160, Some(5_000)), (30, Some(5_000))]),
        read([(160, None), (120, None)]),
    );
    let others = peers(&both(&others, &drive), 5);
    let case = Case {
        peers: &others,
        ..both(&own, &drive)
    };
    assert_eq!(fired(&case, "population-throughput"), WARN);
}
