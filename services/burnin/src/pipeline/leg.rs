//! The stretches a burn-in consists of: each reads or writes one area in one pass.

use wire::job::Phase;

use crate::device::{Geometry, Op};
use crate::pattern::{JobKey, mix64};

/// Pass of the keyed write and its verify.
pub const WRITE_PASS: u8 = 1;

/// Pass of the capacity probe, so that its sectors are told from those of the write.
pub const PROBE_PASS: u8 = 0xF0;

/// Random places of the capacity probe, besides the powers of two and the end.
const PROBE_RANDOM: u64 = 32;

/// One stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leg {
    /// Index into the job's phases.
    pub phase: usize,
    /// [`Op::Write`] or [`Op::Read`].
    pub op: Op,
    /// Pass whose pattern is written or expected.
    pub pass: u8,
    /// Where.
    pub area: Area,
    /// Whether it only looks again at what an interruption may have lost.
    pub recheck: bool,
}

/// Where a leg works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Area {
    /// All sectors `from..to`.
    Range { from: u64, to: u64 },
    /// Single physical sectors, in this order.
    Points(Vec<u64>),
}

impl Area {
    /// Where the cursor begins: a sector, or an index.
    pub fn start(&self) -> u64 {
        match self {
            Self::Range { from, .. } => *from,
            Self::Points(_) => 0,
        }
    }

    /// Where the cursor ends.
    pub fn end(&self) -> u64 {
        match self {
            Self::Range { to, .. } => *to,
            Self::Points(points) => points.len() as u64,
        }
    }

    /// First sector and number of sectors at the cursor, and the cursor after them.
    pub fn piece(&self, cursor: u64, block: u64, geometry: Geometry) -> (u64, u64, u64) {
        match self {
            Self::Range { to, .. } => {
                let count = block.min(to - cursor);
                (cursor, count, cursor + count)
            }
            Self::Points(points) => {
                let lba = points[cursor as usize];
                (lba, geometry.grain().min(geometry.sectors - lba), cursor + 1)
            }
        }
    }

    /// Sectors in all.
    pub fn sectors(&self, geometry: Geometry) -> u64 {
        match self {
            Self::Range { from, to } => to - from,
            Self::Points(points) => points.len() as u64 * geometry.grain(),
        }
    }
}

/// The legs of the given phases on a fresh drive.
pub(super) fn legs(phases: &[Phase], geometry: Geometry, key: JobKey) -> Vec<Leg> {
    let whole = || Area::Range {
        from: 0,
        to: geometry.sectors,
    };
    let mut legs = Vec::new();
    for (at, phase) in phases.iter().enumerate() {
        let leg = |op, pass, area| Leg {
            phase: at,
            op,
            pass,
            area,
            recheck: false,
        };
        match phase {
            Phase::Probe => {
                // Written from the end downwards, read upwards: what wraps around is overwritten by the lower place.
                let points = probe_points(geometry, key);
                let down = points.iter().rev().copied().collect();
                legs.push(leg(Op::Write, PROBE_PASS, Area::Points(down)));
                legs.push(leg(Op::Read, PROBE_PASS, Area::Points(points)));
            }
            Phase::Write => legs.push(leg(Op::Write, WRITE_PASS, whole())),
            Phase::Verify => legs.push(leg(Op::Read, WRITE_PASS, whole())),
            _ => {}
        }
    }
    legs
}

/// Where the probe looks, upwards: powers of two, the end, and random places; all on physical sectors.
pub(super) fn probe_points(geometry: Geometry, key: JobKey) -> Vec<u64> {
    let grain = geometry.grain();
    let last = (geometry.sectors - 1) / grain * grain;
    let seed = u64::from_le_bytes(key.0[8..].try_into().expect("half of sixteen bytes"));
    let mut points: Vec<u64> = (0..48)
        .map(|k| 1_u64 << k)
        .chain([0, last])
        .chain((1..=PROBE_RANDOM).map(|i| mix64(seed ^ mix64(i)) % geometry.sectors))
        .filter(|lba| *lba < geometry.sectors)
        .map(|lba| lba / grain * grain)
        .collect();
    points.sort_unstable();
    points.dedup();
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
        assert!(points.contains(&0) && points.contains(&(1 << 35)));
        assert_eq!(points.last(), Some(&(39_062_499_999 / 8 * 8)));
        assert!(points.len() > 60 && points.iter().all(|p| p % 8 == 0));
        let one = Geometry {
            sectors: 1,
            sector: 512,
            physical: 512,
        };
        assert_eq!(probe_points(one, JobKey([9; 16])), [0]);
    }
}
