//! One reading: what a `smartctl -x --json` document says of a drive, in one shape for ATA, NVMe and SCSI.
//!
//! The document is read by the crate `smart`, as a burn-in reads it; here is what histories and alerts take of that.
//! Nothing is guessed: a rotation rate that is missing or 0 (USB bridges, SAS) makes no SSD of a drive; only what the
//! drive says of its flash does.

use serde::{Deserialize, Serialize};
use serde_json::Value;
pub use smart::Protocol;
use smart::{HEAT_LIMIT_MIN, ScsiException, Snapshot, exit};
use utoipa::ToSchema;
use wire::attribute::is_something_else;
use wire::drive::Rotation;
use wire::meaning::Meaning;

use crate::alert::usual_limit;

/// Most attributes that are kept of a document. Source: ATA has 30; the rest is room.
const LIST_MAX: usize = 128;

/// Longest name or model in characters. Source: ATA and NVMe give models 40; SCSI vendor and product 24.
const TEXT_MAX: usize = 80;

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

impl From<Rotation> for Medium {
    fn from(rotation: Rotation) -> Self {
        match rotation {
            Rotation::Spinning { .. } => Self::Disk,
            Rotation::SolidState => Self::Flash,
            Rotation::Unknown => Self::Unknown,
        }
    }
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
    /// and one thing different numbers; what flash counts as pending is pending here, too.
    #[must_use]
    pub fn is_of(&self, key: &str) -> bool {
        let number = |key: &str| key.parse::<u16>().ok();
        match number(key).and_then(Meaning::of_number) {
            Some(meaning) => number(&self.key)
                .and_then(|id| Meaning::of(id, &self.name))
                .is_some_and(|own| own == meaning || (own, meaning) == (Meaning::PendingEcc, Meaning::Pending)),
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
    /// smartctl's exit status, whose bits tell what no row may tell. Source: `smartctl(8)`.
    pub exit_status: Option<u8>,
    /// What the document says that cannot be true, in words; none of it was taken.
    pub strange: Vec<String>,
    /// All its values.
    pub attributes: Vec<Attribute>,
}

impl Reading {
    /// Whether one of these bits of smartctl's exit status is set.
    #[must_use]
    pub fn exited_with(&self, bits: u8) -> bool {
        self.exit_status.is_some_and(|status| status & bits != 0)
    }

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
    /// smartctl could not ask it.
    #[error(
        "{0}: smartctl's exit status {1} says that the drive was not asked, so nothing in it is known to be its own"
    )]
    NotAsked(String, u8),
    /// A device without anything about its health.
    #[error(
        "{0}: nothing of ata_smart_attributes, scsi_error_counter_log, nvme_smart_health_information_log or \
         smart_status.passed is there"
    )]
    NoHealth(String),
}

/// Reads a document.
///
/// # Errors
/// When it is not about one drive, says nothing of its health, or smartctl could not ask the drive.
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
    let told = smart::read(json).map_err(|why| match why {
        smart::NotSmart::NoDevice(why) => NotSmart::NoDevice(format!(" ({why})")),
        other @ (smart::NotSmart::Json(_) | smart::NotSmart::TooLong(_)) => NotSmart::NoDevice(format!(" ({other})")),
    })?;
    let device = if told.device.is_empty() {
        "unnamed device".to_owned()
    } else {
        short(&told.device)
    };
    if let Some(status) = told.exit_status.filter(|status| status & exit::NOT_ASKED != 0) {
        return Err(NotSmart::NotAsked(device, status));
    }
    if !told.tells_health() {
        return Err(NotSmart::NoHealth(device));
    }
    Ok(of(device, told))
}

/// What histories and alerts take of a snapshot.
fn of(device: String, told: Snapshot) -> Reading {
    let text = |text: &Option<String>| text.as_deref().map(short).unwrap_or_default();
    let attributes = attributes(&told);
    let wear = crate::wear::told(&told, &attributes);
    let rpm = told.rpm.filter(|rpm| *rpm > 1);
    let protocol = told.protocol;
    let medium = match rpm {
        Some(_) => Medium::Disk,
        None if protocol == Protocol::Nvme || wear.is_some() => Medium::Flash,
        None => Medium::Unknown,
    };
    Reading {
        device,
        device_type: short(&told.device_type),
        protocol,
        serial: text(&told.serial),
        firmware: text(&told.firmware),
        capacity: told.capacity,
        rpm,
        medium,
        // Its word may be missing where smartctl's exit status tells that it fails; and heat alone is no failure.
        passed: match told.is_failing() {
            true => Some(false),
            false if warns_of_no_drive(&told) => Some(true),
            false => told.passed.filter(|passed| *passed),
        },
        temperature: told.temperature,
        temperature_limit: limit(&told, medium),
        power_on_hours: told.power_on_hours,
        power_cycles: told.power_cycles,
        written: told.bytes_written(),
        wear,
        // Where no entry tells which one failed, one did.
        self_test_failed: told
            .newest_self_test_failed()
            .or_else(|| told.has_failed_a_test().then_some(true)),
        exit_status: told.exit_status,
        strange: told.strange.iter().take(8).map(|words| short(words)).collect(),
        model: text(&told.model),
        family: text(&told.family),
        attributes,
    }
}

