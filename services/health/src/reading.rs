//! One reading: what a `smartctl -x --json` document says of a drive, in one shape for ATA, NVMe and SCSI.
//!
//! Lenient in what is missing, strict in what is there: a number that is text or out of range counts as not told.
//! Nothing is guessed: a rotation rate that is missing or 0 (USB bridges, SAS) makes no SSD of a drive; only what the
//! drive says of its flash does.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use wire::attribute::{count, is_seagate, is_something_else, thousandths, write_units};
use wire::meaning::Meaning;

/// Most attributes or log entries that are taken from a document. Source: ATA has 30 attributes; the rest is room.
const LIST_MAX: usize = 128;

/// Longest name or model in characters. Source: ATA and NVMe give models 40; SCSI vendor and product 24.
const TEXT_MAX: usize = 80;

/// Command set, as smartctl found it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = HostDriveProtocol)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// ATA, also behind a translation.
    Ata,
    /// NVM Express.
    Nvme,
    /// SCSI or SAS.
    Scsi,
    /// smartctl does not say.
    #[default]
    Unknown,
}

/// What the data is kept on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = HostDriveMedium)]
#[serde(rename_all = "lowercase")]
pub enum Medium {
    /// Platters: it tells a rotation rate.
    Disk,
    /// Flash: NVMe, or it tells its wear.
    Flash,
    /// The drive does not say.
    #[default]
    Unknown,
}

/// One value of a drive. ATA attributes keep their number as key; those of NVMe and SCSI have words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SmartAttribute)]
pub struct Attribute {
    /// `5`, `194`; `media_errors`, `grown_defects`.
    pub key: String,
    /// Name as smartctl gives it.
    pub name: String,
    /// ATA: normalised value, 1..=253.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u8>,
    /// ATA: lowest normalised value ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<u8>,
    /// ATA: at or below it the attribute counts as failed; 0 never fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u8>,
    /// ATA: failing it announces the end, rather than age.
    #[serde(default)]
    pub prefail: bool,
    /// `now`, `past` or nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub when_failed: String,
    /// Raw value as the drive gave it.
    pub raw: u64,
    /// The count in it, unpacked.
    pub count: u64,
    /// smartctl's rendering of the raw value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl Attribute {
    /// Whether it counts what `key` (`5`, `media_errors`) counts on most drives. Makers give one number to different things,
    /// and one thing different numbers.
    #[must_use]
    pub fn is_of(&self, key: &str) -> bool {
        let number = |key: &str| key.parse::<u16>().ok();
        match number(key).and_then(Meaning::of_number) {
            Some(meaning) => number(&self.key).is_some_and(|id| Meaning::of(id, &self.name) == Some(meaning)),
            None => self.key == key && !is_something_else(&self.name),
        }
    }
}

/// What a drive said at one moment. A field is `None` where it said nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reading {
    /// The host's name of it: `/dev/sda`.
    pub device: String,
    /// smartctl's device type.
    pub device_type: String,
    /// Command set.
    pub protocol: Protocol,
    /// Model.
    pub model: String,
    /// smartctl's model family.
    pub family: String,
    /// Serial number; empty where it tells none.
    pub serial: String,
    /// Firmware.
    pub firmware: String,
    /// Capacity in bytes.
    pub capacity: Option<u64>,
    /// Revolutions per minute, where it names a true rate.
    pub rpm: Option<u32>,
    /// What it keeps data on.
    pub medium: Medium,
    /// Its own word on its health.
    pub passed: Option<bool>,
    /// Degrees Celsius.
    pub temperature: Option<i64>,
    /// Highest temperature in service that it names itself.
    pub temperature_limit: Option<i64>,
    /// Hours it has been on.
    pub power_on_hours: Option<u64>,
    /// Times it was switched on.
    pub power_cycles: Option<u64>,
    /// Bytes that hosts wrote over its life, by its own counter.
    pub written: Option<u64>,
    /// Percent of its rated life that is used, by its own word, and where it says so.
    pub wear: Option<Wear>,
    /// Whether its newest finished self-test failed.
    pub self_test_failed: Option<bool>,
    /// All its values.
    pub attributes: Vec<Attribute>,
}

