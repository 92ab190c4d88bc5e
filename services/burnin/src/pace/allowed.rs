//! How fast a step was allowed to go, and so what its measured speed is worth.
//!
//! While an access waits for its turn no time is charged to the drive, and a disk reads ahead meanwhile: where the medium is faster than
//! a limit, the speed of the interface is measured, and where it is slower its own. The mean of a paced step is held against no more than
//! its first part was allowed (`verdict/metrics/pace.rs`). What a drive does far below its limits is its own: `verdict/limit.rs`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wire::Bytes;

use super::bucket::time;

/// Whether a sector lies in the first twentieth of a drive: its speed is what the mean is held against.
pub(crate) fn is_first(lba: u64, sectors: u64) -> bool {
    lba < sectors / 20
}

/// What a step was allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// Whether a limit was in force while some of it was moved.
    pub limited: bool,
    /// Bytes that were moved in the first twentieth of the drive.
    pub bytes: u64,
    /// Nanoseconds that those may take at least: by the limit in force at each, and without one what it took.
    pub nanos: u64,
    /// The lowest limit that was in force, in bytes a second; `None` where there was none, and where an earlier version, which noted none,
    /// moved some of it under one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowest: Option<u64>,
    /// Nanoseconds that all that was moved may take at least, by the limit in force at each; what had none adds nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub least: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(nanos: &u64) -> bool {
    *nanos == 0
}

impl Allowed {
    /// Adds `bytes` from sector `lba` on, of a drive of `sectors`, that took `took` of its time; `limit`: bytes a second, above 0.
    pub fn add(&mut self, lba: u64, sectors: u64, bytes: u64, took: Duration, limit: Option<u64>) {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let least = limit.map(|limit| nanos(time(bytes, limit)));
        if let Some(limit) = limit {
            // Limits that nobody noted may have been lower.
            self.lowest = match self.lowest {
                None if self.limited => None,
                lowest => Some(lowest.map_or(limit, |lowest| lowest.min(limit))),
            };
            self.limited = true;
        }
        self.least = self.least.saturating_add(least.unwrap_or(0));
        if is_first(lba, sectors) {
            self.bytes = self.bytes.saturating_add(bytes);
            self.nanos = self.nanos.saturating_add(least.unwrap_or_else(|| nanos(took)));
        }
    }

    /// Bytes a nanosecond that the first twentieth was allowed; `None` where nothing held the step back.
    pub fn rate(&self) -> Option<f64> {
        (self.limited && self.nanos > 0).then(|| self.bytes as f64 / self.nanos as f64)
    }

    /// What the first twentieth counts as that went at this rate, in bytes a nanosecond: that, or what it was allowed where it is less.
    pub fn at_most(&self, own: f64) -> f64 {
        self.rate().map_or(own, |allowed| allowed.min(own))
    }

    /// In words for people, who would take what was held back for a slow drive; empty where nothing was.
    pub fn note(&self) -> String {
        let rate = (u128::from(self.bytes) * 1_000_000_000).checked_div(u128::from(self.nanos));
        match rate.and_then(|rate| u64::try_from(rate).ok()) {
            _ if !self.limited => String::new(),
            Some(rate) => format!("rate limited, {}/s at its beginning", Bytes(rate)),
            None => "rate limited".to_owned(),
        }
    }

    /// Whether it says nothing.
    pub fn is_untold(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Moves the first twentieth in a hundred accesses, of which each takes 5 ms.
    fn first(limit: impl Fn(u64) -> Option<u64>) -> Option<f64> {
        let mut allowed = Allowed::default();
        for n in 0..100 {
            allowed.add(n, 2_000, 1_000_000, Duration::from_millis(5), limit(n));
        }
        // What follows is of no weight.
        allowed.add(100, 2_000, 1_000_000, Duration::from_millis(5), Some(1));
        allowed.rate().map(|rate| (rate * 1e9).round())
    }

    #[test]
    fn the_first_part_counts_with_the_limit_in_force() {
        assert_eq!(first(|_| Some(50_000_000)), Some(50e6));
        assert_eq!(first(|_| Some(1_000_000_000)), Some(1e9));
        assert_eq!(first(|_| None), Some(200e6), "a limit came later");
        // Half of it at 50 MB/s, half as fast as it went: 200 MB/s.
        assert_eq!(first(|n| (n < 50).then_some(50_000_000)), Some(80e6));
        let mut held = Allowed::default();
        held.add(0, 2_000, 1_000_000, Duration::from_millis(5), Some(40_000_000));
        assert_eq!(held.note(), "rate limited, 40 MB/s at its beginning");
        let mut free = Allowed::default();
        free.add(0, 2_000, 1_000_000, Duration::from_millis(5), None);
        assert_eq!((free.rate(), free.note().as_str()), (None, ""));
        free.add(1_999, 2_000, 1_000_000, Duration::from_millis(5), Some(1));
        assert_eq!(free.note(), "rate limited, 200 MB/s at its beginning");
    }

    #[test]
    fn the_lowest_limit_counts_where_all_of_them_were_noted() {
        let of = |mut allowed: Allowed, limits: &[Option<u64>]| {
            for limit in limits {
                allowed.add(1_999, 2_000, 1_000_000, Duration::from_millis(5), *limit);
            }
            (allowed.limited, allowed.lowest, allowed.least)
        };
        let (high, low) = (Some(50_000_000), Some(20_000_000));
        assert_eq!(of(Allowed::default(), &[None]), (false, None, 0));
        assert_eq!(
            of(Allowed::default(), &[None, high, low, None, high]),
            (true, low, 90_000_000)
        );
        let older: Allowed = serde_json::from_str(r#"{"limited": true, "bytes": 1, "nanos": 1}"#).unwrap();
        assert_eq!(of(older, &[]), (true, None, 0));
        assert_eq!(
            of(older, &[None, high]),
            (true, None, 20_000_000),
            "it may have been lower"
        );
        let kept = |allowed: Allowed| serde_json::from_str(&serde_json::to_string(&allowed).unwrap()).unwrap();
        let mut noted = Allowed::default();
        noted.add(0, 2_000, 1_000_000, Duration::from_millis(5), low);
        assert_eq!(of(kept(noted), &[high]), (true, low, 70_000_000));
    }
}
