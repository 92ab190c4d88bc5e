//! State that outlives its medium: the files of units, mapped and pinned in memory while the stick is there.
//!
//! When a stick is pulled, ext4 refuses every further open and read, but pages that are mapped stay as they were at the
//! last write. The keeper holds such maps; once the services have stopped, it writes them into the RAM file system that
//! takes the medium's place. LMDB writes copy-on-write, so what is found is a consistent state at any moment.
//!
//! Bounded by [`FILES_MAX`] and a share of the box's memory ([`room`]); what does not fit is told and starts empty.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::boot::data::place::SHELF;

/// Most files that are held: a person's playbooks are 64 of them.
const FILES_MAX: usize = 256;
/// Most files and folders that are looked at, to find what comes first among them.
const SEEN_MAX: usize = 4096;
/// Bounds of the room for all files together, in bytes: the upper one is more than a store can grow to (256 MiB).
const ROOM: RangeInclusive<u64> = 96 << 20..=320 << 20;
/// The service whose store comes first.
const FIRST: &str = "server";
/// Room to grow between two looks, in bytes.
const SLACK: u64 = 16 << 20;
/// Deepest folder below the state folder.
const DEPTH_MAX: usize = 4;
/// So much is brought in between two signs of life, in bytes.
const STEP: usize = 1 << 20;
/// Page size that copying steps by, in bytes; every supported kernel has this or a multiple.
const PAGE: usize = 4096;
/// Kept by others (journal), made anew (lock), or PID 1's own.
const LEFT_OUT: [&str; 4] = ["lost+found", "journal", "supervisor", "lock.mdb"];

/// Room for all files together on a box with so much memory, in bytes: a quarter, because they lie in it twice while they are
/// written into the RAM file system.
pub(super) fn room(memory: u64) -> u64 {
    (memory / 4).clamp(*ROOM.start(), *ROOM.end())
}

/// The held files by their path below the state folder.
#[derive(Debug)]
pub struct Mirror {
    room: u64,
    files: BTreeMap<PathBuf, Held>,
    /// Files that are not held: no room for it, or one too many.
    left: Vec<PathBuf>,
    folders: BTreeMap<PathBuf, (u32, u32, u32)>,
}

#[derive(Debug)]
struct Held {
    file: File,
    owner: (u32, u32, u32),
    at: *mut libc::c_void,
    length: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: `at` and `length` are those of the map that was made in `Held::map`, unmapped only here.
        unsafe { libc::munmap(self.at, self.length) };
    }
}

