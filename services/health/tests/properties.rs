//! Any JSON at all: nothing panics, and what is said of it stays within bounds.
#![allow(clippy::unwrap_used, reason = "tests")]

use health::alert::{Alerts, judge};
use health::{read, report, score, trend, wear};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wire::Time;

/// Keys that the reader looks for, so that it finds something.
const KEYS: &[&str] = &[
    "device",
    "name",
    "protocol",
    "type",
    "smart_status",
    "passed",
    "ata_smart_attributes",
    "table",
    "id",
    "raw",
    "value",
    "string",
    "thresh",
    "when_failed",
    "flags",
    "valid",
    "nvme_smart_health_information_log",
    "percentage_used",
    "available_spare",
    "available_spare_threshold",
    "media_errors",
    "critical_warning",
    "data_units_written",
    "scsi_error_counter_log",
    "read",
    "write",
    "verify",
    "total_uncorrected_errors",
    "gigabytes_processed",
    "scsi_grown_defect_list",
    "temperature",
    "current",
    "op_limit_max",
    "drive_trip",
    "rotation_rate",
    "serial_number",
    "ata_smart_self_test_log",
    "standard",
    "status",
    "ata_device_statistics",
    "pages",
    "logical_block_size",
    "hostname",
    "drives",
    "timestamp",
    "zfs",
    "capabilities",
    "user_capacity",
    "bytes",
    "power_on_time",
    "hours",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| json!(n)),
        (0_u64..256).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["ATA", "NVMe", "SCSI", "now", "2026-11-20T12:00:00Z", "1.5"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 96, 10, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(KEYS), inner), 0..10).prop_map(|pairs| Value::Object(
                pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Map<_, _>>()
            )),
        ]
    })
}

/// Something that is at least about a drive.
fn any_document() -> impl Strategy<Value = Value> {
    (any_json(), any_json(), any_json(), any_json()).prop_map(|(a, b, c, mut all)| {
        if !all.is_object() {
            all = json!({});
        }
        let protocol = ["ATA", "NVMe", "SCSI"][a.to_string().len() % 3];
        all["device"] = json!({ "name": "/dev/sda", "protocol": protocol });
        all["smart_status"] = json!({ "passed": true });
        all["ata_smart_attributes"] =
            json!({ "table": [a, { "id": 5, "raw": b }, { "id": 194, "raw": { "value": c } }] });
        all
    })
}

proptest! {
    #[test]
    fn any_json_is_read_or_refused(body in any_json()) {
        let _ = read(&body);
        let _ = report(&body, Time::UNIX_EPOCH);
        let _ = report(&json!({ "hostname": "a", "drives": [body] }), Time::UNIX_EPOCH);
    }

    #[test]
    fn what_is_said_of_a_drive_stays_within_bounds(first in any_document(), second in any_document()) {
        let mut alerts = Alerts::new();
        for document in [&first, &second, &first] {
            // A log of zeros is no word of the drive behind a bridge.
            let Ok(reading) = read(document) else { continue };
            let judged = score::score(&reading, None);
            prop_assert!(judged.score.unwrap() <= 100);
            let view = wear::view(&reading, None);
            prop_assert!(view.percent_left.is_none_or(|left| (0.0..=100.0).contains(&left)));
            let (after, changes) = judge(&alerts, &reading, None, Time::UNIX_EPOCH);
            for change in changes.iter().filter(|c| c.resolved) {
                prop_assert!(alerts.contains_key(&change.kind) && !after.contains_key(&change.kind));
            }
            // The same again is no news.
            let (same, again) = judge(&after, &reading, None, Time::UNIX_EPOCH);
            prop_assert!(again.is_empty(), "{again:?}");
            prop_assert_eq!(&same, &after);
            // What is kept is read back as it was.
            let kept: health::Reading = serde_json::from_str(&serde_json::to_string(&reading).unwrap()).unwrap();
            prop_assert_eq!(kept, reading);
            alerts = after;
        }
    }

    #[test]
    fn any_points_have_a_trend_or_none(points in prop::collection::vec((any::<i32>(), any::<u64>()), 0..40)) {
        let mut points: Vec<(i64, f64)> = points.into_iter().map(|(at, v)| (i64::from(at), v as f64)).collect();
        points.sort_by_key(|(at, _)| *at);
        if let Some(line) = trend::fit(&points) {
            prop_assert!((0.0..=1.0).contains(&line.r2));
            let _ = line.crossing(1e9, Time::UNIX_EPOCH);
        }
    }
}
