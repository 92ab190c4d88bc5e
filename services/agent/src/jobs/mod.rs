//! Jobs on the medium: records and checkpoints in LMDB, and a copy of the unfinished ones in RAM.
//!
//! The copy (two files a job below `--run`, a tmpfs in the box) is for a medium that is pulled while jobs run: the
//! supervisor then starts the agent again over an empty state directory, and the jobs go on from the copy. After a
//! power cut only LMDB counts. Of two copies the one with the higher revision is taken; an end that the medium did not take
//! stays in its copy until it does. Finished jobs are kept up to [`JOBS_MAX`], and fewer where the store or its medium gets
//! full; the oldest go first.
//!
//! The time line's points are rows of their own ([`Jobs::sample`]), so that a checkpoint does not carry them all again.

mod copies;
mod full;
mod ids;
pub mod past;
mod wishes;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use store::{Pending, Room, Store, Table};
use tracing::{error, warn};
use wire::job::TimePoint;
use wire::{JobId, Time};

use copies::Copies;
use ids::Ids;
pub use past::{Ended, PEERS_MAX, Past};
use wishes::WISHES;

use crate::controller::LIT;
use crate::events::{Happening, Known};
use crate::outbox::{self, NUMBERS, SPOOL};
use crate::record::Record;

/// The jobs.
pub(crate) const JOBS: Table<String, Record> = Table::new("jobs");
/// Points of unfinished jobs' time lines, by job and number.
const SAMPLES: Table<(String, u64), TimePoint> = Table::new("samples");
const CHECKPOINTS: Table<String, String> = Table::new("checkpoints");
/// What was pinned at the first greeting: `gate_key`, `box_id`.
pub const PINS: Table<String, String> = Table::new("pins");
/// Drives that were present when last looked at.
pub const KNOWN: Table<String, Known> = Table::new("known");

/// Shortest time between two writes of a time line, in seconds: each job's is at least a page of its own. A cut of the power takes so
/// much of the curve at most; nothing else does.
const SAMPLES_EVERY: i64 = 300;

/// How long a part of a time line may wait for another write: the heartbeat's commits every few seconds.
const SAMPLES_WAIT: Duration = Duration::from_secs(60);

/// How long a checkpoint may wait for those of other jobs, which are taken at the same moment and come as fast as their drives
/// flush. With [`burnin::worker::Limits::checkpoint_s`] it is half a minute, which is done again at most after a cut.
const GATHER: Duration = Duration::from_secs(2);

/// Finished jobs kept: two years of a bench that burns in a drive a day, at up to 100 kB each.
pub const JOBS_MAX: usize = 700;

/// Finished jobs that go at most with each that ends while the store is too full: one that ends needs more room than an old one gives back
/// where its playbook is longer.
const TIGHT: usize = 8;

/// Names of all tables of the agent's store.
pub fn tables() -> [&'static str; 12] {
    [
        JOBS.name(),
        SAMPLES.name(),
        past::CERTIFICATES.name(),
        past::PEERS.name(),
        crate::bays::BAYS.name(),
        CHECKPOINTS.name(),
        WISHES.name(),
        PINS.name(),
        KNOWN.name(),
        LIT.name(),
        SPOOL.name(),
        NUMBERS.name(),
    ]
}

/// A job as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Its record.
    pub record: Record,
    /// Its last checkpoint, if it has one.
    pub checkpoint: Option<String>,
}

/// Where jobs are kept; clones share it.
#[derive(Clone, Debug)]
pub struct Jobs {
    store: Store,
    data: PathBuf,
    copies: Copies,
    ids: Ids,
}

impl Jobs {
    /// Jobs in `store` below `data`, with copies in `copies` where that directory can be made.
    pub fn new(store: Store, data: &Path, copies: Option<&Path>) -> Self {
        Self {
            ids: Ids::of(&store),
            store,
            data: data.to_owned(),
            copies: Copies::new(copies),
        }
    }

