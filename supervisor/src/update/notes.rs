//! What has to outlive a start, on DATA: the trial that is under way, and how the last update ended.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::update::LastUpdate;

use super::floor::Floor;
use crate::boot::data::whole;

/// A new system's trial, from before the switch until it is kept or left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TrialNote {
    /// Its slot.
    pub slot: String,
    /// Its version.
    pub version: String,
    /// Why each start so far failed, the oldest first.
    #[serde(default)]
    pub failed: Vec<String>,
}

const TRIAL: &str = "trial.json";
const LAST: &str = "last.json";
const FLOOR: &str = "floor.json";

/// The trial under way.
pub(super) fn trial(dir: &Path) -> Option<TrialNote> {
    read(&dir.join(TRIAL))
}

/// How the last update ended.
pub(super) fn last(dir: &Path) -> Option<LastUpdate> {
    read(&dir.join(LAST))
}

/// Keeps the trial, or forgets it.
///
/// # Errors
/// The medium does not take it.
pub(super) fn set_trial(dir: &Path, note: Option<&TrialNote>) -> io::Result<()> {
    match note {
        Some(note) => write(dir, TRIAL, note),
        None => match fs::remove_file(dir.join(TRIAL)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => File::open(dir).and_then(|d| d.sync_all()).or(Ok(())),
        },
    }
}

/// Bytes of a trial's note, with what each of its three starts failed by.
const TRIAL_MAX: usize = 1024;

/// Takes the room for what is noted once an update is written: for the trial, and for `floor` bytes of what must not be gone behind.
///
/// # Errors
/// The medium has no room ([`io::ErrorKind::StorageFull`]), or does not take it.
pub(super) fn reserve(dir: &Path, floor: usize) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    whole::reserve(&dir.join(TRIAL), TRIAL_MAX)?;
    match floor {
        0 => Ok(()),
        bytes => whole::reserve(&dir.join(FLOOR), bytes),
    }
}

/// What must not be gone behind.
pub(super) fn floor(dir: &Path) -> Option<Floor> {
    read(&dir.join(FLOOR))
}

/// Keeps it.
///
/// # Errors
/// The medium does not take it.
pub(super) fn set_floor(dir: &Path, floor: &Floor) -> io::Result<()> {
    write(dir, FLOOR, floor)
}

/// Keeps how the last update ended.
///
/// # Errors
/// The medium does not take it.
pub(super) fn set_last(dir: &Path, last: &LastUpdate) -> io::Result<()> {
    write(dir, LAST, last)
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn write(dir: &Path, name: &str, value: &impl Serialize) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    whole::replace(&dir.join(name), &serde_json::to_vec(value)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_note_is_kept_read_back_and_forgotten_and_a_broken_one_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let d = dir.path().join("update");
        assert_eq!((trial(&d), last(&d)), (None, None));
        set_trial(&d, None).unwrap();
        let note = TrialNote {
            slot: "b".into(),
            version: "2".into(),
            failed: vec!["x".into()],
        };
        set_trial(&d, Some(&note)).unwrap();
        assert_eq!(trial(&d), Some(note));
        fs::write(d.join(TRIAL), "{").unwrap();
        assert_eq!(trial(&d), None);
        set_trial(&d, None).unwrap();
        assert!(!d.join(TRIAL).exists());
    }
}
