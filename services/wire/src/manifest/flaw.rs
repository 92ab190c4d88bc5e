//! What is wrong with a manifest, each thing by its place.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;
use utoipa::ToSchema;

/// Most flaws told of one manifest; a larger number helps nobody.
pub const FLAWS_MAX: usize = 100;

/// Longest value shown in a flaw, in characters.
const SHOWN: usize = 60;

/// One thing that is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Flaw {
    /// Where: `pages[0].components[2].config.fields[1].name`; empty for the manifest itself.
    pub path: String,
    /// What is there.
    pub what: String,
    /// What was expected.
    pub expected: String,
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = if self.path.is_empty() { "manifest" } else { &self.path };
        write!(f, "{place}: {}; expected {}", self.what, self.expected)
    }
}

/// Flaws as they are found, and the place that is looked at.
#[derive(Debug, Default)]
pub(super) struct Flaws {
    pub(super) found: Vec<Flaw>,
    path: String,
    more: usize,
}

impl Flaws {
    /// Looks at a part of the present place: `.name` or `[3]`.
    pub(super) fn inside(&mut self, part: &str, look: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(if length == 0 {
            part.trim_start_matches('.')
        } else {
            part
        });
        look(self);
        self.path.truncate(length);
    }

    /// The present place.
    pub(super) fn place(&self) -> &str {
        &self.path
    }

    pub(super) fn add(&mut self, what: &str, expected: &str) {
        if self.found.len() == FLAWS_MAX {
            self.more += 1;
            return;
        }
        self.found.push(Flaw {
            path: self.path.clone(),
            what: what.to_owned(),
            expected: expected.to_owned(),
        });
    }

    /// All of them; where there were too many, the last says how many more.
    pub(super) fn into_vec(mut self) -> Vec<Flaw> {
        if self.more > 0 {
            self.found.push(Flaw {
                path: String::new(),
                what: format!("{} more flaws", self.more),
                expected: "none".to_owned(),
            });
        }
        self.found
    }
}

/// A value as a flaw shows it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.chars().count() <= SHOWN => format!("{text:?}"),
        Value::String(text) => format!(
            "{:?}… ({} characters)",
            text.chars().take(SHOWN).collect::<String>(),
            text.chars().count()
        ),
    }
}
