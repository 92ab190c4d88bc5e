//! ext2, ext3, ext4: the superblock counts free blocks and remembers the last mount.

use std::io;

use wire::{Bytes, Time};

use super::{Fields, Usage};
use crate::window::Window;

/// `s_magic`.
const MAGIC: u16 = 0xEF53;

/// In `s_state`: unmounted cleanly.
const VALID: u16 = 1;

/// In `s_feature_incompat`: its journal must be played first.
const RECOVER: u32 = 0x4;

/// In `s_feature_incompat`: the upper halves of its counts of blocks count.
const WIDE: u32 = 0x80;

/// Longest `s_log_block_size` behind 1024: blocks of 64 KiB.
const LOG_MAX: u32 = 6;

/// What it tells.
///
/// Its use is told where it was unmounted: while it is mounted the counts of the superblock stay behind.
///
/// Source: `struct ext4_super_block` in the kernel's `fs/ext4/ext4.h`, at byte 1024.
pub(super) fn of(window: Window<'_>) -> io::Result<Usage> {
    let block = window.read::<1024>(1024)?;
    let block = block.as_ref().map(|block| Fields(block));
    let Some(block) = block.filter(|block| block.u16(0x38) == MAGIC && block.u32(0x18) <= LOG_MAX) else {
        return Ok(Usage::default());
    };
    let seconds = u64::from(block.u32(0x2C)) | u64::from(block.u8(0x275)) << 32;
    let at = i64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
    let is_whole = block.u16(0x3A) & VALID != 0 && block.u32(0x60) & RECOVER == 0;
    Ok(Usage {
        used: is_whole.then(|| used(&block)).flatten().map(Bytes),
        mounted: at.and_then(|seconds| Time::from_second(seconds).ok()),
    })
}

/// Bytes in use by files, as `df` has it: without what the file system needs for itself.
fn used(block: &Fields<'_>) -> Option<u64> {
    let size = 1024 << block.u32(0x18);
    let is_wide = block.u32(0x60) & WIDE != 0;
    let upper = |at| if is_wide { u64::from(block.u32(at)) << 32 } else { 0 };
    let all = u64::from(block.u32(0x4)) | upper(0x150);
    let free = u64::from(block.u32(0xC)) | upper(0x158);
    // Those that older formatters made do not count it.
    let own = match block.u32(0x248) {
        0 => overhead(block, size, all),
        clusters => u64::from(clusters) << block.u32(0x1C).saturating_sub(block.u32(0x18)).min(32),
    };
    all.checked_sub(free)?.saturating_sub(own).checked_mul(size)
}

/// Blocks that tables of inodes, bitmaps and the journal take, of `all` blocks of `size` bytes.
fn overhead(block: &Fields<'_>, size: u64, all: u64) -> u64 {
    let revision = block.u32(0x4C);
    let inode = if revision == 0 { 128 } else { u64::from(block.u16(0x58)) };
    let tables = u64::from(block.u32(0x0)).saturating_mul(inode) / size;
    let groups = all.div_ceil(u64::from(block.u32(0x20)).max(1));
    // `s_jnl_blocks` keeps the size of the journal's inode behind its fifteen blocks.
    let journal = u64::from(block.u32(0x10C + 15 * 4)) << 32 | u64::from(block.u32(0x10C + 16 * 4));
    tables
        .saturating_add(groups.saturating_mul(2))
        .saturating_add(journal / size)
}
