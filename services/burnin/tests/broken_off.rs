//! What a session that ends by itself, or by too many errors, leaves behind: of the drive's own words none is lost, and a link's count as
//! no bad sectors.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[macro_use]
#[path = "common/through.rs"]
mod through;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use burnin::Checkpoint;
use burnin::device::{Access, Device, Done, Geometry, Op};
use burnin::evidence::{Evidence, Stop};
use burnin::findings::keep_untold;
use burnin::pattern::JobKey;
use burnin::playbook::plain;
use burnin::runner;
use burnin::sim::{Content, Plan, Sim, next_random};
use burnin::verdict::{Case, judge};
use burnin::worker::{Io, Limits, Order, Report, Resumption};
use common::note;
use wire::Time;
use wire::job::{Outcome, Phase};

const GEOMETRY: Geometry = Geometry {
    sectors: 2_000,
    sector: 512,
    physical: 512,
};

fn order(geometry: Geometry) -> Order {
    Order {
        key: JobKey([3; 16]),
        geometry,
        steps: plain(&[Phase::Write, Phase::Verify]),
        header: None,
        limits: Limits::default(),
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

/// A drive of which accesses end otherwise than the simulated one says.
struct Ends<F> {
    sim: Sim,
    under_way: BTreeMap<usize, Access>,
    ends: F,
}

impl<F> std::fmt::Debug for Ends<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.sim.fmt(f)
    }
}

impl<F> Ends<F> {
    fn of(sim: Sim, ends: F) -> Self {
        Self {
            sim,
            under_way: BTreeMap::new(),
            ends,
        }
    }
}

impl<F: FnMut(Access) -> Option<i32>> Device for Ends<F> {
    through!(sim);
    fn now(&self) -> Duration {
        self.sim.now()
    }
    fn submit(&mut self, access: Access) -> io::Result<()> {
        self.under_way.insert(access.slot, access);
        self.sim.submit(access)
    }
    fn wait(&mut self, longest: Duration) -> io::Result<Option<Done>> {
        let mut done = self.sim.wait(longest)?;
        if let Some(done) = &mut done
            && let Some(errno) = self.under_way.remove(&done.slot).and_then(&mut self.ends)
        {
            done.result = Err(errno);
        }
        Ok(done)
    }
    fn size(&mut self) -> u64 {
        self.sim.size()
    }
}

/// A write fails by the medium's own word, and the next ones are refused, since the kernel has made the node read-only: what was under
/// examination then is part of what the job came to, also once it goes on.
#[test]
fn what_was_examined_when_the_node_turned_read_only_is_not_forgotten() {
    for errno in [libc::EIO, libc::ENODATA] {
        for after in 0..3 {
            let mut order = Order {
                header: Some(note()),
                ..order(GEOMETRY)
            };
            let (mut failed, mut left) = (false, after);
            let refuses = move |access: Access| match access.op {
                Op::Write if !failed && (access.lba..access.lba + access.sectors).contains(&1_500) => {
                    failed = true;
                    Some(errno)
                }
                Op::Write if failed && left == 0 => Some(libc::EPERM),
                Op::Write if failed => {
                    left -= 1;
                    None
                }
                Op::Read | Op::Write | Op::Flush | Op::Trim => None,
            };
            let sim = Sim::new(GEOMETRY, Plan::healthy(Content::Random), 4, 8 << 10, 3);
            let mut drive = Ends::of(sim, refuses);
            let (mut checkpoint, mut told) = (None, Vec::new());
            let evidence = runner::run(&mut drive, &order, "simulated", &mut || None, &mut |report| {
                if let Report::Checkpoint { text, .. } = report {
                    checkpoint = Some(text);
                } else if let Report::Findings { findings, .. } = report {
                    told = findings;
                }
            });
            let evidence = evidence.unwrap();
            let context = format!("{errno} after {after}: {:?}", evidence.stopped);
            assert!(matches!(evidence.stopped, Some(Stop::Engine { .. })), "{context}");
            assert!(!evidence.findings().is_empty() && !told.is_empty(), "{context}");
            // What was told and is in no checkpoint stays told.
            let checkpoint = checkpoint.unwrap();
            let mut before = Vec::new();
            keep_untold(
                &mut before,
                &told,
                &Checkpoint::decode(&checkpoint).unwrap().evidence.findings(),
            );
            let mut drive = drive.sim;
            drive.kill();
            order.resume = Some(Resumption {
                checkpoint,
                why: "it was read-only".to_owned(),
                at: Time::UNIX_EPOCH,
            });
            let evidence = runner::run(&mut drive, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
            let case = Case {
                findings_before_loss: &before,
                ..Case::new(&evidence)
            };
            let due = match errno {
                libc::ENODATA => Outcome::Failed,
                _ => Outcome::Inconclusive,
            };
            assert_eq!(judge(&case).outcome, due, "{context}");
        }
    }
}

/// What comes of a drive of which accesses fail like this, and when so many did.
fn broken_off(seed: u64, fails: impl FnMut(Access) -> Option<i32>) -> (Evidence, Outcome) {
    let geometry = Geometry {
        sectors: 100_000,
        sector: 512,
        physical: 4096,
    };
    let mut order = order(geometry);
    // So many pieces that what an error of the link meets is another one each time.
    order.io.block = 64 << 10;
    order.limits = Limits {
        errors_max: 50,
        ..Limits::default()
    };
    let sim = Sim::new(geometry, Plan::healthy(Content::Random), 4, 64 << 10, seed);
    let mut drive = Ends::of(sim, fails);
    let evidence = runner::run(&mut drive, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
    let outcome = judge(&Case::new(&evidence)).outcome;
    (evidence, outcome)
}

#[test]
fn a_link_that_fails_each_access_only_once_makes_no_bad_sectors() {
    let now_and_then = |seed: u64, errno| {
        let mut random = seed;
        move |access: Access| {
            let fails = access.op != Op::Flush && next_random(&mut random).is_multiple_of(20);
            fails.then_some(errno)
        }
    };
    for seed in 0..60 {
        let (evidence, outcome) = broken_off(seed, now_and_then(seed, libc::ETIMEDOUT));
        assert_eq!(evidence.stopped, Some(Stop::TooManyErrors), "seed {seed}");
        assert_eq!(
            (evidence.bad_sectors(), outcome),
            (0, Outcome::Inconclusive),
            "seed {seed}"
        );
    }
    // Of which the medium says so, it is the drive's.
    let (evidence, outcome) = broken_off(1, now_and_then(1, libc::ENODATA));
    assert_eq!(evidence.stopped, Some(Stop::TooManyErrors));
    assert_eq!(outcome, Outcome::Failed);
    // What fails again and again is bad, though nothing was waited for.
    let (evidence, outcome) = broken_off(1, |access| (access.lba >= 50_000).then_some(libc::EIO));
    assert_eq!(evidence.stopped, Some(Stop::TooManyErrors));
    assert_eq!(outcome, Outcome::Failed);
}
