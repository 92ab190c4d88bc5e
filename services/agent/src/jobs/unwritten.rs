//! Ends of jobs that the medium did not take: in memory, to be tried again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::error;
use wire::JobId;

use super::Ended;
use crate::record::Record;

/// Ends kept, of at most half a megabyte each: more drives than end on a box before somebody looks after a medium that is full.
const UNWRITTEN_MAX: usize = 128;

/// Ends by job; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Unwritten(Arc<Mutex<BTreeMap<JobId, (Record, Ended)>>>);

impl Unwritten {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, (Record, Ended)>> {
        // Each change is one call; a panic in between leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps one; the oldest beyond [`UNWRITTEN_MAX`] stands in its copy in RAM alone, which the next start reads.
    pub(super) fn keep(&self, record: Record, end: Ended) {
        let mut all = self.lock();
        all.insert(record.job.id, (record, end));
        if all.len() > UNWRITTEN_MAX
            && let Some((job, _)) = all.pop_first()
        {
            error!(%job, "too many ends of jobs are not written down; only the agent's next start tries this one again");
        }
    }

    pub(super) fn remove(&self, job: JobId) {
        self.lock().remove(&job);
    }

    pub(super) fn of(&self, job: JobId) -> Option<(Record, Ended)> {
        self.lock().get(&job).cloned()
    }

    pub(super) fn all(&self) -> Vec<(Record, Ended)> {
        self.lock().values().cloned().collect()
    }
}
