//! What can be read of a drive with places that cannot: a sparse copy in memory of where signatures stand.
//!
//! libblkid looks for a hundred kinds and reads the same bad place for each of them; on a real drive every such read takes
//! seconds. Here each place is read once, and a bad one is narrowed down for as long as that takes no time.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::content::is_the_drives;

/// Bytes at the beginning of a disk or partition in which signatures stand. Source: the last place of LUKS2's second header.
const HEAD: u64 = (4 << 20) + (64 << 10);

/// Bytes at its end: the labels of firmware RAIDs, md, ZFS and the second GPT. Source: libblkid's superblocks/*.c.
const TAIL: u64 = 2 << 20;

/// Bytes of one read.
const PIECE: u64 = 64 << 10;

/// Bytes that a bad place is narrowed down to.
const GRAIN: u64 = 4096;

/// How long bad places of one end are narrowed down. A drive may take seconds to say that it cannot read.
const NARROW: Duration = Duration::from_secs(1);

/// How long one end is read when it has bad places; what is left of it then counts as bad.
const GIVE_UP: Duration = Duration::from_secs(3);

/// How long reads of bad places may take in all; what is left of the drive then counts as bad. A read of a bad sector takes
/// 7 s on drives for arrays, and the look as a whole has 20 s (`probe`), of which the one that failed took 7 s before.
const WASTED_MAX: Duration = Duration::from_secs(6);

/// Most bytes that are copied: the ends of a disk and of a handful of partitions. The copy lies in memory.
const COPY_MAX: u64 = 64 << 20;

/// A copy with holes where nothing was read.
pub(crate) struct Salvage {
    copy: File,
    lost: Vec<Range<u64>>,
    /// Time that reads of bad places took.
    wasted: Duration,
    /// Bytes in the copy.
    copied: u64,
}

impl Salvage {
    /// A copy of a drive of `size` bytes, all holes.
    ///
    /// # Errors
    /// When the kernel has no memory for it.
    pub fn new(size: u64) -> io::Result<Self> {
        let copy = File::from(memfd_create("salvage", MFdFlags::MFD_CLOEXEC)?);
        copy.set_len(size)?;
        Ok(Self {
            copy,
            lost: Vec::new(),
            wasted: Duration::ZERO,
            copied: 0,
        })
    }

    /// What was read so far, at its place.
    pub fn copy(&self) -> &File {
        &self.copy
    }

    /// Whether something of the first `bytes` could not be read.
    pub fn lost(&self, bytes: u64) -> bool {
        self.lost.iter().any(|lost| lost.start < bytes)
    }

    /// Copies both ends of the disk or partition that begins at `start` and has `size` bytes.
    ///
    /// # Errors
    /// When something fails for a reason that is not the drive's own.
    pub fn take(&mut self, from: &File, start: u64, size: u64) -> io::Result<()> {
        let end = start + size;
        let head = start..end.min(start + HEAD);
        let tail = head.end.max(end.saturating_sub(TAIL))..end;
        for range in [head, tail] {
            let began = Instant::now();
            let mut at = range.start;
            while at < range.end {
                if self.wasted >= WASTED_MAX || self.copied >= COPY_MAX {
                    self.lost.push(at..range.end);
                    break;
                }
                let (bad, wasted) = (self.lost.len(), self.wasted);
                let long = PIECE.min(range.end - at);
                self.piece(from, at..at + long, began)?;
                at += long;
                let slow = self.wasted - wasted >= NARROW;
                if self.lost.len() > bad && (slow || began.elapsed() >= GIVE_UP) {
                    self.lost.push(at..range.end);
                    break;
                }
            }
        }
        Ok(())
    }

    fn piece(&mut self, from: &File, range: Range<u64>, began: Instant) -> io::Result<()> {
        if self
            .lost
            .iter()
            .any(|lost| lost.start <= range.start && range.end <= lost.end)
        {
            return Ok(());
        }
        let long = range.end - range.start;
        let mut bytes = vec![0; long as usize];
        let asked = Instant::now();
        let read = from.read_exact_at(&mut bytes, range.start);
        if read.is_err() {
            self.wasted += asked.elapsed();
        }
        match read {
            Ok(()) if bytes.iter().all(|byte| *byte == 0) => Ok(()),
            Ok(()) => {
                self.copied += long;
                self.copy.write_all_at(&bytes, range.start)
            }
            Err(error) if !is_the_drives(&error) => Err(error),
            Err(_) if long > GRAIN && began.elapsed() < NARROW => {
                let middle = range.start + (long / 2).next_multiple_of(GRAIN);
                self.piece(from, range.start..middle, began)?;
                self.piece(from, middle..range.end, began)
            }
            Err(_) => {
                self.lost.push(range);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_can_be_read_stands_at_its_place_and_the_rest_is_told() {
        // A file that ends early reads like a drive whose end is bad.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let size = 32_u64 << 20;
        let mut bytes = vec![0xa5; (size - (40 << 10)) as usize];
        bytes[..4096].fill(0);
        std::fs::write(&path, &bytes).unwrap();
        let from = File::open(&path).unwrap();
        let mut salvage = Salvage::new(size).unwrap();
        salvage.take(&from, 0, size).unwrap();
        let mut got = [0; 2];
        for (at, there) in [
            (0, 0),
            (4096, 0xa5),
            (HEAD - 2, 0xa5),
            (HEAD + 4096, 0),
            (size - (40 << 10) - 2, 0xa5),
            (size - 2, 0),
        ] {
            salvage.copy().read_exact_at(&mut got, at).unwrap();
            assert_eq!(got, [there; 2], "{at}");
        }
        assert!(!salvage.lost(size - (40 << 10)) && salvage.lost(size));
        assert_eq!(salvage.copy().metadata().unwrap().len(), size);
    }

    #[test]
    fn what_bad_places_take_and_what_is_copied_is_bounded_for_the_whole_drive() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        std::fs::write(&path, vec![0xa5; (HEAD + TAIL) as usize]).unwrap();
        let from = File::open(&path).unwrap();
        let size = HEAD + TAIL;
        let mut full = Salvage::new(size).unwrap();
        full.copied = COPY_MAX;
        let mut tired = Salvage::new(size).unwrap();
        tired.wasted = WASTED_MAX;
        for mut salvage in [full, tired] {
            salvage.take(&from, 0, size).unwrap();
            assert!(salvage.lost(1) && salvage.copy().metadata().unwrap().len() == size);
            let bytes: u64 = salvage.lost.iter().map(|lost| lost.end - lost.start).sum();
            assert_eq!(bytes, size, "nothing more is read");
        }
        let mut whole = Salvage::new(size).unwrap();
        whole.take(&from, 0, size).unwrap();
        assert_eq!((whole.copied, whole.lost(size)), (size, false));
    }

    #[test]
    fn of_a_drive_that_can_read_nothing_all_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        std::fs::write(&path, b"").unwrap();
        let size = 20 << 40;
        let mut salvage = Salvage::new(size).unwrap();
        salvage.take(&File::open(&path).unwrap(), 0, size).unwrap();
        let bytes: u64 = salvage.lost.iter().map(|lost| lost.end - lost.start).sum();
        assert_eq!(bytes, HEAD + TAIL);
    }
}
