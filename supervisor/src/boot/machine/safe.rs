//! Safe mode: after as many reboots in a row as the ladder has, burn-ins are off, and everybody is told why.
//!
//! Dashboard, log, network and clock run; the agent, which alone opens drives, does not (milestone `normal`). A box with
//! another system that has proven itself goes back to that one (`crate::update::back`); else it stays so until a person
//! restarts it, which begins a new row.

use std::fs;
use std::path::Path;

use wire::event::Severity;

use crate::core::{Input, Milestone};
use crate::shell::desk::Desk;

/// Why the box is in safe mode, for a PID 1 that has lost its notes.
const SAFE: &str = "/run/kiln/safe-mode";

/// Burn-ins are off from now on.
pub(super) fn enter(why: &str, in_a_row: u32, desk: &mut Desk) {
    let _ = fs::write(SAFE, format!("{why}\n"));
    tell(desk, holds(false));
    let times = in_a_row.to_string();
    desk.banner(
        "safe",
        Severity::Critical,
        format!(
            "Safe mode: this box has restarted itself {times} times in a row ({why}), so burn-ins are off and no drive is touched. Save a debug bundle and a backup; then restart the box to try again, go back to its other system, or write an update."
        ),
    );
}

/// At the start, and where PID 1 has lost its notes: whether burn-ins may run.
pub(super) fn begin(desk: &mut Desk) {
    tell(desk, holds(!Path::new(SAFE).exists()));
}

fn holds(holds: bool) -> Input {
    Input::Milestone {
        which: Milestone::Normal,
        holds,
    }
}

fn tell(desk: &mut Desk, input: Input) {
    desk.inputs.push_back(input);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burn_ins_are_off_and_it_is_told_why() {
        let mut desk = Desk::default();
        enter("unit server ended with SIGABRT, 9 times in a row", 3, &mut desk);
        assert_eq!(desk.inputs.pop_back(), Some(holds(false)));
        let told: Vec<&str> = desk.banners.iter().map(|(_, b)| b.text.as_str()).collect();
        assert!(
            told.len() == 1
                && told[0].contains("3 times in a row (unit server ended")
                && told[0].contains("burn-ins are off"),
            "{told:?}"
        );
    }
}
