//! Counters that only rise, and stand lower after the job than before: somebody set them back, or another drive answers.
//!
//! Counters that wrap are told by how near to their end they stood: hours of 16 bits, and makers' minutes and half minutes
//! of 16 or 24 bits as smartctl gives them in hours. A drive may forget the hours since it last wrote them down when its
//! power is cut, and some firmware begins its count of power cycles again: neither is alarmed by itself.

use drive::smart::{Snapshot, delta};
use wire::meaning::Meaning;

use super::Metrics;
use super::changes::{own_hours, plausible_hours, worked_hours};
use crate::verdict::{Case, case, figures};

/// What cannot be undone.
const LASTING: [Meaning; 7] = [
    Meaning::Reallocated,
    Meaning::SpinRetry,
    Meaning::EndToEnd,
    Meaning::ReportedUncorrectable,
    Meaning::ReallocationEvents,
    Meaning::GrownBadBlocks,
    Meaning::Crc,
];

/// Counters of NVMe and SAS that only rise.
const NAMED: [&str; 7] = [
    "media_errors",
    "percentage_used",
    "scsi_percentage_used",
    "grown_defects",
    "read.uncorrected",
    "write.uncorrected",
    "verify.uncorrected",
];

/// Hours at which counters of hours begin again at 0: 16 bits of half minutes, of minutes, of hours; 24 bits of half minutes,
/// of minutes.
const WRAPS: [u64; 5] = [
    (1 << 16) / 120,
    (1 << 16) / 60,
    1 << 16,
    (1 << 24) / 120,
    (1 << 24) / 60,
];

pub(super) fn put(case: &Case<'_>, metrics: &mut Metrics) {
    let (Some(before), Some(after)) = (case.first(), case.last()) else {
        return;
    };
    let mut fell: Vec<String> = Vec::new();
    if let Some((from, to)) = before.power_on_hours.zip(after.power_on_hours)
        // A clock that was set forward by years in it explains no wrap.
        && hours_fell((from, to), own_hours(case).min(plausible_hours(worked_hours(case))))
    {
        fell.push(format!("power-on hours from {from} to {to}"));
    }
    fell.extend(faults(before, after, case.spins()));
    // Alone it is a habit of some firmware; beside others it is one more sign.
    if let Some((from, to)) = before.power_cycles.zip(after.power_cycles)
        && to < from
        && !fell.is_empty()
    {
        fell.push(format!("power cycles from {from} to {to}"));
    }
    match fell.len() {
        0 => metrics.put("smart.went_back", 0.0),
        n => metrics.say("smart.went_back", n as f64, fell.join(", ")),
    }
}

/// Whether hours fell by more than is forgotten, and by no wrap within the job's own hours.
fn hours_fell((from, to): (u64, u64), own: u64) -> bool {
    let wrapped = |end: &u64| {
        let passed = end.saturating_sub(from).saturating_add(to);
        from <= *end && passed <= own.saturating_add(figures().forgotten.value)
    };
    from.saturating_sub(to) > figures().forgotten.value && !WRAPS.iter().any(wrapped)
}

/// Counters of faults and wear that fell; one percent of wear is rounding. One that came to the end of its bits is no
/// exception: what it counted meanwhile is a fault that no other rule sees.
fn faults(before: &Snapshot, after: &Snapshot, spins: Option<bool>) -> Vec<String> {
    let rows = delta(before, after).into_iter();
    let rising = rows.filter(|row| {
        if let Some(id) = row.id {
            case::meaning(id, &row.name, spins).is_some_and(|meaning| LASTING.contains(&meaning))
        } else {
            let statistic = Meaning::of_statistic(&row.name);
            NAMED.contains(&row.name.as_str()) || statistic.is_some_and(|meaning| LASTING.contains(&meaning))
        }
    });
    rising
        .filter_map(|row| {
            let (from, to) = row.before.zip(row.after)?;
            let slack = i64::from(row.name.ends_with("percentage_used"));
            (from.saturating_sub(to) > slack).then(|| format!("{} from {from} to {to}", row.name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_that_wrap_or_were_not_written_down_are_no_alarm() {
        for (from, to, fell) in [
            (31_000, 31_002, false),
            (31_000, 31_000, false),
            (31_000, 30_990, false),
            (31_000, 3, true),
            (31_000, 30_900, true),
            (65_530, 12, false),
            (1_090, 8, false),
            (540, 30, false),
            (900, 8, true),
            (200, 3, true),
            (70_000, 4, true),
        ] {
            assert_eq!(hours_fell((from, to), 20), fell, "{from} to {to}");
        }
    }
}
