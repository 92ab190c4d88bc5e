//! Wrong data that the host's own memory makes is blamed on the host: bad cells in the buffers of a simulated drive.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

mod common;

use burnin::checkpoint::Checkpoint;
use burnin::device::Geometry;
use burnin::evidence::{Evidence, MemoryTests, Stop};
use burnin::findings::Fault as Seen;
use burnin::playbook::plain;
use burnin::runner;
use burnin::sim::{Content, Fault, Fleeting, Plan, Sim, Stuck};
use burnin::verdict::{Case, judge};
use burnin::worker::{Order, Report, Resumption};
use common::{Dice, SURFACE, burn, geometry, seeds};
use wire::Time;
use wire::job::{FaultKind, Outcome, Phase};

fn order(geometry: Geometry, dice: &mut Dice) -> Order {
    common::order(geometry, plain(&SURFACE), dice)
}

fn ids(evidence: &Evidence) -> (Outcome, Vec<String>) {
    let verdict = judge(&Case::new(evidence));
    (verdict.outcome, verdict.rules.into_iter().map(|hit| hit.id).collect())
}

/// A healthy drive on a box with one bad cell in one of its buffers: never PASSED with a difference, never FAILED.
#[test]
fn a_bad_cell_of_the_host_never_fails_a_drive() {
    let (mut transient, mut bad) = (0, 0);
    for seed in seeds(400) {
        let mut dice = Dice(seed ^ 0x3e3);
        let geometry = geometry(&mut dice);
        let order = order(geometry, &mut dice);
        let slots = 1 + dice.below(4) as usize;
        let stuck = Stuck {
            slot: dice.below(slots as u64) as usize,
            bit: dice.below(u64::from(order.io.block) * 8),
            one: dice.below(2) == 0,
        };
        let plan = Plan {
            memory: vec![stuck],
            ..Plan::healthy(Content::Random)
        };
        let mut sim = Sim::new(geometry, plan, slots, order.io.block as usize, seed);
        let evidence = burn(&mut sim, &order);
        let (outcome, rules) = ids(&evidence);
        let found = evidence.findings();
        if evidence.defects.is_empty() {
            // The bit was by chance what it always is, wherever that buffer was used.
            assert_eq!(outcome, Outcome::Passed, "seed {seed}: {rules:?}");
            continue;
        }
        bad += 1;
        transient += u32::from(found.iter().any(|f| f.kind == FaultKind::Transient));
        assert_eq!(
            outcome,
            Outcome::Inconclusive,
            "seed {seed}: {stuck:?} {rules:?}\n{found:#?}"
        );
        assert!(rules.contains(&"host-memory".to_owned()), "seed {seed}: {rules:?}");
        let told = found.iter().find(|f| f.kind == FaultKind::HostMemory).unwrap();
        assert!(told.detail.contains("not the drive"), "seed {seed}: {}", told.detail);
        let place = format!("byte {} of buffer {}", stuck.bit / 64 * 8, stuck.slot);
        assert!(
            told.detail.contains(&place),
            "seed {seed}: {} instead of {place}",
            told.detail
        );
    }
    assert!(
        bad > 100 && transient > 20,
        "{bad} with differences, {transient} with one that went away"
    );
}

#[test]
fn a_drive_that_is_wrong_once_is_blamed_after_the_buffers_passed() {
    let geometry = Geometry {
        sectors: 600,
        sector: 512,
        physical: 512,
    };
    let mut dice = Dice(3);
    let order = order(geometry, &mut dice);
    // The very last sector: the test must come before the end.
    for lba in [77, 599] {
        let plan = Plan::with(vec![Fault::FlipOnce { lba, bit: 9 }]);
        let mut sim = Sim::new(geometry, plan, 3, order.io.block as usize, 3);
        let evidence = burn(&mut sim, &order);
        assert_eq!(evidence.memory, MemoryTests { good: 1, bad: 0 }, "LBA {lba}");
        let (outcome, rules) = ids(&evidence);
        assert_eq!(outcome, Outcome::Failed);
        for due in ["verify-transient", "host-memory-tested"] {
            assert!(rules.contains(&due.to_owned()), "{rules:?}");
        }
    }
}

