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
use wire::event::{Event, NewEvent, Severity};
use wire::{Problem, Time};

use crate::answer::Failed;
use crate::message::{self, Facts, Message};
use crate::send::{Attempt, Sender};
use crate::service::Service;
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

/// An attempt that is to be settled.
#[derive(Clone, Debug)]
struct Tried {
    waiting: Waiting,
    attempt: Attempt,
    /// When the settings that it was made with were changed last; `None` where the channel was gone.
    set_at: Option<Time>,
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
        for mut service in locked {
            if let Some(health) = store.read(|r| book::health(r, service.id))? {
                service.failing_since = health.failing_since;
                service.lost = health.lost;
                // One that the owner has switched off did not do so itself.
                if service.enabled && health.disabled_why.is_some() {
                    service.enabled = false;
                    service.disabled_why = health.disabled_why;
                }
            }
            services.push(service);
        }
        if !begun {
            // What happened before there were alerts is no news.
            store.write(move |w| STATE.put(w, CURSOR, &last.into())).await?;
        }
        Ok(Self {
            store,
            events,
            sender,
            off: watch::channel(book::off(&services)).0,
            lost: watch::channel(book::lost(&services)).0,
            services: RwLock::new(services),
            index: Mutex::new(waiting),
            quiet: Mutex::default(),
            unacknowledged: watch::channel(open.len()).0,
            open: Mutex::new(open),
            wake: Notify::new(),
            unsettled: Mutex::default(),
            looked: Mutex::default(),
        })
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
    /// acknowledge an alert, because the time came late.
    async fn see_clock(&self, host: &dyn Host) -> store::Result<()> {
        let (now, uptime) = (host.now(), host.uptime());
        let looked = *lock(&self.looked);
        let Some((then, before)) = looked else {
            *lock(&self.looked) = Some((now, uptime));
            return Ok(());
        };
        let passed = jiff::SignedDuration::try_from(uptime.saturating_sub(before)).unwrap_or_default();
        let set = now.duration_since(then).saturating_sub(passed);
        if set.unsigned_abs() >= SET_BY {
            self.move_by(set).await?;
        }
        // Only now: where the store did not take it, the clock is still to be followed.
        *lock(&self.looked) = Some((now, uptime));
        Ok(())
    }

