//! A little of FAT32, read past the file system driver: the first cluster of a folder or a file of the boot partition.
//!
//! Nothing is mounted, so what is read may be on a stick that is not ours. Tested through `mark` and `data::reset`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::boot::table::gpt::SECTOR;

/// Bytes of a directory entry.
const ENTRY: usize = 32;
/// Largest cluster that FAT32 may have, in sectors.
const CLUSTER_MAX: u64 = 128;

/// Attributes of a part of a long name, and the bit in its first byte that begins one.
const LONG: u8 = 0x0f;
const FIRST: u8 = 0x40;

/// The 13 characters in a part of a long name.
fn units(e: &[u8]) -> impl Iterator<Item = u16> {
    let places = [&e[1..11], &e[14..26], &e[28..32]];
    places
        .into_iter()
        .flat_map(|p| p.chunks_exact(2))
        .map(|u| u16::from_le_bytes([u[0], u[1]]))
}

/// What each part of a long name carries of the short one.
fn checksum(short: &[u8]) -> u8 {
    short.iter().fold(0, |sum: u8, b| sum.rotate_right(1).wrapping_add(*b))
}

/// Where things are on the boot partition.
#[derive(Debug)]
pub(in crate::boot) struct Fat<'a> {
    disk: &'a File,
    /// First sector of cluster 2.
    data: u64,
    cluster_sectors: u64,
    /// First cluster of the root folder.
    pub(in crate::boot) root: u64,
}

impl Fat<'_> {
    /// Reads the boot sector of the partition that begins at sector `first`; `None` where there is no FAT32.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub(in crate::boot) fn read(disk: &File, first: u64) -> io::Result<Option<Fat<'_>>> {
        let mut boot = [0u8; 512];
        disk.read_exact_at(&mut boot, first * SECTOR)?;
        let u16_at = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
        let u32_at = |at: usize| u64::from(u32::from_le_bytes([boot[at], boot[at + 1], boot[at + 2], boot[at + 3]]));
        let cluster_sectors = u64::from(boot[13]);
        let fits = boot[510..] == [0x55, 0xaa] && u16_at(11) == SECTOR && (1..=CLUSTER_MAX).contains(&cluster_sectors);
        Ok(fits.then(|| Fat {
            disk,
            data: first + u16_at(14) + u64::from(boot[16]) * u32_at(36),
            cluster_sectors,
            root: u32_at(44),
        }))
    }

    /// Where a cluster begins, in bytes of the disk; `None` for what is no cluster.
    pub(in crate::boot) fn offset(&self, cluster: u64) -> Option<u64> {
        let n = cluster.checked_sub(2)?;
        Some((self.data + n * self.cluster_sectors) * SECTOR)
    }

    /// A cluster's bytes; `None` for what is no cluster.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub(in crate::boot) fn cluster(&self, cluster: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(at) = self.offset(cluster) else {
            return Ok(None);
        };
        let mut bytes = vec![0u8; usize::try_from(self.cluster_sectors * SECTOR).unwrap_or(0)];
        self.disk.read_exact_at(&mut bytes, at)?;
        Ok(Some(bytes))
    }

    /// First cluster and size of what in a folder's first cluster has a name that is `wanted`: the short one, and the long one,
    /// which is empty where there is none.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub(in crate::boot) fn find(
        &self,
        folder: u64,
        wanted: impl Fn(&[u8], &str) -> bool,
    ) -> io::Result<Option<(u64, u32)>> {
        let Some(folder) = self.cluster(folder)? else {
            return Ok(None);
        };
        // Parts of a long name, the last one first, and the checksum of the short name that follows.
        let mut parts: Vec<u16> = Vec::new();
        let mut sum = None;
        let mut entries = folder.chunks_exact(ENTRY).take_while(|e| e[0] != 0);
        let found = entries.find(|e| {
            if e[0] != 0xe5 && e[11] & 0x3f == LONG {
                if e[0] & FIRST != 0 {
                    parts.clear();
                }
                parts.splice(0..0, units(e));
                sum = Some(e[13]);
                return false;
            }
            let long = std::mem::take(&mut parts);
            let own = sum.take() == Some(checksum(&e[..11]));
            let end = long.iter().position(|u| *u == 0).unwrap_or(long.len());
            let long = String::from_utf16_lossy(if own { &long[..end] } else { &[] });
            // Bit 3: a volume label.
            e[0] != 0xe5 && e[11] & 0x08 == 0 && wanted(&e[..11], &long)
        });
        Ok(found.map(|e| {
            let half = |at: usize| u64::from(u16::from_le_bytes([e[at], e[at + 1]]));
            (
                half(20) << 16 | half(26),
                u32::from_le_bytes([e[28], e[29], e[30], e[31]]),
            )
        }))
    }
}
