//! How long a job was at work, and where on that time the points of its time line stand. Pure.
//!
//! Its steps tell how long each was at work; between its beginning and its end the box may have been off for a week, the drive out or the
//! job paused. Of the gaps between the points of a step those hold what the step's own time does not explain that are much wider than
//! usual. The dashboard does the same in `course.ts`.

use crate::Time;
use crate::job::{PhaseState, TIMELINE_EVERY, TimePoint, clock_gap};

/// Seconds of a gap up to which nothing is cut out of it, and of a job that are not told apart from its work: between two steps the drive
/// is asked who it is, and for its SMART.
const BESIDE: i64 = 60;

/// Seconds that the steps of a job were at work.
pub fn worked(phases: &[PhaseState]) -> f64 {
    let told = phases.iter().map(|phase| phase.seconds);
    told.filter(|seconds| seconds.is_finite() && *seconds > 0.0).sum()
}

/// Seconds between a job's beginning and its end in which it was not at work, by the box's clock; `None` where they are too few to tell of.
pub fn apart(phases: &[PhaseState], (started, ended): (Time, Time)) -> Option<f64> {
    let worked = worked(phases);
    let rest = ended.duration_since(started).as_secs_f64() - worked;
    (rest >= (worked / 100.0).max(BESIDE as f64)).then_some(rest)
}

/// A job's time line on its time at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// Seconds at work up to each point; they never fall.
    pub at: Vec<i64>,
    /// Points before which the job was off or waited.
    pub cuts: Vec<usize>,
    /// Seconds at work in all.
    pub lasts: i64,
}

impl Course {
    /// Of a time line, the steps that it tells of, and the job's beginning and end.
    pub fn of(line: &[TimePoint], phases: &[PhaseState], (started, ended): (Time, Time)) -> Self {
        let (Some(first), Some(last)) = (line.first(), line.last()) else {
            return Self {
                at: Vec::new(),
                cuts: Vec::new(),
                lasts: 0,
            };
        };
        // What lies between two moments belongs to the step of the earlier one.
        let moments = std::iter::once((started, first.step)).chain(line.iter().map(|point| (point.at, point.step)));
        let ends = line.iter().map(|point| point.at).chain([ended.max(last.at)]);
        let mut gaps: Vec<(u16, i64)> = moments
            .zip(ends)
            .map(|((from, step), to)| (step, clock_gap(from, to).unwrap_or(TIMELINE_EVERY)))
            .collect();
        let cuts = cut(&mut gaps, phases);
        let mut lasts = 0;
        let mut at: Vec<i64> = gaps
            .into_iter()
            .map(|(_, gap)| {
                lasts += gap;
                lasts
            })
            .collect();
        // The last one is the end.
        at.pop();
        Self { at, cuts, lasts }
    }
}

/// Leaves of each gap what its step was at work, where it holds much that the step's time does not explain; answers which these are.
fn cut(gaps: &mut [(u16, i64)], phases: &[PhaseState]) -> Vec<usize> {
    let mut widest: Vec<usize> = (0..gaps.len()).collect();
    widest.sort_by_key(|at| std::cmp::Reverse(gaps[*at].1));
    let usual = gaps[widest[widest.len() / 2]].1;
    let least = BESIDE.max(2 * usual);
    let mut cuts: Vec<usize> = widest.into_iter().take_while(|at| gaps[*at].1 > least).collect();
    cuts.retain(|at| {
        let (step, gap) = gaps[*at];
        let whole: i64 = gaps.iter().filter(|(of, _)| *of == step).map(|(_, gap)| gap).sum();
        let worked = phases
            .get(usize::from(step))
            .map_or(0.0, |phase| worked(std::slice::from_ref(phase)));
        let idle = whole - whole_seconds(worked);
        let is_cut = idle >= gap / 2;
        if is_cut {
            gaps[*at].1 = (gap - idle).max(TIMELINE_EVERY);
        }
        is_cut
    });
    cuts.sort_unstable();
    cuts
}

#[expect(clippy::cast_possible_truncation, reason = "what is larger stays at the highest")]
fn whole_seconds(seconds: f64) -> i64 {
    seconds.round() as i64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::Bytes;
    use crate::job::{Phase, PhaseStatus};

    fn time(second: i64) -> Time {
        Time::from_second(second).unwrap()
    }

    fn line(points: &[(i64, u16)]) -> Vec<TimePoint> {
        let point = |(second, step): &(i64, u16)| TimePoint {
            at: time(*second),
            step: *step,
            temperature: None,
            rate: Bytes(1),
            bad_sectors: 0,
        };
        points.iter().map(point).collect()
    }

    fn phases(seconds: &[f64]) -> Vec<PhaseState> {
        let phase = |seconds: &f64| PhaseState {
            rounds: 1,
            status: PhaseStatus::Done,
            seconds: *seconds,
            ..PhaseState::pending(Phase::Write, "")
        };
        seconds.iter().map(phase).collect()
    }

    /// As a box that was off for eight days told it.
    #[test]
    fn a_week_without_power_is_no_work() {
        let off = 8 * 86_400;
        let steps = phases(&[87.681, 50.122, 0.0, 7.44]);
        let (started, ended) = (time(0), time(off + 152));
        let told = line(&[
            (3, 0),
            (8, 0),
            (off + 29, 0),
            (off + 86, 1),
            (off + 144, 2),
            (off + 144, 3),
        ]);
        let course = Course::of(&told, &steps, (started, ended));
        assert_eq!(course.cuts, [2]);
        assert_eq!(course.at, [3, 8, 31, 88, 146, 146]);
        assert_eq!(course.lasts, 154);
        assert_eq!(whole_seconds(worked(&steps)), 145);
        assert_eq!(apart(&steps, (started, ended)).map(whole_seconds), Some(off + 7));
        assert_eq!(apart(&steps, (started, time(153))), None);
    }

    #[test]
    fn several_holds_of_one_step_are_all_cut_out_and_its_work_is_not() {
        let mut told = Vec::new();
        let mut second = 0;
        for n in 0..100 {
            told.push((second, 0));
            second += if matches!(n, 30 | 60) { 5_000 } else { 300 };
        }
        let course = Course::of(&line(&told), &phases(&[30_000.0]), (time(0), time(second)));
        assert_eq!(course.cuts, [31, 61]);
        assert!((29_000..=30_000).contains(&course.lasts), "{}", course.lasts);
        // The same, of a step that took so long.
        let worked = second as f64;
        let course = Course::of(&line(&told), &phases(&[worked]), (time(0), time(second)));
        assert_eq!((course.cuts, course.lasts), (vec![], second));
    }

    #[test]
    fn what_little_a_step_does_not_tell_of_is_cut_nowhere() {
        let told: Vec<(i64, u16)> = (0..200).map(|n| (n * 290, 0)).collect();
        let course = Course::of(&line(&told), &phases(&[57_000.0]), (time(0), time(58_000)));
        assert_eq!((course.cuts, course.lasts), (vec![], 58_000));
        assert_eq!(Course::of(&[], &[], (time(0), time(9))).lasts, 0);
    }
}
