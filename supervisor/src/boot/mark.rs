//! Which of two media with the same GUIDs the box was booted from: the one whose environment block carries GRUB's mark.
//!
//! Every fresh image has the same partition GUIDs, so until a medium has made its own (`guid`), the PARTUUID that GRUB names
//! may fit two sticks. GRUB therefore writes a mark into the environment block of the stick that it came from, and names it
//! on the command line (`kiln.mark`). Here it is read back: `EFI/debian/grubenv`, by its short name, from the FAT32 of the
//! boot partition, past no more than one cluster of each folder. Nothing is mounted, and the other stick is only read.

use std::fs::File;
use std::io;

use super::fat::Fat;

/// The path, as the short names of FAT store it.
const PATH: [&[u8; 11]; 3] = [b"EFI        ", b"DEBIAN     ", b"GRUBENV    "];
/// The mark in the environment block of the boot partition that begins at sector `first`; `None` where there is none.
///
/// # Errors
/// The disk cannot be read.
pub fn read(disk: &File, first: u64) -> io::Result<Option<String>> {
    let Some(fat) = Fat::read(disk, first)? else {
        return Ok(None);
    };
    let mut cluster = fat.root;
    for name in PATH {
        match fat.find(cluster, |short, _| short == name)? {
            Some((next, _)) => cluster = next,
            None => return Ok(None),
        }
    }
    let Some(block) = fat.cluster(cluster)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&block[..512]);
    Ok(text.lines().find_map(|l| l.strip_prefix("mark=")).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::boot::gpt::SECTOR;
    use std::os::unix::fs::FileExt;

    /// A FAT32 with clusters of one sector: boot sector, one FAT sector, then clusters 2 to 5.
    fn disk(block: &str) -> File {
        let f = tempfile::tempfile().unwrap();
        f.set_len(64 * SECTOR).unwrap();
        let mut boot = [0u8; 512];
        boot[11..14].copy_from_slice(&[0, 2, 1]);
        boot[14..17].copy_from_slice(&[1, 0, 1]);
        boot[36] = 1;
        boot[44] = 2;
        boot[510..].copy_from_slice(&[0x55, 0xaa]);
        f.write_all_at(&boot, 8 * SECTOR).unwrap();
        for (n, name) in PATH.iter().enumerate() {
            let mut folder = [0u8; 512];
            // A part of a long name and a deleted file stand before it.
            folder[..12].copy_from_slice(b"GRUBENV    \x0f");
            folder[32] = 0xe5;
            folder[64..75].copy_from_slice(*name);
            folder[64 + 26] = u8::try_from(n + 3).unwrap();
            f.write_all_at(&folder, (10 + n as u64) * SECTOR).unwrap();
        }
        f.write_all_at(block.as_bytes(), 13 * SECTOR).unwrap();
        f
    }

    #[test]
    fn the_mark_is_found_by_its_path() {
        let f = disk("# GRUB Environment Block\nprefer=a\nmark=2\n####");
        assert_eq!(read(&f, 8).unwrap().as_deref(), Some("2"));
        assert_eq!(read(&disk("# GRUB Environment Block\nprefer=a\n"), 8).unwrap(), None);
    }

    #[test]
    fn what_is_no_fat_has_no_mark_and_a_short_disk_is_an_error() {
        let f = disk("mark=1\n");
        assert_eq!(read(&f, 0).unwrap(), None);
        f.write_all_at(&[0], 8 * SECTOR + 44).unwrap();
        assert_eq!(read(&f, 8).unwrap(), None, "a cluster before the first");
        f.write_all_at(&[0xff, 0xff, 0xff, 0x0f], 8 * SECTOR + 44).unwrap();
        assert!(read(&f, 8).is_err(), "a cluster past the end");
    }
}
