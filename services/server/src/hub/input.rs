//! What happens to the hub.

use std::sync::Arc;

use wire::boxes::Banner;
use wire::frame::Frame;
use wire::job::Job;
use wire::supervisor::Status;
use wire::{DriveId, Time};

use super::SmartWord;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// An add-on connected.
    Connected {
        /// Its number.
        addon: u64,
        /// The connection's number; never used twice.
        connection: u64,
    },
    /// An add-on came over HTTP with its own token.
    Met {
        /// Its number.
        addon: u64,
    },
    /// A connection is over.
    Closed {
        /// The add-on.
        addon: u64,
        /// The connection.
        connection: u64,
        /// In words.
        why: String,
    },
    /// A frame came.
    Frame {
        /// The add-on.
        addon: u64,
        /// The connection.
        connection: u64,
        /// The frame.
        frame: Frame,
        /// Its payload as JSON text on one line, for those who look at the add-on.
        payload: Arc<str>,
    },
    /// The add-on's page is to be told something: what it sent and was corrected, what was asked of it and refused.
    Word {
        /// The add-on.
        addon: u64,
        /// In a sentence.
        what: String,
    },
    /// A line for an add-on's log that is about what somebody else did: whoever that was is answered where it was asked.
    Noted {
        /// The add-on.
        addon: u64,
        /// What, in words.
        what: String,
    },
    /// A message came that is no frame.
    Malformed {
        /// The add-on.
        addon: u64,
        /// The connection.
        connection: u64,
        /// What is wrong with it: names the field and what is expected.
        what: String,
    },
    /// The supervisor said how everything is; `None` when it is no longer heard.
    Supervisor(Option<Status>),
    /// What the image is made of was read: the SHA-256 of that list, in hex.
    Contents(String),
    /// A person at the console asked to get in without a password: the box waits to be claimed again.
    Recovering,
    /// The box was claimed.
    Claimed,
    /// The agent says that a job is over or unknown to it, and has told no end of it.
    JobGone(Box<Job>),
    /// Here more is known of a job than was told: its certificate was revoked, or a person has seen its end, or says so no more. The job as
    /// the medium has it now.
    Amended(Box<Job>),
    /// What the medium has of drives that [`super::Effect::Recall`] names: the jobs with the last word on each.
    Recalled(Vec<Job>),
    /// A drive here told its SMART.
    Smart {
        /// The drive, as the agent told it with the reading.
        drive: DriveId,
        /// Its serial, however it is written.
        serial: String,
        /// What that says of it.
        word: SmartWord,
    },
    /// A banner of the server's own came or went.
    Banner {
        /// Which.
        key: &'static str,
        /// The banner, or `None` to take it away.
        banner: Option<Banner>,
    },
    /// An add-on was registered, or is known from before.
    Known {
        /// Its number.
        addon: u64,
        /// Its name.
        name: String,
        /// When it was last heard.
        last_seen: Option<Time>,
        /// Whether it may connect.
        enabled: bool,
    },
    /// An add-on was taken away.
    Forgotten {
        /// Its number.
        addon: u64,
    },
    /// A second has gone by.
    Tick,
}
