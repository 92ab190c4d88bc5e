//! FAT12, FAT16 and FAT32: the entries of the first table, of which those that are 0 are free.
//!
//! The count that FAT32 keeps beside it is a hint, by its own specification: a stick that was pulled has an old one.

use std::io;

use super::Fields;
use super::table::Table;

/// Bits of an entry of FAT32 that count: its upper four are others'.
const ENTRY: u32 = 0x0FFF_FFFF;

/// Clusters from which on a FAT is one of 16 bits, and of 32.
const CLUSTERS: [u64; 2] = [4085, 65_525];

/// Bytes in use.
///
/// Source: Microsoft's FAT specification, "BIOS Parameter Block" and "FAT type determination".
pub(super) fn used(table: Table<'_>) -> io::Result<Option<u64>> {
    let Some(block) = table.window.read::<512>(0)? else {
        return Ok(None);
    };
    let block = Fields(&block);
    let or = |short: u16, long: u32| if short == 0 { u64::from(long) } else { u64::from(short) };
    let (sector, cluster) = (u64::from(block.u16(11)), u64::from(block.u8(13)));
    let (reserved, tables) = (u64::from(block.u16(14)), u64::from(block.u8(16)));
    let (all, long) = (or(block.u16(19), block.u32(32)), or(block.u16(22), block.u32(36)));
    let root = (u64::from(block.u16(17)) * 32).checked_div(sector).unwrap_or(0);
    let Some(data) = all.checked_sub(reserved + tables * long + root) else {
        return Ok(None);
    };
    let Some(clusters) = data.checked_div(cluster) else {
        return Ok(None);
    };
    // The first two entries are no clusters'.
    let entries = clusters + 2;
    let at = reserved * sector;
    let taken = match clusters {
        few if few < CLUSTERS[0] => twelve(table, at, entries)?,
        some if some < CLUSTERS[1] => count::<2>(table, at, entries, |entry| entry.u16(0) != 0)?,
        _ => count::<4>(table, at, entries, |entry| entry.u32(0) & ENTRY != 0)?,
    };
    Ok(taken.map(|taken| taken.saturating_sub(2) * cluster * sector))
}

/// How many of the `entries` of so many bytes each from byte `at` on are taken.
fn count<const BYTES: usize>(
    table: Table<'_>,
    at: u64,
    entries: u64,
    is_taken: impl Fn(&Fields<'_>) -> bool,
) -> io::Result<Option<u64>> {
    let mut taken = 0;
    let whole = table.each(at, entries.saturating_mul(BYTES as u64), |piece| {
        let entries = piece.chunks_exact(BYTES).map(Fields);
        taken += entries.filter(&is_taken).count() as u64;
    })?;
    Ok(whole.then_some(taken))
}

/// The same where two entries share three bytes.
fn twelve(table: Table<'_>, at: u64, entries: u64) -> io::Result<Option<u64>> {
    let mut bytes = Vec::new();
    let whole = table.each(at, (entries * 3).div_ceil(2), |piece| bytes.extend_from_slice(piece))?;
    let taken = (0..usize::try_from(entries).unwrap_or(0)).filter(|entry| {
        let pair = Fields(&bytes).u16(entry * 3 / 2);
        let own = if entry % 2 == 0 { pair & 0xFFF } else { pair >> 4 };
        own != 0
    });
    Ok(whole.then(|| taken.count() as u64))
}
