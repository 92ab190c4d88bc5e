//! A drive, or a way to it, that acknowledges a read and brings nothing: the buffer keeps what it had.

#![allow(clippy::unwrap_used, reason = "tests")]

#[macro_use]
#[path = "common/through.rs"]
mod through;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use burnin::device::{Access, Device, Done, Geometry, Op};
use burnin::pattern::JobKey;
use burnin::playbook::{Direction, Fill, Playbook, Step, moves_data};
use burnin::runner;
use burnin::sim::{Content, Plan, Sim};
use burnin::verdict::{Case, judge};
use burnin::worker::{Io, Limits, Order};
use wire::job::{Outcome, Phase};

const GEOMETRY: Geometry = Geometry {
    sectors: 2_048,
    sector: 512,
    physical: 4096,
};

#[derive(Debug)]
struct Quiet {
    sim: Sim,
    /// The read that brings nothing.
    nth: Option<usize>,
    reads: usize,
    kept: BTreeMap<usize, Vec<u64>>,
}

impl Device for Quiet {
    through!(sim);

    fn now(&self) -> Duration {
        self.sim.now()
    }
    fn submit(&mut self, access: Access) -> io::Result<()> {
        if access.op == Op::Read {
            if self.nth == Some(self.reads) {
                let kept = self.sim.buffer(access.slot).to_vec();
                self.kept.insert(access.slot, kept);
            }
            self.reads += 1;
        }
        self.sim.submit(access)
    }
    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Done>> {
        let done = self.sim.wait(at_most)?;
        if let Some(done) = &done
            && let Some(kept) = self.kept.remove(&done.slot)
        {
            self.sim.buffer(done.slot).copy_from_slice(&kept);
        }
        Ok(done)
    }
    fn size(&mut self) -> u64 {
        self.sim.size()
    }
}

/// Reads there were, and whether anything was found where one of them brought nothing.
fn burn(steps: &[Step], depth: u8, nth: Option<usize>) -> (usize, bool) {
    let order = Order {
        key: JobKey([9; 16]),
        geometry: GEOMETRY,
        steps: steps.to_vec(),
        header: None,
        limits: Limits::default(),
        io: Io {
            block: 64 << 10,
            depth: depth.into(),
            ..Io::default()
        },
        resume: None,
        failed_before: false,
        pace: None,
        medium: None,
    };
    let sim = Sim::new(GEOMETRY, Plan::healthy(Content::Random), depth.into(), 64 << 10, 1);
    let mut device = Quiet {
        sim,
        nth,
        reads: 0,
        kept: BTreeMap::new(),
    };
    let evidence = runner::run(&mut device, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
    let outcome = judge(&Case::new(&evidence)).outcome;
    let found = !evidence.defects.is_empty() || !evidence.incident_counts.is_empty();
    assert!(!found || outcome != Outcome::Passed);
    (device.reads, found)
}

#[test]
fn it_is_never_taken_for_what_was_expected() {
    let of = |name: &str| {
        let steps = Playbook::named(name).unwrap().steps().to_vec();
        steps
            .into_iter()
            .filter(|step| moves_data(step.phase))
            .collect::<Vec<_>>()
    };
    let back = |phase: Phase, order| Step {
        order,
        ..Step::from(phase)
    };
    let turned = vec![
        back(Phase::Write, Direction::Forward),
        back(Phase::Verify, Direction::Reverse),
    ];
    let books = [
        ("standard", of("standard")),
        ("badblocks", of("badblocks")),
        ("erase", of("erase")),
        ("a pass read backwards", turned),
    ];
    for (name, steps) in books {
        for depth in [1, 4] {
            let (reads, found) = burn(&steps, depth, None);
            assert!(!found, "{name}");
            let taken = (0..reads).filter(|nth| !burn(&steps, depth, Some(*nth)).1);
            let taken: Vec<usize> = taken.collect();
            assert!(
                taken.is_empty(),
                "{name}, depth {depth}: of {reads} reads these: {taken:?}"
            );
        }
    }
    assert!(of("erase").iter().any(|step| step.fill != Fill::Keyed));
}
