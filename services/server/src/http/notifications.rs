//! Alerts over HTTP, under Vigil's paths: channels with their rules, tests, and what became of each message.
//!
//! A secret that is kept is never shown again: its field says `********`, and sending that back keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use notify::engine::{Delivery, Refused};
use notify::kinds::{KINDS, Kind};
use notify::provider::{Fields, PROVIDERS, Provider, provider};
use notify::rule::{Digest, QuietHours, Rule};
use notify::service::{GROUPS_MAX, Group};
use notify::{BadSetting, Service};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use wire::Time;
use wire::event::Severity;

use super::Refusal;
use super::act::act;
use super::body::Json;
use super::doc::{Body, LoggedIn, OfChannel, Stored};
use super::person::Person;
use crate::app::App;

/// Most lines of the history in one answer.
const HISTORY_MAX: usize = 500;

/// A channel, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceView {
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
    /// When its settings were changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
}

impl ServiceView {
    fn of(service: &Service, waiting: &BTreeMap<u64, usize>) -> Self {
        let fields = service.masked();
        let url = format!("{}://{}", service.service_type, notify::provider::MASK);
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
            locked: service.locked,
            disabled_why: service.disabled_why.clone(),
            failing_since: service.failing_since,
            waiting: waiting.get(&service.id).copied().unwrap_or(0),
            created_at: service.created_at,
            updated_at: service.updated_at,
        }
    }
}

/// A channel with everything that is set for it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceDetail {
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

/// A channel to keep. What is missing stays as it is; a new one is on, for criticals and warnings.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ServiceRequest {
    /// 1 to 64 characters; without it the service's name.
    name: Option<String>,
    /// One of the providers; not needed with a URL.
    service_type: Option<String>,
    /// The form.
    config_fields: Option<BTreeMap<String, Value>>,
    /// Instead of it: an Apprise or shoutrrr URL.
    url: Option<String>,
    /// Instead of it, as Vigil's clients send it: `{"fields": {…}}` or `{"shoutrrr_url": "…"}`.
    config_json: Option<String>,
    enabled: Option<bool>,
    notify_on_critical: Option<bool>,
    notify_on_warning: Option<bool>,
    notify_on_healthy: Option<bool>,
    cooldown_secs: Option<i64>,
}

/// That it is done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {
    /// `updated` or `deleted`.
    status: String,
}

fn done(status: &str) -> Answered<Done> {
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

/// Values as forms send them: text, and now and then a number or a yes.
fn texts(fields: &BTreeMap<String, Value>) -> Result<Fields, Refusal> {
    fields
        .iter()
        .map(|(key, value)| match value {
            Value::String(text) => Ok((key.clone(), text.clone())),
            Value::Null => Ok((key.clone(), String::new())),
            Value::Bool(_) | Value::Number(_) => Ok((key.clone(), value.to_string())),
            Value::Array(_) | Value::Object(_) => Err(Refusal::new("bad-setting", 422, "This cannot be set")
                .with(format!("{}: expected a text", key.chars().take(60).collect::<String>()))),
        })
        .collect()
}

impl ServiceRequest {
    /// Service and form, whichever way they came; `None` where the request says nothing of them.
    fn form(&self, old: Option<&Service>) -> Result<Option<(String, Fields)>, Refusal> {
        let from_url = |url: &str| {
            notify::url::channel(url)
                .map(|(service, fields)| (service.to_owned(), fields))
                .map_err(|error| Refusal::new("bad-url", 422, "This URL names no channel").with(error.to_string()))
        };
        if let Some(url) = self.url.as_deref().filter(|url| !url.trim().is_empty()) {
            return from_url(url).map(Some);
        }
        let mut fields = self.config_fields.as_ref().map(texts).transpose()?;
        if let (None, Some(text)) = (
            &fields,
            self.config_json.as_deref().filter(|text| !text.trim().is_empty()),
        ) {
            let value: Value = serde_json::from_str(text).map_err(|error| {
                Refusal::new("bad-setting", 422, "This cannot be set").with(format!("config_json: {error}"))
            })?;
            if let Some(object) = value.get("fields").and_then(Value::as_object) {
                let object = object.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                fields = Some(texts(&object)?);
            } else if let Some(url) = ["shoutrrr_url", "url"].iter().find_map(|key| value.get(*key)?.as_str()) {
                return from_url(url).map(Some);
            } else {
                return Err(Refusal::new("bad-setting", 422, "This cannot be set")
                    .with("config_json: expected fields or shoutrrr_url in it"));
            }
        }
        let Some(fields) = fields else { return Ok(None) };
        let service = self
            .service_type
            .clone()
            .or_else(|| old.map(|old| old.service_type.clone()))
            .unwrap_or_default();
        let fields = match (provider(&service), old) {
            (Some(provider), Some(old)) if old.service_type == service => {
                provider.unmasked(&fields, &old.fields).map_err(bad)?
            }
            _ => fields,
        };
        Ok(Some((service, fields)))
    }

    fn apply(self, service: &mut Service, form: Option<(String, Fields)>) -> Result<(), Refusal> {
        if let Some((service_type, fields)) = form {
            // Which field is wrong, and that an unknown service is one, is told where channels are read.
            notify::Channel::read(&service_type, &fields).map_err(bad)?;
            let clean = provider(&service_type)
                .map(|provider| provider.clean(&fields))
                .transpose()
                .map_err(bad)?;
            service.fields = clean.unwrap_or_default();
            service.service_type = service_type;
        }
        if let Some(name) = self
            .name
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
        {
            service.name = name;
        }
        for (from, to) in [
            (self.enabled, &mut service.enabled),
            (self.notify_on_critical, &mut service.notify_on_critical),
            (self.notify_on_warning, &mut service.notify_on_warning),
            (self.notify_on_healthy, &mut service.notify_on_healthy),
        ] {
            *to = from.unwrap_or(*to);
        }
        service.cooldown_secs = self.cooldown_secs.unwrap_or(service.cooldown_secs);
        service.check().map_err(bad)
    }
}

async fn told(app: &App, person: &Person, kind: &str, words: &str, service: &Service) -> Result<(), Refusal> {
    let message = format!(
        "{} {words} alert channel {:?} ({})",
        person.name, service.name, service.service_type
    );
    let data = json!({ "service_id": service.id, "service_type": service.service_type });
    Ok(app
        .record_act(act(kind, Severity::Info, message, data), &person.name)
        .await?)
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

/// The channels.
#[utoipa::path(get, path = "/api/notifications/services", tag = "alerts",
    responses((status = 200, body = Vec<ServiceView>), LoggedIn))]
