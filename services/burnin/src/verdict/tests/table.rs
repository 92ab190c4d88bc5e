//! What was tested and how the job went: coverage, patterns, trim, resets, identity, format, other drives of the kind.

use drive::kernel_log::{Account, Unheard};
use wire::DriveId;
use wire::options::{FileSystem, Formatted, Table};

use super::complete::{long, peers};
use super::*;

#[test]
fn what_only_samples_or_reads_is_at_best_a_warning_that_says_so() {
    let mut evidence = Evidence::new(GEOMETRY, &plain(&[Phase::Probe, Phase::Sample]));
    for record in &mut evidence.phases {
        record.status = PhaseStatus::Done;
    }
    let verdict = judge(&both(&evidence, &snapshot()));
    assert_eq!(
        (verdict.outcome, ids(&verdict)),
        (Outcome::Warn, vec!["not-whole-drive"]),
        "{verdict:?}"
    );
    assert_eq!(verdict.verified, Bytes(0));
}

/// Whoever had a drive read for fear of losing what is on it reads first that nothing is lost, whatever else is to be said of it.
#[test]
fn a_scan_without_an_error_says_that_all_could_be_read_and_nothing_was_written() {
    let mut evidence = Evidence::new(GEOMETRY, &plain(&[Phase::Scan]));
    evidence.phases[0].status = PhaseStatus::Done;
    let told = |evidence: &Evidence| judge(&both(evidence, &snapshot()));
    let verdict = told(&evidence);
    assert_eq!((verdict.outcome, ids(&verdict)), (Outcome::Warn, vec!["only-read"]));
    let read = "All 537 MB could be read, and nothing was written.";
    assert_eq!(
        verdict.summary,
        format!("{read} Only a test that erases can tell more.")
    );
    // What else there is to warn of is no less to be read than that.
    let pending = judge(&both(&evidence, &with(197, 8)));
    assert_eq!(
        (pending.outcome, pending.rules[0].id.as_str()),
        (Outcome::Warn, "only-read")
    );
    let more = "Sectors were waiting for reallocation before the job (8 sectors).";
    assert_eq!(pending.summary, format!("{read} {more}"));
    let unread = judge(&Case::new(&evidence));
    assert_eq!((unread.outcome, unread.verified), (Outcome::Warn, Bytes(0)));
    assert!(unread.summary.starts_with(read), "{}", unread.summary);
    // One that was read when it was asked again is no such.
    evidence.incident_counts.insert(FaultKind::Transient, 1);
    assert!(!told(&evidence).summary.contains("could be read"));
    evidence.incident_counts.clear();
    evidence.phases[0].status = PhaseStatus::Interrupted;
    assert!(!told(&evidence).summary.contains("could be read"));
}

#[test]
fn constant_patterns_warn_with_a_probe_and_without() {
    use crate::playbook::{Fill, Step};
    for (phases, want) in [
        (&[Phase::Write, Phase::Verify][..], (Outcome::Warn, "constant-pattern")),
        (
            &[Phase::Probe, Phase::Write, Phase::Verify],
            (Outcome::Warn, "constant-pattern-probed"),
        ),
    ] {
        let steps: Vec<Step> = plain(phases)
            .into_iter()
            .map(|step| Step {
                fill: Fill::Zeros,
                ..step
            })
            .collect();
        let mut evidence = Evidence::new(GEOMETRY, &steps);
        for record in &mut evidence.phases {
            record.status = PhaseStatus::Done;
            record.rounds = 1;
            record.done = Bytes(GEOMETRY.bytes());
        }
        let verdict = judge(&Case::new(&evidence));
        assert_eq!((verdict.outcome, verdict.rules[0].id.as_str()), want);
    }
}

