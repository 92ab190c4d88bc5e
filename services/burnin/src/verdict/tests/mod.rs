#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use drive::smart::{Attribute, Meanwhile, NvmeHealth, Protocol, Snapshot};
use wire::job::{FaultKind, Phase, Resume};
use wire::{Lba, Time};

mod age;
mod allowed;
mod asking;
mod cache;
mod changes;
mod complete;
mod documents;
mod heat;
mod limits;
mod names;
mod pace;
mod protocols;
mod regions;
mod shingles;
mod smart;
mod table;
mod whole;

use super::*;
use crate::ENGINE;
use crate::device::Geometry;
use crate::evidence::Incident;
use crate::findings::Fault;
use crate::playbook::plain;

const GEOMETRY: Geometry = Geometry {
    sectors: 1 << 20,
    sector: 512,
    physical: 512,
};

/// A burn-in that ran to its end and saw nothing.
fn clean() -> Evidence {
    let mut evidence = Evidence::new(GEOMETRY, &plain(&[Phase::Write, Phase::Verify]));
    for record in &mut evidence.phases {
        record.status = PhaseStatus::Done;
        record.total = Bytes(GEOMETRY.bytes());
        record.done = record.total;
        record.rounds = 1;
    }
    evidence
}

fn snapshot() -> Snapshot {
    Snapshot {
        protocol: Protocol::Ata,
        device_type: "sat".to_owned(),
        rpm: Some(7200),
        passed: Some(true),
        temperature: Some(33),
        power_on_hours: Some(5),
        power_cycles: Some(2),
        exit_status: Some(0),
        attributes: [5, 10, 184, 187, 188, 196, 197, 198, 199]
            .map(|id| attribute(id, 0))
            .to_vec(),
        ..Snapshot::default()
    }
}

fn attribute(id: u16, count: u64) -> Attribute {
    Attribute {
        id,
        name: format!("attribute {id}"),
        value: Some(100),
        worst: Some(100),
        threshold: Some(10),
        prefail: false,
        when_failed: String::new(),
        raw: count,
        is_rate: false,
        count,
        text: count.to_string(),
    }
}

fn with(id: u16, count: u64) -> Snapshot {
    let mut snapshot = snapshot();
    snapshot.attributes.retain(|a| a.id != id);
    snapshot.attributes.push(attribute(id, count));
    snapshot
}

fn verdict(evidence: &Evidence, before: Option<&Snapshot>, after: Option<&Snapshot>) -> Verdict {
    judge(&Case {
        evidence,
        wants_smart: true,
        before,
        after,
        ..Case::new(evidence)
    })
}

/// The outcome of the rule `id`; `None` where it does not fire.
fn fired(case: &Case<'_>, id: &str) -> Option<Outcome> {
    judge(case).rules.iter().find(|hit| hit.id == id).map(|hit| hit.outcome)
}

fn both<'a>(evidence: &'a Evidence, snapshot: &'a Snapshot) -> Case<'a> {
    Case {
        wants_smart: true,
        before: Some(snapshot),
        after: Some(snapshot),
        ..Case::new(evidence)
    }
}

const WARN: Option<Outcome> = Some(Outcome::Warn);
const FAILED: Option<Outcome> = Some(Outcome::Failed);
const INCONCLUSIVE: Option<Outcome> = Some(Outcome::Inconclusive);
const TOLD: Option<Outcome> = Some(Outcome::Passed);

fn ids(verdict: &Verdict) -> Vec<&str> {
    verdict.rules.iter().map(|hit| hit.id.as_str()).collect()
}

#[test]
fn a_clean_run_passes_and_says_how_much_was_verified() {
    let good = snapshot();
    let verdict = verdict(&clean(), Some(&good), Some(&good));
    assert_eq!(
        (verdict.outcome, ids(&verdict).len()),
        (Outcome::Passed, 0),
        "{verdict:?}"
    );
    assert_eq!(verdict.verified, Bytes(512 << 20));
    assert_eq!(verdict.summary, "All 537 MB were written, read back and equal.");
}

