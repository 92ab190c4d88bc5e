//! ext4's superblock, its group descriptors and their copies, read straight from the partition.
//!
//! ```text
//!  group with a copy:  superblock, 1 block │ descriptors of all groups, or with meta_bg of those before the first meta block group
//!  meta block group:   its descriptors, 1 block, in its first, second and last group, behind a superblock where there is one
//! ```
//!
//! Layout: kernel documentation, `filesystems/ext4/globals` and `overview` (super block at byte 1024; copies in the first block of
//! groups 1 and the powers of 3, 5 and 7 where `sparse_super` is set, of two groups that it names where `sparse_super2` is). A file
//! system that was never mounted to be written to has copies that differ in a few bytes alone ([`alike`]); its descriptors differ in none:
//! seen of mke2fs 1.47.0, and behind a read-only mount, with each of these features and without.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const AT: u64 = LENGTH as u64;
const LENGTH: usize = 1024;
const MAGIC: u16 = 0xef53;
/// `RO_COMPAT_SPARSE_SUPER`.
const SPARSE: u64 = 1;
/// `RO_COMPAT_METADATA_CSUM`.
const SUMS: u64 = 0x400;
/// `COMPAT_SPARSE_SUPER2`.
const SPARSE2: u64 = 0x200;
/// `INCOMPAT_META_BG`.
const META: u64 = 0x10;
/// `INCOMPAT_64BIT`.
const BITS64: u64 = 0x80;
/// Where the checksum lies, which is of all before it.
const SUM_AT: usize = 0x3fc;
/// Bytes of a group's descriptor, and the least where the superblock tells how many.
const DESCRIPTOR: u64 = 32;
/// Bytes of the largest page of Linux.
const PAGE_MAX: u64 = 64 << 10;
/// Bytes that are compared at once.
const PIECE: usize = 64 << 10;

/// What a superblock says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Super {
    blocks: u64,
    reserved: u64,
    block: u64,
    first: u64,
    per_group: u64,
    copied: Copied,
    /// Bytes of a descriptor.
    descriptor: u64,
    /// The first block of descriptors that lies in the groups that it describes.
    meta_from: u64,
    group: u16,
    alike: [u8; LENGTH],
}

/// Which groups bear a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Copied {
    Everywhere,
    Sparse,
    To([u64; 2]),
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

/// Bytes of a partition's beginning that [`is_unused`] looks at.
pub(crate) const BEGINNING: usize = 2 * LENGTH;

/// Whether an ext4 is as it was made: its superblock tells that it was never mounted to be written to, and of no file besides those that
/// it is made with (the reserved ones, `lost+found`, that of orphans). `None` of what begins otherwise.
pub(crate) fn is_unused(beginning: &[u8]) -> Option<bool> {
    let b = beginning.get(LENGTH..BEGINNING)?.try_into().ok()?;
    let mounted = le32(b, 0x2c) != 0 || le16(b, 0x34) != 0;
    let (inodes, free, first) = (le32(b, 0x00), le32(b, 0x10), le32(b, 0x54));
    let made = first + u64::from(le32(b, 0x280) != 0);
    (le16(b, 0x38) == MAGIC).then(|| !mounted && free + made == inodes)
}

fn read(file: &File, at: u64) -> io::Result<Super> {
    let mut b = [0; LENGTH];
    file.read_exact_at(&mut b, at)?;
    if le16(&b, 0x38) != MAGIC {
        return Err(io::Error::other(format!("no ext4 superblock at byte {at}")));
    }
    let (compat, incompat, ro_compat) = (le32(&b, 0x5c), le32(&b, 0x60), le32(&b, 0x64));
    // The kernel's sum is not inverted at its end.
    if ro_compat & SUMS != 0 && le32(&b, SUM_AT) != u64::from(!crc32c::crc32c(&b[..SUM_AT])) {
        return Err(io::Error::other(format!(
            "the superblock at byte {at} has a wrong checksum"
        )));
    }
    let bits64 = incompat & BITS64 != 0;
    let high = |at| if bits64 { le32(&b, at) << 32 } else { 0 };
    let shift = le32(&b, 0x18);
    Ok(Super {
        blocks: le32(&b, 0x04) | high(0x150),
        reserved: le32(&b, 0x08) | high(0x154),
        block: 1024_u64.checked_shl(shift.min(6) as u32).unwrap_or(1024),
        first: le32(&b, 0x14),
        per_group: le32(&b, 0x20),
        copied: match (compat & SPARSE2 != 0, ro_compat & SPARSE != 0) {
            (true, _) => Copied::To([le32(&b, 0x24c), le32(&b, 0x250)]),
            (false, true) => Copied::Sparse,
            (false, false) => Copied::Everywhere,
        },
        descriptor: if bits64 { le16(&b, 0xfe).into() } else { DESCRIPTOR },
        meta_from: if incompat & META != 0 {
            le32(&b, 0x104)
        } else {
            u64::MAX
        },
        group: le16(&b, 0x5a),
        alike: alike(b),
    })
}

