//! The end of a job's record: the engine's verdict, with what only the agent knows. Pure.
//!
//! The verdict itself is `burnin::verdict`, and how it is told `burnin::job`.

use std::borrow::Cow;
use std::time::Duration;

use burnin::Evidence;
use burnin::evidence::Stop;
use burnin::job::{End, heading, smart_before};
use burnin::pace::Company;
use burnin::verdict::{self, Case, Peer, judge};
use drive::selftest::Kind;
use wire::Time;
use wire::job::{Outcome, Phase, PhaseState};

use crate::record::Record;

/// The word that the verdict would be now: before what is done to a good drive alone.
pub fn judged(record: &Record, evidence: &Evidence, peers: &[Peer], now: Time) -> Outcome {
    let evidence = believed(evidence, record);
    let due = self_tests_due(record);
    judge(&case(record, &evidence, &due, peers, now)).outcome
}

/// Tells in a job that has no verdict what the drive has told of itself up to now: SMART before, and what the verdict is heading for.
pub fn head(record: &mut Record) {
    let nothing = Evidence::new(record.geometry, &[]);
    let due = self_tests_due(record);
    let case = case(record, &nothing, &due, &[], Time::now());
    let (heading, smart) = (heading(&case), smart_before(&case));
    record.job.heading = heading;
    record.job.smart = smart;
}

/// Gives the record its verdict and its last state; answers with what later verdicts may compare with.
pub fn conclude(record: &mut Record, evidence: &Evidence, peers: &[Peer], aborted: bool, now: Time) -> Option<Peer> {
    let evidence = believed(evidence, record);
    let evidence = evidence.as_ref();
    for (step, state) in evidence.step_states() {
        if let Some(mine) = record.step_mut(step).filter(|mine| mine.phase == state.phase) {
            *mine = state;
        }
    }
    let due = self_tests_due(record);
    let case = case(record, evidence, &due, peers, now);
    let peer = Peer::of(&case, record.job.drive.clone(), model(record), record.job.capacity);
    let end = End::of(&case);
    end.tell(&mut record.job, aborted, now);
    peer
}

/// By what name it is compared with others of its model.
pub fn model(record: &Record) -> &str {
    let told = record.smart_after.as_ref().or(record.smart_before.as_ref());
    verdict::model(told, &record.job.model)
}

/// The evidence, if it is of this job; else what it is, with the doubt.
fn believed<'a>(evidence: &'a Evidence, record: &Record) -> Cow<'a, Evidence> {
    if is_of(evidence, record) {
        return Cow::Borrowed(evidence);
    }
    let why = "its worker told of another drive's size or of other steps".to_owned();
    Cow::Owned(Evidence {
        stopped: Some(Stop::Engine { why }),
        ..evidence.clone()
    })
}

fn self_tests_due(record: &Record) -> Vec<Phase> {
    let phases = record.job.phases.iter().map(|state| state.phase);
    phases.filter(|phase| Kind::of(*phase).is_some()).collect()
}

fn case<'a>(record: &'a Record, evidence: &'a Evidence, due: &'a [Phase], peers: &'a [Peer], now: Time) -> Case<'a> {
    let job = &record.job;
    let smart = |state: &PhaseState| matches!(state.phase, Phase::SmartBefore | Phase::SmartAfter);
    Case {
        wants_smart: job.phases.iter().any(smart),
        before: record.smart_before.as_ref(),
        after: record.smart_after.as_ref(),
        meanwhile: record.meanwhile,
        profile: job.options.profile,
        self_tests_due: due,
        self_tests: &job.self_tests,
        wants_format: job.formatted.is_some(),
        formatted: job.formatted.as_ref(),
        timeline: &job.timeline,
        rotation: record.rotation,
        bus: record.identity.bus,
        link_mbps: record.link_mbps,
        smr: record.shingled.as_deref(),
        too_hot: record.too_hot.as_deref(),
        paused_for_heat: record.was_hot,
        shared: record.shared,
        company: record.company.and_then(Company::mean),
        unreadable: record.content.unreadable().or(record.unreadable.as_deref()),
        kernel: &record.kernel,
        overlay: record.overlay.as_ref(),
        beside: record.beside,
        findings_before_loss: &record.findings_before_loss,
        resumes: &job.resumes,
        lasted: Duration::try_from(now.duration_since(job.started)).ok(),
        peers,
        ..Case::new(evidence)
    }
}

