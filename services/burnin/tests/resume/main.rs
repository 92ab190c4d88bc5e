//! Random kills and power cuts over a drive with a volatile cache.
//!
//! After every interruption the job goes on from the last checkpoint that it told. In the
//! end a healthy drive has passed whole, every sector holds what was written last and was
//! read since. Leaving out either kind of flush must make this fail; that is tested too.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod ahead;
#[path = "../common/mod.rs"]
mod common;
mod flushed;

use burnin::Checkpoint;
use burnin::device::Geometry;
use burnin::evidence::{Evidence, Stop};
use burnin::findings::keep_untold;
use burnin::header;
use burnin::pattern::JobKey;
use burnin::playbook::{Direction, Fill, Soak, Step, plain};
use burnin::runner::{self, Ask, Session};
use burnin::sim::{Content, Fault, Plan, Sim, Skip, Trim, next_random};
use burnin::verdict::{Case, judge};
use burnin::worker::{Io, Limits, Order, Report, Resumption};
use common::note;
use wire::Time;
use wire::job::{Outcome, Phase, PhaseStatus};

const GEOMETRY: Geometry = Geometry {
    sectors: 1_500,
    sector: 512,
    physical: 512,
};

fn order(steps: Vec<Step>, seed: u64) -> Order {
    Order {
        key: JobKey([seed as u8 ^ 0x5c; 16]),
        geometry: GEOMETRY,
        steps,
        header: Some(note()),
        limits: Limits {
            checkpoint_bytes: 40 << 10,
            rewind_bytes: 64 << 10,
            seeks_max: 30,
            trim_bytes: 100 << 10,
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

fn surface() -> Vec<Step> {
    plain(&[Phase::Write, Phase::Verify])
}

/// One of several playbooks: probes, both directions, complements, constants, seeks, trims, repeats.
fn steps(seed: u64) -> Vec<Step> {
    let pair = |pass, fill, order| {
        [Phase::Write, Phase::Verify].map(|phase| Step {
            pass,
            fill,
            order,
            ..phase.into()
        })
    };
    let (up, down) = (Direction::Forward, Direction::Reverse);
    let which = if seed % 40 == 39 { 5 } else { seed % 5 };
    match which {
        0 => plain(&[Phase::Probe, Phase::Write, Phase::Verify]),
        1 => surface(),
        2 => {
            let mut steps = [pair(1, Fill::Keyed, up), pair(2, Fill::Complement, down)].concat();
            steps.push(Step {
                seconds: 1,
                ..Phase::Seek.into()
            });
            steps
        }
        3 => [pair(1, Fill::Aa, down), pair(2, Fill::Zeros, up)].concat(),
        4 => {
            let trim = plain(&[Phase::Trim, Phase::TrimCheck]);
            [&pair(1, Fill::Keyed, down)[..], &trim, &pair(2, Fill::Keyed, up)].concat()
        }
        _ => {
            let mut steps = [pair(1, Fill::Keyed, up), pair(2, Fill::Complement, down)].concat();
            for step in &mut steps {
                step.soak = Some(Soak {
                    first: 0,
                    last: 3,
                    seconds: 1,
                });
            }
            steps
        }
    }
}

/// Burns with interruptions; returns the evidence and the drive, or what went wrong.
fn interrupted(seed: u64, plan: Plan, skip: Skip) -> (Evidence, Sim, u32) {
    let mut random = seed;
    let mut order = order(steps(seed), seed);
    let mut sim = Sim::new(GEOMETRY, plan, 3, order.io.block as usize, seed);
    sim.skip = skip;
    let mut cuts = 0;
    let mut last: Option<String> = None;
    loop {
        order.resume = last.clone().map(behind_a_cut);
        let mut session = Session::new(&sim, &order, "simulated").unwrap();
        let steps = if cuts < 9 {
            next_random(&mut random) % 220
        } else {
            u64::MAX
        };
        for _ in 0..steps {
            for report in session.step(&mut sim) {
                if let Report::Checkpoint { text, .. } = report {
                    let told = Checkpoint::decode(&text).unwrap();
                    assert!(told.frontier <= GEOMETRY.sectors);
                    assert!(!told.is_of_the_end(), "whoever goes on from it would read back nothing");
                    last = Some(text);
                }
            }
            if session.is_over() {
                return (session.evidence().clone(), sim, cuts);
            }
        }
        cuts += 1;
        if next_random(&mut random) & 1 == 0 {
            sim.power_cut();
        } else {
            sim.kill();
        }
    }
}

/// What must hold after a healthy drive was burned in with interruptions.
fn faultless(evidence: &Evidence, sim: &Sim) -> bool {
    let truth = sim.truth();
    evidence.defects.is_empty()
        && evidence.incidents.is_empty()
        && evidence.stopped.is_none()
        && evidence
            .phases
            .iter()
            .all(|p| p.status == PhaseStatus::Done && (p.total.0 == 0 || p.done == p.total))
        && (0..GEOMETRY.sectors).all(|lba| truth.is_right(lba) && truth.was_seen(lba))
}

fn volatile() -> Plan {
    Plan {
        volatile: true,
        ..Plan::healthy(Content::Random)
    }
}

/// What was counted before an interruption is not counted again behind it.
#[test]
fn an_interrupted_check_of_a_trim_counts_each_sector_once() {
    let spared: u64 = header::places(GEOMETRY).iter().map(|(_, long)| long).sum();
    let mut cut = 0;
    for seed in (4..200).step_by(5).filter(|seed| seed % 40 != 39) {
        let mut plan = Plan::healthy(Content::Random);
        (plan.volatile, plan.trim) = (seed % 2 == 0, Trim::Ignored);
        let (evidence, _, _) = interrupted(seed, plan, Skip::None);
        let check = evidence.phases.iter().find(|record| record.phase == Phase::TrimCheck);
        let kept = check.map(|record| record.kept);
        assert_eq!(kept, Some(GEOMETRY.sectors - spared), "seed {seed}");
        let resumes = evidence.resumes.iter();
        cut += resumes
            .filter(|at| at.phase == Phase::TrimCheck && at.from.0 > 0)
            .count();
    }
    assert!(cut > 5, "only {cut} checks went on");
}

#[test]
fn hundreds_of_interruptions_skip_nothing_and_claim_nothing() {
    let mut resumed = 0;
    for seed in 0..100 {
        let (evidence, sim, cuts) = interrupted(seed, volatile(), Skip::None);
        assert!(faultless(&evidence, &sim), "seed {seed}, {cuts} cuts: {evidence:#?}");
        assert!(evidence.resumes.len() <= cuts as usize);
        assert!(evidence.resumes.iter().all(|r| r.why == "power cut"));
        resumed += evidence.resumes.len();
    }
    assert!(
        resumed > 200,
        "only {resumed} resumes: the cuts came too early to test anything"
    );
}

/// Whoever keeps checkpoints writes down again only what changed.
#[test]
fn most_of_a_checkpoint_stays_as_it_is_all_along_a_step() {
    let mut same = 0;
    for seed in 0..6 {
        let order = order(steps(seed), seed);
        let mut sim = Sim::new(GEOMETRY, volatile(), 3, order.io.block as usize, seed);
        let mut session = Session::new(&sim, &order, "simulated").unwrap();
        let mut last: Option<(u16, String)> = None;
        while !session.is_over() {
            for report in session.step(&mut sim) {
                let Report::Checkpoint { text, .. } = report else {
                    continue;
                };
                let told = Checkpoint::decode(&text).unwrap();
                assert_eq!(told.encode(), text, "seed {seed}");
                let rows: Vec<&str> = burnin::checkpoint::split(&text).collect();
                assert_eq!(rows.concat(), text, "seed {seed}");
                let now = (told.step, rows[1..].concat());
                if let Some(last) = last.filter(|last| last.0 == now.0) {
                    assert_eq!(last.1, now.1, "seed {seed}, step {}", told.step);
                    same += 1;
                }
                last = Some(now);
            }
        }
    }
    assert!(same > 50, "only {same} checkpoints followed another of their step");
}

#[test]
fn leaving_out_either_flush_is_noticed() {
    for skip in [Skip::AtEnd, Skip::Between] {
        let noticed = (0..60).filter(|seed| {
            let (evidence, sim, _) = interrupted(*seed, volatile(), skip);
            !faultless(&evidence, &sim)
        });
        assert!(noticed.count() > 0, "{skip:?} changed nothing");
    }
}

#[test]
fn a_bad_drive_stays_bad_over_interruptions() {
    for seed in 0..50 {
        let (bad, lost) = (seed * 7 % 1_500, (seed * 11 + 3) % 1_500);
        let faults = vec![Fault::Flip { lba: bad, bit: 9 }, Fault::DropWrite { lba: lost }];
        let (evidence, sim, _) = interrupted(seed, Plan { faults, ..volatile() }, Skip::None);
        let told: Vec<u64> = evidence
            .defects
            .runs()
            .flat_map(|run| run.first..run.first + run.count)
            .collect();
        for lba in sim.truth().bad() {
            assert!(
                told.contains(&lba),
                "seed {seed}: LBA {lba} was forgotten; told {told:?}"
            );
        }
    }
}

/// What shows only once is seen by nobody again: it stands where the job is stopped, or put on hold and then cut, before the drive was
/// asked once more.
#[test]
fn what_shows_only_once_is_not_forgotten_by_a_stop_or_a_cut() {
    let mut unsettled = 0;
    for (fault, errno, outcome) in [
        (Fault::FlipOnce { lba: 700, bit: 3 }, libc::EIO, Outcome::Failed),
        (Fault::ReadErrorOnce { lba: 700 }, libc::EIO, Outcome::Inconclusive),
        (Fault::ReadErrorOnce { lba: 700 }, libc::ENODATA, Outcome::Failed),
    ] {
        for (more, held) in (0..14).flat_map(|more| [(more, false), (more, true)]) {
            let case = format!("{fault:?} ({errno}), {more} turns after it showed, held {held}");
            let mut order = order(surface(), 3);
            let plan = Plan {
                errno,
                ..Plan::with(vec![fault])
            };
            let mut sim = Sim::new(GEOMETRY, plan, 3, order.io.block as usize, 3);
            let (mut last, mut told) = (None, Vec::new());
            let mut keep = |reports: Vec<Report>| {
                for report in reports {
                    match report {
                        Report::Checkpoint { text, .. } => last = Some(text),
                        Report::Findings { findings, .. } => told = findings,
                        _ => {}
                    }
                }
            };
            let mut session = Session::new(&sim, &order, "simulated").unwrap();
            while sim.shown() == 0 {
                assert!(!session.is_over(), "{case}: it never showed");
                keep(session.step(&mut sim));
            }
            for _ in 0..more {
                keep(session.step(&mut sim));
            }
            let now = burnin::device::Device::now(&sim);
            if held {
                session.ask(now, Ask::Hold("heat".to_owned()));
                for _ in 0..40 {
                    keep(session.step(&mut sim));
                }
            } else {
                session.stop(now, "a person");
                while !session.is_over() {
                    keep(session.step(&mut sim));
                }
                unsettled += u32::from(
                    session
                        .evidence()
                        .incidents
                        .iter()
                        .any(|i| i.detail.contains("not tried")),
                );
            }
            drop(session);
            sim.kill();
            let checkpoint = last.unwrap();
            let mut lost = Vec::new();
            keep_untold(
                &mut lost,
                &told,
                &Checkpoint::decode(&checkpoint).unwrap().evidence.findings(),
            );
            order.resume = Some(behind_a_cut(checkpoint));
            let mut session = Session::new(&sim, &order, "simulated").unwrap();
            while !session.is_over() {
                session.step(&mut sim);
            }
            let verdict = judge(&Case {
                findings_before_loss: &lost,
                ..Case::new(session.evidence())
            });
            assert_eq!(verdict.outcome, outcome, "{case}: {:?}", session.evidence().findings());
        }
    }
    assert!(unsettled > 0, "none was stopped before it was tried again");
}

#[test]
fn a_stopped_job_goes_on_where_it_stopped() {
    for seed in 0..50 {
        let mut order = order(surface(), seed);
        let mut sim = Sim::new(GEOMETRY, volatile(), 3, order.io.block as usize, seed);
        let mut random = seed;
        let mut last = None;
        let mut frontier = (0, 0);
        for _ in 0..3 {
            let mut session = Session::new(&sim, &order, "simulated").unwrap();
            let mut steps = next_random(&mut random) % 90;
            while !session.is_over() {
                if steps == 0 {
                    session.stop(burnin::device::Device::now(&sim), "a person");
                }
                steps = steps.saturating_sub(1);
                for report in session.step(&mut sim) {
                    if let Report::Checkpoint { text, .. } = report {
                        last = Some(text);
                    }
                }
            }
            // Stopped before its headers stood it begins anew.
            let Some(text) = last.as_deref() else { continue };
            let told = Checkpoint::decode(text).unwrap();
            assert!((told.step, told.frontier) >= frontier, "seed {seed}: went back");
            frontier = (told.step, told.frontier.saturating_sub(order.limits.rewind_bytes / 512));
            order.resume = last.clone().map(|checkpoint| Resumption {
                checkpoint,
                why: "stopped".to_owned(),
                at: Time::UNIX_EPOCH,
            });
        }
        let mut session = Session::new(&sim, &order, "simulated").unwrap();
        while !session.is_over() {
            session.step(&mut sim);
        }
        assert!(faultless(session.evidence(), &sim), "seed {seed}");
    }
}

/// A checkpoint says that the drive can be asked whose it is: at a pause, a stop or a cut none is told before the headers are flushed.
#[test]
fn no_checkpoint_is_told_before_the_headers_stand() {
    let (mut early, mut told) = (0, 0);
    for seed in 0..120 {
        let mut order = order(steps(seed), seed);
        // As on a drive so slow that it is time for one between two headers.
        order.limits.checkpoint_bytes = 8 << 10;
        let mut sim = Sim::new(GEOMETRY, volatile(), 1, order.io.block as usize, seed);
        let mut session = Session::new(&sim, &order, "simulated").unwrap();
        let mut last = None;
        for turn in 0..=seed % 12 {
            let now = burnin::device::Device::now(&sim);
            match (turn + 1 == seed % 12, seed % 3) {
                (true, 0) => session.stop(now, "a person"),
                (true, 1) => session.ask(now, Ask::Hold("heat".to_owned())),
                _ => {}
            }
            for report in session.step(&mut sim) {
                if let Report::Checkpoint { text, .. } = report {
                    last = Some(text);
                }
            }
        }
        sim.power_cut();
        let standing = header::places(GEOMETRY).len();
        let whole = header::find(&mut sim, GEOMETRY).filter(|found| found.key == order.key);
        let Some(checkpoint) = last else {
            early += 1;
            continue;
        };
        assert!(
            whole.is_some() && standing == 4,
            "seed {seed}: a checkpoint without a header"
        );
        told += 1;
        order.resume = Some(behind_a_cut(checkpoint));
        let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
        assert!(evidence.stopped.is_none(), "seed {seed}: {:?}", evidence.stopped);
    }
    assert!(early > 20 && told > 20, "{early} before, {told} behind the headers");
}

/// A session that goes on begins with the checkpoint that it has, and the next one stands behind the headers that it writes again.
#[test]
fn the_second_checkpoint_of_a_later_session_stands_behind_its_headers() {
    let mut order = order(surface(), 3);
    let mut sim = Sim::new(GEOMETRY, volatile(), 1, order.io.block as usize, 3);
    cut(&mut sim, &mut order, 40);
    order.limits.checkpoint_bytes = 8 << 10;
    let mut session = Session::new(&sim, &order, "simulated").unwrap();
    let (mut checkpoints, mut turns) = (0, 0);
    while checkpoints < 2 {
        for report in session.step(&mut sim) {
            checkpoints += u32::from(matches!(report, Report::Checkpoint { .. }));
        }
        turns += 1;
    }
    // Eight accesses of 8 KiB, and the flush.
    assert!(turns >= 9, "told after {turns} accesses");
}

/// A session that goes on from this checkpoint.
fn behind_a_cut(checkpoint: String) -> Resumption {
    Resumption {
        checkpoint,
        why: "power cut".to_owned(),
        at: Time::UNIX_EPOCH,
    }
}

/// Burns for so many turns and cuts the power; the order goes on from its last checkpoint.
fn cut(sim: &mut Sim, order: &mut Order, turns: u64) {
    let mut session = Session::new(sim, order, "simulated").unwrap();
    let mut last = None;
    for _ in 0..turns {
        for report in session.step(sim) {
            if let Report::Checkpoint { text, .. } = report {
                last = Some(text);
            }
        }
    }
    sim.power_cut();
    order.resume = last.map(behind_a_cut);
}

#[test]
fn a_checkpoint_of_another_job_is_refused() {
    let first = order(surface(), 1);
    let mut sim = Sim::new(GEOMETRY, volatile(), 3, first.io.block as usize, 1);
    let mut session = Session::new(&sim, &first, "simulated").unwrap();
    let mut last = None;
    while last.is_none() {
        for report in session.step(&mut sim) {
            if let Report::Checkpoint { text, .. } = report {
                last = Some(text);
            }
        }
    }
    let resume = last.map(|checkpoint| Resumption {
        checkpoint,
        why: String::new(),
        at: Time::UNIX_EPOCH,
    });
    for other in [
        Order {
            resume: resume.clone(),
            ..order(surface(), 2)
        },
        Order {
            resume: resume.clone(),
            ..order(plain(&[Phase::Probe, Phase::Write, Phase::Verify]), 1)
        },
        Order {
            resume,
            geometry: Geometry {
                sectors: 1_400,
                ..GEOMETRY
            },
            ..order(surface(), 1)
        },
    ] {
        let told = Session::new(&sim, &other, "simulated").unwrap_err().to_string();
        assert!(told.contains("another job"), "{told}");
    }
}

#[test]
fn what_is_done_again_is_bounded() {
    let burn = |seed: u64, cuts: u64| {
        let mut order = order(surface(), seed);
        let mut sim = Sim::new(GEOMETRY, volatile(), 3, order.io.block as usize, seed);
        let mut random = seed;
        for cut in 0..=cuts {
            let mut session = Session::new(&sim, &order, "simulated").unwrap();
            let steps = if cut < cuts {
                20 + next_random(&mut random) % 60
            } else {
                u64::MAX
            };
            for _ in 0..steps {
                for report in session.step(&mut sim) {
                    if let Report::Checkpoint { text, .. } = report {
                        order.resume = Some(behind_a_cut(text));
                    }
                }
                if session.is_over() {
                    return (sim.moved(), cut, order.limits);
                }
            }
            sim.power_cut();
        }
        unreachable!("the last session runs to its end")
    };
    for seed in 0..60 {
        let (clean, ..) = burn(seed, 0);
        let (moved, cuts, limits) = burn(seed, 4);
        // Lost since the last checkpoint, read again before it, under way, and the headers.
        let each = limits.checkpoint_bytes + limits.rewind_bytes + 2 * 3 * (8 << 10) + 4 * (16 << 10);
        assert!(
            cuts > 0 && moved <= clean + cuts * each,
            "seed {seed}: {moved} after {cuts} cuts, {clean} without"
        );
    }
}
