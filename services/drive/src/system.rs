//! Where the kernel's file systems are: `/` in service, a made-up tree in tests.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Root under which `sys`, `proc`, `dev` and `run` lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    root: PathBuf,
}

impl Default for System {
    fn default() -> Self {
        System {
            root: PathBuf::from("/"),
        }
    }
}

impl System {
    /// A system under `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        System { root: root.into() }
    }

    /// `path` (such as `sys/block/sda`) under the root.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Text of a file, without white space around it; `None` if it cannot be read.
    pub fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        text(&self.path(path))
    }
}

/// Longest attribute that is read: a sysfs attribute is one page; VPD pages are smaller.
const ATTRIBUTE_MAX: usize = 64 << 10;

/// Bytes of an attribute; `None` if it cannot be read.
pub(crate) fn bytes(path: &Path) -> Option<Vec<u8>> {
    read(path).ok()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    table(path, ATTRIBUTE_MAX)
}

/// What the kernel makes at one read, at most: a page.
const PAGE: usize = 4 << 10;

/// A file that the kernel writes as it is read, at most `most` bytes of it.
///
/// Such a file tells no length, for which the standard library asks first and then reads 32 bytes and twice as many each time. The
/// guard reads hundreds of them: half of its system calls were those.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn table(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let (mut bytes, mut len) = (vec![0; PAGE], 0);
    while len < most {
        if len == bytes.len() {
            bytes.resize(2 * len, 0);
        }
        match file.read(&mut bytes[len..]) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(len.min(most));
    Ok(bytes)
}

/// Text of an attribute without white space and NULs around it; `None` if it cannot be read or says nothing.
pub(crate) fn text(path: &Path) -> Option<String> {
    try_text(path).ok()?
}

/// The same for who must know why: `None` if it says nothing.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn try_text(path: &Path) -> io::Result<Option<String>> {
    let bytes = read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// A number of an attribute.
pub(crate) fn number<N: std::str::FromStr>(path: &Path) -> Option<N> {
    text(path)?.parse().ok()
}

/// Names in a directory, sorted; none if it cannot be read.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    try_names(dir).unwrap_or_default()
}

/// The same for who must know why.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn try_names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]
    use super::*;

    #[test]
    fn a_table_of_any_length_is_read_whole_and_no_further_than_asked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("maps");
        for length in [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE + 5] {
            let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(table(&path, usize::MAX).unwrap(), bytes, "{length}");
            for most in [0, 7, PAGE, 2 * PAGE] {
                assert_eq!(
                    table(&path, most).unwrap(),
                    bytes[..length.min(most)],
                    "{length}, {most}"
                );
            }
        }
        let own = table(Path::new("/proc/self/maps"), usize::MAX).unwrap();
        assert!(String::from_utf8_lossy(&own).contains("[stack]"));
        assert!(table(&dir.path().join("none"), 1).is_err());
    }
}
