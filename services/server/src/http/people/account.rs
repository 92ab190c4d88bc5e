//! Passwords and sessions of the people of this box.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use wire::Time;
use wire::event::{NewEvent, Severity};

use super::person::Person;
use super::session::check_username;
use crate::app::App;
use crate::auth::password;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, Stored, Tries};
use crate::http::door::body::Json;

/// Body of [`change_password`].
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChangePassword {
    /// The password as it is.
    #[serde(alias = "current_password")]
    old: String,
    /// The password as it shall be: 8 to 256 characters.
    #[serde(alias = "new_password")]
    new: String,
}

fn not_yours() -> Refusal {
    Refusal::new("password-wrong", 403, "This is not your password")
}

/// Whether `password` is the one of `person`, and its hash. Wrong ones count per person, not per address: a neighbour who
/// guesses at the login keeps nobody from this, and who holds a stolen session must not guess from many places.
pub(in crate::http) async fn check_own(app: &App, person: &Person, password: String) -> Result<String, Refusal> {
    let (key, now) = (format!("own:{}", person.name), app.clock.now().mono);
    app.logins(|limit| limit.allow(now, &key)).map_err(Refusal::wait)?;
    app.logins(|limit| limit.failed(now, &key));
    let hash = app.vault.user(&person.name).map(|(_, hash)| hash);
    if !app.hasher.verify(password, hash.clone()).await? {
        return Err(not_yours());
    }
    app.logins(|limit| limit.succeeded(&key));
    hash.ok_or_else(not_yours)
}

/// Changes one's own password and ends all one's other sessions.
#[utoipa::path(put, path = "/session/password", tag = "session", request_body = ChangePassword,
    responses((status = 204, description = "It is changed"), LoggedIn, Body, Tries, Stored,
        (status = 403, description = "`password-wrong`"), (status = 422, description = "`bad-password`")))]
pub(crate) async fn change_password(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<ChangePassword>,
) -> Result<StatusCode, Refusal> {
    password::check_length(&form.new)?;
    let was = check_own(&app, &person, form.old).await?;
    let hash = app.hasher.hash(form.new).await?;
    let now = app.clock.now();
    if !app.vault.change_password(&person.name, &was, hash, now).await? {
        return Err(not_yours().with("it was changed a moment ago"));
    }
    let ended = app.vault.end_sessions(&person.name, &person.secret).await?;
    let message = format!("{} changed the password", person.name);
    app.record_done(
        NewEvent::new(
            "person.password_changed",
            Severity::Info,
            message,
            json!({ "sessions_ended": ended }),
        ),
        &person.name,
    )
    .await;
    Ok(StatusCode::NO_CONTENT)
}

/// The same on the path of existing Vigil clients.
#[utoipa::path(post, path = "/api/users/password", tag = "session", request_body = ChangePassword,
    responses((status = 204, description = "It is changed"), LoggedIn, Body, Tries, Stored,
        (status = 403, description = "`password-wrong`"), (status = 422, description = "`bad-password`")))]
pub(crate) async fn vigil_change_password(
    app: State<Arc<App>>,
    person: Person,
    form: Json<ChangePassword>,
) -> Result<StatusCode, Refusal> {
    change_password(app, person, form).await
}

/// Body of [`vigil_change_name`].
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChangeName {
    /// As one shall be called: 1 to 64 letters, digits, dots, underscores or hyphens.
    new_username: String,
    /// One's password.
    current_password: String,
}

/// That somebody is called otherwise now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NameChanged {
    /// `username_updated`.
    status: &'static str,
    new_username: String,
}

/// Changes one's own user name; one's sessions go on.
#[utoipa::path(post, path = "/api/users/username", tag = "session", request_body = ChangeName,
    responses((status = 200, body = NameChanged), LoggedIn, Body, Tries, Stored,
        (status = 403, description = "`password-wrong`"),
        (status = 409, description = "`username-taken`"),
        (status = 422, description = "`bad-username`")))]
pub(crate) async fn vigil_change_name(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<ChangeName>,
) -> Result<Answered<NameChanged>, Refusal> {
    check_username(&form.new_username)?;
    check_own(&app, &person, form.current_password).await?;
    let name = form.new_username;
    if !app.vault.rename(&person.name, &name).await? {
        return Err(Refusal::new("username-taken", 409, "Somebody else has this name").with("choose another one"));
    }
    let message = format!("{} is called {name} now", person.name);
    app.record_done(
        NewEvent::new(
            "person.renamed",
            Severity::Info,
            message,
            json!({ "was": person.name, "is": name }),
        ),
        &name,
    )
    .await;
    Ok(Answered(NameChanged {
        status: "username_updated",
        new_username: name,
    }))
}

/// Logs out everywhere else.
#[utoipa::path(delete, path = "/session/others", tag = "session",
    responses((status = 204, description = "Only this session is left"), LoggedIn, Stored))]
pub(crate) async fn end_others(State(app): State<Arc<App>>, person: Person) -> Result<StatusCode, Refusal> {
    let ended = app.vault.end_sessions(&person.name, &person.secret).await?;
    let message = format!("{} logged out everywhere else", person.name);
    app.record_done(
        NewEvent::new(
            "session.others_ended",
            Severity::Info,
            message,
            json!({ "sessions_ended": ended }),
        ),
        &person.name,
    )
    .await;
    Ok(StatusCode::NO_CONTENT)
}

/// One of one's own sessions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// By what it is named.
    id: String,
    /// When the login was.
    #[schema(value_type = String, format = DateTime)]
    created: Time,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    expires: Time,
    /// Address from which the login came; empty for one that is older than this version.
    address: String,
    /// What the program calls itself; empty where it does not say.
    program: String,
    /// Whether it is the one that asks.
    own: bool,
}

/// One's own sessions, the newest first.
#[utoipa::path(get, path = "/sessions", tag = "session", responses((status = 200, body = Vec<SessionView>), LoggedIn))]
pub(crate) async fn sessions(State(app): State<Arc<App>>, person: Person) -> Answered<Vec<SessionView>> {
    let rows = app.vault.sessions(&person.name, &person.secret, app.clock.now());
    let view = |row: crate::auth::vault::session::Row| SessionView {
        id: row.id,
        created: row.created,
        expires: row.expires,
        address: row.from.address,
        program: row.from.program,
        own: row.is_own,
    };
    Answered(rows.into_iter().map(view).collect())
}

/// Ends one of one's own sessions.
#[utoipa::path(delete, path = "/sessions/{id}", tag = "session", params(("id" = String, Path, description = "Session")),
    responses((status = 204, description = "It is ended"), LoggedIn, Stored,
        (status = 404, description = "`session-unknown`: it has ended, or is somebody else's")))]
pub(crate) async fn end_session(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    if !app.vault.end_session(&person.name, &id).await? {
        return Err(Refusal::new("session-unknown", 404, "You have no such session").with("it may have ended"));
    }
    let message = format!("{} ended a session", person.name);
    app.record_done(
        NewEvent::new("session.ended", Severity::Info, message, json!({})),
        &person.name,
    )
    .await;
    Ok(StatusCode::NO_CONTENT)
}