    /// The store below.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// An id for a new job, above those of all jobs before it.
    pub fn next_id(&self) -> JobId {
        self.ids.next()
    }

    /// There are jobs with these ids.
    pub fn saw(&self, ids: &[JobId]) {
        ids.iter().for_each(|id| self.ids.saw(*id));
    }

    /// All jobs, oldest first.
    ///
    /// # Errors
    /// When LMDB cannot be read.
    pub fn load(&self) -> store::Result<Vec<Kept>> {
        let mut found: BTreeMap<JobId, Kept> = self.store.read(|r| {
            JOBS.all(r)?
                .into_iter()
                .map(|(key, mut record)| {
                    let checkpoint = if record.job.state.is_over() {
                        None
                    } else {
                        record.job.timeline = samples(r, &key)?;
                        CHECKPOINTS.get(r, &key)?
                    };
                    Ok((record.job.id, Kept { record, checkpoint }))
                })
                .collect()
        })?;
        let mut pasts = Vec::new();
        for copy in self.copies.read() {
            let copies::Found {
                kept: mut copy,
                told,
                certificate,
                peer,
            } = copy;
            let id = copy.record.job.id;
            self.ids.saw(id);
            let before = found.get(&id).map(|kept| kept.record.revision);
            if before.is_none_or(|before| before < copy.record.revision) {
                warn!(job = %id, "taken from its copy in RAM: the medium does not have it");
                let lacking = told
                    .into_iter()
                    .filter(|(revision, _)| before.is_none_or(|before| before < *revision));
                let lacking = lacking.map(|(_, happening)| happening).collect();
                if copy.record.job.state.is_over() {
                    // A certificate is told of only where it can be handed over.
                    if certificate.is_none() {
                        copy.record.job.certificate = None;
                    }
                    copy.checkpoint = None;
                    let end = Ended {
                        told: lacking,
                        certificate,
                        peer,
                        late: true,
                    };
                    match self.finish(&mut copy.record, end).wait() {
                        Ok(past) => {
                            self.ended(id);
                            pasts.push(past);
                        }
                        Err(cause) => error!(job = %id, error = %cause, "the end of a job was not written down"),
                    }
                } else {
                    self.write(&copy.record, copy.checkpoint.clone(), lacking).forget();
                }
                found.insert(id, copy);
            } else if copy.record.job.state.is_over() {
                self.copies.remove(id);
            }
        }
        for past in pasts {
            for record in past.revoked {
                if let Some(kept) = found.get_mut(&record.job.id) {
                    kept.record = record;
                }
            }
            found.retain(|id, _| !past.gone.contains(id));
        }
        found.values_mut().for_each(|kept| self.with_wish(kept));
        Ok(found.into_values().collect())
    }

    /// A job as it was written down last, on the medium or in its copy; `None` where neither has it.
    ///
    /// # Errors
    /// When LMDB cannot be read.
    pub fn newest(&self, job: JobId) -> store::Result<Option<Kept>> {
        let key = job.to_string();
        let kept = self.store.read(|r| {
            let Some(mut record) = JOBS.get(r, &key)? else {
                return Ok(None);
            };
            record.job.timeline = samples(r, &key)?;
            let checkpoint = CHECKPOINTS.get(r, &key)?;
            Ok(Some(Kept { record, checkpoint }))
        })?;
        let copies = self.copies.read().into_iter().map(|found| found.kept);
        let copy = copies.filter(|copy| copy.record.job.id == job);
        let mut newest = kept.into_iter().chain(copy).max_by_key(|kept| kept.record.revision);
        if let Some(newest) = &mut newest {
            self.with_wish(newest);
        }
        Ok(newest)
    }

    /// Writes a record down, with its checkpoint where there is a new one and with the events that it changed by: all of
    /// it or none is on the medium, whenever the agent or the box ends.
    pub fn save(&self, record: &mut Record, checkpoint: Option<&str>, told: &[Happening]) -> Pending<()> {
        record.revision += 1;
        self.copies.write(record, checkpoint, told);
        self.write(record, checkpoint.map(str::to_owned), told.to_vec())
    }

