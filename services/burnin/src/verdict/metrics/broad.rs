//! Regions that are slow over more zones than a neighbourhood has: inside such a one the neighbours are as slow.
//!
//! ```text
//!  before ──►  the last zones that were not slow, from the left
//!  ▁▁▁▁▁▁▁▁████████████████▁▁▁▁▁▁▁▁   pace, nanoseconds a byte
//!                           ◄── behind  the same, from the right
//! ```
//!
//! A zone is slow where it is slower than both. What stays slow to the end of the sweep is no region: another link, others behind it,
//! and the curve's mean tells of it. What is slow from the beginning has one side alone.

use std::collections::VecDeque;
use std::ops::Range;

/// How a zone is held against others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// Zones that tell what is usual; half of them do.
    pub neighbours: usize,
    /// Times what is usual that are slow.
    pub slower: f64,
    /// Whether a beginning counts that is slow.
    pub from_the_begin: bool,
}

/// Zones in a row that are slow, and the pace that is usual beside each such row. `paces`: nanoseconds a byte in the order of the sweep,
/// `None` where nothing was moved.
pub(super) fn regions(paces: &[Option<f64>], held: Held) -> Vec<(Range<usize>, f64)> {
    let behind = {
        let mut behind = usual(paces.iter().rev(), held);
        behind.reverse();
        behind
    };
    let before = usual(paces.iter(), held);
    let mut found: Vec<(Range<usize>, f64)> = Vec::new();
    let mut good = 0;
    for (at, pace) in paces.iter().enumerate() {
        let is_begin = held.from_the_begin && good < held.least();
        let reference = match (before[at], behind[at]) {
            (_, Some(behind)) if is_begin => Some(behind),
            (Some(before), Some(behind)) => Some(f64::max(before, behind)),
            _ => None,
        };
        let Some(pace) = pace else { continue };
        if let Some(usual) = reference.filter(|usual| *pace > usual * held.slower) {
            match found.last_mut().filter(|(zones, _)| zones.end == at) {
                Some((zones, most)) => (zones.end, *most) = (at + 1, most.max(usual)),
                None => found.push((at..at + 1, usual)),
            }
        } else {
            good += 1;
        }
    }
    found
}

impl Held {
    fn least(self) -> usize {
        self.neighbours / 2
    }
}

/// For each zone the median pace of the last ones before it that were not slow beside theirs.
fn usual<'p>(paces: impl Iterator<Item = &'p Option<f64>>, held: Held) -> Vec<Option<f64>> {
    let mut last = VecDeque::new();
    let known = |last: &VecDeque<f64>| {
        let mut paces: Vec<f64> = last.iter().copied().collect();
        paces.sort_by(f64::total_cmp);
        (paces.len() >= held.least()).then(|| paces[paces.len() / 2])
    };
    paces
        .map(|pace| {
            let usual = known(&last);
            if let Some(pace) = pace.filter(|pace| usual.is_none_or(|usual| *pace <= usual * held.slower)) {
                last.push_back(pace);
                if last.len() > held.neighbours {
                    last.pop_front();
                }
            }
            usual
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HELD: Held = Held {
        neighbours: 10,
        slower: 8.0,
        from_the_begin: true,
    };

    /// A disk's curve of a thousand zones, whose inner tracks are half as long, with these zones slow by that much.
    fn curve(slow: &Range<usize>, times: f64) -> Vec<Option<f64>> {
        let usual = |zone: u32| 4.0 + f64::from(zone) / 256.0;
        (0..1024)
            .map(|zone| {
                let is_slow = slow.contains(&(zone as usize));
                Some(usual(zone) * if is_slow { times } else { 1.0 })
            })
            .collect()
    }

    /// First zone, and the one behind the last, of each.
    fn found(slow: Range<usize>, times: f64) -> Vec<(usize, usize)> {
        let all = regions(&curve(&slow, times), HELD);
        all.into_iter().map(|(zones, _)| (zones.start, zones.end)).collect()
    }

    #[test]
    fn a_region_is_found_however_long_it_is_where_it_ends() {
        for length in [1, 5, 9, 10, 11, 12, 40, 100, 400] {
            for begin in [0, 1, 4, 5, 11, 300, 600] {
                assert_eq!(
                    found(begin..begin + length, 20.0),
                    [(begin, begin + length)],
                    "{length} zones from {begin} on"
                );
            }
        }
        assert_eq!(found(500..600, 7.0), []);
    }

    #[test]
    fn what_stays_slow_or_begins_so_behind_the_writes_is_none() {
        assert_eq!(found(700..1024, 20.0), []);
        assert_eq!(found(1020..1024, 20.0), [], "too few behind it to tell");
        let begin = regions(
            &curve(&(0..40), 20.0),
            Held {
                from_the_begin: false,
                ..HELD
            },
        );
        assert_eq!(begin, []);
    }

    #[test]
    fn zones_that_were_not_swept_tell_nothing() {
        let mut paces = curve(&(300..340), 20.0);
        paces[200..300].fill(None);
        paces[340..500].fill(None);
        assert_eq!(regions(&paces, HELD).len(), 1);
        assert_eq!(regions(&[None; 50], HELD), []);
        assert_eq!(regions(&[], HELD), []);
    }

    proptest! {
        #[test]
        fn a_healthy_curve_has_none(spread in prop::collection::vec(1.0..2.8_f64, 0..300)) {
            let paces: Vec<_> = spread.iter().map(|pace| Some(*pace)).collect();
            prop_assert_eq!(regions(&paces, HELD), []);
        }
    }
}
