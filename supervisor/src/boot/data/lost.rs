//! DATA without its first superblock: a medium on which DATA was never made, or a superblock that was lost.
//!
//! ext4 rewrites that one block at each mount, so it is the first to be torn, misdirected or worn out; copies of it lie in
//! later block groups, and `e2fsck` brings a whole file system back from one. So DATA is made anew only where no copy is
//! left, and what is not ours is left alone. A stick that was flashed again still has the copies of the DATA before: a
//! fresh medium is noted in DATA's first sector before its partitions lose the image's GUIDs, and whatever is made anew has
//! its old copies taken away first, or a power cut could bring back what its owner had reset.
//!
//! A medium may answer with zeros, or with anything, for a moment: nothing is decided by one look.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use super::reset;
use crate::boot::medium::found;

/// What stands at the beginning of a DATA partition that never had a file system.
const NEW: &[u8; 15] = b"KILN-NEW-DATA/1";
/// How much of the beginning is looked at, in bytes: all that the signatures below need.
const HEAD: usize = 68 * 1024;
/// Of which this is zero on a blank partition, in bytes.
const BLANK: usize = 64 * 1024;
/// A superblock, in bytes.
const SUPERBLOCK: usize = 1024;
/// Groups with a copy (`sparse_super`: 1 and the powers of 3, 5 and 7), as many as a small DATA has.
const GROUPS: [u64; 4] = [1, 3, 5, 7];
/// Block sizes, the likeliest first: `mke2fs` takes 4096 from 512 MiB on, and 1024 below.
const SIZES: [u64; 3] = [4096, 1024, 2048];
/// Of these `e2fsck` by itself looks at group 1.
const OTHER_SIZES: [u64; 4] = [8192, 16_384, 32_768, 65_536];

/// Between two looks.
const AGAIN: Duration = Duration::from_secs(1);

/// Signatures of what else a partition may hold. Sources: the formats' own descriptions, and libblkid's list.
const OTHERS: [(usize, &[u8], &str); 10] = [
    (0, b"XFSB", "xfs"),
    (0, b"LUKS\xba\xbe", "LUKS"),
    (3, b"NTFS    ", "NTFS"),
    (3, b"EXFAT   ", "exFAT"),
    (54, b"FAT", "FAT"),
    (82, b"FAT32", "FAT"),
    (512, b"LABELONE", "LVM"),
    (1024, b"\x10\x20\xf5\xf2", "F2FS"),
    (4086, b"SWAPSPACE2", "swap"),
    (0x1_0040, b"_BHRfS_M", "btrfs"),
];

/// Where a copy of the superblock may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    group: u64,
    block_size: u64,
}

impl Place {
    /// Number of its block, as `e2fsck -b` wants it. A group has as many blocks as a block has bits.
    fn block(self) -> u64 {
        self.group * self.block_size * 8 + u64::from(self.block_size == 1024)
    }

    /// Bytes from the beginning of the partition.
    fn at(self) -> u64 {
        self.block() * self.block_size
    }
}

fn places() -> impl Iterator<Item = Place> {
    let ours = SIZES
        .into_iter()
        .flat_map(|block_size| GROUPS.map(|group| Place { group, block_size }));
    ours.chain(OTHER_SIZES.map(|block_size| Place { group: 1, block_size }))
}

/// What a block is to ext4.
fn has_magic(superblock: &[u8]) -> bool {
    superblock.get(0x38..0x3A) == Some(&[0x53, 0xEF])
}

/// Whether a block is the copy that belongs there: it bears its group's number and its file system's block size.
fn is_copy(block: &[u8], place: Place) -> bool {
    let u16_at = |at: usize| block.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let size = block.get(24).map(|log| 1024_u64.checked_shl(u32::from(*log)));
    has_magic(block)
        && u16_at(0x5A).map(u64::from) == Some(place.group)
        && size == Some(Some(place.block_size))
        && block.get(25..28) == Some(&[0; 3])
}

