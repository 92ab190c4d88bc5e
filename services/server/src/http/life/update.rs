//! Updates: what the box has, a bundle in pieces, whole or by address, and the reboot into it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answered;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;
use utoipa::ToSchema;
use wire::event::{NewEvent, Severity};
use wire::supervisor::Request as Order;
use wire::update::{Answer, HEAD_MAX, SlotState, UpdateFetch, UpdateNeeds, UpdateState, UpdateView, UpdateWritten};

use super::arriving::announced;
use super::end::nothing_runs;
use crate::app::App;
use crate::auth::secret;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, Stored};
use crate::http::door::body::{Json, read};
use crate::http::people::person::Person;
use crate::update::{Incoming, Owner, Pace};

/// Longest time for a head or a chunk to arrive.
const ARRIVAL: Duration = Duration::from_mins(2);
/// Longest silence while a whole bundle comes.
const SILENCE: Duration = Duration::from_mins(1);
/// Bytes of a chunk.
const CHUNK: usize = 1 << 20;

/// Query of [`begin`] and [`take`].
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Also when it is older than what runs.
    #[serde(default)]
    downgrade: bool,
}

/// Ends the conversation of a request with it, however it ends: one whose sender is gone keeps nobody out.
struct Ends(Arc<App>, Owner);

impl Drop for Ends {
    fn drop(&mut self) {
        let (app, owner) = (Arc::clone(&self.0), self.1.clone());
        tokio::spawn(async move { app.end_update(&owner).await });
    }
}

/// Whose an upload in pieces is.
fn owner(person: &Person) -> Owner {
    Owner::Session(secret::hash(&person.secret))
}

fn query(asked: Result<Query<Asked>, QueryRejection>) -> Result<Asked, Refusal> {
    let Query(asked) = asked.map_err(|error| Refusal::bad_query(error.body_text()))?;
    Ok(asked)
}

fn written(answer: Answer) -> Result<Answered<UpdateWritten>, Refusal> {
    match answer {
        Answer::Finished { slot, version } => Ok(Answered(UpdateWritten { slot, version })),
        other @ (Answer::Begun(_) | Answer::Taken { .. } | Answer::Refused { .. }) => {
            Err(
                Refusal::new("writer-odd", 502, "The answer of the box's writer was not understood")
                    .with(format!("{other:?}")),
            )
        }
    }
}

/// Both slots, the update that is being written, and how the last one ended.
#[utoipa::path(get, path = "/update", tag = "box", responses((status = 200, body = UpdateState), LoggedIn,
    (status = 503, description = "`no-supervisor`: this is no box")))]
pub(super) async fn state(State(app): State<Arc<App>>, _: Person) -> Result<Answered<UpdateState>, Refusal> {
    Ok(Answered(app.update_state()?))
}

/// Answer of [`take`] where the box fetches the update itself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UpdateFetching {
    /// In words.
    told: &'static str,
}

/// Takes an update: a whole bundle as bytes, or JSON with the address from which the box fetches it.
///
/// A bundle that breaks off is not lost: sent again, only what the box lacks is written.
#[utoipa::path(post, path = "/update", tag = "box", params(Asked),
    request_body(content((UpdateFetch = "application/json"), (Vec<u8> = "application/octet-stream"))),
    responses((status = 200, description = "It is written; the next start tries it", body = UpdateWritten),
        (status = 202, description = "It is being fetched; see GET /api/v1/update", body = UpdateFetching), LoggedIn, Body,
        (status = 409, description = "`update-on-trial`, `update-incomplete`, `update-fetching`, `update-busy`"),
        (status = 422, description = "`update-truncated`, `update-wrong-key`, `update-too-few-signatures`, `update-bad-signature`, `update-older`, `update-other-board`, `update-chunk`, `bad-url` and the like"),
        (status = 503, description = "`no-supervisor`, `no-writer`, `writer-lost`, `update-medium`, `update-no-data`: the box keeps its state in memory, so no new system could prove itself")))]