/// A superblock without what each copy has of its own: its group's number, its checksum, and that it is clean, which the first alone
/// tells. Source: e2fsprogs `lib/ext2fs/closefs.c` (`ext2fs_flush2`, `write_backup_super`).
fn alike(mut b: [u8; LENGTH]) -> [u8; LENGTH] {
    const CLEAN: u8 = 1;
    b[0x3a] &= !CLEAN;
    b[0x5a..0x5c].fill(0);
    b[SUM_AT..].fill(0);
    b
}

impl Super {
    fn groups(&self) -> u64 {
        (self.blocks - self.first).div_ceil(self.per_group)
    }

    /// The byte at which a group begins.
    fn start(&self, group: u64) -> u64 {
        (group * self.per_group + self.first) * self.block
    }

    fn has_copy(&self, group: u64) -> bool {
        match self.copied {
            Copied::Everywhere => true,
            Copied::Sparse => has_copy(group),
            Copied::To(groups) => group == 0 || groups.contains(&group),
        }
    }

    /// Bytes of the descriptors that lie behind each superblock.
    fn described(&self) -> u64 {
        (self.groups() * self.descriptor).min(self.meta_from.saturating_mul(self.block))
    }

    /// The byte of a meta block group's descriptors in one of its groups.
    fn meta_at(&self, group: u64) -> u64 {
        self.start(group) + u64::from(self.has_copy(group)) * self.block
    }
}

