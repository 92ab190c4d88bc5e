//! What stood in the drive's counters before, what stands there now, and the difference.

use std::collections::BTreeSet;
use std::time::Duration;

use drive::smart::{Farm, HOURS_MAX, PENDING_LOG, Row, Snapshot, delta};
use wire::job::{Phase, PhaseStatus, SmartLimit, gaps};
use wire::meaning::Meaning;

use super::own_word::{may_tell_wear, used_by_name};
use super::{Metrics, TIB, backwards};
use crate::verdict::{Case, Rules, case};

/// The row of NVMe's error log.
const ERROR_LOG: &str = "num_err_log_entries";

/// Values that rules look at under another name, or folded into one number with others.
const FOLDED: [&str; 9] = [
    "critical_warning",
    "available_spare",
    "percentage_used",
    "scsi_percentage_used",
    "read.rereads_rewrites",
    "write.rereads_rewrites",
    "read.uncorrected",
    "write.uncorrected",
    "verify.uncorrected",
];

/// Before the names of the rows of Seagate's field log that count errors.
const OF_FARM: &str = "farm.";

/// What the field log counts, and the numbers by which SMART tells the same of ATA and SAS.
const BY_FARM: [(&str, [&str; 2], &str); 3] = [
    (
        "farm.reallocated",
        ["ata.reallocated", "scsi.grown_defects"],
        "reallocated",
    ),
    (
        "farm.candidates",
        ["ata.pending", "scsi.pending_defects"],
        "to be reallocated",
    ),
    (
        "farm.unrecoverable",
        ["ata.reported_uncorrectable", "scsi.uncorrected"],
        "unrecoverable",
    ),
];

/// Counters that some drives begin anew, as with each power cut: that they stand lower is no alarm (see [`backwards`]), and what stands
/// there was counted since.
const ANEW: [&str; 4] = [
    "ata.command_timeout",
    "scsi.non_medium",
    "scsi.phy_errors",
    "smart.error_log",
];

/// Sectors that wait for being written.
const WAITING: [&str; 4] = [
    "ata.pending",
    "ata.pending_ecc",
    "ata.offline_uncorrectable",
    "scsi.pending_defects",
];

