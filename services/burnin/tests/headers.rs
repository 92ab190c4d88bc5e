//! What the drive itself keeps of its job: found, damaged, gone on from without a checkpoint, and gone in the end.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use burnin::device::{Access, Device, Geometry, Op};
use burnin::evidence::{Evidence, Stop};
use burnin::header::{self, Header};
use burnin::pattern::JobKey;
use burnin::playbook::{Direction, Fill, Step, plain};
use burnin::runner::{self, Session};
use burnin::sim::{Content, Fault, Origin, Plan, Sim, next_random};
use burnin::verdict::{Case, judge};
use burnin::worker::{Io, Limits, Order, Report, Resumption};
use common::note;
use wire::Time;
use wire::job::{Outcome, Phase, PhaseStatus};

const GEOMETRY: Geometry = Geometry {
    sectors: 2_000,
    sector: 512,
    physical: 512,
};

fn order(steps: Vec<Step>) -> Order {
    Order {
        key: JobKey(*b"headers headers!"),
        geometry: GEOMETRY,
        steps,
        header: Some(note()),
        limits: Limits {
            checkpoint_bytes: 40 << 10,
            rewind_bytes: 64 << 10,
            ..Limits::default()
        },
        io: Io {
            block: 8 << 10,
            ..Io::default()
        },
        resume: None,
        pace: None,
    }
}

fn drive(content: Content, seed: u64) -> Sim {
    let plan = Plan {
        volatile: true,
        ..Plan::healthy(content)
    };
    Sim::new(GEOMETRY, plan, 3, 8 << 10, seed)
}

/// Writes what the first buffer holds.
fn write_sector(sim: &mut Sim, lba: u64) {
    let access = Access {
        slot: 0,
        op: Op::Write,
        lba,
        sectors: 1,
    };
    sim.submit(access).unwrap();
    sim.wait(std::time::Duration::from_secs(9)).unwrap();
}

fn surface(fill: Fill, order: Direction) -> Vec<Step> {
    [Phase::Write, Phase::Verify]
        .map(|phase| Step {
            fill,
            order,
            ..phase.into()
        })
        .to_vec()
}

/// Burns for so many turns, then cuts the power; the checkpoints are lost but for the last phase and place they told.
fn cut_after(sim: &mut Sim, order: &Order, turns: u64) -> Option<(u16, u64)> {
    let mut session = Session::new(sim, order, "simulated").unwrap();
    let mut last = None;
    for _ in 0..turns {
        for report in session.step(sim) {
            if let Report::Checkpoint { text } = report {
                let told = burnin::Checkpoint::decode(&text).unwrap();
                last = Some((told.step, told.frontier));
            }
        }
        assert!(!session.is_over(), "cut too late");
    }
    sim.power_cut();
    last
}

