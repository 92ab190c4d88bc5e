//! What was once found stays found: over a lost checkpoint, and between a checkpoint and an interruption. Pure.

use burnin::JobKey;
use burnin::findings::keep_untold;
use drive::selftest::Kind;
use wire::job::{Finding, Phase, PhaseState, PhaseStatus, SelfTestOutcome};

use super::Record;

/// Earlier keys that are kept: a job that begins again more often has other troubles.
const EARLIER_KEYS: usize = 8;

impl Record {
    /// Begins again from nothing, with the same baseline: its checkpoint could not be used.
    pub fn restart(&mut self) {
        let found = std::mem::take(&mut self.job.findings);
        self.findings_before_loss.extend(found);
        self.findings_before_loss.truncate(wire::job::FINDINGS_MAX);
        self.job.bad_sectors = 0;
        self.job.progress = None;
        self.told_percent = 0.0;
        self.job.surface.clear();
        // What SMART and self-tests said behind the lost run says nothing of the new one.
        self.smart_after = None;
        self.forget_later_self_tests();
        let again = |phase| burnin::playbook::moves_data(phase) || phase == Phase::SmartAfter;
        for state in self.job.phases.iter_mut().filter(|state| again(state.phase)) {
            *state = PhaseState::pending(state.phase, std::mem::take(&mut state.note));
        }
    }

    /// Has the self-tests behind the first step that moves data made again; one that failed stays told.
    fn forget_later_self_tests(&mut self) {
        let data = |state: &PhaseState| burnin::playbook::moves_data(state.phase);
        let first = self.job.phases.iter().position(data).unwrap_or(usize::MAX);
        if self
            .self_test
            .as_ref()
            .is_some_and(|test| usize::from(test.step) > first)
        {
            self.self_test = None;
        }
        let mut later = Vec::new();
        for state in self.job.phases.iter_mut().skip(first) {
            if Kind::of(state.phase).is_some() && state.status != PhaseStatus::Pending {
                state.status = PhaseStatus::Pending;
                later.push(state.phase);
            }
        }
        // Entries stand in the order of their steps, so the last ones of a kind are the later ones'.
        let mut entries = std::mem::take(&mut self.job.self_tests);
        entries.reverse();
        entries.retain(|test| match later.iter().position(|phase| *phase == test.phase) {
            Some(at) => {
                later.remove(at);
                test.outcome == SelfTestOutcome::Failed
            }
            None => true,
        });
        entries.reverse();
        self.job.self_tests = entries;
    }

    /// Begins again with another key.
    pub fn begin_again(&mut self, key: JobKey) {
        let old = std::mem::replace(&mut self.key, key);
        self.earlier_keys.push(old);
        let more = self.earlier_keys.len().saturating_sub(EARLIER_KEYS);
        self.earlier_keys.drain(..more);
        // The next first checkpoint is this key's.
        self.saved = false;
        self.doubted = false;
        self.forget_told_baseline();
        // The drive has counted what was written before as well, and nobody knows how much that was.
        if let Some(before) = &mut self.smart_before {
            before.written = None;
        }
    }

    /// What a header on the drive said of its SMART is whoever's wrote it. A job that begins again takes none of it: what is
    /// read now is the baseline of what is done now.
    fn forget_told_baseline(&mut self) {
        if !std::mem::take(&mut self.told_baseline) {
            return;
        }
        self.smart_before = None;
        crate::verdict::head(self);
        let before = |state: &&mut PhaseState| state.phase == Phase::SmartBefore;
        for state in self.job.phases.iter_mut().filter(before) {
            state.status = PhaseStatus::Pending;
        }
    }