pub(super) async fn take(
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
        // Who has the box fetch one is done with what that page was sending itself.
        app.end_update(&owner(&person)).await;
        app.fetch_update(&fetch.url, fetch.downgrade || asked.downgrade, &person.name)?;
        return Ok((
            StatusCode::ACCEPTED,
            Answered(UpdateFetching {
                told: "It is being fetched",
            }),
        )
            .into_response());
    }
    let owner = app.update.request();
    let _ends = Ends(Arc::clone(&app), owner.clone());
    let sent = whole(&app, &person, asked.downgrade, &owner, request);
    let answer = app.waited_for(&owner, sent).await;
    // Here and not only where the guard goes: whoever tries again finds the writer free.
    app.end_update(&owner).await;
    Ok(written(answer?)?.into_response())
}

/// Passes a whole bundle on as it comes.
async fn whole(
    app: &Arc<App>,
    person: &Person,
    downgrade: bool,
    owner: &Owner,
    request: Request,
) -> Result<Answer, Refusal> {
    let mut incoming = Incoming::new(downgrade, &person.name, owner.clone());
    incoming.will_be(announced(&request));
    let mut body = request.into_body();
    let mut pace = Pace::new(Instant::now());
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await.map_err(|_| {
            Refusal::new("slow", 408, "The update stopped arriving").with("send it again: it goes on where it was")
        })?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|e| Refusal::new("bad-body", 400, "The update broke off").with(e.to_string()))?;
        if let Ok(data) = frame.into_data() {
            let slow = |why| Refusal::new("slow", 408, "The update comes too slowly").with(why);
            pace.took(Instant::now(), data.len()).map_err(slow)?;
            let pushed = Instant::now();
            incoming.push(app, &data).await?;
            pace.waited(pushed.elapsed());
        }
    }
    incoming.finish()?;
    if !person.is_still_in(app) {
        return Err(Refusal::logged_out());
    }
    Ok(app.finish_update(&person.name, owner).await?)
}

/// Begins an update with a bundle's head; the answer is what of the bundle the box lacks. One of one's own that was begun
/// before and not finished is given up, and what of it is on the medium counts; while somebody else sends one it is refused.
#[utoipa::path(post, path = "/update/begin", operation_id = "update_begin", tag = "box", params(Asked),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = UpdateNeeds), LoggedIn, Body,
        (status = 409, description = "`update-on-trial`, `update-busy`: somebody else sends one"),
        (status = 422, description = "why the bundle is refused, as POST /update"),
        (status = 503, description = "`no-supervisor`, `no-writer`, `writer-lost`, `update-medium`, `update-no-data`: the box keeps its state in memory, so no new system could prove itself")))]
pub(super) async fn begin(
    State(app): State<Arc<App>>,
    person: Person,
    asked: Result<Query<Asked>, QueryRejection>,
    request: Request,
) -> Result<Answered<UpdateNeeds>, Refusal> {
    let asked = query(asked)?;
    let head = read(request, HEAD_MAX as usize, ARRIVAL).await?;
    Ok(Answered(
        app.begin_update(&head, asked.downgrade, &person.name, &owner(&person))
            .await?,
    ))
}

/// One of the chunks that the box lacks.
#[utoipa::path(put, path = "/update/chunks/{number}", operation_id = "update_chunk", tag = "box",
    params(("number" = String, Path, description = "Its number")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 204, description = "It is written"), LoggedIn, Body,
        (status = 404, description = "`no-chunk`: this is no number"),
        (status = 409, description = "`update-not-begun`, `update-busy`, `update-given-up`: by DELETE meanwhile"),
        (status = 422, description = "`update-chunk`: its bytes are not the signed ones"),
        (status = 503, description = "`writer-lost`, `update-medium`")))]
pub(super) async fn chunk(
    State(app): State<Arc<App>>,
    person: Person,
    Path(number): Path<String>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let number = number
        .parse()
        .map_err(|_| Refusal::new("no-chunk", 404, "There is no such chunk").with("expected its number"))?;
    let bytes = read(request, CHUNK, ARRIVAL).await?;
    app.update_chunk(number, &bytes, &owner(&person)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Compares everything that was written, and makes the new system the one that the next start tries.
#[utoipa::path(post, path = "/update/finish", operation_id = "update_finish", tag = "box",
    responses((status = 200, body = UpdateWritten), LoggedIn,
        (status = 409, description = "`update-not-begun`, `update-incomplete`, `update-busy`, `update-given-up`: by DELETE meanwhile"),
        (status = 503, description = "`writer-lost`, `update-medium`")))]
