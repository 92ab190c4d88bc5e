//! The services, and the form of each: which fields, which of them are secret, what is expected.
//!
//! A channel is kept as the fields of its form. The names are Vigil's where Vigil has the service, so that its clients'
//! forms work; what it has not (ntfy, several webhook formats, certificates) is beside them.

mod list;
mod mask;
mod scrub;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::rule::BadSetting;
pub use list::PROVIDERS;

/// A channel's settings, as they stand in its form.
pub type Fields = BTreeMap<String, String>;

/// What stands in the place of a secret that is kept.
pub const MASK: &str = "********";

/// Longest value of a field in bytes: headers and lists of addresses are the longest.
const VALUE_MAX: usize = 4096;

/// One choice of a field.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = AlertChoice)]
pub struct Choice {
    /// What is kept.
    pub value: &'static str,
    /// What is shown.
    pub label: &'static str,
}

/// How a field is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AlertFieldKind)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A line.
    Text,
    /// A line that is never shown again.
    Password,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Checkbox,
    /// One of the options.
    Select,
}

/// How a value that is kept is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// As it is.
    Plain,
    /// Not at all.
    Never,
    /// Of an address, scheme and host.
    Origin,
    /// Of `Name: value` lines, the names.
    Names,
}

/// One field of a form.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = AlertField)]
pub struct Field {
    /// Its name.
    pub key: &'static str,
    /// In words.
    pub label: &'static str,
    /// How it is shown.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// An example.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub placeholder: &'static str,
    /// What to know.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub help_text: &'static str,
    /// What holds when it is empty.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub default: &'static str,
    /// The choices of a select.
    #[serde(skip_serializing_if = "<[Choice]>::is_empty")]
    pub options: &'static [Choice],
    #[serde(skip)]
    shown: Shown,
}

/// One service.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = AlertProvider)]
pub struct Provider {
    /// Its name: `service_type`.
    #[serde(rename = "type")]
    pub name: &'static str,
    /// In words.
    pub label: &'static str,
    /// Its form.
    pub fields: &'static [Field],
}

/// The service of this name.
pub fn provider(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.name == name)
}

impl Provider {
    fn field(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// Checks names, lengths and choices, and that what is needed is there. Empty values are taken out.
    ///
    /// # Errors
    /// Names the field.
    pub fn clean(&self, fields: &Fields) -> Result<Fields, BadSetting> {
        let mut out = Fields::new();
        for (key, value) in fields {
            let Some(field) = self.field(key) else {
                let known: Vec<&str> = self.fields.iter().map(|field| field.key).collect();
                let what = format!("{} has no such field; it has {}", self.label, known.join(", "));
                return Err(BadSetting::new(key.chars().take(60).collect::<String>(), what));
            };
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            field.check(value)?;
            out.insert(key.clone(), value.to_owned());
        }
        match self
            .fields
            .iter()
            .find(|field| field.required && !out.contains_key(field.key))
        {
            Some(field) => Err(BadSetting::new(
                field.key,
                format!("{} is needed for {}", field.label, self.label),
            )),
            None => Ok(out),
        }
    }
}

impl Field {
    fn check(&self, value: &str) -> Result<(), BadSetting> {
        let bad = |what: String| Err(BadSetting::new(self.key, what));
        if value.len() > VALUE_MAX {
            return bad(format!("has {} bytes; at most {VALUE_MAX} are taken", value.len()));
        }
        let lines = matches!(self.key, "headers" | "extra");
        if value.chars().any(|c| c.is_control() && !(lines && c == '\n')) {
            return bad("has a control character in it".to_owned());
        }
        match self.kind {
            Kind::Number if value.parse::<i64>().is_err() => bad(format!("{value:?} is no whole number")),
            Kind::Checkbox if !matches!(value, "true" | "false") => bad(format!("{value:?}: expected true or false")),
            Kind::Select if !self.options.iter().any(|option| option.value == value) => {
                let known: Vec<&str> = self.options.iter().map(|option| option.value).collect();
                bad(format!("{value:?}: expected one of {}", known.join(", ")))
            }
            Kind::Text | Kind::Password | Kind::Number | Kind::Checkbox | Kind::Select => Ok(()),
        }
    }
}
