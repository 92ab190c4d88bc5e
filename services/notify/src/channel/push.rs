//! Fields of channels that ring a phone: ntfy, Gotify, Pushover, Signal.

use super::form::{Field, Form, header_safe};
use super::{Channel, Login, Pushover, Secret};
use crate::rule::BadSetting;

/// Keys of an ntfy message that stand in it as they stand in the form. Source: ntfy, publish as JSON.
const NTFY_MORE: [&str; 6] = ["click", "email", "delay", "attach", "filename", "icon"];

impl Form<'_> {
    pub(super) fn ntfy(&self) -> Field<Channel> {
        let topics = self.some("topic")?;
        // Source: ntfy, topic names.
        let fits = |topic: &String| {
            (1..=64).contains(&topic.len()) && topic.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        if !topics.iter().all(fits) {
            return Err(BadSetting::new(
                "topic",
                "expected 1 to 64 letters, digits, hyphens and underscores",
            ));
        }
        let token = header_safe("token", self.secret("token"))?;
        Ok(Channel::Ntfy {
            server: self.address("server_url", "https://ntfy.sh")?,
            topics,
            login: if token.0.is_empty() {
                self.basic()
            } else {
                Login::Bearer(token)
            },
            priority: self.number("priority", 1, 5)?,
            tags: self.list("tags")?,
            more: NTFY_MORE
                .iter()
                .map(|key| (*key, self.text(key)))
                .filter(|(_, value)| !value.is_empty())
                .collect(),
            insecure: self.flag("insecure"),
        })
    }

    pub(super) fn gotify(&self) -> Field<Channel> {
        Ok(Channel::Gotify {
            server: self.address("server_url", "")?,
            token: header_safe("app_token", self.secret("app_token"))?,
            priority: self.number("priority", 0, 10)?,
            insecure: self.flag("insecure"),
        })
    }

    pub(super) fn pushover(&self) -> Field<Pushover> {
        // Source: Pushover API, "30 characters long, case-sensitive [A-Za-z0-9]".
        let key = |key: &str| -> Field<Secret> {
            let secret = self.secret(key);
            if secret.0.len() == 30 && secret.0.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Ok(secret);
            }
            Err(BadSetting::new(key, "expected 30 letters and digits"))
        };
        Ok(Pushover {
            server: self.address("server_url", "https://api.pushover.net")?,
            user: key("user_key")?,
            token: key("api_token")?,
            devices: self.list("devices")?,
            priority: self.number("priority", -2, 2)?,
            sound: self.text("sound"),
            title: self.text("title"),
            link: Some((self.text("url"), self.text("url_title"))).filter(|(url, _)| !url.is_empty()),
            retry: self.number("retry", 30, 10_800)?.unwrap_or(60),
            expire: self.number("expire", 30, 10_800)?.unwrap_or(3600),
        })
    }

    pub(super) fn signal(&self) -> Field<Channel> {
        Ok(Channel::Signal {
            server: self.server("host", "")?,
            number: self.text("number"),
            recipients: self.some("recipients")?,
            insecure: self.flag("insecure"),
        })
    }
}
