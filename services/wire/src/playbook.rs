//! What is told of a playbook, and what it may be called; its steps themselves are the crate `burnin`'s.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// Longest name of a playbook, in characters.
pub const NAME_MAX: usize = 40;

/// Whether something can be a playbook's name: then it is a file's name, a piece of a path and a word on the command line, too.
///
/// Names of built-in ones are no person's to give; who knows those refuses them.
///
/// # Errors
/// What is expected.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(format!(
        "expected 1 to {NAME_MAX} lower-case letters, digits and hyphens"
    ))
}

/// A playbook that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct PlaybookInfo {
    /// Its name.
    pub name: String,
    /// What it is for, in one sentence.
    pub about: String,
    /// Whether it erases what the drive holds; one that does not needs no gate.
    pub erases: bool,
    /// Whether a person added it.
    pub own: bool,
    /// Its steps in words, in order.
    pub steps: Vec<String>,
    /// How often the whole drive is written or read; steps of [`Self::soaks`] are counted once.
    pub sweeps: u32,
    /// Extended self-tests: in each the drive reads itself once more.
    #[serde(default)]
    pub self_tests: u32,
    /// Seconds of the steps that end by their time; steps of [`Self::soaks`] are counted once.
    #[serde(default)]
    pub timed_seconds: u32,
    /// Blocks of steps that are repeated for a time: those that it has, else the one that a soak asked for beside it would repeat.
    #[serde(default)]
    pub soaks: Vec<SoakInfo>,
    /// Whether a drive that passes it can be formatted afterwards.
    pub formats: bool,
    /// Whether a drive can be judged as sold new by it: it asks for SMART.
    #[serde(default)]
    pub judges_new: bool,
    /// Its TOML text.
    pub text: String,
    /// Why it cannot be used; then it is only shown.
    pub problem: Option<String>,
}

/// A block of steps that is repeated until its time is over; a round that has begun is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct SoakInfo {
    /// How often one round writes or reads the whole drive.
    pub sweeps: u32,
    /// Seconds of those of its steps that end by their time, in one round.
    pub timed_seconds: u32,
    /// For how many seconds it is repeated; 0: it is done once, unless a person asks for a soak.
    pub seconds: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_short() {
        for good in ["a", "my-soak-2", "new", &"x".repeat(NAME_MAX)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "A", "a b", "my_soak", "../a", "+", "ä", &"x".repeat(NAME_MAX + 1)] {
            assert!(check_name(bad).is_err_and(|why| why.contains("hyphens")), "{bad}");
        }
    }
}