/// What a DATA holds whose first superblock did not show.
#[derive(Debug, PartialEq, Eq)]
enum Holds {
    /// That superblock.
    Superblock,
    /// The note that it was never made.
    Note,
    /// Nothing.
    Nothing,
    /// A file system of ours, with these copies of its superblock.
    Copies(Vec<Place>),
    /// Another's file system.
    Other(&'static str),
    /// Something, and no superblock where one is looked for.
    Garbage,
}

/// Decides it by its first [`HEAD`] bytes, and by the blocks that could be read where copies may lie.
fn holds(head: &[u8], blocks: &[(Place, Option<Vec<u8>>)]) -> Holds {
    let zero = |bytes: &[u8]| bytes.iter().all(|b| *b == 0);
    if has_magic(head.get(1024..).unwrap_or_default()) {
        return Holds::Superblock;
    }
    if head.starts_with(NEW) {
        return Holds::Note;
    }
    let other = OTHERS
        .iter()
        .find(|(at, signature, _)| head.get(*at..).is_some_and(|rest| rest.starts_with(signature)));
    if let Some((_, _, name)) = other {
        return Holds::Other(name);
    }
    let copies: Vec<Place> = blocks
        .iter()
        .filter(|(place, block)| block.as_ref().is_some_and(|b| is_copy(b, *place)))
        .map(|(place, _)| *place)
        .collect();
    if !copies.is_empty() {
        return Holds::Copies(copies);
    }
    // A block that cannot be read is not blank.
    let blank = zero(head.get(..BLANK).unwrap_or(head)) && blocks.iter().all(|(_, b)| b.as_deref().is_some_and(zero));
    if blank { Holds::Nothing } else { Holds::Garbage }
}

/// The blocks where copies may lie and that the partition has; `None` for one that cannot be read.
fn blocks(part: &File) -> Vec<(Place, Option<Vec<u8>>)> {
    let read = |place: Place| {
        let mut block = vec![0; SUPERBLOCK];
        match part.read_exact_at(&mut block, place.at()) {
            Ok(()) => Some((place, Some(block))),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(_) => Some((place, None)),
        }
    };
    places().filter_map(read).collect()
}

/// Reads the beginning, of which a small partition may have less.
fn head(part: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let mut filled = 0;
    while filled < HEAD {
        match part.read_at(&mut head[filled..], filled as u64)? {
            0 => break,
            n => filled += n,
        }
    }
    head.truncate(filled);
    Ok(head)
}

fn look(part: &Path) -> io::Result<Holds> {
    let file = File::open(part)?;
    Ok(holds(&head(&file)?, &blocks(&file)))
}

/// Lets the medium answer anew: what was read of it is forgotten, and it gets time.
pub(super) fn ask_again(part: &Path) {
    std::thread::sleep(AGAIN);
    if let Ok(file) = File::open(part) {
        found::forget_cache(&file);
    }
}

/// What became of a DATA without its first superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// There never was one: it is made.
    New,
    /// It is a file system again.
    Revived,
    /// No superblock is left anywhere: it is made anew, and that is told.
    Lost,
    /// It has its superblock: a second look shows it.
    There,
}

/// Brings a DATA without its first superblock back from a copy. `fsck` runs `e2fsck` with options in front of the partition
/// and returns its exit status: below 8 it has found a file system, 8 says that it has not. `again` ([`ask_again`]) stands
/// between two looks.
///
/// # Errors
/// In words, where DATA cannot be read, is another's, or cannot be judged. Then it must not be made anew.
pub(super) fn settle(
    part: &Path,
    again: &mut dyn FnMut(),
    fsck: &mut dyn FnMut(&[&str]) -> Option<i32>,
) -> Result<Fate, String> {
    let told = |e: io::Error| format!("reading {}: {e}", part.display());
    let mut found = look(part).map_err(told)?;
    if !matches!(found, Holds::Superblock | Holds::Note) {
        again();
        let second = look(part).map_err(told)?;
        if second == Holds::Nothing && found != Holds::Nothing {
            return Err(format!(
                "DATA reads differently each time ({found:?}, then nothing); try another port or another stick"
            ));
        }
        found = second;
    }
    let mut status = None;
    let seen = match found {
        Holds::Superblock => return Ok(Fate::There),
        Holds::Note | Holds::Nothing => return Ok(Fate::New),
        Holds::Other(name) => {
            return Err(format!(
                "DATA holds another file system ({name}), which is left alone; `factory_reset = true` in kiln.toml makes DATA anew"
            ));
        }
        Holds::Copies(copies) => copies,
        Holds::Garbage => Vec::new(),
    };
    for copy in &seen {
        let (block, size) = (copy.block().to_string(), copy.block_size.to_string());
        status = fsck(&["-f", "-y", "-b", &block, "-B", &size]);
        if matches!(status, Some(0..8)) {
            return Ok(Fate::Revived);
        }
    }
    if seen.is_empty() {
        status = fsck(&["-f", "-y"]);
    }
    match status {
        Some(0..8) => Ok(Fate::Revived),
        Some(8..16) if seen.is_empty() => Ok(Fate::Lost),
        _ => Err(format!(
            "DATA has lost its superblock and e2fsck could not bring it back (status {status:?})"
        )),
    }
}

/// Notes that this medium has no DATA yet; where there is a superblock or another mark, nothing is noted.
///
/// # Errors
/// The medium cannot be read, or does not take it.
pub(in crate::boot) fn note_new(part: &Path) -> io::Result<()> {
    let head = head(&File::open(part)?)?;
    if has_magic(head.get(1024..).unwrap_or_default()) || reset::asked(part) || head.starts_with(NEW) {
        return Ok(());
    }
    let mut sector = [0; 512];
    sector[..NEW.len()].copy_from_slice(NEW);
    reset::write(part, &sector)
}

/// Takes the note away, should making the file system have left it.
///
/// # Errors
/// The medium cannot be read, or does not take it.
pub(super) fn made(part: &Path) -> io::Result<()> {
    let mut found = [0; NEW.len()];
    File::open(part)?.read_exact_at(&mut found, 0)?;
    if &found == NEW {
        reset::write(part, &[0; 512])
    } else {
        Ok(())
    }
}

/// Takes every copy of a superblock away, before DATA is made anew.
///
/// # Errors
/// The medium does not take it.
pub(super) fn forget(part: &Path) -> io::Result<()> {
    let file = File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_DSYNC)
        .open(part)?;
    let mut any = false;
    for (place, block) in blocks(&file) {
        match block {
            Some(b) if has_magic(&b) => file.write_all_at(&[0; SUPERBLOCK], place.at())?,
            Some(_) => continue,
            // What cannot be read may be one, but one bad sector does not cost the box its DATA.
            None => drop(file.write_all_at(&[0; SUPERBLOCK], place.at())),
        }
        any = true;
    }
    if any { file.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests;
