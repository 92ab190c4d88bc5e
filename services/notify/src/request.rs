//! The requests that a message becomes, byte for byte: pure. One for each chat, topic, device list or channel.
//!
//! Limits and shapes are the services' own; the source stands at each. What came from outside (a drive's model, an
//! add-on's words) goes only into JSON strings, form values and escaped text, never into a header or a path.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wire::Time;
use wire::event::Severity;

use crate::channel::{Channel, Format, Login, Secret, Webhook, chat_and_topic};
use crate::kinds;
use crate::message::{Message, cut, severity_word};
use crate::signature;
use crate::url::{Address, encode};

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

/// Colours of the severities, as `0xRRGGBB`.
fn colour(severity: Severity) -> u32 {
    match severity {
        Severity::Info => 0x2e_8b_57,
        Severity::Warning => 0xe0_a0_00,
        Severity::Critical => 0xd0_30_30,
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
        } => vec![discord(webhook, username, avatar, thread, message)],
        Channel::Telegram {
            server,
            token,
            chats,
            thread,
            silent,
            protect,
        } => chats
            .iter()
            .map(|chat| {
                let (id, topic) = chat_and_topic(chat);
                let thread = topic.and_then(|topic| topic.parse().ok()).or(*thread);
                let mut body = json!({ "chat_id": chat_id(id), "text": telegram_text(message),
                    "disable_notification": *silent, "protect_content": *protect,
                    "link_preview_options": { "is_disabled": true } });
                if let Some(thread) = thread {
                    body["message_thread_id"] = json!(thread);
                }
                let mut request = post_json(server.join(&format!("bot{}/sendMessage", token.0)), &body);
                request.target.clone_from(chat);
                request
            })
            .collect(),
        Channel::Slack {
            server,
            token,
            channels,
            username,
            icon,
        } => slack(server, token.as_ref(), channels, username, icon, message),
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
                let mut request = ntfy(server, topic, *priority, (tags, more), message);
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
        } => {
            // Source: Gotify API, POST /message; priorities of its apps: from 4 a sound, from 8 a banner.
            let usual = match message.severity {
                Severity::Info => 3,
                Severity::Warning => 5,
                Severity::Critical => 8,
            };
            let mut body =
                json!({ "title": message.title, "message": message.body, "priority": priority.unwrap_or(usual) });
            if let Some(link) = &message.link {
                body["extras"] = json!({ "client::notification": { "click": { "url": link } } });
            }
            let mut request = post_json(server.join("message"), &body);
            request.headers.push(("X-Gotify-Key".to_owned(), token.0.clone()));
            request.insecure = *insecure;
            vec![request]
        }
        Channel::Pushover { .. } => vec![pushover(channel, message)],
        Channel::Signal {
            server,
            number,
            recipients,
            insecure,
        } => {
            // Source: signal-cli-rest-api, POST /v2/send.
            let text = format!("{}\n{}", message.title, message.body);
            let body = json!({ "message": cut(&text, 2000), "number": number, "recipients": recipients });
            let mut request = post_json(server.join("v2/send"), &body);
            request.insecure = *insecure;
            vec![request]
        }
        Channel::Generic(webhook) => vec![generic(webhook, message, now)],
    }
}

