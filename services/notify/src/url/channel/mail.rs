//! URLs of mail: `mailto`, `mailtos` and shoutrrr's `smtp`.

use super::{BadUrl, Fields, Parts, Read, params, set, verify};

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

pub(super) fn mailto(parts: &Parts) -> Read {
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
        &[
            (&["cc"], "cc"),
            (&["bcc"], "bcc"),
            (&["reply"], "reply_to"),
            (&["subject"], "subject"),
        ],
        &["mode", "smtp", "from", "name", "to", "user", "pass", "password"],
    )?;
    Ok(("email", fields))
}

pub(super) fn smtp(parts: &Parts) -> Read {
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
