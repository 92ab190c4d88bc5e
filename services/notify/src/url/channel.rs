//! URLs of channels, as Apprise and shoutrrr write them, read into the fields of a form.
//!
//! | scheme | service | forms |
//! |---|---|---|
//! | `mailto` `mailtos` | email | `mailtos://user:pass@example.org?smtp=…&from=…&to=…&mode=ssl` |
//! | `smtp` | email | `smtp://user:pass@host:port/?from=…&to=…&encryption=…` |
//! | `discord` | discord | `discord://ID/TOKEN`, `discord://TOKEN@ID` |
//! | `tgram` `telegram` | telegram | `tgram://BOT:TOKEN/CHAT`, `telegram://BOT:TOKEN@telegram?chats=…` |
//! | `slack` | slack | `slack://A/B/C`, `slack://xoxb-…/CHANNEL`, `slack://hook:A-B-C@webhook`, `slack://xoxb:…@CHANNEL` |
//! | `ntfy` `ntfys` | ntfy | `ntfy://TOPIC`, `ntfys://user:pass@host/TOPIC` |
//! | `gotify` `gotifys` | gotify | `gotifys://host/TOKEN` |
//! | `pover` `pushover` | pushover | `pover://USER@TOKEN/DEVICE`, `pushover://shoutrrr:TOKEN@USER` |
//! | `signal` `signals` | signal | `signal://host:8080/+FROM/+TO` |
//! | `json` `jsons` | generic | `jsons://user:pass@host/path?+Header=…` |
//! | `generic` `generic+http` `generic+https` | generic | `generic://host/path?template=json&@Header=…` |
//! | `http` `https` | by host | the service's own webhook, else a plain webhook |
//!
//! Where the two dialects differ on whether a scheme means TLS (`ntfy`, `gotify`, `signal`: Apprise says no, shoutrrr
//! yes), Apprise holds, and shoutrrr's own parameters (`scheme`, `disabletls`) decide where they are given.

use super::parts::Parts;
use super::{Address, BadUrl};
use crate::channel::Channel;
use crate::provider::Fields;

/// Longest URL in bytes.
pub const LONGEST: usize = 4096;

/// Parameters that say how a message looks in other programs, or that have no meaning here; they are passed over.
const PASSED_OVER: &[&str] = &[
    "image",
    "footer",
    "avatar",
    "format",
    "overflow",
    "rto",
    "cto",
    "store",
    "emojis",
    "tts",
    "fields",
    "footer_logo",
    "preview",
    "href",
    "mdv",
    "detect",
    "blocks",
    "timestamp",
    "interpret",
    "redirect",
    "tz",
    "color",
    "parsemode",
    "splitlines",
    "splitLines",
    "title",
    "batch",
    "usehtml",
    "usestarttls",
    "clienthost",
    "auth",
    "cache",
    "firebase",
    "content",
    "include_image",
    "colors",
    "json",
    "useembedcolors",
];

type Read = Result<(&'static str, Fields), BadUrl>;

/// Reads a channel's URL: the service, and the fields of its form.
///
/// # Errors
/// Names the part of the URL that is wrong, and what is expected; never repeats what may be a secret.
pub fn channel(text: &str) -> Read {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(BadUrl::new(
            "url",
            format!("has {} bytes; at most {LONGEST} are taken", text.len()),
        ));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(BadUrl::new(
            "url",
            "has a blank or a control character in it; write it as %XX",
        ));
    }
    let scheme = text
        .split_once("://")
        .map_or("", |(scheme, _)| scheme)
        .to_ascii_lowercase();
    let read = match scheme.as_str() {
        "http" | "https" => plain(text),
        "tgram" => tgram(text),
        "mailto" | "mailtos" => mailto(&Parts::read(text)?),
        "smtp" | "smtps" => smtp(&Parts::read(text)?),
        "discord" => discord(&Parts::read(text)?),
        "telegram" => telegram(text),
        "slack" => slack(&Parts::read(text)?),
        "ntfy" | "ntfys" => ntfy(&Parts::read(text)?),
        "gotify" | "gotifys" => gotify(&Parts::read(text)?),
        "pover" | "pushover" => pushover(&Parts::read(text)?),
        "signal" | "signals" => signal(&Parts::read(text)?),
        "json" | "jsons" => json(&Parts::read(text)?),
        "generic" | "generics" | "generic+http" | "generic+https" => generic(&Parts::read(text)?),
        "" => Err(BadUrl::new("scheme", "expected something like ntfy://… or https://…")),
        other => Err(BadUrl::new(
            "scheme",
            format!(
                "{:?} is not known; known are mailto, mailtos, smtp, discord, tgram, telegram, slack, ntfy, ntfys, \
                 gotify, gotifys, pover, pushover, signal, signals, json, jsons, generic, http, https",
                other.chars().take(20).collect::<String>()
            ),
        )),
    }?;
    // What came out must be a channel; a form's error is told as the part of the URL that it came from.
    Channel::read(read.0, &read.1).map_err(|bad| BadUrl::new(bad.field, bad.what))?;
    Ok(read)
}

