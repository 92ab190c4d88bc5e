//! Temperature, throughput and errors over the time of a job: bounded, evenly thinned out. Pure.
//!
//! Its hottest reading is on it, however short that was: rules and certificates ask the line how hot it got.

use wire::job::{TIMELINE_EVERY, TIMELINE_MAX, TimePoint, gaps};
use wire::{Bytes, Celsius, Time};

/// Adds a point where one is due, or is hotter than all before it: at most one for each degree. True if it did.
pub fn sample(line: &mut Vec<TimePoint>, point: TimePoint) -> bool {
    if let Some(last) = line.last() {
        let since = point.at.as_second() - last.at.as_second();
        // A clock that was set back begins anew from where it is.
        let is_soon = (0..spacing(line)).contains(&since) && last.step == point.step;
        if is_soon && point.temperature <= hottest(line) {
            return false;
        }
    }
    mark(line, point);
    true
}

/// Adds a point whether one is due or not: something happened.
pub fn mark(line: &mut Vec<TimePoint>, point: TimePoint) {
    if line.len() >= TIMELINE_MAX {
        thin(line);
    }
    line.push(point);
}

/// Leaves the first of every two points, and the hottest of all in the place of its neighbour.
fn thin(line: &mut Vec<TimePoint>) {
    let hottest = hottest(line);
    let hottest = line.iter().position(|point| point.temperature == hottest);
    let stays = |at: usize| match hottest {
        Some(hot) if hot / 2 == at / 2 => hot == at,
        Some(_) | None => at.is_multiple_of(2),
    };
    let mut at = 0..;
    line.retain(|_| at.next().is_some_and(stays));
}

/// The highest temperature that stands on a line.
fn hottest(line: &[TimePoint]) -> Option<Celsius> {
    line.iter().filter_map(|point| point.temperature).max()
}

/// The last point of a line: what was found since the one before it stands on the drive's certificate, too. `step`: the last that moved
/// data; where none did, it is that of the point before.
pub fn close(line: &mut Vec<TimePoint>, at: Time, bad_sectors: u64, step: Option<u16>) {
    if let Some(last) = line.last().filter(|last| last.bad_sectors != bad_sectors) {
        let point = TimePoint {
            at,
            step: step.unwrap_or(last.step),
            temperature: None,
            rate: Bytes(0),
            bad_sectors,
        };
        mark(line, point);
    }
}

