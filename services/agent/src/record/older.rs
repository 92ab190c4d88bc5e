//! Records as earlier versions wrote them, byte for byte: they are read, and nothing that they say of a drive is taken for less.
#![allow(clippy::unwrap_used, reason = "tests")]

use burnin::Checkpoint;
use wire::job::{FaultKind, JobState, PhaseStatus};

use super::*;

/// The first version, which knew phases alone, neither what stood on the drive nor whether a checkpoint was kept.
const PHASES: &str = include_str!("older/phases.json");

/// The next one, which knew what stood on the drive.
const CONTENT: &str = include_str!("older/content.json");

/// The one after that, which knew steps, pauses and heat.
const STEPS: &str = include_str!("older/steps.json");

/// A checkpoint of the first version.
const CHECKPOINT: &str = "kiln-checkpoint 1 8c28b28a 2\n{}";

#[test]
fn records_of_earlier_versions_are_read_and_what_they_found_counts() {
    for text in [PHASES, CONTENT, STEPS] {
        let mut record: Record = serde_json::from_str(text).unwrap();
        assert_eq!(record.was_interrupted("another boot"), "power cut or reset");
        record.take_up("another boot");
        assert!(record.erases(), "it writes: {text}");
        assert_eq!(record.job.state, JobState::Running);
        assert_eq!(record.first_data(), 1);
        assert_eq!(record.steps.len(), record.job.phases.len());
        assert!(!record.saved && !record.doubted && !record.formatting);
        let found = record.job.findings.clone();
        assert_eq!((found.len(), found[0].kind), (1, FaultKind::Transient));
        record.keep_findings(&[]);
        record.restart();
        assert!(record.findings_before_loss.contains(&found[0]), "what it found counts");
        assert_eq!(
            record.job.phases[2].status,
            PhaseStatus::Pending,
            "the write is done again"
        );
        assert_eq!(record.job.phases[0].status, PhaseStatus::Done);
    }
}

/// A drive of which it was not known what stood on it is not written by a job that nothing on it proves.
#[test]
fn what_an_earlier_version_did_not_know_is_no_consent() {
    let of = |text| serde_json::from_str::<Record>(text).unwrap();
    let now = [Content::Empty, Content::Unknown];
    assert!(now.iter().all(|now| of(PHASES).strange(now, Trace::LetGo).is_some()));
    for text in [CONTENT, STEPS] {
        assert_eq!(of(text).strange(&Content::Empty, Trace::LetGo), None);
        assert!(of(text).strange(&Content::Unknown, Trace::LetGo).is_some());
    }
}

#[test]
fn a_checkpoint_of_the_first_version_is_told_as_such() {
    let told = Checkpoint::decode(CHECKPOINT).unwrap_err().to_string();
    let reads = format!("reads version {}", burnin::checkpoint::VERSION);
    assert!(told.contains("version 1") && told.contains(&reads), "{told}");
}

/// What this version does not know is refused and not guessed at.
#[test]
fn a_record_with_an_unknown_phase_or_fault_is_refused() {
    for (old, new) in [
        ("\"phase\":\"verify\"", "\"phase\":\"polish\""),
        ("\"kind\":\"transient\"", "\"kind\":\"haunted\""),
        ("\"status\":\"running\"", "\"status\":\"dreaming\""),
    ] {
        let text = STEPS.replace(old, new);
        assert_ne!(text, STEPS);
        assert!(serde_json::from_str::<Record>(&text).is_err(), "{new}");
    }
}
