//! A page of 512 bytes that is filled field by field.

use crate::inquiry;
use crate::medium::SECTOR;

/// A page under construction. Numbers are little-endian, as everywhere in ATA.
#[derive(Clone, Debug)]
pub(super) struct Page([u8; SECTOR]);

impl Page {
    /// All zeros.
    pub(super) fn blank() -> Self {
        Self([0; SECTOR])
    }

    /// Puts the low `size` bytes of `value` at byte `at`.
    pub(super) fn number(&mut self, at: usize, size: usize, value: u64) -> &mut Self {
        self.0[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        self
    }

    /// Puts `value` in the word of this number, as IDENTIFY DEVICE and the log directories count.
    pub(super) fn word(&mut self, number: usize, value: u16) -> &mut Self {
        self.number(2 * number, 2, value.into())
    }

    /// Puts an ATA string in `words` words: padded with blanks, the bytes of each word swapped (ACS-3, ATA string
    /// convention).
    pub(super) fn text(&mut self, word: usize, words: usize, text: &str) -> &mut Self {
        let padded = inquiry::text(text, 2 * words);
        for (pair, put) in padded.chunks_exact(2).zip(self.0[2 * word..].chunks_exact_mut(2)) {
            put.copy_from_slice(&[pair[1], pair[0]]);
        }
        self
    }

    /// The page as it is.
    pub(super) fn done(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// The page with the checksum in its last byte by which all bytes add up to zero.
    pub(super) fn sealed(&self) -> Vec<u8> {
        let mut bytes = self.done();
        bytes[SECTOR - 1] = 0;
        bytes[SECTOR - 1] = sum(&bytes).wrapping_neg();
        bytes
    }
}

/// What the bytes of a page add up to.
pub(super) fn sum(page: &[u8]) -> u8 {
    page.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}
