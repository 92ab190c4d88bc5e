//! The list of what the running image is made of, as a file.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::file::file;
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::LoggedIn;
use crate::http::people::person::Person;
use crate::http::task::blocking;

/// What the running image is made of, as SPDX 2.3 in JSON: packages, crates and the page's libraries with their versions and hashes.
#[utoipa::path(get, path = "/sbom", tag = "box",
    responses((status = 200, body = Vec<u8>, content_type = "application/spdx+json"), LoggedIn, (status = 404, description = "`sbom-unknown`: this server runs outside an image")))]
pub(super) async fn sbom(State(app): State<Arc<App>>, _: Person) -> Result<Response, Refusal> {
    let Some(bill) = app.life.bill.get().cloned() else {
        let why = "This server runs outside an image, which is what would have one";
        return Err(Refusal::new("sbom-unknown", 404, "There is no list of what it is made of").with(why.to_owned()));
    };
    let read = blocking(move || std::fs::read(bill)).await?;
    let bytes = read.map_err(|error| Refusal::new("internal", 500, "The list was not read").with(error.to_string()))?;
    Ok(file("sbom.spdx.json", "application/spdx+json", bytes))
}
