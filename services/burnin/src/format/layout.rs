//! Where the one partition lies, by capacity alone: pure.

use drive::first;
use wire::Bytes;
use wire::options::{FileSystem, FormatRequest, Formatted, Table};

/// Partitions begin and end on this boundary: every erase block and physical sector in use divides it.
pub const ALIGN: u64 = first::START;

/// [`ALIGN`] as the size of a buffer.
#[expect(clippy::cast_possible_truncation, reason = "a mebibyte")]
pub(super) const ALIGN_BYTES: usize = ALIGN as usize;

/// Largest drive that gets an MBR by itself: 2 TiB, what 32-bit sector numbers reach with 512-byte sectors.
pub const MBR_MAX: u64 = 2 << 40;

/// Smallest drive that is formatted: less holds no file system worth the name.
pub const DRIVE_MIN: u64 = 16 << 20;

/// Smallest partition that mkfs.xfs takes, in bytes. Source: xfsprogs 5.19 on ("Filesystem must be larger than 300MB"); 6.1 asked.
const XFS_MIN: u64 = 300 << 20;

/// Smallest partition that mkfs.btrfs takes with its own defaults, in bytes. Source: btrfs-progs 6.2, by its own message.
const BTRFS_MIN: u64 = 114_294_784;

/// Largest partition of which mkswap uses all, in bytes: its header counts pages in 32 bits, and the smallest page has 4096 bytes.
/// Source: util-linux `disk-utils/mkswap.c`, "truncating swap area".
const SWAP_MAX: u64 = (1 << 32) * 4096;

/// One partition on a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Never [`Table::Auto`].
    pub table: Table,
    /// Size of the drive in bytes.
    pub capacity: u64,
    /// Its logical sector in bytes.
    pub sector: u32,
    /// First sector of the partition.
    pub first: u64,
    /// Its sectors.
    pub sectors: u64,
}

impl Layout {
    /// Where the partition begins, in bytes.
    pub fn start(&self) -> u64 {
        self.first * u64::from(self.sector)
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.sectors * u64::from(self.sector)
    }

    /// Says that it stands on the drive.
    pub(super) fn tell(&self, made: &mut Formatted) {
        made.table = self.table;
        made.size = Bytes(self.size());
    }
}

/// Why a drive cannot bear it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The request itself is wrong.
    #[error(transparent)]
    Request(#[from] super::BadRequest),
    /// There is no room.
    #[error("the drive has {0} bytes; a table and a file system need at least {DRIVE_MIN}")]
    TooSmall(u64),
    /// The program that makes the file system refuses a partition of that size.
    #[error("its partition would have {room} ({} bytes), and {filesystem} needs at least {least} ({} bytes)", room.0, least.0)]
    TooSmallFor {
        /// What a partition on the drive would have.
        room: Bytes,
        /// The file system.
        filesystem: &'static str,
        /// What the file system needs.
        least: Bytes,
    },
    /// The file system leaves a part of it unused.
    #[error("its partition would have {room} ({} bytes), and swap space has {most} ({} bytes) at most", room.0, most.0)]
    TooLargeForSwap {
        /// What a partition on the drive would have.
        room: Bytes,
        /// What swap space can have.
        most: Bytes,
    },
    /// The sector is none that tables are made for.
    #[error("sectors of {0} bytes; expected a power of two from 512 to 4096")]
    Sector(u32),
    /// The size is no whole number of sectors.
    #[error("{capacity} bytes are no whole number of {sector}-byte sectors")]
    Ragged {
        /// Bytes.
        capacity: u64,
        /// Sector.
        sector: u32,
    },
    /// An MBR cannot reach the drive's end.
    #[error(
        "an MBR reaches 2 TiB (libblkid and udev count 2^32 sectors of 512 bytes), the drive has {0} sectors; choose GPT or leave it to `auto`"
    )]
    TooLargeForMbr(u64),
}

/// Where the partition lies.
///
/// # Errors
/// When the request is wrong or the drive cannot bear it.
pub fn plan(capacity: u64, sector: u32, request: &FormatRequest) -> Result<Layout, Unfit> {
    super::check(request)?;
    if !sector.is_power_of_two() || !(512..=4096).contains(&sector) {
        return Err(Unfit::Sector(sector));
    }
    let size = u64::from(sector);
    if capacity < DRIVE_MIN {
        return Err(Unfit::TooSmall(capacity));
    }
    if !capacity.is_multiple_of(size) {
        return Err(Unfit::Ragged { capacity, sector });
    }
    let table = match request.table {
        Table::Auto if capacity <= MBR_MAX => Table::Mbr,
        Table::Auto => Table::Gpt,
        chosen @ (Table::Mbr | Table::Gpt) => chosen,
    };
    let [with_mbr, with_gpt] = first::ends(capacity, sector);
    // A last sector of 2^32 − 1 would need a count that no entry holds; the boundary leaves it out.
    let end = match table {
        Table::Gpt => with_gpt,
        // Sectors of 4096 bytes would reach further; libblkid, and whoever asks it, counts them in 512 bytes and 32 bits.
        Table::Mbr | Table::Auto if capacity <= MBR_MAX => with_mbr,
        Table::Mbr | Table::Auto => return Err(Unfit::TooLargeForMbr(capacity / size)),
    };
    let room = end - ALIGN;
    let least = least(request.filesystem);
    if room < least {
        return Err(Unfit::TooSmallFor {
            room: Bytes(room),
            filesystem: super::request::name(request.filesystem),
            least: Bytes(least),
        });
    }
    if request.filesystem == FileSystem::Swap && room > SWAP_MAX {
        return Err(Unfit::TooLargeForSwap {
            room: Bytes(room),
            most: Bytes(SWAP_MAX),
        });
    }
    Ok(Layout {
        table,
        capacity,
        sector,
        first: ALIGN / size,
        sectors: room / size,
    })
}

