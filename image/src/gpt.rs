//! The partition table of the medium: a GPT, and an MBR that old firmware reads.
//!
//! | LBA | what |
//! |---|---|
//! | 0 | GRUB's boot.img and the MBR's table: `[0]` EE 1..4095, `[1]` active FAT entry 4096.. (for BIOSes and ROMs that want one) |
//! | 1, 2–33 | GPT header and 128 entries; copies in the last 33 sectors |
//! | 2048–4095 | partition 1, BIOS boot: GRUB's core.img |
//! | 4096–1052671 | partition 2, boot: FAT32, 512 MiB |
//! | 1052672– | partition 3, DATA: no file system; PID 1 makes and grows it |
//!
//! All GUIDs are fixed: the box makes its own on first boot.

use crate::fat32::SECTOR;
use std::{fs::File, io, os::unix::fs::FileExt};

/// First sector of the BIOS boot partition.
pub const BIOS_FIRST: u64 = 2048;
/// First sector of the boot partition.
pub const BOOT_FIRST: u64 = 4096;
/// Sectors of the boot partition: 512 MiB, two slots and one to spare.
pub const BOOT_SECTORS: u64 = 512 * 2048;
/// First sector of DATA.
pub const DATA_FIRST: u64 = BOOT_FIRST + BOOT_SECTORS;
/// Sectors of DATA in a fresh image: 1 MiB, just to be there; PID 1 grows it to the end of the medium.
const DATA_SECTORS: u64 = 2048;
/// Sectors of the whole image: a multiple of 1 MiB, with room for the backup table.
pub const TOTAL: u64 = DATA_FIRST + DATA_SECTORS + 2048;
/// Entries of the table; the header says so, and firmware expects this many.
const ENTRIES: u32 = 128;
/// Bytes of one entry.
const ENTRY: u32 = 128;
/// Sectors of the table.
const TABLE: u64 = (ENTRIES * ENTRY) as u64 / SECTOR;
/// Bytes of the table.
const TABLE_BYTES: usize = (ENTRIES * ENTRY) as usize;

const TYPE_BIOS: u128 = 0x2168_6148_6449_6e6f_744e_6565_6445_4649;
const TYPE_ESP: u128 = 0xc12a_7328_f81f_11d2_ba4b_00a0_c93e_c93b;
const TYPE_LINUX: u128 = 0x0fc6_3daf_8483_4772_8e79_3d69_d847_7de4;
/// Disk GUID of a fresh image; partitions add 1, 2, 3.
const FRESH: u128 = 0x4b69_6c6e_0000_4000_8000_0000_0000_0000;

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Type GUID, as it is written for people.
    pub kind: u128,
    /// Its own GUID.
    pub guid: u128,
    /// First sector.
    pub first: u64,
    /// Last sector, inclusive.
    pub last: u64,
    /// Name, at most 36 characters.
    pub name: String,
}

/// A partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Disk GUID.
    pub guid: u128,
    /// Partitions in order.
    pub partitions: Vec<Partition>,
}

impl Table {
    /// The table of a fresh image.
    #[must_use]
    pub fn fresh() -> Self {
        let p = |n: u128, kind, first, sectors, name: &str| Partition {
            kind,
            guid: FRESH + n,
            first,
            last: first + sectors - 1,
            name: name.to_owned(),
        };
        Self {
            guid: FRESH,
            partitions: vec![
                p(1, TYPE_BIOS, BIOS_FIRST, BOOT_FIRST - BIOS_FIRST, "bios"),
                p(2, TYPE_ESP, BOOT_FIRST, BOOT_SECTORS, "boot"),
                p(3, TYPE_LINUX, DATA_FIRST, DATA_SECTORS, "data"),
            ],
        }
    }