impl Reading {
    /// The count under a key by which faults are known, wherever this drive keeps it; `None` where it tells none. Of several
    /// the worse counts.
    pub(crate) fn count(&self, key: &str) -> Option<u64> {
        let named = self.attributes.iter().filter(|a| a.is_of(key));
        named.map(|a| a.count).max()
    }
}

/// Percent of the rated life that is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wear {
    /// Percent; may pass 100.
    pub used: u64,
    /// Where it stands.
    pub source: String,
}

/// Why a document tells nothing of a drive's health.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSmart {
    /// Not an object.
    #[error("it is {0}; expected an object as `smartctl -x --json` prints it")]
    Shape(&'static str),
    /// No device.
    #[error("device: it names none{0}")]
    NoDevice(String),
    /// A device without anything about its health.
    #[error(
        "{0}: nothing of ata_smart_attributes, scsi_error_counter_log, nvme_smart_health_information_log or \
         smart_status.passed is there"
    )]
    NoHealth(String),
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64()
}

fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty()).then(|| {
        let plain = text.chars().map(|c| if c.is_control() { '?' } else { c });
        plain.take(TEXT_MAX).collect()
    })
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten().take(LIST_MAX)
}

fn celsius(value: &Value) -> Option<i64> {
    // smartctl prints 0 where a virtual or RAID device has no sensor.
    value.as_i64().filter(|t| *t != 0 && (-60..=200).contains(t))
}

/// Reads a document.
///
/// # Errors
/// When it is not about one drive, or says nothing of its health.
pub fn read(json: &Value) -> Result<Reading, NotSmart> {
    let shape = match json {
        Value::Object(_) => None,
        Value::Null => Some("null"),
        Value::Bool(_) => Some("a boolean"),
        Value::Number(_) => Some("a number"),
        Value::String(_) => Some("a text"),
        Value::Array(_) => Some("a list"),
    };
    if let Some(shape) = shape {
        return Err(NotSmart::Shape(shape));
    }
    if !json["device"].is_object() {
        let told: Vec<String> = list(&json["smartctl"]["messages"])
            .filter_map(|m| text(&m["string"]))
            .take(3)
            .collect();
        let told = if told.is_empty() {
            String::new()
        } else {
            format!(" ({})", told.join("; "))
        };
        return Err(NotSmart::NoDevice(told));
    }
    let device = text(&json["device"]["name"]).unwrap_or_else(|| "unnamed device".to_owned());
    let passed = json["smart_status"]["passed"].as_bool();
    let tells = [
        "ata_smart_attributes",
        "scsi_error_counter_log",
        "nvme_smart_health_information_log",
    ];
    if passed.is_none() && !tells.iter().any(|key| json[*key].is_object()) {
        return Err(NotSmart::NoHealth(device));
    }
    let model = text(&json["model_name"])
        .or_else(|| text(&json["scsi_model_name"]))
        .or_else(|| Some(format!("{} {}", text(&json["vendor"])?, text(&json["product"])?)))
        .unwrap_or_default();
    let family = text(&json["model_family"]).unwrap_or_default();
    let mut attributes = ata(json, is_seagate(&model, &family));
    let is_ata = !attributes.is_empty();
    attributes.extend(nvme(json));
    attributes.extend(scsi(json));
    let of = |key: &str| attributes.iter().find(|a| a.key == key).map(|a| a.count);
    let protocol = match json["device"]["protocol"].as_str() {
        Some("ATA") => Protocol::Ata,
        Some("NVMe") => Protocol::Nvme,
        Some("SCSI") => Protocol::Scsi,
        Some(_) | None => Protocol::Unknown,
    };
    let wear = crate::wear::told(json, &attributes);
    let rpm = number(&json["rotation_rate"])
        .and_then(|rpm| u32::try_from(rpm).ok())
        .filter(|rpm| *rpm > 1);
    let medium = match rpm {
        Some(_) => Medium::Disk,
        None if protocol == Protocol::Nvme || wear.is_some() => Medium::Flash,
        None => Medium::Unknown,
    };
    Ok(Reading {
        device,
        device_type: text(&json["device"]["type"]).unwrap_or_default(),
        protocol,
        serial: text(&json["serial_number"]).unwrap_or_default(),
        firmware: text(&json["firmware_version"])
            .or_else(|| text(&json["scsi_revision"]))
            .or_else(|| text(&json["revision"]))
            .unwrap_or_default(),
        capacity: number(&json["user_capacity"]["bytes"]).or_else(|| number(&json["nvme_total_capacity"])),
        rpm,
        medium,
        passed,
        temperature: celsius(&json["temperature"]["current"])
            .or_else(|| celsius(&json["nvme_smart_health_information_log"]["temperature"]))
            .or_else(|| {
                of("194")
                    .or_else(|| of("190"))
                    .filter(|_| is_ata)
                    .and_then(|t| celsius(&t.into()))
            }),
        temperature_limit: limit(json),
        power_on_hours: number(&json["power_on_time"]["hours"]).or_else(|| of("9")),
        power_cycles: number(&json["power_cycle_count"]).or_else(|| of("12")),
        written: written(json, &attributes),
        wear,
        self_test_failed: self_test(json),
        model,
        family,
        attributes,
    })
}

