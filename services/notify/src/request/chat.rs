//! Messages to chats: Discord, Telegram, Slack.

use serde_json::{Value, json};
use wire::event::Severity;

use super::{Request, authorize, post, post_json};
use crate::channel::{Login, Secret, chat_and_topic};
use crate::message::{Message, cut};
use crate::url::Address;

/// Colours of the severities, as `0xRRGGBB`.
fn colour(severity: Severity) -> u32 {
    match severity {
        Severity::Info => 0x2e_8b_57,
        Severity::Warning => 0xe0_a0_00,
        Severity::Critical => 0xd0_30_30,
    }
}

/// Source: Discord, Execute Webhook; an embed's title has at most 256 characters, its description 4096.
pub(super) fn discord(webhook: &Address, username: &str, avatar: &str, thread: &str, message: &Message) -> Request {
    let mut embed = json!({ "title": cut(&discord_text(&message.title), 256), "description": cut(&discord_text(&message.body), 4000),
        "color": colour(message.severity), "timestamp": message.time.to_string() });
    if let Some(link) = &message.link {
        embed["url"] = json!(link);
    }
    let mut body = json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } });
    if !username.is_empty() {
        body["username"] = json!(cut(username, 80));
    }
    if !avatar.is_empty() {
        body["avatar_url"] = json!(avatar);
    }
    // With `wait` the answer tells whether the message was taken, not only that it was understood.
    let mut address = webhook.with("wait", "true");
    if !thread.is_empty() {
        address = address.with("thread_id", thread);
    }
    post_json(address, &body)
}

/// Source: Discord, "Markdown Text 101": marks are taken as they are behind a backslash. Without it `S4_X_9` of a label
/// loses its lines, and `[x](y)` of an add-on becomes a link. Addresses stay, from `http://` on up to the blank: in them it
/// would be part of the address.
fn discord_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut begins = true;
        for word in line.split_inclusive(char::is_whitespace) {
            let begin = ["http://", "https://"]
                .iter()
                .filter_map(|scheme| word.find(scheme))
                .min();
            let (words, address) = word.split_at(begin.unwrap_or(word.len()));
            for character in words.chars() {
                // These two mean something at the beginning of a line alone.
                if "\\*_~`|[<".contains(character) || (begins && "#>".contains(character)) {
                    out.push('\\');
                }
                out.push(character);
            }
            out.push_str(address);
            begins &= word.trim().is_empty();
        }
    }
    out
}

/// Source: Telegram Bot API: an integer, or @channelusername.
fn chat_id(chat: &str) -> Value {
    chat.parse::<i64>().map_or_else(|_| json!(chat), |number| json!(number))
}

/// Source: Telegram Bot API, sendMessage: 1 to 4096 characters. Plain, so that nothing in it is a mark.
fn telegram_text(message: &Message) -> String {
    let sign = match message.severity {
        Severity::Info => "ℹ️",
        Severity::Warning => "⚠️",
        Severity::Critical => "🔴",
    };
    cut(&format!("{sign} {}\n{}", message.title, message.body), 4000)
}

/// One message to one chat, which may name a topic of its own behind a colon; `thread` is the topic of the others.
pub(super) fn telegram(
    server: &Address,
    token: &Secret,
    (chat, thread): (&str, Option<i64>),
    (silent, protect): (bool, bool),
    message: &Message,
) -> Request {
    let (id, topic) = chat_and_topic(chat);
    let thread = topic.and_then(|topic| topic.parse().ok()).or(thread);
    let mut body = json!({ "chat_id": chat_id(id), "text": telegram_text(message),
        "disable_notification": silent, "protect_content": protect, "link_preview_options": { "is_disabled": true } });
    if let Some(thread) = thread {
        body["message_thread_id"] = json!(thread);
    }
    let mut request = post_json(server.join(&format!("bot{}/sendMessage", token.0)), &body);
    chat.clone_into(&mut request.target);
    request
}

/// Source: Slack, "Formatting text for app surfaces": only these three characters are special. Marks such as `*` are left
/// alone by `mrkdwn` and `mrkdwn_in`.
fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

pub(super) fn slack(
    server: &Address,
    token: Option<&Secret>,
    channels: &[String],
    username: &str,
    icon: &str,
    message: &Message,
) -> Vec<Request> {
    let mut attachment = json!({ "color": format!("#{:06x}", colour(message.severity)), "title": slack_text(&message.title),
        "text": slack_text(&cut(&message.body, 3000)), "fallback": slack_text(&message.title), "ts": message.time.as_second(), "mrkdwn_in": [] });
    if let Some(link) = &message.link {
        attachment["title_link"] = json!(link);
    }
    let mut body = json!({ "text": slack_text(&message.title), "mrkdwn": false, "attachments": [attachment] });
    if !username.is_empty() {
        body["username"] = json!(username);
    }
    if !icon.is_empty() {
        body["icon_emoji"] = json!(icon);
    }
    let to = |channel: Option<&String>| {
        let mut body = body.clone();
        if let Some(channel) = channel {
            body["channel"] = json!(channel);
        }
        let address = match token {
            Some(_) => server.join("api/chat.postMessage"),
            None => server.clone(),
        };
        let mut request = post(
            address,
            "application/json; charset=utf-8",
            body.to_string().into_bytes(),
        );
        if let Some(token) = token {
            authorize(&mut request.headers, &Login::Bearer(token.clone()));
        }
        request.target = channel.cloned().unwrap_or_default();
        request
    };
    if channels.is_empty() {
        return vec![to(None)];
    }
    channels.iter().map(|channel| to(Some(channel))).collect()
}
