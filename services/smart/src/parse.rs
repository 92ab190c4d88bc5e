//! From smartctl's JSON to a [`Snapshot`].
//!
//! Lenient in what is missing (versions, drives and bridges differ), strict in what is there: a number that is text, or
//! out of range, counts as not told. Never panics.

use serde_json::{Map, Value};
use wire::attribute::{count_named, is_seagate, is_something_else};

use crate::snapshot::{
    Attribute, ErrorCounters, NvmeHealth, Protocol, READING, ScsiException, ScsiHealth, Snapshot, SnapshotMessage,
    Switch,
};
use crate::{background_scan, farm, known, self_tests, statistics, strange, written};

/// Largest document that is read: the longest of real drives has 300 kB.
pub const DOCUMENT_MAX: usize = 4 << 20;

/// Most attributes, log entries or messages that are taken from a document.
pub(crate) const LIST_MAX: usize = 512;

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
    read(&json)
}

/// Reads a document that is JSON already.
///
/// # Errors
/// When it is not about one drive.
pub fn read(json: &Value) -> Result<Snapshot, NotSmart> {
    let messages = messages(json);
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
    let protocol = match json["device"]["protocol"].as_str() {
        Some("ATA") => Protocol::Ata,
        Some("NVMe") => Protocol::Nvme,
        Some("SCSI") => Protocol::Scsi,
        Some(_) | None => Protocol::Unknown,
    };
    let model = text(&json["model_name"])
        .or_else(|| text(&json["scsi_model_name"]))
        .or_else(|| {
            let vendor = text(&json["vendor"])?;
            Some(format!("{vendor} {}", text(&json["product"])?))
        });
    let log = json["nvme_smart_health_information_log"].as_object();
    let silent = log.is_some_and(|log| !tells(log));
    let nvme = log.filter(|_| !silent).map(|_| nvme(json));
    let scsi = scsi(json);
    let attributes = attributes(json, model.as_deref().unwrap_or_default());
    let seagate = made_by_seagate(json, model.as_deref().unwrap_or_default());
    let statistics = statistics::all(json);
    // What stands beside a log of zeros was read out of it.
    let lived = |value: &Value| number(value).filter(|n| !(silent && *n == 0));
    let likely = |hours: &u64| *hours <= strange::HOURS_MAX;
    let attribute = |id| {
        attributes
            .iter()
            .find(|attribute| attribute.id == id)
            .map(|attribute| attribute.count)
    };
    Ok(Snapshot {
        reading: READING,
        device: text(&json["device"]["name"]).unwrap_or_default(),
        family: text(&json["model_family"]),
        protocol,
        device_type,
        serial: text(&json["serial_number"]),
        firmware: text(&json["firmware_version"])
            .or_else(|| text(&json["scsi_revision"]))
            .or_else(|| text(&json["revision"])),
        wwn: wwn(&json["wwn"]),
        logical_unit: logical_unit(&json["logical_unit_id"]),
        capacity: number(&json["user_capacity"]["bytes"]).max(number(&json["nvme_total_capacity"]).filter(|n| *n > 0)),
        rpm: number(&json["rotation_rate"]).and_then(|rpm| u32::try_from(rpm).ok()),
        switch: switch(json, protocol),
        // Of NVMe smartctl reads it out of the log; of ATA out of the attributes where the drive's own word got lost.
        passed: json["smart_status"]["passed"]
            .as_bool()
            .filter(|passed| !(*passed && (silent || is_concluded(json, &messages)))),
        temperature: celsius(&json["temperature"]["current"], protocol)
            .or_else(|| celsius(&json["nvme_smart_health_information_log"]["temperature"], protocol))
            .or_else(|| temperature(&attributes)),
        // Some translation layers give the attributes alone.
        power_on_hours: lived(&json["power_on_time"]["hours"])
            .or_else(|| lived(&json["nvme_smart_health_information_log"]["power_on_hours"]))
            .filter(likely)
            .or_else(|| attribute(9).filter(likely)),
        power_cycles: lived(&json["power_cycle_count"])
            .or_else(|| lived(&json["nvme_smart_health_information_log"]["power_cycles"]))
            .or_else(|| attribute(12)),
        start_stop_cycles: number(&json["scsi_start_stop_cycle_counter"]["accumulated_start_stop_cycles"])
            .filter(|cycles| (1..u64::from(u32::MAX)).contains(cycles)),
        self_tests: self_tests::log(json),
        self_test_log: self_tests::which(json),
        self_test_remaining: self_tests::remaining(json),
        self_test_failed: self_tests::last_failed(json),
        self_test: self_tests::ability(json),
        error_log_count: strange::plausible(&json["ata_smart_error_log"]["summary"]["count"])
            .or_else(|| strange::plausible(&json["ata_smart_error_log"]["extended"]["count"])),
        pending_defects: strange::plausible(&json["ata_pending_defects_log"]["count"]),
        written: written::counter(json, &attributes, nvme.as_ref()),
        farm: farm::of(json),
        seagate,
        sct: statistics::sct(json),
        heat_limits: statistics::heat_limits(json, &statistics, seagate),
        heat_recommended: statistics::heat_recommended(json),
        statistics,
        heat_warning: statistics::heat_warning(json),
        password: json["ata_security"]["enabled"].as_bool(),
        trim: json["trim"]["supported"].as_bool(),
        zoned: text(&json["zoned"]["string"]).or_else(|| text(&json["scsi_zoned"])),
        smartctl: version(json),
        exit_status: json["smartctl"]["exit_status"]
            .as_u64()
            .and_then(|status| u8::try_from(status).ok()),
        wrong_checksums: wrong_checksums(json),
        strange: strange::all(json),
        warning: known::warning(json),
        model,
        attributes,
        nvme,
        scsi,
        messages,
    })
}

