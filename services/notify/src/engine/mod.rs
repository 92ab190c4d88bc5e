//! The engine: follows the event log, keeps what waits, sends it, and remembers what became of it.
//!
//! ```text
//!  event log ──follow──► queue ──attempt──► settled: sent │ tried again later │ given up
//!                 ├────► collected ──digest is due──► queue
//!                 └────► open ──nobody acknowledged it in time──► queue of the second line
//! ```
//!
//! One transaction takes events from the log's place to the queue and moves the place: an event is queued once, also
//! when the process is killed in between. An attempt is settled in one transaction too. Between the service's answer
//! and that transaction lies the one moment in which a killed process does not know whether a message arrived; it is
//! sent again then, with the same id (`webhook-id`, `Message-ID`), because an alert twice is better than none. On an
//! orderly stop what is under way is settled first. Where the store does not take what became of an attempt (it is full), that
//! is remembered and settled again, and nobody is sent the message anew.

mod attempt;
mod book;
mod digest;
mod due;
mod escalation;
mod follow;
mod retry;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use store::{Store, Table};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use wire::event::{Event, NewEvent};
use wire::{Problem, Time};

use crate::message::{Facts, Message};
use crate::send::Sender;
use crate::service::{ESCALATE, Service};
use attempt::Tried;
use due::{Index, Quiet};
pub use escalation::{Alert, Step};
pub use retry::{GIVE_UP, WAITS};
use tables::{
    COLLECTED, COLLECTED_MAX, CURSOR, HISTORY, HISTORY_MAX, Line, QUEUE, QUEUE_MAX, SERVICES, STATE, TOLD, TOLD_MAX,
    Waiting, dropped_key, due_key, recall,
};
pub use tables::{Delivery, NAMES, PASSING, Status, take_out};

/// Events looked at in one transaction.
const BATCH: usize = 100;

/// Longest sleep: a clock that was set is noticed within it.
const NAP: Duration = Duration::from_secs(20);

/// By how much a clock is off at least for it to count as set.
const SET_BY: Duration = Duration::from_mins(1);

/// Pause after the medium failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Farthest that a next attempt can lie ahead (a wait of 10 h); what is beyond it was written under another clock.
const FARTHEST: Duration = Duration::from_hours(11);