fn set(fields: &mut Fields, key: &str, value: impl Into<String>) {
    let value = value.into();
    if !value.is_empty() {
        fields.insert(key.to_owned(), value);
    }
}

/// Copies parameters into fields, and refuses those that nobody knows.
fn params(parts: &Parts, fields: &mut Fields, known: &[(&[&str], &str)], own: &[&str]) -> Result<(), BadUrl> {
    for (name, value) in &parts.query {
        let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        if let Some((_, key)) = known.iter().find(|(names, _)| is(names)) {
            set(fields, key, value.as_str());
        } else if !is(own) && !is(PASSED_OVER) && !is(&["verify"]) {
            let name: String = name.chars().take(30).collect();
            return Err(BadUrl::new(name, format!("is no parameter of {}://", parts.scheme)));
        }
    }
    Ok(())
}

fn verify(parts: &Parts, fields: &mut Fields) -> Result<(), BadUrl> {
    if parts.flag(&["verify", "verifycert", "tlsverify"])? == Some(false)
        || parts.flag(&["skiptlsverify", "disabletlsverification"])? == Some(true)
    {
        set(fields, "insecure", "true");
    }
    Ok(())
}

fn plain(text: &str) -> Read {
    let address = Address::parse(text)?;
    let mut fields = Fields::new();
    let path = address.target.split('?').next().unwrap_or("");
    match address.host.as_str() {
        "discord.com" | "discordapp.com" if path.starts_with("/api/webhooks/") => {
            set(&mut fields, "webhook_url", text);
            Ok(("discord", fields))
        }
        "hooks.slack.com" | "hooks.slack-gov.com" => {
            set(&mut fields, "webhook_url", text);
            Ok(("slack", fields))
        }
        "ntfy.sh" if path.trim_matches('/').split('/').count() == 1 && path != "/" => {
            set(&mut fields, "topic", super::decode(path.trim_matches('/')));
            Ok(("ntfy", fields))
        }
        _ => {
            set(&mut fields, "webhook_url", text);
            Ok(("generic", fields))
        }
    }
}

fn address_of(user: &str, domain: &str) -> String {
    if user.contains('@') {
        user.to_owned()
    } else {
        format!("{user}@{domain}")
    }
}

/// Mail services whose server has another name than the domain of the address: server, port, TLS from the start.
fn known_mail(domain: &str) -> Option<(&'static str, u16, bool)> {
    Some(match domain {
        "gmail.com" | "googlemail.com" => ("smtp.gmail.com", 587, false),
        "outlook.com" | "hotmail.com" | "live.com" => ("smtp-mail.outlook.com", 587, false),
        "yahoo.com" => ("smtp.mail.yahoo.com", 465, true),
        "icloud.com" | "me.com" => ("smtp.mail.me.com", 587, false),
        "fastmail.com" => ("smtp.fastmail.com", 465, true),
        _ => return None,
    })
}

