//! Server-sent events: `GET /api/v1/stream`, the one stream that feeds the dashboard.
//!
//! A listener first gets the box, every job as it is now, what runs before what is over, and the drives, then the events it
//! missed (after `Last-Event-ID`, or `?after=`), then `ready`, then everything as it happens. One that reads too slowly gets a
//! fresh snapshot instead of a gap, and another `ready`: log lines are in no snapshot, so whoever shows them asks for them then.
//! Comments keep the way open. A stream ends with its session: at once where somebody ends that, within a minute where its day is
//! over, also while a listener reads slowly. One of which no chunk goes for a minute is given up (one that takes nothing at all:
//! [`crate::serve::heads`]).
//!
//! Who wants one job's or one drive's alone says so in the query: then all of this, what was missed too, goes through that sieve.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::time::Interval;
use wire::JobId;
use wire::drive::Drive;
use wire::job::Job;

use crate::app::{self, App};
use crate::http::Refusal;
use crate::http::doc::LoggedIn;
use crate::http::people::person::Person;
use crate::hub::{Hub, Stream};
use crate::message::{About, Message};

/// How often a comment is sent: proxies and phones drop a silent connection after 30 s at the earliest.
pub(in crate::http) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How often it is looked whether the session's time is over, and longest wait for a chunk to be taken.
pub(in crate::http) const RECHECK: Duration = Duration::from_mins(1);

/// How long a browser waits before it comes back, in milliseconds.
pub(in crate::http) const RETRY: &str = "retry: 2000\n\n";

/// What a listener is told when it has all of the present, and all that it missed.
const READY: &str = "event: ready\ndata: {}\n\n";

/// What a listener is told last whose session is over.
const LOGOUT: &str = "event: logout\ndata: {}\n\n";

/// Chunks that wait for a listener that reads slowly. Past it its task waits, and its messages wait in the ring.
pub(in crate::http) const AHEAD: usize = 32;

/// Missed events that are read at a time: a listener that was away for weeks must not have the whole log in memory.
const PAGE: usize = 1000;

/// Query of the stream.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct From {
    /// Events after this number are sent first.
    after: Option<u64>,
    /// What is about this job alone, and what is about none.
    job: Option<String>,
    /// What is about this drive alone, and what is about none: its id, or its serial number.
    drive: Option<String>,
}

/// What somebody listens to.
#[derive(Debug, Default)]
struct Wanted {
    job: Option<JobId>,
    drive: Option<String>,
}

impl Wanted {
    /// As a query says it; an empty word is none.
    fn of(from: &From) -> Result<Self, Refusal> {
        let word = |word: &Option<String>| word.clone().filter(|word| !word.is_empty());
        let job = word(&from.job).map(|job| {
            let unread = |_| Refusal::bad_query(format!("job: {job:?} is no job's id; GET /api/v1/jobs lists them"));
            job.parse().map_err(unread)
        });
        Ok(Self {
            job: job.transpose()?,
            drive: word(&from.drive),
        })
    }

    /// The message as somebody gets it who wants this; `None` if it is about another job or drive.
    fn of_it(&self, hub: &Hub, message: &Message) -> Option<String> {
        if let (About::Drives(drives), Some(word)) = (&message.about, &self.drive) {
            let its: Vec<Drive> = drives.iter().filter(|drive| is(drive, word)).cloned().collect();
            return Some(Message::drives(&its).encode());
        }
        self.takes(hub, &message.about).then(|| message.encode())
    }

