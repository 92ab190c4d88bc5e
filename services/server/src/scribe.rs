//! The scribe: writes what has to be kept, in order, and tells of an event only when it is on the medium.
//!
//! One task owns the order of the event log. It takes what waits, up to a batch, writes it in one transaction (a job's
//! state and its event stand or fall together), and then sends the events out. When the medium is slow, whoever has
//! something to keep waits: nothing is dropped.
//!
//! ```text
//!  writing ── the store is full, the medium fails ──► waiting: what comes is held in memory, tried again every two seconds;
//!     ▲                                                  │     whoever waits for an answer is refused at once
//!     └────────── what was held is written ──────────────┘
//! ```
//!
//! While it waits everybody is told (a banner), reading goes on, and what there is no room to hold is counted; when it
//! writes again the log says so with the number. What still waits when the process ends, however it ends, is told by the
//! next one ([`crate::note`]). Above four fifths of its room the store lets the oldest go ([`retain`]).

pub mod retain;
mod seals;
mod transaction;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::Store;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;
use wire::certificate::CertificateText;
use wire::drive::Drive;
use wire::event::{Actor, NewEvent, Severity};
use wire::frame::LogLine;
use wire::job::Job;
use wire::playbook::PlaybookInfo;
use wire::{Event, JobId, Time};

use crate::acknowledged::Entry;
use crate::clock::Clock;
use crate::hub::units::Remembered;
use crate::message::Message;
use crate::note::Note;

/// Orders that may wait; then their makers wait.
const QUEUE: usize = 1024;

/// Most orders written in one transaction.
const BATCH: usize = 256;

/// Things held in memory while the store takes nothing: an hour of a busy box, some ten megabytes.
const HELD: usize = 20_000;

/// How often what is held is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// How often the store's room is looked at while it is written to.
const LOOK: Duration = Duration::from_secs(1);

/// Times that old entries are let go for one batch that finds no room.
const TRIES: usize = 16;

/// Key in the state table: greatest [`NewEvent::origin`] that is in the log.
pub const EVENTS_SEEN: &str = "agent-events-seen";

/// Key in the state table: the drives as the agent told them last.
pub const DRIVES: &str = "drives";

/// Key in the state table: the playbooks as the agent told them last.
pub const PLAYBOOKS: &str = "playbooks";

/// Key in the state table: what the supervisor said last.
pub const SUPERVISOR: &str = "supervisor";

/// The note of what waits in memory for the store, beside it, so that the next start can tell it as lost.
const NOTE: &str = "waiting.json";

/// What waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    /// Events, job states and log lines.
    entries: u64,
    /// Since when the store takes nothing.
    since: Time,
}

/// Something to keep.
#[derive(Debug)]
pub enum Keep {
    /// An event.
    Event(NewEvent, Actor, Time),
    /// A job's state.
    Job(Box<Job>),
    /// Who has seen how a job ended; `None`: nobody has.
    Acknowledged(JobId, Option<Entry>),
    /// The drives.
    Drives(Vec<Drive>),
    /// The playbooks.
    Playbooks(Vec<PlaybookInfo>),
    /// A certificate, byte for byte.
    Certificate(CertificateText),
    /// A line of a job's log.
    Line(JobId, LogLine),
    /// What the supervisor said last.
    Remember(Remembered),
}

#[derive(Debug)]
struct Order {
    keep: Arc<Vec<Keep>>,
    done: Option<oneshot::Sender<store::Result<()>>>,
}

impl Order {
    fn answer(self, answer: store::Result<()>) {
        if let Some(done) = self.done {
            // Who asked may have gone.
            let _gone = done.send(answer);
        }
    }
}

/// Where things to keep are handed in.
#[derive(Clone, Debug)]
pub struct Scribe {
    orders: mpsc::Sender<Order>,
    trouble: watch::Receiver<Option<String>>,
}

