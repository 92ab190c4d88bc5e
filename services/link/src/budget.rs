//! Room for what all connections of a server have received and nobody has taken yet.
//!
//! Each connection may hold [`FREE`] bytes: half a message, and whole ones that wait. What is beyond that counts, and all
//! connections together have a [`Budget`]. While it is full nobody reads on, and one has to end: of those that could read and
//! did not get anything, who read last before all others, so that a slow sender of long messages loses its connection and not
//! the one that came after it. Where all wait for room it is the one that began last: the others come to their end then.
//!
//! ```text
//!   read ─► unfinished ──complete──► queued ──dropped by its taker──► given back
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::sync::Notify;

/// Bytes that a connection may hold without asking: its read buffer, which is there in any case, and many common frames.
pub(crate) const FREE: usize = 4 * 1024;

/// Bytes that all connections of a server may hold beyond [`FREE`] each.
///
/// Of 300 MiB for five thousand add-ons 276 are used without any half message (measured, `kiln-bench server`).
const ALL: usize = 16 << 20;

/// The room of all connections of one server; cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Mutex<Room>>);

#[derive(Debug)]
struct Room {
    most: usize,
    /// Counted bytes of all connections.
    taken: usize,
    /// Of these, what connections hold that have been told to end.
    leaving: usize,
    /// Who holds counted bytes, by number of its connection; who has been told to end is not among them.
    holders: HashMap<u64, Holder>,
    /// Who would read on, by number of its connection.
    waiting: HashMap<u64, Waker>,
    /// Moments and connections are counted, not timed.
    next: u64,
}

#[derive(Debug)]
struct Holder {
    bytes: usize,
    /// The moment of its last read.
    read: u64,
    /// The moment since when it holds, or when it completed a message.
    began: u64,
    /// Whether it would read on, and has not been asked again since it was refused.
    stalled: bool,
    told: Arc<Notify>,
}

/// What one connection holds.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    number: u64,
    told: Arc<Notify>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// Bytes read that belong to no complete message yet.
    unfinished: usize,
    /// Bytes of the last read.
    last_read: usize,
    /// Bytes of complete messages that nobody has dropped yet.
    queued: usize,
    /// Whether it is to be among the holders. Not found there: it has been told to end.
    holds: bool,
}

impl Held {
    fn counted(&self) -> usize {
        (self.unfinished + self.queued).saturating_sub(FREE)
    }
}

/// A complete message's part of the room; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    share: Arc<Share>,
    bytes: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(ALL)
    }
}

impl Budget {
    /// A budget of `most` bytes beyond what each connection has for itself.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(Room {
            most,
            taken: 0,
            leaving: 0,
            holders: HashMap::new(),
            waiting: HashMap::new(),
            next: 0,
        })))
    }

    /// Counted bytes at this moment. May pass the budget by one read of each thread.
    pub fn taken(&self) -> usize {
        lock(&self.0).taken
    }

    /// The share of a new connection.
    pub(crate) fn share(&self) -> Arc<Share> {
        Arc::new(Share {
            budget: self.clone(),
            number: lock(&self.0).tick(),
            told: Arc::default(),
            held: Mutex::default(),
        })
    }
}

impl Room {
    fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A connection holds `after` counted bytes, and held `before`.
    fn settle(&mut self, share: &Share, holds: &mut bool, before: usize, after: usize) {
        self.taken = self.taken - before + after;
        let now = self.tick();
        match (*holds, self.holders.get_mut(&share.number)) {
            (false, _) => {
                let told = Arc::clone(&share.told);
                let (read, began, bytes) = (now, now, after);
                self.holders.insert(
                    share.number,
                    Holder {
                        bytes,
                        read,
                        began,
                        stalled: false,
                        told,
                    },
                );
                *holds = true;
            }
            (true, None) => self.leaving = self.leaving - before + after,
            (true, Some(_)) if after == 0 => {
                self.holders.remove(&share.number);
                *holds = false;
            }
            (true, Some(holder)) => {
                holder.bytes = after;
                if after > before {
                    holder.read = now;
                }
            }
        }
        if after < before {
            for (_, waker) in self.waiting.drain() {
                waker.wake();
            }
        }
    }

    /// Tells holders to end, until those that are left have room.
    fn make_room(&mut self) {
        while self.taken - self.leaving >= self.most {
            let idle = self.holders.iter().filter(|(_, holder)| !holder.stalled);
            let oldest = idle.min_by_key(|(_, holder)| holder.read);
            let youngest = || self.holders.iter().max_by_key(|(_, holder)| holder.began);
            let Some(number) = oldest.or_else(youngest).map(|(number, _)| *number) else {
                return;
            };
            if let Some(holder) = self.holders.remove(&number) {
                self.leaving += holder.bytes;
                holder.told.notify_one();
            }
        }
    }
}

impl Share {
    /// Whether the connection may read on now; else `waker` is woken when it may ask again.
    pub(crate) fn may_read(&self, waker: &Waker) -> bool {
        let held = lock(&self.held);
        if held.unfinished + held.queued < FREE {
            return true;
        }
        let mut room = lock(&self.budget.0);
        let fits = room.taken < room.most;
        let ends = match room.holders.get_mut(&self.number) {
            Some(holder) => {
                holder.stalled = !fits;
                false
            }
            None => held.holds,
        };
        if fits && !ends {
            return true;
        }
        room.waiting.insert(self.number, waker.clone());
        room.make_room();
        false
    }

    /// Counts `bytes` that were read.
    pub(crate) fn read(&self, bytes: usize) {
        self.change(|held| {
            held.unfinished += bytes;
            held.last_read = bytes;
        });
    }

