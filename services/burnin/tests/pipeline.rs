//! The pipeline alone: its requests are answered by hand, so that what a drive does at which moment is exact.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::unchecked_time_subtraction,
    reason = "tests"
)]

use std::collections::VecDeque;
use std::time::Duration;

use burnin::device::{Access, Geometry, Op};
use burnin::evidence::Evidence;
use burnin::pattern::JobKey;
use burnin::pipeline::{Outcome, Pipeline, Request};
use burnin::playbook::plain;
use burnin::verdict::{Case, judge};
use burnin::worker::{Io, Limits, Order, Report};
use wire::job::{FaultKind, Outcome as Verdict, Phase};

const GEOMETRY: Geometry = Geometry {
    sectors: 64 << 10,
    sector: 512,
    physical: 512,
};
const BLOCK: u64 = 64 << 10;
const MIB: u64 = 1 << 20;

fn order(phases: &[Phase], limits: Limits) -> Order {
    Order {
        key: JobKey([0x3b; 16]),
        geometry: GEOMETRY,
        header: None,
        steps: plain(phases),
        limits,
        io: Io {
            block: BLOCK as u32,
            ..Io::default()
        },
        resume: None,
        failed_before: false,
        pace: None,
        medium: None,
    }
}

/// The most bytes that no flush covered which went well, while a drive takes 10 ms for a write and so long for a flush, of which
/// these (counted from 0) fail.
fn most_uncovered(limits: Limits, flush: Duration, fails: std::ops::Range<u32>) -> u64 {
    let mut pipeline = Pipeline::new(
        &order(&[Phase::Write, Phase::Verify], limits),
        "by hand",
        Duration::ZERO,
    )
    .unwrap();
    let mut now = Duration::ZERO;
    let mut flying: VecDeque<(usize, Request)> = VecDeque::new();
    // Slot, when it comes back, and what had come back of the writes when it began.
    let mut flushing: Option<(usize, Duration, u64)> = None;
    let (mut begun, mut back, mut covered, mut flushes, mut most) = (0, 0, 0, 0, 0);
    while !pipeline.is_over() {
        assert!(now < Duration::from_hours(1), "it does not end");
        for slot in 0..4 {
            let busy = flying.iter().any(|(at, _)| *at == slot) || flushing.is_some_and(|(at, ..)| at == slot);
            let Some(request) = (!busy).then(|| pipeline.next(now, slot)).flatten() else {
                continue;
            };
            match request.access.op {
                Op::Flush => flushing = Some((slot, now + flush, back)),
                Op::Write => {
                    begun += request.access.sectors * 512;
                    flying.push_back((slot, request));
                }
                Op::Read | Op::Trim => flying.push_back((slot, request)),
            }
        }
        most = most.max(begun - covered);
        now += Duration::from_millis(10);
        if let Some((slot, request)) = flying.pop_front() {
            if request.access.op == Op::Write {
                back += request.access.sectors * 512;
            }
            pipeline.complete(now, slot, Outcome::Done);
        }
        if let Some((slot, _, held)) = flushing.take_if(|(_, due, _)| *due <= now) {
            let failed = fails.contains(&flushes);
            flushes += 1;
            pipeline.complete(
                now,
                slot,
                match failed {
                    true => Outcome::Failed { errno: libc::EIO },
                    false => {
                        covered = held;
                        Outcome::Done
                    }
                },
            );
        }
        pipeline.tick(now);
    }
    assert!(flushes > fails.end && covered == GEOMETRY.bytes(), "{flushes} flushes");
    most
}

/// Whoever goes on without a checkpoint goes back by what may lie between two flushes ([`burnin::header::recover`]): by no more than that
/// may the writes be ahead of what is stored, however long a flush takes and however often it is tried.
#[test]
fn what_no_flush_covers_is_bounded_whether_a_flush_is_slow_or_fails() {
    for (checkpoint, rewind) in [(MIB, MIB), (MIB / 2, 2 * MIB), (2 * MIB, MIB / 2)] {
        let limits = Limits {
            checkpoint_bytes: checkpoint,
            rewind_bytes: rewind,
            ..Limits::default()
        };
        for (flush, fails) in [(10, 0..0), (3_000, 0..0), (300, 2..5), (10, 1..4)] {
            let most = most_uncovered(limits, Duration::from_millis(flush), fails.clone());
            // The last block may reach over the limit.
            let bound = checkpoint + rewind + BLOCK;
            assert!(
                most <= bound,
                "{most} bytes lay uncovered, of at most {bound}; flushes of {flush} ms, {fails:?} of them failed"
            );
        }
    }
}

/// It has no place and no latency of a block: the evidence tells it by itself.
#[test]
fn the_longest_flush_is_known_and_not_what_waits_for_it() {
    let mut pipeline = Pipeline::new(
        &order(&[Phase::Write, Phase::Verify], Limits::default()),
        "by hand",
        Duration::ZERO,
    )
    .unwrap();
    let mut now = Duration::ZERO;
    while !pipeline.is_over() {
        if let Some(request) = pipeline.next(now, 0) {
            let seconds = match request.access.op {
                Op::Flush => 21,
                Op::Read | Op::Write | Op::Trim => 1,
            };
            // A worker that does not look for longer was stopped itself.
            for _ in 0..seconds * 4 {
                now += Duration::from_millis(250);
                pipeline.tick(now);
            }
            pipeline.complete(now, request.access.slot, Outcome::Done);
        }
        pipeline.tick(now);
    }
    let evidence = pipeline.evidence();
    assert_eq!(evidence.longest_flush, Duration::from_secs(21));
    assert_eq!(evidence.incidents_of(FaultKind::Slow), 0);
}

