//! A note beside the store of what waits in memory for it, so that the next start can tell it as lost.
//!
//! It is one block that is written once while there is room and then in its place, which a full medium takes, too. What
//! no medium takes (one that only reads, or that is gone) is lost untold but for the journal.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wire::Time;

/// The note's file, beside the store.
const NAME: &str = "waiting.json";

/// Its length in bytes, always: the text and blanks. One sector, so that a power cut leaves the old one or the new one.
const LENGTH: usize = 512;

/// What waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    /// Events, job states and log lines.
    pub(super) entries: u64,
    /// Since when the store takes nothing.
    pub(super) since: Time,
}

/// The note of one store.
#[derive(Clone, Debug)]
pub(super) struct Note(PathBuf);

impl Note {
    /// The note beside a store's file.
    pub(super) fn beside(store: &Path) -> Self {
        Self(store.with_file_name(NAME))
    }

    /// What waited when it was written last; `None` where nothing did, or where nobody can read it.
    pub(super) fn read(&self) -> Option<Waiting> {
        let mut text = Vec::new();
        let file = File::open(&self.0).ok()?;
        file.take(LENGTH as u64).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok().flatten()
    }

    /// Writes it, onto the medium.
    ///
    /// # Errors
    /// When the medium takes not even that.
    pub(super) fn write(&self, waiting: Option<Waiting>) -> io::Result<()> {
        let mut text = serde_json::to_vec(&waiting)?;
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
        let note = Note::beside(&dir.path().join("data.mdb"));
        assert_eq!(note.read(), None);
        for entries in [u64::MAX, 7] {
            let waiting = Waiting {
                entries,
                since: Time::MAX,
            };
            note.write(Some(waiting)).unwrap();
            assert_eq!(note.read(), Some(waiting));
            assert_eq!(std::fs::metadata(dir.path().join(NAME)).unwrap().len(), LENGTH as u64);
        }
        note.write(None).unwrap();
        assert_eq!(note.read(), None);
        std::fs::write(dir.path().join(NAME), b"{\"entries\":1").unwrap();
        assert_eq!(note.read(), None, "one that was cut is none");
    }
}
