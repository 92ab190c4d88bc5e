//! What can be set: the services that messages can go to, and the kinds of events.

use std::collections::BTreeMap;

use axum::Json as Answered;
use notify::kinds::{KINDS, Kind};
use notify::provider::{PROVIDERS, Provider};

use crate::http::doc::LoggedIn;
use crate::http::people::person::Person;

/// The services that messages can go to, and the form of each.
#[utoipa::path(get, path = "/api/notifications/providers", tag = "alerts",
    responses((status = 200, body = BTreeMap<String, Provider>), LoggedIn))]
pub(super) async fn providers(_: Person) -> Answered<BTreeMap<&'static str, &'static Provider>> {
    Answered(PROVIDERS.iter().map(|provider| (provider.name, provider)).collect())
}

/// The kinds of events that are known by name; a rule may name others, too.
#[utoipa::path(get, path = "/api/notifications/event-types", tag = "alerts",
    responses((status = 200, body = Vec<Kind>), LoggedIn))]
pub(super) async fn event_types(_: Person) -> Answered<&'static [Kind]> {
    Answered(KINDS)
}
