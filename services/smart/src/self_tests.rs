//! The drive's self-test log and what it can do, from smartctl's JSON: ATA, NVMe and SCSI.

use serde_json::Value;

use wire::canonical::WHOLE_MAX;

use crate::parse::{LIST_MAX, list, number, text};
use crate::snapshot::{SelfTest, SelfTestAbility, SelfTestLog};

/// Percent left of the test that runs now; `None` where none runs.
pub(crate) fn remaining(json: &Value) -> Option<u8> {
    let ata = &json["ata_smart_data"]["self_test"]["status"];
    let percent = ata["remaining_percent"].as_u64().or_else(|| {
        // Upper nibble 15: in progress; lower: tens of percent left (ACS-4 §9.16).
        let value = ata["value"].as_u64()?;
        (value >> 4 == 15).then_some((value & 15) * 10)
    });
    let nvme = || {
        // NVMe counts what is done, and only while a test runs.
        let log = &json["nvme_self_test_log"];
        let running = log["current_self_test_operation"]["value"].as_u64()? != 0;
        let done = log["current_self_test_completion_percent"].as_u64().unwrap_or(0);
        running.then(|| 100_u64.saturating_sub(done))
    };
    let scsi = || {
        // Only that it runs is in the log; the newest entry has no hours then.
        let newest = &json["scsi_self_test_0"];
        let running = newest["self_test_in_progress"].as_bool() == Some(true) || newest["result"]["value"] == 15;
        running.then_some(100)
    };
    percent
        .or_else(nvme)
        .or_else(scsi)
        .map(|percent| u8::try_from(percent.min(100)).unwrap_or(100))
}

/// Whether the drive's status, apart from its log, says that the last test failed. Upper nibble 3 to 8: failed; the others are tests
/// that passed, were ended by someone or run now, or are reserved (ACS-4 §9.16).
pub(crate) fn last_failed(json: &Value) -> bool {
    let status = json["ata_smart_data"]["self_test"]["status"]["value"].as_u64();
    status.is_some_and(|value| matches!(value >> 4, 3..=8))
}

/// What the drive says of its self-tests.
pub(crate) fn ability(json: &Value) -> SelfTestAbility {
    let minutes = |value: &Value| value.as_u64().and_then(|minutes| u32::try_from(minutes).ok());
    let ata = &json["ata_smart_data"];
    let polling = &ata["self_test"]["polling_minutes"];
    let scsi = number(&json["scsi_extended_self_test_seconds"]).map(|seconds| seconds.div_ceil(60));
    SelfTestAbility {
        supported: ata["capabilities"]["self_tests_supported"]
            .as_bool()
            .or_else(|| json["nvme_optional_admin_commands"]["self_test"].as_bool()),
        log_told: json["ata_smart_self_test_log"].is_object()
            || json["nvme_self_test_log"].is_object()
            || json["scsi_self_test_0"].is_object(),
        short_minutes: minutes(&polling["short"]),
        extended_minutes: minutes(&polling["extended"]).or_else(|| scsi.and_then(|m| u32::try_from(m).ok())),
    }
}

/// Which of an ATA drive's logs [`log`] gives, where nothing speaks against its having been read whole.
///
/// smartctl leaves the count out where the log's index is beyond its end. Revision 0 is none of the standard's: so answers a bridge
/// with zeros, which have a right checksum and look like an empty log. Source: smartmontools `ataprint.cpp`,
/// `PrintSmartExtSelfTestLog` and `ataPrintSmartSelfTestlog`.
pub(crate) fn which(json: &Value) -> Option<SelfTestLog> {
    let logs = &json["ata_smart_self_test_log"];
    let (log, told) = match (logs.get("extended"), logs.get("standard")) {
        (Some(told), None) => (SelfTestLog::Extended, told),
        (None, Some(told)) => (SelfTestLog::Standard, told),
        (Some(_), Some(_)) | (None, None) => return None,
    };
    let rows = match told.get("table") {
        Some(table) => table.as_array()?.len(),
        None => 0,
    };
    let count = number(&told["count"]).and_then(|count| usize::try_from(count).ok());
    (told["revision"] == 1 && count == Some(rows)).then_some(log)
}