    /// Whether what is about this is about no other job or drive than is wanted.
    fn takes(&self, hub: &Hub, about: &About) -> bool {
        let (job, drive) = match about {
            About::Box | About::Drives(_) => return true,
            About::One { job, drive } => (*job, drive.as_ref()),
        };
        if self.job.is_some() && job.is_some() && self.job != job {
            return false;
        }
        let Some(word) = &self.drive else { return true };
        let known = job.and_then(|job| hub.job_of(job));
        let Some(drive) = drive.or(known.map(|job| &job.drive)) else {
            // Of a job that is not known any more nobody knows the drive; what is about none is about all.
            return job.is_none();
        };
        drive.as_str() == word
            || known.is_some_and(|job| job.serial == *word)
            || hub
                .drives()
                .iter()
                .any(|its| its.id.as_ref() == Some(drive) && is(its, word))
    }

    /// As [`Wanted::of_it`]; nobody is asked where everything is wanted.
    fn encode(&self, app: &App, message: &Message) -> Option<String> {
        match (&self.job, &self.drive) {
            (None, None) => Some(message.encode()),
            _ => app.hub(|hub| self.of_it(hub, message)),
        }
    }
}

/// Whether a drive is called so.
fn is(drive: &Drive, word: &str) -> bool {
    drive.id.as_ref().is_some_and(|id| id.as_str() == word) || (!drive.serial.is_empty() && drive.serial == word)
}

/// The number in `Last-Event-ID`. What is no number is one beyond the end, so that what is here is told again: a refusal would end
/// a browser's `EventSource` for good.
pub(in crate::http) fn last_event_id(headers: &HeaderMap) -> Option<u64> {
    let id = headers.get(HeaderName::from_static("last-event-id"))?;
    if id.is_empty() {
        return None;
    }
    let number = id.to_str().ok().and_then(|id| id.trim().parse().ok());
    Some(number.unwrap_or(u64::MAX))
}

/// A response whose body is what is sent into the returned channel.
pub(in crate::http) fn open() -> (mpsc::Sender<String>, Response) {
    let (send, receive) = mpsc::channel::<String>(AHEAD);
    let body = futures_util::stream::unfold(receive, |mut receive| async {
        receive
            .recv()
            .await
            .map(|text| (Ok::<_, Infallible>(Bytes::from(text)), receive))
    });
    (send, (headers(), Body::from_stream(body)).into_response())
}

/// Headers of a stream of server-sent events.
pub(in crate::http) fn headers() -> [(HeaderName, HeaderValue); 3] {
    [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ]
}

/// Everything as it happens, as server-sent events: `box`, `drives`, `playbooks`, `job`, `progress`, `log`, `event`, `ready`.
///
/// First the present state, the drives after their jobs, then the events after `Last-Event-ID` or `after`, then `ready`, then what happens. Of the jobs those
/// that run come first, then the newest; one that is over comes with the hottest point of its time line alone, the whole of which
/// is at `GET /jobs/{id}/timeline`. Who reads too slowly gets the present state anew, and another `ready`: log lines between are
/// at `GET /jobs/{id}/log`.
///
/// With `job` only what is about that job, with `drive` only what is about that drive (its id or its serial number; a job's
/// progress and log are about its drive); with both, what fits both. What is about no job, or no drive, fits any: `box`,
/// `playbooks`, events of the box. `drives` then lists that drive alone. The same holds for what is told again after `Last-Event-ID`.
#[utoipa::path(get, path = "/stream", operation_id = "stream", tag = "events", params(From, ("Last-Event-ID" = Option<u64>, Header, description = "Number of the last event that was seen")),
    responses((status = 200, body = String, content_type = "text/event-stream"), LoggedIn, (status = 400, description = "`bad-query`")))]
pub(crate) async fn stream(
    State(app): State<Arc<App>>,
    person: Person,
    headers: HeaderMap,
    from: Result<Query<From>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(from) = from.map_err(|error| Refusal::bad_query(error.body_text()))?;
    let wanted = Wanted::of(&from)?;
    let after = last_event_id(&headers).or(from.after);
    let (send, response) = open();
    tokio::spawn(async move {
        // Ends when the listener has gone, its session is over or the server stops.
        let _over = feed(&app, person, after, &wanted, &send).await;
    });
    Ok(response)
}

