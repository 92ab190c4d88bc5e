//! Factory reset: DATA is made anew before it is mounted.
//!
//! Whoever asks for it (dashboard, console, `factory_reset = true` in `kiln.toml`), a mark is written into the first sector
//! of the DATA partition, which ext4 leaves to boot loaders. The keeper of the boot medium looks for it before it
//! mounts DATA, writes over what is there (`wipe`), and making the file system takes the mark away. So it is done once,
//! whenever the power goes: the mark stands before `kiln.toml` loses its flag, and there is no moment in which a service sees
//! half of the old state.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::boot::medium::fat::Fat;

/// What PID 1 tells the keeper of the boot medium, so that DATA is marked.
pub(in crate::boot) const MARK_IT: &str = "reset";

/// What stands at the beginning of a DATA partition that is to be made anew.
const MARK: &[u8; 20] = b"KILN-FACTORY-RESET/1";
/// The flag's value in `kiln.toml`, and what is put in its place: as many bytes, and a value that means nothing to do.
const ASKED: &[u8] = b"true";
const DONE: &[u8] = b"\"ok\"";

/// Marks DATA. It may be mounted: the sector is not the file system's.
///
/// # Errors
/// The medium does not take it; what stood there is put back, so that nothing is reset later by half a mark.
pub fn ask(part: &Path) -> io::Result<()> {
    let mut sector = [0u8; 512];
    sector[..MARK.len()].copy_from_slice(MARK);
    let before = first_sector(part)?;
    write(part, &sector).inspect_err(|_| drop(write(part, &before)))
}

/// Whether DATA is marked.
pub(in crate::boot) fn asked(part: &Path) -> bool {
    let mut found = [0u8; MARK.len()];
    File::open(part).and_then(|f| f.read_exact_at(&mut found, 0)).is_ok() && &found == MARK
}

/// Takes the mark away, should making the file system have left it.
///
/// # Errors
/// The medium does not take it.
pub(super) fn done(part: &Path) -> io::Result<()> {
    if asked(part) { write(part, &[0u8; 512]) } else { Ok(()) }
}

/// Writes DATA's first sector, durably.
///
/// # Errors
/// The medium does not take it.
pub(super) fn write(part: &Path, sector: &[u8; 512]) -> io::Result<()> {
    let f = OpenOptions::new().write(true).custom_flags(libc::O_DSYNC).open(part)?;
    f.write_all_at(sector, 0)?;
    f.sync_all()
}

/// Marks DATA because `kiln.toml` says so, and then changes the flag in that file to `"ok"`, in place, by one write.
///
/// # Errors
/// In words. Then nothing is reset: a flag that stays would reset the box at every start.
pub(in crate::boot) fn by_flag(disk: &File, boot_partition: u64, data: &Path) -> Result<(), String> {
    let (at, done) = flag(disk, boot_partition)
        .map_err(|e| format!("reading the boot partition: {e}"))?
        .ok_or("kiln.toml asks for a factory reset, but `factory_reset = true` was not found in its first lines as it lies on the boot partition")?;
    let before = first_sector(data).map_err(|e| format!("reading DATA: {e}"))?;
    ask(data).map_err(|e| format!("marking DATA: {e}"))?;
    let taken = disk.write_all_at(&done, at).and_then(|()| disk.sync_all());
    taken.map_err(|e| match write(data, &before) {
        Ok(()) => format!("kiln.toml cannot be changed, so the box would be reset at every start: {e}"),
        Err(mark) => {
            format!("kiln.toml cannot be changed ({e}), and DATA stays marked ({mark}): DATA is made anew now")
        }
    })
}

/// What stands in DATA's first sector now: not always nothing (`lost`).
fn first_sector(data: &Path) -> io::Result<[u8; 512]> {
    let mut sector = [0u8; 512];
    File::open(data)?.read_exact_at(&mut sector, 0)?;
    Ok(sector)
}

/// Where on the disk the flag's value stands, and the bytes to put there.
fn flag(disk: &File, boot_partition: u64) -> io::Result<Option<(u64, Vec<u8>)>> {
    let Some(fat) = Fat::read(disk, boot_partition)? else {
        return Ok(None);
    };
    // Without a long name: `KILN~1.TOM`, or whatever number the writer has given it.
    let ours = |short: &[u8], long: &str| match long {
        "" => short.starts_with(b"KILN") && short.ends_with(b"TOM"),
        long => long.eq_ignore_ascii_case("kiln.toml"),
    };
    let Some((cluster, size)) = fat.find(fat.root, ours)? else {
        return Ok(None);
    };
    let Some(mut bytes) = fat.cluster(cluster)? else {
        return Ok(None);
    };
    bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    let found = fat.offset(cluster).zip(place(&bytes));
    Ok(found.map(|(at, (n, done))| (at + n as u64, done)))
}

