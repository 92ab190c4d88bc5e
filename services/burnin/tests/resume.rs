//! Random kills and power cuts over a drive with a volatile cache.
//!
//! After every interruption the job goes on from the last checkpoint that it told. In the
//! end a healthy drive has passed whole, every sector holds what was written last and was
//! read since. Leaving out either kind of flush must make this fail; that is tested too.

#![allow(clippy::unwrap_used, reason = "tests")]

use burnin::Checkpoint;
use burnin::device::Geometry;
use burnin::evidence::Evidence;
use burnin::pattern::JobKey;
use burnin::playbook::plain;
use burnin::runner::Session;
use burnin::sim::{Content, Fault, Plan, Sim, Skip, next_random};
use burnin::worker::{Io, Limits, Order, Report, Resumption};
use wire::Time;
use wire::job::{Phase, PhaseStatus};

const GEOMETRY: Geometry = Geometry {
    sectors: 1_500,
    sector: 512,
    physical: 512,
};

fn order(phases: &[Phase], seed: u64) -> Order {
    Order {
        key: JobKey([seed as u8 ^ 0x5c; 16]),
        geometry: GEOMETRY,
        steps: plain(phases),
        header: None,
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

/// Burns with interruptions; returns the evidence and the drive, or what went wrong.
fn interrupted(seed: u64, plan: Plan, skip: Skip) -> (Evidence, Sim, u32) {
    let mut random = seed;
    let phases: &[Phase] = if seed.is_multiple_of(3) {
        &[Phase::Probe, Phase::Write, Phase::Verify]
    } else {
        &[Phase::Write, Phase::Verify]
    };
    let mut order = order(phases, seed);
    let mut sim = Sim::new(GEOMETRY, plan, 3, order.io.block as usize, seed);
    sim.skip = skip;
    let mut cuts = 0;
    let mut last: Option<String> = None;
    loop {
        order.resume = last.clone().map(|checkpoint| Resumption {
            checkpoint,
            why: "power cut".to_owned(),
            at: Time::UNIX_EPOCH,
        });
        let mut session = Session::new(&sim, &order, "simulated").unwrap();
        let steps = if cuts < 7 {
            next_random(&mut random) % 90
        } else {
            u64::MAX
        };
        for _ in 0..steps {
            for report in session.step(&mut sim) {
                if let Report::Checkpoint { text } = report {
                    let told = Checkpoint::decode(&text).unwrap();
                    assert!(told.frontier <= GEOMETRY.sectors);
                    last = Some(text);
                }
            }
            if session.is_over() {
                return (session.evidence().clone(), sim, cuts);
            }
        }
        cuts += 1;
        if next_random(&mut random) & 1 == 0 {
            sim.power_cut()
        } else {
            sim.kill()
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
            .all(|p| p.status == PhaseStatus::Done && p.done == p.total)
        && (0..GEOMETRY.sectors).all(|lba| truth.is_right(lba) && truth.was_seen(lba))
}

fn volatile() -> Plan {
    Plan {
        volatile: true,
        ..Plan::healthy(Content::Random)
    }
}

#[test]
fn two_hundred_interrupted_burn_ins_skip_nothing_and_claim_nothing() {
    let mut resumed = 0;
    for seed in 0..200 {
        let (evidence, sim, cuts) = interrupted(seed, volatile(), Skip::None);
        assert!(faultless(&evidence, &sim), "seed {seed}, {cuts} cuts: {evidence:#?}");
        assert!(evidence.resumes.len() <= cuts as usize);
        assert!(evidence.resumes.iter().all(|r| r.why == "power cut"));
        resumed += evidence.resumes.len();
    }
    assert!(
        resumed > 300,
        "only {resumed} resumes: the cuts came too early to test anything"
    );
}

#[test]
fn leaving_out_either_flush_is_noticed() {
    for skip in [Skip::AtEnd, Skip::Between] {
        let noticed = (0..200).filter(|seed| {
            let (evidence, sim, _) = interrupted(*seed, volatile(), skip);
            !faultless(&evidence, &sim)
        });
        assert!(noticed.count() > 0, "{skip:?} changed nothing");
    }
}

#[test]
fn a_bad_drive_stays_bad_over_interruptions() {
    for seed in 0..100 {
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

#[test]
fn a_stopped_job_goes_on_where_it_stopped() {
    for seed in 0..50 {
        let mut order = order(&[Phase::Write, Phase::Verify], seed);
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
                    if let Report::Checkpoint { text } = report {
                        last = Some(text);
                    }
                }
            }
            let told = Checkpoint::decode(last.as_deref().unwrap()).unwrap();
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

#[test]
fn a_checkpoint_of_another_job_is_refused() {
    let first = order(&[Phase::Write, Phase::Verify], 1);
    let mut sim = Sim::new(GEOMETRY, volatile(), 3, first.io.block as usize, 1);
    let mut session = Session::new(&sim, &first, "simulated").unwrap();
    let mut last = None;
    while last.is_none() {
        for report in session.step(&mut sim) {
            if let Report::Checkpoint { text } = report {
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
            ..order(&[Phase::Write, Phase::Verify], 2)
        },
        Order {
            resume: resume.clone(),
            ..order(&[Phase::Probe, Phase::Write, Phase::Verify], 1)
        },
        Order {
            resume,
            geometry: Geometry {
                sectors: 1_400,
                ..GEOMETRY
            },
            ..order(&[Phase::Write, Phase::Verify], 1)
        },
    ] {
        let told = Session::new(&sim, &other, "simulated").unwrap_err().to_string();
        assert!(told.contains("another job"), "{told}");
    }
}
