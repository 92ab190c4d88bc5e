//! The keys that a reader knows: a text file with one a line.
//!
//! ```text
//! # fingerprint, or public key and `public`, then a name; blanks, colons and dashes inside the digits are free
//! key 8f31c9a2d07e44b619c05ae77b2df013…  kiln-bench-2, Mara's shop
//! revoked KC-7Q2M-9F3K-XB4T  failed on 3 March
//! ```
//!
//! An id is one word; its letter case and dashes are free.
//!
//! Whoever runs the box gives the fingerprint; a certificate alone proves only that *some* key signed it.

use std::collections::BTreeMap;

use crate::key::{Fingerprint, PublicKey};

/// The keys that a reader knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    keys: BTreeMap<Fingerprint, String>,
    revoked: BTreeMap<String, String>,
}

/// A line that says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}; expected `key DIGITS NAME` or `revoked ID WHY`")]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

impl Trust {
    /// Nobody.
    pub fn none() -> Self {
        Self::default()
    }

    /// Knows one more key.
    pub fn add(&mut self, key: Fingerprint, name: &str) {
        self.keys.insert(key, name.to_owned());
    }

    /// Under which name the key is known.
    pub fn name(&self, key: Fingerprint) -> Option<&str> {
        self.keys.get(&key).map(String::as_str)
    }

    /// Why the reader was told that the certificate of that id no longer holds.
    pub fn revoked(&self, id: &str) -> Option<&str> {
        self.revoked.get(id).map(String::as_str)
    }

    /// Reads a trust file.
    ///
    /// # Errors
    /// The first line that says nothing: a key that is passed over would be a surprise later.
    pub fn parse(text: &str) -> Result<Self, BadLine> {
        let mut trust = Self::default();
        // Editors that write a byte order mark before UTF-8 are many.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // Lines that end as on old systems would all be one: a revocation in it was part of a name.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        for (index, line) in text.lines().enumerate() {
            let bad = |why: String| BadLine { line: index + 1, why };
            // Some editors show what follows as a line of its own, which it is not here.
            if line.contains(['\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']) {
                return Err(bad(format!("{:?} is more than one line to some programs", short(line))));
            }
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.split_once(char::is_whitespace) {
                Some(("key", rest)) => {
                    let keys = keys(rest.trim()).ok_or_else(|| bad("no key of 64 hexadecimal digits".into()))?;
                    trust.keys.extend(keys);
                }
                Some(("revoked", rest)) => {
                    let (id, why) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
                    let id = crate::id::spelt(id)
                        .ok_or_else(|| bad(format!("{:?} is no id such as KC-7Q2M-9F3K-XB4T", short(id))))?;
                    // A word of a reason may be spelt as an id is; nothing but ids is no reason.
                    let is_id =
                        |word: &str| word.to_ascii_uppercase().starts_with("KC-") && crate::id::spelt(word).is_some();
                    let mut words = why.split_whitespace().peekable();
                    if let Some(next) = words.peek().copied()
                        && words.all(is_id)
                    {
                        return Err(bad(format!(
                            "{:?} is a second id: each has a line of its own",
                            short(next)
                        )));
                    }
                    trust.revoked.insert(id, why.trim().to_owned());
                }
                _ => {
                    return Err(bad(format!("{:?} is not understood", short(line))));
                }
            }
        }
        Ok(trust)
    }
}

