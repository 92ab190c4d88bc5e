//! From smartctl's JSON to a [`Snapshot`].
//!
//! Lenient in what is missing (versions, drives and bridges differ), strict in what is there: a number that is text, or
//! out of range, counts as not told. Never panics.

use serde_json::Value;

use super::attribute::{count, is_seagate};
use super::snapshot::{
    Attribute, ErrorCounters, NvmeHealth, Protocol, ScsiHealth, SelfTest, Snapshot, SnapshotMessage,
};

/// Largest document that is read: the longest of real drives has 300 kB.
pub const DOCUMENT_MAX: usize = 4 << 20;

/// Most attributes, log entries or messages that are taken from a document.
const LIST_MAX: usize = 512;

/// A document that says nothing of a drive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSmart {
    /// Not JSON.
    #[error("smartctl printed no JSON: {0}")]
    Json(String),
    /// Longer than [`DOCUMENT_MAX`].
    #[error("smartctl printed {0} bytes; at most {DOCUMENT_MAX} are read")]
    TooLong(usize),
    /// JSON, but of no drive: smartctl could not open one.
    #[error("smartctl found no drive: {0}")]
    NoDevice(String),
}

/// Reads what `smartctl --json` printed.
///
/// # Errors
/// When it is not a document about one drive.
pub fn parse(bytes: &[u8]) -> Result<Snapshot, NotSmart> {
    if bytes.len() > DOCUMENT_MAX {
        return Err(NotSmart::TooLong(bytes.len()));
    }
    let json: Value = serde_json::from_slice(bytes).map_err(|error| NotSmart::Json(error.to_string()))?;
    let messages = messages(&json);
    if !json["device"].is_object() {
        let why: Vec<&str> = messages.iter().map(|message| message.text.as_str()).collect();
        let why = if why.is_empty() {
            "it names none".to_owned()
        } else {
            why.join("; ")
        };
        return Err(NotSmart::NoDevice(why));
    }
    let device_type = text(&json["device"]["type"]).unwrap_or_default();
    let model = text(&json["model_name"])
        .or_else(|| text(&json["scsi_model_name"]))
        .or_else(|| {
            let vendor = text(&json["vendor"])?;
            Some(format!("{vendor} {}", text(&json["product"])?))
        });
    let nvme = json["nvme_smart_health_information_log"]
        .as_object()
        .map(|_| nvme(&json));
    let scsi = scsi(&json);
    let attributes = attributes(&json, model.as_deref().unwrap_or_default());
    let attribute = |id| {
        attributes
            .iter()
            .find(|attribute| attribute.id == id)
            .map(|attribute| attribute.count)
    };
    Ok(Snapshot {
        protocol: match json["device"]["protocol"].as_str() {
            Some("ATA") => Protocol::Ata,
            Some("NVMe") => Protocol::Nvme,
            Some("SCSI") => Protocol::Scsi,
            Some(_) | None => Protocol::Unknown,
        },
        device_type,
        serial: text(&json["serial_number"]),
        firmware: text(&json["firmware_version"])
            .or_else(|| text(&json["scsi_revision"]))
            .or_else(|| text(&json["revision"])),
        wwn: wwn(&json["wwn"]),
        capacity: number(&json["user_capacity"]["bytes"]).or_else(|| number(&json["nvme_total_capacity"])),
        rpm: number(&json["rotation_rate"]).and_then(|rpm| u32::try_from(rpm).ok()),
        passed: json["smart_status"]["passed"].as_bool(),
        // smartctl prints 0 where a virtual or RAID device has no sensor.
        temperature: json["temperature"]["current"]
            .as_i64()
            .filter(|t| *t != 0 && (-60..=200).contains(t)),
        // Some translation layers give the attributes alone.
        power_on_hours: number(&json["power_on_time"]["hours"]).or_else(|| attribute(9)),
        power_cycles: number(&json["power_cycle_count"]).or_else(|| attribute(12)),
        self_tests: self_tests(&json),
        self_test_remaining: json["ata_smart_data"]["self_test"]["status"]["remaining_percent"]
            .as_u64()
            .or_else(|| {
                // NVMe counts what is done, and only while a test runs.
                let done = json["nvme_self_test_log"]["current_self_test_completion_percent"].as_u64()?;
                let running = json["nvme_self_test_log"]["current_self_test_operation"]["value"].as_u64()? != 0;
                running.then(|| 100_u64.saturating_sub(done))
            })
            .and_then(|percent| u8::try_from(percent).ok()),
        error_log_count: number(&json["ata_smart_error_log"]["summary"]["count"])
            .or_else(|| number(&json["ata_smart_error_log"]["extended"]["count"])),
        bytes_written: bytes_written(&json, &attributes, nvme.as_ref()),
        exit_status: json["smartctl"]["exit_status"]
            .as_u64()
            .and_then(|status| u8::try_from(status).ok())
            .unwrap_or(0),
        model,
        attributes,
        nvme,
        scsi,
        messages,
    })
}