    /// Keeps what was told of findings and is not among those `saved` in the checkpoint that the job goes on from: what
    /// shows only once would be forgotten by an interruption between finding and checkpoint.
    pub fn keep_findings(&mut self, saved: &[Finding]) {
        keep_untold(&mut self.findings_before_loss, &self.job.findings, saved);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use burnin::worker::Report;
    use drive::smart::Snapshot;
    use wire::Lba;
    use wire::job::{FaultKind, SelfTest};

    use super::*;
    use crate::record::tests::{apply, record};

    #[test]
    fn a_baseline_that_the_drive_itself_brought_is_not_kept_where_the_job_begins_again() {
        for told in [true, false] {
            let mut record = record();
            record.smart_before = Some(Snapshot::default());
            record.step_mut(0).unwrap().status = PhaseStatus::Done;
            record.told_baseline = told;
            record.begin_again(JobKey([2; 16]));
            assert_eq!(record.smart_before.is_none(), told);
            let want = if told { PhaseStatus::Pending } else { PhaseStatus::Done };
            assert_eq!(record.job.phases[0].status, want);
            assert!(!record.told_baseline);
        }
    }

    #[test]
    fn a_restart_keeps_what_was_found_and_forgets_what_was_done() {
        let mut record = record();
        let finding = Finding {
            step: 0,
            kind: FaultKind::BitFlip,
            lba: Some(Lba(7)),
            sectors: 1,
            found: None,
            phase: Phase::Verify,
            detail: "1 bit".into(),
        };
        apply(
            &mut record,
            &Report::Findings {
                findings: vec![finding.clone()],
                bad_sectors: 1,
                failing: None,
            },
        );
        record.step_mut(0).unwrap().status = PhaseStatus::Done;
        record.step_mut(2).unwrap().status = PhaseStatus::Done;
        record.smart_after = Some(Snapshot::default());
        let after = record
            .job
            .phases
            .iter()
            .position(|p| p.phase == Phase::SmartAfter)
            .unwrap();
        record.job.phases[after].status = PhaseStatus::Done;
        record.restart();
        assert_eq!(record.job.phases[after].status, PhaseStatus::Pending);
        assert!(record.smart_after.is_none(), "it says nothing of the new run");
        assert_eq!(record.findings_before_loss, [finding]);
        assert_eq!(record.step_mut(2).unwrap().status, PhaseStatus::Pending);
        assert_eq!(record.step_mut(0).unwrap().status, PhaseStatus::Done);
        assert_eq!(record.job.bad_sectors, 0);
    }

    #[test]
    fn a_restart_has_the_self_tests_behind_it_made_again_and_forgets_no_failed_one() {
        let entry = |phase, outcome, told: &str| SelfTest {
            phase,
            outcome,
            told: told.into(),
            lba: None,
            step: None,
        };
        let (short, passed) = (Phase::SelfTestShort, SelfTestOutcome::Passed);
        for (later, kept) in [
            (passed, vec!["before"]),
            (SelfTestOutcome::Failed, vec!["before", "behind"]),
        ] {
            let mut record = record();
            let state = |phase| PhaseState {
                phase,
                status: Done,
                ..record.job.phases[0].clone()
            };
            record.job.phases = [short, Phase::Write, Phase::Verify, short].map(state).to_vec();
            record.job.self_tests = vec![entry(short, passed, "before"), entry(short, later, "behind")];
            record.restart();
            let told: Vec<&str> = record.job.self_tests.iter().map(|test| test.told.as_str()).collect();
            assert_eq!(told, kept);
            let status: Vec<PhaseStatus> = record.job.phases.iter().map(|state| state.status).collect();
            use PhaseStatus::{Done, Pending};
            assert_eq!(status, [Done, Pending, Pending, Pending]);
        }
    }

    #[test]
    fn a_finding_between_the_last_checkpoint_and_an_interruption_is_kept() {
        let at = |lba, sectors| Finding {
            step: 0,
            kind: FaultKind::Transient,
            lba: Some(Lba(lba)),
            sectors,
            found: None,
            phase: Phase::Verify,
            detail: String::new(),
        };
        let mut record = record();
        let findings = vec![at(7, 3), at(90, 1)];
        apply(
            &mut record,
            &Report::Findings {
                findings,
                bad_sectors: 4,
                failing: None,
            },
        );
        record.keep_findings(&[at(7, 1)]);
        assert_eq!(
            record.findings_before_loss,
            [at(90, 1)],
            "the other one is in the checkpoint, and grew since"
        );
        record.keep_findings(&[]);
        record.keep_findings(&[]);
        assert_eq!(record.findings_before_loss, [at(90, 1), at(7, 3)]);
        // A slow access in the checkpoint is not the flip that was found at the same place after it.
        let slow = Finding {
            kind: FaultKind::Slow,
            ..at(200, 8)
        };
        record.job.findings = vec![at(200, 8)];
        record.keep_findings(&[slow]);
        assert!(record.findings_before_loss.contains(&at(200, 8)));
    }
}
