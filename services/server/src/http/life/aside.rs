//! What was set aside beside the server's store: looked at, and removed for good by a person with a password.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use wire::event::{NewEvent, Severity};

use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, Stored, Tries};
use crate::http::door::body::Json;
use crate::http::people::account::check_own;
use crate::http::people::person::Person;
use crate::http::task::{blocking, to_its_end};

/// A store that was damaged, or records that could not be read.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SetAsideFile {
    /// Its name in the folder of the server's state.
    name: String,
    /// Its size in bytes.
    bytes: u64,
    /// What was wrong.
    why: String,
}

/// What was set aside beside the server's store, the oldest first. Of many the last and the largest stay.
#[utoipa::path(get, path = "/set-aside", operation_id = "set_aside", tag = "box", responses((status = 200, body = Vec<SetAsideFile>), LoggedIn))]
pub(super) async fn list(State(app): State<Arc<App>>, _: Person) -> Result<Answered<Vec<SetAsideFile>>, Refusal> {
    let dir = app.life.data.clone();
    let all = blocking(move || store::asides(&dir)).await?;
    let shown = |store::Aside { name, bytes, why }| SetAsideFile { name, bytes, why };
    Ok(Answered(all.into_iter().map(shown).collect()))
}

/// Body of [`remove`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct RemoveSetAside {
    /// One's own password: nothing brings them back.
    password: String,
}

/// Removes all of them, bytes and all, and takes their banners back.
#[utoipa::path(delete, path = "/set-aside", operation_id = "set_aside_remove", tag = "box", request_body = RemoveSetAside,
    responses((status = 204, description = "They are gone"), LoggedIn, Body, Tries, Stored,
        (status = 403, description = "`password-wrong`")))]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<RemoveSetAside>,
) -> Result<StatusCode, Refusal> {
    check_own(&app, &person, form.password).await?;
    // What is gone is told, also where the request has ended or not all of it went.
    to_its_end(async move {
        let dir = app.life.data.clone();
        let (count, cleared) = blocking(move || {
            let before = store::asides(&dir).len();
            let cleared = store::clear(&dir);
            (before.saturating_sub(store::asides(&dir).len()), cleared)
        })
        .await?;
        app.tell_what_lies_aside(&app.life.data).await;
        if count > 0 {
            let message = format!("{} removed what was set aside beside the server's store", person.name);
            let data = json!({ "files": count });
            app.record_done(
                NewEvent::new("box.set_aside_removed", Severity::Warning, message, data),
                &person.name,
            )
            .await;
        }
        cleared?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
