//! What a folder names: its entries of 32 bytes, with the long names that stand before them in parts.

use super::name::{PLACES, checksum};
use super::{DIRECTORY, ENTRY, LONG};

/// Most units of a long name: 20 parts of 13. Garbage may look like parts without end.
const LONG_MAX: usize = 260;

/// A file or folder as its folder names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its name: the long one where it has one, else the short one.
    pub name: String,
    /// Whether a long name of another one stands before it.
    pub is_stale: bool,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// First cluster; 0 when empty.
    pub first: u32,
    /// Bytes.
    pub size: u32,
}

/// The files and folders that a folder's bytes name, in its order.
pub fn named(folder: &[u8]) -> Vec<Named> {
    let mut all = Vec::new();
    let mut long: Vec<u16> = Vec::new();
    let mut long_sum = 0;
    for e in folder.chunks_exact(ENTRY) {
        match (e[0], e[11]) {
            (0, _) => break,
            (0xe5, _) => long.clear(),
            (_, LONG) => {
                if e[0] & 0x40 != 0 || long.len() >= LONG_MAX {
                    long.clear();
                }
                let part: Vec<u16> = PLACES.iter().map(|p| u16::from_le_bytes([e[*p], e[*p + 1]])).collect();
                long.splice(0..0, part);
                long_sum = e[13];
            }
            (_, a) if a & 0x08 != 0 => long.clear(),
            (b'.', _) => {}
            (_, attribute) => {
                let mut short = [0u8; 11];
                short.copy_from_slice(&e[..11]);
                // A stale long name, left by a tool that knows only short ones, is passed over as Linux does.
                let is_stale = !long.is_empty() && checksum(&short) != long_sum;
                let name = if long.is_empty() || is_stale {
                    short_name(&short, e[12])
                } else {
                    let end = long.iter().position(|u| *u == 0).unwrap_or(long.len());
                    String::from_utf16_lossy(&long[..end])
                };
                long.clear();
                let half = |at: usize| u32::from(u16::from_le_bytes([e[at], e[at + 1]]));
                all.push(Named {
                    name,
                    is_stale,
                    is_dir: attribute & DIRECTORY != 0,
                    first: half(20) << 16 | half(26),
                    size: u32::from_le_bytes([e[28], e[29], e[30], e[31]]),
                });
            }
        }
    }
    all
}

fn short_name(short: &[u8; 11], case: u8) -> String {
    let part = |b: &[u8], lower: bool| {
        let s = String::from_utf8_lossy(b).trim_end().to_owned();
        if lower { s.to_lowercase() } else { s }
    };
    let (base, ext) = (part(&short[..8], case & 8 != 0), part(&short[8..], case & 0x10 != 0));
    if ext.is_empty() { base } else { format!("{base}.{ext}") }
}
