//! The scribe: writes what has to be kept, in order, and tells of an event only when it is on the medium.
//!
//! One task owns the order of the event log. It takes what waits, up to a batch, writes it in one transaction (a job's
//! state and its event stand or fall together), and then sends the events out. When the medium is slow, whoever has
//! something to keep waits: nothing is dropped.

use store::{Store, Write};
use tokio::sync::{broadcast, mpsc, oneshot};
use wire::boxes::CertificateEntry;
use wire::certificate::CertificateText;
use wire::drive::Drive;
use wire::event::{Actor, FIRST_PREV_HASH, NewEvent};
use wire::frame::LogLine;
use wire::job::Job;
use wire::playbook::PlaybookInfo;
use wire::{Event, JobId, Time};

use crate::hub::units::Remembered;
use crate::message::Message;
use crate::tables::{CERTIFICATES, EVENTS, EVENTS_MAX, JOB_LOG, JOB_LOG_MAX, JOBS, JOBS_MAX, SEALS, SEALS_MAX, STATE};

/// Orders that may wait; then their makers wait.
const QUEUE: usize = 1024;

/// Most orders written in one transaction.
const BATCH: usize = 256;

/// Key in the state table: greatest [`NewEvent::origin`] that is in the log.
pub const EVENTS_SEEN: &str = "agent-events-seen";

/// Key in the state table: the drives as the agent told them last.
pub const DRIVES: &str = "drives";

/// Key in the state table: the playbooks as the agent told them last.
pub const PLAYBOOKS: &str = "playbooks";

/// Key in the state table: what the supervisor said last.
pub const SUPERVISOR: &str = "supervisor";

/// Something to keep.
#[derive(Debug)]
pub enum Keep {
    /// An event.
    Event(NewEvent, Actor, Time),
    /// A job's state.
    Job(Box<Job>),
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
    keep: Vec<Keep>,
    done: Option<oneshot::Sender<store::Result<()>>>,
}

/// Where things to keep are handed in.
#[derive(Clone, Debug)]
pub struct Scribe {
    orders: mpsc::Sender<Order>,
}

impl Scribe {
    /// Starts the task; events that are on the medium go to `tell`.
    pub fn start(store: Store, tell: broadcast::Sender<Message>) -> Self {
        let (orders, mut queue) = mpsc::channel::<Order>(QUEUE);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while queue.recv_many(&mut batch, BATCH).await > 0 {
                let (keep, done): (Vec<_>, Vec<_>) = batch.drain(..).map(|order| (order.keep, order.done)).unzip();
                let written = store.write(move |w| write(w, keep.into_iter().flatten())).await;
                let answer = match written {
                    Ok(events) => {
                        for event in &events {
                            // Nobody listening is no error.
                            let _listeners = tell.send(Message::event(event));
                        }
                        Ok(())
                    }
                    Err(error) => {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "something that has to be kept was not stored"
                        );
                        Err(error)
                    }
                };
                for done in done.into_iter().flatten() {
                    // Who asked may have gone.
                    let _gone = done.send(answer.clone());
                }
            }
        });
        Self { orders }
    }

    /// Hands things in; waits only for room.
    pub async fn keep(&self, keep: Vec<Keep>) {
        if !keep.is_empty() && self.orders.send(Order { keep, done: None }).await.is_err() {
            tracing::error!("the scribe has ended");
        }
    }

    /// Hands things in and waits until they are on the medium.
    ///
    /// # Errors
    /// When the medium did not take them.
    pub async fn kept(&self, keep: Vec<Keep>) -> store::Result<()> {
        let (done, answer) = oneshot::channel();
        if self.orders.send(Order { keep, done: Some(done) }).await.is_err() {
            return Err(store::Error::Closed);
        }
        answer.await.unwrap_or(Err(store::Error::Closed))
    }
}

fn json<T: serde::Serialize>(value: &T) -> store::Result<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| store::Error::GivenUp(error.to_string()))
}

