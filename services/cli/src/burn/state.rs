//! Progress on this computer's disk, for `--resume`: one file a drive for what writes it and one for what reads it, replaced whole.
//!
//! It is there from before the first write to after the verdict, so that nothing that was found is forgotten, whenever this
//! process is killed; a drive that came through leaves its verdict. A new burn-in has a file of its own (`.begun`) beside that of an
//! earlier one until it writes: ended before that, it leaves the earlier one to go on with ([`StateDir::unite`]). A file that cannot
//! be read is set aside under a dated name and told; what of it can be read counts nonetheless ([`Remains`]), and the burn-in begins
//! anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use burnin::Checkpoint;
use serde::de::IgnoredAny;
use wire::{Bytes, DriveId};

use super::other_size;
use super::remains::Remains;
use super::saved::{Over, Saved, is_whole};
use super::under_way::{self, Other, UnderWay};
use super::union::{self, Act, Shown};

/// The directory, and of which burn-ins it is asked.
#[derive(Clone, Debug)]
pub(super) struct StateDir {
    dir: PathBuf,
    /// Whether of those that write their drive. One that only reads changes nothing of what another one left on it, and has a file of
    /// its own: it forgets none of those.
    erases: bool,
}

/// What was found for a drive.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    Good(Box<(Saved, Checkpoint)>),
    /// It was interrupted before its first checkpoint.
    Begun(Box<Saved>),
    /// It had ended with a verdict.
    Ended(Over),
    /// It cannot be used; in words, and what of it can still be read.
    Bad(String, Option<Box<Remains>>),
    /// It cannot be read, or what it tells of faults cannot; in words. It stays where it is.
    Unreadable(String),
}

/// The state folder: the one that is given, else this user's.
pub(crate) fn folder(given: Option<PathBuf>) -> PathBuf {
    let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    given
        .or_else(|| from("XDG_STATE_HOME").map(|d| d.join("kiln")))
        .or_else(|| from("HOME").map(|d| d.join(".local/state/kiln")))
        .unwrap_or_else(|| PathBuf::from("/var/lib/kiln/burn"))
}

impl StateDir {
    /// Where it is; it may not be there yet.
    pub(super) fn at(given: Option<PathBuf>, erases: bool) -> Self {
        let dir = folder(given);
        Self { dir, erases }
    }

    /// Makes it where it is not there, and takes out of it what kills left half written.
    ///
    /// # Errors
    /// Why it cannot be, in words.
    pub(super) fn make(&self) -> Result<(), String> {
        fs::create_dir_all(&self.dir).map_err(|e| format!("--state {}: {e}", self.dir.display()))?;
        crate::file::sweep(&self.dir, SystemTime::now());
        Ok(())
    }

    /// Says that a burn-in of the drive is under way, until it is dropped.
    ///
    /// # Errors
    /// When another one is, which its own file tells.
    pub(super) fn begin(&self, drive: &DriveId) -> Result<Option<UnderWay>, PathBuf> {
        let path = self.lock(drive);
        UnderWay::begin(path.clone()).map_err(|Other| path)
    }

    /// The file that another burn-in of the drive holds now; changes nothing.
    pub(super) fn under_way(&self, drive: &DriveId) -> Option<PathBuf> {
        let path = self.lock(drive);
        under_way::is_held(&path).then_some(path)
    }

    fn lock(&self, drive: &DriveId) -> PathBuf {
        self.file(drive).with_extension("lock")
    }

    /// The directory itself.
    pub(super) fn path(&self) -> &Path {
        &self.dir
    }

    fn file(&self, drive: &DriveId) -> PathBuf {
        let name: String = drive
            .as_str()
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let kind = if self.erases { ".json" } else { "-read.json" };
        self.dir.join(name.chars().take(200).collect::<String>() + kind)
    }

    /// Where a new burn-in is kept until it writes.
    fn begun(&self, drive: &DriveId) -> PathBuf {
        self.file(drive).with_extension("begun")
    }

    /// Replaces the drive's file.
    pub(super) fn save(&self, drive: &DriveId, saved: &Saved) -> io::Result<()> {
        put(&self.file(drive), saved)
    }

    /// The same of a new burn-in that has not written yet; an earlier one's stays.
    pub(super) fn save_begun(&self, drive: &DriveId, saved: &Saved) -> io::Result<()> {
        put(&self.begun(drive), saved)
    }

