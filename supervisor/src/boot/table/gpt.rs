//! The boot disk's partition table: found partitions, and DATA grown to the end of the medium.
//!
//! Growing is safe against a power cut at any write: see `rewrite`, which has the order of the writes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::rewrite;

/// Sector size that the table of the image is made for, in bytes.
pub const SECTOR: u64 = 512;
/// Type of the BIOS boot partition, as stored.
const BIOS_BOOT: [u8; 16] = guid("21686148-6449-6E6F-744E-656564454649");
/// Type of a Linux file system, as stored.
const LINUX: [u8; 16] = guid("0FC63DAF-8483-4772-8E79-3D69D8477DE4");
/// Largest entry array that is read, in bytes.
const ENTRIES_MAX: u64 = 64 * 1024;
/// DATA is grown only when it gains at least this many sectors (1 MiB).
const WORTH_GROWING: u64 = 2048;

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Number, from 1.
    pub number: u32,
    /// First and last sector.
    pub first: u64,
    /// Last sector.
    pub last: u64,
    kind: [u8; 16],
    /// Its GUID, as stored: the first three groups little-endian.
    pub guid: [u8; 16],
}

/// A table whose checksums are right.
#[derive(Debug, Clone)]
pub struct Gpt {
    header: Vec<u8>,
    entries: Vec<u8>,
    entry_size: u64,
    /// What is in it.
    pub partitions: Vec<Partition>,
}

const fn hex(c: u8) -> u8 {
    match c {
        b'0'..=b'9' => c - b'0',
        b'A'..=b'F' => c - b'A' + 10,
        _ => c - b'a' + 10,
    }
}

/// Text form to stored form: the first three groups are little-endian.
const fn guid(text: &str) -> [u8; 16] {
    let t = text.as_bytes();
    let order = [6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32, 34];
    let mut out = [0; 16];
    let mut i = 0;
    while i < 16 {
        out[i] = hex(t[order[i]]) << 4 | hex(t[order[i] + 1]);
        i += 1;
    }
    out
}

pub(in crate::boot) fn u32_at(b: &[u8], at: usize) -> u32 {
    b.get(at..at + 4)
        .map_or(0, |s| u32::from_le_bytes([s[0], s[1], s[2], s[3]]))
}

/// A stored GUID as GRUB writes it.
pub fn guid_text(g: &[u8; 16]) -> String {
    let group = |places: &[usize]| places.iter().map(|i| format!("{:02x}", g[*i])).collect::<String>();
    [
        group(&[3, 2, 1, 0]),
        group(&[5, 4]),
        group(&[7, 6]),
        group(&[8, 9]),
        group(&[10, 11, 12, 13, 14, 15]),
    ]
    .join("-")
}

fn u64_at(b: &[u8], at: usize) -> u64 {
    u64::from(u32_at(b, at)) | u64::from(u32_at(b, at + 4)) << 32
}