fn mailto(parts: &Parts) -> Read {
    let mut fields = Fields::new();
    let (domain, port) = parts.place()?;
    let user = parts.get(&["user"]).map(str::to_owned).or_else(|| parts.user.clone());
    let known = known_mail(&domain).filter(|_| parts.get(&["smtp"]).is_none());
    let security = match parts.get(&["mode"]).map(str::to_ascii_lowercase).as_deref() {
        Some("ssl") => "ssl",
        Some("starttls") => "starttls",
        Some("insecure") => "none",
        Some(_) => return Err(BadUrl::new("mode", "expected ssl, starttls or insecure")),
        None if known.is_some_and(|(_, _, ssl)| ssl) => "ssl",
        None if known.is_some() || parts.scheme == "mailtos" => "starttls",
        None => "none",
    };
    let host = parts
        .get(&["smtp"])
        .or(known.map(|(host, _, _)| host))
        .unwrap_or(&domain);
    set(&mut fields, "host", host);
    let usual = match security {
        "ssl" => 465,
        "starttls" => 587,
        _ => 25,
    };
    set(
        &mut fields,
        "port",
        port.or(known.map(|(_, port, _)| port)).unwrap_or(usual).to_string(),
    );
    set(&mut fields, "security", security);
    let from = parts.get(&["from"]).map(|from| address_of(from, &domain));
    let from = match (from, &user) {
        (Some(from), _) => from,
        (None, Some(user)) => address_of(user, &domain),
        (None, None) => {
            return Err(BadUrl::new(
                "from",
                "is needed: mailtos://user:password@example.org or ?from=",
            ));
        }
    };
    if let Some(user) = user {
        // The big services want the whole address as the user's name.
        let login = if known.is_some() {
            address_of(&user, &domain)
        } else {
            user
        };
        set(&mut fields, "username", login);
        set(
            &mut fields,
            "password",
            parts
                .password
                .as_deref()
                .or(parts.get(&["pass", "password"]))
                .unwrap_or(""),
        );
    }
    let mut to: Vec<String> = parts.path.clone();
    to.extend(parts.get(&["to"]).map(str::to_owned));
    if to.is_empty() {
        to.push(from.clone());
    }
    set(&mut fields, "to", to.join(","));
    set(
        &mut fields,
        "from",
        match parts.get(&["name"]) {
            Some(name) if !from.contains('<') => format!("{} <{from}>", name.replace(['<', '>', '"'], "")),
            _ => from,
        },
    );
    verify(parts, &mut fields)?;
    params(
        parts,
        &mut fields,
        &[(&["cc"], "cc"), (&["subject"], "subject")],
        &["mode", "smtp", "from", "name", "to", "user", "pass", "password"],
    )?;
    Ok(("email", fields))
}

fn smtp(parts: &Parts) -> Read {
    let mut fields = Fields::new();
    let (host, port) = parts.place()?;
    let encryption = parts.get(&["encryption"]).map(str::to_ascii_lowercase);
    let security = match encryption.as_deref() {
        Some("ssl" | "tls" | "implicittls") => "ssl",
        Some("starttls" | "explicittls") => "starttls",
        Some("none") => "none",
        Some("auto") | None if port == Some(465) || parts.scheme == "smtps" => "ssl",
        Some("auto") | None if parts.flag(&["usestarttls", "starttls"])? == Some(false) => "none",
        Some("auto") | None => "starttls",
        Some(_) => {
            return Err(BadUrl::new(
                "encryption",
                "expected None, ExplicitTLS, ImplicitTLS or Auto",
            ));
        }
    };
    set(&mut fields, "host", host);
    set(
        &mut fields,
        "port",
        port.unwrap_or(if security == "ssl" { 465 } else { 25 }).to_string(),
    );
    set(&mut fields, "security", security);
    set(&mut fields, "username", parts.user.clone().unwrap_or_default());
    set(&mut fields, "password", parts.password.clone().unwrap_or_default());
    let from = parts
        .get(&["from", "fromaddress"])
        .ok_or_else(|| BadUrl::new("from", "is needed: the sender's address"))?;
    set(
        &mut fields,
        "from",
        match parts.get(&["fromname"]) {
            Some(name) => format!("{} <{from}>", name.replace(['<', '>', '"'], "")),
            None => from.to_owned(),
        },
    );
    verify(parts, &mut fields)?;
    params(
        parts,
        &mut fields,
        &[(&["to", "toaddresses"], "to"), (&["subject"], "subject")],
        &[
            "encryption",
            "from",
            "fromaddress",
            "fromname",
            "starttls",
            "skiptlsverify",
        ],
    )?;
    Ok(("email", fields))
}

fn discord(parts: &Parts) -> Read {
    let mut fields = Fields::new();
    let (id, token, shown) = match (parts.path.as_slice(), &parts.user) {
        ([token], shown) => (parts.word(), token.clone(), shown.clone()),
        ([], Some(token)) => (parts.word(), token.clone(), None),
        _ => return Err(BadUrl::new("path", "expected discord://ID/TOKEN or discord://TOKEN@ID")),
    };
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadUrl::new("host", "expected the webhook's ID, a number"));
    }
    set(
        &mut fields,
        "webhook_url",
        format!("https://discord.com/api/webhooks/{id}/{}", super::encode(&token)),
    );
    set(&mut fields, "username", shown.unwrap_or_default());
    params(
        parts,
        &mut fields,
        &[
            (&["botname", "username"], "username"),
            (&["avatar_url", "avatarurl"], "avatar_url"),
            (&["thread", "thread_id"], "thread_id"),
        ],
        &["url", "ping", "flags"],
    )?;
    Ok(("discord", fields))
}