#[test]
fn what_differs_fails_and_outranks_everything() {
    for (fault, id) in [
        (Fault::Flips { bits: 1 }, "verify-mismatch"),
        (Fault::Foreign, "verify-mismatch"),
        (Fault::Stale { pass: 0xf0 }, "verify-mismatch"),
        (Fault::Moved { shift: 7, fresh: true }, "verify-misplaced"),
        (Fault::Transient, "verify-transient"),
        (Fault::Read { errno: 5 }, "read-error"),
        (Fault::Write { errno: 5 }, "write-error"),
    ] {
        let mut evidence = clean();
        evidence.defects.add((1, Phase::Verify), 77, 1, fault);
        evidence.stopped = Some(Stop::Disconnected);
        let verdict = verdict(&evidence, None, None);
        assert_eq!(
            (verdict.outcome, ids(&verdict)[0]),
            (Outcome::Failed, id),
            "{verdict:?}"
        );
        assert!(verdict.summary.contains("LBA 77"), "{}", verdict.summary);
        assert_eq!(verdict.verified, Bytes((512 << 20) - 512));
    }
}

/// A disk that was exchanged without a word, and which smartctl names in the end: what it held is no fault of the one that was armed.
#[test]
fn what_another_drive_may_have_told_fails_nobody() {
    let mut evidence = clean();
    evidence.defects.add((1, Phase::Verify), 77, 1_000, Fault::Foreign);
    evidence.stopped = Some(Stop::TooManyErrors);
    let failed = |evidence: &Evidence| verdict(evidence, None, None).outcome;
    assert_eq!(failed(&evidence), Outcome::Failed);
    evidence.end_by(Stop::Stranger {
        why: "smartctl names another one".into(),
    });
    let told = verdict(&evidence, None, None);
    assert_eq!(
        (told.outcome, ids(&told)[0]),
        (Outcome::Inconclusive, "another-answered")
    );
    assert!(ids(&told).contains(&"verify-mismatch"), "{told:?}");
    assert_eq!(told.verified, Bytes(0), "it answers for none of what was read");
    assert!(
        told.summary.ends_with("Smartctl names another one."),
        "{}",
        told.summary
    );
    let earlier = evidence.findings();
    let before = judge(&Case {
        findings_before_loss: &earlier,
        ..Case::new(&evidence)
    });
    assert_eq!(before.outcome, Outcome::Inconclusive, "{before:?}");
}

/// Each pass sees a bad sector anew.
#[test]
fn bad_sectors_are_counted_once_however_many_passes_saw_them() {
    let mut evidence = clean();
    for step in [1, 3, 5] {
        evidence.defects.add((step, Phase::Verify), 160, 16, Fault::Zeros);
    }
    for lba in 0..4_200 {
        evidence
            .defects
            .add((7, Phase::Verify), 1_000 + lba * 2, 1, Fault::Read { errno: 5 });
    }
    let told = verdict(&evidence, None, None);
    let value = |id| told.rules.iter().find(|hit| hit.id == id).map(|hit| hit.value.clone());
    // Three runs and 4,093 sectors are kept with their place; the others count by their class.
    assert_eq!(value("verify-mismatch").as_deref(), Some("16 sectors"), "{told:?}");
    assert_eq!(value("read-error").as_deref(), Some("4200 sectors"));
}

/// A drive that compresses has holes before the end that it does not store.
#[test]
fn the_first_place_is_the_lowest_and_the_words_are_of_the_most_telling_one() {
    let mut evidence = clean();
    let end = evidence.geometry.sectors;
    evidence.defects.add((1, Phase::Verify), 2_048, 32, Fault::Zeros);
    evidence.defects.add((1, Phase::Verify), end / 2, end / 2, Fault::Zeros);
    let told = verdict(&evidence, None, None).summary;
    let words = format!("first at LBA 2048; at LBA {}: from here to the end", end / 2);
    assert!(told.contains(&words) && !told.contains("stores only"), "{told}");

    // Of many runs only the most telling ones become findings.
    let mut evidence = clean();
    for lba in 0..300 {
        evidence
            .defects
            .add((1, Phase::Verify), 10_000 + lba * 2, 1, Fault::Flips { bits: 1 });
    }
    evidence.defects.add((1, Phase::Verify), 100, 8, Fault::Zeros);
    let told = verdict(&evidence, None, None).summary;
    assert!(told.contains("first at LBA 100; at LBA 10000: 1 bit"), "{told}");
}

