//! How long to wait before a unit is started again.

use serde::{Deserialize, Serialize};

use super::state::Millis;

/// Longest pause between two starts of a unit that is not in quarantine, in milliseconds.
pub const BACKOFF_MAX: Millis = 30_000;

/// A pause that doubles with each failed run in a row: `first · 2^(fails−1)`, at most [`BACKOFF_MAX`], or `first` where that is
/// longer, ±10 % jitter so that two units that fail together do not keep failing together.
pub(super) fn pause(first: Millis, fails: u32, jitter: &mut Jitter) -> Millis {
    let doublings = fails.saturating_sub(1).min(20);
    let most = BACKOFF_MAX.max(first);
    let base = first.saturating_mul(1 << doublings).clamp(1, most);
    let tenth = base / 10;
    (base - tenth + jitter.below(2 * tenth + 1)).min(most)
}

/// Small deterministic noise (xorshift64*), seeded once by the shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jitter(u64);

impl Jitter {
    /// Any seed will do.
    pub fn new(seed: u64) -> Jitter {
        Jitter(seed | 1)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % n.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn backoff_is_bounded_and_grows(first in 1u64..200_000, fails in 0u32..200, seed: u64) {
            let mut j = Jitter::new(seed);
            let p = pause(first, fails, &mut j);
            let most = BACKOFF_MAX.max(first);
            prop_assert!((1..=most).contains(&p));
            let expected = first.saturating_mul(1 << fails.saturating_sub(1).min(20)).min(most);
            prop_assert!(p >= expected - expected / 10);
            prop_assert!(p <= expected + expected / 10);
        }
    }
}
