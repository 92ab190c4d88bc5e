//! Ids of new jobs: each sorts after those of all jobs before it, whatever the clock says.
//!
//! Page, server and retention take the job with the greatest id for a drive's newest. A box without a battery for its clock may begin a
//! job in 2040 and, after the next start, one in 2026: by the clock alone a later FAILED would stand behind an earlier PASSED. The
//! greatest id stands among the jobs, or is kept where its job is dropped.

use std::sync::{Arc, Mutex, PoisonError};

use store::{Store, Write};
use tracing::error;
use wire::JobId;

use super::JOBS;
use crate::outbox::NUMBERS;

/// Where [`NUMBERS`] has the milliseconds of the greatest id of a job that was dropped.
const GREATEST: &str = "job";

/// The greatest id that was given, by its milliseconds; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Ids(Arc<Mutex<u64>>);

impl Ids {
    /// Goes on behind what `store` knows.
    pub(super) fn of(store: &Store) -> Self {
        let read = store.read(|r| {
            let kept = NUMBERS.get(r, GREATEST)?.unwrap_or(0);
            let jobs = JOBS.keys(r)?.into_iter().filter_map(|key| key.parse().ok());
            Ok(jobs.map(JobId::counted).chain([kept]).max().unwrap_or(0))
        });
        let greatest = read.unwrap_or_else(|cause| {
            error!(error = %cause, "the ids of earlier jobs cannot be read; the clock alone orders new ones");
            0
        });
        Self(Arc::new(Mutex::new(greatest)))
    }

    /// A new one, above all before it.
    pub(super) fn next(&self) -> JobId {
        let mut greatest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = JobId::after(*greatest);
        *greatest = id.millis();
        id
    }

    /// A job has this one.
    pub(super) fn saw(&self, id: JobId) {
        let mut greatest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *greatest = id.counted().max(*greatest);
    }
}

/// Keeps the id of a job, where it is the greatest that was dropped, as part of the commit that drops it. Those that end while the store is
/// full may drop all others.
pub(super) fn outlive(w: &mut Write<'_, '_>, id: JobId) -> store::Result<()> {
    let (kept, millis) = (NUMBERS.get(w, GREATEST)?.unwrap_or(0), id.counted());
    match millis > kept {
        true => NUMBERS.put(w, GREATEST, &millis),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::jobs::tests::open;
    use crate::record::tests::record;

    /// 2040, in milliseconds since 1970.
    const AHEAD: u64 = 2_208_988_800_000;

    #[test]
    fn a_job_that_begins_after_the_clock_went_back_is_the_newest() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut before = record();
        before.job.id = JobId::after(AHEAD);
        {
            let jobs = open(dir.path(), ram.path());
            jobs.save(&mut before, None, &[]).wait().unwrap();
        }
        let jobs = open(dir.path(), ram.path());
        let ids = [jobs.next_id(), jobs.next_id()];
        assert!(before.job.id < ids[0] && ids[0] < ids[1], "{before:?} {ids:?}");
        // Also where retention has dropped that job, with which nothing but the number tells of it.
        let dropped = jobs.store().write(move |w| {
            outlive(w, before.job.id)?;
            JOBS.delete(w, &before.job.id.to_string())
        });
        dropped.wait().unwrap();
        assert!(Ids::of(jobs.store()).next() > before.job.id);
    }

    #[test]
    fn a_copy_in_ram_tells_the_greatest_id_too() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut before = record();
        before.job.id = JobId::after(AHEAD);
        {
            let jobs = open(dir.path(), ram.path());
            jobs.save(&mut before, None, &[]).wait().unwrap();
        }
        // The medium was pulled, and another one has nothing.
        let other = tempfile::tempdir().unwrap();
        let jobs = open(other.path(), ram.path());
        assert!(jobs.next_id() < before.job.id, "it is not read yet");
        jobs.load().unwrap();
        assert!(jobs.next_id() > before.job.id);
    }

    #[test]
    fn an_id_that_no_clock_has_made_is_not_counted_on_from() {
        let dir = tempfile::tempdir().unwrap();
        let jobs = open(dir.path(), dir.path());
        let mut record = record();
        record.job.id = "ffffffff-ffff-7fff-bfff-ffffffffffff".parse().unwrap();
        jobs.save(&mut record, None, &[]).wait().unwrap();
        jobs.store.write(move |w| outlive(w, record.job.id)).wait().unwrap();
        jobs.ids.saw(record.job.id);
        for ids in [jobs.ids.clone(), Ids::of(&jobs.store)] {
            assert!(ids.next().millis() < JobId::HIGHEST);
        }
    }
}
