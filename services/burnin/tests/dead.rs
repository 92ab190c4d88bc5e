//! A drive with a dead head: what is passed over is told and never counts as verified, and the time that it takes is bounded.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use burnin::device::{Device, Geometry};
use burnin::evidence::{Evidence, Stop};
use burnin::findings::Class;
use burnin::playbook::plain;
use burnin::runner;
use burnin::sim::{Content, Fault, Plan, Sim};
use burnin::verdict::{Case, judge};
use burnin::worker::{Order, Report, Resumption};
use common::{Dice, SURFACE, bare, burn, faults, geometry, seeds};
use wire::Time;
use wire::job::Outcome;

/// Sectors that are told as bad, and those that are told as passed over.
fn told(evidence: &Evidence) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let of = |passed: bool| {
        let runs = evidence.defects.runs();
        let runs = runs.filter(move |run| (run.fault.class() == Class::PassedOver) == passed);
        runs.flat_map(|run| run.first..run.first + run.count).collect()
    };
    (of(false), of(true))
}

/// Sizes that suit a simulated drive, which is smaller than what is passed over at once.
fn small(order: Order, sectors: u64) -> Order {
    let mut order = order;
    order.limits.pass_bytes = sectors * u64::from(order.geometry.sector);
    // By their number alone what fails is told in whole blocks, with what is good in them.
    order.limits.located_per_gib = u32::MAX;
    order
}

#[test]
fn what_is_not_found_is_passed_over_and_nothing_passed_over_is_verified() {
    let (mut passing, mut ended) = (0, 0);
    for seed in seeds(400) {
        let mut dice = Dice(seed ^ 0xdead);
        let geometry = geometry(&mut dice);
        let mut plan = Plan::with(faults(&mut dice, geometry));
        plan.errno = dice.one_of(&[libc::EIO, libc::ENODATA]);
        let from = dice.below(geometry.sectors);
        let to = (from + 1 + dice.below(geometry.sectors / 2)).min(geometry.sectors);
        let millis = dice.one_of(&[20, 3_000, 10_000, 40_000]);
        plan.faults.push(Fault::Dead { from, to, millis });
        let order = bare(geometry, plain(&SURFACE), &mut dice);
        let order = small(order, geometry.grain() * (1 + dice.below(24)));
        let slots = 1 + dice.below(4) as usize;
        let mut sim = Sim::new(geometry, plan.clone(), slots, order.io.block as usize, seed);
        let mut text = None;
        let cut = dice.below(2) == 0;
        let mut evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |report| {
            if let Report::Checkpoint { text: newest, .. } = report {
                text = Some(newest);
            }
        })
        .unwrap();
        // A session that goes on knows what was passed over.
        if let Some(checkpoint) = text.filter(|_| cut && evidence.stopped.is_none()) {
            let resume = Resumption {
                checkpoint,
                why: "power cut or reset".to_owned(),
                at: Time::UNIX_EPOCH,
            };
            let resume = Some(resume);
            evidence = burn(
                &mut sim,
                &Order {
                    resume,
                    ..order.clone()
                },
            );
        }
        let (bad, passed) = told(&evidence);
        passing += u64::from(!passed.is_empty());
        let verdict = judge(&Case::new(&evidence));
        assert_eq!(verdict.outcome, Outcome::Failed, "seed {seed}: {plan:?}");
        let untested: BTreeSet<u64> = bad.union(&passed).copied().collect();
        let most = (geometry.sectors - untested.len() as u64) * u64::from(geometry.sector);
        assert!(evidence.verified().0 <= most, "seed {seed}");
        assert_eq!(evidence.bad_sectors(), bad.len() as u64, "seed {seed}");
        let fired = verdict.rules.iter().any(|hit| hit.id == "passed-over");
        assert_eq!(fired, !passed.is_empty(), "seed {seed}: {verdict:#?}");
        assert!(
            !verdict.summary.contains("without being asked"),
            "seed {seed}: {}",
            verdict.summary
        );
        if evidence.stopped.is_some() {
            ended += 1;
            continue;
        }
        let due: BTreeSet<u64> = sim.truth().bad().into_iter().collect();
        assert!(
            due.is_subset(&untested),
            "seed {seed}: {plan:?}\n{:#?}",
            evidence.findings()
        );
        let once = plan.faults.iter().filter_map(|fault| match fault {
            Fault::FlipOnce { lba, .. } => Some(*lba),
            _ => None,
        });
        let due: BTreeSet<u64> = due.into_iter().chain(once).collect();
        if passed.is_empty() {
            assert_eq!(bad, due, "seed {seed}: {plan:?}");
        }
        assert!(bad.is_subset(&due), "seed {seed}: {plan:?}\n{:#?}", evidence.findings());
    }
    assert!(passing > 50, "{passing} passed over, {ended} ended");
}