/// `tgram://123456:ABC/chat…`: the token's colon is no port.
fn tgram(text: &str) -> Read {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let rest = rest.strip_prefix("bot").unwrap_or(rest);
    // The colon becomes a slash, so that the rest is a URL like any other.
    let fixed = match rest.find([':', '/', '?', '%']) {
        Some(at) if rest[at..].starts_with(':') => format!("tgram://{}/{}", &rest[..at], &rest[at + 1..]),
        Some(at) if rest[at..].to_ascii_lowercase().starts_with("%3a") => {
            format!("tgram://{}/{}", &rest[..at], &rest[at + 3..])
        }
        _ => format!("tgram://{rest}"),
    };
    let parts = Parts::read(&fixed)?;
    let [secret, chats @ ..] = parts.path.as_slice() else {
        return Err(BadUrl::new(
            "host",
            "expected the bot's token, 123456789:ABC…, before the chats",
        ));
    };
    let mut fields = Fields::new();
    set(&mut fields, "bot_token", format!("{}:{secret}", parts.word()));
    let mut all = chats.to_vec();
    all.extend(parts.get(&["to"]).map(str::to_owned));
    telegram_rest(&parts, fields, &all.join(","))
}

fn telegram(text: &str) -> Read {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    if !rest.split('?').next().unwrap_or("").contains('@') || rest.starts_with('@') {
        // Apprise's form under the longer name.
        return tgram(&format!("tgram://{rest}"));
    }
    let parts = Parts::read(text)?;
    let (Some(bot), Some(secret)) = (&parts.user, &parts.password) else {
        return tgram(&format!("tgram://{rest}"));
    };
    let mut fields = Fields::new();
    set(&mut fields, "bot_token", format!("{bot}:{secret}"));
    let chats = parts
        .get(&["chats", "channels"])
        .ok_or_else(|| BadUrl::new("chats", "is needed: ?chats=@channel,-1001234"))?
        .to_owned();
    telegram_rest(&parts, fields, &chats)
}

fn telegram_rest(parts: &Parts, mut fields: Fields, chats: &str) -> Read {
    set(&mut fields, "chat_id", chats);
    if parts.flag(&["silent"])? == Some(true) || parts.flag(&["notification"])? == Some(false) {
        set(&mut fields, "silent", "true");
    }
    if parts.flag(&["protect"])? == Some(true) {
        set(&mut fields, "protect", "true");
    }
    params(
        parts,
        &mut fields,
        &[(&["topic", "thread"], "thread_id")],
        &["silent", "notification", "protect", "to", "chats", "channels"],
    )?;
    Ok(("telegram", fields))
}

fn slack(parts: &Parts) -> Read {
    let mut fields = Fields::new();
    let hook = |a: &str, b: &str, c: &str| {
        format!(
            "https://hooks.slack.com/services/{}/{}/{}",
            super::encode(a),
            super::encode(b),
            super::encode(c)
        )
    };
    let word = parts.word();
    let mut channels: Vec<String> = Vec::new();
    let token_word = parts.user.as_deref().unwrap_or("").to_ascii_lowercase();
    if let (true, Some(secret)) = (token_word == "hook", &parts.password) {
        // shoutrrr: slack://hook:A-B-C@webhook
        match secret.split('-').collect::<Vec<_>>().as_slice() {
            [a, b, c] => set(&mut fields, "webhook_url", hook(a, b, c)),
            _ => {
                return Err(BadUrl::new(
                    "password",
                    "expected the three parts of the webhook: A-B-C",
                ));
            }
        }
    } else if let (true, Some(secret)) = (token_word.starts_with("xox"), &parts.password) {
        // shoutrrr: slack://xoxb:…@channel
        set(&mut fields, "bot_token", format!("{token_word}-{secret}"));
        channels.push(word);
    } else if word.starts_with("xo") {
        set(&mut fields, "bot_token", word);
        channels.extend(parts.path.iter().cloned());
        set(&mut fields, "bot_name", parts.user.clone().unwrap_or_default());
    } else {
        let [b, c, rest @ ..] = parts.path.as_slice() else {
            return Err(BadUrl::new(
                "path",
                "expected slack://A/B/C, the three parts of the webhook's URL",
            ));
        };
        set(&mut fields, "webhook_url", hook(&word, b, c));
        channels.extend(rest.iter().cloned());
        set(&mut fields, "bot_name", parts.user.clone().unwrap_or_default());
    }
    channels.extend(parts.get(&["to"]).map(str::to_owned));
    set(&mut fields, "channel", channels.join(","));
    params(
        parts,
        &mut fields,
        &[
            (&["botname"], "bot_name"),
            (&["icon"], "icon_emoji"),
            (&["channel"], "channel"),
        ],
        &["to", "mode", "thread_ts"],
    )?;
    Ok(("slack", fields))
}

