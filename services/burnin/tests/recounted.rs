//! A removable drive that the kernel counts anew: another card of its size in its reader, or the same one after a reset. Nothing is
//! written to it before it has proved itself, and one that has is gone on with as after any silence.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

mod common;

use burnin::device::{Device, Geometry};
use burnin::evidence::{Evidence, Stop};
use burnin::playbook::plain;
use burnin::runner::{Ask, Session};
use burnin::sim::{Fault, Plan, Sim};
use burnin::verdict::{Case, judge};
use burnin::worker::{Order, Report};
use common::{Dice, STANDARD, SURFACE, bad_lbas, bare, geometry, seeds};
use wire::job::{FaultKind, Outcome, Phase};

const GEOMETRY: Geometry = Geometry {
    sectors: 500,
    sector: 512,
    physical: 512,
};

const TRIMMED: [Phase; 3] = [Phase::Trim, Phase::Write, Phase::Verify];

/// Of a removable drive that is counted as the first one.
fn order(phases: &[Phase], depth: usize) -> Order {
    let mut order = Order {
        medium: Some(1),
        ..bare(GEOMETRY, plain(phases), &mut Dice(7))
    };
    order.limits.trim_bytes = 10 << 10;
    order.io.depth = depth as u32;
    order
}

fn drive(order: &Order, faults: Vec<Fault>) -> Sim {
    let depth = order.io.depth as usize;
    Sim::new(order.geometry, Plan::with(faults), depth, order.io.block as usize, 7)
}

/// Runs to the end; what is answered each time that it tells of another count, and how often it did.
fn run(sim: &mut Sim, order: &Order, mut answer: impl FnMut(&mut Sim) -> Ask) -> (Evidence, usize) {
    let mut session = Session::new(sim, order, "simulated").unwrap();
    let mut told = 0;
    while !session.is_over() {
        for report in session.step(sim) {
            if report == Report::Recounted {
                told += 1;
                let ask = answer(sim);
                session.ask(sim.now(), ask);
            }
        }
    }
    (session.evidence().clone(), told)
}

fn stop(_: &mut Sim) -> Ask {
    Ask::Stop("another card".to_owned())
}

/// The kernel lets a write through as soon as it has counted the other one.
#[test]
fn nothing_is_written_to_another_card_in_its_reader() {
    for phases in [&SURFACE[..], &STANDARD, &TRIMMED] {
        for (lba, depth) in [(0, 1), (250, 2), (250, 1), (499, 3), (499, 1)] {
            for millis in [1, 2, 5, 100, 700, 701, 1400, 2000, 9000] {
                let order = order(phases, depth);
                let mut sim = drive(&order, vec![Fault::Recounted { lba, millis }]);
                let (evidence, told) = run(&mut sim, &order, stop);
                let what = format!("{phases:?} {lba} {depth} {millis}");
                assert_eq!(sim.written_under(2), 0, "{what}");
                assert_eq!(told, 1, "{what}");
                assert!(
                    matches!(evidence.stopped, Some(Stop::Asked { .. })),
                    "{what}: {evidence:#?}"
                );
                assert!(evidence.defects.is_empty(), "{what}: {evidence:#?}");
                // Who does not look writes on.
                let unguarded = Order { medium: None, ..order };
                let mut sim = drive(&unguarded, vec![Fault::Recounted { lba, millis }]);
                run(&mut sim, &unguarded, stop);
                assert!(sim.written_under(2) > 0, "{what}");
            }
        }
    }
}

/// While nothing was under way, say; then the kernel's own look has the unit attention, and no access fails.
#[test]
fn one_that_the_kernel_noticed_first_gets_no_more_than_was_under_way() {
    for depth in [1, 2, 4] {
        let order = order(&SURFACE, depth);
        let mut sim = drive(&order, vec![Fault::Recounted { lba: 250, millis: 0 }]);
        let (_, told) = run(&mut sim, &order, stop);
        assert_eq!(told, 1);
        assert!(sim.written_under(1) > 5 && sim.written_under(2) <= depth as u64);
    }
}

/// Whoever waits for the parent's word waits with everything.
#[test]
fn it_waits_for_as_long_as_nobody_answers() {
    let order = order(&SURFACE, 2);
    let mut sim = drive(&order, vec![Fault::Recounted { lba: 250, millis: 2000 }]);
    let mut session = Session::new(&sim, &order, "simulated").unwrap();
    while sim.now().as_secs() < 3600 {
        session.step(&mut sim);
        // Heat and pace are other matters.
        session.ask(sim.now(), Ask::Pace(None));
        session.ask(sim.now(), Ask::Release);
    }
    assert_eq!(sim.written_under(2), 0);
    // It proved itself under a count that is not its own any more.
    session.ask(sim.now(), Ask::Medium(7));
    let told = (0..100)
        .flat_map(|_| session.step(&mut sim))
        .filter(|told| *told == Report::Recounted);
    assert_eq!((told.count(), sim.written_under(2)), (1, 0));
    session.ask(sim.now(), Ask::Medium(2));
    while !session.is_over() {
        session.step(&mut sim);
    }
    assert_eq!(session.evidence().stopped, None);
}

