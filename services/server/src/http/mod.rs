//! HTTP: the router of every listener, and what each request passes on its way.
//!
//! ```text
//!  accept loop (crate::serve) ─► front: host, origin, CSRF, security headers ─► route ─► handler
//!                                                                                  └─► page, or problem+json 404
//! ```
//!
//! Every error is `application/problem+json` with the fields of [`wire::Problem`], and both its texts in one line as `error`.

mod addons;
mod agent;
mod arrival;
mod aside;
mod ask;
mod backups;
mod body;
mod certificates;
pub mod doc;
mod docs;
mod drives;
mod fleet;
mod front;
mod groups;
mod health;
mod hosts;
mod identify;
mod jobs;
mod life;
mod notifications;
mod people;
mod person;
mod plans;
mod playbooks;
mod refusal;
mod routes;
mod schemas;
mod session;
mod settings;
mod smart;
mod sources;
mod sse;
mod telemetry;
mod told;
mod update;
mod view;
mod wearout;
mod websocket;
mod zfs;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use http::Method;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
pub use body::{Bodies, Share};
pub use front::{Hosts, Peer};
pub use refusal::Refusal;
use routes::{Routes, routes};

/// Where Kiln's own interface is; the other paths are those that senders and add-ons know.
const V1: &str = "/api/v1";

/// Every route: those below [`V1`], and the others.
fn all() -> (Routes, Routes) {
    let v1 = Routes::default()
        .routes(routes!(view::whole_box))
        .routes(routes!(session::claim))
        .routes(routes!(session::show, session::log_in, session::log_out))
        .routes(routes!(people::change_password))
        .routes(routes!(people::end_others))
        .routes(routes!(people::sessions))
        .routes(routes!(people::end_session))
        .routes(routes!(life::tls))
        .routes(routes!(life::power_off))
        .routes(routes!(life::make))
        .routes(routes!(life::bring, life::restore))
        .routes(routes!(life::reset))
        .routes(routes!(life::debug_bundle))
        .routes(routes!(drives::drives))
        .routes(routes!(drives::locate))
        .routes(routes!(drives::name_bay))
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
        .routes(routes!(update::state, update::take, update::give_up))
        .routes(routes!(update::begin))
        .routes(routes!(update::chunk))
        .routes(routes!(update::finish))
        .routes(routes!(update::reboot))
        .routes(routes!(update::back))
        .routes(routes!(aside::list, aside::remove))
        .routes(routes!(view::log))
        .routes(routes!(view::events))
        .routes(routes!(sse::stream))
        .routes(routes!(sources::source))
        .routes(routes!(doc::openapi_json));
    let others = Routes::default()
        .routes(routes!(addons::list, addons::upsert))
        .routes(routes!(addons::tokens, addons::new_token))
        .routes(routes!(addons::revoke_token))
        .routes(routes!(addons::register))
        .routes(routes!(addons::connect))
        .routes(routes!(websocket::connect))
        .routes(routes!(addons::show, addons::remove))
        .routes(routes!(addons::enable))
        .routes(routes!(addons::rotate_token))
        .routes(routes!(addons::check_updates))
        .routes(routes!(ask::action))
        .routes(routes!(ask::read, ask::write))
        .routes(routes!(telemetry::stream))
        .routes(routes!(schemas::manifest))
        .routes(routes!(schemas::frames))
        .routes(routes!(groups::list, groups::make))
        .routes(routes!(groups::assignments))
        .routes(routes!(groups::show, groups::change, groups::remove))
        .routes(routes!(groups::assign))
        .routes(routes!(groups::unassign))
        .routes(routes!(docs::index))
        .routes(routes!(docs::show))
        .routes(routes!(docs::of_plugin))
        .routes(routes!(session::vigil_log_in))
        .routes(routes!(session::vigil_log_out))
        .routes(routes!(session::me))
        .routes(routes!(people::vigil_change_password))
        .routes(routes!(people::vigil_change_name))
        .routes(routes!(backups::list))
        .routes(routes!(backups::make))
        .routes(routes!(backups::remove))
        .routes(routes!(backups::download))
        .routes(routes!(backups::restore))
        .routes(routes!(backups::restore_brought))
        .routes(routes!(notifications::providers))
        .routes(routes!(notifications::event_types))
        .routes(routes!(notifications::services, notifications::add))
        .routes(routes!(
            notifications::service,
            notifications::change,
            notifications::remove
        ))
        .routes(routes!(notifications::rules))
        .routes(routes!(notifications::quiet_hours))
        .routes(routes!(notifications::digest))
        .routes(routes!(notifications::group_rules))
        .routes(routes!(notifications::set_group_rules, notifications::drop_group_rules))
        .routes(routes!(notifications::test))
        .routes(routes!(notifications::test_url))
        .routes(routes!(notifications::history))
        .routes(routes!(notifications::alerts))
        .routes(routes!(notifications::acknowledge))
        .routes(routes!(hosts::register))
        .routes(routes!(hosts::authenticate))
        .routes(routes!(hosts::pubkey))
        .routes(routes!(hosts::report))
        .routes(routes!(hosts::agents))
        .routes(routes!(hosts::drop_agent))
        .routes(routes!(hosts::blink))
        .routes(routes!(hosts::tokens, hosts::new_token))
        .routes(routes!(hosts::drop_token))
        .routes(routes!(fleet::hosts))
        .routes(routes!(fleet::drop_host))
        .routes(routes!(fleet::drop_drive))
        .routes(routes!(fleet::last))
        .routes(routes!(fleet::history))
        .routes(routes!(fleet::score))
        .routes(routes!(fleet::health_page))
        .routes(routes!(fleet::stats))
        .routes(routes!(fleet::version))
        .routes(routes!(fleet::version_check))
        .routes(routes!(fleet::auth_status))
        .routes(routes!(fleet::aliases, fleet::name))
        .routes(routes!(settings::interval, settings::set_interval))
        .routes(routes!(settings::of_category))
        .routes(routes!(settings::set))
        .routes(routes!(zfs::pools))
        .routes(routes!(zfs::pool, zfs::drop_pool))
        .routes(routes!(zfs::pool_devices))
        .routes(routes!(zfs::pool_scrubs))
        .routes(routes!(zfs::pool_last_scrub))
        .routes(routes!(zfs::devices))
        .routes(routes!(zfs::device))
        .routes(routes!(zfs::datasets))
        .routes(routes!(zfs::scrubs))
        .routes(routes!(zfs::summary))
        .routes(routes!(zfs::health))
        .routes(routes!(zfs::drive))
        .routes(routes!(fleet::active))
        .routes(routes!(smart::attributes))
        .routes(routes!(smart::history))
        .routes(routes!(smart::trends))
        .routes(routes!(smart::critical))
        .routes(routes!(smart::summary))
        .routes(routes!(smart::health_all))
        .routes(routes!(smart::issues))
        .routes(routes!(smart::temperature))
        .routes(routes!(smart::cleanup))
        .routes(routes!(wearout::drive))
        .routes(routes!(wearout::all))
        .routes(routes!(wearout::history))
        .routes(routes!(wearout::trend))
        .routes(routes!(wearout::specs, wearout::put_spec, wearout::drop_spec))
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
