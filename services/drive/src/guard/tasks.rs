//! The tasks of a process: its threads may each have a table of descriptors of their own, and `/proc/PID/fd` is that of the first one alone,
//! which may have ended before the others.
//!
//! A machine has thousands of threads, and nearly all share their process's table: where the kernel compares them (`kcmp`), each table is
//! read once (with 4000 threads and 500 descriptors the guard takes 30 ms longer, measured on 6.18). Where it does not, the first one is.
//! Tested in `tests/guard_loop.rs`, too.

use std::io;
use std::path::Path;

use nix::errno::Errno;

use crate::system::try_names;

/// Tells whether two tasks have one table of descriptors.
pub(super) type Shares = fn(u32, u32) -> bool;

/// Source: `linux/kcmp.h`, `KCMP_FILES`.
const KCMP_FILES: libc::c_long = 2;

/// The kernel's answer. Where it compares none, or may not, all threads of a process count as having one table, which nearly all have:
/// to read that once for each thread takes longer than anybody waits.
pub(super) fn shares(one: u32, other: u32) -> bool {
    let (one, other) = (libc::c_long::from(one), libc::c_long::from(other));
    let unused: libc::c_long = 0;
    // SAFETY: kcmp takes five numbers and neither reads nor writes memory of ours.
    match unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, unused, unused) } {
        0 => true,
        -1 => matches!(Errno::last(), Errno::ENOSYS | Errno::EPERM),
        _ => false,
    }
}

/// The tasks of process `pid`. Each has a directory of its own in `/proc`, though that lists only the first ones.
pub(super) fn of(proc: &Path, pid: u32) -> io::Result<Vec<u32>> {
    let names = try_names(&proc.join(pid.to_string()).join("task"))?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// Calls `read` for one task of each table of descriptors.
pub(super) fn each_table<E>(
    tasks: &[u32],
    shares: Shares,
    mut read: impl FnMut(u32) -> Result<(), E>,
) -> Result<(), E> {
    let mut known: Vec<u32> = Vec::new();
    for task in tasks {
        // One that ended since shares nothing any more: then the next one is read.
        if !known.iter().any(|known| shares(*known, *task)) {
            read(*task)?;
            known.push(*task);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn each_table_is_read_once() {
        let read = |shares: Shares| {
            let mut read = Vec::new();
            let done: Result<(), ()> = each_table(&[1, 2, 3, 4, 5], shares, |task| {
                read.push(task);
                Ok(())
            });
            done.unwrap();
            read
        };
        assert_eq!(read(|one, other| one % 2 == other % 2), [1, 2]);
        assert_eq!(read(|_, _| false), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn threads_of_this_process_share_their_table_as_the_kernel_tells() {
        let own = std::process::id();
        if !shares(own, own) {
            eprintln!("NOT RUN: this kernel compares no tables of descriptors");
            return;
        }
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || stopped.recv());
        let tasks = of(Path::new("/proc"), own).unwrap();
        assert!(
            tasks.len() > 1 && tasks.iter().all(|task| shares(own, *task)),
            "{tasks:?}"
        );
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(!shares(own, other.id()));
        other.kill().unwrap();
        other.wait().unwrap();
        drop(stop);
        assert!(thread.join().unwrap().is_err());
    }
}
