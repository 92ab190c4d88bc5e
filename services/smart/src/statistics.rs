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
/// with a "trip temperature" of 40 °C, nwipe issue 524; IronWolf Pro, which recommends 10 to 40 °C; a Toshiba KSG60 with 40 °C.
pub const HEAT_LIMIT_MIN: i32 = 50;

/// And above this. Chosen: flash for industry is sold for 85 °C.
pub const HEAT_LIMIT_MAX: i32 = 100;

/// The limit that a drive names for its heat: one at most, the first of these that can be one.
///
/// | of | value | source |
/// |---|---|---|
/// | ATA | Specified Maximum Operating Temperature | ACS-4 §9.5.8 |
/// | ATA | Max Operating Limit of the SCT temperature history | ACS-4 §8.6 |
/// | ATA | its recommended maximum, where it tells no other | the same |
/// | ATA, not Seagate's | that of SCT status, where some Seagates have an average of their life | ACS-4 §8.5 |
/// | SCSI | reference temperature, which smartctl calls a trip: the highest at which it works for good | SPC-5, log page 0Dh |
pub(crate) fn heat_limits(json: &Value, statistics: &[Statistic], is_seagate: bool) -> Vec<i64> {
    let specified = statistics
        .iter()
        .find(|told| told.name == "Specified Maximum Operating Temperature" && !told.normalized);
    let temperature = |name: &str| json["temperature"][name].as_i64();
    let sct = || json["ata_sct_status"]["temperature"]["op_limit_max"].as_i64();
    let told = [
        specified.map(|told| told.value),
        temperature("limit_max"),
        heat_recommended(json),
        sct().filter(|_| !is_seagate),
        temperature("drive_trip"),
    ];
    let is_limit = |told: &i64| (i64::from(HEAT_LIMIT_MIN)..=i64::from(HEAT_LIMIT_MAX)).contains(told);
    told.into_iter().flatten().find(is_limit).into_iter().collect()
}

/// The highest temperature that an ATA drive recommends.
pub(crate) fn heat_recommended(json: &Value) -> Option<i64> {
    let told = json["temperature"]["op_limit_max"].as_i64();
    told.filter(|t| (1..=200).contains(t) && !is_nvme(json))
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
    fn the_highest_that_the_maker_allows_is_the_limit_and_not_what_is_recommended() {
        let of = |specified: i64, limit: i64, recommended: i64, status: i64, is_seagate| {
            let row = json!({"name": "Specified Maximum Operating Temperature", "size": 1, "value": specified,
                "flags": {"valid": specified > 0, "normalized": false}});
            let document = json!({
                "device": {"protocol": "ATA"},
                "ata_device_statistics": {"pages": [{"table": [row]}]},
                "temperature": {"limit_max": limit, "op_limit_max": recommended},
                "ata_sct_status": {"temperature": {"op_limit_max": status}},
            });
            heat_limits(&document, &all(&document), is_seagate)
        };
        for (told, limit) in [
            (of(60, 60, 40, 0, true), vec![60]),
            (of(55, 60, 55, 0, true), vec![55]),
            (of(70, 80, 55, 0, false), vec![70]),
            (of(70, 70, 25, 25, true), vec![70]),
            (of(40, 80, 40, 40, false), vec![80]),
            (of(0, 0, 60, 0, false), vec![60]),
            (of(0, 0, 0, 65, false), vec![65]),
            (of(0, 0, 0, 52, true), vec![]),
            (of(0, 0, 40, 0, true), vec![]),
            (of(0, 127, 0, 0, true), vec![]),
        ] {
            assert_eq!(told, limit);
        }
        let sas = |trip: i64| heat_limits(&json!({"temperature": {"current": 32, "drive_trip": trip}}), &[], false);
        assert_eq!(
            (sas(50), sas(68), sas(40), sas(0)),
            (vec![50], vec![68], vec![], vec![])
        );
        let nvme = json!({"device": {"protocol": "NVMe"}, "temperature": {"op_limit_max": 70}});
        assert_eq!(heat_limits(&nvme, &[], false), [0; 0]);
    }

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
