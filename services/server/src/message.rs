//! One message of the server-sent stream, encoded once for all who listen.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use wire::drive::Drive;
use wire::job::Job;
use wire::playbook::PlaybookInfo;
use wire::{DriveId, Event, JobId};

use crate::clock::Now;
use crate::hub::{Hub, Stream};

/// What a message is about, for who listens to one job or one drive alone.
#[derive(Clone, Debug)]
pub enum About {
    /// The whole box.
    Box,
    /// The list of drives.
    Drives(Arc<[Drive]>),
    /// A job, a drive, both, or neither in particular.
    One {
        /// The job.
        job: Option<JobId>,
        /// The drive; of a job that is known it need not be told.
        drive: Option<DriveId>,
    },
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// The event's name in the stream: one of a closed set.
    pub name: &'static str,
    /// Its id: the sequence number of an [`Event`]; other messages have none.
    pub id: Option<u64>,
    /// JSON, in one line.
    pub data: Arc<str>,
    /// What it is about.
    pub about: About,
}

impl About {
    /// A job and its drive.
    pub fn job(job: &Job) -> Self {
        Self::One {
            job: Some(job.id),
            drive: Some(job.drive.clone()),
        }
    }

    fn of_job(job: Option<JobId>) -> Self {
        Self::One { job, drive: None }
    }
}

impl Message {
    /// A message without an id.
    fn new<T: Serialize>(name: &'static str, data: &T, about: About) -> Self {
        Self {
            name,
            id: None,
            about,
            data: serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned()).into(),
        }
    }

    /// An event of the log.
    pub fn event(event: &Event) -> Self {
        let about = About::One {
            job: event.job,
            drive: event.drive.clone(),
        };
        Self {
            id: Some(event.seq),
            ..Self::new("event", event, about)
        }
    }

    /// The list of drives.
    pub fn drives(drives: &[Drive]) -> Self {
        Self::new("drives", &drives, About::Drives(drives.into()))
    }

    /// The list of playbooks.
    pub fn playbooks(playbooks: &[PlaybookInfo]) -> Self {
        Self::new("playbooks", &playbooks, About::Box)
    }

    /// A job.
    pub fn job(job: &Job) -> Self {
        Self::new("job", job, About::job(job))
    }

    /// What a stream effect of the hub says.
    pub fn of(now: Now, hub: &Hub, stream: &Stream) -> Self {
        match stream {
            Stream::Box => Self::new("box", &hub.view(now, true), About::Box),
            Stream::Drives(drives) => Self::drives(drives),
            Stream::Playbooks(playbooks) => Self::playbooks(playbooks),
            Stream::Job(job) => Self::job(job),
            Stream::Progress(job, progress) => {
                let about = About::of_job(Some(*job));
                Self::new("progress", &json!({ "job": job, "progress": progress }), about)
            }
            Stream::Line(job, line) => {
                let about = About::of_job(*job);
                Self::new("log", &json!({ "job": job, "line": line }), about)
            }
        }
    }

    /// The message as it stands in the stream.
    pub fn encode(&self) -> String {
        match self.id {
            Some(id) => format!("id: {id}\nevent: {}\ndata: {}\n\n", self.name, self.data),
            None => format!("event: {}\ndata: {}\n\n", self.name, self.data),
        }
    }
}
