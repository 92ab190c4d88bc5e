//! Alerts that wait for somebody to acknowledge them, before they go on to the channels of the second line.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use notify::engine::Alert;
use serde::Deserialize;
use serde_json::json;
use wire::event::{NewEvent, Severity};

use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{LoggedIn, Stored};
use crate::http::people::person::Person;

/// Which alerts.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Open {
    /// Only those that nobody has acknowledged.
    #[serde(default)]
    open: bool,
}

/// Alerts that a channel of the second line is told of unless somebody acknowledges them, the newest first; with those
/// that were acknowledged, 500 at most.
#[utoipa::path(get, path = "/api/notifications/alerts", operation_id = "alerts_open", tag = "alerts", params(Open),
    responses((status = 200, body = Vec<Alert>), LoggedIn, Stored,
        (status = 400, description = "`bad-query`: `open` is neither true nor false")))]
pub(super) async fn alerts(
    State(app): State<Arc<App>>,
    _: Person,
    which: Result<Query<Open>, QueryRejection>,
) -> Result<Answered<Vec<Alert>>, Refusal> {
    let Query(which) = which.map_err(|error| Refusal::bad_query(error.body_text()))?;
    let mut alerts = app.alerts.engine.alerts()?;
    alerts.retain(|alert| !which.open || alert.acknowledged_at.is_none());
    Ok(Answered(alerts))
}

/// Acknowledges an alert: somebody looks after it, and it goes on to nobody else. A second time changes nothing.
#[utoipa::path(post, path = "/api/notifications/alerts/{id}/ack", tag = "alerts", params(("id" = u64, Path, description = "Alert: the number of its event")),
    responses((status = 200, body = Alert), LoggedIn, Stored,
        (status = 404, description = "`alert-unknown`: there is no such alert")))]
pub(super) async fn acknowledge(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Answered<Alert>, Refusal> {
    let words: String = id.chars().take(40).collect();
    let unknown = || Refusal::new("alert-unknown", 404, "There is no such alert").with(format!("id: {words}"));
    let number = id.parse().map_err(|_| unknown())?;
    let now = app.clock.now().wall;
    let (alert, fresh) = app
        .alerts
        .engine
        .acknowledge(number, &person.name, now)
        .await?
        .ok_or_else(unknown)?;
    if fresh {
        let message = format!("{} acknowledged the alert {:?}", person.name, alert.title);
        let data = json!({ "alert": alert.id, "event_type": alert.event_type });
        app.record_done(
            NewEvent::new("person.acknowledged_alert", Severity::Info, message, data),
            &person.name,
        )
        .await;
    }
    Ok(Answered(alert))
}
