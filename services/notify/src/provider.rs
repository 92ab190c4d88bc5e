//! The services, and the form of each: which fields, which of them are secret, what is expected.
//!
//! A channel is kept as the fields of its form. The names are Vigil's where Vigil has the service, so that its clients'
//! forms work; what it has not (ntfy, several webhook formats, certificates) is beside them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::rule::BadSetting;

/// A channel's settings, as they stand in its form.
pub type Fields = BTreeMap<String, String>;

/// What stands in the place of a secret that is kept.
pub const MASK: &str = "********";

/// Longest value of a field in bytes: headers and lists of addresses are the longest.
const VALUE_MAX: usize = 4096;

/// One choice of a field.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = AlertChoice)]
pub struct Choice {
    /// What is kept.
    pub value: &'static str,
    /// What is shown.
    pub label: &'static str,
}

/// How a field is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AlertFieldKind)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A line.
    Text,
    /// A line that is never shown again.
    Password,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Checkbox,
    /// One of the options.
    Select,
}

/// How a value that is kept is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// As it is.
    Plain,
    /// Not at all.
    Never,
    /// Of an address, scheme and host.
    Origin,
    /// Of `Name: value` lines, the names.
    Names,
}

/// One field of a form.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = AlertField)]
pub struct Field {
    /// Its name.
    pub key: &'static str,
    /// In words.
    pub label: &'static str,
    /// How it is shown.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// An example.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub placeholder: &'static str,
    /// What to know.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub help_text: &'static str,
    /// What holds when it is empty.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub default: &'static str,
    /// The choices of a select.
    #[serde(skip_serializing_if = "<[Choice]>::is_empty")]
    pub options: &'static [Choice],
    #[serde(skip)]
    shown: Shown,
}

/// One service.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = AlertProvider)]
pub struct Provider {
    /// Its name: `service_type`.
    #[serde(rename = "type")]
    pub name: &'static str,
    /// In words.
    pub label: &'static str,
    /// Its form.
    pub fields: &'static [Field],
}

const fn text(key: &'static str, label: &'static str, placeholder: &'static str, help_text: &'static str) -> Field {
    Field {
        key,
        label,
        kind: Kind::Text,
        required: false,
        placeholder,
        help_text,
        default: "",
        options: &[],
        shown: Shown::Plain,
    }
}

const fn secret(key: &'static str, label: &'static str, placeholder: &'static str, help_text: &'static str) -> Field {
    Field {
        kind: Kind::Password,
        shown: Shown::Never,
        ..text(key, label, placeholder, help_text)
    }
}

const fn needed(field: Field) -> Field {
    Field {
        required: true,
        ..field
    }
}

const fn origin(field: Field) -> Field {
    Field {
        shown: Shown::Origin,
        ..field
    }
}

const fn of(kind: Kind, default: &'static str, field: Field) -> Field {
    Field { kind, default, ..field }
}

const fn choice(key: &'static str, label: &'static str, default: &'static str, options: &'static [Choice]) -> Field {
    Field {
        kind: Kind::Select,
        default,
        options,
        ..text(key, label, "", "")
    }
}

const fn option(value: &'static str, label: &'static str) -> Choice {
    Choice { value, label }
}

const ANY_CERTIFICATE: Field = of(
    Kind::Checkbox,
    "false",
    text(
        "insecure",
        "Accept any certificate",
        "",
        "For a server of your own with a certificate that nobody signed; whoever is in between can read along",
    ),
);

const SERVER_HELP: &str = "Another address than the service's own, for a server or a proxy of yours";

