//! Bad sectors beyond those whose place is kept: each is one, however often a job comes to it.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

#[macro_use]
#[path = "common/through.rs"]
mod through;

use std::io;
use std::time::Duration;

use burnin::Evidence;
use burnin::device::{Access, Device, Done, Geometry, Op};
use burnin::findings::{Class, RUNS_MAX};
use burnin::pattern::JobKey;
use burnin::playbook::{Direction, Fill, Soak, Step, plain};
use burnin::runner::{self, Session};
use burnin::sim::{Content, Plan, Sim};
use burnin::verdict::{Case, judge};
use burnin::worker::{Io, Limits, Order, Report, Resumption};
use wire::Time;
use wire::job::{Outcome, Phase};

const GEOMETRY: Geometry = Geometry {
    sectors: 12_000,
    sector: 512,
    physical: 512,
};

/// Sectors that are bad: every other one.
const BAD: u64 = 6_000;

/// A drive that reads one bit of every other sector wrong, always.
#[derive(Debug)]
struct Spotted {
    sim: Sim,
    flying: Vec<Option<Access>>,
}

impl Spotted {
    fn new(order: &Order) -> Self {
        let plan = Plan::healthy(Content::Random);
        let sim = Sim::new(GEOMETRY, plan, 3, order.io.block as usize, 7);
        Self {
            sim,
            flying: vec![None; 3],
        }
    }
}

impl Device for Spotted {
    through!(sim);

    fn now(&self) -> Duration {
        self.sim.now()
    }
    fn submit(&mut self, access: Access) -> io::Result<()> {
        self.flying[access.slot] = Some(access);
        self.sim.submit(access)
    }
    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Done>> {
        let done = self.sim.wait(at_most)?;
        let access = done.as_ref().and_then(|done| self.flying[done.slot].take());
        if let Some(access) = access.filter(|access| access.op == Op::Read) {
            let words = GEOMETRY.sector as usize / 8;
            let bad = (0..access.sectors as usize).filter(|n| (access.lba + *n as u64).is_multiple_of(2));
            let data = self.sim.buffer(access.slot);
            bad.for_each(|n| data[n * words] ^= 1);
        }
        Ok(done)
    }
    fn size(&mut self) -> u64 {
        self.sim.size()
    }
}

