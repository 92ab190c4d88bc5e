//! File systems that may be made of several devices: whether one of them says that there are others.
//!
//! One that is alone is only data. What is not told is the device that carries no signature: the second one of an f2fs and the realtime
//! one of an XFS look blank.
//! bcachefs, which libblkid does not know, is in [`crate::unlisted`]. Tested in `tests/blkid_images.rs`.

use std::io;

use crate::member::ContentKind;
use crate::window::Window;

/// What the file system that begins at `window`, and that libblkid calls `kind`, belongs to; `None` where it tells of no others.
pub(crate) fn of(kind: &str, window: Window<'_>) -> io::Result<Option<ContentKind>> {
    Ok(match kind {
        "btrfs" => btrfs(window)?.then_some(ContentKind::Btrfs),
        "f2fs" => f2fs(window)?.then_some(ContentKind::Pool),
        "xfs" => xfs(window)?.then_some(ContentKind::Pool),
        "apfs" => apfs(window)?.then_some(ContentKind::Pool),
        _ => None,
    })
}

/// Whether it has several devices, or is a seed, from which others grew: those read it as long as they live.
///
/// Source: `struct btrfs_super_block` (superblock at 64 KiB, `flags` at byte 0x38 of it, `num_devices` at 0x88) and
/// `BTRFS_SUPER_FLAG_SEEDING` in `linux/btrfs_tree.h`.
fn btrfs(window: Window<'_>) -> io::Result<bool> {
    const SUPERBLOCK: u64 = 0x1_0000;
    const SEEDING: u64 = 1 << 32;
    let number = |at| Ok::<_, io::Error>(window.read(SUPERBLOCK + at)?.map_or(0, u64::from_le_bytes));
    Ok(number(0x88)? > 1 || number(0x38)? & SEEDING != 0)
}

/// Whether it names a second device: `devs[1].path`, at byte 2269 of the superblock, which is at byte 1024.
///
/// Source: `struct f2fs_super_block` in the kernel's `linux/f2fs_fs.h`; seen so of f2fs-tools 1.15.
fn f2fs(window: Window<'_>) -> io::Result<bool> {
    Ok(window.read(1024 + 2269)?.is_some_and(|[first]: [u8; 1]| first != 0))
}

/// Whether it has a realtime device, which holds the data of files and no signature: `sb_rblocks`, big-endian at byte 16.
///
/// Source: `struct xfs_dsb` in the kernel's `fs/xfs/libxfs/xfs_format.h`.
fn xfs(window: Window<'_>) -> io::Result<bool> {
    Ok(window.read(16)?.is_some_and(|blocks| u64::from_be_bytes(blocks) != 0))
}

/// Whether its container spans a disk and a flash: `NX_INCOMPAT_FUSION` in `nx_incompatible_features`, at byte 64.
///
/// Source: Apple File System Reference, `nx_superblock_t`.
fn apfs(window: Window<'_>) -> io::Result<bool> {
    const FUSION: u64 = 0x100;
    Ok(window
        .read(64)?
        .is_some_and(|features| u64::from_le_bytes(features) & FUSION != 0))
}
