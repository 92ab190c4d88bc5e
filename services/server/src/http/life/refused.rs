//! Why a backup was not made, read or put back, as a refusal.

use std::io::ErrorKind;

use crate::http::Refusal;
use crate::life::backup::{self, Full};

impl From<backup::agent::Failed> for Refusal {
    fn from(failed: backup::agent::Failed) -> Self {
        match failed {
            backup::agent::Failed::Agent(problem) => problem.into(),
            backup::agent::Failed::Here(error) => error.into(),
        }
    }
}

impl From<backup::Error> for Refusal {
    fn from(error: backup::Error) -> Self {
        use backup::{Error, seal};
        match error {
            Error::Store(error) => error.into(),
            Error::Seal(error @ seal::Error::Passphrase) => {
                Self::new("bad-passphrase", 422, "This cannot be a backup's passphrase")
                    .with(format!("passphrase: {error}"))
            }
            Error::Seal(error @ (seal::Error::Opened | seal::Error::Changed { .. })) => {
                Self::new("backup-closed", 403, "The backup was not opened").with(error.to_string())
            }
            error @ (Error::Seal(_)
            | Error::Schema { .. }
            | Error::Table { .. }
            | Error::Damaged { .. }
            | Error::Rows(_)) => {
                Self::new("bad-backup", 422, "This is no backup that can be put back").with(error.to_string())
            }
            Error::Full(full @ Full::TooLong { .. }) => {
                Self::new("too-long", 413, "The backup is too long").with(full.to_string())
            }
            Error::Full(full @ (Full::NoRoom { .. } | Full::Share { .. })) => {
                Self::new("no-room", 507, "The medium has no room for the backup").with(full.to_string())
            }
            Error::File(path, error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                Self::new("no-room", 507, "The medium has no room for the backup")
                    .with(format!("{}: {error}", path.display()))
            }
            Error::File(..) | Error::Waits(..) | Error::Ended => {
                Self::new("store", 503, "The medium failed").with(error.to_string())
            }
        }
    }
}
