//! URLs of the services where people talk: Discord, Telegram, Slack.

use super::{BadUrl, Fields, Parts, Read, params, set};
use crate::url::encode;

pub(super) fn discord(parts: &Parts) -> Read {
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
        format!("https://discord.com/api/webhooks/{id}/{}", encode(&token)),
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
pub(super) fn tgram(text: &str) -> Read {
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

pub(super) fn telegram(text: &str) -> Read {
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

pub(super) fn slack(parts: &Parts) -> Read {
    let mut fields = Fields::new();
    let hook = |a: &str, b: &str, c: &str| {
        format!(
            "https://hooks.slack.com/services/{}/{}/{}",
            encode(a),
            encode(b),
            encode(c)
        )
    };
    let word = parts.word();
    let mut channels: Vec<String> = Vec::new();
    let mode = parts.get(&["mode"]).unwrap_or("").to_ascii_lowercase();
    if mode.starts_with("wo") || mode.starts_with('t') {
        return Err(BadUrl::new(
            "mode",
            "expected hook or bot; a workflow takes no such messages",
        ));
    }
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
    } else if let Some(token) = parts.get(&["token"]) {
        // Apprise: the token as a parameter; what is left of the path are channels.
        let tokens: Vec<&str> = token
            .split([' ', ',', '#', '/', '\\'])
            .filter(|one| !one.is_empty())
            .collect();
        match tokens.as_slice() {
            [bot, ..] if bot.starts_with("xo") => set(&mut fields, "bot_token", *bot),
            [a, b, c, ..] => set(&mut fields, "webhook_url", hook(a, b, c)),
            _ => {
                return Err(BadUrl::new(
                    "token",
                    "expected xoxb-…, or the three parts of the webhook: A/B/C",
                ));
            }
        }
        let own = if word.starts_with("xo") { 0 } else { 2 };
        channels.extend(parts.path.iter().skip(own).cloned());
        set(&mut fields, "bot_name", parts.user.clone().unwrap_or_default());
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
    let channels = channels.join(",");
    // Apprise: a plus says that an id follows, of a channel or a person.
    let channels = channels
        .split([',', ' '])
        .map(|one| one.strip_prefix('+').unwrap_or(one));
    set(
        &mut fields,
        "channel",
        channels.filter(|one| !one.is_empty()).collect::<Vec<_>>().join(","),
    );
    params(
        parts,
        &mut fields,
        &[
            (&["botname"], "bot_name"),
            (&["icon"], "icon_emoji"),
            (&["channel"], "channel"),
        ],
        &["to", "mode", "token"],
    )?;
    Ok(("slack", fields))
}
