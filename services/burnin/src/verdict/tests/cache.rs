//! The fast cells of flash: told where nothing else made the step, and never held against the drive.

use std::time::Duration;

use wire::drive::Rotation;

use super::complete::long;
use super::*;
use crate::evidence::Zones;
use crate::playbook::Direction;

/// A write that is six times as fast over its first tenth.
pub(super) fn with_a_step() -> Evidence {
    let mut evidence = long();
    let write = &mut evidence.phases[0];
    write.zones = Zones::default();
    for zone in 0..1024_u64 {
        let time = Duration::from_millis(if zone < 102 { 1000 } else { 6000 });
        write
            .zones
            .add((zone << 22, 1 << 22), 1 << 32, 2 << 30, time, Duration::from_millis(9));
    }
    evidence
}

fn flash<'a>(evidence: &'a Evidence, drive: &'a Snapshot) -> Case<'a> {
    Case {
        rotation: Rotation::SolidState,
        ..both(evidence, drive)
    }
}

#[test]
fn up_to_where_flash_writes_fast_is_told_and_costs_it_nothing() {
    let (evidence, mut drive) = (with_a_step(), snapshot());
    drive.rpm = Some(0);
    let verdict = judge(&flash(&evidence, &drive));
    assert_eq!((verdict.outcome, ids(&verdict)), (Outcome::Passed, vec!["flash-cache"]));
    assert_eq!(
        verdict.rules[0].value,
        "219 GB (2147 MB/s up to there, 358 MB/s behind it)"
    );
    let told = |case: Case<'_>| fired(&case, "flash-cache");
    let rotation = Rotation::Spinning { rpm: Some(7200) };
    assert_eq!(
        told(Case {
            rotation,
            ..flash(&evidence, &drive)
        }),
        None
    );
    assert_eq!(
        told(Case {
            shared: true,
            ..flash(&evidence, &drive)
        }),
        None,
        "others on its link"
    );
    assert_eq!(
        told(Case {
            paused_for_heat: true,
            ..flash(&evidence, &drive)
        }),
        None,
        "heat"
    );
    let but = |change: &dyn Fn(&mut Evidence)| {
        let mut other = evidence.clone();
        change(&mut other);
        told(flash(&other, &drive))
    };
    assert_eq!(but(&|_| {}), TOLD);
    assert_eq!(but(&|e| e.phases[0].work.order = Direction::Reverse), None);
    assert_eq!(but(&|e| e.phases[0].rounds = 2), None, "the rounds of a soak");
    let limited = |mb: Option<u64>| {
        but(&|e| {
            let allowed = &mut e.phases[0].allowed;
            (allowed.limited, allowed.lowest) = (true, mb.map(|mb| mb * 1_000_000));
        })
    };
    assert_eq!(limited(Some(5_000)), TOLD, "it never came near");
    assert_eq!(limited(Some(3_000)), None, "its fast cells may have waited");
    assert_eq!(limited(None), None, "nobody noted which");
    assert_eq!(but(&|e| e.phases[0].status = PhaseStatus::Running), None);
    let resume = Resume {
        at: Time::UNIX_EPOCH,
        why: "the power was cut".into(),
        phase: Phase::Write,
        step: 0,
        from: Bytes(0),
    };
    assert_eq!(
        but(&|e| e.resumes.push(resume.clone())),
        None,
        "it had time to clean up"
    );
}
