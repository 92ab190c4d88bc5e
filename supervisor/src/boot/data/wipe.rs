//! A factory reset writes over what the owner before had, and only then is DATA made anew.
//!
//! `mke2fs` makes a few tables and leaves every other block as it was: keys, stores and backups could be read off the stick
//! with any recovery program. So each file is filled with zeros where it lies, on the medium before the next one begins,
//! what is worth most first ([`order`]). A slow stick does not hold the box for ever: whoever calls says when it is too late,
//! and what is left is told.
//!
//! What it cannot do: a flash medium keeps copies that no program reaches (wear levelling), blocks of files that were deleted
//! before are not looked for, and names and sizes of files stay where `mke2fs` does not write. Tested below, and over a real
//! file system in `filesystem`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

use super::place::SHELF;

/// So much is written before it is waited for, in bytes: two seconds of a very slow stick.
const PIECE: usize = 1 << 20;
/// Deepest folder that is looked into.
const DEPTH_MAX: usize = 8;
/// Most files that are remembered at a time, 100 bytes each: the box keeps some hundreds.
const FILES_MAX: usize = 16_384;

/// What a file is worth to whoever finds the stick; the first is written over first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// Keys, certificates, tokens.
    Key,
    /// Stores, those that were set aside, and rows of backups on their way into one: password hashes, channels, history.
    Store,
    /// What programs had in memory when they crashed, and notes of PID 1.
    Crash,
    /// Backups, which are encrypted.
    Backup,
    /// The journal, playbooks and the like.
    Other,
}

impl Worth {
    /// By the path below DATA.
    fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ends = |end: &str| name.ends_with(end);
        if ends(".key") || ends(".pem") || name.starts_with("tls.") || name.contains("token") {
            Self::Key
        } else if name.contains(".mdb") || path.to_string_lossy().contains("/restore.") {
            Self::Store
        } else if path.starts_with("supervisor") {
            Self::Crash
        } else if ends(".backup") || path.starts_with(SHELF) {
            Self::Backup
        } else {
            Self::Other
        }
    }
}

/// A file below DATA.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    /// Below DATA.
    path: PathBuf,
    /// Its length in bytes.
    bytes: u64,
}

/// The order in which files are written over: what is worth most first, of that the smallest first, so that the time that
/// there is covers as many as it can.
fn order(mut files: Vec<Found>) -> Vec<Found> {
    files.sort_by(|a, b| (Worth::of(&a.path), a.bytes, &a.path).cmp(&(Worth::of(&b.path), b.bytes, &b.path)));
    files
}

/// How far it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wiped {
    /// Files that hold nothing but zeros now.
    pub files: usize,
    /// Files that were not or not wholly written over: the time was up, or the medium did not take it.
    pub left: usize,
    /// Length of those, in bytes.
    pub left_bytes: u64,
}

/// Writes over every file below `root`, until `go_on`, which is asked before each piece, says no.
pub(super) fn below(root: &Path, go_on: &mut dyn FnMut() -> bool) -> Wiped {
    let (mut files, mut unseen) = (Vec::new(), 0);
    find(root, Path::new(""), 0, &mut files, &mut unseen);
    let mut wiped = Wiped {
        left: unseen,
        ..Wiped::default()
    };
    for file in order(files) {
        match over(&root.join(&file.path), go_on) {
            Ok(true) => wiped.files += 1,
            // One that the medium does not take keeps no other from it.
            Ok(false) | Err(_) => {
                wiped.left += 1;
                wiped.left_bytes += file.bytes;
            }
        }
    }
    wiped
}

/// Files below a folder; links and devices are none. Counts what is not looked at.
fn find(root: &Path, below: &Path, depth: usize, files: &mut Vec<Found>, unseen: &mut usize) {
    let Ok(entries) = fs::read_dir(root.join(below)) else {
        *unseen += 1;
        return;
    };
    for entry in entries {
        let Ok((entry, kind)) = entry.and_then(|e| e.file_type().map(|kind| (e, kind))) else {
            *unseen += 1;
            continue;
        };
        let path = below.join(entry.file_name());
        if kind.is_dir() && depth < DEPTH_MAX {
            find(root, &path, depth + 1, files, unseen);
        } else if kind.is_file() && files.len() < FILES_MAX {
            let bytes = entry.metadata().map_or(0, |about| about.len());
            files.push(Found { path, bytes });
        } else if kind.is_dir() || kind.is_file() {
            *unseen += 1;
        }
    }
}

