//! A manifest as existing add-ons bring it, taken without what of it cannot be read.
//!
//! Existing servers look at names, numbers and limits alone and keep the rest as it came, so an add-on may have lived for years
//! with a manifest that does not hold to every rule here; refused, it would have no page at all. What is left out is told. What
//! existing servers refuse is refused, and so is what an action's gate could become less by.

use serde::Deserialize;

use super::edit::{Edit, edited};
use super::flaw::{FLAWS_MAX, Flaw, Remedy};
use super::lost::lost;
use super::milder::milder;
use super::{Manifest, looked_at, twice, untyped};

/// Times that what is left is looked at again: what is left out may have been what something else named.
const ROUNDS: usize = 8;

/// A manifest that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// What of it could be read.
    pub manifest: Manifest,
    /// Its text; as it was written where nothing was left out.
    pub text: String,
    /// What was left out, or is not as the rules ask.
    pub flaws: Vec<Flaw>,
}

/// Reads a manifest from its text, without what can be left out of it.
///
/// An empty text and a 0 stand for an absent name, as programs write it that know no absence, and a word may have other capitals.
///
/// # Errors
/// As [`super::read_text`], where something cannot be left out.
pub fn take(text: &str) -> Result<Taken, Vec<Flaw>> {
    let strict = match super::read_text(text) {
        Ok(manifest) => {
            return Ok(Taken {
                manifest,
                text: text.to_owned(),
                flaws: Vec::new(),
            });
        }
        Err(flaws) => flaws,
    };
    if text.len() > super::SIZE_MAX || !twice::twice(text).is_empty() {
        return Err(strict);
    }
    let mut told: Vec<Flaw> = Vec::new();
    let mut gone = Vec::new();
    let mut left = text.to_owned();
    for _ in 0..ROUNDS {
        let Ok(value) = serde_json::from_str(&left) else {
            return Err(strict);
        };
        let mut found = looked_at(&value, true);
        let mut edits = found.alike.take().unwrap_or_default();
        let all_told = !found.is_cut();
        let mut borne = Vec::new();
        for (flaw, remedy) in &found.found {
            match remedy {
                Remedy::Refused => return Err(found.into_vec()),
                Remedy::Without(at) => {
                    told.push(flaw.clone());
                    let edit = Edit {
                        at: at.clone(),
                        put: None,
                    };
                    if !edits.contains(&edit) {
                        gone.extend(lost(&value, at));
                        edits.push(edit);
                    }
                }
                Remedy::Borne => borne.push(flaw.clone()),
            }
        }
        if !all_told {
            // Nobody would read so many lines, nor know what is left.
            return Err(found.into_vec());
        }
        if edits.is_empty() {
            told.append(&mut borne);
            let manifest = Manifest::deserialize(&value).map_err(|error| vec![untyped(&error)])?;
            let mut milder = milder(&gone, &manifest);
            if !milder.is_empty() {
                milder.append(&mut told);
                milder.truncate(FLAWS_MAX);
                return Err(milder);
            }
            return Ok(Taken {
                manifest,
                text: left,
                flaws: told,
            });
        }
        left = edited(&left, &edits).map_err(|_| strict.clone())?;
    }
    Err(strict)
}
