//! Everything that is known, reduced to named numbers.
//!
//! | prefix | from |
//! |---|---|
//! | `verify.`, `capacity.`, `io.` | bad sectors and incidents |
//! | `run.`, `coverage.`, `surface.` | phases, zones, resumes, the reason for an early end |
//! | `smart.`, `ata.N.`, `nvme.`, `scsi.` | SMART: `.before`, `.after`, `.delta` |

use std::collections::BTreeMap;

use drive::smart::{Snapshot, delta};
use wire::job::{FaultKind, Phase};

use super::{Case, unfinished};
use crate::evidence::{Evidence, Stop, Zone};
use crate::findings::Fault;

/// Numbers by name.
pub type Metrics = BTreeMap<String, f64>;

/// Zones to each side that make a zone's neighbourhood: one percent of the drive.
const NEIGHBOURS: usize = 10;

/// How much slower than its neighbourhood a zone must be.
const SLOWER: f64 = 8.0;

/// Longest access, in nanoseconds, below which a slow zone is taken for the host's doing: 200 ms.
const SLOW_ACCESS_NS: u64 = 200_000_000;

/// Reduces a case to numbers.
pub fn metrics(case: &Case<'_>) -> Metrics {
    let mut metrics = Metrics::new();
    surface(case.evidence, &mut metrics);
    if case.wants_smart {
        match (case.before, case.after) {
            (None, None) => put(&mut metrics, "smart.unreadable", 1.0),
            (None, Some(_)) => put(&mut metrics, "smart.baseline_lost", 1.0),
            // An ended job has no SMART after; that it was ended is told already.
            (Some(_), None) if case.evidence.stopped.is_none() => put(&mut metrics, "smart.went_silent", 1.0),
            (Some(_), None) | (Some(_), Some(_)) => {}
        }
    }
    if let Some(last) = case.after.or(case.before) {
        own_word(last, &mut metrics);
    }
    changes(case, &mut metrics);
    metrics
}

fn put(metrics: &mut Metrics, name: &str, value: f64) {
    metrics.insert(name.to_owned(), value);
}

fn surface(evidence: &Evidence, metrics: &mut Metrics) {
    let (mut mismatch, mut misplaced, mut transient, mut read, mut write) = (0, 0, 0, 0, 0);
    for run in evidence.defects.runs() {
        match run.fault {
            Fault::Flips { .. } | Fault::Torn | Fault::Zeros | Fault::Ones | Fault::Foreign | Fault::Stale { .. } => {
                mismatch += run.count;
            }
            Fault::Moved { .. } => misplaced += run.count,
            Fault::Transient => transient += run.count,
            Fault::Read { .. } => read += run.count,
            Fault::Write { .. } => write += run.count,
        }
    }
    let kept = mismatch + misplaced + transient + read + write;
    // Runs beyond the limit are counted without their kind; differing data is what makes so many.
    mismatch += evidence.defects.bad_sectors().saturating_sub(kept);
    let told = evidence.defects.findings(evidence.geometry);
    let fake = told
        .iter()
        .filter(|f| matches!(f.kind, FaultKind::WrapAround | FaultKind::Truncated))
        .count();
    let incidents = |kind| evidence.incidents.iter().filter(|i| i.kind == kind).count() as f64;
    let stopped = |yes: bool| f64::from(u8::from(yes));
    let stop = evidence.stopped.as_ref();
    let unread = evidence.phase(Phase::Verify).map_or(evidence.geometry.bytes(), |v| {
        evidence.geometry.bytes().saturating_sub(v.done.0)
    });
    for (name, value) in [
        ("verify.mismatch", mismatch as f64),
        ("verify.misplaced", misplaced as f64),
        ("verify.transient", transient as f64),
        (
            "capacity.false",
            fake as f64 + stopped(matches!(stop, Some(Stop::FakeCapacity))),
        ),
        ("io.read_errors", read as f64),
        ("io.write_errors", write as f64),
        ("io.flush_errors", incidents(FaultKind::WriteError)),
        ("io.not_reproduced", incidents(FaultKind::Transient)),
        ("io.slow", incidents(FaultKind::Slow)),
        ("run.hung", stopped(matches!(stop, Some(Stop::Hung)))),
        ("run.disconnected", stopped(matches!(stop, Some(Stop::Disconnected)))),
        ("run.resized", stopped(matches!(stop, Some(Stop::Resized { .. })))),
        ("run.gave_up", stopped(matches!(stop, Some(Stop::TooManyErrors)))),
        (
            "run.stopped",
            stopped(matches!(stop, Some(Stop::Asked { .. } | Stop::Engine { .. }))),
        ),
        ("run.resumes", evidence.resumes.len() as f64),
        ("coverage.missing", unread as f64),
        ("coverage.skipped", unfinished(evidence) as f64),
        (
            "surface.slow_bytes",
            evidence
                .phases
                .iter()
                .map(|p| slow_bytes(p.zones.zones()))
                .max()
                .unwrap_or(0) as f64,
        ),
    ] {
        put(metrics, name, value);
    }
}

