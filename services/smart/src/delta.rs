//! What changed between two snapshots: one row a value, for the table on the dashboard and for the rules.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wire::meaning::Meaning;

use crate::snapshot::{Attribute, ErrorCounters, Farm, FarmErrors, Snapshot};
use crate::statistics::HEAT_LIMIT_MIN;

/// One value before and after. `None` where the drive did not tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// ATA attribute number; `None` for NVMe and SAS values.
    pub id: Option<u16>,
    /// Name: smartctl's for attributes, its JSON key for others (`media_errors`, `read.uncorrected`).
    pub name: String,
    /// Count before.
    pub before: Option<i64>,
    /// Count after.
    pub after: Option<i64>,
}

impl Row {
    /// By how much it changed; `None` where one side is not known.
    pub fn change(&self) -> Option<i64> {
        Some(self.after?.saturating_sub(self.before?))
    }
}

impl From<Row> for wire::job::SmartRow {
    fn from(row: Row) -> Self {
        wire::job::SmartRow {
            id: row.id,
            name: row.name,
            before: row.before,
            after: row.after,
            limit: None,
        }
    }
}

/// Name of the row of ATA's log of pending defects.
pub const PENDING_LOG: &str = "ata_pending_defects_log";

/// Name of the row of recordings above the limit of the SCT temperature history.
const OVER_LIMIT: &str = "sct.over_limit";

/// Whether a drive counts those from a limit on that no drive has, so that they tell nothing of heat.
fn counts_cool(of: &Snapshot) -> bool {
    let limit = of.heat_recommended.or(of.sct.and_then(|sct| sct.limit));
    limit.is_some_and(|limit| limit < i64::from(HEAT_LIMIT_MIN))
}

/// Names of all values besides attributes and statistics, told or not.
pub fn names() -> impl Iterator<Item = &'static str> {
    values(&Snapshot::default()).into_iter().map(|(name, _)| name)
}

/// All values of both snapshots: attributes by number, then the others in a fixed order. Values that neither tells are
/// left out.
pub fn delta(before: &Snapshot, after: &Snapshot) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut ids: Vec<u16> = before
        .attributes
        .iter()
        .chain(&after.attributes)
        .map(|a| a.id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    // Both sides are counted by one way of counting.
    let then = |a: &Attribute| match before.is_of_older(after) {
        true => {
            let is_rate = after.attribute(a.id).is_some_and(|now| now.is_rate);
            wire::attribute::count_named(a.id, &a.name, a.raw, &a.text, (before.seagate, is_rate))
        }
        false => a.count,
    };
    for id in ids {
        let (old, new) = (before.attribute(id), after.attribute(id));
        let Some(named) = new.or(old) else { continue };
        rows.push(Row {
            id: Some(id),
            name: named.name.clone(),
            before: old.map(|a| clamp(then(a))),
            after: new.map(|a| clamp(a.count)),
        });
    }
    let is_cool = [before, after].iter().any(|side| counts_cool(side));
    for ((name, old), (_, new)) in values(before).into_iter().zip(values(after)) {
        if (old.is_some() || new.is_some()) && !(is_cool && name == OVER_LIMIT) {
            rows.push(Row {
                id: None,
                name: name.to_owned(),
                before: old,
                after: new,
            });
        }
    }
    rows.extend(statistics(before, after));
    rows
}

/// Device statistics that count faults; another source of what attributes tell.
fn statistics(before: &Snapshot, after: &Snapshot) -> Vec<Row> {
    let counts = |of: &Snapshot| -> BTreeMap<String, i64> {
        let faults = of.statistics.iter();
        let faults = faults.filter(|s| !s.normalized && Meaning::of_statistic(&s.name).is_some());
        let mut counts = BTreeMap::new();
        for fault in faults {
            // Of one that stands there twice the worse counts.
            let count = counts.entry(fault.name.clone()).or_insert(fault.value);
            *count = fault.value.max(*count);
        }
        counts
    };
    let (old, new) = (counts(before), counts(after));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let row = |name: &String| Row {
        id: None,
        name: name.clone(),
        before: old.get(name).copied(),
        after: new.get(name).copied(),
    };
    names.into_iter().map(row).collect()
}

