//! Which phases a burn-in has, as data: `playbooks/*.toml` beside this crate.
//!
//! The two built-in ones are parsed by the same code that parses a user's, so an error
//! in either names the file, the field and what is expected.

use std::collections::BTreeMap;

use serde::Deserialize;
use wire::job::Phase;

/// A named list of phases.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// Name, as in `--playbook NAME`.
    pub name: String,
    /// What it is for, in one sentence.
    pub about: String,
    /// The phases in order.
    pub phases: Vec<Phase>,
}

/// Why a playbook cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not TOML, or a field is missing, unknown or of the wrong type.
    #[error("playbook {name}: {cause}")]
    Syntax {
        /// File or name.
        name: String,
        /// The parser's message with line and column.
        cause: String,
    },
    /// The phases make no sense in this order.
    #[error("playbook {name}: phases: {why}")]
    Phases {
        /// Its name.
        name: String,
        /// What is wrong, and what is expected.
        why: &'static str,
    },
    /// There is none of that name.
    #[error("there is no playbook {name:?}; known are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
}

const BUILT_IN: [(&str, &str); 2] = [
    ("standard", include_str!("../playbooks/standard.toml")),
    ("surface", include_str!("../playbooks/surface.toml")),
];

impl Playbook {
    /// Parses one; `name` is what errors call it.
    ///
    /// # Errors
    /// When the text is not TOML of this shape, or the phases make no sense in this order.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, Error> {
        let book: Self = toml::from_str(text).map_err(|cause| Error::Syntax {
            name: name.to_owned(),
            cause: cause.to_string(),
        })?;
        match book.fault() {
            Some(why) => Err(Error::Phases {
                name: name.to_owned(),
                why,
            }),
            None => Ok(book),
        }
    }

    /// The built-in playbook of that name.
    ///
    /// # Errors
    /// [`Error::Unknown`], which lists the names there are.
    pub fn named(name: &str) -> Result<Self, Error> {
        match BUILT_IN.into_iter().find(|(known, _)| *known == name) {
            Some((name, text)) => Self::from_toml(name, text),
            None => Err(Error::Unknown {
                name: name.chars().take(80).collect(),
                known: BUILT_IN.map(|(name, _)| name).join(", "),
            }),
        }
    }

    /// All built-in ones by name.
    pub fn built_in() -> BTreeMap<&'static str, &'static str> {
        BUILT_IN.into_iter().collect()
    }

    /// Whether it asks for SMART; then unreadable SMART is worth a warning.
    pub fn wants_smart(&self) -> bool {
        self.phases
            .iter()
            .any(|p| matches!(p, Phase::SmartBefore | Phase::SmartAfter))
    }

    /// The phases that a worker runs on the drive itself.
    pub fn device_phases(&self) -> Vec<Phase> {
        self.phases.iter().copied().filter(|p| moves_data(*p)).collect()
    }

    fn fault(&self) -> Option<&'static str> {
        let at = |phase| self.phases.iter().position(|p| *p == phase);
        let mut seen = self.phases.clone();
        seen.sort_unstable();
        if seen.windows(2).any(|pair| pair[0] == pair[1]) {
            return Some("a phase stands twice; expected each at most once");
        }
        let made = [
            Phase::SmartBefore,
            Phase::Probe,
            Phase::Write,
            Phase::Verify,
            Phase::SmartAfter,
        ];
        if self.phases.iter().any(|phase| !made.contains(phase)) {
            return Some("expected smart_before, probe, write, verify and smart_after alone");
        }
        match (at(Phase::Write), at(Phase::Verify)) {
            (Some(write), Some(verify)) if write < verify => {}
            _ => return Some("expected `write` and after it `verify`"),
        }
        if at(Phase::Probe) > at(Phase::Write) {
            return Some("`probe` writes; expected it before `write`");
        }
        match (at(Phase::SmartBefore), at(Phase::SmartAfter)) {
            (None, None) => None,
            (Some(0), Some(last)) if last + 1 == self.phases.len() => None,
            _ => Some("expected `smart_before` first and `smart_after` last, or neither"),
        }
    }
}

/// Whether a phase reads or writes the drive's sectors.
pub fn moves_data(phase: Phase) -> bool {
    match phase {
        Phase::Probe
        | Phase::Sample
        | Phase::Write
        | Phase::Verify
        | Phase::Seek
        | Phase::Trim
        | Phase::TrimCheck
        | Phase::Scan => true,
        Phase::SmartBefore
        | Phase::SmartAfter
        | Phase::SelfTestShort
        | Phase::SelfTestExtended
        | Phase::Partition
        | Phase::Format => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn built_in_playbooks_parse_and_bear_their_names() {
        for name in Playbook::built_in().keys() {
            assert_eq!(&Playbook::named(name).unwrap().name, name);
        }
        assert!(Playbook::named("standard").unwrap().wants_smart());
        assert_eq!(
            Playbook::named("surface").unwrap().phases,
            [Phase::Write, Phase::Verify]
        );
    }

    #[test]
    fn a_bad_playbook_is_told_what_is_expected() {
        let book = |phases: &str| {
            Playbook::from_toml(
                "mine.toml",
                &format!("name = \"mine\"\nabout = \"\"\nphases = [{phases}]\n"),
            )
            .map_err(|e| e.to_string())
        };
        for (phases, part) in [
            ("\"verify\", \"write\"", "expected `write` and after it `verify`"),
            ("\"write\"", "expected `write` and after it `verify`"),
            ("\"write\", \"verify\", \"verify\"", "twice"),
            ("\"write\", \"probe\", \"verify\"", "before `write`"),
            ("\"smart_before\", \"write\", \"verify\"", "or neither"),
            ("\"wirte\"", "unknown variant `wirte`"),
        ] {
            let told = book(phases).unwrap_err();
            assert!(
                told.starts_with("playbook mine.toml: ") && told.contains(part),
                "{told}"
            );
        }
        assert!(
            Playbook::from_toml("x", "nmae = 1")
                .unwrap_err()
                .to_string()
                .contains("nmae")
        );
        assert!(
            Playbook::named("fast")
                .unwrap_err()
                .to_string()
                .contains("standard, surface")
        );
    }
}