pub async fn services(State(app): State<Arc<App>>, _: Person) -> Answered<Vec<ServiceView>> {
    let waiting = app.alerts.engine.waiting();
    let all = app.alerts.engine.services();
    Answered(all.iter().map(|service| ServiceView::of(service, &waiting)).collect())
}

/// A new channel.
#[utoipa::path(post, path = "/api/notifications/services", tag = "alerts", request_body = ServiceRequest,
    responses((status = 201, body = ServiceView), LoggedIn, Body, OfChannel, Stored))]
pub async fn add(
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
    told(&app, &person, "person.added_alert_channel", "added", &service).await?;
    Ok((
        StatusCode::CREATED,
        Answered(ServiceView::of(&service, &BTreeMap::new())),
    ))
}

/// One channel with everything that is set for it.
#[utoipa::path(get, path = "/api/notifications/services/{id}", tag = "alerts", params(("id" = u64, Path, description = "Channel")),
    responses((status = 200, body = ServiceDetail), LoggedIn, OfChannel))]
pub async fn service(
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

/// Changes a channel; switching it on again forgets that it failed.
#[utoipa::path(put, path = "/api/notifications/services/{id}", tag = "alerts", params(("id" = u64, Path, description = "Channel")),
    request_body = ServiceRequest, responses((status = 200, body = Done), LoggedIn, Body, OfChannel, Stored))]
pub async fn change(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(request): Json<ServiceRequest>,
) -> Result<Answered<Done>, Refusal> {
    let old = find(&app, &id)?;
    let form = request.form(Some(&old))?;
    let mut service = old.clone();
    request.apply(&mut service, form)?;
    if service.enabled && (!old.enabled || old.fields != service.fields) {
        service.failing_since = None;
        service.disabled_why = None;
    }
    keep(&app, &person, service).await
}

async fn keep(app: &App, person: &Person, mut service: Service) -> Result<Answered<Done>, Refusal> {
    let now = app.clock.now().wall;
    service.updated_at = now;
    service.check().map_err(bad)?;
    app.alerts.engine.replace(service.clone(), now).await?;
    told(app, person, "person.changed_alert_channel", "changed", &service).await?;
    Ok(done("updated"))
}

/// Removes a channel with what waits for it; the history stays.
#[utoipa::path(delete, path = "/api/notifications/services/{id}", tag = "alerts", params(("id" = u64, Path, description = "Channel")),
    responses((status = 200, body = Done), LoggedIn, OfChannel, Stored))]
