//! An MBR's entries, and the chain of tables in its extended partition: each names one logical partition, and where the next table stands.
//!
//! Layout of a table: four entries of 16 bytes from byte 446 on (kind at 4, first sector at 8, sectors at 12, little-endian),
//! 0x55 0xAA at 510. Source: block/partitions/msdos.c of the kernel, `parse_extended`.

use crate::blkid::Partition;

/// Bytes of a table.
pub(crate) const TABLE: usize = 512;

/// Tables that are followed at most. The kernel numbers 255 partitions of a disk.
pub(crate) const LINKS_MAX: usize = 256;

/// Kinds of partitions that hold a chain. Source: as above, `is_extended_partition`.
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];

/// Kind of the entry that protects a GPT.
const PROTECTIVE: u8 = 0xee;

/// The four entries of an MBR, as `blkid` has partitions; none where this is no table, or one that protects a GPT.
pub(crate) fn primaries(table: &[u8; TABLE], sector: u32) -> Vec<Partition> {
    let entries = table[446..510].chunks_exact(16);
    // As the kernel knows a table from a boot sector: `msdos_partition`.
    let is_table = table[510..] == [0x55, 0xaa] && entries.clone().all(|entry| matches!(entry[0], 0 | 0x80));
    if !is_table || entries.clone().any(|entry| entry[4] == PROTECTIVE) {
        return Vec::new();
    }
    let of = |(number, entry): (u32, &[u8])| {
        let bytes = |at| Some(number_at(entry, at)? * u64::from(sector));
        let (start, size) = (bytes(8)?, bytes(12)?);
        (entry[4] != 0 && size > 0).then(|| Partition {
            number,
            start,
            size,
            name: None,
            kind: Some(format!("{:#04x}", entry[4])),
            extended: EXTENDED.contains(&entry[4]),
            sector,
        })
    };
    (1..).zip(entries).filter_map(of).collect()
}

fn number_at(entry: &[u8], at: usize) -> Option<u64> {
    let bytes = entry.get(at..at + 4)?.try_into().ok()?;
    Some(u64::from(u32::from_le_bytes(bytes)))
}

/// How many sectors behind the beginning of the extended partition the next table stands; `None` behind the last, and where this is none.
pub(crate) fn next(table: &[u8; TABLE]) -> Option<u64> {
    let [.., 0x55, 0xaa] = table else { return None };
    let entries = table[446..510].chunks_exact(16);
    entries
        .filter(|entry| EXTENDED.contains(&entry[4]) && number_at(entry, 12) != Some(0))
        .find_map(|entry| number_at(entry, 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_table_with_a_link_leads_on() {
        let mut table = [0; TABLE];
        table[446 + 16 + 4] = 0x05;
        table[446 + 16 + 8..][..4].copy_from_slice(&0x0102_0304_u32.to_le_bytes());
        table[446 + 16 + 12] = 1;
        assert_eq!(next(&table), None, "no signature");
        (table[510], table[511]) = (0x55, 0xaa);
        assert_eq!(next(&table), Some(0x0102_0304));
        table[446 + 16 + 12] = 0;
        assert_eq!(next(&table), None, "a link to nothing");
        (table[446 + 16 + 12], table[446 + 16 + 4]) = (1, 0x83);
        assert_eq!(next(&table), None, "a partition");
    }
}
