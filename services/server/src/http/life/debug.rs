//! The debug bundle: what somebody who helps needs to see of this box.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::json;
use wire::event::{NewEvent, Severity};

use super::file::{day, file, plain};
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{LoggedIn, Stored};
use crate::http::people::person::Person;
use crate::http::task::blocking;
use crate::life::debug::Seen;

/// What somebody who helps needs to see of this box, as `.tar.gz`, without passwords, tokens and keys.
#[utoipa::path(get, path = "/debug-bundle", operation_id = "debug_bundle", tag = "box",
    responses((status = 200, body = Vec<u8>, content_type = "application/gzip"), LoggedIn, Stored))]
pub(super) async fn debug_bundle(State(app): State<Arc<App>>, person: Person) -> Result<Response, Refusal> {
    let now = app.clock.now().wall;
    let name = plain(&app.hub(|hub| hub.name().to_owned()));
    let seen = Seen::of(&app)?;
    let made = u64::try_from(now.as_second()).unwrap_or(0);
    let inside = name.clone();
    let packed = blocking(move || seen.pack(&inside, made)).await?;
    let packed =
        packed.map_err(|error| Refusal::new("internal", 500, "The archive was not made").with(error.to_string()))?;
    let message = format!("{} took a debug bundle", person.name);
    app.record_done(
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