/// The log, newest first.
pub(crate) fn log(json: &Value) -> Vec<SelfTest> {
    let log = &json["ata_smart_self_test_log"];
    let ata = list(&log["extended"]["table"]).chain(list(&log["standard"]["table"]).take(
        // Both logs hold the same tests; the extended one knows 48-bit addresses.
        if log["extended"]["table"].is_array() {
            0
        } else {
            LIST_MAX
        },
    ));
    let ata = ata.map(|row| {
        // Status nibble 0 completed, 1 and 2 aborted or interrupted, 15 running, the rest failures (ACS-5 §9.23).
        let code = row["status"]["value"].as_u64().map(|value| value >> 4);
        SelfTest {
            kind: text(&row["type"]["string"]).unwrap_or_default(),
            status: text(&row["status"]["string"]).unwrap_or_default(),
            passed: match code {
                Some(1 | 2 | 15) => None,
                Some(0) => Some(true),
                Some(_) => Some(false),
                None => row["status"]["passed"].as_bool(),
            },
            hours: number(&row["lifetime_hours"]),
            lba: place(&row["lba"]),
        }
    });
    let nvme = list(&json["nvme_self_test_log"]["table"]).map(|row| SelfTest {
        kind: text(&row["self_test_code"]["string"]).unwrap_or_default(),
        status: text(&row["self_test_result"]["string"]).unwrap_or_default(),
        // 0 without error, 5 to 7 failed; 1 to 4, 8 and 9 were ended by someone (NVMe 2.0 §5.16.1.7).
        passed: match row["self_test_result"]["value"].as_u64() {
            Some(0) => Some(true),
            Some(5..=7) => Some(false),
            Some(_) | None => None,
        },
        hours: number(&row["power_on_hours"]),
        lba: place(&row["lba"]["value"]).or_else(|| place(&row["lba"])),
    });
    let scsi = (0..20).filter_map(|n| {
        let row = &json[format!("scsi_self_test_{n}")];
        row.is_object().then(|| SelfTest {
            kind: text(&row["code"]["string"]).unwrap_or_default(),
            status: text(&row["result"]["string"]).unwrap_or_default(),
            // 0 without error, 3 to 7 failed (SPC-5 §7.3.20).
            passed: match row["result"]["value"].as_u64() {
                Some(0) => Some(true),
                Some(3..=7) => Some(false),
                Some(_) | None => None,
            },
            hours: number(&row["power_on_time"]["hours"]),
            lba: place(&row["lba_first_failure"]["value"]),
        })
    });
    ata.chain(nvme).chain(scsi).take(LIST_MAX).collect()
}

/// Where one failed. Drives that do not know it say all ones, which is no sector, and more than a number of JSON holds.
fn place(value: &Value) -> Option<u64> {
    number(value).filter(|lba| *lba <= WHOLE_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_log_is_known_only_where_it_alone_was_told_and_is_as_long_as_it_counts() {
        let row = json!({"type": {"string": "Short offline"}, "status": {"value": 0}, "lifetime_hours": 7});
        let empty = json!({"revision": 1, "sectors": 1, "count": 0});
        let one = json!({"revision": 1, "count": 1, "table": [row]});
        let full = json!({"revision": 1, "count": 21, "table": vec![&row; 21]});
        for (name, log) in [("extended", SelfTestLog::Extended), ("standard", SelfTestLog::Standard)] {
            for told in [&empty, &one, &full] {
                let document = json!({"ata_smart_self_test_log": {name: told}});
                assert_eq!(which(&document), Some(log), "{document}");
            }
            for told in [
                // smartctl found its index beyond its end, and says no more: it may be full.
                json!({"revision": 1, "sectors": 1}),
                json!({"revision": 1, "sectors": 1, "table": [row]}),
                // What a bridge answers with that does not ask the drive: zeros, whose sum is right.
                json!({"revision": 0, "sectors": 1, "count": 0}),
                json!({"count": 0}),
                json!({"revision": 1, "count": 2, "table": [row]}),
                json!({"revision": 1, "count": 0, "table": [row]}),
                json!({"revision": 1, "count": 1}),
                json!({"revision": 1, "count": "0"}),
                json!({}),
                json!([]),
            ] {
                let document = json!({"ata_smart_self_test_log": {name: told}});
                assert_eq!(which(&document), None, "{document}");
            }
        }
        // No `smartctl -x` tells both, so it is not said which one rules.
        for (extended, standard) in [(&empty, &one), (&one, &empty), (&empty, &empty), (&full, &full)] {
            let document = json!({"ata_smart_self_test_log": {"extended": extended, "standard": standard}});
            assert_eq!(which(&document), None, "{document}");
        }
        assert_eq!(which(&json!({})), None);
        assert_eq!(which(&json!({"nvme_self_test_log": {"table": []}})), None);
    }

    #[test]
    fn a_snapshot_of_an_older_version_does_not_know_its_log() {
        let kept = r#"{"reading":2,"protocol":"ata","self_tests":[],"self_test":{"supported":true,"log_told":true}}"#;
        let kept: crate::Snapshot = serde_json::from_str(kept).expect("it was written so");
        assert!(kept.self_test.log_told);
        assert_eq!(kept.self_test_log, None);
    }
}
