//! Counts in a file system's allocation table, in pieces and not for longer than there is time.

use std::io;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use crate::window::Window;

/// Bytes that are read at once: a multiple of each entry's.
const PIECE: usize = 1 << 20;

/// Where a table lies, and how long it may be read.
#[derive(Clone, Copy)]
pub(super) struct Table<'f> {
    pub(super) window: Window<'f>,
    pub(super) until: Instant,
}

impl Table<'_> {
    /// How many of the first `bits` bits in these places (first byte, bytes) are set; `None` where they are fewer, reach beyond the file
    /// system, or take too long.
    pub(super) fn ones(self, places: &[(u64, u64)], bits: u64) -> io::Result<Option<u64>> {
        let (mut left, mut ones) = (bits, 0);
        for (at, bytes) in places {
            let whole = self.each(*at, left.div_ceil(8).min(*bytes), |piece| {
                for byte in piece {
                    let counted = left.min(8);
                    // Bits behind the last cluster are set or not, as the formatter pleases.
                    let mask = u8::try_from((1_u16 << counted) - 1).unwrap_or(u8::MAX);
                    ones += u64::from((byte & mask).count_ones());
                    left -= counted;
                }
            })?;
            if !whole {
                return Ok(None);
            }
        }
        Ok((left == 0).then_some(ones))
    }

    /// Hands `bytes` from byte `at` on to `take`, piece by piece; whether that was all of them.
    pub(super) fn each(self, at: u64, bytes: u64, mut take: impl FnMut(&[u8])) -> io::Result<bool> {
        if at.checked_add(bytes).is_none_or(|end| end > self.window.size) {
            return Ok(false);
        }
        let mut piece = vec![0; PIECE];
        let mut done = 0;
        while done < bytes {
            if Instant::now() >= self.until {
                return Ok(false);
            }
            let long = usize::try_from(bytes - done).map_or(PIECE, |left| left.min(PIECE));
            self.window
                .file
                .read_exact_at(&mut piece[..long], self.window.start + at + done)?;
            take(&piece[..long]);
            done += long as u64;
        }
        Ok(true)
    }
}