const DRIVE: Geometry = Geometry {
    sectors: 1_200,
    sector: 512,
    physical: 512,
};

/// One head of six, 10 s for each access that fails.
fn one_dead_head(limits: impl Fn(&mut Order)) -> (Evidence, Duration) {
    let mut order = small(bare(DRIVE, plain(&SURFACE), &mut Dice(3)), 64);
    order.io.block = 512 * 4;
    limits(&mut order);
    let dead = Fault::Dead {
        from: 400,
        to: 600,
        millis: 10_000,
    };
    let plan = Plan {
        errno: libc::ENODATA,
        ..Plan::with(vec![dead])
    };
    let mut sim = Sim::new(DRIVE, plan, 4, order.io.block as usize, 3);
    let evidence = burn(&mut sim, &order);
    (evidence, sim.now())
}

#[test]
fn the_time_for_a_dead_head_is_bounded_by_what_its_gib_may_cost_and_by_what_the_drive_may() {
    let (evidence, took) = one_dead_head(|_| {});
    assert_eq!(evidence.stopped, None);
    let (bad, passed) = told(&evidence);
    assert!(
        !bad.is_empty() && bad.iter().all(|lba| (400..600).contains(lba)),
        "{bad:?}"
    );
    assert!(passed.len() > 150, "{passed:?}");
    // What was under way when the time was over, and four accesses at each of three moves.
    let step = Duration::from_mins(2) + Duration::from_secs(10) * 4 * 4;
    assert!(took < 2 * step, "{took:?}");
    let text = evidence
        .findings()
        .into_iter()
        .find(|finding| finding.is_unproven())
        .unwrap();
    assert!(text.detail.ends_with("passed over, without being asked"), "{text:?}");
    assert!(
        evidence.failing >= Duration::from_mins(4) && evidence.failing <= took,
        "{:?}",
        evidence.failing
    );

    let (_, before) = one_dead_head(|order| order.limits.failing_ms_per_gib = u64::MAX);
    assert!(before > 3 * took, "{before:?}");

    let (ended, took) = one_dead_head(|order| order.limits.failing_s = 60);
    assert_eq!(ended.stopped, Some(Stop::TooManyErrors));
    assert_eq!(judge(&Case::new(&ended)).outcome, Outcome::Failed);
    assert!(took < Duration::from_mins(2), "{took:?}");
}

#[test]
fn a_drive_that_is_slow_or_reset_or_held_by_its_host_passes_over_nothing() {
    for faults in [
        // Each access of a shingled disk that tidies up.
        (0..DRIVE.sectors)
            .step_by(40)
            .map(|lba| Fault::Slow { lba, millis: 9_000 })
            .collect(),
        // A USB reset, and a host that hangs.
        vec![Fault::Absent {
            lba: 300,
            millis: 25_000,
            errno: libc::EIO,
        }],
        vec![Fault::SlowOnce {
            lba: 300,
            millis: 200_000,
        }],
        // Each first access fails by its link.
        (0..DRIVE.sectors)
            .step_by(50)
            .map(|lba| Fault::ReadErrorOnce { lba })
            .collect(),
    ] {
        let mut order = small(bare(DRIVE, plain(&SURFACE), &mut Dice(3)), 64);
        order.limits.failing_ms_per_gib = 1;
        let mut sim = Sim::new(
            DRIVE,
            Plan {
                faults,
                ..Plan::healthy(Content::Random)
            },
            4,
            order.io.block as usize,
            3,
        );
        let evidence = burn(&mut sim, &order);
        assert!(evidence.defects.is_empty(), "{evidence:?}");
        assert_eq!(evidence.verified().0, DRIVE.bytes());
    }
}
