//! What is wrong with the drive, as data.
//!
//! A [`Plan`] is a list of [`Fault`]s. It is pure: given a sector and a direction it says where the sector really
//! lives and what befalls it. [`super::Disk`] carries that out.
//!
//! Addresses are routed in the order in which firmware would go wrong: misdirection and swaps see the sector as the
//! host names it, the wrap of a forged capacity comes last, because it is how few cells there are.

use std::ops::Range;
use std::time::Duration;

/// A run of logical sectors of 512 bytes: first one included, last one not.
pub type Sectors = Range<u64>;

/// One thing wrong with a drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Reads of `sector` come back with bit `bit` (0..4096) inverted, whatever was written.
    FlipBit { sector: u64, bit: u16 },
    /// Writes are acknowledged and never reach the medium.
    DropWrites(Sectors),
    /// Writes to these sectors land `by` sectors higher; the sectors themselves keep their old content.
    MisdirectWrites { from: Sectors, by: u64 },
    /// Reads of these sectors return what stands `by` sectors higher.
    MisdirectReads { from: Sectors, by: u64 },
    /// Two sectors have changed places, for reads and writes after the plan is set.
    Swap { a: u64, b: u64 },
    /// Only `real` sectors exist: sector n is sector n mod `real`, as on a forged card.
    Wrap { real: u64 },
    /// Reads fail with EIO.
    ReadError(Sectors),
    /// Writes fail with EIO and store nothing.
    WriteError(Sectors),
    /// Each request that touches these sectors is answered after this time.
    Delay { at: Sectors, by: Duration },
    /// The same of writes alone, as of a shingled disk that keeps house.
    DelayWrites { at: Sectors, by: Duration },
    /// A request that touches these sectors is not answered until the plan changes or the power goes.
    Hang(Sectors),
    /// Flushes and forced writes are acknowledged and do nothing: what is in a volatile cache stays there.
    IgnoreFlush,
}

/// What a request as a whole must wait for before it is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At once.
    Now,
    /// After this time.
    After(Duration),
    /// Not while this plan holds.
    Never,
}

/// Everything that is wrong with one drive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    faults: Vec<Fault>,
}

impl Plan {
    /// An honest drive.
    #[must_use]
    pub fn honest() -> Self {
        Self::default()
    }

