//! Stretches of 64 MiB in which something took much longer than what was swept before, with their place.
//!
//! A zone of the curve is a thousandth of the drive: 20 GB of the largest ones, in which 64 MiB of weak tracks do not show.
//! Here only suspects are kept, so a healthy drive costs a checkpoint nothing; what of them is slow is decided at the end,
//! beside the zones around them (`verdict/metrics/pace.rs`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bytes of a stretch: the shortest that counts as a region of its own, and not as a few long accesses.
pub const STRETCH: u64 = 64 << 20;

/// Parts in which its time is kept, so that a stall or two do not look like all of it.
pub const PARTS: usize = 8;

/// Bytes of a part.
pub const PART: u64 = STRETCH / PARTS as u64;

/// How much slower than usual a part of a suspect is: half of what counts as slow in the end, so that none is missed whose
/// usual pace was not known well.
const SUSPECT: f64 = 4.0;

/// Parts that must be so slow: a single one is a stall, of which a large healthy disk has hundreds.
const SLOW_PARTS: usize = 2;

/// How fast the usual pace is forgotten, a stretch: twice as slow after 70 of them, so that it follows a disk from its outer
/// tracks to its inner ones, and flash out of its fast cache.
const FORGETS: f64 = 1.01;

/// Suspects that are kept; of more the slowest.
const KEPT: usize = 64;

/// What was swept in one step, stretch by stretch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stretches {
    /// Suspects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    suspects: Vec<Stretch>,
    /// The one under way; a new session begins with a new one.
    #[serde(skip)]
    open: Option<Stretch>,
    /// The one before it, whose last accesses may come back late.
    #[serde(skip)]
    closed: Option<u64>,
    /// Nanoseconds a byte, of the fastest so far, slowly forgotten.
    #[serde(skip)]
    usual: Option<f64>,
}

/// One stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// Its number from the drive's beginning.
    pub number: u64,
    /// Bytes that were moved.
    pub bytes: u64,
    /// Nanoseconds of the drive's time in each part.
    pub parts: [u64; PARTS],
    /// Longest access in nanoseconds.
    pub longest: u64,
}

impl Stretch {
    /// Nanoseconds a byte of a part.
    pub fn pace(&self, part: usize) -> f64 {
        self.parts[part] as f64 / PART as f64
    }

    /// Time of all parts but the slowest.
    fn weight(&self) -> u64 {
        self.parts.iter().sum::<u64>() - self.parts.iter().max().copied().unwrap_or(0)
    }
}

impl Stretches {
    /// Adds `bytes` from byte `at` of the drive on that took `time` of the drive's; the access took `took`.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an index below `PARTS`; nanoseconds of one access: 64 bits are 584 years"
    )]
    pub fn add(&mut self, at: u64, bytes: u64, time: Duration, took: Duration) {
        let number = at / STRETCH;
        if self.closed == Some(number) {
            return;
        }
        match self.open {
            Some(open) if open.number != number => self.close(),
            // A step that repeats comes by again, over a drive that has no other stretch between.
            Some(open) if open.bytes + bytes > STRETCH => {
                self.close();
                self.closed = None;
            }
            Some(_) | None => {}
        }
        let open = self.open.get_or_insert(Stretch {
            number,
            ..Stretch::default()
        });
        open.bytes += bytes;
        open.parts[(at % STRETCH / PART) as usize] += time.as_nanos() as u64;
        open.longest = open.longest.max(took.as_nanos() as u64);
    }

    /// The suspects, and the stretch under way.
    pub fn suspects(&self) -> impl Iterator<Item = &Stretch> {
        self.suspects
            .iter()
            .chain(self.open.iter().filter(|open| is_whole(open)))
    }

    fn close(&mut self) {
        let Some(stretch) = self.open.take() else { return };
        self.closed = Some(stretch.number);
        if !is_whole(&stretch) {
            return;
        }
        let limit = self.usual.unwrap_or(0.0) * SUSPECT;
        if (0..PARTS).filter(|part| stretch.pace(*part) > limit).count() >= SLOW_PARTS {
            self.keep(stretch);
        }
        let pace = stretch.weight() as f64 / (STRETCH - PART) as f64;
        self.usual = Some(self.usual.map_or(pace, |usual| pace.min(usual * FORGETS)));
    }

    fn keep(&mut self, stretch: Stretch) {
        // A step that repeats comes by again.
        let same = self.suspects.iter().position(|kept| kept.number == stretch.number);
        let least = || (0..self.suspects.len()).min_by_key(|at| self.suspects[*at].weight());
        match same.or_else(|| (self.suspects.len() >= KEPT).then(least).flatten()) {
            Some(place) if self.suspects[place].weight() < stretch.weight() => self.suspects[place] = stretch,
            Some(_) => {}
            None => self.suspects.push(stretch),
        }
    }

    /// Whether the numbers are ones that adding up could give.
    pub(crate) fn are_possible(&self) -> bool {
        let small = |s: &Stretch| {
            let times = s.parts.iter().chain([&s.bytes, &s.longest]).all(|n| *n < 1 << 56);
            times && s.number < 1 << 38
        };
        self.suspects.len() <= KEPT && self.suspects.iter().all(small)
    }
}

