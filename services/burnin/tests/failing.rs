//! What is told while it is found: the log's lines, and that the drive fails.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::cell::Cell;

use burnin::device::Geometry;
use burnin::evidence::{Evidence, Stop};
use burnin::findings::fails;
use burnin::header;
use burnin::playbook::plain;
use burnin::runner::{self, Ask};
use burnin::sim::{Fault, Plan, Sim};
use burnin::verdict::{Case, Failing, failing, judge};
use burnin::worker::{Limits, Order, Report, Resumption};
use common::{Dice, STANDARD, SURFACE, bare as order, faults, geometry, order as headed, seeds};
use wire::job::{FaultKind, Finding, Outcome, Phase};
use wire::{Lba, Time};

/// What was told on the way.
#[derive(Default)]
struct Told {
    lines: Vec<String>,
    failing: Vec<Failing>,
}

fn burn(sim: &mut Sim, order: &Order) -> (Evidence, Told) {
    let mut told = Told::default();
    let mut emit = |report| match report {
        Report::Log { text } if text.contains("of this step") || text.contains("in this step") => told.lines.push(text),
        Report::Findings { failing: Some(why), .. } => told.failing.push(why),
        _ => {}
    };
    let evidence = runner::run(sim, order, "simulated", &mut || None, &mut emit).unwrap();
    (evidence, told)
}

/// A drive with faults, and a burn-in of it.
fn drawn(seed: u64) -> (Geometry, Plan, Order, usize) {
    let mut dice = Dice(seed);
    let geometry = geometry(&mut dice);
    let mut plan = Plan::with(faults(&mut dice, geometry));
    plan.errno = dice.one_of(&[libc::EIO, libc::ENODATA]);
    let steps = if dice.below(2) == 0 {
        plain(&SURFACE)
    } else {
        plain(&STANDARD)
    };
    let order = order(geometry, steps, &mut dice);
    let slots = 1 + usize::try_from(dice.below(4)).unwrap();
    (geometry, plan, order, slots)
}

#[test]
fn what_heads_for_failed_on_the_way_is_failed_in_the_end() {
    let mut early = 0;
    for seed in seeds(300) {
        let (geometry, plan, order, slots) = drawn(seed ^ 0xfa_1111);
        let mut sim = Sim::new(geometry, plan, slots, order.io.block as usize, seed);
        let (evidence, told) = burn(&mut sim, &order);
        let outcome = judge(&Case::new(&evidence)).outcome;
        assert!(
            told.failing.is_empty() || outcome == Outcome::Failed,
            "seed {seed}: {told:?}"
        );
        let firsts = told
            .lines
            .iter()
            .filter(|line| line.ends_with("the first bad sector of this step"));
        let mut steps: Vec<u16> = evidence.defects.runs().map(|run| run.step).collect();
        steps.dedup();
        assert_eq!(firsts.count(), steps.len(), "seed {seed}: {told:?}");
        if evidence.stopped.is_none() {
            assert_eq!(
                failing(&evidence).is_some(),
                !evidence.defects.is_empty() || outcome == Outcome::Failed,
                "seed {seed}"
            );
        }
        early += usize::from(!told.failing.is_empty());
    }
    assert!(early > 50, "{early} were told on the way");
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.lines).entries(&self.failing).finish()
    }
}

#[test]
fn the_log_has_a_line_at_the_first_bad_sector_of_a_step_and_at_each_doubling() {
    let geometry = Geometry {
        sectors: 400,
        sector: 512,
        physical: 512,
    };
    let mut order = order(geometry, plain(&SURFACE), &mut Dice(8));
    order.io.block = 512 * 16;
    let faults = (300..305).map(|lba| Fault::ReadError { lba }).collect();
    let mut sim = Sim::new(geometry, Plan::with(faults), 1, order.io.block as usize, 8);
    let (evidence, told) = burn(&mut sim, &order);
    assert_eq!(evidence.bad_sectors(), 5);
    let [first, second, fourth] = &told.lines[..] else {
        panic!("{told:?}")
    };
    assert!(
        first.starts_with("Read back and verify: LBA 30")
            && first.ends_with("could not be read when tried again; the first bad sector of this step"),
        "{first}"
    );
    assert!(second.ends_with("; 2 bad sectors in this step by now"), "{second}");
    assert!(fourth.ends_with("; 4 bad sectors in this step by now"), "{fourth}");
    let why = &told.failing[0];
    assert_eq!(why.rule, "read-error");
    let lba = why.lba.unwrap();
    assert!((300..305).contains(&lba.0), "{lba}");
    let words = format!("sectors could not be read (1 sector; first at {lba}: I/O error");
    assert!(why.words.starts_with(&words), "{}", why.words);
}

