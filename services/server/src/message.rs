//! One message of the server-sent stream, encoded once for all who listen.

use std::sync::Arc;

use serde::Serialize;
use wire::{Event, JobId};

use crate::clock::Now;
use crate::hub::{Hub, Stream};

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// The event's name in the stream: one of a closed set.
    pub name: &'static str,
    /// Its id: the sequence number of an [`Event`]; other messages have none.
    pub id: Option<u64>,
    /// JSON, in one line.
    pub data: Arc<str>,
}

impl Message {
    /// A message without an id.
    pub fn new<T: Serialize>(name: &'static str, data: &T) -> Self {
        Self {
            name,
            id: None,
            data: serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned()).into(),
        }
    }

    /// An event of the log.
    pub fn event(event: &Event) -> Self {
        Self {
            id: Some(event.seq),
            ..Self::new("event", event)
        }
    }

    /// What a stream effect of the hub says.
    pub fn of(now: Now, hub: &Hub, stream: &Stream) -> Self {
        match stream {
            Stream::Box => Self::new("box", &hub.view(now, true)),
            Stream::Drives(drives) => Self::new("drives", drives),
            Stream::Playbooks(playbooks) => Self::new("playbooks", playbooks),
            Stream::Job(job) => Self::new("job", job),
            Stream::Progress(job, progress) => {
                Self::new("progress", &serde_json::json!({ "job": job, "progress": progress }))
            }
            Stream::Line(job, line) => {
                let job: &Option<JobId> = job;
                Self::new("log", &serde_json::json!({ "job": job, "line": line }))
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
