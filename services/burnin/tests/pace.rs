//! A job that is paced or held: what it is told it does, and nothing of it is charged to the drive.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

#[macro_use]
#[path = "common/through.rs"]
mod through;

use std::io;
use std::time::Duration;

use burnin::Evidence;
use burnin::device::{Access, Device, Done, Geometry, Op};
use burnin::evidence::Stop;
use burnin::pattern::JobKey;
use burnin::runner::{Ask, Session};
use burnin::sim::{Content, Plan, Sim};
use burnin::worker::{Io, Limits, Order, Report};
use wire::job::{Phase, PhaseStatus};

const GEOMETRY: Geometry = Geometry {
    sectors: 64 << 10,
    sector: 512,
    physical: 512,
};
const BLOCK: u64 = 64 << 10;
const BYTES: u64 = 32 << 20;

/// A simulated drive that notes when which access began.
#[derive(Debug)]
struct Watched {
    sim: Sim,
    began: Vec<(Duration, Op, u64)>,
    /// How often it was asked for its size.
    sized: usize,
}

impl Device for Watched {
    through!(sim);

    fn now(&self) -> Duration {
        self.sim.now()
    }
    fn submit(&mut self, access: Access) -> io::Result<()> {
        self.began.push((self.sim.now(), access.op, access.sectors * 512));
        self.sim.submit(access)
    }
    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Done>> {
        self.sim.wait(at_most)
    }
    fn size(&mut self) -> u64 {
        self.sized += 1;
        self.sim.size()
    }
}

impl Watched {
    fn new() -> Self {
        Self {
            sim: Sim::new(GEOMETRY, Plan::healthy(Content::Random), 4, BLOCK as usize, 7),
            began: Vec::new(),
            sized: 0,
        }
    }

    /// Bytes of reads and writes that began in the busiest window of this length.
    fn busiest(&self, window: Duration) -> u64 {
        let in_window = |from: Duration| {
            let inside = self.began.iter().filter(|(at, ..)| (from..=from + window).contains(at));
            inside.map(|(_, _, bytes)| bytes).sum::<u64>()
        };
        self.began.iter().map(|(at, ..)| in_window(*at)).max().unwrap_or(0)
    }
}

fn order(pace: Option<u64>) -> Order {
    Order {
        key: JobKey([0x5c; 16]),
        geometry: GEOMETRY,
        header: None,
        steps: burnin::playbook::plain(&[Phase::Write, Phase::Verify]),
        limits: Limits::default(),
        io: Io {
            block: BLOCK as u32,
            ..Io::default()
        },
        resume: None,
        failed_before: false,
        pace,
        medium: None,
    }
}

/// Runs to the end; `asks` are asked at these moments.
fn run(drive: &mut Watched, order: &Order, mut asks: Vec<(Duration, Ask)>) -> (Evidence, Vec<Report>) {
    let mut session = Session::new(drive, order, "simulated").unwrap();
    let mut reports = Vec::new();
    while !session.is_over() {
        while asks.first().is_some_and(|(at, _)| *at <= drive.now()) {
            session.ask(drive.now(), asks.remove(0).1);
        }
        reports.extend(session.step(drive));
    }
    (session.evidence().clone(), reports)
}

fn seconds(evidence: &Evidence) -> f64 {
    evidence.phases.iter().map(|phase| phase.seconds).sum()
}

fn passed(evidence: &Evidence) {
    assert!(evidence.stopped.is_none() && evidence.defects.is_empty() && evidence.incidents.is_empty());
    assert!(evidence.phases.iter().all(|p| p.status == PhaseStatus::Done));
    assert_eq!(evidence.verified().0, BYTES);
}

#[test]
fn a_paced_job_keeps_its_rate_over_every_window_and_reaches_it() {
    let rate = 4_000_000;
    let mut drive = Watched::new();
    let (evidence, _) = run(&mut drive, &order(Some(rate)), Vec::new());
    passed(&evidence);
    for window in [100, 1000, 5000] {
        let allowed = rate as f64 * (window as f64 / 1000.0 + 0.05) + BLOCK as f64;
        let most = drive.busiest(Duration::from_millis(window));
        assert!(most as f64 <= allowed, "{most} bytes in {window} ms, allowed {allowed}");
    }
    let due = 2.0 * BYTES as f64 / rate as f64;
    assert!(
        (due * 0.97..due * 1.03).contains(&seconds(&evidence)),
        "{} s",
        seconds(&evidence)
    );
    // The curve over LBA is the drive's own, not the pace's.
    for phase in &evidence.phases {
        assert!(
            phase.zones.rates().iter().all(|r| r.0 > 10 * rate),
            "{:?}",
            phase.zones.rates()
        );
        let allowed = phase.allowed.rate().unwrap() * 1e9;
        assert!((allowed - rate as f64).abs() < 1.0, "{allowed}");
    }
    let mut drive = Watched::new();
    let (evidence, _) = run(&mut drive, &order(None), Vec::new());
    assert!(evidence.phases.iter().all(|phase| !phase.allowed.limited));
}

