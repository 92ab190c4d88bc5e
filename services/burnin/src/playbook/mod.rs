//! What a burn-in does, as data: `playbooks/*.toml` beside this crate, and a person's own.
//!
//! ```toml
//! name = "mine"
//! about = "Two keyed passes, the second backwards."
//! [[step]]
//! do = "write"                     # a phase; write and verify take pattern and order
//! [[step]]
//! do = "verify"
//! [[step]]
//! repeat = 2                       # or hours = 24: a block of steps
//! steps = [ { do = "write", pattern = "complement", order = "reverse" }, { do = "verify", order = "reverse" } ]
//! ```
//!
//! What it may be called is [`wire::playbook::check_name`]'s to say; built-in names are no person's ([`Playbook::own`]).
//! `pattern` is one of `keyed` (the default), `complement`, `aa`, `55`, `ff`, `00`; `verify` expects what was written
//! last. The built-in ones are parsed by the same code as a person's, and an error names file, line, field and what is
//! expected. What a step does to the drive is [`crate::pipeline`]'s.

mod check;
mod parse;
mod step;

use std::collections::BTreeMap;

use wire::job::Phase;
use wire::playbook::{PlaybookInfo, SoakInfo};

pub use step::{Direction, Fill, PASSES, Soak, Step, erases, first_data, is_of_formatter, is_own, moves_data, plain};

/// Most steps of a playbook once repeats are unrolled.
pub const STEPS_MAX: usize = 64;

/// A named list of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playbook {
    /// Name, as in `--playbook NAME`.
    pub name: String,
    /// What it is for, in one sentence.
    pub about: String,
    steps: Vec<Step>,
    text: String,
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
    /// A step makes no sense.
    #[error("playbook {name}: line {line}: {field}: {why}")]
    Step {
        /// File or name.
        name: String,
        /// Line in it, from 1.
        line: usize,
        /// Which field.
        field: String,
        /// What is wrong, and what is expected.
        why: String,
    },
    /// There is none of that name.
    #[error("there is no playbook {name:?}; known are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A person's playbook bears the name of a built-in one.
    #[error("playbook {file}: line {line}: name: {name:?} is a built-in one's; expected another")]
    Taken {
        /// The playbook, or the file it came from.
        file: String,
        /// Line of the name, from 1.
        line: usize,
        /// The name.
        name: String,
    },
    /// It cannot be repeated for a time.
    #[error("playbook {name}: soak for {hours} {}: {why}", if *hours == 1 { "hour" } else { "hours" })]
    Soak {
        /// Its name.
        name: String,
        /// The hours asked for.
        hours: u32,
        /// What is expected.
        why: String,
    },
}

const BUILT_IN: [(&str, &str); 9] = [
    ("quick", include_str!("../../playbooks/quick.toml")),
    ("surface", include_str!("../../playbooks/surface.toml")),
    ("standard", include_str!("../../playbooks/standard.toml")),
    ("thorough", include_str!("../../playbooks/thorough.toml")),
    ("badblocks", include_str!("../../playbooks/badblocks.toml")),
    ("ssd", include_str!("../../playbooks/ssd.toml")),
    ("erase", include_str!("../../playbooks/erase.toml")),
    ("scan", include_str!("../../playbooks/scan.toml")),
    ("preclear", include_str!("../../playbooks/preclear.toml")),
];

/// Steps as JSON, all that they say.
pub fn steps_text(steps: &[Step]) -> String {
    serde_json::to_string(steps).unwrap_or_default()
}

