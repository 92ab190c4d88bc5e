//! A drive on which everything fails for some seconds, and which the kernel keeps: nothing is called bad meanwhile, and one bad place is no
//! such silence.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use burnin::device::{Device, Geometry};
use burnin::playbook::plain;
use burnin::runner;
use burnin::sim::{Fault, Plan, Sim};
use burnin::verdict::{Case, judge};
use burnin::worker::Report;
use common::{Dice, STANDARD, SURFACE, bad_lbas, bare as order, burn, geometry, seeds};
use wire::job::{FaultKind, Outcome, Phase};

const GEOMETRY: Geometry = Geometry {
    sectors: 500,
    sector: 512,
    physical: 512,
};

/// As while its controller resets it, or somebody touches its cable: the kernel keeps the drive, and every access fails at once.
#[test]
fn a_drive_that_answers_nothing_for_some_seconds_has_no_bad_sectors() {
    let run = |phases: &[Phase], lba, seconds: u64, depth: usize| {
        let mut order = order(GEOMETRY, plain(phases), &mut Dice(7));
        order.limits.trim_bytes = 10 << 10;
        order.io.depth = depth as u32;
        let absent = Fault::Absent {
            lba,
            millis: seconds * 1000,
            errno: libc::EIO,
        };
        let mut sim = Sim::new(GEOMETRY, Plan::with(vec![absent]), depth, order.io.block as usize, 7);
        let mut session = runner::Session::new(&sim, &order, "simulated").unwrap();
        while !session.is_over() {
            session.step(&mut sim);
        }
        (session.evidence().clone(), sim.now().as_secs())
    };
    for phases in [&SURFACE[..], &STANDARD, &[Phase::Trim, Phase::Write, Phase::Verify]] {
        for (lba, depth) in [(0, 1), (250, 2), (250, 1), (499, 3), (499, 1)] {
            for seconds in [1, 10, 25] {
                let (evidence, took) = run(phases, lba, seconds, depth);
                assert!(evidence.defects.is_empty(), "{lba} {depth} {seconds}: {evidence:#?}");
                assert_eq!(evidence.stopped, None);
                let kinds = evidence.incidents.iter().map(|told| told.kind);
                assert!(kinds.clone().all(|kind| kind == FaultKind::Transient), "{evidence:#?}");
                assert!((1..=40).contains(&kinds.count()), "{evidence:#?}");
                assert_eq!(judge(&Case::new(&evidence)).outcome, Outcome::Inconclusive);
                assert!(took < seconds + 5, "{took} s");
            }
            // Not for ever: what it fails then is held against it.
            let (evidence, _) = run(phases, lba, 100, depth);
            assert_eq!(judge(&Case::new(&evidence)).outcome, Outcome::Failed, "{evidence:#?}");
        }
    }
}

/// Of the rest of a drive nothing can be written, but for one place: each time that answers, another silence would begin.
#[test]
fn a_place_that_answers_does_not_have_a_dead_drive_waited_for_again_and_again() {
    let bad = (200..400)
        .filter(|lba| lba % 20 != 0)
        .map(|lba| Fault::WriteError { lba });
    let plan = Plan::with(bad.collect());
    let mut order = order(GEOMETRY, plain(&SURFACE), &mut Dice(7));
    order.io.block = 512;
    let mut sim = Sim::new(GEOMETRY, plan, 1, 512, 7);
    let evidence = burn(&mut sim, &order);
    assert!(sim.now().as_secs() < 200, "{} s", sim.now().as_secs());
    assert_eq!(judge(&Case::new(&evidence)).outcome, Outcome::Failed);
}

/// A link that comes and goes, and one whose first access is given half a minute before it fails.
#[test]
fn a_drive_that_is_silent_again_and_again_has_no_bad_sectors() {
    let away = |lba, seconds: u64| Fault::Absent {
        lba,
        millis: seconds * 1000,
        errno: libc::EIO,
    };
    let slow = |lba, seconds: u64| Fault::SlowOnce {
        lba,
        millis: seconds * 1000,
    };
    for depth in [1, 2, 3] {
        for faults in [
            vec![slow(250, 31), away(250, 8)],
            vec![slow(250, 100), away(250, 8)],
            vec![away(250, 9), away(258, 9), away(266, 9), away(400, 9)],
            (248..290).step_by(7).map(|lba| away(lba, 6)).collect(),
        ] {
            for phases in [&SURFACE[..], &[Phase::Scan]] {
                let mut order = order(GEOMETRY, plain(phases), &mut Dice(7));
                order.io.block = 512 * 16;
                order.io.depth = depth;
                let plan = Plan::with(faults.clone());
                let mut sim = Sim::new(GEOMETRY, plan, depth as usize, order.io.block as usize, 7);
                let evidence = burn(&mut sim, &order);
                assert!(evidence.defects.is_empty(), "{depth} {faults:?}: {evidence:#?}");
                assert_eq!(judge(&Case::new(&evidence)).outcome, Outcome::Inconclusive);
            }
        }
    }
}

