//! btrfs: its superblock is written with each transaction, so what it counts is what is there.

use std::io;

use super::Fields;
use crate::window::Window;

/// Bytes in use, on all its devices.
///
/// Source: `struct btrfs_super_block` in the kernel's `linux/btrfs_tree.h`: `magic` at byte 64, `bytes_used` at 0x78.
pub(super) fn used(window: Window<'_>) -> io::Result<Option<u64>> {
    let block = window.read::<4096>(0x1_0000)?;
    let block = block.as_ref().map(|block| Fields(block));
    let block = block.filter(|block| block.bytes(64) == *b"_BHRfS_M");
    Ok(block.map(|block| block.u64(0x78)))
}