/// What the engine asks of the box.
pub trait Host: Send + Sync + 'static {
    /// The time.
    fn now(&self) -> Time;
    /// Time since the start, which no setting of the clock moves.
    fn uptime(&self) -> Duration;
    /// What is known of an event, or of the box alone.
    fn facts(&self, event: Option<&Event>) -> Facts;
    /// Takes an event of the engine's own into the log.
    fn record(&self, event: NewEvent);
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// With words for the person.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The medium.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// See the module.
#[derive(Debug)]
pub struct Engine {
    store: Store,
    events: Table<u64, Event>,
    sender: Sender,
    services: RwLock<Vec<Service>>,
    /// Held by who adds, changes or removes a channel: what one has set no other loses.
    changing: tokio::sync::Mutex<()>,
    index: Mutex<Index>,
    quiet: Mutex<Quiet>,
    open: Mutex<escalation::Open>,
    /// How many alerts nobody has acknowledged.
    unacknowledged: watch::Sender<usize>,
    /// The names of the channels that switched themselves off.
    off: watch::Sender<Vec<String>>,
    /// The names of the channels through which a critical reached nobody.
    lost: watch::Sender<Vec<String>>,
    wake: Notify,
    /// What became of messages, by number, where the store did not take it: each of them waits for that alone.
    unsettled: Mutex<BTreeMap<u64, Tried>>,
    /// Both times as they were looked at last.
    looked: Mutex<Option<(Time, Duration)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a transaction did to the queue.
#[derive(Debug, Default)]
struct Changed {
    queued: Vec<(u64, u64, Time)>,
    gone: Vec<u64>,
    /// Channels and criticals that made room for newer ones, and that nobody has.
    lost: Vec<(u64, Message)>,
    /// Alerts that were opened, or went on: when each goes on next.
    open: Vec<(u64, Option<Time>)>,
    /// Of these, the alerts that were opened.
    fresh: Vec<u64>,
    /// Alerts that made room for newer ones.
    closed: Vec<u64>,
}

impl Engine {
    /// Opens what is kept; `locked` are the channels that the environment sets, `events` is the event log.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn open(
        store: Store,
        events: Table<u64, Event>,
        sender: Sender,
        locked: Vec<Service>,
    ) -> store::Result<Self> {
        let (mut services, waiting, begun, last) = store.read(|r| {
            let services: Vec<Service> = SERVICES.all(r)?.into_iter().map(|(_, service)| service).collect();
            let waiting: Index = QUEUE
                .all(r)?
                .into_iter()
                .map(|(id, waiting)| (id, (waiting.service, waiting.next)))
                .collect();
            let last = events.last(r)?.map_or(0, |(seq, _)| seq);
            Ok((services, waiting, STATE.get(r, CURSOR)?.is_some(), last))
        })?;
        let open = store.read(|r| escalation::read(r))?;
        let mut anew = Vec::new();
        for mut service in locked {
            if let Some(health) = store.read(|r| book::health(r, service.id))? {
                service.lost = health.lost;
                // One that had switched itself off begins anew: nothing else tells that its owner has mended it in the file.
                match health.disabled_why {
                    None => service.failing_since = health.failing_since,
                    Some(_) if service.enabled => anew.push(service.clone()),
                    Some(_) => {}
                }
            }
            services.push(service);
        }
        if !begun {
            // What happened before there were alerts is no news.
            store.write(move |w| STATE.put(w, CURSOR, &last.into())).await?;
        }
        let engine = Self {
            store,
            events,
            sender,
            off: watch::channel(book::off(&services)).0,
            lost: watch::channel(book::lost(&services)).0,
            services: RwLock::new(services),
            changing: tokio::sync::Mutex::default(),
            index: Mutex::new(waiting),
            quiet: Mutex::default(),
            unacknowledged: watch::channel(open.len()).0,
            open: Mutex::new(open),
            wake: Notify::new(),
            unsettled: Mutex::default(),
            looked: Mutex::default(),
        };
        for service in anew {
            engine.begin_anew(service).await;
        }
        Ok(engine)
    }

