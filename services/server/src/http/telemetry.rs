//! `GET /api/addons/{id}/telemetry`: the frames of one add-on as server-sent events, as Vigil's dashboard reads them.
//!
//! Beyond the original: ids with replay from `Last-Event-ID` out of the add-on's history, `retry:`, keep-alive comments,
//! no write time-out, event names from a closed set, and only one job's frames where a page wants no more.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Interval;
use utoipa::IntoParams;

use super::Refusal;
use super::addons::find;
use super::doc::{LoggedIn, OfAddon};
use super::person::Person;
use super::sse::{self, KEEP_ALIVE, RECHECK};
use crate::app::{App, Hearing};
use crate::hub::{Hub, Telemetry};

/// Most bytes that go into one chunk when many frames wait.
const CHUNK: usize = 64 * 1024;

/// Query of the stream.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Of {
    /// Frames of this job alone, and those of none.
    job: Option<String>,
}

/// One listener.
struct Listening {
    app: Arc<App>,
    addon: u64,
    job: Option<String>,
    /// Its session's secret.
    session: String,
    live: Hearing,
    last: u64,
    /// Chunks that wait.
    waiting: VecDeque<String>,
    stopping: watch::Receiver<bool>,
    keep_alive: Interval,
    recheck: Interval,
}

fn encode(into: &mut String, addon: u64, number: u64, item: &Telemetry) {
    use std::fmt::Write;
    let kind = serde_json::to_string(&*item.kind).unwrap_or_default();
    // Writing into a text cannot fail.
    let _written = write!(
        into,
        "id: {number}\nevent: {}\ndata: {{\"addon_id\":{addon},\"type\":{kind},\"payload\":{}}}\n\n",
        item.name, item.payload
    );
}

impl Listening {
    fn is_wanted(&self, item: &Telemetry) -> bool {
        let Some(job) = &self.job else { return true };
        #[derive(Deserialize)]
        struct Job {
            #[serde(default)]
            job_id: Option<String>,
        }
        match serde_json::from_str::<Job>(&item.payload) {
            Ok(Job { job_id: Some(of) }) => of == *job,
            Ok(Job { job_id: None }) | Err(_) => true,
        }
    }

    /// A frame, and before it what had no room to wait.
    fn take(&mut self, into: &mut String, number: u64, item: &Telemetry) {
        if number <= self.last {
            return;
        }
        if number > self.last + 1 {
            let (addon, last) = (self.addon, self.last);
            for (missed, item) in self.app.hub(|hub| hub.telemetry_after(addon, last)) {
                if missed < number && self.is_wanted(&item) {
                    encode(into, addon, missed, &item);
                }
            }
        }
        self.last = number;
        if self.is_wanted(item) {
            encode(into, self.addon, number, item);
        }
    }

    /// The next chunk; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        if let Some(chunk) = self.waiting.pop_front() {
            return Some(chunk);
        }
        loop {
            tokio::select! {
                frame = self.live.next() => {
                    let (number, item) = frame?;
                    let mut chunk = String::new();
                    self.take(&mut chunk, number, &item);
                    while chunk.len() < CHUNK && let Some((number, item)) = self.live.ready() {
                        self.take(&mut chunk, number, &item);
                    }
                    if !chunk.is_empty() {
                        return Some(chunk);
                    }
                }
                _ = self.keep_alive.tick() => return Some(":\n\n".to_owned()),
                _ = self.recheck.tick() => {
                    self.app.vault.session(&self.session, self.app.clock.now())?;
                }
                () = crate::app::stopped(&mut self.stopping) => return None,
            }
        }
    }
}

/// The frames of one add-on as server-sent events, with replay after `Last-Event-ID`.
///
/// Events: `connected` first; then `progress`, `log`, `notification`, `chart`, `metric`, `smart`, `attributes`, `telemetry`,
/// `manifest`, `status` (connected, disconnected) and `other` (types that this server does not know). The data is
/// `{"addon_id", "type", "payload"}`, the payload as the add-on sent it.
#[utoipa::path(get, path = "/api/addons/{id}/telemetry", operation_id = "addon_telemetry", tag = "addons", params(("id" = u64, Path, description = "Add-on"), Of, ("Last-Event-ID" = Option<u64>, Header, description = "Number of the last frame that was seen")),
    responses((status = 200, body = String, content_type = "text/event-stream"), LoggedIn, OfAddon, (status = 400, description = "`bad-query`", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn stream(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    headers: HeaderMap,
    of: Result<Query<Of>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let addon = find(&app, &id)?.id;
    let Query(of) =
        of.map_err(|error| Refusal::new("bad-query", 400, "The query is not one").with(error.body_text()))?;
    let after = sse::last_event_id(&headers);
    let hello = serde_json::json!({ "addon_id": addon });
    let mut waiting = VecDeque::from([format!("{}event: connected\ndata: {hello}\n\n", sse::RETRY)]);
    // Listening begins before the history is read: what happens in between has its number twice and is told once.
    let live = app.listeners.listen(addon);
    let newest = app.hub(|hub: &Hub| hub.history(addon).map_or(0, |history| history.newest()));
    let last = match after {
        None => newest,
        // Numbers begin with the time of the start: behind a clock that was set back all there is is new to whoever comes back.
        Some(after) if after > newest => 0,
        Some(after) => after,
    };
    let mut listening = Listening {
        addon,
        job: of.job,
        session: person.secret,
        live,
        last,
        waiting: VecDeque::new(),
        stopping: app.stopping.subscribe(),
        keep_alive: tokio::time::interval(KEEP_ALIVE),
        recheck: tokio::time::interval(RECHECK),
        app,
    };
    listening.keep_alive.reset();
    listening.recheck.reset();
    let mut chunk = String::new();
    for (number, item) in listening.app.hub(|hub| hub.telemetry_after(addon, last)) {
        if chunk.len() > CHUNK {
            waiting.push_back(std::mem::take(&mut chunk));
        }
        listening.take(&mut chunk, number, &item);
    }
    waiting.extend((!chunk.is_empty()).then_some(chunk));
    listening.waiting = waiting;
    let body = futures_util::stream::unfold(listening, |mut listening| async {
        let chunk = listening.next().await?;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(chunk)), listening))
    });
    Ok((sse::headers(), Body::from_stream(body)).into_response())
}
