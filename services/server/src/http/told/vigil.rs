//! Answers in the very shapes of existing Vigil servers, where those are not ours. Source: the recorded job
//! (`vigil-full-job.jsonl`); a test asks each of its reads and compares (`tests/server/golden.rs`).

use health::alert::Active;
use health::reading::{Attribute, Medium, Protocol};
use health::score::Status;
use health::tables::{Drive, Host};
use health::wear;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use wire::Time;
use wire::event::Severity;

use super::drive::{HealthTotals, HostDrives, alerts};

/// To the second, in the text form of existing servers' books.
fn booked(at: Time) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `HDD`, `SSD`, `NVMe`, or `Unknown` where the drive does not say.
fn drive_type(drive: &Drive) -> &'static str {
    match (drive.reading.protocol, drive.reading.medium) {
        (Protocol::Nvme, _) => "NVMe",
        (_, Medium::Disk) => "HDD",
        (_, Medium::Flash) => "SSD",
        (_, Medium::Unknown) => "Unknown",
    }
}

/// A host in a line.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostRow {
    /// Its name; `this box` for the box itself.
    hostname: String,
    /// When its last report arrived, as `2026-11-20 06:24:01`, UTC.
    last_seen: String,
    /// Reports taken.
    report_count: u64,
}

impl From<&Host> for HostRow {
    fn from(host: &Host) -> Self {
        Self {
            hostname: host.hostname.clone(),
            last_seen: booked(host.last_seen),
            report_count: host.reports,
        }
    }
}

/// A host's last report.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostReported {
    /// Its name; `this box` for the box itself.
    hostname: String,
    /// When it arrived, as `2026-11-20 06:24:01`, UTC.
    last_seen: String,
    /// The same, to the second.
    #[schema(format = DateTime)]
    timestamp: String,
    /// The report: `hostname`, `timestamp`, `agent_version`, and in `drives` the documents of `smartctl`. Where the one that came
    /// is not kept, with what is known of each drive.
    #[schema(value_type = Object)]
    details: Box<RawValue>,
}

impl HostReported {
    /// With what the report says, as JSON.
    pub(crate) fn of(host: &Host, details: Box<RawValue>) -> Self {
        Self {
            hostname: host.hostname.clone(),
            last_seen: booked(host.last_seen),
            timestamp: host.last_seen.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            details,
        }
    }
}

/// What is wrong with a drive.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DriveIssue {
    /// `CRITICAL` or `WARNING`.
    severity: &'static str,
    /// In words.
    message: String,
}

/// How a drive is, in a word and in counts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DriveHealthRow {
    /// Its host.
    hostname: String,
    /// Its serial number.
    serial_number: String,
    /// Its model.
    model_name: String,
    /// `HDD`, `SSD`, `NVMe` or `Unknown`.
    drive_type: &'static str,
    /// `HEALTHY`, `WARNING`, `CRITICAL` or `UNKNOWN`.
    overall_health: &'static str,
    /// Its own word.
    #[schema(required)]
    smart_passed: Option<bool>,
    /// Alerts that are critical.
    critical_count: usize,
    /// Alerts that are warnings.
    warning_count: usize,
    /// The alerts, worst first.
    issues: Vec<DriveIssue>,
    /// When it was read.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Time,
}

impl From<&Drive> for DriveHealthRow {
    fn from(drive: &Drive) -> Self {
        let count = |severity| {
            drive
                .alerts
                .values()
                .filter(|active: &&Active| active.severity == severity)
                .count()
        };
        let issue = |severity: Severity, message: String| DriveIssue {
            severity: match severity {
                Severity::Critical => "CRITICAL",
                Severity::Warning | Severity::Info => "WARNING",
            },
            message,
        };
        Self {
            hostname: drive.hostname.clone(),
            serial_number: drive.reading.serial.clone(),
            model_name: drive.reading.model.clone(),
            drive_type: drive_type(drive),
            overall_health: match drive.score.status {
                Status::Healthy => "HEALTHY",
                Status::Warning => "WARNING",
                Status::Critical => "CRITICAL",
                Status::Unknown => "UNKNOWN",
            },
            smart_passed: drive.reading.passed,
            critical_count: count(Severity::Critical),
            warning_count: count(Severity::Warning),
            issues: alerts(&drive.alerts)
                .into_iter()
                .map(|alert| issue(alert.severity, alert.message))
                .collect(),
            timestamp: drive.last_seen,
        }
    }
}

/// How all drives are: as [`HostDrives`] has them, and in the rows of existing dashboards.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthAll {
    /// The drives.
    #[serde(flatten)]
    drives: HostDrives,
    /// How many.
    total_drives: usize,
    /// Scores of 80 and more.
    healthy_count: usize,
    /// 50 to 79.
    warning_count: usize,
    /// Below 50.
    critical_count: usize,
    /// The rows.
    summaries: Vec<DriveHealthRow>,
}

impl HealthAll {
    /// Of `drives`.
    pub(crate) fn of(drives: &[Drive]) -> Self {
        let totals = HealthTotals::of(drives);
        Self {
            drives: HostDrives::of(drives),
            total_drives: totals.total,
            healthy_count: totals.healthy,
            warning_count: totals.warning,
            critical_count: totals.critical,
            summaries: drives.iter().map(DriveHealthRow::from).collect(),
        }
    }
}

