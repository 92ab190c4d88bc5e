//! Environments out of the way: a bad one is renamed with the date, its reason beside it; one of another
//! schema is renamed by it, and is there again for a program that knows it.
//!
//! What lies there never fills the medium: of bad environments four stay, of files with unreadable entries 64, the last and the
//! largest among them ([`leave`]). A person removes all of them by [`clear`]; those of another schema stay for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::discard::discard_all;
use crate::error::{Error, Result};
use crate::open::FILE_NAME;
use crate::take_out::unread;

/// Most bad environments that stay: the first damage and what came of it.
const STORES_MAX: usize = 4;

/// Most files with unreadable entries that stay: one start may make one for each table, which are some thirty.
pub(crate) const UNREAD_MAX: usize = 64;

/// Most bytes of a kind, those of two full stores; the last and the largest stay whatever they have.
const BYTES_MAX: u64 = 512 << 20;

/// How long is spent on writing over what goes at a start, which may take 90 s in all.
const AT_START: Duration = Duration::from_secs(10);

/// The same for a person who waits for it.
const ASKED_FOR: Duration = Duration::from_secs(30);

/// An environment that did not stand the check, or of another schema, that was renamed. To be shown to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where it lies now: `kiln.mdb.bad-20261120T151500Z` or `kiln.mdb.schema-1` in the same directory.
    pub path: PathBuf,
    /// What was wrong with it, in words.
    pub why: String,
}

/// Part of the name that marks a bad environment.
const MARK: &str = ".bad-";

/// Part of the name that marks one of another schema.
const OTHER: &str = ".schema-";

/// Renames `file` to a dated name and writes the reason beside it.
pub(crate) fn set_aside(file: &Path, why: String, now: jiff::Timestamp) -> Result<SetAside> {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ");
    let mut path = PathBuf::new();
    for n in 1_u32.. {
        let number = if n == 1 { String::new() } else { format!("-{n}") };
        path = file.with_file_name(format!("{FILE_NAME}{MARK}{stamp}{number}"));
        if !path.exists() {
            break;
        }
    }
    fs::rename(file, &path).map_err(Error::file("setting aside", file))?;
    // The reason is a convenience; on a medium that is full the renamed file alone still tells.
    let note = note_of(&path);
    if let Err(error) = fs::write(&note, &why) {
        tracing::warn!(%error, note = %note.display(), "the reason for setting a store aside was not written");
    }
    sync(file)?;
    tracing::error!(path = %path.display(), why, "a store was set aside");
    if let Some(dir) = file.parent() {
        let all = earlier(dir).into_iter().map(|aside| aside.path).collect();
        make_room(all, &path, STORES_MAX);
    }
    Ok(SetAside { path, why })
}

/// Renames `file` by the schema that wrote it, where that name is free: its entries are for whoever knows them, such as the
/// program of before an update, to which the box may fall back.
pub(crate) fn keep_for(schema: u32, file: &Path, own: u32) -> Result<SetAside> {
    let why = format!("it was written by schema {schema}; this program knows schema {own}");
    let path = named(file, schema);
    if path.exists() {
        return set_aside(file, why, jiff::Timestamp::now());
    }
    fs::rename(file, &path).map_err(Error::file("setting aside", file))?;
    sync(file)?;
    tracing::warn!(path = %path.display(), why, "a store was put aside for its own schema");
    Ok(SetAside { path, why })
}

/// Gives what was kept for this schema its name `file` again; false where there is none. To be called only while no environment
/// has that name.
pub(crate) fn bring_back(schema: u32, file: &Path) -> Result<bool> {
    let path = named(file, schema);
    match fs::rename(&path, file) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::file("bringing back", &path)(error)),
    }
    sync(file)?;
    tracing::warn!(path = %path.display(), "a store that was put aside for this schema is in use again");
    Ok(true)
}

fn named(file: &Path, schema: u32) -> PathBuf {
    file.with_file_name(format!("{FILE_NAME}{OTHER}{schema}"))
}

/// The new names are on the medium.
fn sync(file: &Path) -> Result<()> {
    let Some(dir) = file.parent() else { return Ok(()) };
    let sync = fs::File::open(dir).and_then(|dir| dir.sync_all());
    sync.map_err(Error::file("syncing", dir))
}