    /// What there is for the drive; what cannot be used is set aside. It stays where it is, too, until something is kept in its place:
    /// whoever is killed before that has not forgotten what it found.
    pub(super) fn load(&self, drive: &DriveId) -> Found {
        match self.look(drive) {
            Found::Bad(why, left) => Found::Bad(format!("{why}; {}", self.set_aside(drive)), left),
            found @ (Found::Nothing | Found::Good(_) | Found::Begun(_) | Found::Ended(_) | Found::Unreadable(_)) => {
                found
            }
        }
    }

    /// What there is for the drive; changes nothing.
    pub(super) fn look(&self, drive: &DriveId) -> Found {
        let (earlier, later) = (read(&self.file(drive), drive), read(&self.begun(drive), drive));
        match (union::shown(&earlier, &later), later) {
            (Shown::Earlier, _) => earlier,
            (Shown::Neither, Found::Bad(why, _) | Found::Unreadable(why)) => Found::Unreadable(why),
            (Shown::Neither, _) => {
                let path = self.begun(drive);
                Found::Unreadable(format!("{} is no burn-in before its first write", path.display()))
            }
            (Shown::Later, later) => later,
        }
    }

    /// What is kept of the same drive by the name that it has at another capacity, and that; of several the one that was kept last.
    pub(super) fn at_another_size(&self, drive: &DriveId) -> Option<(Bytes, Found)> {
        let files = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let of = |file: &fs::DirEntry| {
            let (name, path) = (file.file_name().into_string().ok()?, file.path());
            let mut capacities = name.split(['-', '.']).filter_map(|part| part.parse().ok());
            capacities.find_map(|capacity| {
                let id = other_size::called(drive, capacity)?;
                [self.file(&id), self.begun(&id)]
                    .contains(&path)
                    .then_some((capacity, id))
            })
        };
        let kept = files.filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, of(&file)?)));
        let (_, (capacity, id)) = kept.max_by_key(|(at, _)| *at)?;
        Some((Bytes(capacity), self.look(&id)))
    }

    /// Makes one of what is kept of a burn-in and of a later one that was ended before its first write: what that found counts, for it
    /// is of the same drive. Gives what is to be told of it.
    ///
    /// # Errors
    /// When that cannot be kept, in words.
    pub(super) fn unite(&self, drive: &DriveId) -> Result<Option<String>, String> {
        let (earlier, later) = (read(&self.file(drive), drive), read(&self.begun(drive), drive));
        let failed = |e: io::Error| format!("{}: {e}", self.file(drive).display());
        let mut aside = None;
        for act in union::acts(&earlier, &later) {
            aside = self.act(drive, &act).map_err(failed)?.or(aside);
        }
        Ok(match (earlier, later, aside) {
            (Found::Bad(why, _), _, Some(aside)) => Some(format!("{why}; {aside}")),
            (Found::Good(_) | Found::Begun(_), Found::Begun(later), _) => Remains::of(&later).words().map(|words| {
                format!("a later burn-in was ended before its first write; what it had found counts ({words})")
            }),
            _ => None,
        })
    }

    /// Does it; tells what becomes of a file that cannot be used.
    fn act(&self, drive: &DriveId, act: &Act) -> io::Result<Option<String>> {
        match act {
            Act::SetAside => return Ok(Some(self.set_aside(drive))),
            Act::Keep(saved) => self.save(drive, saved)?,
            Act::MoveUp => fs::rename(self.begun(drive), self.file(drive))?,
            Act::Forget => fs::remove_file(self.begun(drive))?,
        }
        Ok(None)
    }

    /// Gives what cannot be used a dated name besides; in words.
    fn set_aside(&self, drive: &DriveId) -> String {
        let path = self.file(drive);
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let aside = path.with_extension(format!("bad-{now}"));
        let named = match fs::hard_link(&path, &aside) {
            // Of this very second: it is the same file, which a copy onto itself would empty.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // Some file systems have no second names.
            Err(_) => copy(&path, &aside),
            Ok(()) => Ok(()),
        };
        match named {
            Ok(()) => format!("set aside as {}", aside.display()),
            Err(e) => format!("could not be set aside: {e}"),
        }
    }

    /// The new burn-in is about to write: an earlier one's pattern goes.
    pub(super) fn take_place(&self, drive: &DriveId) {
        if fs::rename(self.begun(drive), self.file(drive)).is_err() {
            self.forget(drive);
        }
    }

    /// The new burn-in wrote nothing, and nobody has to know of it.
    pub(super) fn forget_begun(&self, drive: &DriveId) {
        let _ = fs::remove_file(self.begun(drive));
    }

    /// How the drive's burn-in ended, where nobody began another one since.
    pub(super) fn ended(&self, drive: &DriveId) -> Option<Over> {
        match self.look(drive) {
            Found::Ended(over) => Some(over),
            Found::Nothing | Found::Good(_) | Found::Begun(_) | Found::Bad(..) | Found::Unreadable(_) => None,
        }
    }

    /// What is kept of a burn-in whose drive came through and was then formatted without that its table is known to stand.
    pub(super) fn untabled(&self, drive: &DriveId) -> Option<Box<(Saved, Checkpoint)>> {
        self.ended(drive).filter(|over| over.untabled)?;
        let text = crate::file::kept(&self.file(drive)).ok()?;
        let saved: Saved = serde_json::from_slice(&text).ok()?;
        let checkpoint = Checkpoint::decode(&saved.checkpoint).ok()?;
        Some(Box::new((Saved { ended: None, ..saved }, checkpoint)))
    }

    /// Forgets the drive.
    pub(super) fn forget(&self, drive: &DriveId) {
        let _ = fs::remove_file(self.file(drive));
    }
}