pub(super) fn put(case: &Case<'_>, metrics: &mut Metrics) {
    let (before, after) = (case.first(), case.last());
    let (Some(first), Some(last)) = (before.or(after), after.or(before)) else {
        return;
    };
    if let (Some(before), Some(after)) = (before, after) {
        let same = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
        let grown = before.capacity.zip(after.capacity).is_some_and(|(old, new)| old != new);
        let differs: Vec<&str> = [
            (!same(&before.serial, &after.serial), "serial number"),
            (!same(&before.wwn, &after.wwn), "world wide name"),
            (!same(&before.model, &after.model), "model"),
            (grown, "capacity"),
        ]
        .into_iter()
        .filter_map(|(differs, name)| differs.then_some(name))
        .collect();
        match differs.len() {
            0 => metrics.put("smart.other_drive", 0.0),
            n => metrics.say("smart.other_drive", n as f64, differs.join(", ")),
        }
    }
    if before.is_some() && first.power_on_hours.is_none() {
        metrics.put("smart.hours_unknown", 1.0);
    }
    let both = before.is_some() && after.is_some();
    if both && let Some((from, to)) = first.power_on_hours.zip(last.power_on_hours) {
        let still = if from == to { worked_hours(case) } else { 0 };
        metrics.put("smart.hours_still", still as f64);
    }
    backwards::put(case, metrics);
    let (mut uncorrected, mut rereads): (Option<(f64, f64)>, f64) = (None, 0.0);
    for row in delta(first, last) {
        let change = match row.name.as_str() {
            ERROR_LOG => {
                let (other, unlisted) = errors(last, &row);
                metrics.put("nvme.errors_unlisted", unlisted);
                other
            }
            _ => row.change().unwrap_or(0) as f64,
        };
        let name = match row.id {
            // What one kind of access takes back does not outweigh what another adds.
            None if row.name.ends_with(".uncorrected") => {
                let (before, grown) = uncorrected.unwrap_or_default();
                uncorrected = Some((before + row.before.unwrap_or(0) as f64, grown + change.max(0.0)));
                continue;
            }
            None if row.name.ends_with(".rereads_rewrites") => {
                rereads += change.max(0.0);
                continue;
            }
            _ => called(&row, case.spins(), is_listed(first) || is_listed(last)),
        };
        // The statistic counts logical sectors; beside attributes, whose rows come first, it is taken in their unit.
        let logical = row.id.is_none() && Meaning::of_statistic(&row.name) == Some(Meaning::Reallocated);
        let count = |metrics: &Metrics, value: i64, side: &str| match metrics.get(&format!("{name}.{side}")) {
            Some(by_attribute) if logical && by_attribute > 0.0 => physical(value as f64, case),
            _ => value as f64,
        };
        // Without a baseline only what stands there now is known, and nothing about a change.
        if let Some(value) = row.before.filter(|_| before.is_some()) {
            let value = count(metrics, value, "before");
            raise(metrics, &format!("{name}.before"), value);
        }
        if let Some(value) = row.after.filter(|_| after.is_some()) {
            // Writing clears what waits for it; what waits where not all was written says less.
            let waits = WAITING.contains(&name.as_str()) && !was_written(case);
            let side = if waits { "unwritten" } else { "after" };
            let value = count(metrics, value, side);
            raise(metrics, &format!("{name}.{side}"), value);
        }
        if both && row.change().is_some() {
            let change = if ANEW.contains(&name.as_str()) {
                since_anew(&row).unwrap_or(change)
            } else {
                change
            };
            raise(metrics, &format!("{name}.delta"), change);
        }
    }
    waiting_since(metrics);
    // A baseline may be what a former owner wrote where the drive alone told it, so the hours before are at least those after
    // less the job's own. Faults that rose are judged as growth.
    if let Some(hours) = before.and_then(hours_by_statistics) {
        raise(metrics, "smart.hours.before", hours as f64);
    }
    let own = own_hours(case);
    let told = after.and_then(|after| after.power_on_hours.max(hours_by_statistics(after)));
    if let Some(hours) = told {
        raise(metrics, "smart.hours.before", hours.saturating_sub(own) as f64);
    }
    let by_farm = [
        before.and_then(hours_by_farm),
        after.and_then(hours_by_farm).map(|hours| hours.saturating_sub(own)),
    ];
    for hours in by_farm.into_iter().flatten() {
        raise(metrics, "farm.hours.before", hours as f64);
    }
    // What the job itself wore off a new drive is none of its past.
    let used = before.and_then(Snapshot::percentage_used).or(last.percentage_used());
    let used = used.map(|(used, _)| used);
    if let Some(used) = used.or_else(|| used_by_name(first, case.spins())) {
        metrics.put("flash.percentage_used.before", used as f64);
    }
    if let Some(cycles) = metrics.get("smart.power_cycles.delta") {
        let expected = case.interruptions().len() as f64;
        metrics.put("smart.power_cycles.unexpected", cycles - expected);
    }
    if let Some((stood, grown)) = uncorrected.filter(|_| before.is_some()) {
        metrics.put("scsi.uncorrected.before", stood);
        if both {
            metrics.put("scsi.uncorrected.delta", grown);
        }
    }
    farm_beyond(if before.is_some() { "before" } else { "after" }, case, metrics);
    if last.scsi.is_some() && both {
        let tib = case.evidence.phases.iter().map(|p| p.moved() as f64).sum::<f64>() / TIB;
        metrics.put(
            "scsi.rereads_per_tib",
            if tib > 0.0 { rereads / tib.max(1.0) } else { 0.0 },
        );
    }
}

/// Sectors that wait after a job that did not write all, beyond those that are known to have waited before it.
fn waiting_since(metrics: &mut Metrics) {
    for name in WAITING {
        let Some(now) = metrics.get(&format!("{name}.unwritten")) else {
            continue;
        };
        let stood = metrics.get(&format!("{name}.before")).unwrap_or(0.0);
        metrics.put(&format!("{name}.since"), (now - stood).max(0.0));
    }
    // Where their growth is known it has a rule of its own, whatever was written.
    if metrics.get("ata.offline_uncorrectable.delta").is_some() {
        metrics.put("ata.offline_uncorrectable.since", 0.0);
    }
}

/// Errors that the field log counts and SMART does not, on one side of the job.
fn farm_beyond(side: &str, case: &Case<'_>, metrics: &mut Metrics) {
    let (mut beyond, mut figures) = (0.0, Vec::new());
    let mut is_told = false;
    for (by_farm, by_smart, words) in BY_FARM {
        let Some(farm) = metrics.get(&format!("{by_farm}.{side}")) else {
            continue;
        };
        is_told = true;
        let smart = by_smart
            .into_iter()
            .filter_map(|name| metrics.get(&format!("{name}.{side}")));
        let smart = smart.fold(0.0, f64::max);
        // As the statistic: nobody says whether it counts logical sectors.
        let least = match by_farm {
            "farm.reallocated" if smart > 0.0 => physical(farm, case),
            _ => farm,
        };
        if least > smart {
            beyond += least - smart;
            figures.push(format!("{farm} {words}, {smart} by SMART"));
        }
    }
    match (is_told, figures.is_empty()) {
        (true, false) => metrics.say("farm.errors_beyond", beyond, figures.join("; ")),
        (true, true) => metrics.put("farm.errors_beyond", 0.0),
        (false, _) => {}
    }
}

