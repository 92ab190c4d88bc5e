//! Lists that go to the server as a whole, in one frame: what is too long of them is shortened, and none of it is missing. Pure.

use std::collections::BTreeSet;

use serde::Serialize;
use wire::frame::FRAME_MAX_ACCEPTED;

/// Bytes of the frame around a list, with room to spare.
const AROUND: usize = 256;

/// Bytes of a frame that tells all of them; a comma more than there are.
pub fn length<T: Serialize>(all: &[T]) -> usize {
    all.iter().fold(AROUND, |sum, one| sum + 1 + bytes(one))
}

/// Shortens the longest, one after another, until a frame holds them all; which were shortened. `shorten` makes one shorter, or tells
/// that it cannot.
pub fn fit<T: Serialize>(all: &mut [T], shorten: impl Fn(&mut T) -> bool) -> BTreeSet<usize> {
    let mut left = length(all);
    let mut shortened = BTreeSet::new();
    let mut able: Vec<(usize, usize)> = all.iter().map(bytes).zip(0..).collect();
    while left > FRAME_MAX_ACCEPTED {
        let Some(longest) = able.iter_mut().max() else { break };
        let (before, at) = *longest;
        if shorten(&mut all[at]) {
            longest.0 = bytes(&all[at]);
            left = left.saturating_sub(before.saturating_sub(longest.0));
            shortened.insert(at);
        } else {
            able.retain(|(_, other)| *other != at);
        }
    }
    shortened
}

/// Length of one as it is told.
fn bytes<T: Serialize>(one: &T) -> usize {
    serde_json::to_vec(one).map_or(0, |text| text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_are_shortened_and_no_more_of_them_than_it_takes() {
        let text = |kib: usize| "x".repeat(kib << 10);
        let mut all = [text(100), text(300), text(200), text(50)];
        let half = |text: &mut String| {
            text.truncate(text.len() / 2);
            !text.is_empty()
        };
        assert_eq!(fit(&mut all, half), BTreeSet::from([1]));
        assert_eq!(all[1].len(), 150 << 10);
        assert!(length(&all) <= FRAME_MAX_ACCEPTED);
        assert!(fit(&mut all, half).is_empty());
    }

    #[test]
    fn what_cannot_be_shortened_ends_it() {
        let mut all = ["x".repeat(300 << 10), "y".repeat(300 << 10)];
        assert!(fit(&mut all, |_| false).is_empty());
    }
}
