//! Refusals in the log: who asks for what it may not have, over and over, must not push everything else out of it.

use std::time::{Duration, Instant};

use super::ration::Ration;

/// Refusals that are told at once; after them one each [`EACH`].
const BURST: u32 = 50;
const EACH: Duration = Duration::from_secs(1);

/// How many may be told, and how many were not.
#[derive(Debug)]
pub(super) struct Refusals {
    ration: Ration,
    untold: u64,
}

impl Refusals {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            ration: Ration::new(BURST, EACH, now),
            untold: 0,
        }
    }

    /// Counts one; where it is to be told, how many before it were not.
    pub(super) fn tell(&mut self, now: Instant) -> Option<u64> {
        if !self.ration.take(now) {
            self.untold += 1;
            return None;
        }
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_by_its_beginning_and_then_once_a_second_with_what_was_left_out() {
        let begin = Instant::now();
        let mut refusals = Refusals::new(begin);
        // A thousand a second, for a minute.
        let told: Vec<u64> = (0..60_000)
            .filter_map(|n| refusals.tell(begin + Duration::from_millis(n)))
            .collect();
        assert_eq!(told.len(), 50 + 59);
        assert!(told[..50].iter().all(|untold| *untold == 0));
        let counted: u64 = told.iter().sum::<u64>() + told.len() as u64;
        assert!((59_000..=60_000).contains(&counted), "{counted} of 60,000 counted");
        // After a rest it tells all of them again.
        let later = begin + Duration::from_hours(1);
        assert!(refusals.tell(later).is_some_and(|untold| untold > 900));
        assert_eq!((0..100).filter_map(|_| refusals.tell(later)).count(), 49);
    }
}
