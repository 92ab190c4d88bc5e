//! What was answered to a person of a job: kept before the answer, put into the record when the job is taken up.

use store::{Pending, Table};
use tracing::error;
use wire::JobId;

use super::{JOBS, Jobs, Kept};
use crate::job::Wish;
use crate::record::Record;

/// What was answered to a person of a job that is not over: its task may be asking a sick drive, and hears it in minutes.
pub(super) const WISHES: Table<String, Wish> = Table::new("wishes");

impl Jobs {
    /// Writes down what is answered to a person: it stands, whether the job's task hears it before the agent ends or not.
    pub fn wish(&self, job: JobId, wish: &Wish) -> Pending<()> {
        let (key, wish) = (job.to_string(), wish.clone());
        self.store.write(move |w| {
            // One that came too late to be heard is not kept for ever.
            if matches!(JOBS.get(w, &key), Ok(Some(record)) if record.job.state.is_over()) {
                return Ok(());
            }
            // One that cannot be read keeps no later one from being kept.
            let stands = wish.after(WISHES.get(w, &key).ok().flatten());
            WISHES.put(w, &key, &stands)
        })
    }

    /// What was answered to a person last, written into a job that was found.
    pub(super) fn with_wish(&self, kept: &mut Kept) {
        if kept.record.job.state.is_over() {
            return;
        }
        let key = kept.record.job.id.to_string();
        match self.store.read(|r| WISHES.get(r, &key)) {
            Ok(wish) => wish.iter().for_each(|wish| wish.stands_in(&mut kept.record)),
            Err(cause) => error!(job = key, error = %cause, "what was answered to a person last cannot be read"),
        }
    }
}

/// What the record says is not said again at each start: a later answer may stand in the record alone.
pub(super) fn settle(w: &mut store::Write<'_, '_>, key: &String, record: &Record) -> store::Result<()> {
    if let Ok(Some(wish)) = WISHES.get(w, key)
        && wish.is_in(record)
    {
        WISHES.delete(w, key)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::job::JobState;

    use super::super::tests::open;
    use super::*;
    use crate::jobs::Ended;
    use crate::record::tests::record;

    #[test]
    fn what_was_answered_to_a_person_stands_though_its_job_never_heard_it() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let by = |name: &str| name.to_owned();
        let mut record = record();
        let id = record.job.id;
        let mut jobs = open(dir.path(), ram.path());
        jobs.save(&mut record, Some("c"), &[]).wait().unwrap();
        for (wish, paused, aborted) in [
            (Wish::Pause(by("ann")), true, false),
            (Wish::Resume(by("bob")), false, false),
            (Wish::Abort(by("eve")), false, true),
            (Wish::Resume(by("bob")), false, true),
        ] {
            jobs.wish(id, &wish).wait().unwrap();
            let newest = jobs.newest(id).unwrap().unwrap().record;
            drop(jobs);
            jobs = open(dir.path(), ram.path());
            let kept = jobs.load().unwrap().remove(0).record;
            assert_eq!(
                (kept.paused.is_some(), kept.aborted_by.is_some()),
                (paused, aborted),
                "{wish:?}"
            );
            assert_eq!(kept, newest);
        }
        record.job.state = JobState::Aborted;
        jobs.finish(&mut record, Ended::default()).wait().unwrap();
        jobs.wish(id, &Wish::Pause(by("ann"))).wait().unwrap();
        assert!(jobs.store().read(|r| WISHES.is_empty(r)).unwrap());
    }

    #[test]
    fn an_answer_that_the_record_has_is_not_given_again_after_a_later_one() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let jobs = open(dir.path(), ram.path());
        let mut record = record();
        let id = record.job.id;
        jobs.save(&mut record, Some("c"), &[]).wait().unwrap();
        jobs.wish(id, &Wish::Pause("ann".into())).wait().unwrap();
        // A save before the job hears it leaves it standing.
        jobs.save(&mut record, None, &[]).wait().unwrap();
        assert!(jobs.newest(id).unwrap().unwrap().record.paused.is_some());
        record.paused = Some("ann".into());
        jobs.save(&mut record, None, &[]).wait().unwrap();
        assert!(jobs.store().read(|r| WISHES.is_empty(r)).unwrap());
        // It went on by an answer that was not written down itself.
        record.paused = None;
        jobs.save(&mut record, None, &[]).wait().unwrap();
        assert_eq!(jobs.newest(id).unwrap().unwrap().record.paused, None);
        // What cannot be read there keeps no abort from being kept.
        let strange = Table::<String, u64>::new(WISHES.name());
        let key = id.to_string();
        jobs.store().write(move |w| strange.put(w, &key, &1)).wait().unwrap();
        jobs.save(&mut record, None, &[]).wait().unwrap();
        jobs.wish(id, &Wish::Abort("eve".into())).wait().unwrap();
        assert!(jobs.newest(id).unwrap().unwrap().record.aborted_by.is_some());
    }
}