pub async fn remove(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Answered<Done>, Refusal> {
    let service = find(&app, &id)?;
    app.alerts.engine.remove(service.id).await?;
    told(&app, &person, "person.removed_alert_channel", "removed", &service).await?;
    Ok(done("deleted"))
}

/// Sets all rules of a channel; the first that matches decides.
#[utoipa::path(put, path = "/api/notifications/services/{id}/rules", tag = "alerts", params(("id" = u64, Path, description = "Channel")),
    request_body = Vec<Rule>, responses((status = 200, body = Done), LoggedIn, Body, OfChannel, Stored))]
pub async fn rules(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(rules): Json<Vec<Rule>>,
) -> Result<Answered<Done>, Refusal> {
    let service = Service {
        rules,
        ..find(&app, &id)?
    };
    keep(&app, &person, service).await
}

/// Sets the quiet hours of a channel; what comes in them is told at their end, criticals at once.
#[utoipa::path(put, path = "/api/notifications/services/{id}/quiet-hours", tag = "alerts", params(("id" = u64, Path, description = "Channel")),
    request_body = QuietHours, responses((status = 200, body = Done), LoggedIn, Body, OfChannel, Stored))]
pub async fn quiet_hours(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(quiet): Json<QuietHours>,
) -> Result<Answered<Done>, Refusal> {
    let service = Service {
        quiet_hours: Some(quiet),
        ..find(&app, &id)?
    };
    keep(&app, &person, service).await
}

/// Sets the digest of a channel.
#[utoipa::path(put, path = "/api/notifications/services/{id}/digest", tag = "alerts", params(("id" = u64, Path, description = "Channel")),
    request_body = Digest, responses((status = 200, body = Done), LoggedIn, Body, OfChannel, Stored))]
pub async fn digest(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(digest): Json<Digest>,
) -> Result<Answered<Done>, Refusal> {
    let service = Service {
        digest: Some(digest),
        ..find(&app, &id)?
    };
    keep(&app, &person, service).await
}

/// Rules of the groups of drives, by the group's number.
#[utoipa::path(get, path = "/api/notifications/services/{id}/group-rules", tag = "alerts", params(("id" = u64, Path, description = "Channel")),
    responses((status = 200, body = BTreeMap<String, Vec<Rule>>), LoggedIn, OfChannel))]
pub async fn group_rules(
    State(app): State<Arc<App>>,
    _: Person,
    Path(id): Path<String>,
) -> Result<Answered<BTreeMap<String, Vec<Rule>>>, Refusal> {
    let groups = find(&app, &id)?.groups;
    Ok(Answered(
        groups
            .into_iter()
            .map(|group| (group.id.to_string(), group.rules))
            .collect(),
    ))
}

fn group_id(text: &str) -> Result<u64, Refusal> {
    let words = text.chars().take(40).collect::<String>();
    text.parse().map_err(|_| {
        Refusal::new("group-unknown", 404, "There is no such group").with(format!("{words:?}: expected a number"))
    })
}

/// Rules of a group, alone or with its name and drives.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum GroupRequest {
    /// The rules; name and drives stay.
    Rules(Vec<Rule>),
    /// All of it.
    Group {
        /// In words.
        #[serde(default)]
        name: String,
        /// Ids or serials of its drives.
        drives: Vec<String>,
        /// The rules.
        rules: Vec<Rule>,
    },
}

/// Sets the rules of one group of drives; they are looked at before the channel's own.
#[utoipa::path(put, path = "/api/notifications/services/{id}/group-rules/{group}", tag = "alerts",
    params(("id" = u64, Path, description = "Channel"), ("group" = u64, Path, description = "Group of drives")),
    request_body = GroupRequest, responses((status = 200, body = Done), LoggedIn, Body, OfChannel, Stored))]
pub async fn set_group_rules(
    State(app): State<Arc<App>>,
    person: Person,
    Path((id, group)): Path<(String, String)>,
    Json(request): Json<GroupRequest>,
) -> Result<Answered<Done>, Refusal> {
    let mut service = find(&app, &id)?;
    let group = group_id(&group)?;
    let known = service.groups.iter().position(|known| known.id == group);
    if known.is_none() && service.groups.len() >= GROUPS_MAX {
        return Err(Refusal::new("too-many", 409, "There are too many groups").with(format!("at most {GROUPS_MAX}")));
    }
    let place = known.unwrap_or_else(|| {
        let known = crate::groups::one(&app.store, group).ok();
        service.groups.push(Group {
            id: group,
            name: known.as_ref().map_or_else(String::new, |known| known.name.clone()),
            drives: known.map_or_else(Vec::new, |known| {
                known.members.into_iter().map(|member| member.serial_number).collect()
            }),
            ..Group::default()
        });
        service.groups.len() - 1
    });
    let place = &mut service.groups[place];
    match request {
        GroupRequest::Rules(rules) => place.rules = rules,
        GroupRequest::Group { name, drives, rules } => {
            *place = Group {
                id: group,
                name,
                drives,
                rules,
            };
        }
    }
    keep(&app, &person, service).await
}