/// The listener is gone, or must not hear more.
struct Gone;

/// When a listener's session was looked at last.
pub(in crate::http) struct Look {
    /// The session's secret.
    session: String,
    /// By the clock that only goes forward.
    at: Duration,
    /// Changes where somebody's session was ended since.
    ended: watch::Receiver<()>,
}

impl Look {
    /// Of a session that was good when the request came; it is looked at anew before anything is told.
    pub(in crate::http) fn new(app: &App, session: String) -> Self {
        let at = app.clock.now().mono;
        let mut ended = app.vault.ended();
        ended.mark_changed();
        Self { session, at, ended }
    }

    /// Resolves where somebody's session was ended since the last look, and with `recheck`.
    pub(in crate::http) async fn is_due(&mut self, recheck: &mut Interval) {
        tokio::select! {
            // An error means that the sender, and the server with it, is gone.
            _ = self.ended.changed() => {}
            _ = recheck.tick() => {}
        }
    }

    /// Whether the session is over.
    pub(in crate::http) fn is_over(&mut self, app: &App) -> bool {
        let now = app.clock.now();
        self.at = now.mono;
        self.ended.mark_unchanged();
        app.vault.session(&self.session, now).is_none()
    }

    /// The same, looked at where somebody's session was ended since, and once in [`RECHECK`].
    pub(in crate::http) fn is_known_over(&mut self, app: &App) -> bool {
        let is_due = self.ended.has_changed().unwrap_or(true);
        (is_due || app.clock.now().mono.saturating_sub(self.at) >= RECHECK) && self.is_over(app)
    }
}

/// The line to a listener.
struct Line<'a> {
    app: &'a App,
    send: &'a mpsc::Sender<String>,
    look: Look,
}

impl Line<'_> {
    /// Sends what is next, unless the session is over meanwhile: who reads slowly reads for long.
    async fn put(&mut self, text: String) -> Result<(), Gone> {
        if self.look.is_known_over(self.app) {
            return self.end().await;
        }
        self.hand(text).await
    }

    /// Tells that the session is over, and nothing after that.
    async fn end(&mut self) -> Result<(), Gone> {
        self.hand(LOGOUT.to_owned()).await?;
        Err(Gone)
    }

    async fn hand(&mut self, text: String) -> Result<(), Gone> {
        let taken = tokio::time::timeout(RECHECK, self.send.send(text)).await;
        taken.map_err(|_| Gone)?.map_err(|_| Gone)
    }
}

/// Events that are told again to a listener whose last one is not in this log.
const BEYOND: u64 = 200;

async fn feed(
    app: &App,
    person: Person,
    after: Option<u64>,
    wanted: &Wanted,
    send: &mpsc::Sender<String>,
) -> Result<(), Gone> {
    let look = Look::new(app, person.secret);
    let mut line = Line { app, send, look };
    // Listening begins before the snapshot is taken: what happens in between comes twice rather than never.
    let mut live = app.stream.subscribe();
    let mut stopping = app.stopping.subscribe();
    // Before the snapshot, too, which waits for a slow listener: what is dropped meanwhile is told again.
    let newest = app::events(&app.store, None, 1)
        .ok()
        .and_then(|events| events.last().map(|event| event.seq));
    line.put(RETRY.to_owned()).await?;
    snapshot(wanted, &mut line).await?;
    // Numbers begin anew with a store that was set aside or put back: who asks beyond the end gets the end.
    let after = after.map(|after| {
        if after > newest.unwrap_or(0) {
            newest.unwrap_or(0).saturating_sub(BEYOND)
        } else {
            after
        }
    });
    let before = newest.unwrap_or(0);
    let mut last = after.unwrap_or(0);
    if after.is_some() {
        last = replay(last, wanted, &mut line).await?;
    }
    line.put(READY.to_owned()).await?;
    let mut keep_alive = tokio::time::interval(KEEP_ALIVE);
    let mut recheck = tokio::time::interval(RECHECK);
    keep_alive.reset();
    recheck.reset();
    loop {
        tokio::select! {
            message = live.recv() => match message {
                Ok(message) if message.id.is_some_and(|id| id <= last) => {}
                Ok(message) => {
                    last = message.id.unwrap_or(last);
                    if let Some(text) = wanted.encode(app, &message) {
                        line.put(text).await?;
                    }
                }
                Err(RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "a listener lagged and gets a fresh snapshot");
                    live = live.resubscribe();
                    snapshot(wanted, &mut line).await?;
                    // One that has seen no event yet gets those since it began to listen.
                    last = replay(last.max(before), wanted, &mut line).await?;
                    line.put(READY.to_owned()).await?;
                }
                Err(RecvError::Closed) => return Ok(()),
            },
            _ = keep_alive.tick() => line.put(":\n\n".to_owned()).await?,
            () = line.look.is_due(&mut recheck) => {
                if line.look.is_over(app) {
                    return line.end().await;
                }
            }
            () = app::stopped(&mut stopping) => return Ok(()),
            () = send.closed() => return Err(Gone),
        }
    }
}

