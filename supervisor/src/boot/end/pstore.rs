//! Crash dumps of the kernel: taken out of pstore, which is small, onto DATA.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::boot::data::whole;
use crate::shell::clock;

/// Where the kernel shows them.
pub const AT: &str = "/sys/fs/pstore";
/// Where it says which store has registered.
pub const BACKEND: &str = "/sys/module/pstore/parameters/backend";
/// The driver that keeps them in memory, which outlives most restarts and no power cut.
pub const IN_MEMORY: &str = "ramoops";
/// Folder of those that were taken, in PID 1's own.
const FOLDER: &str = "pstore";
/// Dumps, or parts of them, that are taken at a time, and that are kept: a panic has some ten.
const KEPT: usize = 64;
/// Longest that is kept, in bytes.
const BYTES_MAX: u64 = 64 << 10;

/// How the kernel begins each part of a panic's dump.
const PANIC: &[u8] = b"Panic#";

/// What the line that tells most has, best first. (The kernel's command line, too, has a word `panic`.)
const TELLING: [&str; 3] = ["Kernel panic - not syncing", "BUG: ", "Oops: "];

/// Whether nothing keeps them yet, by what [`BACKEND`] says; a kernel that has no such file can keep none.
pub fn has_none(backend: &str) -> bool {
    backend.trim() == "(null)"
}

/// The name that a dump is kept under, and `at`, its time. Memory numbers its dumps anew in each boot, and the next crash would
/// take the last one's place.
fn kept_name(name: &str, at: Option<u64>) -> String {
    match at {
        Some(at) if name.contains(IN_MEMORY) => format!("{name}-{at}"),
        _ => name.to_owned(),
    }
}

/// How much a line of a dump tells, and the line; less is better.
fn telling(text: &str) -> Option<(usize, String)> {
    // PID 1 has told in this log how the boot before ended.
    let rank = |l: &str| TELLING.iter().position(|t| l.contains(t) && !l.contains("kiln-init: "));
    let (rank, line) = text
        .lines()
        .filter_map(|l| Some((rank(l)?, l)))
        .min_by_key(|(r, _)| *r)?;
    Some((rank, line.chars().take(200).collect()))
}

/// The lines that tell most of the dumps that were found.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Of the last boot.
    pub last: Option<String>,
    /// Of a boot before that: nobody had looked, or a driver came too late for who did.
    pub older: Option<String>,
}

/// Moves the kernel's crash dumps from `pstore` into `dir`. One from before `since`, when the last boot left its mark of life,
/// is of a boot before that one; where either time is not known, it is the last boot's. What this boot has left since `began`,
/// where that is given, waits for the next one: but for a panic, which no boot outlives.
pub fn collect(pstore: &Path, dir: &Path, since: Option<u64>, began: Option<u64>) -> Found {
    let (mut last, mut older) = (None, None);
    let to = dir.join(FOLDER);
    for entry in fs::read_dir(pstore).into_iter().flatten().flatten().take(KEPT) {
        let mut bytes = Vec::new();
        let read = fs::File::open(entry.path()).and_then(|f| f.take(BYTES_MAX).read_to_end(&mut bytes));
        if read.is_err() {
            continue;
        }
        let at = entry.metadata().and_then(|m| m.modified()).ok().and_then(seconds);
        if at.zip(began).is_some_and(|(at, began)| at >= began) && !bytes.starts_with(PANIC) {
            continue;
        }
        let which = match at.zip(since) {
            Some((at, since)) if at < since => &mut older,
            _ => &mut last,
        };
        *which = which
            .take()
            .into_iter()
            .chain(telling(&String::from_utf8_lossy(&bytes)))
            .min();
        let _ = fs::create_dir_all(&to);
        let name = kept_name(&entry.file_name().to_string_lossy(), at);
        if whole::replace(&to.join(name), &bytes).is_ok() {
            let _ = fs::remove_file(entry.path());
        }
    }
    let kept = kept(dir);
    for path in kept.iter().take(kept.len().saturating_sub(KEPT)) {
        let _ = fs::remove_file(path);
    }
    Found {
        last: last.map(|(_, line)| line),
        older: older.map(|(_, line)| line),
    }
}

/// The dumps that were taken into `dir`, the oldest first.
pub(crate) fn kept(dir: &Path) -> Vec<PathBuf> {
    let mut kept: Vec<(SystemTime, PathBuf)> = fs::read_dir(dir.join(FOLDER))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path())))
        .collect();
    kept.sort();
    kept.into_iter().map(|(_, path)| path).collect()
}

/// When this boot began, in seconds since 1970 by the clock as it is now.
pub fn began() -> Option<u64> {
    Some(seconds(SystemTime::now())?.saturating_sub(clock::now() / 1000))
}

