//! How much of what comes over and over is told: so many at once, then one in a time.

use std::time::{Duration, Instant};

/// What is left to tell.
#[derive(Clone, Debug)]
pub(super) struct Ration {
    burst: u32,
    each: Duration,
    left: u32,
    filled: Instant,
}

impl Ration {
    /// `burst` at once; after them one for each `each`.
    pub(super) fn new(burst: u32, each: Duration, now: Instant) -> Self {
        Self {
            burst,
            each,
            left: burst,
            filled: now,
        }
    }

    /// Whether one may be told at `now`; it is counted then.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }

    /// Whether as many may be told as at the beginning.
    pub(super) fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.left == self.burst
    }

    fn fill(&mut self, now: Instant) {
        let spent = now.saturating_duration_since(self.filled);
        let earned = u32::try_from(spent.as_millis() / self.each.as_millis().max(1)).unwrap_or(u32::MAX);
        self.filled += self.each.saturating_mul(earned);
        self.left = self.left.saturating_add(earned).min(self.burst);
    }

    /// When one may be told next, where none may now.
    pub(super) fn next(&self) -> Instant {
        self.filled + self.each
    }
}
