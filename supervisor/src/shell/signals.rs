//! Signals as bytes in a pipe: SIGCHLD, SIGTERM, SIGINT and SIGPWR by signal-hook's self-pipe.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use libc::SIGPWR;
use nix::sys::signal::SigSet;
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};

use crate::handover::fatal;

/// The reading ends, one a meaning; a byte in one says that at least one such signal came.
#[derive(Debug)]
pub struct Signals {
    child: UnixStream,
    stop: UnixStream,
    power: UnixStream,
    /// Debug builds alone: SIGUSR2 asks for a panic.
    #[cfg(debug_assertions)]
    panic: UnixStream,
}

impl Signals {
    /// Installs the handlers.
    pub fn install() -> io::Result<Signals> {
        let register = |signals: &[i32]| -> io::Result<UnixStream> {
            let (rx, tx) = UnixStream::pair()?;
            rx.set_nonblocking(true)?;
            for s in signals {
                signal_hook::low_level::pipe::register(*s, tx.try_clone()?)?;
            }
            Ok(rx)
        };
        let signals = Signals {
            child: register(&[SIGCHLD])?,
            stop: register(&[SIGTERM, SIGINT])?,
            power: register(&[SIGPWR])?,
            #[cfg(debug_assertions)]
            panic: register(&[libc::SIGUSR2])?,
        };
        // An earlier image has blocked them over its exec; what came in between is delivered now.
        SigSet::empty().thread_set_mask()?;
        Ok(signals)
    }

    /// Descriptors to wait on: children, stop, power-off.
    pub fn fds(&self) -> [BorrowedFd<'_>; 3] {
        [self.child.as_fd(), self.stop.as_fd(), self.power.as_fd()]
    }

    /// Whether a test has asked for a panic; the product has no such way.
    #[cfg(debug_assertions)]
    pub fn provoked(&self) -> bool {
        drain(&self.panic)
    }

    /// Empties the pipes; says whether a stop and whether a power-off was asked for.
    pub fn take(&mut self) -> (bool, bool) {
        drain(&self.child);
        (drain(&self.stop), drain(&self.power))
    }
}

fn drain(mut s: &UnixStream) -> bool {
    let mut buf = [0; 256];
    let mut any = false;
    while let Ok(n) = io::Read::read(&mut s, &mut buf) {
        if n == 0 {
            break;
        }
        any = true;
        if n < buf.len() {
            break;
        }
    }
    any
}

/// Blocks every signal until dropped: around `fork`, so that no handler runs in the child.
#[derive(Debug)]
pub struct Blocked(SigSet);

impl Blocked {
    /// Blocks.
    pub fn all() -> Blocked {
        let old = SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty());
        let _ = SigSet::all().thread_block();
        Blocked(old)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let _ = self.0.thread_set_mask();
    }
}

/// In a fresh child: default handlers, nothing blocked. The parent's self-pipe must not be written from here.
pub fn reset_in_child() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    for s in [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGPWR,
        Signal::SIGPIPE,
    ]
    .into_iter()
    .chain(fatal::FATAL)
    {
        // SAFETY: the default action replaces the handler; no handler of ours runs after this.
        let _ = unsafe { signal(s, SigHandler::SigDfl) };
    }
    let _ = SigSet::empty().thread_set_mask();
}
