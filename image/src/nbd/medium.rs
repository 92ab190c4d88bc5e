//! The cells of the disk: a sparse file, over an optional base that is only read.
//!
//! With a base a gigabyte image becomes a private disk at no cost: sectors are read from the base until they are
//! written, and what is written goes to an anonymous file that vanishes with the process.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::SECTOR;

/// The lasting part of a disk.
#[derive(Debug)]
pub struct Medium {
    base: Option<File>,
    cells: File,
    /// One bit a sector: written since the disk was made. Empty without a base.
    written: Vec<u64>,
    sectors: u64,
}

impl Medium {
    /// An empty medium of `sectors` sectors, all zero.
    pub fn blank(sectors: u64) -> io::Result<Self> {
        let cells = tempfile::tempfile()?;
        cells.set_len(sectors * SECTOR as u64)?;
        Ok(Self {
            base: None,
            cells,
            written: Vec::new(),
            sectors,
        })
    }

    /// A medium that begins as the file `base`, which stays as it is.
    pub fn over(base: &Path) -> io::Result<Self> {
        let base = File::open(base)?;
        let sectors = base.metadata()?.len() / SECTOR as u64;
        let mut medium = Self::blank(sectors)?;
        let words = usize::try_from(sectors.div_ceil(64)).map_err(io::Error::other)?;
        medium.written = vec![0; words];
        medium.base = Some(base);
        Ok(medium)
    }

    /// A medium that lives in the file at `path` itself, for a drive whose content must be looked at afterwards.
    pub fn file(path: &Path) -> io::Result<Self> {
        let cells = File::options().read(true).write(true).open(path)?;
        let sectors = cells.metadata()?.len() / SECTOR as u64;
        Ok(Self {
            base: None,
            cells,
            written: Vec::new(),
            sectors,
        })
    }

    /// Number of sectors that really exist.
    #[must_use]
    pub fn sectors(&self) -> u64 {
        self.sectors
    }

    /// Fills `data`, whole sectors, from `sector` on. Past the end there is nothing but zeros.
    pub fn read(&self, sector: u64, data: &mut [u8]) -> io::Result<()> {
        for (at, chunk) in (sector..).zip(data.chunks_mut(SECTOR)) {
            if at >= self.sectors {
                chunk.fill(0);
            } else {
                self.source(at).read_exact_at(chunk, at * SECTOR as u64)?;
            }
        }
        Ok(())
    }

    /// Stores `data`, whole sectors, from `sector` on. What lies past the end is lost, as on a drive that lies.
    pub fn write(&mut self, sector: u64, data: &[u8]) -> io::Result<()> {
        let room = self.sectors.saturating_sub(sector).saturating_mul(SECTOR as u64);
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(data.len());
        self.cells.write_all_at(&data[..fits], sector * SECTOR as u64)?;
        if self.base.is_some() {
            for at in sector..sector + (fits / SECTOR) as u64 {
                self.written[word(at)] |= 1 << (at % 64);
            }
        }
        Ok(())
    }

    fn source(&self, sector: u64) -> &File {
        match &self.base {
            Some(base) if self.written[word(sector)] >> (sector % 64) & 1 == 0 => base,
            _ => &self.cells,
        }
    }
}

/// Index of the bitmap word of a sector; it fits because the bitmap itself does.
fn word(sector: u64) -> usize {
    (sector / 64) as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn the_base_shines_through_until_a_sector_is_written_and_is_never_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("base");
        std::fs::write(&path, [7_u8; 130 * SECTOR]).unwrap();
        let mut medium = Medium::over(&path).unwrap();
        medium.write(64, &[9; 2 * SECTOR]).unwrap();
        let mut data = [0; 4 * SECTOR];
        medium.read(63, &mut data).unwrap();
        let firsts: Vec<u8> = data.chunks(SECTOR).map(|c| c[0]).collect();
        assert_eq!(firsts, [7, 9, 9, 7]);
        assert!(std::fs::read(&path).unwrap().iter().all(|b| *b == 7));
    }

    #[test]
    fn past_the_end_writes_are_lost_and_reads_are_zero() {
        let mut medium = Medium::blank(4).unwrap();
        medium.write(3, &[5; 2 * SECTOR]).unwrap();
        let mut data = [1; 2 * SECTOR];
        medium.read(3, &mut data).unwrap();
        assert_eq!((data[0], data[SECTOR]), (5, 0));
    }
}
