//! Lists of certificates that were signed in one place, and what a drive that fails takes back of them: one rule for a box's
//! server and for `kiln burn`.

use std::collections::BTreeMap;

use wire::boxes::CertificateEntry;
use wire::certificate::Revocation;
use wire::job::{Job, Outcome};
use wire::{Bytes, DriveId, JobId, Time};

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

/// Why a certificate was revoked, within a sentence: a verdict's summary, and whatever a person wrote, may be one itself.
pub fn reason(why: &str) -> &str {
    match why.trim_end_matches('.') {
        "" => "no reason is given",
        why => why,
    }
}

/// Whether a job's drive failed in it.
pub fn has_failed(job: &Job) -> bool {
    let failed = |verdict: &wire::job::Verdict| verdict.outcome == Outcome::Failed;
    job.verdict.as_ref().is_some_and(failed)
}

/// Revokes a certificate that calls the drive of another job good which failed in that later on; false where nothing of it changes.
///
/// `again`: that failure was heard before, in this place; job ids alone say then what came after it.
pub fn take_back(entry: &mut CertificateEntry, failed: &Job, again: bool) -> bool {
    let word = Word {
        job: entry.job,
        said: Some(entry.info.made),
        outcome: entry.outcome,
        drive: &entry.drive,
        model: &entry.model,
        serial: &entry.serial,
        capacity: entry.capacity,
    };
    let takes_back = entry.info.revoked.is_none() && word.is_refuted(failed, again);
    if takes_back {
        entry.info.revoked = Some(Revocation::by(failed, entry.info.made));
    }
    takes_back
}

/// Whether a job calls its drive good which failed in another one later on: it has no certificate any more, also where it had none.
/// `again` as with [`take_back`].
pub fn is_refuted(job: &Job, failed: &Job, again: bool) -> bool {
    let word = Word {
        job: job.id,
        said: job.ended,
        outcome: job.verdict.as_ref().map(|verdict| verdict.outcome),
        drive: &job.drive,
        model: &job.model,
        serial: &job.serial,
        capacity: job.capacity,
    };
    word.is_refuted(failed, again)
}

/// What a certificate or a job says of a drive, and when.
struct Word<'a> {
    job: JobId,
    said: Option<Time>,
    outcome: Option<Outcome>,
    drive: &'a DriveId,
    model: &'a str,
    serial: &'a str,
    capacity: Bytes,
}

impl Word<'_> {
    fn is_refuted(&self, failed: &Job, again: bool) -> bool {
        let good = matches!(self.outcome, Some(Outcome::Passed | Outcome::Warn));
        good && has_failed(failed) && self.was_before(failed, again) && self.is_of_the_drive_of(failed)
    }

    /// Whether it was said before that job ended, so that an older failure that is told again takes back nothing newer.
    ///
    /// Job ids rise with time, whatever the clock does; one that was interrupted and gone on with keeps its id, and ends later than
    /// another one of a higher id. That is asked of the clock once, when the failure is heard first: a clock that starts anew at each
    /// boot puts before it what was said days after.
    fn was_before(&self, failed: &Job, again: bool) -> bool {
        let ended_later = |ended: Time| self.said.is_none_or(|said| said < ended);
        self.job < failed.id || !again && self.job != failed.id && failed.ended.is_some_and(ended_later)
    }

    /// Whether it is of a job's drive: by its id, or, behind a bridge that hides the world wide name, by its serial number. A
    /// bridge may leave the maker out of the model, and a dock's own serial is that of many drives.
    fn is_of_the_drive_of(&self, job: &Job) -> bool {
        let named = |serial: &str| DriveId::from_serial("", &serial.to_ascii_uppercase(), job.capacity.0);
        let serial = named(&job.serial).filter(|own| named(self.serial).as_ref() == Some(own));
        let (one, other) = (self.model, job.model.as_str());
        let model = !one.is_empty() && !other.is_empty() && (one.ends_with(other) || other.ends_with(one));
        *self.drive == job.drive || serial.is_some() && model && self.capacity == job.capacity
    }
}
