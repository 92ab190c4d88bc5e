//! Notes beside the store: what the next start has to know where the store takes nothing, or is another by then.
//!
//! One is a block that is written once while there is room and then in its place, which a full medium takes, too. What
//! no medium takes (one that only reads, or that is gone) is lost untold but for the journal.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A note's length in bytes, always: the text and blanks. One sector, so that a power cut leaves the old one or the new one.
const LENGTH: usize = 512;

/// A note, by its file.
#[derive(Clone, Debug)]
pub(crate) struct Note(pub(crate) PathBuf);

impl Note {
    /// What was written last; `None` where nothing was, or where nobody can read it.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        let mut text = Vec::new();
        let file = File::open(&self.0).ok()?;
        file.take(LENGTH as u64).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes it, onto the medium.
    ///
    /// # Errors
    /// When it is longer than a note, or the medium takes not even that.
    pub(crate) fn write(&self, what: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(what)?;
        if text.len() >= LENGTH {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        text.resize(LENGTH - 1, b' ');
        text.push(b'\n');
        let mut file = File::options().write(true).create(true).truncate(false).open(&self.0)?;
        file.write_all(&text)?;
        file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_and_stays_one_block() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("note.json");
        let note = Note(path.clone());
        assert_eq!(note.read::<u64>(), None);
        for entries in [u64::MAX, 7] {
            note.write(&entries).unwrap();
            assert_eq!(note.read(), Some(entries));
            assert_eq!(std::fs::metadata(&path).unwrap().len(), LENGTH as u64);
        }
        assert!(note.write(&"x".repeat(LENGTH)).is_err());
        assert_eq!(note.read(), Some(7_u64), "one that is too long leaves the one before");
        note.write(&None::<u64>).unwrap();
        assert_eq!(note.read::<u64>(), None);
        std::fs::write(path, b"{\"entries\":1").unwrap();
        assert_eq!(note.read::<serde_json::Value>(), None, "one that was cut is none");
    }
}