/// Fills a file with zeros where it lies, on the medium when this returns; false when `go_on` said no before its end.
pub(in crate::boot) fn over(path: &Path, go_on: &mut dyn FnMut() -> bool) -> io::Result<bool> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().write(true).custom_flags(flags).open(path)?;
    let length = file.metadata()?.len();
    let zeros = vec![0; PIECE];
    let mut at = 0;
    while let Some((from, to)) = extent(&file, at, length)? {
        at = from;
        while at < to {
            if !go_on() {
                return Ok(false);
            }
            let n = usize::try_from(to - at).unwrap_or(PIECE).min(PIECE);
            file.write_all_at(&zeros[..n], at)?;
            // Piece by piece: a cache full of zeros would be waited for without an end.
            file.sync_data()?;
            at += n as u64;
        }
    }
    Ok(true)
}

/// The next part of a file, from `at` on, that lies on the medium: filling a hole would need room, and hide nothing.
fn extent(file: &File, at: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= length {
        return Ok(None);
    }
    let seek = |at: u64, whence| {
        let at = libc::off_t::try_from(at).map_err(|_| Errno::EINVAL)?;
        lseek(file, at, whence).map(|at| u64::try_from(at).unwrap_or(length))
    };
    match seek(at, Whence::SeekData) {
        Ok(from) => Ok(Some((from, seek(from, Whence::SeekHole).unwrap_or(length).min(length)))),
        // Nothing but a hole up to the end.
        Err(Errno::ENXIO) => Ok(None),
        // A file system that does not tell.
        Err(Errno::EINVAL) => Ok(Some((at, length))),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_worth_most_goes_first_and_of_that_the_smallest() {
        let want = [
            ("server/gate.key", 32),
            ("server/tls.crt", 700),
            ("server/restore.rows", 10),
            ("agent/kiln.mdb", 4 << 20),
            ("server/kiln.mdb.bad-20261120T151500Z", 5 << 20),
            ("server/kiln.mdb", 8 << 20),
            ("supervisor/last-reboot", 100),
            ("supervisor/crashes/server.core", 32 << 20),
            ("server/backups/half", 3),
            ("server/backups/kiln-000001-20261120-151500-000.backup", 9),
            ("agent/playbooks/mine.toml", 60),
            ("journal/current.export", 1 << 20),
        ];
        let mut files: Vec<Found> = want
            .iter()
            .map(|(path, bytes)| Found {
                path: path.into(),
                bytes: *bytes,
            })
            .collect();
        files.reverse();
        let got: Vec<PathBuf> = order(files).into_iter().map(|file| file.path).collect();
        assert_eq!(got, want.map(|(path, _)| PathBuf::from(path)));
    }

    /// Files of an owner: a key, a store with a hole, a journal; and a link out of the folder.
    fn owned() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (root, other) = (dir.path().join("data"), dir.path().join("other"));
        for folder in ["server", "journal"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(&other, "another's").unwrap();
        fs::write(root.join("server/gate.key"), "secret").unwrap();
        let store = File::create(root.join("server/kiln.mdb")).unwrap();
        store.write_all_at(&vec![7; PIECE + 5], 0).unwrap();
        store.write_all_at(b"end", 64 << 20).unwrap();
        fs::write(root.join("journal/current.export"), "lines").unwrap();
        std::os::unix::fs::symlink(&other, root.join("server/link")).unwrap();
        (dir, root, other)
    }

    #[test]
    fn every_file_is_zeros_then_and_a_link_leads_nowhere() {
        let (_dir, root, other) = owned();
        let wiped = below(&root, &mut || true);
        assert_eq!((wiped.files, wiped.left), (3, 0));
        for file in ["server/gate.key", "server/kiln.mdb", "journal/current.export"] {
            let bytes = fs::read(root.join(file)).unwrap();
            assert!(!bytes.is_empty() && bytes.iter().all(|b| *b == 0), "{file}");
        }
        assert_eq!(fs::read_to_string(other).unwrap(), "another's");
    }

    #[test]
    fn when_the_time_is_up_the_keys_are_gone_and_the_rest_is_told() {
        let (_dir, root, _other) = owned();
        let mut pieces = 2;
        let wiped = below(&root, &mut || {
            pieces -= 1;
            pieces >= 0
        });
        let told = Wiped {
            files: 1,
            left: 2,
            left_bytes: (64 << 20) + 3 + 5,
        };
        assert_eq!(wiped, told);
        assert_eq!(fs::read(root.join("server/gate.key")).unwrap(), [0; 6]);
        assert_eq!(
            fs::read_to_string(root.join("journal/current.export")).unwrap(),
            "lines"
        );
    }

    #[test]
    fn a_place_that_is_not_there_is_told_as_left() {
        let wiped = below(Path::new("/nonexistent"), &mut || true);
        assert_eq!((wiped.files, wiped.left), (0, 1));
    }
}