    /// Writes down a checkpoint by which nothing else of the record changed but how far it is: the record itself, many
    /// times as long, stays as it stands on the medium. Its copy in RAM has all of it, and the higher revision.
    /// `waits`: whether it may do so for those of other jobs.
    pub fn save_checkpoint(&self, record: &mut Record, checkpoint: &str, waits: bool) -> Pending<()> {
        record.revision += 1;
        self.copies.write(record, Some(checkpoint), &[]);
        let (key, text) = (record.job.id.to_string(), checkpoint.to_owned());
        let timeline = self.lacks_samples(record).then(|| record.job.timeline.clone());
        let write = move |w: &mut store::Write<'_, '_>| {
            if let Some(timeline) = &timeline {
                keep_samples(w, &key, timeline)?;
            }
            CHECKPOINTS.put(w, &key, &text)
        };
        match waits {
            true => self.store.write_within(GATHER, write),
            false => self.store.write(write),
        }
    }

    fn write(&self, record: &Record, checkpoint: Option<String>, told: Vec<Happening>) -> Pending<()> {
        let (key, mut record) = (record.job.id.to_string(), record.clone());
        let timeline = std::mem::take(&mut record.job.timeline);
        self.store.write(move |w| {
            outbox::spool(w, &told)?;
            keep_samples(w, &key, &timeline)?;
            if let Some(text) = &checkpoint {
                CHECKPOINTS.put(w, &key, text)?;
            }
            wishes::settle(w, &key, &record)?;
            JOBS.put(w, &key, &record)
        })
    }

    /// Writes down what a job's time line has got since; at most once in [`SAMPLES_EVERY`].
    pub fn sample(&self, record: &Record) {
        if self.lacks_samples(record) {
            let (key, timeline) = (record.job.id.to_string(), record.job.timeline.clone());
            let write = move |w: &mut store::Write<'_, '_>| keep_samples(w, &key, &timeline);
            self.store.write_within(SAMPLES_WAIT, write).forget();
        }
    }

    /// Whether a job's time line goes on for [`SAMPLES_EVERY`] behind what is written of it.
    fn lacks_samples(&self, record: &Record) -> bool {
        let Some(newest) = record.job.timeline.last() else {
            return false;
        };
        let since = |kept: &TimePoint| newest.at.as_second() - kept.at.as_second();
        let kept = self.store.read(|r| SAMPLES.last_n_of(r, &record.job.id.to_string(), 1));
        // What cannot be read is written: the store tells its own trouble.
        let is_new = |kept: Vec<(u64, TimePoint)>| {
            kept.last()
                .is_some_and(|(_, kept)| (0..SAMPLES_EVERY).contains(&since(kept)))
        };
        !kept.is_ok_and(is_new)
    }

    /// Writes a job down for the last time: its checkpoint goes, and the oldest finished jobs beyond [`JOBS_MAX`].
    /// The event of its end, its certificate, and what it means for older certificates stand in the same commit. Its copy
    /// in RAM stays until [`Self::ended`]: a commit that fails must not let the job before its end come back.
    pub fn finish(&self, record: &mut Record, end: Ended) -> Pending<Past> {
        record.revision += 1;
        self.copies.end(record, &end);
        let (key, record) = (record.job.id.to_string(), record.clone());
        // A store that is full keeps no result any more, and could not even forget one.
        let room = self.store.room().ok();
        self.store.write(move |w| {
            outbox::spool(w, &end.told)?;
            CHECKPOINTS.delete(w, &key)?;
            SAMPLES.delete_of(w, &key)?;
            WISHES.delete(w, &key)?;
            JOBS.put(w, &key, &record)?;
            let revoked = past::note(w, &key, &record, &end)?;
            let mut gone = Vec::new();
            let excess = usize::try_from(JOBS.len(w)?)
                .unwrap_or(usize::MAX)
                .saturating_sub(JOBS_MAX);
            if excess > 0 || is_full(w, room)? {
                for (old, record) in JOBS.all(w)? {
                    if !record.job.state.is_over() || old == key {
                        continue;
                    }
                    if gone.len() >= excess && (gone.len() >= TIGHT || !is_full(w, room)?) {
                        break;
                    }
                    JOBS.delete(w, &old)?;
                    ids::outlive(w, record.job.id)?;
                    past::CERTIFICATES.delete(w, &old)?;
                    gone.push(record.job.id);
                }
            }
            Ok(Past { gone, revoked })
        })
    }

