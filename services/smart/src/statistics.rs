//! ATA device statistics, SCT temperatures, and the limits that a drive names for its heat, from smartctl's JSON.

use serde_json::Value;

use crate::parse::{LIST_MAX, list, number, text};
use crate::snapshot::{SctTemperature, Statistic};

/// Statistics that the drive calls valid.
pub(crate) fn all(json: &Value) -> Vec<Statistic> {
    list(&json["ata_device_statistics"]["pages"])
        .flat_map(|page| list(&page["table"]))
        .filter(|row| row["flags"]["valid"].as_bool() != Some(false))
        .filter(|row| !is_all_ones(row))
        .filter_map(|row| {
            Some(Statistic {
                name: text(&row["name"])?,
                value: row["value"].as_i64()?,
                normalized: row["flags"]["normalized"].as_bool() == Some(true),
            })
        })
        .take(LIST_MAX)
        .collect()
}

/// Whether every bit of it is set, as a Hitachi HUA722020 tells what it does not count, and calls it valid. Temperatures are signed, where
/// that is -1 °C.
fn is_all_ones(row: &Value) -> bool {
    let bits = number(&row["size"]).map_or(0, |bytes| bytes.saturating_mul(8));
    let ones = (32..64).contains(&bits).then(|| (1_i64 << bits) - 1);
    ones.is_some() && row["value"].as_i64() == ones
}

/// Temperatures by SCT; `None` where the drive has none.
pub(crate) fn sct(json: &Value) -> Option<SctTemperature> {
    let told = json["ata_sct_status"]["temperature"].as_object()?;
    let degrees = |name: &str| told.get(name)?.as_i64().filter(|t| (-60..=200).contains(t));
    Some(SctTemperature {
        lifetime_min: degrees("lifetime_min"),
        lifetime_max: degrees("lifetime_max"),
        limit: degrees("op_limit_max"),
        over_limit: told.get("over_limit_count").and_then(number),
    })
}

/// Whether `temperature.op_limit_max` is NVMe's warning temperature: smartctl since 7.5 writes that under two keys.
fn is_nvme(json: &Value) -> bool {
    json["device"]["protocol"] == "NVMe"
}

/// Limits in degrees Celsius that a drive names below this are none: mistakes of firmware, and what is only recommended. Source: drives
/// with a "trip temperature" of 40 °C, nwipe issue 524; IronWolf Pro, which recommends 10 to 40 °C.
pub const HEAT_LIMIT_MIN: i32 = 50;

/// Limits that a drive names; 0 stands for none.
pub(crate) fn heat_limits(json: &Value) -> Vec<i64> {
    let highest = &json["temperature"]["op_limit_max"];
    let told = [
        if is_nvme(json) { &Value::Null } else { highest },
        &json["temperature"]["drive_trip"],
        &json["ata_sct_status"]["temperature"]["op_limit_max"],
    ];
    let mut limits: Vec<i64> = told
        .into_iter()
        .filter_map(Value::as_i64)
        .filter(|t| (1..=200).contains(t))
        .collect();
    limits.sort_unstable();
    limits.dedup();
    limits
}

/// NVMe's warning temperature.
pub(crate) fn heat_warning(json: &Value) -> Option<i64> {
    let other = || json["temperature"]["op_limit_max"].as_i64().filter(|_| is_nvme(json));
    let told = json["nvme_composite_temperature_threshold"]["warning"].as_i64();
    told.or_else(other).filter(|t| (1..=200).contains(t))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_statistic_of_all_ones_is_none() {
        let told = |size: u64, value: i64| {
            let flags = json!({"valid": true, "normalized": false});
            let row =
                json!({"name": "Number of Mechanical Start Failures", "size": size, "value": value, "flags": flags});
            all(&json!({"ata_device_statistics": {"pages": [{"table": [row]}]}})).len()
        };
        assert_eq!(told(4, 0xFFFF_FFFF), 0, "a Hitachi HUA722020");
        assert_eq!(told(6, 0xFFFF_FFFF_FFFF), 0);
        assert_eq!(told(4, 0xFFFF_FFFE), 1);
        assert_eq!(told(6, 0xFFFF_FFFF), 1, "two terabytes of sectors");
        assert_eq!(told(1, 0xFF), 1, "a temperature");
        assert_eq!((told(0, 0), told(4, 0)), (1, 1));
    }
}
