//! Updates: what the box has, a bundle in pieces, whole or by address, and the reboot into it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answered;
use axum::body::Body as AxumBody;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use wire::event::Severity;
use wire::supervisor::Request as Order;
use wire::update::{Answer, HEAD_MAX, UpdateFetch, UpdateNeeds, UpdateState, UpdateWritten};

use super::Refusal;
use super::act::act;
use super::body::Json;
use super::doc::{Body, LoggedIn, Stored};
use super::person::Person;
use crate::app::App;
use crate::update::Incoming;

/// Longest time for a head or a chunk to arrive.
const ARRIVAL: Duration = Duration::from_secs(120);
/// Longest silence while a whole bundle comes.
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes of a chunk.
const CHUNK: usize = 1 << 20;

/// Query of [`begin`] and [`take`].
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Also when it is older than what runs.
    #[serde(default)]
    downgrade: bool,
}

fn query(asked: Result<Query<Asked>, QueryRejection>) -> Result<Asked, Refusal> {
    let Query(asked) =
        asked.map_err(|error| Refusal::new("bad-query", 400, "The query is not one").with(error.body_text()))?;
    Ok(asked)
}

async fn bytes(request: AxumBody, most: usize) -> Result<bytes::Bytes, Refusal> {
    match tokio::time::timeout(ARRIVAL, Limited::new(request, most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Refusal::new("too-long", 413, "The body is too long").with(format!("at most {most} bytes are taken")))
        }
        Ok(Err(error)) => Err(Refusal::new("bad-body", 400, "The body broke off").with(error.to_string())),
        Err(_) => {
            Err(Refusal::new("slow", 408, "The body did not arrive in time").with(format!("{} s", ARRIVAL.as_secs())))
        }
    }
}

fn written(answer: Answer) -> Result<Answered<UpdateWritten>, Refusal> {
    match answer {
        Answer::Finished { slot, version } => Ok(Answered(UpdateWritten { slot, version })),
        other => {
            Err(Refusal::new("writer-odd", 502, "The box's writer answered something else").with(format!("{other:?}")))
        }
    }
}

/// Both slots, the update that is being written, and how the last one ended.
#[utoipa::path(get, path = "/update", tag = "box", responses((status = 200, body = UpdateState), LoggedIn,
    (status = 503, description = "`no-supervisor`: this is no box", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn state(State(app): State<Arc<App>>, _: Person) -> Result<Answered<UpdateState>, Refusal> {
    Ok(Answered(app.update_state()?))
}

/// Takes an update: a whole bundle as bytes, or JSON with the address from which the box fetches it.
///
/// A bundle that breaks off is not lost: sent again, only what the box lacks is written.
#[utoipa::path(post, path = "/update", tag = "box", params(Asked),
    request_body(content((UpdateFetch = "application/json"), (Vec<u8> = "application/octet-stream"))),
    responses((status = 200, description = "It is written; the next start tries it", body = UpdateWritten),
        (status = 202, description = "It is being fetched; see GET /api/v1/update", body = serde_json::Value), LoggedIn, Body,
        (status = 409, description = "`update-on-trial`, `update-incomplete`, `update-fetching`", body = wire::Problem, content_type = "application/problem+json"),
        (status = 422, description = "`update-truncated`, `update-wrong-key`, `update-too-few-signatures`, `update-bad-signature`, `update-older`, `update-other-board`, `update-chunk`, `bad-url` and the like", body = wire::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`no-supervisor`, `no-writer`, `writer-lost`, `update-medium`", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn take(
    State(app): State<Arc<App>>,
    person: Person,
    asked: Result<Query<Asked>, QueryRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let asked = query(asked)?;
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    if kind.starts_with("application/json") {
        let Json(fetch) = Json::<UpdateFetch>::from_request(request, &()).await?;
        app.fetch_update(&fetch.url, fetch.downgrade || asked.downgrade, &person.name)?;
        return Ok((StatusCode::ACCEPTED, Answered(json!({ "told": "It is being fetched" }))).into_response());
    }
    let mut incoming = Incoming::new(asked.downgrade, &person.name);
    let mut body = request.into_body();
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await.map_err(|_| {
            Refusal::new("slow", 408, "The update stopped arriving").with("send it again: it goes on where it was")
        })?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|e| Refusal::new("bad-body", 400, "The update broke off").with(e.to_string()))?;
        if let Ok(data) = frame.into_data() {
            incoming.push(&app, &data).await?;
        }
    }
    incoming.finish()?;
    Ok(written(app.finish_update(&person.name).await?)?.into_response())
}