/// The drive's own limit: recommended (SCT), warning (NVMe), and for SCSI 5 degrees below its trip point.
fn limit(json: &Value) -> Option<i64> {
    let told = celsius(&json["temperature"]["op_limit_max"])
        .or_else(|| celsius(&json["ata_sct_status"]["temperature"]["op_limit_max"]))
        .or_else(|| celsius(&json["nvme_composite_temperature_threshold"]["warning"]))
        .or_else(|| celsius(&json["temperature"]["drive_trip"]).map(|trip| trip - 5));
    // A limit that no drive would live under is no limit.
    told.filter(|limit| (30..=120).contains(limit))
}

fn ata(json: &Value, seagate: bool) -> Vec<Attribute> {
    let byte = |value: &Value| value.as_u64().and_then(|n| u8::try_from(n).ok());
    let mut seen = [false; 256];
    list(&json["ata_smart_attributes"]["table"])
        .filter_map(|row| {
            let id = row["id"]
                .as_u64()
                .and_then(|id| u8::try_from(id).ok())
                .filter(|id| *id > 0)?;
            // An id that comes twice is told by its first row.
            if std::mem::replace(&mut seen[usize::from(id)], true) {
                return None;
            }
            let raw = number(&row["raw"]["value"])?;
            let shown = text(&row["raw"]["string"]).unwrap_or_default();
            Some(Attribute {
                key: id.to_string(),
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
                count: count(u16::from(id), raw, &shown, seagate),
                text: shown,
            })
        })
        .collect()
}

fn plain(key: &str, raw: u64) -> Attribute {
    Attribute {
        key: key.to_owned(),
        name: key.to_owned(),
        raw,
        count: raw,
        ..Attribute::default()
    }
}

/// Fields of NVMe's health log that are kept.
const NVME: &[&str] = &[
    "critical_warning",
    "temperature",
    "available_spare",
    "available_spare_threshold",
    "percentage_used",
    "data_units_read",
    "data_units_written",
    "power_on_hours",
    "power_cycles",
    "unsafe_shutdowns",
    "media_errors",
    "num_err_log_entries",
    "warning_temp_time",
    "critical_comp_time",
];

