#![doc = include_str!("../README.md")]

use std::io;
use std::os::fd::RawFd;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{SysconfVar, close, sysconf};

/// Gives the calling thread a table of descriptors of its own with `number` alone in it. What the other threads open and close is not seen
/// in it from now on, and they keep all that they have.
///
/// # Errors
/// When `number` is none, or the system lets the thread have no table of its own (a sandbox): then nothing has changed.
pub fn alone_with(number: RawFd) -> io::Result<()> {
    alone(number, close_range)
}

fn alone(number: RawFd, close: impl Fn(u32, u32) -> io::Result<()>) -> io::Result<()> {
    let kept = u32::try_from(number).map_err(io::Error::other)?;
    unshare(CloneFlags::CLONE_FILES)?;
    let below = kept.checked_sub(1).map(|last| (0, last));
    for (first, last) in below.into_iter().chain([(kept + 1, u32::MAX)]) {
        if close(first, last).is_err() {
            close_each(first, last);
        }
    }
    Ok(())
}

/// Closes these descriptors in the table of this thread, which nobody shares.
fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: only numbers are given. The table is this thread's alone since it was unshared: no descriptor of another thread is closed,
    // and a caller owns none besides (README).
    match unsafe { libc::syscall(libc::SYS_close_range, first, last, 0u32) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The same on kernels before 5.9, which have no call for it.
fn close_each(first: u32, last: u32) {
    let most = sysconf(SysconfVar::OPEN_MAX).ok().flatten().unwrap_or(1024);
    for number in i64::from(first)..=i64::from(last).min(most - 1) {
        let _was_none = RawFd::try_from(number).map(close);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::fs::File;
    use std::io::Read as _;
    use std::os::fd::AsRawFd as _;

    use super::*;

    fn is_open(number: RawFd) -> bool {
        std::fs::read_link(format!("/proc/thread-self/fd/{number}")).is_ok()
    }

    #[test]
    fn a_thread_has_that_one_alone_and_takes_none_from_the_others() {
        let no_such_call: fn(u32, u32) -> io::Result<()> = |_, _| Err(io::ErrorKind::Unsupported.into());
        for close in [close_range, no_such_call] {
            let mut files: Vec<File> = (0..4).map(|_| tempfile::tempfile().unwrap()).collect();
            let numbers: Vec<RawFd> = files.iter().map(|file| file.as_raw_fd()).collect();
            let kept = numbers[2];
            let seen = std::thread::spawn(move || {
                alone(kept, close).unwrap();
                numbers.into_iter().map(is_open).collect::<Vec<bool>>()
            });
            assert_eq!(seen.join().unwrap(), [false, false, true, false]);
            for file in &mut files {
                assert_eq!(file.read(&mut [0]).unwrap(), 0);
            }
        }
    }

    #[test]
    fn what_is_no_descriptor_changes_nothing() {
        let file = tempfile::tempfile().unwrap();
        let number = file.as_raw_fd();
        let seen = std::thread::spawn(move || (alone_with(-1).is_err(), is_open(number)));
        assert_eq!(seen.join().unwrap(), (true, true));
    }
}
