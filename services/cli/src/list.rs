//! A list in the state folder that every burn-in adds to at its end: read, replaced whole by one process at a time, set aside where it
//! cannot be understood. [`crate::seals`] and [`crate::peers`] are such.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use wire::Time;

/// Lets one process at a time replace a list: held until it is dropped. `name`: of the file whose lock that is.
///
/// # Errors
/// When that file cannot be made or locked.
pub(crate) fn lock(state: &Path, name: &str) -> io::Result<File> {
    let mut options = File::options();
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .open(state.join(name))?;
    match file.lock() {
        // Some file systems have none; then two burn-ins must not end at the very same moment.
        Err(error) if has_no_locks(&error) => Ok(file),
        locked => locked.map(|()| file),
    }
}

/// Whether a file system has no locks: NFS whose server runs no lock service says so by `ENOLCK`.
fn has_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || error.raw_os_error() == Some(libc::ENOLCK)
}

/// The list; none where there is no file. One that cannot be understood is `InvalidData`. `most`: bytes that are read.
///
/// # Errors
/// When it is there and cannot be read, or has more.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, most: u64) -> io::Result<Vec<T>> {
    match crate::file::regular(path).and_then(|file| crate::file::up_to(file, most)) {
        Ok(text) => Ok(serde_json::from_slice(&text).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Gives a list that cannot be used a dated name, which is told.
///
/// # Errors
/// When it cannot be renamed.
pub(crate) fn set_aside(path: &Path, now: Time) -> io::Result<PathBuf> {
    let aside = path.with_extension(format!("bad-{}", now.strftime("%Y%m%dT%H%M%SZ")));
    fs::rename(path, &aside)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_locks_is_no_reason_to_keep_nothing() {
        for (errno, none) in [
            (libc::ENOLCK, true),
            (libc::EOPNOTSUPP, true),
            (libc::ENOSYS, true),
            (libc::EIO, false),
            (libc::EINTR, false),
        ] {
            assert_eq!(has_no_locks(&io::Error::from_raw_os_error(errno)), none, "{errno}");
        }
    }
}