/// A job as it is in a snapshot. The time line is most of one that is over, and is asked for by who shows it; how hot it was is
/// shown beside other drives.
fn brief(job: &Job) -> Job {
    if !job.state.is_over() {
        return job.clone();
    }
    let hottest = job.timeline.iter().max_by_key(|point| point.temperature);
    Job {
        timeline: hottest.into_iter().cloned().collect(),
        ..job.clone()
    }
}

/// The box, every job and the drives, as they are now. What runs comes first, then what ended last of each drive, the drives, and all else:
/// a slow way brings early what is looked at. A drive without its job looks like one that nothing is known of, and one that
/// failed is not shown so for a moment. The hub is held for the copy alone.
async fn snapshot(wanted: &Wanted, line: &mut Line<'_>) -> Result<(), Gone> {
    let app = line.app;
    let now = app.clock.now();
    let (heads, mut jobs, drives) = app.hub(|hub| {
        let heads = [Message::of(now, hub, &Stream::Box), Message::playbooks(hub.playbooks())];
        let heads: Vec<String> = heads.iter().filter_map(|message| wanted.of_it(hub, message)).collect();
        let jobs = hub.jobs().filter(|job| wanted.takes(hub, &About::job(job)));
        let drives = wanted.of_it(hub, &Message::drives(hub.drives()));
        (heads, jobs.map(brief).collect::<Vec<Job>>(), drives)
    });
    jobs.sort_by_key(|job| job.state.is_over());
    for head in heads {
        line.put(head).await?;
    }
    let mut told = BTreeSet::new();
    let (last, earlier): (Vec<&Job>, Vec<&Job>) = jobs
        .iter()
        .partition(|job| told.insert(job.drive.clone()) || !job.state.is_over());
    let message = |job: &&Job| Message::job(job).encode();
    let all = last
        .iter()
        .map(message)
        .chain(drives)
        .chain(earlier.iter().map(message));
    for told in all {
        line.put(told).await?;
    }
    Ok(())
}

/// Every event after `after`, up to the newest; returns the number of the last. What comes meanwhile waits with the live
/// ones, or is a reason to come here again where it was too much.
async fn replay(after: u64, wanted: &Wanted, line: &mut Line<'_>) -> Result<u64, Gone> {
    let app = line.app;
    let mut last = after;
    loop {
        let missed = match app::events(&app.store, Some(last), PAGE) {
            Ok(missed) => missed,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "missed events could not be read"
                );
                return Ok(last);
            }
        };
        for event in &missed {
            last = event.seq;
            if let Some(text) = wanted.encode(app, &Message::event(event)) {
                line.put(text).await?;
            }
        }
        if missed.len() < PAGE {
            return Ok(last);
        }
    }
}
