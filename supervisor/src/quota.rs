//! How much one sender may say in a while: what is beyond that is left out, and its number is told once the while is over.
//!
//! As journald does it (`RateLimitIntervalSec=`, `RateLimitBurst=` of journald.conf(5)), by the caller's clock. Asks for no memory.

use serde::{Deserialize, Serialize};

/// Milliseconds of any clock that does not go back.
type Millis = u64;

/// So much within so many milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// In the caller's own unit: lines, bytes.
    pub most: u64,
    /// The while, from the first that is said in it, in milliseconds.
    pub within: Millis,
}

/// What one sender has said lately.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quota {
    begun: Millis,
    said: u64,
    left_out: u64,
}

impl Quota {
    /// Whether the while of what was last said is over.
    pub(crate) fn is_over(&self, rate: Rate, now: Millis) -> bool {
        now.saturating_sub(self.begun) >= rate.within
    }

    /// Whether one thing more of this size is taken. The first of a while always is, however large.
    pub(crate) fn takes(&mut self, rate: Rate, now: Millis, size: u64) -> bool {
        if self.is_over(rate, now) {
            (self.begun, self.said) = (now, 0);
        }
        let fits = self.said == 0 || self.said.saturating_add(size) <= rate.most;
        if fits {
            self.said = self.said.saturating_add(size);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
        fits
    }

    /// How many were left out in a while that is over; told once. To be asked before the next is taken.
    pub(crate) fn left_out(&mut self, rate: Rate, now: Millis) -> Option<u64> {
        (self.is_over(rate, now) && self.left_out > 0).then(|| std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATE: Rate = Rate {
        most: 10,
        within: 1_000,
    };

    #[test]
    fn what_is_beyond_the_rate_is_left_out_and_counted_once() {
        let mut q = Quota::default();
        assert_eq!((0..25).filter(|_| q.takes(RATE, 5_000, 1)).count(), 10);
        assert_eq!(q.left_out(RATE, 5_999), None, "it is not over");
        assert_eq!(q.left_out(RATE, 6_000), Some(15));
        assert_eq!(q.left_out(RATE, 6_000), None);
        assert!(q.takes(RATE, 6_000, 1));
        assert_eq!(q.left_out(RATE, 9_000), None);
    }

    #[test]
    fn one_that_is_larger_than_all_of_it_is_taken_alone() {
        let mut q = Quota::default();
        assert!(q.takes(RATE, 5_000, 11) && !q.takes(RATE, 5_000, 1));
        assert!(q.takes(RATE, 6_000, 1) && !q.takes(RATE, 6_000, 10) && q.takes(RATE, 6_000, 9));
    }

    proptest! {
        /// Nothing is lost without being counted, and never more is taken than twice the rate within one while.
        #[test]
        fn what_is_taken_and_what_is_told_is_all_there_was(passes in proptest::collection::vec(0u64..400, 1..200)) {
            let (mut q, mut now, mut taken, mut told) = (Quota::default(), 0, Vec::new(), 0);
            for pass in &passes {
                now += pass;
                told += q.left_out(RATE, now).unwrap_or(0);
                if q.takes(RATE, now, 1) {
                    taken.push(now);
                }
                let lately = taken.iter().filter(|t| now - **t < RATE.within).count() as u64;
                prop_assert!(lately <= 2 * RATE.most);
            }
            told += q.left_out(RATE, now + RATE.within).unwrap_or(0);
            prop_assert_eq!(taken.len() as u64 + told, passes.len() as u64);
        }
    }
}
