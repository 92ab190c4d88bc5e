//! Files that nobody is to read again: written over where they lie, then removed.
//!
//! What a service removes stays on the medium until something else is written there: a store that was set aside or the rows of
//! a refused backup have password hashes and channels' secrets in clear. Zeros take their place first, for a bounded time; a
//! medium that is slow or takes no writes keeps nobody from removing them, and that is told. Flash may keep copies that no
//! program reaches (wear levelling).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::libc;

/// How long one call writes over what is discarded: a service may be silent for 20 s, and its start take 90.
pub const WITHIN: Duration = Duration::from_secs(10);
/// So much is written before it is waited for, in bytes.
const PIECE: usize = 1 << 20;

/// Writes over a file, or every file of a folder, and removes it; what is not there is no error, and a link is only removed.
///
/// At most 10 s are spent on writing. What was not written over is removed all the same, and logged.
///
/// # Errors
/// It is still there.
pub fn discard(path: &Path) -> io::Result<()> {
    until(path, Instant::now() + WITHIN)
}

/// The same for several, with so much time for writing over all of them.
///
/// # Errors
/// The first, after all were tried.
pub fn discard_all<'p>(paths: impl IntoIterator<Item = &'p Path>, within: Duration) -> io::Result<()> {
    let end = Instant::now() + within;
    let mut done = Ok(());
    for path in paths {
        done = done.and(until(path, end));
    }
    done
}

fn until(path: &Path, end: Instant) -> io::Result<()> {
    let about = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        about => about?,
    };
    if about.is_dir() {
        for entry in fs::read_dir(path)? {
            until(&entry?.path(), end)?;
        }
        return gone(fs::remove_dir(path));
    }
    if about.is_file() {
        let mut options = File::options();
        options.write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = options.open(path);
        if let Err(error) = file.and_then(|file| zeros(&file, end)) {
            tracing::warn!(%error, path = %path.display(), "a file was removed without being written over");
        }
    }
    gone(fs::remove_file(path))
}

/// Somebody else may have removed it.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Fills a file with zeros where it lies, on the medium when this returns; for one without a name.
///
/// # Errors
/// The medium does not take them, or did not within 10 s.
pub fn write_over(file: &File) -> io::Result<()> {
    zeros(file, Instant::now() + WITHIN)
}

fn zeros(file: &File, end: Instant) -> io::Result<()> {
    let (length, zeros) = (file.metadata()?.len(), vec![0; PIECE]);
    let mut at = 0;
    while at < length {
        if Instant::now() >= end {
            let left = length - at;
            return Err(io::Error::other(format!(
                "{left} of {length} bytes were left when the time for it was up"
            )));
        }
        let n = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
        file.write_all_at(&zeros[..n], at)?;
        // Piece by piece: a cache full of zeros would be waited for without an end.
        file.sync_data()?;
        at += n as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_discarded_is_gone_with_its_bytes_and_links_lead_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let (store, inner) = (dir.path().join("store"), dir.path().join("store/inner"));
        fs::create_dir_all(&inner).unwrap();
        fs::write(store.join("kiln.mdb"), vec![7; PIECE + 5]).unwrap();
        fs::write(inner.join("rows"), "secret").unwrap();
        let other = dir.path().join("other");
        fs::write(&other, "another's").unwrap();
        std::os::unix::fs::symlink(&other, store.join("link")).unwrap();
        // A second name for each shows what became of the bytes.
        let kept = |name: &str| dir.path().join(name);
        fs::hard_link(store.join("kiln.mdb"), kept("a")).unwrap();
        fs::hard_link(inner.join("rows"), kept("b")).unwrap();
        discard(&store).unwrap();
        assert!(!store.exists());
        assert_eq!(fs::read(kept("a")).unwrap(), vec![0; PIECE + 5]);
        assert_eq!(fs::read(kept("b")).unwrap(), [0; 6]);
        assert_eq!(fs::read_to_string(&other).unwrap(), "another's");
        discard(&store).unwrap();
    }

    #[test]
    fn when_the_time_is_up_it_is_removed_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (path, kept) = (dir.path().join("rows"), dir.path().join("kept"));
        fs::write(&path, "rows").unwrap();
        fs::hard_link(&path, &kept).unwrap();
        until(&path, Instant::now()).unwrap();
        assert!(!path.exists());
        assert_eq!(fs::read_to_string(&kept).unwrap(), "rows");
        write_over(&File::options().write(true).open(&kept).unwrap()).unwrap();
        assert_eq!(fs::read(&kept).unwrap(), [0; 4]);
    }
}
