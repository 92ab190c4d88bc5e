//! How often somebody may be wrong: a sliding window of failures per key.
//!
//! Pure; the time is passed in. Keys are addresses or user names from outside, so their number is bounded: when the
//! table is full, the key whose last failure is oldest is forgotten.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Most keys remembered at once: 4096 keys of five moments each are about half a megabyte.
const KEYS_MAX: usize = 4096;

/// Counts failures per key.
#[derive(Clone, Debug)]
pub struct Limit {
    failures: BTreeMap<String, VecDeque<Duration>>,
    most: usize,
    window: Duration,
}

impl Limit {
    /// At most `most` failures within `window` for each key.
    pub fn new(most: usize, window: Duration) -> Self {
        Self {
            failures: BTreeMap::new(),
            most,
            window,
        }
    }

    /// Whether `key` may try now; else how long it has to wait.
    ///
    /// # Errors
    /// The time until the oldest failure leaves the window.
    pub fn allow(&mut self, now: Duration, key: &str) -> Result<(), Duration> {
        let Some(failures) = self.failures.get_mut(key) else {
            return Ok(());
        };
        while failures
            .front()
            .is_some_and(|&at| now.saturating_sub(at) >= self.window)
        {
            failures.pop_front();
        }
        let Some(&oldest) = failures.front() else {
            self.failures.remove(key);
            return Ok(());
        };
        if failures.len() < self.most {
            Ok(())
        } else {
            Err((oldest + self.window).saturating_sub(now))
        }
    }

    /// Takes note of a failure of `key`.
    pub fn failed(&mut self, now: Duration, key: &str) {
        if !self.failures.contains_key(key) && self.failures.len() >= KEYS_MAX {
            let stalest = self
                .failures
                .iter()
                .min_by_key(|(_, at)| at.back().copied())
                .map(|(key, _)| key.clone());
            if let Some(stalest) = stalest {
                self.failures.remove(&stalest);
            }
        }
        let failures = self.failures.entry(key.to_owned()).or_default();
        failures.push_back(now);
        while failures.len() > self.most {
            failures.pop_front();
        }
    }

    /// Forgets the failures of `key` after it was right.
    pub fn succeeded(&mut self, key: &str) {
        self.failures.remove(key);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn five_failures_and_then_a_pause_for_that_key_alone() {
        let mut limit = Limit::new(5, at(60));
        for s in 0..5 {
            limit.allow(at(s), "10.0.0.1").unwrap();
            limit.failed(at(s), "10.0.0.1");
        }
        assert_eq!(limit.allow(at(10), "10.0.0.1"), Err(at(50)));
        assert_eq!(limit.allow(at(10), "10.0.0.2"), Ok(()));
        assert_eq!(limit.allow(at(60), "10.0.0.1"), Ok(()));
    }

    #[test]
    fn success_wipes_the_slate() {
        let mut limit = Limit::new(2, at(60));
        limit.failed(at(0), "a");
        limit.failed(at(0), "a");
        limit.succeeded("a");
        assert_eq!(limit.allow(at(1), "a"), Ok(()));
    }

    #[test]
    fn a_flood_of_keys_is_bounded() {
        let mut limit = Limit::new(2, at(60));
        for n in 0..10_000 {
            limit.failed(at(n / 100), &n.to_string());
        }
        assert_eq!(limit.failures.len(), KEYS_MAX);
        assert!(limit.failures.contains_key("9999"));
    }
}
