//! The backup that a person has brought and not put back yet.
//!
//! It lies on the medium without a name, takes as much room as it has, and stands in no listing: of who does not come back with its
//! passphrase it is dropped after a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::backup::Held;

/// How long it waits: whoever has brought it looks up a passphrase, and no more.
const WAITS: Duration = Duration::from_hours(1);

/// Where it is kept: one at a time.
#[derive(Debug, Default)]
pub(crate) struct Brought(Mutex<Option<Waiting>>);

/// One that waits.
#[derive(Debug)]
struct Waiting {
    whose: String,
    held: Held,
    /// Since when, by the clock that only goes forward.
    since: Duration,
}

impl Brought {
    fn change<T>(&self, change: impl FnOnce(&mut Option<Waiting>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has what `whose` brought wait, in place of any before.
    pub(crate) fn keep(&self, whose: String, held: Held, now: Duration) {
        let since = now;
        self.change(|waiting| *waiting = Some(Waiting { whose, held, since }));
    }

    /// What `whose` brought, if it still waits.
    pub(crate) fn of(&self, whose: &str, now: Duration) -> Option<Held> {
        self.drop_late(now);
        self.change(|waiting| {
            let its = waiting.as_ref().filter(|waiting| waiting.whose == whose);
            its.map(|waiting| waiting.held.clone())
        })
    }

    /// Drops what waits.
    pub(crate) fn drop_it(&self) {
        drop(self.change(Option::take));
    }

    /// Drops what has waited too long.
    pub(crate) fn drop_late(&self, now: Duration) {
        let is_late = |waiting: &mut Waiting| now.saturating_sub(waiting.since) >= WAITS;
        drop(self.change(|waiting| waiting.take_if(is_late)));
    }
}
