//! How long a job says that it takes, and how far that it is, held against how long it took: on a simulated drive whose time is stretched,
//! so that a sweep over it takes many seconds.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

mod common;
#[macro_use]
#[path = "common/through.rs"]
mod through;

use std::io;
use std::time::Duration;

use burnin::device::{Access, Device, Done, Geometry};
use burnin::playbook::{Soak, Step, plain};
use burnin::runner::Session;
use burnin::sim::{Content, Plan, Sim, Trim};
use burnin::worker::{Limits, Order, Report};
use common::{Dice, bare};
use wire::job::{Phase, Progress};

const GEOMETRY: Geometry = Geometry {
    sectors: 8 << 10,
    sector: 512,
    physical: 4096,
};

/// How often a second of the simulated drive is as long as one here: a sweep then takes about ten.
const STRETCH: u32 = 130;

#[derive(Debug)]
struct Stretched {
    sim: Sim,
}

impl Device for Stretched {
    through!(sim);

    fn now(&self) -> Duration {
        self.sim.now() * STRETCH
    }
    fn submit(&mut self, access: Access) -> io::Result<()> {
        self.sim.submit(access)
    }
    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Done>> {
        self.sim.wait(at_most / STRETCH)
    }
    fn size(&mut self) -> u64 {
        self.sim.size()
    }
}

/// What was told, with how long it went on from then.
fn told(steps: Vec<Step>, trim: Trim) -> Vec<(Progress, f64)> {
    let mut order = bare(GEOMETRY, steps, &mut Dice(8));
    order.io.block = 32 << 10;
    order.limits = Limits {
        trim_bytes: 64 << 10,
        ..Limits::default()
    };
    run(&order, trim)
}

fn run(order: &Order, trim: Trim) -> Vec<(Progress, f64)> {
    let mut plan = Plan::healthy(Content::Random);
    plan.trim = trim;
    let mut drive = Stretched {
        sim: Sim::new(GEOMETRY, plan, 1, order.io.block as usize, 8),
    };
    let mut session = Session::new(&drive, order, "simulated").unwrap();
    let mut told = Vec::new();
    while !session.is_over() {
        for report in session.step(&mut drive) {
            if let Report::Progress { progress, .. } = report {
                told.push((progress, drive.now()));
            }
        }
    }
    let end = drive.now();
    let left = |at: Duration| end.saturating_sub(at).as_secs_f64();
    told.into_iter().map(|(progress, at)| (progress, left(at))).collect()
}

/// What is told in these steps is what came, to so many seconds.
fn is_true(told: &[(Progress, f64)], seconds: f64) {
    assert!(told.len() > 5, "{told:?}");
    for (progress, left) in told {
        let eta = progress.eta_job.unwrap_or_else(|| panic!("{progress:?}"));
        assert!((eta - left).abs() < seconds, "{left} s: {progress:?}\n{told:?}");
    }
}

/// It never goes back, and is at its end only there.
fn goes_on(told: &[(Progress, f64)]) {
    for ((before, _), (after, left)) in told.iter().zip(&told[1..]) {
        assert!(before.percent <= after.percent, "{before:?} {after:?}");
        assert!(after.percent < 100.0 || *left < 1.0, "{left} s: {after:?}");
    }
}

/// Its middle is about in the middle of its time.
fn is_even(told: &[(Progress, f64)]) {
    let half = told.iter().find(|(progress, _)| progress.percent >= 50.0).unwrap();
    let whole = told[0].1;
    assert!((0.35..0.65).contains(&(half.1 / whole)), "{half:?} of {whole}");
}

fn soaked(mut steps: Vec<Step>, from: usize, seconds: u64) -> Vec<Step> {
    let (first, last) = (from as u16, steps.len() as u16 - 1);
    for step in &mut steps[from..] {
        step.soak = Some(Soak { first, last, seconds });
    }
    steps
}

/// A round of a large disk takes longer than many a soak: 100 % and "moments" were told for days.
#[test]
fn a_soak_is_told_to_last_until_its_round_is_over() {
    for seconds in [5, 30] {
        let told = told(soaked(plain(&[Phase::Write, Phase::Verify]), 0, seconds), Trim::Zeros);
        is_true(&told, 2.0);
        goes_on(&told);
        is_even(&told);
    }
}

/// Such a block ends with steps that are none.
#[test]
fn a_soak_goes_on_behind_a_trim_that_the_drive_refuses() {
    let phases = [Phase::Write, Phase::Verify, Phase::Trim, Phase::TrimCheck];
    for trim in [Trim::Refused, Trim::RefusedByDrive, Trim::Zeros] {
        goes_on(&told(soaked(plain(&phases), 0, 50), trim));
    }
}

/// It fell when the block began, as one's own hours alone counted.
#[test]
fn a_soak_behind_other_steps_takes_no_percent_back() {
    let mut steps = plain(&[Phase::Write, Phase::Verify, Phase::Seek, Phase::Verify]);
    steps[2].seconds = 3;
    let told = told(soaked(steps, 2, 30), Trim::Zeros);
    goes_on(&told);
    is_even(&told);
    is_true(&told, 3.0);
    // Also in later rounds such a step is told as far as it is in this one.
    let seeks = told.iter().filter(|(progress, _)| progress.phase == Phase::Seek);
    for (progress, _) in seeks {
        let percent = progress.phase_percent.unwrap();
        let eta = progress.eta.unwrap();
        assert!((percent - 100.0 * (1.0 - eta / 3.0)).abs() < 0.1, "{progress:?}");
        assert!(percent < 99.0 || eta < 0.1, "{progress:?}");
    }
    assert!(
        told.iter()
            .filter(|(progress, _)| progress.phase == Phase::Seek && progress.eta > Some(1.5))
            .count()
            > 1
    );
}

/// They stayed part of what was left, for ever.
#[test]
fn a_trim_that_the_drive_refuses_takes_no_time() {
    let phases = [Phase::Write, Phase::Trim, Phase::TrimCheck, Phase::Verify];
    let told = told(plain(&phases), Trim::Refused);
    let reads: Vec<_> = told.into_iter().filter(|(p, _)| p.phase == Phase::Verify).collect();
    is_true(&reads, 2.0);
}

/// Neither scattered places, nor trims, nor seeks tell how fast a sweep is.
#[test]
fn a_sweep_is_told_to_last_as_sweeps_of_this_job_did() {
    let mut steps = plain(&[
        Phase::Probe,
        Phase::Write,
        Phase::Seek,
        Phase::Trim,
        Phase::Write,
        Phase::Verify,
    ]);
    steps[2].seconds = 4;
    steps[4].pass = 2;
    steps[5].pass = 2;
    let told = told(steps, Trim::Zeros);
    let (probe, rest): (Vec<_>, Vec<_>) = told.into_iter().partition(|(p, _)| p.phase == Phase::Probe);
    assert!(!probe.is_empty());
    for (progress, _) in probe {
        assert_eq!(progress.eta_job, None, "nobody knows yet: {progress:?}");
    }
    assert!(rest.iter().any(|(progress, _)| progress.phase == Phase::Trim));
    is_true(&rest, 4.0);
}
