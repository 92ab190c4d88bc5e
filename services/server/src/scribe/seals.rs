//! The list of certificates that were signed here, and what a drive that fails later takes back of it.
//!
//! The list outlives the jobs, here and at the agent: who forgot a job still knows that its certificate was revoked. What is taken back
//! here stands in the job, too, and in the log. The agent does the same for jobs that it still knows: its event for a certificate that
//! was told from here is dropped.

use certificate::revoke;
use store::{View, Write};
use wire::boxes::CertificateEntry;
use wire::event::NewEvent;
use wire::job::Job;

use super::json;
use crate::tables::{JOBS, SEALS, SEALS_MAX, STATE};

/// Key in the state table: the certificates whose end was told from here, the oldest first.
const TOLD: &str = "certificates-revoked";

/// As many of them are remembered: the agent tells its own within minutes, or, where its medium is full, once that takes it.
const TOLD_MAX: usize = 500;

/// Lists the job's certificate, where it has one and the list does not say so yet. What the list says of its revocation stands in the
/// job then; whether the job lacked it.
pub(super) fn list(w: &mut Write<'_, '_>, job: &mut Job) -> store::Result<bool> {
    let Some(mut entry) = revoke::entry(job) else {
        return Ok(false);
    };
    let known = SEALS.get(w, entry.info.id.as_str())?;
    let stood = entry.info.revoked.is_none();
    match &known {
        Some(known) => revoke::stay(Some(&mut entry.info), Some(&known.info)),
        None => {
            for (_, other) in SEALS.all(w)? {
                revoke::failed_before(&mut entry, &other);
            }
            make_room(w)?;
        }
    }
    if known.as_ref() != Some(&entry) {
        SEALS.put(w, entry.info.id.as_str(), &entry)?;
    }
    let lacked = stood && entry.info.revoked.is_some();
    job.certificate = Some(entry.info);
    Ok(lacked)
}

/// Revokes what was signed of this drive as good before it failed in this job, where it did; gives what it was.
///
/// Asks [`JOBS`] for what was known of the job, which the agent tells whenever it connects, and so comes before it is put there.
pub(super) fn take_back(w: &mut Write<'_, '_>, job: &Job) -> store::Result<Vec<CertificateEntry>> {
    if !revoke::has_failed(job) {
        return Ok(Vec::new());
    }
    let known = JOBS.get(w, &job.id.to_string())?;
    let again = known.is_some_and(|known| known.ended == job.ended && revoke::has_failed(&known));
    let mut taken = Vec::new();
    for (id, mut entry) in SEALS.all(w)? {
        if revoke::take_back(&mut entry, job, again) {
            SEALS.put(w, &id, &entry)?;
            taken.push(entry);
        }
    }
    note_told(w, &taken)?;
    Ok(taken)
}

/// The job of a certificate that was taken back, as it says so itself from now on; `None` where it is not kept, or has another one.
pub(super) fn tell_job(w: &mut Write<'_, '_>, entry: &CertificateEntry) -> store::Result<Option<Job>> {
    let key = entry.job.to_string();
    let Some(mut job) = JOBS.get(w, &key)? else {
        return Ok(None);
    };
    let Some(info) = job.certificate.as_mut().filter(|info| info.id == entry.info.id) else {
        return Ok(None);
    };
    revoke::stay(Some(info), Some(&entry.info));
    JOBS.put(w, &key, &job)?;
    Ok(Some(job))
}

fn told(view: &impl View) -> store::Result<Vec<String>> {
    let kept = STATE.get(view, TOLD)?;
    Ok(kept
        .and_then(|value| serde_json::from_value(value).ok())
        .unwrap_or_default())
}

/// Whether an event tells what was told from here.
pub(super) fn was_told(view: &impl View, event: &NewEvent) -> store::Result<bool> {
    match revoke::told_of(event) {
        Some(id) => Ok(told(view)?.iter().any(|told| told == id)),
        None => Ok(false),
    }
}

fn note_told(w: &mut Write<'_, '_>, taken: &[CertificateEntry]) -> store::Result<()> {
    if taken.is_empty() {
        return Ok(());
    }
    let mut all = told(w)?;
    all.extend(taken.iter().map(|entry| entry.info.id.clone()));
    all.drain(..all.len().saturating_sub(TOLD_MAX));
    STATE.put(w, TOLD, &json(&all)?)
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
