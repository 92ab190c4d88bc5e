//! What can be read of a drive with places that cannot: a sparse copy in memory of where signatures stand.
//!
//! libblkid looks for a hundred kinds and reads the same bad place for each of them; on a real drive every such read takes
//! seconds. Here each place is read once, and a bad one is narrowed down for as long as that takes no time. Each end of the disk and of
//! each partition has a read of its own; of one that could not even have that, nobody knows what stands there.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::content::is_the_drives;
use crate::extended;

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

/// How long reads of bad places may take in all; after that each end is read until its first bad place. A read of a bad sector takes
/// 7 s on drives for arrays.
const WASTED_MAX: Duration = Duration::from_secs(6);

/// How long after the look began an end may be begun: a read of a bad sector more, and the answer, come before
/// [`crate::probe::DEADLINE`].
pub(crate) const BEGIN: Duration = Duration::from_secs(17);

/// Most bytes that are copied: the ends of a disk and of a handful of partitions. The copy lies in memory.
const COPY_MAX: u64 = 64 << 20;

/// What is read, and the clock that goes on meanwhile.
pub(crate) trait Source {
    /// Reads all of `bytes` from `at`.
    fn read(&self, bytes: &mut [u8], at: u64) -> io::Result<()>;

    /// What the clock says.
    fn now(&self) -> Instant {
        Instant::now()
    }
}

impl Source for File {
    fn read(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.read_exact_at(bytes, at)
    }
}

/// A copy with holes where nothing was read.
pub(crate) struct Salvage {
    copy: File,
    /// What was tried and could not be read.
    bad: Vec<Range<u64>>,
    /// What was left out, for want of time or memory.
    skipped: Vec<Range<u64>>,
    /// Until when an end may be begun.
    until: Instant,
    /// Time that reads of bad places took.
    wasted: Duration,
    /// Bytes in the copy.
    copied: u64,
}

impl Salvage {
    /// A copy of a drive of `size` bytes, all holes; no end of anything is begun after `until`.
    ///
    /// # Errors
    /// When the kernel has no memory for it.
    pub(crate) fn new(size: u64, until: Instant) -> io::Result<Self> {
        let copy = File::from(memfd_create("salvage", MFdFlags::MFD_CLOEXEC)?);
        copy.set_len(size)?;
        Ok(Self {
            copy,
            bad: Vec::new(),
            skipped: Vec::new(),
            until,
            wasted: Duration::ZERO,
            copied: 0,
        })
    }

    /// What was read so far, at its place.
    pub(crate) fn copy(&self) -> &File {
        &self.copy
    }

    /// Takes it that this could not be read: somebody tried.
    pub(crate) fn failed(&mut self, range: Range<u64>) {
        self.bad.push(range);
    }

    /// Whether something of the first `bytes` could not be read.
    pub(crate) fn lost(&self, bytes: u64) -> bool {
        self.bad.iter().chain(&self.skipped).any(|lost| lost.start < bytes)
    }

    /// Copies both ends of the disk or partition that begins at `start` and has `size` bytes. Answers whether both were looked at: each
    /// has one read at least, whatever the other took, and what could be read was not left out for want of memory.
    ///
    /// # Errors
    /// When something fails for a reason that is not the drive's own.
    pub(crate) fn take(&mut self, from: &impl Source, start: u64, size: u64) -> io::Result<bool> {
        let end = start + size;
        let head = start..end.min(start + HEAD);
        let tail = head.end.max(end.saturating_sub(TAIL))..end;
        // From the end on: most stands in its last pieces. What is known to be bad comes last: it may take all the time that there is.
        let looked = match self.after_bad(start) > start {
            true => [self.take_end(from, tail, true)?, self.take_end(from, head, false)?],
            false => [self.take_end(from, head, false)?, self.take_end(from, tail, true)?],
        };
        Ok(looked == [true; 2])
    }

