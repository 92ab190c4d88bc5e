//! A backup: made, sealed and sent. It asks for the password once more.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use wire::event::{NewEvent, Severity};

use super::arriving::seat;
use super::file::{day, held_file, plain};
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Body, Both, LoggedIn, Tries};
use crate::http::door::body::Json;
use crate::http::people::account::check_own;
use crate::http::people::person::Person;
use crate::http::task::blocking;
use crate::hub::Presence;
use crate::life::backup::{self, Head, Held};
use crate::tables::SCHEMA;

/// Body of [`make`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct MakeBackup {
    /// One's own password: a backup holds everybody's hashes.
    pub(in crate::http) password: String,
    /// With what it is encrypted: at least 12 characters. Without it nobody opens it again.
    passphrase: String,
}

/// Makes a backup for a person who has proved to be one, and tells of it.
pub(super) async fn sealed(app: &Arc<App>, person: &Person, form: MakeBackup) -> Result<Held, Refusal> {
    check_own(app, person, form.password).await?;
    backup::seal::check(&form.passphrase).map_err(backup::Error::from)?;
    let now = app.clock.now().wall;
    let name = app.hub(|hub| hub.name().to_owned());
    let head = Head {
        made: now,
        name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema: SCHEMA,
        agent: app.hub(|hub| is_asked(hub.presence(app.clock.now()))),
    };
    let of_agent = if head.agent {
        backup::agent::gather(app).await?
    } else {
        backup::agent::none()?
    };
    let agent = head.agent;
    let (store, dir) = (app.store.clone(), app.life.data.clone());
    let made = blocking(move || backup::take(&store, &of_agent, &head, &form.passphrase, &dir)).await??;
    let without = if agent {
        ""
    } else {
        " without the burn-in agent's records"
    };
    let message = format!("{} made a backup of the box{without}", person.name);
    let data = json!({ "bytes": made.len(), "agent": agent });
    app.record_done(
        NewEvent::new("box.backed_up", Severity::Info, message, data),
        &person.name,
    )
    .await;
    Ok(made)
}

/// Whether the agent is asked for its part of a backup. One that is restarted is a reason to wait; one that is gone for longer
/// must not keep people from saving what the server has, in safe mode of all times.
fn is_asked(agent: Option<Presence>) -> bool {
    match agent {
        Some(Presence::Here | Presence::Restarting) => true,
        Some(Presence::Silent | Presence::Down) | None => false,
    }
}

/// Everything that the box keeps, as one encrypted file. Where the burn-in agent does not run (safe mode, quarantine) or has been
/// away for two minutes, it is the server's part alone: `agent` is false in the file's second line, which is JSON in clear.
#[utoipa::path(post, path = "/backup", operation_id = "backup", tag = "box", request_body = MakeBackup,
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), LoggedIn, Body, Tries, Both,
        (status = 403, description = "`password-wrong`"), (status = 422, description = "`bad-passphrase`")))]
pub(super) async fn make(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<MakeBackup>,
) -> Result<Response, Refusal> {
    let _seat = seat(&app)?;
    let made = sealed(&app, &person, form).await?;
    let name = app.hub(|hub| hub.name().to_owned());
    let name = format!("kiln-{}-{}.backup", plain(&name), day(app.clock.now().wall));
    Ok(held_file(&name, &made))
}
