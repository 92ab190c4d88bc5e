//! Secrets taken out of what a service answered: some put the token or the path of a request into their words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Fields, MASK, Provider, Shown};
use crate::url::Address;

/// Shortest text that counts as a secret, in bytes: taking out less would take words apart.
const SHORTEST: usize = 4;

/// Shortest part of a webhook's path that is a secret by itself, in bytes: `hooks` and `api` are none.
const PART: usize = 8;

impl Provider {
    /// `text` with a mask in the place of everything of the form that is never shown, also where it was cut in the middle.
    pub fn scrubbed(&self, fields: &Fields, text: &str) -> String {
        let mut out = text.to_owned();
        let secrets = self.secrets(fields);
        for secret in &secrets {
            out = out.replace(secret.as_str(), MASK);
        }
        if let Some(cut) = out.strip_suffix('…') {
            let begun = |secret: &String| {
                let ends = secret.char_indices().map(|(end, _)| end).filter(|end| *end >= SHORTEST);
                ends.rev().find(|end| cut.ends_with(&secret[..*end]))
            };
            if let Some(length) = secrets.iter().filter_map(begun).max() {
                out = format!("{}{MASK}…", &cut[..cut.len() - length]);
            }
        }
        out
    }

    /// The secrets of a form in every way in which a request carries them, the longest first.
    fn secrets(&self, fields: &Fields) -> Vec<String> {
        let mut all = Vec::new();
        for (key, value) in fields {
            match self.field(key).map_or(Shown::Never, |field| field.shown) {
                Shown::Plain => {}
                Shown::Never => {
                    all.extend(value.split_whitespace().map(str::to_owned));
                    let user = fields.get("username").map_or("", String::as_str);
                    // As `Basic` of HTTP has them, `AUTH PLAIN` of mail (RFC 4616), and `AUTH LOGIN`.
                    let forms = [format!("{user}:{value}"), format!("\0{user}\0{value}"), value.clone()];
                    all.extend(forms.iter().map(|form| STANDARD.encode(form)));
                    all.push(value.clone());
                }
                Shown::Origin => all.extend(of_address(value)),
                Shown::Names => {
                    let values = value.lines().filter_map(|line| line.split_once(':'));
                    all.extend(values.map(|(_, value)| value.trim().to_owned()));
                }
            }
        }
        all.retain(|secret| secret.len() >= SHORTEST);
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        all
    }
}

/// What of an address is a secret: everything behind the server.
fn of_address(value: &str) -> Vec<String> {
    let Ok(address) = Address::parse(value) else {
        return vec![value.to_owned()];
    };
    let mut all: Vec<String> = address
        .target
        .split(['/', '?', '&', '=', '#'])
        .filter(|part| part.len() >= PART)
        .map(str::to_owned)
        .collect();
    if address.target.len() >= PART {
        all.push(address.target);
    }
    if let Some((_, password)) = value.split_once("://").and_then(|(_, rest)| {
        let (login, _) = rest.split_once('@')?;
        login.split_once(':')
    }) {
        all.push(password.to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::provider;

    fn scrubbed(service: &str, fields: &[(&str, &str)], text: &str) -> String {
        let fields = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        provider(service).unwrap().scrubbed(&fields, text)
    }

    #[test]
    fn what_a_service_says_of_a_secret_is_masked() {
        let hook = ("webhook_url", "https://h.example/api/hooks/T0KENT0KEN?key=ABCDEFGH");
        for (service, fields, text, told) in [
            (
                "generic",
                vec![hook],
                "answered 404: Cannot POST /api/hooks/T0KENT0KEN?key=ABCDEFGH",
                "answered 404: Cannot POST ********",
            ),
            (
                "generic",
                vec![hook],
                "no hook T0KENT0KEN at h.example",
                "no hook ******** at h.example",
            ),
            ("generic", vec![hook], "no hook T0KENT…", "no hook ********…"),
            (
                "generic",
                vec![hook, ("headers", "X-Api-Key: s3cr3t")],
                "bad key s3cr3t",
                "bad key ********",
            ),
            (
                "generic",
                vec![hook, ("username", "ada"), ("password", "hunter22")],
                "Basic YWRhOmh1bnRlcjIy is wrong",
                "Basic ******** is wrong",
            ),
            (
                "telegram",
                vec![("bot_token", "123:AbCd"), ("chat_id", "42")],
                "bot123:AbCd of 42 is gone",
                "bot******** of 42 is gone",
            ),
            (
                "email",
                vec![("username", "kiln"), ("password", "pa55word")],
                "500 unknown: AUTH PLAIN AGtpbG4AcGE1NXdvcmQ=, and cGE1NXdvcmQ=",
                "500 unknown: AUTH PLAIN ********, and ********",
            ),
            (
                "gotify",
                vec![("server_url", "https://g.example"), ("app_token", "abc")],
                "abc is too short to be taken out",
                "abc is too short to be taken out",
            ),
        ] {
            assert_eq!(scrubbed(service, &fields, text), told);
        }
    }
}