/// One that is to end at its first fault.
fn at_first(order: Order) -> Order {
    Order {
        limits: Limits {
            stop_at_first: true,
            ..order.limits
        },
        ..order
    }
}

/// Whatever the fault: with it the job ends as FAILED, or nothing fails it and the job is as one without the option.
#[test]
fn the_first_fault_that_fails_the_drive_ends_a_job_that_is_to_end_at_it_as_failed() {
    let (mut ended, mut whole) = (0, 0);
    for seed in seeds(300) {
        let (geometry, plan, order, slots) = drawn(seed ^ 0xf1_2575);
        let run = |order: &Order| {
            let mut sim = Sim::new(geometry, plan.clone(), slots, order.io.block as usize, seed);
            let (evidence, told) = burn(&mut sim, order);
            (evidence, told, sim.moved())
        };
        let (all, _, moved) = run(&order);
        let (evidence, told, less) = run(&at_first(order));
        let outcome = judge(&Case::new(&evidence)).outcome;
        assert!(told.failing.is_empty(), "seed {seed}: it does not go on");
        if evidence.stopped == Some(Stop::FirstFault) {
            assert_eq!(outcome, Outcome::Failed, "seed {seed}: {evidence:?}");
            assert!(less <= moved, "seed {seed}");
            ended += 1;
        } else {
            assert_eq!(outcome, judge(&Case::new(&all)).outcome, "seed {seed}: {evidence:?}");
            assert!(
                outcome != Outcome::Failed || evidence.stopped == Some(Stop::FakeCapacity),
                "seed {seed}: {evidence:?}"
            );
            whole += 1;
        }
    }
    assert!(ended > 50 && whole > 5, "{ended} ended, {whole} did not");
}

const LARGE: Geometry = Geometry {
    sectors: 1_200,
    sector: 512,
    physical: 512,
};

/// From this checkpoint.
fn resume(text: &str) -> Resumption {
    Resumption {
        checkpoint: text.to_owned(),
        why: "power cut or reset".to_owned(),
        at: Time::UNIX_EPOCH,
    }
}

/// Runs an order to its end, or until this is asked of it; with the checkpoints that it told.
fn told(sim: &mut Sim, order: &Order, mut stop: impl FnMut(&Report) -> bool) -> (Evidence, Vec<String>) {
    let (mut texts, stops) = (Vec::new(), Cell::new(false));
    let mut emit = |report| {
        stops.set(stops.get() || stop(&report));
        if let Report::Checkpoint { text, .. } = report {
            texts.push(text);
        }
    };
    let mut stopped = || stops.get().then(|| "a person".to_owned());
    let evidence = runner::run(sim, order, "simulated", &mut stopped, &mut emit).unwrap();
    (evidence, texts)
}

