//! A channel: one service with everything that is needed to reach it, checked.

use lettre::message::{Mailbox, Mailboxes};

use crate::provider::{Fields, provider};
use crate::rule::BadSetting;
use crate::url::Address;

/// Recipients, topics, chats of one channel, at most.
const TARGETS_MAX: usize = 20;

/// Keys of an ntfy message that stand in it as they stand in the form. Source: ntfy, publish as JSON.
const NTFY_MORE: [&str; 6] = ["click", "email", "delay", "attach", "filename", "icon"];

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
    Pushover {
        /// The API.
        server: Address,
        /// User or group.
        user: Secret,
        /// The application's token.
        token: Secret,
        /// Devices; empty: all.
        devices: Vec<String>,
        /// Instead of the severity's.
        priority: Option<i64>,
        /// Sound, or empty.
        sound: String,
        /// Title, or empty.
        title: String,
        /// Address and its words, instead of the box's own.
        link: Option<(String, String)>,
        /// Seconds between repetitions of priority 2.
        retry: i64,
        /// Seconds for which priority 2 is repeated.
        expire: i64,
    },
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

/// Reads fields, and tells which is wrong.
struct Form<'a>(&'a Fields);

type Field<T> = Result<T, BadSetting>;

impl Form<'_> {
    fn text(&self, key: &str) -> String {
        self.0.get(key).map(|value| value.trim().to_owned()).unwrap_or_default()
    }

    fn flag(&self, key: &str) -> bool {
        self.text(key) == "true"
    }

    fn secret(&self, key: &str) -> Secret {
        Secret(self.text(key))
    }

    fn list(&self, key: &str) -> Field<Vec<String>> {
        let all: Vec<String> = self
            .text(key)
            .split([',', '\n'])
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect();
        if all.len() > TARGETS_MAX {
            return Err(BadSetting::new(
                key,
                format!("{} are too many; at most {TARGETS_MAX} are taken", all.len()),
            ));
        }
        Ok(all)
    }

    fn some(&self, key: &str) -> Field<Vec<String>> {
        let all = self.list(key)?;
        if all.is_empty() {
            return Err(BadSetting::new(key, "is needed"));
        }
        Ok(all)
    }

    fn number(&self, key: &str, least: i64, most: i64) -> Field<Option<i64>> {
        let text = self.text(key);
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(BadSetting::new(
                key,
                format!("expected a whole number from {least} to {most}"),
            )),
        }
    }

    fn address(&self, key: &str, default: &str) -> Field<Address> {
        let text = self.text(key);
        let text = if text.is_empty() { default } else { &text };
        let address = Address::parse(text).map_err(|bad| BadSetting::new(key, bad.to_string()))?;
        crate::guard::check_host(&address.host).map_err(|what| BadSetting::new(key, what))?;
        Ok(address)
    }

    /// As [`Form::address`], for a server that needs no scheme before its name.
    fn server(&self, key: &str, default: &str) -> Field<Address> {
        let text = self.text(key);
        if text.is_empty() || text.contains("://") {
            return self.address(key, default);
        }
        let whole = Fields::from([(key.to_owned(), format!("http://{text}"))]);
        Form(&whole).address(key, default)
    }

    fn mailboxes(&self, key: &str) -> Field<Vec<Mailbox>> {
        let all = self.list(key)?;
        if all.is_empty() {
            return Ok(Vec::new());
        }
        // Together again: a comma in quotes is part of a name.
        let all: Mailboxes = all.join(", ").parse().map_err(|_| {
            let what = "expected addresses like bench@example.org or Bench <bench@example.org>";
            BadSetting::new(key, what)
        })?;
        Ok(all.into_iter().collect())
    }

    /// `name: value` lines.
    fn lines(&self, key: &str) -> Field<Vec<(String, String)>> {
        self.text(key)
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| match line.split_once(':') {
                Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
                _ => Err(BadSetting::new(key, "expected lines of the form `name: value`")),
            })
            .collect()
    }

    fn basic(&self) -> Login {
        match self.text("username") {
            name if name.is_empty() => Login::None,
            name => Login::Basic(name, self.secret("password")),
        }
    }
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
            "gotify" => Ok(Self::Gotify {
                server: form.address("server_url", "")?,
                token: header_safe("app_token", form.secret("app_token"))?,
                priority: form.number("priority", 0, 10)?,
                insecure: form.flag("insecure"),
            }),
            "pushover" => form.pushover(),
            "signal" => Ok(Self::Signal {
                server: form.server("host", "")?,
                number: form.text("number"),
                recipients: form.some("recipients")?,
                insecure: form.flag("insecure"),
            }),
            _ => form.webhook().map(Self::Generic),
        }
    }
}

