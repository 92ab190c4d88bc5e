//! The one event: everything that happens and is kept.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::canonical::{self, NotCanonical};
use crate::{DriveId, JobId, Time};

/// One thing that happened, as it stands in the log and goes to every listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Event {
    /// Position in the log, from 1; without gaps.
    #[ts(as = "f64")]
    pub seq: u64,
    /// Unique id.
    pub id: String,
    /// `noun.verb`: `drive.added`, `job.started`, `job.passed`, `unit.restarted` …
    #[serde(rename = "type")]
    pub kind: String,
    /// When, UTC.
    #[schema(value_type = String, format = DateTime)]
    pub ts: Time,
    /// How much it matters.
    pub severity: Severity,
    /// Who or what did it.
    pub actor: Actor,
    /// The job it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// The drive it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drive: Option<DriveId>,
    /// In a sentence, for people.
    pub message: String,
    /// Facts for programs.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    #[ts(type = "unknown")]
    pub data: serde_json::Value,
    /// Hash of the event before, hexadecimal; 64 zeros for the first.
    pub prev_hash: String,
    /// SHA-256, hexadecimal, over the text of `prev_hash` followed by the RFC 8785 form of this event without `prev_hash` and
    /// `hash`.
    pub hash: String,
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A fact of life.
    Info,
    /// Someone should know.
    Warning,
    /// Someone must act.
    Critical,
}

