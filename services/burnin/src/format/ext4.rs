//! ext4's superblock and its copies, read straight from the partition.
//!
//! Layout: kernel documentation, `filesystems/ext4/globals` (super block at byte 1024; copies in the first
//! block of groups 1 and the powers of 3, 5 and 7 where `sparse_super` is set).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const AT: u64 = 1024;
const LENGTH: usize = 1024;
const MAGIC: u16 = 0xef53;
/// `RO_COMPAT_SPARSE_SUPER`.
const SPARSE: u32 = 1;

/// What a superblock says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Super {
    blocks: u64,
    reserved: u64,
    block: u64,
    first: u64,
    per_group: u64,
    sparse: bool,
    group: u16,
    uuid: [u8; 16],
    label: [u8; 16],
}

fn le32(bytes: &[u8; LENGTH], at: usize) -> u64 {
    u64::from(u32::from_le_bytes([
        bytes[at],
        bytes[at + 1],
        bytes[at + 2],
        bytes[at + 3],
    ]))
}

fn le16(bytes: &[u8; LENGTH], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn read(file: &File, at: u64) -> io::Result<Super> {
    let mut b = [0; LENGTH];
    file.read_exact_at(&mut b, at)?;
    if le16(&b, 0x38) != MAGIC {
        return Err(io::Error::other(format!("no ext4 superblock at byte {at}")));
    }
    let bits64 = le32(&b, 0x60) & 0x80 != 0;
    let high = |at| if bits64 { le32(&b, at) << 32 } else { 0 };
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&b[0x68..0x78]);
    let mut label = [0; 16];
    label.copy_from_slice(&b[0x78..0x88]);
    let shift = le32(&b, 0x18);
    Ok(Super {
        blocks: le32(&b, 0x04) | high(0x150),
        reserved: le32(&b, 0x08) | high(0x154),
        block: 1024_u64.checked_shl(shift.min(6) as u32).unwrap_or(1024),
        first: le32(&b, 0x14),
        per_group: le32(&b, 0x20),
        sparse: le32(&b, 0x64) & u64::from(SPARSE) != 0,
        group: le16(&b, 0x5a),
        uuid,
        label,
    })
}

/// Compares every copy with the first superblock, and that with what was asked for; tells how many there are.
///
/// # Errors
/// The first copy that cannot be read or differs, or the size or share that is not as asked.
pub(super) fn copies(file: &File, size: u64, reserved_percent: u8) -> io::Result<usize> {
    let first = read(file, AT)?;
    if first.per_group == 0 || first.blocks == 0 {
        return Err(io::Error::other("the superblock tells no blocks"));
    }
    let made = first.blocks.saturating_mul(first.block);
    if made > size || size - made >= 64 << 10 {
        return Err(io::Error::other(format!(
            "the file system has {made} bytes, the partition {size}"
        )));
    }
    let percent = first.reserved as f64 * 100.0 / first.blocks as f64;
    if (percent - f64::from(reserved_percent)).abs() > 0.5 {
        return Err(io::Error::other(format!(
            "{percent:.2} % are kept back, asked for were {reserved_percent} %"
        )));
    }
    let groups = (first.blocks - first.first).div_ceil(first.per_group);
    let mut copies = 0;
    for group in 1..groups {
        if first.sparse && !has_copy(group) {
            continue;
        }
        let at = (group * first.per_group + first.first) * first.block;
        let copy = read(file, at)?;
        let same = Super {
            group: first.group,
            ..copy.clone()
        };
        if same != first || u64::from(copy.group) != group & 0xffff {
            return Err(io::Error::other(format!(
                "the superblock copy of group {group} differs"
            )));
        }
        copies += 1;
    }
    Ok(copies)
}

/// Whether a group bears a copy: 0, 1 and the powers of 3, 5 and 7.
fn has_copy(group: u64) -> bool {
    let power = |base: u64| {
        let mut n = group;
        while n > 1 && n.is_multiple_of(base) {
            n /= base;
        }
        n == 1
    };
    group <= 1 || power(3) || power(5) || power(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `mke2fs -n` lists them.
    #[test]
    fn copies_are_where_mke2fs_puts_them() {
        let groups: Vec<u64> = (0..130).filter(|g| has_copy(*g)).collect();
        assert_eq!(groups, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }
}
