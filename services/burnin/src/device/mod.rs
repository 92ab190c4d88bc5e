//! A drive as the engine sees it: slots with buffers, requests in, results out, a clock.
//!
//! Three carry requests: [`uring`] (`io_uring` with registered file and buffers), [`plain`]
//! (pread and pwrite on a thread of its own) and [`crate::sim`] (a simulated drive with
//! faults and a simulated clock). All behave alike; `tests/backends.rs` runs the same
//! burn-in over each.

mod apart;
mod buffers;
mod open;
pub mod plain;
pub mod uring;

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use buffers::Arena;
pub use open::{geometry, open, open_plain};

/// Size and sectors of a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geometry {
    /// Capacity in logical sectors.
    pub sectors: u64,
    /// Logical sector in bytes: a multiple of 512, at most 64 KiB.
    pub sector: u32,
    /// Physical sector in bytes: a multiple of the logical one; errors are located to this grain.
    pub physical: u32,
}

/// Why a geometry cannot be tested.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadGeometry {
    /// Not a multiple of 512 (520 and 528 are sectors with protection data), or too large.
    #[error("logical sectors of {0} bytes: expected a multiple of 512 up to 65536")]
    Sector(u32),
    /// Not a multiple of the logical sector.
    #[error("physical sectors of {physical} bytes: expected a multiple of the logical {logical}")]
    Physical {
        /// Physical sector in bytes.
        physical: u32,
        /// Logical sector in bytes.
        logical: u32,
    },
    /// Zero, or more than positions can be tagged for.
    #[error("a capacity of {0} sectors: expected 1 to 2^48 units of 512 bytes")]
    Capacity(u64),
}

impl Geometry {
    /// Checks that the engine can work with it.
    ///
    /// # Errors
    /// Names the field and what is expected.
    pub fn check(self) -> Result<Self, BadGeometry> {
        if self.sector == 0 || !self.sector.is_multiple_of(512) || self.sector > 65536 {
            return Err(BadGeometry::Sector(self.sector));
        }
        if self.physical == 0 || !self.physical.is_multiple_of(self.sector) || self.physical > 1 << 20 {
            return Err(BadGeometry::Physical {
                physical: self.physical,
                logical: self.sector,
            });
        }
        match self.sectors.checked_mul(self.units()) {
            Some(units) if units > 0 && units <= crate::pattern::UNITS_MAX => Ok(self),
            _ => Err(BadGeometry::Capacity(self.sectors)),
        }
    }

    /// Units of 512 bytes in a logical sector.
    pub fn units(self) -> u64 {
        u64::from(self.sector) / 512
    }

    /// 64-bit words in so many logical sectors; of a trim nobody uses them.
    #[expect(clippy::cast_possible_truncation, reason = "what is moved at once fits a buffer")]
    pub(crate) fn words(self, sectors: u64) -> usize {
        (sectors * u64::from(self.sector)) as usize / 8
    }

    /// Capacity in bytes.
    pub fn bytes(self) -> u64 {
        self.sectors * u64::from(self.sector)
    }

    /// Whether this is what a drive has that tells so many bytes: a file or a loop device may end within a sector, which is then
    /// no part of what is tested.
    pub fn is_of(self, bytes: u64) -> bool {
        bytes / u64::from(self.sector.max(1)) == self.sectors
    }

    /// Logical sectors in a physical one.
    pub fn grain(self) -> u64 {
        u64::from(self.physical / self.sector)
    }
}

/// What an error number means, in the kernel's words and with what block devices use it for.
pub fn errno_text(errno: i32) -> String {
    let text = nix::errno::Errno::from_raw(errno).desc();
    match errno {
        libc::ENODATA => format!("unrecovered medium error ({text})"),
        // Sense keys 4h, 5h and 7h all come as this one.
        libc::EREMOTEIO => {
            format!("the drive refused the command, is write-protected, or its hardware failed at it ({text})")
        }
        libc::ENOLINK | libc::ETIMEDOUT => format!("transport error ({text})"),
        libc::EILSEQ => format!("protection information is wrong ({text})"),
        _ => text.to_owned(),
    }
}

/// What a request asks of the drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Sectors into the slot's buffer.
    Read,
    /// The slot's buffer onto sectors.
    Write,
    /// Everything acknowledged so far onto stable storage.
    Flush,
    /// Sectors are given back: what they hold is not needed any more. Not bound by the buffer's size.
    Trim,
}

/// One access, bound to a slot and its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Slot, `0..slots()`; busy until its [`Done`].
    pub slot: usize,
    /// What to do.
    pub op: Op,
    /// First logical sector; 0 for a flush.
    pub lba: u64,
    /// Logical sectors; 0 for a flush.
    pub sectors: u64,
}

/// An access that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Its slot.
    pub slot: usize,
    /// Bytes moved, or the kernel's error number.
    pub result: Result<u64, i32>,
}

/// What a slot answers whose access has not come back.
pub(crate) fn not_back(slot: usize) -> io::Error {
    io::Error::other(format!("the access before, in slot {slot}, has not come back"))
}

/// What the engine needs of a drive.
pub trait Device: std::fmt::Debug {
    /// Time since some fixed moment; never goes back.
    fn now(&self) -> Duration;
    /// Accesses that may be under way at once.
    fn slots(&self) -> usize;
    /// Bytes of each slot's buffer.
    fn block(&self) -> usize;
    /// The buffer of a slot that is not busy.
    fn buffer(&mut self, slot: usize) -> &mut [u64];
    /// Sends what a slot's buffer holds to memory, so that what is read of it next comes from there and from no cache.
    fn settle(&mut self, slot: usize);
    /// Starts an access.
    ///
    /// # Errors
    /// When the machinery fails, or an earlier access of this slot has not come back; a failing drive is told by its [`Done`].
    fn submit(&mut self, access: Access) -> io::Result<()>;
    /// Waits for an access to come back, at most so long.
    ///
    /// # Errors
    /// When the machinery fails.
    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Done>>;
    /// Capacity in bytes as the kernel tells it now; 0 when the drive is gone.
    fn size(&mut self) -> u64;
    /// The kernel's count of the medium as it is now; `None` where it tells none.
    fn medium(&mut self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometries_that_cannot_be_tested_say_why() {
        let good = Geometry {
            sectors: 8,
            sector: 512,
            physical: 4096,
        };
        assert_eq!(good.check(), Ok(good));
        for (bad, part) in [
            (Geometry { sector: 520, ..good }, "520"),
            (Geometry { sector: 0, ..good }, "multiple of 512"),
            (Geometry { physical: 768, ..good }, "768"),
            (Geometry { sectors: 0, ..good }, "0 sectors"),
            (
                Geometry {
                    sectors: u64::MAX,
                    ..good
                },
                "2^48",
            ),
        ] {
            let told = bad.check().map_err(|e| e.to_string());
            assert!(told.is_err_and(|t| t.contains(part)), "{bad:?}");
        }
    }
}