impl Playbook {
    /// Parses one; `file` is what errors call it.
    ///
    /// # Errors
    /// When the text is not TOML of this shape, or the steps make no sense in this order.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, Error> {
        let parsed = parse::parse(file, text)?;
        if let Some((index, field, why)) = check::fault(&parsed.steps, &parsed.named) {
            return Err(Error::Step {
                name: file.to_owned(),
                line: index.and_then(|i| parsed.lines.get(i).copied()).unwrap_or(1),
                field: field.to_owned(),
                why,
            });
        }
        Ok(Self {
            name: parsed.name,
            about: parsed.about,
            steps: parsed.steps,
            text: text.to_owned(),
        })
    }

    /// A person's own: as [`Self::from_toml`], and its name must not be a built-in one's.
    ///
    /// # Errors
    /// As [`Self::from_toml`], and [`Error::Taken`].
    pub fn own(file: &str, text: &str) -> Result<Self, Error> {
        let book = Self::from_toml(file, text)?;
        match BUILT_IN.iter().any(|(name, _)| *name == book.name) {
            true => Err(Error::Taken {
                file: file.to_owned(),
                line: parse::parse(file, text)?.name_line,
                name: book.name,
            }),
            false => Ok(book),
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

    /// All built-in ones: name and text, in the order in which they are best shown.
    pub fn built_in() -> [(&'static str, &'static str); 9] {
        BUILT_IN
    }

    /// Its steps in order, repeats unrolled; the index is the step's number everywhere.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Its steps as JSON, all that they say: what tells two playbooks of one name apart.
    pub fn steps_text(&self) -> String {
        steps_text(&self.steps)
    }

    /// The phases in order, one for each step.
    pub fn phases(&self) -> impl Iterator<Item = Phase> {
        self.steps.iter().map(|step| step.phase)
    }

    /// Its text as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it asks for SMART; then unreadable SMART is worth a warning.
    pub fn wants_smart(&self) -> bool {
        self.phases()
            .any(|p| matches!(p, Phase::SmartBefore | Phase::SmartAfter))
    }

    /// Whether it changes what the drive holds; one that does not runs over a read-only descriptor and needs no gate.
    pub fn erases(&self) -> bool {
        self.phases().any(erases)
    }

    /// Whether it writes and reads back every block, so that a drive that passes may be formatted.
    pub fn formats(&self) -> bool {
        self.phases().any(|p| p == Phase::Verify)
    }

    /// The same, repeated for so many hours: its own repeated block gets that time, else its writes and verifies become one.
    ///
    /// # Errors
    /// [`Error::Soak`] when there is nothing to repeat, the hours are not 1 to 720, or a round would take away what the one before
    /// wrote and nobody read back.
    pub fn soaked(&self, hours: u32) -> Result<Self, Error> {
        let fail = |why: &str| Error::Soak {
            name: self.name.clone(),
            hours,
            why: why.to_owned(),
        };
        if !(1..=720).contains(&hours) {
            return Err(fail("expected 1 to 720"));
        }
        let seconds = u64::from(hours) * 3600;
        let mut book = self.clone();
        if book.steps.iter().any(|step| step.soak.is_some()) {
            for soak in book.steps.iter_mut().filter_map(|step| step.soak.as_mut()) {
                soak.seconds = seconds;
            }
            return Ok(book);
        }
        let Some(soak) = book.repeatable(seconds) else {
            return Err(fail(
                "nothing in it can be repeated; expected write and verify, or scan",
            ));
        };
        let (first, count) = (usize::from(soak.first), usize::from(soak.last - soak.first) + 1);
        for step in &mut book.steps[first..first + count] {
            step.soak = Some(soak);
        }
        match check::fault(&book.steps, &[]) {
            None => Ok(book),
            Some((_, _, why)) => {
                let (from, to) = (first + 1, first + count);
                Err(fail(&format!(
                    "repeating steps {from} to {to}: {why}; or a block of its own with `hours`"
                )))
            }
        }
    }

    /// The block that a soak repeats where the playbook has none of its own: from its first write, or the first step that moves data
    /// where it writes nothing, what moves data, one behind the other.
    fn repeatable(&self, seconds: u64) -> Option<Soak> {
        let works = |step: &Step| moves_data(step.phase) && !matches!(step.phase, Phase::Probe | Phase::Sample);
        let position = |wanted: &dyn Fn(&Step) -> bool| self.steps.iter().position(wanted);
        let first = position(&|step| step.phase == Phase::Write).or_else(|| position(&works))?;
        // What the agent does between two steps cannot be repeated: the block ends before it.
        let count = self.steps[first..].iter().take_while(|step| works(step)).count();
        Some(Soak {
            first: u16::try_from(first).ok()?,
            last: u16::try_from(first + count - 1).ok()?,
            seconds,
        })
    }

    /// The blocks that are repeated for a time, or would be.
    fn soaks(&self) -> Vec<SoakInfo> {
        let mut blocks: Vec<Soak> = self.steps.iter().filter_map(|step| step.soak).collect();
        blocks.dedup();
        if blocks.is_empty() {
            blocks.extend(self.repeatable(0));
        }
        let told = |soak: Soak| {
            let steps = &self.steps[usize::from(soak.first)..=usize::from(soak.last)];
            SoakInfo {
                sweeps: sweeps(steps),
                timed_seconds: timed(steps),
                seconds: u32::try_from(soak.seconds).unwrap_or(u32::MAX),
            }
        };
        blocks.into_iter().map(told).collect()
    }

    /// What is told of it; `own`: whether a person added it.
    pub fn info(&self, own: bool) -> PlaybookInfo {
        let self_tests = self.phases().filter(|p| *p == Phase::SelfTestExtended).count();
        PlaybookInfo {
            name: self.name.clone(),
            about: self.about.clone(),
            erases: self.erases(),
            own,
            steps: self.steps.iter().map(Step::words).collect(),
            sweeps: sweeps(&self.steps),
            self_tests: u32::try_from(self_tests).unwrap_or(u32::MAX),
            timed_seconds: timed(&self.steps),
            soaks: self.soaks(),
            formats: self.formats(),
            judges_new: self.wants_smart(),
            text: self.text.clone(),
            problem: None,
        }
    }

    /// What is told of a person's text that cannot be used.
    pub fn info_of_unusable(name: &str, text: &str, why: String) -> PlaybookInfo {
        PlaybookInfo {
            name: name.to_owned(),
            about: String::new(),
            erases: true,
            own: true,
            steps: Vec::new(),
            sweeps: 0,
            self_tests: 0,
            timed_seconds: 0,
            soaks: Vec::new(),
            formats: false,
            judges_new: false,
            text: text.to_owned(),
            problem: Some(why),
        }
    }

    /// All built-in ones by name.
    pub fn all() -> BTreeMap<&'static str, Self> {
        BUILT_IN
            .into_iter()
            .filter_map(|(name, text)| Some((name, Self::from_toml(name, text).ok()?)))
            .collect()
    }
}

/// How often these steps write or read the whole drive.
fn sweeps(steps: &[Step]) -> u32 {
    let sweeps = |step: &&Step| {
        matches!(
            step.phase,
            Phase::Write | Phase::Verify | Phase::Scan | Phase::TrimCheck
        )
    };
    u32::try_from(steps.iter().filter(sweeps).count()).unwrap_or(u32::MAX)
}

/// Seconds of those of these steps that end by their time.
fn timed(steps: &[Step]) -> u32 {
    let seconds = steps.iter().map(|step| step.seconds).sum::<u64>();
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
