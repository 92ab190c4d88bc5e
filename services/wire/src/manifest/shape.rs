//! What a part of a manifest looks like: one description that checks values, makes the JSON Schema and the reference.
//!
//! What a schema cannot say (ids unique over all pages, names that must exist, formulas) is in `rules.rs`.

use serde_json::Value;

use super::flaw::{Flaws, Weight, shown};

/// What a value must be.
#[derive(Debug)]
pub(super) enum Shape {
    /// A text of so many characters.
    Text { min: usize, max: usize },
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text of a certain form.
    Form(&'static Form),
    /// A number in a range, perhaps a whole one.
    Number { min: f64, max: f64, whole: bool },
    /// true or false.
    Flag,
    /// Anything.
    Any,
    /// A list of so many items.
    List { of: &'static Shape, min: usize, max: usize },
    /// An object with names of its own.
    Map { of: &'static Shape, min: usize },
    /// An object with known names; others are tolerated.
    Record(&'static Record),
    /// One of several, told apart by their JSON types.
    Either(&'static [Shape]),
}

/// A form that a text can have.
#[derive(Debug)]
pub(super) struct Form {
    /// As a regular expression that ECMA-262 and Python understand alike.
    pub(super) regex: &'static str,
    /// The same, in Rust.
    pub(super) fits: fn(&str) -> bool,
    /// In words.
    pub(super) expected: &'static str,
}

/// An object with known names.
#[derive(Debug)]
pub(super) struct Record {
    /// Its name in the schema and in the reference.
    pub(super) name: &'static str,
    /// What it is, in a sentence.
    pub(super) about: &'static str,
    /// The names.
    pub(super) keys: &'static [Key],
    /// At least one of these must be there, if any are named.
    pub(super) any_of: &'static [&'static str],
}

/// A name in a record.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) must: bool,
    /// What becomes of a manifest in which it is not as it must be.
    pub(super) weight: Weight,
    pub(super) shape: Shape,
    /// What it means, in a few words.
    pub(super) about: &'static str,
}

/// A name that may be absent, or null, which means the same.
pub(super) const fn may(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key {
        name,
        must: false,
        weight: Weight::Light,
        shape,
        about,
    }
}

/// A name that must be there.
pub(super) const fn must(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key {
        name,
        must: true,
        weight: Weight::Whole,
        shape,
        about,
    }
}

impl Key {
    /// Nothing is taken where it is wrong: it would be less than the manifest asks, or a limit is passed.
    pub(super) const fn grave(self) -> Self {
        self.weighing(Weight::Grave)
    }

    /// What it belongs to is left out with it: that would do something else without it.
    pub(super) const fn whole(self) -> Self {
        self.weighing(Weight::Whole)
    }

    /// With another weight.
    pub(super) const fn weighing(self, weight: Weight) -> Self {
        Self {
            name: self.name,
            must: self.must,
            weight,
            shape: self.shape,
            about: self.about,
        }
    }
}

/// Any text.
pub(super) const TEXT: Shape = Shape::Text {
    min: 0,
    max: usize::MAX,
};

/// A text that is not empty.
pub(super) const FILLED: Shape = Shape::Text {
    min: 1,
    max: usize::MAX,
};

/// A list of texts.
pub(super) const TEXTS: Shape = Shape::List {
    of: &TEXT,
    min: 0,
    max: usize::MAX,
};

/// Any number.
pub(super) const NUMBER: Shape = Shape::Number {
    min: f64::NEG_INFINITY,
    max: f64::INFINITY,
    whole: false,
};

/// A whole number from 1.
pub(super) const COUNT: Shape = Shape::Number {
    min: 1.0,
    max: f64::INFINITY,
    whole: true,
};

impl Shape {
    /// In words, as a flaw says what it expected.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Text {
                min: 0,
                max: usize::MAX,
            } => "a text".to_owned(),
            Self::Text { max: usize::MAX, .. } => "a text that is not empty".to_owned(),
            Self::Text { min, max } => format!("a text of {min} to {max} characters"),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Form(form) => form.expected.to_owned(),
            Self::Number { min, max, whole } => {
                let kind = if *whole { "a whole number" } else { "a number" };
                match (min.is_finite(), max.is_finite()) {
                    (true, true) => format!("{kind} from {min} to {max}"),
                    (true, false) => format!("{kind} from {min}"),
                    (false, true) => format!("{kind} up to {max}"),
                    (false, false) => kind.to_owned(),
                }
            }
            Self::Flag => "true or false".to_owned(),
            Self::Any => "anything".to_owned(),
            Self::List { min, max, .. } => match (min, max) {
                (0, &usize::MAX) => "a list".to_owned(),
                (min, &usize::MAX) => format!("a list of at least {min}"),
                (0, max) => format!("a list of at most {max}"),
                (min, max) => format!("a list of {min} to {max}"),
            },
            Self::Map { min: 0, .. } | Self::Record(_) => "an object".to_owned(),
            Self::Map { min, .. } => format!("an object with at least {min} name"),
            Self::Either(shapes) => shapes.iter().map(Self::expected).collect::<Vec<_>>().join(", or "),
        }
    }

