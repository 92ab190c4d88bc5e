//! When a job whose worker ends without a result is given up. Pure, but for the pause.

use std::time::Duration;

use burnin::Checkpoint;
use tokio::time::{Instant, sleep_until};

use super::{JobTask, Own, Wish};

/// Workers that may end without having come further before the job is given up.
const CRASHES_MAX: u32 = 5;

/// Interruptions after which a worker that ends is not started again: what is kept of them stays bounded.
const RESUMES_MAX: usize = 200;

/// How far a job is: rounds of steps that ended, the step under way, and sectors of it that are done. It only rises; a
/// checkpoint that a worker hands out as soon as it goes on says the same as the one before.
pub(super) type Place = (u64, u16, u64);

/// Workers that ended without a result.
#[derive(Debug, Default)]
pub(super) struct Crashes {
    furthest: Option<Place>,
    /// How many ended since the job came further.
    in_a_row: u32,
}

/// What is done about a worker that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another one is started after a pause.
    After(Duration),
    /// The job ends.
    GiveUp,
}

impl Crashes {
    /// Why the job is given up, in words.
    pub(super) fn words(&self) -> String {
        match self.in_a_row > CRASHES_MAX {
            true => format!("{} workers in a row came no further", self.in_a_row),
            false => format!("the job was interrupted {RESUMES_MAX} times or more"),
        }
    }

    /// A worker ended when the job was at `place` and had been interrupted `resumes` times.
    pub(super) fn next(&mut self, place: Option<Place>, resumes: usize) -> Next {
        self.in_a_row = match place > self.furthest {
            true => 1,
            false => self.in_a_row + 1,
        };
        self.furthest = self.furthest.max(place);
        match self.in_a_row {
            _ if resumes >= RESUMES_MAX => Next::GiveUp,
            // One that was killed goes on at once.
            1 => Next::After(Duration::ZERO),
            n if n <= CRASHES_MAX => Next::After(Duration::from_secs(1 << (n - 1))),
            _ => Next::GiveUp,
        }
    }
}

impl JobTask {
    /// Where the last checkpoint stands.
    pub(super) fn place(&self) -> Option<Place> {
        let checkpoint = Checkpoint::decode(self.checkpoint.as_deref()?).ok()?;
        let rounds = checkpoint.evidence.phases.iter().map(|record| u64::from(record.rounds));
        Some((rounds.sum(), checkpoint.step, checkpoint.frontier))
    }

    /// Waits before another worker is started.
    pub(super) async fn breathe(&mut self, pause: Duration) -> Own {
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                () = sleep_until(until) => return Own::Done,
                () = self.means.stop.asked() => return Own::Parked,
                wish = self.wishes.recv() => match wish {
                    Some(Wish::Abort(actor)) => {
                        self.aborted(actor);
                        return Own::Aborted;
                    }
                    Some(wish) => drop(self.wish(&wish)),
                    None => return Own::Parked,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_comes_no_further_is_given_up_after_growing_pauses() {
        let mut crashes = Crashes::default();
        let at = Some((1, 2, 16_384));
        let pauses: Vec<Next> = (0..6).map(|n| crashes.next(at, n)).collect();
        let after = |seconds| Next::After(Duration::from_secs(seconds));
        assert_eq!(
            pauses,
            [after(0), after(2), after(4), after(8), after(16), Next::GiveUp]
        );
    }

    #[test]
    fn progress_counts_anew_and_going_back_does_not() {
        let mut crashes = Crashes::default();
        for n in 0..100 {
            assert_eq!(crashes.next(Some((1, 2, n)), 0), Next::After(Duration::ZERO), "{n}");
        }
        crashes.next(Some((1, 2, 0)), 0);
        crashes.next(Some((1, 2, 50)), 0);
        assert_eq!(crashes.in_a_row, 3);
        // The next round of a soak begins at its first step again.
        crashes.next(Some((2, 1, 0)), 0);
        assert_eq!(crashes.in_a_row, 1);
    }

    #[test]
    fn one_that_never_took_a_checkpoint_and_one_that_was_interrupted_too_often_are_given_up() {
        let mut crashes = Crashes::default();
        let given_up = (0..7)
            .map(|_| crashes.next(None, 0))
            .filter(|next| *next == Next::GiveUp)
            .count();
        assert_eq!(given_up, 2);
        let mut crashes = Crashes::default();
        assert_eq!(crashes.next(Some((0, 1, 9)), RESUMES_MAX), Next::GiveUp);
    }
}
