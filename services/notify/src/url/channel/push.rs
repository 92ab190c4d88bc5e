//! URLs of the services that ring a phone: ntfy, Gotify, Pushover, Signal.

use super::{BadUrl, Fields, Parts, Read, params, set, verify};
use crate::url::encode;

pub(super) fn ntfy(parts: &Parts) -> Read {
    let mut fields = Fields::new();
    let mut topics = parts.path.clone();
    topics.extend(parts.get(&["to"]).map(str::to_owned));
    let cloud = match parts.get(&["mode"]).map(str::to_ascii_lowercase).as_deref() {
        Some("cloud") => true,
        Some("private") => false,
        Some(_) => return Err(BadUrl::new("mode", "expected cloud or private")),
        // A word alone is a topic; with topics beside it, also those of `to`, it is a server.
        None => topics.is_empty() || parts.place().is_ok_and(|(host, _)| host == "ntfy.sh"),
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
        &[
            (&["tags", "xtags"], "tags"),
            (&["click"], "click"),
            (&["email"], "email"),
            (&["delay"], "delay"),
            (&["attach"], "attach"),
            (&["filename"], "filename"),
            (&["avatar_url"], "icon"),
        ],
        &["mode", "scheme", "to", "token", "priority", "disabletlsverification"],
    )?;
    Ok(("ntfy", fields))
}

pub(super) fn gotify(parts: &Parts) -> Read {
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
        server.push_str(&encode(part));
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

pub(super) fn pushover(parts: &Parts) -> Read {
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
    let to = parts.get(&["to", "devices"]).unwrap_or("").split(',').map(str::trim);
    let to = parts
        .path
        .iter()
        .map(String::as_str)
        .chain(to.filter(|one| !one.is_empty()));
    // A group has a key of its own, which stands in the place of a person's.
    let (groups, devices): (Vec<&str>, Vec<&str>) = to.partition(|one| one.starts_with('#'));
    let user = match (groups.as_slice(), devices.is_empty()) {
        ([], _) => user,
        ([group], true) => group[1..].to_owned(),
        _ => return Err(BadUrl::new("path", "expected devices, or one #GROUP and nothing else")),
    };
    set(&mut fields, "user_key", user);
    set(&mut fields, "api_token", token);
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
            (&["url"], "url"),
            (&["url_title"], "url_title"),
        ],
        &["to", "devices", "priority"],
    )?;
    Ok(("pushover", fields))
}

pub(super) fn signal(parts: &Parts) -> Read {
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
