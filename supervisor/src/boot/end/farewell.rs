//! The last writes before the end: the record, DATA's part of the cache, and DATA unmounted, so that the next boot finds it clean.
//!
//! A lazy unmount is none: whoever still holds a file keeps the file system alive, and the machine ends under it. So every
//! holder is killed first, the unmount is tried until it is one, and what will not let go (a process in D state) is made
//! read-only by the kernel. It runs in a helper; PID 1 waits for it no longer than the medium deserves.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde::{Deserialize, Serialize};

use super::record::{self, Record};
use crate::boot::data::place::STATE;
use crate::boot::kernel::mounts;
use crate::console;
use crate::shell::{cgroup, log};

/// How long holders may take to die, of the ten seconds that PID 1 gives (a third of that before a hard end).
const HOLDERS: Duration = Duration::from_secs(2);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// How DATA was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Unmounted, or it was not mounted.
    Clean,
    /// Somebody holds it; it takes no more writes.
    ReadOnly,
    /// Somebody holds it, and it could not be made read-only.
    Held,
}

/// The last writes, which nobody has begun yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::boot) struct Last {
    pub record: Record,
    /// State is on the medium.
    pub on_disk: bool,
}

impl Last {
    /// In a helper: does all of it.
    pub(in crate::boot) fn bid(&self) -> i32 {
        console::give_up();
        cgroup::kill_all();
        if !self.on_disk {
            nix::unistd::sync();
            return 0;
        }
        let device = mounts::source(STATE).ok();
        record::leave(Path::new(record::FOLDER), &self.record);
        if let Err(e) = mounts::flush(Path::new(STATE)) {
            log::error(&format!("flushing DATA: {e}"));
        }
        let left = let_go(HOLDERS, || umount2(STATE, MntFlags::empty()), read_only);
        match left {
            Left::Clean => log::info("DATA is unmounted"),
            Left::ReadOnly => log::warn(&format!("DATA is held by {} and was made read-only", holders())),
            Left::Held => log::error(&format!("DATA is held by {} and could not be unmounted", holders())),
        }
        // What was written is past the medium's own cache, too.
        if let Some(Err(e)) = device.map(|d| File::open(d).and_then(|f| f.sync_all())) {
            log::error(&format!("flushing the boot medium: {e}"));
        }
        0
    }

    /// In PID 1 itself, where no helper could be started: what the next boot must know. A medium that hangs now is the watchdog's,
    /// which is armed and not fed meanwhile.
    pub(in crate::boot) fn keep(&self) {
        console::give_up();
        log::error("no helper could be started for the last writes: the supervisor makes them itself");
        if self.on_disk {
            record::leave(Path::new(record::FOLDER), &self.record);
        }
        nix::unistd::sync();
    }
}

/// One turn of the end: whether the machine may end. `over`: the time of the last writes is up; `runs`: a helper makes them.
/// Where `start` can start none (no memory, no process), it is tried again in each turn; at last they are made by `ourselves`.
pub(in crate::boot) fn may_end(
    waiting: &mut Option<Last>,
    over: bool,
    runs: bool,
    start: impl FnOnce(&Last) -> bool,
    ourselves: impl FnOnce(&Last),
) -> bool {
    match waiting.take() {
        None => over || !runs,
        Some(last) if over => {
            ourselves(&last);
            true
        }
        Some(last) => {
            if !start(&last) {
                *waiting = Some(last);
            }
            false
        }
    }
}

/// Tries `unmount` until nobody holds the place or `within` is over; then `read_only`.
fn let_go(within: Duration, mut unmount: impl FnMut() -> nix::Result<()>, read_only: impl FnOnce() -> bool) -> Left {
    let begun = Instant::now();
    loop {
        match unmount() {
            // One mount after the other, until nothing is mounted there any more.
            Ok(()) => {}
            Err(Errno::EINVAL) => return Left::Clean,
            Err(_) if begun.elapsed() < within => std::thread::sleep(PAUSE),
            Err(_) if read_only() => return Left::ReadOnly,
            Err(_) => return Left::Held,
        }
    }
}

/// No more writes, whoever has it open: an ordinary remount, else the kernel's own for emergencies.
fn read_only() -> bool {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    if mount(None::<&str>, STATE, None::<&str>, flags, None::<&str>).is_ok() {
        return true;
    }
    let _ = fs::write("/proc/sysrq-trigger", "u");
    let begun = Instant::now();
    while begun.elapsed() < HOLDERS / 2 {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        if is_read_only(&mounts, STATE) {
            return true;
        }
        std::thread::sleep(PAUSE);
    }
    false
}

