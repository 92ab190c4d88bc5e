//! How many drives are formatted at once: the drives of a batch end together, and each checker holds a map of its drive's blocks.
//!
//! Whoever gets no turn asks again; agent and command line wait each in its own way, before their last look at the drive. Without this 24
//! checkers are what a small computer runs out of memory by, and its kernel ends whom it likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::sysinfo::sysinfo;
use wire::Bytes;

/// How often whoever waits for its turn asks again: a format takes seconds at least.
pub const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Why a drive that came through is not formatted yet.
pub const WAITS: &str = "it waits for its turn to be formatted, which takes memory: other drives are being formatted";

/// Memory of the computer for each drive that is formatted. Source: `e2fsck` 1.47.0 took 160 MiB at its most on a new ext4 of 16 TB, the most
/// of all checkers there, measured 2026-11; twice that for a drive twice as large, and the rest is others'.
const MEMORY: u64 = 512 << 20;

/// Turns that are left; clones are the same.
#[derive(Clone, Debug)]
pub struct Turns(Arc<AtomicUsize>);

/// One drive's; given back when dropped.
#[derive(Debug)]
pub struct Turn(Turns);

impl Turns {
    /// So many at once; none at all would be waited for without an end.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(at_once.max(1))))
    }

    /// As many as this computer's memory is good for; one where it tells none.
    #[must_use]
    pub fn here() -> Self {
        Self::new(at_once(Bytes(sysinfo().map_or(0, |told| told.ram_total()))))
    }

    /// A turn, where one is left.
    #[must_use]
    pub fn try_take(&self) -> Option<Turn> {
        let less = |left: usize| left.checked_sub(1);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.is_ok().then(|| Turn(self.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Drives that may be formatted at once in so much memory.
fn at_once(memory: Bytes) -> usize {
    usize::try_from(memory.0 / MEMORY).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn memory_says_how_many_drives_are_formatted_at_once() {
        let table = [(0, 1), (256, 1), (1_900, 3), (2_048, 4), (4_096, 8), (65_536, 128)];
        for (mib, drives) in table {
            assert_eq!(at_once(Bytes(mib << 20)), drives, "{mib} MiB");
        }
    }

    #[test]
    fn a_turn_is_anothers_once_it_is_given_back() {
        for at_once in [0, 1, 3] {
            let turns = Turns::new(at_once);
            let mut taken: Vec<Turn> = (0..at_once.max(1)).map(|_| turns.try_take().unwrap()).collect();
            assert!(turns.try_take().is_none());
            drop(taken.pop());
            let again = turns.clone().try_take().unwrap();
            assert!(turns.try_take().is_none());
            drop(again);
        }
    }
}
