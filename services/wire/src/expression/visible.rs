//! `visible_when`: whether a field is shown, by what other fields hold.
//!
//! | written | shown when |
//! |---|---|
//! | `"a=b"`, `"a==b"`, `"a!=b"` | the value of field `a` is, is not, the text `b`; an empty `b` means "nothing entered" |
//! | `"a>5"`, `"a<5"`, `"a>=5"`, `"a<=5"` | it is a number, and that large |
//! | `{"a": ["b", "c"], "d": "e"}` | each field named has one of its values |
//! | `{"field": "row.a", "equals": "b"}` | as `a=b`; existing tables' row actions write it so |
//! | `{"field": "a", "in": [...]}`, `"not_in": [...]`, `"not_equals": "b"`, `"starts_with": "b"` | the value is one of, none of, not this, or begins so |
//!
//! Two values are the same if their texts are, or if both are decimal numbers and equal. A list (of a selection of
//! many) is equal to each of its items.

use std::collections::BTreeMap;

use serde_json::Value;

use super::LENGTH_MAX;

/// What a form's fields hold.
pub type Values = BTreeMap<String, Value>;

/// A condition that holds to the grammar.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// All of them must hold.
    tests: Vec<Test>,
}

#[derive(Clone, Debug, PartialEq)]
struct Test {
    field: String,
    how: How,
}

#[derive(Clone, Debug, PartialEq)]
enum How {
    OneOf(Vec<Value>),
    NoneOf(Vec<Value>),
    Begins(String),
    Compare(Relation, f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Why something is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct VisibleError(String);

fn bad<T>(what: impl Into<String>) -> Result<T, VisibleError> {
    Err(VisibleError(what.into()))
}

impl When {
    /// Reads a condition from a manifest.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn parse(value: &Value) -> Result<Self, VisibleError> {
        match value {
            Value::String(text) => Ok(Self {
                tests: vec![Test::parse(text)?],
            }),
            Value::Object(map) => {
                if let Some(test) = Test::of_field(map)? {
                    Ok(Self { tests: vec![test] })
                } else {
                    let tests = map.iter().map(|(field, values)| {
                        Ok(Test {
                            field: named(field)?,
                            how: How::OneOf(items(values)?),
                        })
                    });
                    Ok(Self {
                        tests: tests.collect::<Result<_, _>>()?,
                    })
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                bad("expected a text like \"field=value\" or an object like {\"field\": [\"value\"]}")
            }
        }
    }

    /// Whether the field is shown.
    pub fn holds(&self, values: &Values) -> bool {
        self.tests
            .iter()
            .all(|test| test.holds(values.get(&test.field).unwrap_or(&Value::Null)))
    }

    /// The fields that it looks at.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().map(|test| test.field.as_str())
    }
}

impl Test {
    /// The form `{"field": …, "equals": …}`, if the object is of it: the first of the words below that it has.
    fn of_field(map: &serde_json::Map<String, Value>) -> Result<Option<Self>, VisibleError> {
        let Some(Value::String(field)) = map.get("field") else {
            return Ok(None);
        };
        let how = if let Some(value) = map.get("equals").or_else(|| map.get("in")) {
            How::OneOf(items(value)?)
        } else if let Some(value) = map.get("not_equals").or_else(|| map.get("not_in")) {
            How::NoneOf(items(value)?)
        } else if let Some(value) = map.get("starts_with") {
            let Value::String(start) = value else {
                return bad("starts_with: expected a text");
            };
            How::Begins(start.clone())
        } else {
            return Ok(None);
        };
        Ok(Some(Self {
            field: named(field)?,
            how,
        }))
    }

    fn parse(text: &str) -> Result<Self, VisibleError> {
        if text.chars().count() > LENGTH_MAX {
            return bad(format!("too long; at most {LENGTH_MAX} characters"));
        }
        let Some(at) = text.find(['=', '!', '<', '>']) else {
            return bad("expected a field's name, then one of = != > < >= <=, then a value");
        };
        let (field, rest) = text.split_at(at);
        let field = named(field.trim_matches(' '))?;
        let operator = ["==", "!=", ">=", "<=", "=", ">", "<"]
            .into_iter()
            .find(|operator| rest.starts_with(operator));
        let Some(operator) = operator else {
            return bad("expected one of = != > < >= <=");
        };
        let value = rest[operator.len()..].trim_matches(' ');
        let compare = |relation| match decimal(value) {
            Some(number) => Ok(How::Compare(relation, number)),
            None => bad(format!("after {operator} expected a number, found {value:?}")),
        };
        let how = match operator {
            "!=" => How::NoneOf(vec![value.into()]),
            ">" => compare(Relation::Greater)?,
            "<" => compare(Relation::Less)?,
            ">=" => compare(Relation::GreaterOrEqual)?,
            "<=" => compare(Relation::LessOrEqual)?,
            _ => How::OneOf(vec![value.into()]),
        };
        Ok(Self { field, how })
    }

    fn holds(&self, value: &Value) -> bool {
        match &self.how {
            How::OneOf(items) => items.iter().any(|item| same(value, item)),
            How::NoneOf(items) => !items.iter().any(|item| same(value, item)),
            How::Begins(start) => text(value).is_some_and(|value| value.starts_with(start.as_str())),
            How::Compare(relation, bound) => number(value).is_some_and(|value| match relation {
                Relation::Less => value < *bound,
                Relation::LessOrEqual => value <= *bound,
                Relation::Greater => value > *bound,
                Relation::GreaterOrEqual => value >= *bound,
            }),
        }
    }
}

fn named(field: &str) -> Result<String, VisibleError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if field.is_empty() || !field.chars().all(fits) {
        return bad(format!("{field:?} is no name of a field (letters, digits, _ - .)"));
    }
    Ok(field.to_owned())
}

/// The values that a field may have: a list, or one alone.
fn items(value: &Value) -> Result<Vec<Value>, VisibleError> {
    let plain = |item: &Value| item.is_string() || item.is_number() || item.is_boolean();
    match value {
        Value::Array(items) if items.is_empty() => bad("expected at least one value; an empty list never holds"),
        Value::Array(items) if items.iter().all(plain) => Ok(items.clone()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(vec![value.clone()]),
        Value::Null | Value::Array(_) | Value::Object(_) => bad("expected a list of texts, numbers or true and false"),
    }
}

/// Whether what a field holds is what a condition says.
#[expect(clippy::float_cmp, reason = "equal is meant: both are as they were written")]
fn same(value: &Value, item: &Value) -> bool {
    match value {
        Value::Array(chosen) => chosen.iter().any(|value| !value.is_array() && same(value, item)),
        Value::Object(_) => false,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => match (number(value), number(item)) {
            (Some(a), Some(b)) => a == b,
            _ => text(value).is_some_and(|value| text(item) == Some(value)),
        },
    }
}

/// A plain value as a text; a number has none, it is only ever compared as a number.
fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Null => Some(""),
        Value::Bool(true) => Some("true"),
        Value::Bool(false) => Some("false"),
        Value::String(text) => Some(text),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => decimal(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A decimal number: a sign or none, digits, perhaps a point and more digits. No power of ten, no space.
fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(part) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}
