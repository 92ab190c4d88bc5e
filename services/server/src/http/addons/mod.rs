//! Add-ons: registered, connected, asked, and what they show.
//!
//! ```text
//!  registry ─► websocket ─► (crate::addon) ─► sources, telemetry ─► the page
//!                                    ask ◄──── the page
//! ```

mod ask;
mod own;
mod registry;
mod schemas;
mod sources;
mod telemetry;
mod websocket;

use serde::{Deserialize, Deserializer};

use crate::http::doc::routes::{Routes, routes};

/// Reads null as an absent value: existing servers take both for the empty one.
fn or_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Those below `/api/v1`.
pub(super) fn v1() -> Routes {
    Routes::default().routes(routes!(sources::source))
}

/// Those on the paths of existing Vigil clients.
pub(super) fn vigil() -> Routes {
    Routes::default()
        .routes(routes!(registry::list, registry::upsert))
        .routes(routes!(registry::tokens, registry::new_token))
        .routes(routes!(registry::revoke_token))
        .routes(routes!(registry::register))
        .routes(routes!(registry::connect))
        .routes(routes!(websocket::connect))
        .routes(routes!(registry::show, registry::remove))
        .routes(routes!(registry::enable))
        .routes(routes!(registry::rotate_token))
        .routes(routes!(registry::check_updates))
        .routes(routes!(ask::action))
        .routes(routes!(ask::read, ask::write))
        .routes(routes!(telemetry::stream))
        .routes(routes!(schemas::manifest))
        .routes(routes!(schemas::frames))
}
