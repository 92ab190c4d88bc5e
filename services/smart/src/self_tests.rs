//! The drive's self-test log and what it can do, from smartctl's JSON: ATA, NVMe and SCSI.

use serde_json::Value;

use crate::parse::{LIST_MAX, list, number, text};
use crate::snapshot::{SelfTest, SelfTestAbility};

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
            lba: number(&row["lba"]),
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
        lba: number(&row["lba"]["value"]).or_else(|| number(&row["lba"])),
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
            lba: number(&row["lba_first_failure"]["value"]),
        })
    });
    ata.chain(nvme).chain(scsi).take(LIST_MAX).collect()
}
