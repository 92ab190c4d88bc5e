//! The manifest of an add-on: the pages that the dashboard makes for it, without code of the add-on's own.
//!
//! One description (`parts/`) says what every name must be; it checks manifests here, is the JSON Schema that others
//! check them with ([`schema`]), and the reference in `PROTOCOL.md`. What no schema can say is in `rules.rs`. The types
//! are what the server and the dashboard read; a test holds the two together. The JSON itself is what is stored and
//! served, so that names which a newer dashboard knows reach it.

mod declared;
mod edit;
mod flaw;
mod lost;
mod milder;
mod parts;
mod reference;
mod rules;
mod schema;
mod shape;
mod taken;
mod twice;
mod types;

use serde::Deserialize;
use serde_json::Value;

pub use declared::{Declared, DeclaredPath};
pub use flaw::{FLAWS_MAX, Flaw};
pub use reference::reference;
pub use schema::schema;
pub use taken::{Taken, take};
pub use types::*;

use flaw::{Flaws, shown};

/// Longest manifest in bytes. Source: Vigil, limits (256 KiB).
pub const SIZE_MAX: usize = 262_144;

/// Most pages. Source: Vigil, limits.
pub const PAGES_MAX: usize = 20;

/// Most components on all pages together. Source: Vigil, limits.
pub const COMPONENTS_MAX: usize = 50;

/// Most fields of a form. Source: Vigil, limits.
pub const FIELDS_MAX: usize = 100;

/// Longest name in characters. Source: existing servers' validation.
pub const NAME_MAX: usize = 128;

/// The JSON Schema, as it is checked in and published.
pub const SCHEMA: &str = include_str!("../../bindings/manifest.schema.json");

/// Reads a manifest that came as `raw_len` bytes of JSON.
///
/// # Errors
/// Everything that is wrong with it, each by its place; [`FLAWS_MAX`] at most.
pub fn read(value: &Value, raw_len: usize) -> Result<Manifest, Vec<Flaw>> {
    let mut flaws = Flaws::default();
    if raw_len > SIZE_MAX {
        flaws.add(&format!("{raw_len} bytes"), &format!("at most {SIZE_MAX} bytes"));
        return Err(flaws.into_vec());
    }
    let flaws = looked_at(value, false).into_vec();
    if !flaws.is_empty() {
        return Err(flaws);
    }
    Manifest::deserialize(value).map_err(|error| vec![untyped(&error)])
}

/// Everything that is wrong with a manifest of a length that is taken; `alike`: without what says nothing in another way.
fn looked_at(value: &Value, alike: bool) -> Flaws {
    let mut flaws = Flaws::default();
    flaws.alike = alike.then(Vec::new);
    if let Value::Object(map) = value {
        parts::MANIFEST.check(map, &mut flaws);
        parts::configs(value, &mut flaws);
        rules::check(value, &mut flaws);
    } else {
        flaws.add(&shown(value), "an object with name, version and pages");
    }
    flaws
}

/// A flaw that there is none of: the types take whatever the description takes; a test holds them to it.
fn untyped(error: &serde_json::Error) -> Flaw {
    Flaw {
        path: String::new(),
        what: error.to_string(),
        expected: "what the reference says".to_owned(),
    }
}

/// Reads a manifest from its text as it was written.
///
/// # Errors
/// As [`read`]; a text that is no JSON has one flaw, which says where.
pub fn read_text(text: &str) -> Result<Manifest, Vec<Flaw>> {
    if text.len() > SIZE_MAX {
        return read(&Value::Null, text.len());
    }
    match serde_json::from_str(text) {
        Ok(value) => match twice::twice(text) {
            flaws if flaws.is_empty() => read(&value, text.len()),
            flaws => Err(flaws),
        },
        Err(error) => Err(vec![Flaw {
            path: String::new(),
            what: format!("not JSON: {error}"),
            expected: "an object with name, version and pages".to_owned(),
        }]),
    }
}
