//! The fields of a channel's form: each is read as what it must be, and what is wrong with it is told with its name.

use lettre::message::{Mailbox, Mailboxes};

use super::{Login, Secret};
use crate::provider::Fields;
use crate::rule::BadSetting;
use crate::url::Address;

/// Recipients, topics, chats of one channel, at most.
const TARGETS_MAX: usize = 20;

/// Reads fields, and tells which is wrong.
pub(super) struct Form<'a>(pub(super) &'a Fields);

pub(super) type Field<T> = Result<T, BadSetting>;

impl Form<'_> {
    pub(super) fn text(&self, key: &str) -> String {
        self.0.get(key).map(|value| value.trim().to_owned()).unwrap_or_default()
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.text(key) == "true"
    }

    pub(super) fn secret(&self, key: &str) -> Secret {
        Secret(self.text(key))
    }

    pub(super) fn list(&self, key: &str) -> Field<Vec<String>> {
        let all: Vec<String> = self
            .text(key)
            .split([',', '\n'])
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect();
        if all.len() > TARGETS_MAX {
            return Err(BadSetting::new(
                key,
                format!("{} are too many; at most {TARGETS_MAX} are taken", all.len()),
            ));
        }
        Ok(all)
    }

    pub(super) fn some(&self, key: &str) -> Field<Vec<String>> {
        let all = self.list(key)?;
        if all.is_empty() {
            return Err(BadSetting::new(key, "is needed"));
        }
        Ok(all)
    }

    pub(super) fn number(&self, key: &str, least: i64, most: i64) -> Field<Option<i64>> {
        let text = self.text(key);
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(BadSetting::new(
                key,
                format!("expected a whole number from {least} to {most}"),
            )),
        }
    }

    pub(super) fn address(&self, key: &str, default: &str) -> Field<Address> {
        let text = self.text(key);
        let text = if text.is_empty() { default } else { &text };
        let address = Address::parse(text).map_err(|bad| BadSetting::new(key, bad.to_string()))?;
        crate::guard::check_host(&address.host).map_err(|what| BadSetting::new(key, what))?;
        Ok(address)
    }

    /// As [`Form::address`], for a server that needs no scheme before its name.
    pub(super) fn server(&self, key: &str, default: &str) -> Field<Address> {
        let text = self.text(key);
        if text.is_empty() || text.contains("://") {
            return self.address(key, default);
        }
        let whole = Fields::from([(key.to_owned(), format!("http://{text}"))]);
        Form(&whole).address(key, default)
    }

    pub(super) fn mailboxes(&self, key: &str) -> Field<Vec<Mailbox>> {
        let all = self.list(key)?;
        if all.is_empty() {
            return Ok(Vec::new());
        }
        // Together again: a comma in quotes is part of a name.
        let all: Mailboxes = all.join(", ").parse().map_err(|_| {
            let what = "expected addresses like bench@example.org or Bench <bench@example.org>";
            BadSetting::new(key, what)
        })?;
        Ok(all.into_iter().collect())
    }

    /// `name: value` lines.
    pub(super) fn lines(&self, key: &str) -> Field<Vec<(String, String)>> {
        self.text(key)
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| match line.split_once(':') {
                Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
                _ => Err(BadSetting::new(key, "expected lines of the form `name: value`")),
            })
            .collect()
    }

    pub(super) fn basic(&self) -> Login {
        match self.text("username") {
            name if name.is_empty() => Login::None,
            name => Login::Basic(name, self.secret("password")),
        }
    }
}

/// A secret that can stand in a header.
pub(super) fn header_safe(key: &str, secret: Secret) -> Field<Secret> {
    if secret.0.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(secret);
    }
    Err(BadSetting::new(key, "expected printable characters without blanks"))
}
