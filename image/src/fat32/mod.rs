//! FAT32, the boot partition's file system: our own small writer, and a reader for checking.
//!
//! The writer makes every file contiguous, aligns the data area to 1 MiB (so files start on 4 KiB of the disk), and
//! gives long names their directory entries with the checksum of their short alias. Firmware, GRUB, Linux and Windows
//! all read it. Times and serial number are fixed: the same files give the same bytes. `fsck.vfat` finds nothing to
//! say (`tests`, and `tests/fat32.rs` with random trees).

mod read;
mod write;

pub use read::{Entry, Reader};
pub use write::{Source, write};

use bundle::fat::{CLUSTER, CLUSTER_SECTORS, DIRECTORY, END, ENTRY};
pub use bundle::fat::{Geometry, SECTOR};
