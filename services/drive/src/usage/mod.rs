//! How full a file system is, and when it was last mounted, in its own words: what a person is about to lose.
//!
//! ```text
//!  ext2, ext3, ext4   superblock: free blocks, overhead; time of the last mount
//!  XFS                free blocks of every allocation group, as the kernel sums them after a power cut
//!  btrfs              superblock: bytes used
//!  FAT, exFAT, NTFS   the allocation table itself: a hint of it is not kept up by every driver
//! ```
//!
//! For people alone: nothing is refused or allowed by it, and what cannot be counted in [`TIME`] is not told. It is read in a child of its
//! own ([`crate::probe::counted`]) behind the look that the guard asks for, and a drive of which something could not be read is not asked. Not counted: file
//! systems of other kinds, whatever is encrypted, members of arrays and volumes. Tested in `tests/usage.rs` over what the real
//! formatters made, and by the fuzz target `content`.

mod btrfs;
mod exfat;
mod ext;
mod fat;
mod ntfs;
mod table;
mod xfs;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use wire::drive::{Content, Signature};
use wire::{Bytes, Time};

use crate::places::{self, Mbr};
use crate::summary::summary;
use crate::window::Window;
use table::Table;

/// Longest time for all file systems of a drive. What they count by is 32 MB for each terabyte in clusters of 4 KiB: a disk that is well
/// reads that in a quarter of a second.
const TIME: Duration = Duration::from_secs(4);

/// What a file system tells of its use.
#[derive(Debug, Default, PartialEq, Eq)]
struct Usage {
    used: Option<Bytes>,
    mounted: Option<Time>,
}

impl Usage {
    /// Of the bytes in use, where they are known.
    fn of(used: impl Into<Option<u64>>) -> Self {
        Self {
            used: used.into().map(Bytes),
            mounted: None,
        }
    }
}

/// The same content, with the use of each file system, of `size` bytes of an open device or image with logical `sector` size.
pub(crate) fn told(content: Content, file: &File, (size, sector): (u64, u32)) -> Content {
    let Content::Found { mut signatures, .. } = content else {
        return content;
    };
    // A table that cannot be read a second time tells no partitions, and the look stands as it is.
    let listed = places::of(file, (size, sector), Mbr::Counts).map_or_else(|_| Vec::new(), |places| places.listed);
    let window = |start, size| Window { file, start, size };
    let partitions = listed
        .iter()
        .filter_map(|it| Some((it.number, window(it.start, it.within(size)?))));
    let windows: BTreeMap<u32, Window<'_>> = partitions.chain([(0, window(0, size))]).collect();
    let until = Instant::now() + TIME;
    for signature in &mut signatures {
        let Some(window) = windows.get(&signature.partition) else {
            continue;
        };
        // One read that fails may take seconds: no other is tried.
        let Ok(usage) = of(&signature.kind, *window, until) else {
            break;
        };
        (signature.used, signature.mounted) = (usage.used, usage.mounted);
    }
    let summary = summary(&signatures);
    Content::Found { signatures, summary }
}

/// What the file system in `window`, which libblkid calls `kind`, tells; nothing where it is none that is known here.
fn of(kind: &str, window: Window<'_>, until: Instant) -> io::Result<Usage> {
    let table = Table { window, until };
    Ok(match kind {
        "ext2" | "ext3" | "ext4" => ext::of(window)?,
        "xfs" => Usage::of(xfs::used(window, until)?),
        "btrfs" => Usage::of(btrfs::used(window)?),
        "vfat" => Usage::of(fat::used(table)?),
        "exfat" => Usage::of(exfat::used(table)?),
        "ntfs" => Usage::of(ntfs::used(table)?),
        _ => Usage::default(),
    })
}

/// Of a file system, for its line in a summary: `3.1 TB used, last mounted 12 March 2026`; `None` where it tells neither.
pub(crate) fn words(signature: &Signature) -> Option<String> {
    let used = signature.used.map(|used| format!("{used} used"));
    let mounted = signature
        .mounted
        .map(|at| format!("last mounted {}", at.strftime("%-d %B %Y")));
    match (used, mounted) {
        (Some(used), Some(mounted)) => Some(format!("{used}, {mounted}")),
        (used, mounted) => used.or(mounted),
    }
}

/// Little-endian numbers of a structure on the drive, by their places in it; 0 beyond its end.
struct Fields<'b>(&'b [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk::<N>());
        bytes.copied().unwrap_or([0; N])
    }

    fn u8(&self, at: usize) -> u8 {
        u8::from_le_bytes(self.bytes(at))
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes(at))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }
}
