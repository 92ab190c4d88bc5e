//! exFAT: its allocation bitmap. The percentage in its boot sector is not kept up by every driver, Linux' among them.

use std::io;

use super::Fields;
use super::table::Table;

/// Type of the root directory's entry that names the bitmap.
const BITMAP: u8 = 0x81;

/// In its flags: it is the second one, of a file system with two.
const SECOND: u8 = 1;

/// Bytes of a directory's entry.
const ENTRY: usize = 32;

/// Bytes of the root directory that are looked through: formatters write the bitmap's entry among the first three.
const DIRECTORY: u64 = 4096;

/// Largest shift of a sector, and of sector and cluster together: 32 MiB.
const SHIFTS: [u8; 2] = [12, 25];

/// Bytes in use.
///
/// Source: Microsoft's exFAT specification, sections 3.1 and 7.1.
pub(super) fn used(table: Table<'_>) -> io::Result<Option<u64>> {
    let Some(block) = table
        .window
        .read::<512>(0)?
        .filter(|block| block[3..].starts_with(b"EXFAT   "))
    else {
        return Ok(None);
    };
    let block = Fields(&block);
    let (sector, more) = (block.u8(108), block.u8(109));
    if sector > SHIFTS[0] || sector.saturating_add(more) > SHIFTS[1] {
        return Ok(None);
    }
    let cluster = 1_u64 << (sector + more);
    let (fat, heap) = (u64::from(block.u32(80)) << sector, u64::from(block.u32(88)) << sector);
    let clusters = u64::from(block.u32(92));
    // Clusters count from 2.
    let place = |number: u32| Some(heap + u64::from(number.checked_sub(2)?) * cluster);
    let Some(root) = place(block.u32(96)) else {
        return Ok(None);
    };
    let mut named = None;
    table.each(root, cluster.min(DIRECTORY), |piece| {
        let mut entries = piece.chunks_exact(ENTRY).map(Fields);
        let bitmap = entries.find(|entry| entry.u8(0) == BITMAP && entry.u8(1) & SECOND == 0);
        named = bitmap.map(|entry| (entry.u32(20), entry.u64(24)));
    })?;
    let Some((first, bytes)) = named.filter(|(_, bytes)| *bytes >= clusters.div_ceil(8)) else {
        return Ok(None);
    };
    let Some(at) = place(first).filter(|at| at.checked_add(bytes).is_some()) else {
        return Ok(None);
    };
    if !is_in_one_piece(table, fat, (first, bytes.div_ceil(cluster)))? {
        return Ok(None);
    }
    let taken = table.ones(&[(at, bytes)], clusters)?;
    Ok(taken.and_then(|clusters| clusters.checked_mul(cluster)))
}

/// Whether the table's chain from the first cluster on is one of so many in a row.
fn is_in_one_piece(table: Table<'_>, fat: u64, (first, count): (u32, u64)) -> io::Result<bool> {
    let links = count.saturating_sub(1);
    let mut next = u64::from(first);
    let mut in_a_row = true;
    let whole = table.each(fat + u64::from(first) * 4, links.saturating_mul(4), |piece| {
        for link in piece.chunks_exact(4).map(Fields) {
            next += 1;
            in_a_row &= u64::from(link.u32(0)) == next;
        }
    })?;
    Ok(whole && in_a_row)
}