/// When a session that begins so late takes its checkpoints, by a clock that all jobs share; its drive takes half a second for anything.
fn checkpoints(begins: Duration, limits: Limits) -> Vec<Duration> {
    let every = Duration::from_secs(limits.checkpoint_s);
    let limits = Limits {
        checkpoint_in_ms: Some((every.as_millis() - begins.as_millis() % every.as_millis()) as u64),
        ..limits
    };
    let mut pipeline = Pipeline::new(
        &order(&[Phase::Write, Phase::Verify], limits),
        "by hand",
        Duration::ZERO,
    )
    .unwrap();
    let (mut now, mut taken) = (Duration::ZERO, vec![begins]);
    while !pipeline.is_over() {
        let request = pipeline.next(now, 0);
        now += Duration::from_millis(500);
        if request.is_some() {
            pipeline.complete(now, 0, Outcome::Done);
        }
        pipeline.tick(now);
        let reports = pipeline.reports();
        let begins_a_step = reports
            .iter()
            .any(|report| matches!(report, Report::PhaseStarted { .. }));
        for report in reports {
            if let Report::Checkpoint { waits, .. } = report {
                // What is written next would belie an older one.
                assert_eq!(waits, !begins_a_step, "at {now:?}");
                taken.push(begins + now);
            }
        }
    }
    taken
}

/// Jobs that began at any time take their checkpoints at the same moments, for one commit, and none of them later than alone.
#[test]
fn jobs_take_their_checkpoints_together() {
    let limits = Limits::default();
    let every = Duration::from_secs(limits.checkpoint_s);
    let flush = Duration::from_secs(1);
    for begins in [0, 1_000, 13_500, 27_999, 95_000].map(Duration::from_millis) {
        let taken = checkpoints(begins, limits);
        assert!(
            taken.windows(2).all(|two| two[1] - two[0] <= every + flush),
            "{taken:?}"
        );
        let (first, last) = (
            begins.div_duration_f64(every) as u32 + 1,
            begins + Duration::from_secs(500),
        );
        for moment in (first..).map(|n| every * n).take_while(|moment| *moment < last) {
            let soon = moment..=moment + flush;
            assert!(
                taken.iter().any(|at| soon.contains(at)),
                "none at {moment:?}: {taken:?}"
            );
        }
    }
}

/// What is seen of a drive that answers at once, each access with the error that it is given.
fn seen(order: &Order, mut errno: impl FnMut(Access) -> Option<i32>) -> Evidence {
    let mut pipeline = Pipeline::new(order, "by hand", Duration::ZERO).unwrap();
    let mut now = Duration::ZERO;
    while !pipeline.is_over() {
        now += Duration::from_millis(1);
        assert!(now < Duration::from_hours(1), "it does not end");
        pipeline.tick(now);
        let Some(request) = pipeline.next(now, 0) else { continue };
        let outcome = errno(request.access).map_or(Outcome::Done, |errno| Outcome::Failed { errno });
        pipeline.complete(now, 0, outcome);
    }
    pipeline.evidence().clone()
}

/// One trim failed and waited to be tried again when the drive refused another one: the error stays in the evidence.
#[test]
fn a_trim_that_failed_is_not_forgotten_where_the_drive_refuses_the_next() {
    let limits = Limits {
        trim_bytes: MIB,
        ..Limits::default()
    };
    let order = order(&[Phase::Trim, Phase::Write, Phase::Verify], limits);
    let mut trims = 0;
    let evidence = seen(&order, |access| {
        trims += usize::from(access.op == Op::Trim);
        let errors = [libc::EIO, libc::EOPNOTSUPP];
        errors
            .get(trims.wrapping_sub(1))
            .copied()
            .filter(|_| access.op == Op::Trim)
    });
    assert_eq!(trims, 2, "the step was given up");
    let told: Vec<_> = evidence
        .incidents
        .iter()
        .map(|told| (told.kind, &told.detail))
        .collect();
    assert!(
        matches!(&told[..], [(FaultKind::Transient, detail)] if detail.ends_with("not tried again, since the step was given up")),
        "{told:?}"
    );
    assert_eq!(judge(&Case::new(&evidence)).outcome, Verdict::Inconclusive);
}

/// A block fails by the link's error, and in one of the looks at its parts the medium itself gives up, once: that is the drive's word.
#[test]
fn what_the_medium_could_not_do_at_a_second_look_fails_the_drive() {
    let lba = 3 * BLOCK / 512;
    // Halved from 128 sectors down to one, which is tried again.
    let at_the_end = [[libc::EIO; 8].as_slice(), &[libc::ENODATA]].concat();
    for (errors, kinds, outcome) in [
        (vec![libc::EIO, libc::ENODATA], None, Verdict::Failed),
        (at_the_end, None, Verdict::Failed),
        (vec![libc::ENODATA, libc::EIO], None, Verdict::Failed),
        (
            vec![libc::EIO, libc::ETIMEDOUT],
            Some(FaultKind::Transient),
            Verdict::Inconclusive,
        ),
    ] {
        for (op, kind) in [(Op::Read, FaultKind::ReadError), (Op::Write, FaultKind::WriteError)] {
            let mut left = errors.iter().copied();
            let evidence = seen(&order(&[Phase::Write, Phase::Verify], Limits::default()), |access| {
                ((access.op, access.lba) == (op, lba)).then(|| left.next()).flatten()
            });
            let told: Vec<_> = evidence.incidents.iter().map(|told| told.kind).collect();
            assert_eq!(told, [kinds.unwrap_or(kind)], "{op:?} {errors:?}");
            assert!(evidence.defects.is_empty(), "{op:?} {errors:?}");
            assert_eq!(judge(&Case::new(&evidence)).outcome, outcome, "{op:?} {errors:?}");
        }
    }
}