#[test]
fn what_memory_does_not_explain_still_fails_on_a_bad_host() {
    let geometry = Geometry {
        sectors: 600,
        sector: 512,
        physical: 512,
    };
    let mut dice = Dice(4);
    let order = order(geometry, &mut dice);
    let stuck = Stuck {
        slot: 0,
        bit: 70,
        one: true,
    };
    for fault in [
        Fault::ReadError { lba: 20 },
        Fault::MisdirectRead { from: 30, to: 400 },
        Fault::Limbo { from: 500 },
    ] {
        let plan = Plan {
            memory: vec![stuck],
            ..Plan::with(vec![fault])
        };
        let mut sim = Sim::new(geometry, plan, 2, order.io.block as usize, 4);
        let evidence = burn(&mut sim, &order);
        assert!(evidence.memory.bad > 0, "{fault:?}");
        assert_eq!(
            ids(&evidence).0,
            Outcome::Failed,
            "{fault:?}: {:#?}",
            evidence.findings()
        );
    }
}

#[test]
fn tests_are_bounded_and_good_drives_cost_none() {
    let geometry = Geometry {
        sectors: 600,
        sector: 512,
        physical: 512,
    };
    let mut dice = Dice(5);
    let mut order = order(geometry, &mut dice);
    order.io.block = 4096;
    order.limits.memory_tests = 4;
    let mut sim = Sim::new(geometry, Plan::healthy(Content::Random), 2, 4096, 5);
    assert_eq!(burn(&mut sim, &order).memory, MemoryTests::default());
    let faults = (0..600)
        .step_by(20)
        .map(|lba| Fault::FlipOnce { lba, bit: 1 })
        .collect();
    let mut sim = Sim::new(geometry, Plan::with(faults), 2, 4096, 5);
    let evidence = burn(&mut sim, &order);
    assert_eq!((evidence.memory.good, evidence.defects.bad_sectors()), (4, 30));
    // Errors, lost writes and the like are nothing that memory makes.
    let faults = vec![Fault::ReadError { lba: 7 }, Fault::DropWrite { lba: 90 }];
    let mut sim = Sim::new(geometry, Plan::with(faults), 2, 4096, 5);
    assert_eq!(burn(&mut sim, &order).memory, MemoryTests::default());
}

/// A difference that only the first look at what was read sees is no drive's, and no drive passes with it.
#[test]
fn a_difference_that_is_gone_at_the_second_look_is_told_with_its_block() {
    let mut met = 0;
    for seed in seeds(200) {
        let mut dice = Dice(seed ^ 0x90e);
        let geometry = geometry(&mut dice);
        let order = order(geometry, &mut dice);
        let fleeting = Fleeting {
            slot: 0,
            bit: dice.below(u64::from(order.io.block) * 8),
            read: dice.below(3) as u32,
        };
        let plan = Plan {
            fleeting: vec![fleeting],
            ..Plan::healthy(Content::Random)
        };
        let mut sim = Sim::new(geometry, plan, 2, order.io.block as usize, seed);
        let evidence = burn(&mut sim, &order);
        let (outcome, rules) = ids(&evidence);
        assert!(evidence.defects.is_empty(), "seed {seed}: {:#?}", evidence.findings());
        if evidence.memory.bad == 0 {
            // That buffer took fewer reads, or a shorter one.
            assert_eq!(outcome, Outcome::Passed, "seed {seed}: {rules:?}");
            continue;
        }
        met += 1;
        assert_eq!(
            (outcome, rules.join(" ")),
            (Outcome::Inconclusive, "host-memory".to_owned()),
            "seed {seed}"
        );
        let told = evidence
            .findings()
            .into_iter()
            .find(|f| f.kind == FaultKind::HostMemory)
            .unwrap();
        assert!(told.lba.is_some() && told.sectors > 0, "seed {seed}: {told:?}");
        assert!(told.detail.contains("compared twice"), "seed {seed}: {told:?}");
    }
    assert!(met > 100, "only {met} reads were long enough");
}