fn short(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

/// Whether a SAS drive's word is a warning that blames no drive: so it does not fail.
fn warns_of_no_drive(told: &Snapshot) -> bool {
    let exception = told.scsi.as_ref().and_then(|scsi| scsi.exception.as_ref());
    exception.is_some_and(ScsiException::blames_no_drive)
}

/// Highest temperature in degrees Celsius that counts as a limit: no drive lives under more.
const LIMIT_MAX: i64 = 120;

/// The drive's own limit: the lower of what it recommends and what it allows (ATA), warning (NVMe), and 5 degrees below the reference
/// temperature (SCSI). What an ATA drive merely allows is no more than what is usual for its kind.
fn limit(told: &Snapshot, medium: Medium) -> Option<i64> {
    let below = match told.protocol {
        Protocol::Scsi => 5,
        Protocol::Ata | Protocol::Nvme | Protocol::Unknown => 0,
    };
    let is_limit = |named: &i64| (i64::from(HEAT_LIMIT_MIN)..=LIMIT_MAX).contains(named);
    let recommended = told.heat_recommended.filter(is_limit);
    let allowed = told.heat_limits.iter().copied().filter(is_limit).min();
    let allowed = match (told.protocol, recommended) {
        // An Exos recommends 40 and allows 70, which an alert must not wait for.
        (Protocol::Ata, None) => allowed.map(|limit| limit.min(usual_limit(medium))),
        _ => allowed,
    };
    let named = recommended.into_iter().chain(allowed).min();
    named.map(|limit| limit - below).or(told.heat_warning.filter(is_limit))
}

/// All values that the drive tells: attributes, then those that have words.
fn attributes(told: &Snapshot) -> Vec<Attribute> {
    let garbled = told.garbled_attributes().next().is_some();
    let rows = told.attributes.iter().filter(|_| !garbled).take(LIST_MAX);
    // One that comes and goes by itself is none.
    let flips = |row: &smart::Attribute| row.count == 1 && Meaning::of(row.id, &row.name) == Some(Meaning::PendingEcc);
    let rows = rows.map(|row| Attribute {
        key: row.id.to_string(),
        name: short(&row.name),
        value: row.value,
        worst: row.worst,
        threshold: row.threshold,
        prefail: row.prefail,
        when_failed: row.when_failed.clone(),
        raw: row.raw,
        count: if flips(row) { 0 } else { row.count },
        text: short(&row.text),
    });
    rows.chain(nvme(told)).chain(scsi(told)).collect()
}

fn plain((key, raw): (&str, Option<u64>)) -> Option<Attribute> {
    let raw = raw?;
    Some(Attribute {
        key: key.to_owned(),
        name: key.to_owned(),
        raw,
        count: raw,
        ..Attribute::default()
    })
}

fn nvme(told: &Snapshot) -> Vec<Attribute> {
    let Some(log) = &told.nvme else { return Vec::new() };
    let all = [
        ("critical_warning", log.critical_warning.map(u64::from)),
        ("temperature", told.temperature.and_then(|t| u64::try_from(t).ok())),
        ("available_spare", log.available_spare.map(u64::from)),
        (
            "available_spare_threshold",
            log.available_spare_threshold.map(u64::from),
        ),
        ("percentage_used", log.percentage_used),
        ("data_units_read", log.data_units_read),
        ("data_units_written", log.data_units_written),
        ("power_on_hours", told.power_on_hours),
        ("power_cycles", told.power_cycles),
        ("unsafe_shutdowns", log.unsafe_shutdowns),
        ("media_errors", log.media_errors),
        ("num_err_log_entries", log.num_err_log_entries),
        ("warning_temp_time", log.warning_temp_time),
        ("critical_comp_time", log.critical_comp_time),
    ];
    all.into_iter().filter_map(plain).collect()
}

fn scsi(told: &Snapshot) -> Vec<Attribute> {
    let Some(health) = &told.scsi else { return Vec::new() };
    let of = |counters: &Option<smart::ErrorCounters>| counters.clone().unwrap_or_default();
    let (read, write, verify) = (of(&health.read), of(&health.write), of(&health.verify));
    let all = [
        ("grown_defects", health.grown_defects),
        ("pending_defects", health.pending_defects),
        ("read_corrected", read.corrected),
        ("read_uncorrected", read.uncorrected),
        ("write_corrected", write.corrected),
        ("write_uncorrected", write.uncorrected),
        ("verify_corrected", verify.corrected),
        ("verify_uncorrected", verify.uncorrected),
        ("percentage_used", health.percentage_used),
    ];
    all.into_iter().filter_map(plain).collect()
}

/// A serial as it is compared: translation layers pad and case it differently.
pub fn plain_serial(serial: &str) -> String {
    let plain = serial.chars().filter(char::is_ascii_alphanumeric);
    plain.map(|c| c.to_ascii_uppercase()).collect()
}
