//! A partition table written so that a power cut at any moment leaves one that is right.
//!
//! The order is: backup entries and backup header at the end of the disk, flush, primary entries, flush, primary header,
//! flush. Before the first flush the primary is untouched; from then on the backup is whole and new. In between, a primary
//! header that does not fit its entries sends the kernel (`gpt` on the command line) and firmware to the backup, and GRUB,
//! which checks no sums, reads entries of which each is whole, because the changed ones stand in one sector.
//!
//! [`steps`] only plans, so that the tests can cut the power after each write and lose any of the unflushed ones.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::gpt::{self, SECTOR};

/// One act on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Writes whole sectors.
    Write {
        /// First sector.
        sector: u64,
        /// A multiple of [`SECTOR`] bytes.
        bytes: Vec<u8>,
    },
    /// Makes everything before it last.
    Flush,
}

/// The writes that give a disk of `sectors` a table with these entries; `header` is one of its old headers, of which all but
/// places and sums is kept.
pub fn steps(header: &[u8], entries: &[u8], sectors: u64) -> Vec<Step> {
    let table = (entries.len() as u64).div_ceil(SECTOR);
    let backup = sectors - 1 - table;
    let make = |my: u64, other: u64, entries_at: u64| {
        let mut h = header.to_vec();
        h[24..32].copy_from_slice(&my.to_le_bytes());
        h[32..40].copy_from_slice(&other.to_le_bytes());
        h[48..56].copy_from_slice(&(backup - 1).to_le_bytes());
        h[72..80].copy_from_slice(&entries_at.to_le_bytes());
        h[88..92].copy_from_slice(&gpt::crc(entries).to_le_bytes());
        h[16..20].fill(0);
        let size = gpt::u32_at(&h, 12) as usize;
        let sum = gpt::crc(&h[..size.min(h.len())]);
        h[16..20].copy_from_slice(&sum.to_le_bytes());
        h
    };
    let write = |sector, bytes| Step::Write { sector, bytes };
    vec![
        write(backup, entries.to_vec()),
        write(sectors - 1, make(sectors - 1, 1, backup)),
        Step::Flush,
        write(2, entries.to_vec()),
        Step::Flush,
        write(1, make(1, sectors - 1, 2)),
        Step::Flush,
    ]
}

/// Carries the steps out; the first that fails is the last.
///
/// # Errors
/// A write or a flush failed; the table on the disk is still right, old or new.
pub fn carry_out(disk: &File, steps: &[Step]) -> io::Result<()> {
    for step in steps {
        match step {
            Step::Write { sector, bytes } => disk.write_all_at(bytes, sector * SECTOR)?,
            Step::Flush => disk.sync_all()?,
        }
    }
    Ok(())
}
