//! How often the drive stood still: of the accesses that were in flight together and waited for the same, one counts.
//!
//! A queue of four would make four of one pause, and a healthy disk's ten a tebibyte forty.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Latency;

/// Accesses that took less are in no stall: the shortest that any rule asks for, of flash.
pub(crate) const SHORTEST: Duration = Duration::from_millis(50);

/// On a drive that is slow as a whole every access takes so long: there it takes so many times what is usual, up to [`LONGEST`].
pub(crate) const TIMES: u32 = 8;

/// Accesses that took so long are in one, whatever is usual: the pause of a shingled disk.
pub(crate) const LONGEST: Duration = Duration::from_secs(2);

/// Stalls by their longest access.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Latency", into = "Latency")]
pub struct Stalls {
    over: Latency,
    /// The last one: accesses that were in flight with its first one may come back still.
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    /// When its first access came back, on the session's clock.
    ended: Duration,
    longest: Duration,
}

impl Stalls {
    /// Adds an access that came back `now`, on a clock of this session, and took so long, where `usual` is what it takes otherwise,
    /// which is asked for only where it matters.
    pub fn add(&mut self, now: Duration, took: Duration, usual: impl FnOnce() -> Duration) {
        if took < SHORTEST || took < (usual() * TIMES).min(LONGEST) {
            return;
        }
        match &mut self.open {
            Some(open) if now.saturating_sub(took) < open.ended => open.longest = open.longest.max(took),
            open => {
                let before = open.replace(Open {
                    ended: now,
                    longest: took,
                });
                if let Some(before) = before {
                    self.over.add(before.longest);
                }
            }
        }
    }

    /// How many lasted at least so long, to the hundredth that latencies are kept to.
    pub fn at_least(&self, long: Duration) -> u64 {
        Latency::from(self.clone()).at_least(long)
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.over.count() == 0 && self.open.is_none()
    }
}

/// Of an earlier session, whose clock is not this one's.
impl From<Latency> for Stalls {
    fn from(over: Latency) -> Self {
        Self { over, open: None }
    }
}

impl From<Stalls> for Latency {
    fn from(Stalls { mut over, open }: Stalls) -> Self {
        if let Some(open) = open {
            over.add(open.longest);
        }
        over
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Accesses by when they came back and how long they took, in milliseconds, on a drive where 4 ms are usual.
    fn of(accesses: &[(u32, u32)]) -> Stalls {
        let mut stalls = Stalls::default();
        for (now, took) in accesses {
            stalls.add(MS * *now, MS * *took, || MS * 4);
        }
        stalls
    }

    #[test]
    fn accesses_that_wait_together_are_one_stall_and_its_longest_counts() {
        let queue = of(&[(1_000, 300), (1_001, 290), (1_002, 420), (1_003, 280)]);
        assert_eq!((queue.at_least(MS * 50), queue.at_least(MS * 400)), (1, 1));
        let behind_each_other = of(&[(1_000, 300), (1_001, 290), (1_300, 299), (1_301, 299), (9_000, 300)]);
        assert_eq!(behind_each_other.at_least(MS * 200), 3);
        // Another one that came back at once was not waiting.
        assert_eq!(of(&[(1_000, 300), (1_010, 9), (1_400, 300)]).at_least(MS * 200), 2);
        assert!(of(&[(1_000, 49)]).is_empty());
    }

    /// USB of the second generation: no access takes less, and each would begin before the one before it came back.
    #[test]
    fn on_a_slow_drive_only_what_is_long_there_is_a_stall() {
        let mut stalls = Stalls::default();
        for n in 1..1_000_u32 {
            let took = if n % 100 == 0 { 700 } else { 66 };
            stalls.add(MS * 33 * n, MS * took, || MS * 66);
        }
        assert_eq!(stalls.at_least(MS * 50), 9);
        // Where it pauses all the time, seconds are pauses still.
        let mut paused = Stalls::default();
        for n in 1..=10_u32 {
            paused.add(MS * 3_000 * n, MS * 3_000, || MS * 3_000);
        }
        assert_eq!(paused.at_least(LONGEST), 10);
    }

    #[test]
    fn the_last_one_outlives_a_session() {
        let text = serde_json::to_string(&of(&[(1_000, 300), (2_000, 500)])).unwrap();
        let mut again: Stalls = serde_json::from_str(&text).unwrap();
        assert_eq!((again.at_least(MS * 200), again.at_least(MS * 450)), (2, 1));
        again.add(MS * 400, MS * 300, || MS * 4);
        assert_eq!(again.at_least(MS * 200), 3, "the new session's clock begins anew");
    }
}
