//! The end of a job's record: the engine's verdict, with what only the agent knows. Pure.
//!
//! The verdict itself is `burnin::verdict`. Added here: findings of a session whose checkpoint was lost still stand,
//! and no phase is left pending or running.

use burnin::Evidence;
use burnin::evidence::Stop;
use burnin::verdict::{Case, Profile, judge};
use drive::smart::{Snapshot, delta};
use wire::Time;
use wire::job::{FINDINGS_MAX, FaultKind, Finding, JobState, Outcome, Phase, PhaseStatus, RuleHit};

use crate::record::Record;

/// Gives the record its verdict and its last state.
pub fn conclude(record: &mut Record, evidence: &Evidence, after: Option<&Snapshot>, aborted: bool, now: Time) {
    let doubted;
    let evidence = if is_of(evidence, record) {
        evidence
    } else {
        let why = "its worker told of another drive's size or of other phases".to_owned();
        doubted = Evidence {
            stopped: Some(Stop::Engine { why }),
            ..evidence.clone()
        };
        &doubted
    };
    let job = &mut record.job;
    for state in evidence.phase_states() {
        if let Some(mine) = job.phases.iter_mut().find(|mine| mine.phase == state.phase) {
            *mine = state;
        }
    }
    for state in &mut job.phases {
        state.status = match state.status {
            PhaseStatus::Pending => PhaseStatus::Skipped,
            PhaseStatus::Running => PhaseStatus::Interrupted,
            ended @ (PhaseStatus::Done | PhaseStatus::Skipped | PhaseStatus::Interrupted) => ended,
        };
    }
    job.surface = evidence.surfaces();
    job.bad_sectors = evidence.defects.bad_sectors();
    job.findings = evidence.findings();
    let wants_smart = job
        .phases
        .iter()
        .any(|state| matches!(state.phase, Phase::SmartBefore | Phase::SmartAfter));
    let before = record.smart_before.as_ref();
    if let (Some(before), Some(after)) = (before, after) {
        job.smart = delta(before, after).into_iter().map(Into::into).collect();
    } else if let Some(only) = before.or(after) {
        // One side alone: shown against itself, with the other side empty.
        job.smart = delta(only, only)
            .into_iter()
            .map(wire::job::SmartRow::from)
            .map(|row| match before {
                Some(_) => wire::job::SmartRow { after: None, ..row },
                None => wire::job::SmartRow { before: None, ..row },
            })
            .collect();
    }
    let mut verdict = judge(&Case {
        evidence,
        wants_smart,
        before,
        after,
        profile: Profile::default(),
    });
    if let Some(hit) = lost(&record.findings_before_loss) {
        if hit.outcome > verdict.outcome {
            verdict.outcome = hit.outcome;
            verdict.summary = format!(
                "{}, found before the checkpoint was lost. {}",
                hit.value, verdict.summary
            );
        }
        let place = verdict
            .rules
            .iter()
            .take_while(|rule| rule.outcome >= hit.outcome)
            .count();
        verdict.rules.insert(place, hit);
        for finding in &record.findings_before_loss {
            if job.findings.len() < FINDINGS_MAX && !job.findings.contains(finding) {
                job.findings.push(finding.clone());
            }
        }
    }
    job.verdict = Some(verdict);
    job.progress = None;
    job.state = if aborted { JobState::Aborted } else { JobState::Finished };
    job.ended = Some(now);
}

/// Whether the evidence is of the whole drive that was armed and of every phase that moves data.
fn is_of(evidence: &Evidence, record: &Record) -> bool {
    let due = record.job.phases.iter().map(|state| state.phase);
    let due = due.filter(|phase| burnin::playbook::moves_data(*phase));
    evidence.geometry == record.geometry && evidence.phases.iter().map(|told| told.phase).eq(due)
}

/// The rule for findings whose checkpoint was lost.
fn lost(findings: &[Finding]) -> Option<RuleHit> {
    let worst = findings.iter().map(|finding| weight(finding.kind)).max()?;
    Some(RuleHit {
        id: "findings-before-loss".to_owned(),
        outcome: worst,
        value: format!("{} findings", findings.len()),
        limit: "none".to_owned(),
        source: "What was once read wrong stays a finding, also when the record of it had to be begun again."
            .to_owned(),
    })
}