    /// Copies the tables of the extended partition in `range`, which lie anywhere in it, one after the other. Answers whether the chain
    /// was followed to its end: behind a table that cannot be read there may be partitions that nobody knows of.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(crate) fn chain(&mut self, from: &impl Source, range: Range<u64>, sector: u32) -> io::Result<bool> {
        let mut at = range.start;
        for _ in 0..extended::LINKS_MAX {
            let began = from.now();
            let page = at - at % GRAIN..(at - at % GRAIN + GRAIN).min(range.end);
            if began >= self.until || page.end < at + extended::TABLE as u64 {
                return Ok(false);
            }
            self.piece(from, page.clone(), began)?;
            if self.after_bad(at) > at {
                return Ok(false);
            }
            let mut table = [0; extended::TABLE];
            self.copy.read_exact_at(&mut table, at)?;
            let next = extended::next(&table).and_then(|sectors| range.start.checked_add(sectors * u64::from(sector)));
            match next {
                None => return Ok(true),
                Some(next) if range.contains(&next) => at = next,
                // Of a chain that leads elsewhere nobody knows the rest.
                Some(_) => return Ok(false),
            }
        }
        Ok(false)
    }

    fn take_end(&mut self, from: &impl Source, range: Range<u64>, backwards: bool) -> io::Result<bool> {
        let began = from.now();
        let at = self.after_bad(range.start).min(range.end);
        // Who knows that it begins with a bad place has tried.
        let mut begun = at > range.start;
        let pieces = pieces(at..range.end, backwards);
        for (n, piece) in pieces.iter().enumerate() {
            let is_late = n == 0 && began >= self.until;
            let is_full = n > 0 && self.copied >= COPY_MAX;
            if is_late || is_full {
                self.skipped.extend_from_slice(&pieces[n..]);
                return Ok(begun && !is_full);
            }
            begun = true;
            let (bad, wasted) = (self.bad.len(), self.wasted);
            self.piece(from, piece.clone(), began)?;
            let is_slow = self.wasted.saturating_sub(wasted) >= NARROW || self.wasted >= WASTED_MAX;
            if self.bad.len() > bad && (is_slow || from.now() - began >= GIVE_UP) {
                self.skipped.extend_from_slice(&pieces[n + 1..]);
                break;
            }
        }
        Ok(true)
    }

    /// The first byte from `at` on that is not known to be bad.
    fn after_bad(&self, at: u64) -> u64 {
        let over = self.bad.iter().find(|bad| bad.contains(&at));
        over.map_or(at, |bad| self.after_bad(bad.end))
    }

    #[expect(clippy::cast_possible_truncation, reason = "at most `PIECE` bytes")]
    fn piece(&mut self, from: &impl Source, range: Range<u64>, began: Instant) -> io::Result<()> {
        if self
            .bad
            .iter()
            .any(|bad| bad.start <= range.start && range.end <= bad.end)
        {
            return Ok(());
        }
        let long = range.end - range.start;
        let mut bytes = vec![0; long as usize];
        let asked = from.now();
        let read = from.read(&mut bytes, range.start);
        if read.is_err() {
            self.wasted += from.now() - asked;
        }
        match read {
            Ok(()) if bytes.iter().all(|byte| *byte == 0) => Ok(()),
            Ok(()) => {
                self.copied += long;
                self.copy.write_all_at(&bytes, range.start)
            }
            Err(error) if !is_the_drives(&error) => Err(error),
            Err(_) if long > GRAIN && from.now() - began < NARROW && self.wasted < WASTED_MAX => {
                let middle = range.start + (long / 2).next_multiple_of(GRAIN);
                self.piece(from, range.start..middle, began)?;
                self.piece(from, middle..range.end, began)
            }
            Err(_) => {
                self.bad.push(range);
                Ok(())
            }
        }
    }
}

