//! `/kiln/board.toml`: which modules come before `/system`, which no device asks for, and the board's watchdog.

use std::path::Path;

use serde::Deserialize;

/// What the image says about this board.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Board {
    /// Its name.
    pub name: String,
    /// When the system was made, in seconds since 1970: no clock is before that. 0: not known.
    pub built: i64,
    /// Files in `/kiln/early`, in load order, before `/system` is mounted.
    pub early: Vec<String>,
    /// Modules that no modalias brings.
    pub extra: Vec<String>,
    /// The same, but not before the box has come up and is quiet.
    pub late: Vec<String>,
    /// Watchdogs.
    pub watchdog: Watchdogs,
}

/// The board's watchdogs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Watchdogs {
    /// Files in `/kiln/early`, before everything else.
    pub early: Vec<String>,
    /// Names, when the early ones gave none.
    pub late: Vec<String>,
    /// File in `/kiln/early`, when nothing else gave one.
    pub fallback: Option<String>,
}

impl Board {
    /// Reads it; on a mistake the box goes on with nothing, and says so.
    pub fn read(path: &Path) -> (Board, Option<String>) {
        let text = match std::fs::read_to_string(path) {
            Ok(t) => t,
            Err(e) => return (Board::default(), Some(format!("{}: {e}", path.display()))),
        };
        match toml::from_str(&text) {
            Ok(b) => (b, None),
            Err(e) => {
                let e: toml::de::Error = e;
                let (line, field) = e.span().map_or((None, None), |s| crate::unit::place(&text, s.start));
                let at = format!(
                    "{} line {}, field `{}`",
                    path.display(),
                    line.unwrap_or(0),
                    field.unwrap_or_default()
                );
                (
                    Board::default(),
                    Some(format!("{at}: {}", crate::unit::one_line(e.message()))),
                )
            }
        }
    }
}
