//! How many faults of its own the supervisor survives.

use serde::{Deserialize, Serialize};

use crate::core::Millis;

/// Faults of the supervisor itself that are survived: so many within [`FAULTS_WITHIN`].
pub const FAULTS_MAX: usize = 3;
/// In milliseconds.
pub const FAULTS_WITHIN: Millis = 60_000;

/// When the supervisor failed lately; 0: not at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults(pub [Millis; FAULTS_MAX + 1]);

impl Faults {
    /// Counts one more; `false` when there were too many to go on.
    pub fn again(&mut self, now: Millis) -> bool {
        self.0.sort_unstable();
        // The oldest makes room.
        self.0[0] = now.max(1);
        self.0.sort_unstable();
        self.0[0] == 0 || now.saturating_sub(self.0[0]) >= FAULTS_WITHIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_faults_are_survived_and_a_stream_of_them_is_not() {
        let mut p = Faults::default();
        assert!((0..10).all(|n| p.again(n * FAULTS_WITHIN)));
        let now = 100 * FAULTS_WITHIN;
        assert!((0..3).all(|n| p.again(now + n)));
        assert!(!p.again(now + 4));
        let mut fresh = Faults::default();
        assert!(fresh.again(0) && fresh.again(0) && fresh.again(1) && !fresh.again(2));
    }
}