/// Bytes of the smallest partition that this file system is made on; the others' are below [`DRIVE_MIN`].
fn least(filesystem: FileSystem) -> u64 {
    match filesystem {
        FileSystem::Xfs => XFS_MIN,
        FileSystem::Btrfs => BTRFS_MIN,
        FileSystem::Ext4 | FileSystem::Exfat | FileSystem::Swap | FileSystem::Raw => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;
    use wire::options::FileSystem;

    use super::*;

    /// Bytes of a GPT's entries: 128 of 128 bytes. Source: UEFI 2.10 §5.3.1.
    const GPT_ENTRIES: u64 = 128 * 128;

    fn request(table: Table) -> FormatRequest {
        FormatRequest {
            table,
            filesystem: FileSystem::Ext4,
            reserved_percent: 0,
            label: String::new(),
        }
    }

    #[test]
    fn mbr_up_to_two_tib_gpt_above_and_override() {
        let table = |capacity, sector, wish| plan(capacity, sector, &request(wish)).map(|l| l.table);
        assert_eq!(table(MBR_MAX, 512, Table::Auto), Ok(Table::Mbr));
        assert_eq!(table(MBR_MAX + 512, 512, Table::Auto), Ok(Table::Gpt));
        assert_eq!(table(500 << 30, 512, Table::Gpt), Ok(Table::Gpt));
        assert_eq!(table(MBR_MAX, 4096, Table::Mbr), Ok(Table::Mbr));
        assert_eq!(
            table(8 << 40, 4096, Table::Mbr),
            Err(Unfit::TooLargeForMbr(2 << 30)),
            "4Kn: the table would reach 16 TiB, and nobody would read it so"
        );
        assert_eq!(table(8 << 40, 4096, Table::Auto), Ok(Table::Gpt));
        assert_eq!(table(8 << 40, 512, Table::Mbr), Err(Unfit::TooLargeForMbr(16 << 30)));
        assert_eq!(table(1 << 20, 512, Table::Auto), Err(Unfit::TooSmall(1 << 20)));
        assert_eq!(
            table((1 << 30) + 512, 4096, Table::Auto),
            Err(Unfit::Ragged {
                capacity: (1 << 30) + 512,
                sector: 4096
            })
        );
        assert_eq!(table(1 << 30, 520, Table::Auto), Err(Unfit::Sector(520)));
    }

    /// Hours of testing for a file system that is refused at their end.
    #[test]
    fn a_drive_too_small_for_its_file_system_is_refused_beforehand() {
        for (filesystem, least) in [(FileSystem::Xfs, XFS_MIN), (FileSystem::Btrfs, BTRFS_MIN)] {
            let wanted = FormatRequest {
                filesystem,
                ..request(Table::Mbr)
            };
            let enough = ALIGN + least.next_multiple_of(ALIGN);
            assert!(plan(enough, 512, &wanted).is_ok(), "{filesystem:?}");
            let told = plan(enough - 512, 512, &wanted).unwrap_err().to_string();
            let size = enough - 2 * ALIGN;
            assert!(told.contains(&format!("({size} bytes)")), "{told}");
            assert!(told.contains(&format!("({least} bytes)")), "{told}");
            assert!(plan(enough - 512, 512, &request(Table::Mbr)).is_ok(), "ext4 fits there");
        }
    }

    #[test]
    fn swap_space_that_would_not_fill_its_partition_is_refused_beforehand() {
        let wanted = FormatRequest {
            filesystem: FileSystem::Swap,
            ..request(Table::Gpt)
        };
        let capacity = SWAP_MAX + 2 * ALIGN;
        assert_eq!(plan(capacity, 512, &wanted).map(|layout| layout.size()), Ok(SWAP_MAX));
        assert_eq!(
            plan(capacity + ALIGN, 512, &wanted),
            Err(Unfit::TooLargeForSwap {
                room: Bytes(SWAP_MAX + ALIGN),
                most: Bytes(SWAP_MAX),
            })
        );
    }

    proptest! {
        #[test]
        fn it_is_aligned_and_inside(
            sectors in (DRIVE_MIN / 512)..(40_u64 << 40) / 512,
            shift in 0_u32..4,
            wish in prop_oneof![Just(Table::Auto), Just(Table::Mbr), Just(Table::Gpt)],
        ) {
            let sector = 512_u32 << shift;
            let capacity = (sectors * 512) / u64::from(sector) * u64::from(sector);
            prop_assume!(capacity >= DRIVE_MIN);
            match plan(capacity, sector, &request(wish)) {
                Ok(layout) => {
                    prop_assert_eq!(layout.start(), ALIGN);
                    prop_assert!(layout.size() > 0 && layout.size().is_multiple_of(ALIGN));
                    let end = layout.start() + layout.size();
                    let reserve = if layout.table == Table::Gpt { GPT_ENTRIES + u64::from(sector) } else { 0 };
                    prop_assert!(end + reserve <= capacity);
                    prop_assert!(capacity - end < 2 * ALIGN + reserve, "no more than the boundary is given away");
                    if layout.table == Table::Mbr {
                        prop_assert!(layout.first + layout.sectors <= 1 << 32);
                        prop_assert!(u32::try_from(layout.sectors).is_ok());
                    }
                    prop_assert!(layout.table != Table::Auto);
                }
                Err(error) => prop_assert!(matches!(error, Unfit::TooLargeForMbr(_)), "{}", error),
            }
        }
    }
}
