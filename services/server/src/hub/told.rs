//! Events that add-ons told already, by the numbers that they gave them.
//!
//! The protocol has no receipt for a notification: an add-on whose server dies between reading one and answering the ping
//! behind it tells it again. Ours gives each a `metadata.event_id`, the same both times. The event log remembers them over the
//! server's end: what was committed is not told twice, what was not is told.

use std::collections::{BTreeMap, VecDeque};

use wire::Event;

/// Ids remembered of one add-on. Source: the built-in agent sends 64 events before it waits for an answer.
const EACH: usize = 128;

/// Longest id in bytes; a longer one is no id.
const LONGEST: usize = 64;

/// Newest events of the log that are looked through at start: more than add-ons can have told since their last answer.
pub const READ: usize = 2_000;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Told(BTreeMap<u64, VecDeque<String>>);

impl Told {
    /// What the newest events of the log tell, oldest first.
    pub fn of<'a>(events: impl Iterator<Item = &'a Event>) -> Self {
        let mut told = Self::default();
        for event in events.filter(|event| event.kind == "addon.notification") {
            let (addon, id) = (&event.data["addon_id"], &event.data["metadata"]["event_id"]);
            if let (Some(addon), Some(id)) = (addon.as_u64(), id.as_str()) {
                told.is_new(addon, Some(id));
            }
        }
        told
    }

    /// Whether an event of `addon` is new; one without an id always is.
    pub fn is_new(&mut self, addon: u64, id: Option<&str>) -> bool {
        let Some(id) = id.filter(|id| (1..=LONGEST).contains(&id.len())) else {
            return true;
        };
        let known = self.0.entry(addon).or_default();
        if known.iter().any(|known| known == id) {
            return false;
        }
        if known.len() == EACH {
            known.pop_front();
        }
        known.push_back(id.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_counts_once_for_each_add_on_and_the_oldest_are_forgotten() {
        let mut told = Told::default();
        assert!(told.is_new(2, Some("1-job_started")) && told.is_new(3, Some("1-job_started")));
        assert!(!told.is_new(2, Some("1-job_started")));
        for nameless in [None, Some(""), Some("x".repeat(65).as_str())] {
            assert!(told.is_new(2, nameless) && told.is_new(2, nameless));
        }
        for n in 0..EACH {
            assert!(told.is_new(2, Some(&format!("{n}"))));
        }
        assert!(told.is_new(2, Some("1-job_started")) && !told.is_new(3, Some("1-job_started")));
    }
}