fn put(path: &Path, saved: &Saved) -> io::Result<()> {
    let text = saved.sealed()?;
    match crate::file::replace(path, &text) {
        // Somebody removed the folder meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(crate::file::folder(path))?;
            crate::file::replace(path, &text)
        }
        replaced => replaced,
    }
}

/// A new file with the bytes of another.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (fs::File::open(from)?, fs::File::create_new(to)?);
    io::copy(&mut from, &mut to).map(drop)
}

/// What this file tells of a drive; changes nothing.
fn read(path: &Path, drive: &DriveId) -> Found {
    let text = match crate::file::kept(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Found::Nothing,
        Err(e) => return Found::Unreadable(format!("{}: {e}", path.display())),
    };
    let of_another = |saved: &Saved| saved.drive.as_ref().is_some_and(|of| of != drive);
    if !is_whole(&text) && serde_json::from_slice::<IgnoredAny>(&text).is_ok() {
        return Found::Unreadable(format!(
            "{} is not as it was kept: its checksum is wrong, and what was found may not stand in it any more",
            path.display()
        ));
    }
    let (why, left) = match serde_json::from_slice::<Saved>(&text) {
        Ok(saved) if of_another(&saved) => return Found::Unreadable(format!("{} is of another drive", path.display())),
        Ok(Saved { ended: Some(over), .. }) => return Found::Ended(over),
        Ok(saved) if saved.checkpoint.is_empty() => return Found::Begun(Box::new(saved)),
        Ok(saved) => match Checkpoint::decode(&saved.checkpoint) {
            Ok(checkpoint) => return Found::Good(Box::new((saved, checkpoint))),
            Err(why) => (why.to_string(), Some(Box::new(Remains::of(&saved)))),
        },
        Err(why) => match Remains::read(&text) {
            Ok(left) => (why.to_string(), left.map(Box::new)),
            Err(what) => {
                return Found::Unreadable(format!(
                    "{} cannot be used ({why}), and {what} in it cannot be read",
                    path.display()
                ));
            }
        },
    };
    Found::Bad(format!("{} cannot be used ({why})", path.display()), left)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]
    use burnin::JobKey;
    use drive::kernel_log::Account;
    use wire::job::{FaultKind, Finding, Outcome, Phase};
    use wire::{JobId, Lba, Time};

    use super::*;
    use crate::burn::saved::tests::saved;

    #[test]
    fn a_bad_file_is_set_aside_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(Some(dir.path().join("a/b")), true);
        state.make().unwrap();
        let drive = DriveId::from_serial("Loop device", "/dev/loop7", 1 << 20).unwrap();
        assert!(matches!(state.load(&drive), Found::Nothing));
        let saved = Saved {
            checkpoint: "kiln-checkpoint 6 00000000 2\n{}".to_owned(),
            ..saved()
        };
        state.save(&drive, &saved).unwrap();
        assert!(state.ended(&drive).is_none());
        let Found::Bad(told, left) = state.load(&drive) else {
            panic!("a bad checkpoint was taken")
        };
        assert_eq!(left.unwrap().job, Some(saved.job), "what can still be read is not lost");
        assert!(told.contains("checksum") && told.contains("set aside as"), "{told}");
        let left: Vec<String> = fs::read_dir(&state.dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        let bad: Vec<&String> = left.iter().filter(|name| name.contains(".bad-20")).collect();
        assert_eq!((bad.len(), left.len()), (1, 2), "{left:?}");
        // Until something is kept in its place, however soon it is asked for again.
        for _ in 0..3 {
            let Found::Bad(_, again) = state.load(&drive) else {
                panic!("it is used")
            };
            assert_eq!(again.unwrap().job, Some(saved.job));
        }
        let over = Saved {
            ended: Some(Over {
                at: Time::UNIX_EPOCH,
                outcome: Some(Outcome::Failed),
                why: "so much failed".to_owned(),
                untabled: false,
                result: None,
            }),
            ..saved
        };
        state.save(&drive, &over).unwrap();
        assert!(matches!(state.load(&drive), Found::Ended(_)));
        assert_eq!(
            state.ended(&drive).unwrap().words(),
            "ended FAILED at 1970-01-01T00:00:00Z (so much failed)"
        );
    }

    pub(in crate::burn) fn finding() -> Finding {
        Finding {
            step: 1,
            kind: FaultKind::BitFlip,
            lba: Some(Lba(77)),
            sectors: 1,
            found: None,
            phase: Phase::Verify,
            detail: "1 bit differs".to_owned(),
        }
    }

    /// What another version kept and this one cannot read whole is no reason to forget what it found.
    #[test]
    fn what_another_version_found_counts_or_is_not_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(Some(dir.path().to_owned()), true);
        let drive = DriveId::from_serial("Loop device", "/dev/loop7", 1 << 20).unwrap();
        let found = |findings: serde_json::Value| {
            let kept = serde_json::json!({
                "job": JobId::now(), "playbook": {"of": "another shape"}, "findings": findings, "resets": 3,
            });
            fs::write(state.file(&drive), kept.to_string()).unwrap();
            state.load(&drive)
        };
        let Found::Bad(told, Some(left)) = found(serde_json::json!([finding()])) else {
            panic!("what it found is forgotten")
        };
        assert_eq!((left.findings, left.kernel.resets), (vec![finding()], 3));
        assert!(told.contains("set aside as"), "{told}");
        let strange = found(serde_json::json!([finding(), {"kind": "from the future", "lba": 5}]));
        assert!(
            matches!(&strange, Found::Unreadable(why) if why.contains("a finding")),
            "{strange:?}"
        );
        assert!(state.file(&drive).exists(), "it stays where it is");
    }

    /// Which bit it is: what was found is there, or the file is known not to be as it was kept.
    #[test]
    fn no_changed_bit_makes_a_finding_disappear() {
        let dir = tempfile::tempdir().unwrap();
        let drive = DriveId::from_serial("Loop device", "/dev/loop7", 1 << 20).unwrap();
        let path = dir.path().join("drive.json");
        let kept = Saved {
            drive: Some(drive.clone()),
            findings_before_loss: vec![finding()],
            ..saved()
        };
        let text = kept.sealed().unwrap();
        let read_text = |text: &[u8], drive: &DriveId| {
            fs::write(&path, text).unwrap();
            read(&path, drive)
        };
        let finds = |found: &Found| matches!(found, Found::Begun(kept) if kept.findings_before_loss == [finding()]);
        assert!(finds(&read_text(&text, &drive)));
        for bit in 0..text.len() * 8 {
            let mut text = text.clone();
            text[bit / 8] ^= 1 << (bit % 8);
            let found = read_text(&text, &drive);
            let known = matches!(found, Found::Unreadable(_) | Found::Bad(_, None));
            assert!(known || finds(&found), "bit {bit}: {found:?}");
        }
        let other = DriveId::from_serial("Loop device", "/dev/loop8", 1 << 20).unwrap();
        let told = read_text(&text, &other);
        assert!(
            matches!(&told, Found::Unreadable(why) if why.contains("another drive")),
            "{told:?}"
        );
    }

    /// An earlier burn-in in each state that it can be in, as its file; each but the last two had seen two resets.
    fn earlier(drive: &DriveId) -> [(&'static str, Option<String>); 6] {
        let two = || Saved {
            kernel: Account {
                resets: 2,
                ..Account::NOTHING
            },
            ..saved()
        };
        let geometry = burnin::device::Geometry {
            sectors: 5_000,
            sector: 512,
            physical: 512,
        };
        let steps = burnin::playbook::plain(&[Phase::Write, Phase::Verify]);
        let place = Checkpoint {
            key: JobKey([7; 16]),
            geometry,
            step: 1,
            frontier: 7,
            holds: None,
            evidence: burnin::Evidence::new(geometry, &steps),
            steps,
        };
        let over = Over {
            at: Time::UNIX_EPOCH,
            outcome: Some(Outcome::Passed),
            why: format!("it ran to its end on {drive}"),
            untabled: false,
            result: None,
        };
        let text = |saved: &Saved| Some(serde_json::to_string(saved).unwrap());
        [
            ("begun", text(&two())),
            (
                "a place",
                text(&Saved {
                    checkpoint: place.encode(),
                    ..two()
                }),
            ),
            (
                "damaged",
                text(&Saved {
                    checkpoint: "kiln-checkpoint 6 00000000 2\n{}".to_owned(),
                    ..two()
                }),
            ),
            ("no JSON", Some("{".to_owned())),
            ("nothing", None),
            (
                "ended",
                text(&Saved {
                    ended: Some(over),
                    ..two()
                }),
            ),
        ]
    }

    /// Everything that may be found.
    pub(in crate::burn) fn each() -> Vec<(&'static str, Found)> {
        let dir = tempfile::tempdir().unwrap();
        let drive = DriveId::from_serial("Loop device", "/dev/loop7", 1 << 20).unwrap();
        let path = dir.path().join("drive.json");
        let found = |(name, file): (&'static str, Option<String>)| {
            let _none = fs::remove_file(&path);
            if let Some(file) = file {
                fs::write(&path, file).unwrap();
            }
            (if name == "no JSON" { "damaged" } else { name }, read(&path, &drive))
        };
        let mut all: Vec<_> = earlier(&drive).into_iter().map(found).collect();
        all.push(("unreadable", Found::Unreadable("a finding cannot be read".to_owned())));
        all
    }

    /// What a burn-in found that had not written yet is lost in none of the cases, and neither is an earlier one; and none of it counts
    /// twice, wherever the machine stops on the way.
    #[test]
    fn an_earlier_burn_in_and_one_that_had_not_written_become_one() {
        let drive = DriveId::from_serial("Loop device", "/dev/loop7", 1 << 20).unwrap();
        for (at, (name, file)) in earlier(&drive).into_iter().enumerate() {
            for cut in 0..=3 {
                let dir = tempfile::tempdir().unwrap();
                let state = StateDir::at(Some(dir.path().to_owned()), true);
                let later = Saved {
                    findings: vec![finding()],
                    kernel: Account {
                        resets: 3,
                        ..Account::NOTHING
                    },
                    ..saved()
                };
                if let Some(file) = &file {
                    fs::write(state.file(&drive), file).unwrap();
                }
                state.save_begun(&drive, &later).unwrap();
                let acts = union::acts(&read(&state.file(&drive), &drive), &read(&state.begun(&drive), &drive));
                for act in acts.iter().take(cut) {
                    state.act(&drive, act).unwrap();
                }
                assert!(
                    !matches!(state.look(&drive), Found::Ended(_) | Found::Nothing),
                    "{name}, cut after {cut}"
                );
                state.unite(&drive).unwrap();
                let one = match state.look(&drive) {
                    Found::Begun(one) => *one,
                    Found::Good(one) => one.0,
                    other => panic!("{name}, cut after {cut}: {other:?}"),
                };
                let left = Remains::of(&one);
                let resets = if at < 3 { 5 } else { 3 };
                assert_eq!(
                    (left.findings, left.kernel.resets),
                    (vec![finding()], resets),
                    "{name}, cut after {cut}"
                );
                assert!(!state.begun(&drive).exists(), "{name}, cut after {cut}");
                assert_eq!(one.checkpoint.is_empty(), name != "a place", "{name}, cut after {cut}");
                assert_eq!(one.torn, name == "no JSON", "{name}, cut after {cut}");
            }
        }
    }

    #[test]
    fn what_becomes_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(Some(dir.path().to_owned()), true);
        let drive = DriveId::from_serial("Loop device", "/dev/loop7", 1 << 20).unwrap();
        let later = Saved {
            findings: vec![finding()],
            ..saved()
        };
        for (name, file) in earlier(&drive) {
            state.forget(&drive);
            if let Some(file) = &file {
                fs::write(state.file(&drive), file).unwrap();
            }
            state.save_begun(&drive, &later).unwrap();
            let words = state.unite(&drive).unwrap().unwrap_or_default();
            let told = match name {
                "begun" | "a place" => "one finding",
                "damaged" | "no JSON" => "set aside as",
                _ => "",
            };
            assert!(
                words.contains(told) && words.is_empty() == told.is_empty(),
                "{name}: {words}"
            );
        }
        fs::write(state.begun(&drive), "{").unwrap();
        assert!(
            matches!(state.look(&drive), Found::Unreadable(_)),
            "it may tell of a fault"
        );
    }
}
