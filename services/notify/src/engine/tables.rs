//! What is kept on the medium.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use store::{Store, Table, TakenOut, View};
use utoipa::ToSchema;
use wire::Time;
use wire::event::Severity;

use crate::message::{Message, cut};
use crate::service::Service;

/// Names of the tables, for the store's list.
pub const NAMES: [&str; 7] = [
    "alert-collected",
    "alert-history",
    "alert-open",
    "alert-queue",
    "alert-services",
    "alert-state",
    "alert-told",
];

/// Of these, what is under way at this moment and ends with it: no backup takes it along, for months later it would tell
/// people of what was.
pub const PASSING: [&str; 3] = ["alert-collected", "alert-open", "alert-queue"];

/// The channels that people made.
pub(super) const SERVICES: Table<u64, Service> = Table::new("alert-services");

/// What waits to be sent.
pub(super) const QUEUE: Table<u64, Waiting> = Table::new("alert-queue");

/// Most that waits for one channel; then the oldest that is not critical is given up, and said so in the history. A
/// message has about 2 kB: with 50 channels at most 50 MB, and that only when every one of them is away for days.
pub(super) const QUEUE_MAX: usize = 500;

/// What was sent, or not.
pub(super) const HISTORY: Table<u64, Delivery> = Table::new("alert-history");

/// Entries kept of the history; at about 500 bytes each, 1 MB.
pub(super) const HISTORY_MAX: u64 = 2000;

/// Longest line of the history about a message, in characters.
const LINE_MAX: usize = 500;

/// What a digest collects, by channel.
pub(super) const COLLECTED: Table<(String, u64), Line> = Table::new("alert-collected");

/// Lines of one digest; the number of those before them is told.
pub(super) const COLLECTED_MAX: u64 = 300;

/// Time at which a key was told last, for cool-downs.
pub(super) const TOLD: Table<String, Time> = Table::new("alert-told");

/// When a key of [`TOLD`] was told last. One that cannot be read silences nobody.
pub(super) fn recall(view: &impl View, key: &str) -> Option<Time> {
    let found = TOLD.get(view, key);
    found
        .inspect_err(|error| tracing::warn!(%error, "a cool-down was not read"))
        .ok()
        .flatten()
}

/// Keys remembered.
pub(super) const TOLD_MAX: u64 = 5000;

/// Single values: the place in the event log, and when each digest is due.
pub(super) const STATE: Table<String, serde_json::Value> = Table::new("alert-state");

/// Key of the last event that was looked at.
pub(super) const CURSOR: &str = "cursor";

/// Key under which it stands when a channel's digest is due.
pub(super) fn due_key(service: u64) -> String {
    format!("due:{service}")
}

/// Key under which it stands how many lines a digest had to leave out.
pub(super) fn dropped_key(service: u64) -> String {
    format!("dropped:{service}")
}

/// One message that waits for one channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub service: u64,
    pub message: Message,
    /// Attempts made.
    pub attempts: u32,
    /// Of these, those before a person mended the channel: the waits begin anew then.
    #[serde(default)]
    pub before: u32,
    /// Attempts since then that were answered with a redirect.
    #[serde(default)]
    pub redirects: u32,
    /// Not before this.
    pub next: Time,
    /// Targets that have it.
    pub done: BTreeSet<String>,
    /// Its line in the history.
    pub history: u64,
}

/// One line of a digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    pub time: Time,
    pub severity: Severity,
    pub title: String,
    pub text: String,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertStatus)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It waits for its first attempt.
    Pending,
    /// It waits for another.
    Retrying,
    /// The service took it.
    Sent,
    /// It was given up.
    Failed,
}

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertDelivery)]
pub struct Delivery {
    /// Number.
    pub id: u64,
    /// Number of the channel.
    pub setting_id: u64,
    /// Its name then.
    pub service_name: String,
    /// The event's kind, `test` or `digest`.
    pub event_type: String,
    /// Where.
    pub hostname: String,
    /// Of which drive.
    pub serial_number: String,
    /// In a line: `[severity] [host] message`, as existing dashboards show it; at most 500 characters.
    pub message: String,
    /// What became of it.
    pub status: Status,
    /// Attempts made.
    pub attempts: u32,
    /// The service's words when it did not take it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error_message: String,
    /// The service's words when it did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub answer: String,
    /// When it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sent_at: Option<Time>,
    /// When it is tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<Time>,
    /// When it was queued.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
}

impl Delivery {
    /// The first line about a message.
    pub(super) fn of(service: &Service, message: &Message, now: Time) -> Self {
        Self {
            id: 0,
            setting_id: service.id,
            service_name: service.name.clone(),
            event_type: message.event_type.clone(),
            hostname: message.host.clone(),
            serial_number: message.serial.clone(),
            message: cut(&message.line(), LINE_MAX),
            status: Status::Pending,
            attempts: 0,
            error_message: String::new(),
            answer: String::new(),
            sent_at: None,
            next_at: Some(now),
            created_at: now,
        }
    }
}

/// Takes out of a table every entry that this version cannot read; the others stay. `None` where all can be read, or it is no table
/// of this crate.
///
/// # Errors
/// When the medium does not take them; then they stay.
pub fn take_out(store: &Store, table: &str) -> store::Result<Option<TakenOut>> {
    match table {
        "alert-collected" => store.take_out_unreadable(&COLLECTED),
        "alert-history" => store.take_out_unreadable(&HISTORY),
        "alert-open" => store.take_out_unreadable(&super::escalation::ALERTS),
        "alert-queue" => store.take_out_unreadable(&QUEUE),
        "alert-services" => store.take_out_unreadable(&SERVICES),
        "alert-state" => store.take_out_unreadable(&STATE),
        "alert-told" => store.take_out_unreadable(&TOLD),
        _ => Ok(None),
    }
}