pub(super) fn crc(b: &[u8]) -> u32 {
    let mut c = flate2::Crc::new();
    c.update(b);
    c.sum()
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl Gpt {
    /// Reads the primary table; the backup when that is damaged.
    ///
    /// # Errors
    /// Neither is right, or the disk cannot be read.
    pub fn read(disk: &File, sectors: u64) -> io::Result<Gpt> {
        Self::at(disk, 1).or_else(|first| {
            if sectors > 2 {
                Self::at(disk, sectors - 1)
            } else {
                Err(first)
            }
        })
    }

    /// Reads the primary table alone.
    ///
    /// # Errors
    /// It is damaged or cannot be read.
    pub fn primary(disk: &File) -> io::Result<Gpt> {
        Self::at(disk, 1)
    }

    /// Reads the backup table alone, from the end of a disk of `sectors`.
    ///
    /// # Errors
    /// It is damaged or cannot be read.
    #[cfg(test)]
    pub fn backup(disk: &File, sectors: u64) -> io::Result<Gpt> {
        Self::at(disk, sectors - 1)
    }

    /// Its header sector.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// All its entries.
    pub fn entries(&self) -> &[u8] {
        &self.entries
    }

    /// GUID of the disk, as stored.
    pub fn disk_guid(&self) -> &[u8] {
        &self.header[56..72]
    }

    /// Where the entry of partition `number` begins in [`Gpt::entries`].
    pub fn place(&self, number: u32) -> usize {
        usize::try_from((u64::from(number) - 1) * self.entry_size).unwrap_or(usize::MAX)
    }

    fn at(disk: &File, lba: u64) -> io::Result<Gpt> {
        let mut header = vec![0; 512];
        disk.read_exact_at(&mut header, lba * SECTOR)?;
        let size = u32_at(&header, 12) as usize;
        if &header[..8] != b"EFI PART" || !(92..=512).contains(&size) || u64_at(&header, 24) != lba {
            return Err(bad("no GPT header"));
        }
        let mut plain = header[..size].to_vec();
        plain[16..20].fill(0);
        if crc(&plain) != u32_at(&header, 16) {
            return Err(bad("checksum of the GPT header"));
        }
        let entry_size = u64::from(u32_at(&header, 84));
        let bytes = u64::from(u32_at(&header, 80)) * entry_size;
        if entry_size < 128 || bytes > ENTRIES_MAX || bytes == 0 {
            return Err(bad("size of the GPT entries"));
        }
        let mut entries = vec![0; usize::try_from(bytes).unwrap_or(0)];
        disk.read_exact_at(
            &mut entries,
            u64_at(&header, 72)
                .checked_mul(SECTOR)
                .ok_or_else(|| bad("place of the GPT entries"))?,
        )?;
        if crc(&entries) != u32_at(&header, 88) {
            return Err(bad("checksum of the GPT entries"));
        }
        let size = usize::try_from(entry_size).unwrap_or(128);
        let partitions = (1..)
            .zip(entries.chunks_exact(size))
            .filter(|(_, e)| e[..16] != [0; 16])
            .map(|(number, e)| {
                let (mut kind, mut guid) = ([0; 16], [0; 16]);
                kind.copy_from_slice(&e[..16]);
                guid.copy_from_slice(&e[16..32]);
                Partition {
                    number,
                    first: u64_at(e, 32),
                    last: u64_at(e, 40),
                    kind,
                    guid,
                }
            })
            .collect();
        Ok(Gpt {
            header,
            entries,
            entry_size,
            partitions,
        })
    }

    /// The BIOS boot partition.
    pub fn bios_boot(&self) -> Option<&Partition> {
        self.partitions.iter().find(|p| p.kind == BIOS_BOOT)
    }

    /// DATA: the last Linux partition.
    pub fn data(&self) -> Option<&Partition> {
        self.partitions
            .iter()
            .filter(|p| p.kind == LINUX)
            .max_by_key(|p| p.first)
    }

    /// Extends DATA to the end of a disk of `sectors`; returns its new last sector, or `None` when there is nothing to gain.
    ///
    /// # Errors
    /// A write failed; the table on the disk is still right, old or new.
    pub fn grow_data(&self, disk: &File, sectors: u64) -> io::Result<Option<u64>> {
        let Some(data) = self.data() else { return Ok(None) };
        let entry_sectors = (self.entries.len() as u64).div_ceil(SECTOR);
        let Some(last) = sectors.checked_sub(entry_sectors + 2) else {
            return Ok(None);
        };
        // Whole 4 KiB blocks, so that the file system may use all of it.
        let last = (last + 1) / 8 * 8 - 1;
        let another_behind = self.partitions.iter().any(|p| p.first > data.last);
        if another_behind || last < data.last + WORTH_GROWING {
            return Ok(None);
        }
        let mut entries = self.entries.clone();
        let at = self.place(data.number) + 40;
        entries[at..at + 8].copy_from_slice(&last.to_le_bytes());
        rewrite::carry_out(disk, &rewrite::steps(&self.header, &entries, sectors))?;
        Ok(Some(last))
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    /// A table as the image has it: entries at 2, DATA is the third partition.
    pub(in super::super) fn image(sectors: u64) -> File {
        let f = tempfile::tempfile().unwrap();
        f.set_len(sectors * SECTOR).unwrap();
        let mut entries = vec![0u8; 128 * 128];
        for (i, (kind, first, last)) in [
            (BIOS_BOOT, 2048u64, 4095u64),
            ([9; 16], 4096, 8191),
            (LINUX, 8192, 12_287),
        ]
        .iter()
        .enumerate()
        {
            let e = &mut entries[i * 128..];
            e[..16].copy_from_slice(kind);
            e[32..40].copy_from_slice(&first.to_le_bytes());
            e[40..48].copy_from_slice(&last.to_le_bytes());
        }
        let mut h = vec![0u8; 512];
        h[..8].copy_from_slice(b"EFI PART");
        for (at, v) in [(8, 0x1_0000u32), (12, 92), (80, 128), (84, 128), (88, crc(&entries))] {
            h[at..at + 4].copy_from_slice(&v.to_le_bytes());
        }
        for (at, v) in [(24, 1u64), (32, 14_335), (40, 34), (48, 14_301), (72, 2)] {
            h[at..at + 8].copy_from_slice(&v.to_le_bytes());
        }
        let sum = crc(&h[..92]);
        h[16..20].copy_from_slice(&sum.to_le_bytes());
        f.write_all_at(&h, SECTOR).unwrap();
        f.write_all_at(&entries, 2 * SECTOR).unwrap();
        f
    }

    #[test]
    fn data_grows_to_the_end_and_both_tables_agree() {
        let sectors = 40_960;
        let f = image(sectors);
        let g = Gpt::read(&f, sectors).unwrap();
        assert_eq!(g.bios_boot().unwrap().number, 1);
        assert_eq!((g.data().unwrap().number, g.data().unwrap().last), (3, 12_287));
        let last = g.grow_data(&f, sectors).unwrap().unwrap();
        assert!(
            last > 40_900 && last <= sectors - 35 && (last + 1).is_multiple_of(8),
            "{last}"
        );
        let primary = Gpt::at(&f, 1).unwrap();
        let backup = Gpt::at(&f, sectors - 1).unwrap();
        assert_eq!(primary.partitions, backup.partitions);
        assert_eq!(primary.data().unwrap().last, last);
        assert_eq!(primary.grow_data(&f, sectors).unwrap(), None);
        // A damaged primary is replaced by the backup.
        f.write_all_at(&[0; 512], SECTOR).unwrap();
        assert_eq!(Gpt::read(&f, sectors).unwrap().data().unwrap().last, last);
    }

    #[test]
    fn a_guid_is_written_as_grub_writes_it() {
        let text = "4b696c6e-0000-4000-8000-00000000000a";
        assert_eq!(guid_text(&guid(text)), text);
    }

    #[test]
    fn garbage_is_refused() {
        let f = tempfile::tempfile().unwrap();
        f.set_len(1 << 20).unwrap();
        assert!(Gpt::read(&f, 2048).is_err());
    }
}
