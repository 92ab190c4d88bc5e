//! Messages that ring a phone: ntfy, Gotify, Pushover, Signal.

use serde_json::json;
use wire::event::Severity;

use super::{Request, post, post_json};
use crate::channel::{Pushover, Secret};
use crate::message::{Message, cut};
use crate::url::{Address, encode};

/// Longest request to ntfy, in bytes. Source: ntfy, `transformBodyJSON`: twice the 4096 of a message.
pub(super) const NTFY_MAX: usize = 8192;

/// Source: ntfy, "Publish as JSON": to the server's root, topic in the body, priority 1 to 5, message of 4096 bytes.
pub(super) fn ntfy(
    server: &Address,
    topic: &str,
    priority: Option<i64>,
    (tags, more): (&[String], &[(&str, String)]),
    message: &Message,
) -> Request {
    let (usual, tag) = match message.severity {
        Severity::Info => (3, "information_source"),
        Severity::Warning => (4, "warning"),
        Severity::Critical => (5, "rotating_light"),
    };
    let mut all = vec![tag.to_owned()];
    all.extend(tags.iter().cloned());
    let mut body = json!({ "topic": topic, "title": message.title, "message": cut_bytes(&message.body, 3900),
        "priority": priority.unwrap_or(usual), "tags": all });
    if let Some(link) = &message.link {
        body["click"] = json!(link);
    }
    for (key, value) in more {
        body[key] = json!(value);
    }
    // Quotes and control characters are longer as JSON.
    let mut room = 3900;
    while body.to_string().len() > NTFY_MAX && room > 0 {
        room = room * 3 / 4;
        body["message"] = json!(cut_bytes(&message.body, room));
    }
    let mut request = post_json(server.clone(), &body);
    topic.clone_into(&mut request.target);
    request
}

/// Source: Gotify API, POST /message; priorities of its apps: from 4 a sound, from 8 a banner.
pub(super) fn gotify(server: &Address, token: &Secret, priority: Option<i64>, message: &Message) -> Request {
    let usual = match message.severity {
        Severity::Info => 3,
        Severity::Warning => 5,
        Severity::Critical => 8,
    };
    let mut body = json!({ "title": message.title, "message": message.body, "priority": priority.unwrap_or(usual) });
    if let Some(link) = &message.link {
        body["extras"] = json!({ "client::notification": { "click": { "url": link } } });
    }
    let mut request = post_json(server.join("message"), &body);
    request.headers.push(("X-Gotify-Key".to_owned(), token.0.clone()));
    request
}

/// Source: Pushover Message API: message 1024, title 250, url 512 characters of UTF-8; `retry` and `expire` for 2.
pub(super) fn pushover(channel: &Pushover, message: &Message) -> Request {
    let Pushover {
        server,
        user,
        token,
        devices,
        priority,
        sound,
        title,
        link,
        retry,
        expire,
    } = channel;
    let priority = priority.unwrap_or(match message.severity {
        Severity::Info => -1,
        Severity::Warning => 0,
        Severity::Critical => 1,
    });
    let title = if title.is_empty() { &message.title } else { title };
    let mut pairs = vec![
        ("token", token.0.clone()),
        ("user", user.0.clone()),
        ("title", cut(title, 250)),
        ("message", cut(&message.body, 1000)),
        ("priority", priority.to_string()),
        ("timestamp", message.time.as_second().to_string()),
    ];
    if !devices.is_empty() {
        pairs.push(("device", devices.join(",")));
    }
    if !sound.is_empty() {
        pairs.push(("sound", sound.clone()));
    }
    let boxes = message.link.clone().map(|link| (link, "Open on the box".to_owned()));
    if let Some((url, title)) = link.clone().or(boxes).filter(|(url, _)| url.len() <= 512) {
        pairs.push(("url", url));
        if !title.is_empty() {
            pairs.push(("url_title", cut(&title, 100)));
        }
    }
    if priority == 2 {
        pairs.push(("retry", retry.to_string()));
        pairs.push(("expire", expire.to_string()));
    }
    let body: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    let body = body.join("&").into_bytes();
    post(
        server.join("1/messages.json"),
        "application/x-www-form-urlencoded",
        body,
    )
}

/// Source: signal-cli-rest-api, POST /v2/send.
pub(super) fn signal(server: &Address, number: &str, recipients: &[String], message: &Message) -> Request {
    let text = format!("{}\n{}", message.title, message.body);
    let body = json!({ "message": cut(&text, 2000), "number": number, "recipients": recipients });
    post_json(server.join("v2/send"), &body)
}

fn cut_bytes(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mut end = max.saturating_sub(3);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}
