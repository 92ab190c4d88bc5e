//! Hosts, their agents and the tokens with which those are enrolled.

use health::THIS_BOX;
use health::alert::Kind;
use health::enrol::{Agent, Token};
use health::tables::{Drive, Host};
use serde::Serialize;
use utoipa::ToSchema;
use wire::Time;

use super::drive::{HealthTotals, HostAlert, HostDriveIdentity, Line, alerts};

/// A computer whose drives are known: this box, or one that reports to it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct HostView {
    /// Its name; `this box` for the box itself.
    pub hostname: String,
    /// Whether it is the box itself.
    pub own: bool,
    /// Number of its agent; the box has none.
    #[schema(required)]
    pub agent_id: Option<u64>,
    /// Version of that agent.
    pub agent_version: String,
    /// First report.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Time,
    /// When the last report arrived.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Time,
    /// When the drives of the last report were read, by the host's clock.
    #[schema(value_type = String, format = DateTime)]
    pub last_report: Time,
    /// Reports taken.
    pub reports: u64,
    /// Whether it no longer reports.
    pub silent: bool,
    /// Alerts about the host itself, worst first.
    pub alerts: Vec<HostAlert>,
    /// Why drives of the last report were not taken.
    pub rejected: Vec<String>,
    /// Whether its agent can blink a light and listens.
    pub led_identify: bool,
    /// Drives of it.
    pub drives_count: usize,
    /// How they are.
    pub health: HealthTotals,
    /// The score of the worst drive that is there.
    #[schema(required)]
    pub score: Option<u32>,
}

/// The score of the worst drive that is there.
pub(crate) fn lowest(drives: &[Drive]) -> Option<u32> {
    drives
        .iter()
        .filter(|drive| drive.present)
        .filter_map(|drive| drive.score.score)
        .min()
}

impl HostView {
    /// How `host` is; its drives are among `drives`.
    pub(crate) fn of(host: &Host, drives: &[Drive]) -> Self {
        let own: Vec<Drive> = drives
            .iter()
            .filter(|drive| drive.hostname == host.hostname)
            .cloned()
            .collect();
        Self {
            hostname: host.hostname.clone(),
            own: host.hostname == THIS_BOX,
            agent_id: (host.hostname != THIS_BOX).then_some(host.agent_id),
            agent_version: host.agent_version.clone(),
            first_seen: host.first_seen,
            last_seen: host.last_seen,
            last_report: host.last_report,
            reports: host.reports,
            silent: host.alerts.contains_key(&Kind::HostSilent),
            alerts: alerts(&host.alerts),
            rejected: host.rejected.clone(),
            led_identify: host.led_identify && !host.listen_addr.is_empty(),
            drives_count: own.len(),
            health: HealthTotals::of(&own),
            score: lowest(&own),
        }
    }
}

/// The hosts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Hosts {
    /// How many.
    pub count: usize,
    /// This box before those that report to it.
    pub hosts: Vec<HostView>,
}

/// A drive over time, in pairs of seconds since 1970 and a value.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostDriveLines {
    /// Who it is.
    #[serde(flatten)]
    pub who: HostDriveIdentity,
    /// 0 to 100.
    #[schema(value_type = Vec<(i64, f64)>)]
    pub score: Line,
    /// Degrees Celsius.
    #[schema(value_type = Vec<(i64, f64)>)]
    pub temperature: Line,
    /// Percent of the rated life.
    #[schema(value_type = Vec<(i64, f64)>)]
    pub wear: Line,
}

/// A host's drives over time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostHistory {
    /// The host.
    #[serde(flatten)]
    pub host: HostView,
    /// Its drives.
    pub drives: Vec<HostDriveLines>,
}

/// Most characters of a fingerprint that are told, and never more than half of it: of the 128 bits of a machine's id (`mid:` before
/// it) 80 stay untold.
const PRINT: usize = 16;

/// An enrolled host agent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostAgent {
    /// Number.
    pub id: u64,
    /// Its computer.
    pub hostname: String,
    /// Name for people.
    pub name: String,
    /// The beginning of what it calls its machine: with the whole of it and the key anybody could register as it.
    pub fingerprint: String,
    /// Its Ed25519 public key in base64.
    pub public_key: String,
    /// Always true.
    pub enabled: bool,
    /// When it was enrolled.
    #[schema(value_type = String, format = DateTime)]
    pub registered_at: Time,
    /// When it last proved its key.
    #[schema(value_type = String, format = DateTime)]
    pub last_auth_at: Time,
    /// When it last reported.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub last_seen_at: Option<Time>,
}

impl From<&Agent> for HostAgent {
    fn from(agent: &Agent) -> Self {
        Self {
            id: agent.id,
            hostname: agent.hostname.clone(),
            name: agent.name.clone(),
            fingerprint: {
                let told = PRINT.min(agent.fingerprint.chars().count() / 2);
                agent.fingerprint.chars().take(told).collect()
            },
            public_key: agent.public_key.clone(),
            enabled: true,
            registered_at: agent.registered_at,
            last_auth_at: agent.last_auth_at,
            last_seen_at: agent.last_seen_at,
        }
    }
}

/// The enrolled host agents.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostAgents {
    /// How many.
    pub count: usize,
    /// The agents.
    pub agents: Vec<HostAgent>,
}

/// A host agent that may report.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostAgentAdmitted {
    /// Its number.
    pub agent_id: u64,
    /// Its computer.
    pub hostname: String,
    /// What it authenticates its reports with.
    pub session_token: String,
    /// When that ends, to the second.
    #[schema(format = DateTime)]
    pub session_expires: String,
    /// The key with which this box signs, in base64.
    pub server_public_key: String,
}

/// The key with which this box signs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerKey {
    /// 32 bytes of Ed25519 in base64.
    pub public_key: String,
}

/// A token for a host agent, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostToken {
    /// Number.
    pub id: u64,
    /// Name for people.
    pub name: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// When it ends; null for never.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub expires_at: Option<Time>,
    /// When it was used.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub used_at: Option<Time>,
    /// By which agent.
    #[schema(required)]
    pub used_by_agent_id: Option<u64>,
}

impl From<&Token> for HostToken {
    fn from(token: &Token) -> Self {
        Self {
            id: token.id,
            name: token.name.clone(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            used_at: token.used_at,
            used_by_agent_id: token.used_by,
        }
    }
}

/// The tokens for host agents.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostTokens {
    /// How many.
    pub count: usize,
    /// The tokens.
    pub tokens: Vec<HostToken>,
}

/// A token that was made for a host agent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostTokenMade {
    /// The token.
    #[serde(flatten)]
    pub view: HostToken,
    /// The secret, shown this once.
    pub token: String,
}

/// How often host agents report.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportInterval {
    /// Seconds.
    pub value: u64,
    /// Seconds that can be chosen.
    pub choices: Vec<u64>,
}