fn ntfy(parts: &Parts) -> Read {
    let mut fields = Fields::new();
    let mut topics = parts.path.clone();
    topics.extend(parts.get(&["to"]).map(str::to_owned));
    let cloud = match parts.get(&["mode"]).map(str::to_ascii_lowercase).as_deref() {
        Some("cloud") => true,
        Some("private") => false,
        Some(_) => return Err(BadUrl::new("mode", "expected cloud or private")),
        None => parts.path.is_empty() || parts.place().is_ok_and(|(host, _)| host == "ntfy.sh"),
    };
    if cloud {
        let word = parts.word();
        if !word.is_empty() && !word.eq_ignore_ascii_case("ntfy.sh") {
            topics.insert(0, word);
        }
        set(&mut fields, "server_url", "https://ntfy.sh");
    } else {
        let tls = match parts.get(&["scheme"]) {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(BadUrl::new("scheme", "expected http or https")),
            None => parts.scheme == "ntfys",
        };
        set(&mut fields, "server_url", parts.origin(tls)?);
    }
    set(&mut fields, "topic", topics.join(","));
    let token = parts.get(&["token"]).map(str::to_owned);
    let by_token = parts
        .get(&["auth"])
        .is_some_and(|auth| auth.eq_ignore_ascii_case("token"));
    match (token, &parts.user, &parts.password) {
        (Some(token), _, _) => set(&mut fields, "token", token),
        (None, Some(user), None) if by_token || user.starts_with("tk_") => set(&mut fields, "token", user.as_str()),
        (None, None, Some(token)) => set(&mut fields, "token", token.as_str()),
        (None, _, Some(token)) if by_token => set(&mut fields, "token", token.as_str()),
        (None, Some(user), password) => {
            set(&mut fields, "username", user.as_str());
            set(&mut fields, "password", password.clone().unwrap_or_default());
        }
        (None, None, None) => {}
    }
    if let Some(word) = parts.get(&["priority"]) {
        let number = match word.to_ascii_lowercase().as_str() {
            "1" | "min" => "1",
            "2" | "low" => "2",
            "3" | "default" | "normal" | "moderate" => "3",
            "4" | "high" => "4",
            "5" | "max" | "urgent" | "emergency" => "5",
            _ => {
                return Err(BadUrl::new(
                    "priority",
                    "expected 1 to 5, or min, low, default, high, max",
                ));
            }
        };
        set(&mut fields, "priority", number);
    }
    verify(parts, &mut fields)?;
    params(
        parts,
        &mut fields,
        &[(&["tags", "xtags"], "tags")],
        &[
            "mode",
            "scheme",
            "to",
            "token",
            "priority",
            "disabletlsverification",
            "click",
            "email",
            "delay",
            "actions",
            "attach",
            "filename",
            "avatar_url",
        ],
    )?;
    Ok(("ntfy", fields))
}

fn gotify(parts: &Parts) -> Read {
    let mut fields = Fields::new();
    let [path @ .., token] = parts.path.as_slice() else {
        return Err(BadUrl::new(
            "path",
            "expected the application's token: gotifys://host/TOKEN",
        ));
    };
    let tls = match parts.flag(&["disabletls"])? {
        Some(without) => !without,
        None => parts.scheme == "gotifys",
    };
    let mut server = parts.origin(tls)?;
    for part in path {
        server.push('/');
        server.push_str(&super::encode(part));
    }
    set(&mut fields, "server_url", server);
    set(&mut fields, "app_token", token.as_str());
    if let Some(word) = parts.get(&["priority"]) {
        let number = match word.to_ascii_lowercase().as_str() {
            "low" => "0",
            "moderate" => "3",
            "normal" => "5",
            "high" => "8",
            "emergency" => "10",
            _ => word,
        };
        set(&mut fields, "priority", number);
    }
    verify(parts, &mut fields)?;
    params(parts, &mut fields, &[], &["disabletls", "priority"])?;
    Ok(("gotify", fields))
}