    /// The plan with one more fault.
    #[must_use]
    pub fn with(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Whether nothing is wrong, so that requests can be served in one piece.
    #[must_use]
    pub fn is_honest(&self) -> bool {
        self.faults.is_empty()
    }

    /// Where a read of `sector` takes its bytes from; `None`: it fails.
    #[must_use]
    pub fn read_from(&self, sector: u64) -> Option<u64> {
        let mut place = sector;
        for fault in &self.faults {
            match fault {
                Fault::ReadError(at) if at.contains(&sector) => return None,
                Fault::MisdirectReads { from, by } if from.contains(&sector) => place += by,
                Fault::Swap { a, b } if *a == sector => place = *b,
                Fault::Swap { a, b } if *b == sector => place = *a,
                Fault::ReadError(_) | Fault::MisdirectReads { .. } | Fault::Swap { .. } => {}
                Fault::DropWrites(_) | Fault::MisdirectWrites { .. } | Fault::WriteError(_) => {}
                Fault::FlipBit { .. } | Fault::Wrap { .. } => {}
                Fault::Delay { .. } | Fault::DelayWrites { .. } | Fault::Hang(_) | Fault::IgnoreFlush => {}
            }
        }
        Some(self.cell(place))
    }

    /// Where a write of `sector` goes: `Ok(None)` nowhere, although it is acknowledged; `Err(())`: it fails.
    #[allow(clippy::result_unit_err, reason = "there is one way to fail and the caller names it")]
    pub fn write_to(&self, sector: u64) -> Result<Option<u64>, ()> {
        let mut place = Some(sector);
        for fault in &self.faults {
            match fault {
                Fault::WriteError(at) if at.contains(&sector) => return Err(()),
                Fault::DropWrites(at) if at.contains(&sector) => place = None,
                Fault::MisdirectWrites { from, by } if from.contains(&sector) => place = place.map(|p| p + by),
                Fault::Swap { a, b } if *a == sector => place = place.map(|_| *b),
                Fault::Swap { a, b } if *b == sector => place = place.map(|_| *a),
                Fault::WriteError(_) | Fault::DropWrites(_) => {}
                Fault::MisdirectWrites { .. } | Fault::Swap { .. } => {}
                Fault::ReadError(_) | Fault::MisdirectReads { .. } => {}
                Fault::FlipBit { .. } | Fault::Wrap { .. } => {}
                Fault::Delay { .. } | Fault::DelayWrites { .. } | Fault::Hang(_) | Fault::IgnoreFlush => {}
            }
        }
        Ok(place.map(|p| self.cell(p)))
    }

    /// Whether a flush, or a forced write, is only acknowledged.
    #[must_use]
    pub fn ignores_flush(&self) -> bool {
        self.faults.contains(&Fault::IgnoreFlush)
    }

    /// Spoils what was read of `sector` on its way to the host.
    pub fn spoil(&self, sector: u64, data: &mut [u8]) {
        for fault in &self.faults {
            if let Fault::FlipBit { sector: at, bit } = fault
                && *at == sector
                && let Some(byte) = data.get_mut(usize::from(*bit / 8))
            {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    /// How long a request over `sectors` takes.
    #[must_use]
    pub fn pace(&self, sectors: &Sectors, writes: bool) -> Pace {
        let touches = |at: &Sectors| at.start < sectors.end && sectors.start < at.end;
        let mut delay = Duration::ZERO;
        for fault in &self.faults {
            match fault {
                Fault::Hang(at) if touches(at) => return Pace::Never,
                Fault::Delay { at, by } if touches(at) => delay += *by,
                Fault::DelayWrites { at, by } if writes && touches(at) => delay += *by,
                Fault::Hang(_) | Fault::Delay { .. } | Fault::DelayWrites { .. } => {}
                Fault::ReadError(_) | Fault::WriteError(_) | Fault::DropWrites(_) => {}
                Fault::MisdirectReads { .. } | Fault::MisdirectWrites { .. } | Fault::Swap { .. } => {}
                Fault::FlipBit { .. } | Fault::Wrap { .. } | Fault::IgnoreFlush => {}
            }
        }
        if delay.is_zero() { Pace::Now } else { Pace::After(delay) }
    }

    /// The cell of the medium behind an address: the wrap of a forged capacity.
    fn cell(&self, place: u64) -> u64 {
        self.faults.iter().fold(place, |place, fault| {
            if let Fault::Wrap { real } = fault
                && *real > 0
            {
                place % real
            } else {
                place
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_fault_acts_where_it_says_and_nowhere_else() {
        type Case = (Fault, u64, Option<u64>, Result<Option<u64>, ()>);
        let cases: [Case; 8] = [
            (Fault::DropWrites(8..16), 9, Some(9), Ok(None)),
            (
                Fault::MisdirectWrites { from: 8..16, by: 100 },
                9,
                Some(9),
                Ok(Some(109)),
            ),
            (
                Fault::MisdirectReads { from: 8..16, by: 100 },
                9,
                Some(109),
                Ok(Some(9)),
            ),
            (Fault::Swap { a: 9, b: 40 }, 9, Some(40), Ok(Some(40))),
            (Fault::Wrap { real: 4 }, 9, Some(1), Ok(Some(1))),
            (Fault::ReadError(8..16), 9, None, Ok(Some(9))),
            (Fault::WriteError(8..16), 9, Some(9), Err(())),
            (Fault::Hang(8..16), 9, Some(9), Ok(Some(9))),
        ];
        for (fault, sector, read, write) in cases {
            let plan = Plan::honest().with(fault.clone());
            assert_eq!(plan.read_from(sector), read, "{fault:?}");
            assert_eq!(plan.write_to(sector), write, "{fault:?}");
            if !matches!(fault, Fault::Wrap { .. }) {
                assert_eq!(
                    (plan.read_from(3), plan.write_to(3)),
                    (Some(3), Ok(Some(3))),
                    "{fault:?}"
                );
            }
        }
    }

    #[test]
    fn a_request_waits_for_the_slowest_of_its_sectors() {
        let plan = Plan::honest()
            .with(Fault::Delay {
                at: 10..20,
                by: Duration::from_millis(5),
            })
            .with(Fault::Delay {
                at: 15..20,
                by: Duration::from_millis(7),
            })
            .with(Fault::DelayWrites {
                at: 30..40,
                by: Duration::from_millis(9),
            })
            .with(Fault::Hang(90..91));
        for (sectors, writes, pace) in [
            (0..10, false, Pace::Now),
            (0..11, false, Pace::After(Duration::from_millis(5))),
            (19..30, true, Pace::After(Duration::from_millis(12))),
            (39..41, false, Pace::Now),
            (39..41, true, Pace::After(Duration::from_millis(9))),
            (80..100, false, Pace::Never),
        ] {
            assert_eq!(plan.pace(&sectors, writes), pace, "{sectors:?}, {writes}");
        }
    }

    proptest! {
        #[test]
        fn an_honest_plan_routes_every_sector_to_itself(sector in 0_u64..1 << 40) {
            let plan = Plan::honest();
            prop_assert_eq!(plan.read_from(sector), Some(sector));
            prop_assert_eq!(plan.write_to(sector), Ok(Some(sector)));
        }

        #[test]
        fn a_flipped_bit_changes_exactly_one_bit_of_its_sector(sector in 0_u64..8, bit in 0_u16..4096) {
            let plan = Plan::honest().with(Fault::FlipBit { sector: 5, bit });
            let mut data = [0xa5_u8; 512];
            plan.spoil(sector, &mut data);
            let changed: u32 = data.iter().map(|b| (b ^ 0xa5).count_ones()).sum();
            prop_assert_eq!(changed, u32::from(sector == 5));
        }
    }
}