/// The task's own.
struct Desk {
    store: Store,
    tell: broadcast::Sender<Message>,
    /// Where jobs go of which more is known here than was told ([`transaction::Written::amended`]).
    amended: mpsc::Sender<Job>,
    clock: Clock,
    trouble: watch::Sender<Option<String>>,
    /// What waits for the store, and why it was not taken.
    held: VecDeque<Order>,
    why: store::Error,
    /// Since when, by both clocks, and how many there was no room for.
    since: Duration,
    since_wall: Time,
    lost: u64,
    /// Beside the store: what waits, and what it says.
    note: Note,
    noted: Option<Waiting>,
    /// Whether the medium took not even that the last time.
    unnoted: bool,
    /// What the process before left waiting, until that is in the log.
    earlier: Option<Waiting>,
    again: Instant,
    looked: Instant,
}

impl Desk {
    async fn run(mut self, mut queue: mpsc::Receiver<Order>) {
        let mut batch = Vec::new();
        self.tell_what_was_lost().await;
        loop {
            let came = tokio::select! {
                came = queue.recv_many(&mut batch, BATCH) => came,
                () = tokio::time::sleep_until(self.again), if !self.held.is_empty() => {
                    self.try_again().await;
                    continue;
                }
            };
            if came == 0 {
                return self.end().await;
            }
            // Whoever waits for an answer is worth a try: it may be the one who made room.
            if !self.held.is_empty() && batch.iter().any(|order| order.done.is_some()) {
                self.try_again().await;
            }
            match self.held.is_empty() {
                true => self.take(std::mem::take(&mut batch)).await,
                false => batch.drain(..).for_each(|order| self.hold(order)),
            }
        }
    }

    /// A last try for what is held; what is lost with this process is told by the next, and where the log of the box is.
    async fn end(&mut self) {
        if !self.held.is_empty() {
            self.try_again().await;
        }
        self.note().await;
        let lost = self.waiting();
        if lost > 0 {
            tracing::error!(lost, "the store took nothing until the end: these entries are lost");
        }
    }

    /// Events, job states and log lines that wait or found no room to wait.
    fn waiting(&self) -> u64 {
        let held: usize = self.held.iter().map(|order| order.keep.len()).sum();
        held as u64 + self.lost
    }

