//! Heat over a job: the mean of its time line, an NVMe drive's own warning temperature, and the limit at which it pauses.

use wire::Celsius;
use wire::job::TimePoint;

use super::Case;
use crate::heat::Limits;

/// The limits at which a drive pauses and goes on. The baseline is what the job itself went by.
pub(super) fn limits(case: &Case<'_>) -> Limits {
    Limits::of_drive(case.rotation, case.before.or(case.last()))
}

/// The points of the time line at or above the limit.
pub(super) fn over_limit<'a>(case: &Case<'a>, limit: Celsius) -> Vec<&'a TimePoint> {
    let hot = |point: &&TimePoint| point.temperature.is_some_and(|degrees| degrees >= limit);
    case.timeline.iter().filter(hot).collect()
}

/// How warm it was at the end: by SMART after the job, else by the last point of the time line that tells it.
pub(super) fn at_the_end(case: &Case<'_>) -> Option<Celsius> {
    let smart = case.last().and_then(|after| after.temperature);
    match smart.and_then(|degrees| i32::try_from(degrees).ok()) {
        Some(degrees) => Some(Celsius(degrees)),
        None => case.timeline.iter().rev().find_map(|point| point.temperature),
    }
}

/// Mean temperature over the job in degrees Celsius: of the time line, else between SMART before and after; `None` where
/// nothing told one.
pub(super) fn mean(case: &Case<'_>) -> Option<f64> {
    let line: Vec<f64> = case
        .timeline
        .iter()
        .filter_map(|point| Some(f64::from(point.temperature?.0)))
        .collect();
    if !line.is_empty() {
        return Some(line.iter().sum::<f64>() / line.len() as f64);
    }
    let told = [case.first(), case.last()];
    let told: Vec<f64> = told
        .into_iter()
        .flatten()
        .filter_map(|s| Some(s.temperature? as f64))
        .collect();
    (!told.is_empty()).then(|| told.iter().sum::<f64>() / told.len() as f64)
}

/// An NVMe drive's warning temperature in degrees Celsius, and how many points of the time line reach it; `None` where it tells
/// none, or no temperature was told.
pub(super) fn over_warning(case: &Case<'_>) -> Option<(i64, usize)> {
    let told = [case.last(), case.first()].into_iter().flatten();
    let limit = told.filter(|s| s.nvme.is_some()).find_map(|s| s.heat_warning)?;
    let mut line = case.timeline.iter().filter_map(|point| point.temperature).peekable();
    line.peek()?;
    Some((limit, line.filter(|degrees| i64::from(degrees.0) >= limit).count()))
}
