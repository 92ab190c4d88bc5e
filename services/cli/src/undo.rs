//! What a signal must not leave behind: a terminal that shows nothing of what is typed, half of a file.
//!
//! For commands that a signal simply ends: it still does, as it would without this, once what is listed is undone. `kiln burn` has a
//! course of its own (`burn::signals`). One thread listens from the first [`Undo`] on, since a handler that is taken away again would leave
//! the signal without any effect. Tested by whole commands in `tests/undo.rs`.

use std::io;
use std::sync::{Mutex, PoisonError};

use libc::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

type Act = Box<dyn FnOnce() + Send>;

/// What is to be undone, in the order of its doing.
struct List {
    acts: Vec<(u64, Act)>,
    next: u64,
    listens: bool,
}

static LIST: Mutex<List> = Mutex::new(List {
    acts: Vec::new(),
    next: 0,
    listens: false,
});

/// Undone by a signal that comes before this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Undo(u64);

impl Undo {
    /// Does `act` before SIGINT, SIGTERM or SIGHUP ends the process. One of them that was ignored from the start stays so.
    ///
    /// # Errors
    /// When nobody can listen for signals.
    pub fn at_signal(act: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let mut list = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        if !list.listens {
            listen()?;
            list.listens = true;
        }
        let id = list.next;
        list.next += 1;
        list.acts.push((id, Box::new(act)));
        Ok(Self(id))
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        let mut list = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        list.acts.retain(|(id, _)| *id != self.0);
    }
}

fn listen() -> io::Result<()> {
    let which = [SIGINT, SIGTERM, SIGHUP]
        .into_iter()
        .filter(|signal| !is_ignored(*signal));
    let mut heard = Signals::new(which)?;
    let listens = move || {
        for signal in heard.forever() {
            // Held to the end: what was undone is not gone on with.
            let mut list = LIST.lock().unwrap_or_else(PoisonError::into_inner);
            for (_, act) in std::mem::take(&mut list.acts).into_iter().rev() {
                act();
            }
            let _ended = emulate_default_handler(signal);
        }
    };
    let thread = std::thread::Builder::new().name("signals".to_owned());
    thread.spawn(listens).map(drop)
}

/// Whether whoever started this process had it ignore the signal, as `nohup` does with SIGHUP. Source: `proc_pid_status(5)`, `SigIgn`.
pub fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
