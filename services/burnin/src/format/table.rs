//! A partition table as bytes: the drive's first MiB and its last, everything else in them zero.
//!
//! `mbrman` and `gptman` write; what they wrote is read again from the drive by libblkid, which shares
//! nothing with them.

use std::io::{self, Read, Seek, SeekFrom, Write};

use gptman::{GPT, GPTPartitionEntry};
use mbrman::{BOOT_INACTIVE, CHS, MBR, MBRPartitionEntry};
use wire::options::{FileSystem, Table};

use super::layout::{ALIGN, ALIGN_BYTES, Layout};

/// Random numbers that a table needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The drive's GUID; its first four bytes are an MBR's signature.
    pub disk: [u8; 16],
    /// The partition's GUID.
    pub partition: [u8; 16],
}

impl Ids {
    /// From random bytes: version 4 of RFC 9562, in the byte order of a GPT.
    pub fn from_random(mut random: [u8; 32]) -> Self {
        for guid in [0, 16] {
            random[guid + 7] = random[guid + 7] & 0x0f | 0x40;
            random[guid + 8] = random[guid + 8] & 0x3f | 0x80;
        }
        let mut ids = Self {
            disk: [0; 16],
            partition: [0; 16],
        };
        ids.disk.copy_from_slice(&random[..16]);
        ids.partition.copy_from_slice(&random[16..]);
        ids
    }
}

/// Bytes of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The first MiB.
    pub head: Vec<u8>,
    /// The last MiB.
    pub tail: Vec<u8>,
    /// Where `tail` begins.
    pub tail_at: u64,
}

impl Encoded {
    /// What of the last MiB lies behind the partition, and where: of an MBR on a drive of whole MiB nothing does.
    pub fn behind(&self, layout: &Layout) -> (u64, &[u8]) {
        let at = self.tail_at.max(layout.start() + layout.size());
        let skipped = usize::try_from(at - self.tail_at).unwrap_or(usize::MAX);
        (at, self.tail.get(skipped..).unwrap_or_default())
    }
}

/// The table of a layout.
///
/// # Errors
/// When a table writer refuses the layout: an error of ours.
pub fn encode(layout: &Layout, filesystem: FileSystem, ids: &Ids) -> io::Result<Encoded> {
    let mut ends = Ends {
        head: vec![0; ALIGN_BYTES],
        tail: vec![0; ALIGN_BYTES],
        size: layout.capacity,
        at: 0,
    };
    match layout.table {
        Table::Gpt => gpt(layout, filesystem, ids, &mut ends)?,
        Table::Mbr | Table::Auto => mbr(layout, filesystem, ids, &mut ends)?,
    }
    let tail_at = ends.tail_at();
    Ok(Encoded {
        head: ends.head,
        tail: ends.tail,
        tail_at,
    })
}

/// Bytes of a GUID in a table: the first three groups little-endian.
const fn stored(guid: u128) -> [u8; 16] {
    let mut b = guid.to_be_bytes();
    let swaps = [(0, 3), (1, 2), (4, 5), (6, 7)];
    let mut i = 0;
    while i < swaps.len() {
        let (x, y) = swaps[i];
        let keep = b[x];
        b[x] = b[y];
        b[y] = keep;
        i += 1;
    }
    b
}

// Source: UEFI Discoverable Partitions Specification, and Microsoft's basic data for exFAT.
const LINUX: [u8; 16] = stored(0x0FC63DAF_8483_4772_8E79_3D69D8477DE4);
const SWAP: [u8; 16] = stored(0x0657FD6D_A4AB_43C4_84E5_0933C84B4F4F);
const BASIC: [u8; 16] = stored(0xEBD0A0A2_B9E5_4433_87C0_68B6B72699C7);

fn gpt(layout: &Layout, filesystem: FileSystem, ids: &Ids, ends: &mut Ends) -> io::Result<()> {
    let sector = u64::from(layout.sector);
    let other = |error: gptman::Error| io::Error::other(error.to_string());
    let mut gpt = GPT::new_from(ends, sector, ids.disk).map_err(other)?;
    gpt.align = ALIGN / sector;
    let mut entry = GPTPartitionEntry::empty();
    entry.partition_type_guid = match filesystem {
        FileSystem::Ext4 | FileSystem::Xfs | FileSystem::Btrfs | FileSystem::Raw => LINUX,
        FileSystem::Swap => SWAP,
        FileSystem::Exfat => BASIC,
    };
    entry.unique_partition_guid = ids.partition;
    entry.starting_lba = layout.first;
    entry.ending_lba = layout.first + layout.sectors - 1;
    gpt[1] = entry;
    GPT::write_protective_mbr_into(ends, sector).map_err(other)?;
    gpt.write_into(ends).map_err(other)?;
    Ok(())
}

fn mbr(layout: &Layout, filesystem: FileSystem, ids: &Ids, ends: &mut Ends) -> io::Result<()> {
    let other = |error: mbrman::Error| io::Error::other(error.to_string());
    let mut signature = [0; 4];
    signature.copy_from_slice(&ids.disk[..4]);
    if signature == [0; 4] {
        // All zeros mean that there is none.
        signature = [1; 4];
    }
    // The writer counts sectors in 32 bits; a drive of exactly 2^32 has one that no partition of ours uses.
    let whole = ends.size;
    ends.size = whole.min(u64::from(u32::MAX) * u64::from(layout.sector));
    let mut mbr = MBR::new_from(ends, layout.sector, signature).map_err(other)?;
    ends.size = whole;
    let narrow = |n: u64| u32::try_from(n).map_err(io::Error::other);
    // Cylinders are nobody's any more: 1023/254/63 says that only the sector number counts.
    let beyond = CHS {
        cylinder: 1023,
        head: 254,
        sector: 63,
    };
    mbr[1] = MBRPartitionEntry {
        boot: BOOT_INACTIVE,
        first_chs: beyond,
        sys: match filesystem {
            FileSystem::Ext4 | FileSystem::Xfs | FileSystem::Btrfs | FileSystem::Raw => 0x83,
            FileSystem::Swap => 0x82,
            FileSystem::Exfat => 0x07,
        },
        last_chs: beyond,
        starting_lba: narrow(layout.first)?,
        sectors: narrow(layout.sectors)?,
    };
    mbr.write_into(ends).map_err(other)?;
    Ok(())
}

/// A drive of which only the two ends are there.
struct Ends {
    head: Vec<u8>,
    tail: Vec<u8>,
    size: u64,
    at: u64,
}

impl Ends {
    fn tail_at(&self) -> u64 {
        self.size - self.tail.len() as u64
    }

    /// The end that holds this place, and the place in it.
    fn slot(&mut self) -> io::Result<&mut [u8]> {
        let (at, tail_at) = (self.at, self.tail_at());
        let (from, end) = if at < self.head.len() as u64 {
            (Some(at), &mut self.head)
        } else {
            (at.checked_sub(tail_at), &mut self.tail)
        };
        let from = from.and_then(|from| usize::try_from(from).ok());
        let slot = from.and_then(|from| end.get_mut(from..));
        slot.ok_or_else(|| io::Error::other(format!("byte {at} is outside both ends of the drive")))
    }
}

impl Read for Ends {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let slot = self.slot()?;
        let count = slot.len().min(into.len());
        into[..count].copy_from_slice(&slot[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Write for Ends {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let slot = self.slot()?;
        let count = slot.len().min(from.len());
        slot[..count].copy_from_slice(&from[..count]);
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Ends {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::other("a place before the drive's start"))?;
        Ok(self.at)
    }
}
