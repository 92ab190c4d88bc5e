//! Claim, login, logout.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::header::{AUTHORIZATION, HeaderName, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;
use wire::Time;
use wire::boxes::{Claim, Login, Session};
use wire::event::{NewEvent, Severity};

use super::person::{self, COOKIE_NAME, Person, TLS_COOKIE, VIGIL_COOKIE};
use crate::app::App;
use crate::auth::claim::{Code, Try};
use crate::auth::vault::session::{Origin, SESSION};
use crate::auth::{password, secret};
use crate::http::Peer;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, Stored, Tries};
use crate::http::door::body::{Json, SHORT};
use crate::http::told::front;
use crate::hub::Input;
use crate::tls::Way;

/// Where a login comes from.
fn origin(peer: Peer, headers: &HeaderMap) -> Origin {
    let program = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    Origin::new(peer.key(), program)
}

fn set_cookie(name: &str, value: &str, seconds: u64, way: Way) -> Result<HeaderValue, Refusal> {
    // What was set by TLS is not sent in clear.
    let secure = if way == Way::Tls { "; Secure" } else { "" };
    HeaderValue::from_str(&format!(
        "{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    ))
    .map_err(|_| Refusal::new("internal", 500, "The session has no valid cookie"))
}

/// The name under which a browser is given the session's cookie.
fn own_name(way: Way) -> &'static str {
    match way {
        Way::Tls => TLS_COOKIE,
        Way::Plain | Way::PlainBesideTls => COOKIE_NAME,
    }
}

/// The session's cookie under its names.
type Cookies = AppendHeaders<Vec<(HeaderName, HeaderValue)>>;

fn set_cookies(names: &[&str], value: &str, seconds: u64, way: Way) -> Result<Cookies, Refusal> {
    let mut cookies = Vec::new();
    for name in names {
        cookies.push((SET_COOKIE, set_cookie(name, value, seconds, way)?));
    }
    Ok(AppendHeaders(cookies))
}

fn with_cookie(username: String, expires: Time, cookie: &str, way: Way) -> Result<Response, Refusal> {
    let header = set_cookie(own_name(way), cookie, SESSION.as_secs(), way)?;
    Ok(([(SET_COOKIE, header)], axum::Json(Session { username, expires })).into_response())
}

pub(super) fn check_username(name: &str) -> Result<(), Refusal> {
    let fits = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if fits {
        return Ok(());
    }
    Err(Refusal::new("bad-username", 422, "This cannot be a user name")
        .with("username: 1 to 64 letters, digits, dots, underscores or hyphens"))
}

/// Claims the box: who reads the code on its console becomes its one user, and is logged in. Where it was claimed before, that
/// name, its password and all sessions end.
#[utoipa::path(post, path = "/claim", tag = "session", security(()), request_body = Claim,
    responses((status = 200, body = Session), Body, Tries, Stored, (status = 403, description = "`code-wrong`"),
        (status = 409, description = "`claimed`, `being-claimed`"), (status = 422, description = "`bad-username`, `bad-password`")))]
