//! The list of certificates that were signed here, and what a drive that fails later takes back of it.

use certificate::revoke;
use store::Write;
use wire::job::Job;

use crate::tables::{JOBS, SEALS, SEALS_MAX};

/// Lists the job's certificate, where it has one and the list does not say so yet; of a drive that failed no earlier one holds.
///
/// The list outlives the jobs, here and at the agent: who forgot a job still knows that its certificate was revoked. Asks [`JOBS`] for
/// what was known of the job, and so comes before it is put there.
pub(super) fn list(w: &mut Write<'_, '_>, job: &Job) -> store::Result<()> {
    if revoke::has_failed(job) {
        let known = JOBS.get(w, &job.id.to_string())?;
        let again = known.is_some_and(|known| known.ended == job.ended && revoke::has_failed(&known));
        take_back(w, job, again)?;
    }
    let Some(mut entry) = revoke::entry(job) else {
        return Ok(());
    };
    let known = SEALS.get(w, entry.info.id.as_str())?;
    if let Some(known) = &known {
        // What was revoked once stays so, whatever an older telling of the job says.
        entry.info.revoked = entry.info.revoked.or_else(|| known.info.revoked.clone());
        if *known == entry {
            return Ok(());
        }
    } else {
        make_room(w)?;
    }
    SEALS.put(w, entry.info.id.as_str(), &entry)
}

/// Revokes what was signed of this drive as good before it failed; the agent tells that `again` whenever it connects.
fn take_back(w: &mut Write<'_, '_>, failed: &Job, again: bool) -> store::Result<()> {
    for (id, mut entry) in SEALS.all(w)? {
        if revoke::take_back(&mut entry, failed, again) {
            SEALS.put(w, &id, &entry)?;
        }
    }
    Ok(())
}

/// Drops the certificates that were made first where the list is full: the first to have expired.
fn make_room(w: &mut Write<'_, '_>) -> store::Result<()> {
    if SEALS.len(w)? < SEALS_MAX as u64 {
        return Ok(());
    }
    let mut all: Vec<_> = SEALS
        .all(w)?
        .into_iter()
        .map(|(id, entry)| (entry.info.made, id))
        .collect();
    all.sort();
    // Some at once, so that not every certificate reads the whole list.
    for (_, id) in all.into_iter().take(SEALS_MAX / 100) {
        SEALS.delete(w, id.as_str())?;
    }
    Ok(())
}
