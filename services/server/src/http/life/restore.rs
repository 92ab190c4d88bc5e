//! Restore: a backup is brought, then put back with its passphrase. It asks for the password once more.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::{Request, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};
use utoipa::ToSchema;
use wire::Time;
use wire::event::{NewEvent, Severity};

use super::arriving::{Seat, arrived, seat};
use super::end::nothing_runs;
use super::file::day;
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Body, Both, LoggedIn, Tries};
use crate::http::door::body::Json;
use crate::http::people::account::check_own;
use crate::http::people::person::Person;
use crate::http::task::{blocking, to_its_end};
use crate::life::backup::{self, Held};

/// Held by who puts a backup back: nothing is armed or started meanwhile.
pub(super) type Alone = OwnedRwLockWriteGuard<()>;

/// What every road that puts a backup back begins with: one's own password, and no drive under test, nor one about to be.
pub(super) async fn may_put_back(app: &App, person: &Person, password: String) -> Result<Alone, Refusal> {
    check_own(app, person, password).await?;
    let alone = Arc::clone(&app.life.starting).try_write_owned().map_err(|_| {
        Refusal::new(
            "busy",
            503,
            "A burn-in is just being started, or a backup was just put back",
        )
        .with("try again in a moment")
    })?;
    nothing_runs(app)?;
    Ok(alone)
}

/// To be held by who arms or starts, until that is recorded: refuses while a backup is being put back.
pub(in crate::http) fn may_start(app: &App) -> Result<OwnedRwLockReadGuard<()>, Refusal> {
    Arc::clone(&app.life.starting).try_read_owned().map_err(|_| {
        Refusal::new("restoring", 409, "A backup is just being put back").with(
            "nothing was started; try again in a moment, and plan anew where the server starts again meanwhile, with what was put back",
        )
    })
}

/// What a backup says of itself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Brought {
    /// The box that it was made on.
    name: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    made: Time,
    /// Version of the server that made it.
    version: String,
    /// Its size in bytes.
    bytes: u64,
    /// Whether the agent's records are in it, too.
    agent: bool,
}

/// Brings a backup; nothing of it is used before its passphrase comes with `POST /restore`, for which it waits an hour.
#[utoipa::path(put, path = "/restore", operation_id = "restore_bring", tag = "box",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Brought), LoggedIn,
        (status = 400, description = "`bad-body`"),
        (status = 408, description = "`slow`"),
        (status = 413, description = "`too-long`"),
        (status = 422, description = "`bad-backup`"),
        (status = 507, description = "`no-room`: the medium has less free than the backup takes"),
        (status = 503, description = "`busy`: another backup is being made, brought or put back")))]
pub(super) async fn bring(
    State(app): State<Arc<App>>,
    person: Person,
    request: Request,
) -> Result<Answered<Brought>, Refusal> {
    let _seat = seat(&app)?;
    app.life.brought.drop_it();
    let held = arrived(&app, request).await?;
    let head = backup::look(&held)?;
    let brought = Brought {
        name: head.name,
        made: head.made,
        version: head.version,
        bytes: held.len(),
        agent: head.agent,
    };
    app.life.brought.keep(person.name, held, app.clock.now().mono);
    Ok(Answered(brought))
}

/// Body of [`restore`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Restore {
    /// One's own password on this box.
    pub(in crate::http) password: String,
    /// The backup's passphrase.
    pub(super) passphrase: String,
}

/// Puts the backup that was brought in place of everything the server keeps, and starts the server again. From then on
/// the backup's users and passwords count. One with the agent's part needs the agent; one without leaves alone what the agent has.
#[utoipa::path(post, path = "/restore", operation_id = "restore", tag = "box", request_body = Restore,
    responses((status = 202, description = "The server starts again with the backup's state"), LoggedIn, Body, Tries, Both,
        (status = 403, description = "`password-wrong`, `backup-closed`"),
        (status = 409, description = "`nothing-brought`, `jobs-running`"), (status = 422, description = "`bad-backup`")))]
pub(super) async fn restore(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<Restore>,
) -> Result<StatusCode, Refusal> {
    let seat = seat(&app)?;
    let alone = may_put_back(&app, &person, form.password).await?;
    let Some(held) = app.life.brought.of(&person.name, app.clock.now().mono) else {
        let problem = Refusal::new("nothing-brought", 409, "There is no backup to put back");
        return Err(problem.with("PUT the file first; it waits for an hour"));
    };
    put_back(&app, person, held, form.passphrase, (seat, alone)).await
}

/// Lays a backup down for the next start, and orders that start, whatever becomes of the request. To be called after
/// [`may_put_back`], with what that gave and the [`seat`].
pub(super) async fn put_back(
    app: &Arc<App>,
    person: Person,
    held: Held,
    passphrase: String,
    (seat, alone): (Seat, Alone),
) -> Result<StatusCode, Refusal> {
    let app = Arc::clone(app);
    to_its_end(async move {
        let of_agent = arm(&app, &person, held, passphrase).await?;
        // Nothing else can be laid down before the server starts again.
        let _first = app.life.laid_down.set(alone);
        // Written over for seconds perhaps, which neither the answer nor the start waits for; nobody else sits down meanwhile.
        tokio::task::spawn_blocking(move || drop((of_agent, seat)));
        Ok(StatusCode::ACCEPTED)
    })
    .await
}

/// Lays a backup down, tells it and orders the start; gives what the agent has taken, in clear.
async fn arm(app: &Arc<App>, person: &Person, held: Held, passphrase: String) -> Result<Held, Refusal> {
    let dir = app.life.data.clone();
    let opened = blocking(move || backup::open(&held, &passphrase, &dir)).await??;
    let head = opened.head.clone();
    // The agent may have begun meanwhile what it was asked for before.
    nothing_runs(app)?;
    if app.hub(crate::hub::Hub::has_agent) && head.agent {
        let handed = backup::agent::hand_over(app, &opened.of_agent, &person.name).await;
        if let Err(why) = handed {
            // Its rows are written over, which nobody else has to wait for.
            blocking(move || drop(opened)).await?;
            return Err(why.into());
        }
    }
    let of_agent = blocking(move || opened.lay_down()).await??;
    let message = format!(
        "{} put back the backup of {} of {}",
        person.name,
        head.name,
        day(head.made)
    );
    app.record_done(
        NewEvent::new("box.restoring", Severity::Warning, message, json!({})),
        &person.name,
    )
    .await;
    app.life.restart.notify_one();
    app.life.brought.drop_it();
    Ok(of_agent)
}