pub(super) async fn claim(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    Extension(way): Extension<Way>,
    headers: HeaderMap,
    Json(form): Json<Claim, SHORT>,
) -> Result<Response, Refusal> {
    // Looked at before the code, so that a typing mistake here costs no try and a right code is never wasted.
    check_username(&form.username)?;
    password::check_length(&form.password)?;
    let fresh = Code::from_random(secret::random());
    match app.claim(|claim| claim.attempt(app.clock.now().mono, &peer.key(), &form.code, fresh)) {
        Try::Right => {}
        Try::Wrong => return Err(wrong_code("type the code that the box shows on its console")),
        Try::WrongNewCode => {
            let (now, from) = (app.clock.now().mono, peer.key());
            if app.refused(|refused| refused.one(now, &from)).is_some() {
                let message = "Twenty wrong claim codes were tried; the box has a new one".to_owned();
                app.record(
                    "box.claim_code_changed",
                    Severity::Warning,
                    message,
                    json!({ "from": from }),
                )
                .await;
            }
            return Err(wrong_code("the box shows a new code now; look at its console again"));
        }
        Try::Wait(time) => return Err(Refusal::wait(time)),
        Try::Taken => {
            return Err(Refusal::new(
                "being-claimed",
                409,
                "Somebody else is claiming this box right now",
            ));
        }
        Try::Closed => return Err(Refusal::new("claimed", 409, "This box is claimed").with("log in instead")),
    }
    // Dropping this request half-way must leave the box claimable: the work goes on in a task of its own.
    let stored = tokio::spawn({
        let (app, name, password) = (Arc::clone(&app), form.username.clone(), form.password);
        async move {
            let done = match app.hasher.hash(password).await {
                Ok(hash) => {
                    let stored = app.vault.claim(&name, hash, app.clock.now()).await;
                    stored.map_err(Refusal::from)
                }
                Err(error) => Err(error.into()),
            };
            app.claim(|claim| claim.finish(done.is_ok()));
            if done.is_ok() {
                app.recovered().await;
                app.feed(Input::Claimed).await;
                let event = NewEvent::new(
                    "box.claimed",
                    Severity::Info,
                    format!("{name} claimed the box"),
                    json!({ "from": peer.key() }),
                );
                app.record_done(event, &name).await;
            }
            done
        }
    });
    stored
        .await
        .map_err(|_| Refusal::new("internal", 500, "The claim was not stored"))??;
    let (cookie, expires) = app
        .vault
        .log_in(&form.username, origin(peer, &headers), app.clock.now())
        .await?;
    was_right(&app, peer);
    with_cookie(form.username, expires, &cookie, way)
}

fn wrong_code(what: &str) -> Refusal {
    Refusal::new("code-wrong", 403, "This is not the claim code").with(what)
}

/// Under which key a login's failures are counted: the peer's, but for an address from which a password was right before.
fn login_key(app: &App, peer: Peer) -> String {
    match peer.address() {
        Some(address) if app.known(|known| known.knows(address)) => address.to_string(),
        Some(_) | None => peer.key(),
    }
}

/// Somebody has come in from there.
fn was_right(app: &App, peer: Peer) {
    if let Some(address) = peer.address() {
        app.known(|known| known.remember(address));
    }
}

/// Logs in by user name and password, and counts failures of the peer: the name, the cookie's value, and when it ends.
async fn enter(
    app: &Arc<App>,
    peer: Peer,
    headers: &HeaderMap,
    form: Login,
) -> Result<(String, String, Time), Refusal> {
    let key = login_key(app, peer);
    let now = app.clock.now();
    app.logins(|limit| limit.allow(now.mono, &key)).map_err(Refusal::wait)?;
    // Counted before the hash and forgiven after it: many at once are no way around the limit.
    app.logins(|limit| limit.failed(now.mono, &key));
    let user = app.vault.user(&form.username);
    let hash = user.as_ref().map(|(_, hash)| hash.clone());
    let right = app.hasher.verify(form.password, hash).await?;
    if let Some((name, hash)) = user.filter(|_| right) {
        // Also where the store takes no session now: it was no wrong try.
        app.logins(|limit| limit.succeeded(&key));
        let entered = app
            .vault
            .log_in_by(&name, &hash, origin(peer, headers), app.clock.now())
            .await?;
        if let Some((cookie, expires)) = entered {
            was_right(app, peer);
            return Ok((name, cookie, expires));
        }
        app.logins(|limit| limit.failed(now.mono, &key));
    }
    if let Some(message) = app.refused(|refused| refused.one(now.mono, &key)) {
        app.record("session.refused", Severity::Warning, message, json!({ "from": key }))
            .await;
    }
    Err(Refusal::new("login-wrong", 401, "User name or password is wrong"))
}

/// Logs in: sets the session's cookie, good for 24 h.
#[utoipa::path(post, path = "/session", tag = "session", security(()), request_body = Login,
    responses((status = 200, body = Session), Body, Tries, Stored, (status = 401, description = "`login-wrong`")))]
