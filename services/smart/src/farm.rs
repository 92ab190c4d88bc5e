//! Seagate's field log (FARM), from smartctl's JSON. It counts power-on hours apart from the SMART attributes, which have
//! been reset on used drives that were sold as new.
//!
//! Source: smartmontools `farmprint.cpp` (7.4: `page_1_drive_information.poh` for ATA, `drive_information.power_on_hour`
//! for SAS, `supported`), `ataprint.cpp`, `scsiprint.cpp`.

use serde_json::Value;

use crate::parse::{lines, number};
use crate::snapshot::Farm;
use crate::strange::HOURS_MAX;

/// What is printed where the drive was not asked, or did not answer: `supported` is false then as well.
const UNANSWERED: [&str; 3] = [
    "not supported for non-Seagate drives",
    "Read GP Log Directory failed",
    "Read FARM log",
];

/// What a document tells of the log.
pub(crate) fn of(json: &Value) -> Farm {
    let log = &json["seagate_farm_log"];
    let hours = [
        &log["page_1_drive_information"]["poh"],
        &log["drive_information"]["power_on_hour"],
        &log["parameter_1_drive_information"]["power_on_hour"],
        &log["page_1_drive_information"]["power_on_hour"],
    ];
    let likely = |hours: &u64| *hours <= HOURS_MAX;
    match hours.into_iter().find_map(number).filter(likely) {
        Some(hours) => Farm::Told { hours },
        None if log["supported"].as_bool() == Some(false) && !lines(json).any(is_unanswered) => Farm::Absent,
        None => Farm::NotAsked,
    }
}

/// Whether a printed line says that the log was asked for and not answered.
pub(crate) fn is_unanswered(line: &str) -> bool {
    UNANSWERED.iter().any(|said| line.contains(said))
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
            (
                serde_json::json!({"supported": true, "page_1_drive_information": {"poh": u32::MAX}}),
                Farm::NotAsked,
            ),
            (serde_json::json!({"supported": false}), Farm::Absent),
            (serde_json::json!(null), Farm::NotAsked),
        ] {
            assert_eq!(of(&serde_json::json!({"seagate_farm_log": log})), want);
        }
    }

    #[test]
    fn what_was_not_asked_or_not_answered_is_not_absent() {
        for (line, want) in [
            ("", Farm::Absent),
            ("FARM log (GP Log 0xa6) not supported", Farm::Absent),
            (
                "FARM log (GP Log 0xa6) not supported for non-Seagate drives",
                Farm::NotAsked,
            ),
            ("Read GP Log Directory failed", Farm::NotAsked),
            ("Read FARM log (GP Log 0xa6) failed", Farm::NotAsked),
            (
                "Read FARM log (SCSI Log page 0x3d, sub-page 0x3) failed",
                Farm::NotAsked,
            ),
        ] {
            let told = serde_json::json!({
                "smartctl": {"output": ["", line]},
                "seagate_farm_log": {"supported": false},
            });
            assert_eq!(of(&told), want, "{line}");
        }
    }
}
