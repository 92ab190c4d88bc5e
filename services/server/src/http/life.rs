//! Backup, restore, factory reset: each asks for the password once more. Power, the certificate for TLS, the debug bundle.

use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::body::Body as AnswerBody;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answered};
use futures_util::StreamExt;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::OwnedMutexGuard;
use utoipa::ToSchema;
use wire::Time;
use wire::event::{NewEvent, Severity};
use wire::supervisor::Request as Order;

use super::Refusal;
use super::arrival::{Stopped, steadily};
use super::body::Json;
use super::doc::{Body, Both, LoggedIn, Stored, Supervised, Tries};
use super::people::check_own;
use super::person::Person;
use crate::app::App;
use crate::hub::Presence;
use crate::life::backup::{self, Full, Head, Held, Spool};
use crate::life::debug::Seen;
use crate::tables::SCHEMA;
use crate::tls::Way;

/// Longest time for a backup to arrive, from who goes on sending: the longest one by a line of a megabit and a half.
pub(super) const ARRIVAL: Duration = Duration::from_secs(3600);

/// Bytes of a backup that go to or come from the medium in one go.
const PIECE: usize = 256 << 10;

pub(super) fn file(name: &str, kind: &'static str, bytes: Vec<u8>) -> Response {
    // Names are of letters, digits and hyphens; see `plain`.
    let disposition = format!("attachment; filename=\"{name}\"");
    (
        [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)],
        bytes,
    )
        .into_response()
}

/// A backup as a file, read as it leaves.
pub(super) fn held_file(name: &str, held: &Held) -> Response {
    let pieces = futures_util::stream::unfold(Some(held.reader()), async |reader| {
        let mut reader = reader?;
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = Vec::with_capacity(PIECE);
            let read = (&mut reader).take(PIECE as u64).read_to_end(&mut piece);
            read.map(|_| (piece, reader))
        });
        match read.await.map_err(std::io::Error::other).and_then(|read| read) {
            Ok((piece, reader)) => (!piece.is_empty()).then_some((Ok(piece), Some(reader))),
            Err(error) => Some((Err(error), None)),
        }
    });
    let mut answer = file(name, "application/octet-stream", Vec::new());
    answer.headers_mut().insert(CONTENT_LENGTH, held.len().into());
    *answer.body_mut() = AnswerBody::from_stream(pieces);
    answer
}

/// The box's name as part of a file's name.
fn plain(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' })
        .collect();
    if plain.is_empty() { "box".to_owned() } else { plain }
}

fn day(now: Time) -> String {
    now.strftime("%Y-%m-%d").to_string()
}

pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Refusal::new("internal", 500, "It was not done"))
}

/// Does it whatever becomes of the request: who goes away midway must leave nothing half done.
pub(super) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::spawn(work)
        .await
        .map_err(|_| Refusal::new("internal", 500, "It was not done"))?
}

impl From<backup::agent::Failed> for Refusal {
    fn from(failed: backup::agent::Failed) -> Self {
        match failed {
            backup::agent::Failed::Agent(problem) => problem.into(),
            backup::agent::Failed::Here(error) => error.into(),
        }
    }
}

impl From<backup::Error> for Refusal {
    fn from(error: backup::Error) -> Self {
        use backup::{Error, seal};
        match error {
            Error::Store(error) => error.into(),
            Error::Seal(error @ seal::Error::Passphrase) => {
                Self::new("bad-passphrase", 422, "This cannot be a backup's passphrase")
                    .with(format!("passphrase: {error}"))
            }
            Error::Seal(error @ (seal::Error::Opened | seal::Error::Changed { .. })) => {
                Self::new("backup-closed", 403, "The backup was not opened").with(error.to_string())
            }
            error @ (Error::Seal(_)
            | Error::Schema { .. }
            | Error::Table { .. }
            | Error::Damaged { .. }
            | Error::Rows(_)) => {
                Self::new("bad-backup", 422, "This is no backup that can be put back").with(error.to_string())
            }
            Error::Full(full @ Full::TooLong { .. }) => {
                Self::new("too-long", 413, "The backup is too long").with(full.to_string())
            }
            Error::Full(full @ (Full::NoRoom { .. } | Full::Share { .. })) => {
                Self::new("no-room", 507, "The medium has no room for the backup").with(full.to_string())
            }
            Error::File(path, error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                Self::new("no-room", 507, "The medium has no room for the backup")
                    .with(format!("{}: {error}", path.display()))
            }
            Error::File(..) | Error::Waits(..) | Error::Ended => {
                Self::new("store", 503, "The medium failed").with(error.to_string())
            }
        }
    }
}

