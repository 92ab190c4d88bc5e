//! A bucket of tokens: so many at once, then so many a second. Pure; time is passed in.

use std::time::Duration;

/// A bucket.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    most: f64,
    /// Tokens that come back a second.
    rate: f64,
    left: f64,
    at: Duration,
}

impl Bucket {
    /// A full bucket of `most` tokens, of which `rate` come back each second.
    pub fn new(now: Duration, most: f64, rate: f64) -> Self {
        Self {
            most,
            rate,
            left: most,
            at: now,
        }
    }

    fn fill(&mut self, now: Duration) {
        let gone = now.saturating_sub(self.at);
        self.left = (self.left + gone.as_secs_f64() * self.rate).min(self.most);
        self.at = self.at.max(now);
    }

    /// Takes `tokens` if there are so many.
    pub fn take(&mut self, now: Duration, tokens: f64) -> bool {
        self.fill(now);
        let enough = self.left >= tokens;
        if enough {
            self.left -= tokens;
        }
        enough
    }

    /// Takes `tokens` whether there are so many or not; returns how long to wait until the debt is paid.
    pub fn owe(&mut self, now: Duration, tokens: f64) -> Duration {
        self.fill(now);
        self.left -= tokens;
        if self.left >= 0.0 {
            return Duration::ZERO;
        }
        Duration::from_secs_f64(-self.left / self.rate)
    }

    /// How long until `tokens` are there.
    pub fn until(&mut self, now: Duration, tokens: f64) -> Duration {
        self.fill(now);
        Duration::from_secs_f64((tokens - self.left).max(0.0) / self.rate)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_debt_is_waited_for() {
        let mut bucket = Bucket::new(Duration::ZERO, 10.0, 5.0);
        assert_eq!(bucket.owe(Duration::ZERO, 10.0), Duration::ZERO);
        assert_eq!(bucket.owe(Duration::ZERO, 10.0), Duration::from_secs(2));
        assert!(!bucket.take(Duration::from_secs(2), 1.0));
        assert!(bucket.take(Duration::from_secs(3), 5.0));
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_the_rate(steps in proptest::collection::vec(0u64..3000, 1..200)) {
            let mut bucket = Bucket::new(Duration::ZERO, 20.0, 10.0);
            let (mut millis, mut taken) = (0, 0_u64);
            for gap in steps {
                millis += gap;
                if bucket.take(Duration::from_millis(millis), 1.0) {
                    taken += 1;
                }
                prop_assert!(taken as f64 <= 20.0 + millis as f64 / 100.0 + 1e-6);
            }
        }
    }
}
