//! Seagate's field log (FARM), from smartctl's JSON. It counts power-on hours and errors apart from the SMART attributes, which
//! have been reset on used drives that were sold as new.
//!
//! Source: smartmontools `farmprint.cpp` (7.4: `page_1_drive_information.poh` and `page_3_error_statistics` for ATA,
//! `drive_information.power_on_hour`, `error_statistics` and `head_information` for SAS, `supported`), `ataprint.cpp`,
//! `scsiprint.cpp`.

use serde_json::Value;

use crate::parse::{lines, number};
use crate::snapshot::{Farm, FarmErrors};
use crate::strange::{HOURS_MAX, plausible};

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
        Some(hours) => Farm::Told {
            hours,
            errors: errors(log),
        },
        None if log["supported"].as_bool() == Some(false) && !lines(json).any(is_unanswered) => Farm::Absent,
        None => Farm::NotAsked,
    }
}

fn errors(log: &Value) -> FarmErrors {
    let ata = &log["page_3_error_statistics"];
    let scsi = &log["error_statistics"];
    let sum = |counts: [&Value; 2]| {
        let told = counts.into_iter().filter_map(plausible);
        told.reduce(u64::saturating_add)
    };
    // SAS drives tell sectors by head alone.
    let by_head = |name: &str| {
        let heads = log["head_information"].as_object()?.iter();
        let told = heads.filter(|(key, _)| {
            let number = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('_'));
            number.is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
        });
        told.filter_map(|(_, count)| plausible(count))
            .reduce(u64::saturating_add)
    };
    FarmErrors {
        reallocated: plausible(&ata["number_of_reallocated_sectors"])
            .or_else(|| by_head("number_of_reallocated_sectors")),
        candidates: plausible(&ata["number_of_reallocated_candidate_sectors"])
            .or_else(|| by_head("number_of_reallocation_candidate_sectors")),
        unrecoverable: sum([
            &ata["number_of_unrecoverable_read_errors"],
            &ata["number_of_unrecoverable_write_errors"],
        ])
        .or_else(|| sum([&scsi["unrecoverable_read_errors"], &scsi["unrecoverable_write_errors"]])),
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
        let told = |hours| Farm::Told {
            hours,
            errors: FarmErrors::default(),
        };
        for (log, want) in [
            (
                serde_json::json!({"supported": true, "page_1_drive_information": {"poh": 31204}}),
                told(31204),
            ),
            (
                serde_json::json!({"supported": true, "drive_information": {"power_on_hour": 17}}),
                told(17),
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
    fn errors_are_read_for_both_interfaces() {
        let of = |log: Value| match of(&serde_json::json!({"seagate_farm_log": log})) {
            Farm::Told { errors, .. } => (errors.reallocated, errors.candidates, errors.unrecoverable),
            other @ (Farm::Absent | Farm::NotAsked) => panic!("{other:?}"),
        };
        let ata = serde_json::json!({"page_1_drive_information": {"poh": 7}, "page_3_error_statistics": {
            "number_of_unrecoverable_read_errors": 14, "number_of_unrecoverable_write_errors": 2,
            "number_of_reallocated_sectors": 96, "number_of_reallocated_candidate_sectors": 5,
        }});
        assert_eq!(of(ata), (Some(96), Some(5), Some(16)));
        let sas = serde_json::json!({"drive_information": {"power_on_hour": 7},
        "error_statistics": {"unrecoverable_read_errors": 3, "unrecoverable_write_errors": 1},
        "head_information": {
            "number_of_reallocated_sectors_0": 8, "number_of_reallocated_sectors_1": 9,
            "number_of_reallocation_candidate_sectors_0": 0, "number_of_reallocation_candidate_sectors_1": 2,
            "mr_head_resistance_0": 400,
        }});
        assert_eq!(of(sas), (Some(17), Some(2), Some(4)));
        let broken = serde_json::json!({"page_1_drive_information": {"poh": 7}, "page_3_error_statistics": {
            "number_of_unrecoverable_read_errors": "14", "number_of_reallocated_sectors": u64::MAX,
        }});
        assert_eq!(of(broken), (None, None, None));
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
