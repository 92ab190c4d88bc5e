//! A burn-in that is under way: with one state folder one process works at a drive at a time.
//!
//! What writes a drive holds it against every other process; what reads it does not, and two of those would take what is kept of each
//! other away. So each holds the lock of a file beside the one in which its progress is kept, until that holds its end. The kernel frees
//! it with the process. Tested below, and by whole scans in `tests/reading.rs`.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Held until it is dropped, and gone then.
#[derive(Debug)]
pub(super) struct UnderWay {
    path: PathBuf,
    /// Its descriptor holds the lock.
    _file: File,
}

/// Another process holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Other;

impl UnderWay {
    /// Takes the lock of this file; `None` where there is no such lock to be had: a folder that takes no file keeps nothing either, and
    /// some file systems have no locks.
    ///
    /// # Errors
    /// When another process holds it.
    pub(super) fn begin(path: PathBuf) -> Result<Option<Self>, Other> {
        loop {
            let mut options = File::options();
            let opened = options.create(true).truncate(false).write(true).open(&path);
            let Ok(file) = opened else { return Ok(None) };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Other),
                Err(TryLockError::Error(_)) => {
                    let _ = fs::remove_file(&path);
                    return Ok(None);
                }
            }
            // Whoever held it before has removed it since: the lock of a file without a name is nobody's.
            match is_at(&file, &path) {
                Ok(true) => return Ok(Some(Self { path, _file: file })),
                Ok(false) => {}
                Err(_) => return Ok(None),
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether a process holds the lock of this file.
pub(super) fn is_held(path: &Path) -> bool {
    // A shared one keeps nobody who looks as well from it.
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn one_at_a_time_is_under_way_and_nothing_is_left_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("drive.lock");
        assert!(!is_held(&path));
        // As a kill left it.
        fs::write(&path, "").unwrap();
        assert!(!is_held(&path));
        let held = UnderWay::begin(path.clone()).unwrap();
        assert!(is_held(&path));
        drop(held);
        let (inside, begun) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let Ok(held) = UnderWay::begin(path.clone()) else {
                            continue;
                        };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                        begun.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(held.unwrap());
                    }
                });
            }
        });
        assert!(begun.into_inner() > 0);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn where_no_lock_is_to_be_had_it_begins_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let none = UnderWay::begin(dir.path().join("gone").join("drive.lock"));
        assert!(matches!(none, Ok(None)), "{none:?}");
    }
}
