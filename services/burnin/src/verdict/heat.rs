//! Heat over a job: the mean of its time line.

use super::Case;

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
