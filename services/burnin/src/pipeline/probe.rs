//! Where the capacity probe and the samples look. Pure.

use crate::device::Geometry;
use crate::header;
use crate::pattern::{JobKey, mix64};

/// Random places of the capacity probe, besides the powers of two and the end.
const PROBE_RANDOM: u64 = 32;

/// Places of the samples.
const SAMPLES: u64 = 1024;

/// Where the probe looks, upwards: powers of two, the end, and random places; all whole physical sectors.
pub(super) fn probe_points(geometry: Geometry, key: JobKey) -> Vec<(u64, u64)> {
    let grain = geometry.grain();
    let last = (geometry.sectors - 1) / grain * grain;
    let seed = seed(key);
    let places: Vec<u64> = (0..48)
        .map(|k| 1_u64 << k)
        .chain([0, last])
        .chain((1..=PROBE_RANDOM).map(|i| mix64(seed ^ mix64(i)) % geometry.sectors))
        .filter(|lba| *lba < geometry.sectors)
        .map(|lba| lba / grain * grain)
        .collect();
    finish(places, grain, geometry)
}

/// Where the samples lie, upwards: one block at a random place of each of equal stretches.
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
    use super::*;

    #[test]
    fn the_probe_looks_at_the_start_the_end_and_every_power_of_two() {
        let geometry = Geometry {
            sectors: 39_062_500_000,
            sector: 512,
            physical: 4096,
        };
        let points = probe_points(geometry, JobKey([9; 16]));
        let at = |lba| points.contains(&(lba, 8));
        assert!(at(0) && at(1 << 35));
        assert_eq!(points.last(), Some(&(39_062_499_999 / 8 * 8, 8)));
        assert!(points.len() > 60 && points.iter().all(|(p, _)| p % 8 == 0));
        let one = Geometry {
            sectors: 1,
            sector: 512,
            physical: 512,
        };
        assert_eq!(probe_points(one, JobKey([9; 16])), [(0, 1)]);
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
            assert!(points.len() * 10 >= due * 9, "{} of {due}", points.len());
        }
    }
}
