//! Questions to devices, side by side: each is asked in a process of its own, since one that hangs answers to nobody.
//!
//! A process that never ends is left behind, with the device it waits for; nobody waits for it. It shares no descriptor with
//! who asked, so it holds nothing else up.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::shell::sleep::sleep;

/// Questions that have not been answered.
#[derive(Debug, Default)]
pub(super) struct Asked(BTreeMap<String, Question>);

#[derive(Debug)]
struct Question {
    pid: Pid,
    answer: File,
}

impl Asked {
    /// Whether it has been asked and has not answered.
    pub(super) fn has(&self, whom: &str) -> bool {
        self.0.contains_key(whom)
    }

    /// Whether everybody has answered.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Asks `whom`: `work` runs in a process of its own and returns the answer. Returns whether there is such a process.
    ///
    /// Who asks has one thread, as every helper has.
    pub(super) fn ask(&mut self, whom: &str, work: impl FnOnce() -> u8) -> bool {
        let Ok((answer, theirs)) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC) else {
            return false;
        };
        // SAFETY: a process with one thread may go on in its child as it was.
        match unsafe { fork() } {
            Ok(ForkResult::Parent { child }) => {
                let answer = File::from(answer);
                self.0.insert(whom.to_owned(), Question { pid: child, answer });
                true
            }
            Ok(ForkResult::Child) => {
                let status = match alone(&theirs) {
                    Ok(()) => reply(work()),
                    Err(()) => 101,
                };
                // SAFETY: ends the child without running the parent's destructors.
                unsafe { libc::_exit(status) }
            }
            Err(_) => false,
        }
    }

    /// Waits until everybody has answered, for at most `time`; who has answered, and what. `None`: it died without an answer.
    pub(super) fn answers(&mut self, time: Duration) -> Vec<(String, Option<u8>)> {
        let until = Instant::now() + time;
        let mut told = Vec::new();
        while !self.0.is_empty() {
            let mut fds: Vec<PollFd<'_>> = self.0.values().map(|q| PollFd::new(&q.answer, PollFlags::IN)).collect();
            let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).ok();
            match sleep(&mut fds, left.as_ref()) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let ready = fds.iter().map(|f| !f.revents().is_empty());
            let names: Vec<String> = self
                .0
                .keys()
                .zip(ready)
                .filter(|(_, r)| *r)
                .map(|(n, _)| n.clone())
                .collect();
            for name in names {
                let Some(mut q) = self.0.remove(&name) else { continue };
                let mut byte = [0];
                let said = q.answer.read(&mut byte).is_ok_and(|n| n == 1).then_some(byte[0]);
                // It ends at once behind its answer.
                let _ = waitpid(q.pid, None);
                told.push((name, said));
            }
        }
        told
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        for q in self.0.values() {
            let _ = kill(q.pid, Signal::SIGKILL);
            let _ = waitpid(q.pid, Some(WaitPidFlag::WNOHANG));
        }
    }
}

/// In the child: keeps the pipe, as descriptor 3, and what goes to the log.
fn alone(theirs: &OwnedFd) -> Result<(), ()> {
    if theirs.as_raw_fd() != 3 {
        // SAFETY: dup2 onto 3 closes whatever was there in this process only.
        if unsafe { libc::dup2(theirs.as_raw_fd(), 3) } < 0 {
            return Err(());
        }
    }
    // SAFETY: the child never drops an object that owned one of these descriptors.
    unsafe { libc::syscall(libc::SYS_close_range, 4u32, u32::MAX, 0u32) };
    Ok(())
}

fn reply(answer: u8) -> i32 {
    // SAFETY: descriptor 3 is the pipe, and the byte outlives the call.
    let written = unsafe { libc::write(3, std::ptr::from_ref(&answer).cast(), 1) };
    i32::from(written != 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_hangs_keeps_nobody_from_answering() {
        let mut asked = Asked::default();
        let hangs = || loop {
            nix::unistd::pause();
        };
        assert!(asked.ask("hangs", hangs));
        for (name, answer) in [("a", 1), ("b", 2)] {
            assert!(asked.ask(name, move || answer));
        }
        // SAFETY: ends the child at once.
        assert!(asked.ask("dies", || unsafe { libc::_exit(0) }));
        let mut told = Vec::new();
        while told.len() < 3 {
            told.extend(asked.answers(Duration::from_secs(1)));
        }
        told.sort();
        let expected = [("a", Some(1)), ("b", Some(2)), ("dies", None)].map(|(n, a)| (n.to_owned(), a));
        assert_eq!(told, expected);
        assert!(asked.has("hangs") && !asked.has("a"));
        let Some(pid) = asked.0.get("hangs").map(|q| q.pid) else {
            return;
        };
        drop(asked);
        // What was asked in vain is ended, not waited for; here it can be.
        let _ = waitpid(pid, None);
    }
}
