//! URLs of channels, as Apprise and shoutrrr write them, read into the fields of a form.
//!
//! | scheme | service | forms |
//! |---|---|---|
//! | `mailto` `mailtos` | email | `mailtos://user:pass@example.org?smtp=…&from=…&to=…&mode=ssl` |
//! | `smtp` | email | `smtp://user:pass@host:port/?from=…&to=…&encryption=…` |
//! | `discord` | discord | `discord://ID/TOKEN`, `discord://TOKEN@ID` |
//! | `tgram` `telegram` | telegram | `tgram://BOT:TOKEN/CHAT`, `tgram://BOT:TOKEN/CHAT:TOPIC`, `telegram://BOT:TOKEN@telegram?chats=…` |
//! | `slack` | slack | `slack://A/B/C`, `slack://?token=A/B/C`, `slack://xoxb-…/CHANNEL`, `slack://hook:A-B-C@webhook`, `slack://xoxb:…@CHANNEL` |
//! | `ntfy` `ntfys` | ntfy | `ntfy://TOPIC`, `ntfys://user:pass@host/TOPIC` |
//! | `gotify` `gotifys` | gotify | `gotifys://host/TOKEN` |
//! | `pover` `pushover` | pushover | `pover://USER@TOKEN/DEVICE`, `pover://USER@TOKEN/#GROUP`, `pushover://shoutrrr:TOKEN@USER` |
//! | `signal` `signals` | signal | `signal://host:8080/+FROM/+TO` |
//! | `json` `jsons` | generic | `jsons://user:pass@host/path?+Header=…` |
//! | `generic` `generic+http` `generic+https` | generic | `generic://host/path?template=json&@Header=…` |
//! | `http` `https` | by host | the service's own webhook, else a plain webhook |
//!
//! Where the two dialects differ on whether a scheme means TLS (`ntfy`, `gotify`, `signal`: Apprise says no, shoutrrr
//! yes), Apprise holds, and shoutrrr's own parameters (`scheme`, `disabletls`) decide where they are given.

mod chat;
mod hook;
mod mail;
mod push;
#[cfg(test)]
mod tests;

use super::BadUrl;
use super::parts::Parts;
use crate::channel::Channel;
use crate::provider::Fields;
use chat::{discord, slack, telegram, tgram};
use hook::{generic, json, plain};
use mail::{mailto, smtp};
use push::{gotify, ntfy, pushover, signal};

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
    "retry",
    "wait",
    "optional",
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
