//! What a played disk stores: sectors of 512 bytes, sparse in memory, some of which cannot be read.

use std::collections::{BTreeMap, BTreeSet};

/// Bytes in a logical sector.
pub const SECTOR: usize = 512;

/// Sectors in one piece of memory.
const PIECE: u64 = 128;

/// The sectors of a disk. What was never written reads as zeros.
#[derive(Clone, Debug)]
pub struct Medium {
    sectors: u64,
    pieces: BTreeMap<u64, Vec<u8>>,
    /// Sectors that cannot be read until they are written again.
    pub unreadable: BTreeSet<u64>,
    /// How many of those a write replaced: what a disk counts as reallocated.
    pub cured: u64,
    /// Sectors read and written by commands since power-on.
    pub moved: Moved,
    /// Whether another initiator holds a reservation: whatever reads or writes is refused.
    pub reserved: bool,
    /// What whoever reads or writes is refused with, by sense key, code and qualifier: a drive that its owner has locked.
    pub locked: Option<(u8, (u8, u8))>,
    /// UNIT ATTENTION that the next command meets, by its additional sense code and qualifier.
    pub attention: Option<(u8, u8)>,
    /// Bytes in a logical block as READ CAPACITY tells it; where that is not [`SECTOR`], nothing can be read or written.
    pub block_length: u32,
}

/// Sectors that went through the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Read.
    pub read: u64,
    /// Written.
    pub written: u64,
}

impl Medium {
    /// A blank medium of `sectors` sectors.
    #[must_use]
    pub fn new(sectors: u64) -> Self {
        Self {
            sectors,
            pieces: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            cured: 0,
            moved: Moved::default(),
            reserved: false,
            locked: None,
            attention: None,
            block_length: SECTOR as u32,
        }
    }

    /// Changes how many sectors can be addressed, and announces it: CAPACITY DATA HAS CHANGED.
    pub fn resize(&mut self, sectors: u64) {
        self.sectors = sectors;
        self.attention = Some((0x2A, 0x09));
    }

    /// How many sectors can be addressed.
    #[must_use]
    pub fn sectors(&self) -> u64 {
        self.sectors
    }

    /// Whether all of these sectors are there.
    #[must_use]
    pub fn holds(&self, lba: u64, count: u64) -> bool {
        lba.checked_add(count).is_some_and(|end| end <= self.sectors)
    }

    /// Reads sectors that [`Self::holds`].
    ///
    /// # Errors
    /// The first of them that cannot be read.
    pub fn read(&mut self, lba: u64, count: u64) -> Result<Vec<u8>, u64> {
        if let Some(bad) = self.unreadable.range(lba..lba + count).next() {
            return Err(*bad);
        }
        self.moved.read += count;
        let mut data = Vec::new();
        for sector in lba..lba + count {
            match self.pieces.get(&(sector / PIECE)) {
                Some(piece) => data.extend_from_slice(&piece[within(sector)]),
                None => data.resize(data.len() + SECTOR, 0),
            }
        }
        Ok(data)
    }

    /// Writes whole sectors, all of which [`Self::holds`]; one that could not be read is replaced by a spare one.
    pub fn write(&mut self, lba: u64, data: &[u8]) {
        for (sector, bytes) in (lba..).zip(data.chunks_exact(SECTOR)) {
            self.cured += u64::from(self.unreadable.remove(&sector));
            self.moved.written += 1;
            self.pieces
                .entry(sector / PIECE)
                .or_insert_with(|| vec![0; PIECE as usize * SECTOR])[within(sector)]
            .copy_from_slice(bytes);
        }
    }
}

/// Where a sector lies in its piece.
fn within(sector: u64) -> std::ops::Range<usize> {
    let at = (sector % PIECE) as usize * SECTOR;
    at..at + SECTOR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_rest_is_zeros() {
        let mut medium = Medium::new(1000);
        let data: Vec<u8> = (0..3 * SECTOR).map(|n| (n % 251) as u8).collect();
        medium.write(126, &data);
        assert_eq!(medium.read(126, 3).as_deref(), Ok(&data[..]));
        assert_eq!(medium.read(125, 2), Ok([&[0; SECTOR][..], &data[..SECTOR]].concat()));
        assert_eq!(medium.moved, Moved { read: 5, written: 3 });
        assert!(medium.holds(999, 1) && !medium.holds(999, 2) && !medium.holds(u64::MAX, 2));
    }

    #[test]
    fn a_write_replaces_what_cannot_be_read_and_is_counted() {
        let mut medium = Medium::new(1000);
        medium.unreadable.extend([10, 11]);
        assert_eq!(medium.read(8, 8), Err(10));
        medium.write(10, &[1; SECTOR]);
        assert_eq!((medium.read(8, 8), medium.cured), (Err(11), 1));
        medium.write(11, &[1; SECTOR]);
        assert!(medium.read(8, 8).is_ok());
        assert_eq!(medium.cured, 2);
    }
}
