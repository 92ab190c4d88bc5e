//! What was written and read back, and how the run went.

use drive::kernel_log::Unheard;
use wire::job::{FaultKind, Phase};

use super::Metrics;
use crate::evidence::{Evidence, Incident, MemoryTests, Stop};
use crate::findings::Class;
use crate::verdict::{Case, unfinished};

pub(super) fn put(case: &Case<'_>, metrics: &mut Metrics) {
    let evidence = case.evidence;
    // Wrong bits that came through memory which is bad itself say nothing of the drive.
    let host_bad = evidence.memory.bad > 0;
    let defects = &evidence.defects;
    let is_blamed = |class: Class| !(host_bad && class.may_be_memory());
    let of = |such: &dyn Fn(Class) -> bool| {
        let placed = defects.different(0..u64::MAX, |run| such(run.fault.class()));
        placed
            .saturating_add(defects.beyond(such))
            .min(evidence.geometry.sectors)
    };
    let blamed = |classes: &[Class]| of(&|class| is_blamed(class) && classes.contains(&class));
    let mismatch = blamed(&[Class::Bits, Class::Content]);
    let misplaced = blamed(&[Class::Misplaced]);
    let transient = blamed(&[Class::Transient]);
    let read = blamed(&[Class::Read]);
    let write = blamed(&[Class::Write]);
    let unattributed = of(&|class| !is_blamed(class));
    let MemoryTests { good, bad } = evidence.memory;
    match bad {
        0 => metrics.put("host.memory_bad", 0.0),
        bad => {
            let figures = format!("{unattributed} sectors with wrong bits are not blamed on the drive");
            metrics.say("host.memory_bad", f64::from(bad), figures);
        }
    }
    metrics.put("host.memory_good", if host_bad { 0.0 } else { f64::from(good) });
    let told = evidence.defects.findings(evidence.geometry);
    let fake = told
        .iter()
        .filter(|f| matches!(f.kind, FaultKind::WrapAround | FaultKind::Truncated))
        .count();
    let incidents = |kind| evidence.incidents_of(kind) as f64;
    // A flush has no place and a trim has a phase of its own; each is tried a few times at most, so they are all kept one by one.
    let is_flush = |i: &&Incident| i.kind == FaultKind::WriteError && (i.lba.is_none() || i.phase == Phase::Trim);
    let flushes = evidence.incidents.iter().filter(is_flush).count() as f64;
    let writes = incidents(FaultKind::WriteError) - flushes;
    let stop = evidence.stopped.as_ref();
    for (name, value) in [
        ("verify.mismatch", mismatch as f64),
        ("verify.misplaced", misplaced as f64),
        ("verify.transient", transient as f64),
        (
            "capacity.false",
            // The stop is of what was found; it is told alone where that was lost.
            (fake as f64).max(f64::from(u8::from(matches!(stop, Some(Stop::FakeCapacity))))),
        ),
        ("io.read_errors", read as f64),
        ("io.write_errors", write as f64),
        ("io.flush_errors", flushes),
        ("io.not_reproduced", incidents(FaultKind::Transient)),
        ("io.medium_errors", incidents(FaultKind::ReadError) + writes),
        ("run.resets", incidents(FaultKind::Reset) + case.kernel.resets as f64),
        ("coverage.hidden", case.kernel.hidden as f64),
        ("run.resumes", case.interruptions().len() as f64),
        ("coverage.skipped", unfinished(evidence) as f64),
        ("coverage.soak_left", soak_left(evidence)),
        (
            "coverage.unsupported",
            evidence.phases.iter().filter(|r| r.unsupported.is_some()).count() as f64,
        ),
    ] {
        metrics.put(name, value);
    }
    match &case.kernel.unheard {
        Some(Unheard::Log(why)) => metrics.say("run.resets_unknown", 1.0, why.clone()),
        Some(Unheard::Kind) => metrics.put("run.resets_untold", 1.0),
        None => {}
    }
    let sectors = evidence.geometry.sectors.max(1) as f64;
    let kept = evidence.phases.iter().map(|r| r.kept).max().unwrap_or(0) as f64;
    metrics.put("trim.kept_percent", (kept / sectors * 1000.0).round() / 10.0);
    match evidence.phases.iter().filter(|record| record.lost).count() {
        0 => metrics.flag("run.evidence_lost", evidence.lost),
        lost => {
            let figures = format!("{lost} steps had ended in it, and what they saw is lost");
            metrics.say("run.evidence_lost", 1.0, figures);
        }
    }
    metrics.flag("run.hung", matches!(stop, Some(Stop::Hung)));
    metrics.flag("run.disconnected", matches!(stop, Some(Stop::Disconnected)));
    let resized = case.kernel.resized || matches!(stop, Some(Stop::Resized { .. }));
    metrics.flag("run.resized", resized);
    metrics.flag("run.stranger", matches!(stop, Some(Stop::Stranger { .. })));
    metrics.flag("run.reserved", matches!(stop, Some(Stop::Reserved)));
    let gave_up = matches!(stop, Some(Stop::TooManyErrors));
    let said = |kind| evidence.incident_counts.contains_key(&kind);
    let by_drive = evidence.bad_sectors() > 0 || said(FaultKind::ReadError) || said(FaultKind::WriteError);
    metrics.flag("run.gave_up", gave_up && by_drive);
    metrics.flag("run.gave_up_transient", gave_up && !by_drive);
    metrics.flag(
        "run.stopped",
        matches!(stop, Some(Stop::Asked { .. } | Stop::Engine { .. } | Stop::FirstFault)),
    );
    if evidence.compares_all() {
        metrics.put("coverage.missing", evidence.unread().0 as f64);
    } else if !evidence.only_reads() {
        metrics.put("coverage.part", 1.0);
    }
    let only_read = evidence.only_reads() && !evidence.compares_all();
    metrics.flag("coverage.only_read", only_read);
    // A probe writes keyed tags all over the drive, so that at least a false capacity is seen.
    let probed = evidence.phase(Phase::Probe).is_some();
    metrics.flag("coverage.constant", evidence.constant_only() && !probed);
    metrics.flag("coverage.constant_probed", evidence.constant_only() && probed);
}

/// Whole seconds that blocks which were to be repeated for a time lack of it.
fn soak_left(evidence: &Evidence) -> f64 {
    let ends = evidence.phases.iter().filter_map(|record| {
        let soak = record.work.soak?;
        (soak.last == record.step).then_some(soak)
    });
    ends.map(|soak| evidence.soak_left(soak).floor()).sum()
}
