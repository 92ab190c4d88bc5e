//! [`Store`]: the handle that services hold, its readers and its writer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use heed::{AnyTls, Database, Env, RoTxn, RwTxn, WithoutTls};

use crate::error::{Error, Result};
use crate::keeper::Keeper;
use crate::pending::{Pending, Slot};
use crate::writer::{self, Order, QUEUE, Typed};

/// The store's own table: schema version and running numbers.
pub(crate) const META: &str = "kiln";

/// A table as LMDB knows it.
pub(crate) type Bytes = Database<'static, heed::types::Bytes, heed::types::Bytes>;

/// The tables that were declared at opening.
#[derive(Debug)]
pub(crate) struct Tables(pub(crate) BTreeMap<&'static str, Bytes>);

impl Tables {
    pub(crate) fn get(&self, name: &'static str) -> Result<Bytes> {
        self.0.get(name).copied().ok_or(Error::NoTable(name))
    }

    /// Bytes that the entries of all tables take.
    pub(crate) fn used(&self, txn: &RoTxn<'_, AnyTls>) -> Result<u64> {
        let mut used = 0;
        for table in self.0.values() {
            let stat = table.stat(txn).map_err(Error::lmdb("counting pages"))?;
            used += stat.non_free_page_size() as u64;
        }
        Ok(used)
    }
}

/// What writer and readers share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) env: Env<WithoutTls>,
    pub(crate) tables: Tables,
    pub(crate) commits: AtomicU64,
    pub(crate) queued: AtomicU64,
    pub(crate) busy_since: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Inner {
    core: Arc<Core>,
    orders: Option<SyncSender<Box<dyn Order>>>,
    writer: Option<JoinHandle<()>>,
    path: PathBuf,
    /// Keeps other processes out for as long as the environment is mapped.
    _lock: Keeper,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Closing the queue lets the writer finish what was ordered, then end.
        self.orders = None;
        if let Some(writer) = self.writer.take() {
            // The last handle may be dropped by a closure that runs on the writer itself.
            if writer.thread().id() != std::thread::current().id() && writer.join().is_err() {
                tracing::error!("the store's writer had panicked");
            }
        }
    }
}

/// A handle on an open store; clones share it. The store closes when the last handle is dropped, after the writes that
/// were ordered are on the medium.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// Signs of life of the writer, for a heartbeat that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Commits that reached the medium since the store was opened.
    pub commits: u64,
    /// Writes that wait for the writer.
    pub queued: u64,
    /// For how long the present commit has been under way; `None` while the writer is idle.
    pub busy_for: Option<Duration>,
}

impl Store {
    pub(crate) fn start(env: Env<WithoutTls>, tables: Tables, path: PathBuf, lock: Keeper) -> Result<Store> {
        let core = Arc::new(Core {
            env,
            tables,
            commits: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            busy_since: Mutex::new(None),
        });
        let (orders, queue) = sync_channel(QUEUE);
        let its = Arc::clone(&core);
        let writer = std::thread::Builder::new()
            .name(writer::NAME.to_owned())
            .spawn(move || writer::run(&its, &queue))
            .map_err(Error::file("starting the writer of", &path))?;
        Ok(Store {
            inner: Arc::new(Inner {
                core,
                orders: Some(orders),
                writer: Some(writer),
                path,
                _lock: lock,
            }),
        })
    }

    /// Runs `work` over a snapshot of the last commit, on the calling thread. Keep it short.
    pub fn read<T>(&self, work: impl FnOnce(&Read<'_>) -> Result<T>) -> Result<T> {
        let core = &self.inner.core;
        let txn = core.env.read_txn().map_err(Error::lmdb("beginning to read"))?;
        work(&Read {
            txn: &txn,
            tables: &core.tables,
        })
    }

    /// Hands `work` to the writer thread, which runs it in a commit together with the other waiting writes.
    ///
    /// If `work` returns an error or panics, its changes are dropped and the error is the answer. Orders are run in
    /// the order of the calls. Blocks only while 1024 writes are already waiting.
    pub fn write<T, F>(&self, work: F) -> Pending<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Write<'_, '_>) -> Result<T> + Send + 'static,
    {
        self.order(work, false, None)
    }