    /// A control frame with that payload was read: two bytes of header, four of mask (RFC 6455 §5.5: it is one frame).
    pub(crate) fn control(&self, payload: usize) {
        self.change(|held| held.unfinished = held.unfinished.saturating_sub(payload + 6));
    }

    /// A message of that length is complete. What was read behind it lies within the last read: before that it was not
    /// complete.
    pub(crate) fn complete(self: &Arc<Self>, bytes: usize) -> Hold {
        self.change(|held| {
            held.unfinished = held.unfinished.saturating_sub(bytes + 6).min(held.last_read);
            held.queued += bytes;
        });
        if let Some(holder) = lock(&self.budget.0).holders.get_mut(&self.number) {
            holder.began = holder.read;
        }
        Hold {
            share: Arc::clone(self),
            bytes,
        }
    }

    /// The connection's buffers are gone.
    pub(crate) fn give_back(&self) {
        self.change(|held| held.unfinished = 0);
        lock(&self.budget.0).waiting.remove(&self.number);
    }

    /// Resolves when this connection is to end for the others' sake.
    pub(crate) async fn told(&self) {
        self.told.notified().await;
    }

    fn change(&self, change: impl FnOnce(&mut Held)) {
        let mut held = lock(&self.held);
        let before = held.counted();
        change(&mut held);
        let after = held.counted();
        if before != after {
            lock(&self.budget.0).settle(self, &mut held.holds, before, after);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.share.change(|held| held.queued -= self.bytes);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    fn may_read(share: &Share) -> bool {
        share.may_read(Waker::noop())
    }

    fn is_told(share: &Share) -> bool {
        share.told().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_half_message_goes_and_the_others_read_on_when_it_has_gone() {
        let budget = Budget::new(10_000);
        let shares: Vec<_> = (0..3).map(|_| budget.share()).collect();
        for share in &shares {
            share.read(FREE + 4000);
        }
        assert_eq!(budget.taken(), 12_000);
        assert!(!may_read(&shares[2]));
        assert_eq!(
            shares.iter().map(|share| is_told(share)).collect::<Vec<_>>(),
            [true, false, false]
        );
        assert!(!may_read(&shares[2]), "the first has not gone yet");
        assert!(!is_told(&shares[1]), "one was enough");
        shares[0].give_back();
        assert!(may_read(&shares[2]) && may_read(&shares[1]));
    }

    #[test]
    fn who_waits_for_room_outlives_who_could_read_and_sends_nothing() {
        let budget = Budget::new(10_000);
        let (honest, slow) = (budget.share(), budget.share());
        // It began before the slow one, and stands still because there is no room.
        honest.read(FREE + 5000);
        slow.read(FREE + 5000);
        assert!(!may_read(&honest));
        assert!(is_told(&slow) && !is_told(&honest));
        slow.give_back();
        assert!(may_read(&honest));
    }

    #[test]
    fn where_all_wait_for_room_the_first_come_to_their_end() {
        let budget = Budget::new(10_000);
        let shares: Vec<_> = (0..3).map(|_| budget.share()).collect();
        for share in &shares {
            share.read(FREE + 3000);
        }
        for holder in lock(&budget.0).holders.values_mut() {
            holder.stalled = true;
        }
        shares[0].read(2000);
        assert!(!may_read(&shares[0]));
        assert!(is_told(&shares[2]) && !is_told(&shares[1]) && !is_told(&shares[0]));
        shares[2].give_back();
        let hold = shares[0].complete(FREE + 4990);
        drop(hold);
        assert!(may_read(&shares[1]));
    }

    #[test]
    fn messages_that_wait_to_be_taken_count_until_they_are_dropped() {
        let budget = Budget::new(10_000);
        let share = budget.share();
        let mut holds = Vec::new();
        for _ in 0..3 {
            share.read(4096);
            holds.push(share.complete(4090));
        }
        assert_eq!(budget.taken(), 3 * 4090 - FREE);
        holds.clear();
        assert_eq!(budget.taken(), 0);
        assert!(may_read(&share));
    }

    #[test]
    fn pings_without_end_hold_nothing() {
        let budget = Budget::new(10_000);
        let share = budget.share();
        for length in (0..=125).cycle().take(10_000) {
            share.read(length + 6);
            share.control(length);
        }
        assert_eq!((budget.taken(), lock(&share.held).unfinished), (0, 0));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_counted_twice(steps in prop::collection::vec((0_usize..4, 0_u8..5, 1_usize..9000), 1..200)) {
            let budget = Budget::new(20_000);
            let shares: Vec<_> = (0..4).map(|_| budget.share()).collect();
            let mut holds = Vec::new();
            for (who, what, bytes) in steps {
                match what {
                    0 | 1 => if may_read(&shares[who]) { shares[who].read(bytes) },
                    2 => holds.push(shares[who].complete(bytes)),
                    3 => { holds.pop(); }
                    _ => shares[who].give_back(),
                }
                let counted: usize = shares.iter().map(|share| lock(&share.held).counted()).sum();
                prop_assert_eq!(budget.taken(), counted);
                let room = lock(&budget.0);
                let staying: usize = room.holders.values().map(|holder| holder.bytes).sum();
                prop_assert_eq!(room.taken, room.leaving + staying);
            }
            holds.clear();
            for share in &shares {
                share.give_back();
            }
            let room = lock(&budget.0);
            prop_assert_eq!((room.taken, room.leaving, room.holders.len()), (0, 0, 0));
        }
    }
}
