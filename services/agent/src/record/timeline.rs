//! Temperature, throughput and errors over the time of a job: bounded, evenly thinned out. Pure.

use wire::job::{Job, TIMELINE_MAX, TimePoint};
use wire::{Bytes, Celsius, Time};

/// Shortest time between two points, in seconds; it doubles with each thinning.
const EVERY: i64 = 5;

/// Adds a point where one is due; true if it did.
pub fn sample(job: &mut Job, step: u16, rate: Bytes, temperature: Option<Celsius>, now: Time) -> bool {
    if let Some(last) = job.timeline.last() {
        let since = now.as_second() - last.at.as_second();
        // A clock that was set back begins anew from where it is.
        if (0..spacing(job)).contains(&since) && last.step == step {
            return false;
        }
    }
    mark(job, step, rate, temperature, now);
    true
}

/// Adds a point whether one is due or not: something happened.
pub fn mark(job: &mut Job, step: u16, rate: Bytes, temperature: Option<Celsius>, now: Time) {
    if job.timeline.len() >= TIMELINE_MAX {
        let mut at = 0_usize;
        job.timeline.retain(|_| {
            at += 1;
            at % 2 == 1
        });
    }
    job.timeline.push(TimePoint {
        at: now,
        step,
        temperature,
        rate,
        bad_sectors: job.bad_sectors,
    });
}

/// Seconds that two points of one step are apart at least: as many as make the job's time so far fit.
fn spacing(job: &Job) -> i64 {
    let (Some(first), Some(last)) = (job.timeline.first(), job.timeline.last()) else {
        return EVERY;
    };
    let long = last.at.as_second() - first.at.as_second();
    let most = i64::try_from(TIMELINE_MAX).unwrap_or(i64::MAX);
    let mut every = EVERY;
    while every < i64::MAX / 4 / most && every * most <= long {
        every *= 2;
    }
    every
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at(second: i64) -> Time {
        Time::from_second(second).unwrap()
    }

    #[test]
    fn a_week_fits_evenly_and_keeps_its_ends() {
        let mut job = crate::events::tests::job();
        let week = 7 * 24 * 3600;
        for second in 0..week {
            sample(&mut job, 2, Bytes(1), Some(Celsius(40)), at(second));
        }
        assert!(
            (TIMELINE_MAX / 4..=TIMELINE_MAX).contains(&job.timeline.len()),
            "{}",
            job.timeline.len()
        );
        assert_eq!(job.timeline[0].at, at(0));
        let last = job.timeline.last().unwrap().at.as_second();
        assert!(week - last < 8192, "{last}");
        let gaps: Vec<i64> = job
            .timeline
            .windows(2)
            .map(|w| w[1].at.as_second() - w[0].at.as_second())
            .collect();
        let (least, most) = (*gaps.iter().min().unwrap(), *gaps.iter().max().unwrap());
        assert!(most <= 4 * least, "{least} to {most}");
    }

    #[test]
    fn a_new_step_has_a_point_at_once_and_an_old_clock_is_no_reason_to_stop() {
        let mut job = crate::events::tests::job();
        assert!(sample(&mut job, 2, Bytes(1), None, at(1000)));
        assert!(!sample(&mut job, 2, Bytes(1), None, at(1001)));
        assert!(sample(&mut job, 3, Bytes(1), None, at(1002)));
        assert!(sample(&mut job, 3, Bytes(1), None, at(10)));
    }
}