/// Body of [`make`].
#[derive(Debug, Deserialize, ToSchema)]
pub struct MakeBackup {
    /// One's own password: a backup holds everybody's hashes.
    pub(super) password: String,
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
    app.record_way_out(
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
pub async fn make(
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

/// Held by who makes, brings or puts back a backup.
pub(super) type Seat = OwnedMutexGuard<()>;

/// The one seat for who makes, brings or puts back a backup: each may take as much of the medium as a backup has, and what is
/// laid down for the next start has one place.
pub(super) fn seat(app: &App) -> Result<Seat, Refusal> {
    Arc::clone(&app.life.bringing).try_lock_owned().map_err(|_| {
        Refusal::new("busy", 503, "Another backup is just being made, brought or put back")
            .with("try again in a moment")
    })
}

/// A backup as it arrives, at most so long as one can be.
pub(super) struct Arriving {
    spool: Spool,
    dir: PathBuf,
    /// What has come and was not written yet.
    piece: Vec<u8>,
}

impl Arriving {
    /// From its first byte on, where so many are announced.
    pub(super) fn new(app: &App, announced: Option<u64>) -> Result<Self, Refusal> {
        let dir = app.life.data.clone();
        let spool = Spool::new(&dir, backup::BYTES_MAX).map_err(backup::Error::of(&dir))?;
        if let Some(announced) = announced {
            spool.expect(announced).map_err(backup::Error::from)?;
        }
        let piece = Vec::new();
        Ok(Self { spool, dir, piece })
    }

    /// Takes more.
    pub(super) async fn push(mut self, bytes: &[u8]) -> Result<Self, Refusal> {
        self.piece.extend_from_slice(bytes);
        match self.piece.len() < PIECE {
            true => Ok(self),
            false => self.write().await,
        }
    }

    async fn write(mut self) -> Result<Self, Refusal> {
        blocking(move || {
            let written = self.spool.write_all(&self.piece);
            written.map_err(backup::Error::of(&self.dir))?;
            self.piece.clear();
            Ok(self)
        })
        .await?
    }

    /// No more comes.
    pub(super) async fn finish(self) -> Result<Held, Refusal> {
        Ok(self.write().await?.spool.finish())
    }
}

/// How long what is sent of a refused backup is read on: who sends all of it before reading would not hear the refusal else.
const LINGER: Duration = Duration::from_secs(10);

/// Silence after which nothing more is sent.
const LINGERS: Duration = Duration::from_millis(500);

/// A backup that is a request's body.
async fn arrived(app: &App, request: Request) -> Result<Held, Refusal> {
    let announced = request.headers().get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    let mut body = std::pin::pin!(steadily(request.into_body()));
    let read = async {
        let mut arriving = Arriving::new(app, announced)?;
        let mut came = 0;
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|why| stopped(why, announced.map(|all| (came, all))))?;
            came += bytes.len() as u64;
            arriving = arriving.push(&bytes).await?;
        }
        arriving.finish().await
    };
    let late = |_| slow(format!("it takes more than {} s", ARRIVAL.as_secs()));
    let arrived = tokio::time::timeout(ARRIVAL, read).await.map_err(late).flatten();
    if arrived.is_err() {
        let rest = async { while let Ok(Some(Ok(_))) = tokio::time::timeout(LINGERS, body.next()).await {} };
        let _enough = tokio::time::timeout(LINGER, rest).await;
    }
    arrived
}

/// Why no more of a backup came.
pub(super) fn stopped(why: Stopped, at: Option<(u64, u64)>) -> Refusal {
    match (why, at) {
        (Stopped::Slow(why), _) => slow(why),
        (Stopped::Broken(error), None) => broke_off(&error),
        (Stopped::Broken(error), Some((came, all))) => broke_off(&format!("after {came} of {all} bytes: {error}")),
    }
}

pub(super) fn broke_off(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new("bad-body", 400, "The body broke off").with(error.to_string())
}

pub(super) fn slow(why: String) -> Refusal {
    Refusal::new("slow", 408, "The backup did not arrive in time").with(why)
}

/// What every road that puts a backup back begins with: one's own password, and no drive under test.
pub(super) async fn may_put_back(app: &App, person: &Person, password: String) -> Result<(), Refusal> {
    check_own(app, person, password).await?;
    nothing_runs(app)
}

/// What a backup says of itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct Brought {
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

/// Brings a backup; nothing of it is used before its passphrase comes with `POST /restore`.
#[utoipa::path(put, path = "/restore", operation_id = "restore_bring", tag = "box",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Brought), LoggedIn,
        (status = 400, description = "`bad-body`"),
        (status = 408, description = "`slow`"),
        (status = 413, description = "`too-long`"),
        (status = 422, description = "`bad-backup`"),
        (status = 507, description = "`no-room`: the medium has less free than the backup takes"),
        (status = 503, description = "`busy`: another backup is being made, brought or put back")))]