    /// Moves all of it, or, where the store does not take that, nothing.
    async fn move_by(&self, set: jiff::SignedDuration) -> store::Result<()> {
        let services = self.services().into_iter();
        let moved: Vec<Service> = services
            .filter_map(|service| {
                let since = service.failing_since?.checked_add(set).ok()?;
                Some(Service {
                    failing_since: Some(since),
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
                escalation::move_steps(w, set)
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

    /// One attempt at one message, settled.
    async fn attempt(&self, host: &dyn Host, id: u64) {
        let mut waiting = match self.store.read(|r| QUEUE.get(r, &id)) {
            Ok(Some(waiting)) => waiting,
            Ok(None) => {
                lock(&self.index).remove(&id);
                lock(&self.unsettled).remove(&id);
                return;
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a message that waits was not read"
                );
                // Unreadable now, perhaps not later; not at once.
                self.put_off(id, host.now());
                return;
            }
        };
        let before = lock(&self.unsettled).remove(&id);
        if let Some(tried) = before {
            return self.settle_or_remember(host, id, tried).await;
        }
        // The name may have come since: a box learns it from a network card, or its owner has given it another.
        waiting.message.readdress(&host.facts(None));
        let service = self.service(waiting.service);
        let set_at = service.as_ref().map(|service| service.updated_at);
        let attempt = match service {
            None => given_up("the channel was removed"),
            Some(service) if !service.enabled => given_up("the channel is switched off"),
            Some(service) => match service.channel() {
                Ok(channel) => {
                    let sent = self.sender.send(&channel, &waiting.message, &waiting.done, host.now());
                    service.scrubbed(sent.await)
                }
                Err(bad) => given_up(&format!("the channel cannot be used: {bad}")),
            },
        };
        let tried = Tried {
            waiting,
            attempt,
            set_at,
        };
        self.settle_or_remember(host, id, tried).await;
    }

    /// Settles an attempt; where the store does not take that, it is tried again, and not the message.
    async fn settle_or_remember(&self, host: &dyn Host, id: u64, tried: Tried) {
        if let Err(error) = self.settle(host, id, tried.clone()).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "what became of a message was not kept; it is tried again"
            );
            let waits = lock(&self.index).contains_key(&id);
            if waits {
                lock(&self.unsettled).insert(id, tried);
            }
            self.put_off(id, host.now());
        }
    }

    fn put_off(&self, id: u64, now: Time) {
        if let Some((_, next)) = lock(&self.index).get_mut(&id) {
            *next = now.checked_add(AFTER_FAILURE).unwrap_or(now);
        }
    }

    async fn settle(&self, host: &dyn Host, id: u64, tried: Tried) -> store::Result<()> {
        let Tried {
            mut waiting,
            attempt,
            set_at,
        } = tried;
        let now = host.now();
        waiting.attempts += 1;
        waiting.redirects += u32::from(attempt.failed.as_ref().is_some_and(|failed| failed.redirects));
        let news = attempt.done.len() > waiting.done.len();
        waiting.done = attempt.done;
        let reached_nobody = waiting.done.is_empty();
        let service = waiting.service;
        // What came of the settings before says nothing of those that a person has made meanwhile: they are tried at once.
        let is_mended = || {
            let current = self.service(service).filter(|service| service.enabled);
            current.is_some_and(|current| set_at.is_some_and(|set_at| current.updated_at != set_at))
        };
        let mended = is_mended();
        if mended {
            (waiting.before, waiting.redirects) = (waiting.attempts, 0);
        }
        let asked = attempt
            .failed
            .as_ref()
            .filter(|_| !mended)
            .and_then(|failed| failed.after);
        match asked.and_then(|after| now.checked_add(after).ok()) {
            Some(until) => lock(&self.quiet).insert(service, until),
            None => lock(&self.quiet).remove(&service),
        };
        // Whom one target of several refuses for good may have left; somebody has it.
        let must = waiting.message.severity == Severity::Critical && reached_nobody && self.service(service).is_some();
        let next = attempt.failed.as_ref().and_then(|failed| match mended {
            true => Some(now),
            false => retry::next(waiting.attempts - waiting.before, waiting.redirects, failed, must, now),
        });
        let outcome = book::Outcome {
            now,
            answer: attempt.answer,
            failed: attempt.failed.clone(),
            next,
        };
        let (kept, message) = (waiting.clone(), waiting.message);
        self.store.write(move |w| book::settle(w, id, kept, &outcome)).await?;
        match next {
            Some(next) => {
                let mut index = lock(&self.index);
                // Or mended while that was written.
                let next = if is_mended() { now } else { next };
                index.insert(id, (service, next));
            }
            None => {
                lock(&self.index).remove(&id);
            }
        }
        let given_up = next.is_none();
        let lost = given_up && must;
        if let Some(failed) = attempt.failed.as_ref().filter(|_| lost) {
            self.tell_lost(host, service, &message, &failed.words);
        }
        let failed = match attempt.failed.as_ref() {
            // A channel of which one chat is gone still reaches the others.
            failed if news || failed.is_none() => None,
            _ if is_mended() => return Ok(()),
            failed if reached_nobody => failed,
            // Those it reached earlier were not tried again: nothing is known of them now.
            _ => return Ok(()),
        };
        self.judge(host, service, failed, (given_up, lost), now).await
    }

    /// Says that a critical reached nobody: in the history alone, nobody would look for it.
    fn tell_lost(&self, host: &dyn Host, id: u64, message: &Message, why: &str) {
        let Some(service) = self.service(id) else { return };
        let text = format!(
            "Critical alert {:?} reached nobody through alert channel {:?} and is given up: {why}",
            message.title, service.name
        );
        let data = serde_json::json!({ "service_id": id, "service_type": service.service_type });
        host.record(NewEvent {
            drive: message.event.as_ref().and_then(|event| event.drive.clone()),
            // A warning: as a critical it would itself be tried for days and told when it is given up, for ever.
            ..NewEvent::new("alerts.given_up", Severity::Warning, text, data)
        });
    }

    /// Remembers whether the channel works, and switches it off when it is hopeless. Of the message it says whether it was given
    /// up, and whether it was a critical that reached nobody.
    async fn judge(
        &self,
        host: &dyn Host,
        id: u64,
        failed: Option<&Failed>,
        (given_up, lost): (bool, bool),
        now: Time,
    ) -> store::Result<()> {
        let Some(service) = self.service(id) else { return Ok(()) };
        let lost = failed.map_or(0, |_| service.lost + u32::from(lost));
        let since = failed.map(|_| service.failing_since.unwrap_or(now));
        let hopeless = match (failed, since) {
            (Some(failed), Some(since)) => {
                (given_up || failed.gone) && service.enabled && retry::hopeless(since, failed, now)
            }
            _ => false,
        };
        if since == service.failing_since && lost == service.lost && !hopeless {
            return Ok(());
        }
        let why = hopeless.then(|| {
            let words = failed.map_or("", |failed| failed.words.as_str());
            format!(
                "nothing reached it since {}: {words}",
                since.unwrap_or(now).strftime("%Y-%m-%d %H:%M UTC")
            )
        });
        let told = why.clone();
        self.change(id, move |service| {
            service.failing_since = since;
            service.lost = lost;
            if told.is_some() {
                service.enabled = false;
                service.disabled_why = told;
            }
        })
        .await?;
        if let Some(why) = why {
            tracing::warn!(service = id, "an alert channel switched itself off");
            let text = format!(
                "Alert channel {:?} switched itself off: {why}. Mend it and switch it on again in the settings",
                service.name
            );
            let data = serde_json::json!({ "service_id": id, "service_type": service.service_type });
            host.record(NewEvent::new("alerts.channel_disabled", Severity::Warning, text, data));
        }
        Ok(())
    }

    /// Sends a test message at once; it stands in the history like any other.
    ///
    /// # Errors
    /// When the history cannot be written. That the service did not take it is no error.
    pub async fn test(
        &self,
        service: &Service,
        facts: &Facts,
        words: &str,
        now: Time,
    ) -> store::Result<Result<String, Failed>> {
        let id = format!("kiln-test-{}", uuid::Uuid::now_v7());
        let message = message::test(facts, &service.name, words, id, now);
        let attempt = match service.channel() {
            Ok(channel) => {
                let attempt = self.sender.send(&channel, &message, &BTreeSet::new(), now).await;
                service.scrubbed(attempt)
            }
            Err(bad) => given_up(&bad.to_string()),
        };
        let mut line = Delivery::of(service, &message, now);
        line.attempts = 1;
        line.next_at = None;
        match &attempt.failed {
            None => {
                line.status = Status::Sent;
                line.sent_at = Some(now);
                line.answer.clone_from(&attempt.answer);
            }
            Some(failed) => {
                line.status = Status::Failed;
                line.error_message.clone_from(&failed.words);
            }
        }
        self.store.write(move |w| book::note(w, line).map(|_| ())).await?;
        Ok(match attempt.failed {
            Some(failed) => Err(failed),
            None => Ok(attempt.answer),
        })
    }
}

fn given_up(words: &str) -> Attempt {
    Attempt {
        failed: Some(Failed::lasting(words)),
        ..Attempt::default()
    }
}

/// The message of a digest.
fn digest_message(service: &Service, facts: &Facts, lines: &[Line], dropped: u64, due: Time) -> Message {
    digest::message(service, facts, lines, dropped, due)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::provider::Fields;
    use crate::send::Roots;

    struct Still;

    impl Host for Still {
        fn now(&self) -> Time {
            Time::UNIX_EPOCH
        }

        fn uptime(&self) -> Duration {
            Duration::ZERO
        }

        fn facts(&self, _: Option<&Event>) -> Facts {
            Facts::default()
        }

        fn record(&self, _: NewEvent) {}
    }

    /// A box whose clock is set by the test, and which keeps what it is told.
    #[derive(Default)]
    struct Played {
        now: Mutex<Time>,
        told: Mutex<Vec<NewEvent>>,
    }

    impl Host for Played {
        fn now(&self) -> Time {
            *lock(&self.now)
        }

        fn uptime(&self) -> Duration {
            Duration::ZERO
        }

        fn facts(&self, _: Option<&Event>) -> Facts {
            Facts::default()
        }

        fn record(&self, event: NewEvent) {
            lock(&self.told).push(event);
        }
    }

    /// A channel of the environment's that nothing can reach.
    fn bench() -> Service {
        let mut service = Service::new(7, "bench", "email", Fields::new(), Still.now());
        service.locked = true;
        service
    }

    /// An engine with one channel, over a store of 1 MB.
    async fn opened(dir: &std::path::Path, service: Service) -> (Store, Engine) {
        let tables: Vec<&'static str> = NAMES.into_iter().chain(["events", "filler"]).collect();
        let options = store::Options {
            check: store::Check::InProcess,
            map_size: 1 << 20,
            ..store::Options::new(&tables)
        };
        let store = store::open(dir, &options).unwrap().store;
        let sender = Sender::new(Roots::new(None).unwrap());
        let engine = Engine::open(store.clone(), Table::new("events"), sender, vec![service]);
        (store.clone(), engine.await.unwrap())
    }

    /// A receiver that gives this answer, once it may; its URL, and how much it has heard.
    async fn hook(answer: &'static str, may: Option<Arc<Notify>>) -> (String, Arc<AtomicUsize>) {
        let hook = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("json://{}/x", hook.local_addr().unwrap());
        let heard = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&heard);
        tokio::spawn(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            loop {
                let (mut stream, _) = hook.accept().await.unwrap();
                let _asked = stream.read(&mut [0; 8192]).await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                if let Some(may) = &may {
                    may.notified().await;
                }
                let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (url, heard)
    }

    /// A store without room.
    struct Full {
        done: std::sync::mpsc::Sender<()>,
        reader: std::thread::JoinHandle<store::Result<bool>>,
    }

    impl Full {
        async fn end(self, store: &Store) {
            drop(self.done);
            assert!(self.reader.join().unwrap().unwrap());
            store.touch().await.unwrap();
        }
    }

    async fn fill(store: &Store) -> Full {
        // Somebody reads: what is freed meanwhile is not free.
        let ((reads, reading), (done, end)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
        let read = store.clone();
        let reader = std::thread::spawn(move || {
            read.read(|_| {
                reads.send(()).unwrap();
                Ok(end.recv().is_err())
            })
        });
        reading.recv().unwrap();
        let filler: Table<u64, String> = Table::new("filler");
        let mut length = 512 << 10;
        while length > 0 {
            let put = store.write(move |w| filler.append(w, &"x".repeat(length)));
            length = if put.await.is_ok() { length } else { length / 2 };
        }
        Full { done, reader }
    }

    async fn queue(store: &Store, engine: &Engine, host: &Played, service: &Service, severity: Severity) {
        let (service, waiting) = (service.clone(), lock(&engine.index).clone());
        let id = format!("kiln-1-{}", waiting.len());
        let mut message = message::test(&Facts::default(), "bench", "", id, Still.now());
        message.severity = severity;
        let queued = store.write(move |w| {
            let mut changed = Changed::default();
            book::enqueue(w, &mut changed, &waiting, &service, message, Still.now())?;
            Ok(changed)
        });
        engine.take(host, queued.await.unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn a_critical_that_a_full_queue_drives_out_is_told_as_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let (store, engine) = opened(dir.path(), bench()).await;
        let host = Played::default();
        let critical = async || queue(&store, &engine, &host, &bench(), Severity::Critical).await;
        queue(&store, &engine, &host, &bench(), Severity::Warning).await;
        for _ in 0..QUEUE_MAX {
            critical().await;
        }
        assert!(lock(&host.told).is_empty(), "the warning made place");
        critical().await;
        let told: Vec<NewEvent> = lock(&host.told).drain(..).collect();
        assert_eq!((told.len(), told[0].kind.as_str()), (1, "alerts.given_up"));
        assert!(
            told[0].message.ends_with("500 messages wait for this channel"),
            "{told:?}"
        );
        assert_eq!((engine.service(7).unwrap().lost, engine.lost().borrow().len()), (1, 1));
        assert_eq!(lock(&engine.index).len(), QUEUE_MAX);
        // What one target has reached somebody.
        let id = *lock(&engine.index).keys().next().unwrap();
        let reached = store.write(move |w| {
            let mut waiting = QUEUE.get(w, &id)?.unwrap();
            waiting.done.insert("a".to_owned());
            QUEUE.put(w, &id, &waiting)
        });
        reached.await.unwrap();
        critical().await;
        assert!(lock(&host.told).is_empty());
    }

    #[tokio::test]
    async fn a_channel_that_is_mended_while_an_attempt_is_under_way_is_tried_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (store, engine) = opened(dir.path(), bench()).await;
        let (host, may) = (Played::default(), Arc::new(Notify::new()));
        let (wrong, asked) = hook("410 Gone", Some(Arc::clone(&may))).await;
        let (right, heard) = hook("200 OK", None).await;
        let [mut service, other] = [wrong, right].map(|url| crate::service::locked(&url, Still.now()).remove(0));
        service.locked = false;
        let service = engine.add(service).await.unwrap();
        queue(&store, &engine, &host, &service, Severity::Critical).await;
        let id = *lock(&engine.index).keys().next().unwrap();
        let now = Time::from_second(1).unwrap();
        let mended = Service {
            fields: other.fields,
            updated_at: now,
            ..service.clone()
        };
        tokio::join!(engine.attempt(&host, id), async {
            while asked.load(Ordering::SeqCst) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            *lock(&host.now) = now;
            engine.replace(mended.clone(), now).await.unwrap();
            may.notify_one();
        });
        assert_eq!(
            engine.service(service.id),
            Some(mended),
            "what the old one answered says nothing of it"
        );
        assert_eq!(lock(&engine.index)[&id].1, now);
        let kept = store.read(|r| QUEUE.get(r, &id)).unwrap().unwrap();
        assert_eq!(
            (kept.attempts, kept.before, kept.next),
            (1, 1, now),
            "the waits begin anew"
        );
        engine.attempt(&host, id).await;
        assert_eq!(heard.load(Ordering::SeqCst), 1);
        assert_eq!(engine.history(None, 1).unwrap()[0].status, Status::Sent);
        assert!(lock(&host.told).is_empty());
    }

    #[tokio::test]
    async fn what_a_service_asked_to_wait_for_holds_no_channel_that_was_mended_since() {
        let dir = tempfile::tempdir().unwrap();
        let (_, engine) = opened(dir.path(), bench()).await;
        let service = engine
            .add(Service {
                locked: false,
                ..bench()
            })
            .await
            .unwrap();
        lock(&engine.quiet).insert(service.id, Still.now());
        let renamed = Service {
            name: "door".to_owned(),
            ..service
        };
        engine.replace(renamed.clone(), Still.now()).await.unwrap();
        assert_eq!(lock(&engine.quiet).len(), 1);
        let fields = Fields::from([("to".to_owned(), "a@b.c".into())]);
        engine
            .replace(Service { fields, ..renamed }, Still.now())
            .await
            .unwrap();
        assert!(lock(&engine.quiet).is_empty());
    }

    #[tokio::test]
    async fn a_clock_that_was_set_while_the_store_was_full_moves_what_counts_by_it_once_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let (store, engine) = opened(dir.path(), bench()).await;
        let at = |second| Time::from_second(second).unwrap();
        let (day, host) = (86_400, Played::default());
        let names = ["door", "desk"];
        for name in names {
            let service = Service {
                name: name.to_owned(),
                locked: false,
                failing_since: Some(at(5)),
                ..bench()
            };
            engine.add(service).await.unwrap();
        }
        let since = || -> Vec<_> {
            engine
                .services()
                .iter()
                .filter_map(|service| service.failing_since)
                .collect()
        };
        engine.see_clock(&host).await.unwrap();
        let full = fill(&store).await;
        *lock(&host.now) = at(day);
        engine.see_clock(&host).await.unwrap_err();
        assert_eq!(since(), [at(5), at(5)], "kept or not, never in part");
        full.end(&store).await;
        for _ in 0..2 {
            engine.see_clock(&host).await.unwrap();
            assert_eq!(since(), [at(day + 5), at(day + 5)]);
        }
        let kept = store.read(|r| SERVICES.all(r)).unwrap();
        assert!(
            kept.iter()
                .all(|(_, service)| service.failing_since == Some(at(day + 5)))
        );
    }

    #[tokio::test]
    async fn only_what_this_attempt_reached_speaks_for_a_channel() {
        let dir = tempfile::tempdir().unwrap();
        let (_, engine) = opened(dir.path(), bench()).await;
        let set = |targets: &[&str]| -> BTreeSet<String> { targets.iter().map(|&target| target.to_owned()).collect() };
        type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str], bool, bool);
        let cases: [Case<'_>; 6] = [
            ("nobody got it", &[], &[], true, true),
            ("only earlier did somebody", &["a"], &["a"], true, true),
            ("one of two got it", &[], &["a"], true, false),
            ("the other one still did not", &["a"], &["a"], true, false),
            ("nobody got it again", &[], &[], true, true),
            ("nothing is left to do", &["a"], &["a"], false, false),
        ];
        for (what, before, after, fails, failing) in cases {
            let waiting = Waiting {
                service: 7,
                message: message::test(&Facts::default(), "bench", "", "kiln-1-1".to_owned(), Still.now()),
                attempts: 0,
                before: 0,
                redirects: 0,
                next: Still.now(),
                done: set(before),
                history: 0,
            };
            let attempt = Attempt {
                done: set(after),
                failed: fails.then(|| Failed::passing("x")),
                ..Attempt::default()
            };
            let tried = Tried {
                waiting,
                attempt,
                set_at: Some(Still.now()),
            };
            engine.settle(&Still, 1, tried).await.unwrap();
            assert_eq!(engine.service(7).unwrap().failing_since.is_some(), failing, "{what}");
        }
    }

    /// A store without room: it was delivered, and nobody hears it every five seconds until there is room.
    #[tokio::test]
    async fn a_message_that_was_delivered_is_not_sent_again_because_a_full_store_did_not_take_that() {
        let (url, heard) = hook("200 OK", None).await;
        let dir = tempfile::tempdir().unwrap();
        let service = crate::service::locked(&url, Still.now()).remove(0);
        let (store, engine) = opened(dir.path(), service.clone()).await;
        let message = message::test(&Facts::default(), "bench", "", "kiln-1-1".to_owned(), Still.now());
        let queue = move |w: &mut store::Write<'_, '_>| {
            let mut changed = Changed::default();
            let waiting = Index::default();
            book::enqueue(w, &mut changed, &waiting, &service, message, Still.now())?;
            Ok(changed)
        };
        engine.apply(store.write(queue).await.unwrap());
        let id = *lock(&engine.index).keys().next().unwrap();

        let full = fill(&store).await;
        for _ in 0..3 {
            engine.attempt(&Still, id).await;
        }
        assert_eq!(heard.load(Ordering::SeqCst), 1);
        assert_eq!(engine.history(None, 9).unwrap()[0].attempts, 0, "the store is full");
        full.end(&store).await;
        engine.attempt(&Still, id).await;
        assert_eq!(heard.load(Ordering::SeqCst), 1);
        let line = engine.history(None, 9).unwrap().remove(0);
        assert_eq!((line.status, line.attempts), (Status::Sent, 1));
        assert!(lock(&engine.index).is_empty() && lock(&engine.unsettled).is_empty());
    }
}
