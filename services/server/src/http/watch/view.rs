//! What can be looked at: the box, its log, its events.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use wire::boxes::BoxView;
use wire::frame::LogLine;
use wire::{DriveId, Event};

use crate::app::{self, App};
use crate::http::Refusal;
use crate::http::doc::{LoggedIn, Stored};
use crate::http::people::person::Person;
use crate::http::task::blocking;

/// Most events in one answer.
const EVENTS_MAX: usize = 1000;

/// Events in an answer that was not asked for a number.
const EVENTS_DEFAULT: usize = 200;

/// The box at one glance; without a login just enough to claim it or log in.
#[utoipa::path(get, path = "/box", tag = "box", security(()), responses((status = 200, body = BoxView)))]
pub(super) async fn whole_box(State(app): State<Arc<App>>, person: Option<Person>) -> Json<BoxView> {
    let now = app.clock.now();
    Json(app.hub(|hub| hub.view(now, person.is_some())))
}

/// The agent's log lines about no job since this server was started, the oldest first, 500 at most.
#[utoipa::path(get, path = "/log", tag = "box", responses((status = 200, body = Vec<LogLine>), LoggedIn))]
pub(super) async fn log(State(app): State<Arc<App>>, _: Person) -> Json<Vec<LogLine>> {
    Json(app.hub(crate::hub::Hub::lines))
}

/// Query of [`events`].
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Window {
    /// Only events after this number.
    after: Option<u64>,
    /// How many, 1 to 1000; 200 where it is not said.
    limit: Option<usize>,
    /// Only events about this drive, the newest of them.
    #[param(value_type = Option<String>)]
    drive: Option<DriveId>,
}

/// Events of the hash-chained log in ascending order; without `after`, or of one `drive`, the newest.
#[utoipa::path(get, path = "/events", tag = "events", params(Window),
    responses((status = 200, body = Vec<Event>), LoggedIn, Stored, (status = 400, description = "`bad-query`: a number is none, or the drive no identity of one")))]
pub(super) async fn events(
    State(app): State<Arc<App>>,
    _: Person,
    window: Result<Query<Window>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Vec<Event>>, Refusal> {
    let Query(window) = window.map_err(|error| Refusal::bad_query(error.body_text()))?;
    let limit = window.limit.unwrap_or(EVENTS_DEFAULT).clamp(1, EVENTS_MAX);
    let Some(drive) = window.drive else {
        return Ok(Json(app::events(&app.store, window.after, limit)?));
    };
    // The whole log is looked through.
    let (store, after) = (app.store.clone(), window.after.unwrap_or(0));
    Ok(Json(
        blocking(move || app::events_of(&store, &drive, after, limit)).await??,
    ))
}
