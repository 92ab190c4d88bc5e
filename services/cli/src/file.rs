//! Files that a command is given, read to a bound: a device, a disk image or a pipe without an end is told, and not kept in
//! memory; and files that it keeps, replaced whole. Tested below, and by whole commands in `tests/input.rs`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// Longest text file that is taken, in bytes: a playbook, a trust file, a password. The longest real one has some kilobytes.
const TEXT_MAX: u64 = 1 << 20;

/// The text of a file.
///
/// # Errors
/// Naming the file and what is wrong with it.
pub fn text(path: &Path) -> Result<String, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = bytes(path, TEXT_MAX).map_err(|e| told(&e))?;
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        told(&format!("byte {at} is no UTF-8; expected a text file"))
    })
}

/// The bytes of a file that has at most so many.
///
/// # Errors
/// When it cannot be read, or has more.
pub fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("more than {most} bytes; is this the right file?"),
        ));
    }
    Ok(bytes)
}

/// Replaces a file whole, so that a kill or a power cut leaves the old one or the new one: written beside, synced, renamed,
/// directory synced.
///
/// # Errors
/// When it is not on the disk.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(bytes(&path, 5).unwrap(), b"12345");
        assert!(
            bytes(&path, 4)
                .unwrap_err()
                .to_string()
                .starts_with("more than 4 bytes")
        );
    }

    #[test]
    fn what_is_no_text_is_told_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some");
        std::fs::write(&path, b"ab\xff").unwrap();
        let told = text(&path).unwrap_err();
        assert!(
            told.ends_with("some: byte 2 is no UTF-8; expected a text file"),
            "{told}"
        );
    }
}
