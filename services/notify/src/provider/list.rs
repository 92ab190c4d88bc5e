//! The services that are known, and the form of each.

use super::{Choice, Field, Kind, Provider, Shown};

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
            text("bcc", "Hidden copy to", "", "Nobody else sees them"),
            text("reply_to", "Answers to", "", "Empty: the sender"),
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
            text("click", "Opened by a tap", "https://…", "Empty: this box"),
            text(
                "email",
                "Also by mail to",
                "bench@example.org",
                "If the server sends mail",
            ),
            text("delay", "Delay", "30m", "As ntfy takes it: 30m, tomorrow 9am"),
            text(
                "attach",
                "Attachment",
                "https://…",
                "Address of a file that goes with it",
            ),
            text("filename", "Its name", "", ""),
            text("icon", "Icon", "https://…", "Address of a picture"),
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
            text("url", "Address", "https://…", "Instead of this box's"),
            text("url_title", "Its words", "", ""),
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
                    "key: value, one to a line, added to a JSON with title and message; in Apprise's, `title: subject` gives its title another key",
                )
            },
            ANY_CERTIFICATE,
        ],
    },
];
