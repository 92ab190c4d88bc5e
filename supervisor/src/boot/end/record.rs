//! Why the box booted this time: a record left before an orderly end, the watchdog's own flag, and a marker of life.

use std::fs::{self, File};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::pstore;
use crate::boot::data::{proof, whole};

/// Folder of PID 1's own state, on DATA.
pub const FOLDER: &str = "/var/lib/kiln/supervisor";

/// Faults of PID 1 itself, in [`FOLDER`].
pub const FAULTS: &str = "faults";
/// The same while the box runs: whoever meets one can write there without waiting for a medium.
pub const FAULTS_NOW: &str = "/run/kiln/faults";
/// Longest list of faults, in bytes; the newest stay.
const FAULTS_MAX: usize = 16 << 10;

/// What is written before an orderly end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// In a sentence.
    pub why: String,
    /// Whether the ladder had decided it.
    pub ladder: bool,
    /// Reboots by the ladder in a row, this one included.
    pub reboots: u32,
    /// The slot that ran.
    pub slot: String,
    /// The next boot was to make DATA anew, and this record would be gone with the old one.
    pub reset: bool,
}

/// The row of reboots that a boot stands in, kept in its mark of life: the hardware watchdog leaves no record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// Reboots in a row before that boot.
    pub reboots: u32,
    /// The slot that ran.
    pub slot: String,
}

impl Row {
    /// Writes it into the mark of life in `dir`.
    ///
    /// # Errors
    /// The medium does not take it.
    pub fn keep(&self, dir: &Path) -> std::io::Result<()> {
        let (file, text) = (dir.join(RUNNING), serde_json::to_vec(self).unwrap_or_default());
        match whole::replace(&file, &text) {
            Err(e) if e.kind() == std::io::ErrorKind::StorageFull => whole::over(&file, &text),
            done => done,
        }
    }
}

impl Record {
    /// Reboots by the ladder in a row of this slot: another system begins its own row.
    pub fn in_a_row(&self, slot: &str) -> u32 {
        // A record of PID 1's very last word may not know its slot.
        let same = self.slot == slot || self.slot.is_empty();
        if self.ladder && same { self.reboots } else { 0 }
    }
}

/// What the last boot left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    /// The record of an orderly end.
    pub record: Option<Record>,
    /// The last boot was running and did not end in order.
    pub cut_short: bool,
    /// The row that the last boot stood in, where it did not end in order.
    #[serde(default)]
    pub row: Row,
    /// A crash dump that the kernel has left in that boot was found: its most telling line.
    pub panic: Option<String>,
    /// One of a boot before that was found.
    #[serde(default)]
    pub older: Option<String>,
    /// When that boot left its mark of life, in seconds since 1970: a dump from before is of an older one.
    #[serde(default)]
    pub since: Option<u64>,
    /// The hardware watchdog says that it reset the box.
    pub watchdog: bool,
    /// PID 1 met a fault of its own in the boot before: the last of them.
    #[serde(default)]
    pub fault: Option<String>,
    /// State is on a medium, so a missing record means something.
    pub has_state: bool,
}

impl Traces {
    /// Reboots in a row of this slot that helped nothing: the ladder's, the hardware watchdog's and the kernel's own.
    ///
    /// A boot that was cut short without a word of either is no such reboot: somebody has pulled the plug.
    pub fn in_a_row(&self, slot: &str) -> u32 {
        match &self.record {
            Some(r) => r.in_a_row(slot),
            None if !self.cut_short || !(self.watchdog || self.panic.is_some()) => 0,
            None if self.row.slot == slot => self.row.reboots.saturating_add(1),
            None if self.row.slot.is_empty() => 1,
            None => 0,
        }
    }

    /// Whether the last boot ended for a factory reset that was not done: one that is done takes the record with it.
    pub fn reset_undone(&self) -> bool {
        self.record.as_ref().is_some_and(|r| r.reset)
    }

    /// The line of a crash dump that the reason does not tell: of an older boot, or of one that ended in order all the same.
    pub fn dump_beside(&self) -> Option<&str> {
        let last = self.panic.as_ref().filter(|_| self.record.is_some());
        last.or(self.older.as_ref()).map(String::as_str)
    }

    /// The reason in a sentence.
    pub fn reason(&self) -> String {
        match &self.fault {
            Some(fault) => format!("{} (before that, PID 1 met a fault of its own: {fault})", self.end()),
            None => self.end(),
        }
    }