/// What an error repeats of a text.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// 64 digits with free separators between them, then a name; each key that may be meant. With `public` before the name they are a
/// public key, or the fingerprint of a key whose name begins so: nobody can make a key to fit the one that was not meant.
fn keys(text: &str) -> Option<Vec<(Fingerprint, String)>> {
    let mut digits = String::with_capacity(64);
    let mut end = 0;
    for (at, c) in text.char_indices() {
        if digits.len() == 64 {
            break;
        }
        match c {
            c if c.is_ascii_hexdigit() => digits.push(c.to_ascii_lowercase()),
            ' ' | ':' | '-' | '\t' => {}
            _ => return None,
        }
        end = at + c.len_utf8();
    }
    let rest = &text[end..];
    if digits.len() < 64 || rest.starts_with(|c: char| !c.is_whitespace()) {
        return None;
    }
    let called = |name: &str| match name.trim() {
        "" => "a key without a name".to_owned(),
        name => name.to_owned(),
    };
    let name = rest.trim();
    let mut keys = vec![(digits.parse().ok()?, called(name))];
    let of_public = name.strip_prefix("public");
    if let Some(name) = of_public.filter(|name| name.is_empty() || name.starts_with(char::is_whitespace)) {
        keys.extend(PublicKey::parse(&digits).map(|public| (public.fingerprint(), called(name))));
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::key::Key;

    #[test]
    fn keys_and_revocations_are_read() {
        let public = Key::from_seed(&[3; 32]).public();
        let print = public.fingerprint();
        for line in [
            format!("key {} Mara's shop", print.to_hex()),
            format!("key {}   Mara's shop", print.groups()),
            format!("  key {} public Mara's shop ", public.to_hex()),
            format!("key {} Mara's shop", print.groups().replace(' ', ":").to_uppercase()),
        ] {
            let trust = Trust::parse(&format!(
                "# mine\n\n{line}\nrevoked kc-0000-0000-0001 failed on 3 March\n"
            ))
            .unwrap();
            assert_eq!(trust.name(print), Some("Mara's shop"), "{line}");
            assert_eq!(
                Trust::parse(&format!("\u{feff}{line}\r\n")).unwrap().name(print),
                Some("Mara's shop")
            );
            assert_eq!(trust.revoked("KC-0000-0000-0001"), Some("failed on 3 March"));
            assert_eq!(trust.revoked("KC-0000-0000-0002"), None);
            assert_eq!(trust.name(Key::from_seed(&[4; 32]).public().fingerprint()), None);
        }
    }

    #[test]
    fn a_reason_may_hold_an_id_and_words_that_look_like_one() {
        for why in [
            "disconnected at the bench",
            "X8G0A0A0FDKG",
            "KC-0000-0000-0002 replaces it",
            "202611290512",
        ] {
            let trust = Trust::parse(&format!("revoked KC-0000-0000-0001 {why}")).unwrap();
            assert_eq!(trust.revoked("KC-0000-0000-0001"), Some(why));
        }
    }

    /// All of such a file was one line, and the revocation a part of the key's name.
    #[test]
    fn lines_may_end_as_on_any_system() {
        let print = Key::from_seed(&[3; 32]).public().fingerprint();
        for end in ["\n", "\r\n", "\r"] {
            let text = [
                "# mine",
                &format!("key {} me", print.to_hex()),
                "revoked KC-0000-0000-0001 why",
                "",
            ]
            .join(end);
            let trust = Trust::parse(&text).unwrap();
            assert_eq!(trust.name(print), Some("me"), "{end:?}");
            assert_eq!(trust.revoked("KC-0000-0000-0001"), Some("why"), "{end:?}");
            let error = Trust::parse(&format!("{text}what{end}")).unwrap_err();
            assert_eq!(error.line, 4, "{end:?}");
        }
    }

    /// A name that begins with the word makes no other key of it.
    #[test]
    fn a_fingerprint_whose_name_begins_with_public_stays_one() {
        for seed in 0..16 {
            let print = Key::from_seed(&[seed; 32]).public().fingerprint();
            let trust = Trust::parse(&format!("key {} public library", print.groups())).unwrap();
            assert_eq!(trust.name(print), Some("public library"));
        }
    }

    #[test]
    fn a_bad_line_is_told_with_its_number() {
        for (text, part) in [
            ("key 12ab", "line 1: no key"),
            ("# x\nkee 12", "line 2: \"kee 12\""),
            ("key zz", "line 1: no key"),
            ("revoked KC-7Q2M failed", "line 1: \"KC-7Q2M\" is no id"),
            ("revoked", "line 1: \"revoked\" is not understood"),
            (
                "revoked KC-0000-0000-0001 KC-0000-0000-0002",
                "line 1: \"KC-0000-0000-0002\" is a second id",
            ),
            ("# x\u{2028}revoked KC-0000-0000-0001", "more than one line"),
            ("revoked KC-0000-0000-0001 why\u{b}what", "more than one line"),
            (&format!("key {}f name", "a".repeat(64)), "line 1: no key"),
        ] {
            let told = Trust::parse(text).unwrap_err().to_string();
            assert!(told.contains(part), "{told}");
        }
    }
}