    /// Whether the value's JSON type is this shape's, so that flaws inside of it are worth telling.
    fn is_kind(&self, value: &Value) -> bool {
        match self {
            Self::Text { .. } | Self::Word(_) | Self::Form(_) => value.is_string(),
            Self::Number { .. } => value.is_number(),
            Self::Flag => value.is_boolean(),
            Self::Any => true,
            Self::List { .. } => value.is_array(),
            Self::Map { .. } | Self::Record(_) => value.is_object(),
            Self::Either(shapes) => shapes.iter().any(|shape| shape.is_kind(value)),
        }
    }

    /// Whether a program whose language has no "absent" writes this for it: an empty text, or 0 where things are counted.
    fn is_nothing(&self, value: &Value) -> bool {
        match self {
            Self::Text { min, .. } => *min > 0 && value == "",
            Self::Word(_) | Self::Form(_) => value == "",
            Self::Number { min, whole, .. } => *whole && *min > 0.0 && value.as_f64() == Some(0.0),
            Self::Either(shapes) => shapes.iter().any(|shape| shape.is_nothing(value)),
            Self::Flag | Self::Any | Self::List { .. } | Self::Map { .. } | Self::Record(_) => false,
        }
    }

    /// The word that is meant by one in other capitals.
    fn word(&self, value: &Value) -> Option<&'static str> {
        let (Self::Word(words), Value::String(text)) = (self, value) else {
            return None;
        };
        let mut alike = words.iter().filter(|word| word.eq_ignore_ascii_case(text));
        alike.next().copied().filter(|word| word != text)
    }

    /// Adds a flaw for everything in `value` that is not of this shape.
    pub(super) fn check(&self, value: &Value, flaws: &mut Flaws) {
        let fits = match (self, value) {
            (Self::Any, _) => true,
            (Self::Text { min, max }, Value::String(text)) => (*min..=*max).contains(&text.chars().count()),
            (Self::Word(words), Value::String(text)) => words.contains(&text.as_str()),
            (Self::Form(form), Value::String(text)) => (form.fits)(text),
            (Self::Number { min, max, whole }, Value::Number(number)) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                (*min..=*max).contains(&number) && (!whole || number.fract() == 0.0)
            }
            (Self::Flag, Value::Bool(_)) => true,
            (Self::List { of, min, max }, Value::Array(items)) => {
                if items.len() > *max || items.len() < *min {
                    flaws.add(&format!("{} items", items.len()), &self.expected());
                }
                for (index, item) in items.iter().enumerate() {
                    flaws.inside(&format!("[{index}]"), |flaws| {
                        flaws.weigh_item(|flaws| of.check(item, flaws));
                    });
                }
                return;
            }
            (Self::Map { of, min }, Value::Object(map)) => {
                for (name, item) in map {
                    flaws.named(name, |flaws| flaws.weigh_item(|flaws| of.check(item, flaws)));
                }
                map.len() >= *min
            }
            (Self::Record(record), Value::Object(map)) => return record.check(map, flaws),
            (Self::Either(shapes), value) => {
                if let Some(shape) = shapes.iter().find(|shape| shape.is_kind(value)) {
                    return shape.check(value, flaws);
                }
                false
            }
            _ => false,
        };
        if !fits {
            flaws.add(&shown(value), &self.expected());
        }
    }
}

impl Record {
    /// Adds a flaw for every known name that is missing or holds something else.
    pub(super) fn check(&self, map: &serde_json::Map<String, Value>, flaws: &mut Flaws) {
        for key in self.keys {
            let value = map.get(key.name);
            flaws.inside(&format!(".{}", key.name), |flaws| {
                flaws.weigh(key.weight, value, |flaws| match value {
                    None if key.must => flaws.add("it is missing", &key.shape.expected()),
                    None => {}
                    Some(Value::Null) if !key.must => {}
                    Some(value) if !key.must && key.shape.is_nothing(value) && flaws.take_as(None) => {}
                    Some(value) if !key.must && key.shape.word(value).is_some_and(|word| flaws.take_as(Some(word))) => {
                    }
                    Some(value) => key.shape.check(value, flaws),
                });
            });
        }
        let there = |name: &&str| map.get(*name).is_some_and(|value| !value.is_null());
        if !self.any_of.is_empty() && !self.any_of.iter().any(there) {
            flaws.add(
                &format!("neither {}", self.any_of.join(" nor ")),
                &format!("at least one of {}", self.any_of.join(", ")),
            );
        }
    }
}