/// Whether the topmost mount of a place takes no writes.
fn is_read_only(mounts: &str, at: &str) -> bool {
    let mut options = mounts.lines().filter_map(|l| {
        let words: Vec<&str> = l.split(' ').collect();
        (words.get(1) == Some(&at)).then(|| words.get(3).copied().unwrap_or_default())
    });
    options.next_back().is_some_and(|o| o.split(',').any(|o| o == "ro"))
}

/// Processes that have a file of DATA open, for the log.
fn holders() -> String {
    let mut found = Vec::new();
    crate::shell::process::each(|pid| {
        let open = |d: &str| fs::read_dir(format!("/proc/{pid}/{d}")).into_iter().flatten().flatten();
        let holds = open("fd")
            .chain(open("map_files"))
            .any(|e| fs::read_link(e.path()).is_ok_and(|l| l.starts_with(STATE)));
        if holds && found.len() < 8 {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            found.push(format!("{} ({pid})", name.trim()));
        }
    });
    if found.is_empty() {
        "nobody that can be seen".to_owned()
    } else {
        found.join(", ")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn last_writes_that_no_helper_can_make_are_tried_again_and_at_last_made_by_pid_1() {
        let last = Last {
            record: Record::default(),
            on_disk: true,
        };
        let never = |_: &Last| panic!("nobody makes them twice");
        let mut waiting = Some(last.clone());
        for _ in 0..5 {
            assert!(!may_end(&mut waiting, false, false, |_| false, never));
        }
        let mut kept = None;
        assert!(may_end(&mut waiting, true, false, |_| true, |l| kept = Some(l.clone())));
        assert_eq!((kept, waiting), (Some(last.clone()), None));
        // A helper that could be started makes them, for as long as there is time.
        let mut waiting = Some(last);
        assert!(!may_end(&mut waiting, false, false, |_| true, never));
        let start = |_: &Last| panic!("one is enough");
        assert!(!may_end(&mut waiting, false, true, start, never));
        assert!(may_end(&mut waiting, false, false, start, never), "it has ended");
        assert!(may_end(&mut waiting, true, true, start, never), "its time is up");
    }

    /// Over files of its own where the kernel's are.
    fn at_a_lowered_level(level: &Path) -> Result<(), nix::Error> {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        mount(Some(level), "/proc/sys/kernel/printk", none, MsFlags::MS_BIND, none)?;
        // No group is there to be ended.
        mount(Some("none"), "/sys/fs/cgroup", Some("tmpfs"), MsFlags::empty(), none)?;
        let last = Last {
            record: Record::default(),
            on_disk: false,
        };
        let bid = |last: &Last| assert_eq!(last.bid(), 0);
        for end in [bid, Last::keep] {
            fs::write(level, "1\n").unwrap();
            end(&last);
            assert_eq!(fs::read_to_string(level).unwrap(), "4\n");
        }
        Ok(())
    }

    /// Data that could not be written was told to a log that the power-off takes along.
    #[test]
    fn what_fails_in_the_last_writes_comes_to_the_console_though_a_page_stood_there() {
        let dir = tempfile::tempdir().unwrap();
        let level = dir.path().join("printk");
        fs::write(&level, "").unwrap();
        let done = std::thread::spawn(move || at_a_lowered_level(&level)).join().unwrap();
        if let Err(e) = done {
            rig::not_run(&format!("a kernel's level of its own: {e}"));
        }
    }

    #[test]
    fn it_is_tried_until_nothing_is_mounted_there() {
        let mut answers = vec![Err(Errno::EINVAL), Ok(()), Ok(()), Err(Errno::EBUSY), Err(Errno::EBUSY)];
        let left = let_go(
            Duration::from_mins(1),
            || answers.pop().unwrap_or(Err(Errno::EBUSY)),
            || false,
        );
        assert_eq!((left, answers.len()), (Left::Clean, 0));
    }

    #[test]
    fn what_is_held_for_good_is_made_read_only_or_told() {
        let busy = || Err(Errno::EBUSY);
        assert_eq!(let_go(Duration::ZERO, busy, || true), Left::ReadOnly);
        assert_eq!(let_go(Duration::ZERO, busy, || false), Left::Held);
    }

    #[test]
    fn the_topmost_mount_tells_whether_writes_are_taken() {
        let text = "/dev/sda3 /var/lib/kiln ext4 rw,noatime 0 0\n/dev/sda3 /var/lib/kiln ext4 ro,noatime 0 0\n/dev/sda4 /x ext4 rw,ro_y 0 0\n";
        assert!(is_read_only(text, "/var/lib/kiln") && !is_read_only(text, "/x") && !is_read_only(text, "/y"));
    }
}