impl Held {
    fn map(path: &Path, alive: &mut dyn FnMut()) -> io::Result<Held> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        let length = usize::try_from(meta.len() + SLACK)
            .map_err(io::Error::other)?
            .next_multiple_of(PAGE);
        // SAFETY: a fresh shared read-only map of an open file; nothing in Rust points into it.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: pins pages of our own map as they are faulted in; failing only means that they are not pinned.
        unsafe { libc::mlock2(at, length, libc::MLOCK_ONFAULT) };
        let held = Held {
            file,
            owner: (meta.uid(), meta.gid(), meta.mode() & 0o7777),
            at,
            length,
        };
        held.populate(meta.len(), alive);
        Ok(held)
    }

    /// Brings the file's pages in, `alive` after each step; an unreadable one is an error here, not a signal.
    fn populate(&self, size: u64, alive: &mut dyn FnMut()) {
        let bytes = usize::try_from(size)
            .unwrap_or(0)
            .next_multiple_of(PAGE)
            .min(self.length);
        for begin in (0..bytes).step_by(STEP) {
            let step = STEP.min(bytes - begin);
            // SAFETY: `begin` is within our own map.
            let at = unsafe { self.at.cast::<u8>().add(begin) };
            // SAFETY: `begin + step` is within it, too.
            let done = unsafe { libc::madvise(at.cast(), step, libc::MADV_POPULATE_READ) };
            if done < 0 {
                return;
            }
            alive();
        }
    }

    /// Writes the held content; the kernel reads the map, so a page that is lost is an error and not a signal.
    fn write(&self, to: &File) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        if size > self.length as u64 {
            return Err(io::Error::other("grew faster than it was looked at"));
        }
        let mut done = 0usize;
        let size = usize::try_from(size).map_err(io::Error::other)?;
        while done < size {
            let step = (size - done).min(64 * PAGE);
            // SAFETY: `done` is within the map.
            let at = unsafe { self.at.cast::<u8>().add(done) };
            // SAFETY: `done + step` is within the map; the kernel answers EFAULT for a page that cannot be read.
            let n = unsafe { libc::write(to.as_raw_fd(), at.cast(), step) };
            match usize::try_from(n) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => done += n,
                Err(_) => {
                    let e = io::Error::last_os_error();
                    if e.kind() != io::ErrorKind::Interrupted {
                        return Err(e);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Mirror {
    /// Holds nothing yet; `room`: for all files together, in bytes.
    pub fn new(room: u64) -> Mirror {
        Mirror {
            room,
            files: BTreeMap::new(),
            left: Vec::new(),
            folders: BTreeMap::new(),
        }
    }

    /// Looks at every file below `state`: takes new ones in, follows those that have grown, lets go of those that are gone.
    /// Calls `alive` again and again while a slow medium is read.
    pub fn refresh(&mut self, state: &Path, alive: &mut dyn FnMut()) {
        let mut seen = Seen::default();
        if seen.walk(state, Path::new(""), 0).is_err() && !self.files.is_empty() {
            // The medium is going, or gone: what is held is all there is.
            return;
        }
        let Seen {
            files: found,
            folders,
            left,
        } = seen;
        let mut total = 0;
        self.left = left;
        self.folders = folders;
        self.files.retain(|path, held| match found.get(path) {
            // A replaced file has another inode.
            Some((inode, _)) => held.file.metadata().is_ok_and(|m| m.ino() == *inode),
            None => false,
        });
        let mut found: Vec<_> = found.into_iter().collect();
        // What services live on comes before what they only keep, and the history of all before what is made anew from drives.
        found.sort_by_key(|(path, _)| {
            (
                path.extension().is_none_or(|end| end != "mdb"),
                !path.starts_with(FIRST),
            )
        });
        for (path, (_, size)) in found {
            let one_more = self.files.len() >= FILES_MAX && !self.files.contains_key(&path);
            if one_more || total + size > self.room {
                self.files.remove(&path);
                self.left.push(path);
                continue;
            }
            // What is not held takes no room.
            total += size;
            match self.files.get(&path) {
                Some(held) if size + SLACK / 2 <= held.length as u64 => held.populate(size, alive),
                Some(_) | None => {
                    match Held::map(&state.join(&path), alive) {
                        Ok(held) => drop(self.files.insert(path, held)),
                        // Removed since it was seen: nothing is lost.
                        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                        Err(_) => self.left.push(path),
                    }
                }
            }
        }
    }

    /// Writes everything that is held below `to`; returns how many files were saved and which were lost.
    pub fn save(&self, to: &Path) -> (usize, Vec<String>) {
        for (path, owner) in &self.folders {
            let dir = to.join(path);
            let _ = fs::create_dir_all(&dir);
            give(&dir, *owner);
        }
        let too_much = |p: &PathBuf| format!("{} (not held in memory)", p.display());
        let mut lost: Vec<String> = self.left.iter().map(too_much).collect();
        let mut saved = 0;
        for (path, held) in &self.files {
            let target = to.join(path);
            let written = target
                .parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| private(&target))
                .and_then(|f| held.write(&f));
            match written {
                Ok(()) => {
                    give(&target, held.owner);
                    saved += 1;
                }
                Err(e) => {
                    // Half a database is worse than none.
                    let _ = fs::remove_file(&target);
                    lost.push(format!("{} ({e})", path.display()));
                }
            }
        }
        (saved, lost)
    }
}

/// A file that nobody else can read, until it is given to its owner.
fn private(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

fn give(path: &Path, (uid, gid, mode): (u32, u32, u32)) {
    let _ = std::os::unix::fs::chown(path, Some(uid), Some(gid));
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode));
}

/// What lies below the state folder, by its path there.
#[derive(Default)]
struct Seen {
    /// Inode and size.
    files: BTreeMap<PathBuf, (u64, u64)>,
    /// Owner, group and mode.
    folders: BTreeMap<PathBuf, (u32, u32, u32)>,
    /// Not looked at: too deep, or too many.
    left: Vec<PathBuf>,
}

impl Seen {
    /// Looks at everything in the folder `below`; what is removed meanwhile is not there.
    fn walk(&mut self, state: &Path, below: &Path, depth: usize) -> io::Result<()> {
        let is_there = |e: &io::Error| e.kind() != io::ErrorKind::NotFound;
        let entries = match fs::read_dir(state.join(below)) {
            Err(e) if depth > 0 && !is_there(&e) => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if LEFT_OUT.iter().any(|l| entry.file_name() == *l) || path == Path::new(SHELF) {
                continue;
            }
            let meta = match entry.metadata() {
                Err(e) if !is_there(&e) => continue,
                meta => meta?,
            };
            let room = self.files.len() + self.folders.len() < SEEN_MAX;
            if meta.is_dir() && depth < DEPTH_MAX && room {
                self.folders
                    .insert(path.clone(), (meta.uid(), meta.gid(), meta.mode() & 0o7777));
                self.walk(state, &path, depth + 1)?;
            } else if meta.is_file() && room {
                self.files.insert(path, (meta.ino(), meta.len()));
            } else if (meta.is_file() || meta.is_dir()) && self.left.len() < SEEN_MAX {
                self.left.push(path);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::io::Write;

    #[test]
    fn what_was_written_last_is_saved_even_after_the_folder_is_gone() {
        let (state, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dir = state.path().join("server/db");
        fs::create_dir_all(&dir).unwrap();
        fs::create_dir_all(state.path().join("journal")).unwrap();
        fs::write(state.path().join("journal/current.export"), "x").unwrap();
        fs::write(dir.join("lock.mdb"), "x").unwrap();
        let mut data = File::create(dir.join("data.mdb")).unwrap();
        data.write_all(&[1; 10_000]).unwrap();
        let mut m = Mirror::new(*ROOM.start());
        m.refresh(state.path(), &mut || {});
        // It grows and changes after the last look, within the slack.
        data.write_all(&[2; 50_000]).unwrap();
        fs::remove_dir_all(state.path()).unwrap();
        m.refresh(state.path(), &mut || {});
        let (saved, lost) = m.save(ram.path());
        assert_eq!((saved, lost), (1, vec![]));
        let got = fs::read(ram.path().join("server/db/data.mdb")).unwrap();
        assert_eq!(got.len(), 60_000);
        assert!(got[..10_000].iter().all(|b| *b == 1) && got[10_000..].iter().all(|b| *b == 2));
        assert!(!ram.path().join("journal/current.export").exists() && !ram.path().join("server/db/lock.mdb").exists());
    }

    #[test]
    fn what_does_not_fit_is_told_as_lost() {
        let (state, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(state.path().join("small"), "s").unwrap();
        File::create(state.path().join("large"))
            .unwrap()
            .set_len(ROOM.start() + 1)
            .unwrap();
        let mut m = Mirror::new(*ROOM.start());
        m.refresh(state.path(), &mut || {});
        let (saved, lost) = m.save(ram.path());
        assert_eq!(saved, 1);
        assert!(lost.len() == 1 && lost[0].starts_with("large"), "{lost:?}");
        assert!(!ram.path().join("large").exists());
    }

    #[test]
    fn backups_that_are_kept_push_nothing_out_that_the_box_lives_on() {
        let (state, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(state.path().join(SHELF)).unwrap();
        // As many bytes as the server may keep there; they come before the store by name.
        for n in 0..4 {
            let file = File::create(state.path().join(SHELF).join(format!("{n}.backup"))).unwrap();
            file.set_len(64 << 20).unwrap();
        }
        fs::write(state.path().join("server/kiln.mdb"), "history").unwrap();
        let mut m = Mirror::new(*ROOM.start());
        m.refresh(state.path(), &mut || {});
        assert_eq!(m.save(ram.path()), (1, vec![]));
        assert_eq!(
            fs::read_to_string(ram.path().join("server/kiln.mdb")).unwrap(),
            "history"
        );
    }

    #[test]
    fn many_small_files_push_no_store_out() {
        for (books, all) in [(64, true), (2_000, false)] {
            let (state, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let p = |n: &str| state.path().join(n);
            // As many as a person may have, and what else is kept beside them.
            fs::create_dir_all(p("agent/playbooks")).unwrap();
            for n in 0..books {
                fs::write(p(&format!("agent/playbooks/{n}.toml")), "x").unwrap();
            }
            fs::create_dir(p("server")).unwrap();
            let others = [
                "agent/agent.mdb",
                "server/kiln.mdb",
                "server/gate.key",
                "server/tls.key",
            ];
            for other in others {
                fs::write(p(other), "x").unwrap();
            }
            let mut m = Mirror::new(*ROOM.start());
            m.refresh(state.path(), &mut || {});
            let (saved, lost) = m.save(ram.path());
            assert_eq!(saved + lost.len(), books + others.len());
            assert_eq!(lost.is_empty(), all, "{} are lost", lost.len());
            assert!(others.iter().all(|other| ram.path().join(other).exists()), "{books}");
        }
    }

    #[test]
    fn what_lies_too_deep_is_told_as_lost() {
        let (state, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let deep = state.path().join("a/b/c/d/e/f");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("file"), "x").unwrap();
        let mut m = Mirror::new(*ROOM.start());
        m.refresh(state.path(), &mut || {});
        assert_eq!(
            m.save(ram.path()),
            (0, vec!["a/b/c/d/e (not held in memory)".to_owned()])
        );
    }

    #[test]
    fn a_folder_that_cannot_be_read_any_more_lets_nothing_go() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // A folder whose path is nearly as long as one can be: what lies in it is reached by its descriptor alone.
        let mut long = dir.path().to_owned();
        let mut at = File::open(dir.path()).unwrap();
        while long.as_os_str().len() < 3_850 {
            let name = "n".repeat(200);
            let next = format!("/proc/self/fd/{}/{name}", at.as_raw_fd());
            fs::create_dir(&next).unwrap();
            at = File::open(next).unwrap();
            long.push(name);
        }
        let short = PathBuf::from(format!("/proc/self/fd/{}", at.as_raw_fd()));
        let server = "s".repeat(250);
        for folder in [&server, "agent"] {
            fs::create_dir(short.join(folder)).unwrap();
            fs::write(short.join(folder).join("kiln.mdb"), folder).unwrap();
        }
        let mut m = Mirror::new(*ROOM.start());
        m.refresh(&short, &mut || {});
        assert_eq!(
            fs::read_dir(long.join(&server)).unwrap_err().raw_os_error(),
            Some(libc::ENAMETOOLONG)
        );
        m.refresh(&long, &mut || {});
        assert_eq!(m.save(ram.path()), (2, vec![]));
        assert_eq!(
            fs::read_to_string(ram.path().join(&server).join("kiln.mdb")).unwrap(),
            server
        );
    }

    #[test]
    fn what_is_too_large_to_be_held_takes_no_room() {
        let (state, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for n in 0..3 {
            let file = File::create(state.path().join(format!("large{n}"))).unwrap();
            file.set_len(ROOM.start() + 1).unwrap();
        }
        fs::write(state.path().join("small"), "s").unwrap();
        let mut m = Mirror::new(*ROOM.start());
        m.refresh(state.path(), &mut || {});
        let (saved, lost) = m.save(ram.path());
        assert_eq!((saved, lost.len()), (1, 3), "{lost:?}");
        assert!(ram.path().join("small").exists());
    }

    #[test]
    fn a_store_comes_before_what_was_set_aside_and_has_room_as_large_as_it_gets() {
        assert_eq!(
            [512 << 20, 1 << 30, 8 << 30].map(room),
            [128 << 20, 256 << 20, 320 << 20]
        );
        let (state, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (name, size) in [("agent.mdb.bad-1", 300 << 10), ("kiln.mdb", 800 << 10), ("note", 1)] {
            File::create(state.path().join(name)).unwrap().set_len(size).unwrap();
        }
        let mut m = Mirror::new(1 << 20);
        m.refresh(state.path(), &mut || {});
        let (saved, lost) = m.save(ram.path());
        assert_eq!((saved, lost.len()), (2, 1), "{lost:?}");
        assert_eq!(ram.path().join("kiln.mdb").metadata().unwrap().len(), 800 << 10);
        assert!(ram.path().join("note").exists() && lost[0].starts_with("agent.mdb.bad"));
    }

    #[test]
    fn the_servers_store_is_held_before_the_agents() {
        let (state, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (folder, name, size) in [("agent", "agent.mdb", 300 << 10), ("server", "kiln.mdb", 800 << 10)] {
            fs::create_dir(state.path().join(folder)).unwrap();
            let file = File::create(state.path().join(folder).join(name)).unwrap();
            file.set_len(size).unwrap();
        }
        let mut m = Mirror::new(1 << 20);
        m.refresh(state.path(), &mut || {});
        let (saved, lost) = m.save(ram.path());
        assert_eq!((saved, lost.len()), (1, 1), "{lost:?}");
        assert!(ram.path().join("server/kiln.mdb").exists() && lost[0].starts_with("agent/"));
    }

    #[test]
    fn a_large_file_is_brought_in_with_signs_of_life() {
        let state = tempfile::tempdir().unwrap();
        let file = File::create(state.path().join("kiln.mdb")).unwrap();
        file.set_len(5 * STEP as u64 + 1).unwrap();
        let signs = std::cell::Cell::new(0);
        Mirror::new(*ROOM.start()).refresh(state.path(), &mut || signs.set(signs.get() + 1));
        assert_eq!(signs.get(), 6);
    }

    #[test]
    fn a_replaced_file_is_followed_and_a_removed_one_let_go() {
        let (state, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let p = |n: &str| state.path().join(n);
        fs::write(p("a"), "old").unwrap();
        fs::write(p("b"), "gone soon").unwrap();
        let mut m = Mirror::new(*ROOM.start());
        m.refresh(state.path(), &mut || {});
        fs::write(p("new"), "new").unwrap();
        fs::rename(p("new"), p("a")).unwrap();
        fs::remove_file(p("b")).unwrap();
        m.refresh(state.path(), &mut || {});
        assert_eq!(m.save(ram.path()), (1, vec![]));
        assert_eq!(fs::read_to_string(ram.path().join("a")).unwrap(), "new");
    }
}
