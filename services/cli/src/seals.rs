//! The certificates that `kiln burn` signed on this computer, and which of them hold no longer: one list in the state folder.
//!
//! A certificate is listed before its file is written, and what a drive's failure takes back is, too, before that failure is
//! told: a kill leaves no certificate behind that nobody could revoke. The list is replaced whole, by one burn-in at a time. The rule
//! is [`certificate::revoke`]'s, as on a box. Tested below, and by whole burn-ins in `tests/cert/`.

use std::fs;
use std::io;
use std::path::Path;

use certificate::revoke;
use wire::boxes::CertificateEntry;
use wire::certificate::Revocation;
use wire::job::Job;
use wire::{JobId, Time};

use crate::list;

/// Name of the list.
const FILE: &str = "certificates.json";

/// Name of the file whose lock lets one process at a time replace the list.
const LOCK: &str = "certificates.lock";

/// Certificates listed; the ones that were made first go. As many as a box lists, two megabytes at 500 bytes each.
const SEALS_MAX: usize = 4000;

/// Longest list that is read, in bytes: four times the longest that is usual.
const LIST_MAX: u64 = 8 << 20;

/// Lists a job that ended: its certificate, where it has one, and what its failure takes back. What is to be told of that. `again`: it
/// ended before, and was listed then.
///
/// # Errors
/// When it is not on the disk, in words.
pub fn note(state: &Path, job: &Job, again: bool) -> Result<Vec<String>, String> {
    let path = state.join(FILE);
    let failed = |error: io::Error| format!("the list of certificates {}: {error}", path.display());
    // Nothing was ever signed here.
    if job.certificate.is_none() && matches!(path.try_exists(), Ok(false)) {
        return Ok(Vec::new());
    }
    let mut told = Vec::new();
    // Hours lie between the beginning and this: somebody may have removed it.
    fs::create_dir_all(state).map_err(failed)?;
    let _held = list::lock(state, LOCK).map_err(failed)?;
    let mut entries = match read(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            let aside = list::set_aside(&path, Time::now()).map_err(failed)?;
            told.push(format!(
                "{}; set aside as {}: of the certificates in it nobody knows here whether they hold",
                failed(error),
                aside.display()
            ));
            Vec::new()
        }
        Err(error) => return Err(failed(error)),
    };
    let taken_back = listed(&mut entries, job, again);
    if !taken_back.is_empty() || job.certificate.is_some() {
        let text = serde_json::to_vec(&entries).map_err(|error| failed(error.into()))?;
        crate::file::replace(&path, &text).map_err(failed)?;
    }
    told.extend(
        taken_back
            .into_iter()
            .map(|id| format!("certificate {id} holds no longer: the drive failed")),
    );
    Ok(told)
}

/// Tries whether a certificate can be listed, before hours are spent on one: takes the lock and writes the list as it is. Of one that
/// cannot be understood [`note`] tells; where there is none, none is made.
///
/// # Errors
/// Why it cannot be, and what to do, in words.
pub fn ready(state: &Path) -> Result<(), String> {
    let path = state.join(FILE);
    let failed = |error: io::Error| {
        format!(
            "the list of certificates {}: {error}: nothing could be signed at the end. Make room there and have it written to, or give \
             another folder by --state",
            path.display()
        )
    };
    let _held = list::lock(state, LOCK).map_err(failed)?;
    let tried = match read(&path) {
        Ok(entries) if !entries.is_empty() => serde_json::to_vec(&entries)
            .map_err(io::Error::from)
            .and_then(|text| crate::file::replace(&path, &text)),
        Ok(_) => crate::file::try_out(state),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => crate::file::try_out(state),
        Err(error) => Err(error),
    };
    tried.map_err(failed)
}