pub async fn bring(
    State(app): State<Arc<App>>,
    person: Person,
    request: Request,
) -> Result<Answered<Brought>, Refusal> {
    let _seat = seat(&app)?;
    *app.life.brought.lock().unwrap_or_else(PoisonError::into_inner) = None;
    let held = arrived(&app, request).await?;
    let head = backup::look(&held)?;
    let brought = Brought {
        name: head.name,
        made: head.made,
        version: head.version,
        bytes: held.len(),
        agent: head.agent,
    };
    *app.life.brought.lock().unwrap_or_else(PoisonError::into_inner) = Some((person.name, held));
    Ok(Answered(brought))
}

/// Body of [`restore`].
#[derive(Debug, Deserialize, ToSchema)]
pub struct Restore {
    /// One's own password on this box.
    pub(super) password: String,
    /// The backup's passphrase.
    pub(super) passphrase: String,
}

/// Puts the backup that was brought in place of everything the server keeps, and starts the server again. From then on
/// the backup's users and passwords count. One with the agent's part needs the agent; one without leaves alone what the agent has.
#[utoipa::path(post, path = "/restore", operation_id = "restore", tag = "box", request_body = Restore,
    responses((status = 202, description = "The server starts again with the backup's state"), LoggedIn, Body, Tries, Both,
        (status = 403, description = "`password-wrong`, `backup-closed`"),
        (status = 409, description = "`nothing-brought`, `jobs-running`"), (status = 422, description = "`bad-backup`")))]
pub async fn restore(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<Restore>,
) -> Result<StatusCode, Refusal> {
    let seat = seat(&app)?;
    may_put_back(&app, &person, form.password).await?;
    let brought = app.life.brought.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some((_, held)) = brought.filter(|(whose, _)| *whose == person.name) else {
        return Err(Refusal::new("nothing-brought", 409, "There is no backup to put back").with("PUT the file first"));
    };
    put_back(&app, person, held, form.passphrase, seat).await
}