    /// As [`Store::write`], but it can wait so long for other writes, for a commit that carries them together. The writes keep
    /// their order: one that cannot wait, and the end of the store, bring it onto the medium at once.
    pub fn write_within<T, F>(&self, within: Duration, work: F) -> Pending<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Write<'_, '_>) -> Result<T> + Send + 'static,
    {
        self.order(work, false, Some(within))
    }

    /// As [`Store::write`], but [`Error::Full`] as soon as only the map's reserve is left: for what makes the store grow, so
    /// that there are always free pages for what deletes and for the little that a person needs to get in and make room.
    pub fn write_growing<T, F>(&self, work: F) -> Pending<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Write<'_, '_>) -> Result<T> + Send + 'static,
    {
        self.order(work, true, None)
    }

    fn order<T, F>(&self, work: F, grows: bool, within: Option<Duration>) -> Pending<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Write<'_, '_>) -> Result<T> + Send + 'static,
    {
        let slot = Slot::new();
        let order = Box::new(Typed::new(work, grows, within, Arc::clone(&slot)));
        self.inner.core.queued.fetch_add(1, Ordering::Relaxed);
        if let Some(orders) = &self.inner.orders {
            // A send fails only after the writer ended; the order, dropped with the error, then answers Closed.
            let _closed = orders.send(order);
        }
        Pending::new(slot)
    }

    /// Writes and reads back a counter in a commit of its own: proof that the medium takes writes.
    pub fn touch(&self) -> Pending<u64> {
        self.write(|w| crate::Table::<String, u64>::new(META).bump(w, "touched"))
    }

    /// Signs of life of the writer.
    pub fn health(&self) -> Health {
        let core = &self.inner.core;
        let busy = *core.busy_since.lock().unwrap_or_else(PoisonError::into_inner);
        Health {
            commits: core.commits.load(Ordering::Acquire),
            queued: core.queued.load(Ordering::Relaxed),
            busy_for: busy.map(|since| since.elapsed()),
        }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.inner.core
    }

    /// The environment's file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }
}

impl crate::Table<String, u64> {
    /// Adds one to the number at `key` and returns it as read back.
    pub fn bump(&self, write: &mut Write<'_, '_>, key: &str) -> Result<u64> {
        let next = self.get(write, key)?.unwrap_or(0).wrapping_add(1);
        self.put(write, key, &next)?;
        Ok(self.get(write, key)?.unwrap_or(next))
    }
}

/// A snapshot under [`Store::read`].
pub struct Read<'t> {
    pub(crate) txn: &'t RoTxn<'t, AnyTls>,
    pub(crate) tables: &'t Tables,
}

impl Read<'_> {
    pub(crate) fn table(&self, name: &'static str) -> Result<Bytes> {
        self.tables.get(name)
    }
}

impl std::fmt::Debug for Read<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Read").field("txn", &self.txn.id()).finish()
    }
}

/// The transaction under [`Store::write`]; reads through it see its own changes.
pub struct Write<'t, 'p> {
    pub(crate) txn: &'t mut RwTxn<'p>,
    pub(crate) tables: &'t Tables,
}

impl std::fmt::Debug for Write<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Write").field("txn", &self.txn.id()).finish()
    }
}

/// Something that can be read from: a snapshot, or a write in progress.
pub trait View {
    /// The view as a snapshot.
    fn as_read(&self) -> Read<'_>;
}

impl View for Read<'_> {
    fn as_read(&self) -> Read<'_> {
        Read {
            txn: self.txn,
            tables: self.tables,
        }
    }
}

impl View for Write<'_, '_> {
    fn as_read(&self) -> Read<'_> {
        Read {
            txn: self.txn,
            tables: self.tables,
        }
    }
}