/// What a counter that stands lower than before has counted since it began anew; `None` of one that did not.
fn since_anew(row: &Row) -> Option<f64> {
    let (from, to) = row.before.zip(row.after)?;
    (to < from).then_some(to as f64)
}

/// Entries that the drive's error log has more of, without those of commands that it does not know: smartctl itself asks some (smartmontools
/// issue 217, a Kingston that adds one at each reading). Of a list that is full, where all that is listed are such, those that fell out of
/// it are told apart, since they are likeliest to be no others.
fn errors(last: &Snapshot, row: &Row) -> (f64, f64) {
    let Some((from, to)) = row.before.zip(row.after).filter(|(from, to)| from != to) else {
        return (0.0, 0.0);
    };
    let from = if since_anew(row).is_some() { 0 } else { from };
    let listed = last.nvme.iter().flat_map(|nvme| &nvme.refused_commands);
    let listed: BTreeSet<i64> = listed.filter_map(|number| i64::try_from(*number).ok()).collect();
    let refused = listed.range(from.saturating_add(1)..=to).count() as f64;
    let others = to.saturating_sub(from) as f64 - refused;
    let oldest = last.nvme.as_ref().and_then(|nvme| nvme.oldest_listed);
    let oldest = oldest.and_then(|number| i64::try_from(number).ok());
    let all = |oldest: i64| (oldest..=to).all(|number| listed.contains(&number));
    match oldest.filter(|oldest| (from + 1..=to).contains(oldest)) {
        Some(oldest) if all(oldest) => (0.0, others),
        Some(_) | None => (others, 0.0),
    }
}

/// At least how many physical sectors so many logical ones are: of 4 KiB, whatever the kernel is told of them, since bridges hide it.
fn physical(logical: f64, case: &Case<'_>) -> f64 {
    let each = (4096 / case.evidence.geometry.sector.max(1)).max(1);
    (logical / f64::from(each)).ceil()
}

/// Puts a number, or leaves a greater one: several counters may mean one thing.
fn raise(metrics: &mut Metrics, name: &str, value: f64) {
    let known = metrics.get(name);
    metrics.put(name, known.map_or(value, |known| known.max(value)));
}

/// Counters that stand in one snapshot and not in the other. What a drive told once and does not tell again, or tells
/// only now, has no known change, and no rule about a change can fire on it.
pub(super) fn one_sided(case: &Case<'_>, metrics: &mut Metrics) {
    let (Some(before), Some(after)) = (case.first(), case.last()) else {
        return;
    };
    let (gone, new) = told_once(before, after, case.spins());
    for (name, side) in [("smart.counters_gone", gone), ("smart.counters_new", new)] {
        if !side.is_empty() {
            metrics.say(name, side.len() as f64, side.join(", "));
        }
    }
}

/// What rules look at and the first of two snapshots tells alone, and what the second does.
pub(super) fn told_once(before: &Snapshot, after: &Snapshot, spins: Option<bool>) -> (Vec<String>, Vec<String>) {
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    // What an older version did not read was not untold: what stands there now is judged by itself.
    let older = before.is_of_first() && !after.is_of_first();
    if !older && before.passed.is_some() != after.passed.is_some() {
        let side = if after.passed.is_none() { &mut gone } else { &mut new };
        side.push("its own word on its health".to_owned());
    }
    for row in delta(before, after) {
        let listed = is_listed(before) || is_listed(after);
        let judged = is_judged(&row, spins, listed) && !(older && row.name == PENDING_LOG);
        // The field log is asked for by a call of its own, and missing it has rules of its own.
        let judged = judged && !row.name.starts_with(OF_FARM);
        match (row.before, row.after) {
            (Some(_), None) if judged => gone.push(row.name),
            (None, Some(_)) if judged => new.push(row.name),
            _ => {}
        }
    }
    (gone, new)
}

/// Power-on hours by the device statistics (ACS-4 §9.5.4), which are kept apart from the attributes.
fn hours_by_statistics(told: &Snapshot) -> Option<u64> {
    let hours = told
        .statistics
        .iter()
        .find(|s| s.name == "Power-on Hours" && !s.normalized)?;
    u64::try_from(hours.value).ok().filter(|hours| *hours <= HOURS_MAX)
}

/// Power-on hours by Seagate's field log, which on resold drives was not reset with the SMART attributes.
fn hours_by_farm(told: &Snapshot) -> Option<u64> {
    match told.farm {
        Farm::Told { hours, .. } => Some(hours),
        Farm::Absent | Farm::NotAsked => None,
    }
}

