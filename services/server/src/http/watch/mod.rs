//! What is only looked at: the box, its log and events, its certificate for TLS, and the stream of all of it.

pub(super) mod sse;
mod tls;
mod view;

use crate::http::doc::routes::{Routes, routes};

/// Those below `/api/v1`.
pub(super) fn v1() -> Routes {
    Routes::default()
        .routes(routes!(view::whole_box))
        .routes(routes!(view::log))
        .routes(routes!(view::events))
        .routes(routes!(sse::stream))
        .routes(routes!(tls::tls))
}