#[test]
fn a_stick_that_was_reset_goes_on_as_after_any_silence() {
    for phases in [&SURFACE[..], &STANDARD, &TRIMMED] {
        for (lba, depth) in [(0, 1), (250, 2), (250, 1), (499, 3), (499, 1)] {
            for millis in [0, 1, 700, 2000, 9000] {
                let order = order(phases, depth);
                let mut sim = drive(&order, vec![Fault::Recounted { lba, millis }]);
                let (evidence, told) = run(&mut sim, &order, |_| Ask::Medium(2));
                let absent = Fault::Absent {
                    lba,
                    millis,
                    errno: libc::EIO,
                };
                let unguarded = Order {
                    medium: None,
                    ..order.clone()
                };
                let mut silent = drive(&order, vec![absent]);
                let (as_before, _) = run(&mut silent, &unguarded, stop);
                let what = format!("{phases:?} {lba} {depth} {millis}");
                assert_eq!((told, &evidence.stopped), (1, &None), "{what}");
                assert!(evidence.defects.is_empty(), "{what}: {evidence:#?}");
                let outcome = |evidence| judge(&Case::new(evidence)).outcome;
                assert_eq!(outcome(&evidence), outcome(&as_before), "{what}: {evidence:#?}");
                assert!(sim.now() < silent.now() + std::time::Duration::from_secs(2), "{what}");
                assert!(bad_lbas(&evidence).is_empty() && sim.written_under(2) > 0, "{what}");
            }
        }
    }
}

/// Also where the places are bad at which it is asked whether it answers.
#[test]
fn what_is_bad_on_a_removable_drive_is_what_would_be_on_any() {
    for seed in seeds(300) {
        let mut dice = Dice(seed);
        let geometry = geometry(&mut dice);
        let plain_order = bare(geometry, plain(&STANDARD), &mut dice);
        let places = [0, geometry.sectors - 1, dice.below(geometry.sectors)];
        let mut bad = Vec::new();
        for lba in places {
            let all = [
                Fault::ReadError { lba },
                Fault::WriteError { lba },
                Fault::Flip { lba, bit: 7 },
            ];
            bad.extend(all.into_iter().filter(|_| dice.below(2) == 0));
        }
        let found = |medium| {
            let order = Order {
                medium,
                ..plain_order.clone()
            };
            let mut sim = Sim::new(geometry, Plan::with(bad.clone()), 2, order.io.block as usize, seed);
            let (evidence, told) = run(&mut sim, &order, stop);
            assert_eq!(told, 0, "{seed}");
            (bad_lbas(&evidence), judge(&Case::new(&evidence)).outcome)
        };
        assert_eq!(found(Some(1)), found(None), "{seed}: {bad:?}");
    }
}

/// Behind a flush that failed a write waits for a read of its own first sector, which is the one that is slow, once.
#[test]
fn a_write_is_not_told_as_slow_for_the_read_that_it_waited_for() {
    let order = order(&[Phase::Write], 2);
    let slow_writes = |medium, lba| {
        let faults = vec![Fault::FlushError { times: 1 }, Fault::SlowOnce { lba, millis: 20_000 }];
        let order = Order {
            medium,
            ..order.clone()
        };
        let (evidence, _) = run(&mut drive(&order, faults), &order, stop);
        evidence.incidents_of(FaultKind::Slow)
    };
    let lbas: Vec<u64> = (0..GEOMETRY.sectors)
        .filter(|lba| slow_writes(Some(1), *lba) == 0)
        .collect();
    assert!(!lbas.is_empty());
    for lba in lbas {
        assert_eq!(slow_writes(None, lba), 1, "{lba}");
    }
}

#[test]
fn one_that_answers_nothing_any_more_is_waited_for_no_longer_than_another() {
    for depth in [1, 3] {
        let order = order(&SURFACE, depth);
        let absent = Fault::Absent {
            lba: 250,
            millis: 100_000,
            errno: libc::EIO,
        };
        let mut times = [Some(1), None].map(|medium| {
            let order = Order {
                medium,
                ..order.clone()
            };
            let mut sim = drive(&order, vec![absent]);
            let (evidence, _) = run(&mut sim, &order, stop);
            assert_eq!(judge(&Case::new(&evidence)).outcome, Outcome::Failed, "{evidence:#?}");
            sim.now().as_secs()
        });
        times.sort_unstable();
        assert!(times[1] <= times[0] + 3, "{times:?}");
    }
}