/// Whether SMART is on: of a SCSI drive the same words are about a mode page, and its counters are told all the same.
fn switch(json: &Value, protocol: Protocol) -> Switch {
    let told = |name: &str| json["smart_support"][name].as_bool();
    let is_off = protocol == Protocol::Ata && told("available") == Some(true) && told("enabled") == Some(false);
    if is_off { Switch::Off } else { Switch::On }
}

/// A count; smartctl prints numbers beyond 2^53 as `"…_s"` texts besides, and gigabytes as texts.
pub(crate) fn number(value: &Value) -> Option<u64> {
    value.as_u64()
}

pub(crate) fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    let plain = text.chars().map(|c| if c.is_control() { '?' } else { c });
    (!text.is_empty()).then(|| plain.take(256).collect())
}

/// Degrees as smartctl tells them, but for what stands for no reading.
///
/// | command set | no reading | how smartctl tells it |
/// |---|---|---|
/// | all | virtual and RAID devices; SCSI's 0 is 0 °C or less | 0 |
/// | ATA | 80h in a signed byte (SCT status); all bits set by firmware that has left it alone | -128; -1 |
/// | SCSI | all bits set in a byte without sign (SPC-5, log page 0Dh) | 255, or -1 where a layer takes it for signed |
/// | NVMe | 0 K | -273 |
///
/// So a SATA disk that cools to -1 °C tells nothing for that moment. NVMe has 16 bits, and -1 °C is one like any other.
fn celsius(value: &Value, protocol: Protocol) -> Option<i64> {
    let is_unset = |degrees: i64| degrees == 0 || (degrees == -1 && protocol != Protocol::Nvme);
    value
        .as_i64()
        .filter(|degrees| !is_unset(*degrees) && (-60..=200).contains(degrees))
}

/// What the attributes say of the temperature, where the document has no word for it: no degrees beyond what smartctl itself takes for
/// such, since drives without a sensor tell 128. Source: smartmontools `atacmds.cpp`, `ata_return_temperature_value`.
fn temperature(attributes: &[Attribute]) -> Option<i64> {
    let told = |id| {
        let told = attributes.iter().find(|a| a.id == id && !is_something_else(&a.name))?;
        i64::try_from(told.count)
            .ok()
            .filter(|degrees| (1..=127).contains(degrees))
    };
    told(194).or_else(|| told(190))
}

pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
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

/// Most printed lines that are looked at: an ATA drive's are 400, a SAS drive's with all its background scans 2,500.
const LINES_MAX: usize = 8192;

