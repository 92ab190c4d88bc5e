//! `GET /api/addons/ws?addon_id=N`: the add-on's socket. Everything is checked before the upgrade.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use hyper_util::rt::TokioIo;
use link::Limits;

use super::registry::check_token;
use crate::addon::{Addon, MANIFEST_MAX};
use crate::app::{App, Came};
use crate::auth::secret::Bearer;
use crate::auth::vault::Token;
use crate::http::Peer;
use crate::http::Refusal;
use crate::http::doc::{OfAddon, Tries};
use crate::http::people::person;
use crate::hub::{AGENT, Input};

/// Longest first message of an add-on that has not enrolled by `connect`: its manifest, with some room for the frame
/// around it. Everything else that it sends has [`wire::frame::FRAME_MAX_SENT`], which the connection's loop sees to.
const LONGEST_MANIFEST: usize = MANIFEST_MAX + 1024;

/// Value of a key in a query string; percent-encoding is undone only as far as numbers and tokens need it: not at all.
fn query<'a>(query: Option<&'a str>, key: &str) -> Option<&'a str> {
    query?.split('&').find_map(|pair| {
        pair.split_once('=')
            .filter(|(name, _)| *name == key)
            .map(|(_, value)| value)
    })
}

/// The token that a connection comes with, and the add-on that it may speak for.
fn admitted(app: &App, peer: Peer, given: Option<&str>, id: u64) -> Result<(Token, Addon), Refusal> {
    let token = check_token(app, peer, given)?;
    let addon = app
        .addons
        .get(id)
        .ok_or_else(|| Refusal::new("addon-unknown", 404, "add-on not found"))?;
    if token.addon != Some(id) {
        return Err(Refusal::new(
            "token-wrong",
            401,
            "The add-on token belongs to another add-on",
        ));
    }
    if !addon.enabled {
        return Err(Refusal::new("addon-disabled", 403, "add-on is disabled"));
    }
    Ok((token, addon))
}

/// The add-on's socket: frames of `frames.schema.json` as text messages.
#[utoipa::path(get, path = "/api/addons/ws", operation_id = "addon_socket", tag = "addons", security(("bearer" = [])),
    params(("addon_id" = u64, Query, description = "The add-on"), ("token" = Option<String>, Query, description = "Its token, where no header can be sent")),
    responses((status = 101, description = "WebSocket"), OfAddon, Tries,
        (status = 400, description = "`bad-query`, `not-websocket`"), (status = 401, description = "`token-wrong`"),
        (status = 403, description = "`addon-disabled`")))]
pub(super) async fn connect(State(app): State<Arc<App>>, mut request: Request<Body>) -> Result<Response, Refusal> {
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(Peer::Local);
    let id = query(request.uri().query(), "addon_id").filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Refusal::new("bad-query", 400, "addon_id required"))?;
    let id: u64 = id
        .parse()
        .map_err(|_| Refusal::new("bad-query", 400, "invalid addon_id").with("addon_id: expected a number"))?;
    let given = person::bearer(request.headers()).or_else(|| query(request.uri().query(), "token"));
    let bearer = Bearer::new(given.unwrap_or(""));
    let (token, addon) = match admitted(&app, peer, given, id) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            // Somebody used its number: a line in its log, as far as there is such an add-on.
            let what = format!("a connection from {} was refused: {refusal}", peer.key());
            app.feed(Input::Noted { addon: id, what }).await;
            return Err(refusal);
        }
    };
    let answer = link::accept(request.headers()).map_err(|error| {
        Refusal::new("not-websocket", 400, "This path speaks WebSocket only").with(error.to_string())
    })?;
    let enrolled = addon.enrolled || id == AGENT;
    let longest = if enrolled {
        Limits::server().longest
    } else {
        LONGEST_MANIFEST
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let built_in = id == AGENT && app.has_agent;
    tokio::spawn(async move {
        match upgrade.await {
            Ok(stream) => {
                // The box's own agent never waits for the room that add-ons have filled.
                let room = (!built_in).then_some(&app.messages);
                let limits = Limits {
                    longest,
                    ..Limits::server()
                };
                let (sender, receiver) = link::serve(TokioIo::new(stream), limits, &addon.name, room).await;
                let came = Came {
                    enrolled,
                    from: peer
                        .address()
                        .map_or_else(|| "this machine".to_owned(), |ip| ip.to_string()),
                    token: token.key,
                    bearer,
                };
                app.serve_addon(id, came, sender, receiver).await;
            }
            Err(error) => tracing::warn!(addon = id, %error, "an upgrade to WebSocket broke off"),
        }
    });
    Ok((StatusCode::SWITCHING_PROTOCOLS, answer).into_response())
}
