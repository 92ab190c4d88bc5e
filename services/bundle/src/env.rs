//! GRUB's environment block: which slot to start, and how many tries it has left.
//!
//! ```text
//! # GRUB Environment Block\n
//! prefer=a\n a=good\n b=bad\n left=0\n once=\n kept=a\n
//! ####… to 1024 bytes
//! ```
//! `kept` is the slot that proved itself last: where both are bad, GRUB takes it.
//! The variables stand in the first 512 bytes, so that a change is the write of one sector. A second such block
//! (`EFI/debian/grubmark`) holds `mark` and `who`, which tell the medium that GRUB came from apart from a copy of it.

use std::collections::BTreeMap;

/// Bytes of the block.
pub const BLOCK: usize = 1024;
const HEAD: &str = "# GRUB Environment Block\n";
/// Variables must end before this.
const FIRST_SECTOR: usize = 512;

/// The variables of the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Env {
    variables: BTreeMap<String, String>,
}

impl Env {
    /// Of a fresh image: slot a is there and counts as proven, slot b is empty.
    #[must_use]
    pub fn fresh() -> Self {
        let v = [
            ("prefer", "a"),
            ("a", "good"),
            ("b", "bad"),
            ("left", "0"),
            ("once", ""),
            ("kept", "a"),
        ];
        Self {
            variables: v.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        }
    }

    /// The block of the mark: `mark` is GRUB's, 1 to 3 in turn, another at each start; `who` is PID 1's, made anew at each.
    #[must_use]
    pub fn marked(mark: &str, who: &str) -> Self {
        let v = [("mark", mark), ("who", who)];
        Self {
            variables: v.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        }
    }

    /// A variable's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The block with another value of a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The block's bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = HEAD.to_owned();
        let known = ["prefer", "a", "b", "left", "once", "kept"];
        let others = self.variables.keys().map(String::as_str).filter(|n| !known.contains(n));
        for name in known.into_iter().chain(others) {
            if let Some(v) = self.get(name) {
                out.push_str(&format!("{name}={v}\n"));
            }
        }
        let mut out = out.into_bytes();
        out.resize(BLOCK, b'#');
        out
    }

    /// Reads a block.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() != BLOCK {
            return Err(format!(
                "the environment block has {} bytes; expected {BLOCK}",
                bytes.len()
            ));
        }
        if bytes.iter().all(|b| *b == 0) {
            return Err("the environment block is empty: all its bytes are zero".into());
        }
        let rest = bytes.strip_prefix(HEAD.as_bytes()).ok_or_else(|| {
            let found = String::from_utf8_lossy(&bytes[..HEAD.len() - 1]);
            format!(
                "the environment block is overwritten: it begins with {found:?}; expected {:?}",
                HEAD.trim_end()
            )
        })?;
        let end = rest.iter().rposition(|b| *b != b'#').map_or(0, |i| i + 1);
        if HEAD.len() + end > FIRST_SECTOR {
            return Err("the environment block's variables go past its first 512 bytes".into());
        }
        if end > 0 && rest[end - 1] != b'\n' {
            return Err("the environment block's last line has no end".into());
        }
        let text = std::str::from_utf8(&rest[..end]).map_err(|_| "the environment block is not text")?;
        let mut variables = BTreeMap::new();
        let plain = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        for (n, line) in text.split_terminator('\n').enumerate() {
            let (k, v) = line
                .split_once('=')
                .filter(|(k, v)| !k.is_empty() && plain(k) && plain(v))
                .ok_or_else(|| {
                    format!(
                        "environment block, line {}: {line:?}; expected name=value of letters, digits, - and _",
                        n + 2
                    )
                })?;
            if variables.insert(k.to_owned(), v.to_owned()).is_some() {
                return Err(format!("environment block, line {}: {k} is there twice", n + 2));
            }
        }
        Ok(Self { variables })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::naive_bytecount, reason = "tests")]
    use super::*;

    #[test]
    fn a_fresh_block_is_read_back() {
        let b = Env::fresh().bytes();
        assert_eq!(b.len(), BLOCK);
        assert_eq!(Env::parse(&b).unwrap(), Env::fresh());
        assert_eq!(b.iter().filter(|c| **c == b'\n').count(), 7);
    }

    #[test]
    fn garbage_is_told() {
        assert!(Env::parse(&[0; BLOCK]).unwrap_err().contains("all its bytes are zero"));
        let overwritten = Env::parse(&[0xa5; BLOCK]).unwrap_err();
        assert!(
            overwritten.contains("overwritten: it begins with") && overwritten.contains("# GRUB Environment Block"),
            "{overwritten}"
        );
        assert!(Env::parse(b"short").unwrap_err().contains("expected 1024"));
        let mut b = Env::fresh().bytes();
        b[600] = b'x';
        assert!(Env::parse(&b).unwrap_err().contains("512"));
        let lines = |text: &str| {
            let mut b = format!("{HEAD}{text}").into_bytes();
            b.resize(BLOCK, b'#');
            Env::parse(&b).unwrap_err()
        };
        assert!(lines("a=good\nb\n").contains("line 3: \"b\"; expected name=value"));
        // Found by the fuzzer: a carriage return was lost on the way back.
        assert!(lines("a=good\r\n").contains("line 2"));
        assert!(lines("a=good\na=bad\n").contains("twice"));
        let mut open = HEAD.as_bytes().to_vec();
        open.extend(b"prefer=a");
        open.resize(BLOCK, b'#');
        assert!(Env::parse(&open).unwrap_err().contains("no end"));
    }
}
