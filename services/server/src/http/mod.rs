//! HTTP: the router of every listener, and what each request passes on its way.
//!
//! ```text
//!  accept loop (crate::serve) ─► front: host, origin, CSRF, security headers ─► route ─► handler
//!                                                                                  └─► page, or problem+json 404
//! ```
//!
//! Every error is `application/problem+json` with the fields of [`wire::Problem`].

mod addons;
mod body;
mod front;
mod health;
mod person;
mod plans;
mod refusal;
mod session;
mod sse;
mod telemetry;
mod view;
mod websocket;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use http::Method;

use crate::app::App;
pub use front::{Hosts, Peer};
pub use refusal::Refusal;

/// The router of every listener.
pub fn router(app: Arc<App>, hosts: Hosts) -> Router {
    let v1 = Router::new()
        .route("/health", get(health::health))
        .route("/box", get(view::whole_box))
        .route("/claim", post(session::claim))
        .route(
            "/session",
            get(session::show).post(session::log_in).delete(session::log_out),
        )
        .route("/drives", get(view::drives))
        .route("/jobs", get(view::jobs))
        .route("/jobs/{id}", get(view::job))
        .route("/jobs/{id}/log", get(view::job_log))
        .route("/jobs/{id}/progress", get(view::job_progress))
        .route("/jobs/{id}/abort", post(plans::abort))
        .route("/log", get(view::log))
        .route("/playbooks", get(view::playbooks))
        .route("/plans", post(plans::plan))
        .route("/plans/{id}/arm", post(plans::arm))
        .route("/plans/{id}/start", post(plans::start))
        .route("/events", get(view::events))
        .route("/stream", get(sse::stream));
    let addons = Router::new()
        .route("/", get(addons::list).post(addons::upsert))
        .route("/tokens", get(addons::tokens).post(addons::new_token))
        .route("/tokens/{id}", delete(addons::revoke_token))
        .route("/register", post(addons::register))
        .route("/connect", post(addons::connect))
        .route("/ws", get(websocket::connect))
        .route("/{id}", get(addons::show).delete(addons::remove))
        .route("/{id}/enabled", put(addons::enable))
        .route("/{id}/telemetry", get(telemetry::stream));
    Router::new()
        .nest("/api/v1", v1)
        .nest("/api/addons", addons)
        .route("/api/auth/login", post(session::vigil_log_in))
        .route("/health", get(health::health))
        .fallback(page_or_nothing)
        .method_not_allowed_fallback(|method: Method| async move {
            Refusal::new("method-not-allowed", 405, format!("{method} cannot be used here")).into_response()
        })
        .with_state(Arc::clone(&app))
        .layer(middleware::from_fn_with_state((app, Arc::new(hosts)), front::front))
}

async fn page_or_nothing(request: Request) -> Response {
    let path = request.uri().path();
    let readable = matches!(*request.method(), Method::GET | Method::HEAD);
    let of_api = path.starts_with("/api/") || path == "/api";
    if readable && !of_api {
        let (parts, _) = request.into_parts();
        return crate::page::page(parts.method, parts.uri, parts.headers).await;
    }
    Refusal::new("not-found", 404, "There is nothing here")
        .with(format!("path: {}", path.chars().take(200).collect::<String>()))
        .into_response()
}
