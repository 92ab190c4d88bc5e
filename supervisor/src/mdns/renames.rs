//! How often the box may take another name because somebody has the one that it asked for.
//!
//! Where a router carries multicast DNS from one of the box's networks to another, the box meets its own announcement there, from
//! the router's hardware address, and takes it for a rival's; so it would under each further name, every few seconds and without
//! end (RFC 6762 §8.1 wants a pause in that case). Then it stays with what the library has chosen on the one network: two names
//! that differ meet no more. Decides only; tested: here, and in `tests/mdns.rs` with two networks that are joined.

use std::time::{Duration, Instant};

/// Names that may be taken one after the other: two boxes may have been here before with the same one.
const AT_ONCE: usize = 2;
/// For how long a name that was taken counts. One that held for longer was lost to somebody who has come since.
const COUNTS: Duration = Duration::from_mins(5);

/// When the box has taken another name of late, at most `AT_ONCE` times.
#[derive(Default)]
pub(crate) struct Renames(Vec<Instant>);

impl Renames {
    /// Whether the box is to take a further name now, which then counts; else it stays.
    pub(crate) fn another(&mut self, now: Instant) -> bool {
        self.0.retain(|at| now.saturating_duration_since(*at) < COUNTS);
        let may = self.0.len() < AT_ONCE;
        if may {
            self.0.push(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_taken_one_after_the_other_come_to_an_end() {
        let begun = Instant::now();
        let mut renames = Renames::default();
        for (second, another) in [
            (0, true),
            (3, true),
            (6, false),
            (9, false),
            (299, false),
            (300, true),
            (301, false),
            (303, true),
            (304, false),
            (4_000, true),
        ] {
            let now = begun + Duration::from_secs(second);
            assert_eq!(renames.another(now), another, "after {second} s");
        }
    }
}
