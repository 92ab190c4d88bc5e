//! Where the kernel's file systems are: `/` in service, a made-up tree in tests.

use std::io;
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
const ATTRIBUTE_MAX: u64 = 64 << 10;

/// Bytes of an attribute; `None` if it cannot be read.
pub(crate) fn bytes(path: &Path) -> Option<Vec<u8>> {
    read(path).ok()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(ATTRIBUTE_MAX).read_to_end(&mut bytes)?;
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