impl Severity {
    /// The severity that a word means, in capitals or not, also one of those that other programs have for it.
    pub fn of_word(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().as_str() {
            "info" | "notice" => Some(Self::Info),
            "warning" | "warn" => Some(Self::Warning),
            "critical" | "crit" | "error" | "err" | "fatal" | "alert" | "emergency" | "emerg" | "panic" => {
                Some(Self::Critical)
            }
            _ => None,
        }
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Who or what did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Actor {
    /// `person`, `agent`, `server`, `supervisor`, `addon`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl Actor {
    /// Whoever has this kind and name.
    pub fn new(kind: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// An event that has no place in the log yet: what makers of events hand over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct NewEvent {
    /// As [`Event::kind`].
    #[serde(rename = "type")]
    pub kind: String,
    /// As [`Event::severity`].
    pub severity: Severity,
    /// As [`Event::job`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// As [`Event::drive`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drive: Option<DriveId>,
    /// As [`Event::message`].
    pub message: String,
    /// As [`Event::data`].
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    #[ts(type = "unknown")]
    pub data: serde_json::Value,
    /// Number that the agent gave it: rising, never used twice, also after the agent lost its store. The agent
    /// sends an event again until the server tells in its `hello` that it has seen that number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(as = "Option<f64>")]
    pub origin: Option<u64>,
}

impl NewEvent {
    /// An event of no job and no drive; who knows them adds them.
    pub fn new(kind: &str, severity: Severity, message: String, data: serde_json::Value) -> Self {
        Self {
            kind: kind.to_owned(),
            severity,
            job: None,
            drive: None,
            message,
            data,
            origin: None,
        }
    }
}

/// `prev_hash` of the first event.
pub const FIRST_PREV_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl Event {
    /// Gives a new event its place: number, time, and the chain's hashes. Whole numbers that not every reader takes exactly
    /// become texts.
    pub fn seal(new: NewEvent, seq: u64, ts: Time, actor: Actor, prev_hash: &str) -> Self {
        let mut event = Self {
            seq,
            id: uuid::Uuid::now_v7().to_string(),
            kind: new.kind,
            ts,
            severity: new.severity,
            actor,
            job: new.job,
            drive: new.drive,
            message: new.message,
            data: canonical::told(new.data),
            prev_hash: prev_hash.to_owned(),
            hash: String::new(),
        };
        event.hash = event.own_hash().unwrap_or_default();
        event
    }

    /// Whether it is as it was sealed.
    pub fn is_sealed(&self) -> bool {
        self.own_hash().is_ok_and(|hash| hash == self.hash)
    }

    /// Whether it is as versions before RFC 8785 sealed it: over its members in their order here, `hash` empty.
    pub fn is_sealed_earlier(&self) -> bool {
        let bare = Self {
            hash: String::new(),
            ..self.clone()
        };
        serde_json::to_string(&bare).is_ok_and(|text| self.chained(&text) == self.hash)
    }

    fn own_hash(&self) -> Result<String, NotCanonical> {
        let mut rest = serde_json::to_value(self).map_err(NotCanonical::NoJson)?;
        if let Some(members) = rest.as_object_mut() {
            members.remove("prev_hash");
            members.remove("hash");
        }
        Ok(self.chained(&canonical::of_value(&rest)?))
    }

    fn chained(&self, text: &str) -> String {
        let hash = Sha256::new().chain_update(&self.prev_hash).chain_update(text);
        hex::encode(hash.finalize())
    }
}

/// Event types that the server alone tells. Source: Vigil, event types.
const SERVER_ONLY: [&str; 2] = ["addon_degraded", "addon_online"];

/// First words of our own kinds of event; nothing that comes from an add-on shall look like one of them.
const NOUNS: [&str; 26] = [
    "addon",
    "agent",
    "alert",
    "bay",
    "box",
    "certificate",
    "drive",
    "health",
    "host",
    "job",
    "log",
    "node",
    "notify",
    "notification",
    "person",
    "plan",
    "playbook",
    "plugin",
    "server",
    "session",
    "store",
    "task",
    "terminal",
    "unit",
    "update",
    "user",
];

/// Letters alone, small: what stands between them may be anything, also what nobody sees.
fn letters(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Whether an add-on's notification may not bear this event type, because it is the server's own word.
pub fn server_only(event_type: &str) -> bool {
    let plain = letters(event_type);
    SERVER_ONLY.iter().any(|word| letters(word) == plain)
}

/// An add-on's event type that looks like a kind of ours, as one that does not.
pub fn unlike_ours(event_type: &str) -> Option<String> {
    let marks = ['.', ':', '/'];
    let (noun, _) = event_type.split_once(marks)?;
    NOUNS
        .contains(&letters(noun).as_str())
        .then(|| event_type.replace(marks, "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_server_tells_is_known_in_every_spelling() {
        for word in [
            "addon_degraded",
            "addon_online",
            " Addon_Degraded\n",
            "addon-online",
            "addon__degraded",
            "addon\u{200b}_degraded",
            "Addon Online\u{feff}",
            "addon.online",
        ] {
            assert!(server_only(word), "{word}");
        }
        for word in [
            "",
            "job_complete",
            "burnin_passed",
            "smart_warning",
            "my.event",
            "jobs.done",
            "addon",
            "job.passed",
        ] {
            assert!(!server_only(word), "{word}");
        }
        for (word, taken) in [
            ("job.passed", Some("job_passed")),
            ("jo\u{ad}b.passed", Some("jo\u{ad}b_passed")),
            ("Unit:failed/late", Some("Unit_failed_late")),
            ("my.event", None),
            ("jobs.done", None),
            ("job_failed", None),
            ("", None),
        ] {
            assert_eq!(unlike_ours(word).as_deref(), taken, "{word}");
        }
    }

    #[test]
    fn a_severity_is_known_in_every_spelling() {
        for (word, severity) in [
            ("CRITICAL", Some(Severity::Critical)),
            (" Error\n", Some(Severity::Critical)),
            ("fatal", Some(Severity::Critical)),
            ("alert", Some(Severity::Critical)),
            ("Panic", Some(Severity::Critical)),
            ("Warn", Some(Severity::Warning)),
            ("info", Some(Severity::Info)),
            ("", None),
            ("loud", None),
        ] {
            assert_eq!(Severity::of_word(word), severity, "{word:?}");
        }
        for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
            assert_eq!(Severity::of_word(severity.word()), Some(severity));
        }
    }

    #[test]
    fn a_changed_event_no_longer_fits_its_hash() {
        let new = NewEvent {
            kind: "job.passed".into(),
            severity: Severity::Info,
            job: None,
            drive: None,
            message: "passed".into(),
            data: serde_json::json!({ "b": 1, "a": [2, 3] }),
            origin: None,
        };
        let actor = Actor {
            kind: "agent".into(),
            name: "agent".into(),
        };
        let event = Event::seal(new, 1, Time::UNIX_EPOCH, actor, FIRST_PREV_HASH);
        assert!(event.is_sealed() && !event.is_sealed_earlier());
        let forged = Event {
            message: "failed".into(),
            ..event.clone()
        };
        assert!(!forged.is_sealed());
    }

    /// The table that the dashboard and `tests/chain.py` run, too.
    #[test]
    fn events_of_the_table_of_all_readers_hold() {
        let table: serde_json::Value =
            serde_json::from_str(include_str!("../cases/canonical.json")).unwrap_or_default();
        let events: Vec<Event> = serde_json::from_value(table["events"].clone()).unwrap_or_default();
        assert_eq!(events.len(), 3);
        for event in events {
            assert!(event.is_sealed(), "{event:?}");
        }
    }

    #[test]
    fn a_number_that_not_everybody_reads_is_sealed_as_a_text() {
        let data = serde_json::json!({ "raw": u64::MAX });
        let new = NewEvent::new("drive.smart", Severity::Info, "m".into(), data);
        let event = Event::seal(new, 1, Time::UNIX_EPOCH, Actor::new("agent", "agent"), FIRST_PREV_HASH);
        assert_eq!(event.data["raw"], "18446744073709551615");
        assert!(event.is_sealed());
        let bare = Event {
            data: serde_json::json!({ "raw": u64::MAX }),
            hash: String::new(),
            ..event
        };
        assert!(!bare.is_sealed(), "what has no canonical form is sealed by nobody");
    }
}