fn pushover(parts: &Parts) -> Read {
    let mut fields = Fields::new();
    let (user, token) = match (&parts.user, &parts.password) {
        (_, Some(token)) => (parts.word(), token.clone()),
        (Some(user), None) => (user.clone(), parts.word()),
        (None, None) => {
            return Err(BadUrl::new(
                "user",
                "expected pover://USER@TOKEN or pushover://shoutrrr:TOKEN@USER",
            ));
        }
    };
    set(&mut fields, "user_key", user);
    set(&mut fields, "api_token", token);
    let mut devices = parts.path.clone();
    devices.extend(parts.get(&["to", "devices"]).map(str::to_owned));
    set(&mut fields, "devices", devices.join(","));
    if let Some(word) = parts.get(&["priority"]) {
        let number = match word.to_ascii_lowercase().as_str() {
            "low" => "-2",
            "moderate" => "-1",
            "normal" => "0",
            "high" => "1",
            "emergency" => "2",
            _ => word,
        };
        set(&mut fields, "priority", number);
    }
    params(
        parts,
        &mut fields,
        &[
            (&["sound"], "sound"),
            (&["expire"], "expire"),
            (&["interval", "retry"], "retry"),
        ],
        &["to", "devices", "priority", "url", "url_title"],
    )?;
    Ok(("pushover", fields))
}

fn signal(parts: &Parts) -> Read {
    let mut fields = Fields::new();
    let [from, to @ ..] = parts.path.as_slice() else {
        return Err(BadUrl::new("path", "expected signal://host:port/+SENDER/+RECIPIENT"));
    };
    let tls = match parts.flag(&["disabletls"])? {
        Some(without) => !without,
        None => parts.scheme == "signals",
    };
    set(&mut fields, "host", parts.origin(tls)?);
    set(&mut fields, "number", from.as_str());
    let mut all = to.to_vec();
    all.extend(parts.get(&["to"]).map(str::to_owned));
    set(&mut fields, "recipients", all.join(","));
    verify(parts, &mut fields)?;
    params(parts, &mut fields, &[], &["disabletls", "to", "skiptlsverify"])?;
    Ok(("signal", fields))
}

/// Path and kept parameters of a webhook, encoded again.
fn target(parts: &Parts, kept: &[(String, String)]) -> String {
    let mut out: String = parts
        .path
        .iter()
        .map(|part| format!("/{}", super::encode(part)))
        .collect();
    for (i, (name, value)) in kept.iter().enumerate() {
        out.push(if i == 0 { '?' } else { '&' });
        out.push_str(&format!("{}={}", super::encode(name), super::encode(value)));
    }
    out
}

