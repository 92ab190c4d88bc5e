//! What stands in a document and cannot be true: it is told and not taken, so that no rule judges by it.
//!
//! | what | instead |
//! |---|---|
//! | a count that is text, negative, broken or beyond 64 bits | not told |
//! | two attributes of one number | neither is told |
//! | a count of faults beyond its 48 bits | not told |
//! | hours beyond [`HOURS_MAX`], counts of errors or units beyond [`COUNT_MAX`] | not told |
//! | an NVMe log without its count of media errors | what stands there |

use std::collections::BTreeMap;

use serde_json::Value;
use wire::meaning::Meaning;

use crate::own_word::exit;
use crate::parse::{LIST_MAX, list};

/// Longest that a drive can have been on, in hours: 45 years, since the first one that told any. An Intel 520 told 910,315.
pub const HOURS_MAX: u64 = 400_000;

/// Highest count of errors, or of thousands of sectors, that a drive can have reached: at ten million a second it takes
/// eleven months.
pub(crate) const COUNT_MAX: u64 = 1 << 48;

/// Counts of the NVMe health log that rules look at.
const NVME: [&str; 11] = [
    "critical_warning",
    "available_spare",
    "available_spare_threshold",
    "percentage_used",
    "data_units_read",
    "data_units_written",
    "media_errors",
    "num_err_log_entries",
    "unsafe_shutdowns",
    "warning_temp_time",
    "critical_comp_time",
];

/// A count, if it can be one.
pub(crate) fn plausible(value: &Value) -> Option<u64> {
    value.as_u64().filter(|count| *count <= COUNT_MAX)
}

/// Attribute numbers that stand there more than once.
pub(crate) fn twice(json: &Value) -> Vec<u64> {
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    for id in list(&json["ata_smart_attributes"]["table"]).filter_map(|row| row["id"].as_u64()) {
        *seen.entry(id).or_default() += 1;
    }
    seen.into_iter()
        .filter_map(|(id, rows)| (rows > 1).then_some(id))
        .collect()
}

/// Whether a row that counts faults holds more than the 48 bits of a raw value. Others may be told with their normalised
/// bytes in front (smartmontools' formats `raw56` and `raw64`).
pub(crate) fn is_impossible(row: &Value) -> bool {
    let id = row["id"].as_u64().and_then(|id| u16::try_from(id).ok());
    let counts_faults = id.is_some_and(|id| Meaning::of(id, row["name"].as_str().unwrap_or_default()).is_some());
    counts_faults && row["raw"]["value"].as_u64().is_some_and(|raw| raw >> 48 != 0)
}

/// Everything of a document that is not taken, in words.
pub(crate) fn all(json: &Value) -> Vec<String> {
    let mut told: Vec<String> = twice(json)
        .into_iter()
        .map(|id| format!("attribute {id} stands there more than once"))
        .collect();
    let rows = list(&json["ata_smart_attributes"]["table"]).enumerate();
    told.extend(rows.filter_map(|(at, row)| {
        let named = (1..=255).contains(&row["id"].as_u64().unwrap_or(0));
        let counts = row["raw"]["value"].is_u64();
        if named && is_impossible(row) {
            return Some(format!("attribute {} counts more than its 48 bits can", row["id"]));
        }
        (!named || !counts).then(|| format!("row {} of the attributes has no number or no raw value", at + 1))
    }));
    let nvme = &json["nvme_smart_health_information_log"];
    if nvme.is_object() {
        told.extend(NVME.iter().filter_map(|name| odd(name, &nvme[*name], COUNT_MAX)));
        if nvme["media_errors"].is_null() {
            told.push("the NVMe log has no media_errors".to_owned());
        }
    }
    let scsi = &json["scsi_error_counter_log"];
    for kind in ["read", "write", "verify"] {
        // A row that is not there counts nothing yet; one that is broken is another matter.
        if !scsi[kind].is_null() && !scsi[kind].is_object() {
            told.push(format!("the error counters of {kind} are {}", shape(&scsi[kind])));
        }
        for count in ["total_uncorrected_errors", "errors_corrected_by_rereads_rewrites"] {
            told.extend(odd(&format!("{kind}.{count}"), &scsi[kind][count], COUNT_MAX));
        }
    }
    for (name, value, max) in [
        ("power_on_time.hours", &json["power_on_time"]["hours"], HOURS_MAX),
        ("scsi_grown_defect_list", &json["scsi_grown_defect_list"], COUNT_MAX),
        (
            "scsi_pending_defects.count",
            &json["scsi_pending_defects"]["count"],
            COUNT_MAX,
        ),
        (
            "ata_pending_defects_log.count",
            &json["ata_pending_defects_log"]["count"],
            COUNT_MAX,
        ),
        (
            "ata_smart_error_log.summary.count",
            &json["ata_smart_error_log"]["summary"]["count"],
            COUNT_MAX,
        ),
    ] {
        told.extend(odd(name, value, max));
    }
    // smartctl sets the one from the other.
    let status = json["smartctl"]["exit_status"].as_u64().unwrap_or(0);
    let silent = nvme["critical_warning"] == 0 && json["smart_status"]["passed"] != false;
    if silent && status & u64::from(exit::FAILING) != 0 {
        told.push(format!(
            "the exit status {status} says that it fails, and nothing else does"
        ));
    }
    let passed = &json["smart_status"]["passed"];
    if !passed.is_null() && !passed.is_boolean() {
        told.push(format!("smart_status.passed is {}", shape(passed)));
    }
    told.truncate(LIST_MAX);
    told
}

/// Why the value called `name` is no count up to `max`; `None` where it is one, or is not there.
fn odd(name: &str, value: &Value, max: u64) -> Option<String> {
    match value.as_u64() {
        Some(count) => (count > max).then(|| format!("{name} is {count}")),
        None if value.is_null() => None,
        None => Some(format!("{name} is {}", shape(value))),
    }
}

fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "no whole number of 64 bits",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