#[test]
fn another_pace_is_obeyed_at_once() {
    let mut drive = Watched::new();
    let slower = Duration::from_secs(3);
    let faster = Duration::from_secs(9);
    let asks = vec![(slower, Ask::Pace(Some(1_000_000))), (faster, Ask::Pace(None))];
    let (evidence, _) = run(&mut drive, &order(Some(4_000_000)), asks);
    passed(&evidence);
    let between = |from: Duration, to: Duration| {
        let inside = drive.began.iter().filter(|(at, ..)| (from..to).contains(at));
        inside.map(|(_, _, bytes)| bytes).sum::<u64>()
    };
    let slow = between(slower, faster);
    assert!((5_500_000..6_200_000).contains(&slow), "{slow}");
    assert!(drive.now() < faster + Duration::from_secs(4), "{:?}", drive.now());
}

#[test]
fn on_hold_nothing_but_a_flush_begins_and_no_time_is_charged() {
    let mut drive = Watched::new();
    let (from, to) = (Duration::from_secs(2), Duration::from_secs(1802));
    let asks = vec![(from, Ask::Hold("60 °C".to_owned())), (to, Ask::Release)];
    let (evidence, reports) = run(&mut drive, &order(Some(4_000_000)), asks);
    passed(&evidence);
    let wait = Duration::from_millis(250);
    let held: Vec<Op> = drive
        .began
        .iter()
        .filter(|(at, ..)| (from + wait..to).contains(at))
        .map(|(_, op, _)| *op)
        .collect();
    assert!(held.iter().all(|op| *op == Op::Flush) && held.len() <= 1, "{held:?}");
    let due = 2.0 * BYTES as f64 / 4e6;
    assert!(
        (due * 0.95..due * 1.05).contains(&seconds(&evidence)),
        "{} s",
        seconds(&evidence)
    );
    let log = |part: &str| {
        reports
            .iter()
            .any(|r| matches!(r, Report::Log { text } if text.contains(part)))
    };
    assert!(log("on hold: 60 °C") && log("goes on"));
    let checkpoints = reports
        .iter()
        .filter(|r| matches!(r, Report::Checkpoint { .. }))
        .count();
    assert!(
        (2..8).contains(&checkpoints),
        "{checkpoints} checkpoints in half an hour on hold"
    );
}

#[test]
fn a_job_whose_turn_has_not_come_touches_nothing() {
    let mut drive = Watched::new();
    let begin = Duration::from_secs(46);
    let (evidence, _) = run(&mut drive, &order(Some(0)), vec![(begin, Ask::Pace(None))]);
    passed(&evidence);
    assert!(drive.began.iter().all(|(at, ..)| *at >= begin));
    assert!(seconds(&evidence) < 5.0, "{}", seconds(&evidence));
}

#[test]
fn a_job_on_hold_still_stops_with_a_checkpoint() {
    for pace in [Some(4_000_000), Some(0)] {
        let mut drive = Watched::new();
        let asks = vec![
            (Duration::from_secs(2), Ask::Hold("a person".to_owned())),
            (Duration::from_secs(5), Ask::Stop("a person".to_owned())),
        ];
        let (evidence, reports) = run(&mut drive, &order(pace), asks);
        assert!(
            matches!(evidence.stopped, Some(Stop::Asked { .. })),
            "{:?}",
            evidence.stopped
        );
        assert!(reports.iter().any(|r| matches!(r, Report::Checkpoint { .. })));
        assert!(drive.now() < Duration::from_secs(8));
    }
}

#[test]
fn a_drive_whose_accesses_go_well_is_asked_for_its_size_now_and_then() {
    let mut drive = Watched::new();
    let (evidence, _) = run(&mut drive, &order(None), Vec::new());
    assert_eq!((evidence.verified().0, evidence.stopped), (BYTES, None));
    let tenths = drive.now().as_millis() as usize / 100;
    // Ten times a second, every 8 MiB, at the end of each leg, and where it happened to have nothing else to do.
    let stretches = ((2 * BYTES) >> 23) as usize;
    assert!(
        (stretches..=tenths + stretches + 8).contains(&drive.sized) && drive.sized * 8 < drive.began.len(),
        "{} times in {tenths} tenths of a second, {} accesses",
        drive.sized,
        drive.began.len()
    );
}
