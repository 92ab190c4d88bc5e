//! What ended jobs leave: certificates, what is known of a model, and certificates that no longer hold.

use burnin::verdict::{Peer, newest};
use serde::{Deserialize, Serialize};
use store::{Store, Table, Write};
use wire::certificate::{CertificateText, Revocation};
use wire::job::{Job, Outcome, Phase, Verdict};
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
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// Its events.
    pub told: Vec<Happening>,
    /// Its certificate's text.
    pub certificate: Option<String>,
    /// What later verdicts may compare with.
    pub peer: Option<Peer>,
    /// Whether only a later start writes it down: other jobs have ended since.
    pub late: bool,
}

/// What the end of a job changed of older ones.
#[derive(Debug, Default)]
pub struct Past {
    /// Jobs that retention dropped.
    pub gone: Vec<JobId>,
    /// Records of jobs whose certificate no longer holds, as they are now.
    pub revoked: Vec<Record>,
}

/// Notes what an ended job leaves; answers with the jobs whose certificates are revoked by it.
pub(super) fn note(w: &mut Write<'_, '_>, key: &str, record: &Record, end: &Ended) -> store::Result<Vec<Record>> {
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
    match (end.late, has_failed(record)) {
        (true, _) => revoke_by_clock(w, Some(record)),
        (false, true) => revoke(w, record, |_| true),
        (false, false) => Ok(Vec::new()),
    }
}

fn has_failed(record: &Record) -> bool {
    let is = |verdict: &Verdict| verdict.outcome == Outcome::Failed;
    record.job.verdict.as_ref().is_some_and(is)
}

/// Revokes what drives that failed here had been signed as good before, where that came to this box by a backup only after
/// their failure. Of two boxes the clocks alone tell which was first.
///
/// # Errors
/// When the store cannot be read or written.
pub(crate) fn revoke_again(w: &mut Write<'_, '_>) -> store::Result<()> {
    revoke_by_clock(w, None).map(drop)
}

/// Revokes what the clock says was signed before its drive failed; only what has to do with one job where `of` names it.
fn revoke_by_clock(w: &mut Write<'_, '_>, of: Option<&Record>) -> store::Result<Vec<Record>> {
    let mut revoked = Vec::new();
    for (_, failed) in JOBS.all(w)? {
        if has_failed(&failed) && of.is_none_or(|of| of.is_of_the_drive_of(&failed)) {
            let concerned = |job: &Job| of.is_none_or(|of| [job.id, failed.job.id].contains(&of.job.id));
            let earlier = |job: &Job| concerned(job) && job.ended < failed.job.ended;
            revoked.extend(revoke(w, &failed, earlier)?);
        }
    }
    Ok(revoked)
}

/// Revokes what was signed of this drive as good before it failed, whatever it was called then: certificates of its other
/// jobs, of which `earlier` are.
fn revoke(w: &mut Write<'_, '_>, failed: &Record, earlier: impl Fn(&Job) -> bool) -> store::Result<Vec<Record>> {
    let mut revoked = Vec::new();
    let own = failed.job.id.to_string();
    for key in CERTIFICATES.keys(w)?.into_iter().filter(|key| *key != own) {
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
        outbox::spool(w, events::revoked(&record.job, &failed.job).as_slice())?;
        revoked.push(record);
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
    /// What is known of other drives of this model than that of a job: the newest of each, of those with rates where there are some. A
    /// drive is one by whatever name it was tested: behind a dock it has another.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn peers(&self, model: &str, but: &Record) -> store::Result<Vec<Peer>> {
        let all = self.store.read(|r| {
            let all = PEERS.all(r)?.into_iter().filter(|(_, peer)| peer.model == model);
            let with_record = |(key, peer)| Ok(Known::new(JOBS.get(r, &key)?, peer));
            all.map(with_record).collect::<store::Result<Vec<Known>>>()
        })?;
        let others = all.into_iter().filter(|known| !known.is_of(Some(but), &but.job.drive));
        let same = |one: &Known, other: &Known| one.is_of(other.of.as_ref(), &other.peer.drive);
        let newest = newest(others, |known| &known.peer, same);
        Ok(newest.into_iter().map(|known| known.peer).collect())
    }
}

/// What is known of a drive, with the job that told it where that is still kept.
struct Known {
    of: Option<Record>,
    peer: Peer,
}

impl Known {
    /// Of what no burn-in told there is no heat to compare with: earlier versions kept the few minutes of `quick` on cold drives, too.
    fn new(of: Option<Record>, mut peer: Peer) -> Self {
        if !peer.has_rates() && !of.as_ref().is_some_and(burns_in) {
            peer.temperature = None;
        }
        Self { of, peer }
    }

    /// Whether it is of the drive of that job, or at least of one with this name.
    fn is_of(&self, job: Option<&Record>, drive: &DriveId) -> bool {
        let both = self.of.as_ref().zip(job);
        self.peer.drive == *drive || both.is_some_and(|(own, job)| own.is_of_the_drive_of(job))
    }
}

