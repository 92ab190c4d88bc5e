//! Alerts over HTTP, under Vigil's paths: channels with their rules, tests, what became of each message, and what nobody
//! has acknowledged yet.
//!
//! A secret that is kept is never shown again: its field says `********`, and sending that back keeps it.

mod channel;
mod escalation;
mod form;
mod rules;
mod trial;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use notify::engine::{Delivery, Refused};
use notify::kinds::{KINDS, Kind};
use notify::provider::{PROVIDERS, Provider};
use notify::{BadSetting, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use wire::event::{NewEvent, Severity};

use super::Refusal;
use super::doc::{LoggedIn, Stored};
use super::person::Person;
use crate::app::App;
pub use channel::*;
pub use escalation::*;
pub use rules::*;
pub use trial::*;

/// Most lines of the history in one answer.
const HISTORY_MAX: usize = 500;

/// That it is done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {
    /// A word: `ok`, `updated`, `deleted`, `assigned`, `unassigned`.
    status: String,
}

/// The answer that says what was done.
pub(in crate::http) fn done(status: &str) -> Answered<Done> {
    Answered(Done {
        status: status.to_owned(),
    })
}

fn bad(setting: BadSetting) -> Refusal {
    Refusal::new("bad-setting", 422, "This cannot be set").with(setting.to_string())
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Problem(problem) => problem.into(),
            Refused::Store(error) => error.into(),
        }
    }
}

fn find(app: &App, id: &str) -> Result<Service, Refusal> {
    let found = id.parse().ok().and_then(|id| app.alerts.engine.service(id));
    found.ok_or_else(|| {
        let words: String = id.chars().take(40).collect();
        Refusal::new("service-unknown", 404, "There is no such alert channel").with(format!("id: {words}"))
    })
}

async fn told(app: &App, person: &Person, kind: &str, words: &str, service: &Service) -> Result<(), Refusal> {
    let message = format!(
        "{} {words} alert channel {:?} ({})",
        person.name, service.name, service.service_type
    );
    let data = json!({ "service_id": service.id, "service_type": service.service_type });
    Ok(app
        .record_act(NewEvent::new(kind, Severity::Info, message, data), &person.name)
        .await?)
}

async fn keep(app: &App, person: &Person, mut service: Service) -> Result<Answered<Done>, Refusal> {
    let now = app.clock.now().wall;
    service.updated_at = now;
    service.check().map_err(bad)?;
    app.alerts.engine.replace(service.clone(), now).await?;
    told(app, person, "person.changed_alert_channel", "changed", &service).await?;
    Ok(done("updated"))
}

/// The services that messages can go to, and the form of each.
#[utoipa::path(get, path = "/api/notifications/providers", tag = "alerts",
    responses((status = 200, body = BTreeMap<String, Provider>), LoggedIn))]
pub async fn providers(_: Person) -> Answered<BTreeMap<&'static str, &'static Provider>> {
    Answered(PROVIDERS.iter().map(|provider| (provider.name, provider)).collect())
}

/// The kinds of events that are known by name; a rule may name others, too.
#[utoipa::path(get, path = "/api/notifications/event-types", tag = "alerts",
    responses((status = 200, body = Vec<Kind>), LoggedIn))]
pub async fn event_types(_: Person) -> Answered<&'static [Kind]> {
    Answered(KINDS)
}

/// Which lines of the history.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// How many, the newest first; 1 to 500, 50 without it.
    limit: Option<usize>,
    /// Of this channel alone.
    service_id: Option<u64>,
}

/// What was sent, or not, the newest first.
#[utoipa::path(get, path = "/api/notifications/history", tag = "alerts", params(Which),
    responses((status = 200, body = Vec<Delivery>), LoggedIn, Stored))]
pub async fn history(
    State(app): State<Arc<App>>,
    _: Person,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Answered<Vec<Delivery>>, Refusal> {
    let Query(which) = which.map_err(|error| Refusal::bad_query(error.body_text()))?;
    let limit = which.limit.unwrap_or(50).clamp(1, HISTORY_MAX);
    Ok(Answered(app.alerts.engine.history(which.service_id, limit)?))
}
