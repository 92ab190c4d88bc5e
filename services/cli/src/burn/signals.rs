//! SIGINT, SIGTERM and SIGHUP: what they do by how far the command is.
//!
//! ```text
//!  Looking ── begun ──► Burning ── any ──► Asked ── SIGINT, SIGTERM ──► ended at once, 3
//!     │ any
//!     ▼
//!    Over: told that nothing was written; ended at once, 3, at the latest when that is not taken, or at another one
//! ```
//!
//! A thread waits for them, since a look at a drive and a question on the terminal wait for other things. It never prints: where
//! nobody reads standard error that waits without an end. Tested in `tests/contract/`.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libc::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator;
use signal_hook::low_level::{exit, signal_name};
use wire::job::Outcome;

use super::code;
use crate::undo::is_ignored;

/// Exit code of an abort, begun or not.
const ABORTED: i32 = code(Outcome::Inconclusive) as i32;

/// How long the process waits for somebody to take its last word. A terminal takes it at once, and service managers wait longer.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Listens until the process ends.
#[derive(Clone, Debug)]
pub(super) struct Signals {
    course: Arc<Mutex<Course>>,
    asked: Arc<AtomicBool>,
}

/// How far the command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Nothing is begun: drives are looked at, a person is asked.
    Looking,
    /// At least one drive may have been written.
    Burning,
    /// The burn-ins were asked to end.
    Asked,
    /// The process is about to end, with nothing begun.
    Over,
}

/// What a signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Nothing,
    /// The burn-ins take a checkpoint and end.
    Ask,
    /// The process says that nothing was written, and ends.
    Leave,
    /// The process ends at once; what was flushed stays resumable.
    Exit,
}

impl Course {
    fn hears(self, signal: i32) -> (Self, Act) {
        match self {
            Self::Looking => (Self::Over, Act::Leave),
            Self::Burning => (Self::Asked, Act::Ask),
            // A terminal that is closed or cut off sends it more than once.
            Self::Over | Self::Asked if signal == SIGHUP => (self, Act::Nothing),
            Self::Over | Self::Asked => (self, Act::Exit),
        }
    }
}

impl Signals {
    /// Begins to listen. A SIGHUP that is ignored stays so: who began with nohup wants it to go on.
    ///
    /// # Errors
    /// When the kernel takes no handler, in words.
    pub(super) fn listen() -> Result<Self, String> {
        let signals = Self {
            course: Arc::new(Mutex::new(Course::Looking)),
            asked: Arc::default(),
        };
        let mut which = vec![SIGINT, SIGTERM];
        if !is_ignored(SIGHUP) {
            which.push(SIGHUP);
        }
        let failed = |error: std::io::Error| format!("listening for signals: {error}");
        let mut heard = iterator::Signals::new(which).map_err(failed)?;
        let hears = signals.clone();
        let listens = move || heard.forever().for_each(|signal| hears.hear(signal));
        let thread = std::thread::Builder::new().name("signals".to_owned());
        thread.spawn(listens).map(drop).map_err(failed)?;
        Ok(signals)
    }

    /// From now on drives are written. Does not return where a signal has come before.
    pub(super) fn begin(&self) {
        let mut course = self.lock();
        if *course == Course::Over {
            drop(course);
            // The thread that heard it ends the process.
            loop {
                std::thread::park();
            }
        }
        *course = Course::Burning;
    }

    /// Whether the burn-ins were asked to end, for them.
    pub(super) fn asked(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.asked)
    }

    fn hear(&self, signal: i32) {
        let mut course = self.lock();
        let (now, act) = course.hears(signal);
        *course = now;
        drop(course);
        match act {
            Act::Nothing => {}
            Act::Ask => self.asked.store(true, Ordering::Relaxed),
            Act::Leave => leave(signal),
            Act::Exit => exit(ABORTED),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the process with its last word, which has its time; returns at once, so that the next signal is heard.
fn leave(signal: i32) {
    let word = move || {
        // The question on the terminal has no end of line.
        if std::io::stdin().is_terminal() {
            tell!("");
        }
        let name = signal_name(signal).unwrap_or("a signal");
        tell!("kiln burn: ended by {name} before anything was begun; nothing was written");
        exit(ABORTED);
    };
    let late = || {
        std::thread::sleep(LAST_WORD);
        exit(ABORTED);
    };
    let thread = || std::thread::Builder::new().name("last word".to_owned());
    if thread().spawn(late).is_err() || thread().spawn(word).is_err() {
        exit(ABORTED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_ends_what_is_not_begun_and_asks_what_is() {
        for (course, signal, then) in [
            (Course::Looking, SIGINT, (Course::Over, Act::Leave)),
            (Course::Looking, SIGHUP, (Course::Over, Act::Leave)),
            (Course::Over, SIGTERM, (Course::Over, Act::Exit)),
            (Course::Over, SIGHUP, (Course::Over, Act::Nothing)),
            (Course::Burning, SIGTERM, (Course::Asked, Act::Ask)),
            (Course::Burning, SIGHUP, (Course::Asked, Act::Ask)),
            (Course::Asked, SIGHUP, (Course::Asked, Act::Nothing)),
            (Course::Asked, SIGINT, (Course::Asked, Act::Exit)),
            (Course::Asked, SIGTERM, (Course::Asked, Act::Exit)),
        ] {
            assert_eq!(course.hears(signal), then, "{course:?}, {signal}");
        }
    }
}