/// All of it was written and read back since, and it was unreadable all the same.
#[test]
fn a_drive_that_could_not_be_read_before_is_a_warning_in_both_profiles() {
    let evidence = clean();
    for profile in [Profile::Used, Profile::New] {
        for (unreadable, want) in [(None, None), (Some("Input/output error"), WARN)] {
            let case = Case {
                profile,
                unreadable,
                ..Case::new(&evidence)
            };
            assert_eq!(fired(&case, "unreadable-before"), want, "{profile:?}");
            // Without SMART nobody knows that a drive is new, which is a warning of its own.
            let passes = want.is_none() && profile == Profile::Used;
            assert_eq!(judge(&case).outcome == Outcome::Passed, passes, "{profile:?}");
        }
    }
    let mut reserved = clean();
    reserved.stopped = Some(Stop::Reserved);
    let case = Case {
        unreadable: Some("Input/output error"),
        ..Case::new(&reserved)
    };
    assert_eq!(
        fired(&case, "unreadable-before"),
        None,
        "it was another computer's then"
    );
}

#[test]
fn a_trim_that_is_not_done_or_does_nothing_is_told() {
    let (mut evidence, drive) = (clean(), snapshot());
    evidence.phases[0].kept = GEOMETRY.sectors / 50;
    assert_eq!(fired(&both(&evidence, &drive), "trim-kept"), WARN);
    evidence.phases[0].kept = 9;
    assert_eq!(fired(&both(&evidence, &drive), "trim-kept"), None);
    evidence.phases[0].unsupported = Some("the drive takes no trim".into());
    evidence.phases[0].status = PhaseStatus::Skipped;
    let verdict = judge(&both(&evidence, &drive));
    assert_eq!(
        (verdict.outcome, ids(&verdict)),
        (Outcome::Warn, vec!["step-unsupported"])
    );
}

#[test]
fn a_hidden_area_is_not_tested_and_that_is_told() {
    let (evidence, drive) = (clean(), snapshot());
    let with = |hidden| {
        let case = Case {
            kernel: &Account {
                hidden,
                ..Account::NOTHING
            },
            ..both(&evidence, &drive)
        };
        fired(&case, "hidden-area")
    };
    assert_eq!((with(0), with(1)), (None, WARN));
}

/// A log that nobody could read is not a log without resets.
#[test]
fn resets_that_could_not_be_heard_are_told() {
    let (evidence, drive) = (clean(), snapshot());
    let log = Unheard::Log("the kernel's log may not be read: Operation not permitted".to_owned());
    let with = |unheard| {
        let case = Case {
            kernel: &Account {
                unheard,
                ..Account::NOTHING
            },
            ..both(&evidence, &drive)
        };
        let hit = |id| judge(&case).rules.into_iter().find(|hit| hit.id == id);
        (judge(&case).outcome, hit("resets-unknown"), hit("resets-untold"))
    };
    assert_eq!(with(None), (Outcome::Passed, None, None));
    let (outcome, unknown, untold) = with(Some(log));
    assert_eq!((outcome, untold), (Outcome::Warn, None));
    assert!(unknown.unwrap().value.contains("Operation not permitted"));
    let (outcome, unknown, untold) = with(Some(Unheard::Kind));
    assert_eq!((outcome, unknown), (Outcome::Passed, None));
    assert_eq!(untold.unwrap().outcome, Outcome::Passed);
}

#[test]
fn link_resets_identity_and_format() {
    let (mut evidence, drive) = (clean(), snapshot());
    let mut other = snapshot();
    other.serial = Some("B".into());
    let mut first = snapshot();
    first.serial = Some("A".into());
    let case = Case {
        before: Some(&first),
        after: Some(&other),
        ..both(&evidence, &drive)
    };
    assert_eq!(fired(&case, "other-identity"), INCONCLUSIVE);
    let announced = Case {
        kernel: &Account {
            resized: true,
            ..Account::NOTHING
        },
        ..both(&evidence, &drive)
    };
    assert_eq!(fired(&announced, "other-capacity"), INCONCLUSIVE);
    for count in 1..=4 {
        evidence.incident(incident(FaultKind::Reset));
        let want = if count > 3 { INCONCLUSIVE } else { TOLD };
        assert_eq!(fired(&both(&evidence, &drive), "resets"), want, "{count}");
        let clean = clean();
        let told = Case {
            kernel: &Account {
                resets: count,
                ..Account::NOTHING
            },
            ..both(&clean, &drive)
        };
        assert_eq!(fired(&told, "resets"), want, "{count} by the kernel");
    }
    let clean = clean();
    let mut formatted = Formatted {
        table: Table::Gpt,
        filesystem: FileSystem::Ext4,
        label: String::new(),
        uuid: None,
        size: Bytes(0),
        checks: Vec::new(),
        problem: None,
    };
    let outcome = |formatted: Option<&Formatted>| {
        let case = Case {
            wants_format: true,
            formatted,
            ..both(&clean, &drive)
        };
        fired(&case, "format-failed")
    };
    assert_eq!(outcome(None), INCONCLUSIVE);
    assert_eq!(outcome(Some(&formatted)), None);
    formatted.problem = Some("e2fsck found errors".into());
    assert_eq!(outcome(Some(&formatted)), INCONCLUSIVE);
}

