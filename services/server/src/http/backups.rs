//! The backups that the box keeps, at the paths of existing Vigil clients.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::{Extension, Json as Answered};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use multer::{Constraints, Multipart, SizeLimit};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use wire::Time;
use wire::event::Severity;

use super::act::act;
use super::arrival::{Stopped, steadily};
use super::body::Json;
use super::doc::{Body, Both, LoggedIn, Stored, Tries};
use super::life::{
    ARRIVAL, BACKUP_MAX, MakeBackup, Restore, blocking, broke_off, file, may_put_back, put_back, sealed, seat, slow,
    stopped, too_long,
};
use super::person::Person;
use super::{Peer, Refusal};
use crate::app::App;
use crate::life::backup::shelf::{Kept, Shelf};

/// A backup that the box keeps.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeptBackup {
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
pub struct BackupDeleted {
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
        (status = 403, description = "`password-wrong`", body = wire::Problem, content_type = "application/problem+json"), (status = 422, description = "`bad-passphrase`", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn make(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    person: Person,
    Json(form): Json<MakeBackup>,
) -> Result<Answered<KeptBackup>, Refusal> {
    let _seat = seat(&app)?;
    let bytes = sealed(&app, peer, &person, form).await?;
    let (shelf, now) = (Shelf::below(&app.life.data), app.clock.now().wall);
    let kept = blocking(move || shelf.put(&bytes, now)).await??;
    Ok(Answered(kept.into()))
}

/// The backups that the box keeps, the newest first.
#[utoipa::path(get, path = "/api/backups", operation_id = "vigil_backups", tag = "box", responses((status = 200, body = Vec<KeptBackup>), LoggedIn, Stored))]
pub async fn list(State(app): State<Arc<App>>, _: Person) -> Result<Answered<Vec<KeptBackup>>, Refusal> {
    let shelf = Shelf::below(&app.life.data);
    let all = blocking(move || shelf.list()).await??;
    Ok(Answered(all.into_iter().map(KeptBackup::from).collect()))
}

/// A backup as a file.
#[utoipa::path(get, path = "/api/backups/{filename}/download", operation_id = "vigil_backup_download", tag = "box", params(("filename" = String, Path, description = "Its name")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), LoggedIn, Stored,
        (status = 404, description = "`backup-unknown`", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn download(
    State(app): State<Arc<App>>,
    _: Person,
    Path(filename): Path<String>,
) -> Result<Response, Refusal> {
    let (shelf, name) = (Shelf::below(&app.life.data), filename.clone());
    let bytes = blocking(move || shelf.read(&name)).await??;
    let bytes = bytes.ok_or_else(|| unknown(&filename))?;
    Ok(file(&filename, "application/octet-stream", bytes))
}

/// Takes a backup away.
#[utoipa::path(delete, path = "/api/backups/{filename}", operation_id = "vigil_backup_remove", tag = "box", params(("filename" = String, Path, description = "Its name")),
    responses((status = 200, body = BackupDeleted), LoggedIn, Stored,
        (status = 404, description = "`backup-unknown`", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn remove(
    State(app): State<Arc<App>>,
    person: Person,
    Path(filename): Path<String>,
) -> Result<Answered<BackupDeleted>, Refusal> {
    let (shelf, name) = (Shelf::below(&app.life.data), filename.clone());
    if !blocking(move || shelf.remove(&name)).await?? {
        return Err(unknown(&filename));
    }
    let message = format!("{} took away the backup {filename}", person.name);
    app.record_act(
        act(
            "box.backup_removed",
            Severity::Info,
            message,
            json!({ "filename": filename }),
        ),
        &person.name,
    )
    .await?;
    Ok(Answered(BackupDeleted { status: "deleted" }))
}

/// Puts a kept backup in place of everything the server keeps, as `POST /api/v1/restore` does with one that was brought.
#[utoipa::path(post, path = "/api/backups/{filename}/restore", operation_id = "vigil_backup_restore", tag = "box", request_body = Restore, params(("filename" = String, Path, description = "Its name")),
    responses((status = 202, description = "The server starts again with the backup's state"), LoggedIn, Body, Tries, Both,
        (status = 403, description = "`password-wrong`, `backup-closed`", body = wire::Problem, content_type = "application/problem+json"),
        (status = 404, description = "`backup-unknown`", body = wire::Problem, content_type = "application/problem+json"),
        (status = 409, description = "`jobs-running`", body = wire::Problem, content_type = "application/problem+json"), (status = 422, description = "`bad-backup`", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn restore(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    person: Person,
    Path(filename): Path<String>,
    Json(form): Json<Restore>,
) -> Result<StatusCode, Refusal> {
    let _seat = seat(&app)?;
    may_put_back(&app, peer, &person, form.password).await?;
    let (shelf, name) = (Shelf::below(&app.life.data), filename.clone());
    let bytes = blocking(move || shelf.read(&name)).await??;
    let bytes = bytes.ok_or_else(|| unknown(&filename))?;
    put_back(&app, &person, bytes, form.passphrase).await
}

/// A form as a browser sends it, with a backup that somebody kept elsewhere.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands for its schema; the body is read as a form")]
pub struct BroughtForm {
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
        (status = 400, description = "`bad-body`: the body broke off; `bad-form`: it is no such form", body = wire::Problem, content_type = "application/problem+json"),
        (status = 403, description = "`password-wrong`, `backup-closed`", body = wire::Problem, content_type = "application/problem+json"),
        (status = 408, description = "`slow`", body = wire::Problem, content_type = "application/problem+json"),
        (status = 409, description = "`jobs-running`", body = wire::Problem, content_type = "application/problem+json"),
        (status = 413, description = "`too-long`", body = wire::Problem, content_type = "application/problem+json"),
        (status = 415, description = "`not-form`: Content-Type is not multipart/form-data", body = wire::Problem, content_type = "application/problem+json"),
        (status = 422, description = "`bad-form`: a field is missing; `bad-backup`", body = wire::Problem, content_type = "application/problem+json")))]
pub async fn restore_brought(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    person: Person,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let _seat = seat(&app)?;
    let mut fields = brought(request).await?;
    let mut field = |name: &str, what: &str| {
        fields
            .remove(name)
            .ok_or_else(|| Refusal::new("bad-form", 422, "A field is missing").with(format!("{name}: expected {what}")))
    };
    let text = |name: &str, what: &str, bytes: Bytes| {
        String::from_utf8(bytes.into())
            .map_err(|_| Refusal::new("bad-form", 422, "A field is no text").with(format!("{name}: expected {what}")))
    };
    let file = field("backup", "the file")?;
    let (own, sealed_with) = (
        "your own password on this box, as text",
        "what the backup is encrypted with, as text",
    );
    let password = text("password", own, field("password", own)?)?;
    let passphrase = text("passphrase", sealed_with, field("passphrase", sealed_with)?)?;
    may_put_back(&app, peer, &person, password).await?;
    put_back(&app, &person, file.into(), passphrase).await
}

/// The fields of a form that brings a backup, by name; of two with one name the later one.
async fn brought(request: Request) -> Result<BTreeMap<String, Bytes>, Refusal> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let boundary = multer::parse_boundary(kind.unwrap_or("")).map_err(|error| {
        Refusal::new("not-form", 415, "The body must be a form").with(format!("expected multipart/form-data: {error}"))
    })?;
    let limits = Constraints::new()
        .allowed_fields(vec!["backup", "password", "passphrase"])
        .size_limit(SizeLimit::new().whole_stream(BACKUP_MAX as u64));
    let mut form = Multipart::with_constraints(steadily(request.into_body()), boundary, limits);
    let read = async {
        let mut fields = BTreeMap::new();
        while let Some(field) = form.next_field().await? {
            let name = field.name().unwrap_or_default().to_owned();
            fields.insert(name, field.bytes().await?);
        }
        Ok(fields)
    };
    let late = |_| slow(format!("it takes more than {} s", ARRIVAL.as_secs()));
    let read = tokio::time::timeout(ARRIVAL, read).await.map_err(late)?;
    read.map_err(|error: multer::Error| match error {
        multer::Error::StreamSizeExceeded { .. } => too_long(),
        multer::Error::StreamReadFailed(error) => match error.downcast::<Stopped>() {
            Ok(why) => stopped(*why),
            Err(error) => broke_off(&error),
        },
        error => Refusal::new("bad-form", 400, "The body is no such form").with(error.to_string()),
    })
}
