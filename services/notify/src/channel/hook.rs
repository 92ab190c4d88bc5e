//! Fields of a webhook.

use super::form::{Field, Form};
use super::{Format, Login, Secret, Webhook};
use crate::rule::BadSetting;

impl Form<'_> {
    pub(super) fn webhook(&self) -> Field<Webhook> {
        let address = self.address("webhook_url", "")?;
        let mut headers = Vec::new();
        for (name, value) in self.lines("headers")? {
            let good = http::HeaderName::try_from(name.as_str()).is_ok()
                && http::HeaderValue::try_from(value.as_str()).is_ok();
            let ours = ["host", "content-length", "transfer-encoding", "connection"];
            if !good || ours.iter().any(|own| name.eq_ignore_ascii_case(own)) {
                let name: String = name.chars().take(30).collect();
                return Err(BadSetting::new(
                    "headers",
                    format!("{name:?} cannot be sent as a header"),
                ));
            }
            headers.push((name, Secret(value)));
        }
        let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        let login = match (self.basic(), &address.user) {
            (Login::None, Some((name, password))) => Login::Basic(name.clone(), Secret(password.clone())),
            (login, _) => login,
        };
        Ok(Webhook {
            address,
            method: or(self.text("method"), "POST"),
            format: match self.text("format").as_str() {
                "text" => Format::Text,
                "apprise" => Format::Apprise,
                "simple" => Format::Simple,
                _ => Format::Json,
            },
            headers,
            extra: self.lines("extra")?,
            keys: (
                or(self.text("title_key"), "title"),
                or(self.text("message_key"), "message"),
            ),
            secrets: self
                .text("secret")
                .split_whitespace()
                .map(|one| Secret(one.to_owned()))
                .collect(),
            login,
            insecure: self.flag("insecure"),
        })
    }
}
