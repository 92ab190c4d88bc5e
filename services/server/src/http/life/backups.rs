//! The backups that the box keeps, at the paths of existing Vigil clients.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use multer::{Constraints, Multipart, SizeLimit};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use wire::Time;
use wire::event::{NewEvent, Severity};

use super::arriving::{ARRIVAL, Arriving, announced, broke_off, seat, slow, stopped};
use super::backup::{MakeBackup, sealed};
use super::file::held_file;
use super::restore::{Restore, may_put_back, put_back};
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Body, Both, LoggedIn, Stored, Tries};
use crate::http::door::arrival::{Stopped, steadily};
use crate::http::door::body::Json;
use crate::http::people::person::Person;
use crate::http::task::blocking;
use crate::life::backup::Held;
use crate::life::backup::shelf::{Kept, Shelf};

/// Longest password or passphrase in a form, in bytes.
const WORD_MAX: u64 = 4096;

/// A backup that the box keeps.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeptBackup {
    /// Its name.
    filename: String,
    /// Its size.
    size_bytes: u64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

impl From<Kept> for KeptBackup {
    fn from(kept: Kept) -> Self {
        Self {
            filename: kept.filename,
            size_bytes: kept.bytes,
            created_at: kept.made,
        }
    }
}

/// A backup was taken away.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BackupDeleted {
    /// `deleted`.
    status: &'static str,
}

fn unknown(name: &str) -> Refusal {
    let shown: String = name.chars().take(80).collect();
    Refusal::new("backup-unknown", 404, "There is no such backup")
        .with(format!("{shown:?}; GET /api/backups lists them"))
}

/// Makes a backup that stays on the box, encrypted as one that is taken away; seven are kept, the oldest give way.
#[utoipa::path(post, path = "/api/backup", operation_id = "vigil_backup", tag = "box", request_body = MakeBackup,
    responses((status = 200, body = KeptBackup), LoggedIn, Body, Tries, Both,
        (status = 403, description = "`password-wrong`"), (status = 422, description = "`bad-passphrase`")))]
pub(super) async fn make(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<MakeBackup>,
) -> Result<Answered<KeptBackup>, Refusal> {
    let _seat = seat(&app)?;
    let made = sealed(&app, &person, form).await?;
    let (shelf, now) = (Shelf::below(&app.life.data), app.clock.now().wall);
    let kept = blocking(move || shelf.put(&made, now)).await??;
    Ok(Answered(kept.into()))
}

/// The backups that the box keeps, the newest first.
#[utoipa::path(get, path = "/api/backups", operation_id = "vigil_backups", tag = "box", responses((status = 200, body = Vec<KeptBackup>), LoggedIn, Stored))]
pub(super) async fn list(State(app): State<Arc<App>>, _: Person) -> Result<Answered<Vec<KeptBackup>>, Refusal> {
    let shelf = Shelf::below(&app.life.data);
    let all = blocking(move || shelf.list()).await??;
    Ok(Answered(all.into_iter().map(KeptBackup::from).collect()))
}

/// A backup as a file.
#[utoipa::path(get, path = "/api/backups/{filename}/download", operation_id = "vigil_backup_download", tag = "box", params(("filename" = String, Path, description = "Its name")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), LoggedIn, Stored,
        (status = 404, description = "`backup-unknown`")))]
pub(super) async fn download(
    State(app): State<Arc<App>>,
    _: Person,
    Path(filename): Path<String>,
) -> Result<Response, Refusal> {
    let (shelf, name) = (Shelf::below(&app.life.data), filename.clone());
    let held = blocking(move || shelf.read(&name)).await??;
    Ok(held_file(&filename, &held.ok_or_else(|| unknown(&filename))?))
}

/// Takes a backup away.
#[utoipa::path(delete, path = "/api/backups/{filename}", operation_id = "vigil_backup_remove", tag = "box", params(("filename" = String, Path, description = "Its name")),
    responses((status = 200, body = BackupDeleted), LoggedIn, Stored,
        (status = 404, description = "`backup-unknown`")))]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    person: Person,
    Path(filename): Path<String>,
) -> Result<Answered<BackupDeleted>, Refusal> {
    let (shelf, name) = (Shelf::below(&app.life.data), filename.clone());
    if !blocking(move || shelf.remove(&name)).await?? {
        return Err(unknown(&filename));
    }
    let message = format!("{} took away the backup {filename}", person.name);
    app.record_done(
        NewEvent::new(
            "box.backup_removed",
            Severity::Info,
            message,
            json!({ "filename": filename }),
        ),
        &person.name,
    )
    .await;
    Ok(Answered(BackupDeleted { status: "deleted" }))
}

/// Puts a kept backup in place of everything the server keeps, as `POST /api/v1/restore` does with one that was brought.
#[utoipa::path(post, path = "/api/backups/{filename}/restore", operation_id = "vigil_backup_restore", tag = "box", request_body = Restore, params(("filename" = String, Path, description = "Its name")),
    responses((status = 202, description = "The server starts again with the backup's state"), LoggedIn, Body, Tries, Both,
        (status = 403, description = "`password-wrong`, `backup-closed`"),
        (status = 404, description = "`backup-unknown`"),
        (status = 409, description = "`jobs-running`"), (status = 422, description = "`bad-backup`")))]
