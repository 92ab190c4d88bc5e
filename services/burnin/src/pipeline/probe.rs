//! Where the capacity probe and the samples look. Pure.
//!
//! The probe finds every drive that has less than it claims and wraps around, whatever its real size is, by a stretch
//! at the beginning and steps as long as it over the upper half:
//!
//! ```text
//!  0 ▓▓▓▓▓▓ B            C/2 │     │     │     │     │     │ C       ▓ the stretch, written last    │ steps
//! ```
//!
//! An address that wraps at `R` is stored at its remainder by `R`. Of the steps, one lies in `[k·R, k·R + B)` for some
//! `k`, since these are `B` long and some multiple of `R` lies in the upper half; so its place in the stretch was written
//! again after it, and it reads as another sector's data. Each of both parts takes about the same time. Where the stretch has to begin
//! behind the first header, what lies before that is written as well.
//!
//! The first sector is written and flushed before all that, too: that of a partition table goes before the rest of the table, else
//! an interruption could leave one that tells of places which nobody can name any more, and the guard would refuse to go on.

use crate::device::Geometry;
use crate::header;
use crate::pattern::{JobKey, mix64};

/// Random places of the capacity probe, besides the powers of two, the end and the steps.
pub(crate) const PROBE_RANDOM: u64 = 32;

/// Bytes that a disk writes while it seeks once to and fro: how long the stretch best is depends on it.
const SEEK_WORTH: u64 = 2_000_000;

/// Places of the samples.
const SAMPLES: u64 = 1024;

/// What the probe writes and reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    /// Written first, downwards, and read in the end, upwards: whole physical sectors above the stretch.
    pub points: Vec<(u64, u64)>,
    /// Written after them, upwards: first sector and length of the stretch at the beginning.
    pub stretch: (u64, u64),
    /// Sectors from the first one to the header that the stretch begins behind, written last, upwards; 0 where it begins with the
    /// drive. A drive that lacks less than this wraps into it.
    pub head: u64,
}

/// Where the probe looks.
pub(super) fn probe(geometry: Geometry, key: JobKey) -> Probe {
    let seed = seed(key);
    let headers = header::places(geometry);
    let stretch = stretch(geometry, &headers);
    let head = headers.first().filter(|_| stretch.0 > 0).map_or(0, |(place, _)| *place);
    let random = (1..=PROBE_RANDOM).map(|i| mix64(seed ^ mix64(i)) % geometry.sectors);
    Probe {
        points: points(geometry, stretch, random),
        stretch,
        head,
    }
}

/// First sectors of the places that the probe writes on every drive of this geometry, whatever its key is, in rising order.
pub(crate) fn places(geometry: Geometry) -> Vec<u64> {
    // Of a job that never began nothing is known, its length neither.
    if geometry.sectors == 0 {
        return Vec::new();
    }
    let stretch = stretch(geometry, &header::places(geometry));
    let points = points(geometry, stretch, std::iter::empty());
    points.into_iter().map(|(lba, _)| lba).collect()
}

/// The places beside the stretch: powers of two, both ends, the steps and these.
fn points(geometry: Geometry, (base, long): (u64, u64), random: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
    let grain = geometry.grain();
    let sectors = geometry.sectors;
    let last = (sectors - 1) / grain * grain;
    let headers = header::places(geometry);
    // Where a header lies the step falls on the sector behind it: the steps are shorter by what that may be.
    let longest = headers.iter().map(|(_, long)| *long).max().unwrap_or(0);
    // What wraps from the last place into a header, where nothing is written here, does not from this one.
    let before_last = last.saturating_sub(longest + grain) / grain * grain;
    let step = (long.saturating_sub(longest + grain) / grain * grain).max(grain);
    let beside = |lba: u64| match headers.iter().find(|(at, long)| lba + grain > *at && lba < at + long) {
        Some((at, long)) => at + long,
        None => lba,
    };
    let from = (sectors / 2).saturating_sub(long) / grain * grain;
    let steps = (0..).map(|n| from + n * step).take_while(|lba| *lba < sectors);
    let places: Vec<u64> = (0..48)
        .map(|k| 1_u64 << k)
        .chain([0, before_last, last])
        .chain(random)
        .filter(|lba| *lba < sectors)
        .chain(steps)
        .map(|lba| beside(lba / grain * grain))
        .filter(|lba| (*lba + grain <= base || *lba >= base + long) && *lba < sectors)
        .collect();
    finish(places, grain, geometry)
}

/// First sector and length of the stretch: as long as makes it take the time that the steps take, at most a 64th of the
/// drive. It begins with the drive, or behind the first header where it would run over that.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the root of a product of two sizes of at most 2^57 bytes"
)]
fn stretch(geometry: Geometry, headers: &[(u64, u64)]) -> (u64, u64) {
    let best = (geometry.bytes() as f64 * SEEK_WORTH as f64).sqrt() as u64 / u64::from(geometry.sector);
    let grain = geometry.grain();
    let long = (best.min(geometry.sectors / 64) / grain * grain).clamp(grain.min(geometry.sectors), geometry.sectors);
    match headers.first() {
        Some((place, header)) if *place < long => (place + header, long),
        _ => (0, long),
    }
}