/// smartctl's word that it concluded the drive's health from its attributes.
const CONCLUDED: &str = "based on an Attribute check";

/// Before a count that smartctl prints and does not put into its JSON.
const NON_MEDIUM: &str = "Non-medium error count:";

/// The same before a count that old ones put wrongly into their JSON.
const GROWN: &str = "Elements in grown defect list:";

/// What smartctl printed besides its JSON (`--json=o`).
pub(crate) fn lines(json: &Value) -> impl Iterator<Item = &str> {
    let printed = json["smartctl"]["output"].as_array().into_iter().flatten();
    printed.take(LINES_MAX).filter_map(Value::as_str)
}

/// Whether smartctl's word on the drive's health is its own conclusion from the attributes, since the way to the drive lost the answer
/// (bridges and controllers that do not pass on the output registers). Source: smartmontools `ataprint.cpp`, `ataPrintMain`.
fn is_concluded(json: &Value, messages: &[SnapshotMessage]) -> bool {
    let mut said = messages.iter().map(|message| message.text.as_str()).chain(lines(json));
    said.any(|text| text.contains(CONCLUDED))
}

/// Takes from a document what smartctl printed beside its JSON, but for the lines that [`parse`] reads: whoever reads it later
/// understands what was understood of it before.
pub fn forget_printed(json: &mut Value) {
    let single = lines(json).filter(|line| {
        checksum_is_wrong(line).is_some()
            || line.contains(CONCLUDED)
            || line.starts_with(NON_MEDIUM)
            || line.starts_with(GROWN)
            || farm::is_unanswered(line)
    });
    // Several lines, which end with the last one.
    let told: Vec<Value> = single.chain(known::printed(json)).map(Value::from).collect();
    if let Some(smartctl) = json["smartctl"].as_object_mut() {
        match told.is_empty() {
            true => smartctl.remove("output"),
            false => smartctl.insert("output".to_owned(), told.into()),
        };
    }
}

/// Of which structure a printed line says that its checksum is wrong. Source: smartmontools `smartctl.cpp`, `checksumwarning`.
fn checksum_is_wrong(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix("Warning! ")?;
    Some(name.split_once(" error: invalid SMART checksum")?.0)
}

/// Structures of which smartctl printed that their checksum is wrong.
fn wrong_checksums(json: &Value) -> Vec<String> {
    let named = lines(json).filter_map(checksum_is_wrong);
    let mut names: Vec<String> = named.map(|name| name.chars().take(80).collect()).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(LIST_MAX);
    names
}

/// Seagate's number with the IEEE, which stands in the world wide name of whatever it makes, sold under another name, too. Source: IEEE OUI
/// registry, `00-0C-50`.
const SEAGATE: u64 = 0x0c50;

fn made_by_seagate(json: &Value, model: &str) -> bool {
    number(&json["wwn"]["oui"]) == Some(SEAGATE) || is_seagate(model, json["model_family"].as_str().unwrap_or_default())
}

fn wwn(wwn: &Value) -> Option<String> {
    let (naa, oui, id) = (number(&wwn["naa"])?, number(&wwn["oui"])?, number(&wwn["id"])?);
    (naa < 1 << 4 && oui < 1 << 24 && id < 1 << 36).then(|| format!("{naa:x}{oui:06x}{id:09x}"))
}

/// The designator of vital product data page 83h that smartctl prints as `0x…` with two digits a byte. Where a drive has several these
/// follow each other, and which of them is meant is not known. Source: smartmontools `scsicmds.cpp`, `scsi_decode_lu_dev_id`.
fn logical_unit(told: &Value) -> Option<String> {
    let digits = told.as_str()?.trim().strip_prefix("0x")?;
    let is_name = matches!(digits.len(), 16 | 24 | 32) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_name && digits.bytes().any(|digit| digit != b'0')).then(|| digits.to_ascii_lowercase())
}

