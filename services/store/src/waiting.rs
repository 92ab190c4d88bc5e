//! Rows of a backup that wait in a store's directory for the next start, and the store that they become.
//!
//! ```text
//!  restore.rows ── a start ──► restore.trying ── a store of its own in restore.store, renamed ──► removed
//!                                    └── it failed, or the start ended over it ──► restore.bad, written over
//! ```
//!
//! A store of their own: in one that is in use there would have to be room for the old and the new at once, since pages that a
//! write frees are free only after it. A power cut leaves the one store or the other. What was tried once is not tried again, so
//! that no start fails for ever over it, and no old state comes back weeks later.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::discard::{WITHIN, discard, discard_all};
use crate::error::Result;
use crate::open::{FILE_NAME, Options, open};
use crate::store::Store;

/// Rows that wait for the next start.
pub const ROWS: &str = "restore.rows";

/// Rows that are being put in: found at a start, they have ended the start before.
pub const TRYING: &str = "restore.trying";

/// Where the store that they become is made.
pub const MAKING: &str = "restore.store";

/// Rows that were refused; earlier versions kept them, and a power cut may leave them.
pub const REFUSED: &str = "restore.bad";

/// Why rows that waited did not become the store.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The start before did not come to its end over them: they are discarded, and may be in force.
    #[error("the program ended while it did that, by a power cut perhaps")]
    Ended,
    /// They could not be moved, and wait on.
    #[error("{0}")]
    Waits(PathBuf, #[source] io::Error),
    /// A file; the store stays as it was.
    #[error("{0}")]
    File(PathBuf, #[source] io::Error),
    /// The rows, or the store that was made of them; the one that was there stays as it was.
    #[error(transparent)]
    Store(#[from] crate::Error),
}

/// Makes a store as `options` say, has `fill` put the rows that wait into it, and puts it in place of the one in `dir`; whether
/// there were any. `coming`: the name of rows that have not all come, for which nobody comes back after a start.
///
/// Called while the store in `dir` is open, which keeps others out, and before anything has read it; it is to be opened anew then.
///
/// # Errors
/// As [`NotTaken`].
pub fn take_up(
    dir: &Path,
    coming: &str,
    options: &Options,
    fill: impl FnOnce(File, &Store) -> Result<()>,
) -> Result<bool, NotTaken> {
    let (waiting, path, refused) = (dir.join(ROWS), dir.join(TRYING), dir.join(REFUSED));
    let ended = path.exists();
    if ended {
        // Once more would be for ever, however long discarding them takes.
        fs::rename(&path, &refused).map_err(|error| NotTaken::File(path.clone(), error))?;
    }
    // Of this one, of an earlier start, or of an order that a power cut ended: in the time of one.
    let left = [MAKING, coming, REFUSED].map(|name| dir.join(name));
    if let Err(error) = discard_all(left.iter().map(PathBuf::as_path), WITHIN) {
        tracing::warn!(%error, "the rest of a backup is still there");
    }
    match fs::rename(&waiting, &path) {
        Ok(()) if ended => tracing::warn!("{}; another backup waits", NotTaken::Ended),
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return if ended { Err(NotTaken::Ended) } else { Ok(false) };
        }
        Err(error) => return Err(NotTaken::Waits(waiting, error)),
    }
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(NotTaken::File(path, error)),
    };
    let done = replace(dir, options, |store| fill(file, store));
    // Once in the store, or of no use: either way not again.
    let gone = match &done {
        Ok(()) => fs::remove_file(&path),
        Err(_) => fs::rename(&path, &refused),
    };
    if let Err(error) = gone.and_then(|()| File::open(dir)?.sync_all()) {
        // What is in the store counts.
        tracing::warn!(%error, "{} is still there", path.display());
    }
    if let Err(error) = discard(&refused) {
        tracing::warn!(%error, "{} is still there", refused.display());
    }
    done?;
    Ok(true)
}

/// Makes a store beside the one in `dir`, and puts it in its place once it is filled.
fn replace(dir: &Path, options: &Options, fill: impl FnOnce(&Store) -> Result<()>) -> Result<(), NotTaken> {
    let making = dir.join(MAKING);
    let clear = || discard(&making).map_err(|error| NotTaken::File(making.clone(), error));
    // What a power cut left there.
    clear()?;
    let filled = || -> Result<(), NotTaken> {
        // Closed when this is done.
        let store = open(&making, options)?.store;
        Ok(fill(&store)?)
    };
    let made = filled().and_then(|()| {
        let place = dir.join(FILE_NAME);
        fs::rename(making.join(FILE_NAME), &place).map_err(|error| NotTaken::File(place, error))?;
        // It is in its place, whatever is said now: the old one has no name any more.
        if let Err(error) = File::open(dir).and_then(|dir| dir.sync_all()) {
            tracing::warn!(%error, "whether the store that came of a backup stays was not answered");
        }
        Ok(())
    });
    if let Err(error) = clear() {
        // It takes room until the next backup is put back, no more.
        tracing::warn!(%error, "the rest of a backup is still there");
    }
    made
}