#[test]
fn what_lies_behind_the_first_fault_stays_untested_and_the_verdict_says_so() {
    let mut order = at_first(order(LARGE, plain(&SURFACE), &mut Dice(8)));
    order.io.block = 512 * 16;
    let faults = vec![Fault::ReadError { lba: 300 }, Fault::ReadError { lba: 900 }];
    let mut sim = Sim::new(LARGE, Plan::with(faults), 1, order.io.block as usize, 8);
    let mut reports = Vec::new();
    let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |report| {
        reports.push(report);
    })
    .unwrap();
    assert_eq!(evidence.stopped, Some(Stop::FirstFault));
    assert_eq!(evidence.bad_sectors(), 1);
    assert!(evidence.verified().0 < 320 * 512, "{}", evidence.verified());
    let verdict = judge(&Case::new(&evidence));
    assert_eq!(verdict.outcome, Outcome::Failed);
    assert!(
        verdict.summary.contains("first at LBA 300") && verdict.summary.ends_with("the rest was not tested."),
        "{}",
        verdict.summary
    );
    let fired: Vec<&str> = verdict.rules.iter().map(|hit| hit.id.as_str()).collect();
    assert!(
        fired.contains(&"not-covered") && fired.contains(&"not-finished"),
        "{fired:?}"
    );
    // Its last checkpoint has the fault: whoever lost the end, and goes on, looks whose drive it is, and ends.
    let text = reports.iter().rev().find_map(|report| match report {
        Report::Checkpoint { text, .. } => Some(text.clone()),
        _ => None,
    });
    order.resume = Some(resume(&text.unwrap()));
    let moved = sim.moved();
    let (again, _) = burn(&mut sim, &order);
    assert_eq!(again.stopped, Some(Stop::FirstFault));
    assert_eq!(again.defects, evidence.defects);
    assert_eq!(judge(&Case::new(&again)).outcome, Outcome::Failed);
    assert!(sim.moved() - moved < 64 * 512, "{}", sim.moved() - moved);
}

/// The worker was killed between the finding and a checkpoint, and what it found shows once only: whoever goes on ends as FAILED all the
/// same, and tests nothing more.
#[test]
fn a_first_fault_whose_checkpoint_was_lost_ends_the_job_that_goes_on() {
    let lost = [Finding {
        step: 1,
        kind: FaultKind::Transient,
        lba: Some(Lba(7)),
        sectors: 1,
        found: None,
        phase: Phase::Verify,
        detail: String::new(),
    }];
    let mut order = at_first(order(LARGE, plain(&SURFACE), &mut Dice(8)));
    order.failed_before = fails(&lost);
    let mut sim = Sim::new(LARGE, Plan::with(Vec::new()), 1, order.io.block as usize, 8);
    let (evidence, _) = burn(&mut sim, &order);
    assert_eq!(evidence.stopped, Some(Stop::FirstFault));
    assert_eq!(sim.moved(), 0);
    assert_eq!(evidence.memory.good, 1, "the host's memory is asked first");
    let verdict = judge(&Case {
        findings_before_loss: &lost,
        ..Case::new(&evidence)
    });
    assert_eq!(verdict.outcome, Outcome::Failed, "{verdict:?}");
    // To one that is not to end at its first fault it is nothing.
    order.limits.stop_at_first = false;
    assert_eq!(burn(&mut sim, &order).0.stopped, None);
}

/// The headers are marked by whoever keeps what is told, and from what was kept before as after that the job comes to the same end.
#[test]
fn a_first_fault_is_kept_before_the_headers_are_marked_and_ends_the_job_behind_the_mark_as_well() {
    for errno in [libc::EIO, libc::ENODATA] {
        for lbas in [vec![300], vec![300, 900], vec![900]] {
            for block in [16, 8] {
                let mut order = at_first(headed(LARGE, plain(&SURFACE), &mut Dice(8)));
                order.io.block = 512 * block;
                let faults = lbas.iter().map(|lba| Fault::ReadError { lba: *lba }).collect();
                let plan = Plan {
                    errno,
                    ..Plan::with(faults)
                };
                let mut sim = Sim::new(LARGE, plan, 1, order.io.block as usize, 8);
                let (evidence, texts) = told(&mut sim, &order, |_| false);
                assert_eq!(evidence.stopped, Some(Stop::FirstFault));
                assert!(!header::ended_by(&mut sim, LARGE, &[order.key]));
                // The end was lost, and the checkpoint that holds the fault: it is met again.
                let [.., before, last] = &texts[..] else {
                    panic!("{texts:?}")
                };
                order.resume = Some(resume(before));
                let (again, _) = burn(&mut sim, &order);
                assert_eq!(again.stopped, Some(Stop::FirstFault));
                assert_eq!(judge(&Case::new(&again)).outcome, Outcome::Failed);
                // The verdict was lost behind the mark: nothing is written any more, and it is the same.
                order.resume = Some(resume(last));
                assert!(header::retire(&mut sim, LARGE, order.key) > 0);
                let (again, _) = burn(&mut sim, &order);
                assert_eq!(again.stopped, Some(Stop::FirstFault));
                assert_eq!(again.defects, evidence.defects);
                assert_eq!(judge(&Case::new(&again)).outcome, Outcome::Failed);
                assert!(header::ended_by(&mut sim, LARGE, &[order.key]));
                // What is older than the fault is nothing to go on from.
                order.resume = Some(resume(before));
                let (again, _) = burn(&mut sim, &order);
                assert!(matches!(again.stopped, Some(Stop::Engine { .. })), "{again:?}");
            }
        }
    }
}

