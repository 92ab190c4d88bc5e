//! What of the log is kept, and where it begins: the oldest go first, the chain's beginning is remembered, and it is told.
//!
//! [`START`] holds the number of the first event that is kept and the hash of the one before it, so that a log whose
//! beginning was let go is told from one whose beginning somebody took away.

use serde::{Deserialize, Serialize};
use store::{Store, View, Write};
use wire::event::{Actor, FIRST_PREV_HASH, NewEvent, Severity};
use wire::{Event, Time};

use crate::tables::{EVENTS, EVENTS_MAX, JOB_LOG, JOBS, STATE};

/// Key in the state table: where the log begins, as a [`Start`].
pub const START: &str = "events-start";

/// Entries that go at once.
const PIECE: u64 = 500;

/// Newest events that stay however full the store is.
pub const EVENTS_LEAST: u64 = 2_000;

/// Newest jobs whose log lines outlive old events.
const JOBS_WITH_LOG: u64 = 100;

/// Seconds between two events that tell of it.
const TELL: i64 = 86_400;

/// Where the log begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Number of the first event that is kept.
    pub seq: u64,
    /// Hash of the one before it.
    pub prev_hash: String,
    /// Events that were let go since the log was begun.
    pub dropped: u64,
    /// When that was told last, in seconds since 1970.
    told: i64,
}

/// Where the log begins; `None` while nothing was let go.
///
/// # Errors
/// When the store cannot be read.
pub fn start(view: &impl View) -> store::Result<Option<Start>> {
    let kept = STATE.get(view, START)?;
    Ok(kept.and_then(|value| serde_json::from_value(value).ok()))
}

/// The end of the log, within a transaction.
pub(super) struct Log {
    seq: u64,
    hash: String,
    /// Whether all that is there was sealed by versions before RFC 8785, which is to be told before the next.
    earlier: bool,
    /// What was appended.
    pub(super) events: Vec<Event>,
}

impl Log {
    pub(super) fn open(view: &impl View) -> store::Result<Self> {
        let last = EVENTS.last(view)?;
        let earlier = last
            .as_ref()
            .is_some_and(|(_, event)| !event.is_sealed() && event.is_sealed_earlier());
        let (seq, hash) = last.map_or((0, FIRST_PREV_HASH.to_owned()), |(seq, event)| (seq, event.hash));
        Ok(Self {
            seq,
            hash,
            earlier,
            events: Vec::new(),
        })
    }

    pub(super) fn append(&mut self, w: &mut Write<'_, '_>, new: NewEvent, at: Time, actor: Actor) -> store::Result<()> {
        if std::mem::take(&mut self.earlier) {
            let message = format!(
                "Events up to {} were sealed by an earlier version and are checked as it did; from here on each is sealed over its RFC 8785 form",
                self.seq
            );
            let data = serde_json::json!({ "earlier_until": self.seq });
            let event = NewEvent::new("box.log_form", Severity::Info, message, data);
            self.put(w, event, at, Actor::new("server", "server"))?;
        }
        self.put(w, new, at, actor)
    }

    fn put(&mut self, w: &mut Write<'_, '_>, new: NewEvent, at: Time, actor: Actor) -> store::Result<()> {
        self.seq += 1;
        let event = Event::seal(new, self.seq, at, actor, &self.hash);
        EVENTS.put(w, &self.seq, &event)?;
        self.hash.clone_from(&event.hash);
        self.events.push(event);
        Ok(())
    }

    /// Lets events beyond [`EVENTS_MAX`] go.
    pub(super) fn keep_to_its_number(&mut self, w: &mut Write<'_, '_>, now: Time) -> store::Result<()> {
        let all = EVENTS.len(w)?;
        if self.events.is_empty() || all <= EVENTS_MAX + 100 {
            return Ok(());
        }
        self.drop_oldest(w, all - EVENTS_MAX, now)
    }

