//! HTTP: the router of every listener, and what each request passes on its way.
//!
//! ```text
//!  accept loop (crate::serve) ─► front: host, origin, CSRF, security headers ─► route ─► handler
//!                                                                                  └─► page, or problem+json 404
//! ```
//!
//! Every error is `application/problem+json` with the fields of [`wire::Problem`], and both its texts in one line as `error`.

mod addons;
mod burnin;
pub mod doc;
mod docs;
mod door;
mod health;
mod hosts;
mod life;
mod notifications;
mod people;
mod task;
mod told;
mod watch;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use http::Method;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use doc::routes::{Routes, routes};
pub use door::body::{Bodies, Share};
use door::front;
pub use door::front::{Hosts, Peer};
pub use door::refusal::Refusal;

/// Where Kiln's own interface is; the other paths are those that senders and add-ons know.
const V1: &str = "/api/v1";

/// Every route: those below [`V1`], and the others.
fn all() -> (Routes, Routes) {
    let v1 = watch::v1()
        .and(people::v1())
        .and(burnin::v1())
        .and(life::v1())
        .and(addons::v1())
        .routes(routes!(doc::openapi_json));
    let others = addons::vigil()
        .and(hosts::vigil())
        .and(people::vigil())
        .and(life::vigil())
        .and(notifications::vigil())
        .routes(routes!(docs::index))
        .routes(routes!(docs::show))
        .routes(routes!(docs::of_plugin))
        .routes(routes!(health::health))
        .routes(routes!(health::health_v1));
    (v1, others)
}

/// The OpenAPI document of [`router`].
pub fn openapi() -> OpenApi {
    let (v1, others) = all();
    let v1 = v1.told(OpenApiRouter::new());
    let all = others.told(OpenApiRouter::with_openapi(doc::begin()).nest(V1, v1));
    doc::finish(all.into_openapi())
}

/// The router of every listener.
pub fn router(app: Arc<App>, hosts: Hosts) -> Router {
    let (v1, others) = all();
    others
        .router()
        .nest(V1, v1.router())
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
