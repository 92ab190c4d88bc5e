//! Drives that were too hot, and what the evidence says of their limit.

use drive::smart::SctTemperature;
use wire::Celsius;
use wire::drive::Rotation;
use wire::job::TimePoint;

use super::*;

const DISK: Rotation = Rotation::Spinning { rpm: Some(7200) };

/// A reading a minute.
fn line(degrees: &[i32]) -> Vec<TimePoint> {
    let point = |(minute, degrees): (i64, &i32)| TimePoint {
        at: Time::from_second(60 * minute).unwrap(),
        step: 0,
        temperature: Some(Celsius(*degrees)),
        rate: Bytes(0),
        bad_sectors: 0,
    };
    (0..).zip(degrees).map(point).collect()
}

fn at(degrees: Option<i64>) -> Snapshot {
    Snapshot {
        temperature: degrees,
        ..snapshot()
    }
}

#[test]
fn a_drive_that_stands_at_its_limit_when_the_job_ends_is_inconclusive() {
    let evidence = clean();
    for (rotation, after, readings, want) in [
        (DISK, Some(60), vec![40], INCONCLUSIVE),
        (DISK, Some(59), vec![40, 62, 50], None),
        // Only the time line tells it.
        (DISK, None, vec![40, 60], INCONCLUSIVE),
        (DISK, None, vec![60, 40], None),
        (Rotation::SolidState, Some(74), vec![], None),
        (Rotation::SolidState, Some(75), vec![], INCONCLUSIVE),
        (Rotation::Unknown, Some(60), vec![], INCONCLUSIVE),
        (DISK, None, vec![], None),
    ] {
        let (timeline, mut drive) = (line(&readings), at(after));
        drive.rpm = drive.rpm.filter(|_| rotation != Rotation::SolidState);
        let case = Case {
            rotation,
            timeline: &timeline,
            ..both(&evidence, &drive)
        };
        assert_eq!(fired(&case, "hot-at-end"), want, "{rotation:?} {after:?} {readings:?}");
    }
    // Its bridge calls a disk flash.
    let drive = at(Some(60));
    let case = Case {
        rotation: Rotation::SolidState,
        ..both(&evidence, &drive)
    };
    assert_eq!(fired(&case, "hot-at-end"), INCONCLUSIVE);
    // A limit that the drive names itself counts, and one below 50 °C is its firmware's mistake.
    for (named, want) in [(60, INCONCLUSIVE), (40, None)] {
        let mut drive = at(Some(56));
        drive.heat_limits = vec![named];
        let case = Case {
            rotation: DISK,
            ..both(&evidence, &drive)
        };
        assert_eq!(fired(&case, "hot-at-end"), want, "{named}");
    }
}

/// The job pauses by `Limits::of_drive` of what was read before it.
#[test]
fn the_verdict_goes_by_the_limits_that_the_job_went_by() {
    let evidence = clean();
    let mut flash = at(Some(40));
    (flash.nvme, flash.rpm) = (Some(NvmeHealth::default()), None);
    let (mut warns, disk) = (flash.clone(), at(Some(40)));
    warns.heat_warning = Some(70);
    for rotation in [Rotation::Unknown, Rotation::SolidState, DISK] {
        for before in [&flash, &warns, &disk, &Snapshot::default()] {
            let pause = crate::heat::Limits::of_drive(rotation, Some(before)).pause.0;
            for (degrees, want) in [(pause - 1, None), (pause, INCONCLUSIVE)] {
                let timeline = line(&[30, degrees]);
                let after = Snapshot {
                    temperature: None,
                    ..flash.clone()
                };
                let case = Case {
                    rotation,
                    timeline: &timeline,
                    before: Some(before),
                    ..both(&evidence, &after)
                };
                assert_eq!(fired(&case, "hot-at-end"), want, "{rotation:?} {degrees} {before:?}");
            }
        }
    }
}

#[test]
fn limits_that_were_reached_are_told_with_their_times() {
    let (evidence, drive, timeline) = (clean(), snapshot(), line(&[30, 61, 63, 50, 30]));
    let verdict = judge(&Case {
        rotation: DISK,
        timeline: &timeline,
        paused_for_heat: true,
        ..both(&evidence, &drive)
    });
    assert_eq!(
        (verdict.outcome, ids(&verdict)),
        (Outcome::Passed, vec!["heat-limit-reached", "heat-paused"])
    );
    assert_eq!(
        verdict.rules[0].value,
        "2 readings (limit 60 °C, highest 63 °C, from 1970-01-01T00:01:00Z to 1970-01-01T00:02:00Z)"
    );
}

#[test]
fn a_job_that_was_given_up_for_heat_is_inconclusive_whatever_was_read() {
    let (evidence, drive) = (clean(), snapshot());
    let case = Case {
        too_hot: Some("it stayed at 66 °C"),
        ..both(&evidence, &drive)
    };
    assert_eq!(judge(&case).outcome, Outcome::Inconclusive);
}

/// Toshiba KSG60, from linuxhw/SMART 525535F63897: recommends 40 °C, and counts from there on.
#[test]
fn recordings_above_a_limit_that_no_drive_has_tell_of_no_heat() {
    let evidence = clean();
    let counted = |recommended, limit, over_limit| Snapshot {
        heat_recommended: recommended,
        sct: Some(SctTemperature {
            lifetime_min: None,
            lifetime_max: None,
            limit,
            over_limit: Some(over_limit),
        }),
        ..at(Some(40))
    };
    for (recommended, limit, want) in [
        (Some(60), None, WARN),
        (None, Some(50), WARN),
        (None, None, WARN),
        (Some(40), Some(40), None),
        (Some(25), Some(70), None),
        (None, Some(40), None),
    ] {
        let (before, after) = (counted(recommended, limit, 0), counted(recommended, limit, 6));
        let case = Case {
            before: Some(&before),
            ..both(&evidence, &after)
        };
        assert_eq!(fired(&case, "sct-over-limit"), want, "{recommended:?} {limit:?}");
    }
}
