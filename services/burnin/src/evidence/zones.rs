//! Throughput over LBA.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wire::Bytes;

/// Zones in which throughput is kept: fine enough for a curve on any screen.
pub const ZONES: usize = 1024;

/// Smallest zone in bytes: several queues of accesses, so that the order in which they come back does not look like speed.
const ZONE_MIN: u128 = 16 << 20;

/// Throughput over LBA: bytes and time in equal zones from LBA 0 to the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Zones(Vec<Zone>);

/// One zone: bytes moved, nanoseconds taken, longest access in nanoseconds. Kept as a short array in checkpoints.
///
/// There times are rounded to less than a percent, the longest to a tenth: more would be noise, and most of the checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, u64)", into = "(u64, u64, u64)")]
pub struct Zone(pub u64, pub u64, pub u64);

impl From<(u64, u64, u64)> for Zone {
    fn from((bytes, time, longest): (u64, u64, u64)) -> Self {
        Self(bytes, time, longest)
    }
}

impl From<Zone> for (u64, u64, u64) {
    fn from(Zone(bytes, time, longest): Zone) -> Self {
        (bytes, rounded(time, 3), rounded(longest, 2))
    }
}

/// To so many decimal digits, whose zeros pack well, so that rounding it again changes nothing.
fn rounded(value: u64, digits: u32) -> u64 {
    let has = value.checked_ilog10().map_or(0, |last| last + 1);
    let spare = 10_u64.pow(has.saturating_sub(digits));
    value / spare * spare
}

impl Zones {
    /// Adds `count` sectors of `bytes` in all that took `time` of the drive's, from `lba` on, of a drive of `sectors`.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an index up to `ZONES`; nanoseconds of one access: 64 bits are 584 years"
    )]
    pub fn add(&mut self, (lba, count): (u64, u64), sectors: u64, bytes: u64, time: Duration, longest: Duration) {
        if self.0.is_empty() {
            let zones = u128::from(sectors) * u128::from(bytes) / u128::from(count.max(1)) / ZONE_MIN;
            self.0.resize((zones as usize).clamp(1, ZONES), Zone::default());
        }
        let zones = self.0.len();
        let at = (u128::from(lba) * zones as u128 / u128::from(sectors.max(1))) as usize;
        let zone = &mut self.0[at.min(zones - 1)];
        zone.0 += bytes;
        zone.1 += time.as_nanos() as u64;
        zone.2 = zone.2.max(longest.as_nanos() as u64);
    }

    /// Whether the numbers are ones that adding up could give.
    pub(crate) fn are_possible(&self) -> bool {
        self.0.len() <= ZONES && self.0.iter().all(|zone| zone.0.max(zone.1).max(zone.2) < 1 << 62)
    }

    /// The zones: bytes, nanoseconds, longest access in nanoseconds.
    pub fn zones(&self) -> &[Zone] {
        &self.0
    }

    /// Bytes a second of each; 0 where nothing was measured.
    pub fn rates(&self) -> Vec<Bytes> {
        self.0
            .iter()
            .map(|zone| {
                let rate = (u128::from(zone.0) * 1_000_000_000)
                    .checked_div(u128::from(zone.1))
                    .unwrap_or(0);
                Bytes(u64::try_from(rate).unwrap_or(u64::MAX))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_cover_the_drive_and_give_rates() {
        let mut zones = Zones::default();
        let sectors = 40_000_000;
        for lba in (0..sectors).step_by(2000) {
            zones.add(
                (lba, 2000),
                sectors,
                2000 * 512,
                Duration::from_millis(10),
                Duration::from_millis(10),
            );
        }
        let rates = zones.rates();
        assert_eq!(rates.len(), ZONES);
        assert!(rates.iter().all(|r| *r == Bytes(102_400_000)), "{rates:?}");
        let mut tiny = Zones::default();
        tiny.add((2, 1), 3, 512, Duration::ZERO, Duration::ZERO);
        assert_eq!(tiny.rates(), [Bytes(0)]);
    }
}