fn weight(kind: FaultKind) -> Outcome {
    match kind {
        FaultKind::Slow => Outcome::Warn,
        FaultKind::Disconnect | FaultKind::Reset | FaultKind::Hang => Outcome::Inconclusive,
        FaultKind::BitFlip
        | FaultKind::Corrupt
        | FaultKind::LostWrite
        | FaultKind::Stale
        | FaultKind::Misdirected
        | FaultKind::WrapAround
        | FaultKind::Truncated
        | FaultKind::Zeroed
        | FaultKind::ReadError
        | FaultKind::WriteError
        | FaultKind::Transient => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::{Bytes, Lba};

    use super::*;
    use crate::record::tests::record;

    /// Evidence of a run over the whole drive without a difference.
    fn clean(record: &Record) -> Evidence {
        let phases = record.job.phases.iter().map(|state| state.phase);
        let phases: Vec<Phase> = phases.filter(|phase| burnin::playbook::moves_data(*phase)).collect();
        let mut evidence = Evidence::new(record.geometry, &phases);
        for phase in &mut evidence.phases {
            phase.status = PhaseStatus::Done;
            phase.done = Bytes(record.geometry.bytes());
            phase.total = phase.done;
            phase.seconds = 1.0;
        }
        evidence
    }

    fn surface() -> Record {
        let mut record = record();
        record
            .job
            .phases
            .retain(|state| matches!(state.phase, Phase::Write | Phase::Verify));
        record
    }

    fn word(record: &Record) -> Outcome {
        record.job.verdict.as_ref().unwrap().outcome
    }

    #[test]
    fn a_clean_run_is_passed_and_nothing_is_left_open() {
        let mut record = surface();
        let evidence = clean(&record);
        conclude(&mut record, &evidence, None, false, Time::UNIX_EPOCH);
        assert_eq!(word(&record), Outcome::Passed, "{:?}", record.job.verdict);
        assert!(record.job.phases.iter().all(|state| state.status == PhaseStatus::Done));
        assert_eq!(record.job.state, JobState::Finished);
    }

    #[test]
    fn evidence_of_less_than_the_armed_drive_or_playbook_is_never_passed() {
        let mut smaller = surface();
        smaller.geometry.sectors -= 1;
        let mut fewer = surface();
        fewer.job.phases.retain(|state| state.phase == Phase::Verify);
        for other in [smaller, fewer] {
            let told = clean(&other);
            let mut record = surface();
            conclude(&mut record, &told, None, false, Time::UNIX_EPOCH);
            assert_eq!(word(&record), Outcome::Inconclusive, "{:?}", record.job.verdict);
        }
    }

    #[test]
    fn an_abort_and_a_disconnect_are_inconclusive() {
        for (stop, aborted) in [
            (
                Stop::Asked {
                    why: "aborted by ann".into(),
                },
                true,
            ),
            (Stop::Disconnected, false),
        ] {
            let mut record = surface();
            let mut evidence = Evidence::new(record.geometry, &[Phase::Write, Phase::Verify]);
            evidence.stopped = Some(stop);
            conclude(&mut record, &evidence, None, aborted, Time::UNIX_EPOCH);
            assert_eq!(word(&record), Outcome::Inconclusive, "{:?}", record.job.verdict);
            assert!(
                record
                    .job
                    .phases
                    .iter()
                    .all(|state| state.status == PhaseStatus::Skipped)
            );
            assert_eq!(
                record.job.state,
                if aborted { JobState::Aborted } else { JobState::Finished }
            );
        }
    }

    #[test]
    fn what_was_found_before_a_checkpoint_was_lost_still_fails_the_drive() {
        let mut record = surface();
        let finding = Finding {
            step: 0,
            kind: FaultKind::BitFlip,
            lba: Some(Lba(7)),
            sectors: 1,
            found: None,
            phase: Phase::Verify,
            detail: "1 bit".into(),
        };
        record.findings_before_loss = vec![finding.clone()];
        let evidence = clean(&record);
        conclude(&mut record, &evidence, None, false, Time::UNIX_EPOCH);
        assert_eq!(word(&record), Outcome::Failed);
        assert_eq!(record.job.findings, [finding]);
    }

    #[test]
    fn smart_that_was_asked_for_and_is_not_there_is_never_passed() {
        let mut record = record();
        let evidence = clean(&record);
        conclude(&mut record, &evidence, None, false, Time::UNIX_EPOCH);
        assert_ne!(word(&record), Outcome::Passed, "{:?}", record.job.verdict);
    }
}