fn json(parts: &Parts) -> Read {
    let mut fields = Fields::new();
    let (mut headers, mut extra, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in &parts.query {
        match name.as_bytes().first() {
            Some(b'+') => headers.push(format!("{}: {value}", &name[1..])),
            Some(b'-') => kept.push((name[1..].to_owned(), value.clone())),
            Some(b':') => extra.push(format!("{}: {value}", &name[1..])),
            _ => {}
        }
    }
    set(
        &mut fields,
        "webhook_url",
        format!("{}{}", parts.origin(parts.scheme == "jsons")?, target(parts, &kept)),
    );
    set(&mut fields, "format", "apprise");
    set(&mut fields, "headers", headers.join("\n"));
    set(&mut fields, "extra", extra.join("\n"));
    set(&mut fields, "username", parts.user.clone().unwrap_or_default());
    set(&mut fields, "password", parts.password.clone().unwrap_or_default());
    set(
        &mut fields,
        "method",
        parts.get(&["method"]).unwrap_or("").to_ascii_uppercase(),
    );
    verify(parts, &mut fields)?;
    let known = |name: &str| name.starts_with(['+', '-', ':']) || name.eq_ignore_ascii_case("method");
    let rest = Parts {
        query: parts.query.iter().filter(|(name, _)| !known(name)).cloned().collect(),
        ..parts.clone()
    };
    params(&rest, &mut fields, &[], &[])?;
    Ok(("generic", fields))
}

fn generic(parts: &Parts) -> Read {
    let mut fields = Fields::new();
    let tls = match parts.scheme.as_str() {
        "generic+http" => false,
        "generic+https" | "generics" => true,
        _ => parts.flag(&["disabletls"])? != Some(true),
    };
    let (mut headers, mut extra, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    let mut format = "text";
    for (name, value) in &parts.query {
        match (name.as_bytes().first(), name.to_ascii_lowercase().as_str()) {
            (Some(b'@'), _) => headers.push(format!("{}: {value}", &name[1..])),
            (Some(b'$'), _) => extra.push(format!("{}: {value}", &name[1..])),
            (_, "disabletls" | "title") => {}
            (_, "template") if value.eq_ignore_ascii_case("json") => format = "simple",
            (_, "template") => return Err(BadUrl::new("template", "only JSON is known")),
            (_, "contenttype") => headers.push(format!("Content-Type: {value}")),
            (_, "method" | "requestmethod") => set(&mut fields, "method", value.to_ascii_uppercase()),
            (_, "titlekey") => set(&mut fields, "title_key", value.as_str()),
            (_, "messagekey") => set(&mut fields, "message_key", value.as_str()),
            // shoutrrr: a parameter of the target that has one of the names above is written with an underscore.
            _ => kept.push((name.strip_prefix('_').unwrap_or(name).to_owned(), value.clone())),
        }
    }
    set(
        &mut fields,
        "webhook_url",
        format!("{}{}", parts.origin(tls)?, target(parts, &kept)),
    );
    set(&mut fields, "format", format);
    set(&mut fields, "headers", headers.join("\n"));
    set(&mut fields, "extra", extra.join("\n"));
    set(&mut fields, "username", parts.user.clone().unwrap_or_default());
    set(&mut fields, "password", parts.password.clone().unwrap_or_default());
    Ok(("generic", fields))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> String {
        let (service, fields) = channel(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let fields: Vec<String> = fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
        format!("{service} {}", fields.join(" ").replace('\n', "|"))
    }

    const HOOK: &str = "https://hooks.slack.com/services/TAAA/BBBB/CCCC";
    const KEY30: &str = "abcdefghij0123456789abcdefghij";

    #[test]
    fn both_dialects_are_read() {
        let p = KEY30;
        for (url, want) in [
            ("discord://123/tok-en_1", "discord webhook_url=https://discord.com/api/webhooks/123/tok-en_1".to_owned()),
            ("discord://Kiln@123/tok?thread=9&image=no", "discord thread_id=9 username=Kiln webhook_url=https://discord.com/api/webhooks/123/tok".into()),
            ("discord://tok@123?username=Kiln", "discord username=Kiln webhook_url=https://discord.com/api/webhooks/123/tok".into()),
            ("https://discord.com/api/webhooks/123/tok", "discord webhook_url=https://discord.com/api/webhooks/123/tok".into()),
            ("tgram://123456789:AbC-d_e/@bench/-100200", "telegram bot_token=123456789:AbC-d_e chat_id=@bench,-100200".into()),
            ("tgram://bot123456789%3AAbCde/12?silent=yes&topic=5", "telegram bot_token=123456789:AbCde chat_id=12 silent=true thread_id=5".into()),
            ("telegram://123456789:AbCde@telegram?chats=@a,-1002&notification=no", "telegram bot_token=123456789:AbCde chat_id=@a,-1002 silent=true".into()),
            ("telegram://123456789:AbCde/12", "telegram bot_token=123456789:AbCde chat_id=12".into()),
            ("slack://TAAA/BBBB/CCCC", format!("slack webhook_url={HOOK}")),
            ("slack://Kiln@TAAA/BBBB/CCCC/alerts", format!("slack bot_name=Kiln channel=alerts webhook_url={HOOK}")),
            ("slack://hook:TAAA-BBBB-CCCC@webhook?botname=K", format!("slack bot_name=K webhook_url={HOOK}")),
            ("slack://xoxb-1-2-abc/%23alerts", "slack bot_token=xoxb-1-2-abc channel=#alerts".into()),
            ("slack://xoxb:1-2-abc@C001", "slack bot_token=xoxb-1-2-abc channel=C001".into()),
            ("ntfy://bench", "ntfy server_url=https://ntfy.sh topic=bench".into()),
            ("ntfy://ntfy.sh/bench", "ntfy server_url=https://ntfy.sh topic=bench".into()),
            ("https://ntfy.sh/bench", "ntfy topic=bench".into()),
            ("ntfys://u:p%40@nas.local:8443/a/b?priority=high&tags=fire", "ntfy password=p@ priority=4 server_url=https://nas.local:8443 tags=fire topic=a,b username=u".into()),
            ("ntfy://tk_abc@nas/a", "ntfy server_url=http://nas token=tk_abc topic=a".into()),
            ("ntfy://:tk_abc@nas/a?scheme=https", "ntfy server_url=https://nas token=tk_abc topic=a".into()),
            ("gotify://nas:8080/Atoken", "gotify app_token=Atoken server_url=http://nas:8080".into()),
            ("gotifys://nas/sub/path/Atoken?priority=high&verify=no", "gotify app_token=Atoken insecure=true priority=8 server_url=https://nas/sub/path".into()),
            ("gotify://nas/Atoken?disabletls=no", "gotify app_token=Atoken server_url=https://nas".into()),
            (&format!("pover://{p}@{p}/phone?priority=1&sound=bike"), format!("pushover api_token={p} devices=phone priority=1 sound=bike user_key={p}")),
            (&format!("pushover://shoutrrr:{p}@{p}/?devices=a,b"), format!("pushover api_token={p} devices=a,b user_key={p}")),
            ("signal://nas:8080/+491/+492/+493", "signal host=http://nas:8080 number=+491 recipients=+492,+493".into()),
            ("mailtos://me:pw@example.org?to=you@example.org", "email from=me@example.org host=example.org password=pw port=587 security=starttls to=you@example.org username=me".into()),
            ("mailto://example.org:2525/you@a.b?from=me&smtp=mx.example.org&name=Kiln", "email from=Kiln <me@example.org> host=mx.example.org port=2525 security=none to=you@a.b".into()),
            ("mailtos://me:pw@gmail.com", "email from=me@gmail.com host=smtp.gmail.com password=pw port=587 security=starttls to=me@gmail.com username=me@gmail.com".into()),
            ("mailtos://me:pw@example.org?mode=ssl", "email from=me@example.org host=example.org password=pw port=465 security=ssl to=me@example.org username=me".into()),
            ("smtp://u:p@mx.example.org:587/?from=a@b.c&to=d@e.f,g@h.i&useStartTLS=yes", "email from=a@b.c host=mx.example.org password=p port=587 security=starttls to=d@e.f,g@h.i username=u".into()),
            ("smtp://mx:465/?from=a@b.c&to=d@e.f&encryption=ssl", "email from=a@b.c host=mx port=465 security=ssl to=d@e.f".into()),
            ("json://u:p@nas:9000/a/b?+X-Key=v&-q=1&:k=w&method=put", "generic extra=k: w format=apprise headers=X-Key: v method=PUT password=p username=u webhook_url=http://nas:9000/a/b?q=1".into()),
            ("jsons://nas", "generic format=apprise webhook_url=https://nas".into()),
            ("generic://nas/hook?disabletls=yes&template=json&@X-Key=v&$k=w&id=7", "generic extra=k: w format=simple headers=X-Key: v webhook_url=http://nas/hook?id=7".into()),
            ("generic+https://nas/hook?_title=x", "generic format=text webhook_url=https://nas/hook?title=x".into()),
            ("https://example.org/hook?x=1", "generic webhook_url=https://example.org/hook?x=1".into()),
        ] {
            assert_eq!(read(url), want, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_is_repeated() {
        for (url, part) in [
            ("", "scheme"),
            ("nothing", "scheme"),
            ("foo://geheim", "scheme"),
            ("discord://geheim", "path"),
            ("discord://geheim/geheim", "host"),
            ("discord://1/geheim?colour=geheim", "colour"),
            ("tgram://geheim", "host"),
            ("tgram://123:geheim", "chat_id"),
            ("tgram://geheim:geheim/1", "bot_token"),
            ("telegram://1:geheim@telegram", "chats"),
            ("slack://A/geheim", "path"),
            ("slack://hook:geheim@webhook", "password"),
            ("slack://xoxb-geheim", "channel"),
            ("ntfy://", "topic"),
            ("ntfy://nas/a?priority=geheim", "priority"),
            ("ntfy://nas:99999/a", "port"),
            ("ntfys://na$s/a", "host"),
            ("gotify://nas", "path"),
            ("gotify://nas/geheim?priority=11", "priority"),
            ("pover://geheim", "user"),
            ("pover://geheim@geheim", "user_key"),
            ("mailto://example.org", "from"),
            ("mailtos://a:geheim@example.org?mode=geheim", "mode"),
            ("mailtos://a:geheim@example.org?to=nobody", "to"),
            ("smtp://u:geheim@h/?to=a@b.c", "from"),
            ("json://", "host"),
            ("generic://h/?template=geheim", "template"),
            ("generic://h/?disabletls=geheim", "disabletls"),
            ("json://h/?+Bad%20Header=geheim", "headers"),
            ("http://u:geheim@/x", "host"),
        ] {
            let error = channel(url).err().unwrap_or_else(|| panic!("{url} was taken"));
            assert_eq!(error.part, part, "{url}: {error}");
            assert!(!error.to_string().contains("geheim"), "{url}: {error}");
        }
        assert_eq!(
            channel(&format!("ntfy://{}", "a".repeat(LONGEST))).unwrap_err().part,
            "url"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_pasted_is_answered(text in "\\PC{0,60}") {
            let _answer = channel(&text);
        }

        #[test]
        fn whatever_follows_a_known_scheme_is_answered(
            scheme in prop::sample::select(vec!["mailto", "smtp", "discord", "tgram", "telegram", "slack", "ntfy", "gotify", "pover", "pushover", "signal", "json", "generic", "https"]),
            text in "[a-z0-9:/@?&=%+$.\\-äß#]{0,40}",
        ) {
            let _answer = channel(&format!("{scheme}://{text}"));
        }
    }
}
