//! The one thread that writes: takes orders from a queue, runs as many as are waiting in one commit, answers.
//!
//! Each order runs in a nested transaction, so one that fails takes nothing else with it. While a commit flushes the
//! medium the next orders gather; so the slower the medium, the larger the batch. Only orders that said how long they can
//! wait are waited with, for others to join them: a commit writes its own pages beside what is in it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::error::{Error, Result};
use crate::pending::Slot;
use crate::room;
use crate::store::{Core, Write};

/// The thread's name, by which another process knows it ([`crate::predecessor`]); at most 15 bytes.
pub(crate) const NAME: &str = "store-writer";

/// Most orders in one commit. Bounds the time a single answer can be kept waiting by others.
const BATCH: usize = 256;

/// The part of the map, one in so many, that [`crate::Store::write_growing`] may not use: a delete copies pages before it
/// frees any, what it frees is free only after the next commit, and in a map without a free page nothing can be deleted any
/// more.
const RESERVE: u64 = 32;

/// The least of it in bytes: what a batch of deletes and the batch before it may copy.
const RESERVE_LEAST: u64 = 1 << 20;

/// Orders that may wait; a writer that is this far behind makes its callers wait (nothing is dropped).
pub(crate) const QUEUE: usize = 1024;

/// Something to be written, its type forgotten.
pub(crate) trait Order: Send {
    /// Does the work; false if its changes are to be dropped.
    fn run(&mut self, write: &mut Write<'_, '_>) -> bool;
    /// Whether it makes the store grow: then the reserve is not for it.
    fn grows(&self) -> bool;
    /// By when it is to be committed; `None`: at once.
    fn until(&self) -> Option<Instant>;
    /// Gives it up without running it.
    fn refuse(&mut self, error: Error);
    /// Answers after the commit.
    fn finish(self: Box<Self>, committed: Result<()>);
}

/// An order with its closure and the slot for its answer.
pub(crate) struct Typed<F, T> {
    work: Option<F>,
    answer: Option<Result<T>>,
    slot: Arc<Slot<T>>,
    answered: bool,
    grows: bool,
    until: Option<Instant>,
}

impl<F, T> Typed<F, T> {
    pub(crate) fn new(work: F, grows: bool, within: Option<Duration>, slot: Arc<Slot<T>>) -> Self {
        Typed {
            work: Some(work),
            grows,
            until: within.map(|within| Instant::now() + within),
            answer: None,
            slot,
            answered: false,
        }
    }
}

impl<F, T> Order for Typed<F, T>
where
    F: FnOnce(&mut Write<'_, '_>) -> Result<T> + Send,
    T: Send,
{
    fn run(&mut self, write: &mut Write<'_, '_>) -> bool {
        let Some(work) = self.work.take() else { return false };
        let answer = catch_unwind(AssertUnwindSafe(|| work(write))).unwrap_or(Err(Error::Panicked));
        let keep = answer.is_ok();
        self.answer = Some(answer);
        keep
    }

    fn grows(&self) -> bool {
        self.grows
    }

    fn until(&self) -> Option<Instant> {
        self.until
    }

    fn refuse(&mut self, error: Error) {
        self.answer = Some(Err(error));
    }

    fn finish(mut self: Box<Self>, committed: Result<()>) {
        let answer = match (self.answer.take(), committed) {
            (Some(Err(own)), _) => Err(own),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (_, Err(error)) => Err(error),
            (None, Ok(())) => Err(Error::Closed),
        };
        if let Err(error) = &answer {
            tracing::warn!(error = error as &dyn std::error::Error, "a write was not stored");
        }
        self.answered = true;
        self.slot.fill(answer);
    }
}

impl<F, T> Drop for Typed<F, T> {
    fn drop(&mut self) {
        if !self.answered {
            self.slot.fill(Err(Error::Closed));
        }
    }
}

/// The writer's loop: ends when every [`crate::Store`] is gone and the queue is empty.
pub(crate) fn run(core: &Core, orders: &Receiver<Box<dyn Order>>) {
    while let Ok(first) = orders.recv() {
        let mut until = first.until();
        let mut batch = vec![first];
        while batch.len() < BATCH {
            let next = match until {
                Some(until) => orders
                    .recv_timeout(until.saturating_duration_since(Instant::now()))
                    .ok(),
                None => orders.try_recv().ok(),
            };
            let Some(order) = next else { break };
            // One that cannot wait takes all the others along.
            until = until.zip(order.until()).map(|(a, b)| a.min(b));
            batch.push(order);
        }
        core.queued.fetch_sub(batch.len() as u64, Ordering::Relaxed);
        set_busy(core, Some(Instant::now()));
        let done = commit(core, &mut batch);
        set_busy(core, None);
        if done.is_ok() {
            core.commits.fetch_add(1, Ordering::Release);
        }
        for order in batch {
            order.finish(done.clone());
        }
    }
}

fn set_busy(core: &Core, since: Option<Instant>) {
    *core.busy_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
}

fn commit(core: &Core, batch: &mut [Box<dyn Order>]) -> Result<()> {
    let mut txn = core.env.write_txn().map_err(Error::lmdb("beginning a write"))?;
    let room = (core.env.info().map_size as u64).saturating_sub(core.tables.used(&txn)?);
    let only_reserve = room < (core.env.info().map_size as u64 / RESERVE).max(RESERVE_LEAST);
    for order in batch {
        if only_reserve && order.grows() {
            order.refuse(Error::Full("what is left of its map is kept for deleting"));
            continue;
        }
        let mut nested = core
            .env
            .nested_write_txn(&mut txn)
            .map_err(Error::lmdb("beginning a write"))?;
        if order.run(&mut Write {
            txn: &mut nested,
            tables: &core.tables,
        }) {
            nested.commit().map_err(Error::lmdb("joining a write"))?;
        }
    }
    txn.commit().map_err(|cause| not_committed(core, cause))
}

/// Why a commit failed. Of a write that was cut short LMDB makes EIO (`mdb_page_flush` in `mdb.c` of 0.9), and a medium without
/// space cuts short what begins before its end: what it has free tells that from one that fails.
fn not_committed(core: &Core, cause: heed::Error) -> Error {
    let is_cut_short = matches!(&cause, heed::Error::Io(io) if io.raw_os_error() == Some(Errno::EIO as i32));
    if is_cut_short && room::is_without_space(core.env.path()) {
        return Error::Full("no space left on its medium");
    }
    Error::lmdb("committing to the medium")(cause)
}