fn attributes(json: &Value, model: &str) -> Vec<Attribute> {
    let seagate = made_by_seagate(json, model);
    let byte = |value: &Value| value.as_u64().and_then(|n| u8::try_from(n).ok());
    let twice = strange::twice(json);
    list(&json["ata_smart_attributes"]["table"])
        .filter(|row| row["id"].as_u64().is_some_and(|id| !twice.contains(&id)) && !strange::is_impossible(row))
        .filter_map(|row| {
            let id = row["id"]
                .as_u64()
                .and_then(|id| u16::try_from(id).ok())
                .filter(|id| (1..=255).contains(id))?;
            let raw = number(&row["raw"]["value"])?;
            let shown = text(&row["raw"]["string"]).unwrap_or_default();
            let is_rate = row["flags"]["error_rate"].as_bool().unwrap_or(false);
            let name = text(&row["name"]).unwrap_or_else(|| "Unknown_Attribute".to_owned());
            let name = if is_downshift(id, &name, model) {
                DOWNSHIFT.to_owned()
            } else {
                name
            };
            Some(Attribute {
                id,
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
                is_rate,
                count: count_named(id, &name, raw, &shown, (seagate, is_rate)),
                text: shown,
                name,
            })
        })
        .collect()
}

/// smartctl's name of how often a link went slower.
const DOWNSHIFT: &str = "SATA_Downshift_Count";

/// Whether it is that of Intel's flash which smartctl's database does not list, and calls as it calls any other's 183. Source: drivedb.h,
/// which has it so for all that it lists of Intel's; the 710 is not (linuxhw/SMART 06CDF7FF0C6C).
fn is_downshift(id: u16, name: &str, model: &str) -> bool {
    id == 183 && name == "Runtime_Bad_Block" && model.to_ascii_uppercase().starts_with("INTEL")
}

/// Whether an NVMe health log tells anything of a drive. Bridges that do not ask the drive behind them answer zeros; a
/// drive has a temperature, a spare or hours, and what warns of a fault counts in any case.
fn tells(log: &Map<String, Value>) -> bool {
    [
        "temperature",
        "available_spare",
        "power_on_hours",
        "critical_warning",
        "media_errors",
        "percentage_used",
    ]
    .iter()
    .filter_map(|name| number(log.get(*name)?))
    .any(|value| value > 0)
}

fn nvme(json: &Value) -> NvmeHealth {
    let log = &json["nvme_smart_health_information_log"];
    let byte = |name: &str| log[name].as_u64().and_then(|n| u8::try_from(n).ok());
    NvmeHealth {
        critical_warning: byte("critical_warning"),
        available_spare: byte("available_spare"),
        available_spare_threshold: byte("available_spare_threshold"),
        percentage_used: strange::plausible(&log["percentage_used"]),
        data_units_read: strange::plausible(&log["data_units_read"]),
        data_units_written: strange::plausible(&log["data_units_written"]),
        media_errors: strange::plausible(&log["media_errors"]),
        num_err_log_entries: strange::plausible(&log["num_err_log_entries"]),
        refused_commands: refused_commands(json),
        oldest_listed: oldest_listed(json),
        unsafe_shutdowns: strange::plausible(&log["unsafe_shutdowns"]),
        warning_temp_time: strange::plausible(&log["warning_temp_time"]),
        critical_comp_time: strange::plausible(&log["critical_comp_time"]),
    }
}

/// Status of a command that the drive does not know, without the bits that say whether to ask again: invalid opcode, invalid field, invalid
/// log page. Source: NVMe base specification 2.0, figures 92 to 94.
const REFUSED: [u64; 3] = [0x001, 0x002, 0x109];

/// The queue of commands that read and set the drive itself; reads and writes have others. Source: NVMe base specification 2.0, §3.3.1.
const ADMIN_QUEUE: u64 = 0;

/// Source of the keys: smartmontools `nvmeprint.cpp`, `print_error_log`.
fn refused_commands(json: &Value) -> Vec<u64> {
    let entries = list(&json["nvme_error_information_log"]["table"]);
    let refused = entries.filter(|entry| {
        let status = number(&entry["status_field"]["value"]).map(|status| status & 0x7ff);
        number(&entry["submission_queue_id"]) == Some(ADMIN_QUEUE)
            && status.is_some_and(|status| REFUSED.contains(&status))
    });
    refused.filter_map(|entry| number(&entry["error_count"])).collect()
}

