//! The backups that the box keeps: files in one folder of its state, encrypted as those that people take away.
//!
//! A box that burns with its medium takes them along: they are for going back, not for safety. The oldest give way. On DATA they leave
//! a fifth of the medium free: beyond that the store drops old events, and people are told that DATA is full.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use wire::Time;

use super::{Error, Full, Held};
use crate::note::Note;

/// Backups kept. Source: Vigil, `max_backups`.
const MOST: usize = 7;

/// Bytes that all of them may have together: what is beside them on a small stick must go on.
const BYTES: u64 = 256 << 20;

/// The share of DATA that they leave free: a fifth, from which on the store's own bounds are drawn (`store::Room`).
const FREE_SHARE: u64 = 5;

/// End of a backup's name.
const END: &str = ".backup";

/// The folder.
#[derive(Debug)]
pub struct Shelf(PathBuf, Medium);

/// How large the medium is and how much of it is free, in bytes.
type Medium = fn(&Path) -> Option<(u64, u64)>;

/// That of DATA. Elsewhere the medium is another's, who says how full it may be.
fn data(dir: &Path) -> Option<(u64, u64)> {
    settings::is_in_a_box().then(|| medium(dir)).flatten()
}

/// As the kernel tells it; what only root may take is not counted as free.
fn medium(dir: &Path) -> Option<(u64, u64)> {
    let medium = nix::sys::statvfs::statvfs(dir).ok()?;
    let unit = medium.fragment_size();
    Some((medium.blocks() * unit, medium.blocks_available() * unit))
}

/// Bytes that a backup may have on a medium of `all` bytes with `free` ones.
fn share(all: u64, free: u64) -> u64 {
    free.saturating_sub(all / FREE_SHARE)
}

/// Which of the backups that are kept, the newest first, give way to one of so many bytes.
fn surplus(kept: &[Kept], bytes: u64) -> impl Iterator<Item = &Kept> {
    let mut room = BYTES.saturating_sub(bytes);
    kept.iter().enumerate().filter_map(move |(at, old)| {
        let fits = room.checked_sub(old.bytes);
        room = fits.unwrap_or(0);
        (at + 1 >= MOST || fits.is_none()).then_some(old)
    })
}

/// The running number in a backup's name; 0 in the names that earlier versions gave, which have the time alone.
///
/// The order goes by it, not by the clock, which may have stood anywhere: a box without a battery begins in the past.
fn number(filename: &str) -> u64 {
    let parts: Vec<&str> = filename.split('-').collect();
    match parts.as_slice() {
        [_, number, _, _, _] => number.parse().unwrap_or(0),
        _ => 0,
    }
}

/// The greatest number of the backups that are kept, the newest first; 0 where there is none.
fn newest(kept: &[Kept]) -> u64 {
    kept.first().map_or(0, |kept| number(&kept.filename))
}

/// A backup that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its name, which has its running number and the time in it.
    pub filename: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was written.
    pub made: Time,
}

impl Shelf {
    /// Below the server's state in `data`.
    pub fn below(data: &Path) -> Self {
        Self(data.join("backups"), self::data)
    }