pub(super) async fn restore(
    State(app): State<Arc<App>>,
    person: Person,
    Path(filename): Path<String>,
    Json(form): Json<Restore>,
) -> Result<StatusCode, Refusal> {
    let seat = seat(&app)?;
    let alone = may_put_back(&app, &person, form.password).await?;
    let (shelf, name) = (Shelf::below(&app.life.data), filename.clone());
    let held = blocking(move || shelf.read(&name)).await??;
    let held = held.ok_or_else(|| unknown(&filename))?;
    put_back(&app, person, held, form.passphrase, (seat, alone)).await
}

/// A form as a browser sends it, with a backup that somebody kept elsewhere.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands for its schema; the body is read as a form")]
pub(super) struct BroughtForm {
    /// The file.
    #[schema(value_type = String, format = Binary)]
    backup: Vec<u8>,
    /// One's own password on this box.
    password: String,
    /// The backup's passphrase.
    passphrase: String,
}

/// Puts a backup that comes with the request in place of everything the server keeps, as `POST /api/v1/restore` does.
#[utoipa::path(post, path = "/api/backups/restore", operation_id = "vigil_backup_restore_brought", tag = "box",
    request_body(content = BroughtForm, content_type = "multipart/form-data"),
    responses((status = 202, description = "The server starts again with the backup's state"), LoggedIn, Tries, Both,
        (status = 400, description = "`bad-body`: the body broke off; `bad-form`: it is no such form"),
        (status = 403, description = "`password-wrong`, `backup-closed`"),
        (status = 408, description = "`slow`"),
        (status = 409, description = "`jobs-running`"),
        (status = 413, description = "`too-long`"),
        (status = 415, description = "`not-form`: Content-Type is not multipart/form-data"),
        (status = 422, description = "`bad-form`: a field is missing; `bad-backup`"),
        (status = 507, description = "`no-room`: the medium has less free than the backup takes")))]
pub(super) async fn restore_brought(
    State(app): State<Arc<App>>,
    person: Person,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let seat = seat(&app)?;
    let (file, mut fields) = brought(&app, request).await?;
    let mut field = |name: &str, what: &str| fields.remove(name).ok_or_else(|| missing(name, what));
    let text = |name: &str, what: &str, bytes: Bytes| {
        String::from_utf8(bytes.into())
            .map_err(|_| Refusal::new("bad-form", 422, "A field is no text").with(format!("{name}: expected {what}")))
    };
    let file = file.ok_or_else(|| missing("backup", "the file"))?;
    let (own, sealed_with) = (
        "your own password on this box, as text",
        "what the backup is encrypted with, as text",
    );
    let password = text("password", own, field("password", own)?)?;
    let passphrase = text("passphrase", sealed_with, field("passphrase", sealed_with)?)?;
    let alone = may_put_back(&app, &person, password).await?;
    put_back(&app, person, file, passphrase, (seat, alone)).await
}

fn missing(name: &str, what: &str) -> Refusal {
    Refusal::new("bad-form", 422, "A field is missing").with(format!("{name}: expected {what}"))
}

/// The file and the other fields of a form that brings a backup, by name; of two with one name the later one.
async fn brought(app: &App, request: Request) -> Result<(Option<Held>, BTreeMap<String, Bytes>), Refusal> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let boundary = multer::parse_boundary(kind.unwrap_or("")).map_err(|error| {
        Refusal::new("not-form", 415, "The body must be a form").with(format!("expected multipart/form-data: {error}"))
    })?;
    let words = SizeLimit::new()
        .for_field("password", WORD_MAX)
        .for_field("passphrase", WORD_MAX);
    let limits = Constraints::new()
        .allowed_fields(vec!["backup", "password", "passphrase"])
        .size_limit(words);
    // The few bytes of the form beside the file are of no weight.
    drop(Arriving::new(app, announced(&request))?);
    let mut form = Multipart::with_constraints(steadily(request.into_body()), boundary, limits);
    let read = async {
        let (mut file, mut fields) = (None, BTreeMap::new());
        while let Some(mut field) = form.next_field().await.map_err(odd)? {
            let name = field.name().unwrap_or_default().to_owned();
            if name == "backup" {
                // The one before gives its room back first.
                drop(file.take());
                let mut arriving = Arriving::new(app, None)?;
                while let Some(bytes) = field.chunk().await.map_err(odd)? {
                    arriving = arriving.push(&bytes).await?;
                }
                file = Some(arriving.finish().await?);
            } else {
                fields.insert(name, field.bytes().await.map_err(odd)?);
            }
        }
        Ok((file, fields))
    };
    let late = |_| slow(format!("it takes more than {} s", ARRIVAL.as_secs()));
    tokio::time::timeout(ARRIVAL, read).await.map_err(late)?
}

/// Why a form was not read.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else is wrong with a form, its own words say it"
)]
fn odd(error: multer::Error) -> Refusal {
    match error {
        multer::Error::FieldSizeExceeded { limit, field_name } => {
            let name = field_name.unwrap_or_default();
            Refusal::new("too-long", 413, "A field is too long").with(format!("{name}: at most {limit} bytes"))
        }
        multer::Error::StreamReadFailed(error) => match error.downcast::<Stopped>() {
            Ok(why) => stopped(*why, None),
            Err(error) => broke_off(&error),
        },
        error => Refusal::new("bad-form", 400, "The body is no such form").with(error.to_string()),
    }
}