/// A range in the order in which it is read.
fn pieces(mut range: Range<u64>, backwards: bool) -> Vec<Range<u64>> {
    let mut pieces = Vec::new();
    while !range.is_empty() {
        let long = PIECE.min(range.end - range.start);
        let piece = match backwards {
            true => range.end - long..range.end,
            false => range.start..range.start + long,
        };
        match backwards {
            true => range.end = piece.start,
            false => range.start = piece.end,
        }
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]
    use super::*;

    fn made(size: u64) -> Salvage {
        Salvage::new(size, Instant::now() + Duration::from_mins(10)).unwrap()
    }

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
        let mut salvage = made(size);
        assert!(salvage.take(&from, 0, size).unwrap());
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
    fn what_is_copied_is_bounded_for_the_whole_drive_and_what_is_left_out_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let size = HEAD + TAIL;
        std::fs::write(&path, vec![0xa5; size as usize]).unwrap();
        let from = File::open(&path).unwrap();
        let mut full = made(size);
        full.copied = COPY_MAX;
        assert!(!full.take(&from, 0, size).unwrap());
        assert!(full.lost(PIECE + 1) && full.copy().metadata().unwrap().len() == size);
        let left: u64 = full.skipped.iter().map(|range| range.end - range.start).sum();
        assert_eq!(
            (left, full.copied),
            (size - 2 * PIECE, COPY_MAX + 2 * PIECE),
            "one read for each end"
        );
        let mut late = Salvage::new(size, Instant::now()).unwrap();
        assert!(!late.take(&from, 0, size).unwrap());
        assert_eq!(late.copied, 0, "nothing is begun");
        let mut whole = made(size);
        assert!(whole.take(&from, 0, size).unwrap());
        assert_eq!((whole.copied, whole.lost(size)), (size, false));
    }

    /// Ones, but for a bad place that takes 6.5 s each time.
    struct Slow {
        bad: Range<u64>,
        now: std::cell::Cell<Instant>,
    }

    impl Source for Slow {
        fn read(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
            if at < self.bad.end && at + bytes.len() as u64 > self.bad.start {
                self.now.set(self.now.get() + Duration::from_millis(6_500));
                return Err(io::Error::from_raw_os_error(libc::EIO));
            }
            bytes.fill(1);
            Ok(())
        }

        fn now(&self) -> Instant {
            self.now.get()
        }
    }

    fn slow(bad: Range<u64>) -> (Slow, Instant) {
        let now = Instant::now();
        (Slow { bad, now: now.into() }, now)
    }

    #[test]
    fn a_slow_bad_place_at_one_end_hides_nothing_at_the_others() {
        const SIZE: u64 = 1 << 30;
        const PART: u64 = 256 << 20;
        let is_there = |salvage: &Salvage, at: u64| {
            let mut got = [0];
            salvage.copy().read_exact_at(&mut got, at).unwrap();
            got == [1]
        };
        for bad in [0..4096, (64 << 10)..(65 << 10), SIZE - 512..SIZE] {
            let (from, now) = slow(bad.clone());
            let mut salvage = Salvage::new(SIZE, now + BEGIN).unwrap();
            assert!(salvage.take(&from, 0, SIZE).unwrap());
            assert!(salvage.take(&from, PART, PART).unwrap());
            for at in [PART, PART + HEAD - 1, 2 * PART - 1] {
                assert!(is_there(&salvage, at), "{bad:?} hides {at}");
            }
            assert!(salvage.lost(SIZE), "{bad:?}");
            assert_eq!(is_there(&salvage, SIZE - 1), bad.end < SIZE, "{bad:?}");
            assert_eq!(is_there(&salvage, HEAD - 1), bad.start > HEAD, "{bad:?}");
            assert_eq!(is_there(&salvage, 0), bad.start > 0, "{bad:?}");
        }
        // What failed before is not asked again, and what stands behind it is read.
        let (from, now) = slow(0..4096);
        let mut salvage = Salvage::new(SIZE, now + BEGIN).unwrap();
        salvage.failed(0..4096);
        assert!(salvage.take(&from, 0, SIZE).unwrap());
        assert!(is_there(&salvage, 4096) && is_there(&salvage, HEAD - 1) && from.now() == now);
    }

    #[test]
    fn an_end_that_comes_too_late_is_told() {
        const SIZE: u64 = 1 << 30;
        let (from, now) = slow(0..SIZE);
        let mut salvage = Salvage::new(SIZE, now + BEGIN).unwrap();
        assert!(salvage.take(&from, 0, SIZE).unwrap());
        assert!(salvage.take(&from, 256 << 20, 256 << 20).is_ok_and(|looked| !looked));
        assert!(from.now() - now < BEGIN + Duration::from_secs(7));
    }

    #[test]
    fn of_a_drive_that_can_read_nothing_all_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        std::fs::write(&path, b"").unwrap();
        let size = 20 << 40;
        let mut salvage = made(size);
        assert!(salvage.take(&File::open(&path).unwrap(), 0, size).unwrap());
        let lost = salvage.bad.iter().chain(&salvage.skipped);
        let bytes: u64 = lost.map(|lost| lost.end - lost.start).sum();
        assert_eq!(bytes, HEAD + TAIL);
    }
}
