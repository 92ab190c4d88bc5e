//! Drives that the kernel still holds for an access which an earlier process began and which does not come back.
//!
//! A process that was killed hangs in the kernel (state D) for as long as its drive does not answer, with all that it has open; and the
//! ring of one that is gone holds the drive without any process. Neither can be ended from here, and whoever touches the drive hangs
//! beside it. What tells is the kernel's count of the drive's accesses, which costs the drive nothing: one is under way, and none ends.
//!
//! Tested here, over made-up trees in `tests/guard_trees.rs`, and by the image's boot tests on a drive that answers nothing any more.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use super::tasks;
use crate::registry::Plug;
use crate::system::{System, text};

/// How long a drive that nobody here holds leaves an access unanswered before it is listed as stuck. The kernel gives a SCSI command 30 s and
/// five retries, behind which it tells an error by itself; a drive that was told as stuck is looked at anew, and would be told so again.
const SILENT: Duration = Duration::from_secs(200);

/// `SIGKILL` in the kernel's masks of pending signals.
const KILL: u64 = 1 << (libc::SIGKILL - 1);

/// `PF_EXITING` of a task's flags. Source: `linux/sched.h`.
const EXITING: u64 = 0x4;

/// The kernel still holds the drive for an access that does not come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// The process that began it and was ended since, with its program; `None` where it is not known, or gone.
    pub process: Option<(u32, String)>,
}

impl Stuck {
    /// The stable word for this refusal.
    pub const KIND: &str = "stuck";
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.process {
            Some((pid, program)) => write!(
                f,
                "an earlier process ({pid}, {program}), which was ended, still hangs in the kernel with it"
            )?,
            None => f.write_str("an access that an earlier process began still hangs in the kernel with it")?,
        }
        f.write_str(": it cannot be used before it answers, is pulled, or the box is restarted")
    }
}

/// A drive's accesses, as the kernel has counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accesses {
    under_way: u64,
    ended: u64,
}

impl Accesses {
    /// Of the device called `name`; `None` where the kernel tells none.
    pub(crate) fn of(system: &System, name: &str) -> Option<Self> {
        Self::parse(&system.text(format!("sys/block/{name}/stat"))?)
    }

    /// Reads, writes, trims and flushes that ended stand at 1, 5, 12 and 16, what is under way at 9. Source:
    /// `Documentation/block/stat.rst`.
    fn parse(stat: &str) -> Option<Self> {
        let numbers: Vec<u64> = stat.split_ascii_whitespace().map_while(|n| n.parse().ok()).collect();
        let ended = [0, 4, 11, 15].into_iter().filter_map(|at| numbers.get(at));
        Some(Self {
            under_way: *numbers.get(8)?,
            ended: ended.fold(0, |sum, more| sum.saturating_add(*more)),
        })
    }

    /// Whether what was under way `before` had not ended by now, nor anything else.
    pub(crate) fn hang_since(self, before: Self) -> bool {
        before.under_way > 0 && self.under_way > 0 && self.ended == before.ended
    }
}

/// Since when the accesses of each drive hang.
#[derive(Debug, Default)]
pub(crate) struct Hanging(BTreeMap<Plug, (Accesses, Instant)>);

impl Hanging {
    /// Takes in what is counted `now`; whether the drive is stuck, were it not held here.
    pub(crate) fn step(&mut self, now: Instant, plug: &Plug, accesses: Option<Accesses>) -> bool {
        let Some(accesses) = accesses.filter(|accesses| accesses.under_way > 0) else {
            self.0.remove(plug);
            return false;
        };
        let entry = self.0.entry(plug.clone()).or_insert((accesses, now));
        if !accesses.hang_since(entry.0) {
            *entry = (accesses, now);
        }
        now.saturating_duration_since(entry.1) >= SILENT
    }

    /// Forgets drives that are gone.
    pub(crate) fn left(&mut self, plug: &Plug) {
        self.0.remove(plug);
    }
}

/// Whether a process was killed and is still there, which is as long as the kernel holds one of its tasks: each of them ends, or has yet to
/// see the kill. One alone may end in a process that goes on.
pub(super) fn was_killed(proc: &Path, pid: u32) -> bool {
    let tasks = tasks::of(proc, pid).unwrap_or_default();
    let killed = |task: &u32| {
        let dir = proc.join(task.to_string());
        let is_exiting = text(&dir.join("stat")).is_some_and(|stat| is_exiting(&stat));
        is_exiting || text(&dir.join("status")).is_some_and(|status| awaits_kill(&status))
    };
    !tasks.is_empty() && tasks.iter().all(killed)
}

