//! What becomes of a trim.

use super::{Cell, Origin, Sim, Trim, next_random, sum};
use crate::device::Access;

impl Sim {
    /// Takes a trim as `trim` from now on: as a drive does that was put behind another bridge.
    pub fn rehung(&mut self, trim: Trim) {
        self.plan.trim = trim;
    }

    /// Forgets sectors: they read as zeros, and that is what is due; or keeps them, where the plan says so.
    pub(super) fn trim(&mut self, access: Access) -> Result<u64, i32> {
        let beyond = match self.plan.trim {
            Trim::Refused => return Err(libc::EOPNOTSUPP),
            Trim::RefusedByDrive | Trim::RefusedUntold => {
                // What was passed on already comes back like the first.
                let passed_on = !self.no_trims || next_random(&mut self.random) & 1 == 0;
                self.no_trims = true;
                return match passed_on {
                    true if self.plan.trim == Trim::RefusedUntold => Ok(0),
                    true => Err(libc::EREMOTEIO),
                    false => Err(libc::EOPNOTSUPP),
                };
            }
            Trim::Fails => return Err(libc::EIO),
            Trim::Ignored => return Ok(0),
            Trim::Zeros => 0,
            Trim::Beyond(sectors) => sectors,
        };
        let words = self.geometry.sector as usize / 8;
        for lba in access.lba..access.lba + access.sectors {
            let data: Box<[u64]> = vec![0; words].into();
            let origin = Origin::Write { lba, sum: sum(&data) };
            self.due[lba as usize] = origin;
            self.trimmed[lba as usize] = true;
            let cell = self.cell(lba);
            self.write_cell(cell, Cell { data, origin });
        }
        let end = access.lba + access.sectors;
        for lba in end..(end + beyond).min(self.geometry.sectors) {
            let data: Box<[u64]> = vec![0; words].into();
            let origin = Origin::Write { lba, sum: sum(&data) };
            let cell = self.cell(lba);
            self.write_cell(cell, Cell { data, origin });
        }
        Ok(0)
    }
}
