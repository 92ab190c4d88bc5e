//! Drives that claim more than they hold and hide it behind what data has in common: they pack it, or keep one of each.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

#[macro_use]
#[path = "common/through.rs"]
mod through;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::time::Duration;

use burnin::Evidence;
use burnin::device::{Access, Device, Done, Geometry, Op};
use burnin::pattern::JobKey;
use burnin::playbook::{Fill, Step};
use burnin::runner;
use burnin::sim::{Content, Plan, Sim};
use burnin::verdict::{Case, judge};
use burnin::worker::{Io, Limits, Order};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use wire::job::{Outcome, Phase, Verdict};

const GEOMETRY: Geometry = Geometry {
    sectors: 16_384,
    sector: 512,
    physical: 4096,
};

/// Bytes in which the drive keeps things: those of half the flash translation layers.
const CELL: usize = 4096;

/// How it saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trick {
    Packs,
    KeepsOneOfEach,
}

/// A drive that stores an eighth of what it claims.
#[derive(Debug)]
struct Cheat {
    sim: Sim,
    trick: Trick,
    flying: Vec<Option<Access>>,
    /// What each cell costs it, and a sum of its bytes.
    kept: BTreeMap<u64, (usize, u64)>,
    /// Cells whose last write it acknowledged and did not store.
    lost: BTreeSet<u64>,
}

impl Cheat {
    const STORES: usize = GEOMETRY.sectors as usize * 512 / 8;

    fn new(trick: Trick, order: &Order) -> Self {
        Self {
            sim: Sim::new(GEOMETRY, Plan::healthy(Content::Zeros), 3, order.io.block as usize, 7),
            trick,
            flying: vec![None; 3],
            kept: BTreeMap::new(),
            lost: BTreeSet::new(),
        }
    }

    fn cells(access: &Access) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> + use<> {
        let first = access.lba * 512 / CELL as u64;
        let cells = access.sectors as usize * 512 / CELL;
        (0..cells).map(move |n| (first + n as u64, n * CELL / 8..(n + 1) * CELL / 8))
    }

    fn take(&mut self, access: &Access) {
        let data = self.sim.buffer(access.slot).to_vec();
        for (cell, words) in Self::cells(access) {
            let bytes: Vec<u8> = data[words].iter().flat_map(|word| word.to_le_bytes()).collect();
            let sum = u64::from(crc32c::crc32c(&bytes)) << 32 | u64::from(crc32c::crc32c(&bytes[1..]));
            self.kept.remove(&cell);
            let costs = match self.trick {
                Trick::KeepsOneOfEach if self.kept.values().any(|kept| kept.1 == sum) => 0,
                Trick::KeepsOneOfEach => CELL,
                Trick::Packs => {
                    let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
                    packed.write_all(&bytes).unwrap();
                    packed.finish().unwrap().len().min(CELL)
                }
            };
            let full: usize = self.kept.values().map(|kept| kept.0).sum();
            if full + costs <= Self::STORES {
                self.kept.insert(cell, (costs, sum));
                self.lost.remove(&cell);
            } else {
                self.lost.insert(cell);
            }
        }
    }
}

impl Device for Cheat {
    through!(sim);

    fn now(&self) -> Duration {
        self.sim.now()
    }
    fn submit(&mut self, access: Access) -> io::Result<()> {
        if access.op == Op::Write {
            self.take(&access);
        }
        self.flying[access.slot] = Some(access);
        self.sim.submit(access)
    }
    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Done>> {
        let done = self.sim.wait(at_most)?;
        let access = done.as_ref().and_then(|done| self.flying[done.slot].take());
        if let Some(access) = access.filter(|access| access.op == Op::Read) {
            let lost = Self::cells(&access).filter(|(cell, _)| self.lost.contains(cell));
            let lost: Vec<_> = lost.collect();
            let data = self.sim.buffer(access.slot);
            for (_, words) in lost {
                data[words].fill(0);
            }
        }
        Ok(done)
    }
    fn size(&mut self) -> u64 {
        self.sim.size()
    }
}

fn burn(trick: Trick, steps: Vec<Step>) -> (Cheat, Evidence, Verdict) {
    let order = Order {
        key: JobKey([9; 16]),
        geometry: GEOMETRY,
        steps,
        header: None,
        limits: Limits {
            stop_on_fake: false,
            ..Limits::default()
        },
        io: Io {
            block: 64 << 10,
            ..Io::default()
        },
        resume: None,
        failed_before: false,
        pace: None,
        medium: None,
    };
    let mut drive = Cheat::new(trick, &order);
    let evidence = runner::run(&mut drive, &order, "cheat", &mut || None, &mut |_| {}).unwrap();
    let verdict = judge(&Case::new(&evidence));
    (drive, evidence, verdict)
}

fn pass(fill: Fill) -> Vec<Step> {
    let step = |phase: Phase| Step { fill, ..phase.into() };
    vec![step(Phase::Write), step(Phase::Verify)]
}

fn bad(evidence: &Evidence) -> BTreeSet<u64> {
    let runs = evidence.defects.runs();
    runs.flat_map(|run| run.first..run.first + run.count).collect()
}

/// Of the pattern it has room for an eighth, whatever it does with it.
#[test]
fn one_pass_of_the_pattern_shows_each_sector_that_is_not_stored() {
    for trick in [Trick::Packs, Trick::KeepsOneOfEach] {
        let (drive, evidence, verdict) = burn(trick, pass(Fill::Keyed));
        let stored = drive.kept.len() * CELL;
        assert!(stored.abs_diff(Cheat::STORES) <= CELL, "{trick:?} stores {stored}");
        let lost: BTreeSet<u64> = drive.lost.iter().flat_map(|cell| cell * 8..cell * 8 + 8).collect();
        assert_eq!(bad(&evidence), lost, "{trick:?}");
        assert_eq!(verdict.outcome, Outcome::Failed, "{trick:?}: {verdict:?}");
        assert!(verdict.summary.contains("from here to the end"), "{}", verdict.summary);
    }
}

/// Of constants it has room for all that it claims: that they came back says so in the verdict.
#[test]
fn constants_alone_pass_no_drive_that_packs_them() {
    for trick in [Trick::Packs, Trick::KeepsOneOfEach] {
        let probed = [vec![Step::from(Phase::Probe)], pass(Fill::Aa), pass(Fill::Zeros)].concat();
        let (drive, evidence, verdict) = burn(trick, probed);
        assert!(drive.lost.is_empty() && bad(&evidence).is_empty(), "{trick:?}");
        assert_ne!(verdict.outcome, Outcome::Passed, "{trick:?}: {verdict:?}");
        let told: Vec<&str> = verdict.rules.iter().map(|hit| hit.id.as_str()).collect();
        assert!(told.contains(&"constant-pattern-probed"), "{told:?}");
    }
}