    fn failed(&self) -> impl Fn(std::io::Error) -> Error + '_ {
        |error| Error::File(self.0.clone(), error)
    }

    /// The greatest number that was given. It lies beside the folder: a box that goes on in memory after its medium was pulled has
    /// that note and no backup, and what is made there is brought back among those of the medium, as the newest.
    fn last(&self) -> Note {
        Note(self.0.with_extension("last"))
    }

    /// Notes the greatest number of what is kept, where that is not noted: an earlier version gave numbers and kept no note of them.
    ///
    /// # Errors
    /// When the medium fails, or does not take it.
    pub fn note(&self) -> Result<(), Error> {
        let newest = newest(&self.list()?);
        match newest > self.last().read().unwrap_or(0) {
            true => self.last().write(&newest).map_err(self.failed()),
            false => Ok(()),
        }
    }

    /// What is kept, the newest first.
    ///
    /// # Errors
    /// When the medium fails.
    pub fn list(&self) -> Result<Vec<Kept>, Error> {
        let folder = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            folder => folder.map_err(self.failed())?,
        };
        let mut all = Vec::new();
        for entry in folder {
            let entry = entry.map_err(self.failed())?;
            let about = entry.metadata().map_err(self.failed())?;
            let Ok(filename) = entry.file_name().into_string() else {
                continue;
            };
            if about.is_file() && filename.ends_with(END) {
                let made = about.modified().ok().and_then(|at| Time::try_from(at).ok());
                all.push(Kept {
                    filename,
                    bytes: about.len(),
                    made: made.unwrap_or(Time::UNIX_EPOCH),
                });
            }
        }
        all.sort_by(|a, b| (number(&b.filename), &b.filename).cmp(&(number(&a.filename), &a.filename)));
        Ok(all)
    }

    /// Keeps a backup that was made at `now`; the oldest give way to it.
    ///
    /// # Errors
    /// When the medium does not take it, or it would leave less than a fifth of DATA free; nothing is kept of it then.
    pub fn put(&self, backup: &Held, now: Time) -> Result<Kept, Error> {
        fs::create_dir_all(&self.0).map_err(self.failed())?;
        let earlier = self.list()?;
        // What gives way to it goes when it is there: until then there has to be room for both, and afterwards the fifth.
        if let Some((all, free)) = (self.1)(&self.0)
            && backup.len()
                > share(
                    all,
                    free + surplus(&earlier, backup.len()).map(|old| old.bytes).sum::<u64>(),
                )
                .min(free)
        {
            return Err(Error::Full(Full::Share {
                bytes: backup.len(),
                free,
                kept: all / FREE_SHARE,
            }));
        }
        let next = newest(&earlier).max(self.last().read().unwrap_or(0)).saturating_add(1);
        let filename = format!("kiln-{next:06}-{}{END}", now.strftime("%Y%m%d-%H%M%S-%3f"));
        let half = self.0.join("half");
        let written = File::create(&half).and_then(|mut file| {
            self.last().write(&next)?;
            std::io::copy(&mut backup.reader(), &mut file)?;
            file.sync_all()?;
            fs::rename(&half, self.0.join(&filename))?;
            File::open(&self.0)?.sync_all()
        });
        if let Err(error) = written {
            // What came in part is in nobody's way: the next one is written over it.
            let _gone = fs::remove_file(&half);
            return Err(self.failed()(error));
        }
        // Only now: where this one found no room, the earlier ones are all there is.
        for old in surplus(&earlier, backup.len()) {
            fs::remove_file(self.0.join(&old.filename)).map_err(self.failed())?;
        }
        Ok(Kept {
            filename,
            bytes: backup.len(),
            made: now,
        })
    }

    /// Where the backup of this name is; `None` where there is none. Only what is listed has a place.
    fn place(&self, filename: &str) -> Result<Option<PathBuf>, Error> {
        let found = self.list()?.into_iter().find(|kept| kept.filename == filename);
        Ok(found.map(|kept| self.0.join(kept.filename)))
    }

    /// The backup of this name.
    ///
    /// # Errors
    /// When the medium fails.
    pub fn read(&self, filename: &str) -> Result<Option<Held>, Error> {
        let place = self.place(filename)?;
        let held = |place| File::open(place).and_then(Held::of).map_err(self.failed());
        place.map(held).transpose()
    }

    /// Takes the backup of this name away; false if there is none.
    ///
    /// # Errors
    /// When the medium fails.
    pub fn remove(&self, filename: &str) -> Result<bool, Error> {
        let place = self.place(filename)?;
        place
            .map(|place| fs::remove_file(place).map_err(self.failed()))
            .transpose()
            .map(|gone| gone.is_some())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_wrap, reason = "tests")]
    use std::io::{Read, Write};

    use super::super::Spool;
    use super::*;

    fn on_roomy(data: &Path) -> Shelf {
        Shelf(data.join("backups"), |_| Some((100 << 30, 90 << 30)))
    }

    #[test]
    fn a_fifth_of_the_medium_stays_free_and_who_asks_for_more_is_told() {
        for (all, free, fits) in [(100, 100, 80), (100, 21, 1), (100, 20, 0), (100, 3, 0), (0, 0, 0)] {
            assert_eq!(share(all, free), fits, "{free} of {all}");
        }
        let dir = tempfile::tempdir().unwrap();
        let on = |medium: Medium| Shelf(dir.path().join("backups"), medium);
        let why = on(|_| Some((100, 22))).put(&abc(), Time::UNIX_EPOCH).unwrap_err();
        let why = why.to_string();
        assert!(why.contains("3 bytes") && why.contains("22 bytes are free"), "{why}");
        assert_eq!(on(medium).list().unwrap(), [], "nothing is kept of it");
        assert_eq!(fs::read_dir(dir.path().join("backups")).unwrap().count(), 0);
        on(|_| Some((100, 23))).put(&abc(), Time::UNIX_EPOCH).unwrap();
        // A medium that does not answer is asked by writing.
        on(|_| None).put(&abc(), Time::UNIX_EPOCH).unwrap();
        assert!(medium(dir.path()).is_some_and(|(all, free)| all >= free && all > 0));
    }

    /// A box whose shelf is full makes one for one, though nothing is left above the fifth; but only where both have room for a while.
    #[test]
    fn what_gives_way_counts_as_room_for_what_comes() {
        let dir = tempfile::tempdir().unwrap();
        let on = |medium: Medium| Shelf(dir.path().join("backups"), medium);
        for n in 0..6_i64 {
            on_roomy(dir.path()).put(&abc(), Time::from_second(n).unwrap()).unwrap();
        }
        assert!(
            on(|_| Some((100, 20))).put(&abc(), Time::UNIX_EPOCH).is_err(),
            "none gives way yet"
        );
        on(|_| Some((100, 23))).put(&abc(), Time::UNIX_EPOCH).unwrap();
        on(|_| Some((100, 20))).put(&abc(), Time::UNIX_EPOCH).unwrap();
        assert!(on(|_| Some((100, 19))).put(&abc(), Time::UNIX_EPOCH).is_err());
        assert!(
            on(|_| Some((1, 2))).put(&abc(), Time::UNIX_EPOCH).is_err(),
            "no room for both"
        );
        assert_eq!(on(medium).list().unwrap().len(), MOST);
    }

    fn abc() -> Held {
        let mut spool = Spool::new(Path::new("/"), 100).unwrap();
        spool.write_all(b"abc").unwrap();
        spool.finish()
    }

    fn read(shelf: &Shelf, name: &str) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        shelf.read(name).unwrap()?.reader().read_to_end(&mut all).unwrap();
        Some(all)
    }

    #[test]
    fn the_oldest_give_way_and_only_what_is_listed_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = on_roomy(dir.path());
        assert_eq!(shelf.list().unwrap(), []);
        fs::write(dir.path().join("secret.backup"), "x").unwrap();
        for n in 0..9_i64 {
            shelf.put(&abc(), Time::from_second(n).unwrap()).unwrap();
        }
        let names: Vec<String> = shelf.list().unwrap().into_iter().map(|kept| kept.filename).collect();
        assert_eq!(names.len(), MOST);
        assert_eq!(names[0], "kiln-000009-19700101-000008-000.backup");
        assert_eq!(names[6], "kiln-000003-19700101-000002-000.backup");
        assert_eq!(read(&shelf, &names[0]).as_deref(), Some(&b"abc"[..]));
        for other in [
            "../secret.backup",
            "half",
            "",
            ".",
            "kiln-000001-19700101-000000-000.backup",
        ] {
            assert_eq!(read(&shelf, other), None, "{other}");
            assert!(!shelf.remove(other).unwrap(), "{other}");
        }
        assert!(shelf.remove(&names[0]).unwrap() && !shelf.remove(&names[0]).unwrap());
    }

    #[test]
    fn a_clock_that_stands_wrong_changes_no_order() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = on_roomy(dir.path());
        fs::create_dir(dir.path().join("backups")).unwrap();
        // As earlier versions named them.
        for old in ["kiln-20261120-101500-000.backup", "kiln-20271120-101500-000.backup"] {
            fs::write(dir.path().join("backups").join(old), "abc").unwrap();
        }
        let at = [5_000_000_000, 7, 1_800_000_000, 8, 9, 10];
        let made: Vec<String> = at
            .iter()
            .map(|at| shelf.put(&abc(), Time::from_second(*at).unwrap()).unwrap().filename)
            .collect();
        let mut newest_first: Vec<String> = shelf.list().unwrap().into_iter().map(|kept| kept.filename).collect();
        assert_eq!(newest_first.pop().as_deref(), Some("kiln-20271120-101500-000.backup"));
        newest_first.reverse();
        assert_eq!(newest_first, made);
    }

    /// Memory goes on with the files of the state but not with the shelf, which stays with the medium.
    #[test]
    fn one_made_while_the_medium_was_away_is_the_newest_when_it_is_back() {
        // The medium's were made by this version, or by an earlier one, which noted no number.
        for noted in [true, false] {
            away(noted);
        }
    }

    fn away(noted: bool) {
        let (medium, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let files = |from: &Path, to: &Path| {
            for entry in fs::read_dir(from).unwrap().flatten() {
                if entry.metadata().unwrap().is_file() {
                    fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
                }
            }
        };
        let put = |at: &Path, second| {
            let at = on_roomy(at);
            at.put(&abc(), Time::from_second(second).unwrap()).unwrap().filename
        };
        for n in 0..MOST as i64 {
            put(medium.path(), n);
        }
        if !noted {
            fs::remove_file(medium.path().join("backups.last")).unwrap();
        }
        on_roomy(medium.path()).note().unwrap();
        files(medium.path(), memory.path());
        on_roomy(memory.path()).note().unwrap();
        let meanwhile = put(memory.path(), 864_000);
        files(memory.path(), medium.path());
        files(&memory.path().join("backups"), &medium.path().join("backups"));
        let after = put(medium.path(), 864_060);
        let kept = on_roomy(medium.path()).list().unwrap();
        assert_eq!(kept.len(), MOST);
        assert_eq!([&kept[0].filename, &kept[1].filename], [&after, &meanwhile], "{kept:?}");
    }

    #[test]
    fn where_one_cannot_be_written_the_earlier_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = on_roomy(dir.path());
        for n in 0..MOST as i64 {
            shelf.put(&abc(), Time::from_second(n).unwrap()).unwrap();
        }
        let before = shelf.list().unwrap();
        fs::create_dir(dir.path().join("backups/half")).unwrap();
        shelf.put(&abc(), Time::from_second(99).unwrap()).unwrap_err();
        assert_eq!(shelf.list().unwrap(), before);
    }

    #[test]
    fn together_they_take_no_more_than_their_room_and_the_newest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = on_roomy(dir.path());
        shelf.put(&abc(), Time::from_second(1).unwrap()).unwrap();
        let large = shelf.put(&abc(), Time::from_second(2).unwrap()).unwrap();
        let path = dir.path().join("backups").join(&large.filename);
        File::options().write(true).open(path).unwrap().set_len(BYTES).unwrap();
        let newest = shelf.put(&abc(), Time::from_second(3).unwrap()).unwrap();
        let names: Vec<String> = shelf.list().unwrap().into_iter().map(|kept| kept.filename).collect();
        assert_eq!(names, [newest.filename]);
    }
}
