//! What the tests over the simulated drive share.

#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

use std::collections::BTreeSet;
use std::ops::Range;

use burnin::device::Geometry;
use burnin::evidence::Evidence;
use burnin::header::Note;
use burnin::pattern::JobKey;
use burnin::playbook::Step;
use burnin::runner;
use burnin::sim::{Fault, Sim, next_random};
use burnin::worker::{Io, Limits, Order};
use wire::job::Phase;
use wire::options::PlanOptions;
use wire::{DriveId, Time};

/// Seeds of the plans that a test tries: `KILN_PLANS` of them, else so many, and a hundred times that with `KILN_LONG`;
/// from `KILN_SEED` on, else from 0, so that a long run can be cut into pieces.
pub(crate) fn seeds(default: u64) -> Range<u64> {
    let long = std::env::var_os("KILN_LONG").is_some();
    // A typing error is told: a run of other plans than were asked for would look like one of these.
    let number = |name| std::env::var(name).ok().map(|n| n.parse::<u64>().expect(name));
    let first = number("KILN_SEED").unwrap_or(0);
    let count = number("KILN_PLANS").unwrap_or(if long { default * 100 } else { default });
    first..first.checked_add(count).expect("KILN_SEED and KILN_PLANS")
}

/// Random numbers from a seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        next_random(&mut self.0) % n
    }
    pub(crate) fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

/// A small drive; one in twelve has room for headers, of two in three a physical sector is several logical ones.
pub(crate) fn geometry(dice: &mut Dice) -> Geometry {
    let (sector, physical) = dice.one_of(&[
        (512, 512),
        (4096, 4096),
        (512, 4096),
        (512, 4096),
        (512, 4096),
        (4096, 16384),
    ]);
    Geometry {
        sectors: if dice.below(12) == 0 {
            1_100 + dice.below(400)
        } else {
            40 + dice.below(400)
        },
        sector,
        physical,
    }
}

/// An order with headers wherever they fit.
pub(crate) fn order(geometry: Geometry, steps: Vec<Step>, dice: &mut Dice) -> Order {
    let mut key = [0; 16];
    key.fill_with(|| dice.below(256) as u8);
    Order {
        key: JobKey(key),
        geometry,
        steps,
        header: Some(note()),
        limits: Limits {
            checkpoint_bytes: 1 << 17,
            memory_tests: 1,
            ..Limits::default()
        },
        io: Io {
            block: geometry.physical * (1 + dice.below((24 / geometry.grain()).max(1))) as u32,
            ..Io::default()
        },
        resume: None,
        failed_before: false,
        pace: None,
        medium: None,
    }
}

/// Without headers: what is on the drive in the end is then what was verified.
pub(crate) fn bare(geometry: Geometry, steps: Vec<Step>, dice: &mut Dice) -> Order {
    Order {
        header: None,
        ..order(geometry, steps, dice)
    }
}

/// Runs an order to its end.
pub(crate) fn burn(sim: &mut Sim, order: &Order) -> Evidence {
    runner::run(sim, order, "simulated", &mut || None, &mut |_| {}).unwrap()
}

/// Phases of the playbooks of these names, without SMART.
pub(crate) const SURFACE: [Phase; 2] = [Phase::Write, Phase::Verify];
/// As [`SURFACE`].
pub(crate) const STANDARD: [Phase; 3] = [Phase::Probe, Phase::Write, Phase::Verify];

/// Every sector that is told as bad.
pub(crate) fn bad_lbas(evidence: &Evidence) -> BTreeSet<u64> {
    evidence
        .defects
        .runs()
        .flat_map(|run| run.first..run.first + run.count)
        .collect()
}

/// Up to five faults at different places, each in a physical sector of its own but for what fades where it was wrong.
pub(crate) fn faults(dice: &mut Dice, geometry: Geometry) -> Vec<Fault> {
    let (sectors, grain) = (geometry.sectors, geometry.grain());
    let mut places: BTreeSet<u64> = BTreeSet::new();
    let mut list = Vec::new();
    for _ in 0..=dice.below(5) {
        let (lba, to) = (dice.below(sectors), dice.below(sectors));
        if lba / grain == to / grain || !places.insert(lba / grain) || !places.insert(to / grain) {
            continue;
        }
        let bit = dice.below(4096) as u32;
        let fault = match dice.below(14) {
            0 => Fault::Flip { lba, bit },
            1 => Fault::FlipOnce { lba, bit },
            2 => Fault::Tear { lba },
            3 => Fault::DropWrite { lba },
            4 => Fault::MisdirectWrite { from: lba, to },
            5 => Fault::Shadow { from: lba, to },
            6 => Fault::MisdirectRead { from: lba, to },
            7 => Fault::ReadError { lba },
            8 => Fault::ReadErrorOnce { lba },
            9 => Fault::DropSecond { lba },
            10 => Fault::WriteErrorOnce { lba },
            // What is read again because it was wrong, and cannot be read any more.
            11 => {
                let near = lba / grain * grain + dice.below(grain);
                let lba = near.min(sectors - 1);
                list.push(Fault::Flip { lba, bit });
                Fault::Fades { lba }
            }
            // What lies between two that were wrong, and cannot be read again with them.
            12 => {
                for near in [lba.saturating_sub(grain), lba + grain] {
                    if near < sectors && places.insert(near / grain) {
                        list.push(Fault::Flip { lba: near, bit });
                    }
                }
                Fault::Fades { lba }
            }
            _ => Fault::WriteError { lba },
        };
        list.push(fault);
    }
    list
}

/// What a test's drive is to keep.
pub(crate) fn note() -> Note {
    Note {
        job: "a test".to_owned(),
        drive: DriveId::from_serial("Simulated drive", "SIM-0001", 1 << 20).unwrap(),
        playbook: "mine".to_owned(),
        options: PlanOptions::default(),
        started: Time::UNIX_EPOCH,
        baseline: Some("{}".to_owned()),
        front: None,
    }
}
