//! What stays as it is when a backup is put back: what the server has heard of this boot and of this box's agent.
//!
//! It is in no backup. By what an earlier boot or another box knew, this boot and all restarts in it would be told once more, days
//! later, and events that the agent has not told yet would count as told.

use serde_json::Value;
use store::{Row, Store};

use crate::scribe::{EVENTS_SEEN, SUPERVISOR};
use crate::tables::STATE;

/// Their keys in the state table.
const KEYS: [&str; 2] = [EVENTS_SEEN, SUPERVISOR];

/// What of it a store has.
#[derive(Debug, Default)]
pub struct Stays(Vec<(&'static str, Value)>);

impl Stays {
    /// That of a store; what cannot be read is told anew.
    pub fn of(store: &Store) -> Self {
        let entry = |key| match store.read(|r| STATE.get(r, key)) {
            Ok(value) => value.map(|value| (key, value)),
            Err(error) => {
                tracing::warn!(%error, key, "what was heard of this boot is not known any more");
                None
            }
        };
        Self(KEYS.into_iter().filter_map(entry).collect())
    }

    /// Puts it into a store that has none of it.
    pub(super) fn put(self, store: &Store) -> store::Result<()> {
        let put = move |w: &mut store::Write<'_, '_>| {
            let mut all = self.0.iter();
            all.try_for_each(|(key, value)| STATE.put(w, *key, value))
        };
        store.write(put).wait()
    }
}

/// Whether a row is of it.
pub(super) fn is_its(row: &Row) -> bool {
    row.table == STATE.name() && KEYS.iter().any(|key| row.key == key.as_bytes())
}
