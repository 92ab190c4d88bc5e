//! XFS: each allocation group counts its own free blocks.
//!
//! The sum in the superblock is put right when the file system is unmounted, and stays behind before: after a power cut the kernel sums
//! the groups anew, and so does this.

use std::io;
use std::time::Instant;

use crate::window::Window;

/// Most allocation groups that are asked: formatters make four of a disk below 4 TB, and one of each further terabyte.
const GROUPS_MAX: u32 = 512;

/// Bytes in use by files.
///
/// Source: `struct xfs_dsb` and `struct xfs_agf` in the kernel's `fs/xfs/libxfs/xfs_format.h`, both big-endian; what counts as free:
/// `xfs_initialize_perag_data` in `fs/xfs/libxfs/xfs_sb.c`.
pub(super) fn used(window: Window<'_>, until: Instant) -> io::Result<Option<u64>> {
    let Some(block) = window.read::<512>(0)?.filter(|block| block.starts_with(b"XFSB")) else {
        return Ok(None);
    };
    let (size, all) = (u64::from(long(&block, 4)), double(&block, 8));
    let (each, groups) = (u64::from(long(&block, 84)), long(&block, 88));
    let sector = u64::from(u16::from_be_bytes([block[102], block[103]]));
    // A log of its own device takes nothing of this one.
    let log = if double(&block, 48) == 0 {
        0
    } else {
        u64::from(long(&block, 96))
    };
    if groups > GROUPS_MAX {
        return Ok(None);
    }
    let mut free = 0_u64;
    for group in 0..u64::from(groups) {
        let start = group.checked_mul(each).and_then(|blocks| blocks.checked_mul(size));
        let at = start.and_then(|start| start.checked_add(sector));
        let header = match at {
            Some(at) if Instant::now() < until => window.read::<64>(at)?,
            Some(_) | None => None,
        };
        let Some(header) = header.filter(|header| header.starts_with(b"XAGF")) else {
            return Ok(None);
        };
        // Free blocks, those of the list from which its trees grow, and those that the trees have.
        free += [52, 48, 60].map(|at| u64::from(long(&header, at))).iter().sum::<u64>();
    }
    let taken = all.checked_sub(free).map(|taken| taken.saturating_sub(log));
    Ok(taken.and_then(|blocks| blocks.checked_mul(size)))
}

fn long(block: &[u8], at: usize) -> u32 {
    block[at..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn double(block: &[u8], at: usize) -> u64 {
    block[at..].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
