//! Jobs whose end a person has seen: "keep it", or "noted".
//!
//! Said once of a job that is over, it asks for nobody any more. Verdict, certificate and evidence stay as they are. It is
//! said of one end: should the job come to another one, that has to be seen for itself.
//!
//! The agent knows nothing of it and tells its jobs anew whenever it connects, so it has a table of its own, from which it gets into
//! the job's row again each time; it goes with the job. Tested in `tests/server/acknowledged.rs`.

use serde::{Deserialize, Serialize};
use store::{Table, Write};
use wire::JobId;
use wire::job::{Acknowledged, Job, JobEnd};

use crate::tables::JOBS;

/// By job.
pub const ACKNOWLEDGED: Table<String, Entry> = Table::new("acknowledged");

/// Who has seen which end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    acknowledged: Acknowledged,
    end: JobEnd,
}

impl Entry {
    /// `None` while the job is not over.
    pub fn new(job: &Job, acknowledged: Acknowledged) -> Option<Self> {
        JobEnd::of(job).map(|end| Self { acknowledged, end })
    }

    /// What it says of the job as it stands now.
    pub fn of(&self, job: &Job) -> Option<Acknowledged> {
        let same = JobEnd::of(job) == Some(self.end);
        same.then(|| self.acknowledged.clone())
    }
}

/// What was said of a job and holds of it as it is told now.
pub fn stays(before: &Job, now: &Job) -> Option<Acknowledged> {
    let entry = Entry::new(before, before.acknowledged.clone()?)?;
    entry.of(now)
}

/// Puts into a job that is told what is kept of it.
pub(crate) fn tell(w: &Write<'_, '_>, job: &mut Job) -> store::Result<()> {
    let entry = ACKNOWLEDGED.get(w, &job.id.to_string())?;
    job.acknowledged = entry.and_then(|entry| entry.of(job));
    Ok(())
}

/// Keeps it, or with `None` takes it back. Of a job that is not kept nothing is.
pub(crate) fn keep(w: &mut Write<'_, '_>, job: JobId, entry: Option<&Entry>) -> store::Result<()> {
    let key = job.to_string();
    let Some(mut job) = JOBS.get(w, &key)? else {
        return Ok(());
    };
    match entry {
        Some(entry) => ACKNOWLEDGED.put(w, &key, entry)?,
        None => drop(ACKNOWLEDGED.delete(w, &key)?),
    }
    job.acknowledged = entry.and_then(|entry| entry.of(&job));
    JOBS.put(w, &key, &job)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::job::{JobState, Outcome, Verdict};
    use wire::{Bytes, DriveId, Time};

    use super::*;

    fn ended(outcome: Outcome, second: i64) -> Job {
        let drive = DriveId::from_serial("M", "WD-1234", 1).unwrap();
        Job {
            state: JobState::Finished,
            verdict: Some(Verdict {
                outcome,
                rules: Vec::new(),
                summary: String::new(),
                verified: Bytes(0),
                engine: String::new(),
            }),
            ended: Time::from_second(second).ok(),
            ..Job::new(JobId(uuid::Uuid::from_u128(7)), drive, "surface", Time::UNIX_EPOCH)
        }
    }

    #[test]
    fn it_holds_of_the_end_that_was_seen_and_of_no_other() {
        let (by, at) = ("ada".to_owned(), Time::UNIX_EPOCH);
        let before = Job {
            acknowledged: Some(Acknowledged { by, at }),
            ..ended(Outcome::Warn, 1)
        };
        assert_eq!(stays(&before, &ended(Outcome::Warn, 1)), before.acknowledged);
        let goes_on = Job {
            state: JobState::Running,
            ..before.clone()
        };
        for other in [ended(Outcome::Failed, 1), ended(Outcome::Warn, 2), goes_on.clone()] {
            assert_eq!(stays(&before, &other), None, "{other:?}");
        }
        assert_eq!(stays(&goes_on, &before), None, "nobody can see what has not come");
        assert_eq!(stays(&ended(Outcome::Warn, 1), &before), None, "nobody has said so");
    }
}
