//! How many faults of its own the supervisor survives.

use crate::core::Millis;

/// Faults of the supervisor itself that are survived: so many within so long.
const PANICS_MAX: usize = 3;
/// In milliseconds.
const PANICS_WITHIN: Millis = 60_000;

/// When the supervisor panicked lately.
#[derive(Debug, Default)]
pub(super) struct Panics(Vec<Millis>);

impl Panics {
    /// Counts one more; `false` when there were too many for the loop to go on.
    pub fn again(&mut self, now: Millis) -> bool {
        self.0.retain(|at| now.saturating_sub(*at) < PANICS_WITHIN);
        self.0.push(now);
        self.0.len() <= PANICS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_faults_are_survived_and_a_stream_of_them_is_not() {
        let mut p = Panics::default();
        assert!((0..10).all(|n| p.again(n * PANICS_WITHIN)));
        let now = 100 * PANICS_WITHIN;
        assert!((0..3).all(|n| p.again(now + n)));
        assert!(!p.again(now + 4));
    }
}