/// What this process has set aside. By their names these may not be the last: the clock may have stood anywhere.
static MADE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes the files, oldest first, that are too many (`most` stay) beside `last`, which has just come, and what else came in
/// this run.
pub(crate) fn make_room(all: Vec<PathBuf>, last: &Path, most: usize) {
    let made = {
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        made.push(last.to_owned());
        made.clone()
    };
    let (mut files, newest): (Vec<PathBuf>, Vec<PathBuf>) = all.into_iter().partition(|path| !made.contains(path));
    let own = newest.len();
    files.extend(newest);
    let sizes: Vec<u64> = files.iter().map(|path| bytes_of(path)).collect();
    let gone: Vec<PathBuf> = leave(&sizes, own, most)
        .into_iter()
        .filter_map(|n| files.get(n).cloned())
        .collect();
    if gone.is_empty() {
        return;
    }
    match discard_with_notes(&gone, AT_START) {
        Ok(()) => tracing::warn!(?gone, "what was set aside earlier was removed: there were too many"),
        Err(error) => tracing::warn!(%error, ?gone, "what was set aside earlier was not removed"),
    }
}

/// Removes these files and the reasons beside them.
fn discard_with_notes(files: &[PathBuf], within: Duration) -> std::io::Result<()> {
    let notes: Vec<PathBuf> = files.iter().map(|path| note_of(path)).collect();
    discard_all(files.iter().chain(&notes).map(PathBuf::as_path), within)
}

/// Which of these files, by their sizes in bytes and oldest first, have to go: the last stay, so many as are this run's `own`, and
/// the largest, which has the most history; of the others the newest, as far as their number (`most`) and bytes allow.
fn leave(sizes: &[u64], own: usize, most: usize) -> Vec<usize> {
    let largest = (0..sizes.len()).max_by_key(|n| sizes.get(*n).copied().unwrap_or(0));
    let always = |n: usize| n + own >= sizes.len() || Some(n) == largest;
    let stays = sizes.iter().enumerate().filter(|(n, _)| always(*n));
    let (mut files, mut bytes) = stays.fold((0, 0_u64), |(files, bytes), (_, size)| {
        (files + 1, bytes.saturating_add(*size))
    });
    let mut gone = Vec::new();
    for (n, size) in sizes.iter().enumerate().rev().filter(|(n, _)| !always(*n)) {
        let after = bytes.saturating_add(*size);
        if files < most && after <= BYTES_MAX {
            (files, bytes) = (files + 1, after);
        } else {
            gone.push(n);
        }
    }
    gone
}

fn bytes_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |about| about.len())
}

/// A file that a person may remove: a bad environment, or entries that nothing could read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// Its name in the store's directory.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// What was wrong, in words.
    pub why: String,
}

/// What [`clear`] would remove from `dir`, oldest first, environments before entries.
pub fn asides(dir: &Path) -> Vec<Aside> {
    let of = |path: &Path, why: String| Aside {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        bytes: bytes_of(path),
        why,
    };
    let stores = earlier(dir).into_iter().map(|aside| of(&aside.path, aside.why));
    let entries = unread(dir).into_iter();
    let entries = entries.map(|path| of(&path, "entries that could not be read; each line says why".to_owned()));
    stores.chain(entries).collect()
}

/// Removes every environment that was set aside as bad, and every file with unreadable entries, bytes and all; how many.
///
/// # Errors
/// What the medium said first; the others are removed all the same.
pub fn clear(dir: &Path) -> Result<usize> {
    let all: Vec<PathBuf> = asides(dir).iter().map(|aside| dir.join(&aside.name)).collect();
    discard_with_notes(&all, ASKED_FOR).map_err(Error::file("removing what was set aside in", dir))?;
    Ok(all.len())
}

fn note_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".why");
    PathBuf::from(name)
}

/// Environments in `dir` that were set aside, now or in earlier runs, oldest first: a banner stays until a person has
/// taken them away.
pub fn earlier(dir: &Path) -> Vec<SetAside> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let begin = format!("{FILE_NAME}{MARK}");
    let mut found: Vec<SetAside> = entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with(&begin) && !name.ends_with(".why")
        })
        .map(|entry| {
            let path = entry.path();
            let why = fs::read_to_string(note_of(&path)).unwrap_or_else(|_| "the reason was not recorded".to_owned());
            SetAside { path, why }
        })
        .collect();
    found.sort_by_key(|aside| age(&aside.path));
    found
}

