//! The channels: listed, made, shown, changed, removed.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::{Path, State};
use http::StatusCode;
use notify::Service;
use notify::provider::{Fields, MASK, provider};
use notify::rule::{Digest, QuietHours, Rule};
use notify::service::Group;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use wire::Time;

use super::form::ServiceRequest;
use super::{Done, done, find, keep, told};
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, OfChannel, Stored};
use crate::http::door::body::Json;
use crate::http::people::person::Person;

/// A channel, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ServiceView {
    /// Number.
    id: u64,
    /// As a person calls it.
    name: String,
    /// Which service.
    service_type: String,
    /// The form as text, as Vigil's clients read it.
    config_json: String,
    /// The form.
    config_fields: BTreeMap<String, String>,
    /// Whether it is used.
    enabled: bool,
    /// Criticals are told.
    notify_on_critical: bool,
    /// Warnings are told.
    notify_on_warning: bool,
    /// Everything else is told.
    notify_on_healthy: bool,
    /// Seconds between two of the same; -1: once.
    cooldown_secs: i64,
    /// 0: told at once; else told only of warnings and criticals that nobody acknowledged for so many seconds.
    escalate_after_secs: i64,
    /// Set by kiln.toml or the environment.
    locked: bool,
    /// Why it switched itself off.
    disabled_why: Option<String>,
    /// Since when nothing has reached it.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Time>,
    /// Messages that wait for it.
    waiting: usize,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When what a form sets of it was changed: all but `enabled` and the groups.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
}

impl ServiceView {
    fn of(service: &Service, waiting: &BTreeMap<u64, usize>) -> Self {
        let fields = service.masked();
        let url = format!("{}://{}", service.service_type, MASK);
        Self {
            id: service.id,
            name: service.name.clone(),
            service_type: service.service_type.clone(),
            config_json: json!({ "fields": fields, "shoutrrr_url": url }).to_string(),
            config_fields: fields,
            enabled: service.enabled,
            notify_on_critical: service.notify_on_critical,
            notify_on_warning: service.notify_on_warning,
            notify_on_healthy: service.notify_on_healthy,
            cooldown_secs: service.cooldown_secs,
            escalate_after_secs: service.escalate_after_secs,
            locked: service.locked,
            disabled_why: service.disabled_why.clone(),
            failing_since: service.failing_since,
            waiting: waiting.get(&service.id).copied().unwrap_or(0),
            created_at: service.created_at,
            updated_at: service.set_at(),
        }
    }
}

/// A channel with everything that is set for it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ServiceDetail {
    /// The channel.
    service: ServiceView,
    /// Its rules; the first that matches decides.
    event_rules: Vec<Rule>,
    /// Its quiet hours.
    quiet_hours: Option<QuietHours>,
    /// Its digest.
    digest: Option<Digest>,
    /// Groups of drives with rules of their own.
    groups: Vec<Group>,
}

/// The channels.
#[utoipa::path(get, path = "/api/notifications/services", tag = "alerts",
    responses((status = 200, body = Vec<ServiceView>), LoggedIn))]
pub(super) async fn services(State(app): State<Arc<App>>, _: Person) -> Answered<Vec<ServiceView>> {
    let waiting = app.alerts.engine.waiting();
    let all = app.alerts.engine.services();
    Answered(all.iter().map(|service| ServiceView::of(service, &waiting)).collect())
}

/// A new channel.
#[utoipa::path(post, path = "/api/notifications/services", tag = "alerts", request_body = ServiceRequest,
    responses((status = 201, body = ServiceView), LoggedIn, Body, OfChannel, Stored))]
pub(super) async fn add(
    State(app): State<Arc<App>>,
    person: Person,
    Json(request): Json<ServiceRequest>,
) -> Result<(StatusCode, Answered<ServiceView>), Refusal> {
    let form = request.form(None)?.ok_or_else(|| {
        Refusal::new("bad-setting", 422, "This cannot be set").with("config_fields: is needed, or url or config_json")
    })?;
    let label = provider(&form.0).map_or(form.0.as_str(), |provider| provider.label);
    let mut service = Service::new(0, label, &form.0, Fields::new(), app.clock.now().wall);
    request.apply(&mut service, Some(form))?;
    let service = app.alerts.engine.add(service).await?;
    told(&app, &person, "person.added_alert_channel", "added", &service).await;
    Ok((
        StatusCode::CREATED,
        Answered(ServiceView::of(&service, &BTreeMap::new())),
    ))
}

/// One channel with everything that is set for it.
#[utoipa::path(get, path = "/api/notifications/services/{id}", tag = "alerts", params(("id" = u64, Path, description = "Channel")),
    responses((status = 200, body = ServiceDetail), LoggedIn, OfChannel))]
pub(super) async fn service(
    State(app): State<Arc<App>>,
    _: Person,
    Path(id): Path<String>,
) -> Result<Answered<ServiceDetail>, Refusal> {
    let service = find(&app, &id)?;
    Ok(Answered(ServiceDetail {
        service: ServiceView::of(&service, &app.alerts.engine.waiting()),
        event_rules: service.rules,
        quiet_hours: service.quiet_hours,
        digest: service.digest,
        groups: service.groups,
    }))
}

/// Changes a channel; switching it on again forgets that it failed, and switching off one that did so itself that it did. One that is
/// set in kiln.toml can be switched on where it switched itself off, and nothing else. All of it is kept, or nothing.
#[utoipa::path(put, path = "/api/notifications/services/{id}", tag = "alerts", params(("id" = u64, Path, description = "Channel")),
    request_body = ServiceRequest, responses((status = 200, body = Done), LoggedIn, Body, OfChannel, Stored))]
pub(super) async fn change(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(request): Json<ServiceRequest>,
) -> Result<Answered<Done>, Refusal> {
    let change = |service: &mut Service| {
        if request.updated_at.is_some_and(|seen| seen != service.set_at()) {
            return Err(Refusal::new(
                "changed-since",
                409,
                "This channel has been changed since the form was opened",
            )
            .with("nothing of it was kept; open the form again, look at what is set now, and change that"));
        }
        let old = service.clone();
        let form = request.form(Some(&old))?;
        if request.enabled == Some(false) {
            service.disabled_why = None;
        }
        request.apply(service, form)?;
        if service.enabled && (!old.enabled || old.fields != service.fields) {
            *service = service.clone().switched_on();
        }
        Ok(())
    };
    keep(&app, &person, &id, change).await
}

/// Removes a channel with what waits for it; the history stays.
#[utoipa::path(delete, path = "/api/notifications/services/{id}", tag = "alerts", params(("id" = u64, Path, description = "Channel")),
    responses((status = 200, body = Done), LoggedIn, OfChannel, Stored))]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Answered<Done>, Refusal> {
    let service = find(&app, &id)?;
    app.alerts.engine.remove(service.id).await?;
    told(&app, &person, "person.removed_alert_channel", "removed", &service).await;
    Ok(done("deleted"))
}
