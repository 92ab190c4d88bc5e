//! What an access waits for others is not its own time: drives that serve one access after the other, or all at once, over the pure pipeline.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use burnin::device::{Access, Geometry, Op};
use burnin::evidence::Evidence;
use burnin::pattern::JobKey;
use burnin::pipeline::{Outcome as Came, Pipeline};
use burnin::playbook::{Playbook, Step, plain};
use burnin::verdict::{Case, judge};
use burnin::worker::{Io, Limits, Order, Report};
use wire::drive::{Bus, Rotation};
use wire::job::{Outcome, Phase};

const GB: u64 = 1_000_000_000;
const DISK: Rotation = Rotation::Spinning { rpm: Some(7200) };
const MS: Duration = Duration::from_millis(1);

/// A drive, and how long it takes for an access, given the bytes that were written to it before.
struct Queue<F> {
    bytes: u64,
    bus: Bus,
    rotation: Rotation,
    /// Whether it serves all at once.
    at_once: bool,
    takes: F,
}

impl<F: FnMut(Access, u64) -> Duration> Queue<F> {
    /// One that serves one access after the other.
    fn new(bytes: u64, bus: Bus, rotation: Rotation, takes: F) -> Self {
        Self {
            bytes,
            bus,
            rotation,
            at_once: false,
            takes,
        }
    }

    fn run(mut self, steps: Vec<Step>) -> (Evidence, Outcome) {
        let io = Io::for_drive(self.bus, self.rotation);
        let geometry = Geometry {
            sectors: self.bytes / 512,
            sector: 512,
            physical: 4096,
        };
        let order = Order {
            key: JobKey([7; 16]),
            geometry,
            steps,
            header: None,
            limits: Limits::default(),
            io,
            resume: None,
            failed_before: false,
            pace: None,
            medium: None,
        };
        let (mut now, mut free, mut written) = (Duration::ZERO, Duration::ZERO, 0);
        let mut pipeline = Pipeline::new(&order, "x", now).unwrap();
        // In the order in which they come back.
        let mut queue: Vec<(Duration, usize)> = Vec::new();
        while !pipeline.is_over() {
            for slot in 0..usize::try_from(io.depth).unwrap() {
                let idle = queue.iter().all(|(_, busy)| *busy != slot);
                if let Some(request) = idle.then(|| pipeline.next(now, slot)).flatten() {
                    let begins = if self.at_once { now } else { free.max(now) };
                    free = begins + (self.takes)(request.access, written);
                    queue.push((free, slot));
                    queue.sort_unstable();
                    written += if request.access.op == Op::Write {
                        request.access.sectors * 512
                    } else {
                        0
                    };
                }
            }
            pipeline.tick(now);
            for report in pipeline.reports() {
                if let Report::Yield { step } = report {
                    pipeline.go(now, step);
                }
            }
            match queue.first().copied() {
                Some((at, slot)) if at <= now + 250 * MS => {
                    now = now.max(at);
                    queue.remove(0);
                    pipeline.complete(now, slot, Came::Done);
                }
                _ => now += 250 * MS,
            }
        }
        let evidence = pipeline.evidence().clone();
        let case = Case {
            rotation: self.rotation,
            bus: self.bus,
            ..Case::new(&evidence)
        };
        let verdict = judge(&case);
        println!("{:?}: {}", verdict.outcome, verdict.summary);
        (evidence, verdict.outcome)
    }
}

fn passes() -> Vec<Step> {
    plain(&[Phase::Probe, Phase::Write, Phase::Verify])
}

fn at(mb_s: u64, access: Access) -> Duration {
    Duration::from_nanos(access.sectors * 512 * 1000 / mb_s)
}

/// A drive of so many MB/s, of which this write takes twelve seconds more.
fn one_long_write(mb_s: u64, nth: u32) -> impl FnMut(Access, u64) -> Duration {
    let mut writes = 0;
    move |access, _| {
        let is_write = access.op == Op::Write;
        writes += u32::from(is_write);
        let more = if is_write && writes == nth {
            12_000 * MS
        } else {
            Duration::ZERO
        };
        at(mb_s, access) + more
    }
}

/// A full cache of 256 MB takes a disk so long, and what is asked meanwhile waits: FLUSH CACHE EXT is not queued.
#[test]
fn a_disk_that_flushes_for_seconds_is_no_shingled_one() {
    let mut flushed = 0;
    let takes = |access: Access, written: u64| match access.op {
        Op::Flush => {
            let much = written - std::mem::replace(&mut flushed, written) > 200_000_000;
            if much { 2300 * MS } else { 50 * MS }
        }
        Op::Read | Op::Write | Op::Trim => at(200, access),
    };
    let disk = Queue::new(250 * GB, Bus::Sata, DISK, takes);
    assert_eq!(disk.run(passes()).1, Outcome::Passed);
}

#[test]
fn one_long_flush_is_no_long_access() {
    for rotation in [DISK, Rotation::SolidState] {
        let mut long = Some(12_000 * MS);
        let takes = |access: Access, written: u64| match access.op {
            Op::Flush if written > 50 * GB => long.take().unwrap_or(50 * MS),
            Op::Flush => 50 * MS,
            Op::Read | Op::Write | Op::Trim => at(400, access),
        };
        let drive = Queue::new(120 * GB, Bus::Sata, rotation, takes);
        let (evidence, outcome) = drive.run(passes());
        assert_eq!(
            (outcome, evidence.incidents),
            (Outcome::Passed, Vec::new()),
            "{rotation:?}"
        );
    }
}

