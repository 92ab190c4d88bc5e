//! Jobs on the medium: records and checkpoints in LMDB, and a copy of the unfinished ones in RAM.
//!
//! The copy (two files a job below `--run`, a tmpfs in the box) is for a medium that is pulled while jobs run: the
//! supervisor then starts the agent again over an empty state directory, and the jobs go on from the copy. After a
//! power cut only LMDB counts. Of two copies the one with the higher revision is taken; an end that the medium did not take
//! stays in its copy until it does, and in memory to be tried again ([`crate::ends`]). Finished jobs are kept up to
//! [`JOBS_MAX`], and fewer where the store or its medium gets full; the oldest go first.
//!
//! The time line's points are rows of their own ([`Jobs::sample`]), so that a checkpoint does not carry them all again.

pub mod checkpoints;
mod copies;
pub(crate) mod full;
mod ids;
pub mod past;
pub(crate) mod samples;
mod unwritten;
mod wishes;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use store::{Pending, Store, Table};
use tracing::{error, warn};
use wire::{JobId, Time};

use copies::Copies;
use ids::Ids;
pub use past::{Ended, PEERS_MAX, Past};
use unwritten::Unwritten;
use wishes::WISHES;

use crate::controller::LIT;
use crate::events::{Happening, Known};
use crate::outbox::{self, NUMBERS, SPOOL};
use crate::record::Record;

/// The jobs.
pub(crate) const JOBS: Table<String, Record> = Table::new("jobs");
/// What was pinned at the first greeting: `gate_key`, `box_id`.
pub const PINS: Table<String, String> = Table::new("pins");
/// Drives that were present when last looked at.
pub const KNOWN: Table<String, Known> = Table::new("known");

/// How long a checkpoint may wait for those of other jobs, which are taken at the same moment and come as fast as their drives
/// flush. With [`burnin::worker::Limits::checkpoint_s`] it is half a minute, which is done again at most after a cut.
const GATHER: Duration = Duration::from_secs(2);

/// Finished jobs kept: two years of a bench that burns in a drive a day, at up to 100 kB each.
pub const JOBS_MAX: usize = 700;

/// Names of all tables of the agent's store.
pub fn tables() -> [&'static str; 13] {
    [
        JOBS.name(),
        samples::SAMPLES.name(),
        past::CERTIFICATES.name(),
        past::PEERS.name(),
        crate::bays::BAYS.name(),
        checkpoints::ANEW.name(),
        checkpoints::ROWS.name(),
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
    unwritten: Unwritten,
}

impl Jobs {
    /// Jobs in `store` below `data`, with copies in `copies` where that directory can be made.
    pub fn new(store: Store, data: &Path, copies: Option<&Path>) -> Self {
        Self {
            ids: Ids::of(&store),
            store,
            data: data.to_owned(),
            copies: Copies::new(copies),
            unwritten: Unwritten::default(),
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
        for id in ids {
            self.ids.saw(*id);
        }
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
                        record.job.timeline = samples::of(r, &key)?;
                        checkpoints::get(r, &key)?
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
                    match self.finish(&mut copy.record, end.clone()).wait() {
                        Ok(past) => {
                            self.ended(id);
                            pasts.push(past);
                        }
                        Err(cause) => {
                            error!(job = %id, error = %cause, "the end of a job was not written down");
                            self.keep_unwritten(copy.record.clone(), end);
                            copy.record.job.certificate = None;
                        }
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
        for kept in found.values_mut() {
            self.with_wish(kept);
        }
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
            record.job.timeline = samples::of(r, &key)?;
            let checkpoint = checkpoints::get(r, &key)?;
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
                samples::keep(w, &key, timeline)?;
            }
            checkpoints::put(w, &key, &text)
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
            samples::keep(w, &key, &timeline)?;
            if let Some(text) = &checkpoint {
                checkpoints::put(w, &key, text)?;
            }
            wishes::settle(w, &key, &record)?;
            JOBS.put(w, &key, &record)
        })
    }

    /// Writes a job down for the last time: its checkpoint goes, and the oldest finished jobs beyond [`JOBS_MAX`].
    /// The event of its end, its certificate, and what it means for older certificates stand in the same commit. Its copy
    /// in RAM stays until [`Self::ended`]: a commit that fails must not let the job before its end come back.
    pub fn finish(&self, record: &mut Record, end: Ended) -> Pending<Past> {
        record.revision += 1;
        self.copies.end(record, &end);
        self.finish_again(record, end)
    }

    /// As [`Self::finish`], of an end that the medium did not take before: its copy in RAM has it already.
    pub fn finish_again(&self, record: &Record, end: Ended) -> Pending<Past> {
        let (key, record) = (record.job.id.to_string(), record.clone());
        // A store that is full keeps no result any more, and could not even forget one.
        let room = self.store.room().ok();
        self.store.write(move |w| {
            outbox::spool(w, &end.told)?;
            checkpoints::delete(w, &key)?;
            samples::forget(w, &key)?;
            WISHES.delete(w, &key)?;
            JOBS.put(w, &key, &record)?;
            let revoked = past::note(w, &key, &record, &end)?;
            let gone = full::make_room(w, &key, room)?;
            Ok(Past { gone, revoked })
        })
    }

    /// The end of a job is on the medium: its copy in RAM goes.
    pub fn ended(&self, job: JobId) {
        self.copies.remove(job);
        self.unwritten.remove(job);
    }

    /// The medium did not take the end of a job: it is kept for [`Self::unwritten`].
    pub fn keep_unwritten(&self, record: Record, end: Ended) {
        self.unwritten.keep(record, end);
    }

    /// The events of an end that the medium did not take were told: the next start tells them no more.
    pub fn told(&self, job: JobId) {
        // Where it is on the medium by now there is no copy, and none may come back.
        if let Some((record, end)) = self.unwritten.of(job) {
            self.copies.told(&record, &end);
        }
    }

    /// Ends that the medium did not take, oldest job first.
    pub fn unwritten(&self) -> Vec<(Record, Ended)> {
        self.unwritten.all()
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
        self.store.write(move |w| checkpoints::delete(w, &key)).forget();
        self.copies.remove_checkpoint(job);
        Ok(path)
    }
}

#[cfg(test)]
mod tests;
