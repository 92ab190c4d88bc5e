//! Files that are replaced whole: a power cut leaves the old one or the new one, never half of one.
//!
//! DATA is ext4, where a rename is one step; the new bytes are on the medium before it, and the folder's entry after it. What
//! PID 1 knows of its own past (why the last boot ended, how many reboots in a row, what was told) is kept in no other way, but for
//! a medium without room ([`over`]). For what must be kept whatever happens, the room is taken before ([`reserve`]).

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where the new bytes are until they are all there.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    PathBuf::from(name)
}

/// Replaces a file, or makes it; root's, and its folder's group's to read (0640). What an earlier try has left beside it, or was put
/// there to have the room, is written over.
///
/// # Errors
/// The medium does not take it; the old file stands then.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path);
    let write = || {
        let f = put(&new, bytes)?;
        // Not before: what the medium gives back it may give to somebody else.
        f.set_len(bytes.len() as u64)?;
        f.sync_all()?;
        fs::rename(&new, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(&new)))?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// Takes the room for what [`replace`] is to write there later: `bytes` of it, on a medium that may be full by then.
///
/// # Errors
/// The medium has no room ([`io::ErrorKind::StorageFull`]), or does not take it; nothing is left beside the file then.
pub fn reserve(path: &Path, bytes: usize) -> io::Result<()> {
    let new = beside(path);
    put(&new, &vec![b' '; bytes])
        .and_then(|f| f.sync_all())
        .inspect_err(|_| drop(fs::remove_file(&new)))
}

/// Writes over what a file begins with.
fn put(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut f = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o640)
        .open(path)?;
    f.write_all(bytes)?;
    Ok(f)
}

/// Most bytes that are written over others: a file that holds any has the place for them.
const OVER_MAX: usize = 1024;

/// Writes over what a file holds, where there is no room for a second one beside it. A power cut may leave neither.
///
/// # Errors
/// There is no such file, it is too much, or the medium does not take it.
pub fn over(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if bytes.len() > OVER_MAX {
        return Err(io::Error::from(io::ErrorKind::StorageFull));
    }
    let f = OpenOptions::new().write(true).open(path)?;
    f.write_all_at(bytes, 0)?;
    f.set_len(bytes.len() as u64)?;
    f.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use nix::mount::{MsFlags, mount};

    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_replaced_whole_or_stays_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("record");
        replace(&file, b"a longer old one").unwrap();
        replace(&file, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        // A medium without room takes the first bytes of what is written, or none.
        std::os::unix::fs::symlink("/dev/full", beside(&file)).unwrap();
        assert!(replace(&file, b"half").is_err());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
        replace(&file, b"again").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"again");
    }

    #[test]
    fn what_the_room_was_taken_for_is_kept_on_a_medium_that_is_full_by_then() {
        // In a thread of its own: other tests see nothing of what it mounts.
        std::thread::spawn(|| {
            let dir = tempfile::tempdir().unwrap();
            let (file, none) = (dir.path().join("note"), None::<&str>);
            let mounted = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)
                .and_then(|()| mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none))
                .and_then(|()| {
                    mount(
                        Some("none"),
                        dir.path(),
                        Some("tmpfs"),
                        MsFlags::empty(),
                        Some("size=64k"),
                    )
                });
            if let Err(e) = mounted {
                return rig::not_run(&format!("a small file system: {e}"));
            }
            reserve(&file, 1000).unwrap();
            fs::write(dir.path().join("history"), vec![1; 128 << 10]).unwrap_err();
            assert_eq!(
                reserve(&dir.path().join("other"), 1000).unwrap_err().kind(),
                io::ErrorKind::StorageFull
            );
            replace(&file, b"kept").unwrap();
            assert_eq!(fs::read(&file).unwrap(), b"kept");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        })
        .join()
        .unwrap();
    }
}
