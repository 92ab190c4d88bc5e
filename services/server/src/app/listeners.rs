//! Who looks at an add-on: each listener has a queue of its own, so that one that reads slowly costs nobody else, and an
//! add-on's frames reach only those who look at it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::hub::Telemetry;

/// Frames that wait for one listener; what it misses past that it takes from the add-on's history.
const AHEAD: usize = 4096;

/// Bytes that wait for one listener.
const BYTES: usize = 8 << 20;

/// A frame with its number in the add-on's history.
pub(super) type Numbered = (u64, Telemetry);

#[derive(Debug)]
struct Listener {
    send: mpsc::Sender<Numbered>,
    waiting: Arc<AtomicUsize>,
}

/// The listeners, by add-on.
#[derive(Debug, Default)]
pub struct Listeners {
    of: Mutex<HashMap<u64, Vec<Listener>>>,
}

/// One listener's end.
#[derive(Debug)]
pub struct Hearing {
    receive: mpsc::Receiver<Numbered>,
    waiting: Arc<AtomicUsize>,
}

impl Hearing {
    fn taken(&self, frame: Numbered) -> Numbered {
        self.waiting.fetch_sub(frame.1.payload.len(), Ordering::Relaxed);
        frame
    }

    /// The next frame. Numbers that are left out between two were too many to wait: they are in the history.
    pub async fn next(&mut self) -> Option<Numbered> {
        let frame = self.receive.recv().await?;
        Some(self.taken(frame))
    }

    /// The next frame if there is one already.
    pub fn ready(&mut self) -> Option<Numbered> {
        let frame = self.receive.try_recv().ok()?;
        Some(self.taken(frame))
    }
}

impl Listeners {
    /// Listens to an add-on from now on.
    pub fn listen(&self, addon: u64) -> Hearing {
        let (send, receive) = mpsc::channel(AHEAD);
        let waiting = Arc::new(AtomicUsize::new(0));
        let listener = Listener {
            send,
            waiting: Arc::clone(&waiting),
        };
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let all = of.entry(addon).or_default();
        all.retain(|listener| !listener.send.is_closed());
        all.push(listener);
        Hearing { receive, waiting }
    }

    /// Ends everybody's listening to an add-on that was taken away.
    pub fn end(&self, addon: u64) {
        self.of.lock().unwrap_or_else(PoisonError::into_inner).remove(&addon);
    }

    /// Tells everybody who listens to an add-on; never waits.
    pub fn tell(&self, addon: u64, number: u64, item: &Telemetry) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(all) = of.get_mut(&addon) else { return };
        all.retain(|listener| {
            if listener.waiting.load(Ordering::Relaxed) + item.payload.len() > BYTES {
                return !listener.send.is_closed();
            }
            listener.waiting.fetch_add(item.payload.len(), Ordering::Relaxed);
            match listener.send.try_send((number, item.clone())) {
                Ok(()) => true,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    listener.waiting.fetch_sub(item.payload.len(), Ordering::Relaxed);
                    true
                }
                Err(mpsc::error::TrySendError::Closed(_)) => false,
            }
        });
        if all.is_empty() {
            of.remove(&addon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(length: usize) -> Telemetry {
        Telemetry {
            name: "log",
            kind: "log".into(),
            payload: "x".repeat(length).into(),
        }
    }

    #[test]
    fn a_listener_that_does_not_read_is_bounded_and_the_others_get_everything() {
        let listeners = Listeners::default();
        let mut idle = listeners.listen(2);
        let mut busy = listeners.listen(2);
        for number in 1..=100 {
            listeners.tell(2, number, &item(500_000));
            listeners.tell(3, number, &item(1));
            assert_eq!(busy.ready().map(|(number, _)| number), Some(number));
        }
        let kept = std::iter::from_fn(|| idle.ready()).count();
        assert_eq!(kept, BYTES / 500_000);
        listeners.tell(2, 101, &item(500_000));
        assert_eq!(idle.ready().map(|(number, _)| number), Some(101), "there is room again");
        drop((idle, busy));
        listeners.tell(2, 102, &item(1));
        assert!(listeners.of.lock().unwrap_or_else(PoisonError::into_inner).is_empty());
    }
}
