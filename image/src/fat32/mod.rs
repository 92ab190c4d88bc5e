//! FAT32, the boot partition's file system: our own small writer, and a reader for checking.
//!
//! The writer makes every file contiguous, aligns the data area to 1 MiB (so files start on 4 KiB of the disk), and
//! gives long names their directory entries with the checksum of their short alias. Firmware, GRUB, Linux and Windows
//! all read it. Times and serial number are fixed: the same files give the same bytes. `fsck.vfat` finds nothing to
//! say (`tests`, and `tests/fat32.rs` with random trees).

mod name;
mod read;
mod write;

pub use read::{Entry, Reader};
pub use write::{Source, write};

/// Bytes in a sector; 4Kn media are not supported by the layout.
pub const SECTOR: u64 = 512;
/// Sectors in a cluster: 4 KiB, the write unit of most flash.
const CLUSTER_SECTORS: u64 = 8;
/// Bytes in a cluster.
const CLUSTER: u64 = CLUSTER_SECTORS * SECTOR;
/// Sectors to which the data area is aligned: 1 MiB.
const ALIGN: u64 = 2048;
/// Fewest clusters with which a file system counts as FAT32 (Microsoft's specification, "FAT type determination").
const FEWEST_CLUSTERS: u64 = 65525;
/// End of a chain.
const END: u32 = 0x0fff_ffff;
/// Directory entries are this long.
const ENTRY: usize = 32;
/// A directory.
const DIRECTORY: u8 = 0x10;
/// A part of a long name.
const LONG: u8 = 0x0f;

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
        let fits = clusters >= FEWEST_CLUSTERS && sectors <= u64::from(u32::MAX) && reserved <= u64::from(u16::MAX);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_proven_geometry() {
        let g = Geometry::new(512 * 2048).unwrap();
        assert_eq!((g.reserved, g.fat, g.data), (2054, 1021, 4096));
        assert!(Geometry::new(64 * 2048).is_none(), "too few clusters for FAT32");
        assert!(Geometry::new(1).is_none());
    }
}
