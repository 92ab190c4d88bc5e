//! Lists of certificates that were signed in one place, and what a drive that fails takes back of them: one rule for a box's
//! server and for `kiln burn`.

use std::collections::BTreeMap;

use wire::DriveId;
use wire::boxes::CertificateEntry;
use wire::certificate::Revocation;
use wire::job::{Job, Outcome};

use crate::key::Fingerprint;

/// What a list remembers, by certificate id: with which key it was signed, and whether it was revoked.
pub type Remembered = BTreeMap<String, (Fingerprint, Option<Revocation>)>;

/// What is listed of a job's certificate; `None` where it has none.
pub fn entry(job: &Job) -> Option<CertificateEntry> {
    Some(CertificateEntry {
        job: job.id,
        drive: job.drive.clone(),
        model: job.model.clone(),
        serial: job.serial.clone(),
        capacity: job.capacity,
        playbook: job.playbook.clone(),
        outcome: job.verdict.as_ref().map(|verdict| verdict.outcome),
        info: job.certificate.clone()?,
    })
}

/// What [`crate::Revocations`] asks of a list.
pub fn remembered(entries: impl IntoIterator<Item = CertificateEntry>) -> Remembered {
    let told = |entry: CertificateEntry| Some((entry.info.id, (entry.info.key.parse().ok()?, entry.info.revoked)));
    entries.into_iter().filter_map(told).collect()
}

/// Whether a job's drive failed in it.
pub fn has_failed(job: &Job) -> bool {
    let failed = |verdict: &wire::job::Verdict| verdict.outcome == Outcome::Failed;
    job.verdict.as_ref().is_some_and(failed)
}

/// Revokes a certificate that calls the drive of another job good which has failed in that; false where nothing of it changes.
pub fn take_back(entry: &mut CertificateEntry, failed: &Job) -> bool {
    let good = matches!(entry.outcome, Some(Outcome::Passed | Outcome::Warn));
    let stands = good && entry.info.revoked.is_none() && entry.job != failed.id;
    let takes_back = stands && has_failed(failed) && is_of_its_drive(entry, failed);
    if takes_back {
        entry.info.revoked = Some(Revocation::by(failed, entry.info.made));
    }
    takes_back
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
