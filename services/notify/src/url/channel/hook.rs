//! URLs of webhooks: a service's own, Apprise's `json`, shoutrrr's `generic`.

use super::{BadUrl, Fields, Parts, Read, params, set, verify};
use crate::url::{Address, encode};

pub(super) fn plain(text: &str) -> Read {
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
            set(&mut fields, "topic", crate::url::decode(path.trim_matches('/')));
            Ok(("ntfy", fields))
        }
        _ => {
            set(&mut fields, "webhook_url", text);
            Ok(("generic", fields))
        }
    }
}

/// Path and kept parameters of a webhook, encoded again.
fn target(parts: &Parts, kept: &[(String, String)]) -> String {
    let mut out: String = parts.path.iter().map(|part| format!("/{}", encode(part))).collect();
    for (i, (name, value)) in kept.iter().enumerate() {
        out.push(if i == 0 { '?' } else { '&' });
        out.push_str(&format!("{}={}", encode(name), encode(value)));
    }
    out
}

pub(super) fn json(parts: &Parts) -> Read {
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

pub(super) fn generic(parts: &Parts) -> Read {
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
