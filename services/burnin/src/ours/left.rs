//! Whether a drive is as a job's end or its formatter left it: its first and last sector, and the partition that a format lays out.

use super::asks::Asks;
use crate::device::Device;
use crate::format::{self, ext4};
use crate::header;

impl Asks {
    /// Whether no header of the job's stands in any of their places, and what it writes does in some: they gave way to that.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    pub(super) fn gave_way(&self, device: &mut dyn Device) -> Result<bool, String> {
        let mut ours = false;
        for place in header::places(self.reads.geometry) {
            if self.reads.is_late(device) || header::ours_at(device, self.reads.geometry, self.key, place) == Some(true)
            {
                return Ok(false);
            }
            ours |= self.read(device, place.0)? && self.is_ours(self.data(device), place.0);
        }
        Ok(ours)
    }

    /// Whether the drive's first and last sector hold what the job wrote there, be that its pattern or this word, as far as they can be
    /// read.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    pub(super) fn ends_as_left(&self, device: &mut dyn Device, word: Option<u64>) -> Result<bool, String> {
        for lba in [0, self.reads.geometry.sectors - 1] {
            if self.read(device, lba)? && !self.is_as_left(self.data(device), lba, word) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_as_left(&self, sector: &[u64], lba: u64, word: Option<u64>) -> bool {
        self.is_ours(sector, lba) || word.is_some_and(|word| sector.iter().all(|told| *told == word))
    }

    /// Whether a drive whose format was cut off is as the formatter left it.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    pub(super) fn is_the_formatters(&self, device: &mut dyn Device) -> Result<bool, String> {
        Ok(self.begins_as_left(device)? && !self.may_be_used(device)?)
    }

    /// Whether nobody but this job has written the drive's first sector: it holds the mark of its format, or its pattern, as it does in
    /// the moment before that. A constant there may be anybody's.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    fn begins_as_left(&self, device: &mut dyn Device) -> Result<bool, String> {
        let marked = self.is_marked(device)?;
        Ok(marked || self.read(device, 0)? && self.is_ours(self.data(device), 0))
    }

    /// Whether somebody may have used the partition that a format had laid out, which the kernel shows until the drive is plugged in
    /// again: it cannot be read, or something stands at its beginning that is neither the job's, nor an ext4 that tells of no use, nor an
    /// XFS in the making.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    fn may_be_used(&self, device: &mut dyn Device) -> Result<bool, String> {
        let sector = u64::from(self.reads.geometry.sector);
        let from = format::ALIGN / sector;
        // The second is where btrfs begins.
        for at in [from, from + (64 << 10) / sector] {
            let count = (ext4::BEGINNING as u64).next_multiple_of(4096) / sector;
            if at + count > self.reads.geometry.sectors {
                return Ok(false);
            }
            if !self.reads.read(device, at, count)? {
                return Ok(true);
            }
            let words = &device.buffer(0)[..self.reads.geometry.words(count)];
            if at == from {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
                if let Some(unused) = ext4::is_unused(&bytes) {
                    return Ok(!unused);
                }
                if is_xfs_in_the_making(&bytes) {
                    return Ok(false);
                }
            }
            let sectors = words.chunks(self.reads.geometry.words(1)).zip(at..);
            let mut strange =
                sectors.filter(|(data, lba)| data.iter().any(|word| *word != 0) && !self.is_ours(data, *lba));
            if strange.next().is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether an XFS begins there that mkfs has not finished: nobody can have mounted that. Source: `sb_inprogress` in the kernel's
/// `fs/xfs/libxfs/xfs_format.h`.
fn is_xfs_in_the_making(beginning: &[u8]) -> bool {
    beginning.starts_with(b"XFSB") && beginning.get(126) == Some(&1)
}