/// A value of an ATA drive, by its number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttributeRow {
    /// Number.
    id: u8,
    /// Name as smartctl gives it.
    name: String,
    /// Normalised value.
    #[schema(required)]
    value: Option<u8>,
    /// The lowest ever.
    #[schema(required)]
    worst: Option<u8>,
    /// At or below it the attribute counts as failed.
    #[schema(required)]
    thresh: Option<u8>,
    /// Raw value.
    raw_value: u64,
    /// Always empty.
    flags: &'static str,
    /// When it was read.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Time,
}

/// The values of the one drive that was asked for; null where it is none or several.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct OneDriveAttributes {
    /// How many have a number; those of NVMe and SCSI have none.
    #[schema(required)]
    attribute_count: Option<usize>,
    /// They.
    #[schema(required)]
    attributes: Option<Vec<AttributeRow>>,
    /// Its host.
    #[schema(required)]
    hostname: Option<String>,
    /// Its serial number.
    #[schema(required)]
    serial_number: Option<String>,
    /// Its model.
    #[schema(required)]
    model_name: Option<String>,
    /// `HDD`, `SSD`, `NVMe` or `Unknown`.
    #[schema(required)]
    drive_type: Option<&'static str>,
    /// Its own word.
    #[schema(required)]
    smart_passed: Option<bool>,
}

impl OneDriveAttributes {
    /// Of the drives asked for, with those of their values that `wanted` wants.
    pub(crate) fn of(drives: &[Drive], wanted: impl Fn(&Attribute) -> bool) -> Self {
        let [drive] = drives else { return Self::default() };
        let row = |a: &Attribute| {
            Some(AttributeRow {
                id: a.key.parse().ok()?,
                name: a.name.clone(),
                value: a.value,
                worst: a.worst,
                thresh: a.threshold,
                raw_value: a.raw,
                flags: "",
                timestamp: drive.last_seen,
            })
        };
        let rows = drive.reading.attributes.iter().filter(|a| wanted(a)).filter_map(row);
        let rows: Vec<AttributeRow> = rows.collect();
        Self {
            attribute_count: Some(rows.len()),
            attributes: Some(rows),
            hostname: Some(drive.hostname.clone()),
            serial_number: Some(drive.reading.serial.clone()),
            model_name: Some(drive.reading.model.clone()),
            drive_type: Some(drive_type(drive)),
            smart_passed: drive.reading.passed,
        }
    }
}

/// Wear of a drive in one percentage.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DriveWearRow {
    /// Its place in the list, from 1.
    id: usize,
    /// Its host.
    hostname: String,
    /// Its serial number.
    serial_number: String,
    /// Its model.
    model_name: String,
    /// `HDD`, `SSD`, `NVMe` or `Unknown`.
    drive_type: &'static str,
    /// Percent. Of platters it is weighed from hours and counters, and no verdict is made of it.
    percentage: f64,
    /// What it is made of: a JSON list of `name`, `percentage`, `weight` and `description`, in a text.
    factors_json: String,
    /// When it was read, to the second.
    #[schema(format = DateTime)]
    timestamp: String,
}

impl DriveWearRow {
    /// Of a drive in its place, from 1.
    pub(crate) fn of(id: usize, drive: &Drive, told: &wear::Weighed) -> Self {
        Self {
            id,
            hostname: drive.hostname.clone(),
            serial_number: drive.reading.serial.clone(),
            model_name: drive.reading.model.clone(),
            drive_type: drive_type(drive),
            percentage: told.percentage,
            factors_json: serde_json::to_string(&told.factors).unwrap_or_default(),
            timestamp: drive.last_seen.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

/// Wear of drives in one percentage each.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DrivesWear {
    /// How many.
    pub count: usize,
    /// Those that tell something of it.
    pub drives: Vec<DriveWearRow>,
}

/// How long it took to take reports, in milliseconds; 0 where none has come since the start.
#[derive(Debug, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct ReportTimes {
    /// Mean.
    pub avg: f64,
    /// Longest.
    pub max: f64,
    /// Shortest.
    pub min: f64,
    /// 95 of 100 were not longer.
    pub p95: f64,
    /// How many were looked at: the newest.
    pub samples: usize,
}

/// What is taken in and told, in the counters of existing dashboards.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Counters {
    /// Host agents that may report.
    pub active_agents: usize,
    /// Size of the file that everything is kept in.
    pub db_size_bytes: u64,
    /// Messages that were given up, of those that the history keeps.
    pub notifications_failed_total: usize,
    /// Messages that were taken, of those that the history keeps.
    pub notifications_sent_total: usize,
    /// How long it took to take reports.
    pub report_processing_ms: ReportTimes,
    /// Reports that are being taken.
    pub report_queue_depth: usize,
    /// Reports since the start that were not taken.
    pub reports_dropped_total: u64,
    /// Reports since the start that were taken.
    pub reports_processed_total: u64,
}
