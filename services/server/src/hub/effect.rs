//! What the hub wants done: what is kept, who is told.

use std::sync::Arc;

use wire::certificate::CertificateText;
use wire::command::Reply;
use wire::drive::Drive;
use wire::event::{Actor, NewEvent, Severity};
use wire::frame::LogLine;
use wire::job::{Job, Progress};
use wire::playbook::PlaybookInfo;
use wire::{DriveId, JobId};

use super::units;

/// Longest text taken from an add-on's frame into an event, in characters.
const TEXT: usize = 1000;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Append this to the event log, then tell everybody.
    Event(NewEvent, Actor),
    /// Keep this job's state.
    SaveJob(Box<Job>),
    /// Keep the list of drives.
    SaveDrives(Vec<Drive>),
    /// Keep the list of playbooks.
    SavePlaybooks(Vec<PlaybookInfo>),
    /// Keep a certificate, byte for byte.
    SaveCertificate(CertificateText),
    /// Keep a line of a job's log.
    SaveLine {
        /// The job.
        job: JobId,
        /// The line.
        line: LogLine,
    },
    /// Keep what the supervisor said last.
    Remember(units::Remembered),
    /// Look up the jobs that have the last word on each of these drives, which are here: they may not be held.
    Recall(Vec<DriveId>),
    /// Tell everybody who listens to the box.
    Stream(Stream),
    /// Tell everybody who listens to this add-on.
    Telemetry {
        /// The add-on.
        addon: u64,
        /// Number in the add-on's ring.
        number: u64,
        /// The frame.
        item: Telemetry,
    },
    /// Hand the agent's reply to who waits for it.
    Reply(Reply),
    /// Close this connection: a newer one has taken its place.
    Replace(u64),
    /// Close this connection: its add-on may not be connected any more; 1008 with this reason.
    Dismiss(u64, &'static str),
    /// An add-on is told what of it was not taken, or was corrected.
    Refused {
        /// Which.
        addon: u64,
        /// In words.
        what: String,
    },
    /// An add-on answered a command.
    Result {
        /// The add-on.
        addon: u64,
        /// The payload of its frame.
        payload: serde_json::Value,
    },
    /// Tell the agent to end a job that is over here.
    Abandon(JobId),
    /// The agent's connection is over: fail what waits for it, forget its plans.
    AgentGone,
    /// Tell the agent anew who the box is.
    Hello,
}

/// What goes to everybody who looks at the box.
#[derive(Clone, Debug, PartialEq)]
pub enum Stream {
    /// The box's view has changed.
    Box,
    /// The whole list of drives.
    Drives(Vec<Drive>),
    /// The whole list of playbooks.
    Playbooks(Vec<PlaybookInfo>),
    /// One job's whole state.
    Job(Box<Job>),
    /// One job's progress.
    Progress(JobId, Progress),
    /// A log line, of a job or of none.
    Line(Option<JobId>, LogLine),
}

/// One frame of an add-on, as its telemetry stream shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// A word of a closed set: names of server-sent events are never taken from outside.
    pub name: &'static str,
    /// The frame's type as it came.
    pub kind: Arc<str>,
    /// The payload: JSON text on one line, as it came where it could be read as it came.
    pub payload: Arc<str>,
}

pub(super) fn agent_actor() -> Actor {
    Actor::new("agent", "agent")
}

pub(super) fn server_actor() -> Actor {
    Actor::new("server", "server")
}

pub(super) fn server_event(kind: &str, severity: Severity, message: String, data: serde_json::Value) -> Effect {
    let event = NewEvent::new(kind, severity, message, data);
    Effect::Event(event, server_actor())
}

pub(super) fn addon_event(
    name: &str,
    kind: &str,
    severity: Severity,
    message: String,
    data: serde_json::Value,
) -> Effect {
    let event = NewEvent::new(kind, severity, message, data);
    Effect::Event(event, Actor::new("addon", name))
}

/// Text from outside, cut to [`TEXT`] characters.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(TEXT).collect()
}
