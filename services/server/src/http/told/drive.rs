//! Drives of hosts, as their SMART documents tell them.

use std::collections::BTreeMap;

use health::alert::{Alerts, Kind};
use health::reading::{Medium, Protocol};
use health::score::{Part, Status};
use health::tables::Drive;
use health::trend::{Crossing, Trend};
use health::wear::WearView;
use serde::Serialize;
use utoipa::ToSchema;
use wire::Time;
use wire::event::Severity;

/// Pairs of seconds since 1970 and a value, the oldest first.
pub(crate) type Line = Vec<(i64, f64)>;

/// Who a drive is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct HostDriveIdentity {
    /// Its key.
    pub id: String,
    /// Its host.
    pub hostname: String,
    /// The host's name of it: `/dev/sda`.
    pub device: String,
    /// smartctl's device type.
    pub device_type: String,
    /// Command set.
    pub protocol: Protocol,
    /// What the data is kept on.
    pub medium: Medium,
    /// Model.
    pub model: String,
    /// Serial number; empty where it tells none.
    pub serial: String,
    /// Firmware.
    pub firmware: String,
    /// Name that a person gave it; empty where nobody did.
    pub alias: String,
    /// Bytes.
    #[schema(required)]
    pub capacity: Option<u64>,
    /// Turns a minute; null where it tells none.
    #[schema(required)]
    pub rpm: Option<u32>,
    /// Whether the host's last report had it.
    pub present: bool,
    /// First report of it.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Time,
    /// Newest report of it.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Time,
}

impl From<&Drive> for HostDriveIdentity {
    fn from(drive: &Drive) -> Self {
        let r = &drive.reading;
        Self {
            id: drive.id.clone(),
            hostname: drive.hostname.clone(),
            device: r.device.clone(),
            device_type: r.device_type.clone(),
            protocol: r.protocol,
            medium: r.medium,
            model: r.model.clone(),
            serial: r.serial.clone(),
            firmware: r.firmware.clone(),
            alias: drive.alias.clone(),
            capacity: r.capacity,
            rpm: r.rpm,
            present: drive.present,
            first_seen: drive.first_seen,
            last_seen: drive.last_seen,
        }
    }
}

/// An alert that holds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct HostAlert {
    /// What it is about.
    pub alert: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// In words, without the drive's name.
    pub message: String,
    /// The count, percentage or temperature when last told of.
    pub value: f64,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Time,
}

/// Alerts as a list, worst first.
pub(crate) fn alerts(alerts: &Alerts) -> Vec<HostAlert> {
    let mut all: Vec<_> = alerts.iter().collect();
    all.sort_by_key(|(kind, active)| (std::cmp::Reverse(active.severity), **kind));
    all.into_iter()
        .map(|(kind, active)| HostAlert {
            alert: *kind,
            severity: active.severity,
            message: active.message.clone(),
            value: active.value,
            since: active.since,
        })
        .collect()
}

/// How a drive is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct HostDrive {
    /// Who it is.
    #[serde(flatten)]
    pub who: HostDriveIdentity,
    /// 0 to 100; null where it told nothing of its health.
    #[schema(required)]
    pub score: Option<u32>,
    /// The word for it.
    pub status: Status,
    /// What cost points, dearest first.
    pub parts: Vec<Part>,
    /// Its own word.
    #[schema(required)]
    pub smart_passed: Option<bool>,
    /// Degrees Celsius.
    #[schema(required)]
    pub temperature: Option<i64>,
    /// Degrees Celsius that count as too hot.
    pub temperature_limit: i64,
    /// Hours.
    #[schema(required)]
    pub power_on_hours: Option<u64>,
    /// How often it was switched on.
    #[schema(required)]
    pub power_cycles: Option<u64>,
    /// Whether its newest self-test failed.
    #[schema(required)]
    pub self_test_failed: Option<bool>,
    /// What holds, worst first.
    pub alerts: Vec<HostAlert>,
}