#[test]
fn what_was_not_done_is_never_passed() {
    let good = snapshot();
    let told = |change: &dyn Fn(&mut Evidence)| {
        let mut evidence = clean();
        change(&mut evidence);
        let verdict = verdict(&evidence, Some(&good), Some(&good));
        assert_eq!(verdict.outcome, Outcome::Inconclusive, "{verdict:?}");
        ids(&verdict).join(" ")
    };
    assert!(
        told(&|e| e.stopped = Some(Stop::Asked {
            why: "a person".to_owned()
        }))
        .contains("not-finished")
    );
    let mut ended = clean();
    ended.stopped = Some(Stop::Asked {
        why: "a person".to_owned(),
    });
    let once = verdict(&ended, Some(&good), Some(&good)).summary;
    assert_eq!(once, "The job was ended before its end: a person.");
    assert!(
        told(&|e| e.stopped = Some(Stop::Engine {
            why: "no memory".to_owned()
        }))
        .contains("not-finished")
    );
    assert!(told(&|e| e.stopped = Some(Stop::Disconnected)).contains("disconnect"));
    assert!(told(&|e| e.stopped = Some(Stop::Hung)).contains("hang"));
    assert!(told(&|e| e.stopped = Some(Stop::Reserved)).contains("reserved-elsewhere"));
    assert!(told(&|e| e.stopped = Some(Stop::Resized { bytes: Bytes(1) })).contains("other-capacity"));
    let less = |e: &mut Evidence| (e.phases[1].rounds, e.phases[1].done) = (0, Bytes((512 << 20) - 512));
    assert!(told(&less).contains("not-covered"));
    assert!(told(&|e| e.phases[0].status = PhaseStatus::Skipped).contains("phase-skipped"));
    assert!(told(&|e| e.phases[1].status = PhaseStatus::Interrupted).contains("phase-skipped"));
    assert!(told(&|e| e.incident(incident(FaultKind::Transient))).contains("error-not-reproduced"));
}

/// What the drive itself says it could not read is its own fault, whatever the next try brought.
#[test]
fn an_error_of_the_medium_fails_the_drive_though_it_did_not_show_again() {
    let (mut evidence, good) = (clean(), snapshot());
    evidence.incident(incident(FaultKind::ReadError));
    let verdict = verdict(&evidence, Some(&good), Some(&good));
    assert_eq!(
        (verdict.outcome, ids(&verdict)),
        (Outcome::Failed, vec!["medium-error"])
    );
}

fn incident(kind: FaultKind) -> Incident {
    Incident {
        at_ms: 0,
        kind,
        step: 0,
        phase: Phase::Write,
        lba: Some(Lba(1)),
        sectors: 8,
        detail: "a write took 12.0 s".to_owned(),
    }
}

#[test]
fn smart_deltas_follow_the_table() {
    for (id, before, after, want) in [
        (5, 0, 1, Outcome::Failed),
        (5, 3, 3, Outcome::Warn),
        (5, 16, 16, Outcome::Failed),
        (197, 2, 0, Outcome::Warn),
        (197, 0, 1, Outcome::Failed),
        (198, 1, 0, Outcome::Warn),
        (198, 1, 1, Outcome::Failed),
        (187, 1, 1, Outcome::Warn),
        (187, 1, 2, Outcome::Failed),
        (188, 7, 7, Outcome::Passed),
        (188, 7, 9, Outcome::Warn),
        (188, 7, 17, Outcome::Failed),
        (184, 0, 1, Outcome::Failed),
        (10, 1, 1, Outcome::Warn),
        (196, 0, 1, Outcome::Failed),
        (199, 500, 500, Outcome::Passed),
        (199, 0, 9, Outcome::Warn),
        (199, 0, 10, Outcome::Inconclusive),
    ] {
        let verdict = verdict(&clean(), Some(&with(id, before)), Some(&with(id, after)));
        assert_eq!(
            verdict.outcome, want,
            "attribute {id}: {before} to {after}: {verdict:?}"
        );
    }
}

fn hours(hours: u64) -> Snapshot {
    Snapshot {
        power_on_hours: Some(hours),
        ..snapshot()
    }
}

