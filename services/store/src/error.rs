//! What can go wrong with a store, one variant per operation.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed store operation.
///
/// `Clone`, because one failed commit is the answer to every write that was in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Making, locking or reading the store's directory or file failed: the medium, not the content.
    #[error("{what} {path}")]
    File {
        /// What was being done, as in "creating".
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        cause: Arc<io::Error>,
    },
    /// Another process (or this one) has the directory open.
    #[error("{0} is in use by another process; stop it first")]
    InUse(PathBuf),
    /// The check of the file could not be carried out, so nothing is known about the file.
    #[error("the check of {path} could not be carried out: {why}")]
    Check {
        /// The file that was to be checked.
        path: PathBuf,
        /// What happened instead.
        why: String,
    },
    /// LMDB refused to open the environment although its check had passed.
    #[error("opening {path}")]
    Open {
        /// The environment's file.
        path: PathBuf,
        /// LMDB's reason.
        #[source]
        cause: Arc<heed::Error>,
    },
    /// A table was used that [`crate::Options::tables`] does not name.
    #[error("table {0} was not declared when the store was opened")]
    NoTable(&'static str),
    /// Rows to put back are of a table that this store has not.
    #[error("rows of table {table:?}, which this store has not")]
    Foreign {
        /// The table.
        table: String,
    },
    /// Rows to put back could not be read to their end.
    #[error("rows to put back: {0}")]
    Rows(String),
    /// A key is empty, longer than 511 bytes or has a NUL byte in its text part.
    #[error("a key of table {table} {why}")]
    Key {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A stored value does not match its checksum or its type.
    #[error("the value at {key} in table {table} is damaged or of another type: {why}")]
    Value {
        /// The table.
        table: &'static str,
        /// The key, printable.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// A value could not be turned into JSON.
    #[error("a value for table {table} cannot be stored as JSON")]
    Encode {
        /// The table.
        table: &'static str,
        /// The serialiser's reason.
        #[source]
        cause: Arc<serde_json::Error>,
    },
    /// The map (its size is fixed when opening) or the medium is full. Nothing of this write was stored.
    #[error("the store is full: {0}; delete old entries or give it more room")]
    Full(&'static str),
    /// LMDB or the medium failed in a transaction. Nothing of this write was stored.
    #[error("{what}")]
    Transaction {
        /// What was being done.
        what: &'static str,
        /// LMDB's reason.
        #[source]
        cause: Arc<heed::Error>,
    },
    /// The closure given to [`crate::Store::write`] panicked; its changes were dropped.
    #[error("the code of a write panicked; its changes were dropped")]
    Panicked,
    /// The closure itself asked for its changes to be dropped.
    #[error("write given up: {0}")]
    GivenUp(String),
    /// The writer thread has ended; the store is closing.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    /// Whether it may pass by itself or with room on the medium: the same write is worth another try.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Full(_) | Self::Transaction { .. } | Self::File { .. } => true,
            Self::InUse(_)
            | Self::Check { .. }
            | Self::Open { .. }
            | Self::NoTable(_)
            | Self::Foreign { .. }
            | Self::Rows(_)
            | Self::Key { .. }
            | Self::Value { .. }
            | Self::Encode { .. }
            | Self::Panicked
            | Self::GivenUp(_)
            | Self::Closed => false,
        }
    }

    /// Wraps an LMDB error that came up while doing `what`, telling a full store from a broken one.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all but a full store is a broken one")]
    pub(crate) fn lmdb(what: &'static str) -> impl FnOnce(heed::Error) -> Error {
        move |cause| match cause {
            heed::Error::Mdb(heed::MdbError::MapFull) => Error::Full("its map has no free page"),
            heed::Error::Io(ref io) if io.raw_os_error() == Some(nix::errno::Errno::ENOSPC as i32) => {
                Error::Full("no space left on its medium")
            }
            cause => Error::Transaction {
                what,
                cause: Arc::new(cause),
            },
        }
    }

    /// Wraps an I/O error on `path`.
    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |cause| Error::File {
            what,
            path,
            cause: Arc::new(cause),
        }
    }
}
