//! Copies of unfinished jobs in RAM: two files a job, for a medium that is pulled while they run.
//!
//! A copy is written before LMDB has committed the same change. So that a kill in between loses no event, it carries
//! the last events with the revision that each belongs to; those that the medium does not have are spooled with it. The
//! copy of a job that has ended carries what its end leaves, too.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use burnin::verdict::Peer;
use serde::{Deserialize, Serialize};

use tracing::{error, warn};
use wire::JobId;

use super::{Ended, Kept};
use crate::events::Happening;
use crate::record::Record;

/// Events kept in a copy: far more than can wait for one commit.
const EVENTS: usize = 32;

/// Where the copies are, if they can be made.
#[derive(Clone, Debug)]
pub(super) struct Copies {
    dir: Option<PathBuf>,
    told: Arc<Mutex<BTreeMap<JobId, Told>>>,
}

/// Events, each with the revision of the job that it came with.
pub(super) type Told = Vec<(u64, Happening)>;

/// A copy as it lies in its file.
#[derive(Serialize, Deserialize)]
struct Copy<R> {
    record: R,
    told: Told,
    /// The certificate's text, once the job has ended; an older agent's copy has none.
    #[serde(default)]
    certificate: Option<String>,
    /// What later verdicts may compare with, once it has ended.
    #[serde(default)]
    peer: Option<Peer>,
}

/// A copy with the events and the end that the medium may lack.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) kept: Kept,
    pub(super) told: Told,
    pub(super) certificate: Option<String>,
    pub(super) peer: Option<Peer>,
}

impl Copies {
    /// Copies in `dir`, where that directory can be made.
    pub(super) fn new(dir: Option<&Path>) -> Self {
        let dir = dir.filter(|dir| match fs::create_dir_all(dir) {
            Ok(()) => true,
            Err(error) => {
                warn!(dir = %dir.display(), %error, "jobs have no copy in RAM; they end if the medium is pulled and the agent dies");
                false
            }
        });
        Self {
            dir: dir.map(Path::to_owned),
            told: Arc::default(),
        }
    }

    fn of(&self, job: JobId) -> Option<PathBuf> {
        Some(self.dir.as_ref()?.join(format!("{job}.json")))
    }

    /// Writes a record, and its checkpoint where there is a new one, with the events that come with this revision.
    pub(super) fn write(&self, record: &Record, checkpoint: Option<&str>, new: &[Happening]) {
        self.put(record, checkpoint, new, (None, None));
    }

    /// Writes the record of a job that has ended, with what its end leaves.
    pub(super) fn end(&self, record: &Record, end: &Ended) {
        self.put(record, None, &end.told, (end.certificate.as_deref(), end.peer.as_ref()));
    }

    /// Writes it once more, without the events, which were told meanwhile: a later start tells none of them again.
    pub(super) fn told(&self, record: &Record, end: &Ended) {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&record.job.id);
        self.end(record, end);
    }

    fn put(&self, record: &Record, checkpoint: Option<&str>, new: &[Happening], left: (Option<&str>, Option<&Peer>)) {
        let Some(path) = self.of(record.job.id) else {
            return;
        };
        let told = {
            let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let told = all.entry(record.job.id).or_default();
            told.extend(new.iter().map(|happening| (record.revision, happening.clone())));
            let excess = told.len().saturating_sub(EVENTS);
            told.drain(..excess);
            told.clone()
        };
        let write = |path: &Path, bytes: &[u8]| {
            let new = path.with_extension("new");
            fs::write(&new, bytes)?;
            fs::rename(&new, path)
        };
        // The checkpoint first: a record may be newer than its checkpoint, never older.
        let written = checkpoint
            .map_or(Ok(()), |text| {
                write(&path.with_extension("checkpoint"), text.as_bytes())
            })
            .and_then(|()| {
                let copy = Copy {
                    record,
                    told,
                    certificate: left.0.map(str::to_owned),
                    peer: left.1.cloned(),
                };
                write(&path, &serde_json::to_vec(&copy)?)
            });
        if let Err(error) = written {
            warn!(path = %path.display(), %error, "a job's copy in RAM was not written");
        }
    }

    /// All that can be read.
    pub(super) fn read(&self) -> Vec<Found> {
        let Some(dir) = &self.dir else { return Vec::new() };
        let Ok(entries) = fs::read_dir(dir) else {
            return Vec::new();
        };
        entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .filter_map(
                |path| match fs::read(&path).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?)) {
                    Ok(Copy {
                        record,
                        told,
                        certificate,
                        peer,
                    }) => Some(Found {
                        kept: Kept {
                            record,
                            checkpoint: fs::read_to_string(path.with_extension("checkpoint")).ok(),
                        },
                        told,
                        certificate,
                        peer,
                    }),
                    Err(error) => {
                        error!(path = %path.display(), %error, "a job's copy in RAM cannot be read");
                        None
                    }
                },
            )
            .collect()
    }

    /// Removes a job's copy.
    pub(super) fn remove(&self, job: JobId) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).remove(&job);
        if let Some(copy) = self.of(job) {
            remove(&copy);
            remove(&copy.with_extension("checkpoint"));
        }
    }

    /// Removes the copy of a job's checkpoint.
    pub(super) fn remove_checkpoint(&self, job: JobId) {
        if let Some(copy) = self.of(job) {
            remove(&copy.with_extension("checkpoint"));
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        warn!(path = %path.display(), %error, "a copy in RAM was not removed");
    }
}