/// The services, in the order of a form.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "email",
        label: "Email (SMTP)",
        fields: &[
            needed(text("host", "Mail server", "smtp.example.org", "")),
            of(Kind::Number, "587", text("port", "Port", "587", "")),
            choice(
                "security",
                "Security",
                "starttls",
                &[
                    option("starttls", "STARTTLS (587, 25)"),
                    option("ssl", "TLS from the start (465)"),
                    option("none", "None: readable by whoever is in between"),
                ],
            ),
            text("username", "User name", "kiln@example.org", ""),
            secret("password", "Password", "", ""),
            needed(text("from", "From", "Kiln <kiln@example.org>", "")),
            needed(text(
                "to",
                "To",
                "bench@example.org, boss@example.org",
                "Several with commas",
            )),
            text("cc", "Copy to", "", ""),
            text("subject", "Subject begins with", "[Kiln]", ""),
            ANY_CERTIFICATE,
        ],
    },
    Provider {
        name: "discord",
        label: "Discord",
        fields: &[
            needed(origin(text(
                "webhook_url",
                "Webhook URL",
                "https://discord.com/api/webhooks/…",
                "Server settings → Integrations → Webhooks",
            ))),
            text("username", "Shown as", "Kiln", ""),
            text("avatar_url", "Picture", "", ""),
            text("thread_id", "Thread", "", "Number of a thread of the channel"),
        ],
    },
    Provider {
        name: "telegram",
        label: "Telegram",
        fields: &[
            needed(secret("bot_token", "Bot token", "123456789:AAE…", "From @BotFather")),
            needed(text("chat_id", "Chat", "@channel or a number", "Several with commas")),
            text("thread_id", "Topic", "", "Number of a forum topic"),
            of(Kind::Checkbox, "false", text("silent", "Without sound", "", "")),
            of(Kind::Checkbox, "false", text("protect", "No forwarding", "", "")),
            of(
                Kind::Text,
                "https://api.telegram.org",
                text("server_url", "Server", "https://api.telegram.org", SERVER_HELP),
            ),
        ],
    },
    Provider {
        name: "slack",
        label: "Slack",
        fields: &[
            origin(text(
                "webhook_url",
                "Webhook URL",
                "https://hooks.slack.com/services/…",
                "This, or a bot token with a channel",
            )),
            secret("bot_token", "Bot token", "xoxb-…", "With the right chat:write"),
            text("channel", "Channel", "#alerts or C0123456789", "A webhook has its own"),
            text("bot_name", "Shown as", "Kiln", ""),
            text("icon_emoji", "Icon", ":fire:", ""),
            of(
                Kind::Text,
                "https://slack.com",
                text("server_url", "Server", "https://slack.com", SERVER_HELP),
            ),
        ],
    },
    Provider {
        name: "ntfy",
        label: "ntfy",
        fields: &[
            of(
                Kind::Text,
                "https://ntfy.sh",
                text("server_url", "Server", "https://ntfy.sh", ""),
            ),
            needed(text(
                "topic",
                "Topic",
                "my-bench-8f3a",
                "Whoever knows the name can read it on a public server; several with commas",
            )),
            secret("token", "Access token", "tk_…", "This, or user name and password"),
            text("username", "User name", "", ""),
            secret("password", "Password", "", ""),
            of(
                Kind::Number,
                "",
                text("priority", "Priority", "", "1 to 5; empty: by severity"),
            ),
            text("tags", "Tags", "floppy_disk", "Beside that of the severity"),
            ANY_CERTIFICATE,
        ],
    },
    Provider {
        name: "gotify",
        label: "Gotify",
        fields: &[
            needed(text("server_url", "Server", "https://gotify.example.org", "")),
            needed(secret("app_token", "Application token", "A…", "")),
            of(
                Kind::Number,
                "",
                text("priority", "Priority", "", "0 to 10; empty: by severity"),
            ),
            ANY_CERTIFICATE,
        ],
    },
    Provider {
        name: "pushover",
        label: "Pushover",
        fields: &[
            needed(secret("user_key", "User or group key", "30 letters and digits", "")),
            needed(secret("api_token", "Application token", "30 letters and digits", "")),
            text("devices", "Devices", "", "Empty: all; several with commas"),
            of(
                Kind::Number,
                "",
                text("priority", "Priority", "", "-2 to 2; empty: by severity, never above 1"),
            ),
            text("sound", "Sound", "", ""),
            text("title", "Title", "", "Instead of the message's own"),
            of(
                Kind::Number,
                "60",
                text("retry", "Repeat every (s)", "60", "Of priority 2; at least 30"),
            ),
            of(
                Kind::Number,
                "3600",
                text("expire", "Repeat for (s)", "3600", "Of priority 2; at most 10800"),
            ),
            of(
                Kind::Text,
                "https://api.pushover.net",
                text("server_url", "Server", "https://api.pushover.net", SERVER_HELP),
            ),
        ],
    },
    Provider {
        name: "signal",
        label: "Signal (signal-cli REST)",
        fields: &[
            needed(text("host", "Server", "http://nas.local:8080", "")),
            needed(text("number", "Sender", "+491701234567", "")),
            needed(text("recipients", "Recipients", "+491707654321", "Several with commas")),
            ANY_CERTIFICATE,
        ],
    },
    Provider {
        name: "generic",
        label: "Webhook",
        fields: &[
            needed(origin(text("webhook_url", "URL", "https://example.org/hook", ""))),
            choice(
                "format",
                "Body",
                "json",
                &[
                    option("json", "JSON: the message and the whole event"),
                    option("text", "Text"),
                    option("apprise", "JSON as Apprise sends it"),
                    option("simple", "JSON with title and message"),
                ],
            ),
            choice(
                "method",
                "Method",
                "POST",
                &[option("POST", "POST"), option("PUT", "PUT"), option("GET", "GET")],
            ),
            Field {
                shown: Shown::Names,
                ..text("headers", "Headers", "X-Api-Key: …", "Name: value, one to a line")
            },
            secret(
                "secret",
                "Signing secret",
                "whsec_…",
                "Signs every message as Standard Webhooks say; two with a blank between while you change it",
            ),
            text("username", "User name", "", ""),
            secret("password", "Password", "", ""),
            text(
                "title_key",
                "Key of the title",
                "title",
                "Of a JSON with title and message",
            ),
            text("message_key", "Key of the message", "message", ""),
            Field {
                shown: Shown::Names,
                ..text(
                    "extra",
                    "More keys",
                    "",
                    "key: value, one to a line, added to a JSON with title and message",
                )
            },
            ANY_CERTIFICATE,
        ],
    },
];

