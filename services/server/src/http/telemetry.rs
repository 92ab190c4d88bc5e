//! `GET /api/addons/{id}/telemetry`: the frames of one add-on as server-sent events, as Vigil's dashboard reads them.
//!
//! Beyond the original: ids with replay from `Last-Event-ID` out of the add-on's ring, `retry:`, keep-alive comments,
//! no write time-out, and event names from a closed set.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use tokio::sync::broadcast::error::RecvError;

use super::Refusal;
use super::addons::find;
use super::doc::{LoggedIn, OfAddon};
use super::person::Person;
use super::sse::{self, KEEP_ALIVE, RECHECK};
use crate::app::App;
use crate::hub::Telemetry;

fn encode(addon: u64, number: u64, item: &Telemetry) -> String {
    let data = serde_json::json!({ "addon_id": addon, "type": item.kind, "payload": item.payload });
    format!("id: {number}\nevent: {}\ndata: {data}\n\n", item.name)
}

/// The frames of one add-on as server-sent events, with replay after `Last-Event-ID`.
#[utoipa::path(get, path = "/api/addons/{id}/telemetry", operation_id = "addon_telemetry", tag = "addons", params(("id" = u64, Path, description = "Add-on")),
    responses((status = 200, body = String, content_type = "text/event-stream"), LoggedIn, OfAddon))]
pub async fn stream(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let addon = find(&app, &id)?.id;
    let after = sse::last_event_id(&headers);
    let (send, response) = sse::open();
    tokio::spawn(async move {
        let mut live = app.telemetry.subscribe();
        let mut stopping = app.stopping.subscribe();
        let hello = format!(
            "{}event: connected\ndata: {}\n\n",
            sse::RETRY,
            serde_json::json!({ "addon_id": addon })
        );
        if send.send(hello).await.is_err() {
            return;
        }
        let mut last = after.unwrap_or(0);
        if after.is_some() {
            for (number, item) in app.hub(|hub| hub.telemetry_after(addon, last)) {
                last = number;
                if send.send(encode(addon, number, &item)).await.is_err() {
                    return;
                }
            }
        }
        let mut keep_alive = tokio::time::interval(KEEP_ALIVE);
        let mut recheck = tokio::time::interval(RECHECK);
        keep_alive.reset();
        recheck.reset();
        loop {
            let text = tokio::select! {
                item = sse::next_of(&mut live, |(of, ..)| *of == addon) => match item {
                    Ok((_, number, _)) if number <= last => continue,
                    Ok((_, number, item)) => {
                        last = number;
                        encode(addon, number, &item)
                    }
                    Err(RecvError::Lagged(_)) => {
                        let missed = app.hub(|hub| hub.telemetry_after(addon, last));
                        last = missed.last().map_or(last, |(number, _)| *number);
                        missed.iter().map(|(number, item)| encode(addon, *number, item)).collect()
                    }
                    Err(RecvError::Closed) => return,
                },
                _ = keep_alive.tick() => ":\n\n".to_owned(),
                _ = recheck.tick() => {
                    if app.vault.session(&person.secret, app.clock.now().wall).is_none() {
                        return;
                    }
                    continue;
                }
                () = crate::app::stopped(&mut stopping) => return,
                () = send.closed() => return,
            };
            if send.send(text).await.is_err() {
                return;
            }
        }
    });
    Ok(response)
}