/// Whether the evidence is of the whole drive that was armed and of every phase that moves data.
fn is_of(evidence: &Evidence, record: &Record) -> bool {
    let steps = (0_u16..).zip(&record.steps);
    let due = steps.filter(|(_, step)| burnin::playbook::moves_data(step.phase));
    evidence.geometry == record.geometry && evidence.phases.iter().map(|told| (told.step, &told.work)).eq(due)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use burnin::JobKey;
    use drive::smart::{Snapshot, WriteCounter};
    use wire::drive::Content;
    use wire::job::{FaultKind, Finding, JobState, PhaseStatus, Resume};
    use wire::{Bytes, Lba};

    use super::*;
    use crate::record::tests::record;

    /// Evidence of a run over the whole drive without a difference.
    fn clean(record: &Record) -> Evidence {
        let mut evidence = Evidence::new(record.geometry, &record.steps);
        for phase in &mut evidence.phases {
            phase.status = PhaseStatus::Done;
            phase.done = Bytes(record.geometry.bytes());
            phase.total = phase.done;
            phase.seconds = 1.0;
        }
        evidence
    }

    /// Beside many before the update, and beside one since.
    #[test]
    fn company_that_an_older_agent_did_not_note_is_not_known_by_what_is_noted_since() {
        let told = |without: &[&str]| {
            let mut kept = serde_json::to_value(record()).unwrap();
            kept["shared"] = true.into();
            for name in without {
                kept.as_object_mut().unwrap().remove(*name);
            }
            let mut record: Record = serde_json::from_value(kept).unwrap();
            record.beside(1);
            case(&record, &clean(&record), &[], &[], Time::UNIX_EPOCH).company
        };
        assert_eq!((told(&[]), told(&["company"])), (Some(1.0), None));
    }

    #[test]
    fn what_a_drive_tells_before_the_end_heads_for_its_verdict() {
        let mut record = record();
        let ids = |record: &Record| -> Vec<String> { record.job.heading.iter().map(|hit| hit.id.clone()).collect() };
        head(&mut record);
        assert_eq!(ids(&record), [""; 0]);
        record.smart_before = Some(Snapshot {
            passed: Some(false),
            ..Snapshot::default()
        });
        head(&mut record);
        assert_eq!(ids(&record), ["smart-failing"]);
        assert_eq!(record.job.heading[0].outcome, Outcome::Failed);
        record.job.self_tests.push(wire::job::SelfTest {
            step: Some(1),
            phase: Phase::SelfTestShort,
            outcome: wire::job::SelfTestOutcome::Failed,
            told: "it failed".to_owned(),
            lba: None,
        });
        head(&mut record);
        assert_eq!(ids(&record), ["smart-failing", "job-self-test-failed"]);
        let evidence = clean(&record);
        conclude(&mut record, &evidence, &[], false, Time::now());
        assert_eq!(ids(&record), [""; 0], "the verdict itself says it");
    }

    #[test]
    fn a_dock_names_no_model_that_its_drives_are_compared_by() {
        let mut record = record();
        let own = record.job.model.clone();
        assert_eq!(model(&record), own);
        for told in [None, Some(" "), Some("ST4000NM0035")] {
            record.smart_before = Some(Snapshot {
                model: told.map(str::to_owned),
                ..Snapshot::default()
            });
            let want = if told.is_some_and(|told| told != " ") {
                "ST4000NM0035"
            } else {
                &own
            };
            assert_eq!(model(&record), want);
        }
    }

    fn keep(record: &mut Record, phases: &[Phase]) {
        record.job.phases.retain(|state| phases.contains(&state.phase));
        record.steps.retain(|step| phases.contains(&step.phase));
    }

    fn surface() -> Record {
        let mut record = record();
        keep(&mut record, &[Phase::Write, Phase::Verify]);
        record
    }

    fn word(record: &Record) -> Outcome {
        record.job.verdict.as_ref().unwrap().outcome
    }

    /// What the look before SMART left in the record.
    #[test]
    fn what_an_overlay_hides_is_told_and_never_passed() {
        use drive::overlay::Overlay;
        let of = |overlay: Option<Overlay>| {
            let mut record = Record { overlay, ..surface() };
            let evidence = clean(&record);
            conclude(&mut record, &evidence, &[], false, Time::UNIX_EPOCH);
            let verdict = record.job.verdict.unwrap();
            let ids: Vec<String> = verdict.rules.into_iter().map(|rule| rule.id).collect();
            (verdict.outcome, ids.into_iter().find(|id| id.contains("overlay")))
        };
        let told = |id: &str| Some(id.to_owned());
        assert_eq!(of(Some(Overlay::Hidden(7))), (Outcome::Warn, told("hidden-overlay")));
        assert_eq!(
            of(Some(Overlay::NotLooked("refused".to_owned()))),
            (Outcome::Passed, told("overlay-unknown"))
        );
        assert_eq!(of(Some(Overlay::Nothing)), (Outcome::Passed, None));
        assert_eq!(of(None), (Outcome::Passed, None));
    }

    /// The record keeps it, over each restart of the agent.
    #[test]
    fn a_drive_that_could_not_be_read_before_is_never_passed() {
        let why = || "Input/output error (os error 5)".to_owned();
        let whole = Record {
            content: Content::Unreadable { why: why() },
            ..surface()
        };
        let place = Record {
            unreadable: Some(why()),
            ..surface()
        };
        let kept = [&whole, &place].map(|record| serde_json::to_vec(record).unwrap());
        let kept = kept.map(|kept| serde_json::from_slice(&kept).unwrap());
        for mut record in [whole, place].into_iter().chain(kept) {
            let evidence = clean(&record);
            conclude(&mut record, &evidence, &[], false, Time::UNIX_EPOCH);
            let verdict = record.job.verdict.unwrap();
            assert_eq!(verdict.outcome, Outcome::Warn);
            assert_eq!(verdict.rules[0].id, "unreadable-before");
            assert!(verdict.rules[0].value.contains(&why()), "{verdict:?}");
        }
    }

    #[test]
    fn a_clean_run_is_passed_and_nothing_is_left_open() {
        let mut record = surface();
        let evidence = clean(&record);
        conclude(&mut record, &evidence, &[], false, Time::UNIX_EPOCH);
        assert_eq!(word(&record), Outcome::Passed, "{:?}", record.job.verdict);
        assert!(record.job.phases.iter().all(|state| state.status == PhaseStatus::Done));
        assert_eq!(record.job.state, JobState::Finished);
    }

    #[test]
    fn evidence_of_less_than_the_armed_drive_or_playbook_is_never_passed() {
        let mut smaller = surface();
        smaller.geometry.sectors -= 1;
        let mut fewer = surface();
        keep(&mut fewer, &[Phase::Write]);
        for other in [smaller, fewer] {
            let told = clean(&other);
            let mut record = surface();
            conclude(&mut record, &told, &[], false, Time::UNIX_EPOCH);
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
            let mut evidence = Evidence::new(record.geometry, &record.steps);
            evidence.stopped = Some(stop);
            conclude(&mut record, &evidence, &[], aborted, Time::UNIX_EPOCH);
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
        conclude(&mut record, &evidence, &[], false, Time::UNIX_EPOCH);
        assert_eq!(word(&record), Outcome::Failed);
        assert_eq!(record.job.findings, [finding]);
    }

    #[test]
    fn what_was_written_before_a_job_began_again_is_no_difference() {
        let counted = |count| {
            Some(Snapshot {
                passed: Some(true),
                written: Some(WriteCounter {
                    source: "x".into(),
                    count,
                    units: vec![1],
                }),
                ..Snapshot::default()
            })
        };
        let differs = |again: bool| {
            let mut record = surface();
            record.geometry.sectors = 1 << 20;
            record.smart_before = counted(7);
            if again {
                record.restart();
                record.begin_again(JobKey([2; 16]));
            }
            let evidence = clean(&record);
            record.smart_after = counted(7 + record.geometry.bytes() / 10 * 16);
            conclude(&mut record, &evidence, &[], false, Time::UNIX_EPOCH);
            let rules = record.job.verdict.unwrap().rules;
            rules.iter().any(|hit| hit.id == "written-differs")
        };
        assert!(differs(false));
        assert!(!differs(true));
    }

    /// A worker that ends before its first checkpoint leaves no word in the evidence.
    #[test]
    fn every_interruption_on_record_counts_in_the_verdict() {
        let counted = |cycles| {
            Some(Snapshot {
                passed: Some(true),
                power_cycles: Some(cycles),
                ..Snapshot::default()
            })
        };
        let ended = |before: u64, after: u64| {
            let mut record = surface();
            (record.smart_before, record.smart_after) = (counted(before), counted(after));
            let resume = |why: &str| Resume {
                step: 0,
                at: Time::UNIX_EPOCH,
                why: why.to_owned(),
                phase: Phase::Write,
                from: Bytes(0),
            };
            record.job.resumes = vec![resume("power cut"), resume("another power cut")];
            let mut evidence = clean(&record);
            evidence.resumes = vec![resume("power cut")];
            conclude(&mut record, &evidence, &[], false, Time::UNIX_EPOCH);
            record.job.verdict.unwrap()
        };
        let verdict = ended(7, 9);
        let value = |id: &str| {
            verdict
                .rules
                .iter()
                .find(|hit| hit.id == id)
                .map(|hit| hit.value.as_str())
        };
        assert_eq!(value("resumed"), Some("2 interruptions"));
        assert!(verdict.summary.contains("after 2 interruptions"), "{}", verdict.summary);
        assert_eq!(value("power-cycles"), None, "{verdict:#?}");
        assert!(ended(7, 10).rules.iter().any(|hit| hit.id == "power-cycles"));
    }

    #[test]
    fn smart_that_was_asked_for_and_is_not_there_is_never_passed() {
        let mut record = record();
        let evidence = clean(&record);
        conclude(&mut record, &evidence, &[], false, Time::UNIX_EPOCH);
        assert_ne!(word(&record), Outcome::Passed, "{:?}", record.job.verdict);
    }

    #[test]
    fn a_link_hiccup_whose_checkpoint_was_lost_weighs_as_its_rule_does() {
        let mut record = surface();
        record.findings_before_loss = vec![Finding {
            step: 1,
            kind: FaultKind::Transient,
            lba: Some(Lba(7)),
            sectors: 1,
            found: None,
            phase: Phase::Verify,
            detail: "I/O error within 8 sectors from LBA 7; succeeded when tried again".into(),
        }];
        let evidence = clean(&record);
        assert_eq!(judged(&record, &evidence, &[], Time::UNIX_EPOCH), Outcome::Inconclusive);
        conclude(&mut record, &evidence, &[], false, Time::UNIX_EPOCH);
        assert_eq!(word(&record), Outcome::Inconclusive);
    }

    #[test]
    fn heat_and_self_tests_are_never_passed_over() {
        let mut hot = surface();
        hot.too_hot = Some("it stayed at 71 °C".into());
        let evidence = clean(&hot);
        assert_eq!(judged(&hot, &evidence, &[], Time::UNIX_EPOCH), Outcome::Inconclusive);

        let mut record = surface();
        for phase in [Phase::SelfTestShort, Phase::SelfTestExtended] {
            record.steps.push(phase.into());
            record.job.phases.push(PhaseState::pending(phase, ""));
        }
        let evidence = clean(&record);
        assert_ne!(
            judged(&record, &evidence, &[], Time::UNIX_EPOCH),
            Outcome::Passed,
            "none was run"
        );
        let test = |phase, outcome| wire::job::SelfTest {
            phase,
            outcome,
            told: "its own entry".into(),
            lba: None,
            step: None,
        };
        use wire::job::SelfTestOutcome::{Failed, Passed};
        record.job.self_tests = vec![
            test(Phase::SelfTestShort, Passed),
            test(Phase::SelfTestExtended, Passed),
        ];
        assert_eq!(judged(&record, &evidence, &[], Time::UNIX_EPOCH), Outcome::Passed);
        record.job.self_tests[1].outcome = Failed;
        conclude(&mut record, &evidence, &[], false, Time::UNIX_EPOCH);
        assert_eq!(word(&record), Outcome::Failed);
    }
}