/// Begins an update with a bundle's head; the answer is what of the bundle the box lacks. One that was begun before and not
/// finished is given up, and what of it is on the medium counts.
#[utoipa::path(post, path = "/update/begin", operation_id = "update_begin", tag = "box", params(Asked),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = UpdateNeeds), LoggedIn, Body,
        (status = 409, description = "`update-on-trial`", body = wire::Problem, content_type = "application/problem+json"),
        (status = 422, description = "why the bundle is refused, as POST /update", body = wire::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`no-supervisor`, `no-writer`, `writer-lost`, `update-medium`", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn begin(
    State(app): State<Arc<App>>,
    person: Person,
    asked: Result<Query<Asked>, QueryRejection>,
    request: Request,
) -> Result<Answered<UpdateNeeds>, Refusal> {
    let asked = query(asked)?;
    let head = bytes(request.into_body(), HEAD_MAX as usize).await?;
    Ok(Answered(app.begin_update(&head, asked.downgrade, &person.name).await?))
}

/// One of the chunks that the box lacks.
#[utoipa::path(put, path = "/update/chunks/{number}", operation_id = "update_chunk", tag = "box",
    params(("number" = String, Path, description = "Its number")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 204, description = "It is written"), LoggedIn, Body,
        (status = 404, description = "`no-chunk`: this is no number", body = wire::Problem, content_type = "application/problem+json"),
        (status = 409, description = "`update-not-begun`", body = wire::Problem, content_type = "application/problem+json"),
        (status = 422, description = "`update-chunk`: its bytes are not the signed ones", body = wire::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`writer-lost`, `update-medium`", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn chunk(
    State(app): State<Arc<App>>,
    _: Person,
    Path(number): Path<String>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let number = number
        .parse()
        .map_err(|_| Refusal::new("no-chunk", 404, "There is no such chunk").with("expected its number"))?;
    let bytes = bytes(request.into_body(), CHUNK).await?;
    app.update_chunk(number, &bytes).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Compares everything that was written, and makes the new system the one that the next start tries.
#[utoipa::path(post, path = "/update/finish", operation_id = "update_finish", tag = "box",
    responses((status = 200, body = UpdateWritten), LoggedIn,
        (status = 409, description = "`update-not-begun`, `update-incomplete`", body = wire::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`writer-lost`, `update-medium`", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn finish(State(app): State<Arc<App>>, person: Person) -> Result<Answered<UpdateWritten>, Refusal> {
    written(app.finish_update(&person.name).await?)
}

/// Restarts the box; running jobs write a checkpoint first and go on after it.
#[utoipa::path(post, path = "/update/reboot", operation_id = "update_reboot", tag = "box",
    responses((status = 202, description = "It restarts"), LoggedIn, Stored,
        (status = 503, description = "`no-supervisor`", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn reboot(State(app): State<Arc<App>>, person: Person) -> Result<StatusCode, Refusal> {
    let state = app.update_state()?;
    let next = state.view.slots.iter().find(|s| s.next && !s.running);
    let why = match next.and_then(|s| s.version.as_deref()) {
        Some(version) => format!("reboot into version {version}, asked for by {}", person.name),
        None => format!("reboot, asked for by {}", person.name),
    };
    let event = act(
        "box.reboot",
        Severity::Info,
        format!("{} restarted the box", person.name),
        json!({ "why": why }),
    );
    app.record_act(event, &person.name).await?;
    app.life
        .orders
        .send(Order::Reboot { why })
        .await
        .map_err(|_| Refusal::new("no-supervisor", 503, "The box's supervisor is away"))?;
    Ok(StatusCode::ACCEPTED)
}
