//! The fields of a lenient frame: each read as what it is meant to be, corrected in its place, with a word about it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::BadFrame;
use crate::Time;

/// Longest value shown in a warning, in characters.
const SHOWN: usize = 60;

/// Greatest whole number that is exact in every JSON reader: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Least number that is read as a time, in seconds since 1970: smaller ones may count from a start. It is in 1973.
const SECONDS_MIN: f64 = 1e8;

/// Numbers from here on are milliseconds since 1970: as seconds they were in the year 5138, as milliseconds in 1973.
const MILLISECONDS_MIN: f64 = 1e11;

/// From here on neither is meant.
const MILLISECONDS_END: f64 = 1e14;

/// The time that a number tells, in seconds or milliseconds since 1970.
fn since_1970(number: f64) -> Option<Time> {
    let milliseconds = match number {
        n if (SECONDS_MIN..MILLISECONDS_MIN).contains(&n) => n * 1000.0,
        n if (MILLISECONDS_MIN..MILLISECONDS_END).contains(&n) => n,
        _ => return None,
    };
    #[allow(clippy::cast_possible_truncation, reason = "within 10^14")]
    Time::from_millisecond(milliseconds.round() as i64).ok()
}

/// The time that a text tells in another way than RFC 3339: as a number, or by RFC 2822.
fn time_in(text: &str) -> Option<Time> {
    let by_mail = || {
        jiff::fmt::rfc2822::parse(text.trim())
            .ok()
            .map(|zoned| zoned.timestamp())
    };
    number_in(text).map_or_else(by_mail, since_1970)
}

/// The fields of one payload, or of one item in it.
pub(super) struct Fields<'a> {
    kind: &'a str,
    /// What stands before a field's name: nothing, or `metrics[3].`.
    place: String,
    map: &'a mut Map<String, Value>,
    warnings: &'a mut Vec<String>,
}

/// A value as a warning shows it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() <= SHOWN => format!("the text {text:?}"),
        Value::String(text) => format!("a text that begins {:?}", text.chars().take(SHOWN).collect::<String>()),
    }
}

/// A whole number without its decimals, any other as it is.
fn json_number(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() <= EXACT {
        #[allow(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
        return Value::from(number as i64);
    }
    Value::from(number)
}

/// The number that a text writes out, perhaps with a per cent sign or spaces.
fn number_in(text: &str) -> Option<f64> {
    let text = text.trim();
    let text = text.strip_suffix('%').unwrap_or(text).trim_end();
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|number: &f64| plain && number.is_finite())
}

impl<'a> Fields<'a> {
    pub(super) fn new(kind: &'a str, map: &'a mut Map<String, Value>, warnings: &'a mut Vec<String>) -> Self {
        Self {
            kind,
            place: String::new(),
            map,
            warnings,
        }
    }

    /// The same, with its place in the payload before each name.
    pub(super) fn within(self, place: String) -> Self {
        Self {
            place: format!("{place}."),
            ..self
        }
    }

    pub(super) fn warn(&mut self, key: &str, what: &str) {
        let Self { kind, place, .. } = self;
        self.warnings.push(format!("frame \"{kind}\": {place}{key}: {what}"));
    }

    /// Puts another value in a field's place and says so.
    pub(super) fn correct(&mut self, key: &str, expected: &str, value: Value) {
        let found = self.map.get(key).map_or_else(|| "nothing".to_owned(), shown);
        let read_as = match &value {
            Value::Null => "left out".to_owned(),
            Value::String(text) => format!("read as {text:?}"),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => format!("read as {value}"),
        };
        self.warn(key, &format!("{expected}, found {found}; {read_as}"));
        if value.is_null() {
            self.map.remove(key);
        } else {
            self.map.insert(key.to_owned(), value);
        }
    }

    /// Puts a value in a field's place without a word: it says the same.
    pub(super) fn put(&mut self, key: &str, value: Value) {
        self.map.insert(key.to_owned(), value);
    }

    fn bad<T>(&self, key: &str, expected: &str) -> Result<T, BadFrame> {
        let found = self
            .map
            .get(key)
            .map_or_else(|| "it is missing".to_owned(), |value| format!("found {}", shown(value)));
        Err(BadFrame::field(
            self.kind,
            format!("{}{key}", self.place),
            format!("{expected}, {found}"),
        ))
    }

    /// A text; what is none is read as its JSON text. Absent and null are the empty text.
    pub(super) fn text(&mut self, key: &str) -> String {
        self.optional_text(key).unwrap_or_default()
    }

