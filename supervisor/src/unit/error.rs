//! Why a unit file was left out: file, line, field, and what is expected there.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Why a unit file was left out: what is wrong, where, and what is expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitError {
    /// The file's path.
    pub file: PathBuf,
    /// Line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// The key, where it is known.
    pub field: Option<String>,
    /// What is wrong and what is expected.
    pub what: String,
}

/// Longest field and longest description that are told, in characters: a file may have one value of 64 KiB, and what is told
/// has to fit on a screen.
const FIELD_MAX: usize = 60;
const WHAT_MAX: usize = 300;

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl UnitError {
    /// With words that fit where they are told.
    pub(super) fn cut(mut self) -> UnitError {
        self.field = self.field.map(|f| cut(&f, FIELD_MAX));
        self.what = cut(&self.what, WHAT_MAX);
        self
    }
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ", field `{field}`")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for UnitError {}

/// Line, counted from 1, and key at a byte offset of a TOML text.
pub(crate) fn place(text: &str, offset: usize) -> (Option<usize>, Option<String>) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count();
    let key = text
        .lines()
        .nth(line)
        .and_then(|l| l.split_once('='))
        .map(|(k, _)| k.trim().to_owned());
    (Some(line + 1), key.filter(|k| !k.is_empty() && !k.starts_with('#')))
}

/// Line, counted from 1, on which a key or its table stands.
pub(super) fn line_of(text: &str, field: &str) -> Option<usize> {
    let is_key = |l: &str| {
        l.trim_start()
            .strip_prefix(field)
            .is_some_and(|r| r.trim_start().starts_with(['=', '.']))
    };
    text.lines()
        .position(|l| is_key(l) || l.trim() == format!("[{field}]"))
        .map(|n| n + 1)
}

/// What a parser expects by the name of a Rust type, and what that is to whoever writes the file.
const TYPES: [(&str, &str); 6] = [
    ("expected usize", "expected a whole number from 0"),
    ("expected u64", "expected a whole number from 0"),
    ("expected u32", "expected a whole number from 0 to 4294967295"),
    ("expected i32", "expected a whole number"),
    ("expected a sequence", "expected a list"),
    ("expected a map", "expected a table"),
];

/// A parser's message of several lines as one, in words and of a length that can be told.
pub(crate) fn one_line(s: &str) -> String {
    let line = s.lines().map(str::trim).collect::<Vec<_>>().join("; ");
    let told = TYPES.iter().find_map(|(name, words)| {
        let value = line.strip_suffix(name)?;
        Some(format!("{value}{words}"))
    });
    cut(&told.unwrap_or(line), WHAT_MAX)
}