/// Where the samples lie, upwards: one block at a random place of each of equal stretches.
#[expect(clippy::cast_possible_truncation, reason = "a share of the drive's sectors")]
pub(super) fn sample_points(geometry: Geometry, block: u64, key: JobKey) -> Vec<(u64, u64)> {
    let stretches = SAMPLES.min(geometry.sectors.div_ceil(block));
    let seed = mix64(seed(key));
    let places = (0..stretches)
        .map(|n| {
            let bound = |n: u64| (u128::from(geometry.sectors) * u128::from(n) / u128::from(stretches)) as u64;
            let (from, to) = (bound(n), bound(n + 1));
            let room = (to - from).saturating_sub(block) + 1;
            let lba = from + mix64(seed ^ mix64(n)) % room;
            lba / geometry.grain() * geometry.grain()
        })
        .collect();
    finish(places, block, geometry)
}

fn seed(key: JobKey) -> u64 {
    u64::from_le_bytes(key.0[8..].try_into().expect("half of sixteen bytes"))
}

/// In rising order, none twice, none over another, none where a header lies.
fn finish(mut places: Vec<u64>, count: u64, geometry: Geometry) -> Vec<(u64, u64)> {
    places.sort_unstable();
    let headers = header::places(geometry);
    let mut points: Vec<(u64, u64)> = Vec::new();
    for lba in places {
        let count = count.min(geometry.sectors - lba);
        let over = points.last().is_some_and(|(before, count)| before + count > lba);
        let header = headers.iter().any(|(at, long)| lba < at + long && *at < lba + count);
        if !over && !header {
            points.push((lba, count));
        }
    }
    points
}

#[cfg(test)]
mod tests {
    #![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tests")]
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn geometry(sectors: u64) -> Geometry {
        Geometry {
            sectors,
            sector: 512,
            physical: if sectors > 10_000 { 4096 } else { 512 },
        }
    }

    #[test]
    fn a_job_that_never_began_has_no_places() {
        assert!(places(geometry(0)).is_empty());
    }

    /// Whether a drive that wraps at `real` shows it: the last write to some point's place was meant for another sector.
    fn finds(probe: &Probe, real: u64) -> bool {
        let (from, long) = probe.stretch;
        // The stretch may wrap, too: any place below its length by that, or within it.
        let inside = |place: u64| (from..from + long).contains(&place) || real <= long || place < probe.head;
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        for (lba, count) in probe.points.iter().rev() {
            for lba in *lba..lba + count {
                last.insert(lba % real, lba);
            }
        }
        // Every sector of every point is compared.
        probe.points.iter().any(|(lba, count)| {
            (*lba..lba + count).any(|lba| {
                let place = lba % real;
                place != lba && inside(place) || last.get(&place).is_some_and(|by| *by != lba)
            })
        })
    }

    #[test]
    fn the_probe_looks_at_the_end_and_at_powers_of_two_and_takes_about_a_minute() {
        let geometry = geometry(39_062_500_000);
        let probe = probe(geometry, JobKey([9; 16]));
        assert!(probe.points.contains(&(1 << 35, 8)));
        assert_eq!(probe.points.last(), Some(&(39_062_499_999 / 8 * 8, 8)));
        let written = probe.stretch.1 * 512;
        let seconds = written as f64 / 200e6 + 2.0 * probe.points.len() as f64 * 0.01;
        assert!((10.0..80.0).contains(&seconds), "{seconds} s");
        let one = Geometry {
            sectors: 1,
            sector: 512,
            physical: 512,
        };
        assert_eq!(super::probe(one, JobKey([9; 16])).stretch, (0, 1));
        let header = header::places(geometry)[0];
        assert_eq!(probe.stretch.0, header.0 + header.1, "it lies over no header");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]
        #[test]
        fn no_real_size_below_the_claimed_one_escapes(
            sectors in prop::sample::select(vec![300_u64, 4_096, 1_000_003, 62_500_000, 1_953_525_168, 39_062_500_000]),
            share in 0.0001_f64..0.98, power in any::<bool>(), little in prop::option::of(1_u64..4_097), key: [u8; 16],
        ) {
            let geometry = geometry(sectors);
            let probe = probe(geometry, JobKey(key));
            let real = ((sectors as f64 * share) as u64).max(1);
            let real = if power { 1 << real.ilog2() } else { real };
            // It lacks no more than a header's place is from the beginning, or twice that.
            let real = little.filter(|little| *little < sectors).map_or(real, |little| sectors - little);
            prop_assert!(finds(&probe, real), "{} of {}", real, sectors);
            prop_assert!(!finds(&probe, sectors), "an honest drive of {} is called false", sectors);
        }
    }

    #[test]
    fn samples_lie_all_over_the_drive_and_never_over_each_other() {
        for (sectors, block) in [(39_062_500_000, 1024), (1_000, 16), (5, 16), (40_000, 1)] {
            let geometry = Geometry {
                sectors,
                sector: 512,
                physical: 512,
            };
            let points = sample_points(geometry, block, JobKey([3; 16]));
            assert!(points.windows(2).all(|w| w[0].0 + w[0].1 <= w[1].0), "{sectors}");
            assert!(points.iter().all(|(lba, count)| *count > 0 && lba + count <= sectors));
            let due = SAMPLES.min(sectors.div_ceil(block)) as usize;
            assert!(points.len() * 10 >= due * 8, "{} of {due}", points.len());
        }
    }
}
