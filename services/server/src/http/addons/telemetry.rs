//! `GET /api/addons/{id}/telemetry`: the frames of one add-on as server-sent events, as Vigil's dashboard reads them.
//!
//! Beyond the original: ids with replay from `Last-Event-ID` out of the add-on's history, `retry:`, keep-alive comments,
//! no write time-out, event names from a closed set, and only one job's or one drive's frames where a page wants no more.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Interval;

use super::registry::find;
use crate::app::{App, Hearing};
use crate::http::Refusal;
use crate::http::doc::{LoggedIn, OfAddon};
use crate::http::people::person::Person;
use crate::http::watch::sse::{self, KEEP_ALIVE, Look, RECHECK};
use crate::hub::{Hub, Telemetry};

/// Most bytes that go into one chunk when many frames wait.
const CHUNK: usize = 64 * 1024;

/// Query of the stream.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Of {
    /// Frames of this job alone, and those that name none: their payload's `job_id`.
    job: Option<String>,
    /// Frames about this drive alone, and those that name none: their payload's `serial`, `drive`, `target` or
    /// `metadata.serial` is exactly this.
    drive: Option<String>,
    /// The same as `drive`; where both are given, either may fit.
    serial: Option<String>,
}

/// Which frames somebody listens to.
struct Wanted {
    job: Option<String>,
    /// Words for one drive; none: all drives.
    drive: Vec<String>,
}

/// Whom a frame is about, as far as its payload says. Other kinds of values than texts name nobody.
#[derive(Default, Deserialize)]
#[serde(default)]
struct About {
    job_id: Value,
    serial: Value,
    drive: Value,
    target: Value,
    metadata: Value,
}

impl From<Of> for Wanted {
    fn from(of: Of) -> Self {
        let word = |word: &String| !word.is_empty();
        Self {
            job: of.job.filter(word),
            drive: [of.drive, of.serial].into_iter().flatten().filter(word).collect(),
        }
    }
}

impl Wanted {
    fn takes(&self, payload: &str) -> bool {
        if self.job.is_none() && self.drive.is_empty() {
            return true;
        }
        // One that is no object is about nobody in particular; a list would be read by the order of the names.
        let about = payload.starts_with('{').then(|| serde_json::from_str::<About>(payload));
        let Some(Ok(about)) = about else { return true };
        let of_job = match (&self.job, about.job_id.as_str()) {
            (Some(job), Some(of)) => of == job,
            _ => true,
        };
        let names = [&about.serial, &about.drive, &about.target, &about.metadata["serial"]];
        let mut names = names
            .into_iter()
            .filter_map(Value::as_str)
            .filter(|name| !name.is_empty())
            .peekable();
        let any = self.drive.is_empty() || names.peek().is_none();
        of_job && (any || names.any(|name| self.drive.iter().any(|drive| drive == name)))
    }
}

/// One listener.
struct Listening {
    app: Arc<App>,
    addon: u64,
    wanted: Wanted,
    look: Look,
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
    /// A frame, and before it what had no room to wait.
    fn take(&mut self, into: &mut String, number: u64, item: &Telemetry) {
        if number <= self.last {
            return;
        }
        if number > self.last + 1 {
            let (addon, last) = (self.addon, self.last);
            for (missed, item) in self.app.hub(|hub| hub.telemetry_after(addon, last)) {
                if missed < number && self.wanted.takes(&item.payload) {
                    encode(into, addon, missed, &item);
                }
            }
        }
        self.last = number;
        if self.wanted.takes(&item.payload) {
            encode(into, self.addon, number, item);
        }
    }

    /// The next chunk; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        // Nobody asks for a chunk while the listener takes none.
        if self.look.is_known_over(&self.app) {
            return None;
        }
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
                () = self.look.is_due(&mut self.recheck) => {
                    if self.look.is_over(&self.app) {
                        return None;
                    }
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
///
/// With `job` only frames whose payload's `job_id` is that job, with `drive` or `serial` only frames whose payload's `serial`,
/// `drive`, `target` or `metadata.serial` is that word; with both kinds, frames that fit both. A frame that names no job, or no
/// drive, fits any: what an add-on says of itself reaches everybody. Other names in the query count for nothing.
#[utoipa::path(get, path = "/api/addons/{id}/telemetry", operation_id = "addon_telemetry", tag = "addons", params(("id" = u64, Path, description = "Add-on"), Of, ("Last-Event-ID" = Option<u64>, Header, description = "Number of the last frame that was seen")),
    responses((status = 200, body = String, content_type = "text/event-stream"), LoggedIn, OfAddon, (status = 400, description = "`bad-query`")))]
pub(super) async fn stream(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    headers: HeaderMap,
    of: Result<Query<Of>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let addon = find(&app, &id)?.id;
    let Query(of) = of.map_err(|error| Refusal::bad_query(error.body_text()))?;
    let after = sse::last_event_id(&headers);
    let hello = serde_json::json!({ "addon_id": addon });
    let mut waiting = VecDeque::from([format!(
        "{}\nevent: connected\ndata: {hello}\n\n",
        sse::RETRY.trim_end()
    )]);
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
        wanted: of.into(),
        look: Look::new(&app, person.secret),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(job: Option<&str>, drive: Option<&str>, serial: Option<&str>) -> Wanted {
        let text = |word: Option<&str>| word.map(str::to_owned);
        Wanted::from(Of {
            job: text(job),
            drive: text(drive),
            serial: text(serial),
        })
    }

    #[test]
    fn a_drive_is_found_by_each_name_that_frames_have_for_it() {
        for of_it in [
            r#"{"serial":"S1"}"#,
            r#"{"drive":"S1"}"#,
            r#"{"target":"S1"}"#,
            r#"{"metadata":{"serial":"S1"}}"#,
            r#"{"serial":"S1","target":"/dev/sda"}"#,
        ] {
            let of_another = of_it.replace("S1", "S10").replace("sda", "sdb");
            for wanted in [wanted(None, Some("S1"), None), wanted(None, None, Some("S1"))] {
                assert!(wanted.takes(of_it), "{of_it}");
                assert!(!wanted.takes(&of_another), "{of_another}");
            }
        }
        let either = wanted(None, Some("/dev/sda"), Some("S1"));
        assert!(either.takes(r#"{"target":"/dev/sda"}"#) && either.takes(r#"{"serial":"S1"}"#));
    }

    #[test]
    fn what_is_about_nobody_reaches_everybody() {
        let wanted = wanted(Some("j"), Some("S1"), None);
        for of_none in [
            "null",
            "7",
            r#"["k"]"#,
            r#""S2""#,
            "{}",
            r#"{"serial":"","target":null,"drive":3,"metadata":"S2"}"#,
        ] {
            assert!(wanted.takes(of_none), "{of_none}");
        }
    }

    #[test]
    fn job_and_drive_together_are_both_asked() {
        let both = wanted(Some("j"), Some("S1"), None);
        assert!(both.takes(r#"{"job_id":"j","serial":"S1"}"#));
        assert!(both.takes(r#"{"job_id":"j"}"#) && both.takes(r#"{"serial":"S1"}"#));
        assert!(!both.takes(r#"{"job_id":"k","serial":"S1"}"#) && !both.takes(r#"{"job_id":"j","serial":"S2"}"#));
        let all = wanted(Some(""), Some(""), None);
        assert!(
            all.takes(r#"{"job_id":"k","serial":"S2"}"#),
            "an empty word asks for nothing"
        );
    }
}