impl From<&Drive> for HostDrive {
    fn from(drive: &Drive) -> Self {
        let r = &drive.reading;
        Self {
            who: drive.into(),
            score: drive.score.score,
            status: drive.score.status,
            parts: drive.score.parts.clone(),
            smart_passed: r.passed,
            temperature: r.temperature,
            temperature_limit: health::alert::limit(r),
            power_on_hours: r.power_on_hours,
            power_cycles: r.power_cycles,
            self_test_failed: r.self_test_failed,
            alerts: alerts(&drive.alerts),
        }
    }
}

/// Drives with their number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDrives {
    /// How many.
    pub count: usize,
    /// The drives.
    pub drives: Vec<HostDrive>,
}

impl HostDrives {
    /// How `drives` are.
    pub(crate) fn of(drives: &[Drive]) -> Self {
        Self {
            count: drives.len(),
            drives: drives.iter().map(HostDrive::from).collect(),
        }
    }
}

/// How many drives are how well.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct HealthTotals {
    /// All.
    pub total: usize,
    /// Scores of 80 and more.
    pub healthy: usize,
    /// 50 to 79.
    pub warning: usize,
    /// Below 50.
    pub critical: usize,
    /// Without a score.
    pub unknown: usize,
}

impl HealthTotals {
    /// Of `drives`.
    pub(crate) fn of(drives: &[Drive]) -> Self {
        let of = |status: Status| drives.iter().filter(|drive| drive.score.status == status).count();
        Self {
            total: drives.len(),
            healthy: of(Status::Healthy),
            warning: of(Status::Warning),
            critical: of(Status::Critical),
            unknown: of(Status::Unknown),
        }
    }
}

/// Drives and how many of them are how well.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthSummary {
    /// How many are how well.
    #[serde(flatten)]
    pub totals: HealthTotals,
    /// The drives.
    #[serde(flatten)]
    pub drives: HostDrives,
}

/// A drive's values over time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDriveHistory {
    /// Who it is.
    #[serde(flatten)]
    pub who: HostDriveIdentity,
    /// Moments of which something is kept.
    pub points: usize,
    /// Pairs of seconds since 1970 and a value, by the value's key; besides the drive's own `temperature`, `score`, `wear`
    /// and `written`.
    #[schema(value_type = BTreeMap<String, Vec<(i64, f64)>>)]
    pub history: BTreeMap<String, Line>,
}

/// Histories of drives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDriveHistories {
    /// How many drives.
    pub count: usize,
    /// The drives.
    pub drives: Vec<HostDriveHistory>,
    /// True where there was no room for all drives in one answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub truncated: bool,
}

/// When a line crosses a limit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDriveCrossing {
    /// The limit's name.
    pub name: &'static str,
    /// Where and when.
    #[serde(flatten)]
    pub crossing: Crossing,
}

/// Where a value goes, by a straight line.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDriveTrend {
    /// The line.
    #[serde(flatten)]
    pub line: Trend,
    /// The limits that it crosses.
    pub crossings: Vec<HostDriveCrossing>,
}

/// Where a drive's values go.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDriveTrends {
    /// Who it is.
    #[serde(flatten)]
    pub who: HostDriveIdentity,
    /// By the value's key.
    pub trends: BTreeMap<String, HostDriveTrend>,
}

/// Trends of drives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDrivesTrends {
    /// How many drives.
    pub count: usize,
    /// The drives.
    pub drives: Vec<HostDriveTrends>,
}

/// How much of a drive's rated life is used.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDriveWear {
    /// Who it is.
    #[serde(flatten)]
    pub who: HostDriveIdentity,
    /// Its wear.
    #[serde(flatten)]
    pub wear: WearView,
    /// Hours.
    #[schema(required)]
    pub power_on_hours: Option<u64>,
}

/// Wear of drives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDrivesWear {
    /// How many drives.
    pub count: usize,
    /// The drives.
    pub drives: Vec<HostDriveWear>,
}
