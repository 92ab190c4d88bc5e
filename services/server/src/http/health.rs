//! `GET /health`: one body with the fields that clients of the specified systems look for.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use wire::boxes::Liveness;

use super::told::front::Health;
use crate::app::App;

/// How long a commit may be under way before the store counts as stuck. A slow stick takes seconds, not tens of them.
const STUCK: std::time::Duration = std::time::Duration::from_secs(15);

/// Whether the server serves; 503 when its store does not.
#[utoipa::path(get, path = "/health", tag = "box", security(()), responses((status = 200, body = Health), (status = 503, body = Health)))]
pub(super) async fn health(State(app): State<Arc<App>>) -> Response {
    let now = app.clock.now();
    let store = app.store.health();
    let stuck = store.busy_for.is_some_and(|busy| busy > STUCK);
    let (agent, claimed, name) = app.hub(|hub| (hub.agent(now).state, hub.is_claimed(), hub.name().to_owned()));
    let status = if stuck { "degraded" } else { "ok" };
    let database = if stuck { "stuck" } else { "ok" };
    let body = Health {
        status,
        ok: !stuck,
        service: "kiln",
        name,
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: now.mono.as_secs(),
        timestamp: now.wall,
        time: now.wall,
        claimed,
        db: database,
        database,
        agent: match agent {
            Liveness::Online => "online",
            Liveness::Degraded => "degraded",
            Liveness::Offline => "offline",
        },
    };
    let code = if stuck {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    (code, Json(body)).into_response()
}

/// The same at the path where existing clients look.
#[utoipa::path(get, path = "/api/v1/health", operation_id = "health_v1", tag = "box", security(()), responses((status = 200, body = Health), (status = 503, body = Health)))]
pub(super) async fn health_v1(state: State<Arc<App>>) -> Response {
    health(state).await
}
