//! Alerts over HTTP, under Vigil's paths: channels with their rules, tests, what became of each message, and what nobody
//! has acknowledged yet.
//!
//! A secret that is kept is never shown again: its field says `********`, and sending that back keeps it. A form is kept whole, or not
//! at all where its channel has been changed since it was opened: of two persons neither loses what he has set.

mod channel;
mod escalation;
mod form;
mod history;
mod kinds;
mod rules;
mod trial;

use axum::Json as Answered;
use notify::engine::Refused;
use notify::{BadSetting, Service};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use wire::event::{NewEvent, Severity};

use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::routes::{Routes, routes};
use crate::http::people::person::Person;

/// Those on the paths of existing Vigil clients.
pub(super) fn vigil() -> Routes {
    Routes::default()
        .routes(routes!(kinds::providers))
        .routes(routes!(kinds::event_types))
        .routes(routes!(channel::services, channel::add))
        .routes(routes!(channel::service, channel::change, channel::remove))
        .routes(routes!(rules::rules))
        .routes(routes!(rules::quiet_hours))
        .routes(routes!(rules::digest))
        .routes(routes!(rules::group_rules))
        .routes(routes!(rules::set_group_rules, rules::drop_group_rules))
        .routes(routes!(trial::test))
        .routes(routes!(trial::test_url))
        .routes(routes!(history::history))
        .routes(routes!(escalation::alerts))
        .routes(routes!(escalation::acknowledge))
}

/// That it is done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Done {
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

async fn told(app: &App, person: &Person, kind: &str, words: &str, service: &Service) {
    let message = format!(
        "{} {words} alert channel {:?} ({})",
        person.name, service.name, service.service_type
    );
    let data = json!({ "service_id": service.id, "service_type": service.service_type });
    app.record_done(NewEvent::new(kind, Severity::Info, message, data), &person.name)
        .await;
}

/// Changes a channel as it is at this moment; no other change comes in between.
async fn keep(
    app: &App,
    person: &Person,
    id: &str,
    change: impl FnOnce(&mut Service) -> Result<(), Refusal>,
) -> Result<Answered<Done>, Refusal> {
    let id = find(app, id)?.id;
    let changed = |service: &mut Service| {
        change(service)?;
        service.check().map_err(bad)
    };
    let service = app.alerts.engine.update(id, app.clock.now().wall, changed).await?;
    told(app, person, "person.changed_alert_channel", "changed", &service).await;
    Ok(done("updated"))
}
