//! The certificate that the box shows for TLS.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json as Answered};
use serde::Serialize;
use utoipa::ToSchema;
use wire::Time;

use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::LoggedIn;
use crate::http::people::person::Person;
use crate::tls::Way;

/// The box's certificate for TLS, which nobody but its own screen vouches for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TlsView {
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
pub(super) async fn tls(
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