fn clamp(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The values besides attributes, always the same names in the same order.
fn values(of: &Snapshot) -> Vec<(&'static str, Option<i64>)> {
    let nvme = of.nvme.as_ref();
    let scsi = of.scsi.as_ref();
    let n = |value: Option<u64>| value.map(clamp);
    let part = |counters: Option<&ErrorCounters>, pick: fn(&ErrorCounters) -> Option<u64>| n(counters.and_then(pick));
    let (read, write, verify) = (
        scsi.and_then(|s| s.read.as_ref()),
        scsi.and_then(|s| s.write.as_ref()),
        scsi.and_then(|s| s.verify.as_ref()),
    );
    // smartctl leaves the row out while all its counters are 0, which a self-test of the drive's own changes. Source:
    // scsiprint.cpp, scsiPrintErrorCounterLog.
    let unverified = match verify {
        None => read.or(write).and_then(|counters| counters.uncorrected).map(|_| 0),
        Some(_) => None,
    };
    let (hours, errors) = match of.farm {
        Farm::Told { hours, errors } => (Some(hours), errors),
        Farm::NotAsked | Farm::Absent => (None, FarmErrors::default()),
    };
    vec![
        ("power_on_hours", n(of.power_on_hours)),
        ("power_cycles", n(of.power_cycles)),
        ("temperature", of.temperature),
        ("error_log_count", n(of.error_log_count)),
        ("bytes_written", n(of.bytes_written())),
        ("critical_warning", nvme.and_then(|h| h.critical_warning).map(i64::from)),
        ("available_spare", nvme.and_then(|h| h.available_spare).map(i64::from)),
        (
            "available_spare_threshold",
            nvme.and_then(|h| h.available_spare_threshold).map(i64::from),
        ),
        ("percentage_used", n(nvme.and_then(|h| h.percentage_used))),
        ("data_units_read", n(nvme.and_then(|h| h.data_units_read))),
        ("data_units_written", n(nvme.and_then(|h| h.data_units_written))),
        ("media_errors", n(nvme.and_then(|h| h.media_errors))),
        ("num_err_log_entries", n(nvme.and_then(|h| h.num_err_log_entries))),
        ("unsafe_shutdowns", n(nvme.and_then(|h| h.unsafe_shutdowns))),
        ("warning_temp_time", n(nvme.and_then(|h| h.warning_temp_time))),
        ("critical_comp_time", n(nvme.and_then(|h| h.critical_comp_time))),
        ("grown_defects", n(scsi.and_then(|s| s.grown_defects))),
        ("non_medium", n(scsi.and_then(|s| s.non_medium))),
        ("read.rereads_rewrites", part(read, |c| c.rereads_rewrites)),
        ("read.uncorrected", part(read, |c| c.uncorrected)),
        ("write.rereads_rewrites", part(write, |c| c.rereads_rewrites)),
        ("write.uncorrected", part(write, |c| c.uncorrected)),
        ("verify.uncorrected", part(verify, |c| c.uncorrected).or(unverified)),
        ("phy_errors", n(scsi.and_then(|s| s.phy_errors))),
        ("pending_defects", n(scsi.and_then(|s| s.pending_defects))),
        (PENDING_LOG, n(of.pending_defects)),
        (
            "background_scan_errors",
            n(scsi.and_then(|s| s.scan.as_ref()).map(|scan| scan.errors)),
        ),
        ("scsi_percentage_used", n(scsi.and_then(|s| s.percentage_used))),
        ("farm_power_on_hours", n(hours)),
        ("farm.reallocated", n(errors.reallocated)),
        ("farm.candidates", n(errors.candidates)),
        ("farm.unrecoverable", n(errors.unrecoverable)),
        ("sct.lifetime_max", of.sct.and_then(|sct| sct.lifetime_max)),
        (OVER_LIMIT, n(of.sct.and_then(|sct| sct.over_limit))),
    ]
}
