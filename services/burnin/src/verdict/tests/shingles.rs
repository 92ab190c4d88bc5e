//! Shingled recording: how it is known, and what it excuses.

use std::time::Duration;

use wire::drive::Rotation;

use super::complete::long;
use super::pace::stall;
use super::*;
use crate::evidence::INCIDENTS_MAX;

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

#[test]
fn a_flush_is_told_from_ten_seconds_on_and_warns_from_twenty() {
    for (seconds, want) in [(9, None), (10, TOLD), (19, TOLD), (20, WARN), (90, WARN)] {
        let evidence = Evidence {
            longest_flush: Duration::from_secs(seconds),
            ..clean()
        };
        assert_eq!(fired(&both(&evidence, &snapshot()), "slow-flush"), want, "{seconds} s");
        // What takes so long is reset for it, and heat is no excuse.
        let mut reset = evidence.clone();
        reset.incident(incident(FaultKind::Reset));
        assert_eq!(fired(&both(&reset, &snapshot()), "slow-flush"), want, "{seconds} s");
        let drive = snapshot();
        let hot = Case {
            paused_for_heat: true,
            ..both(&evidence, &drive)
        };
        assert_eq!(fired(&hot, "slow-flush"), want, "{seconds} s");
        let mut shingled = snapshot();
        shingled.trim = Some(true);
        let case = both(&evidence, &shingled);
        assert_eq!(fired(&case, "slow-flush"), None, "{seconds} s");
        assert_eq!(fired(&case, "slow-flush-excused"), want.and(TOLD), "{seconds} s");
    }
}