/// Whatever the fault, and in whatever step: the last checkpoint holds it, and behind the marks of the end nothing is written from any of them.
#[test]
fn no_checkpoint_of_a_first_fault_writes_behind_the_marks_and_the_last_one_ends_as_failed() {
    let (mut ended, mut probed) = (0, 0);
    for seed in seeds(300) {
        let mut dice = Dice(seed ^ 0x0f_1457);
        let (faults, steps) = (faults(&mut dice, LARGE), dice.one_of(&[&STANDARD[..], &SURFACE[..]]));
        let mut order = at_first(headed(LARGE, plain(steps), &mut dice));
        order.limits.checkpoint_bytes = dice.one_of(&[1 << 14, 1 << 17]);
        let slots = 1 + usize::try_from(dice.below(4)).unwrap();
        let mut sim = Sim::new(LARGE, Plan::with(faults), slots, order.io.block as usize, seed);
        let (evidence, texts) = told(&mut sim, &order, |_| false);
        // One that was met while the headers were written has no place to go on from.
        let Some(last) = texts.last().filter(|_| evidence.stopped == Some(Stop::FirstFault)) else {
            continue;
        };
        let probe = evidence.phases.iter().find(|record| record.phase == Phase::Probe);
        let found = |step| evidence.defects.runs().any(|run| run.step == step);
        probed += usize::from(probe.is_some_and(|record| record.rounds == 1 && found(record.step)));
        assert!(header::retire(&mut sim, LARGE, order.key) > 0, "seed {seed}");
        for text in &texts {
            order.resume = Some(resume(text));
            let (again, _) = burn(&mut sim, &order);
            let is_refused = matches!(again.stopped, Some(Stop::Engine { .. })) && text != last;
            let stopped = &again.stopped;
            assert!(
                is_refused || *stopped == Some(Stop::FirstFault),
                "seed {seed}: {stopped:?}"
            );
            assert!(
                header::ended_by(&mut sim, LARGE, &[order.key]),
                "seed {seed}: it was written to"
            );
            if !is_refused {
                assert_eq!(judge(&Case::new(&again)).outcome, Outcome::Failed, "seed {seed}");
            }
        }
        ended += 1;
    }
    assert!(
        ended > 100 && probed > 20,
        "{ended} ended, {probed} by what a probe found"
    );
}

/// A session that goes on writes the headers again: the checkpoint that it went on from stays one to go on from, with what was found.
#[test]
fn a_first_fault_that_is_met_while_the_headers_are_written_again_is_in_a_checkpoint() {
    let mut order = at_first(headed(LARGE, plain(&SURFACE), &mut Dice(8)));
    order.io.block = 512 * 16;
    let mut sim = Sim::new(LARGE, Plan::with(Vec::new()), 1, order.io.block as usize, 8);
    let reads_back = |report: &Report| {
        matches!(
            report,
            Report::PhaseStarted {
                phase: Phase::Verify,
                ..
            }
        )
    };
    let (stopped, texts) = told(&mut sim, &order, reads_back);
    assert!(matches!(stopped.stopped, Some(Stop::Asked { .. })), "{stopped:?}");
    order.resume = Some(resume(texts.last().unwrap()));
    let (lba, _) = header::places(LARGE)[0];
    sim.ages(Fault::WriteError { lba });
    let (evidence, texts) = told(&mut sim, &order, |_| false);
    assert_eq!(evidence.stopped, Some(Stop::FirstFault), "{evidence:?}");
    assert!(header::retire(&mut sim, LARGE, order.key) > 0);
    order.resume = Some(resume(texts.last().unwrap()));
    let (again, _) = burn(&mut sim, &order);
    assert_eq!(again.stopped, Some(Stop::FirstFault), "{again:?}");
    assert_eq!(judge(&Case::new(&again)).outcome, Outcome::Failed);
}