pub(super) async fn log_in(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    Extension(way): Extension<Way>,
    headers: HeaderMap,
    Json(form): Json<Login, SHORT>,
) -> Result<Response, Refusal> {
    let (name, cookie, expires) = enter(&app, peer, &headers, form).await?;
    with_cookie(name, expires, &cookie, way)
}

/// The same for existing Vigil clients, which take the token out of the body, or a cookie of Vigil's name.
#[utoipa::path(post, path = "/api/auth/login", tag = "session", security(()), request_body = Login,
    responses((status = 200, body = front::VigilLogin), Body, Tries, Stored, (status = 401, description = "`login-wrong`")))]
pub(super) async fn vigil_log_in(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    Extension(way): Extension<Way>,
    headers: HeaderMap,
    Json(form): Json<Login, SHORT>,
) -> Result<Response, Refusal> {
    let (name, token, _) = enter(&app, peer, &headers, form).await?;
    let cookies = set_cookies(&[own_name(way), VIGIL_COOKIE], &token, SESSION.as_secs(), way)?;
    let body = front::VigilLogin {
        success: true,
        token,
        username: name,
        must_change_password: false,
    };
    Ok((cookies, axum::Json(body)).into_response())
}

/// Who is logged in, and until when.
#[utoipa::path(get, path = "/session", operation_id = "session", tag = "session", responses((status = 200, body = Session), LoggedIn))]
pub(super) async fn show(person: Person) -> axum::Json<Session> {
    axum::Json(Session {
        username: person.name,
        expires: person.expires,
    })
}

/// Logs out; without a session it does nothing.
#[utoipa::path(delete, path = "/session", tag = "session", security(()), responses((status = 204, description = "Nobody is logged in"), Stored))]
pub(super) async fn log_out(
    State(app): State<Arc<App>>,
    Extension(way): Extension<Way>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    Ok((StatusCode::NO_CONTENT, ended(&app, &headers, way).await?).into_response())
}

/// Ends the sessions that a request came with, under any name; the cookies that take them out of the browser. By TLS that is also
/// the one of a login in clear, which would keep the person in.
async fn ended(app: &App, headers: &HeaderMap, way: Way) -> Result<Cookies, Refusal> {
    // A cookie knows no port: that of Vigil's name may be another program's, which would log its own people out.
    let now = app.clock.now();
    let is_ours = person::named(headers, VIGIL_COOKIE).any(|value| app.vault.session(value, now).is_some());
    match headers.contains_key(AUTHORIZATION) {
        true => {
            if let Some(person) = person::of(app, headers) {
                app.vault.log_out(&person.secret).await?;
            }
        }
        false => {
            for secret in person::cookies(headers) {
                app.vault.log_out(secret).await?;
            }
        }
    }
    let mut names = vec![COOKIE_NAME];
    if way == Way::Tls {
        names.push(TLS_COOKIE);
    }
    if is_ours {
        names.push(VIGIL_COOKIE);
    }
    set_cookies(&names, "", 0, way)
}

/// The same for existing Vigil clients.
#[utoipa::path(post, path = "/api/auth/logout", operation_id = "vigil_log_out", tag = "session", security(()), responses((status = 200, body = front::VigilLogout), Stored))]
pub(super) async fn vigil_log_out(
    State(app): State<Arc<App>>,
    Extension(way): Extension<Way>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let body = front::VigilLogout {
        success: true,
        status: "logged_out",
    };
    Ok((ended(&app, &headers, way).await?, axum::Json(body)).into_response())
}

/// Who is logged in, as existing Vigil clients ask.
#[utoipa::path(get, path = "/api/users/me", operation_id = "vigil_me", tag = "session", responses((status = 200, body = front::VigilMe), LoggedIn))]
pub(super) async fn me(person: Person) -> axum::Json<front::VigilMe> {
    axum::Json(front::VigilMe {
        username: person.name,
        session_expires: person.expires,
        must_change_password: false,
    })
}
