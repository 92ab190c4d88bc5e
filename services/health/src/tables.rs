//! What is kept: hosts, their drives, the drives' histories, agents, tokens, and events that wait to be logged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use store::Table;
use wire::Time;
use wire::event::NewEvent;

use crate::alert::Alerts;
use crate::book::Packed;
use crate::enrol::{Agent, Token};
use crate::known::Spec;
use crate::reading::Reading;
use crate::score::Score;

/// Names of all tables of this crate, for the store's options.
pub const NAMES: &[&str] = &[
    "health_agents",
    "health_drives",
    "health_hosts",
    "health_last",
    "health_outbox",
    "health_points",
    "health_specs",
    "health_tokens",
];

/// Of these, what is on its way at this moment, or comes anew with each host's next report: no backup takes it along.
pub const PASSING: &[&str] = &["health_last", "health_outbox"];

/// Hosts by name.
pub const HOSTS: Table<String, Host> = Table::new("health_hosts");
/// The last report of each host as it came, by the host's name.
pub const LAST: Table<String, Packed> = Table::new("health_last");
/// Drives by [`drive_id`].
pub const DRIVES: Table<String, Drive> = Table::new("health_drives");
/// Histories: drive, seconds since 1970.
pub const POINTS: Table<(String, u64), Point> = Table::new("health_points");
/// Agents by number.
pub const AGENTS: Table<u64, Agent> = Table::new("health_agents");
/// Tokens by number.
pub const TOKENS: Table<u64, Token> = Table::new("health_tokens");
/// What makers rate models for, as people told it, by model.
pub const SPECS: Table<String, Spec> = Table::new("health_specs");
/// Events on their way to the log: written with what they tell, taken away when they are logged.
pub const OUTBOX: Table<u64, NewEvent> = Table::new("health_outbox");
/// Running numbers, shared with the rest of the store.
pub(crate) const NUMBERS: Table<String, u64> = Table::new("numbers");

/// Takes out of a table every entry that this version cannot read; the others stay. `None` where all can be read, or it is no table
/// of this crate.
///
/// # Errors
/// When the medium does not take them; then they stay.
pub fn take_out(store: &store::Store, table: &str) -> store::Result<Option<store::TakenOut>> {
    match table {
        "health_agents" => store.take_out_unreadable(&AGENTS),
        "health_drives" => store.take_out_unreadable(&DRIVES),
        "health_hosts" => store.take_out_unreadable(&HOSTS),
        "health_last" => store.take_out_unreadable(&LAST),
        "health_outbox" => store.take_out_unreadable(&OUTBOX),
        "health_points" => store.take_out_unreadable(&POINTS),
        "health_specs" => store.take_out_unreadable(&SPECS),
        "health_tokens" => store.take_out_unreadable(&TOKENS),
        "numbers" => store.take_out_unreadable(&NUMBERS),
        _ => Ok(None),
    }
}

/// Most hosts.
pub const HOSTS_MAX: u64 = 200;
/// Most drives of all hosts; with their histories of at most 600 points of 350 bytes they take 110 MB at worst.
pub const DRIVES_MAX: u64 = 512;
/// Of these, most of this box itself: a bench sees hundreds in a year; those longest gone make place.
pub const OWN_MAX: u64 = 256;
/// And most of other computers: what they report takes no room from the box's own.
pub const OTHERS_MAX: u64 = DRIVES_MAX - OWN_MAX;
/// Most agents, and most tokens.
pub const ENROLLED_MAX: u64 = 500;
/// Most ratings told by people.
pub const SPECS_MAX: u64 = 1000;

/// A host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Name.
    pub hostname: String,
    /// Agent that reports for it.
    pub agent_id: u64,
    /// Version of that agent.
    pub agent_version: String,
    /// First report.
    pub first_seen: Time,
    /// When the last report arrived, by the server's clock.
    pub last_seen: Time,
    /// When the drives of the last report were read, by the host's clock.
    pub last_report: Time,
    /// Seconds until its next report, as it was told in answer to the last one; `None` where an earlier version took that.
    #[serde(default)]
    pub told_interval: Option<u64>,
    /// Reports taken.
    pub reports: u64,
    /// Why drives of the last report were not taken.
    pub rejected: Vec<String>,
    /// Whether it can blink a light.
    pub led_identify: bool,
    /// Where it says that it listens.
    pub listen_addr: String,
    /// Where its last report came from.
    pub address: Option<IpAddr>,
    /// ZFS part of its last report; null without.
    #[serde(default)]
    pub zfs: serde_json::Value,
    /// Alerts about the host itself.
    pub alerts: Alerts,
    /// Alerts about its ZFS pools, by name.
    #[serde(default)]
    pub pools: BTreeMap<String, Alerts>,
    /// Keys of the drives without room that were told as failing.
    #[serde(default)]
    pub told: BTreeSet<String>,
}

/// A drive of a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drive {
    /// Its key.
    pub id: String,
    /// Its host.
    pub hostname: String,
    /// Name that a person gave it.
    #[serde(default)]
    pub alias: String,
    /// First report of it.
    pub first_seen: Time,
    /// Newest report of it.
    pub last_seen: Time,
    /// Whether the host's last report had it.
    pub present: bool,
    /// Reports of it.
    pub reports: u64,
    /// What it said last.
    pub reading: Reading,
    /// Its score.
    pub score: Score,
    /// Its alerts.
    pub alerts: Alerts,
}

/// One moment of a drive's history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Counts by attribute key.
    #[serde(rename = "v")]
    pub values: BTreeMap<String, u64>,
    /// Degrees Celsius.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<i64>,
    /// Score.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub score: Option<u32>,
    /// Percent of rated life used.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub wear: Option<f64>,
    /// Bytes written.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub written: Option<u64>,
}

/// The key of a drive: host, model and serial number; where it tells no serial, its device name.
pub fn drive_id(hostname: &str, reading: &Reading) -> String {
    use sha2::{Digest, Sha256};
    let own = if reading.serial.is_empty() {
        &reading.device
    } else {
        &reading.serial
    };
    let mut hash = Sha256::new();
    for part in [hostname, &reading.model, own] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..8])
}
