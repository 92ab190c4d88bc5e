//! What is kept on the medium: the names of all tables and what is in those that no other module owns.
//!
//! | table | key | value |
//! |---|---|---|
//! | `credentials` | see [`crate::auth::credential`] | credential |
//! | `drive-groups` | number | [`crate::groups::Group`] |
//! | `events` | sequence number | [`wire::Event`], hash-chained |
//! | `jobs` | job id (sorts by time) | [`wire::job::Job`], its last known state |
//! | `joblog` | job id, number | [`wire::frame::LogLine`] |
//! | `acknowledged` | job id | [`crate::acknowledged::Entry`]: who has seen which end of it |
//! | `certificates` | job id | the certificate's text, byte for byte as it was signed |
//! | `seals` | certificate id | [`wire::boxes::CertificateEntry`]: what is listed of it, with its revocation |
//! | `addons` | number | [`crate::addon::Addon`] |
//! | `addons-seen` | number | when it was heard last |
//! | `alert-…` | | see [`notify::engine`] |
//! | `state` | word | whatever the word says, as JSON |
//! | `numbers` | word | running numbers |
//! | `health_…` | | see [`health::tables`] |

use store::{Store, Table, TakenOut};
use wire::Event;
use wire::boxes::CertificateEntry;
use wire::frame::LogLine;
use wire::job::Job;

/// Names of all tables.
pub const NAMES: &[&str] = &[
    "acknowledged",
    "addons",
    "addons-seen",
    "alert-collected",
    "alert-history",
    "alert-open",
    "alert-queue",
    "alert-services",
    "alert-state",
    "alert-told",
    "certificates",
    "credentials",
    "drive-groups",
    "events",
    "health_agents",
    "health_drives",
    "health_hosts",
    "health_last",
    "health_outbox",
    "health_points",
    "health_specs",
    "health_tokens",
    "joblog",
    "jobs",
    "numbers",
    "seals",
    "state",
];

/// Version of the meaning of what is stored. A file of another version is set aside, and said so.
pub const SCHEMA: u32 = 1;

/// Largest size of the store in bytes; above four fifths of it the oldest events and log lines go.
pub const MAP_SIZE: usize = 256 << 20;

/// The event log.
pub const EVENTS: Table<u64, Event> = Table::new("events");

/// Events kept at most, fewer where the store fills; at about 600 bytes each, 30 MB.
pub const EVENTS_MAX: u64 = 50_000;

/// The jobs.
pub const JOBS: Table<String, Job> = Table::new("jobs");

/// Jobs kept; with full findings one takes up to 60 kB, mostly far less. Past it the oldest go, failures that stand the last of them
/// ([`crate::last_words::to_go`]).
pub const JOBS_MAX: usize = 1000;

/// Log lines of the jobs.
pub const JOB_LOG: Table<(String, u64), LogLine> = Table::new("joblog");

/// Log lines kept of one job.
pub const JOB_LOG_MAX: u64 = 2000;

/// Running numbers, by what they count; none comes twice.
pub const NUMBERS: Table<String, u64> = Table::new("numbers");

/// Single values.
pub const STATE: Table<String, serde_json::Value> = Table::new("state");

/// Certificates, one a job at most; they go with their job.
pub const CERTIFICATES: Table<String, String> = Table::new("certificates");

/// What is listed of the certificates, by their own ids.
pub const SEALS: Table<String, CertificateEntry> = Table::new("seals");

/// Entries kept in the list: each outlives its job, so that a revocation stays known; at 500 bytes each, 2 MB.
pub const SEALS_MAX: usize = 4000;

/// Takes out of a table every entry that this version cannot read; the others stay. `None` where all can be read, or nobody knows
/// what the table holds.
///
/// # Errors
/// When the medium does not take them; then they stay.
pub fn take_out(store: &Store, table: &str) -> store::Result<Option<TakenOut>> {
    match table {
        "acknowledged" => store.take_out_unreadable(&crate::acknowledged::ACKNOWLEDGED),
        "addons" => store.take_out_unreadable(&crate::addon::ADDONS),
        "addons-seen" => store.take_out_unreadable(&crate::addon::SEEN),
        "certificates" => store.take_out_unreadable(&CERTIFICATES),
        "credentials" => store.take_out_unreadable(&crate::auth::credential::CREDENTIALS),
        "drive-groups" => store.take_out_unreadable(&crate::groups::GROUPS),
        "events" => store.take_out_unreadable(&EVENTS),
        "joblog" => store.take_out_unreadable(&JOB_LOG),
        "jobs" => store.take_out_unreadable(&JOBS),
        "seals" => store.take_out_unreadable(&SEALS),
        "state" => store.take_out_unreadable(&STATE),
        other => match notify::engine::take_out(store, other)? {
            Some(taken) => Ok(Some(taken)),
            None => health::tables::take_out(store, other),
        },
    }
}