    /// As [`Self::text`], telling absence from emptiness.
    pub(super) fn optional_text(&mut self, key: &str) -> Option<String> {
        match self.map.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => {
                self.map.remove(key);
                None
            }
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                let text = match other.as_f64().filter(|_| !other.is_i64() && !other.is_u64()) {
                    // 12.0 is 12.
                    Some(number) => json_number(number).to_string(),
                    None => other.to_string(),
                };
                self.correct(key, "expected a text", Value::String(text.clone()));
                Some(text)
            }
        }
    }

    /// A time that may be absent. One that can be meant in one way alone becomes RFC 3339, any other is left out, so that the
    /// time at which it came counts.
    pub(super) fn moment(&mut self, key: &str) -> Option<String> {
        let read = match self.map.get(key)? {
            Value::String(text) if text.parse::<Time>().is_ok() => return Some(text.clone()),
            Value::Null => None,
            Value::String(text) => time_in(text),
            Value::Number(number) => number.as_f64().and_then(since_1970),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        if self.map.get(key) == Some(&Value::Null) {
            self.map.remove(key);
            return None;
        }
        let text = read.map(|time| time.to_string());
        let expected = "expected a time with its zone, as 2026-11-29T08:00:00Z";
        self.correct(key, expected, text.clone().map_or(Value::Null, Value::String));
        text
    }

    /// A number that must be there.
    pub(super) fn number(&mut self, key: &str) -> Result<(), BadFrame> {
        match self.map.get(key) {
            Some(Value::Number(_)) => Ok(()),
            Some(Value::String(text)) if number_in(text).is_some() => {
                let number = number_in(text).unwrap_or_default();
                self.correct(key, "expected a number", json_number(number));
                Ok(())
            }
            _ => self.bad(key, "expected a number"),
        }
    }

    /// A number that may be absent; what cannot be one is left out.
    pub(super) fn extra_number(&mut self, key: &str) {
        match self.map.get(key) {
            None | Some(Value::Number(_)) => {}
            Some(Value::Null) => {
                self.map.remove(key);
            }
            Some(Value::String(text)) => {
                let number = number_in(text).map_or(Value::Null, json_number);
                self.correct(key, "expected a number", number);
            }
            Some(_) => self.correct(key, "expected a number", Value::Null),
        }
    }

    /// A number from 0 to 100; outside of it the nearer end. Absent and null are 0.
    pub(super) fn percent(&mut self, key: &str) -> Result<f64, BadFrame> {
        if matches!(self.map.get(key), None | Some(Value::Null)) {
            self.map.remove(key);
            return Ok(0.0);
        }
        self.number(key)?;
        let number = self.map.get(key).and_then(Value::as_f64).unwrap_or_default();
        if (0.0..=100.0).contains(&number) {
            return Ok(number);
        }
        let end = number.clamp(0.0, 100.0);
        self.correct(key, "expected 0 to 100", json_number(end));
        Ok(end)
    }

    /// A whole number; decimals are cut off. Absent and null are 0.
    pub(super) fn whole(&mut self, key: &str) -> Result<i64, BadFrame> {
        if matches!(self.map.get(key), None | Some(Value::Null)) {
            self.map.remove(key);
            return Ok(0);
        }
        self.number(key)?;
        let value = self.map.get(key).unwrap_or(&Value::Null);
        if let Some(whole) = value.as_i64() {
            return Ok(whole);
        }
        let number = value.as_f64().unwrap_or_default();
        if number.abs() > EXACT {
            return self.bad(key, "expected a whole number of bytes");
        }
        // `as` cuts decimals off; the number is within 2^53.
        #[allow(clippy::cast_possible_truncation, reason = "within 2^53")]
        let whole = number as i64;
        if number.fract() == 0.0 {
            self.map.insert(key.to_owned(), whole.into());
        } else {
            self.correct(key, "expected a whole number", whole.into());
        }
        Ok(whole)
    }

    /// Time left in words: the field `eta`, of which a number counts seconds, else `eta_sec`.
    pub(super) fn eta(&mut self) -> String {
        let seconds = |value: Option<&Value>| value.and_then(Value::as_f64).filter(|s| (0.0..EXACT).contains(s));
        match self.map.get("eta") {
            Some(Value::Number(_)) => {
                let text = seconds(self.map.get("eta")).map(|s| format!("{}s", s.round()));
                self.correct(
                    "eta",
                    "expected a text like 2h13m",
                    text.clone().map_or(Value::Null, Value::String),
                );
                text.unwrap_or_default()
            }
            None | Some(Value::Null) => {
                self.map.remove("eta");
                seconds(self.map.get("eta_sec")).map_or_else(String::new, |s| format!("{}s", s.round()))
            }
            Some(_) => self.text("eta"),
        }
    }

    /// `debug`, `info`, `warn` or `error`; existing add-ons' other words for these are known.
    pub(super) fn level(&mut self) -> String {
        let word = self.text("level").to_ascii_lowercase();
        let level = match word.trim() {
            "debug" | "trace" => "debug",
            "info" | "" | "notice" => "info",
            "warn" | "warning" => "warn",
            "error" | "err" | "critical" | "fatal" => "error",
            _ => {
                self.correct(
                    "level",
                    "expected debug, info, warn or error",
                    Value::String("info".to_owned()),
                );
                "info"
            }
        };
        self.put("level", level.into());
        level.to_owned()
    }

    /// Facts, text to text; other values as their JSON text.
    pub(super) fn metadata(&mut self) -> Result<BTreeMap<String, String>, BadFrame> {
        let map = match self.map.get_mut("metadata") {
            None => return Ok(BTreeMap::new()),
            Some(Value::Null) => {
                self.map.remove("metadata");
                return Ok(BTreeMap::new());
            }
            Some(Value::Object(map)) => std::mem::take(map),
            Some(_) => return self.bad("metadata", "expected an object of texts"),
        };
        let mut facts = BTreeMap::new();
        let mut corrected = Map::new();
        for (key, value) in map {
            let text = match value {
                Value::String(text) => text,
                other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                    let name: String = key.chars().take(SHOWN).collect();
                    let found = shown(&other);
                    self.warn(
                        "metadata",
                        &format!("{name:?}: expected a text, found {found}; read as its JSON text"),
                    );
                    other.to_string()
                }
            };
            corrected.insert(key.clone(), Value::String(text.clone()));
            facts.insert(key, text);
        }
        self.map.insert("metadata".to_owned(), Value::Object(corrected));
        Ok(facts)
    }

    /// A field with a type of its own; absent and null are none.
    pub(super) fn typed<T: serde::de::DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, BadFrame> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::deserialize(value)
                .map(Some)
                .map_err(|error| BadFrame::field(self.kind, key, error.to_string())),
        }
    }
}
