//! What is wrong with a manifest, each thing by its place.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;
use utoipa::ToSchema;

use super::edit::{Edit, Step};

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

/// What becomes of a manifest in which something is not as it must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Weight {
    /// It is refused.
    Grave,
    /// It is taken without the place that is looked at.
    Light,
    /// As of what the place is a part of: without it that is of no use, or more than was meant.
    Whole,
    /// It is taken as it is.
    Borne,
    /// Refused, unless this holds of the text that is there.
    LightOf(fn(&str) -> bool),
}

/// What can be done about a flaw so that the rest of the manifest can be taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Remedy {
    /// Nothing.
    Refused,
    /// What stands there is left out.
    Without(Vec<Step>),
    /// Nothing has to be done.
    Borne,
}

/// The same, of the place that is looked at: how many steps lead to what is left out.
#[derive(Clone, Copy, Debug, Default)]
enum Way {
    #[default]
    Refused,
    Without(usize),
    Borne,
}

/// Flaws as they are found, and the place that is looked at.
#[derive(Debug, Default)]
pub(super) struct Flaws {
    /// Each with what can be done about it.
    pub(super) found: Vec<(Flaw, Remedy)>,
    /// What says nothing in another way than this one's: there are no flaws of it where it is not asked for.
    pub(super) alike: Option<Vec<Edit>>,
    path: String,
    steps: Vec<Step>,
    way: Way,
    more: usize,
}

impl Flaws {
    /// Weighs what is found in the place that is looked at.
    pub(super) fn weigh(&mut self, weight: Weight, value: Option<&Value>, look: impl FnOnce(&mut Self)) {
        let before = self.way;
        self.way = match weight {
            Weight::Grave => Way::Refused,
            Weight::Light => Way::Without(self.steps.len()),
            Weight::Whole => before,
            Weight::Borne => Way::Borne,
            Weight::LightOf(is) => match value.and_then(Value::as_str).is_some_and(is) {
                true => Way::Without(self.steps.len()),
                false => Way::Refused,
            },
        };
        look(self);
        self.way = before;
    }

    /// Weighs one of many in the place that is looked at: of what can be left out it is left out alone.
    pub(super) fn weigh_item(&mut self, look: impl FnOnce(&mut Self)) {
        let weight = match self.way {
            Way::Without(_) => Weight::Light,
            Way::Refused | Way::Borne => Weight::Whole,
        };
        self.weigh(weight, None, look);
    }

    /// Reads the present place as if this stood there, or nothing; `false` where that is not asked for.
    pub(super) fn take_as(&mut self, put: Option<&'static str>) -> bool {
        let edit = || Edit {
            at: self.steps.clone(),
            put,
        };
        match &mut self.alike {
            None => false,
            Some(alike) => {
                alike.push(edit());
                true
            }
        }
    }

    /// Whether more was found than is told.
    pub(super) fn is_cut(&self) -> bool {
        self.more > 0
    }

    /// Looks at a part of the present place: `.name` or `[3]`.
    pub(super) fn inside(&mut self, part: &str, look: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(if length == 0 {
            part.trim_start_matches('.')
        } else {
            part
        });
        let steps = self.steps.len();
        self.steps.extend(Step::all(part));
        look(self);
        self.steps.truncate(steps);
        self.path.truncate(length);
    }

    /// Looks at what an object has under one of its own names.
    pub(super) fn named(&mut self, name: &str, look: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path += &format!("[{}]", shown(&Value::from(name)));
        self.steps.push(Step::Name(name.to_owned()));
        look(self);
        self.steps.pop();
        self.path.truncate(length);
    }

    /// What was found under one of these names of the present place cannot be left out after all.
    pub(super) fn hold(&mut self, names: &[&str]) {
        let steps = self.steps.len();
        for (_, remedy) in &mut self.found {
            let is_held = |at: &[Step]| {
                at.starts_with(&self.steps)
                    && matches!(at.get(steps), Some(Step::Name(name)) if names.contains(&name.as_str()))
            };
            if matches!(remedy, Remedy::Without(at) if is_held(at)) {
                *remedy = Remedy::Refused;
            }
        }
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
        let remedy = match self.way {
            Way::Refused => Remedy::Refused,
            Way::Without(steps) => Remedy::Without(self.steps.iter().take(steps).cloned().collect()),
            Way::Borne => Remedy::Borne,
        };
        let flaw = Flaw {
            path: self.path.clone(),
            what: what.to_owned(),
            expected: expected.to_owned(),
        };
        self.found.push((flaw, remedy));
    }

    /// All of them; where there were too many, the last says how many more.
    pub(super) fn into_vec(self) -> Vec<Flaw> {
        let mut all: Vec<Flaw> = self.found.into_iter().map(|(flaw, _)| flaw).collect();
        if self.more > 0 {
            all.push(Flaw {
                path: String::new(),
                what: format!("{} more flaws", self.more),
                expected: "none".to_owned(),
            });
        }
        all
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
