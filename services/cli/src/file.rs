//! Files that a command is given, read to a bound: a device, a disk image or a pipe without an end is told, and not kept in
//! memory. Tested below, and by whole commands in `tests/input.rs`.

use std::fs::File;
use std::io::{self, Read};
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
