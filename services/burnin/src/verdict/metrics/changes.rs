//! What stood in the drive's counters before, what stands there now, and the difference.

use drive::smart::delta;

use super::Metrics;
use crate::verdict::Case;

/// Bytes of a tebibyte.
const TIB: f64 = (1_u64 << 40) as f64;

pub(super) fn put(case: &Case<'_>, metrics: &mut Metrics) {
    let (before, after) = (case.first(), case.last());
    let (Some(first), Some(last)) = (before.or(after), after.or(before)) else {
        return;
    };
    if let (Some(before), Some(after)) = (before, after) {
        let same = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
        metrics.flag(
            "smart.other_drive",
            !(same(&before.serial, &after.serial) && same(&before.wwn, &after.wwn)),
        );
    }
    if before.is_some() && first.power_on_hours.is_none() {
        metrics.put("smart.hours_unknown", 1.0);
    }
    let both = before.is_some() && after.is_some();
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
            None if row.name == "power_cycles" => "smart.power_cycles".to_owned(),
            None if matches!(row.name.as_str(), "grown_defects" | "non_medium" | "phy_errors") => {
                format!("scsi.{}", row.name)
            }
            None => format!("nvme.{}", row.name),
        };
        // Without a baseline only what stands there now is known, and nothing about a change.
        if let Some(value) = row.before.filter(|_| before.is_some()) {
            metrics.put(&format!("{name}.before"), value as f64);
        }
        if let Some(value) = row.after.filter(|_| after.is_some()) {
            metrics.put(&format!("{name}.after"), value as f64);
        }
        if both && row.change().is_some() {
            metrics.put(&format!("{name}.delta"), change);
        }
    }
    if let Some(cycles) = metrics.get("smart.power_cycles.delta") {
        let expected = case.evidence.resumes.len() as f64;
        metrics.put("smart.power_cycles.unexpected", cycles - expected);
    }
    if last.scsi.is_some() && both {
        metrics.put("scsi.uncorrected.before", uncorrected.0);
        metrics.put("scsi.uncorrected.delta", uncorrected.1);
        let tib = case.evidence.phases.iter().map(|p| p.done.0).sum::<u64>() as f64 / TIB;
        metrics.put(
            "scsi.rereads_per_tib",
            if tib > 0.0 { rereads / tib.max(1.0) } else { 0.0 },
        );
    }
}
