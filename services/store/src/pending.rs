//! The answer to a write that has not been committed yet: waited for by a thread or awaited by a task.
//!
//! Small enough to be written here, so that the crate works the same under tokio and without any runtime.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::Result;

/// Where the writer puts the answer.
pub(crate) struct Slot<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

struct State<T> {
    answer: Option<Result<T>>,
    waker: Option<Waker>,
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Slot {
            state: Mutex::new(State {
                answer: None,
                waker: None,
            }),
            filled: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // A panic while holding it cannot leave the two fields half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fill(&self, answer: Result<T>) {
        let mut state = self.lock();
        state.answer = Some(answer);
        let waker = state.waker.take();
        drop(state);
        self.filled.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Answer of [`crate::Store::write`]: ready once the commit that holds the write is on the medium.
///
/// Dropping it does not take the write back.
#[must_use = "an unread answer hides a failed write; wait, await, or call forget()"]
pub struct Pending<T> {
    slot: Arc<Slot<T>>,
}

impl<T> std::fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending")
            .field("ready", &self.slot.lock().answer.is_some())
            .finish()
    }
}

impl<T> Pending<T> {
    pub(crate) fn new(slot: Arc<Slot<T>>) -> Self {
        Pending { slot }
    }

    /// Blocks until the write is on the medium or has failed. Not for async tasks: await it there.
    pub fn wait(self) -> Result<T> {
        let mut state = self.slot.lock();
        loop {
            if let Some(answer) = state.answer.take() {
                return answer;
            }
            state = self.slot.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets the write go on without reading its answer; a failure is logged by the writer.
    pub fn forget(self) {}
}

impl<T> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.slot.lock();
        if let Some(answer) = state.answer.take() {
            Poll::Ready(answer)
        } else {
            state.waker = Some(context.waker().clone());
            Poll::Pending
        }
    }
}
