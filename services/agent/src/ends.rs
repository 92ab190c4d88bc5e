//! The end of a job: written down, then told; and tried again for as long as the medium does not take it.
//!
//! The verdict is told also where the medium refuses it (full, read-only). Its certificate is not, and does not revoke others
//! yet: there is none to hand over before it is written down. Until then the end stands in memory and in its copy in RAM, and a
//! power cut would bring back the job as it was at its last checkpoint; so it is tried every [`AGAIN`], at the agent's end
//! and at its next start. Its events stay in that copy until a connection has sent them, or are written down with it, so that they
//! are told once, whichever start does it.
//!
//! Tested here, and over a medium that is full in `tests/full.rs`.

use std::time::Duration;

use tracing::{debug, error, info, warn};
use wire::{JobId, Time};

use crate::jobs::{Ended, Jobs, Past};
use crate::outbox::Outbox;
use crate::record::{Record, log_line};
use crate::stop::Stop;

/// How soon an end that was not written down is tried again: as often as the heartbeat asks the medium for a write anyway.
const AGAIN: Duration = Duration::from_secs(10);

/// Writes down the end of a job, and tells it.
pub async fn end(jobs: &Jobs, outbox: &Outbox, mut record: Record, end: Ended) {
    // Nobody is told PASSED before it is on the medium, nor of the event before the job's last state.
    let _hold = outbox.hold();
    match jobs.finish(&mut record, end.clone()).await {
        Ok(past) => written(jobs, outbox, record, &end, past),
        Err(cause) => refused(jobs, outbox, record, end, &cause),
    }
}

/// Tries again what was not written down, until the agent stops; then once more.
pub async fn run(jobs: Jobs, outbox: Outbox, mut stop: Stop) {
    let mut behind = None;
    while tokio::time::timeout(AGAIN, stop.asked()).await.is_err() {
        behind = again(&jobs, &outbox, behind).await;
    }
    for _ in 0..jobs.unwritten().len() {
        behind = again(&jobs, &outbox, behind).await;
    }
}

/// One round: until the medium refuses one, which it would do with the others, too. The next round begins behind that one, as it may be
/// too long for what room there is, and gives back which it was.
async fn again(jobs: &Jobs, outbox: &Outbox, behind: Option<JobId>) -> Option<JobId> {
    let mut all = jobs.unwritten();
    let next = behind.and_then(|behind| all.iter().position(|(record, _)| record.job.id > behind));
    all.rotate_left(next.unwrap_or(0));
    for (record, mut end) in all {
        let id = record.job.id;
        let _hold = outbox.hold();
        // What nobody was told of it yet is written down with it.
        end.told.extend(outbox.untold(id));
        match jobs.finish_again(&record, end.clone()).await {
            Ok(past) => {
                info!(job = %id, "the end of a job was written down at last");
                let line = "This job's end is written down now".to_owned();
                outbox.log(log_line(&record.job, "info", line, Time::now()));
                written(jobs, outbox, record, &end, past);
            }
            Err(cause) => {
                debug!(job = %id, error = %cause, "the end of a job is still not written down");
                // It, or the start before this one, could tell nobody of it.
                if !end.told.is_empty() {
                    tell(jobs, outbox, record, end);
                }
                return Some(id);
            }
        }
    }
    None
}

/// It is on the medium.
fn written(jobs: &Jobs, outbox: &Outbox, record: Record, end: &Ended, past: Past) {
    let id = record.job.id;
    jobs.ended(id);
    if end.certificate.is_some() {
        outbox.certificate(id);
    }
    outbox.job(record.job);
    for revoked in past.revoked {
        warn!(job = %revoked.job.id, "its certificate no longer holds: the drive failed");
        outbox.job(revoked.job);
    }
    outbox.forget_jobs(&past.gone);
}