fn nvme(json: &Value) -> Vec<Attribute> {
    let log = &json["nvme_smart_health_information_log"];
    NVME.iter()
        .filter_map(|key| Some(plain(key, number(&log[*key])?)))
        .collect()
}

fn scsi(json: &Value) -> Vec<Attribute> {
    let log = &json["scsi_error_counter_log"];
    let grown = number(&json["scsi_grown_defect_list"]).map(|n| plain("grown_defects", n));
    let pending = number(&json["scsi_pending_defects"]["count"]).map(|n| plain("pending_defects", n));
    let mut all: Vec<Attribute> = grown.into_iter().chain(pending).collect();
    for kind in ["read", "write", "verify"] {
        for (field, word) in [
            ("total_errors_corrected", "corrected"),
            ("total_uncorrected_errors", "uncorrected"),
        ] {
            all.extend(number(&log[kind][field]).map(|n| plain(&format!("{kind}_{word}"), n)));
        }
    }
    let used = number(&json["scsi_percentage_used_endurance_indicator"]);
    all.extend(used.map(|n| plain("percentage_used", n)));
    all
}

fn written(json: &Value, attributes: &[Attribute]) -> Option<u64> {
    let of = |key: &str| attributes.iter().find(|a| a.key == key);
    if let Some(units) = of("data_units_written") {
        // Thousands of 512 bytes. Source: NVM Express base specification 2.0, 5.16.1.3.
        return units.count.checked_mul(512_000);
    }
    if let Some(told) = json["scsi_error_counter_log"]["write"]["gigabytes_processed"].as_str() {
        return thousandths(told)?.checked_mul(1_000_000);
    }
    let sector = number(&json["logical_block_size"])
        .filter(|size| (512..=1 << 20).contains(size))
        .unwrap_or(512);
    let statistic = list(&json["ata_device_statistics"]["pages"])
        .flat_map(|page| list(&page["table"]))
        .find(|row| row["name"].as_str() == Some("Logical Sectors Written") && row["flags"]["valid"] != false)
        .and_then(|row| number(&row["value"]));
    if let Some(sectors) = statistic {
        return sectors.checked_mul(sector);
    }
    [241_u16, 246, 225].into_iter().find_map(|id| {
        let attribute = of(&id.to_string())?;
        let unit = *write_units(id, &attribute.name, sector)?.first()?;
        attribute.count.checked_mul(unit)
    })
}

/// Whether the newest self-test that ended by itself failed. One that was aborted or still runs says nothing.
fn self_test(json: &Value) -> Option<bool> {
    let log = &json["ata_smart_self_test_log"];
    let ata = list(&log["extended"]["table"])
        .chain(list(&log["standard"]["table"]))
        .find_map(|entry| {
            match entry["status"]["value"].as_u64()? >> 4 {
                0 => Some(false),
                // 3 fatal error, 4 unknown element, 5 electrical, 6 servo, 7 read, 8 handling damage. Source: ACS-5, table 43.
                3..=8 => Some(true),
                _ => None,
            }
        });
    let nvme = || {
        list(&json["nvme_self_test_log"]["table"]).find_map(|entry| {
            match entry["self_test_result"]["value"].as_u64()? {
                0 => Some(false),
                // Source: NVM Express base specification 2.0, figure 213.
                5..=7 => Some(true),
                _ => None,
            }
        })
    };
    // smartctl prints each SCSI result under a key of its own, newest first.
    let scsi = || {
        (0..20).find_map(
            |n| match json[format!("scsi_self_test_{n}")]["result"]["value"].as_u64()? {
                0 => Some(false),
                // Source: SPC-5, table 301.
                3..=7 => Some(true),
                _ => None,
            },
        )
    };
    ata.or_else(nvme).or_else(scsi)
}
/// A serial as it is compared: translation layers pad and case it differently.
pub fn plain_serial(serial: &str) -> String {
    let plain = serial.chars().filter(char::is_ascii_alphanumeric);
    plain.map(|c| c.to_ascii_uppercase()).collect()
}