    fn end(&self) -> String {
        let watchdog = "the hardware watchdog reset the box, because PID 1 did not feed it";
        match (&self.record, &self.panic) {
            (Some(r), _) if r.ladder && self.watchdog => format!("{}; then the hardware watchdog reset the box", r.why),
            (Some(r), _) if r.ladder => format!("reboot by the supervisor: {}", r.why),
            (Some(r), _) if r.reset => format!("orderly end: {}; it was not done", r.why),
            (Some(r), _) => format!("orderly end: {}", r.why),
            (None, Some(line)) => format!("the kernel crashed: {line}"),
            (None, None) if self.watchdog => watchdog.into(),
            (None, None) if self.cut_short => "the power was cut or the machine was reset".into(),
            (None, None) if self.has_state => "power-on".into(),
            (None, None) => "power-on (state is in RAM: nothing is known of the last boot)".into(),
        }
    }
}

/// Mark of life, in [`FOLDER`]: there while a boot runs, and after one that did not end in order.
const RUNNING: &str = "running";
/// The record of an orderly end, in [`FOLDER`], and the one that this boot has found.
const LAST: &str = "last-reboot";
pub const BEFORE: &str = "last-reboot.before";

/// Reboots by the ladder in a row before this boot, as [`take`] has found them.
pub fn before(dir: &Path) -> u32 {
    let record = fs::read(dir.join(BEFORE))
        .ok()
        .and_then(|b| serde_json::from_slice::<Record>(&b).ok());
    record.filter(|r| r.ladder).map_or(0, |r| r.reboots)
}

/// Reads what the last boot left in `dir` and marks this boot as running.
pub fn take(dir: &Path) -> Traces {
    let _ = fs::create_dir_all(dir);
    let file = dir.join(LAST);
    let text = fs::read_to_string(&file).unwrap_or_default();
    let record: Option<Record> = serde_json::from_str(&text).ok();
    if fs::rename(&file, dir.join(BEFORE)).is_err() {
        // That of an older boot says nothing of the last one.
        let _ = fs::remove_file(dir.join(BEFORE));
    }
    let marker = fs::read(dir.join(RUNNING));
    let since = fs::metadata(dir.join(RUNNING)).and_then(|m| m.modified());
    let since = since.ok().and_then(pstore::seconds);
    let cut_short = !matches!(&marker, Err(e) if e.kind() == std::io::ErrorKind::NotFound);
    let row: Row = marker
        .ok()
        .and_then(|b| serde_json::from_slice(&b).ok())
        .unwrap_or_default();
    // PID 1 says where this boot stands as soon as it knows; until then it is where the last one stood.
    let so_far = record.as_ref().map_or_else(
        || row.clone(),
        |r| Row {
            reboots: r.in_a_row(&r.slot),
            slot: r.slot.clone(),
        },
    );
    if so_far.keep(dir).is_err() {
        // Without room, and nobody else has been at work yet: its keeper makes that file anew.
        let _ = fs::remove_file(dir.join(proof::NAME));
        let _ = so_far.keep(dir);
    }
    Traces {
        record,
        cut_short,
        row,
        has_state: true,
        panic: None,
        older: None,
        since,
        fault: told_fault(dir),
        watchdog: false,
    }
}

/// Keeps what PID 1 has noted in memory of a fault of its own; `boot`: which boot that was.
///
/// # Errors
/// The medium does not take it.
fn keep_faults(now: &Path, dir: &Path, boot: &str) -> std::io::Result<()> {
    let new = fs::read_to_string(now)?;
    let file = dir.join(FAULTS);
    let mut text = fs::read_to_string(&file).unwrap_or_default();
    for line in new.lines().filter(|l| !l.is_empty()) {
        let line = format!("{boot} {line}\n");
        if !text.contains(&line) {
            text.push_str(&line);
        }
    }
    while text.len() > FAULTS_MAX {
        text.drain(..=text.find('\n').unwrap_or(text.len() - 1));
    }
    whole::replace(&file, text.as_bytes())
}