/// A drive without room for headers, whose turn to be asked whose it is has not come.
#[test]
fn a_job_that_holds_its_first_fault_and_waits_for_its_turn_can_be_stopped() {
    let small = Geometry { sectors: 200, ..LARGE };
    let mut order = at_first(headed(small, plain(&SURFACE), &mut Dice(8)));
    let mut sim = Sim::new(
        small,
        Plan::with(vec![Fault::WriteError { lba: 60 }]),
        1,
        order.io.block as usize,
        8,
    );
    let (evidence, texts) = told(&mut sim, &order, |_| false);
    assert_eq!(evidence.stopped, Some(Stop::FirstFault), "{evidence:?}");
    (order.resume, order.pace) = (Some(resume(texts.last().unwrap())), Some(0));
    let mut turns = 0;
    let mut asked = || {
        turns += 1;
        assert!(turns < 20_000, "it never ends");
        (turns == 9).then(|| Ask::Stop("a person".to_owned()))
    };
    let stopped = runner::run_asked(&mut sim, &order, "simulated", &mut asked, &mut |_| {});
    let stopped = stopped.unwrap().stopped;
    assert!(matches!(stopped, Some(Stop::Asked { .. })), "{stopped:?}");
}

/// A long access that was told, and whose record is lost, may yet be excused: it is no first fault.
#[test]
fn a_long_access_whose_record_was_lost_ends_no_job() {
    let lost = [Finding {
        step: 1,
        kind: FaultKind::Slow,
        lba: Some(Lba(4)),
        sectors: 4,
        found: None,
        phase: Phase::Verify,
        detail: "a read took 12.0 s".to_owned(),
    }];
    let mut order = at_first(order(LARGE, plain(&SURFACE), &mut Dice(3)));
    order.io.block = 512 * 4;
    order.failed_before = fails(&lost);
    let faults = vec![
        Fault::Slow { lba: 7, millis: 12_000 },
        Fault::ReadErrorOnce { lba: 900 },
    ];
    let mut sim = Sim::new(LARGE, Plan::with(faults), 1, order.io.block as usize, 3);
    let (evidence, _) = burn(&mut sim, &order);
    assert_eq!(evidence.stopped, None);
    let verdict = judge(&Case {
        findings_before_loss: &lost,
        ..Case::new(&evidence)
    });
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{verdict:?}");
}

/// Behind a last step nothing is left that would stay untested; behind one with a self-test to come there is.
#[test]
fn a_fault_that_the_last_step_proves_at_its_end_is_no_end_before_the_end() {
    for (behind, stopped) in [
        (Phase::SmartAfter, None),
        (Phase::SelfTestExtended, Some(Stop::FirstFault)),
    ] {
        let order = at_first(headed(
            LARGE,
            plain(&[Phase::Write, Phase::Probe, behind]),
            &mut Dice(8),
        ));
        let plan = Plan::with(vec![Fault::DropWrite { lba: 512 }]);
        let mut sim = Sim::new(LARGE, plan, 1, order.io.block as usize, 8);
        let (evidence, _) = burn(&mut sim, &order);
        assert!(evidence.bad_sectors() > 0);
        assert_eq!(evidence.stopped, stopped);
        assert_eq!(judge(&Case::new(&evidence)).outcome, Outcome::Failed);
    }
}
