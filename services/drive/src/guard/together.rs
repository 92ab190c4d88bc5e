//! One answer for all who ask at the same time, never older than any of their questions.
//!
//! ```text
//!  first asks  ├──── answer 1 ────┤
//!  second asks      ├ · · · · · · ├──── answer 2 ────┤      began after it asked; the third gets it, too
//!  third asks            ├ · · · ·├───────────────── ┤
//! ```
//!
//! Sixteen drives that are begun together would have the kernel look at every descriptor of every process sixteen times, all at once:
//! on a slow computer that takes longer than a process is waited for. An answer that had begun before the question says nothing of what
//! was opened in between, so whoever asks meanwhile waits for the next one.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Shares the answers to one question.
#[derive(Debug)]
pub(super) struct Together<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// Whether somebody is finding an answer out.
    busy: bool,
    /// Answers that were begun.
    begun: u64,
    /// The newest one, and which it is.
    newest: Option<(u64, Arc<T>)>,
}

impl<T> Together<T> {
    pub(super) const fn new() -> Self {
        let state = State {
            busy: false,
            begun: 0,
            newest: None,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// An answer that was begun after this call. Whoever has waited for others for `longest` finds it out alone: what holds them up may be
    /// past for whoever begins now.
    pub(super) fn ask(&self, longest: Duration, find: impl FnOnce() -> T) -> Arc<T> {
        let until = Instant::now() + longest;
        let mut state = self.lock();
        let due = state.begun + 1;
        loop {
            if let Some((_, answer)) = state.newest.as_ref().filter(|(number, _)| *number >= due) {
                return Arc::clone(answer);
            }
            if !state.busy {
                break;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(state);
                return Arc::new(find());
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.busy = true;
        state.begun += 1;
        let number = state.begun;
        drop(state);
        let finding = Finding(self);
        let answer = Arc::new(find());
        self.lock().newest = Some((number, Arc::clone(&answer)));
        drop(finding);
        answer
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the next one find an answer out, also where this one panicked.
struct Finding<'a, T>(&'a Together<T>);

impl<T> Drop for Finding<'_, T> {
    fn drop(&mut self) {
        self.0.lock().busy = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn drives_that_are_begun_together_ask_the_processes_twice_and_not_sixteen_times() {
        let together = Together::new();
        let (asked, found) = (Barrier::new(17), AtomicU64::new(0));
        let (go_on, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                together.ask(LONG, || {
                    asked.wait();
                    // Until all others wait.
                    assert!(wait.lock().unwrap().recv().is_err());
                })
            });
            for _ in 0..16 {
                scope.spawn(|| {
                    asked.wait();
                    together.ask(LONG, || {
                        found.fetch_add(1, Ordering::SeqCst);
                    })
                });
            }
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(found.load(Ordering::SeqCst), 0, "one at a time");
            drop(go_on);
        });
        assert_eq!(found.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn no_answer_began_before_its_question() {
        let together = Together::new();
        let (opened, found) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let own = opened.fetch_add(1, Ordering::SeqCst) + 1;
                        let seen = together.ask(LONG, || {
                            found.fetch_add(1, Ordering::SeqCst);
                            let seen = opened.load(Ordering::SeqCst);
                            std::thread::sleep(Duration::from_micros(200));
                            seen
                        });
                        assert!(*seen >= own, "{seen} opened before the {own}th");
                    }
                });
            }
        });
        assert!(found.into_inner() < 1600, "answers were shared");
    }

    #[test]
    fn whoever_waited_for_long_asks_alone_and_one_that_panics_holds_nobody_up() {
        let together = Together::new();
        let (asked, (go_on, wait)) = (Barrier::new(2), channel::<()>());
        let wait = Mutex::new(wait);
        std::thread::scope(|scope| {
            let hangs = scope.spawn(|| {
                together.ask(LONG, || {
                    asked.wait();
                    assert!(wait.lock().unwrap().recv().is_err());
                    panic!("it hung and came to nothing");
                })
            });
            asked.wait();
            assert_eq!(*together.ask(Duration::from_millis(50), || 1), 1);
            drop(go_on);
            assert_eq!(*together.ask(LONG, || 2), 2);
            assert!(hangs.join().is_err());
        });
    }
}
