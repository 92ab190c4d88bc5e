//! What is told of drives' SMART beside how they are: values, temperatures, wear over time, scores; and what a host reports.

use health::known::{Critical, Spec};
use health::reading::Attribute;
use health::report::Rejected;
use health::score::Status;
use serde::Serialize;
use utoipa::ToSchema;

use super::drive::{HealthTotals, HostAlert, HostDriveIdentity, HostDriveTrend, HostDrives};
use super::vigil::{Counters, OneDriveAttributes};

/// One value of a drive, with what is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDriveAttribute {
    /// The value.
    #[serde(flatten)]
    pub attribute: Attribute,
    /// Whether its count costs points of the score.
    pub critical: bool,
    /// What it counts; null where it costs nothing.
    #[schema(required)]
    pub meaning: Option<String>,
    /// Points that its count costs now; null where it costs nothing whatever it is.
    #[schema(required)]
    pub cost: Option<u32>,
}

/// The newest values of a drive.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDriveAttributes {
    /// Who it is.
    #[serde(flatten)]
    pub who: HostDriveIdentity,
    /// Its values, as the drive orders them.
    pub attributes: Vec<HostDriveAttribute>,
}

/// The newest values of drives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDrivesAttributes {
    /// How many drives.
    pub count: usize,
    /// The drives.
    pub drives: Vec<HostDriveAttributes>,
    /// The same of one drive, as existing dashboards read it.
    #[serde(flatten)]
    pub one: OneDriveAttributes,
}

/// The values whose count matters.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CriticalAttributes {
    /// How many.
    pub count: usize,
    /// The values.
    pub attributes: &'static [Critical],
}

/// A drive's temperatures, in degrees Celsius.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDriveTemperatures {
    /// Who it is.
    #[serde(flatten)]
    pub who: HostDriveIdentity,
    /// What counts as too hot.
    pub limit: i64,
    /// The newest.
    #[schema(required)]
    pub now: Option<i64>,
    /// The lowest of the time asked for.
    #[schema(required)]
    pub lowest: Option<i64>,
    /// The highest of it.
    #[schema(required)]
    pub highest: Option<i64>,
    /// Their mean, to a tenth.
    #[schema(required)]
    pub mean: Option<f64>,
    /// Pairs of seconds since 1970 and degrees, the oldest first.
    pub history: Vec<(i64, i64)>,
}

/// Temperatures of drives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDrivesTemperatures {
    /// How many drives.
    pub count: usize,
    /// The drives.
    pub drives: Vec<HostDriveTemperatures>,
}

/// A drive's wear over time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDriveWearHistory {
    /// Who it is.
    #[serde(flatten)]
    pub who: HostDriveIdentity,
    /// Pairs of seconds since 1970 and percent of the rated life, the oldest first.
    pub history: Vec<(i64, f64)>,
}

/// Wear of drives over time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDrivesWearHistory {
    /// How many drives.
    pub count: usize,
    /// The drives.
    pub drives: Vec<HostDriveWearHistory>,
}

/// Where a drive's wear goes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDriveWearTrend {
    /// Who it is.
    #[serde(flatten)]
    pub who: HostDriveIdentity,
    /// Its line; null where too little is known.
    #[schema(required)]
    pub trend: Option<HostDriveTrend>,
}

/// Where drives' wear goes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDrivesWearTrend {
    /// How many drives.
    pub count: usize,
    /// The drives.
    pub drives: Vec<HostDriveWearTrend>,
}

/// What models are rated for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WearSpecs {
    /// How many.
    pub count: usize,
    /// Those that people told, and the built-in ones.
    pub specs: Vec<Spec>,
}

/// That something was taken away.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deleted {
    /// `deleted`.
    pub status: &'static str,
}

/// It is gone.
pub(crate) const DELETED: Deleted = Deleted { status: "deleted" };

/// Old points were taken out of the histories.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HistoriesCleaned {
    /// `ok`.
    pub status: &'static str,
    /// Points that went.
    pub deleted: usize,
    /// Drives of which something is kept.
    pub drives: usize,
}

/// One score for everything.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthScore {
    /// How many drives are how well.
    #[serde(flatten)]
    pub totals: HealthTotals,
    /// That of the worst drive, 0 to 100; null where none told anything of its health.
    #[schema(required)]
    pub score: Option<u32>,
    /// The word for it.
    pub status: Status,
    /// The mean of all scores, to a tenth.
    #[schema(required)]
    pub mean: Option<f64>,
    /// How many hosts.
    pub hosts: usize,
}

/// Numbers of everything that is kept of hosts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostStats {
    /// How many drives are how well.
    #[serde(flatten)]
    pub totals: HealthTotals,
    /// Hosts.
    pub hosts: usize,
    /// Reports taken.
    pub reports: u64,
    /// Alerts that hold, of drives and hosts.
    pub alerts: usize,
    /// Host agents.
    pub agents: usize,
    /// Add-ons.
    pub addons: usize,
    /// Seconds since this server's machine started.
    pub uptime_seconds: u64,
    /// What is taken in and told.
    #[serde(flatten)]
    pub counters: Counters,
}

/// Alerts of a host itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostAlerts {
    /// The host.
    pub hostname: String,
    /// What holds, worst first.
    pub alerts: Vec<HostAlert>,
}

/// Everything that holds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActiveAlerts {
    /// The drives that have an alert.
    #[serde(flatten)]
    pub drives: HostDrives,
    /// The hosts that have one.
    pub hosts: Vec<HostAlerts>,
}

/// What a host agent can do beside reporting.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands for its schema; the body is read leniently")]
pub(crate) struct HostCapabilities {
    /// Whether it can blink a bay's light.
    #[schema(required = false)]
    led_identify: bool,
    /// Where it listens for that: `host:port` or `:port`.
    #[schema(required = false)]
    listen_addr: String,
}

/// What a host agent reports. What else is in it is not looked at.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands for its schema; the body is read leniently")]
pub(crate) struct HostReport {
    /// The host: letters, digits, `-`, `_` and `.`, 1 to 253 of them.
    hostname: String,
    /// When the drives were read, RFC 3339; the server's time where it is missing or far from it.
    #[schema(required = false, value_type = Option<String>, format = DateTime)]
    timestamp: Option<String>,
    /// Version of the agent.
    #[schema(required = false)]
    agent_version: String,
    /// Whole documents of `smartctl -x --json`, one a drive; null where the agent finds none.
    #[schema(required = false, value_type = Option<Vec<Object>>)]
    drives: Option<Vec<serde_json::Value>>,
    /// What it can do.
    #[schema(required = false)]
    capabilities: HostCapabilities,
    /// Its ZFS pools, at most 64 KiB: `{ "pools": [ … ], "datasets": [ … ] }`; what is longer goes without the datasets.
    #[schema(required = false, value_type = Option<Object>)]
    zfs: Option<serde_json::Value>,
}

/// A report was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostReportTaken {
    /// `ok`.
    pub status: &'static str,
    /// Seconds until the next report is expected.
    pub report_interval_seconds: u64,
    /// Drives that were taken.
    pub drives: usize,
    /// Drives that were not, with why.
    pub rejected: Vec<Rejected>,
    /// What was put right on the way.
    pub warnings: Vec<String>,
}