/// Bytes in zones that are much slower than their neighbourhood.
fn slow_bytes(zones: &[Zone]) -> u64 {
    let pace = |zone: &Zone| (zone.0 > 0).then(|| zone.1 as f64 / zone.0 as f64);
    let mut slow = 0;
    for (at, zone) in zones.iter().enumerate() {
        let around = &zones[at.saturating_sub(NEIGHBOURS)..(at + NEIGHBOURS + 1).min(zones.len())];
        let mut paces: Vec<f64> = around.iter().filter_map(pace).collect();
        if paces.len() <= NEIGHBOURS {
            continue;
        }
        paces.sort_by(f64::total_cmp);
        let median = paces[paces.len() / 2];
        if pace(zone).is_some_and(|own| own > median * SLOWER) && zone.2 > SLOW_ACCESS_NS {
            slow += zone.0;
        }
    }
    slow
}

/// What the drive says of itself now.
fn own_word(snapshot: &Snapshot, metrics: &mut Metrics) {
    let count = |word: &str| snapshot.attributes.iter().filter(|a| a.when_failed == word).count() as f64;
    put(
        metrics,
        "smart.failing",
        f64::from(u8::from(snapshot.passed == Some(false))),
    );
    put(metrics, "smart.threshold_now", count("now"));
    put(metrics, "smart.threshold_past", count("past"));
    let judged: Vec<bool> = snapshot.self_tests.iter().filter_map(|test| test.passed).collect();
    put(
        metrics,
        "smart.self_test_failed",
        f64::from(u8::from(judged.first() == Some(&false))),
    );
    let earlier = judged.first() == Some(&true) && judged.contains(&false);
    put(metrics, "smart.self_test_failed_before", f64::from(u8::from(earlier)));
    let wear = [177, 202, 231, 233]
        .into_iter()
        .filter_map(|id| snapshot.attribute(id)?.value)
        .min();
    if let Some(left) = wear.filter(|_| snapshot.rpm.is_none_or(|rpm| rpm == 0)) {
        put(metrics, "ata.wear_left", f64::from(left));
    }
    if let Some(value) = snapshot.attribute(22).and_then(|a| a.value) {
        put(metrics, "ata.22.value", f64::from(value));
    }
    if let Some(nvme) = &snapshot.nvme {
        put(
            metrics,
            "nvme.critical",
            f64::from((nvme.critical_warning & 0b11_1101).count_ones()),
        );
        put(metrics, "nvme.hot_after", f64::from(nvme.critical_warning >> 1 & 1));
        // A controller that keeps no such record tells 0 for both.
        let told = |(spare, threshold): &(_, _)| *spare != 0 || *threshold != 0;
        if let Some((spare, threshold)) = nvme.available_spare.zip(nvme.available_spare_threshold).filter(told) {
            put(metrics, "nvme.spare_margin", f64::from(spare) - f64::from(threshold));
        }
        if let Some(used) = nvme.percentage_used {
            put(metrics, "nvme.percentage_used", used as f64);
        }
    }
}

/// What stood there before, what stands there now, and the difference.
fn changes(case: &Case<'_>, metrics: &mut Metrics) {
    let (Some(first), Some(last)) = (case.before.or(case.after), case.after.or(case.before)) else {
        return;
    };
    let (mut uncorrected, mut rereads) = ((0.0, 0.0), 0.0);
    for row in delta(first, last) {
        let change = row.change().unwrap_or(0) as f64;
        let name = match row.id {
            Some(id) => format!("ata.{id}"),
            None if row.name.ends_with(".uncorrected") => {
                uncorrected.0 += row.before.unwrap_or(0) as f64;
                uncorrected.1 += change;
                continue;
            }
            None if row.name.ends_with(".rereads_rewrites") => {
                rereads += change;
                continue;
            }
            None if row.name == "power_on_hours" => "smart.hours".to_owned(),
            None if matches!(row.name.as_str(), "grown_defects" | "non_medium") => format!("scsi.{}", row.name),
            None => format!("nvme.{}", row.name),
        };
        // Without a baseline only what stands there now is known, and nothing about a change.
        if let Some(before) = row.before.filter(|_| case.before.is_some()) {
            metrics.insert(format!("{name}.before"), before as f64);
        }
        if let Some(after) = row.after.filter(|_| case.after.is_some()) {
            metrics.insert(format!("{name}.after"), after as f64);
        }
        if case.before.is_some() && case.after.is_some() && row.change().is_some() {
            metrics.insert(format!("{name}.delta"), change);
        }
    }
    if last.scsi.is_some() && case.before.is_some() && case.after.is_some() {
        put(metrics, "scsi.uncorrected.before", uncorrected.0);
        put(metrics, "scsi.uncorrected.delta", uncorrected.1);
        let tib = case.evidence.phases.iter().map(|p| p.done.0).sum::<u64>() as f64 / (1_u64 << 40) as f64;
        put(
            metrics,
            "scsi.rereads_per_tib",
            if tib > 0.0 { rereads / tib.max(1.0) } else { 0.0 },
        );
    }
}
