//! What of a form is shown, and how a secret that was shown masked comes back.

use super::{Fields, MASK, Provider, Shown};
use crate::rule::BadSetting;

impl Provider {
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
        // Who is in between reads what goes without TLS, or to any certificate.
        let is_less_safe = [("security", "none"), ("insecure", "true")].iter().any(|(key, open)| {
            let is_open = |fields: &Fields| fields.get(*key).is_some_and(|value| value == open);
            is_open(&out) && !is_open(kept)
        });
        match restored {
            Some(key) if is_less_safe || place(&out) != place(kept) => Err(BadSetting::new(
                key,
                "type it again: the server, or how it is reached, was changed, and a secret goes only where it was typed for",
            )),
            _ => Ok(out),
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