    /// Notes what waits; a medium that hangs holds up this task alone.
    async fn note(&mut self) {
        let now = self.waiting() + self.earlier.map_or(0, |earlier| earlier.entries);
        let since = match self.earlier {
            Some(earlier) => earlier.since,
            None => self.since_wall,
        };
        let waiting = (now > 0).then_some(Waiting { entries: now, since });
        if waiting == self.noted {
            return;
        }
        let note = self.note.clone();
        let written = tokio::task::spawn_blocking(move || note.write(&waiting)).await;
        let why = match written {
            Ok(Ok(())) => {
                (self.noted, self.unnoted) = (waiting, false);
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        // Once, not at every try.
        if !std::mem::replace(&mut self.unnoted, true) {
            tracing::error!(why, "what waits for the store cannot be noted for the next start");
        }
    }

    /// Tells what the process before held when it ended, and makes room for this one's note.
    async fn tell_what_was_lost(&mut self) {
        let note = self.note.clone();
        self.earlier = tokio::task::spawn_blocking(move || note.read()).await.ok().flatten();
        self.noted = self.earlier;
        if let Some(Waiting { entries, since }) = self.earlier {
            let message = format!(
                "The server ended while its store took nothing, from {since} on: {entries} entries or more of what happened are lost"
            );
            let data = serde_json::json!({ "entries": entries, "since": since });
            let event = NewEvent::new("box.entries_lost", Severity::Warning, message, data);
            let keep = Keep::Event(event, Actor::new("server", "server"), self.clock.now().wall);
            let keep = Arc::new(vec![keep]);
            if self.write(&[Order { keep, done: None }]).await.is_err() {
                // The store takes nothing still: it stands in the note, and is told by the next start.
                return;
            }
            self.earlier = None;
            return self.note().await;
        }
        let note = self.note.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || note.write(&None::<Waiting>)).await {
            tracing::warn!(%error, "should the store take nothing, the next start will not know what was lost");
        }
    }

    /// Writes orders; what the store does not take now is held.
    async fn take(&mut self, batch: Vec<Order>) {
        match self.write(&batch).await {
            Ok(()) => {
                for order in batch {
                    order.answer(Ok(()));
                }
                self.look().await;
            }
            Err(error) if error.is_transient() => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the store takes nothing; it is tried again"
                );
                let text = format!(
                    "The box cannot keep what happens: {error}. What happens is held in memory, where a restart would lose it, and tried again; what is on the medium can be read"
                );
                self.trouble.send_replace(Some(text));
                let now = self.clock.now();
                (self.why, self.since, self.since_wall) = (error, now.mono, now.wall);
                self.again = Instant::now() + AGAIN;
                for order in batch {
                    self.hold(order);
                }
                // An order that was refused leaves nothing to try again with: the store is asked all the same.
                if self.held.is_empty() {
                    let keep = Arc::default();
                    self.held.push_back(Order { keep, done: None });
                }
                self.note().await;
            }
            // One of them is wrong in itself: the others are not to suffer for it.
            Err(_) => {
                for order in batch {
                    let alone = [order];
                    let answer = self.write(&alone).await;
                    if let Err(error) = &answer {
                        tracing::error!(
                            error = error as &dyn std::error::Error,
                            "something that has to be kept was not stored"
                        );
                    }
                    let [order] = alone;
                    order.answer(answer);
                }
            }
        }
    }

    /// Holds an order until the store takes it. Whoever waits for its answer is told that it was not kept, and it is not.
    fn hold(&mut self, order: Order) {
        if order.done.is_some() {
            return order.answer(Err(self.why.clone()));
        }
        if self.held.len() >= HELD {
            self.lost += order.keep.len() as u64;
            return;
        }
        self.held.push_back(order);
    }

    async fn try_again(&mut self) {
        while !self.held.is_empty() {
            let part: Vec<Order> = self.held.drain(..self.held.len().min(BATCH)).collect();
            if let Err(error) = self.write(&part).await {
                for order in part.into_iter().rev() {
                    self.held.push_front(order);
                }
                self.why = error;
                self.again = Instant::now() + AGAIN;
                return self.note().await;
            }
        }
        self.trouble.send_replace(None);
        let now = self.clock.now();
        let (seconds, lost) = (
            now.mono.saturating_sub(self.since).as_secs(),
            std::mem::take(&mut self.lost),
        );
        let message = match lost {
            0 => format!("The store takes what happens again after {seconds} s; all of it was kept"),
            lost => format!(
                "The store takes what happens again after {seconds} s; {lost} entries found no room and are lost"
            ),
        };
        let data = serde_json::json!({ "seconds": seconds, "lost": lost, "why": self.why.to_string() });
        let event = NewEvent::new("box.store_recovered", Severity::Warning, message, data);
        let keep = Keep::Event(event, Actor::new("server", "server"), now.wall);
        let keep = Arc::new(vec![keep]);
        Box::pin(self.take(vec![Order { keep, done: None }])).await;
        self.note().await;
    }

    /// Writes orders in one transaction and tells of their events. Where there is no room the oldest entries go first.
    async fn write(&self, orders: &[Order]) -> store::Result<()> {
        let mut tries = 0;
        let written = loop {
            let keep: Vec<Arc<Vec<Keep>>> = orders.iter().map(|order| Arc::clone(&order.keep)).collect();
            let now = self.clock.now().wall;
            let work = move |w: &mut store::Write<'_, '_>| {
                transaction::write(w, now, keep.iter().flat_map(|keep| keep.iter()))
            };
            match self.store.write_growing(work).await {
                Ok(written) => break written,
                Err(store::Error::Full(_)) if tries < TRIES && self.make_room().await => tries += 1,
                Err(error) => return Err(error),
            }
        };
        for job in written.amended {
            // Nobody waits here for the hub, which hands things in: the next start has it from the medium.
            if let Err(error) = self.amended.try_send(job) {
                tracing::error!(%error, "a job was not told what is known of it here");
            }
        }
        self.tell(&written.events);
        Ok(())
    }

    fn tell(&self, events: &[Event]) {
        for event in events {
            // Nobody listening is no error.
            let _listeners = self.tell.send(Message::event(event));
        }
    }

    /// Lets the oldest entries go; false where there are none that may.
    async fn make_room(&self) -> bool {
        let now = self.clock.now().wall;
        match self.store.write(move |w| retain::make_room(w, now)).await {
            Ok((freed, events)) => {
                self.tell(&events);
                freed
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "old entries could not be let go"
                );
                false
            }
        }
    }

    /// Keeps the store below its share, a piece at a time.
    async fn look(&mut self) {
        if self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        let store = self.store.clone();
        // A medium that hangs holds up this task alone.
        let room = tokio::task::spawn_blocking(move || store.room()).await;
        if matches!(room, Ok(Ok(room)) if room.is_tight()) {
            self.make_room().await;
        }
    }
}

