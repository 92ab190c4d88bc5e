//! What a restore must not undo: jobs that have ended on this box since the backup was made, and what was revoked.
//!
//! A backup is older than the box that takes it back. Without this a certificate that was revoked in between would stand
//! again, and a job that has its verdict would be offered as one to go on with.

use std::collections::BTreeMap;

use store::{Room, Row, Store, Write};

use crate::jobs::{self, JOBS, JOBS_MAX, past};
use crate::record::Record;

/// The rows of a backup together with this box's own ended jobs and certificates. Of a job that both have, the one whose
/// certificate is revoked counts, else the one that was written later.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn with(store: &Store, coming: Vec<Row>) -> store::Result<Vec<Row>> {
    let place = |row: &Row| (row.table.clone(), row.key.clone());
    let mut all: BTreeMap<_, Row> = coming.into_iter().map(|row| (place(&row), row)).collect();
    let kept = [JOBS.name(), past::CERTIFICATES.name()];
    let others: Vec<&str> = jobs::tables().into_iter().filter(|name| !kept.contains(name)).collect();
    store.export(&others, |own| {
        let place = place(&own);
        let stays = match (own.table == JOBS.name(), all.get(&place)) {
            (false, there) => there.is_none(),
            (true, there) => ended(&own).is_some_and(|own| there.and_then(ended).is_none_or(|there| own > there)),
        };
        if stays {
            all.insert(place, own);
        }
        Ok::<_, store::Error>(())
    })?;
    Ok(all.into_values().collect())
}

/// Puts those rows into a store, with no more jobs than the agent keeps: the oldest go first with their certificates, as where one
/// ends ([`jobs::Jobs::finish`]). How many; `room`: of the store before.
///
/// # Errors
/// When the store does not take them.
pub(super) fn put(w: &mut Write<'_, '_>, rows: Vec<Row>, room: Option<Room>) -> store::Result<usize> {
    let is = |row: &Row, table: &str| row.table == table;
    let (jobs, rows): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| is(row, JOBS.name()));
    let (certificates, rows): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| is(row, past::CERTIFICATES.name()));
    let certificates: BTreeMap<Vec<u8>, Row> = certificates.into_iter().map(|row| (row.key.clone(), row)).collect();
    rows.iter().try_for_each(|row| w.put_row(row))?;
    // Their names rise with time.
    for (kept, job) in jobs.iter().rev().enumerate() {
        if kept == JOBS_MAX || jobs::full::is_full_in(w, room)? {
            return Ok(jobs.len() - kept);
        }
        w.put_row(job)?;
        if let Some(certificate) = certificates.get(&job.key) {
            w.put_row(certificate)?;
        }
    }
    Ok(0)
}

/// Whether the certificate of an ended job is revoked, and how often its record was written; `None` for any other row.
fn ended(row: &Row) -> Option<(bool, u64)> {
    let (_, record) = JOBS.read_row(row).ok()?;
    let revoked = |record: &Record| {
        record
            .job
            .certificate
            .as_ref()
            .is_some_and(|info| info.revoked.is_some())
    };
    record.job.state.is_over().then(|| (revoked(&record), record.revision))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::Path;

    use wire::Time;
    use wire::certificate::CertificateInfo;
    use wire::job::{JobState, Outcome, Verdict};

    use super::*;
    use crate::backup::lay_down;
    use crate::backup::tests::{pages, place, start};
    use crate::books::Books;
    use crate::jobs::{Ended, Jobs};

    /// An ended job of the one drive of these tests.
    fn job(outcome: Outcome, ended: i64) -> Record {
        let mut record = crate::record::tests::record();
        record.job.state = JobState::Finished;
        record.job.ended = Some(Time::from_second(ended).unwrap());
        record.job.verdict = Some(Verdict {
            outcome,
            rules: vec![],
            summary: "so it went".into(),
            verified: wire::Bytes(0),
            engine: "1".into(),
        });
        record.job.certificate = Some(CertificateInfo {
            id: format!("KC-{ended}"),
            key: "k".into(),
            made: Time::UNIX_EPOCH,
            revoked: None,
        });
        record
    }

    fn finish(store: &Store, dir: &Path, mut record: Record) -> Record {
        let end = Ended {
            certificate: Some("text".into()),
            ..Ended::default()
        };
        Jobs::new(store.clone(), dir, None)
            .finish(&mut record, end)
            .wait()
            .unwrap();
        record
    }

    fn restore(rows: &[wire::command::BackupRow], dir: &Path, store: Store, books: &Books) -> Store {
        lay_down(dir, rows, true, true).unwrap();
        let (store, taken) = start(dir, store, books);
        assert_eq!(taken.map(|taken| taken.rows), Some(rows.len()));
        store
    }

    /// Which jobs there are, and by which job the certificate of each is revoked.
    fn kept(store: &Store) -> BTreeMap<wire::JobId, Option<wire::JobId>> {
        let all = store.read(|r| JOBS.all(r)).unwrap().into_iter();
        let revoked = |record: Record| Some(record.job.certificate?.revoked?.job);
        all.map(|(_, record)| (record.job.id, revoked(record))).collect()
    }

    fn certified(store: &Store, record: &Record) -> bool {
        past::certificate(store, record.job.id).unwrap().is_some()
    }

    #[test]
    fn a_restore_keeps_what_was_revoked_and_ended_since_the_backup() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, books) = place(dir.path());
        let good = finish(&store, dir.path(), job(Outcome::Passed, 1_000));
        let backup = pages(&store, &books);
        let failed = finish(&store, dir.path(), job(Outcome::Failed, 2_000));
        let want = BTreeMap::from([(good.job.id, Some(failed.job.id)), (failed.job.id, None)]);
        assert_eq!(kept(&store), want);
        for _ in 0..2 {
            store = restore(&backup, dir.path(), store, &books);
            assert_eq!(kept(&store), want);
            assert!(certified(&store, &good) && certified(&store, &failed));
        }
    }

    #[test]
    fn what_a_newer_backup_revoked_stays_revoked() {
        let dir = tempfile::tempdir().unwrap();
        let (store, books) = place(dir.path());
        let good = finish(&store, dir.path(), job(Outcome::Passed, 1_000));
        let older = pages(&store, &books);
        let failed = finish(&store, dir.path(), job(Outcome::Failed, 2_000));
        let newer = pages(&store, &books);
        let other = tempfile::tempdir().unwrap();
        let (mut target, its_books) = place(other.path());
        for backup in [&older, &newer, &older] {
            target = restore(backup, other.path(), target, &its_books);
        }
        let want = BTreeMap::from([(good.job.id, Some(failed.job.id)), (failed.job.id, None)]);
        assert_eq!(kept(&target), want);
    }

    #[test]
    fn a_drive_that_failed_here_revokes_what_an_older_backup_brings() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (store, books) = place(one.path());
        let good = finish(&store, one.path(), job(Outcome::Passed, 1_000));
        let later = finish(&store, one.path(), job(Outcome::Passed, 3_000));
        let (target, its_books) = place(other.path());
        let failed = finish(&target, other.path(), job(Outcome::Failed, 2_000));
        let target = restore(&pages(&store, &books), other.path(), target, &its_books);
        let want = BTreeMap::from([
            (good.job.id, Some(failed.job.id)),
            (later.job.id, None),
            (failed.job.id, None),
        ]);
        assert_eq!(kept(&target), want, "what was found after the failure stands");
    }
}
