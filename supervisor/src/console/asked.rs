//! What the kernel may never answer, asked by a child.
//!
//! It answers questions about the network under a lock that a driver may hold for ever: then whoever asks hangs in the kernel,
//! and no signal ends it. The console draws every terminal and hears every key in one process, so a child asks. One that is late
//! is left behind, and no other one asks until it has come back.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe2};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::shell::sleep::sleep;

/// How long an answer is waited for: it takes milliseconds, and all terminals wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who was asked last and has not come back.
#[derive(Debug, Default)]
pub(super) struct Asked(Option<Pid>);

impl Asked {
    /// What `ask` found out in a child of this process, which has one thread.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] where it does not answer within two seconds, and at once while an earlier one hangs; else what the
    /// kernel says of a child.
    pub(super) fn text(&mut self, ask: fn() -> String) -> io::Result<String> {
        if !self.is_back() {
            return Err(ErrorKind::TimedOut.into());
        }
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        // SAFETY: a helper has one thread.
        match unsafe { fork() }? {
            ForkResult::Child => {
                drop(reader);
                // Longer than a pipe is no page.
                let _ = File::from(writer).write_all(ask().as_bytes());
                // SAFETY: ends the child without running destructors.
                unsafe { libc::_exit(0) }
            }
            ForkResult::Parent { child } => {
                self.0 = Some(child);
                drop(writer);
                let text = whole(File::from(reader))?;
                // It has nothing left to do but to end.
                let _ = waitpid(child, None);
                self.0 = None;
                Ok(text)
            }
        }
    }

    /// Whether nobody is asking any more.
    fn is_back(&mut self) -> bool {
        let hangs = |child: &Pid| {
            let state = waitpid(*child, Some(WaitPidFlag::WNOHANG));
            matches!(state, Ok(WaitStatus::StillAlive) | Err(Errno::EINTR))
        };
        self.0 = self.0.filter(hangs);
        self.0.is_none()
    }
}

/// All that comes out of a pipe until its other end is closed.
fn whole(mut pipe: File) -> io::Result<String> {
    let (mut bytes, begun) = (Vec::new(), Instant::now());
    loop {
        match pipe.read_to_end(&mut bytes) {
            Ok(_) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
        let left = PATIENCE
            .checked_sub(begun.elapsed())
            .and_then(|left| Timespec::try_from(left).ok())
            .ok_or(ErrorKind::TimedOut)?;
        match sleep(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&left)) {
            Err(e) if e.kind() != ErrorKind::Interrupted => return Err(e),
            Ok(_) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use nix::sys::signal::{Signal, kill};

    use super::*;

    #[test]
    fn one_that_hangs_is_left_behind_and_nobody_else_asks_until_it_is_gone() {
        let mut asked = Asked::default();
        assert_eq!(asked.text(|| "eth0\n".into()).unwrap(), "eth0\n");
        assert_eq!(asked.0, None);
        let hangs = || loop {
            std::thread::sleep(Duration::from_mins(1));
        };
        let begun = Instant::now();
        assert_eq!(asked.text(hangs).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(begun.elapsed() >= PATIENCE);
        let child = asked.0.unwrap();
        let again = Instant::now();
        assert_eq!(asked.text(|| "eth0\n".into()).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(
            again.elapsed() < PATIENCE && asked.0 == Some(child),
            "it is not waited for twice"
        );
        kill(child, Signal::SIGKILL).unwrap();
        while asked.text(|| "eth1\n".into()).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(asked.0, None);
    }
}