/// Compares every copy with the first superblock and its group descriptors, and that with what was asked for; tells how many there are.
///
/// # Errors
/// The first copy that cannot be read or differs, or the size or share that is not as asked.
pub(super) fn copies(file: &File, size: u64, reserved_percent: u8) -> io::Result<usize> {
    let first = read(file, AT)?;
    if first.per_group == 0 || first.blocks <= first.first {
        return Err(io::Error::other("the superblock tells no blocks"));
    }
    if !(DESCRIPTOR..=first.block).contains(&first.descriptor) {
        return Err(io::Error::other("the superblock tells no size of descriptors"));
    }
    if !fills(&first, size) {
        let made = first.blocks.saturating_mul(first.block);
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
    let descriptors = (AT / first.block + 1) * first.block;
    let mut copies = 0;
    for group in (1..first.groups()).filter(|group| first.has_copy(*group)) {
        let at = first.start(group);
        let copy = read(file, at)?;
        if copy.alike != first.alike || copy.group != told_as(group) {
            return Err(io::Error::other(format!(
                "the superblock copy of group {group} differs"
            )));
        }
        if !equal(file, (descriptors, at + first.block), first.described())? {
            return Err(differ(group));
        }
        copies += 1;
    }
    meta_copies(file, &first)?;
    Ok(copies)
}

/// Compares the descriptors that lie in the groups that they describe.
///
/// # Errors
/// The first copy that cannot be read or differs.
fn meta_copies(file: &File, first: &Super) -> io::Result<()> {
    let (groups, each) = (first.groups(), first.block / first.descriptor);
    for of in (first.meta_from..groups.div_ceil(each)).map(|block| block * each) {
        let last = of + each - 1;
        let long = each.min(groups - of) * first.descriptor;
        for group in [of + 1, last]
            .into_iter()
            .filter(|group| (of + 1..groups).contains(group))
        {
            if !equal(file, (first.meta_at(of), first.meta_at(group)), long)? {
                return Err(differ(group));
            }
        }
    }
    Ok(())
}

fn differ(group: u64) -> io::Error {
    io::Error::other(format!("the copy of the group descriptors in group {group} differs"))
}

/// Whether so many bytes are the same at both places.
fn equal(file: &File, (one, other): (u64, u64), long: u64) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; PIECE], vec![0; PIECE]);
    for at in (0..long).step_by(PIECE) {
        let piece = usize::try_from(long - at).map_or(PIECE, |rest| rest.min(PIECE));
        file.read_exact_at(&mut left[..piece], one + at)?;
        file.read_exact_at(&mut right[..piece], other + at)?;
        if left[..piece] != right[..piece] {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The number that the copy of a group bears: 16 bits, and beyond them the largest. Source: e2fsprogs `lib/ext2fs/closefs.c`
/// (`write_backup_super`).
fn told_as(group: u64) -> u16 {
    u16::try_from(group).unwrap_or(u16::MAX)
}

/// Whether the file system has what mke2fs makes of a partition of `size` bytes.
///
/// Short of it is less than a page of the largest size, to which mke2fs rounds down; or a last group that would have been
/// too small for its own tables, without which the file system ends on a whole group. Source: e2fsprogs
/// `lib/ext2fs/initialize.c` (`rem < overhead + 50`).
fn fills(made: &Super, size: u64) -> bool {
    let Some(short) = size.checked_sub(made.blocks.saturating_mul(made.block)) else {
        return false;
    };
    // A group's blocks have one bit each in one block: more of them are no group of mke2fs'.
    let group = made.per_group.min(8 * made.block) * made.block;
    let whole = made.blocks.saturating_sub(made.first).is_multiple_of(made.per_group);
    short < PAGE_MAX || whole && short < group
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
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::Seek;
    use std::process::Command;

    use wire::options::{FileSystem, FormatRequest, Table};

    use super::super::tool;
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A sparse file of `mib` MiB with the file system that a partition of that size gets; `None` without mke2fs.
    fn made(mib: u64) -> Option<File> {
        made_with(mib, &[])
    }

    /// The same with more arguments.
    fn made_with(mib: u64, more: &[&str]) -> Option<File> {
        let request = FormatRequest {
            table: Table::Auto,
            filesystem: FileSystem::Ext4,
            reserved_percent: 0,
            label: String::new(),
        };
        let call = tool::maker(&request)?;
        let program = tool::find(call.program)?;
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(mib * MIB).unwrap();
        let done = Command::new(program)
            .args(&call.args)
            .args(more)
            .arg(file.path())
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{mib}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        Some(file.into_file())
    }

    fn unused(file: &File) -> Option<bool> {
        let mut beginning = [0; BEGINNING];
        file.read_exact_at(&mut beginning, 0).unwrap();
        is_unused(&beginning)
    }

    /// Beyond what mke2fs makes are a file, and a mount, which its superblock tells of.
    #[test]
    fn a_file_or_a_mount_is_use() {
        for mib in [16, 600] {
            let Some(file) = made(mib) else { return };
            assert_eq!(unused(&file), Some(true), "{mib} MiB");
            for (at, value) in [(0x2c, 1_700_000_000_u32), (0x34, 1)] {
                let mut was = [0; 4];
                file.read_exact_at(&mut was, AT + at).unwrap();
                file.write_all_at(&value.to_le_bytes(), AT + at).unwrap();
                assert_eq!(unused(&file), Some(false));
                file.write_all_at(&was, AT + at).unwrap();
            }
            let Some(debugfs) = tool::find("debugfs") else { continue };
            let copy = tempfile::NamedTempFile::new().unwrap();
            (&file).rewind().unwrap();
            io::copy(&mut &file, &mut copy.as_file()).unwrap();
            let wrote = Command::new(debugfs)
                .args(["-w", "-R", "write /etc/hostname hostname"])
                .arg(copy.path())
                .output()
                .unwrap();
            assert_eq!(unused(copy.as_file()), Some(false), "{wrote:?}");
        }
        let mut other = [0; BEGINNING];
        other[..5].copy_from_slice(b"ustar");
        assert_eq!(is_unused(&other), None);
    }

    /// A group has 128 MiB, of blocks of 1 KiB (below 512 MiB) 8.
    #[test]
    fn a_last_group_that_mke2fs_leaves_out_is_no_fault() {
        let borders = [64, 256, 504, 512, 640, 1152, 1280, 3200, 32_768].map(|border| border - 2..border + 5);
        // Partitions of drives of 480, 960 and 1920 GB and of 12 TB (IDEMA LBA1-03), whose last copies are of groups beyond 65535.
        let drives = [457_861, 915_714, 1_831_419, 11_444_224].map(|mib| mib..mib + 1);
        let mut shorter = 0;
        for mib in borders.into_iter().flatten().chain(drives.into_iter().flatten()) {
            let Some(file) = made(mib) else { return };
            let told = copies(&file, mib * MIB, 0);
            assert!(told.is_ok(), "{mib} MiB: {told:?}");
            let first = read(&file, AT).unwrap();
            shorter += u32::from(first.blocks * first.block + PAGE_MAX <= mib * MIB);
        }
        assert!(shorter >= 9, "{shorter}");
    }

    #[test]
    fn a_file_system_that_is_too_short_or_too_long_is_told() {
        for (mib, partition) in [
            // A group is missing, and more; the end is within a group; it goes beyond the partition.
            (1152, 1280),
            (1152, 1281),
            (1160, 1161),
            (1160, 1288),
            (1160, 1159),
            (1152, 1151),
        ] {
            let Some(file) = made(mib) else { return };
            let told = copies(&file, partition * MIB, 0).unwrap_err().to_string();
            assert!(told.contains("the partition"), "{mib} MiB on {partition}: {told}");
        }
        // A group that is larger than any excuses nothing.
        let made = Super {
            blocks: 1 << 20,
            reserved: 0,
            block: 4096,
            first: 0,
            per_group: 1 << 20,
            copied: Copied::Sparse,
            descriptor: DESCRIPTOR,
            meta_from: u64::MAX,
            group: 0,
            alike: [0; LENGTH],
        };
        assert!(!fills(&made, 6 << 30));
    }

    /// Its features are the configuration's, which a person may have changed.
    const FEATURES: [&str; 7] = [
        "^64bit",
        "^metadata_csum",
        "^metadata_csum,uninit_bg",
        "^sparse_super,^resize_inode",
        "sparse_super2,^resize_inode",
        "meta_bg,^resize_inode",
        "meta_bg,^resize_inode,^64bit,^sparse_super",
    ];

    #[test]
    fn copies_that_mke2fs_makes_are_equal_whatever_the_features() {
        for features in FEATURES {
            // The blocks of the first have 1 KiB, so that descriptors fill more than one.
            for mib in [400, 2000] {
                let Some(file) = made_with(mib, &["-O", features]) else {
                    return;
                };
                let told = copies(&file, mib * MIB, 0);
                assert!(
                    told.as_ref().is_ok_and(|copies| *copies > 0),
                    "{features}, {mib} MiB: {told:?}"
                );
            }
        }
    }

    /// Where e2fsck goes when the first is lost: nothing in either may be wrong.
    #[test]
    fn a_copy_that_cannot_stand_in_for_the_first_is_told() {
        for features in ["64bit"].iter().chain(&FEATURES) {
            let Some(file) = made_with(400, &["-O", features]) else {
                return;
            };
            let first = read(&file, AT).unwrap();
            let groups: Vec<u64> = (1..first.groups()).filter(|group| first.has_copy(*group)).collect();
            let (next, last) = (first.start(groups[0]), first.start(groups[groups.len() - 1]));
            let of_group_1 = first.meta_at(1);
            let behind = |at: u64| at + first.block;
            // Inodes per group, features, the journal's backup, the checksum; a descriptor's first and last.
            let of_super = [0x28, 0x5c, 0x10c, SUM_AT as u64].map(|at| last + at);
            let mut places = of_super.to_vec();
            places.extend(match first.meta_from {
                u64::MAX => vec![behind(next), behind(last) + first.described() - 1],
                _ => vec![of_group_1, of_group_1 + 3 * first.descriptor],
            });
            for at in places
                .into_iter()
                .filter(|at| has_sums(&first) || *at != last + SUM_AT as u64)
            {
                let mut was = [0];
                file.read_exact_at(&mut was, at).unwrap();
                file.write_all_at(&[was[0] ^ 0x40], at).unwrap();
                let told = copies(&file, 400 * MIB, 0);
                assert!(told.is_err(), "{features}, byte {at}: {told:?}");
                file.write_all_at(&was, at).unwrap();
            }
            assert!(copies(&file, 400 * MIB, 0).is_ok());
        }
    }

    fn has_sums(first: &Super) -> bool {
        le32(&first.alike, 0x64) & SUMS != 0
    }

    /// As `mke2fs -n` lists them.
    #[test]
    fn copies_are_where_mke2fs_puts_them() {
        let groups: Vec<u64> = (0..130).filter(|g| has_copy(*g)).collect();
        assert_eq!(groups, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }
}
