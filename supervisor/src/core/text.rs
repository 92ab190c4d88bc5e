//! A sentence in place: what the core says never asks for memory, so neither does the path from a death to a restart.

use std::fmt::{self, Write};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest sentence kept, in bytes; more is cut off at a character.
pub const TEXT_MAX: usize = 400;

/// At most [`TEXT_MAX`] bytes of text, held inline.
#[derive(Clone)]
pub struct Text {
    len: u16,
    bytes: [u8; TEXT_MAX],
}

impl Text {
    /// Nothing.
    pub const fn new() -> Text {
        Text {
            len: 0,
            bytes: [0; TEXT_MAX],
        }
    }

    /// What was put into it.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl Default for Text {
    fn default() -> Text {
        Text::new()
    }
}

impl Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let begin = usize::from(self.len);
        let mut n = s.len().min(TEXT_MAX - begin);
        while !s.is_char_boundary(n) {
            n -= 1;
        }
        self.bytes[begin..begin + n].copy_from_slice(&s.as_bytes()[..n]);
        self.len += u16::try_from(n).unwrap_or(0);
        // Once something was cut off, nothing may follow it.
        if n == s.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

impl From<fmt::Arguments<'_>> for Text {
    fn from(a: fmt::Arguments<'_>) -> Text {
        let mut t = Text::new();
        // The one error there is says that the text was cut.
        let _ = t.write_fmt(a);
        t
    }
}

impl From<&str> for Text {
    fn from(s: &str) -> Text {
        let mut t = Text::new();
        let _ = t.write_str(s);
        t
    }
}

impl std::ops::Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Text, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Text, E> {
                Ok(Text::from(v))
            }
        }
        d.deserialize_str(Visitor)
    }
}

/// A [`Text`] from a format string.
macro_rules! text {
    ($($arg:tt)*) => { $crate::core::Text::from(format_args!($($arg)*)) };
}
pub(crate) use text;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_text_or_its_beginning(s in "\\PC{0,500}", more in "\\PC{0,10}") {
            let t = text!("{s}{more}");
            let whole = format!("{s}{more}");
            prop_assert!(whole.starts_with(t.as_str()));
            prop_assert!(t.len() == whole.len() || t.len() + 4 > TEXT_MAX);
            let json = serde_json::to_string(&t).unwrap_or_default();
            prop_assert_eq!(serde_json::from_str::<Text>(&json).ok(), Some(t));
        }
    }
}
