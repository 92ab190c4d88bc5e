//! URLs: the plain ones of requests ([`Address`]), and those of channels, as Apprise and shoutrrr write them
//! ([`channel`]).
//!
//! Written here because both dialects break the rules of URLs (a bot token with a colon as host, `@` in a path), and
//! because an error must tell which part is wrong. Fuzzed in `fuzz/fuzz_targets/url.rs`.

mod address;
mod channel;
mod parts;

pub use address::Address;
pub use channel::{LONGEST, channel};

/// A URL that cannot be used. It never repeats a secret: it tells the part and what is expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {what}")]
pub struct BadUrl {
    /// The part that is wrong: `scheme`, `host`, `port`, `path`, a parameter's name.
    pub part: String,
    /// What is wrong and what is expected.
    pub what: String,
}

impl BadUrl {
    pub(crate) fn new(part: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            part: part.into(),
            what: what.into(),
        }
    }
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3).
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Undoes percent-encoding; what is no valid escape stays as it is, what is no UTF-8 becomes replacement characters.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = |i: usize| {
            let digit = char::from(*bytes.get(i)?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        if let (b'%', Some(high), Some(low)) = (byte, digit(at + 1), digit(at + 2)) {
            out.push(high * 16 + low);
            at += 3;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_go_both_ways() {
        for text in ["", "a b/c?d", "ä%zz", "100%", "%4", "~-._"] {
            assert_eq!(decode(&encode(text)), text);
        }
        assert_eq!(decode("a%20b%2Fc%zz%4"), "a b/c%zz%4");
    }
}