/// Seconds that two points of one step are apart at least: as many as make the job's time so far fit.
fn spacing(line: &[TimePoint]) -> i64 {
    let long: i64 = gaps(line).sum();
    let most = i64::try_from(TIMELINE_MAX).unwrap_or(i64::MAX);
    // It doubles with each thinning.
    let mut every = TIMELINE_EVERY;
    while every < i64::MAX / 4 / most && every * most <= long {
        every *= 2;
    }
    every
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn point(second: i64, step: u16) -> TimePoint {
        TimePoint {
            at: Time::from_second(second).unwrap(),
            step,
            temperature: Some(Celsius(40)),
            rate: Bytes(1),
            bad_sectors: 0,
        }
    }

    #[test]
    fn a_week_fits_evenly_and_keeps_its_ends() {
        let mut line = Vec::new();
        let week = 7 * 24 * 3600;
        for second in 0..week {
            sample(&mut line, point(second, 2));
        }
        assert!(
            (TIMELINE_MAX / 4..=TIMELINE_MAX).contains(&line.len()),
            "{}",
            line.len()
        );
        let at: Vec<i64> = line.iter().map(|point| point.at.as_second()).collect();
        assert_eq!(at[0], 0);
        let last = *at.last().unwrap();
        assert!(week - last < 8192, "{last}");
        let gaps: Vec<i64> = at.windows(2).map(|w| w[1] - w[0]).collect();
        let (least, most) = (*gaps.iter().min().unwrap(), *gaps.iter().max().unwrap());
        assert!(most <= 4 * least, "{least} to {most}");
    }

    /// Of a job of a day, wherever in it: most readings are left out by the end of it, and most points dropped.
    #[test]
    fn the_hottest_reading_stays_on_the_line_however_short_it_was() {
        let hot = |line: &[TimePoint]| {
            line.iter()
                .filter(|point| point.temperature >= Some(Celsius(85)))
                .count()
        };
        for begins in (0..86_400).step_by(1_731) {
            let mut line = Vec::new();
            for second in (0..86_400).step_by(5) {
                let degrees = match second - begins {
                    0..10 => 86,
                    10..20 => 88,
                    20..45 => 87,
                    _ => 60,
                };
                let temperature = Some(Celsius(degrees));
                sample(
                    &mut line,
                    TimePoint {
                        temperature,
                        ..point(second, 2)
                    },
                );
            }
            assert!(line.len() <= TIMELINE_MAX, "{}", line.len());
            assert_eq!(
                hottest(&line),
                Some(Celsius(88)),
                "at {begins}: {} of it are left",
                hot(&line)
            );
            let at = line
                .iter()
                .find(|point| point.temperature == Some(Celsius(88)))
                .unwrap()
                .at;
            assert!((begins + 10..begins + 20).contains(&at.as_second()), "{begins}: {at}");
            // A mean of the line is one of the job.
            assert!(hot(&line) <= 9, "{}", hot(&line));
        }
    }

    /// A drive that warms up tells a new highest reading all the time: it makes no points of every one.
    #[test]
    fn a_drive_that_warms_up_has_one_point_more_for_each_degree() {
        let count = |degrees: &dyn Fn(i64) -> i32| {
            let mut line = Vec::new();
            for second in 0..500 {
                let temperature = Some(Celsius(degrees(second)));
                sample(
                    &mut line,
                    TimePoint {
                        temperature,
                        ..point(second, 2)
                    },
                );
            }
            line.len()
        };
        let (even, warming) = (
            count(&|_| 30),
            count(&|second| 30 + i32::try_from(second / 20).unwrap()),
        );
        assert!((even..=even + 25).contains(&warming), "{even}, {warming}");
    }

    #[test]
    fn what_was_found_since_the_last_point_stands_at_the_end() {
        let (at, mut line) = (Time::from_second(9).unwrap(), Vec::new());
        close(&mut line, at, 8, Some(1));
        assert_eq!(line, [], "nobody looked at its drive at all");
        sample(&mut line, point(1, 2));
        close(&mut line, at, 0, None);
        assert_eq!(line.len(), 1, "nothing was found");
        close(&mut line, at, 8, None);
        let last = line.last().unwrap();
        assert_eq!((line.len(), last.at, last.step, last.bad_sectors), (2, at, 2, 8));
        // A quick step may have no point of its own.
        close(&mut line, at, 9, Some(3));
        assert_eq!(line.last().map(|last| (last.step, last.bad_sectors)), Some((3, 9)));
    }

    /// A box without a clock of its own takes a job up in 1970 and hears the time a minute later: the drive's heat is told all the same.
    #[test]
    fn a_clock_that_is_set_forward_makes_no_points_rarer() {
        let mut line = Vec::new();
        for second in 0..30 * 3600 {
            let step = if second < 120 { 0 } else { 1_795_000_000 };
            sample(&mut line, point(second + step, 2));
        }
        assert!(
            (TIMELINE_MAX / 4..=TIMELINE_MAX).contains(&line.len()),
            "{}",
            line.len()
        );
    }

    #[test]
    fn a_new_step_has_a_point_at_once_and_an_old_clock_is_no_reason_to_stop() {
        let mut line = Vec::new();
        assert!(sample(&mut line, point(1000, 2)));
        assert!(!sample(&mut line, point(1001, 2)));
        assert!(sample(&mut line, point(1002, 3)));
        assert!(sample(&mut line, point(10, 3)));
    }
}
