//! Words for people, and of people.

use std::fmt;

/// The text with a capital letter at its start.
pub(crate) fn sentence(text: &str) -> String {
    let mut c = text.chars();
    c.next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(c).collect())
}

/// A text that is in no form of Unicode; its first line that is not, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoUnicode {
    pub line: usize,
}

impl NoUnicode {
    /// What is expected there.
    pub(crate) const EXPECTED: &str = "expected UTF-8; save the file with that encoding";
}

impl fmt::Display for NoUnicode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, Self::EXPECTED)
    }
}

/// A file's text, whatever another computer's editor has saved it as.
pub(crate) fn text_of(bytes: &[u8]) -> Result<String, NoUnicode> {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.chunks_exact(2).map(|b| unit([b[0], b[1]])).collect();
        Ok(String::from_utf16_lossy(&units))
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => return wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return wide(rest, u16::from_be_bytes),
        _ => {}
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    String::from_utf8(bytes.to_owned()).map_err(|e| {
        let before = &bytes[..e.utf8_error().valid_up_to()];
        let line = before.split(|b| *b == b'\n').count();
        NoUnicode { line }
    })
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn a_sentence_begins_with_a_capital_letter() {
        for (text, wanted) in [
            ("", ""),
            ("the medium", "The medium"),
            ("\u{fc}ber", "\u{dc}ber"),
            ("8:0", "8:0"),
        ] {
            assert_eq!(sentence(text), wanted);
        }
    }
}
