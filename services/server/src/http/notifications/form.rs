//! What a request says of a channel, in each of the ways in which clients say it.

use std::collections::BTreeMap;

use notify::Service;
use notify::provider::{Fields, provider};
use notify::rule::{Digest, QuietHours, Rule};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use wire::Time;

use super::bad;
use crate::http::Refusal;

/// A channel to keep. What is missing stays as it is; a new one is on, for criticals and warnings.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct ServiceRequest {
    /// 1 to 64 characters; without it the service's name.
    pub(super) name: Option<String>,
    /// One of the providers; not needed with a URL.
    pub(super) service_type: Option<String>,
    /// The form.
    pub(super) config_fields: Option<BTreeMap<String, Value>>,
    /// Instead of it: an Apprise or shoutrrr URL.
    pub(super) url: Option<String>,
    /// Instead of it, as Vigil's clients send it: `{"fields": {…}}` or `{"shoutrrr_url": "…"}`.
    pub(super) config_json: Option<String>,
    pub(super) enabled: Option<bool>,
    pub(super) notify_on_critical: Option<bool>,
    pub(super) notify_on_warning: Option<bool>,
    pub(super) notify_on_healthy: Option<bool>,
    pub(super) cooldown_secs: Option<i64>,
    pub(super) escalate_after_secs: Option<i64>,
    /// All rules of a channel; the first that matches decides.
    pub(super) event_rules: Option<Vec<Rule>>,
    /// Its quiet hours.
    pub(super) quiet_hours: Option<QuietHours>,
    /// Its digest.
    pub(super) digest: Option<Digest>,
    /// When the settings were changed last that this was made from: where they have been changed since, nothing is kept.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) updated_at: Option<Time>,
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
    pub(super) fn form(&self, old: Option<&Service>) -> Result<Option<(String, Fields)>, Refusal> {
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

    pub(super) fn apply(self, service: &mut Service, form: Option<(String, Fields)>) -> Result<(), Refusal> {
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
        service.escalate_after_secs = self.escalate_after_secs.unwrap_or(service.escalate_after_secs);
        service.rules = self.event_rules.unwrap_or_else(|| std::mem::take(&mut service.rules));
        service.quiet_hours = self.quiet_hours.or_else(|| service.quiet_hours.take());
        service.digest = self.digest.or_else(|| service.digest.take());
        service.check().map_err(bad)
    }
}