/// Whether a task's `stat` says that it is ending: behind its name, which may hold anything, the flags are the seventh field.
fn is_exiting(stat: &str) -> bool {
    let flags = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(6));
    flags
        .and_then(|flags| flags.parse::<u64>().ok())
        .is_some_and(|flags| flags & EXITING != 0)
}

/// Whether a task's `status` has a kill that it did not see yet.
fn awaits_kill(status: &str) -> bool {
    let pending = status.lines().filter_map(|line| {
        let mask = line.strip_prefix("SigPnd:").or_else(|| line.strip_prefix("ShdPnd:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    });
    pending.fold(0, |all, mask| all | mask) & KILL != 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Of a drive of QEMU's that answers nothing since a job wrote to it: eight writes and a flush.
    const HANGS: &str = "     590        0    16960    13784       40        0    18048    31132        9    37124    44918        0        0        0        0        1        0\n";

    #[test]
    fn accesses_hang_where_one_is_under_way_and_none_ends() {
        let hangs = Accesses::parse(HANGS).unwrap();
        assert_eq!((hangs.under_way, hangs.ended), (9, 590 + 40 + 1));
        // As kernels before 4.18 tell it, without trims and flushes.
        let older = Accesses::parse("590 0 16960 13784 40 0 18048 31132 9 37124 44918").unwrap();
        assert_eq!((older.under_way, older.ended), (9, 590 + 40));
        assert_eq!(Accesses::parse("590 0 16960"), None);
        let now = |under_way, ended| Accesses { under_way, ended };
        for (before, after, hang) in [
            (now(9, 7), now(9, 7), true),
            // Another look at it hangs, too.
            (now(9, 7), now(10, 7), true),
            (now(9, 7), now(9, 8), false),
            (now(0, 7), now(1, 7), false),
            (now(1, 7), now(0, 8), false),
        ] {
            assert_eq!(after.hang_since(before), hang, "{before:?}, {after:?}");
        }
    }

    #[test]
    fn a_drive_is_stuck_once_nothing_ended_for_long_and_no_more_once_something_does() {
        let plug = |syspath: &str| Plug {
            syspath: syspath.to_owned(),
            sequence: 3,
        };
        let (sda, sdb, begin) = (plug("sda"), plug("sdb"), Instant::now());
        let mut hanging = Hanging::default();
        let mut step = |plug: &Plug, s, counted: Option<(u64, u64)>| {
            let accesses = counted.map(|(under_way, ended)| Accesses { under_way, ended });
            hanging.step(begin + Duration::from_secs(s), plug, accesses)
        };
        assert!(!step(&sda, 0, Some((1, 7))));
        // One that is busy.
        assert!(!step(&sdb, 0, Some((8, 100))));
        assert!(!step(&sda, 199, Some((2, 7))));
        assert!(!step(&sdb, 199, Some((8, 900))));
        assert!(step(&sda, 200, Some((2, 7))));
        assert!(!step(&sdb, 200, Some((8, 900))));
        assert!(step(&sda, 900, Some((9, 7))));
        // Then one access comes back, all come back, or the kernel tells nothing.
        assert!(!step(&sda, 901, Some((8, 8))));
        assert!(step(&sda, 1_101, Some((8, 8))));
        assert!(!step(&sda, 1_102, Some((0, 16))));
        assert!(!step(&sda, 1_200, Some((1, 16))));
        assert!(!step(&sda, 1_500, None));
        assert!(!step(&sda, 1_501, Some((1, 16))));
    }

    #[test]
    fn a_process_was_killed_where_each_of_its_tasks_ends_or_has_yet_to_see_it() {
        let proc = tempfile::tempdir().unwrap();
        let task = |tid: u32, flags: u64, pending: &str| {
            let dir = proc.path().join(tid.to_string());
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::create_dir_all(proc.path().join(format!("305/task/{tid}"))).unwrap();
            std::fs::write(
                dir.join("stat"),
                format!("{tid} (a (b) c) D 1 305 305 0 -1 {flags} 0 0"),
            )
            .unwrap();
            let status =
                format!("Name:\ta\nSigPnd:\t{pending}\nShdPnd:\t0000000000000000\nSigBlk:\t0000000000000100\n");
            std::fs::write(dir.join("status"), status).unwrap();
        };
        let killed = || was_killed(proc.path(), 305);
        assert!(!killed(), "it is gone");
        // As the agent's threads were, whose drive did not answer: the first one has ended, the other waits in the kernel.
        task(305, 4_228_364, "0000000000000000");
        task(394, 4_194_368, "0000000000000100");
        assert!(killed());
        task(394, 4_194_368, "0000000000004000");
        assert!(!killed(), "a first thread may end before the others");
    }
}
