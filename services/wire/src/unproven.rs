//! How a finding ends of an access that failed, and of which nobody knows that it fails again: what it covers is not bad for that.

use crate::job::Finding;

/// It blames the link as much as the drive.
pub const NOT_REPRODUCED: &str = "succeeded when tried again";

/// The job ended or was cut before.
pub const NOT_TRIED_AGAIN: &str = "not tried again before the job stopped";

/// The same in findings that an older version kept.
const NOT_TRIED_AGAIN_OLD: &str = "not tried again before the job was interrupted";

/// The step was given up before.
pub const GIVEN_UP: &str = "not tried again, since the step was given up";

/// A trim stayed without success, by an error that a drive refuses trims with, where this one was no plain refusal: others went well, or
/// it failed in another way as well. It is neither held against the drive nor taken for what the drive cannot do.
pub const FAILED_OR_REFUSED: &str = "whether the drive failed at it or refused it cannot be told";

/// It is of a sector that a session writes before it goes on, which a cut leaves unreadable on a good drive.
pub const OVERWRITTEN: &str = "written again since, and whether the drive or the interruption did that cannot be told";

impl Finding {
    /// Whether it ends with one of these.
    pub fn is_unproven(&self) -> bool {
        [
            NOT_REPRODUCED,
            NOT_TRIED_AGAIN,
            NOT_TRIED_AGAIN_OLD,
            GIVEN_UP,
            FAILED_OR_REFUSED,
            OVERWRITTEN,
        ]
        .iter()
        .any(|end| self.detail.ends_with(end))
    }
}