/// None of four neighbours takes more than three seconds, and the last of them comes back after twelve.
#[test]
fn what_waits_for_its_neighbours_did_not_take_that_long() {
    let mut reads = 0;
    let takes = |access: Access, _: u64| {
        reads += u32::from(access.op == Op::Read);
        let slow = access.op == Op::Read && (5000..5004).contains(&reads);
        at(200, access) + if slow { 2900 * MS } else { Duration::ZERO }
    };
    let disk = Queue::new(50 * GB, Bus::Sata, DISK, takes);
    let (evidence, outcome) = disk.run(passes());
    assert_ne!(outcome, Outcome::Failed);
    assert_eq!(evidence.incidents, []);
}

/// One access that hangs is told whatever goes on beside it, and one behind it is not.
#[test]
fn one_long_access_is_told_once() {
    let disk = Queue::new(50 * GB, Bus::Sata, DISK, one_long_write(200, 5000));
    let (evidence, outcome) = disk.run(passes());
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(evidence.incidents.len(), 1, "{:?}", evidence.incidents);
}

/// A stick that takes 2.6 s for each place that is probed is slow, and nothing else.
#[test]
fn a_slow_stick_has_no_access_of_ten_seconds() {
    let takes = |access: Access, _: u64| match access.op {
        Op::Flush => 2000 * MS,
        Op::Write => 2600 * MS,
        Op::Read | Op::Trim => 20 * MS,
    };
    let stick = Queue::new(16 * GB, Bus::Usb, Rotation::Unknown, takes);
    let (evidence, outcome) = stick.run(Playbook::named("quick").unwrap().steps().to_vec());
    assert_ne!(outcome, Outcome::Failed);
    assert_eq!(evidence.incidents, []);
}

/// A shingled disk that says nothing of it pauses once while its places are probed: without a pass nobody can tell what that was.
#[test]
fn one_pause_of_a_write_fails_nothing_where_a_pass_is_missing() {
    for (rotation, outcome) in [
        (Rotation::Unknown, Outcome::Inconclusive),
        (DISK, Outcome::Inconclusive),
        (Rotation::SolidState, Outcome::Failed),
    ] {
        let drive = Queue::new(5000 * GB, Bus::Usb, rotation, one_long_write(100, 600));
        let quick = Playbook::named("quick").unwrap().steps().to_vec();
        assert_eq!(drive.run(quick).1, outcome, "{rotation:?}");
    }
}

/// Whatever is flushed beside it, before or after: an access that hangs is told.
#[test]
fn a_write_that_hangs_beside_flushes_is_told() {
    for after in (0..8 * GB).step_by(500_000_000) {
        let mut hang = Some(13_000 * MS);
        let takes = |access: Access, written: u64| match access.op {
            Op::Flush => 900 * MS,
            Op::Write if written > 20 * GB + after => hang.take().unwrap_or(MS),
            Op::Read | Op::Write | Op::Trim => MS,
        };
        let flash = Queue {
            at_once: true,
            ..Queue::new(120 * GB, Bus::Nvme, Rotation::SolidState, takes)
        };
        let (evidence, outcome) = flash.run(passes());
        assert_eq!((outcome, evidence.incidents.len()), (Outcome::Failed, 1), "{after}");
    }
}

/// It stands still with a flush and the writes behind it, which come back first: they cannot all excuse each other.
#[test]
fn a_flush_that_hangs_with_the_writes_behind_it_is_told() {
    for (frozen, due) in [(60_000 * MS, Outcome::Warn), (6_000 * MS, Outcome::Passed)] {
        let (mut once, mut behind) = (true, 0);
        let takes = |access: Access, written: u64| match access.op {
            Op::Flush if written > 20 * GB && std::mem::take(&mut once) => {
                behind = 3;
                frozen + 100 * MS
            }
            Op::Write if behind > 0 => {
                behind -= 1;
                frozen
            }
            Op::Flush => 50 * MS,
            Op::Read | Op::Write | Op::Trim => MS,
        };
        let flash = Queue {
            at_once: true,
            ..Queue::new(60 * GB, Bus::Nvme, Rotation::SolidState, takes)
        };
        let (evidence, outcome) = flash.run(passes());
        assert_eq!((outcome, evidence.incidents), (due, Vec::new()), "{frozen:?}");
    }
}

/// A flush that takes seconds by house-keeping, and writes that come back beside it, each soon.
#[test]
fn writes_that_pass_a_flush_are_no_fault() {
    let takes = |access: Access, written: u64| match access.op {
        Op::Flush if written > 10 * GB => 12_000 * MS,
        Op::Flush => 50 * MS,
        Op::Write => 400 * MS,
        Op::Read | Op::Trim => 4 * MS,
    };
    let flash = Queue {
        at_once: true,
        ..Queue::new(60 * GB, Bus::Sata, Rotation::SolidState, takes)
    };
    let (evidence, outcome) = flash.run(passes());
    assert_eq!((outcome, evidence.incidents), (Outcome::Passed, Vec::new()));
}