/// Whether enough of it was moved to be judged: not samples, seeks, or the rest after an interruption. The accesses at both
/// ends may have come back late, or belong to its neighbours.
fn is_whole(stretch: &Stretch) -> bool {
    stretch.bytes >= STRETCH - PART
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Sweeps `of` stretches forwards in accesses of 1 MiB, each of which takes so many milliseconds.
    fn sweep(stretches: &mut Stretches, of: impl Iterator<Item = u64>, millis: impl Fn(u64) -> u64) {
        for mib in of.flat_map(|at| at * 64..(at + 1) * 64) {
            let took = Duration::from_millis(millis(mib));
            stretches.add(mib << 20, 1 << 20, took, took);
        }
    }

    fn places(stretches: &Stretches) -> Vec<u64> {
        stretches.suspects().map(|s| s.number).collect()
    }

    #[test]
    fn a_slow_stretch_is_kept_and_one_with_a_single_stall_is_not() {
        let mut stretches = Stretches::default();
        sweep(&mut stretches, 0..300, |mib| match mib {
            6_400..6_464 => 50,
            9_601 => 9_000,
            _ => 5,
        });
        // The first has nothing to be held against, and the last is under way.
        assert_eq!(places(&stretches), [0, 100, 299]);
        let slow = *stretches.suspects().nth(1).unwrap();
        let due = Stretch {
            number: 100,
            bytes: STRETCH,
            parts: [400_000_000; PARTS],
            longest: 50_000_000,
        };
        assert_eq!(slow, due);
    }

    #[test]
    fn backwards_and_from_a_checkpoint_it_is_the_same_and_the_zone_curve_is_none() {
        let mut stretches = Stretches::default();
        let curve = |mib: u64| if mib / 64 == 77 { 60 } else { 4 + mib / 16_000 };
        sweep(&mut stretches, (0..1_000).rev(), curve);
        assert_eq!(places(&stretches), [999, 77, 0]);
        let text = serde_json::to_string(&stretches).unwrap();
        let mut again: Stretches = serde_json::from_str(&text).unwrap();
        assert_eq!(places(&again), [999, 77]);
        sweep(&mut again, (0..200).rev(), curve);
        assert_eq!(
            places(&again),
            [999, 77, 199, 0],
            "one stretch, however often it was slow"
        );
    }

    /// A soak over a drive so small that its last stretch is its first or second one.
    #[test]
    fn rounds_over_a_small_drive_are_not_added_up() {
        for stretches_of_it in [1, 2, 3] {
            let mut stretches = Stretches::default();
            for _ in 0..20 {
                sweep(&mut stretches, 0..stretches_of_it, |_| 5);
            }
            let slowest = stretches.suspects().flat_map(|s| s.parts).max();
            assert!(slowest <= Some(40_000_000), "{stretches_of_it}: {slowest:?}");
        }
    }

    #[test]
    fn of_many_the_slowest_are_kept() {
        let mut stretches = Stretches::default();
        sweep(&mut stretches, 0..401, |mib| match mib / 64 {
            at if at.is_multiple_of(2) => 2,
            at => 20 + at / 2,
        });
        let kept = places(&stretches);
        assert_eq!(stretches.suspects.len(), KEPT);
        assert!(kept.contains(&399) && !kept.contains(&3), "{kept:?}");
        assert!(stretches.are_possible());
    }
}
