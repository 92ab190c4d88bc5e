//! The list of certificates that were signed here, and what a drive that fails later takes back of it.

use store::Write;
use wire::DriveId;
use wire::boxes::CertificateEntry;
use wire::certificate::Revocation;
use wire::job::{Job, Outcome};

use crate::tables::{SEALS, SEALS_MAX};

/// Lists the job's certificate, where it has one and the list does not say so yet; of a drive that failed no earlier one holds.
///
/// The list outlives the jobs, here and at the agent: who forgot a job still knows that its certificate was revoked.
pub(super) fn list(w: &mut Write<'_, '_>, job: &Job) -> store::Result<()> {
    if job
        .verdict
        .as_ref()
        .is_some_and(|verdict| verdict.outcome == Outcome::Failed)
    {
        revoke(w, job)?;
    }
    let Some(info) = &job.certificate else { return Ok(()) };
    let mut entry = CertificateEntry {
        job: job.id,
        drive: job.drive.clone(),
        model: job.model.clone(),
        serial: job.serial.clone(),
        capacity: job.capacity,
        playbook: job.playbook.clone(),
        outcome: job.verdict.as_ref().map(|verdict| verdict.outcome),
        info: info.clone(),
    };
    let known = SEALS.get(w, info.id.as_str())?;
    if let Some(known) = &known {
        // What was revoked once stays so, whatever an older telling of the job says.
        entry.info.revoked = entry.info.revoked.or_else(|| known.info.revoked.clone());
        if *known == entry {
            return Ok(());
        }
    } else {
        make_room(w)?;
    }
    SEALS.put(w, info.id.as_str(), &entry)
}

/// Revokes what was signed of this drive as good before it failed.
fn revoke(w: &mut Write<'_, '_>, failed: &Job) -> store::Result<()> {
    for (id, mut entry) in SEALS.all(w)? {
        let good = matches!(entry.outcome, Some(Outcome::Passed | Outcome::Warn));
        // Job ids rise with time: a later success is not taken back by an older failure that is told again.
        let stands = good && entry.info.revoked.is_none() && entry.job < failed.id;
        if !stands || !is_of_its_drive(&entry, failed) {
            continue;
        }
        entry.info.revoked = Some(Revocation::by(failed, entry.info.made));
        SEALS.put(w, &id, &entry)?;
    }
    Ok(())
}

/// Whether a certificate is of a job's drive: by its id, or, behind a bridge that hides the world wide name, by its serial
/// number. A bridge may leave the maker out of the model, and a dock's own serial is that of many drives.
fn is_of_its_drive(entry: &CertificateEntry, job: &Job) -> bool {
    let named = |serial: &str| DriveId::from_serial("", &serial.to_ascii_uppercase(), job.capacity.0);
    let serial = named(&job.serial).filter(|own| named(&entry.serial).as_ref() == Some(own));
    let (one, other) = (entry.model.as_str(), job.model.as_str());
    let model = !one.is_empty() && !other.is_empty() && (one.ends_with(other) || other.ends_with(one));
    entry.drive == job.drive || serial.is_some() && model && entry.capacity == job.capacity
}

/// Drops the certificates that were made first where the list is full: the first to have expired.
fn make_room(w: &mut Write<'_, '_>) -> store::Result<()> {
    if SEALS.len(w)? < SEALS_MAX {
        return Ok(());
    }
    let mut all: Vec<_> = SEALS
        .all(w)?
        .into_iter()
        .map(|(id, entry)| (entry.info.made, id))
        .collect();
    all.sort();
    // Some at once, so that not every certificate reads the whole list.
    for (_, id) in all.into_iter().take(SEALS_MAX as usize / 100) {
        SEALS.delete(w, id.as_str())?;
    }
    Ok(())
}