fn go_on(sim: &mut Sim, order: &Order, checkpoint: &burnin::Checkpoint) -> Evidence {
    let order = Order {
        resume: Some(Resumption {
            checkpoint: checkpoint.encode(),
            why: "the checkpoint was lost".to_owned(),
            at: Time::UNIX_EPOCH,
        }),
        ..order.clone()
    };
    runner::run(sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap()
}

#[test]
fn a_lost_checkpoint_is_found_again_from_the_drive() {
    let (mut resumed, mut anew) = (0, 0);
    for seed in 0..90 {
        let (fill, way) = match seed % 3 {
            0 => (Fill::Keyed, Direction::Forward),
            1 => (Fill::Keyed, Direction::Reverse),
            _ => (Fill::Complement, Direction::Forward),
        };
        let mut steps = surface(fill, way);
        if seed % 2 == 0 {
            steps.insert(0, Phase::Probe.into());
        }
        let order = order(steps);
        let mut sim = drive(Content::Random, seed);
        let mut random = seed;
        let last = cut_after(&mut sim, &order, 30 + next_random(&mut random) % 225);
        let found = header::find(&mut sim, GEOMETRY).unwrap();
        assert_eq!(found, Header::of(&order).unwrap(), "seed {seed}");
        let Some(checkpoint) = header::recover(&mut sim, &found, &order.limits) else {
            anew += 1;
            continue;
        };
        let write = order.steps.iter().position(|s| s.phase == Phase::Write).unwrap() as u16;
        assert_eq!(checkpoint.step, write, "a lost verify starts again");
        // What was told durable is at least that; what is gone on from is not beyond it but by what came after.
        if let Some((step, frontier)) = last.filter(|(step, _)| *step == write) {
            assert!(
                checkpoint.frontier <= frontier + (40 << 10) / 512,
                "seed {seed}: step {step}"
            );
        }
        let evidence = go_on(&mut sim, &order, &checkpoint);
        let truth = sim.truth();
        assert!(
            evidence.defects.is_empty() && evidence.incidents.is_empty() && evidence.stopped.is_none(),
            "seed {seed}: {evidence:#?}"
        );
        assert!(
            evidence.phases.iter().all(|r| r.status == PhaseStatus::Done),
            "seed {seed}"
        );
        assert!(
            (0..GEOMETRY.sectors).all(|lba| truth.is_right(lba) && truth.was_seen(lba)),
            "seed {seed}"
        );
        assert_eq!(evidence.resumes.len(), 1, "it is told that it went on");
        assert!(checkpoint.evidence.lost && evidence.lost, "also at the end");
        resumed += 1;
    }
    assert!(resumed > 40 && anew > 0, "{resumed} went on, {anew} began anew");
}

#[test]
fn what_tells_nothing_of_its_progress_begins_anew() {
    let keyed = surface(Fill::Keyed, Direction::Forward);
    let second: Vec<Step> = [
        keyed.clone(),
        keyed.iter().map(|s| Step { pass: 2, ..s.clone() }).collect(),
    ]
    .concat();
    for (steps, turns) in [
        (surface(Fill::Zeros, Direction::Forward), 100),
        (keyed, 4),
        (second, 420),
    ] {
        let order = order(steps);
        let mut sim = drive(Content::Zeros, 3);
        cut_after(&mut sim, &order, turns);
        let found = header::find(&mut sim, GEOMETRY).unwrap();
        assert_eq!(
            header::recover(&mut sim, &found, &order.limits),
            None,
            "after {turns} turns"
        );
    }
}

/// What the first verify compared is known to the lost checkpoint alone, so going on with the second write would claim it
/// unseen. The job goes back to its first write, at most to where that still stands, and every later step is done again;
/// what its own second pass left on the drive is no alarm.
#[test]
fn a_second_pass_whose_checkpoint_is_lost_goes_back_to_the_first_write_without_an_alarm() {
    let (mut writing, mut verifying, mut anew) = (0, 0, 0);
    for seed in 0..24 {
        let way = if seed % 2 == 0 {
            Direction::Forward
        } else {
            Direction::Reverse
        };
        let second = surface(Fill::Complement, way);
        let second = second.into_iter().map(|step| Step { pass: 2, ..step });
        let steps = surface(Fill::Keyed, Direction::Forward).into_iter().chain(second);
        let order = order(steps.collect());
        let mut sim = drive(Content::Random, seed);
        let mut random = seed;
        match cut_after(&mut sim, &order, 300 + next_random(&mut random) % 180) {
            Some((2, _)) => writing += 1,
            Some((3, _)) => verifying += 1,
            _ => continue,
        }
        let found = header::find(&mut sim, GEOMETRY).unwrap();
        let evidence = match header::recover(&mut sim, &found, &order.limits) {
            None => {
                anew += 1;
                runner::run(&mut sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap()
            }
            Some(checkpoint) => {
                // The second write came from the other end: the first one still stands below it.
                assert_eq!((checkpoint.step, way), (0, Direction::Reverse), "seed {seed}");
                assert!(checkpoint.evidence.phases[1].done.0 == 0, "a lost verify starts again");
                go_on(&mut sim, &order, &checkpoint)
            }
        };
        assert!(
            evidence.defects.is_empty() && evidence.incidents.is_empty() && evidence.stopped.is_none(),
            "seed {seed}: {evidence:#?}"
        );
        let whole = |r: &burnin::evidence::Record| r.status == PhaseStatus::Done && r.rounds == 1;
        assert!(evidence.phases.iter().all(whole), "seed {seed}: {evidence:#?}");
        let truth = sim.truth();
        assert!(
            (0..GEOMETRY.sectors).all(|lba| truth.is_right(lba) && truth.was_seen(lba)),
            "seed {seed}"
        );
    }
    assert!(
        writing > 3 && anew > 3,
        "{writing} cut in the second write, {verifying} in its verify, {anew} anew"
    );
}

/// What showed once only, in a session of which nothing is left, was found nevertheless.
#[test]
fn a_job_whose_first_session_is_lost_never_passes() {
    for fault in [
        Fault::FlipOnce { lba: 100, bit: 3 },
        Fault::ReadErrorOnce { lba: 100 },
        Fault::WriteErrorOnce { lba: 100 },
    ] {
        let order = order(surface(Fill::Keyed, Direction::Forward));
        let plan = Plan {
            volatile: true,
            ..Plan::with(vec![fault])
        };
        let mut sim = Sim::new(GEOMETRY, plan, 3, 8 << 10, 7);
        let mut session = Session::new(&sim, &order, "simulated").unwrap();
        let verified = |evidence: &Evidence| evidence.phases[1].done.0 > 600 * 512;
        while !verified(session.evidence()) {
            session.step(&mut sim);
        }
        drop(session);
        sim.power_cut();
        let found = header::find(&mut sim, GEOMETRY).unwrap();
        let checkpoint = header::recover(&mut sim, &found, &order.limits).unwrap();
        let evidence = go_on(&mut sim, &order, &checkpoint);
        let verdict = judge(&Case::new(&evidence));
        assert_eq!(verdict.outcome, Outcome::Warn, "{fault:?}: {verdict:?}");
        assert_eq!(verdict.rules[0].id, "evidence-lost");
    }
}

/// What was seen by a check of a trim before the first write cannot be seen again.
#[test]
fn steps_before_the_first_write_that_are_not_done_again_make_a_lost_job_begin_anew() {
    for before in [Phase::Sample, Phase::Scan, Phase::Trim, Phase::TrimCheck] {
        let mut steps = surface(Fill::Keyed, Direction::Forward);
        steps.insert(0, before.into());
        let order = order(steps);
        let mut sim = drive(Content::Zeros, 3);
        let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
        assert_eq!(evidence.stopped, None, "{before:?}");
        let header = Header::of(&order).unwrap();
        assert_eq!(header::recover(&mut sim, &header, &order.limits), None, "{before:?}");
    }
}

#[test]
fn a_job_that_ended_before_its_end_leaves_nothing_to_go_on_with() {
    let bad = (0..80).map(|n| Fault::WriteError { lba: 300 + n * 3 }).collect();
    let ends = [
        (
            Plan::with(bad),
            Stop::TooManyErrors,
            plain(&[Phase::Write, Phase::Verify]),
        ),
        (
            Plan {
                real: Some(1_200),
                ..Plan::healthy(Content::Random)
            },
            Stop::FakeCapacity,
            plain(&[Phase::Probe, Phase::Write, Phase::Verify]),
        ),
    ];
    for (plan, stop, steps) in ends {
        let mut order = order(steps);
        order.limits.errors_max = 20;
        let mut sim = Sim::new(GEOMETRY, plan, 3, 8 << 10, 7);
        let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
        assert_eq!(evidence.stopped.as_ref(), Some(&stop));
        assert_eq!(header::find(&mut sim, GEOMETRY), None, "after {stop:?} it is offered");
        assert_eq!(
            header::holds_ours(&mut sim, GEOMETRY, order.key),
            Some(true),
            "it still proves the drive"
        );
    }
}

#[test]
fn one_mark_of_the_end_is_enough_and_no_other_job_is_marked() {
    let order = order(surface(Fill::Keyed, Direction::Forward));
    let mut sim = drive(Content::Random, 2);
    cut_after(&mut sim, &order, 40);
    assert_eq!(header::retire(&mut sim, GEOMETRY, JobKey([9; 16])), 0);
    assert!(header::find(&mut sim, GEOMETRY).is_some(), "another job's end");
    assert_eq!(header::retire(&mut sim, GEOMETRY, order.key), 4);
    // A header that took no mark.
    let (lba, sectors) = header::places(GEOMETRY)[1];
    let image = header::Image::new(&Header::of(&order).unwrap()).unwrap();
    for lba in lba..lba + sectors {
        sim.buffer(0)[..64].copy_from_slice(&image.unit(lba).unwrap());
        write_sector(&mut sim, lba);
    }
    assert_eq!(header::find(&mut sim, GEOMETRY), None);
}

#[test]
fn in_the_end_no_header_is_left_and_every_place_was_tested() {
    for fill in [Fill::Keyed, Fill::Zeros] {
        let order = order(surface(fill, Direction::Forward));
        let mut sim = drive(Content::Random, 1);
        let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
        assert!(evidence.defects.is_empty() && evidence.stopped.is_none());
        assert_eq!(header::find(&mut sim, GEOMETRY), None);
        assert_eq!(header::holds_ours(&mut sim, GEOMETRY, order.key), Some(false));
        if fill == Fill::Zeros {
            for lba in 0..GEOMETRY.sectors {
                assert!(sector(&mut sim, lba).iter().all(|w| *w == 0), "LBA {lba} is not erased");
            }
        }
    }
}

fn sector(sim: &mut Sim, lba: u64) -> Vec<u64> {
    let access = Access {
        slot: 0,
        op: Op::Read,
        lba,
        sectors: 1,
    };
    sim.submit(access).unwrap();
    sim.wait(std::time::Duration::from_secs(9))
        .unwrap()
        .unwrap()
        .result
        .unwrap();
    sim.buffer(0)[..64].to_vec()
}

#[test]
fn one_good_place_is_enough_and_none_is_none() {
    let order = order(surface(Fill::Keyed, Direction::Forward));
    let mut sim = drive(Content::Random, 2);
    cut_after(&mut sim, &order, 40);
    let places = header::places(GEOMETRY);
    for (n, (lba, sectors)) in places.iter().enumerate() {
        assert!(header::find(&mut sim, GEOMETRY).is_some(), "{n} places are damaged");
        for lba in *lba..lba + sectors {
            sim.buffer(0).fill(lba);
            write_sector(&mut sim, lba);
        }
    }
    assert_eq!(header::find(&mut sim, GEOMETRY), None);
}

#[test]
fn from_its_first_checkpoint_on_a_job_knows_its_drive() {
    let order = order(plain(&[Phase::Write, Phase::Verify]));
    let mut sim = drive(Content::Random, 4);
    let mut session = Session::new(&sim, &order, "simulated").unwrap();
    let first = loop {
        let told = session.step(&mut sim).into_iter().find_map(|report| match report {
            Report::Checkpoint { text } => Some(text),
            _ => None,
        });
        if let Some(text) = told {
            break burnin::Checkpoint::decode(&text).unwrap();
        }
    };
    assert_eq!(first.frontier, 0, "nothing of the sweep is proven yet");
    sim.power_cut();
    for content in [Content::Zeros, Content::Random] {
        let mut other = drive(content, 5);
        let evidence = go_on(&mut other, &order, &first);
        assert!(
            matches!(&evidence.stopped, Some(Stop::Engine { why }) if why.contains("another drive")),
            "{evidence:#?}"
        );
        let untouched = |lba| other.truth().origin(lba) == Origin::Before;
        assert!((0..GEOMETRY.sectors).all(untouched), "it was written to");
    }
    assert_eq!(go_on(&mut sim, &order, &first).stopped, None);
}
