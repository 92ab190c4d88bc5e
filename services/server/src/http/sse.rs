//! Server-sent events: `GET /api/v1/stream`, the one stream that feeds the dashboard.
//!
//! A listener first gets the box, the drives and every job as they are now, then the events it missed (after
//! `Last-Event-ID`, or `?after=`), then everything as it happens. One that reads too slowly gets a fresh snapshot
//! instead of a gap. Comments keep the way open; the session is looked at again every minute.

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
use tokio::sync::mpsc;
use utoipa::IntoParams;

use super::Refusal;
use super::doc::LoggedIn;
use super::person::Person;
use crate::app::{self, App};
use crate::hub::Stream;
use crate::message::Message;

/// How often a comment is sent: proxies and phones drop a silent connection after 30 s at the earliest.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How often the session is looked at again.
pub(super) const RECHECK: Duration = Duration::from_secs(60);

/// How long a browser waits before it comes back, in milliseconds.
pub(super) const RETRY: &str = "retry: 2000\n\n";

/// What a listener is told last whose session is over.
const LOGOUT: &str = "event: logout\ndata: {}\n\n";

/// Chunks that wait for a listener that reads slowly. Past it its task waits, and its messages wait in the ring.
pub(super) const AHEAD: usize = 32;

/// Missed events that are read at a time: a listener that was away for weeks must not have the whole log in memory.
const PAGE: usize = 1000;

/// Query of the stream.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct From {
    /// Events after this number are sent first.
    after: Option<u64>,
}

/// The number in `Last-Event-ID`.
pub(super) fn last_event_id(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(HeaderName::from_static("last-event-id"))?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// A response whose body is what is sent into the returned channel.
pub(super) fn open() -> (mpsc::Sender<String>, Response) {
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
pub(super) fn headers() -> [(HeaderName, HeaderValue); 3] {
    [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ]
}

/// Everything as it happens, as server-sent events: `box`, `drives`, `playbooks`, `job`, `progress`, `log`, `event`.
///
/// First the present state, then the events after `Last-Event-ID` or `after`, then what happens.
#[utoipa::path(get, path = "/stream", operation_id = "stream", tag = "events", params(From, ("Last-Event-ID" = Option<u64>, Header, description = "Number of the last event that was seen")),
    responses((status = 200, body = String, content_type = "text/event-stream"), LoggedIn, (status = 400, description = "`bad-query`", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn stream(
    State(app): State<Arc<App>>,
    person: Person,
    headers: HeaderMap,
    from: Result<Query<From>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(from) =
        from.map_err(|error| Refusal::new("bad-query", 400, "The query is not one").with(error.body_text()))?;
    let after = last_event_id(&headers).or(from.after);
    let (send, response) = open();
    tokio::spawn(async move {
        // Ends when the listener has gone, its session is over or the server stops.
        let _over = feed(&app, &person, after, &send).await;
    });
    Ok(response)
}

/// The listener is gone.
struct Gone;

async fn put(send: &mpsc::Sender<String>, text: String) -> Result<(), Gone> {
    send.send(text).await.map_err(|_| Gone)
}

/// Events that are told again to a listener whose last one is not in this log.
const BEYOND: u64 = 200;

async fn feed(app: &Arc<App>, person: &Person, after: Option<u64>, send: &mpsc::Sender<String>) -> Result<(), Gone> {
    // Listening begins before the snapshot is taken: what happens in between comes twice rather than never.
    let mut live = app.stream.subscribe();
    let mut stopping = app.stopping.subscribe();
    // Before the snapshot, too, which waits for a slow listener: what is dropped meanwhile is told again.
    let newest = crate::app::events(&app.store, None, 1)
        .ok()
        .and_then(|events| events.last().map(|event| event.seq));
    put(send, RETRY.to_owned()).await?;
    snapshot(app, send).await?;
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
        last = replay(app, person, last, send).await?;
    }
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
                    put(send, message.encode()).await?;
                }
                Err(RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "a listener lagged and gets a fresh snapshot");
                    live = live.resubscribe();
                    snapshot(app, send).await?;
                    // One that has seen no event yet gets those since it began to listen.
                    last = replay(app, person, last.max(before), send).await?;
                }
                Err(RecvError::Closed) => return Ok(()),
            },
            _ = keep_alive.tick() => put(send, ":\n\n".to_owned()).await?,
            _ = recheck.tick() => {
                if app.vault.session(&person.secret, app.clock.now()).is_none() {
                    return put(send, LOGOUT.to_owned()).await;
                }
            }
            () = crate::app::stopped(&mut stopping) => return Ok(()),
            () = send.closed() => return Err(Gone),
        }
    }
}

/// The box, the drives and every job, as they are now.
async fn snapshot(app: &App, send: &mpsc::Sender<String>) -> Result<(), Gone> {
    let now = app.clock.now();
    let messages: Vec<String> = app.hub(|hub| {
        let mut all = vec![
            Message::of(now, hub, &Stream::Box),
            Message::new("drives", &hub.drives()),
            Message::new("playbooks", &hub.playbooks()),
        ];
        // Oldest first, so that a page that keeps the order of arrival has the newest last.
        let mut jobs: Vec<_> = hub.jobs().map(|job| Message::new("job", job)).collect();
        jobs.reverse();
        all.append(&mut jobs);
        all.iter().map(Message::encode).collect()
    });
    for message in messages {
        put(send, message).await?;
    }
    Ok(())
}

/// Every event after `after`, up to the newest; returns the number of the last. What comes meanwhile waits with the live
/// ones, or is a reason to come here again where it was too much.
async fn replay(app: &App, person: &Person, after: u64, send: &mpsc::Sender<String>) -> Result<u64, Gone> {
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
            put(send, Message::event(event).encode()).await?;
        }
        if missed.len() < PAGE {
            return Ok(last);
        }
        // Who reads slowly reads for long, and may be logged out meanwhile.
        if app.vault.session(&person.secret, app.clock.now()).is_none() {
            put(send, LOGOUT.to_owned()).await?;
            return Err(Gone);
        }
    }
}
