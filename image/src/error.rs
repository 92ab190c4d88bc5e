//! What can go wrong while an image is made, read or written: one enum, one variant per operation that failed.
//!
//! Every message names the file, line, field or command that was wrong and what was expected; `kiln-image` prints
//! it with its chain of causes and exits 1.

use std::{io, path::PathBuf};

/// Why an image could not be built, read, run or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory could not be read, written or made.
    #[error("{doing} {path}")]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// A program is missing or could not be started.
    #[error("starting `{program}`: is it installed? (`scripts/setup` installs what Kiln needs)")]
    Start {
        program: String,
        #[source]
        cause: io::Error,
    },
    /// A program ended with an error.
    #[error("`{command}` ended with {status}:\n{output}")]
    Command {
        command: String,
        status: String,
        output: String,
    },
    /// A board file says something that is not understood.
    #[error("{file}: {what}")]
    Board { file: PathBuf, what: String },
    /// No such board.
    #[error("no board is named {name:?}; there are: {known}")]
    NoBoard { name: String, known: String },
    /// A package could not be had, or is not what the lock file says.
    #[error("package {package}: {what}")]
    Package { package: String, what: String },
    /// A lock file is malformed.
    #[error("{file}: {what}; delete the file to have it written anew")]
    Lock { file: PathBuf, what: String },
    /// Something that the image needs is not in any of its packages.
    #[error("{0}")]
    Incomplete(String),
    /// A file is not an image of ours, or a damaged one.
    #[error("{file}: {what}")]
    Image { file: PathBuf, what: String },
    /// A key file is none.
    #[error("{file}: {what}; expected an Ed25519 key in a PEM file, as {make} makes it")]
    Key {
        file: PathBuf,
        what: String,
        make: &'static str,
    },
    /// The device must not be written.
    #[error("{device}: refused: {reason}")]
    Refused { device: PathBuf, reason: String },
    /// QEMU or the box in it did not do what was asked.
    #[error("{0}")]
    Run(String),
}

/// Short form for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Adds what was being done to which path to an I/O error.
pub trait At<T> {
    /// Names the operation and the path.
    ///
    /// # Errors
    /// The I/O error, wrapped.
    fn at(self, doing: &'static str, path: impl Into<PathBuf>) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, doing: &'static str, path: impl Into<PathBuf>) -> Result<T> {
        self.map_err(|cause| Error::Io {
            doing,
            path: path.into(),
            cause,
        })
    }
}

impl Error {
    /// A file that is not what it should be.
    pub fn image(file: &std::path::Path, what: impl Into<String>) -> Self {
        Self::Image {
            file: file.to_owned(),
            what: what.into(),
        }
    }
}
