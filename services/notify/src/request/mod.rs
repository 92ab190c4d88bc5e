//! The requests that a message becomes, byte for byte: pure. One for each chat, topic, device list or channel.
//!
//! `chat.rs`, `push.rs` and `hook.rs` have those of each kind of service. Limits and shapes are the services' own; the source stands at each. What came from outside (a drive's model, an
//! add-on's words) goes only into JSON strings, form values and escaped text, never into a header or a path.

mod chat;
mod hook;
mod push;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use wire::Time;

use crate::channel::{Channel, Login};
use crate::message::Message;
use crate::url::Address;

/// One HTTP request.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `POST`, `PUT` or `GET`.
    pub method: String,
    /// Where to.
    pub address: Address,
    /// Headers beside `Host`, `User-Agent` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Any certificate will do.
    pub insecure: bool,
    /// To which of several targets it goes, for the history: a topic, a chat.
    pub target: String,
}

impl std::fmt::Debug for Request {
    /// Path, headers and body may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {}/… ({} bytes)",
            self.method,
            self.address.origin(),
            self.body.len()
        )
    }
}

fn post(address: Address, content: &str, body: Vec<u8>) -> Request {
    Request {
        method: "POST".to_owned(),
        address,
        headers: vec![("Content-Type".to_owned(), content.to_owned())],
        body,
        insecure: false,
        target: String::new(),
    }
}

fn post_json(address: Address, body: &Value) -> Request {
    post(address, "application/json", body.to_string().into_bytes())
}

fn authorize(headers: &mut Vec<(String, String)>, login: &Login) {
    match login {
        Login::None => {}
        Login::Basic(name, password) => {
            let pair = STANDARD.encode(format!("{name}:{}", password.0));
            headers.push(("Authorization".to_owned(), format!("Basic {pair}")));
        }
        Login::Bearer(token) => headers.push(("Authorization".to_owned(), format!("Bearer {}", token.0))),
    }
}

/// The requests of a message; none for mail. `now` is the time of sending, which signatures carry.
pub fn requests(channel: &Channel, message: &Message, now: Time) -> Vec<Request> {
    match channel {
        Channel::Email(_) => Vec::new(),
        Channel::Discord {
            webhook,
            username,
            avatar,
            thread,
        } => vec![chat::discord(webhook, username, avatar, thread, message)],
        Channel::Telegram {
            server,
            token,
            chats,
            thread,
            silent,
            protect,
        } => {
            let one = |chat: &String| chat::telegram(server, token, (chat, *thread), (*silent, *protect), message);
            chats.iter().map(one).collect()
        }
        Channel::Slack {
            server,
            token,
            channels,
            username,
            icon,
        } => chat::slack(server, token.as_ref(), channels, username, icon, message),
        Channel::Ntfy {
            server,
            topics,
            login,
            priority,
            tags,
            more,
            insecure,
        } => topics
            .iter()
            .map(|topic| {
                let mut request = push::ntfy(server, topic, *priority, (tags, more), message);
                authorize(&mut request.headers, login);
                request.insecure = *insecure;
                request
            })
            .collect(),
        Channel::Gotify {
            server,
            token,
            priority,
            insecure,
        } => vec![Request {
            insecure: *insecure,
            ..push::gotify(server, token, *priority, message)
        }],
        Channel::Pushover(pushover) => vec![push::pushover(pushover, message)],
        Channel::Signal {
            server,
            number,
            recipients,
            insecure,
        } => vec![Request {
            insecure: *insecure,
            ..push::signal(server, number, recipients, message)
        }],
        Channel::Generic(webhook) => vec![hook::request(webhook, message, now)],
    }
}

#[cfg(test)]
mod tests;
