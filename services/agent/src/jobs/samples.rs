//! Unfinished jobs' time lines: rows of their own, a point each, so that a checkpoint does not carry all of them again.

use std::time::Duration;

use store::{Store, Table};
use wire::job::TimePoint;

use super::Jobs;
use crate::record::Record;

/// Points of unfinished jobs' time lines, by job and number.
pub(super) const SAMPLES: Table<(String, u64), TimePoint> = Table::new("samples");

/// Shortest time between two writes of a time line, in seconds: each job's is at least a page of its own. A cut of the power takes so
/// much of the curve at most; nothing else does.
const SAMPLES_EVERY: i64 = 300;

/// How long a part of a time line may wait for another write: the heartbeat's commits every few seconds.
const SAMPLES_WAIT: Duration = Duration::from_mins(1);

impl Jobs {
    /// Writes down what a job's time line has got since; at most once in [`SAMPLES_EVERY`].
    pub fn sample(&self, record: &Record) {
        if self.lacks_samples(record) {
            let (key, timeline) = (record.job.id.to_string(), record.job.timeline.clone());
            let write = move |w: &mut store::Write<'_, '_>| keep(w, &key, &timeline);
            self.store.write_within(SAMPLES_WAIT, write).forget();
        }
    }

    /// Whether a job's time line goes on for [`SAMPLES_EVERY`] behind what is written of it.
    pub(super) fn lacks_samples(&self, record: &Record) -> bool {
        let Some(newest) = record.job.timeline.last() else {
            return false;
        };
        let since = |kept: &TimePoint| newest.at.as_second() - kept.at.as_second();
        let kept = self.store.read(|r| SAMPLES.last_n_of(r, &record.job.id.to_string(), 1));
        // What cannot be read is written: the store tells its own trouble.
        let is_new = |kept: Vec<(u64, TimePoint)>| {
            kept.last()
                .is_some_and(|(_, kept)| (0..SAMPLES_EVERY).contains(&since(kept)))
        };
        !kept.is_ok_and(is_new)
    }
}

/// Takes out what of the time lines cannot be read.
///
/// # Errors
/// When the medium does not take it.
pub(crate) fn take_out_unreadable(store: &Store) -> store::Result<Option<store::TakenOut>> {
    store.take_out_unreadable(&SAMPLES)
}

/// A job's time line as it is written down.
pub(super) fn of(view: &impl store::View, key: &str) -> store::Result<Vec<TimePoint>> {
    let points = SAMPLES.last_n_of(view, key, wire::job::TIMELINE_MAX)?;
    Ok(points.into_iter().map(|(_, point)| point).collect())
}

/// Brings the rows of a time line up to it: what is new is added, and after a thinning all are written anew.
pub(super) fn keep(w: &mut store::Write<'_, '_>, key: &str, timeline: &[TimePoint]) -> store::Result<()> {
    let last = SAMPLES.last_n_of(w, key, 1)?;
    let mut kept = 0;
    if let Some((number, point)) = last.last() {
        let count = usize::try_from(*number).unwrap_or(0);
        if count > 0 && timeline.get(count - 1) == Some(point) {
            kept = count;
        } else {
            SAMPLES.delete_of(w, key)?;
        }
    }
    for point in &timeline[kept..] {
        SAMPLES.append_to(w, key, point)?;
    }
    Ok(())
}

/// A job that is over carries its time line itself.
pub(super) fn forget(w: &mut store::Write<'_, '_>, key: &str) -> store::Result<()> {
    SAMPLES.delete_of(w, key).map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::Time;
    use wire::job::JobState;

    use super::super::tests::open;
    use super::*;
    use crate::jobs::Ended;
    use crate::record::tests::record;

    #[test]
    fn a_time_line_comes_back_point_by_point_and_thinned_out() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut record = record();
        {
            let jobs = open(dir.path(), ram.path());
            jobs.save(&mut record, None, &[]).wait().unwrap();
            for second in 0..5_000 {
                let now = Time::from_second(second).unwrap();
                let point = TimePoint {
                    at: now,
                    ..record.point(1, wire::Bytes(7), None)
                };
                if burnin::timeline::sample(&mut record.job.timeline, point) {
                    jobs.sample(&record);
                }
            }
            jobs.store().touch().wait().unwrap();
        }
        let jobs = open(dir.path(), tempfile::tempdir().unwrap().path());
        let kept = jobs.load().unwrap().remove(0).record;
        assert!(kept.job.timeline.len() > 100);
        let lost = record.job.timeline.strip_prefix(&kept.job.timeline[..]).unwrap();
        let last = kept.job.timeline.last().unwrap().at;
        assert!(lost.iter().all(|point| (point.at - last).get_seconds() < SAMPLES_EVERY));
        // A checkpoint brings the rest, once it is as much.
        let later = Time::from_second(5_000 + SAMPLES_EVERY).unwrap();
        let point = TimePoint {
            at: later,
            ..record.point(1, wire::Bytes(7), None)
        };
        burnin::timeline::mark(&mut record.job.timeline, point);
        jobs.save_checkpoint(&mut record, "c", false).wait().unwrap();
        assert_eq!(jobs.load().unwrap().remove(0).record.job.timeline, record.job.timeline);
        // The end carries it in the record, and the rows go.
        record.job.state = JobState::Finished;
        jobs.finish(&mut record, Ended::default()).wait().unwrap();
        assert!(jobs.store().read(|r| SAMPLES.is_empty(r)).unwrap());
        assert_eq!(jobs.load().unwrap()[0].record.job.timeline, record.job.timeline);
    }
}