/// Removes the rules of one group of drives.
#[utoipa::path(delete, path = "/api/notifications/services/{id}/group-rules/{group}", tag = "alerts",
    params(("id" = u64, Path, description = "Channel"), ("group" = u64, Path, description = "Group of drives")),
    responses((status = 200, body = Done), LoggedIn, OfChannel, Stored))]
pub async fn drop_group_rules(
    State(app): State<Arc<App>>,
    person: Person,
    Path((id, group)): Path<(String, String)>,
) -> Result<Answered<Done>, Refusal> {
    let mut service = find(&app, &id)?;
    let group = group_id(&group)?;
    let before = service.groups.len();
    service.groups.retain(|known| known.id != group);
    if service.groups.len() == before {
        return Err(Refusal::new("group-unknown", 404, "There is no such group").with(format!("id: {group}")));
    }
    keep(&app, &person, service).await.map(|_| done("deleted"))
}

/// A channel that is to be tried.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct TestRequest {
    /// Number of a channel that is kept; with a form, the one whose secrets the form shows masked.
    service_id: Option<u64>,
    /// Words of one's own.
    message: Option<String>,
    /// An Apprise or shoutrrr URL.
    url: Option<String>,
    /// Which service the form is for.
    service_type: Option<String>,
    /// The form.
    config_fields: Option<BTreeMap<String, Value>>,
}

/// How the try went.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestAnswer {
    /// Whether the service took the message.
    success: bool,
    /// The service's words when it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The service's words when it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

async fn try_out(app: &App, service: &Service, words: &str) -> Result<Answered<TestAnswer>, Refusal> {
    let now = app.clock.now().wall;
    let tried = app.alerts.engine.test(service, &app.alerts.facts(), words, now).await?;
    Ok(Answered(match tried {
        Ok(answer) => TestAnswer {
            success: true,
            message: Some(if answer.is_empty() {
                "Test notification sent".to_owned()
            } else {
                answer
            }),
            error: None,
        },
        Err(failed) => TestAnswer {
            success: false,
            message: None,
            error: Some(failed.words),
        },
    }))
}

/// Sends a test message by a channel that is kept, also by one that is switched off.
#[utoipa::path(post, path = "/api/notifications/test", tag = "alerts", request_body = TestRequest,
    responses((status = 200, body = TestAnswer), LoggedIn, Body, OfChannel, Stored))]
pub async fn test(
    State(app): State<Arc<App>>,
    _: Person,
    Json(request): Json<TestRequest>,
) -> Result<Answered<TestAnswer>, Refusal> {
    let id = request.service_id.ok_or_else(|| {
        bad(BadSetting {
            field: "service_id".into(),
            what: "is needed".into(),
        })
    })?;
    let service = find(&app, &id.to_string())?;
    try_out(&app, &service, request.message.as_deref().unwrap_or("")).await
}

/// Sends a test message by a channel that is not kept yet.
#[utoipa::path(post, path = "/api/notifications/test-url", tag = "alerts", request_body = TestRequest,
    responses((status = 200, body = TestAnswer), LoggedIn, Body, OfChannel, Stored))]
pub async fn test_url(
    State(app): State<Arc<App>>,
    _: Person,
    Json(request): Json<TestRequest>,
) -> Result<Answered<TestAnswer>, Refusal> {
    let old = request.service_id.map(|id| find(&app, &id.to_string())).transpose()?;
    let asked = ServiceRequest {
        url: request.url,
        service_type: request.service_type,
        config_fields: request.config_fields,
        ..ServiceRequest::default()
    };
    let form = asked.form(old.as_ref())?.ok_or_else(|| {
        bad(BadSetting {
            field: "url".into(),
            what: "is needed, or service_type and config_fields".into(),
        })
    })?;
    let mut service = Service::new(0, "not kept", &form.0, Fields::new(), app.clock.now().wall);
    asked.apply(&mut service, Some(form))?;
    try_out(&app, &service, request.message.as_deref().unwrap_or("")).await
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
    let Query(which) = which.map_err(|error| {
        Refusal::new("bad-query", 400, "The query is not what was expected").with(error.body_text())
    })?;
    let limit = which.limit.unwrap_or(50).clamp(1, HISTORY_MAX);
    Ok(Answered(app.alerts.engine.history(which.service_id, limit)?))
}
