//! The checkpoint that a job goes on from, and what is known by it.
//!
//! Where it is lost, the drive itself tells: by the header that the job keeps on it, which also proves that this is the
//! job's drive, and by the tags of what was written (`burnin::header`).

use std::time::Duration;

use burnin::header::{self, Header};
use burnin::worker::{Backend, Io, Limits};
use burnin::{Checkpoint, Evidence, device};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{error, warn};
use wire::Time;
use wire::event::Severity;
use wire::job::PhaseStatus;

use super::JobTask;
use crate::events::{self, Happening};
use crate::hands::Held;
use crate::record::Record;

/// Longest time for reading a lost job's place from its drive: a few hundred reads, some of them of bad sectors.
const RECOVER: Duration = Duration::from_secs(300);

impl JobTask {
    /// A checkpoint that cannot be used is set aside and told; the job then goes on from what the drive tells, or begins
    /// again.
    ///
    /// # Errors
    /// Why nothing may be written: the drive tells of another drive's burn-in, or of a later one.
    pub(super) async fn check_checkpoint(&mut self, held: &Held) -> Result<(), String> {
        match self.checkpoint.take() {
            Some(text) => match Checkpoint::decode(&text) {
                Ok(checkpoint) if checkpoint.key == self.record.key && checkpoint.geometry == self.record.geometry => {
                    self.checkpoint = Some(text);
                    return Ok(());
                }
                Ok(_) => self.set_checkpoint_aside(&text, "it belongs to another job or drive"),
                Err(cause) => self.set_checkpoint_aside(&text, &cause.to_string()),
            },
            None if self.has_begun() => self.record.restart(),
            None => return Ok(()),
        }
        match self.record.erases() {
            true => self.recover(held).await,
            false => Ok(()),
        }
    }

    /// Whether some step that moves data was begun in an earlier session.
    fn has_begun(&self) -> bool {
        let data = |state: &&wire::job::PhaseState| burnin::playbook::moves_data(state.phase);
        let mut data = self.record.job.phases.iter().filter(data);
        self.why.is_some() && data.any(|state| state.status != PhaseStatus::Pending)
    }

    /// Goes on from what the drive tells of this job, if it does.
    async fn recover(&mut self, held: &Held) -> Result<(), String> {
        let Ok(file) = held.file.try_clone() else { return Ok(()) };
        let (geometry, limits) = (self.record.geometry, self.means.limits);
        let read = spawn_blocking(move || read_drive(file, geometry, Some(&limits)));
        let (header, checkpoint) = match timeout(RECOVER, read).await {
            Ok(Ok(Some(found))) => found,
            Ok(Ok(None)) => {
                self.log(
                    "warn",
                    "The drive tells nothing of this job; it begins again".to_owned(),
                );
                return Ok(());
            }
            Ok(Err(_)) | Err(_) => {
                self.log(
                    "warn",
                    "The drive does not answer when asked for this job's place; it begins again".to_owned(),
                );
                return Ok(());
            }
        };
        if let Some(why) = foreign(&header, &self.record) {
            return Err(why);
        }
        let ours = header.key == self.record.key
            && header.geometry == self.record.geometry
            && header.steps == self.record.steps
            && header.note.drive == self.record.job.drive;
        if !ours {
            self.log(
                "warn",
                "The drive tells of an earlier job; this one begins again".to_owned(),
            );
            return Ok(());
        }
        let Some(checkpoint) = checkpoint else {
            self.log(
                "info",
                "The drive is this job's by its own header; it begins again".to_owned(),
            );
            return Ok(());
        };
        let message = format!(
            "The checkpoint of the burn-in of {} is lost; the drive's own header and tags tell where it goes on",
            events::drive_words(&self.record.job)
        );
        warn!(job = %self.record.job.id, "checkpoint made from the drive");
        self.log("warn", message.clone());
        let text = checkpoint.encode();
        self.checkpoint = Some(text.clone());
        let happening = events::of_job(&self.record.job, "job.place_recovered", Severity::Warning, message);
        self.keep(Some(&text), vec![happening]);
        Ok(())
    }