/// The service of this name.
pub fn provider(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.name == name)
}

impl Provider {
    fn field(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// Checks names, lengths and choices, and that what is needed is there. Empty values are taken out.
    ///
    /// # Errors
    /// Names the field.
    pub fn clean(&self, fields: &Fields) -> Result<Fields, BadSetting> {
        let mut out = Fields::new();
        for (key, value) in fields {
            let Some(field) = self.field(key) else {
                let known: Vec<&str> = self.fields.iter().map(|field| field.key).collect();
                let what = format!("{} has no such field; it has {}", self.label, known.join(", "));
                return Err(BadSetting::new(key.chars().take(60).collect::<String>(), what));
            };
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            field.check(value)?;
            out.insert(key.clone(), value.to_owned());
        }
        match self
            .fields
            .iter()
            .find(|field| field.required && !out.contains_key(field.key))
        {
            Some(field) => Err(BadSetting::new(
                field.key,
                format!("{} is needed for {}", field.label, self.label),
            )),
            None => Ok(out),
        }
    }

    /// The fields as they may be shown: no secret among them.
    pub fn masked(&self, fields: &Fields) -> Fields {
        fields
            .iter()
            .map(|(key, value)| {
                let shown = self.field(key).map_or(Shown::Never, |field| field.shown);
                (key.clone(), mask(shown, value))
            })
            .collect()
    }

    /// `new` with the secrets that it shows masked taken from `kept`.
    ///
    /// # Errors
    /// When a masked secret would go to another server than the one that it was typed for: it has to be typed again.
    pub fn unmasked(&self, new: &Fields, kept: &Fields) -> Result<Fields, BadSetting> {
        let mut out = new.clone();
        let mut restored = None;
        for (key, value) in &mut out {
            let Some(field) = self.field(key) else { continue };
            let Some(old) = kept.get(key) else { continue };
            if field.shown == Shown::Names {
                let unhidden = restore_lines(value, old);
                if unhidden != *value {
                    restored = Some(field.key);
                    *value = unhidden;
                }
            } else if field.shown != Shown::Plain && (*value == MASK || *value == mask(field.shown, old)) {
                if field.shown == Shown::Never {
                    restored = Some(field.key);
                }
                value.clone_from(old);
            }
        }
        let place = |fields: &Fields| -> Vec<String> {
            ["server_url", "host", "port", "webhook_url"]
                .iter()
                .map(|key| {
                    let value = fields.get(*key).map_or("", String::as_str);
                    if *key == "webhook_url" {
                        mask(Shown::Origin, value)
                    } else {
                        value.to_owned()
                    }
                })
                .collect()
        };
        match restored {
            Some(key) if place(&out) != place(kept) => Err(BadSetting::new(
                key,
                "type it again: the server was changed, and a secret goes only where it was typed for",
            )),
            _ => Ok(out),
        }
    }
}

impl Field {
    fn check(&self, value: &str) -> Result<(), BadSetting> {
        let bad = |what: String| Err(BadSetting::new(self.key, what));
        if value.len() > VALUE_MAX {
            return bad(format!("has {} bytes; at most {VALUE_MAX} are taken", value.len()));
        }
        let lines = matches!(self.key, "headers" | "extra");
        if value.chars().any(|c| c.is_control() && !(lines && c == '\n')) {
            return bad("has a control character in it".to_owned());
        }
        match self.kind {
            Kind::Number if value.parse::<i64>().is_err() => bad(format!("{value:?} is no whole number")),
            Kind::Checkbox if !matches!(value, "true" | "false") => bad(format!("{value:?}: expected true or false")),
            Kind::Select if !self.options.iter().any(|option| option.value == value) => {
                let known: Vec<&str> = self.options.iter().map(|option| option.value).collect();
                bad(format!("{value:?}: expected one of {}", known.join(", ")))
            }
            Kind::Text | Kind::Password | Kind::Number | Kind::Checkbox | Kind::Select => Ok(()),
        }
    }
}

fn mask(shown: Shown, value: &str) -> String {
    match shown {
        _ if value.is_empty() => String::new(),
        Shown::Plain => value.to_owned(),
        Shown::Never => MASK.to_owned(),
        Shown::Origin => match crate::url::Address::parse(value) {
            Ok(address) if address.target == "/" && address.user.is_none() => value.to_owned(),
            Ok(address) => format!("{}/{MASK}", address.origin()),
            Err(_) => MASK.to_owned(),
        },
        Shown::Names => value
            .lines()
            .map(|line| match line.split_once(':') {
                Some((name, _)) => format!("{}: {MASK}", name.trim()),
                None => MASK.to_owned(),
            })
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

/// `Name: ********` becomes what `Name` had: on the same line, else on the first that bears the name.
fn restore_lines(new: &str, kept: &str) -> String {
    let split = |line: &str| -> Option<(String, String)> {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    let kept: Vec<&str> = kept.lines().collect();
    let bears = |line: &&&str, name: &str| split(line).is_some_and(|(own, _)| own == name);
    new.lines()
        .enumerate()
        .map(|(at, line)| match split(line) {
            Some((name, value)) if value == MASK => {
                let same = kept.get(at).filter(|old| bears(old, &name));
                same.or_else(|| kept.iter().find(|old| bears(old, &name)))
                    .copied()
                    .unwrap_or(line)
            }
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn secrets_are_masked_and_come_back() {
        let generic = provider("generic").unwrap();
        let kept = fields(&[
            ("webhook_url", "https://example.org/hook?key=geheim"),
            ("headers", "X-Api-Key: geheim1\nX-Plain: geheim2"),
            ("secret", "whsec_geheim"),
        ]);
        let shown = generic.masked(&kept);
        assert!(!format!("{shown:?}").contains("geheim"), "{shown:?}");
        assert_eq!(shown["webhook_url"], format!("https://example.org/{MASK}"));
        assert_eq!(generic.unmasked(&shown, &kept).unwrap(), kept);
        let mut other = shown.clone();
        other.insert("headers".into(), format!("x-api-key: {MASK}\nX-New: 1"));
        assert_eq!(
            generic.unmasked(&other, &kept).unwrap()["headers"],
            "X-Api-Key: geheim1\nX-New: 1"
        );
    }

    #[test]
    fn a_masked_secret_goes_to_no_other_server() {
        let gotify = provider("gotify").unwrap();
        let kept = fields(&[("server_url", "https://mine.example"), ("app_token", "Ageheim")]);
        let stolen = fields(&[("server_url", "https://theirs.example"), ("app_token", MASK)]);
        assert_eq!(gotify.unmasked(&stolen, &kept).unwrap_err().field, "app_token");
        let typed = fields(&[("server_url", "https://theirs.example"), ("app_token", "Aneu")]);
        assert_eq!(gotify.unmasked(&typed, &kept).unwrap(), typed);
    }

    #[test]
    fn a_form_is_checked_field_by_field() {
        let email = provider("email").unwrap();
        let good = [("host", "smtp.example"), ("from", "a@b.c"), ("to", "d@e.f")];
        assert!(email.clean(&fields(&good)).is_ok());
        for (change, field) in [
            (("to", " "), "to"),
            (("port", "fünf"), "port"),
            (("security", "sometimes"), "security"),
            (("insecure", "yes"), "insecure"),
            (("host", "a\nb"), "host"),
            (("colour", "red"), "colour"),
        ] {
            let mut bad = fields(&good);
            bad.insert(change.0.into(), change.1.into());
            assert_eq!(email.clean(&bad).unwrap_err().field, field);
        }
    }

    #[test]
    fn every_password_field_is_hidden() {
        for provider in PROVIDERS {
            for field in provider.fields {
                let hidden = field.shown != Shown::Plain;
                assert_eq!(
                    field.kind == Kind::Password,
                    field.shown == Shown::Never,
                    "{} {}",
                    provider.name,
                    field.key
                );
                assert!(
                    hidden
                        || !["token", "secret", "password", "key"]
                            .iter()
                            .any(|w| field.key.ends_with(w))
                        || field.key.ends_with("_key") && provider.name == "generic",
                    "{} {}",
                    provider.name,
                    field.key
                );
            }
        }
    }
}