fn write(w: &mut Write<'_, '_>, keep: impl Iterator<Item = Keep>) -> store::Result<Vec<Event>> {
    let last = EVENTS.last(w)?;
    let (mut seq, mut hash) = last.map_or((0, FIRST_PREV_HASH.to_owned()), |(seq, event)| (seq, event.hash));
    let mut seen = STATE.get(w, EVENTS_SEEN)?.and_then(|v| v.as_u64()).unwrap_or(0);
    let seen_before = seen;
    let mut events = Vec::new();
    for item in keep {
        match item {
            Keep::Event(new, actor, at) => {
                if let Some(origin) = new.origin {
                    // Sent again because the agent had not heard that it arrived.
                    if origin <= seen {
                        continue;
                    }
                    seen = origin;
                }
                seq += 1;
                let event = Event::seal(new, seq, at, actor, &hash);
                EVENTS.put(w, &seq, &event)?;
                hash.clone_from(&event.hash);
                events.push(event);
            }
            Keep::Job(job) => {
                seal(w, &job)?;
                JOBS.put(w, &job.id.to_string(), &*job)?;
            }
            Keep::Drives(drives) => STATE.put(w, DRIVES, &json(&drives)?)?,
            Keep::Playbooks(playbooks) => STATE.put(w, PLAYBOOKS, &json(&playbooks)?)?,
            Keep::Certificate(certificate) => {
                CERTIFICATES.put(w, &certificate.job.to_string(), &certificate.text)?;
            }
            Keep::Line(job, line) => {
                let job = job.to_string();
                let number = JOB_LOG.append_to(w, &job, &line)?;
                if number % 100 == 0 {
                    JOB_LOG.keep_last_of(w, &job, JOB_LOG_MAX)?;
                }
            }
            Keep::Remember(remembered) => STATE.put(w, SUPERVISOR, &json(&remembered)?)?,
        }
    }
    if seen != seen_before {
        STATE.put(w, EVENTS_SEEN, &seen.into())?;
    }
    if !events.is_empty() && EVENTS.len(w)? > EVENTS_MAX + 100 {
        EVENTS.keep_last(w, EVENTS_MAX)?;
    }
    while JOBS.len(w)? > JOBS_MAX {
        let Some((oldest, _)) = JOBS.after(w, "0", 1)?.into_iter().next() else {
            break;
        };
        JOB_LOG.delete_of(w, &oldest)?;
        CERTIFICATES.delete(w, &oldest)?;
        JOBS.delete(w, &oldest)?;
    }
    Ok(events)
}

/// Lists the job's certificate, where it has one and the list does not say so yet.
fn seal(w: &mut Write<'_, '_>, job: &Job) -> store::Result<()> {
    let Some(info) = &job.certificate else { return Ok(()) };
    let entry = CertificateEntry {
        job: job.id,
        drive: job.drive.clone(),
        model: job.model.clone(),
        serial: job.serial.clone(),
        capacity: job.capacity,
        playbook: job.playbook.clone(),
        outcome: job.verdict.as_ref().map(|verdict| verdict.outcome),
        info: info.clone(),
    };
    let known = SEALS.get(w, info.id.as_str())?;
    if known.as_ref() == Some(&entry) || (known.is_none() && SEALS.len(w)? >= SEALS_MAX) {
        return Ok(());
    }
    SEALS.put(w, info.id.as_str(), &entry)
}

/// The number of the first event whose place in the chain is wrong; `None` when the whole log is sound.
///
/// # Errors
/// When the store cannot be read.
pub fn verify(store: &Store) -> store::Result<Option<u64>> {
    let mut before: Option<Event> = None;
    loop {
        let after = before.as_ref().map_or(0, |event| event.seq);
        let part = store.read(|r| EVENTS.after(r, &after, 500))?;
        if part.is_empty() {
            return Ok(None);
        }
        for (seq, event) in part {
            let follows = before
                .as_ref()
                .is_none_or(|b| event.prev_hash == b.hash && seq == b.seq + 1);
            if !follows || event.seq != seq || event.hash != event.expected_hash() {
                return Ok(Some(seq));
            }
            before = Some(event);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use store::{Check, Options};
    use wire::event::Severity;

    use super::*;

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
        let scribe = Scribe::start(store.clone(), tell);
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

    #[tokio::test]
    async fn what_the_agent_sends_again_is_kept_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let scribe = Scribe::start(store.clone(), broadcast::channel(16).0);
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
