//! The two times that everything here is told: one that only goes forward, and the one people read.
//!
//! Nothing below the HTTP shell asks a clock; a [`Now`] is passed in. Tests move the clock with [`Clock::advance`]
//! instead of sleeping.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wire::Time;

/// One moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since the process started; never goes back.
    pub mono: Duration,
    /// UTC to the microsecond; may jump when the box learns the time.
    pub wall: Time,
}

/// Where [`Now`] comes from.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    /// Milliseconds that tests have moved it ahead.
    ahead: Arc<AtomicU64>,
    /// Seconds by which tests have set the time that people read.
    set: Arc<AtomicI64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            ahead: Arc::default(),
            set: Arc::default(),
        }
    }
}

impl Clock {
    /// This moment.
    pub fn now(&self) -> Now {
        let ahead = Duration::from_millis(self.ahead.load(Ordering::Relaxed));
        let set = jiff::SignedDuration::from_secs(self.set.load(Ordering::Relaxed));
        let wall = Time::now().checked_add(ahead).unwrap_or(Time::MAX);
        let wall = wall.checked_add(set).unwrap_or(wall);
        Now {
            mono: self.start.elapsed() + ahead,
            wall: Time::from_microsecond(wall.as_microsecond()).unwrap_or(wall),
        }
    }

    /// Moves both times ahead: for tests.
    pub fn advance(&self, by: Duration) {
        self.ahead
            .fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Sets the time that people read, forward or back by so many seconds, as NTP does: for tests.
    pub fn set(&self, by: i64) {
        self.set.fetch_add(by, Ordering::Relaxed);
    }
}
