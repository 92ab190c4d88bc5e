//! How reports are taken in: how many, how many at this moment, and how long each took. Since the start.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Reports whose times are remembered, the newest: enough for the longest of twenty to be seen.
const SAMPLES: usize = 256;

#[derive(Debug, Default)]
struct Counts {
    under_way: usize,
    taken: u64,
    dropped: u64,
    took: VecDeque<Duration>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Intake(Mutex<Counts>);

/// What an [`Intake`] has counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    /// Being taken now.
    pub under_way: usize,
    /// Taken.
    pub taken: u64,
    /// Not taken: refused, too many, or the agent went away in the middle.
    pub dropped: u64,
    /// How long the newest took, the shortest first, in milliseconds.
    pub took_ms: Vec<f64>,
}

/// A report that is being taken. One that is let go before it was taken counts as dropped.
#[derive(Debug)]
pub struct Seat<'i> {
    intake: &'i Intake,
    since: Duration,
    took: Option<Duration>,
}

impl Intake {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A report has come.
    pub fn seat(&self, now: Duration) -> Seat<'_> {
        self.counts().under_way += 1;
        Seat {
            intake: self,
            since: now,
            took: None,
        }
    }

    /// What was counted.
    pub fn counted(&self) -> Counted {
        let counts = self.counts();
        let mut took_ms: Vec<f64> = counts.took.iter().map(|took| took.as_secs_f64() * 1000.0).collect();
        took_ms.sort_by(f64::total_cmp);
        Counted {
            under_way: counts.under_way,
            taken: counts.taken,
            dropped: counts.dropped,
            took_ms,
        }
    }
}

impl Seat<'_> {
    /// It was taken.
    pub fn taken(mut self, now: Duration) {
        self.took = Some(now.saturating_sub(self.since));
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut counts = self.intake.counts();
        counts.under_way -= 1;
        match self.took {
            None => counts.dropped += 1,
            Some(took) => {
                counts.taken += 1;
                if counts.took.len() >= SAMPLES {
                    counts.took.pop_front();
                }
                counts.took.push_back(took);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "tests")]
    use super::*;

    #[test]
    fn a_report_that_is_let_go_counts_as_dropped_and_the_newest_times_are_kept() {
        let intake = Intake::default();
        let ms = Duration::from_millis;
        let first = intake.seat(ms(5));
        drop(intake.seat(ms(6)));
        assert_eq!((intake.counted().under_way, intake.counted().dropped), (1, 1));
        first.taken(ms(12));
        assert_eq!(
            intake.counted(),
            Counted {
                under_way: 0,
                taken: 1,
                dropped: 1,
                took_ms: vec![7.0],
            }
        );
        for _ in 0..SAMPLES {
            intake.seat(ms(1)).taken(ms(2));
        }
        assert!(
            intake.counted().took_ms.iter().all(|took| *took == 1.0),
            "the oldest went"
        );
    }
}