    /// The end of a job is on the medium: its copy in RAM goes.
    pub fn ended(&self, job: JobId) {
        self.copies.remove(job);
    }

    /// Puts a checkpoint that cannot be used into a file with a dated name, and takes it out of the store.
    ///
    /// # Errors
    /// When the file cannot be written; the store is then left as it is.
    pub fn set_checkpoint_aside(&self, job: JobId, text: &str, now: Time) -> io::Result<PathBuf> {
        let path = self
            .data
            .join(format!("checkpoint-{job}.bad-{}", now.strftime("%Y%m%dT%H%M%SZ")));
        let mut file = fs::File::create_new(&path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        let key = job.to_string();
        self.store.write(move |w| CHECKPOINTS.delete(w, &key)).forget();
        self.copies.remove_checkpoint(job);
        Ok(path)
    }
}

/// Whether finished jobs have to go, by the `room` before this write. Asked of the write: of many jobs that end together each sees
/// what the ones before it gave back.
pub(crate) fn is_full(w: &store::Write<'_, '_>, room: Option<Room>) -> store::Result<bool> {
    match room {
        Some(room) => {
            let used = w.used()?;
            // What the file has grown by is not free any more.
            let free = room.free.saturating_sub(used.saturating_sub(room.file));
            Ok(full::is_full(&Room { used, free, ..room }))
        }
        None => Ok(false),
    }
}

/// Takes out what of the time lines cannot be read.
///
/// # Errors
/// When the medium does not take it.
pub(crate) fn take_out_samples(store: &Store) -> store::Result<Option<store::TakenOut>> {
    store.take_out_unreadable(&SAMPLES)
}

fn samples(view: &impl store::View, key: &str) -> store::Result<Vec<TimePoint>> {
    let points = SAMPLES.last_n_of(view, key, wire::job::TIMELINE_MAX)?;
    Ok(points.into_iter().map(|(_, point)| point).collect())
}

/// Brings the rows of a time line up to it: what is new is added, and after a thinning all are written anew.
fn keep_samples(w: &mut store::Write<'_, '_>, key: &str, timeline: &[TimePoint]) -> store::Result<()> {
    let last = SAMPLES.last_n_of(w, key, 1)?;
    let mut kept = 0;
    if let Some((number, point)) = last.last() {
        let count = usize::try_from(*number).unwrap_or(0);
        if count > 0 && timeline.get(count - 1) == Some(point) {
            kept = count;
        } else {
            SAMPLES.delete_of(w, key)?;
        }
    }
    for point in &timeline[kept..] {
        SAMPLES.append_to(w, key, point)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use store::{Check, Options};
    use wire::job::JobState;

    use super::*;
    use crate::record::tests::record;

    pub(super) fn open(dir: &Path, copies: &Path) -> Jobs {
        let options = Options {
            check: Check::InProcess,
            ..Options::new(&tables())
        };
        Jobs::new(store::open(dir, &options).unwrap().store, dir, Some(copies))
    }

    #[test]
    fn a_job_and_its_checkpoint_come_back() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut record = record();
        {
            let jobs = open(dir.path(), ram.path());
            jobs.save(&mut record, None, &[]).wait().unwrap();
            jobs.save(&mut record, Some("one"), &[]).wait().unwrap();
            jobs.save(&mut record, None, &[]).wait().unwrap();
        }
        let kept = open(dir.path(), ram.path()).load().unwrap();
        assert_eq!(
            kept,
            [Kept {
                record,
                checkpoint: Some("one".into())
            }]
        );
    }

    #[test]
    fn a_checkpoint_alone_leaves_the_record_on_the_medium_and_the_copy_has_both() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut record = record();
        {
            let jobs = open(dir.path(), ram.path());
            jobs.save(&mut record, Some("one"), &[]).wait().unwrap();
            record.job.bad_sectors = 7;
            jobs.save_checkpoint(&mut record, "two", false).wait().unwrap();
        }
        // A power cut takes the copy: the newest checkpoint stands with the record as it was written last.
        let none = tempfile::tempdir().unwrap();
        let kept = open(dir.path(), none.path()).load().unwrap();
        assert_eq!(
            (kept[0].checkpoint.as_deref(), kept[0].record.job.bad_sectors),
            (Some("two"), 0)
        );
        let kept = open(dir.path(), ram.path()).load().unwrap();
        assert_eq!((kept[0].checkpoint.as_deref(), &kept[0].record), (Some("two"), &record));
    }

