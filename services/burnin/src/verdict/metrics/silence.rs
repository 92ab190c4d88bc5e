//! What SMART did not tell: nothing at all, nothing on one side of the job, or nothing that a rule looks at.

use drive::smart::{Snapshot, Switch, delta};

use super::Metrics;
use super::changes::{is_judged, is_listed};
use crate::verdict::Case;

/// Values that rules look at and that tell of no fault of the medium: age, commands that it ended with an error, and the warnings that the drive's one word is made of.
const NO_FAULTS: [&str; 4] = ["power_on_hours", "power_cycles", "critical_warning", "error_log_count"];

pub(super) fn put(case: &Case<'_>, metrics: &mut Metrics) {
    let (before, after) = (case.first(), case.last());
    // One that was ended before it did anything may not have come to asking.
    let begun = case.evidence.phases.iter().any(|step| step.moved() > 0);
    if before.is_none() && after.is_none() && case.evidence.stopped.is_some() && !begun {
        return;
    }
    // By whatever rule of the profile: age, wear and faults are those from before the job.
    metrics.flag("smart.baseline_unknown", before.is_none());
    let told = || case.before.into_iter().chain(case.after);
    let is_off = told().any(Snapshot::is_switched_off);
    if case.wants_smart {
        metrics.flag("smart.off", is_off);
        metrics.flag(
            "smart.switched_on",
            told().any(|told| told.switch == Switch::SwitchedOn),
        );
        match (before, after) {
            // Nobody hides it.
            (None, None) if is_off => {}
            // The one after is not asked for where the job was ended.
            (None, None) => metrics.put(
                "smart.unreadable",
                if case.evidence.stopped.is_none() { 2.0 } else { 1.0 },
            ),
            (None, Some(_)) => metrics.put("smart.baseline_lost", 1.0),
            // An ended job has no SMART after; that it was ended is told already.
            (Some(_), None) if case.evidence.stopped.is_none() => metrics.put("smart.went_silent", 1.0),
            (Some(before), Some(after)) if ![before, after].iter().any(|told| tells_counters(told, case.spins())) => {
                metrics.put("smart.without_counters", 1.0);
            }
            (Some(_), None | Some(_)) => {}
        }
    }
    if let Some(last) = after.or(before) {
        // Of NVMe the drive's one word is smartctl's reading of these bits: without them it is no word.
        let mute = match &last.nvme {
            Some(nvme) => nvme.critical_warning.is_none(),
            None => last.passed.is_none(),
        };
        metrics.flag("smart.without_verdict", mute);
    }
}

/// Whether it tells a counter of faults or of wear that a rule looks at; without one nothing can be compared.
fn tells_counters(snapshot: &Snapshot, spins: Option<bool>) -> bool {
    let rows = delta(snapshot, snapshot);
    rows.iter().any(|row| {
        is_judged(row, spins, is_listed(snapshot)) && (row.id.is_some() || !NO_FAULTS.contains(&row.name.as_str()))
    })
}