/// Where in the file the flag's value begins, and the bytes to put there, as another computer's editor has saved the file.
fn place(file: &[u8]) -> Option<(usize, Vec<u8>)> {
    let wide = |unit: fn([u8; 2]) -> u16, bytes: fn(u16) -> [u8; 2]| {
        let units = file[2..].chunks_exact(2).map(|b| unit([b[0], b[1]]));
        // One byte for each unit; what is not ASCII is nothing that is looked for.
        let narrow: Vec<u8> = units.map(|u| u8::try_from(u).unwrap_or(b'?')).collect();
        let done = DONE.iter().flat_map(|b| bytes(u16::from(*b))).collect();
        Some((2 + 2 * value(&narrow)?, done))
    };
    match file {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes, u16::to_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes, u16::to_be_bytes),
        [0xef, 0xbb, 0xbf, text @ ..] => Some((3 + value(text)?, DONE.to_vec())),
        text => Some((value(text)?, DONE.to_vec())),
    }
}

/// Where in the text the value of `factory_reset = true` begins.
fn value(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive(|b| *b == b'\n') {
        let rest = line.trim_ascii_start();
        if let Some(value) = rest.strip_prefix(b"factory_reset") {
            let value = value.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
            return value.starts_with(ASKED).then(|| at + line.len() - value.len());
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::boot::config::site::Site;
    use crate::boot::table::gpt::SECTOR;
    use crate::words::text_of;

    #[test]
    fn the_mark_is_set_once_and_touches_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join("data");
        std::fs::write(&part, vec![7u8; 4096]).unwrap();
        assert!(!asked(&part));
        ask(&part).unwrap();
        assert!(asked(&part));
        let bytes = std::fs::read(&part).unwrap();
        assert!(
            bytes.len() == 4096 && bytes[512..].iter().all(|b| *b == 7),
            "ext4's superblock is at 1024"
        );
        done(&part).unwrap();
        assert!(!asked(&part));
        assert!(!asked(Path::new("/nonexistent")));
    }

    /// A boot partition at sector 8 with this `kiln.toml`, and DATA beside it.
    fn medium(toml: &[u8]) -> (tempfile::TempDir, File, std::path::PathBuf) {
        medium_with(&entry(b"KILN~1  TOM", 3, toml.len()), toml)
    }

    /// A short entry of a folder.
    fn entry(name: &[u8; 11], cluster: u8, size: usize) -> [u8; 32] {
        let mut e = [0u8; 32];
        e[..11].copy_from_slice(name);
        e[11] = 0x20;
        e[26] = cluster;
        e[28..].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
        e
    }

    /// The entry before a short one that has the long name, of at most 13 characters.
    fn long(name: &str, short: &[u8; 11]) -> [u8; 32] {
        let mut e = [0xff; 32];
        e[0] = 0x41;
        e[11] = 0x0f;
        e[12] = 0;
        e[13] = short.iter().fold(0u8, |sum, b| sum.rotate_right(1).wrapping_add(*b));
        e[26..28].fill(0);
        let places = (1..11).step_by(2).chain((14..26).step_by(2)).chain([28, 30]);
        for (at, unit) in places.zip(name.encode_utf16().chain([0])) {
            e[at..at + 2].copy_from_slice(&unit.to_le_bytes());
        }
        e
    }

    /// The same with these entries in the root folder, and the text in cluster 3.
    fn medium_with(entries: &[u8], toml: &[u8]) -> (tempfile::TempDir, File, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let disk = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(dir.path().join("disk"))
            .unwrap();
        disk.set_len(64 * SECTOR).unwrap();
        let mut boot = [0u8; 512];
        boot[11..14].copy_from_slice(&[0, 2, 1]);
        boot[14..17].copy_from_slice(&[1, 0, 1]);
        boot[36] = 1;
        boot[44] = 2;
        boot[510..].copy_from_slice(&[0x55, 0xaa]);
        disk.write_all_at(&boot, 8 * SECTOR).unwrap();
        let mut root = [0u8; 512];
        root[..entries.len()].copy_from_slice(entries);
        disk.write_all_at(&root, 10 * SECTOR).unwrap();
        disk.write_all_at(toml, 11 * SECTOR).unwrap();
        let data = dir.path().join("data");
        std::fs::write(&data, vec![0u8; 4096]).unwrap();
        (dir, disk, data)
    }

    fn toml_on(disk: &File, bytes: usize) -> String {
        let mut text = vec![0u8; bytes];
        disk.read_exact_at(&mut text, 11 * SECTOR).unwrap();
        text_of(&text).unwrap()
    }

    #[test]
    fn the_flag_is_taken_once_and_the_file_stays_right() {
        let text = "# factory_reset = true\nhostname = 'a'\n  factory_reset =true # now\n[env]\nA='b'\n";
        assert!(Site::parse(text).0.factory_reset);
        let (_dir, disk, data) = medium(text.as_bytes());
        by_flag(&disk, 8, &data).unwrap();
        assert!(asked(&data));
        let after = toml_on(&disk, text.len());
        assert_eq!(after, text.replace("=true # now", "=\"ok\" # now"));
        let (site, errors) = Site::parse(&after);
        assert!(!site.factory_reset && errors.is_empty(), "{errors:?}");
        assert!(
            by_flag(&disk, 8, &data).is_err(),
            "a second time there is nothing to take"
        );
    }

    #[test]
    fn the_flag_is_found_as_windows_saves_the_file() {
        let text = "factory_reset = true\r\nhostname = 'b\u{fc}ro'\r\n";
        let wide = |bytes: fn(u16) -> [u8; 2]| {
            "\u{feff}"
                .encode_utf16()
                .chain(text.encode_utf16())
                .flat_map(bytes)
                .collect()
        };
        let forms: [Vec<u8>; 3] = [
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            wide(u16::to_le_bytes),
            wide(u16::to_be_bytes),
        ];
        for bytes in forms {
            let (_dir, disk, data) = medium(&bytes);
            by_flag(&disk, 8, &data).unwrap();
            assert!(asked(&data));
            assert_eq!(toml_on(&disk, bytes.len()), text.replace("true", "\"ok\""));
        }
    }

    #[test]
    fn a_copy_beside_the_file_is_not_the_file() {
        let text = b"factory_reset = true\n";
        let (copy, own) = (b"KILN-O~1TOM", b"KILN~1  TOM");
        let others = [
            long("kiln-old.toml", copy),
            entry(copy, 5, 4),
            // What was deleted has lost its first byte.
            entry(b"\xe5ILN~9  TOM", 6, 4),
            long("Kiln.toml", own),
            entry(own, 3, text.len()),
        ];
        let (_dir, disk, data) = medium_with(&others.concat(), text);
        by_flag(&disk, 8, &data).unwrap();
        assert!(asked(&data));
        assert_eq!(toml_on(&disk, text.len()), "factory_reset = \"ok\"\n");

        // A long name whose short one was written by a program that knows none is nobody's.
        let orphan = [
            long("kiln.toml", copy),
            entry(b"OTHER   TXT", 5, 4),
            entry(own, 3, text.len()),
        ];
        let (_dir, disk, data) = medium_with(&orphan.concat(), text);
        by_flag(&disk, 8, &data).unwrap();
        assert!(asked(&data));
    }

    #[test]
    fn a_flag_that_cannot_be_taken_away_resets_nothing() {
        let (_dir, disk, data) = medium(b"hostname = 'a'\n");
        assert!(by_flag(&disk, 8, &data).unwrap_err().contains("was not found"));
        assert!(by_flag(&disk, 0, &data).is_err(), "no FAT there");
        assert!(!asked(&data));

        let text = b"factory_reset = true\n";
        let (dir, _disk, data) = medium(text);
        let noted = [7u8; 512];
        write(&data, &noted).unwrap();
        // A medium that takes no write there.
        let disk = File::open(dir.path().join("disk")).unwrap();
        let why = by_flag(&disk, 8, &data).unwrap_err();
        assert!(why.contains("kiln.toml cannot be changed"), "{why}");
        assert!(!asked(&data), "or DATA would be made anew at every start");
        assert_eq!(first_sector(&data).unwrap(), noted);
        assert_eq!(toml_on(&disk, text.len()).as_bytes(), text);
    }
}
