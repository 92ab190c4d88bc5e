//! What is told of a playbook; its steps themselves are the crate `burnin`'s.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

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
    /// How often the whole drive is written or read, for an estimate of its time; soaks are counted once.
    pub sweeps: u32,
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
