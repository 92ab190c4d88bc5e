//! One unit's process, as the loop knows it.

use std::path::PathBuf;

use crate::core::Millis;
use crate::shell::spawn::Prepared;

/// One unit's process.
#[derive(Debug, Default)]
pub(super) struct Process {
    pub pid: Option<i32>,
    pub prepared: Option<Prepared>,
    /// Groups that had to be left behind.
    pub generation: u32,
    pub cgroup: Option<PathBuf>,
    /// `since` of the core's record, and the wall-clock time that was shown for it.
    pub shown_since: Option<(Millis, wire::Time)>,
}
