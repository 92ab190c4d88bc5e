//! HTTP: the router of every listener, and what each request passes on its way.
//!
//! ```text
//!  accept loop (crate::serve) ─► front: host, origin, CSRF, security headers ─► route ─► handler
//!                                                                                  └─► page, or problem+json 404
//! ```
//!
//! Every error is `application/problem+json` with the fields of [`wire::Problem`].

mod act;
mod addons;
mod agent;
mod body;
mod certificates;
pub mod doc;
mod drives;
mod front;
mod health;
mod jobs;
mod life;
mod people;
mod person;
mod plans;
mod playbooks;
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
use http::Method;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub use front::{Hosts, Peer};
pub use refusal::Refusal;

/// Every route with what it says of itself, from the same list.
fn routes() -> (Router<Arc<App>>, OpenApi) {
    let v1 = OpenApiRouter::new()
        .routes(routes!(view::whole_box))
        .routes(routes!(session::claim))
        .routes(routes!(session::show, session::log_in, session::log_out))
        .routes(routes!(people::change_password))
        .routes(routes!(people::end_others))
        .routes(routes!(life::make))
        .routes(routes!(life::bring, life::restore))
        .routes(routes!(life::reset))
        .routes(routes!(life::debug_bundle))
        .routes(routes!(drives::drives))
        .routes(routes!(drives::locate))
        .routes(routes!(drives::scan))
        .routes(routes!(jobs::jobs))
        .routes(routes!(jobs::job))
        .routes(routes!(jobs::job_log))
        .routes(routes!(jobs::job_progress))
        .routes(routes!(jobs::job_timeline))
        .routes(routes!(jobs::abort))
        .routes(routes!(jobs::pause))
        .routes(routes!(jobs::resume))
        .routes(routes!(certificates::json))
        .routes(routes!(certificates::html))
        .routes(routes!(certificates::pdf))
        .routes(routes!(certificates::list))
        .routes(routes!(certificates::check))
        .routes(routes!(playbooks::playbooks))
        .routes(routes!(playbooks::save, playbooks::forget))
        .routes(routes!(plans::plan))
        .routes(routes!(plans::arm))
        .routes(routes!(plans::start))
        .routes(routes!(view::log))
        .routes(routes!(view::events))
        .routes(routes!(sse::stream))
        .routes(routes!(doc::openapi_json));
    let (router, doc) = OpenApiRouter::with_openapi(doc::begin())
        .nest("/api/v1", v1)
        .routes(routes!(addons::list, addons::upsert))
        .routes(routes!(addons::tokens, addons::new_token))
        .routes(routes!(addons::revoke_token))
        .routes(routes!(addons::register))
        .routes(routes!(addons::connect))
        .routes(routes!(websocket::connect))
        .routes(routes!(addons::show, addons::remove))
        .routes(routes!(addons::enable))
        .routes(routes!(telemetry::stream))
        .routes(routes!(session::vigil_log_in))
        .routes(routes!(people::vigil_change_password))
        .routes(routes!(health::health))
        .routes(routes!(health::health_v1))
        .split_for_parts();
    (router, doc::finish(doc))
}

/// The OpenAPI document of [`router`].
pub fn openapi() -> OpenApi {
    routes().1
}

/// The router of every listener.
pub fn router(app: Arc<App>, hosts: Hosts) -> Router {
    routes()
        .0
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
