//! A channel: one service with everything that is needed to reach it, checked.
//!
//! `form.rs` reads fields one by one; `mail.rs`, `chat.rs`, `push.rs` and `hook.rs` say what makes a channel of each kind of service.

mod chat;
mod form;
mod hook;
mod mail;
mod push;

use lettre::message::Mailbox;

use form::Form;

use crate::provider::{Fields, provider};
use crate::rule::BadSetting;
use crate::url::Address;

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// In plain words first, then TLS; without it nothing is sent.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// In plain words.
    None,
}

/// A text that is written into no log.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "secret" })
    }
}

/// Who says he is whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// Nobody.
    None,
    /// User name and password.
    Basic(String, Secret),
    /// A token.
    Bearer(Secret),
}

/// What a webhook's body looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The message and the whole event.
    Json,
    /// `[severity] [host] message`.
    Text,
    /// As Apprise's `json://` sends it.
    Apprise,
    /// Title and message under names of choice.
    Simple,
}

/// One channel.
#[derive(Clone, Debug, PartialEq)]
pub enum Channel {
    /// Mail.
    Email(Email),
    /// A Discord webhook.
    Discord {
        /// The webhook.
        webhook: Address,
        /// Shown as.
        username: String,
        /// Picture.
        avatar: String,
        /// Thread, or empty.
        thread: String,
    },
    /// A Telegram bot.
    Telegram {
        /// The API.
        server: Address,
        /// The bot's token.
        token: Secret,
        /// Chats: number or @name, with a topic of their own behind a colon.
        chats: Vec<String>,
        /// Topic of a forum.
        thread: Option<i64>,
        /// Without sound.
        silent: bool,
        /// Not to be forwarded.
        protect: bool,
    },
    /// A Slack webhook or bot.
    Slack {
        /// The webhook, or the API's server.
        server: Address,
        /// The bot's token; none for a webhook.
        token: Option<Secret>,
        /// Channels; none: the webhook's own.
        channels: Vec<String>,
        /// Shown as.
        username: String,
        /// Icon, as `:fire:`.
        icon: String,
    },
    /// ntfy.
    Ntfy {
        /// The server.
        server: Address,
        /// Topics.
        topics: Vec<String>,
        /// Who publishes.
        login: Login,
        /// Instead of the severity's.
        priority: Option<i64>,
        /// Beside the severity's.
        tags: Vec<String>,
        /// Further keys of the message, `click` and the like, with their values.
        more: Vec<(&'static str, String)>,
        /// Any certificate will do.
        insecure: bool,
    },
    /// Gotify.
    Gotify {
        /// The server.
        server: Address,
        /// The application's token.
        token: Secret,
        /// Instead of the severity's.
        priority: Option<i64>,
        /// Any certificate will do.
        insecure: bool,
    },
    /// Pushover.
    Pushover(Pushover),
    /// A signal-cli REST server.
    Signal {
        /// The server.
        server: Address,
        /// Sender.
        number: String,
        /// Recipients.
        recipients: Vec<String>,
        /// Any certificate will do.
        insecure: bool,
    },
    /// A webhook.
    Generic(Webhook),
}

/// A mail server and who writes to whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Email {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub security: Security,
    /// User name and password, where it wants them.
    pub login: Option<(String, Secret)>,
    /// From.
    pub from: Mailbox,
    /// To.
    pub to: Vec<Mailbox>,
    /// Copies.
    pub cc: Vec<Mailbox>,
    /// Copies that nobody else sees.
    pub bcc: Vec<Mailbox>,
    /// Where answers go; none: to the sender.
    pub reply_to: Vec<Mailbox>,
    /// First words of each subject.
    pub subject: String,
    /// Any certificate will do.
    pub insecure: bool,
}

/// An application of Pushover and whom it tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Pushover {
    /// The API.
    pub server: Address,
    /// User or group.
    pub user: Secret,
    /// The application's token.
    pub token: Secret,
    /// Devices; empty: all.
    pub devices: Vec<String>,
    /// Instead of the severity's.
    pub priority: Option<i64>,
    /// Sound, or empty.
    pub sound: String,
    /// Title, or empty.
    pub title: String,
    /// Address and its words, instead of the box's own.
    pub link: Option<(String, String)>,
    /// Seconds between repetitions of priority 2.
    pub retry: i64,
    /// Seconds for which priority 2 is repeated.
    pub expire: i64,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// Where to.
    pub address: Address,
    /// `POST`, `PUT` or `GET`.
    pub method: String,
    /// What the body looks like.
    pub format: Format,
    /// More headers.
    pub headers: Vec<(String, Secret)>,
    /// More keys of a JSON body.
    pub extra: Vec<(String, String)>,
    /// Keys of title and message in a simple one.
    pub keys: (String, String),
    /// Secrets that sign it; several while one is changed.
    pub secrets: Vec<Secret>,
    /// Who says he is whom.
    pub login: Login,
    /// Any certificate will do.
    pub insecure: bool,
}

impl Channel {
    /// The channel that these fields make.
    ///
    /// # Errors
    /// Names the field and what is expected; never repeats a secret.
    pub fn read(service: &str, fields: &Fields) -> Result<Self, BadSetting> {
        let provider = provider(service).ok_or_else(|| {
            let known: Vec<&str> = crate::provider::PROVIDERS.iter().map(|p| p.name).collect();
            BadSetting::new("service_type", format!("is not known; known are {}", known.join(", ")))
        })?;
        let clean = provider.clean(fields)?;
        let form = Form(&clean);
        match service {
            "email" => form.email().map(Self::Email),
            "discord" => form.discord(),
            "telegram" => form.telegram(),
            "slack" => form.slack(),
            "ntfy" => form.ntfy(),
            "gotify" => form.gotify(),
            "pushover" => form.pushover().map(Self::Pushover),
            "signal" => form.signal(),
            _ => form.webhook().map(Self::Generic),
        }
    }
}

/// A Telegram chat and the topic that stands behind its colon.
pub(crate) fn chat_and_topic(chat: &str) -> (&str, Option<&str>) {
    chat.rsplit_once(':')
        .map_or((chat, None), |(chat, topic)| (chat, Some(topic)))
}