/// Lays a backup down for the next start, and orders that start, whatever becomes of the request. To be called after
/// [`may_put_back`], with the [`seat`].
pub(super) async fn put_back(
    app: &Arc<App>,
    person: Person,
    held: Held,
    passphrase: String,
    seat: Seat,
) -> Result<StatusCode, Refusal> {
    let app = Arc::clone(app);
    to_its_end(async move {
        let of_agent = arm(&app, &person, held, passphrase).await?;
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
    app.record_way_out(
        NewEvent::new("box.restoring", Severity::Warning, message, json!({})),
        &person.name,
    )
    .await;
    app.life.restart.notify_one();
    *app.life.brought.lock().unwrap_or_else(PoisonError::into_inner) = None;
    Ok(of_agent)
}

/// Refuses while a drive is being tested. Jobs of an agent that does not run stand still, and keep nobody from a way out.
pub(super) fn nothing_runs(app: &App) -> Result<(), Refusal> {
    let now = app.clock.now();
    let (running, agent) = app.hub(|hub| (hub.testing(now), hub.presence(now)));
    if running == 0 {
        return Ok(());
    }
    let way_out = match agent {
        Some(Presence::Here) | None => "wait for them or abort them",
        Some(Presence::Restarting | Presence::Silent | Presence::Down) => {
            "their agent is not connected and may be at them all the same: wait for it, or restart the box"
        }
    };
    Err(Refusal::new("jobs-running", 409, "Drives are being tested").with(format!("{running} jobs; {way_out}")))
}

/// Body of [`reset`].
#[derive(Debug, Deserialize, ToSchema)]
pub struct Reset {
    /// One's own password.
    password: String,
    /// The box's name, typed by hand.
    confirm: String,
}

/// Factory reset: the box reboots and forgets everything; the drives under test are left alone. Jobs that stand still because the
/// agent does not run are forgotten unfinished.
#[utoipa::path(post, path = "/reset", operation_id = "factory_reset", tag = "box", request_body = Reset,
    responses((status = 202, description = "The box marks its medium and reboots; where the medium does not take the mark, a banner says so and it does not"), LoggedIn, Body, Tries, Supervised,
        (status = 403, description = "`password-wrong`"),
        (status = 409, description = "`jobs-running`"), (status = 422, description = "`not-confirmed`")))]
pub async fn reset(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<Reset>,
) -> Result<StatusCode, Refusal> {
    let name = app.hub(|hub| hub.name().to_owned());
    confirmed(&form.confirm, &name)?;
    check_own(&app, &person, form.password).await?;
    nothing_runs(&app)?;
    supervised(&app, "Nothing here can reset this box")?;
    let unfinished = app.hub(|hub| hub.open_jobs().count());
    let with = match unfinished {
        0 => String::new(),
        count => format!("; {count} burn-ins that stand still are forgotten with it"),
    };
    let message = format!("{} ordered a factory reset{with}", person.name);
    let data = json!({ "unfinished": unfinished });
    app.record_way_out(
        NewEvent::new("box.reset", Severity::Warning, message, data),
        &person.name,
    )
    .await;
    order(&app, Order::Reset {})?;
    Ok(StatusCode::ACCEPTED)
}

fn confirmed(typed: &str, name: &str) -> Result<(), Refusal> {
    match typed.trim() == name {
        true => Ok(()),
        false => {
            Err(Refusal::new("not-confirmed", 422, "Type the box's name to confirm").with(format!("confirm: {name:?}")))
        }
    }
}

fn supervised(app: &App, title: &str) -> Result<(), Refusal> {
    match app.hub(crate::hub::Hub::is_supervised) {
        true => Ok(()),
        false => Err(Refusal::new("no-supervisor", 503, title).with("it is not run by Kiln's supervisor")),
    }
}

fn order(app: &App, order: Order) -> Result<(), Refusal> {
    let busy = |_| Refusal::new("busy", 503, "The supervisor does not listen").with("try again");
    app.life.orders.try_send(order).map_err(busy)
}

