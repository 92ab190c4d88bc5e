//! Where a job stood that writes constants, and whose checkpoint is lost: by the passes that its headers tell. Reads only.
//!
//! Of a constant nothing tells who wrote it. But each sweep writes the headers anew as it comes by, with the number of its pass: a
//! place that tells pass N proves that the Nth write of this very job had come so far, so that everything before that write had
//! ended. Behind the last such place the constant itself is searched for, where the write before left something else; in a first
//! pass, and after a trim, nothing tells it from what stood there before, and the job goes on from the place: `erase` by thirds
//! of the drive. Where places contradict each other, and where the next write may have begun, the job begins anew.
//! Tested over simulated drives in `tests/headers.rs`.

use super::find::passes;
use super::frontier::{Search, Write};
use super::{Header, places};
use crate::device::Device;
use crate::playbook::Direction;

/// The write under way, and how many sectors of it stand at least, in the order of its sweep; `None` where that is not certain.
pub(super) fn under_way(device: &mut dyn Device, header: &Header, writes: &[Write], back: u64) -> Option<(Write, u64)> {
    let sectors = header.geometry.sectors;
    let told = passes(device, header.geometry, header.key);
    let pass = told.iter().flatten().copied().max()?;
    let write = writes.iter().find(|write| write.pass == pass)?;
    let at = |order, (lba, long): (u64, u64)| match order {
        Direction::Forward => lba,
        Direction::Reverse => sectors - (lba + long),
    };
    let places = places(header.geometry);
    let mut marks: Vec<(u64, u8)> = places
        .iter()
        .zip(told)
        .filter_map(|(place, told)| Some((at(write.order, *place), told?)))
        .collect();
    marks.sort_unstable();
    let (swept, open) = between(&marks, pass)?;
    let mut search = Search::new(device, header);
    if open.is_none() {
        // The sweep may be over, and what follows it may have begun where no place tells it yet.
        let next = writes.iter().find(|next| next.pass == pass + 1);
        let shows = |next: Write, search: &mut Search<'_>| {
            let first = places.iter().map(|place| at(next.order, *place)).min().unwrap_or(0);
            search.shows(next, first) || search.has_begun(next, back)
        };
        // The same constant again would be right for this write, too.
        let differs = |next: &&Write| next.fill.is_keyed() || next.fill != write.fill;
        if write.trims || next.filter(differs).is_some_and(|next| shows(*next, &mut search)) {
            return None;
        }
    }
    let is_told_apart = write.fill.is_keyed() || write.before.is_some_and(|(fill, _)| fill != write.fill);
    let found = match is_told_apart {
        true => search.end(*write, (swept, open.unwrap_or(sectors)))?,
        false => swept,
    };
    Some((*write, found))
}

/// The position of the last place that tells `pass`, and of the first that tells the one before, of places in the order of the sweep;
/// `None` where they contradict each other.
fn between(marks: &[(u64, u8)], pass: u8) -> Option<(u64, Option<u64>)> {
    let (mut swept, mut open) = (0, None);
    for (position, told) in marks {
        match told {
            told if *told == pass && open.is_none() => swept = *position,
            told if told.checked_add(1) == Some(pass) => open = open.or(Some(*position)),
            _ => return None,
        }
    }
    Some((swept, open))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_tell_how_far_a_sweep_came_or_contradict_each_other() {
        for (told, between_) in [
            (vec![2, 2, 1, 1], Some((20, Some(30)))),
            (vec![2, 2, 2, 2], Some((40, None))),
            (vec![1, 0, 0, 0], Some((10, Some(20)))),
            // Some were not read.
            (vec![2], Some((10, None))),
            // A place that took no write, or holds what an earlier start left.
            (vec![2, 1, 2, 1], None),
            (vec![3, 3, 1, 1], None),
            (vec![0, 0, 6, 0], None),
        ] {
            let pass = told.iter().copied().max().unwrap_or(0);
            let marks: Vec<(u64, u8)> = (1..).map(|n| n * 10).zip(told.clone()).collect();
            assert_eq!(between(&marks, pass), between_, "{told:?}");
        }
    }
}