/// The medium did not take it: it is told, but for its certificate, and kept to be tried again.
fn refused(jobs: &Jobs, outbox: &Outbox, record: Record, end: Ended, cause: &store::Error) {
    let mut job = record.job.clone();
    error!(job = %job.id, error = %cause, "the end of a job was not written down");
    let line = format!(
        "This job's end was not written down ({cause}). It is tried again until the medium takes it, and its certificate is made \
         known then. Make room before the box is switched off: a power cut brings the job back as it was at its last checkpoint"
    );
    outbox.log(log_line(&job, "error", line, Time::now()));
    job.certificate = None;
    outbox.job(job);
    tell(jobs, outbox, record, end);
}

/// Tells the events of an end that is not written down, and keeps the rest of it to be tried again.
fn tell(jobs: &Jobs, outbox: &Outbox, record: Record, end: Ended) {
    let id = record.job.id;
    let telling = outbox.telling(Some(id), end.told);
    // What was told is not spooled as well; and other jobs may end before it is written down.
    let end = Ended {
        told: Vec::new(),
        late: true,
        ..end
    };
    jobs.keep_unwritten(record, end);
    // Its copy in RAM has the events until a server heard them: an agent that dies before that tells them at its next start.
    let jobs = jobs.clone();
    tokio::spawn(async move {
        if telling.await.is_ok() {
            jobs.told(id);
        }
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]
    use store::{Check, Options};
    use wire::Frame;
    use wire::certificate::CertificateInfo;

    use super::*;
    use crate::events;
    use crate::jobs::{past, tables};
    use crate::outbox::{SPOOL, To};
    use crate::vigil::Who;

    fn open(dir: &std::path::Path, map_size: usize) -> (Jobs, Outbox) {
        open_with(dir, map_size, None)
    }

    /// The same with copies in `ram`.
    fn open_with(dir: &std::path::Path, map_size: usize, ram: Option<&std::path::Path>) -> (Jobs, Outbox) {
        let options = Options {
            map_size,
            check: Check::InProcess,
            ..Options::new(&tables())
        };
        let store = store::open(dir, &options).unwrap().store;
        (Jobs::new(store.clone(), dir, ram), Outbox::new(store))
    }

    /// Frames in words: of jobs whether they tell of a certificate, of events whether they have a number.
    fn told(outbox: &Outbox) -> Vec<(&'static str, bool)> {
        let who = Who {
            host: "box".into(),
            gate: false,
        };
        let frames = outbox.take(&mut 0, &To { who, home: true }).into_iter();
        outbox.sent(true);
        let words = frames.filter_map(|frame| match frame {
            Frame::Certificate(_) => Some(("certificate", true)),
            Frame::Job(job) => Some(("job", job.certificate.is_some())),
            Frame::Event(event) => Some(("event", event.origin.is_some())),
            _ => None,
        });
        words.collect()
    }

    fn ended() -> (Record, Ended) {
        let mut record = Record {
            job: events::tests::passed(),
            too_hot: Some("more than a small map takes".repeat(100_000)),
            ..crate::record::tests::record()
        };
        record.job.certificate = Some(CertificateInfo {
            id: "KC-1".into(),
            key: "k".into(),
            made: Time::UNIX_EPOCH,
            revoked: None,
        });
        let end = Ended {
            told: vec![events::ended(&record.job)],
            certificate: Some("the text of KC-1".into()),
            ..Ended::default()
        };
        (record, end)
    }

    #[tokio::test]
    async fn an_end_that_was_not_written_down_is_told_at_once_and_its_certificate_once_it_is() {
        let (dir, roomy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (small, outbox) = open(dir.path(), 1 << 20);
        let (record, its) = ended();
        let id = record.job.id;
        end(&small, &outbox, record, its).await;
        assert_eq!(told(&outbox), [("job", false), ("event", false)]);
        again(&small, &outbox, None).await;
        assert_eq!(told(&outbox), [], "nothing new is told while nothing is written down");

        // The same agent, had somebody made room.
        let (jobs, outbox) = open(roomy.path(), 64 << 20);
        for (record, end) in small.unwritten() {
            jobs.keep_unwritten(record, end);
        }
        again(&jobs, &outbox, None).await;
        assert_eq!(
            told(&outbox),
            [("certificate", true), ("job", true)],
            "and no event again"
        );
        assert!(past::certificate(jobs.store(), id).unwrap().is_some());
        assert!(jobs.load().unwrap()[0].record.job.certificate.is_some());
        assert!(jobs.store().read(|r| SPOOL.is_empty(r)).unwrap());
        again(&jobs, &outbox, None).await;
        assert_eq!(told(&outbox), [], "it is done once");
    }

    /// Whoever may not have heard of it hears of it by the next start, be its medium still full, and nobody twice.
    #[tokio::test]
    async fn an_end_is_told_once_over_starts_on_a_medium_that_is_still_full() {
        for heard in [true, false] {
            let ram = tempfile::tempdir().unwrap();
            let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
            let mut events = 0;
            let count = |outbox: &Outbox| told(outbox).iter().filter(|(kind, _)| *kind == "event").count();
            {
                let (jobs, outbox) = open_with(dirs[0].path(), 1 << 20, Some(ram.path()));
                let (record, its) = ended();
                end(&jobs, &outbox, record, its).await;
                if heard {
                    events += count(&outbox);
                }
                tokio::task::yield_now().await;
            }
            for (dir, map_size) in [(&dirs[1], 1 << 20), (&dirs[2], 64 << 20)] {
                let (jobs, outbox) = open_with(dir.path(), map_size, Some(ram.path()));
                assert!(jobs.load().unwrap()[0].record.job.state.is_over());
                for _ in 0..2 {
                    again(&jobs, &outbox, None).await;
                    events += count(&outbox);
                    tokio::task::yield_now().await;
                }
            }
            assert_eq!(events, 1, "heard before the first start: {heard}");
        }
    }

    /// No server was there: what waited in memory alone must not be lost with it.
    #[tokio::test]
    async fn an_end_that_nobody_was_told_of_is_spooled_once_it_is_written_down() {
        let (dir, roomy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (small, outbox) = open(dir.path(), 1 << 20);
        let (record, its) = ended();
        end(&small, &outbox, record, its).await;
        again(&small, &outbox, None).await;
        let (jobs, _) = open(roomy.path(), 64 << 20);
        for (record, end) in small.unwritten() {
            jobs.keep_unwritten(record, end);
        }
        again(&jobs, &outbox, None).await;
        assert_eq!(jobs.store().read(|r| SPOOL.len(r)).unwrap(), 1);
        assert!(!told(&outbox).iter().any(|(kind, _)| *kind == "event"), "told twice");
    }

    #[tokio::test]
    async fn a_round_ends_with_what_is_refused_and_the_next_one_begins_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let (small, outbox) = open(dir.path(), 1 << 20);
        let mut ids = Vec::new();
        for last in 0..2 {
            let (mut record, its) = ended();
            record.job.id = JobId::after((1 << 42) + last);
            ids.push(record.job.id);
            end(&small, &outbox, record, its).await;
        }
        let first = again(&small, &outbox, None).await;
        let second = again(&small, &outbox, first).await;
        assert_eq!(
            [first, second, again(&small, &outbox, second).await],
            [Some(ids[0]), Some(ids[1]), Some(ids[0])]
        );
    }

    #[tokio::test]
    async fn an_end_that_is_written_down_is_told_with_its_certificate_first() {
        let dir = tempfile::tempdir().unwrap();
        let (jobs, outbox) = open(dir.path(), 64 << 20);
        let (record, its) = ended();
        end(&jobs, &outbox, record, its).await;
        assert_eq!(told(&outbox), [("certificate", true), ("job", true), ("event", true)]);
        assert!(jobs.unwritten().is_empty());
    }
}
