//! Which disk is the boot medium: the one with the boot loader's partition and mark, however late it comes and whatever else
//! hangs. Tested: here, over loop devices.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::ask::Asked;
use super::found::Found;
use super::mark;
use super::said::progress;
use crate::boot::table::gpt::{Gpt, guid_text};
use crate::shell::helper::Line;

/// How long the medium is waited for.
pub(in crate::boot) const PATIENCE: Patience = Patience {
    appears: Duration::from_mins(1),
    alone: Duration::from_secs(15),
};
/// Between two looks for it.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// How long one look waits for disks that do not answer.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);

/// How long a medium is waited for.
#[derive(Debug, Clone, Copy)]
pub(in crate::boot) struct Patience {
    /// How long it may take to appear before state goes on in RAM.
    appears: Duration,
    /// How long others that are like it may take to appear, where no mark tells it from them: a slow USB hub's, too.
    alone: Duration,
}

/// Waits for the medium for as long as a slow one takes; else tells why there is none.
pub(in crate::boot) fn find(
    line: &Line,
    part: &str,
    marked: Option<&str>,
    patience: Patience,
) -> Result<Found, String> {
    let mut told = false;
    let mut search = Search::new(patience.alone);
    let begun = search.begun;
    while begun.elapsed() < patience.appears {
        if let Some(found) = search.sure(part, marked) {
            return Ok(found);
        }
        if search.alike.len() > 1 && begun.elapsed() >= patience.alone {
            break;
        }
        if !told && begun.elapsed() > Duration::from_secs(8) {
            let waits = match search.alike.is_empty() {
                true => "waiting for the boot medium",
                false => "the boot loader could not mark its medium: waiting for others like it",
            };
            progress(line, waits);
            told = true;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let alike: Vec<&str> = search.alike.values().map(|found| found.disk.as_str()).collect();
    Err(absent(&alike, &search.unmarked, patience.appears))
}

/// Why there is no medium: these are alike, and the boot loader could mark none; or `unmarked` have its partitions and not the
/// mark that the boot loader has just written. None of them is taken: on one that keeps no writes nothing could be kept, and a
/// copy is not the box's.
fn absent(alike: &[&str], unmarked: &[String], waited: Duration) -> String {
    let within = format!("the boot medium did not appear within {} s", waited.as_secs());
    match (alike, unmarked) {
        ([], []) => within,
        ([], some) => format!(
            "{within}; with its partitions, but without what the boot loader has written at this start, there is {}: a copy, or a medium that keeps no writes and has to be replaced",
            some.join(", ")
        ),
        ([one], _) => format!(
            "{one} has the boot medium's partitions, but the boot loader could write nothing to it, and another disk that does not answer may have them, too"
        ),
        (some, _) => format!(
            "the boot loader could write nothing to its medium, and more than one disk has its partitions: {}. None is used; pull those that are copies and restart the box",
            some.join(", ")
        ),
    }
}

/// A disk's name, which goes to the next one that comes, with its sequence number, which does not.
fn numbered(disk: &str) -> String {
    let number = fs::read_to_string(Path::new("/sys/class/block").join(disk).join("diskseq")).unwrap_or_default();
    format!("{disk} {}", number.trim())
}

/// The search for the medium: every disk is read in a process of its own, so that one that hangs hides no other.
#[derive(Debug)]
pub(in crate::boot) struct Search {
    begun: Instant,
    /// How long others that are like one without a mark are waited for.
    alone: Duration,
    /// Disks that were read and are not it.
    others: BTreeSet<String>,
    /// Those that have the partition where there is no mark to tell them apart, by their place in `/sys`.
    alike: BTreeMap<PathBuf, Found>,
    /// Those of them that have the partition and not the mark, e.g. `sda`.
    unmarked: Vec<String>,
    asked: Asked,
}

/// What a disk is, as the process that read it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    Medium = 1,
    Other = 2,
    /// It could not be read, or its partitions have no nodes yet.
    Unclear = 3,
    /// It has the partition and not the mark.
    Unmarked = 4,
}

impl Default for Search {
    fn default() -> Self {
        Self::new(PATIENCE.alone)
    }
}

impl Search {
    fn new(alone: Duration) -> Self {
        Self {
            begun: Instant::now(),
            alone,
            others: BTreeSet::new(),
            alike: BTreeMap::new(),
            unmarked: Vec::new(),
            asked: Asked::default(),
        }
    }

    /// The medium, once it is sure which disk that is: the one with the mark; without one, the only one that has the partition,
    /// when others have had their time to come. The rest may be copies, which must not be written to.
    pub(in crate::boot) fn sure(&mut self, part: &str, marked: Option<&str>) -> Option<Found> {
        while let Some(found) = self.look(part, marked) {
            if marked.is_some() {
                return Some(found);
            }
            self.pass_over(&found);
            self.alike.insert(found.sys.clone(), found);
        }
        // One that has not answered may be like it, too.
        if self.begun.elapsed() < self.alone || !self.asked.is_empty() {
            return None;
        }
        self.alike.retain(|_, found| found.present());
        match self.alike.len() {
            1 => self.alike.pop_first().map(|(_, found)| found),
            _ => None,
        }
    }

    /// The disk that has this partition and, where GRUB has left one, its mark: another stick may have the same image.
    /// Waits a short time for those that do not answer; they are heard at a later look.
    ///
    /// (The kernel's uevents name no PARTUUID before 6.13.)
    pub(in crate::boot) fn look(&mut self, part: &str, marked: Option<&str>) -> Option<Found> {
        for entry in fs::read_dir("/sys/class/block").into_iter().flatten().flatten() {
            let disk = entry.file_name().to_string_lossy().into_owned();
            let this = numbered(&disk);
            if entry.path().join("partition").exists() || self.others.contains(&this) || self.asked.has(&this) {
                continue;
            }
            self.asked.ask(&this, || is(&disk, &entry.path(), part, marked) as u8);
        }
        for (this, said) in self.asked.answers(ANSWERS_WITHIN) {
            if said == Some(Is::Other as u8) {
                self.others.insert(this);
            } else if said == Some(Is::Unmarked as u8) {
                self.unmarked.extend(this.split(' ').next().map(str::to_owned));
                self.others.insert(this);
            } else if said == Some(Is::Medium as u8)
                && let Some((disk, count)) = this.split_once(' ').filter(|(disk, _)| numbered(disk) == this)
                && let Ok(sys) = fs::canonicalize(Path::new("/sys/class/block").join(disk))
            {
                return Some(Found {
                    disk: disk.to_owned(),
                    sys,
                    count: count.to_owned(),
                });
            }
        }
        None
    }

    /// Not to be looked at again.
    pub(in crate::boot) fn pass_over(&mut self, found: &Found) {
        self.others.insert(numbered(&found.disk));
    }
}

/// Reads a disk; where it may hang, in a process of its own.
pub(super) fn is(disk: &str, sys: &Path, part: &str, marked: Option<&str>) -> Is {
    let sectors = fs::read_to_string(sys.join("size")).unwrap_or_default();
    let read = || {
        let f = File::open(Path::new("/dev").join(disk))?;
        let g = Gpt::read(&f, sectors.trim().parse().unwrap_or(0))?;
        let named = g.partitions.iter().find(|p| guid_text(&p.guid) == part);
        let said = match (named, marked) {
            (None, _) => Is::Other,
            (Some(p), Some(mark)) if mark::read(&f, p.first)?.as_deref() != Some(mark) => Is::Unmarked,
            (Some(_), _) => Is::Medium,
        };
        Ok::<_, io::Error>((g, said))
    };
    match read() {
        Ok((g, Is::Medium)) => {
            // The kernel makes the disk's node first and the partitions' a moment later.
            let found = Found::now(disk.to_owned(), sys.to_owned());
            match g.partitions.iter().all(|p| found.partition(p.number).exists()) {
                true => Is::Medium,
                false => Is::Unclear,
            }
        }
        Ok((_, said)) => said,
        Err(e) if e.kind() == io::ErrorKind::InvalidData => Is::Other,
        Err(_) => Is::Unclear,
    }
}

#[cfg(test)]
pub(in crate::boot) mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::process::Command;

    use nix::mount::{MsFlags, mount};
    use nix::sys::stat::{Mode, SFlag, mknod, stat};
    use rig::{Loop, not_run};

    use super::*;
    use crate::boot::table::gpt::SECTOR;

    pub(in crate::boot) fn done(program: &str, arguments: &[&str]) -> Result<String, String> {
        let out = Command::new(program).args(arguments).output();
        let out = out.map_err(|e| format!("{program}: {e}"))?;
        match out.status.success() {
            true => Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned()),
            false => Err(format!("{program}: {}", String::from_utf8_lossy(&out.stderr))),
        }
    }

    /// Gives this thread a `/dev` of its own, with loop devices over these files alone and a node for each partition.
    pub(in crate::boot) fn disks(files: &[PathBuf]) -> Result<Vec<Loop>, String> {
        let told = |e: nix::Error| format!("mounts of its own: {e}");
        let loops: Result<Vec<Loop>, String> = files.iter().map(|f| Loop::over(f)).collect();
        let loops = loops?;
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).map_err(told)?;
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(told)?;
        let numbers: Vec<u64> = loops.iter().map(|l| stat(&l.node).unwrap().st_rdev).collect();
        mount(Some("none"), "/dev", Some("tmpfs"), MsFlags::empty(), none).map_err(told)?;
        for (node, number) in loops.iter().zip(numbers) {
            mknod(&node.node, SFlag::S_IFBLK, Mode::S_IRUSR, number).map_err(told)?;
            for n in 1..=3 {
                File::create(format!("{}p{n}", node.node.display())).unwrap();
            }
        }
        Ok(loops)
    }

    /// What is found where the boot loader could not mark its medium and these are there.
    fn unmarked(files: &[PathBuf], part: &str) -> Option<Result<String, String>> {
        let (files, part) = (files.to_vec(), part.to_owned());
        // A thread of its own: other tests keep the `/dev` that they have.
        let look = move || {
            let loops = match disks(&files) {
                Ok(loops) => loops,
                Err(why) => {
                    not_run(&why);
                    return None;
                }
            };
            let patience = Patience {
                appears: Duration::from_secs(10),
                alone: Duration::from_secs(1),
            };
            let found = find(&Line::unheard().unwrap(), &part, None, patience);
            let place = |f: &Found| {
                loops
                    .iter()
                    .position(|l| l.node.ends_with(&f.disk))
                    .unwrap()
                    .to_string()
            };
            Some(found.as_ref().map(place).map_err(Clone::clone))
        };
        std::thread::spawn(look).join().unwrap()
    }

    #[test]
    fn of_two_that_no_mark_tells_apart_neither_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let [one, copy, other] = ["one", "copy", "other"].map(|n| dir.path().join(n));
        for file in [&one, &other] {
            File::create(file).unwrap().set_len(8 << 20).unwrap();
            let (parts, kinds) = (
                ["1:2048:4095", "2:4096:8191", "3:8192:0"],
                ["1:ef02", "2:ef00", "3:8300"],
            );
            let mut arguments = vec!["-o"];
            for (part, kind) in parts.iter().zip(&kinds) {
                arguments.extend(["-n", part, "-t", kind]);
            }
            let at = file.to_string_lossy();
            arguments.push(&at);
            done("sgdisk", &arguments).unwrap();
        }
        fs::copy(&one, &copy).unwrap();
        let f = File::open(&one).unwrap();
        let gpt = Gpt::read(&f, (8 << 20) / SECTOR).unwrap();
        let part = guid_text(&gpt.partitions[1].guid);
        if let Some(found) = unmarked(&[one.clone(), copy, other.clone()], &part) {
            let why = found.unwrap_err();
            assert!(why.contains("more than one"), "{why}");
        }
        if let Some(found) = unmarked(&[other, one], &part) {
            assert_eq!(found, Ok("1".to_owned()));
        }
    }

    #[test]
    fn what_only_looks_like_the_medium_is_named_where_there_is_none() {
        let absent = |alike: &[&str], unmarked: &[&str]| {
            let unmarked: Vec<String> = unmarked.iter().map(|u| (*u).to_owned()).collect();
            absent(alike, &unmarked, PATIENCE.appears)
        };
        assert!(absent(&[], &[]).ends_with("within 60 s"));
        assert!(absent(&["sda"], &[]).contains("sda has") && absent(&["sda", "sdb"], &[]).contains("sda, sdb. None"));
        let told = absent(&[], &["sda", "sdb"]);
        assert!(
            told.contains("there is sda, sdb: a copy") && told.contains("keeps no writes"),
            "{told}"
        );
    }
}
