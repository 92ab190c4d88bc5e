//! What the drive itself keeps of its job: found, damaged, gone on from without a checkpoint, and gone in the end. `KILN_PLANS` sets
//! how many cuts are tried in each playbook (default 24; with `KILN_LONG` a hundred times that).

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod common;
#[macro_use]
#[path = "common/through.rs"]
mod through;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use burnin::device::{Access, Device, Done, Geometry, Op};
use burnin::evidence::{Evidence, Stop};
use burnin::header::{self, Header};
use burnin::pattern::JobKey;
use burnin::playbook::{Direction, Fill, Playbook, Step, moves_data, plain};
use burnin::runner::{self, Session};
use burnin::sim::{Content, Fault, Origin, Plan, Sim, next_random};
use burnin::verdict::{Case, judge};
use burnin::worker::{Io, Limits, Order, Report, Resumption};
use common::{note, seeds};
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
        failed_before: false,
        pace: None,
        medium: None,
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
    sim.wait(Duration::from_secs(9)).unwrap();
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
            if let Report::Checkpoint { text, .. } = report {
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

/// A search of the drive relies on a flush every so many bytes, also where the medium of the checkpoints may take no more of them.
#[test]
fn what_lies_unflushed_is_bounded_where_checkpoints_are_rare() {
    let mut resumed = 0;
    for seed in 0..60 {
        let way = [Direction::Forward, Direction::Reverse][seed as usize % 2];
        let mut order = order(surface(Fill::Keyed, way));
        (order.limits.checkpoint_day_bytes, order.limits.checkpoint_credit_bytes) = (0, 0);
        let mut sim = drive(Content::Random, seed);
        let mut random = seed;
        cut_after(&mut sim, &order, 60 + next_random(&mut random) % 120);
        let found = header::find(&mut sim, GEOMETRY).unwrap();
        let Some(checkpoint) = header::recover(&mut sim, &found, &order.limits) else {
            continue;
        };
        let evidence = go_on(&mut sim, &order, &checkpoint);
        assert!(
            evidence.defects.is_empty() && evidence.stopped.is_none(),
            "seed {seed}: {evidence:#?}"
        );
        assert_eq!(judge(&Case::new(&evidence)).outcome, Outcome::Warn, "seed {seed}");
        resumed += 1;
    }
    assert!(resumed > 20, "{resumed} went on");
}

/// Burns until so much of this step is done, then cuts the power; answers what had been seen.
fn cut_in(sim: &mut Sim, order: &Order, step: u16, share: f64) -> Evidence {
    let mut session = Session::new(sim, order, "simulated").unwrap();
    let there = |session: &Session| {
        let record = session.evidence().step(step).unwrap();
        let done = record.done.0 as f64 / GEOMETRY.bytes() as f64;
        record.status == PhaseStatus::Done || record.status == PhaseStatus::Running && done >= share
    };
    for _ in 0..100_000 {
        if there(&session) {
            sim.power_cut();
            return session.evidence().clone();
        }
        session.step(sim);
    }
    panic!("it did not come to step {step}");
}

#[test]
fn what_tells_nothing_of_its_progress_begins_anew() {
    let keyed = surface(Fill::Keyed, Direction::Forward);
    let trims = [Phase::Trim, Phase::TrimCheck].map(Step::from).to_vec();
    let flash = [keyed.clone(), trims, keyed.clone()].concat();
    for (steps, step, share) in [
        // Of the first pass of a constant nothing tells before its second place.
        (surface(Fill::Zeros, Direction::Forward), 0, 0.3),
        (keyed, 0, 0.01),
        // A trim may have begun, or not.
        (flash.clone(), 1, 0.5),
        (flash.clone(), 2, 1.0),
        (flash, 3, 0.5),
    ] {
        let order = order(steps);
        let mut sim = drive(Content::Zeros, 3);
        cut_in(&mut sim, &order, step, share);
        let found = header::find(&mut sim, GEOMETRY).unwrap();
        assert_eq!(
            header::recover(&mut sim, &found, &order.limits),
            None,
            "in step {step} of {:?}",
            order.steps
        );
    }
}

/// Tags carry their pass: a job goes on in the write in which it was, or did the verify after it. Of the passes before nothing is
/// known but that they ended, and none of them is claimed.
#[test]
fn a_checkpoint_that_is_lost_in_any_pass_is_found_again_in_that_pass() {
    let back = f64::from(64 << 10) / GEOMETRY.bytes() as f64;
    let (mut later, mut exact) = (0, 0);
    for seed in 0..120 {
        let mut random = seed;
        let mut any = |n: u64| next_random(&mut random) % n;
        let ways = [Direction::Forward, Direction::Reverse];
        let mut steps = Vec::new();
        for fill in [Fill::Keyed, Fill::Complement, Fill::Keyed] {
            steps.extend(surface(fill, ways[any(2) as usize]));
        }
        let (step, share) = (any(6) as u16, any(100) as f64 / 100.0);
        let order = order(steps);
        let mut sim = drive(Content::Random, seed);
        cut_in(&mut sim, &order, step, share);
        let found = header::find(&mut sim, GEOMETRY).unwrap();
        let write = step / 2 * 2;
        let certain = step % 2 == 1 || share > 2.0 * back;
        let Some(checkpoint) = header::recover(&mut sim, &found, &order.limits) else {
            assert!(
                write == 0 && !(certain && share > 0.5),
                "seed {seed}: step {step} at {share}"
            );
            continue;
        };
        if certain {
            assert_eq!(checkpoint.step, write, "seed {seed}: step {step} at {share}");
            exact += 1;
        } else {
            assert!(checkpoint.step <= write && write <= checkpoint.step + 2, "seed {seed}");
        }
        let done = checkpoint.frontier as f64 / GEOMETRY.sectors as f64;
        let behind = if step % 2 == 1 || checkpoint.step < write {
            1.0
        } else {
            share + 0.1
        };
        assert!(done <= behind, "seed {seed}: {done} of {share} is claimed");
        assert_eq!(
            checkpoint.evidence.verified().0,
            0,
            "seed {seed}: what an earlier pass saw is lost"
        );
        let evidence = go_on(&mut sim, &order, &checkpoint);
        assert!(
            evidence.defects.is_empty() && evidence.incidents.is_empty() && evidence.stopped.is_none(),
            "seed {seed}: step {step} at {share}: {evidence:#?}"
        );
        let truth = sim.truth();
        assert!(
            (0..GEOMETRY.sectors).all(|lba| truth.is_right(lba) && truth.was_seen(lba)),
            "seed {seed}"
        );
        let verdict = judge(&Case::new(&evidence));
        assert_eq!(verdict.outcome, Outcome::Warn, "seed {seed}: {verdict:#?}");
        assert_eq!(verdict.verified.0, GEOMETRY.bytes(), "seed {seed}");
        let lost = evidence.phases.iter().filter(|record| record.lost).count();
        assert_eq!(lost, usize::from(checkpoint.step), "seed {seed}");
        let rule = &verdict.rules[0];
        assert_eq!(rule.id, "evidence-lost");
        assert_eq!(rule.value.contains("had ended"), lost > 0, "{}", rule.value);
        later += u32::from(checkpoint.step > 0);
    }
    assert!(
        later > 50 && exact > 70,
        "{later} went on in a later pass, {exact} certain"
    );
}

/// A sector that fails in the pass that is gone on with is found; what only an earlier pass could have shown is never passed.
#[test]
fn a_bad_sector_is_found_by_the_pass_that_is_gone_on_with() {
    let steps = [
        surface(Fill::Keyed, Direction::Forward),
        surface(Fill::Complement, Direction::Reverse),
    ];
    let order = order(steps.concat());
    let plan = Plan {
        volatile: true,
        ..Plan::with(vec![Fault::ReadError { lba: 777 }])
    };
    let mut sim = Sim::new(GEOMETRY, plan, 3, 8 << 10, 7);
    cut_in(&mut sim, &order, 2, 0.5);
    let found = header::find(&mut sim, GEOMETRY).unwrap();
    let checkpoint = header::recover(&mut sim, &found, &order.limits).unwrap();
    assert_eq!(checkpoint.step, 2);
    let evidence = go_on(&mut sim, &order, &checkpoint);
    assert_eq!(judge(&Case::new(&evidence)).outcome, Outcome::Failed);
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

/// Steps of a playbook that worker and drive have to do with, with a second of seeks.
fn shipped(name: &str) -> Vec<Step> {
    let steps = Playbook::named(name).unwrap().steps().to_vec();
    let mut steps: Vec<Step> = steps.into_iter().filter(|step| moves_data(step.phase)).collect();
    for step in &mut steps {
        step.seconds = step.seconds.min(1);
    }
    steps
}

/// A probe's sectors lie in front of the first write, and its tags must not be read as those of a later one.
#[test]
fn a_probed_sector_is_not_taken_for_a_later_pass() {
    for seed in 0..60 {
        let order = order(shipped("thorough"));
        let mut sim = drive(Content::Random, seed);
        let share = 0.4 + seed as f64 / 100.0;
        cut_in(&mut sim, &order, 1, share);
        let found = header::find(&mut sim, GEOMETRY).unwrap();
        let step = header::recover(&mut sim, &found, &order.limits).map(|checkpoint| checkpoint.step);
        assert!(
            step.is_none_or(|step| step == 1),
            "seed {seed}, cut at {share}: {step:?}"
        );
    }
}

/// Cuts at random places of every playbook that writes over the whole drive, with the checkpoint lost: what is gone on with had
/// been done, what it skips had ended, and in the end all is as after a run without a cut, and never passed.
#[test]
fn a_lost_checkpoint_of_any_playbook_claims_no_more_than_was_done() {
    let seeds = seeds(24);
    for (name, percent) in [
        ("surface", 60),
        ("standard", 30),
        ("thorough", 50),
        ("badblocks", 50),
        ("ssd", 10),
        ("erase", 20),
        ("preclear", 20),
    ] {
        let mut resumed = 0;
        for seed in seeds.clone() {
            let mut random = seed;
            let mut any = |n: u64| next_random(&mut random) % n;
            let mut order = order(shipped(name));
            order.limits.seeks_max = 40;
            let content = if seed % 2 == 0 { Content::Random } else { Content::Zeros };
            let mut sim = drive(content, seed);
            let (step, share) = (any(order.steps.len() as u64) as u16, any(100) as f64 / 100.0);
            let before = cut_in(&mut sim, &order, step, share);
            let Some(found) = header::find(&mut sim, GEOMETRY) else {
                // The very end, where its places hold the last pattern; or the very beginning.
                let last = usize::from(step) + 1 == order.steps.len();
                assert!(last || step == 0 && share < 0.1, "{name}, seed {seed}");
                continue;
            };
            let Some(checkpoint) = header::recover(&mut sim, &found, &order.limits) else {
                continue;
            };
            let told = format!(
                "{name}, seed {seed}: cut in {step} at {share}, from {} of {}",
                checkpoint.frontier, checkpoint.step
            );
            for (record, was) in checkpoint.evidence.phases.iter().zip(&before.phases) {
                assert!(
                    record.status != PhaseStatus::Done || was.status == PhaseStatus::Done,
                    "{told}: {was:#?}"
                );
                assert!(record.done.0 <= was.done.0, "{told}: {was:#?}");
            }
            assert_eq!(checkpoint.evidence.verified().0, 0, "{told}");
            let evidence = go_on(&mut sim, &order, &checkpoint);
            assert!(
                evidence.defects.is_empty() && evidence.incidents.is_empty() && evidence.stopped.is_none(),
                "{told}: {evidence:#?}"
            );
            let truth = sim.truth();
            assert!(
                (0..GEOMETRY.sectors).all(|lba| truth.is_right(lba) && truth.was_seen(lba)),
                "{told}"
            );
            let verdict = judge(&Case::new(&evidence));
            assert_eq!(
                (verdict.outcome, verdict.verified.0),
                (Outcome::Warn, GEOMETRY.bytes()),
                "{told}: {verdict:#?}"
            );
            assert!(verdict.rules.iter().any(|rule| rule.id == "evidence-lost"), "{told}");
            resumed += 1;
        }
        let count = seeds.end - seeds.start;
        println!("{name}: {resumed} of {count} went on");
        assert!(
            count < 20 || resumed * 100 >= count * percent,
            "{name}: {resumed} of {count} went on"
        );
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
fn the_end_of_a_job_is_told_though_a_mark_of_it_hangs() {
    let mut order = order(plain(&[Phase::Write, Phase::Verify]));
    order.limits.errors_max = 0;
    let (lba, _) = header::places(GEOMETRY)[1];
    let faults = vec![
        Fault::WriteError { lba: lba + 200 },
        Fault::Slow { lba, millis: 90_000 },
    ];
    let mut sim = Sim::new(GEOMETRY, Plan::with(faults), 3, 16 << 10, 7);
    let mut told = false;
    let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |report| {
        told |= matches!(report, Report::Done { .. });
    });
    assert_eq!(evidence.unwrap().stopped, Some(Stop::TooManyErrors));
    assert!(told);
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
        sim.buffer(0)[..64].copy_from_slice(&image.unit(lba, 1).unwrap());
        write_sector(&mut sim, lba);
    }
    assert_eq!(header::find(&mut sim, GEOMETRY), None);
}

/// Number of the unit of each place that is not the job's.
const STRANGER: u64 = 13;

/// Writes a job's headers, and one unit of somebody's data into each of them.
fn headers_with_a_stranger_in_each(sim: &mut Sim, order: &Order) {
    let geometry = order.geometry;
    let image = header::Image::new(&Header::of(order).unwrap()).unwrap();
    for (first, long) in header::places(geometry) {
        for lba in first..first + long {
            let units = lba * geometry.units()..(lba + 1) * geometry.units();
            for (unit, data) in units.zip(sim.buffer(0).chunks_mut(64)) {
                data.copy_from_slice(&image.unit(unit, 1).unwrap());
                if unit == first * geometry.units() + STRANGER {
                    data.fill(0x5AFE_DA7A);
                }
            }
            write_sector(sim, lba);
        }
    }
}

/// Who aborted a job behind a file system that was made since lost what this had put at the places.
#[test]
fn what_somebody_put_into_a_header_stays_when_that_is_marked() {
    for (sector, physical) in [(512, 512), (512, 4096), (4096, 4096)] {
        let geometry = Geometry {
            sectors: 16_000,
            sector,
            physical,
        };
        let order = Order {
            geometry,
            ..order(surface(Fill::Keyed, Direction::Forward))
        };
        let mut sim = Sim::new(geometry, Plan::healthy(Content::Random), 3, 16 << 10, 7);
        headers_with_a_stranger_in_each(&mut sim, &order);
        let units = |sim: &mut Sim| -> Vec<Vec<u64>> {
            let sectors = (0..geometry.sectors).map(|lba| read_sector(sim, lba, sector as usize / 8));
            sectors
                .flat_map(|data| data.chunks(64).map(<[u64]>::to_vec).collect::<Vec<_>>())
                .collect()
        };
        let before = units(&mut sim);
        assert_eq!(header::retire(&mut sim, geometry, order.key), 4);
        assert!(header::ended_by(&mut sim, geometry, &[order.key]));
        let after = units(&mut sim);
        let changed: Vec<u64> = (0..)
            .zip(before.iter().zip(&after))
            .filter(|(_, (a, b))| a != b)
            .map(|(n, _)| n)
            .collect();
        // What a drive stores as one is left as a whole.
        let each = u64::from(physical / 512);
        let own = header::places(geometry).into_iter().flat_map(|(lba, _)| {
            let marked = (0..32).filter(|unit| unit / each != STRANGER / each);
            marked.map(move |unit| lba * geometry.units() + unit)
        });
        assert_eq!(changed, own.collect::<Vec<u64>>(), "{sector} {physical}");
    }
}

/// An older state of it that is put back goes on with nothing: who ended it was told so.
#[test]
fn what_was_ended_is_not_gone_on_with_from_an_older_checkpoint() {
    let order = order(surface(Fill::Keyed, Direction::Forward));
    let whole = |sim: &mut Sim| -> Vec<Vec<u64>> { (0..GEOMETRY.sectors).map(|lba| sector(sim, lba)).collect() };
    for unmarked in [3, 0] {
        let mut sim = drive(Content::Random, 2);
        let mut session = Session::new(&sim, &order, "simulated").unwrap();
        let mut kept = None;
        while kept.is_none() {
            for report in session.step(&mut sim) {
                if let Report::Checkpoint { text, .. } = report {
                    kept = burnin::Checkpoint::decode(&text).ok().filter(|told| told.frontier > 0);
                }
            }
        }
        sim.power_cut();
        for (lba, sectors) in header::places(GEOMETRY).into_iter().take(unmarked) {
            // Nothing of it stands there that could be marked.
            for lba in lba..lba + sectors {
                sim.buffer(0)[..64].fill(7);
                write_sector(&mut sim, lba);
            }
        }
        assert!(!header::ended_by(&mut sim, GEOMETRY, &[order.key]));
        assert_eq!(header::retire(&mut sim, GEOMETRY, order.key), 4 - unmarked);
        assert!(header::ended_by(&mut sim, GEOMETRY, &[JobKey([9; 16]), order.key]));
        assert!(!header::ended_by(&mut sim, GEOMETRY, &[JobKey([9; 16])]));
        let before = whole(&mut sim);
        let evidence = go_on(&mut sim, &order, &kept.unwrap());
        let Some(Stop::Engine { why }) = &evidence.stopped else {
            panic!("{:?}", evidence.stopped);
        };
        assert!(why.contains("it was ended"), "{why}");
        assert!(whole(&mut sim) == before, "it was written to");
    }
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
    read_sector(sim, lba, 64)
}

/// One sector of so many words.
fn read_sector(sim: &mut Sim, lba: u64, words: usize) -> Vec<u64> {
    let access = Access {
        slot: 0,
        op: Op::Read,
        lba,
        sectors: 1,
    };
    sim.submit(access).unwrap();
    sim.wait(Duration::from_secs(9)).unwrap().unwrap().result.unwrap();
    sim.buffer(0)[..words].to_vec()
}

/// Each sweep writes another number there, so that what an earlier one left is told.
#[test]
fn a_lost_write_at_a_place_of_the_headers_is_found() {
    for (lba, _) in header::places(GEOMETRY) {
        let order = order(surface(Fill::Keyed, Direction::Forward));
        // The first write of the session is the header, the second is the sweep's.
        let plan = Plan::with(vec![Fault::DropSecond { lba }]);
        let mut sim = Sim::new(GEOMETRY, plan, 3, 8 << 10, 7);
        let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
        let found: Vec<u64> = evidence.defects.runs().map(|run| run.first).collect();
        assert_eq!(found, [lba]);
    }
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
            Report::Checkpoint { text, .. } => Some(text),
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

/// Its identity may hold the size, so that nothing but the header tells what was begun on it.
#[test]
fn the_header_of_a_drive_that_tells_another_size_by_now_is_found_and_tells_of_the_old_one() {
    let order = order(surface(Fill::Keyed, Direction::Forward));
    let mut sim = drive(Content::Random, 3);
    cut_after(&mut sim, &order, 40);
    let less = Geometry {
        sectors: GEOMETRY.sectors - 1,
        ..GEOMETRY
    };
    let found = header::find(&mut sim, less).unwrap();
    assert_eq!((found.key, found.geometry), (order.key, GEOMETRY));
}

/// A drive of which one sector cannot be read until it is written again, once `pending` says so.
#[derive(Debug)]
struct Pending {
    sim: Sim,
    lba: u64,
    pending: bool,
    failed: BTreeMap<usize, u64>,
}

impl Device for Pending {
    through!(sim);

    fn now(&self) -> Duration {
        self.sim.now()
    }
    fn submit(&mut self, access: Access) -> io::Result<()> {
        let hit = (access.lba..access.lba + access.sectors).contains(&self.lba);
        if hit && self.pending && access.op == Op::Read {
            self.failed.insert(access.slot, access.lba);
        }
        self.pending &= !(hit && access.op == Op::Write);
        self.sim.submit(access)
    }
    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Done>> {
        let done = self.sim.wait(at_most)?;
        Ok(done.map(|done| match self.failed.remove(&done.slot) {
            Some(_) => Done {
                result: Err(libc::ENODATA),
                ..done
            },
            None => done,
        }))
    }
    fn size(&mut self) -> u64 {
        self.sim.size()
    }
}

/// The session that goes on writes the headers again, and a sector that was bad before reads right behind it.
#[test]
fn a_header_that_cannot_be_read_when_a_job_goes_on_is_told() {
    let (lba, _) = header::places(GEOMETRY)[1];
    let mut order = order(plain(&[Phase::Write, Phase::Verify]));
    let mut drive = Pending {
        sim: drive(Content::Random, 3),
        lba: lba + 1,
        pending: false,
        failed: BTreeMap::new(),
    };
    let (mut kept, mut turns) = (None, 0);
    let stopped = runner::run(
        &mut drive,
        &order,
        "simulated",
        &mut || {
            turns += 1;
            (turns > 60).then(|| "ann".to_owned())
        },
        &mut |report| {
            if let Report::Checkpoint { text, .. } = report {
                kept = Some(text);
            }
        },
    );
    assert!(matches!(stopped.unwrap().stopped, Some(Stop::Asked { .. })));
    drive.pending = true;
    order.resume = kept.map(|checkpoint| Resumption {
        checkpoint,
        why: "ann".to_owned(),
        at: Time::UNIX_EPOCH,
    });
    let evidence = runner::run(&mut drive, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
    assert!(!drive.pending, "it was not written again");
    let told: Vec<u64> = evidence.incidents.iter().filter_map(|i| Some(i.lba?.0)).collect();
    assert_eq!(told, [lba + 1], "{:?}", evidence.incidents);
    let verdict = judge(&Case::new(&evidence));
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{}", verdict.summary);
    assert_eq!(evidence.bad_sectors(), 0);
}