/// Seconds since 1970; a dump's time has no parts of them.
pub fn seconds(at: SystemTime) -> Option<u64> {
    at.duration_since(SystemTime::UNIX_EPOCH).ok().map(|d| d.as_secs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::time::Duration;

    #[test]
    fn crash_dumps_are_collected_once() {
        let (p, d) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // A dump has several parts; which one is read first is chance.
        for part in ["dmesg-0", "dmesg-2"] {
            let text = "Panic#1 Part2\n<5>Kernel command line: panic=10\n<1>BUG: unable to handle page fault\n";
            fs::write(p.path().join(part), text).unwrap();
        }
        fs::write(
            p.path().join("dmesg-1"),
            "Panic#1\n<4>all is well\n<0>Kernel panic - not syncing: x\n",
        )
        .unwrap();
        let found = collect(p.path(), d.path(), None, None);
        assert!(found.last.unwrap().contains("Kernel panic - not syncing: x"));
        assert_eq!(found.older, None);
        assert_eq!(collect(p.path(), d.path(), None, None), Found::default());
        assert_eq!(kept(d.path()).len(), 3);
    }

    #[test]
    fn a_dump_from_before_the_last_boot_is_not_told_of_it() {
        let (p, d) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dump = |name: &str, at: u64, line: &str| {
            fs::write(p.path().join(name), format!("Kernel panic - not syncing: {line}\n")).unwrap();
            let file = fs::File::options().write(true).open(p.path().join(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(at))
                .unwrap();
        };
        dump("dmesg-a", 99, "old");
        assert_eq!(collect(p.path(), d.path(), Some(100), None).last, None);
        dump("dmesg-a", 99, "old");
        dump("dmesg-b", 100, "new");
        let found = collect(p.path(), d.path(), Some(100), None);
        assert!(found.last.unwrap().ends_with("new") && found.older.unwrap().ends_with("old"));
        dump("dmesg-c", 99, "without a mark of life");
        assert!(collect(p.path(), d.path(), None, None).last.is_some());
    }

    #[test]
    fn what_this_boot_has_left_is_not_told_of_the_last_one() {
        let (p, d) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(p.path().join("dmesg-0"), "Oops#1 Part1\n<1>BUG: in this boot\n").unwrap();
        fs::write(
            p.path().join("dmesg-1"),
            "Panic#1 Part1\n<0>Kernel panic - not syncing: x\n",
        )
        .unwrap();
        let found = collect(p.path(), d.path(), None, Some(1_000_000_000));
        assert!(found.last.unwrap().ends_with("syncing: x"), "its clock was ahead");
        assert!(p.path().join("dmesg-0").exists(), "the next boot tells it");
        let found = collect(p.path(), d.path(), None, Some(4_000_000_000));
        assert!(found.last.unwrap().ends_with("in this boot"));
        assert!(began().unwrap() > 1_000_000_000);
    }

    #[test]
    fn a_crash_kept_in_memory_does_not_take_the_last_ones_place() {
        let (p, d) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for at in [100, 200, 200] {
            let dump = p.path().join("dmesg-ramoops-0");
            fs::write(&dump, "Panic#1 Part1\n<0>Kernel panic - not syncing: x\n").unwrap();
            let file = fs::File::options().write(true).open(&dump).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(at))
                .unwrap();
            assert!(collect(p.path(), d.path(), None, None).last.is_some());
        }
        assert_eq!(kept(d.path()).len(), 2, "and one that is found twice is kept once");
    }

    #[test]
    fn what_was_told_of_the_crash_before_is_not_told_of_this_one() {
        let own =
            "<28>[    9.8] kiln-init: why the last boot ended: the kernel crashed: Kernel panic - not syncing: old";
        let text = format!("Panic#1 Part1\n{own}\n<0>[   24.1] Kernel panic - not syncing: new\n");
        assert!(telling(&text).unwrap().1.ends_with("] Kernel panic - not syncing: new"));
        assert_eq!(telling(own), None);
    }

    #[test]
    fn memory_keeps_crashes_only_where_nothing_else_does() {
        for (backend, none) in [
            ("(null)\n", true),
            ("erst\n", false),
            ("efi_pstore\n", false),
            ("", false),
        ] {
            assert_eq!(has_none(backend), none, "{backend:?}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_size() {
        let (p, d) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for round in 0..3 {
            for n in 0..30 {
                let bytes = vec![b'x'; usize::try_from(BYTES_MAX).unwrap() + 9];
                fs::write(p.path().join(format!("dmesg-{round}-{n}")), bytes).unwrap();
            }
            collect(p.path(), d.path(), None, None);
        }
        let kept = kept(d.path());
        assert_eq!(kept.len(), KEPT);
        assert!(kept.iter().all(|f| fs::metadata(f).unwrap().len() == BYTES_MAX));
        assert!(
            kept.iter().filter(|f| f.to_string_lossy().contains("dmesg-2-")).count() == 30,
            "the newest"
        );
    }
}