/// What sorts them by age: the name with its date, then the number behind it (`-2`, `-10`), none being the first.
pub(crate) fn age(path: &Path) -> (String, u64) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (begin, rest) = name.rsplit_once('-').unwrap_or((&name, ""));
    match rest.parse() {
        Ok(number) => (begin.to_owned(), number),
        Err(_) => (name, 1),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_last_and_the_largest_stay_and_the_newest_beside_them() {
        let mib = |sizes: &[u64]| sizes.iter().map(|size| size << 20).collect::<Vec<u64>>();
        for (sizes, gone) in [
            (&[][..], &[][..]),
            (&[9], &[]),
            (&[9, 1, 1, 1], &[]),
            (&[9, 1, 1, 1, 1], &[1]),
            (&[1, 9, 1, 1, 1, 1], &[2, 0]),
            // Of two as large, the newer one.
            (&[9, 9, 1, 1, 1], &[0]),
            (&[256, 250, 10, 240], &[1]),
            (&[600, 1, 600, 1], &[1, 0]),
        ] {
            assert_eq!(leave(&mib(sizes), 1, 4), gone, "{sizes:?}");
        }
        assert!(
            leave(&[1; 40], 1, UNREAD_MAX).is_empty(),
            "what one start took out stays"
        );
        assert_eq!(leave(&[1; 6], 5, 4), [0], "all of this run's own");
    }

    /// The next start of the program, as far as this folder goes.
    fn start_again(dir: &Path) {
        let mut made = MADE.lock().unwrap();
        made.retain(|path| !path.starts_with(dir));
    }

    #[test]
    fn what_came_at_this_start_stays_whatever_the_clock_says() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE_NAME);
        let damaged = |day: i64| {
            fs::write(&file, "damaged").unwrap();
            set_aside(
                &file,
                String::new(),
                jiff::Timestamp::from_second(day * 86_400).unwrap(),
            )
            .unwrap()
        };
        let old: Vec<SetAside> = (20_000..20_005).map(damaged).collect();
        start_again(dir.path());
        let now: Vec<SetAside> = (0..3).map(|_| damaged(0)).collect();
        assert!(now.iter().all(|aside| aside.path.exists()));
        assert_eq!(old.iter().filter(|aside| aside.path.exists()).count(), 1);
    }

    #[test]
    fn numbers_behind_a_date_sort_as_numbers() {
        let names = [
            "20260101T000000Z",
            "20260101T000000Z-2",
            "20260101T000000Z-10",
            "20260102T000000Z",
        ];
        let paths = names.map(|name| PathBuf::from(format!("/x/{FILE_NAME}{MARK}{name}")));
        let mut sorted = paths.to_vec();
        sorted.reverse();
        sorted.sort_by_key(|path| age(path));
        assert_eq!(sorted, paths);
    }

    #[test]
    fn a_row_of_damages_leaves_four_with_their_reasons_and_a_person_removes_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE_NAME);
        let day = |n: i64| jiff::Timestamp::from_second(n * 86_400).unwrap();
        // The clock stood in the future once: the last is not the last by its name.
        let days = [1, 2, 3, 900, 4, 5];
        let aside: Vec<SetAside> = days
            .iter()
            .map(|n| {
                start_again(dir.path());
                fs::write(&file, vec![7; if *n == 2 { 100 } else { 10 }]).unwrap();
                set_aside(&file, format!("day {n}"), day(*n)).unwrap()
            })
            .collect();
        let kept: Vec<String> = earlier(dir.path()).into_iter().map(|aside| aside.why).collect();
        assert_eq!(kept, ["day 2", "day 4", "day 5", "day 900"]);
        assert!(!note_of(&aside[0].path).exists());
        keep_for(
            7,
            &{
                fs::write(&file, "of a later version").unwrap();
                file.clone()
            },
            1,
        )
        .unwrap();
        fs::write(dir.path().join(format!("{FILE_NAME}.unread-19700101T000000Z")), "lines").unwrap();
        let all = asides(dir.path());
        assert_eq!(all.len(), 5);
        assert_eq!((all[0].bytes, all[0].why.as_str()), (100, "day 2"));
        assert!(all[4].name.contains(".unread-"));
        assert_eq!(clear(dir.path()).unwrap(), 5);
        let left: Vec<String> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(left, [format!("{FILE_NAME}.schema-7")], "that is for its own schema");
        assert_eq!(clear(dir.path()).unwrap(), 0);
    }
}