/// Source: Discord, Execute Webhook; an embed's title has at most 256 characters, its description 4096.
fn discord(webhook: &Address, username: &str, avatar: &str, thread: &str, message: &Message) -> Request {
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

/// Source: Slack, "Formatting text for app surfaces": only these three characters are special. Marks such as `*` are left
/// alone by `mrkdwn` and `mrkdwn_in`.
fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn slack(
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

/// Longest request to ntfy, in bytes. Source: ntfy, `transformBodyJSON`: twice the 4096 of a message.
const NTFY_MAX: usize = 8192;

/// Source: ntfy, "Publish as JSON": to the server's root, topic in the body, priority 1 to 5, message of 4096 bytes.
fn ntfy(
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

/// Source: Pushover Message API: message 1024, title 250, url 512 characters of UTF-8; `retry` and `expire` for 2.
fn pushover(channel: &Channel, message: &Message) -> Request {
    let Channel::Pushover {
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
    } = channel
    else {
        unreachable!("asked for Pushover alone")
    };
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

fn generic(webhook: &Webhook, message: &Message, now: Time) -> Request {
    let (mut content, body) = match webhook.format {
        Format::Json => {
            let body = json!({ "id": message.id, "title": message.title, "message": message.body,
                "severity": severity_word(message.severity), "event_type": message.event_type,
                "event_types": message.event.as_ref().map_or_else(|| vec![message.event_type.as_str()], kinds::names),
                "time": message.time.to_string(), "host": message.host, "serial": message.serial,
                "link": message.link, "event": message.event });
            ("application/json", body.to_string())
        }
        Format::Text => {
            // As Vigil words it.
            let host = if message.host.is_empty() {
                String::new()
            } else {
                format!(" [{}]", message.host)
            };
            (
                "text/plain; charset=utf-8",
                format!(
                    "[{}]{host} {}\n{}",
                    severity_word(message.severity),
                    message.title,
                    message.body
                ),
            )
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::url;

    fn message(body: &str) -> Message {
        Message {
            id: "kiln-1-1".into(),
            title: "FAILED: a <b> & \"c\"".into(),
            body: body.into(),
            severity: Severity::Critical,
            event_type: "job.failed".into(),
            time: Time::from_second(1_700_000_000).unwrap(),
            host: "kiln".into(),
            serial: "S1".into(),
            link: Some("http://kiln.local/jobs/1".into()),
            event: None,
        }
    }

    fn of(address: &str, body: &str) -> Vec<Request> {
        let (service, fields) = url::channel(address).unwrap();
        requests(
            &Channel::read(service, &fields).unwrap(),
            &message(body),
            Time::from_second(1_700_000_001).unwrap(),
        )
    }

    fn body(request: &Request) -> Value {
        serde_json::from_slice(&request.body).unwrap()
    }

    #[test]
    fn the_longest_message_keeps_every_services_limit() {
        let long = "ä".repeat(20_000);
        let discord = body(&of("discord://1/t", &long)[0]);
        assert!(discord["embeds"][0]["description"].as_str().unwrap().chars().count() <= 4096);
        let telegram = body(&of("tgram://1:a/2", &long)[0]);
        assert!(telegram["text"].as_str().unwrap().chars().count() <= 4096);
        let ntfy = body(&of("ntfy://t", &long)[0]);
        assert!(ntfy["message"].as_str().unwrap().len() <= 4096);
        let key = "abcdefghij0123456789abcdefghij";
        let pushover = of(&format!("pover://{key}@{key}"), &long);
        let text = String::from_utf8(pushover[0].body.clone()).unwrap();
        let sent = text.split('&').find_map(|pair| pair.strip_prefix("message=")).unwrap();
        assert!(url::decode(sent).chars().count() <= 1024);
    }

    #[test]
    fn what_is_longer_as_json_keeps_ntfys_limit() {
        for text in ["\"", "\u{1}", "\\\n"] {
            let request = of("ntfy://t", &text.repeat(8000)).remove(0);
            assert!(request.body.len() <= NTFY_MAX, "{text:?}: {} bytes", request.body.len());
            assert!(body(&request)["message"].as_str().unwrap().len() > 500, "{text:?}");
        }
    }

    #[test]
    fn discord_shows_marks_as_they_stand() {
        let text = "S4_X_9 *a* ~~b~~ `c` ||d|| [x](http://y) <@1>\n# e\n > f 1 > 0\\";
        let embed = &body(&of("discord://1/t", text)[0])["embeds"][0];
        assert_eq!(
            embed["description"],
            "S4\\_X\\_9 \\*a\\* \\~\\~b\\~\\~ \\`c\\` \\|\\|d\\|\\| \\[x](http://y) \\<@1>\n\\# e\n \\> f 1 > 0\\\\"
        );
        assert_eq!(embed["title"], "FAILED: a \\<b> & \"c\"");
        let link = "http://kiln.local/jobs/1";
        let linked = &body(&of("discord://1/t", &format!("a_b {link}_ c\n{link}"))[0])["embeds"][0];
        assert_eq!(linked["description"], format!("a\\_b {link}_ c\n{link}"));
        let inside = "(http://nas/a_b) <https://nas/*c*> x_y=http://nas/?u=https://d_e _f_\nhttp://nas/g_h > i";
        let inside = &body(&of("discord://1/t", inside)[0])["embeds"][0];
        assert_eq!(
            inside["description"],
            "(http://nas/a_b) \\<https://nas/*c*> x\\_y=http://nas/?u=https://d_e \\_f\\_\nhttp://nas/g_h > i"
        );
        let long = &body(&of("discord://1/t", &"_".repeat(9000))[0])["embeds"][0];
        assert!(long["description"].as_str().unwrap().chars().count() <= 4096);
    }

    #[test]
    fn slacks_marks_are_escaped() {
        let slack = body(&of("slack://A/B/C", "<!channel> & co")[0]);
        assert_eq!(slack["attachments"][0]["text"], "&lt;!channel&gt; &amp; co");
        assert_eq!(slack["text"], "FAILED: a &lt;b&gt; &amp; \"c\"");
        assert_eq!(
            (&slack["mrkdwn"], &slack["attachments"][0]["mrkdwn_in"]),
            (&json!(false), &json!([]))
        );
    }

    #[test]
    fn a_signed_webhook_carries_the_messages_own_id() {
        let (_, mut fields) = url::channel("https://example.org/hook").unwrap();
        fields.insert("secret".into(), "whsec_c2VjcmV0 old".into());
        let channel = Channel::read("generic", &fields).unwrap();
        let request = requests(&channel, &message("x"), Time::from_second(9).unwrap()).remove(0);
        let header = |name: &str| {
            request
                .headers
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.clone())
                .unwrap()
        };
        assert_eq!(header("webhook-id"), "kiln-1-1");
        assert_eq!(header("webhook-timestamp"), "9");
        assert_eq!(header("webhook-signature").split(' ').count(), 2);
        assert_eq!(body(&request)["event_type"], "job.failed");
        assert_eq!(body(&request)["event_types"], json!(["job.failed"]));
    }

    #[test]
    fn nothing_of_a_request_is_written_into_a_log() {
        let request = of("json://u:geheim@nas/geheim?+X-K=geheim", "geheim").remove(0);
        assert!(!format!("{request:?}").contains("geheim"));
        let (service, fields) = url::channel("tgram://1:geheim/2").unwrap();
        assert!(!format!("{:?}", Channel::read(service, &fields).unwrap()).contains("geheim"));
    }
}