    /// Writes both copies of the table into an image of `total` sectors.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write(&self, out: &File, total: u64) -> io::Result<()> {
        let mut entries = Vec::with_capacity(TABLE_BYTES);
        for p in &self.partitions {
            let mut e = [0u8; ENTRY as usize];
            e[..16].copy_from_slice(&mixed(p.kind));
            e[16..32].copy_from_slice(&mixed(p.guid));
            e[32..40].copy_from_slice(&p.first.to_le_bytes());
            e[40..48].copy_from_slice(&p.last.to_le_bytes());
            for (to, from) in e[56..].chunks_exact_mut(2).zip(p.name.encode_utf16()) {
                to.copy_from_slice(&from.to_le_bytes());
            }
            entries.extend(e);
        }
        entries.resize(TABLE_BYTES, 0);
        let backup = total - 1;
        for (here, other, table) in [(1, backup, 2), (backup, 1, backup - TABLE)] {
            out.write_all_at(&entries, table * SECTOR)?;
            out.write_all_at(&self.header(here, other, table, total, crc32(&entries)), here * SECTOR)?;
        }
        Ok(())
    }

    fn header(&self, here: u64, other: u64, table: u64, total: u64, entries_crc: u32) -> Vec<u8> {
        let mut h = Vec::with_capacity(512);
        h.extend(b"EFI PART");
        h.extend(0x1_0000u32.to_le_bytes());
        h.extend(92u32.to_le_bytes());
        h.extend([0; 8]);
        for v in [here, other, 2 + TABLE, total - 2 - TABLE] {
            h.extend(v.to_le_bytes());
        }
        h.extend(mixed(self.guid));
        h.extend(table.to_le_bytes());
        h.extend(ENTRIES.to_le_bytes());
        h.extend(ENTRY.to_le_bytes());
        h.extend(entries_crc.to_le_bytes());
        let crc = crc32(&h);
        h[16..20].copy_from_slice(&crc.to_le_bytes());
        h.resize(512, 0);
        h
    }

    /// Reads a table and checks that both copies are whole and agree.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(file: &File, total: u64) -> Result<Self, String> {
        let first = Self::read_copy(file, 1, "the partition table")?;
        let second = Self::read_copy(file, total - 1, "the backup partition table")?;
        if first != second {
            return Err("the partition table and its backup differ".into());
        }
        Ok(first)
    }

    fn read_copy(file: &File, at: u64, what: &str) -> Result<Self, String> {
        let io = |e: io::Error| format!("reading {what}: {e}");
        let mut h = [0u8; 512];
        file.read_exact_at(&mut h, at * SECTOR).map_err(io)?;
        let u32_at = |b: &[u8], i: usize| u32::from_le_bytes([b[i], b[i + 1], b[i + 2], b[i + 3]]);
        let u64_at = |b: &[u8], i: usize| u64::from(u32_at(b, i)) | u64::from(u32_at(b, i + 4)) << 32;
        let guid_at = |b: &[u8], i: usize| {
            let mut g = [0u8; 16];
            g.copy_from_slice(&b[i..i + 16]);
            unmixed(g)
        };
        if &h[..8] != b"EFI PART" || u32_at(&h, 12) != 92 || u64_at(&h, 24) != at {
            return Err(format!("{what} is missing (no GPT header at sector {at})"));
        }
        let mut zeroed = h[..92].to_vec();
        zeroed[16..20].fill(0);
        if crc32(&zeroed) != u32_at(&h, 16) {
            return Err(format!("{what} is damaged: the checksum of its header is wrong"));
        }
        if (u32_at(&h, 80), u32_at(&h, 84)) != (ENTRIES, ENTRY) {
            return Err(format!(
                "{what} has another shape than ours; expected {ENTRIES} entries of {ENTRY} bytes"
            ));
        }
        let mut entries = vec![0u8; TABLE_BYTES];
        file.read_exact_at(&mut entries, u64_at(&h, 72) * SECTOR).map_err(io)?;
        if crc32(&entries) != u32_at(&h, 88) {
            return Err(format!("{what} is damaged: the checksum of its entries is wrong"));
        }
        let partitions = entries
            .chunks_exact(ENTRY as usize)
            .filter(|e| e[..16].iter().any(|b| *b != 0))
            .map(|e| {
                let units: Vec<u16> = e[56..]
                    .chunks_exact(2)
                    .map(|u| u16::from_le_bytes([u[0], u[1]]))
                    .take_while(|u| *u != 0)
                    .collect();
                Partition {
                    kind: guid_at(e, 0),
                    guid: guid_at(e, 16),
                    first: u64_at(e, 32),
                    last: u64_at(e, 40),
                    name: String::from_utf16_lossy(&units),
                }
            })
            .collect();
        Ok(Self {
            guid: guid_at(&h, 56),
            partitions,
        })
    }
}