/// smartctl lists no empty entries, so a list with as many as it read is full. Source: as above.
fn oldest_listed(json: &Value) -> Option<u64> {
    let log = &json["nvme_error_information_log"];
    let numbers: Vec<u64> = list(&log["table"])
        .filter_map(|entry| number(&entry["error_count"]))
        .collect();
    let is_full = number(&log["read"]).is_some_and(|read| read == numbers.len() as u64);
    numbers.into_iter().min().filter(|_| is_full)
}

fn scsi(json: &Value) -> Option<ScsiHealth> {
    let log = &json["scsi_error_counter_log"];
    let counters = |kind: &str| {
        log[kind].as_object().map(|counters| {
            let at = |name: &str| counters.get(name).and_then(strange::plausible);
            ErrorCounters {
                rereads_rewrites: at("errors_corrected_by_rereads_rewrites"),
                corrected: at("total_errors_corrected"),
                uncorrected: at("total_uncorrected_errors"),
            }
        })
    };
    let health = ScsiHealth {
        grown_defects: grown_defects(json),
        read: counters("read"),
        write: counters("write"),
        verify: counters("verify"),
        non_medium: number(&json["scsi_non_medium_error_count"])
            .or_else(|| number(&json["scsi_error_counter_log"]["non_medium_error_count"]))
            .or_else(|| number(&json["scsi_non_medium_error"]["count"]))
            .or_else(|| printed(json, NON_MEDIUM)),
        phy_errors: phy_errors(json),
        percentage_used: number(&json["scsi_percentage_used_endurance_indicator"])
            .or_else(|| number(&json["scsi_Percentage used endurance indicator"])),
        pending_defects: strange::plausible(&json["scsi_pending_defects"]["count"]),
        exception: exception(&json["smart_status"]["scsi"]),
        scan: background_scan::of(json),
    };
    (health != ScsiHealth::default()).then_some(health)
}

/// Sectors that a SAS drive has replaced. Before 7.2 the field has the bytes of their list, 4 or 8 each, and the count is printed alone.
/// Source: smartmontools NEWS, 7.2, and `scsiprint.cpp`, `scsiGetGrownDefects`.
fn grown_defects(json: &Value) -> Option<u64> {
    let told = strange::plausible(&json["scsi_grown_defect_list"])?;
    match version(json) {
        // None take no bytes.
        Some(version) if version < (7, 2) && told > 0 => printed(json, GROWN),
        Some(_) | None => Some(told),
    }
}

/// A count that smartctl prints: before 7.5 there is no field for [`NON_MEDIUM`]. Source: smartmontools `scsiprint.cpp`,
/// `scsiPrintErrorCounterLog`.
fn printed(json: &Value, before: &str) -> Option<u64> {
    lines(json).find_map(|line| line.strip_prefix(before)?.trim().parse().ok())
}

/// smartctl's own.
fn version(json: &Value) -> Option<(u64, u64)> {
    let version = json["smartctl"]["version"].as_array()?;
    Some((version.first()?.as_u64()?, version.get(1)?.as_u64()?))
}

fn exception(told: &Value) -> Option<ScsiException> {
    let byte = |key: &str| told[key].as_u64().and_then(|n| u8::try_from(n).ok());
    Some(ScsiException {
        // 0 is no exception.
        asc: byte("asc").filter(|asc| *asc != 0)?,
        ascq: byte("ascq")?,
        text: text(&told["ie_string"]).unwrap_or_default(),
    })
}

/// Invalid double words and lost synchronisations of all phys; `None` where no phy is told.
fn phy_errors(json: &Value) -> Option<u64> {
    let ports = json
        .as_object()?
        .iter()
        .filter(|(key, _)| key.starts_with("scsi_sas_port"));
    let phys = ports
        .filter_map(|(_, port)| port.as_object())
        .flat_map(|port| port.values());
    phys.take(LIST_MAX)
        .filter_map(|phy| {
            let counts = ["invalid_dword_count", "loss_of_dword_synchronization_count"].map(|key| number(&phy[key]));
            let told: Vec<u64> = counts.into_iter().flatten().collect();
            (!told.is_empty()).then(|| told.into_iter().fold(0, u64::saturating_add))
        })
        .reduce(u64::saturating_add)
}