/// A count; smartctl prints numbers beyond 2^53 as `"…_s"` texts besides, and gigabytes as texts.
fn number(value: &Value) -> Option<u64> {
    value.as_u64()
}

fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty()).then(|| text.chars().take(256).collect())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten().take(LIST_MAX)
}

fn messages(json: &Value) -> Vec<SnapshotMessage> {
    list(&json["smartctl"]["messages"])
        .filter_map(|message| {
            Some(SnapshotMessage {
                severity: text(&message["severity"]).unwrap_or_else(|| "information".to_owned()),
                text: text(&message["string"])?,
            })
        })
        .collect()
}

fn wwn(wwn: &Value) -> Option<String> {
    let (naa, oui, id) = (number(&wwn["naa"])?, number(&wwn["oui"])?, number(&wwn["id"])?);
    (naa < 1 << 4 && oui < 1 << 24 && id < 1 << 36).then(|| format!("{naa:x}{oui:06x}{id:09x}"))
}

fn attributes(json: &Value, model: &str) -> Vec<Attribute> {
    let seagate = is_seagate(model, json["model_family"].as_str().unwrap_or_default());
    let byte = |value: &Value| value.as_u64().and_then(|n| u8::try_from(n).ok());
    list(&json["ata_smart_attributes"]["table"])
        .filter_map(|row| {
            let id = row["id"]
                .as_u64()
                .and_then(|id| u16::try_from(id).ok())
                .filter(|id| (1..=255).contains(id))?;
            let raw = number(&row["raw"]["value"])?;
            let shown = text(&row["raw"]["string"]).unwrap_or_default();
            Some(Attribute {
                id,
                name: text(&row["name"]).unwrap_or_else(|| "Unknown_Attribute".to_owned()),
                value: byte(&row["value"]),
                worst: byte(&row["worst"]),
                threshold: byte(&row["thresh"]),
                prefail: row["flags"]["prefailure"].as_bool().unwrap_or(false),
                when_failed: match row["when_failed"].as_str() {
                    Some("now" | "FAILING_NOW") => "now".to_owned(),
                    Some("past" | "In_the_past") => "past".to_owned(),
                    Some(_) | None => String::new(),
                },
                raw,
                count: count(id, raw, &shown, seagate),
                text: shown,
            })
        })
        .collect()
}

fn nvme(json: &Value) -> NvmeHealth {
    let log = &json["nvme_smart_health_information_log"];
    let byte = |name: &str| log[name].as_u64().and_then(|n| u8::try_from(n).ok());
    NvmeHealth {
        critical_warning: byte("critical_warning").unwrap_or(0),
        available_spare: byte("available_spare"),
        available_spare_threshold: byte("available_spare_threshold"),
        percentage_used: number(&log["percentage_used"]),
        data_units_read: number(&log["data_units_read"]),
        data_units_written: number(&log["data_units_written"]),
        media_errors: number(&log["media_errors"]),
        num_err_log_entries: number(&log["num_err_log_entries"]),
        unsafe_shutdowns: number(&log["unsafe_shutdowns"]),
        warning_temp_time: number(&log["warning_temp_time"]),
        critical_comp_time: number(&log["critical_comp_time"]),
    }
}

fn scsi(json: &Value) -> Option<ScsiHealth> {
    let log = &json["scsi_error_counter_log"];
    let counters = |kind: &str| {
        log[kind].as_object().map(|counters| {
            let at = |name: &str| counters.get(name).and_then(number);
            ErrorCounters {
                rereads_rewrites: at("errors_corrected_by_rereads_rewrites"),
                corrected: at("total_errors_corrected"),
                uncorrected: at("total_uncorrected_errors"),
            }
        })
    };
    let health = ScsiHealth {
        grown_defects: number(&json["scsi_grown_defect_list"]),
        read: counters("read"),
        write: counters("write"),
        verify: counters("verify"),
        non_medium: number(&json["scsi_non_medium_error_count"])
            .or_else(|| number(&json["scsi_error_counter_log"]["non_medium_error_count"])),
    };
    (health != ScsiHealth::default()).then_some(health)
}

/// Bytes the drive counts as written: NVMe data units, ATA device statistics, else attribute 241 in sectors.
fn bytes_written(json: &Value, attributes: &[Attribute], nvme: Option<&NvmeHealth>) -> Option<u64> {
    if let Some(units) = nvme.and_then(|nvme| nvme.data_units_written) {
        return units.checked_mul(512_000);
    }
    let sector = number(&json["logical_block_size"]).unwrap_or(512);
    let statistic = list(&json["ata_device_statistics"]["pages"])
        .flat_map(|page| list(&page["table"]))
        .find(|row| row["name"].as_str() == Some("Logical Sectors Written"))
        .and_then(|row| number(&row["value"]));
    let attribute = || {
        let of = attributes.iter().find(|attribute| attribute.id == 241)?;
        (of.name == "Total_LBAs_Written").then_some(of.count)
    };
    statistic.or_else(attribute)?.checked_mul(sector)
}

fn self_tests(json: &Value) -> Vec<SelfTest> {
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
        lba: number(&row["lba"]),
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