    /// Lets the oldest events go, remembers where the log begins then, and tells of it once a day.
    fn drop_oldest(&mut self, w: &mut Write<'_, '_>, count: u64, now: Time) -> store::Result<()> {
        let gone = EVENTS.after(w, &0, usize::try_from(count).unwrap_or(usize::MAX))?;
        let Some((seq, last)) = gone.last() else { return Ok(()) };
        let mut begin = start(w)?.unwrap_or_default();
        begin.seq = seq + 1;
        begin.prev_hash.clone_from(&last.hash);
        begin.dropped += gone.len() as u64;
        EVENTS.keep_last(w, EVENTS.len(w)? - gone.len() as u64)?;
        // A clock that was set back is no reason to be silent.
        let tell = (now.as_second() - begin.told).abs() >= TELL;
        if tell {
            begin.told = now.as_second();
            let message = format!(
                "The event log begins at event {} now: {} events before it made room",
                begin.seq, begin.dropped
            );
            let data =
                serde_json::json!({ "first": begin.seq, "prev_hash": begin.prev_hash, "dropped": begin.dropped });
            let event = NewEvent::new("box.log_trimmed", Severity::Info, message, data);
            self.append(w, event, now, Actor::new("server", "server"))?;
        }
        STATE.put(w, START, &super::json(&begin)?)
    }
}

/// Lets a piece of what is oldest go: log lines of old jobs, then events, then log lines of the other jobs. Jobs, their
/// certificates and the newest [`EVENTS_LEAST`] events stay. Returns whether anything went, and what is to be told.
pub(super) fn make_room(w: &mut Write<'_, '_>, now: Time) -> store::Result<(bool, Vec<Event>)> {
    let newest: Vec<String> = JOBS
        .last_n(w, usize::try_from(JOBS_WITH_LOG).unwrap_or(usize::MAX))?
        .into_iter()
        .map(|(job, _)| job)
        .collect();
    let oldest_log = JOB_LOG.after(w, &("0".to_owned(), 0), 1)?.into_iter().next();
    let oldest_log = oldest_log.map(|((job, _), _)| job);
    if let Some(job) = oldest_log.as_ref().filter(|job| !newest.contains(job)) {
        JOB_LOG.delete_of(w, job)?;
        return Ok((true, Vec::new()));
    }
    let spare = EVENTS.len(w)?.saturating_sub(EVENTS_LEAST);
    if spare > 0 {
        let mut log = Log::open(w)?;
        log.drop_oldest(w, spare.min(PIECE), now)?;
        return Ok((true, log.events));
    }
    let Some(job) = oldest_log else {
        return Ok((false, Vec::new()));
    };
    JOB_LOG.delete_of(w, &job)?;
    Ok((true, Vec::new()))
}

/// The number of the first event whose place in the chain is wrong; `None` when the whole log is sound. The form of earlier
/// versions counts only before the first event of today's.
///
/// # Errors
/// When the store cannot be read.
pub fn verify(store: &Store) -> store::Result<Option<u64>> {
    let mut before: Option<Event> = None;
    let mut earlier = true;
    loop {
        let after = before.as_ref().map_or(0, |event| event.seq);
        let (begin, part) = store.read(|r| Ok((start(r)?, EVENTS.after(r, &after, 500)?)))?;
        if part.is_empty() {
            return Ok(None);
        }
        for (seq, event) in part {
            let begins = match &begin {
                Some(begin) => begin.seq == seq && begin.prev_hash == event.prev_hash,
                None => seq == 1 && event.prev_hash == FIRST_PREV_HASH,
            };
            let follows = match &before {
                // What was let go while this read takes the one before it along.
                Some(before) => event.prev_hash == before.hash && seq == before.seq + 1 || begins,
                None => begins,
            };
            let sealed = event.is_sealed();
            earlier &= !sealed;
            if !follows || event.seq != seq || !(sealed || earlier && event.is_sealed_earlier()) {
                return Ok(Some(seq));
            }
            before = Some(event);
        }
    }
}
