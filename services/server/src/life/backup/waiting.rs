//! What waits in the data directory for the next start: the rows of a backup, and the store that they become.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{Error, row};

/// Rows that are being written, or wait to be laid down.
pub(super) const NEW: &str = "restore.new";

/// Rows that wait for the next start.
pub(super) const WAITING: &str = "restore.rows";

/// Rows that are being put in: found at a start, they have ended the start before.
pub(super) const TRYING: &str = "restore.trying";

/// Where the store that they become is made.
pub(super) const MAKING: &str = "restore.store";

/// Rows that were refused; earlier versions kept them, and a power cut may leave them.
pub(super) const REFUSED: &str = "restore.bad";

/// Removes what a backup left in clear, bytes and all; what stays is tried again at the next start.
pub(super) fn discard(path: &Path) {
    if let Err(error) = store::discard(path) {
        tracing::warn!(%error, "{} is still there", path.display());
    }
}

/// Makes a store as `options` say of the rows that wait, in place of the one in `dir`; whether there were any. Called while
/// that one is open, which keeps others out, and before anything has read it; it is to be opened anew then.
///
/// # Errors
/// When the rows are damaged (they are discarded, the state stays as it was), the start before ended over them (they are discarded,
/// and may be in force), or the medium does not take them.
pub async fn take_up(dir: &Path, options: &store::Options) -> Result<bool, Error> {
    let (waiting, path, refused) = (dir.join(WAITING), dir.join(TRYING), dir.join(REFUSED));
    let ended = path.exists();
    if ended {
        // Once more would be for ever, however long discarding them takes.
        fs::rename(&path, &refused).map_err(|error| Error::File(path.clone(), error))?;
    }
    // Of this one, of an earlier start, or of an order that a power cut ended: in the time of one.
    let left = [MAKING, NEW, REFUSED].map(|name| dir.join(name));
    if let Err(error) = store::discard_all(left.iter().map(PathBuf::as_path), store::WITHIN) {
        tracing::warn!(%error, "the rest of a backup is still there");
    }
    match fs::rename(&waiting, &path) {
        Ok(()) if ended => tracing::warn!("{}; another backup waits", Error::Ended),
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return if ended { Err(Error::Ended) } else { Ok(false) };
        }
        Err(error) => return Err(Error::Waits(waiting, error)),
    }
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::File(path, error)),
    };
    let done = replace(dir, file, options).await;
    // Once in the store, or of no use: either way not again.
    let gone = match &done {
        Ok(()) => fs::remove_file(&path),
        Err(_) => fs::rename(&path, &refused),
    };
    if let Err(error) = gone.and_then(|()| File::open(dir)?.sync_all()) {
        // What is in the store counts.
        tracing::warn!(%error, "{} is still there", path.display());
    }
    discard(&refused);
    done?;
    Ok(true)
}

/// Makes a store of `rows` beside the one in `dir`, and puts it in its place.
async fn replace(dir: &Path, rows: File, options: &store::Options) -> Result<(), Error> {
    let making = dir.join(MAKING);
    let clear = || store::discard(&making).map_err(|error| Error::File(making.clone(), error));
    // What a power cut left there.
    clear()?;
    let made = fill(&making, rows, options).await.and_then(|()| {
        let place = dir.join(store::FILE_NAME);
        fs::rename(making.join(store::FILE_NAME), &place).map_err(|error| Error::File(place, error))?;
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

/// A store in `dir` with these rows alone, closed when this is done.
async fn fill(dir: &Path, rows: File, options: &store::Options) -> Result<(), Error> {
    let store = store::open(dir, options)?.store;
    let rows = row::read(std::io::BufReader::new(rows));
    let rows = rows.map(|row| row.map_err(|bad| store::Error::Rows(bad.to_string())));
    Ok(store.import(Vec::new(), rows).await?)
}
