//! The log's word about bad sectors while they are found, and whether what was found fails the drive: told then, and not at the end, which
//! may be days away.

use std::collections::BTreeMap;
use std::time::Duration;

use wire::Lba;
use wire::job::Phase;

use super::Pipeline;
use crate::evidence::{Evidence, Record, Stop};
use crate::findings::{Class, Defects, Fault};
use crate::verdict::{Failing, failing};
use crate::worker::{Limits, Report};

/// Bad sectors of each step, and what they come to.
#[derive(Debug)]
pub(super) struct Tally {
    /// By step, in all sessions: each step has a line at its first and at each doubling, so 64 at most.
    steps: BTreeMap<u16, u64>,
    /// Whether something was found since it was last asked what it comes to.
    unweighed: bool,
    /// Why the drive fails.
    failing: Option<Failing>,
    /// Whether an earlier session found that it does, and the record of it is lost.
    failed_before: bool,
}

impl Default for Tally {
    /// What a checkpoint brought is weighed, too.
    fn default() -> Self {
        Self {
            steps: BTreeMap::new(),
            unweighed: true,
            failing: None,
            failed_before: false,
        }
    }
}

impl Tally {
    /// Counts on from what an earlier session found in this step.
    pub(super) fn takes_up(&mut self, step: u16, defects: &Defects) {
        self.steps.entry(step).or_insert_with(|| defects.of_step(step));
    }

    /// One whose drive an earlier session may have found to fail.
    pub(super) fn after(failed_before: bool) -> Self {
        Self {
            failed_before,
            ..Self::default()
        }
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

    /// Asks whether what was found fails the drive, once it is known whether the host's memory is to blame.
    pub(super) fn weigh(&mut self) {
        if is_weighed(&self.evidence, self.evidence.phases.get(self.at), &self.limits) {
            self.weigh_up();
        }
    }

    /// The same, whatever the step under way may still prove.
    pub(super) fn weigh_up(&mut self) {
        if self.memory_doubted || !self.tally.unweighed {
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
        let goes_on = !self.over && !self.limits.stop_at_first;
        self.tally.failing.as_ref().filter(|_| goes_on)
    }

    /// Whether the first fault that fails the drive was found and is to end the job: nothing new is begun. Of one whose record is lost
    /// nobody knows what it was: where the host's memory proves bad, that may have made it. A drive that has not proved itself may not be
    /// the one that the fault was found on.
    pub(super) fn is_at_first_fault(&self) -> bool {
        let before = self.tally.failed_before && self.evidence.memory.bad == 0;
        self.limits.stop_at_first && self.opening.is_none() && (self.tally.failing.is_some() || before)
    }

    /// Ends the job at the first fault, once what is under way has come back: that may find more, or that the host is to blame. Whether
    /// it did.
    pub(super) fn ends_at_first_fault(&mut self, now: Duration) -> bool {
        let ends = self.is_at_first_fault() && self.flights.is_empty() && !self.memory_doubted;
        if ends {
            // Whoever loses the end comes to it again: of a session that goes on also from the place that it went on from.
            if !self.opens_headers() || !self.evidence.resumes.is_empty() {
                self.checkpoint(now);
            }
            self.finish(Some(Stop::FirstFault));
        }
        ends
    }

    /// What an earlier session found may have been made by the host's memory, as far as is known.
    pub(super) fn doubt_what_was_found(&mut self) {
        if self.limits.stop_at_first && self.tally.failed_before {
            self.doubt_memory();
        }
    }
}

/// Whether what was found is weighed while the step of this record is under way. A probe that is to end the job where it proves a lie does so
/// within minutes, with its verdict; what it cannot read or write is no part of that, and once it was read to its end nothing more is to come.
pub(crate) fn is_weighed(evidence: &Evidence, at: Option<&Record>, limits: &Limits) -> bool {
    let proves_soon = |record: &Record| record.phase == Phase::Probe && record.rounds == 0;
    let errs = || {
        let mut runs = evidence.defects.runs();
        runs.any(|run| matches!(run.fault.class(), Class::Read | Class::Write))
    };
    !(limits.stop_on_fake && at.is_some_and(proves_soon)) || (limits.stop_at_first && errs())
}
