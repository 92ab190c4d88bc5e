//! Copies of unfinished jobs in RAM: two files a job, for a medium that is pulled while they run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tracing::{error, warn};
use wire::JobId;

use super::Kept;
use crate::record::Record;

/// Where the copies are, if they can be made.
#[derive(Clone, Debug)]
pub(super) struct Copies(Option<PathBuf>);

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
        Self(dir.map(Path::to_owned))
    }

    fn of(&self, job: JobId) -> Option<PathBuf> {
        Some(self.0.as_ref()?.join(format!("{job}.json")))
    }

    /// Writes a record, and its checkpoint where there is a new one.
    pub(super) fn write(&self, record: &Record, checkpoint: Option<&str>) {
        let Some(path) = self.of(record.job.id) else {
            return;
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
            .and_then(|()| write(&path, &serde_json::to_vec(record)?));
        if let Err(error) = written {
            warn!(path = %path.display(), %error, "a job's copy in RAM was not written");
        }
    }

    /// All that can be read.
    pub(super) fn read(&self) -> Vec<Kept> {
        let Some(dir) = &self.0 else { return Vec::new() };
        let Ok(entries) = fs::read_dir(dir) else {
            return Vec::new();
        };
        entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .filter_map(
                |path| match fs::read(&path).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?)) {
                    Ok(record) => Some(Kept {
                        record,
                        checkpoint: fs::read_to_string(path.with_extension("checkpoint")).ok(),
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
