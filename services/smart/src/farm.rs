//! Seagate's field log (FARM), from smartctl's JSON. It counts power-on hours apart from the SMART attributes, which have
//! been reset on used drives that were sold as new.
//!
//! Source: smartmontools `farmprint.cpp` (7.4: `page_1_drive_information.poh` for ATA, `drive_information.power_on_hour`
//! for SAS, `supported`).

use serde_json::Value;

use crate::parse::number;
use crate::snapshot::Farm;

/// What a document tells of the log.
pub(crate) fn of(json: &Value) -> Farm {
    let log = &json["seagate_farm_log"];
    let hours = [
        &log["page_1_drive_information"]["poh"],
        &log["drive_information"]["power_on_hour"],
        &log["parameter_1_drive_information"]["power_on_hour"],
        &log["page_1_drive_information"]["power_on_hour"],
    ];
    match hours.into_iter().find_map(number) {
        Some(hours) => Farm::Told { hours },
        None if log["supported"].as_bool() == Some(false) => Farm::Absent,
        None => Farm::NotAsked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_for_both_interfaces_and_absence_is_told_apart() {
        for (log, want) in [
            (
                serde_json::json!({"supported": true, "page_1_drive_information": {"poh": 31204}}),
                Farm::Told { hours: 31204 },
            ),
            (
                serde_json::json!({"supported": true, "drive_information": {"power_on_hour": 17}}),
                Farm::Told { hours: 17 },
            ),
            (serde_json::json!({"supported": true}), Farm::NotAsked),
            (serde_json::json!({"supported": false}), Farm::Absent),
            (serde_json::json!(null), Farm::NotAsked),
        ] {
            assert_eq!(of(&serde_json::json!({"seagate_farm_log": log})), want);
        }
    }
}
