//! What became of each message.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use notify::engine::Delivery;
use serde::Deserialize;

use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{LoggedIn, Stored};
use crate::http::people::person::Person;

/// Most lines of the history in one answer.
const HISTORY_MAX: usize = 500;

/// Which lines of the history.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// How many, the newest first; 1 to 500, 50 without it.
    limit: Option<usize>,
    /// Of this channel alone.
    service_id: Option<u64>,
}

/// What was sent, or not, the newest first.
#[utoipa::path(get, path = "/api/notifications/history", tag = "alerts", params(Which),
    responses((status = 200, body = Vec<Delivery>), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn history(
    State(app): State<Arc<App>>,
    _: Person,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Answered<Vec<Delivery>>, Refusal> {
    let Query(which) = which.map_err(|error| Refusal::bad_query(error.body_text()))?;
    let limit = which.limit.unwrap_or(50).clamp(1, HISTORY_MAX);
    Ok(Answered(app.alerts.engine.history(which.service_id, limit)?))
}
