//! The bytes of a whole disk or of one of its partitions, by where they stand in it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Where something may stand for itself.
#[derive(Clone, Copy)]
pub(crate) struct Window<'f> {
    /// The device or image.
    pub(crate) file: &'f File,
    /// Its first byte.
    pub(crate) start: u64,
    /// Bytes of it that are on the device.
    pub(crate) size: u64,
}

impl Window<'_> {
    /// The bytes from `at` on, counted from the beginning; `None` where it is smaller.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn read<const N: usize>(&self, at: u64) -> io::Result<Option<[u8; N]>> {
        if at.checked_add(N as u64).is_none_or(|end| end > self.size) {
            return Ok(None);
        }
        let mut bytes = [0; N];
        self.file.read_exact_at(&mut bytes, self.start + at)?;
        Ok(Some(bytes))
    }

    /// The bytes that begin so many before the end; `None` where it is smaller.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn read_before_end<const N: usize>(&self, before: u64) -> io::Result<Option<[u8; N]>> {
        match self.size.checked_sub(before) {
            Some(at) => self.read(at),
            None => Ok(None),
        }
    }
}