/// The MBR: boot code, disk signature, hybrid table.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the boot partition ends within the first GiB"
)]
pub fn mbr(boot_code: &[u8; 512]) -> [u8; 512] {
    let mut m = *boot_code;
    m[440..444].copy_from_slice(&mixed(FRESH)[..4]);
    m[444..510].fill(0);
    let mut entry = |slot: usize, active: u8, kind: u8, first: u64, sectors: u64| {
        let at = 446 + slot * 16;
        m[at] = active;
        m[at + 1..at + 4].copy_from_slice(&chs(first));
        m[at + 4] = kind;
        m[at + 5..at + 8].copy_from_slice(&chs(first + sectors - 1));
        m[at + 8..at + 12].copy_from_slice(&(first as u32).to_le_bytes());
        m[at + 12..at + 16].copy_from_slice(&(sectors as u32).to_le_bytes());
    };
    entry(0, 0, 0xee, 1, BOOT_FIRST - 1);
    entry(1, 0x80, 0x0c, BOOT_FIRST, BOOT_SECTORS);
    m[510..].copy_from_slice(&[0x55, 0xaa]);
    m
}

/// Cylinder, head, sector for 255 heads and 63 sectors; all ones beyond what it can say.
#[expect(
    clippy::cast_possible_truncation,
    reason = "10 bits of cylinder, of which the upper two stand with the sector; heads and sectors are fewer than 256"
)]
fn chs(lba: u64) -> [u8; 3] {
    let (cylinder, head, sector) = (lba / (255 * 63), lba / 63 % 255, lba % 63 + 1);
    if cylinder > 1023 {
        return [0xfe, 0xff, 0xff];
    }
    [head as u8, sector as u8 | (cylinder >> 8 << 6) as u8, cylinder as u8]
}

/// A GUID as people write it, in the bytes that GPT stores: the first three groups little-endian.
fn mixed(guid: u128) -> [u8; 16] {
    let mut b = guid.to_be_bytes();
    b[..4].reverse();
    b[4..6].reverse();
    b[6..8].reverse();
    b
}

fn unmixed(mut b: [u8; 16]) -> u128 {
    b[..4].reverse();
    b[4..6].reverse();
    b[6..8].reverse();
    u128::from_be_bytes(b)
}

/// A GUID as text.
#[must_use]
pub fn guid_text(guid: u128) -> String {
    let h = format!("{guid:032x}");
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for b in bytes {
        crc ^= u32::from(*b);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn guids_keep_their_order() {
        assert_eq!(guid_text(TYPE_ESP), "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
        assert_eq!(mixed(TYPE_ESP)[..4], [0x28, 0x73, 0x2a, 0xc1]);
        assert_eq!(unmixed(mixed(FRESH)), FRESH);
    }

    #[test]
    fn a_table_is_read_back_and_damage_is_found() {
        let f = tempfile::tempfile().unwrap();
        f.set_len(TOTAL * SECTOR).unwrap();
        Table::fresh().write(&f, TOTAL).unwrap();
        assert_eq!(Table::read(&f, TOTAL).unwrap(), Table::fresh());
        f.write_all_at(&[7], 2 * SECTOR + 40).unwrap();
        assert!(Table::read(&f, TOTAL).unwrap_err().contains("checksum of its entries"));
    }

    #[test]
    fn the_mbr_has_a_protective_and_an_active_entry() {
        let m = mbr(&[0xcc; 512]);
        assert_eq!((m[446], m[450], m[462], m[466]), (0, 0xee, 0x80, 0x0c));
        assert_eq!(m[454..462], [1, 0, 0, 0, 0xff, 0x0f, 0, 0]);
        assert_eq!((m[0], m[510], m[511]), (0xcc, 0x55, 0xaa));
    }
}