/// What was signed here, and what of it was revoked.
///
/// # Errors
/// When the list is there and cannot be read, in words.
pub fn known(state: &Path) -> Result<Vec<CertificateEntry>, String> {
    let path = state.join(FILE);
    read(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The jobs whose certificates are listed.
///
/// # Errors
/// When the list is there and cannot be read.
pub fn jobs(state: &Path) -> io::Result<Vec<JobId>> {
    let entries = read(&state.join(FILE))?;
    Ok(entries.into_iter().map(|entry| entry.job).collect())
}

/// By what the certificate of a job that was signed here was revoked; `None` where it was not, or there is none.
///
/// # Errors
/// When the list is there and cannot be read, in words.
pub fn revoked(state: &Path, job: JobId) -> Result<Option<Revocation>, String> {
    let mut revoked = known(state)?.into_iter().filter(|entry| entry.job == job);
    Ok(revoked.find_map(|entry| entry.info.revoked))
}

/// Brings a list up to a job that ended; the ids of the certificates that it takes back.
fn listed(entries: &mut Vec<CertificateEntry>, job: &Job, again: bool) -> Vec<String> {
    let mut taken_back = Vec::new();
    for entry in entries.iter_mut() {
        if revoke::take_back(entry, job, again) {
            taken_back.push(entry.info.id.clone());
        }
    }
    let Some(mut new) = revoke::entry(job) else {
        return taken_back;
    };
    if let Some(at) = entries.iter().position(|entry| entry.info.id == new.info.id) {
        new.info.revoked = entries.remove(at).info.revoked;
    }
    for known in entries.iter() {
        revoke::failed_before(&mut new, known);
    }
    entries.push(new);
    let excess = entries.len().saturating_sub(SEALS_MAX);
    entries.drain(..excess);
    taken_back
}

/// The list; none where there is no file. One that cannot be understood is `InvalidData`.
fn read(path: &Path) -> io::Result<Vec<CertificateEntry>> {
    list::read(path, LIST_MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use certificate::Key;
    use wire::certificate::CertificateInfo;
    use wire::job::{JobState, Verdict};
    use wire::{Bytes, DriveId};

    use wire::job::Outcome;

    use super::*;

    /// A burn-in that came to this, with a certificate of this id.
    pub(crate) fn ended(wwn: &str, outcome: Outcome, id: Option<&str>) -> Job {
        Job {
            model: "M".into(),
            serial: wwn.into(),
            capacity: Bytes(1),
            sector: 512,
            actor: "x".into(),
            state: JobState::Finished,
            verdict: Some(Verdict {
                outcome,
                rules: vec![],
                summary: "So it went.".into(),
                verified: Bytes(0),
                engine: "test".into(),
            }),
            certificate: id.map(|id| CertificateInfo {
                id: id.into(),
                key: Key::from_seed(&[5; 32]).public().fingerprint().to_hex(),
                made: Time::UNIX_EPOCH,
                revoked: None,
            }),
            ended: Some(Time::UNIX_EPOCH),
            ..Job::new(
                JobId::now(),
                DriveId::from_wwn(wwn).unwrap(),
                "surface",
                Time::UNIX_EPOCH,
            )
        }
    }

    pub(crate) const ONE: &str = "5000c500a1b2c3d4";
    pub(crate) const OTHER: &str = "5000c500a1b2c3d5";

    fn revoked(dir: &Path) -> Vec<(String, bool)> {
        let told = |entry: CertificateEntry| (entry.info.id, entry.info.revoked.is_some());
        let mut known: Vec<_> = known(dir).unwrap().into_iter().map(told).collect();
        known.sort();
        known
    }

    /// A state folder that was put back runs a job to another end.
    #[test]
    fn a_job_that_failed_and_ends_well_once_more_has_no_certificate_that_holds() {
        let dir = tempfile::tempdir().unwrap();
        let first = ended(ONE, Outcome::Failed, Some("A"));
        let again = Job {
            id: first.id,
            ..ended(ONE, Outcome::Passed, Some("B"))
        };
        for job in [first, again] {
            note(dir.path(), &job, false).unwrap();
        }
        assert_eq!(revoked(dir.path()), [("A".to_owned(), false), ("B".to_owned(), true)]);
    }

    #[test]
    fn a_failure_takes_back_what_was_signed_of_the_same_drive() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(
            note(dir.path(), &ended(ONE, Outcome::Failed, None), false).unwrap(),
            [""; 0]
        );
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            0,
            "a list of nothing is kept"
        );
        for (wwn, outcome, id) in [
            (ONE, Outcome::Passed, "A"),
            (ONE, Outcome::Inconclusive, "B"),
            (OTHER, Outcome::Passed, "C"),
            (ONE, Outcome::Warn, "D"),
        ] {
            assert_eq!(
                note(dir.path(), &ended(wwn, outcome, Some(id)), false).unwrap(),
                [""; 0]
            );
        }
        let told = note(dir.path(), &ended(ONE, Outcome::Failed, Some("E")), false).unwrap();
        assert!(
            told.len() == 2 && told[0].contains("certificate A holds no longer"),
            "{told:?}"
        );
        let expected = [("A", true), ("B", false), ("C", false), ("D", true), ("E", false)];
        assert_eq!(
            revoked(dir.path()),
            expected.map(|(id, revoked)| (id.to_owned(), revoked))
        );
        // Once.
        assert_eq!(
            note(dir.path(), &ended(ONE, Outcome::Failed, None), false).unwrap(),
            [""; 0]
        );
    }

    #[test]
    fn an_older_failure_that_is_told_again_takes_back_nothing_newer() {
        let dir = tempfile::tempdir().unwrap();
        let mut failed = ended(ONE, Outcome::Failed, None);
        failed.ended = Time::from_second(100).ok();
        note(dir.path(), &failed, false).unwrap();
        // The clock began anew meanwhile.
        let mut passed = ended(ONE, Outcome::Passed, Some("A"));
        passed.ended = Time::from_second(50).ok();
        passed.certificate.as_mut().unwrap().made = Time::from_second(50).unwrap();
        note(dir.path(), &passed, true).unwrap();
        assert_eq!(note(dir.path(), &failed, true).unwrap(), [""; 0]);
        assert_eq!(revoked(dir.path()), [("A".to_owned(), false)]);
        // It was interrupted only, and fails when it is gone on with.
        failed.ended = Time::from_second(101).ok();
        assert_eq!(note(dir.path(), &failed, false).unwrap().len(), 1);
        assert_eq!(revoked(dir.path()), [("A".to_owned(), true)]);
    }

    #[test]
    fn what_was_signed_of_an_interrupted_job_stays_listed() {
        let dir = tempfile::tempdir().unwrap();
        let mut job = ended(ONE, Outcome::Inconclusive, Some("A"));
        note(dir.path(), &job, false).unwrap();
        job.verdict.as_mut().unwrap().outcome = Outcome::Passed;
        job.certificate.as_mut().unwrap().id = "B".to_owned();
        note(dir.path(), &job, false).unwrap();
        note(dir.path(), &ended(ONE, Outcome::Failed, None), false).unwrap();
        // Whoever has the first one may ask for it.
        let known = [("A".to_owned(), false), ("B".to_owned(), true)];
        assert_eq!(revoked(dir.path()), known);
        // What was revoked stays so.
        note(dir.path(), &job, false).unwrap();
        assert_eq!(revoked(dir.path()), known);
    }

    #[test]
    fn burn_ins_that_end_together_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..16 {
                let dir = dir.path();
                scope.spawn(move || note(dir, &ended(ONE, Outcome::Passed, Some(&format!("{n:02}"))), false).unwrap());
            }
        });
        assert_eq!(revoked(dir.path()).len(), 16);
    }

    #[test]
    fn a_folder_that_is_gone_is_made_again_and_one_that_takes_nothing_is_told_before() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("a/b");
        assert!(ready(&gone).unwrap_err().contains("--state"));
        let told = note(&gone, &ended(ONE, Outcome::Passed, Some("A")), true).unwrap();
        assert_eq!(told, [""; 0]);
        assert_eq!(revoked(&gone), [("A".to_owned(), false)]);
        ready(&gone).unwrap();
        assert_eq!(revoked(&gone), [("A".to_owned(), false)]);
        let fresh = dir.path().join("fresh");
        fs::create_dir(&fresh).unwrap();
        ready(&fresh).unwrap();
        assert!(!fresh.join(FILE).exists(), "a list of nothing is kept");
        fs::write(fresh.join(FILE), "[{").unwrap();
        ready(&fresh).unwrap();
        assert_eq!(fs::read_to_string(fresh.join(FILE)).unwrap(), "[{", "note tells of it");
        fs::remove_file(fresh.join(FILE)).unwrap();
        fs::create_dir(fresh.join(FILE)).unwrap();
        assert!(ready(&fresh).unwrap_err().contains("expected a regular file"));
    }

    #[test]
    fn a_damaged_list_is_set_aside_and_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "[{").unwrap();
        assert!(known(dir.path()).unwrap_err().contains(FILE));
        let told = note(dir.path(), &ended(ONE, Outcome::Passed, Some("A")), false).unwrap();
        assert!(
            told[0].contains("set aside as") && told[0].contains(".bad-20"),
            "{told:?}"
        );
        assert_eq!(revoked(dir.path()), [("A".to_owned(), false)]);
    }
}