/// Body of [`power_off`].
#[derive(Debug, Deserialize, ToSchema)]
pub struct PowerOff {
    /// The box's name, typed by hand: nobody switches it on again from afar.
    confirm: String,
    /// Also while drives are being tested: each job writes down where it is and goes on after the next start.
    #[serde(default)]
    while_testing: bool,
}

/// Switches the box off, in order.
#[utoipa::path(post, path = "/power-off", operation_id = "power_off", tag = "box", request_body = PowerOff,
    responses((status = 202, description = "The box switches itself off"), LoggedIn, Body, Supervised,
        (status = 409, description = "`jobs-running`: say `while_testing` if they shall wait for the next start"),
        (status = 422, description = "`not-confirmed`")))]
pub async fn power_off(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<PowerOff>,
) -> Result<StatusCode, Refusal> {
    confirmed(&form.confirm, &app.hub(|hub| hub.name().to_owned()))?;
    if !form.while_testing {
        nothing_runs(&app)?;
    }
    supervised(&app, "Nothing here can switch this box off")?;
    let message = format!("{} switched the box off", person.name);
    let data = json!({ "while_testing": form.while_testing });
    app.record_way_out(
        NewEvent::new("box.power_off", Severity::Warning, message, data),
        &person.name,
    )
    .await;
    let why = format!("power-off, asked for by {}", person.name);
    order(&app, Order::PowerOff { why })?;
    Ok(StatusCode::ACCEPTED)
}

/// The box's certificate for TLS, which nobody but its own screen vouches for.
#[derive(Debug, Serialize, ToSchema)]
pub struct TlsView {
    /// SHA-256: 32 hexadecimal pairs with colons, as browsers show it.
    fingerprint: String,
    /// From when it holds.
    #[schema(value_type = String, format = DateTime)]
    begins: Time,
    /// Until when; 30 days before that the box makes a new one for the same key.
    #[schema(value_type = String, format = DateTime)]
    ends: Time,
    /// Whether this very request came by TLS.
    by_tls: bool,
}

/// The certificate that the box shows on its HTTPS ports.
#[utoipa::path(get, path = "/tls", operation_id = "tls", tag = "box",
    responses((status = 200, body = TlsView), LoggedIn,
        (status = 404, description = "`no-tls`: this server speaks no TLS")))]
pub async fn tls(
    State(app): State<Arc<App>>,
    Extension(way): Extension<Way>,
    _: Person,
) -> Result<Answered<TlsView>, Refusal> {
    let shown = app.life.certificate.get();
    let shown = shown.ok_or_else(|| Refusal::new("no-tls", 404, "This server speaks no TLS"))?;
    Ok(Answered(TlsView {
        fingerprint: shown.fingerprint.clone(),
        begins: shown.begins,
        ends: shown.ends,
        by_tls: way == Way::Tls,
    }))
}

/// What somebody who helps needs to see of this box, as `.tar.gz`, without passwords, tokens and keys.
#[utoipa::path(get, path = "/debug-bundle", operation_id = "debug_bundle", tag = "box",
    responses((status = 200, body = Vec<u8>, content_type = "application/gzip"), LoggedIn, Stored))]
pub async fn debug_bundle(State(app): State<Arc<App>>, person: Person) -> Result<Response, Refusal> {
    let now = app.clock.now().wall;
    let name = plain(&app.hub(|hub| hub.name().to_owned()));
    let seen = Seen::of(&app)?;
    let made = u64::try_from(now.as_second()).unwrap_or(0);
    let inside = name.clone();
    let packed = blocking(move || seen.pack(&inside, made)).await?;
    let packed =
        packed.map_err(|error| Refusal::new("internal", 500, "The archive was not made").with(error.to_string()))?;
    let message = format!("{} took a debug bundle", person.name);
    app.record_way_out(
        NewEvent::new("box.debug_bundle", Severity::Info, message, json!({})),
        &person.name,
    )
    .await;
    Ok(file(
        &format!("kiln-debug-{name}-{}.tar.gz", day(now)),
        "application/gzip",
        packed,
    ))
}