/// An interruption between the finding and the test: the test is made when the job goes on.
#[test]
fn a_finding_whose_test_was_interrupted_is_tested_after_the_resume() {
    let geometry = Geometry {
        sectors: 600,
        sector: 512,
        physical: 512,
    };
    let mut dice = Dice(6);
    let mut first = order(geometry, &mut dice);
    first.limits.memory_tests = 0;
    let mut sim = Sim::new(
        geometry,
        Plan::with(vec![Fault::FlipOnce { lba: 300, bit: 9 }]),
        2,
        first.io.block as usize,
        6,
    );
    let mut kept = None;
    runner::run(&mut sim, &first, "simulated", &mut || None, &mut |report| {
        if let Report::Checkpoint { text, .. } = report {
            let checkpoint = Checkpoint::decode(&text).unwrap();
            if !checkpoint.evidence.defects.is_empty() {
                kept.get_or_insert(text);
            }
        }
    })
    .unwrap();
    // The end of the verify takes one with the finding in it.
    let again = Order {
        limits: burnin::worker::Limits {
            memory_tests: 1,
            ..first.limits
        },
        resume: Some(Resumption {
            checkpoint: kept.unwrap(),
            why: "power cut or reset".to_owned(),
            at: Time::UNIX_EPOCH,
        }),
        ..first
    };
    let evidence = burn(&mut sim, &again);
    assert_eq!(evidence.memory, MemoryTests { good: 1, bad: 0 });
    assert_eq!(evidence.stopped, None::<Stop>);
    assert_eq!(ids(&evidence).0, Outcome::Failed);
}

#[test]
fn bad_memory_of_the_host_takes_the_blame_for_wrong_bits_alone() {
    let geometry = Geometry {
        sectors: 600,
        sector: 512,
        physical: 512,
    };
    let order = order(geometry, &mut Dice(8));
    let sim = || Sim::new(geometry, Plan::healthy(Content::Zeros), 2, order.io.block as usize, 8);
    let judged = |fault: Option<Seen>, good, bad| {
        let mut evidence = burn(&mut sim(), &order);
        evidence.memory = MemoryTests { good, bad };
        if let Some(fault) = fault {
            evidence.defects.add((1, Phase::Verify), 77, 1, fault);
        }
        let (outcome, rules) = ids(&evidence);
        (outcome, rules.join(" "))
    };
    for fault in [Seen::Transient, Seen::Torn, Seen::Flips { bits: 3 }] {
        let (outcome, rules) = judged(Some(fault), 0, 1);
        assert_eq!(
            (outcome, rules.as_str()),
            (Outcome::Inconclusive, "host-memory"),
            "{fault:?}"
        );
        let (outcome, rules) = judged(Some(fault), 2, 0);
        assert_eq!(outcome, Outcome::Failed, "{fault:?}");
        assert!(rules.contains("host-memory-tested"), "{rules}");
    }
    for fault in [
        Seen::Zeros,
        Seen::Foreign,
        Seen::Stale { pass: 1 },
        Seen::Moved { shift: 7, fresh: true },
        Seen::Read { errno: 5 },
        Seen::Write { errno: 5 },
    ] {
        assert_eq!(judged(Some(fault), 0, 1).0, Outcome::Failed, "{fault:?}");
    }
    // A host that is known as bad passes nothing, whatever it saw.
    assert_eq!(judged(None, 3, 1).0, Outcome::Inconclusive);
    assert_eq!(judged(None, 3, 0).0, Outcome::Passed);
}