    /// Says that there may be something new in the event log.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Works until `stopping` turns true; then what is under way is settled.
    pub async fn run(self: Arc<Self>, host: Arc<dyn Host>, mut stopping: watch::Receiver<bool>) {
        let mut sending: JoinSet<u64> = JoinSet::new();
        let mut busy: BTreeSet<u64> = BTreeSet::new();
        loop {
            // Gone, with all that belongs to it, counts as stopping.
            if *stopping.borrow_and_update() || stopping.has_changed().is_err() {
                break;
            }
            if let Err(error) = self.see_clock(&*host).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what counts by the clock was not moved with it"
                );
            }
            let worked = match self.follow(&*host).await {
                Ok(more) => self.send_digests(&*host).await.map(|()| more),
                Err(error) => Err(error),
            };
            let worked = match worked {
                Ok(more) => self.escalate(&*host).await.map(|()| more),
                Err(error) => Err(error),
            };
            let more = match worked {
                Ok(more) => more,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "alerts wait: the store failed"
                    );
                    tokio::select! {
                        () = tokio::time::sleep(AFTER_FAILURE) => {}
                        _ = stopping.wait_for(|stopping| *stopping) => {}
                    }
                    continue;
                }
            };
            let now = host.now();
            let (due, next) = due::due(&lock(&self.index), &lock(&self.quiet), &busy, now);
            let next = next.into_iter().chain(self.next_escalation()).min();
            for (id, service) in due {
                busy.insert(service);
                let (engine, host) = (Arc::clone(&self), Arc::clone(&host));
                sending.spawn(async move {
                    engine.attempt(&*host, id).await;
                    service
                });
            }
            if more {
                continue;
            }
            let nap = next
                .and_then(|next| Duration::try_from(next.duration_since(now)).ok())
                .map_or(NAP, |wait| wait.clamp(Duration::from_millis(50), NAP));
            tokio::select! {
                () = self.wake.notified() => {}
                Some(done) = sending.join_next(), if !sending.is_empty() => {
                    match done {
                        Ok(service) => { busy.remove(&service); }
                        Err(error) => {
                            tracing::error!(%error, "an attempt ended badly");
                            // Nobody knows whose it was: those that still work come again when they are done.
                            busy.clear();
                        }
                    }
                }
                () = tokio::time::sleep(nap) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        }
        while sending.join_next().await.is_some() {}
    }

    /// Moves with a clock that was set what counts from a moment: a channel has not failed for years, nor has somebody had an hour to
    /// acknowledge an alert, because the time came late. At the first look nobody knows by how much it was set: what was written under
    /// a later clock counts from now.
    async fn see_clock(&self, host: &dyn Host) -> store::Result<()> {
        let (now, uptime) = (host.now(), host.uptime());
        let looked = *lock(&self.looked);
        if let Some((then, before)) = looked {
            let passed = jiff::SignedDuration::try_from(uptime.saturating_sub(before)).unwrap_or_default();
            let set = now.duration_since(then).saturating_sub(passed);
            if set.unsigned_abs() >= SET_BY {
                let moved = move |at: Time| at.checked_add(set).unwrap_or(at);
                self.redate(moved, move |step| moved(step.due_at)).await?;
            }
        } else {
            let second = self
                .services()
                .into_iter()
                .filter(|service| service.escalate_after_secs > 0);
            let waits: BTreeMap<u64, i64> = second
                .map(|service| (service.id, service.escalate_after_secs))
                .collect();
            let latest = move |step: &Step| {
                // One that is of the second line no more goes on when it was told that it would.
                let wait = waits.get(&step.service_id).unwrap_or(ESCALATE.end());
                escalation::after(now, *wait)
            };
            self.redate(move |at| at.min(now), move |step| step.due_at.min(latest(step)))
                .await?;
        }
        // Only now: where the store did not take it, the clock is still to be followed.
        *lock(&self.looked) = Some((now, uptime));
        Ok(())
    }

    /// Gives the channels that fail another beginning of that, and the turns of the second line another time: all of them, or, where
    /// the store does not take that, none.
    async fn redate(
        &self,
        since: impl Fn(Time) -> Time,
        due: impl Fn(&Step) -> Time + Send + 'static,
    ) -> store::Result<()> {
        let services = self.services().into_iter();
        let moved: Vec<Service> = services
            .filter_map(|service| {
                let since = service.failing_since.map(|at| (at, since(at)));
                let (_, failing_since) = since.filter(|(was, is)| was != is)?;
                Some(Service {
                    failing_since: Some(failing_since),
                    ..service
                })
            })
            .collect();
        let kept = moved.clone();
        let steps = self
            .store
            .write(move |w| {
                for service in &kept {
                    book::keep_health(w, service)?;
                }
                escalation::redate(w, due)
            })
            .await?;
        self.with_services(|services| {
            for service in services {
                // One that something reached meanwhile fails no more.
                if let Some(moved) = moved.iter().find(|moved| moved.id == service.id) {
                    service.failing_since = service.failing_since.and(moved.failing_since);
                }
            }
        });
        self.put_steps(&steps);
        Ok(())
    }

    /// Takes over what a transaction did, and tells of the criticals that it gave up.
    async fn take(&self, host: &dyn Host, mut changed: Changed) -> store::Result<()> {
        let lost = std::mem::take(&mut changed.lost);
        self.apply(changed);
        for (service, message) in &lost {
            self.tell_lost(host, *service, message, &book::no_place());
        }
        for (service, _) in lost {
            self.change(service, |service| service.lost += 1).await?;
        }
        Ok(())
    }

    fn apply(&self, changed: Changed) {
        self.apply_open(&changed);
        let mut index = lock(&self.index);
        for (id, service, next) in changed.queued {
            index.insert(id, (service, next));
        }
        for id in changed.gone {
            index.remove(&id);
            lock(&self.unsettled).remove(&id);
        }
    }
}

#[cfg(test)]
mod tests;
