//! NTFS: `$Bitmap`, the sixth record of its master file table, whose data has a bit for each cluster.

use std::io;

use super::Fields;
use super::table::Table;

/// Number of the record.
const BITMAP: u64 = 6;

/// Type of the attribute with a file's data.
const DATA: u32 = 0x80;

/// Type that ends the attributes.
const END: u32 = 0xFFFF_FFFF;

/// Bytes whose last two are kept in the record's own array, so that a torn write shows.
const STRIDE: usize = 512;

/// Largest record, bytes.
const RECORD_MAX: u64 = 64 << 10;

/// Bytes in use.
///
/// Source: the NTFS documentation of the Linux-NTFS project: `$Boot`, FILE records, data runs.
pub(super) fn used(table: Table<'_>) -> io::Result<Option<u64>> {
    let Some(block) = table
        .window
        .read::<512>(0)?
        .filter(|block| block[3..].starts_with(b"NTFS    "))
    else {
        return Ok(None);
    };
    let block = Fields(&block);
    let sector = u64::from(block.u16(11));
    let Some(cluster) = bytes_of(block.u8(13), sector, sector) else {
        return Ok(None);
    };
    let Some(clusters) = (block.u64(40).checked_mul(sector)).and_then(|bytes| bytes.checked_div(cluster)) else {
        return Ok(None);
    };
    let long = bytes_of(block.u8(64), cluster, 1).filter(|long| (STRIDE as u64..=RECORD_MAX).contains(long));
    let at = block.u64(48).checked_mul(cluster);
    let (Some(long), Some(at)) = (long, at) else {
        return Ok(None);
    };
    let mut record = Vec::new();
    let Some(at) = at.checked_add(BITMAP * long) else {
        return Ok(None);
    };
    if !table.each(at, long, |piece| record.extend_from_slice(piece))? {
        return Ok(None);
    }
    let places = whole(record).and_then(|record| places(&record, cluster));
    match places {
        Some(places) => Ok(table
            .ones(&places, clusters)?
            .and_then(|taken| taken.checked_mul(cluster))),
        None => Ok(None),
    }
}

/// Bytes that a size of the boot sector means: so many times `unit`, or, above 128, two to the power of 256 less it times `one`.
fn bytes_of(told: u8, unit: u64, one: u64) -> Option<u64> {
    match told {
        0 => None,
        1..=0x80 => u64::from(told).checked_mul(unit),
        _ => 1_u64.checked_shl(u32::from(told.wrapping_neg()))?.checked_mul(one),
    }
}

/// The record as it was before it was written: with its own last two bytes of each stride; `None` where it is torn or none.
fn whole(mut record: Vec<u8>) -> Option<Vec<u8>> {
    let head = Fields(&record);
    if head.bytes(0) != *b"FILE" {
        return None;
    }
    let (at, count) = (usize::from(head.u16(4)), usize::from(head.u16(6)));
    let kept: Vec<[u8; 2]> = (0..count).map(|n| head.bytes(at + 2 * n)).collect();
    let (number, kept) = kept.split_first()?;
    for (stride, own) in record.chunks_exact_mut(STRIDE).zip(kept) {
        let end = stride.last_chunk_mut::<2>()?;
        if end != number {
            return None;
        }
        *end = *own;
    }
    Some(record)
}

/// First byte and bytes of each run of the unnamed data; `None` where it has none of its own here.
fn places(record: &[u8], cluster: u64) -> Option<Vec<(u64, u64)>> {
    let mut rest = record.get(usize::from(Fields(record).u16(20))..)?;
    loop {
        let head = Fields(rest);
        let (kind, long) = (head.u32(0), usize::try_from(head.u32(4)).ok()?);
        if kind == END || long < 24 || long > rest.len() {
            return None;
        }
        let (attribute, behind) = rest.split_at(long);
        // Named data is another stream's, and data in the record itself is of a volume too small to matter.
        if kind == DATA && head.u8(9) == 0 && head.u8(8) == 1 {
            let runs = attribute.get(usize::from(head.u16(32))..)?;
            return runs_of(runs, cluster);
        }
        rest = behind;
    }
}

/// Runs of clusters: a byte whose halves tell how long the two numbers behind it are, its length, and how far it begins from the one before.
fn runs_of(mut runs: &[u8], cluster: u64) -> Option<Vec<(u64, u64)>> {
    let mut found = Vec::new();
    let mut at = 0_i64;
    loop {
        let (head, rest) = runs.split_first()?;
        if *head == 0 {
            return Some(found);
        }
        let (long, far) = (usize::from(head & 0xF), usize::from(head >> 4));
        let (long, rest) = rest.split_at_checked(long)?;
        let (far, rest) = rest.split_at_checked(far)?;
        // No place of its own: sparse, which this file never is.
        at = at.checked_add(signed(far).filter(|_| !far.is_empty())?)?;
        let clusters = u64::try_from(signed(long)?).ok()?;
        found.push((
            u64::try_from(at).ok()?.checked_mul(cluster)?,
            clusters.checked_mul(cluster)?,
        ));
        runs = rest;
    }
}

/// A little-endian number of up to eight bytes with its sign.
fn signed(bytes: &[u8]) -> Option<i64> {
    if bytes.len() > 8 {
        return None;
    }
    let sign = bytes.last().map_or(0, |last| if last & 0x80 == 0 { 0 } else { 0xFF });
    let mut number = [sign; 8];
    number[..bytes.len()].copy_from_slice(bytes);
    Some(i64::from_le_bytes(number))
}