/// Whether a job wrote data and read them back, as far as it went.
fn burns_in(record: &Record) -> bool {
    let has = |phase| {
        let mut steps = record.steps.iter();
        steps.any(|step| step.phase == phase && step.fill.is_keyed())
    };
    has(Phase::Write) && has(Phase::Verify)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::Path;

    use store::{Check, Options};
    use wire::Bytes;
    use wire::certificate::CertificateInfo;
    use wire::job::JobState;

    use super::*;
    use crate::jobs::tests::open;
    use crate::jobs::{checkpoints, tables};

    /// A job of the one drive of these tests that ended in that second, and what its end leaves.
    fn ended(outcome: Outcome, second: i64) -> (Record, Ended) {
        let mut record = crate::record::tests::record();
        record.job.state = JobState::Finished;
        record.job.ended = Some(Time::from_second(second).unwrap());
        record.job.verdict = Some(Verdict {
            outcome,
            rules: vec![],
            summary: "so it went".into(),
            verified: Bytes(0),
            engine: "1".into(),
        });
        record.job.certificate = Some(CertificateInfo {
            id: format!("KC-{second}"),
            key: "k".into(),
            made: Time::UNIX_EPOCH,
            revoked: None,
        });
        let peer = Peer {
            drive: record.job.drive.clone(),
            model: record.job.model.clone(),
            capacity: record.job.capacity,
            write: vec![7],
            read: vec![8],
            write_p99_us: None,
            read_p99_us: None,
            temperature: None,
            shared: Some(false),
            company: None,
            bus: Some(wire::drive::Bus::Sata),
            link_mbps: None,
            smart: std::collections::BTreeMap::new(),
        };
        let end = Ended {
            told: vec![events::ended(&record.job)],
            certificate: Some(format!("the text of KC-{second}")),
            peer: Some(peer),
            ..Ended::default()
        };
        (record, end)
    }

    /// Ends jobs on a medium that is full: no commit of it comes to anything.
    fn end_on_a_full_medium(ram: &Path, jobs: impl IntoIterator<Item = (Record, Ended)>) {
        let dir = tempfile::tempdir().unwrap();
        let small = Options {
            map_size: 1 << 20,
            check: Check::InProcess,
            ..Options::new(&tables())
        };
        let full = Jobs::new(store::open(dir.path(), &small).unwrap().store, dir.path(), Some(ram));
        let filled = |n: u32| {
            let text = "x".repeat(if n < 60 { 16_000 } else { 500 });
            let put = move |w: &mut Write<'_, '_>| checkpoints::put(w, &n.to_string(), &text);
            full.store().write(put).wait()
        };
        let mut failed = (0..10_000).filter(|n| filled(*n).is_err());
        assert!(failed.any(|n| n >= 60), "the medium takes everything");
        for (mut record, end) in jobs {
            assert!(
                full.finish(&mut record, end).wait().is_err(),
                "the end was written down"
            );
        }
    }

    /// By which job the certificate of each is revoked, as the jobs are told after a start, and as they lie on the medium.
    fn revoked(jobs: &Jobs) -> [Vec<(JobId, Option<JobId>)>; 2] {
        let by = |job: &Job| {
            (
                job.id,
                job.certificate.as_ref().unwrap().revoked.as_ref().map(|by| by.job),
            )
        };
        let told = jobs.load().unwrap().iter().map(|kept| by(&kept.record.job)).collect();
        let kept = jobs.store().read(|r| JOBS.all(r)).unwrap();
        [told, kept.iter().map(|(_, record)| by(&record.job)).collect()]
    }

    #[test]
    fn an_end_that_was_not_written_down_keeps_its_certificate_and_its_figures() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (record, end) = ended(Outcome::Passed, 5);
        let (id, info, peer) = (record.job.id, record.job.certificate.clone(), end.peer.clone());
        end_on_a_full_medium(ram.path(), [(record, end)]);
        // The server was told of it all the same, and lists it under this id.
        let jobs = open(dir.path(), ram.path());
        assert_eq!(jobs.load().unwrap()[0].record.job.certificate, info);
        jobs.store().touch().wait().unwrap();
        let text = certificate(jobs.store(), id)
            .unwrap()
            .expect("its certificate is lost")
            .text;
        assert_eq!(text, "the text of KC-5");
        assert_eq!(
            jobs.peers(&peer.as_ref().unwrap().model, &another(1).0).unwrap(),
            Vec::from_iter(peer)
        );
        drop(jobs);
        // And the medium has it now.
        let jobs = open(dir.path(), tempfile::tempdir().unwrap().path());
        assert_eq!(jobs.load().unwrap()[0].record.job.certificate, info);
        assert!(certificate(jobs.store(), id).unwrap().is_some());
    }

    /// The same of another drive of the model.
    fn another(number: u32) -> (Record, Ended) {
        let (mut record, mut end) = ended(Outcome::Passed, 5);
        let serial = format!("ANOTHER{number}");
        let drive = DriveId::from_serial(&record.job.model, &serial, record.job.capacity.0).unwrap();
        (record.job.serial, record.identity.serial) = (serial.clone(), serial);
        (record.job.drive, record.identity.id) = (drive.clone(), Some(drive.clone()));
        end.peer.as_mut().unwrap().drive = drive;
        (record, end)
    }

    #[test]
    fn a_drive_is_held_against_others_and_not_against_its_own_run_behind_a_dock() {
        let dir = tempfile::tempdir().unwrap();
        let jobs = open(dir.path(), tempfile::tempdir().unwrap().path());
        let put = |(mut record, end): (Record, Ended)| jobs.finish(&mut record, end).wait().unwrap();
        let docked = |(mut record, mut end): (Record, Ended)| {
            let wwn = DriveId::from_wwn("5000c500aaaaaaaa").unwrap();
            (record.job.drive, record.identity.id) = (wwn.clone(), Some(wwn.clone()));
            end.peer.as_mut().unwrap().drive = wwn;
            (record, end)
        };
        let own = another(1);
        put(docked(another(1)));
        let model = own.0.job.model.clone();
        assert_eq!(jobs.peers(&model, &own.0).unwrap(), [], "it is its own");
        // Another one by both of its names is one, and what has no rates takes the place of none that has.
        let (first, mut second) = (another(2), docked(another(2)));
        let peer = second.1.peer.as_mut().unwrap();
        (peer.write, peer.read, peer.temperature) = (vec![], vec![], Some(30.0));
        let kept = first.1.peer.clone();
        put(first);
        put(second.clone());
        assert_eq!(jobs.peers(&model, &own.0).unwrap(), Vec::from_iter(kept));
        let peer = second.1.peer.as_mut().unwrap();
        peer.write = vec![9];
        let newest = second.1.peer.clone();
        put(second);
        assert_eq!(jobs.peers(&model, &own.0).unwrap(), Vec::from_iter(newest));
    }

    /// Twelve minutes of `quick` leave a cold drive's 30 degrees, and no rates; so does a limit of pace, but of a burn-in.
    #[test]
    fn of_what_earlier_versions_kept_of_no_burn_in_no_temperature_is_compared() {
        let dir = tempfile::tempdir().unwrap();
        let jobs = open(dir.path(), tempfile::tempdir().unwrap().path());
        let put = |number, name: &str, rates: Vec<u64>, is_kept: bool| {
            let (mut record, mut end) = another(number);
            record.steps = burnin::Playbook::named(name).unwrap().steps().to_vec();
            let peer = end.peer.as_mut().unwrap();
            (peer.write, peer.read, peer.temperature) = (rates.clone(), rates, Some(30.0));
            let key = record.job.id.to_string();
            jobs.finish(&mut record, end).wait().unwrap();
            if !is_kept {
                jobs.store().write(move |w| JOBS.delete(w, &key)).wait().unwrap();
            }
        };
        put(1, "quick", vec![], true);
        put(2, "standard", vec![], true);
        put(3, "standard", vec![], false);
        put(4, "standard", vec![7], false);
        let own = another(9).0;
        let mut told = jobs.peers(&own.job.model, &own).unwrap();
        told.sort_by_key(|peer| peer.drive.clone());
        let degrees: Vec<_> = told.iter().map(|peer| peer.temperature).collect();
        assert_eq!(degrees, [None, Some(30.0), None, Some(30.0)]);
    }

    #[test]
    fn what_is_written_down_late_revokes_and_is_revoked_by_what_came_after() {
        for (late, then, takes_back) in [
            (Outcome::Passed, Outcome::Failed, true),
            (Outcome::Failed, Outcome::Passed, false),
        ] {
            let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let (first, first_end) = ended(late, 5);
            let ((mut second, second_end), id) = (ended(then, 9), first.job.id);
            end_on_a_full_medium(ram.path(), [(first, first_end)]);
            let jobs = open(dir.path(), tempfile::tempdir().unwrap().path());
            jobs.finish(&mut second, second_end).wait().unwrap();
            drop(jobs);
            let by = takes_back.then_some(second.job.id);
            let expected = vec![(id, by), (second.job.id, None)];
            let jobs = open(dir.path(), ram.path());
            assert_eq!(revoked(&jobs), [expected.clone(), expected], "{late:?}, then {then:?}");
        }
        // A failure that is written down late takes back what lies on the medium, and what lies beside it.
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ((mut first, first_end), second, third) = (
            ended(Outcome::Warn, 1),
            ended(Outcome::Passed, 5),
            ended(Outcome::Failed, 9),
        );
        let ids = [first.job.id, second.0.job.id, third.0.job.id];
        let jobs = open(dir.path(), tempfile::tempdir().unwrap().path());
        jobs.finish(&mut first, first_end).wait().unwrap();
        drop(jobs);
        end_on_a_full_medium(ram.path(), [second, third]);
        let expected = vec![(ids[0], Some(ids[2])), (ids[1], Some(ids[2])), (ids[2], None)];
        let jobs = open(dir.path(), ram.path());
        assert_eq!(revoked(&jobs), [expected.clone(), expected]);
    }
}
