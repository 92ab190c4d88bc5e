//! What is told while it is found: the log's lines, and that the drive fails.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use burnin::device::Geometry;
use burnin::evidence::Evidence;
use burnin::playbook::plain;
use burnin::runner;
use burnin::sim::{Fault, Plan, Sim};
use burnin::verdict::{Case, Failing, failing, judge};
use burnin::worker::{Order, Report};
use common::{Dice, STANDARD, SURFACE, bare as order, faults, geometry, seeds};
use wire::job::Outcome;

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

#[test]
fn what_heads_for_failed_on_the_way_is_failed_in_the_end() {
    let mut early = 0;
    for seed in seeds(300) {
        let mut dice = Dice(seed ^ 0xfa_1111);
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
