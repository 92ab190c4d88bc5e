//! What ended jobs leave: certificates, what is known of a model, and certificates that no longer hold.

use burnin::verdict::Peer;
use serde::{Deserialize, Serialize};
use store::{Store, Table, Write};
use wire::certificate::{CertificateText, Revocation};
use wire::job::{Job, Outcome, Verdict};
use wire::{DriveId, JobId, Time};

use super::{JOBS, Jobs};
use crate::events::{self, Happening};
use crate::outbox;
use crate::record::Record;

/// Certificates as they were signed, by job.
pub const CERTIFICATES: Table<String, Certified> = Table::new("certificates");

/// What the verdict of another drive of the same model may compare with, by job.
pub const PEERS: Table<String, Peer> = Table::new("peers");

/// Peers kept, of all models; the oldest go first.
pub const PEERS_MAX: u64 = 2_000;

/// A certificate with its drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certified {
    drive: DriveId,
    text: String,
}

/// What the end of a job brings beside its record.
#[derive(Debug, Default)]
pub struct Ended {
    /// Its events.
    pub told: Vec<Happening>,
    /// Its certificate's text.
    pub certificate: Option<String>,
    /// What later verdicts may compare with.
    pub peer: Option<Peer>,
}

/// What the end of a job changed of older ones.
#[derive(Debug, Default)]
pub struct Past {
    /// Jobs that retention dropped.
    pub gone: Vec<JobId>,
    /// Jobs whose certificate no longer holds, as they are now.
    pub revoked: Vec<Job>,
}

/// Notes what an ended job leaves; answers with the jobs whose certificates are revoked by it.
pub(super) fn note(w: &mut Write<'_, '_>, key: &str, record: &Record, end: &Ended) -> store::Result<Vec<Job>> {
    if let Some(text) = &end.certificate {
        let certified = Certified {
            drive: record.job.drive.clone(),
            text: text.clone(),
        };
        CERTIFICATES.put(w, key, &certified)?;
    }
    if let Some(peer) = &end.peer {
        PEERS.put(w, key, peer)?;
        PEERS.keep_last(w, PEERS_MAX)?;
    }
    match &record.job.verdict {
        Some(verdict) if verdict.outcome == Outcome::Failed => revoke(w, record, |_| true),
        Some(_) | None => Ok(Vec::new()),
    }
}

/// Revokes what drives that failed here had been signed as good before, where that came to this box by a backup only after
/// their failure. Of two boxes the clocks alone tell which was first.
///
/// # Errors
/// When the store cannot be read or written.
pub(crate) fn revoke_again(w: &mut Write<'_, '_>) -> store::Result<()> {
    for (_, failed) in JOBS.all(w)? {
        let is = |verdict: &Verdict| verdict.outcome == Outcome::Failed;
        if failed.job.verdict.as_ref().is_some_and(is) {
            revoke(w, &failed, |job| job.ended < failed.job.ended)?;
        }
    }
    Ok(())
}

/// Revokes what was signed of this drive as good before it failed, whatever it was called then: certificates of its other
/// jobs, of which `earlier` are.
fn revoke(w: &mut Write<'_, '_>, failed: &Record, earlier: impl Fn(&Job) -> bool) -> store::Result<Vec<Job>> {
    let mut revoked = Vec::new();
    let own = failed.job.id.to_string();
    for (key, _) in CERTIFICATES.all(w)?.into_iter().filter(|(key, _)| *key != own) {
        let is = |record: &Record| record.is_of_the_drive_of(failed) && earlier(&record.job);
        let Some(mut record) = JOBS.get(w, &key)?.filter(is) else {
            continue;
        };
        let good = record
            .job
            .verdict
            .as_ref()
            .is_some_and(|verdict| matches!(verdict.outcome, Outcome::Passed | Outcome::Warn));
        let Some(info) = record
            .job
            .certificate
            .as_mut()
            .filter(|info| good && info.revoked.is_none())
        else {
            continue;
        };
        info.revoked = Some(Revocation::by(&failed.job, Time::now()));
        record.revision += 1;
        JOBS.put(w, &key, &record)?;
        outbox::spool(w, &[events::revoked(&record.job, &failed.job)])?;
        revoked.push(record.job);
    }
    Ok(revoked)
}

/// A job's certificate.
///
/// # Errors
/// When the store cannot be read.
pub fn certificate(store: &Store, job: JobId) -> store::Result<Option<CertificateText>> {
    let found = store.read(|r| CERTIFICATES.get(r, &job.to_string()))?;
    Ok(found.map(|certified| CertificateText {
        job,
        text: certified.text,
    }))
}

impl Jobs {
    /// What is known of other drives of this model: the newest of each.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn peers(&self, model: &str, but: &DriveId) -> store::Result<Vec<Peer>> {
        let all = self.store.read(|r| PEERS.all(r))?;
        let mut newest = std::collections::BTreeMap::new();
        for (_, peer) in all {
            if peer.model == model && peer.drive != *but {
                newest.insert(peer.drive.clone(), peer);
            }
        }
        Ok(newest.into_values().collect())
    }
}
