//! FAT32 as the boot partition has it: its geometry and names, a reader, and the plan by which a slot is replaced.
//!
//! The image's writer makes the file system (`image/src/fat32`), firmware, GRUB and whoever edits `kiln.toml` read it, and the
//! running box changes it in one way only: [`plan`]. Nothing is mounted for that, because the kernel's vfat writes its
//! tables in an order that a power cut does not forgive (measured: a rename reached the disk in 0 of 18 cuts).

mod folder;
pub mod name;
mod plan;
mod volume;

pub use folder::{Named, named};
pub use plan::{Place, Plan, Step, plan};
pub use volume::{Entry, Read, Volume};

/// Bytes in a sector; 4Kn media are not supported by the layout.
pub const SECTOR: u64 = SECTOR_LEN as u64;
/// Sectors in a cluster: 4 KiB, the write unit of most flash.
pub const CLUSTER_SECTORS: u64 = CLUSTER / SECTOR;
/// Bytes in a cluster.
pub const CLUSTER: u64 = CLUSTER_LEN as u64;
/// [`SECTOR`] as the length of a buffer.
const SECTOR_LEN: usize = 512;
/// [`CLUSTER`] as the length of a buffer.
const CLUSTER_LEN: usize = 8 * SECTOR_LEN;
/// Sectors to which the data area is aligned: 1 MiB.
const ALIGN: u64 = 2048;
/// Fewest clusters with which a file system counts as FAT32 (Microsoft's specification, "FAT type determination").
pub const FEWEST_CLUSTERS: u64 = 65525;
/// End of a chain.
pub const END: u32 = 0x0fff_ffff;
/// From this value on a chain is at its end.
const ENDS: u32 = 0x0fff_fff8;
/// A cluster that cannot be used.
const BAD: u32 = 0x0fff_fff7;
/// Directory entries are this long.
pub const ENTRY: usize = 32;
/// A directory.
pub const DIRECTORY: u8 = 0x10;
/// A part of a long name.
pub const LONG: u8 = 0x0f;
/// 1 January 2026, the date of every file that we make.
pub const DATE: u16 = ((2026 - 1980) << 9) | (1 << 5) | 1;

/// Where the parts of the file system lie, in sectors from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// All of it.
    pub sectors: u64,
    /// Sectors before the first FAT.
    pub reserved: u64,
    /// Sectors of one FAT.
    pub fat: u64,
    /// First sector of cluster 2.
    pub data: u64,
    /// Clusters that can hold data.
    pub clusters: u64,
}

impl Geometry {
    /// Lays out a file system of this many sectors.
    ///
    /// Returns `None` when it is too small to be FAT32 (below about 257 MiB) or too large for its 32-bit fields.
    #[must_use]
    pub fn new(sectors: u64) -> Option<Self> {
        let fat_of = |clusters: u64| ((clusters + 2) * 4).div_ceil(SECTOR);
        let data = (2 * fat_of(sectors / CLUSTER_SECTORS) + 32).next_multiple_of(ALIGN);
        let clusters = sectors.checked_sub(data)? / CLUSTER_SECTORS;
        let fat = fat_of(clusters);
        let reserved = data - 2 * fat;
        let fits = clusters >= FEWEST_CLUSTERS && u32::try_from(sectors).is_ok() && u16::try_from(reserved).is_ok();
        fits.then_some(Self {
            sectors,
            reserved,
            fat,
            data,
            clusters,
        })
    }

    /// Byte offset of a cluster.
    #[must_use]
    pub fn offset(&self, cluster: u32) -> u64 {
        (self.data + (u64::from(cluster) - 2) * CLUSTER_SECTORS) * SECTOR
    }
}

/// A directory entry with its short name.
pub fn entry(short: &[u8; 11], attribute: u8, case: u8, cluster: u32, size: u32) -> [u8; ENTRY] {
    let mut e = [0u8; ENTRY];
    e[..11].copy_from_slice(short);
    e[11] = attribute;
    e[12] = case;
    for at in [16, 18, 24] {
        e[at..at + 2].copy_from_slice(&DATE.to_le_bytes());
    }
    let number = cluster.to_le_bytes();
    e[20..22].copy_from_slice(&number[2..]);
    e[26..28].copy_from_slice(&number[..2]);
    e[28..].copy_from_slice(&size.to_le_bytes());
    e
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_proven_geometry() {
        let g = Geometry::new(512 * 2048).unwrap();
        assert_eq!((g.reserved, g.fat, g.data), (2054, 1021, 4096));
        assert!(Geometry::new(64 * 2048).is_none(), "too few clusters for FAT32");
        assert!(Geometry::new(1).is_none());
    }
}
