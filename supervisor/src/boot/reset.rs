//! Factory reset: DATA is made anew before it is mounted.
//!
//! Whoever asks for it (dashboard, console, `factory_reset = true` in `kiln.toml`), a mark is written into the first sector
//! of the DATA partition, which ext4 leaves to boot loaders. The keeper of the boot medium looks for it before it
//! mounts DATA, and making the file system takes it away. So it is done once, whenever the power goes: the mark stands before
//! `kiln.toml` loses its flag, and there is no moment in which half of the old state is mounted.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::fat::Fat;

/// What stands at the beginning of a DATA partition that is to be made anew.
const MARK: &[u8; 20] = b"KILN-FACTORY-RESET/1";
/// The flag's value in `kiln.toml`, and what is put in its place: as many bytes, and a value that means nothing to do.
const ASKED: &[u8] = b"true";
const DONE: &[u8] = b"\"ok\"";

/// Marks DATA. It may be mounted: the sector is not the file system's.
///
/// # Errors
/// The medium does not take it.
pub fn ask(part: &Path) -> io::Result<()> {
    let mut sector = [0u8; 512];
    sector[..MARK.len()].copy_from_slice(MARK);
    write(part, &sector)
}

/// Whether DATA is marked.
pub(super) fn asked(part: &Path) -> bool {
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
pub(super) fn by_flag(disk: &File, boot_partition: u64, data: &Path) -> Result<(), String> {
    let at = flag(disk, boot_partition)
        .map_err(|e| format!("reading the boot partition: {e}"))?
        .ok_or("kiln.toml asks for a factory reset, but `factory_reset = true` was not found in its first lines as it lies on the boot partition")?;
    ask(data).map_err(|e| format!("marking DATA: {e}"))?;
    disk.write_all_at(DONE, at)
        .and_then(|()| disk.sync_all())
        .map_err(|e| format!("kiln.toml could not be changed, so the box resets again at its next start: {e}"))
}

/// Where on the disk the flag's value stands.
fn flag(disk: &File, boot_partition: u64) -> io::Result<Option<u64>> {
    let Some(fat) = Fat::read(disk, boot_partition)? else {
        return Ok(None);
    };
    // The short name of `kiln.toml`: `KILN~1.TOM`, or whatever number the writer has given it.
    let ours = |name: &[u8]| name.starts_with(b"KILN") && name.ends_with(b"TOM");
    let Some((cluster, size)) = fat.find(fat.root, ours)? else {
        return Ok(None);
    };
    let Some(mut bytes) = fat.cluster(cluster)? else {
        return Ok(None);
    };
    bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    Ok(fat.offset(cluster).zip(value(&bytes)).map(|(at, n)| at + n as u64))
}

/// Where in the file the value of `factory_reset = true` begins.
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
    use crate::boot::gpt::SECTOR;
    use crate::boot::site::Site;

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
    fn medium(toml: &str) -> (tempfile::TempDir, File, std::path::PathBuf) {
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
        root[..12].copy_from_slice(b"KILN~1  TOM\x20");
        root[26] = 3;
        root[28..32].copy_from_slice(&u32::try_from(toml.len()).unwrap().to_le_bytes());
        disk.write_all_at(&root, 10 * SECTOR).unwrap();
        disk.write_all_at(toml.as_bytes(), 11 * SECTOR).unwrap();
        let data = dir.path().join("data");
        std::fs::write(&data, vec![0u8; 4096]).unwrap();
        (dir, disk, data)
    }

    fn toml_on(disk: &File, bytes: usize) -> String {
        let mut text = vec![0u8; bytes];
        disk.read_exact_at(&mut text, 11 * SECTOR).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_flag_is_taken_once_and_the_file_stays_right() {
        let text = "# factory_reset = true\nhostname = 'a'\n  factory_reset =true # now\n[env]\nA='b'\n";
        assert!(Site::parse(text).0.factory_reset);
        let (_dir, disk, data) = medium(text);
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
    fn a_flag_that_cannot_be_taken_away_resets_nothing() {
        let (_dir, disk, data) = medium("hostname = 'a'\n");
        assert!(by_flag(&disk, 8, &data).unwrap_err().contains("was not found"));
        assert!(by_flag(&disk, 0, &data).is_err(), "no FAT there");
        assert!(!asked(&data));
    }
}
