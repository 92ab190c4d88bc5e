//! A token bucket over bytes: the pace of one worker.
//!
//! Kept as the moment at which everything started so far is paid for (the "theoretical arrival time" of ITU-T I.371's
//! generic cell rate algorithm), so there is nothing to fill up by a timer and nothing to overflow. In any window of
//! length `w` at one rate, accesses of at most `rate · (w + TOLERANCE)` bytes and one more access start.

use std::time::Duration;

/// How far an access may run ahead of the rate: makes up for a late wake-up, too short to be seen in any figure.
pub const TOLERANCE: Duration = Duration::from_millis(50);

/// When the next access may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Bytes a second; `None`: as fast as the drive goes; 0: nothing starts.
    rate: Option<u64>,
    /// Everything that was started is paid for at this moment.
    paid: Duration,
}

impl Bucket {
    /// A bucket of this rate in bytes a second; `None`: no limit; 0: nothing may start.
    pub fn new(rate: Option<u64>) -> Self {
        Self {
            rate,
            paid: Duration::ZERO,
        }
    }

    /// The rate in bytes a second.
    pub fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// Another rate from `now` on. What was started and is not paid for yet is paid at the new rate.
    pub fn set_rate(&mut self, now: Duration, rate: Option<u64>) {
        let owed = match self.rate {
            Some(old) => bytes(self.paid.saturating_sub(now), old),
            None => 0,
        };
        self.rate = rate;
        self.paid = now + rate.map_or(Duration::ZERO, |rate| time(owed, rate));
    }

    /// When an access may start: `None` at once, else at that moment. `Duration::MAX`: not before the rate changes.
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        match self.rate {
            None => None,
            Some(0) => Some(Duration::MAX),
            Some(_) => {
                let from = self.paid.saturating_sub(TOLERANCE);
                (from > now).then_some(from)
            }
        }
    }

    /// Books an access of `bytes` that starts now.
    pub fn take(&mut self, now: Duration, bytes: u64) {
        if let Some(rate) = self.rate.filter(|rate| *rate > 0) {
            self.paid = self.paid.max(now).saturating_add(time(bytes, rate));
        }
    }
}

/// Time that `bytes` take at `rate`, rounded up so that rounding never makes it faster.
pub(super) fn time(bytes: u64, rate: u64) -> Duration {
    let nanos = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(rate.max(1)));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Bytes in `time` at `rate`, rounded up.
fn bytes(time: Duration, rate: u64) -> u64 {
    u64::try_from((time.as_nanos() * u128::from(rate)).div_ceil(1_000_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unchecked_time_subtraction, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    const MB: u64 = 1_000_000;

    #[test]
    fn no_limit_never_waits_and_zero_always_does() {
        let mut bucket = Bucket::new(None);
        bucket.take(Duration::ZERO, u64::MAX);
        assert_eq!(bucket.wait(Duration::ZERO), None);
        bucket.set_rate(Duration::from_secs(1), Some(0));
        assert_eq!(bucket.wait(Duration::from_secs(1_000_000)), Some(Duration::MAX));
        bucket.set_rate(Duration::from_secs(2), Some(MB));
        assert_eq!(bucket.wait(Duration::from_secs(2)), None);
    }

    #[test]
    fn what_was_started_is_paid_at_the_new_rate() {
        let mut bucket = Bucket::new(Some(10 * MB));
        bucket.take(Duration::ZERO, 10 * MB);
        bucket.set_rate(Duration::from_millis(500), Some(MB));
        assert_eq!(
            bucket.wait(Duration::from_millis(500)),
            Some(Duration::from_millis(5_450))
        );
    }

    proptest! {
        /// A greedy drive under a rate: over every window no more than the rate, the tolerance and one access; and in
        /// the long run no less than the rate either.
        #[test]
        fn no_window_is_above_the_rate_and_the_rate_is_reached(
            rate in 1_u64..5_000 * MB,
            block in 512_u64..(2 << 20),
            late in prop::collection::vec(0_u64..20_000, 60..200),
        ) {
            let mut bucket = Bucket::new(Some(rate));
            let mut now = Duration::from_secs(5);
            let mut started: Vec<(Duration, u64)> = Vec::new();
            for micros in &late {
                if let Some(until) = bucket.wait(now) {
                    prop_assert!(until > now);
                    // The process wakes up a little later than asked.
                    now = until + Duration::from_micros(*micros);
                }
                prop_assert_eq!(bucket.wait(now), None);
                bucket.take(now, block);
                started.push((now, block));
            }
            for (first, (from, _)) in started.iter().enumerate() {
                let mut sum = 0;
                for (at, bytes) in &started[first..] {
                    sum += bytes;
                    let window = (*at - *from + TOLERANCE).as_secs_f64();
                    prop_assert!(sum as f64 <= rate as f64 * window * 1.000_001 + block as f64 + 1.0);
                }
            }
            // Late by less than the tolerance costs nothing in the long run.
            let sum: u64 = started.iter().map(|(_, bytes)| bytes).sum();
            let took = now - started[0].0 + TOLERANCE;
            prop_assert!(sum as f64 >= rate as f64 * (took.as_secs_f64() - 0.071) * 0.999);
        }
    }
}
