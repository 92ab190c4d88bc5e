//! Whether a drive is as a job's end or its formatter left it: its first and last sector, and the partition that a format lays out.

use std::collections::BTreeSet;

use super::asks::Asks;
use super::evenly;
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

    /// Whether a drive whose headers gave way, and that was trimmed behind its last write, is as that left it: blank or as before wherever
    /// it is asked, its ends whole, and the headers' places, which a trim spares, the job's. `word`: as for [`Self::ends_as_left`];
    /// `is_bad`: what may hold anything, since it was found to.
    ///
    /// A first sector of zeros alone proves nothing: some file systems leave it blank.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    pub(super) fn is_trimmed_as_left(
        &self,
        device: &mut dyn Device,
        word: Option<u64>,
        is_bad: impl Fn(u64) -> bool,
    ) -> Result<bool, String> {
        let geometry = self.reads.geometry;
        let ours = |lba, data: &[u64]| self.is_as_left(data, lba, word) || is_bad(lba);
        let left = |lba, data: &[u64]| is_blank(data) || ours(lba, data);
        for place in header::places(geometry) {
            if self.holds_only(device, place, ours)? == Some(false) {
                return Ok(false);
            }
        }
        for lba in evenly(geometry) {
            if self.holds_only(device, (lba, 1), left)? == Some(false) {
                return Ok(false);
            }
        }
        self.edges_hold(device, left)
    }

    fn is_as_left(&self, sector: &[u64], lba: u64, word: Option<u64>) -> bool {
        self.is_ours(sector, lba) || word.is_some_and(|word| sector.iter().all(|told| *told == word))
    }

    /// Whether a drive whose format was cut off is as the formatter left it. `word`: what the job's last write filled it with, if that was
    /// a constant.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    pub(super) fn is_the_formatters(&self, device: &mut dyn Device, word: Option<u64>) -> Result<bool, String> {
        Ok(self.begins_as_left(device)? && !self.may_be_used(device, word)?)
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
    /// again: its first 2 KiB cannot be read, or hold something that is neither the job's, nor an ext4 that tells of no use, nor an XFS in
    /// the making. Behind those any mkfs writes before its superblock.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    fn may_be_used(&self, device: &mut dyn Device, word: Option<u64>) -> Result<bool, String> {
        let sector = u64::from(self.reads.geometry.sector);
        let (from, count) = (format::ALIGN / sector, (ext4::BEGINNING as u64).div_ceil(sector));
        if from + count > self.reads.geometry.sectors {
            return Ok(false);
        }
        if !self.reads.read(device, from, count)? {
            return Ok(true);
        }
        let words = &device.buffer(0)[..self.reads.geometry.words(count)];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        if let Some(unused) = ext4::is_unused(&bytes) {
            return Ok(!unused);
        }
        let mut sectors = words.chunks(self.reads.geometry.words(1)).zip(from..);
        let blank = |data: &[u64]| data.iter().all(|told| *told == 0);
        let strange = sectors.any(|(data, lba)| !blank(data) && !self.is_as_left(data, lba, word));
        Ok(strange && !is_xfs_in_the_making(&bytes))
    }
}

/// Whether a sector is as erased flash and trimmed sectors read.
fn is_blank(sector: &[u64]) -> bool {
    [0, u64::MAX].iter().any(|word| sector.iter().all(|told| told == word))
}

/// Kinds of what a formatter leaves that is cut off, of which [`Asks::may_be_used`] knows whether somebody used it.
const OURS: [&str; 2] = ["ext4", "xfs"];

/// Whether something else than a cut format's file system is among what stands where its partition would be (`drive::content::Look`):
/// an array's superblock lies 4 KiB behind the beginning, or at the end.
pub(super) fn holds_others(kinds: &BTreeSet<String>) -> bool {
    kinds.iter().any(|kind| !OURS.contains(&kind.as_str()))
}

/// Whether an XFS begins there that mkfs has not finished: nobody can have mounted that. Source: `sb_inprogress` in the kernel's
/// `fs/xfs/libxfs/xfs_format.h`.
fn is_xfs_in_the_making(beginning: &[u8]) -> bool {
    beginning.starts_with(b"XFSB") && beginning.get(126) == Some(&1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::FileExt;
    use std::process::Command;

    use drive::content;
    use wire::options::{FileSystem, FormatRequest, Table};

    use super::*;

    const BYTES: u64 = 128 << 20;

    /// Whether a drive in whose partition these bytes stand, so far behind its beginning, holds what is no formatter's.
    fn holding(bytes: &[u8], at: u64) -> bool {
        let drive = tempfile::tempfile().unwrap();
        drive.set_len(BYTES).unwrap();
        drive.write_all_at(bytes, format::ALIGN + at).unwrap();
        holds_others(&content::look(&drive, BYTES, 512).unwrap().unlisted)
    }

    #[test]
    fn what_lies_deeper_than_a_file_systems_beginning_is_found() {
        assert!(!holding(&[], 0));
        // An array's member, version 1.2 and 1.0: magic, version, and where it lies (linux/raid/md_p.h).
        let superblock = |at: u64| {
            let mut superblock = [0; 512];
            superblock[..8].copy_from_slice(&[0xfc, 0x4e, 0x2b, 0xa9, 1, 0, 0, 0]);
            superblock[144..152].copy_from_slice(&(at / 512).to_le_bytes());
            superblock
        };
        assert!(holding(&superblock(4096), 4096));
        // 8 KiB before the end of the partition that each table gets, on 4 KiB.
        for table in [Table::Mbr, Table::Gpt] {
            let request = FormatRequest {
                table,
                filesystem: FileSystem::Ext4,
                reserved_percent: 0,
                label: String::new(),
            };
            let layout = format::plan(BYTES, 512, &request).unwrap();
            assert_eq!(layout.start(), format::ALIGN);
            let at = (layout.size() - 8192) / 4096 * 4096;
            assert!(holding(&superblock(at), at), "{table:?}");
        }
    }

    #[test]
    fn what_a_formatter_leaves_is_no_others() {
        for (program, arguments, others) in [
            ("mkfs.ext4", &["-q", "-F"][..], false),
            ("mkfs.ext4", &["-q", "-F", "-b", "4096"], false),
            ("mkfs.btrfs", &["-q", "-f"], true),
            ("mkswap", &[], true),
        ] {
            let partition = tempfile::NamedTempFile::new().unwrap();
            partition.as_file().set_len(BYTES - (2 << 20)).unwrap();
            let made = Command::new(program)
                .args(arguments)
                .arg(partition.path())
                .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
                .output();
            if made.is_ok_and(|made| made.status.success()) {
                let bytes = std::fs::read(partition.path()).unwrap();
                assert_eq!(holding(&bytes, 0), others, "{program}");
            }
        }
    }
}