pub(super) async fn finish(State(app): State<Arc<App>>, person: Person) -> Result<Answered<UpdateWritten>, Refusal> {
    written(app.finish_update(&person.name, &owner(&person)).await?)
}

/// Gives up the download that is under way, or else one's own upload. What of it is on the medium counts the next time.
#[utoipa::path(delete, path = "/update", operation_id = "update_give_up", tag = "box",
    responses((status = 204, description = "It is given up"), LoggedIn,
        (status = 409, description = "`update-not-begun`, `update-busy`: it is somebody else's; `update-written`: it is the next system already")))]
pub(super) async fn give_up(State(app): State<Arc<App>>, person: Person) -> Result<StatusCode, Refusal> {
    app.give_up_update(&owner(&person), &person.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Restarts the box; running jobs write a checkpoint first and go on after it.
#[utoipa::path(post, path = "/update/reboot", operation_id = "update_reboot", tag = "box",
    responses((status = 202, description = "It restarts"), LoggedIn, Stored,
        (status = 503, description = "`no-supervisor`")))]
pub(super) async fn reboot(State(app): State<Arc<App>>, person: Person) -> Result<StatusCode, Refusal> {
    let state = app.update_state()?;
    let next = state.view.slots.iter().find(|s| s.next && !s.running);
    let why = match next.and_then(|s| s.version.as_deref()) {
        Some(version) => format!("reboot into version {version}, asked for by {}", person.name),
        None => format!("reboot, asked for by {}", person.name),
    };
    let event = NewEvent::new(
        "box.reboot",
        Severity::Info,
        format!("{} restarted the box", person.name),
        json!({ "why": why }),
    );
    app.record_done(event, &person.name).await;
    app.life
        .orders
        .send(Order::Reboot { why })
        .await
        .map_err(|_| Refusal::new("no-supervisor", 503, "The box's supervisor is away"))?;
    Ok(StatusCode::ACCEPTED)
}

/// Body of [`back`].
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct GoBack {
    /// Also while drives are being tested: each job writes down where it is and goes on after the restart.
    #[serde(default)]
    while_testing: bool,
}

/// Restarts the box with the system in its other slot, which must have proven itself before. The one that runs now stays where
/// it is, unless it is on trial: then it is not tried again.
#[utoipa::path(post, path = "/update/back", operation_id = "update_back", tag = "box", request_body = GoBack,
    responses((status = 202, description = "It restarts with its other system"), LoggedIn, Body, Stored,
        (status = 409, description = "`no-way-back`: the other slot is empty, bad or on trial, or an update is being written; `jobs-running`: say `while_testing` if they shall go on after the restart"),
        (status = 503, description = "`no-supervisor`")))]
pub(super) async fn back(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<GoBack>,
) -> Result<StatusCode, Refusal> {
    let state = app.update_state()?;
    let slot = way_back(&state.view)
        .map_err(|why| Refusal::new("no-way-back", 409, "The box cannot go back to its other system").with(why))?;
    if !form.while_testing {
        nothing_runs(&app)?;
    }
    let event = NewEvent::new(
        "box.back",
        Severity::Warning,
        format!("{} sent the box back to the system in slot {slot}", person.name),
        json!({ "slot": slot, "while_testing": form.while_testing }),
    );
    app.record_done(event, &person.name).await;
    let why = format!("asked for by {}", person.name);
    app.life
        .orders
        .send(Order::Back { why })
        .await
        .map_err(|_| Refusal::new("no-supervisor", 503, "The box's supervisor is away"))?;
    Ok(StatusCode::ACCEPTED)
}

/// Name of the slot that the box may go back to, or why there is none. PID 1 judges again, by what stands on the medium.
fn way_back(view: &UpdateView) -> Result<String, String> {
    let other = view.slots.iter().find(|slot| !slot.running);
    let other = other.ok_or("its slots are not known yet, or it was not started from a medium of its own")?;
    let name = other.name.to_uppercase();
    match other.state {
        _ if view.writing.is_some() => Err(format!("an update is being written to slot {name}")),
        SlotState::Good => Ok(name),
        SlotState::Trying => Err(format!(
            "the system in slot {name} has yet to prove itself: restart the box to try it"
        )),
        SlotState::Bad => Err(format!("the system in slot {name} has failed, or is not whole")),
        SlotState::Empty => Err(format!("there is no system in slot {name}")),
    }
}
