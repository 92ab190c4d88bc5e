//! What is really where on a simulated drive: the oracle.
//!
//! It compares origins and knows nothing of patterns: a sector is right when what a read
//! of it brings comes from the last write that was acknowledged for it, undamaged.

use super::{Fault, Sim};

/// Where a sector's content comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// It was there before the first write.
    Before,
    /// A write meant for this sector.
    Write {
        /// Sector it was meant for.
        lba: u64,
        /// Sum of the bytes, so that two writes of the same bytes count as one.
        sum: u64,
    },
    /// Stored with damage.
    Damaged,
}

/// A view of a simulated drive's real state.
#[derive(Clone, Copy, Debug)]
pub struct Truth<'a> {
    pub(super) sim: &'a Sim,
}

impl Truth<'_> {
    /// Where what a read of the sector brings comes from.
    pub fn origin(self, lba: u64) -> Origin {
        let sim = self.sim;
        if sim.is_limbo(lba) {
            return Origin::Before;
        }
        sim.read_cell(sim.cell(sim.source(lba))).origin
    }

    /// Whether a read of the sector brings the bytes that were last acknowledged for it.
    pub fn is_right(self, lba: u64) -> bool {
        let due = self.sim.due[lba as usize];
        matches!(due, Origin::Write { .. }) && self.origin(lba) == due
    }

    /// Whether an access to the sector fails every time, and did.
    pub fn fails(self, lba: u64) -> bool {
        let sim = self.sim;
        sim.plan.faults.iter().zip(&sim.shown).any(|(fault, met)| match fault {
            Fault::ReadError { lba: bad } | Fault::WriteError { lba: bad } => sim.is_beside(*bad, lba),
            Fault::Fades { lba: bad } => *met > 1 && sim.is_beside(*bad, lba),
            _ => false,
        })
    }

    /// Sectors that a burn-in must find bad, in rising order.
    pub fn bad(self) -> Vec<u64> {
        (0..self.sim.geometry.sectors)
            .filter(|lba| self.fails(*lba) || !self.is_right(*lba))
            .collect()
    }

    /// Whether the sector was read back whole after its last write.
    pub fn was_seen(self, lba: u64) -> bool {
        self.sim.seen[lba as usize]
    }
}
