//! Events that add-ons told already, by the numbers that they gave them.
//!
//! The protocol has no receipt for a notification: an add-on whose server dies between reading one and answering the ping
//! behind it tells it again. Ours gives each a `metadata.event_id`, the same both times, and the same words. The event log remembers them over the
//! server's end: what was committed is not told twice, what was not is told.

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest, Sha256};
use wire::Event;
use wire::event::Severity;

/// What the number is called in an event's metadata.
pub const EVENT_ID: &str = "event_id";

/// Ids remembered of one add-on. Source: the built-in agent sends 64 events before it waits for an answer.
const EACH: usize = 128;

/// Longest id in bytes; a longer one is no id.
const LONGEST: usize = 64;

/// Newest events of the log that are looked through at start: more than add-ons can have told since their last answer.
pub const READ: usize = 2_000;

/// What tells one event from another: SHA-256 of its id and its words. Another event under the same id is another event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling([u8; 32]);

impl Telling {
    /// Of an event with an id; without one nobody knows whether it is told again.
    pub fn of(id: Option<&str>, event_type: &str, severity: Severity, message: &str) -> Option<Self> {
        let id = id.filter(|id| (1..=LONGEST).contains(&id.len()))?;
        let words = serde_json::json!([id, event_type, severity, message]).to_string();
        Some(Self(Sha256::digest(words).into()))
    }

    /// Of an event in the log.
    fn of_event(event: &Event) -> Option<Self> {
        let text = |value: &'_ serde_json::Value| value.as_str().unwrap_or("").to_owned();
        let named = format!("{}: ", text(&event.data["addon_name"]));
        let message = event.message.strip_prefix(&named).unwrap_or(&event.message);
        let id = event.data["metadata"][EVENT_ID].as_str();
        Self::of(id, &text(&event.data["event_type"]), event.severity, message)
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Told(BTreeMap<u64, VecDeque<Telling>>);

impl Told {
    /// What the newest events of the log tell, oldest first.
    pub fn of<'a>(events: impl Iterator<Item = &'a Event>) -> Self {
        let mut told = Self::default();
        for event in events.filter(|event| event.kind == "addon.notification") {
            if let (Some(addon), Some(telling)) = (event.data["addon_id"].as_u64(), Telling::of_event(event))
                && !told.knows(addon, &telling)
            {
                told.remember(addon, telling);
            }
        }
        told
    }

    /// Whether `addon` told this already.
    pub fn knows(&self, addon: u64, telling: &Telling) -> bool {
        self.0.get(&addon).is_some_and(|known| known.contains(telling))
    }

    /// Keeps in mind that `addon` told this.
    pub fn remember(&mut self, addon: u64, telling: Telling) {
        let known = self.0.entry(addon).or_default();
        if known.len() == EACH {
            known.pop_front();
        }
        known.push_back(telling);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telling(id: &str) -> Option<Telling> {
        Telling::of(Some(id), "job_started", Severity::Info, "m")
    }

    #[test]
    fn an_id_counts_once_for_each_add_on_and_the_oldest_are_forgotten() {
        let mut told = Told::default();
        let mut is_new = |addon, id: &str| {
            let Some(telling) = telling(id) else { return true };
            let is_new = !told.knows(addon, &telling);
            if is_new {
                told.remember(addon, telling);
            }
            is_new
        };
        assert!(is_new(2, "1-job_started") && is_new(3, "1-job_started"));
        assert!(!is_new(2, "1-job_started"));
        for nameless in ["", "x".repeat(65).as_str()] {
            assert!(is_new(2, nameless) && is_new(2, nameless));
        }
        for n in 0..EACH {
            assert!(is_new(2, &format!("{n}")));
        }
        assert!(is_new(2, "1-job_started") && !is_new(3, "1-job_started"));
    }

    #[test]
    fn another_event_under_the_same_id_is_another_event() {
        let first = telling("x");
        assert_eq!(first, telling("x"));
        for other in [
            Telling::of(Some("y"), "job_started", Severity::Info, "m"),
            Telling::of(Some("x"), "job_failed", Severity::Info, "m"),
            Telling::of(Some("x"), "job_started", Severity::Critical, "m"),
            Telling::of(Some("x"), "job_started", Severity::Info, "n"),
            Telling::of(None, "job_started", Severity::Info, "m"),
        ] {
            assert_ne!(first, other);
        }
    }
}