/// Keeps those of this boot, if there are any: each once, however often it is asked.
///
/// # Errors
/// The medium does not take it.
pub fn keep_faults_now(dir: &Path) -> std::io::Result<()> {
    let now = Path::new(FAULTS_NOW);
    if !now.exists() {
        return Ok(());
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    keep_faults(now, dir, boot.trim())
}

/// The last fault that no boot has told yet; it counts as told from now on.
fn told_fault(dir: &Path) -> Option<String> {
    let last = fs::read_to_string(dir.join(FAULTS)).ok()?.lines().last()?.to_owned();
    let told = dir.join("faults.told");
    if fs::read_to_string(&told).is_ok_and(|t| t == last) {
        return None;
    }
    let _ = whole::replace(&told, last.as_bytes());
    last.split_once(' ').map(|(_, text)| text.to_owned())
}

/// Leaves the record of an orderly end in `dir`.
pub fn leave(dir: &Path, record: &Record) {
    let text = serde_json::to_vec(record).unwrap_or_default();
    let (last, running) = (dir.join(LAST), dir.join(RUNNING));
    let done = match whole::replace(&last, &text) {
        // The mark of life becomes the record: on a full medium, too, reboots in a row come to their end.
        Err(e) if e.kind() == std::io::ErrorKind::StorageFull => {
            whole::over(&running, &text).and_then(|()| fs::rename(&running, &last))
        }
        done => done,
    };
    if done.is_ok() {
        let _ = fs::remove_file(running);
    }
    let _ = File::open(dir).and_then(|d| d.sync_all());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn each_kind_of_end_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(take(dir.path()).reason(), "power-on");
        assert_eq!(take(dir.path()).reason(), "the power was cut or the machine was reset");
        leave(
            dir.path(),
            &Record {
                why: "unit server failed".into(),
                ladder: true,
                reboots: 1,
                slot: "a".into(),
                ..Record::default()
            },
        );
        let t = take(dir.path());
        assert_eq!(t.reason(), "reboot by the supervisor: unit server failed");
        assert_eq!(t.record.unwrap().reboots, 1);
        leave(
            dir.path(),
            &Record {
                why: "asked for".into(),
                ..Record::default()
            },
        );
        let t = take(dir.path());
        assert_eq!(
            (t.reason().as_str(), t.reset_undone()),
            ("orderly end: asked for", false)
        );
        // Found at all: DATA was not made anew.
        let why = "factory reset, asked for at the console".to_owned();
        leave(
            dir.path(),
            &Record {
                why: why.clone(),
                reset: true,
                ..Record::default()
            },
        );
        let t = take(dir.path());
        assert!(t.reset_undone());
        assert_eq!(t.reason(), format!("orderly end: {why}; it was not done"));
        let t = Traces {
            watchdog: true,
            cut_short: true,
            has_state: true,
            ..Traces::default()
        };
        assert!(t.reason().starts_with("the hardware watchdog reset the box"));
    }

    /// On a file system of its own without a byte of room, but for what the keeper's proof takes.
    fn on_a_full_medium(dir: &Path) -> Result<(), nix::Error> {
        use nix::mount::{MsFlags, mount};
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        mount(Some("none"), dir, Some("tmpfs"), MsFlags::empty(), Some("size=64k"))?;
        take(dir);
        let _ = proof::Proof::new(dir.parent().unwrap()).look();
        assert!(dir.join(proof::NAME).exists());
        let mut file = File::create(dir.join("others")).unwrap();
        while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
        for reboots in 1..=3 {
            let why = "unit server failed: no room".to_owned();
            let slot = "a".to_owned();
            let ladder = true;
            leave(
                dir,
                &Record {
                    why,
                    ladder,
                    reboots,
                    slot,
                    ..Record::default()
                },
            );
            // The next boot; whatever it gives back is taken at once.
            let traces = take(dir);
            while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
            assert_eq!(traces.in_a_row("a"), reboots, "{}", traces.reason());
        }
        assert!(take(dir).cut_short, "a power cut is told from a power-on");
        Ok(())
    }

    #[test]
    fn reboots_are_counted_on_a_medium_without_room() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("supervisor");
        fs::create_dir(&folder).unwrap();
        let done = std::thread::spawn(move || on_a_full_medium(&folder)).join().unwrap();
        if let Err(e) = done {
            rig::not_run(&format!("a file system of its own: {e}"));
        }
    }

    #[test]
    fn a_fault_of_pid_1_is_kept_once_and_told_by_the_next_boot_alone() {
        let dir = tempfile::tempdir().unwrap();
        let now = dir.path().join("now");
        assert!(keep_faults(&now, dir.path(), "b1").is_err(), "there was none");
        fs::write(&now, "panicked at src/x.rs:1\n").unwrap();
        keep_faults(&now, dir.path(), "b1").unwrap();
        fs::write(&now, "panicked at src/x.rs:1\nsignal 11 at 0x10\n").unwrap();
        keep_faults(&now, dir.path(), "b1").unwrap();
        let text = fs::read_to_string(dir.path().join(FAULTS)).unwrap();
        assert_eq!(text, "b1 panicked at src/x.rs:1\nb1 signal 11 at 0x10\n");
        let reason = take(dir.path()).reason();
        assert!(
            reason.ends_with("(before that, PID 1 met a fault of its own: signal 11 at 0x10)"),
            "{reason}"
        );
        assert_eq!(take(dir.path()).fault, None);
        for n in 0..2_000 {
            fs::write(&now, format!("fault {n}\n")).unwrap();
            if n % 100 == 0 {
                fs::write(&now, (0..200).map(|m| format!("fault {n} {m}\n")).collect::<String>()).unwrap();
                keep_faults(&now, dir.path(), "b2").unwrap();
            }
        }
        let text = fs::read_to_string(dir.path().join(FAULTS)).unwrap();
        assert!(text.len() <= FAULTS_MAX && text.ends_with("b2 fault 1900 199\n") && text.starts_with("b2 "));
    }

    #[test]
    fn a_record_is_kept_whole_or_the_boot_counts_as_cut_short() {
        let dir = tempfile::tempdir().unwrap();
        take(dir.path());
        let record = Record {
            why: "unit server failed".into(),
            ladder: true,
            reboots: 2,
            slot: "b".into(),
            ..Record::default()
        };
        leave(dir.path(), &record);
        assert_eq!(take(dir.path()).record, Some(record.clone()));
        assert_eq!(before(dir.path()), 2, "for whoever has to count on in this boot");
        // The medium is full in the moment of the next one: half a record would be read as none, and lose the count.
        let beside = dir.path().join("last-reboot.new");
        std::os::unix::fs::symlink("/dev/full", &beside).unwrap();
        let next = Record { reboots: 3, ..record };
        leave(dir.path(), &next);
        assert_eq!(take(dir.path()).record, Some(next.clone()));
        // It takes nothing at all.
        fs::create_dir(&beside).unwrap();
        leave(dir.path(), &next);
        let t = take(dir.path());
        assert_eq!((t.record, t.cut_short), (None, true));
        assert_eq!(before(dir.path()), 0, "an older record is not the last boot's");
    }

    #[test]
    fn a_row_of_reboots_is_one_slots() {
        let record = |slot: &str, ladder| Record {
            slot: slot.into(),
            ladder,
            reboots: 3,
            ..Record::default()
        };
        assert_eq!(record("a", true).in_a_row("a"), 3);
        assert_eq!(record("a", true).in_a_row("b"), 0, "the box went back");
        assert_eq!(record("", true).in_a_row("b"), 3);
        assert_eq!(record("a", false).in_a_row("a"), 0, "a person restarted it");
    }

    #[test]
    fn resets_by_the_watchdog_and_crashes_of_the_kernel_count_in_the_row() {
        let dir = tempfile::tempdir().unwrap();
        let next = |watchdog, panic: Option<&str>| Traces {
            watchdog,
            panic: panic.map(str::to_owned),
            ..take(dir.path())
        };
        let keep = |reboots, slot: &str| {
            let row = Row {
                reboots,
                slot: slot.into(),
            };
            row.keep(dir.path()).unwrap();
        };
        assert_eq!(next(true, None).in_a_row("a"), 0, "a first boot follows nothing");
        assert_eq!(next(true, None).in_a_row("a"), 1, "even before PID 1 has said its slot");
        keep(1, "a");
        assert_eq!(next(false, Some("Oops: 0")).in_a_row("a"), 2);
        // Reset again before PID 1 could say where this boot stands.
        assert_eq!(next(true, None).in_a_row("a"), 2);
        keep(2, "a");
        let reset = next(true, None);
        assert_eq!(reset.in_a_row("a"), 3);
        assert_eq!(reset.in_a_row("b"), 0, "another system begins its own row");
        keep(3, "a");
        assert_eq!(next(false, None).in_a_row("a"), 0, "a power cut is a person's");
        let ladder = Record {
            why: "unit server failed".into(),
            ladder: true,
            reboots: 2,
            slot: "a".into(),
            ..Record::default()
        };
        leave(dir.path(), &ladder);
        assert_eq!(
            next(true, None).in_a_row("a"),
            2,
            "its end was slow, but it was one end"
        );
        assert_eq!(
            next(true, None).in_a_row("a"),
            3,
            "the reset comes after the ladder's two"
        );
        fs::write(dir.path().join(RUNNING), "this boot has not ended in order\n").unwrap();
        assert_eq!(next(true, None).in_a_row("a"), 1, "a mark of an older system");
    }

    #[test]
    fn a_broken_record_is_no_record() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("last-reboot"), "{").unwrap();
        assert_eq!(take(dir.path()).record, None);
    }
}