    /// Bytes that the store's writer had written to its medium so far, as the kernel counts them of that thread alone.
    fn written(jobs: &Jobs) -> Option<u64> {
        let asked = jobs
            .store()
            .write(|_| Ok(fs::read_to_string("/proc/thread-self/io").ok()));
        let io = asked.wait().unwrap()?;
        io.lines()
            .find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok())
    }

    /// Twenty-four jobs' checkpoints of a day as the kernel counts them, by the length of each: [`burnin::checkpoint`] holds that of a long
    /// job below the third of them.
    #[test]
    fn checkpoints_of_twenty_four_drives_cost_a_gigabyte_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            check: Check::InProcess,
            ..Options::new(&tables())
        };
        // Without copies, which lie in RAM in a box.
        let jobs = Jobs::new(store::open(dir.path(), &options).unwrap().store, dir.path(), None);
        let mut records: Vec<Record> = (0..24).map(|_| record()).collect();
        for record in &mut records {
            jobs.save(record, Some("c"), &[]).wait().unwrap();
        }
        let a_day = 86_400 / burnin::worker::Limits::default().checkpoint_s;
        for (letters, most) in [(3_000, 0.4e9), (7_000, 0.7e9), (12_200, 1e9), (20_000, 2e9)] {
            let text = "c".repeat(letters);
            let mut largest = None;
            for _ in 0..5 {
                let (before, commits) = (written(&jobs), jobs.store().health().commits);
                let saved: Vec<_> = records
                    .iter_mut()
                    .map(|r| jobs.save_checkpoint(r, &text, true))
                    .collect();
                // As a heartbeat would.
                jobs.store().touch().wait().unwrap();
                saved.into_iter().for_each(|saved| saved.wait().unwrap());
                assert_eq!(jobs.store().health().commits, commits + 1, "one commit for all");
                largest = largest.max(written(&jobs).zip(before).map(|(now, before)| now - before));
            }
            let Some(each) = largest.filter(|each| *each > 0) else {
                eprintln!("NOT RUN: the kernel does not count what is written here");
                return;
            };
            let bytes = each * a_day;
            eprintln!("{letters} bytes of text: {each} bytes a commit, {bytes} a day");
            assert!((bytes as f64) < most, "{letters} bytes of text: {bytes} a day");
        }
    }

    #[test]
    fn a_job_without_a_checkpoint_has_a_copy_too() {
        let (dir, empty, ram) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );
        let mut record = record();
        let jobs = open(dir.path(), ram.path());
        jobs.save(&mut record, None, &[]).wait().unwrap();
        drop(jobs);
        assert_eq!(
            open(empty.path(), ram.path()).load().unwrap(),
            [Kept {
                record,
                checkpoint: None
            }]
        );
    }

    #[test]
    fn a_pulled_medium_costs_no_job_and_a_stale_copy_wins_nothing() {
        let (dir, empty, ram) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );
        let mut record = record();
        let jobs = open(dir.path(), ram.path());
        jobs.save(&mut record, Some("one"), &[]).wait().unwrap();
        drop(jobs);
        let jobs = open(empty.path(), ram.path());
        let kept = jobs.load().unwrap();
        assert_eq!(
            kept,
            [Kept {
                record: record.clone(),
                checkpoint: Some("one".into())
            }]
        );
        // It is in the new store now, too.
        jobs.store().touch().wait().unwrap();
        drop(jobs);
        let jobs = open(empty.path(), tempfile::tempdir().unwrap().path());
        assert_eq!(jobs.load().unwrap(), kept);
        drop(jobs);

        let jobs = open(dir.path(), tempfile::tempdir().unwrap().path());
        jobs.save(&mut record, Some("two"), &[]).wait().unwrap();
        drop(jobs);
        let kept = open(dir.path(), ram.path()).load().unwrap();
        assert_eq!(
            kept[0].checkpoint.as_deref(),
            Some("two"),
            "the older copy in RAM is not taken"
        );
    }

    #[test]
    fn the_end_takes_checkpoint_and_copy_and_the_oldest_finished_jobs() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let jobs = open(dir.path(), ram.path());
        let mut first = record();
        first.job.state = JobState::Finished;
        jobs.save(&mut first, Some("c"), &[]).wait().unwrap();
        jobs.finish(&mut first, Ended::default()).wait().unwrap();
        jobs.ended(first.job.id);
        assert_eq!(fs::read_dir(ram.path()).unwrap().count(), 0);
        let mut running = record();
        jobs.save(&mut running, Some("r"), &[]).wait().unwrap();
        let mut gone = Vec::new();
        for _ in 0..JOBS_MAX {
            let mut more = record();
            more.job.state = JobState::Finished;
            gone.extend(jobs.finish(&mut more, Ended::default()).wait().unwrap().gone);
            jobs.ended(more.job.id);
        }
        assert_eq!(gone.first(), Some(&first.job.id));
        assert_eq!(gone.len(), 2);
        let kept = jobs.load().unwrap();
        assert_eq!(kept.len(), JOBS_MAX);
        assert_eq!(
            kept.iter().filter(|kept| kept.checkpoint.is_some()).count(),
            1,
            "the running job keeps its own"
        );
    }

    /// Hundreds of long jobs with their certificates are more than the store has room for: the newest results are kept.
    #[test]
    fn a_store_that_gets_full_lets_the_oldest_jobs_go_and_keeps_each_that_ends() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let small = Options {
            map_size: 4 << 20,
            check: Check::InProcess,
            ..Options::new(&tables())
        };
        let jobs = Jobs::new(
            store::open(dir.path(), &small).unwrap().store,
            dir.path(),
            Some(ram.path()),
        );
        let mut gone = 0;
        for number in 0..200 {
            let mut record = record();
            record.job.state = JobState::Finished;
            let end = Ended {
                certificate: Some("c".repeat(60_000)),
                ..Ended::default()
            };
            let ended = jobs.finish(&mut record, end).wait();
            gone += ended.unwrap_or_else(|error| panic!("job {number}: {error}")).gone.len();
            jobs.ended(record.job.id);
            assert!(jobs.newest(record.job.id).unwrap().is_some());
        }
        let kept = jobs.load().unwrap().len();
        assert_eq!(kept + gone, 200);
        assert!(kept > 20, "{kept}");
    }

    /// Each of them is asked while the store is full; the first few make room for all.
    #[test]
    fn jobs_that_end_together_let_no_more_go_than_make_room() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let small = Options {
            map_size: 8 << 20,
            check: Check::InProcess,
            ..Options::new(&tables())
        };
        let store = store::open(dir.path(), &small).unwrap().store;
        let jobs = Jobs::new(store, dir.path(), Some(ram.path()));
        let end = |letters: usize| {
            let mut record = record();
            record.job.state = JobState::Finished;
            let end = Ended {
                certificate: Some("c".repeat(letters)),
                ..Ended::default()
            };
            jobs.finish(&mut record, end)
        };
        for _ in 0..40 {
            assert_eq!(end(60_000).wait().unwrap().gone, []);
        }
        let mut others = 0;
        while !full::is_full(&jobs.store().room().unwrap()) {
            others += 1;
            let key = format!("other {others}");
            let write = move |w: &mut store::Write<'_, '_>| CHECKPOINTS.put(w, &key, &"c".repeat(60_000));
            jobs.store().write(write).wait().unwrap();
        }
        let together: Vec<_> = (0..24).map(|_| end(1_000)).collect();
        let gone: usize = together.into_iter().map(|ended| ended.wait().unwrap().gone.len()).sum();
        assert!((1..=8).contains(&gone), "{gone}");
        assert!(!full::is_full(&jobs.store().room().unwrap()));
    }

    #[test]
    fn a_job_whose_end_was_not_written_down_stays_ended() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let small = Options {
            map_size: 1 << 20,
            check: Check::InProcess,
            ..Options::new(&tables())
        };
        let store = store::open(dir.path(), &small).unwrap().store;
        let jobs = Jobs::new(store, dir.path(), Some(ram.path()));
        let mut record = record();
        jobs.save(&mut record, Some("c"), &[]).wait().unwrap();
        record.job.state = JobState::Finished;
        record.smart_trouble = Some("more than the map takes".repeat(100_000));
        let end = Ended {
            told: vec![crate::events::ended(&record.job)],
            ..Ended::default()
        };
        assert!(jobs.finish(&mut record, end).wait().is_err());
        drop(jobs);
        let jobs = open(dir.path(), ram.path());
        let kept = jobs.load().unwrap().remove(0);
        assert_eq!((kept.record.job.state, kept.checkpoint), (JobState::Finished, None));
        jobs.store().touch().wait().unwrap();
        drop(jobs);
        // And the medium has it now.
        let jobs = open(dir.path(), tempfile::tempdir().unwrap().path());
        assert_eq!(jobs.load().unwrap()[0].record.job.state, JobState::Finished);
        assert!(jobs.store().read(|r| CHECKPOINTS.is_empty(r)).unwrap());
    }

    #[test]
    fn a_bad_checkpoint_is_set_aside_under_a_dated_name() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let jobs = open(dir.path(), ram.path());
        let mut record = record();
        jobs.save(&mut record, Some("garbage"), &[]).wait().unwrap();
        let path = jobs
            .set_checkpoint_aside(record.job.id, "garbage", Time::UNIX_EPOCH)
            .unwrap();
        assert!(path.to_string_lossy().ends_with(".bad-19700101T000000Z"), "{path:?}");
        assert_eq!(fs::read_to_string(path).unwrap(), "garbage");
        jobs.store().touch().wait().unwrap();
        assert_eq!(jobs.load().unwrap()[0].checkpoint, None);
        assert!(
            jobs.set_checkpoint_aside(record.job.id, "x", Time::UNIX_EPOCH).is_err(),
            "nothing is written over"
        );
    }

    /// Every state that a kill or a power cut can leave is a commit, and a reader sees nothing else.
    #[test]
    fn no_cut_leaves_a_change_of_a_job_without_its_event() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let jobs = open(dir.path(), ram.path());
        let mut record = record();
        jobs.save(&mut record, None, &[]).wait().unwrap();
        let (key, first) = (record.job.id.to_string(), record.revision);
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                let mut looks = 0;
                while !over.load(std::sync::atomic::Ordering::Acquire) {
                    let (revision, told) = jobs
                        .store()
                        .read(|r| Ok((JOBS.get(r, &key)?.unwrap().revision, SPOOL.len(r)?)))
                        .unwrap();
                    assert_eq!(revision - first, told, "as many events as changes, at every moment");
                    looks += 1;
                }
                looks
            });
            for _ in 0..100 {
                let told = [crate::events::started(&record.job)];
                let before = jobs.store().health().commits;
                jobs.save(&mut record, None, &told).wait().unwrap();
                assert_eq!(jobs.store().health().commits, before + 1, "one commit for both");
            }
            let told = [crate::events::ended(&record.job)];
            jobs.finish(
                &mut record,
                Ended {
                    told: told.to_vec(),
                    ..Ended::default()
                },
            )
            .wait()
            .unwrap();
            over.store(true, std::sync::atomic::Ordering::Release);
            assert!(looking.join().unwrap() > 0);
        });
    }

    #[test]
    fn a_time_line_comes_back_point_by_point_and_thinned_out() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut record = record();
        {
            let jobs = open(dir.path(), ram.path());
            jobs.save(&mut record, None, &[]).wait().unwrap();
            for second in 0..5_000 {
                let now = Time::from_second(second).unwrap();
                let point = wire::job::TimePoint {
                    at: now,
                    ..record.point(1, wire::Bytes(7), None)
                };
                if burnin::timeline::sample(&mut record.job.timeline, point) {
                    jobs.sample(&record);
                }
            }
            jobs.store().touch().wait().unwrap();
        }
        let jobs = open(dir.path(), tempfile::tempdir().unwrap().path());
        let kept = jobs.load().unwrap().remove(0).record;
        assert!(kept.job.timeline.len() > 100);
        let lost = record.job.timeline.strip_prefix(&kept.job.timeline[..]).unwrap();
        let last = kept.job.timeline.last().unwrap().at;
        assert!(lost.iter().all(|point| (point.at - last).get_seconds() < SAMPLES_EVERY));
        // A checkpoint brings the rest, once it is as much.
        let later = Time::from_second(5_000 + SAMPLES_EVERY).unwrap();
        let point = wire::job::TimePoint {
            at: later,
            ..record.point(1, wire::Bytes(7), None)
        };
        burnin::timeline::mark(&mut record.job.timeline, point);
        jobs.save_checkpoint(&mut record, "c", false).wait().unwrap();
        assert_eq!(jobs.load().unwrap().remove(0).record.job.timeline, record.job.timeline);
        // The end carries it in the record, and the rows go.
        record.job.state = JobState::Finished;
        jobs.finish(&mut record, Ended::default()).wait().unwrap();
        assert!(jobs.store().read(|r| SAMPLES.is_empty(r)).unwrap());
        assert_eq!(jobs.load().unwrap()[0].record.job.timeline, record.job.timeline);
    }

    #[test]
    fn a_copy_that_the_medium_never_had_brings_its_events() {
        let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut record = record();
        let event = |record: &Record| vec![crate::events::started(&record.job)];
        let spooled = |jobs: &Jobs| jobs.store().read(|r| SPOOL.len(r)).unwrap();
        let jobs = open(dir.path(), ram.path());
        let told = event(&record);
        jobs.save(&mut record, None, &told).wait().unwrap();
        // As a kill leaves it between copy and commit.
        record.revision += 1;
        jobs.copies.write(&record, None, &event(&record));
        drop(jobs);
        let jobs = open(dir.path(), ram.path());
        assert_eq!(jobs.load().unwrap()[0].record, record);
        jobs.store().touch().wait().unwrap();
        assert_eq!(spooled(&jobs), 2, "the one that the medium has is not told twice");
        jobs.load().unwrap();
        jobs.store().touch().wait().unwrap();
        assert_eq!(spooled(&jobs), 2);
    }
}