    /// What was told after the checkpoint was taken stays told.
    pub(super) fn keep_findings(&mut self) {
        if !self.record.job.findings.is_empty() {
            let saved = self.evidence_so_far().findings();
            self.record.keep_findings(&saved);
        }
    }

    fn set_checkpoint_aside(&mut self, text: &str, why: &str) {
        let place = match self
            .means
            .jobs
            .set_checkpoint_aside(self.record.job.id, text, Time::now())
        {
            Ok(path) => path.display().to_string(),
            Err(cause) => {
                error!(%cause, "a bad checkpoint could not be set aside");
                "nowhere: the medium takes no file".to_owned()
            }
        };
        let message = format!(
            "The checkpoint of the burn-in of {} cannot be used ({why}); it lies at {place} now, and the burn-in goes on \
             from what the drive itself tells, or begins again",
            events::drive_words(&self.record.job)
        );
        error!(job = %self.record.job.id, why, place, "checkpoint set aside");
        self.log("error", message.clone());
        let happening = Happening {
            notifications: Vec::new(),
            at: None,
            event: wire::event::NewEvent {
                data: serde_json::json!({ "path": place, "why": why }),
                ..events::of_job(
                    &self.record.job,
                    "agent.checkpoint_set_aside",
                    Severity::Warning,
                    message,
                )
                .event
            },
        };
        self.record.restart();
        self.keep(None, vec![happening]);
    }

    /// What is known when no worker can tell it any more: the last checkpoint's evidence.
    pub(super) fn evidence_so_far(&self) -> Box<Evidence> {
        let checkpoint = self
            .checkpoint
            .as_deref()
            .and_then(|text| Checkpoint::decode(text).ok());
        Box::new(checkpoint.map_or_else(
            || Evidence::new(self.record.geometry, &self.record.steps),
            |checkpoint| checkpoint.evidence,
        ))
    }
}

/// Why a drive with this header is not the one to write to: it is another one (two behind one bridge), or another burn-in
/// was begun on it since. What an earlier one left is no reason.
fn foreign(header: &Header, record: &Record) -> Option<String> {
    let theirs = &header.note;
    if header.key == record.key {
        return None;
    }
    if theirs.drive != record.job.drive {
        return Some(format!("it carries the burn-in of another drive, {}", theirs.drive));
    }
    (theirs.started > record.job.started).then(|| format!("another burn-in was begun on it {}", theirs.started))
}

/// What a drive tells of the job that wrote it, and with `limits` where that stood. Blocks as long as the drive does.
pub fn read_drive(
    file: std::fs::File,
    geometry: device::Geometry,
    limits: Option<&Limits>,
) -> Option<(Header, Option<Checkpoint>)> {
    let io = Io {
        backend: Backend::Sync,
        ..Io::default()
    };
    let (mut device, _) = device::open(file, io).ok()?;
    let header = header::find(device.as_mut(), geometry)?;
    let checkpoint = limits.and_then(|limits| header::recover(device.as_mut(), &header, limits));
    Some((header, checkpoint))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use burnin::JobKey;
    use burnin::header::Note;
    use wire::DriveId;
    use wire::options::PlanOptions;

    use super::*;
    use crate::record::tests::record;

    #[test]
    fn a_drive_that_carries_another_drives_or_a_later_burn_in_is_not_written() {
        let record = record();
        let header = |key: u8, drive: &DriveId, second: i64| Header {
            key: JobKey([key; 16]),
            geometry: record.geometry,
            steps: record.steps.clone(),
            note: Note {
                job: "01J".into(),
                drive: drive.clone(),
                playbook: "standard".into(),
                options: PlanOptions::default(),
                started: Time::from_second(second).unwrap(),
                baseline: None,
            },
        };
        let (own, other) = (
            record.job.drive.clone(),
            DriveId::parse("wwn-5000c500ffffffff").unwrap(),
        );
        assert_eq!(foreign(&header(1, &own, 0), &record), None, "this very job");
        assert_eq!(
            foreign(&header(2, &own, -60), &record),
            None,
            "what an aborted job left"
        );
        assert!(foreign(&header(2, &own, 60), &record).unwrap().contains("begun on it"));
        assert!(
            foreign(&header(2, &other, -60), &record)
                .unwrap()
                .contains("another drive")
        );
    }
}
