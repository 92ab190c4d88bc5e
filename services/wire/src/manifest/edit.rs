//! A manifest's text with some of it left out: the order of all other names, which a page shows, stays.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// One step down into a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// To what an object has under this name.
    Name(String),
    /// To the item of this number.
    At(usize),
}

impl Step {
    /// The steps that `.name`, `[3]` and any row of these stand for.
    pub(super) fn all(part: &str) -> Vec<Self> {
        let pieces = part.split(['.', '[']).filter(|piece| !piece.is_empty());
        pieces
            .map(|piece| match piece.strip_suffix(']').map(str::parse) {
                Some(Ok(index)) => Self::At(index),
                Some(Err(_)) | None => Self::Name(piece.to_owned()),
            })
            .collect()
    }

    /// The name to which it leads.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::At(_) => None,
        }
    }

    /// What stands there in this value.
    pub(super) fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Name(name) => value.get(name),
            Self::At(index) => value.get(index),
        }
    }

    /// The place to which all of them lead, as a flaw names it.
    pub(super) fn place(all: &[Self]) -> String {
        let mut place = String::new();
        for step in all {
            match step {
                Self::Name(name) if place.is_empty() => place.push_str(name),
                Self::Name(name) => place += &format!(".{name}"),
                Self::At(index) => place += &format!("[{index}]"),
            }
        }
        place
    }
}

/// One change of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// Where.
    pub(super) at: Vec<Step>,
    /// The text that stands there from now on; nothing: neither it nor its name.
    pub(super) put: Option<&'static str>,
}

/// What is done with a value.
#[derive(Clone, Copy, Debug, Default)]
enum Act {
    /// It stays, but for what is done below it.
    #[default]
    Keep,
    /// It goes, and its name.
    Drop,
    /// This text takes its place.
    Put(&'static str),
}

/// What is done with a value and below it.
#[derive(Debug, Default)]
struct Plan {
    below: BTreeMap<Step, Plan>,
    act: Act,
}

/// The names of an object, in the order in which they are written.
struct Names<'t>(Vec<(String, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Names<'t> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Names<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
                let mut names = Vec::new();
                while let Some(next) = all.next_entry()? {
                    names.push(next);
                }
                Ok(Names(names))
            }
        }
        from.deserialize_map(Read)
    }
}

/// The text with these changes.
///
/// # Errors
/// It is no JSON.
pub(super) fn edited(text: &str, edits: &[Edit]) -> serde_json::Result<String> {
    let mut plan = Plan::default();
    for edit in edits {
        let place = edit
            .at
            .iter()
            .fold(&mut plan, |plan, step| plan.below.entry(step.clone()).or_default());
        place.act = edit.put.map_or(Act::Drop, Act::Put);
    }
    let mut out = String::with_capacity(text.len());
    plan.write(text, &mut out)?;
    Ok(out)
}

impl Plan {
    fn write(&self, text: &str, out: &mut String) -> serde_json::Result<()> {
        if self.below.is_empty() {
            out.push_str(text);
            return Ok(());
        }
        if text.trim_start().starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            let items = items.into_iter().enumerate();
            return self.write_parts('[', items.map(|(index, item)| (Step::At(index), item)), ']', out);
        }
        let Names(names) = serde_json::from_str(text)?;
        self.write_parts(
            '{',
            names.into_iter().map(|(name, value)| (Step::Name(name), value)),
            '}',
            out,
        )
    }

    fn write_parts<'t>(
        &self,
        open: char,
        parts: impl Iterator<Item = (Step, &'t RawValue)>,
        close: char,
        out: &mut String,
    ) -> serde_json::Result<()> {
        let mut before = open;
        for (step, value) in parts {
            let plan = self.below.get(&step);
            let act = plan.map_or(Act::Keep, |plan| plan.act);
            if matches!(act, Act::Drop) {
                continue;
            }
            out.push(std::mem::replace(&mut before, ','));
            if let Step::Name(name) = step {
                out.push_str(&serde_json::to_string(&name)?);
                out.push(':');
            }
            match (act, plan) {
                (Act::Put(word), _) => out.push_str(&serde_json::to_string(word)?),
                (_, Some(plan)) => plan.write(value.get(), out)?,
                (_, None) => out.push_str(value.get()),
            }
        }
        if before == open {
            out.push(open);
        }
        out.push(close);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_stays_keeps_its_order_and_its_writing() {
        let text = r#"{"z":1.0, "a":[ {"k\u0031":"x","m":2}, 3, 4 ],"b":{"only":1},"w":"GET"}"#;
        let cut = |parts: &[&str]| Edit {
            at: parts.iter().flat_map(|part| Step::all(part)).collect(),
            put: None,
        };
        let word = Edit {
            put: Some("get"),
            ..cut(&[".w"])
        };
        let edits = [cut(&[".a[0]", ".k1"]), cut(&[".a", "[1]"]), cut(&[".b.only"]), word];
        assert_eq!(
            edited(text, &edits).unwrap(),
            r#"{"z":1.0,"a":[{"m":2},4],"b":{},"w":"get"}"#
        );
        assert_eq!(edited(text, &[]).unwrap(), text);
        assert_eq!(edited("[1]", &[cut(&["[0]"])]).unwrap(), "[]");
        assert!(edited("{", &[cut(&[".a"])]).is_err());
    }
}
