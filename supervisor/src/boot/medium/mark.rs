//! Which of several media with the same GUIDs the box was booted from: the one that carries GRUB's mark.
//!
//! A fresh image has everybody's partition GUIDs and a copy of a stick has that stick's, so the PARTUUID that GRUB names may fit
//! two. GRUB therefore writes a mark to the stick that it came from, another one at each start, and names it on the command line
//! (`kiln.mark`). Here it is read back: `EFI/debian/grubmark`, by its short name, from the FAT32 of the boot partition, past no
//! more than one cluster of each folder. Nothing is mounted, and the other stick is only read.
//!
//! GRUB has three marks, which it takes in turn, as it can neither count nor draw lots; so PID 1 writes a random word beside the
//! mark once the medium is found. A copy made before that start has an earlier word, one made after it an earlier mark at the next.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use bundle::env::Env;

use super::fat::Fat;
use super::found;
use super::known::UNCLEAR_WITHIN;

/// Between two tries to read what a write that failed has left.
const READ_EVERY: Duration = Duration::from_millis(200);

/// The path, as the short names of FAT store it.
const PATH: [&[u8; 11]; 3] = [b"EFI        ", b"DEBIAN     ", b"GRUBMARK   "];

/// What the medium carries.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    /// Where its sector lies, in bytes of the disk.
    at: u64,
    mark: String,
    who: String,
}

/// The mark on the boot partition that begins at sector `first`, as the command line has it; `None` where there is none.
///
/// # Errors
/// The disk cannot be read.
pub fn read(disk: &File, first: u64) -> io::Result<Option<String>> {
    Ok(find(disk, first)?.map(|m| m.mark + &m.who))
}

/// Writes another word beside the mark, in place and past the cache; `mark` is what it is known by from then on: the new one, the one
/// that it was where there is none or it was not written, and `None` where nobody can tell. `who`: letters and digits, 16 at most.
///
/// # Errors
/// The disk cannot be read, or the mark was not written, or nobody can tell.
pub fn renew(disk: &File, first: u64, who: &str, mark: &mut Option<String>) -> io::Result<()> {
    let write = |sector: &[u8], at| {
        disk.write_all_at(sector, at)?;
        disk.sync_data()
    };
    renew_by(disk, first, who, mark, write, UNCLEAR_WITHIN)
}

/// The same, with who writes a sector to its place in bytes, and how long that may be unreadable where it fails.
fn renew_by(
    disk: &File,
    first: u64,
    who: &str,
    known: &mut Option<String>,
    write: impl FnOnce(&[u8], u64) -> io::Result<()>,
    patience: Duration,
) -> io::Result<()> {
    let Some(found) = find(disk, first)? else {
        return Ok(());
    };
    let mark = if found.mark.is_empty() { "1" } else { &found.mark };
    let block = Env::marked(mark, who).bytes();
    // The other half of the file is filling, and may lie in another cluster.
    if let Err(e) = write(&block[..512], found.at) {
        // A flush that failed does not say what it was of. The medium is known by what is on it, not by what was to be.
        match find_again(disk, first, patience) {
            Ok(Some(now)) if now.who == who => {}
            Ok(_) => return Err(e),
            Err(unread) => {
                *known = None;
                return Err(unread);
            }
        }
    }
    *known = Some(format!("{mark}{who}"));
    Ok(())
}

/// What is on the medium, once it can be read again: a reset takes a moment.
fn find_again(disk: &File, first: u64, patience: Duration) -> io::Result<Option<Mark>> {
    let begun = Instant::now();
    loop {
        found::forget_cache(disk);
        match find(disk, first) {
            Err(_) if begun.elapsed() < patience => std::thread::sleep(READ_EVERY),
            found => return found,
        }
    }
}

fn find(disk: &File, first: u64) -> io::Result<Option<Mark>> {
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
    let Some(at) = fat.offset(cluster) else {
        return Ok(None);
    };
    let mut block = [0u8; 512];
    disk.read_exact_at(&mut block, at)?;
    let text = String::from_utf8_lossy(&block);
    let value = |name: &str| {
        text.lines()
            .find_map(|l| l.strip_prefix(name))
            .unwrap_or_default()
            .to_owned()
    };
    Ok(Some(Mark {
        at,
        mark: value("mark="),
        who: value("who="),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::boot::table::gpt::SECTOR;

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
            folder[..12].copy_from_slice(b"GRUBMARK   \x0f");
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
        let f = disk("# GRUB Environment Block\nmark=2\nwho=\n####");
        assert_eq!(read(&f, 8).unwrap().as_deref(), Some("2"));
        let f = disk("# GRUB Environment Block\nmark=3\nwho=0af9\n####");
        assert_eq!(read(&f, 8).unwrap().as_deref(), Some("30af9"));
    }

    /// What a medium is known by whose mark was told.
    fn renewed(disk: &File, first: u64) -> io::Result<Option<String>> {
        let mut mark = Some("told".to_owned());
        renew(disk, first, "beef", &mut mark).map(|()| mark)
    }

    #[test]
    fn a_renewed_mark_is_another_one_and_a_damaged_one_is_whole_again() {
        for (before, after) in [
            ("# GRUB Environment Block\nmark=2\nwho=0af9\n####", "2beef"),
            ("garbage", "1beef"),
        ] {
            let f = disk(before);
            assert_eq!(renewed(&f, 8).unwrap().as_deref(), Some(after));
            assert_eq!(read(&f, 8).unwrap().as_deref(), Some(after));
            let mut block = [0u8; 512];
            f.read_exact_at(&mut block, 13 * SECTOR).unwrap();
            assert!(block.starts_with(b"# GRUB Environment Block\n") && block.ends_with(b"\n####"[1..].into()));
        }
        assert_eq!(renewed(&disk("x"), 0).unwrap().as_deref(), Some("told"), "no FAT");
    }

    #[test]
    fn a_mark_whose_flush_fails_is_the_one_that_is_on_the_medium() {
        let block = "# GRUB Environment Block\nmark=2\nwho=0af9\n####";
        let sector = |f: &File| {
            let mut sector = [0u8; 512];
            f.read_exact_at(&mut sector, 13 * SECTOR).unwrap();
            sector
        };
        let (at_once, soon) = (Some(Duration::ZERO), Some(READ_EVERY / 2));
        // Whether the word has reached the medium, after how long that can be read, and what the medium is known by.
        for (reached, readable, known) in [
            (true, at_once, Some("2beef")),
            (false, at_once, Some("20af9")),
            (true, soon, Some("2beef")),
            (false, soon, Some("20af9")),
            (true, None, None),
            (false, None, None),
        ] {
            let f = disk(block);
            let mut mark = Some("20af9".to_owned());
            let write = |new: &[u8], at: u64| {
                let kept = if reached { new.to_vec() } else { sector(&f).to_vec() };
                let later = f.try_clone().unwrap();
                f.set_len(at).unwrap();
                if let Some(after) = readable {
                    std::thread::spawn(move || {
                        std::thread::sleep(after);
                        later.write_all_at(&kept, at).unwrap();
                    });
                }
                Err(io::Error::from_raw_os_error(libc::EIO))
            };
            let patience = readable.map_or(READ_EVERY, |_| UNCLEAR_WITHIN);
            let told = renew_by(&f, 8, "beef", &mut mark, write, patience);
            assert_eq!(mark.as_deref(), known, "{reached} {readable:?}");
            assert_eq!(told.is_ok(), known == Some("2beef"));
            if known.is_some() {
                assert_eq!(read(&f, 8).unwrap(), mark);
            }
        }
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