#[test]
fn a_drive_unlike_its_kind_is_told_with_figures() {
    let (evidence, drive) = (long(), snapshot());
    let case = both(&evidence, &drive);
    let mut others = peers(&case, 3);
    assert_eq!(judge(&Case { peers: &others, ..case }).outcome, Outcome::Passed);
    for peer in &mut others {
        peer.read.iter_mut().for_each(|rate| *rate *= 2);
    }
    let verdict = judge(&Case { peers: &others, ..case });
    assert_eq!(
        (verdict.outcome, ids(&verdict)),
        (Outcome::Warn, vec!["population-throughput"])
    );
    assert!(
        verdict.rules[0].value.contains("the median of 3 drives is 2097 MB/s"),
        "{}",
        verdict.rules[0].value
    );
    // A bridge that hides SMART does not hide it.
    let blind = judge(&Case {
        peers: &others,
        before: None,
        after: None,
        ..case
    });
    assert_eq!(ids(&blind), ["population-throughput", "smart-unreadable"]);
    assert!(blind.summary.contains("the median of 3 drives"), "{}", blind.summary);
    // Two are no population.
    assert_eq!(
        judge(&Case {
            peers: &others[..2],
            ..case
        })
        .outcome,
        Outcome::Passed
    );
    // One that neither wrote nor read back the whole drive with data tells of a minute's heat.
    let id = || DriveId::from_serial("M", "S9", 1).unwrap();
    for phases in [&[Phase::Sample][..], &[Phase::Scan], &[Phase::Write], &[Phase::Verify]] {
        let mut part = Evidence::new(GEOMETRY, &plain(phases));
        part.phases[0].status = PhaseStatus::Done;
        assert_eq!(Peer::of(&both(&part, &drive), id(), "M", Bytes(1)), None, "{phases:?}");
    }
    let mut constants = long();
    for record in &mut constants.phases {
        record.work.fill = crate::playbook::Fill::Zeros;
    }
    assert_eq!(Peer::of(&both(&constants, &drive), id(), "M", Bytes(1)), None);
    // A run that did not end tells nothing of others.
    let mut stopped = long();
    stopped.stopped = Some(Stop::Disconnected);
    assert!(
        Peer::of(
            &both(&stopped, &drive),
            DriveId::from_serial("M", "S9", 1).unwrap(),
            "M",
            Bytes(1)
        )
        .is_none()
    );
}

/// A ST16000NE000 (linuxhw/SMART 91DBE8F60528) that was once on a bad cable, and counts none since.
#[test]
fn errors_of_an_old_cable_are_nothing_unlike_its_kind() {
    let (evidence, drive) = (long(), snapshot());
    let case = both(&evidence, &drive);
    let others = peers(&case, 3);
    for (id, want) in [(199, None), (5, WARN)] {
        let mut once = drive.clone();
        once.attributes.retain(|row| row.id != id);
        once.attributes.push(attribute(id, 1212));
        let case = Case {
            peers: &others,
            ..both(&evidence, &once)
        };
        assert_eq!(fired(&case, "population-smart"), want, "{id}");
    }
}
