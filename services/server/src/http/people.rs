//! Passwords and sessions of the people of this box.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use wire::event::Severity;

use super::act::act;
use super::body::Json;
use super::doc::{Body, LoggedIn, Stored, Tries};
use super::person::Person;
use super::{Peer, Refusal};
use crate::app::App;
use crate::auth::password;

/// Body of [`change_password`].
#[derive(Debug, Deserialize, ToSchema)]
pub struct ChangePassword {
    /// The password as it is.
    #[serde(alias = "current_password")]
    old: String,
    /// The password as it shall be: 8 to 256 characters.
    #[serde(alias = "new_password")]
    new: String,
}

/// Whether `password` is the one of `person`; wrong ones count as wrong logins do.
pub(super) async fn check_own(app: &App, peer: Peer, person: &Person, password: String) -> Result<(), Refusal> {
    let (key, now) = (peer.key(), app.clock.now().mono);
    app.logins(|limit| limit.allow(now, &key)).map_err(Refusal::wait)?;
    app.logins(|limit| limit.failed(now, &key));
    let hash = app.vault.user(&person.name).map(|(_, hash)| hash);
    if !app.hasher.verify(password, hash).await? {
        return Err(Refusal::new("password-wrong", 403, "This is not your password"));
    }
    app.logins(|limit| limit.succeeded(&key));
    Ok(())
}

/// Changes one's own password and ends all one's other sessions.
#[utoipa::path(put, path = "/session/password", tag = "session", request_body = ChangePassword,
    responses((status = 204, description = "It is changed"), LoggedIn, Body, Tries, Stored,
        (status = 403, description = "`password-wrong`", body = wire::Problem, content_type = "application/problem+json"), (status = 422, description = "`bad-password`", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn change_password(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    person: Person,
    Json(form): Json<ChangePassword>,
) -> Result<StatusCode, Refusal> {
    password::check_length(&form.new)?;
    check_own(&app, peer, &person, form.old).await?;
    let hash = app.hasher.hash(form.new).await?;
    app.vault.add_user(&person.name, hash, app.clock.now().wall).await?;
    let ended = app.vault.end_sessions(Some(&person.name), Some(&person.secret)).await?;
    let message = format!("{} changed the password", person.name);
    app.record_act(
        act(
            "person.password_changed",
            Severity::Info,
            message,
            json!({ "sessions_ended": ended }),
        ),
        &person.name,
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The same on the path of existing Vigil clients.
#[utoipa::path(post, path = "/api/users/password", tag = "session", request_body = ChangePassword,
    responses((status = 204, description = "It is changed"), LoggedIn, Body, Tries, Stored,
        (status = 403, description = "`password-wrong`", body = wire::Problem, content_type = "application/problem+json"), (status = 422, description = "`bad-password`", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn vigil_change_password(
    app: State<Arc<App>>,
    peer: Extension<Peer>,
    person: Person,
    form: Json<ChangePassword>,
) -> Result<StatusCode, Refusal> {
    change_password(app, peer, person, form).await
}

/// Logs out everywhere else.
#[utoipa::path(delete, path = "/session/others", tag = "session",
    responses((status = 204, description = "Only this session is left"), LoggedIn, Stored))]
pub async fn end_others(State(app): State<Arc<App>>, person: Person) -> Result<StatusCode, Refusal> {
    let ended = app.vault.end_sessions(Some(&person.name), Some(&person.secret)).await?;
    let message = format!("{} logged out everywhere else", person.name);
    app.record_act(
        act(
            "session.others_ended",
            Severity::Info,
            message,
            json!({ "sessions_ended": ended }),
        ),
        &person.name,
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