/// A Telegram chat and the topic that stands behind its colon.
pub(crate) fn chat_and_topic(chat: &str) -> (&str, Option<&str>) {
    chat.rsplit_once(':')
        .map_or((chat, None), |(chat, topic)| (chat, Some(topic)))
}

fn header_safe(key: &str, secret: Secret) -> Field<Secret> {
    if secret.0.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(secret);
    }
    Err(BadSetting::new(key, "expected printable characters without blanks"))
}

impl Form<'_> {
    fn email(&self) -> Field<Email> {
        let host = self.text("host");
        let place = Address::parse(&format!("http://{host}")).map_err(|bad| BadSetting::new("host", bad.what))?;
        if place.target != "/" || place.user.is_some() || host.contains(':') && !host.starts_with('[') {
            return Err(BadSetting::new(
                "host",
                "expected a name or an address alone; the port has its own field",
            ));
        }
        crate::guard::check_host(&place.host).map_err(|what| BadSetting::new("host", what))?;
        let security = match self.text("security").as_str() {
            "ssl" => Security::Tls,
            "none" => Security::None,
            _ => Security::StartTls,
        };
        let port = self.number("port", 1, 65_535)?;
        let from = self.mailboxes("from")?;
        let [from] = from.as_slice() else {
            return Err(BadSetting::new("from", "expected one address"));
        };
        let to = self.mailboxes("to")?;
        if to.is_empty() {
            return Err(BadSetting::new("to", "is needed"));
        }
        let usual = if security == Security::Tls { 465 } else { 587 };
        Ok(Email {
            host: place.host,
            port: port.and_then(|port| u16::try_from(port).ok()).unwrap_or(usual),
            security,
            login: match self.text("username") {
                name if name.is_empty() => None,
                name => Some((name, self.secret("password"))),
            },
            from: from.clone(),
            to,
            cc: self.mailboxes("cc")?,
            bcc: self.mailboxes("bcc")?,
            reply_to: self.mailboxes("reply_to")?,
            subject: self.text("subject"),
            insecure: self.flag("insecure"),
        })
    }

    fn discord(&self) -> Field<Channel> {
        let webhook = self.address("webhook_url", "")?;
        let path = webhook.target.split('?').next().unwrap_or("");
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            [.., "webhooks", id, token] if id.bytes().all(|b| b.is_ascii_digit()) && !token.is_empty() => {}
            _ => {
                let what = "expected https://discord.com/api/webhooks/ID/TOKEN";
                return Err(BadSetting::new("webhook_url", what));
            }
        }
        let thread = self.text("thread_id");
        if !thread.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BadSetting::new("thread_id", "expected the thread's number"));
        }
        Ok(Channel::Discord {
            webhook,
            username: self.text("username"),
            avatar: self.text("avatar_url"),
            thread,
        })
    }

    fn telegram(&self) -> Field<Channel> {
        let token = self.secret("bot_token");
        let fits = token.0.split_once(':').is_some_and(|(id, secret)| {
            !id.is_empty()
                && id.bytes().all(|b| b.is_ascii_digit())
                && !secret.is_empty()
                && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        });
        if !fits {
            return Err(BadSetting::new(
                "bot_token",
                "expected the bot's token, like 123456789:ABC-def",
            ));
        }
        let chats = self.some("chat_id")?;
        for chat in &chats {
            let (chat, topic) = chat_and_topic(chat);
            if topic.is_some_and(|topic| topic.parse::<u32>().is_err()) {
                return Err(BadSetting::new(
                    "chat_id",
                    "expected a number as the topic behind a chat's colon",
                ));
            }
            let name = chat.strip_prefix('@').is_some_and(|name| !name.is_empty());
            let number = chat.strip_prefix('-').unwrap_or(chat);
            if !name && (number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit())) {
                return Err(BadSetting::new("chat_id", "expected @channel or a number"));
            }
        }
        Ok(Channel::Telegram {
            server: self.address("server_url", "https://api.telegram.org")?,
            token,
            chats,
            thread: self.number("thread_id", 1, i64::MAX)?,
            silent: self.flag("silent"),
            protect: self.flag("protect"),
        })
    }

    fn slack(&self) -> Field<Channel> {
        let token = self.secret("bot_token");
        let channels = self.list("channel")?;
        let (server, token) = if token.0.is_empty() {
            if self.text("webhook_url").is_empty() {
                return Err(BadSetting::new("webhook_url", "is needed, or a bot token"));
            }
            (self.address("webhook_url", "")?, None)
        } else {
            if channels.is_empty() {
                return Err(BadSetting::new("channel", "is needed with a bot token"));
            }
            let token = header_safe("bot_token", token)?;
            (self.address("server_url", "https://slack.com")?, Some(token))
        };
        Ok(Channel::Slack {
            server,
            token,
            channels,
            username: self.text("bot_name"),
            icon: self.text("icon_emoji"),
        })
    }

    fn ntfy(&self) -> Field<Channel> {
        let topics = self.some("topic")?;
        // Source: ntfy, topic names.
        let fits = |topic: &String| {
            (1..=64).contains(&topic.len()) && topic.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        if !topics.iter().all(fits) {
            return Err(BadSetting::new(
                "topic",
                "expected 1 to 64 letters, digits, hyphens and underscores",
            ));
        }
        let token = header_safe("token", self.secret("token"))?;
        Ok(Channel::Ntfy {
            server: self.address("server_url", "https://ntfy.sh")?,
            topics,
            login: if token.0.is_empty() {
                self.basic()
            } else {
                Login::Bearer(token)
            },
            priority: self.number("priority", 1, 5)?,
            tags: self.list("tags")?,
            more: NTFY_MORE
                .iter()
                .map(|key| (*key, self.text(key)))
                .filter(|(_, value)| !value.is_empty())
                .collect(),
            insecure: self.flag("insecure"),
        })
    }

    fn pushover(&self) -> Field<Channel> {
        // Source: Pushover API, "30 characters long, case-sensitive [A-Za-z0-9]".
        let key = |key: &str| -> Field<Secret> {
            let secret = self.secret(key);
            if secret.0.len() == 30 && secret.0.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Ok(secret);
            }
            Err(BadSetting::new(key, "expected 30 letters and digits"))
        };
        Ok(Channel::Pushover {
            server: self.address("server_url", "https://api.pushover.net")?,
            user: key("user_key")?,
            token: key("api_token")?,
            devices: self.list("devices")?,
            priority: self.number("priority", -2, 2)?,
            sound: self.text("sound"),
            title: self.text("title"),
            link: Some((self.text("url"), self.text("url_title"))).filter(|(url, _)| !url.is_empty()),
            retry: self.number("retry", 30, 10_800)?.unwrap_or(60),
            expire: self.number("expire", 30, 10_800)?.unwrap_or(3600),
        })
    }

    fn webhook(&self) -> Field<Webhook> {
        let address = self.address("webhook_url", "")?;
        let mut headers = Vec::new();
        for (name, value) in self.lines("headers")? {
            let good = http::HeaderName::try_from(name.as_str()).is_ok()
                && http::HeaderValue::try_from(value.as_str()).is_ok();
            let ours = ["host", "content-length", "transfer-encoding", "connection"];
            if !good || ours.iter().any(|own| name.eq_ignore_ascii_case(own)) {
                let name: String = name.chars().take(30).collect();
                return Err(BadSetting::new(
                    "headers",
                    format!("{name:?} cannot be sent as a header"),
                ));
            }
            headers.push((name, Secret(value)));
        }
        let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        let login = match (self.basic(), &address.user) {
            (Login::None, Some((name, password))) => Login::Basic(name.clone(), Secret(password.clone())),
            (login, _) => login,
        };
        Ok(Webhook {
            address,
            method: or(self.text("method"), "POST"),
            format: match self.text("format").as_str() {
                "text" => Format::Text,
                "apprise" => Format::Apprise,
                "simple" => Format::Simple,
                _ => Format::Json,
            },
            headers,
            extra: self.lines("extra")?,
            keys: (
                or(self.text("title_key"), "title"),
                or(self.text("message_key"), "message"),
            ),
            secrets: self
                .text("secret")
                .split_whitespace()
                .map(|one| Secret(one.to_owned()))
                .collect(),
            login,
            insecure: self.flag("insecure"),
        })
    }
}