impl Scribe {
    /// Starts the task; events that are on the medium go to `tell`, jobs of which more is known here than was told to `amended`.
    pub fn start(store: Store, tell: broadcast::Sender<Message>, amended: mpsc::Sender<Job>, clock: Clock) -> Self {
        let (orders, queue) = mpsc::channel::<Order>(QUEUE);
        let (say, trouble) = watch::channel(None);
        let now = Instant::now();
        let note = Note(store.path().with_file_name(NOTE));
        let desk = Desk {
            note,
            noted: None,
            unnoted: false,
            earlier: None,
            since_wall: Time::UNIX_EPOCH,
            store,
            tell,
            amended,
            clock,
            trouble: say,
            held: VecDeque::new(),
            why: store::Error::Closed,
            since: Duration::ZERO,
            lost: 0,
            again: now,
            looked: now,
        };
        tokio::spawn(desk.run(queue));
        Self { orders, trouble }
    }

    /// Why nothing can be kept at this moment, in words; `None` while everything is.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.clone()
    }

    /// Hands things in; waits only for room.
    pub async fn keep(&self, keep: Vec<Keep>) {
        if keep.is_empty() {
            return;
        }
        let keep = Arc::new(keep);
        if self.orders.send(Order { keep, done: None }).await.is_err() {
            tracing::error!("the scribe has ended");
        }
    }

    /// Hands things in and waits until they are on the medium.
    ///
    /// # Errors
    /// When the medium did not take them.
    pub async fn kept(&self, keep: Vec<Keep>) -> store::Result<()> {
        let (done, answer) = oneshot::channel();
        let keep = Arc::new(keep);
        if self.orders.send(Order { keep, done: Some(done) }).await.is_err() {
            return Err(store::Error::Closed);
        }
        answer.await.unwrap_or(Err(store::Error::Closed))
    }
}