/// Hours that a job may have stood on hold which nobody timed: a month. Chosen, as where a gap of its time line is the clock's ([`gaps`]).
const ON_HOLD: u64 = 30 * 24;

/// Hours that the job itself may have added: by the clock, and never less than the engine's steps took and its time line tells, since
/// clocks are set back. By one that went back past the job's beginning nobody knows what its self-tests and pauses took.
pub(super) fn own_hours(case: &Case<'_>) -> u64 {
    let by_line = u64::try_from(gaps(case.timeline).sum::<i64>()).unwrap_or(0);
    let counted = worked_hours(case).max(by_line.div_ceil(3600));
    match case.lasted {
        Some(lasted) => counted.max(lasted.as_secs().div_ceil(3600)),
        None => plausible_hours(counted).saturating_add(ON_HOLD),
    }
}

/// Hours that a job of so many hours of work can have lasted, but for holds.
pub(super) fn plausible_hours(worked: u64) -> u64 {
    worked.saturating_mul(10).saturating_add(48)
}

/// Hours that the engine's steps took.
pub(super) fn worked_hours(case: &Case<'_>) -> u64 {
    let seconds = case.evidence.phases.iter().map(|step| step.seconds).sum::<f64>();
    let worked = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    worked.as_secs().div_ceil(3600)
}

/// Whether a step wrote every sector.
fn was_written(case: &Case<'_>) -> bool {
    let steps = &case.evidence.phases;
    steps
        .iter()
        .any(|step| step.phase == Phase::Write && (step.status == PhaseStatus::Done || step.rounds > 0))
}

/// Whether smartctl's database knows this drive, so that the names of its attributes are the maker's.
pub(super) fn is_listed(told: &Snapshot) -> bool {
    told.family.is_some()
}

/// The number that a row of the table of changes becomes; one that no rule knows where an attribute counts something else.
/// `listed`: whether smartctl's database knows the drive.
fn called(row: &Row, spins: Option<bool>, listed: bool) -> String {
    let flash = listed && spins != Some(true);
    match (row.id, row.name.as_str()) {
        (Some(id), name) if case::is_of_link(id, name, spins) => "ata.link_slower".to_owned(),
        (Some(id), name) => match case::meaning(id, name, spins) {
            // What it lists for flash that it does not know counts other things on many, and it does so for disks.
            Some(Meaning::FlashFailures) if !flash => format!("ata.other.{id}"),
            Some(meaning) => format!("ata.{}", meaning.key()),
            None => format!("ata.other.{id}"),
        },
        (None, "power_on_hours") => "smart.hours".to_owned(),
        (None, "error_log_count") => "smart.error_log".to_owned(),
        (None, name) if name.starts_with("sct.") || name.starts_with(OF_FARM) => name.to_owned(),
        (None, "power_cycles") => "smart.power_cycles".to_owned(),
        (None, PENDING_LOG) => format!("ata.{}", Meaning::Pending.key()),
        (
            None,
            name @ ("grown_defects" | "pending_defects" | "non_medium" | "phy_errors" | "background_scan_errors"),
        ) => format!("scsi.{name}"),
        (None, name) => match Meaning::of_statistic(name) {
            Some(meaning) => format!("ata.{}", meaning.key()),
            None => format!("nvme.{name}"),
        },
    }
}

/// By how much a row of this drive may change until a rule speaks of it; `None` where none looks at just that change.
pub(in crate::verdict) fn limit(row: &Row, case: &Case<'_>) -> Option<SmartLimit> {
    let is_known = [case.first(), case.last()].into_iter().flatten().any(is_listed);
    let metric = match (row.id, row.name.as_str()) {
        // Of those the rule leaves out commands that the drive does not know.
        (None, ERROR_LOG) => return None,
        (None, name) if name.ends_with(".uncorrected") => "scsi.uncorrected".to_owned(),
        _ => called(row, case.spins(), is_known),
    };
    // The rule holds what was counted since, which is another number than the row's.
    if ANEW.contains(&metric.as_str()) && since_anew(row).is_some() {
        return None;
    }
    Rules::built_in().limit(&format!("{metric}.delta"), case.profile)
}

/// Whether a rule looks at this row of a drive with platters, without, or of which that is not known.
pub(super) fn is_judged(row: &Row, spins: Option<bool>, listed: bool) -> bool {
    let prefix = called(row, spins, listed) + ".";
    let wear = row.id.is_some_and(|id| may_tell_wear(id, &row.name));
    wear || FOLDED.contains(&row.name.as_str()) || Rules::built_in().iter().any(|rule| rule.metric.starts_with(&prefix))
}
