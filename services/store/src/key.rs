//! Keys: byte strings whose order is the order of what they stand for.
//!
//! | type | bytes |
//! |---|---|
//! | `u64` | 8, big endian |
//! | `String`, `str` | UTF-8 |
//! | `(String, u64)` | UTF-8, one NUL, 8 big endian: all numbers of one text lie together |

/// Longest key in bytes. Source: LMDB's default `MDB_MAXKEYSIZE`.
pub(crate) const MAX_KEY: usize = 511;

/// Something that can be looked up: turns into a key's bytes.
pub trait KeyBytes {
    /// Appends the key's bytes to `out`.
    fn write_to(&self, out: &mut Vec<u8>);

    /// Whether the key may be stored: a text part holds no NUL, because NUL separates the parts.
    fn is_valid(&self) -> bool {
        true
    }
}

/// A key that can be read back from its bytes.
pub trait Key: KeyBytes + Sized {
    /// Reads the key from `bytes`; `None` if they are not such a key.
    fn read(bytes: &[u8]) -> Option<Self>;
}

impl KeyBytes for u64 {
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl Key for u64 {
    fn read(bytes: &[u8]) -> Option<Self> {
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    }
}

impl KeyBytes for str {
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn is_valid(&self) -> bool {
        !self.contains('\0')
    }
}

impl KeyBytes for String {
    fn write_to(&self, out: &mut Vec<u8>) {
        self.as_str().write_to(out);
    }

    fn is_valid(&self) -> bool {
        self.as_str().is_valid()
    }
}

impl Key for String {
    fn read(bytes: &[u8]) -> Option<Self> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}

impl KeyBytes for (String, u64) {
    fn write_to(&self, out: &mut Vec<u8>) {
        self.0.write_to(out);
        out.push(0);
        self.1.write_to(out);
    }

    fn is_valid(&self) -> bool {
        self.0.is_valid()
    }
}

impl Key for (String, u64) {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (text, number) = bytes.split_at_checked(bytes.len().checked_sub(9)?)?;
        Some((String::read(text)?, u64::read(number.get(1..)?)?))
    }
}

/// The key as a person may read it, for error messages.
pub(crate) fn printable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && !text.chars().any(char::is_control) => text.to_owned(),
        _ => hex(bytes),
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
