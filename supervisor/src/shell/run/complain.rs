//! What is wrong with what others say to PID 1: told, but no more of it than somebody reads. Whoever babbles would else push
//! everything that happened to the drives out of the kernel's ring.

use std::fmt::Arguments;

use super::Shell;
use crate::core::{Millis, UnitId};
use crate::quota::Rate;
use crate::shell::{clock, log};

/// Complaints about one unit, and about all that belong to none, that are told one by one.
const COMPLAINTS: Rate = Rate {
    most: 10,
    within: 60_000,
};

impl Shell {
    /// Tells what is wrong with what a unit, or who belongs to none, has said.
    pub(super) fn complain(&mut self, unit: Option<UnitId>, text: Arguments<'_>) {
        let now = clock::now();
        self.tell_left_out(unit, now);
        let (quota, name) = match unit {
            Some(unit) => (&mut self.processes[unit].complaints, self.units[unit].name.as_str()),
            None => (&mut self.strangers, "others"),
        };
        if quota.takes(COMPLAINTS, now, 1) {
            log::warn_of(name, text);
        }
    }

    /// Tells how many complaints were not told, once their while is over.
    pub(super) fn tell_all_left_out(&mut self, now: Millis) {
        for unit in (0..self.units.len()).map(Some).chain([None]) {
            self.tell_left_out(unit, now);
        }
    }

    fn tell_left_out(&mut self, unit: Option<UnitId>, now: Millis) {
        let (quota, name) = match unit {
            Some(unit) => (&mut self.processes[unit].complaints, self.units[unit].name.as_str()),
            None => (&mut self.strangers, "others"),
        };
        if let Some(n) = quota.left_out(COMPLAINTS, now) {
            log::warn_of(name, format_args!("{n} more complaints of that kind were left out"));
        }
    }
}