/// Every block that differs is read again, so that some are under examination at every moment.
fn order(steps: Vec<Step>) -> Order {
    Order {
        key: JobKey([7; 16]),
        geometry: GEOMETRY,
        steps,
        header: None,
        limits: Limits {
            checkpoint_bytes: 200 << 10,
            rewind_bytes: 500 << 10,
            reread_blocks: u32::MAX,
            memory_tests: 0,
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

fn pair(order: Direction) -> Vec<Step> {
    let step = |phase: Phase| Step { order, ..phase.into() };
    vec![step(Phase::Write), step(Phase::Verify)]
}

fn told(evidence: &Evidence) -> (u64, u64, u64) {
    let bits = evidence.defects.beyond(|class| class == Class::Bits);
    (evidence.bad_sectors(), bits, evidence.verified().0)
}

const WHOLE: (u64, u64, u64) = (BAD, BAD - RUNS_MAX as u64, (GEOMETRY.sectors - BAD) * 512);

#[test]
fn the_rounds_of_a_soak_tell_each_bad_sector_once() {
    let mut steps = pair(Direction::Forward);
    let soak = Soak {
        first: 0,
        last: 1,
        seconds: 2,
    };
    for step in &mut steps {
        step.soak = Some(soak);
    }
    let order = order(steps);
    let evidence = runner::run(&mut Spotted::new(&order), &order, "spotted", &mut || None, &mut |_| {}).unwrap();
    assert!(evidence.phases[1].rounds >= 3, "{}", evidence.phases[1].rounds);
    assert_eq!(told(&evidence), WHOLE);
    assert_eq!(judge(&Case::new(&evidence)).outcome, Outcome::Failed);
}

/// Goes on from the last checkpoint after so many turns of each session, ended in order or killed.
fn interrupted(order: &Order, turns: &[usize], kills: bool) -> Evidence {
    let mut order = order.clone();
    let mut drive = Spotted::new(&order);
    let mut last = None;
    for turns in turns.iter().copied().chain([usize::MAX]) {
        order.resume = last.clone().map(|checkpoint| Resumption {
            checkpoint,
            why: "power cut".to_owned(),
            at: Time::UNIX_EPOCH,
        });
        let mut session = Session::new(&drive, &order, "spotted").unwrap();
        for turn in 0.. {
            if turn == turns {
                match kills {
                    true => break,
                    false => session.stop(drive.now(), "a test"),
                }
            }
            for report in session.step(&mut drive) {
                if let Report::Checkpoint { text, .. } = report {
                    last = Some(text);
                }
            }
            if session.is_over() {
                break;
            }
        }
        if turns == usize::MAX {
            return session.evidence().clone();
        }
        drive.sim.kill();
        drive.flying.fill(None);
    }
    unreachable!("the last session runs to its end");
}

#[test]
fn a_verify_that_is_resumed_tells_what_one_tells_that_is_not() {
    let mut behind = 0;
    for (direction, reread_blocks) in [
        (Direction::Forward, 16),
        (Direction::Reverse, 16),
        (Direction::Forward, u32::MAX),
        (Direction::Reverse, u32::MAX),
    ] {
        let mut order = order(pair(direction));
        order.limits.reread_blocks = reread_blocks;
        assert_eq!(told(&interrupted(&order, &[], false)), WHOLE, "{direction:?}");
        for kills in [false, true] {
            // The write takes some 800 turns; the verify as many, or four times that where each block is read again.
            let turns = if reread_blocks == 16 {
                [1_450, 1_500, 1_550]
            } else {
                [3_200, 3_900, 4_003]
            };
            for first in turns {
                for second in [100, 151] {
                    let evidence = interrupted(&order, &[first, second], kills);
                    let of = format!("{direction:?}, {reread_blocks}: {first}, {second}, {kills}");
                    assert!(evidence.resumes.iter().all(|r| r.phase == Phase::Verify), "{of}");
                    assert_eq!(evidence.resumes.len(), 2, "{of}");
                    behind += u32::from(evidence.resumes[1].from.0 > 0);
                    let (sectors, bits, _) = told(&evidence);
                    // One of those that a session comes to again stays, and one of those that were being read again.
                    assert!((WHOLE.1..=WHOLE.1 + 1).contains(&bits), "{of}: {bits}");
                    assert!((BAD..=BAD + 2).contains(&sectors), "{of}: {sectors}");
                }
            }
        }
    }
    assert!(behind > 10, "only {behind} went on from the middle");
}

/// What an engine counted that added up rounds and resumes.
#[test]
fn no_more_is_told_than_the_drive_has() {
    let mut order = order(plain(&[Phase::Write, Phase::Verify]));
    order.steps[0].fill = Fill::Keyed;
    let mut evidence = Evidence::new(GEOMETRY, &order.steps);
    evidence.defects = serde_json::from_str(r#"{"runs":[],"beyond":47488,"beyond_by":[[1,"bits",47488]]}"#).unwrap();
    let verdict = judge(&Case::new(&evidence));
    let mismatch = verdict.rules.iter().find(|hit| hit.id == "verify-mismatch").unwrap();
    assert!(mismatch.value.starts_with("12000 "), "{mismatch:?}");
    assert_eq!(evidence.bad_sectors(), GEOMETRY.sectors);
}

/// An engine that knew no classes counted differing data, of which the box's own memory may be the reason.
#[test]
fn what_was_counted_without_its_class_is_not_blamed_on_the_drive_where_the_memory_is_bad() {
    let mut evidence = Evidence::new(GEOMETRY, &plain(&[Phase::Write, Phase::Verify]));
    evidence.defects = serde_json::from_str(r#"{"runs":[],"beyond":9}"#).unwrap();
    let fails = |evidence: &Evidence| {
        let verdict = judge(&Case::new(evidence));
        verdict.rules.iter().any(|hit| hit.id == "verify-mismatch")
    };
    assert!(fails(&evidence));
    evidence.memory.bad = 1;
    assert!(!fails(&evidence));
}