/// A header on the drive tells the baseline where the store is lost, and whoever wrote the drive wrote that.
#[test]
fn a_forged_baseline_makes_no_used_drive_new() {
    use std::time::Duration;
    let evidence = clean();
    let judged = |before: u64, after: u64, hours_long: u64| {
        judge(&Case {
            wants_smart: true,
            before: Some(&hours(before)),
            after: Some(&hours(after)),
            profile: Profile::New,
            lasted: Some(Duration::from_secs(hours_long * 3600)),
            ..Case::new(&evidence)
        })
    };
    let verdict = judged(5, 31_000, 20);
    assert_eq!(
        (verdict.outcome, ids(&verdict)),
        (Outcome::Failed, vec!["hours-on-new"])
    );
    assert_eq!(judged(5, 65, 60).outcome, Outcome::Passed, "a long job's own hours");
    assert_eq!(judged(5, 305, 300).outcome, Outcome::Passed, "a soak's own hours");
}

#[test]
fn counters_that_went_back_are_not_passed() {
    let evidence = clean();
    let judged = |before: &Snapshot, after: &Snapshot| {
        let verdict = verdict(&evidence, Some(before), Some(after));
        (verdict.outcome, ids(&verdict).join(" "))
    };
    let back = (Outcome::Inconclusive, "counters-went-back".to_owned());
    let reset = Snapshot {
        power_cycles: Some(1),
        ..hours(3)
    };
    assert_eq!(judged(&hours(31_000), &reset), back);
    assert_eq!(judged(&hours(65_530), &hours(12)).0, Outcome::Passed, "16 bits");
    assert_eq!(
        judged(&hours(1_000), &hours(998)).0,
        Outcome::Passed,
        "not written down"
    );
    let cycles = Snapshot {
        power_cycles: Some(0),
        ..snapshot()
    };
    assert_eq!(judged(&snapshot(), &cycles).0, Outcome::Passed, "cycles alone");
    let (outcome, told) = judged(&with(187, 3), &with(187, 0));
    assert!(outcome == Outcome::Inconclusive && told.contains(&back.1), "{told}");
    let nvme = |used| Snapshot {
        nvme: Some(NvmeHealth {
            critical_warning: Some(0),
            percentage_used: Some(used),
            ..NvmeHealth::default()
        }),
        ..snapshot()
    };
    assert_eq!(judged(&nvme(50), &nvme(3)), back);
    assert_eq!(judged(&nvme(50), &nvme(49)).0, Outcome::Passed, "rounding");
    assert!(
        judged(&nvme(100), &nvme(3)).1.contains("percentage-used"),
        "the worse one counts"
    );
}

#[test]
fn what_an_earlier_session_saw_and_lost_is_never_passed() {
    let good = snapshot();
    let mut evidence = clean();
    evidence.lost = true;
    let verdict = verdict(&evidence, Some(&good), Some(&good));
    assert_eq!((verdict.outcome, ids(&verdict)), (Outcome::Warn, vec!["evidence-lost"]));
}

#[test]
fn missing_smart_is_told_by_what_is_missing() {
    let good = snapshot();
    let evidence = clean();
    for (before, after, id, outcome) in [
        (None, None, "smart-unreadable", Outcome::Warn),
        (None, Some(&good), "smart-baseline-lost", Outcome::Inconclusive),
        (Some(&good), None, "smart-went-silent", Outcome::Inconclusive),
    ] {
        let verdict = verdict(&evidence, before, after);
        assert_eq!((ids(&verdict), verdict.outcome), (vec![id], outcome));
    }
    let surface = judge(&Case { ..Case::new(&evidence) });
    assert_eq!(surface.outcome, Outcome::Passed);
}

#[test]
fn resumes_are_told_and_change_nothing() {
    let good = snapshot();
    let mut evidence = clean();
    let resume = Resume {
        step: 0,
        at: Time::UNIX_EPOCH,
        why: "power cut".to_owned(),
        phase: Phase::Write,
        from: Bytes(4096),
    };
    evidence.resumes.push(resume);
    let verdict = verdict(&evidence, Some(&good), Some(&good));
    assert_eq!((verdict.outcome, ids(&verdict)), (Outcome::Passed, vec!["resumed"]));
    assert!(
        verdict.summary.contains("one interruption (power cut)"),
        "{}",
        verdict.summary
    );
    // What the engine would not go on with did not go on.
    evidence.stopped = Some(Stop::Engine {
        why: "too old".to_owned(),
    });
    let refused = judge(&both(&evidence, &good)).summary;
    assert!(
        refused.ends_with("It did not go on: too old. It had been interrupted (power cut)."),
        "{refused}"
    );
}