fn json<T: Serialize>(value: &T) -> store::Result<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| store::Error::GivenUp(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::unreadable_literal, reason = "tests")]
    use store::{Check, Options};

    use super::retain::verify;
    use super::*;
    use crate::tables::{EVENTS, STATE};

    fn open(dir: &std::path::Path) -> Store {
        store::open(
            dir,
            &Options {
                check: Check::InProcess,
                ..Options::new(crate::tables::NAMES)
            },
        )
        .unwrap()
        .store
    }

    fn event(kind: &str, origin: Option<u64>) -> Keep {
        let new = NewEvent {
            kind: kind.into(),
            severity: Severity::Info,
            job: None,
            drive: None,
            message: "m".into(),
            data: serde_json::json!({ "percent": 33.333333333333336, "rate": 1.1e-7 }),
            origin,
        };
        Keep::Event(
            new,
            Actor {
                kind: "server".into(),
                name: "server".into(),
            },
            Time::UNIX_EPOCH,
        )
    }

    #[tokio::test]
    async fn events_are_chained_without_gaps_and_told_after_they_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let (tell, mut heard) = broadcast::channel(16);
        let scribe = Scribe::start(store.clone(), tell, mpsc::channel(1).0, Clock::default());
        for _ in 0..3 {
            scribe.kept(vec![event("a.b", None), event("a.c", None)]).await.unwrap();
        }
        let events = store.read(|r| EVENTS.all(r)).unwrap();
        assert_eq!(
            events.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6]
        );
        assert_eq!(verify(&store).unwrap(), None);
        assert_eq!(heard.recv().await.unwrap().id, Some(1));

        let mut forged = events[2].1.clone();
        forged.message = "never happened".into();
        store.write(move |w| EVENTS.put(w, &3, &forged)).await.unwrap();
        assert_eq!(verify(&store).unwrap(), Some(3));
        store.write(|w| EVENTS.delete(w, &3)).await.unwrap();
        assert_eq!(verify(&store).unwrap(), Some(4), "a gap");
    }

    /// An event as versions before RFC 8785 sealed it.
    fn earlier(seq: u64, prev_hash: &str) -> Event {
        use sha2::{Digest, Sha256};
        let Keep::Event(new, actor, at) = event("a.b", None) else {
            unreachable!()
        };
        let mut event = Event::seal(new, seq, at, actor, prev_hash);
        event.hash.clear();
        let text = serde_json::to_string(&event).unwrap();
        event.hash = hex::encode(Sha256::new().chain_update(prev_hash).chain_update(text).finalize());
        event
    }

    #[tokio::test]
    async fn a_log_of_an_earlier_version_is_gone_on_with_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let first = earlier(1, wire::event::FIRST_PREV_HASH);
        let second = earlier(2, &first.hash);
        let kept = second.clone();
        let rows = [first, second];
        let put = store.write(move |w| rows.iter().try_for_each(|event| EVENTS.put(w, &event.seq, event)));
        put.await.unwrap();
        assert_eq!(verify(&store).unwrap(), None, "checked as it was written");
        let scribe = Scribe::start(
            store.clone(),
            broadcast::channel(16).0,
            mpsc::channel(1).0,
            Clock::default(),
        );
        scribe.kept(vec![event("a.c", None)]).await.unwrap();
        scribe.kept(vec![event("a.d", None)]).await.unwrap();
        let events = store.read(|r| EVENTS.all(r)).unwrap();
        let kinds: Vec<&str> = events.iter().map(|(_, event)| event.kind.as_str()).collect();
        assert_eq!(kinds, ["a.b", "a.b", "box.log_form", "a.c", "a.d"], "told once");
        assert_eq!(events[2].1.data["earlier_until"], 2);
        assert_eq!(verify(&store).unwrap(), None);

        // Who changes an event cannot go back to the earlier form.
        let forged = earlier(4, &events[2].1.hash);
        store.write(move |w| EVENTS.put(w, &4, &forged)).await.unwrap();
        assert_eq!(verify(&store).unwrap(), Some(4));
        let mut forged = kept;
        forged.message = "never happened".into();
        store.write(move |w| EVENTS.put(w, &2, &forged)).await.unwrap();
        assert_eq!(verify(&store).unwrap(), Some(2));
    }

    #[tokio::test]
    async fn what_the_agent_sends_again_is_kept_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let scribe = Scribe::start(
            store.clone(),
            broadcast::channel(16).0,
            mpsc::channel(1).0,
            Clock::default(),
        );
        scribe
            .kept(vec![event("job.started", Some(1)), event("job.passed", Some(2))])
            .await
            .unwrap();
        scribe
            .kept(vec![event("job.passed", Some(2)), event("drive.added", Some(5))])
            .await
            .unwrap();
        let kinds: Vec<String> = store
            .read(|r| EVENTS.all(r))
            .unwrap()
            .into_iter()
            .map(|(_, e)| e.kind)
            .collect();
        assert_eq!(kinds, ["job.started", "job.passed", "drive.added"]);
        assert_eq!(store.read(|r| STATE.get(r, EVENTS_SEEN)).unwrap(), Some(5.into()));
    }
}
