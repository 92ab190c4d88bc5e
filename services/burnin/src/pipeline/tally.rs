//! The log's word about bad sectors while they are found, and whether what was found fails the drive: told then, and not at the end, which
//! may be days away.

use std::collections::BTreeMap;

use wire::Lba;
use wire::job::Phase;

use super::Pipeline;
use crate::findings::{Defects, Fault};
use crate::verdict::{Failing, failing};
use crate::worker::Report;

/// Bad sectors of each step, and what they come to.
#[derive(Debug)]
pub(super) struct Tally {
    /// By step, in all sessions: each step has a line at its first and at each doubling, so 64 at most.
    steps: BTreeMap<u16, u64>,
    /// Whether something was found since it was last asked what it comes to.
    unweighed: bool,
    /// Why the drive fails.
    failing: Option<Failing>,
}

impl Default for Tally {
    /// What a checkpoint brought is weighed, too.
    fn default() -> Self {
        Self {
            steps: BTreeMap::new(),
            unweighed: true,
            failing: None,
        }
    }
}

impl Tally {
    /// Counts on from what an earlier session found in this step.
    pub(super) fn takes_up(&mut self, step: u16, defects: &Defects) {
        self.steps.entry(step).or_insert_with(|| defects.of_step(step));
    }

    /// Something was found, or is blamed on somebody else than before.
    pub(super) fn doubt(&mut self) {
        self.unweighed = true;
    }
}

impl Pipeline {
    /// Counts a sector that the step under way has not found bad before.
    pub(super) fn count_bad(&mut self, lba: u64, fault: Fault) {
        let (step, phase) = self.step_at();
        let count = self.tally.steps.entry(step).or_default();
        *count += 1;
        let count = *count;
        if count.is_power_of_two() {
            let number = match count {
                1 => "the first bad sector of this step".to_owned(),
                _ => format!("{count} bad sectors in this step by now"),
            };
            let text = format!("{}: {}: {}; {number}", phase.label(), Lba(lba), fault.words());
            self.reports.push(Report::Log { text });
        }
    }

    /// Asks whether what was found fails the drive, once it is known whether the host's memory is to blame. A probe that is to end the job
    /// where it proves a lie does so within minutes, with its verdict.
    pub(super) fn weigh(&mut self) {
        let ends_soon = self.phase() == Phase::Probe && self.limits.stop_on_fake;
        if self.memory_doubted || ends_soon || !self.tally.unweighed {
            return;
        }
        self.tally.unweighed = false;
        let is_known = self.tally.failing.is_some() && self.evidence.memory.bad == 0;
        if !is_known {
            self.tally.failing = failing(&self.evidence);
            self.untold_findings |= self.tally.failing.is_some();
        }
    }

    /// Why the drive fails though the job goes on.
    pub(super) fn failing(&self) -> Option<&Failing> {
        self.tally.failing.as_ref().filter(|_| !self.over)
    }
}
