//! The request of a webhook, in each of its forms.

use serde_json::json;
use wire::Time;
use wire::event::Severity;

use super::{Request, authorize};
use crate::channel::{Format, Webhook};
use crate::kinds;
use crate::message::{Message, cut, severity_word};
use crate::signature;

pub(super) fn request(webhook: &Webhook, message: &Message, now: Time) -> Request {
    let (mut content, body) = match webhook.format {
        Format::Json => {
            let body = json!({ "id": message.id, "title": message.title, "message": message.body,
                "severity": severity_word(message.severity), "event_type": message.event_type,
                "event_types": message.event.as_ref().map_or_else(|| vec![message.event_type.as_str()], kinds::names),
                "time": message.time.to_string(), "host": message.host, "serial": message.serial,
                "link": message.link, "event": message.event });
            ("application/json", body.to_string())
        }
        Format::Text => ("text/plain; charset=utf-8", message.text()),
        Format::Apprise => {
            let kind = match message.severity {
                Severity::Info => "info",
                Severity::Warning => "warning",
                Severity::Critical => "failure",
            };
            let own = [
                ("version", json!("1.0")),
                ("title", json!(message.title)),
                ("message", json!(message.body)),
                ("attachments", json!([])),
                ("type", json!(kind)),
            ];
            let mut body = json!({});
            // The name of one of Apprise's own keys gives it another one, or takes it out.
            for (name, value) in &own {
                let other = webhook.extra.iter().find(|(extra, _)| extra == name);
                let name = other.map_or(*name, |(_, other)| other);
                if !name.is_empty() {
                    body[name] = value.clone();
                }
            }
            for (name, value) in &webhook.extra {
                if !own.iter().any(|(own, _)| own == name) {
                    body[name] = json!(value);
                }
            }
            ("application/json", body.to_string())
        }
        Format::Simple => {
            let mut body = json!({});
            for (name, value) in &webhook.extra {
                body[name] = json!(value);
            }
            body[&webhook.keys.0] = json!(message.title);
            body[&webhook.keys.1] = json!(message.body);
            ("application/json", body.to_string())
        }
    };
    let mut headers = Vec::new();
    for (name, value) in &webhook.headers {
        if name.eq_ignore_ascii_case("content-type") {
            content = &value.0;
        } else {
            headers.push((name.clone(), value.0.clone()));
        }
    }
    let body = if webhook.method == "GET" {
        Vec::new()
    } else {
        body.into_bytes()
    };
    let mut address = webhook.address.clone();
    if webhook.method == "GET" {
        address = address
            .with("title", &message.title)
            .with("message", &cut(&message.body, 1000));
    } else {
        headers.push(("Content-Type".to_owned(), content.to_owned()));
    }
    authorize(&mut headers, &webhook.login);
    if !webhook.secrets.is_empty() {
        headers.extend(signature::headers(&webhook.secrets, &message.id, now, &body));
    }
    Request {
        method: webhook.method.clone(),
        address,
        headers,
        body,
        insecure: webhook.insecure,
        target: String::new(),
    }
}