#[test]
fn a_failing_drive_says_so_itself() {
    let good = snapshot();
    let failing = Snapshot {
        passed: Some(false),
        ..snapshot()
    };
    assert_eq!(verdict(&clean(), Some(&good), Some(&failing)).outcome, Outcome::Failed);
    let mut nvme = snapshot();
    nvme.nvme = Some(NvmeHealth {
        critical_warning: Some(0b1000),
        ..NvmeHealth::default()
    });
    assert_eq!(verdict(&clean(), Some(&nvme), Some(&nvme)).outcome, Outcome::Failed);
}

/// The number is one rule's, so the place beside it must be, too.
#[test]
fn the_place_in_the_summary_is_one_of_those_that_its_rule_counts() {
    let mut evidence = clean();
    evidence
        .defects
        .add((0, Phase::Write), 10, 1, Fault::Write { errno: 28 });
    evidence.defects.add((1, Phase::Verify), 20, 2, Fault::Foreign);
    let told = verdict(&evidence, None, None).summary;
    assert!(
        told.starts_with("Sectors did not hold what was written (2 sectors; first at LBA 20:"),
        "{told}"
    );
    // What the drive says of itself has no place.
    let mut evidence = clean();
    evidence.incident(incident(FaultKind::Slow));
    let told = judge(&Case {
        paused_for_heat: true,
        before: Some(&snapshot()),
        ..both(&evidence, &with(5, 1))
    });
    assert_eq!(told.summary, "Sectors were reallocated during the job (1 sector).");
}

#[test]
fn a_slow_region_is_not_the_zone_curve() {
    use std::time::Duration;
    let sectors = 64 << 20;
    let fill = |slow: std::ops::Range<u64>| {
        let mut evidence = Evidence::new(
            Geometry {
                sectors,
                sector: 512,
                physical: 512,
            },
            &plain(&[Phase::Write, Phase::Verify]),
        );
        for zone in 0..1024_u64 {
            let ms = if slow.contains(&zone) { 4_000 } else { 100 + zone / 8 };
            let time = Duration::from_millis(ms);
            evidence.phases[1]
                .zones
                .add((zone * 65_536, 65_536), sectors, 32 << 20, time, time);
        }
        metrics(&Case::new(&evidence)).get("pace.slow_bytes").unwrap()
    };
    assert_eq!(fill(0..0), 0.0);
    assert_eq!(fill(500..503), f64::from(3 << 25));
}

#[test]
fn spare_capacity_that_the_controller_does_not_record_is_no_finding() {
    let of = |spare, threshold| {
        let mut snapshot = snapshot();
        snapshot.nvme = Some(NvmeHealth {
            critical_warning: Some(0),
            available_spare: Some(spare),
            available_spare_threshold: Some(threshold),
            ..NvmeHealth::default()
        });
        let clean = clean();
        let case = Case {
            wants_smart: true,
            before: Some(&snapshot),
            after: Some(&snapshot),
            ..Case::new(&clean)
        };
        judge(&case)
            .rules
            .iter()
            .find(|hit| hit.id == "spare")
            .map(|hit| hit.outcome)
    };
    assert_eq!(of(0, 0), None);
    assert_eq!(of(100, 10), None);
    // Apple's and some of Kingston's, whose threshold stands so high.
    assert_eq!((of(100, 99), of(100, 100)), (None, None));
    assert_eq!(of(99, 99), Some(Outcome::Warn));
    assert_eq!(of(15, 10), Some(Outcome::Warn));
    assert_eq!(of(0, 10), Some(Outcome::Failed));
}

/// A box was updated in the middle of a burn-in: by whose rules it was judged, and what saw its beginning, are two things.
#[test]
fn the_engine_that_judged_is_named_and_another_that_began() {
    let mut evidence = clean();
    assert_eq!(verdict(&evidence, None, None).engine, ENGINE);
    evidence.engine = "0.1.0".into();
    assert_eq!(
        verdict(&evidence, None, None).engine,
        format!("{ENGINE}, begun by 0.1.0")
    );
    let digits = ENGINE.strip_prefix(concat!(env!("CARGO_PKG_VERSION"), "+")).unwrap();
    assert!(
        digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit()),
        "{digits}"
    );
}
