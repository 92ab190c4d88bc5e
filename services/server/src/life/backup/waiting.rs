//! The rows that wait in the data directory become the server's store at its next start ([`store::waiting`]).

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use store::Store;
use store::waiting::{self, NotTaken};

use super::{Error, Stays, row};

/// Rows that are being written, or wait to be laid down.
pub(super) const NEW: &str = "restore.new";

impl From<NotTaken> for Error {
    fn from(why: NotTaken) -> Self {
        match why {
            NotTaken::Ended => Self::Ended,
            NotTaken::Waits(path, error) => Self::Waits(path, error),
            NotTaken::File(path, error) => Self::File(path, error),
            NotTaken::Store(error) => Self::Store(error),
        }
    }
}

/// Removes what a backup left in clear, bytes and all; what stays is tried again at the next start.
pub(super) fn discard(path: &Path) {
    if let Err(error) = store::discard(path) {
        tracing::warn!(%error, "{} is still there", path.display());
    }
}

/// Makes a store as `options` say of the rows that wait and of what `stays`, in place of the one in `dir`; whether there were any.
/// Called while that one is open, which keeps others out, and before anything else has read it; it is to be opened anew then.
///
/// # Errors
/// When the rows are damaged (they are discarded, the state stays as it was), the start before ended over them (they are discarded,
/// and may be in force), or the medium does not take them.
pub async fn take_up(dir: &Path, options: &store::Options, stays: Stays) -> Result<bool, Error> {
    let (dir, options) = (dir.to_owned(), options.clone());
    let fill = move |rows, store: &Store| fill(rows, stays, store);
    let taken = tokio::task::spawn_blocking(move || waiting::take_up(&dir, NEW, &options, fill));
    Ok(taken.await.map_err(|_| store::Error::Panicked)??)
}

/// Puts these rows and what stays, and nothing else, into a store.
fn fill(rows: File, stays: Stays, store: &Store) -> store::Result<()> {
    let rows = row::read(BufReader::new(rows));
    let rows = rows.map(|row| row.map_err(|bad| store::Error::Rows(bad.to_string())));
    store.import(Vec::new(), rows).wait()?;
    stays.put(store)
}
