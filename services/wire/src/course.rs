//! How long a job was at work, and where on that time the points of its time line stand. Pure.
//!
//! Its steps tell how long each was at work; between its beginning and its end the box may have been off for a week, the drive out or the
//! job paused. Of the gaps between the points of a step those hold what the step's own time does not explain that are much wider than
//! usual. The dashboard does the same in `course.ts`; both run the table `cases/course.json`.

use crate::Time;
use crate::job::{PhaseState, Resume, TIMELINE_EVERY, TimePoint, clock_gap};

/// Seconds of a gap up to which nothing is cut out of it, and of a job that are not told apart from its work: between two steps the drive
/// is asked who it is, and for its SMART.
const BESIDE: i64 = 60;

/// Seconds that the steps of a job were at work.
pub fn worked(phases: &[PhaseState]) -> f64 {
    let told = phases.iter().map(|phase| phase.seconds);
    told.filter(|seconds| seconds.is_finite() && *seconds > 0.0).sum()
}

/// Whether the box's clock was set between a job's beginning, two points of its time line and its end, where the job was not merely
/// interrupted.
pub fn clock_was_set(line: &[TimePoint], resumes: &[Resume], (started, ended): (Time, Time)) -> bool {
    let points = line.iter().map(|point| point.at);
    let moments = std::iter::once(started).chain(points.clone());
    moments.zip(points.chain([ended])).any(|(from, to)| {
        let went_on = || resumes.iter().any(|resume| (from..=to).contains(&resume.at));
        clock_gap(from, to).is_none() && !went_on()
    })
}

/// Seconds between a job's beginning and its end in which it was not at work, by the box's clock, which was not set meanwhile; `None` where
/// they are too few to tell of.
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

    /// A line of the table; times are seconds, each point is one of them with the step that was at work.
    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        started: i64,
        ended: i64,
        worked: Vec<f64>,
        line: Vec<(i64, u16)>,
        resumes: Vec<i64>,
        at: Vec<i64>,
        cuts: Vec<usize>,
        lasts: i64,
        clock_was_set: bool,
        apart: Option<i64>,
    }

    fn time(second: i64) -> Time {
        Time::from_second(second).unwrap()
    }

    #[test]
    fn the_table_holds_as_on_the_dashboard() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../cases/course.json")).unwrap();
        assert!(cases.len() >= 7);
        for case in cases {
            let point = |(second, step): &(i64, u16)| TimePoint {
                at: time(*second),
                step: *step,
                temperature: None,
                rate: Bytes(1),
                bad_sectors: 0,
            };
            let line: Vec<TimePoint> = case.line.iter().map(point).collect();
            let phase = |seconds: &f64| PhaseState {
                rounds: 1,
                status: PhaseStatus::Done,
                seconds: *seconds,
                ..PhaseState::pending(Phase::Write, "")
            };
            let phases: Vec<PhaseState> = case.worked.iter().map(phase).collect();
            let span = (time(case.started), time(case.ended));
            let (at, cuts, lasts) = (case.at, case.cuts, case.lasts);
            assert_eq!(
                Course::of(&line, &phases, span),
                Course { at, cuts, lasts },
                "{}",
                case.name
            );
            let resume = |second: &i64| Resume {
                at: time(*second),
                why: String::new(),
                phase: Phase::Write,
                step: 0,
                from: Bytes(0),
            };
            let resumes: Vec<Resume> = case.resumes.iter().map(resume).collect();
            let was_set = clock_was_set(&line, &resumes, span);
            assert_eq!(was_set, case.clock_was_set, "{}", case.name);
            let told = apart(&phases, span).filter(|_| !was_set);
            assert_eq!(told.map(whole_seconds), case.apart, "{}", case.name);
        }
    }
}