/// The agent kills a worker that has not ended within 20 s, and one that is killed tells nothing.
#[test]
fn whoever_ends_a_job_of_a_silent_drive_waits_for_no_answer() {
    for lba in [0, 250, 499] {
        let order = order(GEOMETRY, plain(&SURFACE), &mut Dice(7));
        let absent = Fault::Absent {
            lba,
            millis: 100_000,
            errno: libc::EIO,
        };
        let mut sim = Sim::new(GEOMETRY, Plan::with(vec![absent]), 3, order.io.block as usize, 7);
        let mut session = runner::Session::new(&sim, &order, "simulated").unwrap();
        while sim.now().as_secs() < 5 {
            session.step(&mut sim);
        }
        session.stop(sim.now(), "ended by ann");
        while !session.is_over() {
            session.step(&mut sim);
        }
        assert!(sim.now().as_secs() < 10, "{lba}: {:?}", sim.now());
        let evidence = session.evidence();
        assert!(
            evidence.defects.is_empty() && !evidence.incidents.is_empty(),
            "{evidence:#?}"
        );
        assert_eq!(
            judge(&Case::new(evidence)).outcome,
            Outcome::Inconclusive,
            "{evidence:#?}"
        );
    }
}

/// Wherever and whenever, and however many of them, but for one that begins with the very access that shows the end of another: where all
/// else is done by then it looks like one bad place.
#[test]
fn random_absences_alone_fail_nobody_and_pass_nobody() {
    let mut met = 0;
    for seed in seeds(400) {
        let mut dice = Dice(seed ^ 0x00ab_5e27);
        let geometry = geometry(&mut dice);
        let third = geometry.sectors / 3;
        let absences = (0..=dice.below(2)).map(|n| Fault::Absent {
            lba: n * third + dice.below(third / 2),
            millis: 100 + dice.below(8_000),
            errno: dice.one_of(&[libc::EIO, libc::ETIMEDOUT, libc::ENOLINK]),
        });
        let mut plan = Plan::with(absences.collect());
        plan.volatile = dice.below(2) == 0;
        let steps = dice.one_of(&[&SURFACE[..], &STANDARD, &[Phase::Scan]]);
        let order = order(geometry, plain(steps), &mut dice);
        let mut sim = Sim::new(
            geometry,
            plan.clone(),
            1 + dice.below(4) as usize,
            order.io.block as usize,
            seed,
        );
        let evidence = burn(&mut sim, &order);
        assert!(
            evidence.defects.is_empty(),
            "seed {seed}: {plan:?}\n{:#?}",
            evidence.findings()
        );
        assert_eq!(evidence.stopped, None, "seed {seed}");
        let outcome = judge(&Case::new(&evidence)).outcome;
        // A probe's places may be none of those that it goes away at.
        let untouched = evidence.incidents.is_empty();
        assert!(
            outcome == Outcome::Inconclusive || untouched,
            "seed {seed}: {outcome:?}"
        );
        met += u32::from(!untouched);
    }
    assert!(met > 300, "{met}");
}

#[test]
fn people_are_told_once_why_nothing_moves_while_a_drive_is_silent() {
    let order = order(GEOMETRY, plain(&SURFACE), &mut Dice(7));
    for (seconds, times) in [(1, 0), (20, 1)] {
        let absent = Fault::Absent {
            lba: 250,
            millis: seconds * 1000,
            errno: libc::EIO,
        };
        let mut sim = Sim::new(GEOMETRY, Plan::with(vec![absent]), 3, order.io.block as usize, 7);
        let mut told = 0;
        let mut hear = |report| {
            told += usize::from(matches!(report, Report::Log { text } if text.contains("answers nothing")));
        };
        runner::run(&mut sim, &order, "simulated", &mut || None, &mut hear).unwrap();
        assert_eq!(told, times, "{seconds} s");
    }
}

/// Some bridges tell of a bad sector as of a bad link; what is read beside it shows that it is none.
#[test]
fn one_bad_place_is_no_silence() {
    for depth in [1, 2] {
        for bad in [0..1, 16..17, 250..260, 499..500] {
            let mut order = order(GEOMETRY, plain(&SURFACE), &mut Dice(7));
            order.io.block = 512 * 16;
            order.io.depth = depth;
            let faults = bad.clone().map(|lba| Fault::ReadError { lba }).collect();
            let mut sim = Sim::new(GEOMETRY, Plan::with(faults), depth as usize, order.io.block as usize, 7);
            let mut session = runner::Session::new(&sim, &order, "simulated").unwrap();
            while !session.is_over() {
                session.step(&mut sim);
            }
            assert_eq!(bad_lbas(session.evidence()), bad.clone().collect::<BTreeSet<u64>>());
            let tries = 4 * (bad.end - bad.start);
            // Behind the last sector there is no other place to ask, nor where all others are bad.
            let alone = if bad.end == GEOMETRY.sectors || bad.end - bad.start > 1 {
                30
            } else {
                0
            };
            assert!(sim.now().as_secs() < tries + alone, "{depth} {bad:?}: {:?}", sim.now());
        }
    }
}
