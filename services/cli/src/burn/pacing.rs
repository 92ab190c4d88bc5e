//! How fast each drive of one command may go, and one start after the other.
//!
//! The shares are [`burnin::pace`]'s. Whichever drive's thread looks first turns them, once a second; each takes its own rate from them.
//! Without limits nothing is shared, and only the starts are apart.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use burnin::pace::{Governor, Limits};
use burnin::runner::Ask;
use drive::company::controller;

/// How often rates are set anew. Source: `Governor::step`.
const PERIOD: Duration = Duration::from_secs(1);

/// How often a drive that waits for its turn looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);

/// Shares the limits among the drives of one command; clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Pacer {
    epoch: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// By the order in which they began: two drives may tell one identity.
    governor: Governor<u64, String>,
    rates: BTreeMap<u64, Option<u64>>,
    joined: u64,
    turned: Option<Duration>,
}

/// One drive's share; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    pacer: Pacer,
    key: u64,
    told: Cell<Option<u64>>,
}

impl Pacer {
    pub(super) fn new(limits: Limits) -> Self {
        let state = State {
            governor: Governor::new(limits),
            rates: BTreeMap::new(),
            joined: 0,
            turned: None,
        };
        Self {
            epoch: Instant::now(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic could leave half done is set right by the next turn.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When one more drive may be touched: in the order in which they are named.
    pub(super) fn turn(&self) -> Duration {
        self.state().governor.touch(self.epoch.elapsed())
    }

    /// Waits for that turn, or until everything is to end.
    pub(super) fn wait(&self, at: Duration, asked: &AtomicBool) {
        while self.epoch.elapsed() < at && !asked.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK.min(at.saturating_sub(self.epoch.elapsed())));
        }
    }

    /// Takes a drive in, which waits (a rate of 0) until it is told another one; `None` where no limit was asked for.
    pub(super) fn join(&self, syspath: &str) -> Option<Share> {
        let mut state = self.state();
        if state.governor.limits() == Limits::default() {
            return None;
        }
        state.joined += 1;
        let key = state.joined;
        state.governor.add(self.epoch.elapsed(), key, controller(syspath));
        state.rates.insert(key, Some(0));
        drop(state);
        Some(Share {
            pacer: self.clone(),
            key,
            told: Cell::new(Some(0)),
        })
    }
}

impl Share {
    /// What is to be asked of the engine, where the rate changed.
    pub(super) fn changed(&self) -> Option<Ask> {
        let now = self.pacer.epoch.elapsed();
        let mut guard = self.pacer.state();
        let state = &mut *guard;
        if state.turned.is_none_or(|at| now.saturating_sub(at) >= PERIOD) {
            state.turned = Some(now);
            for (key, rate) in state.governor.step(now) {
                state.rates.insert(key, rate);
            }
        }
        let rate = state.rates.get(&self.key).copied()?;
        (self.told.replace(rate) != rate).then_some(Ask::Pace(rate))
    }

    /// Whether its turn has not come yet.
    pub(super) fn waits(&self) -> bool {
        self.told.get() == Some(0)
    }

    /// What the drive moves now, in bytes a second.
    pub(super) fn measured(&self, rate: u64) {
        self.pacer.state().governor.measured(&self.key, rate);
    }

    /// Whether it moves nothing for now: others have its share meanwhile.
    pub(super) fn rests(&self, rests: bool) {
        self.pacer.state().governor.rests(&self.key, rests);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.pacer.state();
        state.governor.remove(&self.key);
        state.rates.remove(&self.key);
    }
}
