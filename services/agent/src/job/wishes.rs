//! Wishes of persons on their way to a job that may be asking a sick drive, and hears them in minutes.
//!
//! None is ever refused while the job goes on, but for a pause of a drive that is being formatted: an abort takes the place of all
//! that wait, as nothing takes it back; of the others the last one counts. At most three wait, a pause and the wish to go on before
//! and after it: a pause is when a person exchanges a drive, so the job hears of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Wish;

#[derive(Debug, Default)]
struct Waiting {
    wishes: Vec<Wish>,
    /// Nothing holds the job any more.
    unpausable: bool,
    /// One of the two ends is gone.
    closed: bool,
}

/// Why nobody will do what is wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The job is over.
    Over,
    /// Its drive is being formatted, and it was to be paused.
    Formats,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.waiting().closed = true;
        self.changed.notify_one();
    }
}

/// Where wishes are put.
#[derive(Debug)]
pub struct Wishes(Arc<Shared>);

/// Where the job's task takes them from.
#[derive(Debug)]
pub struct Wished(Arc<Shared>);

/// The two ends.
pub fn channel() -> (Wishes, Wished) {
    let shared = Arc::new(Shared::default());
    (Wishes(Arc::clone(&shared)), Wished(shared))
}

impl Wishes {
    /// Puts one.
    ///
    /// # Errors
    /// Why nobody will do it; nothing was put then.
    pub fn put(&self, wish: Wish) -> Result<(), Refused> {
        let mut waiting = self.0.waiting();
        if waiting.closed {
            return Err(Refused::Over);
        }
        if waiting.unpausable && matches!(wish, Wish::Pause(_)) {
            return Err(Refused::Formats);
        }
        join(&mut waiting.wishes, wish);
        drop(waiting);
        self.0.changed.notify_one();
        Ok(())
    }
}

impl Drop for Wishes {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What waits once `wish` has come, too.
fn join(waiting: &mut Vec<Wish>, wish: Wish) {
    match (waiting.as_slice(), &wish) {
        ([.., Wish::Abort(_)], _) => {}
        (_, Wish::Abort(_)) => *waiting = vec![wish],
        // Equal ones are one, of whoever came first.
        ([.., Wish::Pause(_)], Wish::Pause(_)) | ([.., Wish::Resume(_)], Wish::Resume(_)) => {}
        // Back to what was wished before the last one.
        ([.., Wish::Pause(_), Wish::Resume(_)], Wish::Pause(_)) => drop(waiting.pop()),
        (_, Wish::Pause(_) | Wish::Resume(_)) => waiting.push(wish),
    }
}

impl Wished {
    /// The next one, in order; `None` once nobody can wish anything any more.
    pub async fn recv(&mut self) -> Option<Wish> {
        loop {
            {
                let mut waiting = self.0.waiting();
                if !waiting.wishes.is_empty() {
                    return Some(waiting.wishes.remove(0));
                }
                if waiting.closed {
                    return None;
                }
            }
            self.0.changed.notified().await;
        }
    }

    /// The next one that has come.
    pub fn try_recv(&mut self) -> Option<Wish> {
        let mut waiting = self.0.waiting();
        (!waiting.wishes.is_empty()).then(|| waiting.wishes.remove(0))
    }

    /// Takes no more: whoever wishes something from now on is told that nobody will hear it. What was put before is heard still.
    pub fn close(&mut self) {
        self.0.close();
    }

    /// Whether none waits; then no pause is taken any more.
    pub fn refuse_pauses(&mut self) -> bool {
        let mut waiting = self.0.waiting();
        waiting.unpausable = waiting.wishes.is_empty();
        waiting.unpausable
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.0.waiting().wishes.is_empty()
    }
}

impl Drop for Wished {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_wished_unheard_few_wait_the_last_counts_and_an_abort_is_first() {
        let of = |letter: char, by: usize| match letter {
            'p' => Wish::Pause(by.to_string()),
            'r' => Wish::Resume(by.to_string()),
            _ => Wish::Abort(by.to_string()),
        };
        for (wished, waits) in [
            ("pppppppppp", "p0"),
            ("pr", "p0 r1"),
            ("prp", "p0"),
            ("prprprpr", "p0 r7"),
            ("rpr", "r0 p1 r2"),
            ("rprprprpr", "r0 p1 r8"),
            ("rp", "r0 p1"),
            ("prprprpra", "a8"),
            ("aaarpa", "a0"),
        ] {
            let mut waiting = Vec::new();
            for (by, letter) in wished.chars().enumerate() {
                join(&mut waiting, of(letter, by));
            }
            let told: Vec<String> = waiting
                .iter()
                .map(|wish| match wish {
                    Wish::Pause(by) => format!("p{by}"),
                    Wish::Resume(by) => format!("r{by}"),
                    Wish::Abort(by) => format!("a{by}"),
                })
                .collect();
            assert_eq!(told.join(" "), waits, "{wished}");
        }
    }

    #[tokio::test]
    async fn what_was_put_comes_and_who_is_gone_is_told() {
        let (wishes, mut wished) = channel();
        assert!(wished.is_empty() && wished.try_recv().is_none());
        let later = tokio::spawn(async move { (wished.recv().await, wished) });
        assert_eq!(wishes.put(Wish::Pause("ann".into())), Ok(()));
        let (first, mut wished) = later.await.unwrap_or_else(|_| unreachable!());
        assert_eq!(first, Some(Wish::Pause("ann".into())));
        assert!(wishes.put(Wish::Abort("eve".into())).is_ok() && !wished.is_empty());
        drop(wishes);
        assert_eq!(
            wished.recv().await,
            Some(Wish::Abort("eve".into())),
            "heard all the same"
        );
        assert_eq!(wished.recv().await, None);
        let (wishes, wished) = channel();
        drop(wished);
        assert_eq!(wishes.put(Wish::Abort("eve".into())), Err(Refused::Over));
    }

    /// It was answered that the job is held, and its drive was formatted all the same.
    #[test]
    fn a_pause_is_refused_from_when_the_drive_is_formatted_and_an_abort_is_not() {
        let (wishes, mut wished) = channel();
        let pause = || Wish::Pause("ann".into());
        assert_eq!(wishes.put(pause()), Ok(()));
        assert!(!wished.refuse_pauses(), "one that was answered is heard first");
        assert_eq!(wished.try_recv(), Some(pause()));
        assert!(wished.refuse_pauses());
        assert_eq!(wishes.put(pause()), Err(Refused::Formats));
        assert_eq!(wishes.put(Wish::Abort("eve".into())), Ok(()));
        assert_eq!(wished.try_recv(), Some(Wish::Abort("eve".into())));
    }

    /// A verdict is made meanwhile: what was answered counts, and who comes later is refused.
    #[test]
    fn who_closes_hears_what_was_put_and_nothing_later() {
        let (wishes, mut wished) = channel();
        assert_eq!(wishes.put(Wish::Abort("ann".into())), Ok(()));
        wished.close();
        assert_eq!(wishes.put(Wish::Abort("eve".into())), Err(Refused::Over));
        assert_eq!(wished.try_recv(), Some(Wish::Abort("ann".into())));
        assert_eq!(wished.try_recv(), None);
    }
}
