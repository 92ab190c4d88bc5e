//! Frames of the add-on protocol: JSON objects `{"type", "payload"}` over a WebSocket.
//!
//! The documented frames (heartbeat, progress, log, notification) are exactly those of the
//! Vigil add-on protocol; `hello`, `drives`, `job`, `event`, `playbooks`, `certificate`, `command` and `result` are what
//! the built-in agent and this server say to each other besides. An unknown type is kept as
//! [`Frame::Other`], so that a newer add-on does not break an older server.

mod action;
mod fields;
mod read;

pub use action::{ActionCall, ActionResult};
pub use read::Read;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::{
    JobId,
    certificate::CertificateText,
    command::{Call, Reply},
    drive::Drive,
    event::NewEvent,
    event::Severity,
    job::Job,
    job::Progress,
    playbook::PlaybookInfo,
};

/// Longest frame that a documented add-on may send, in bytes. Source: Vigil, protocol requirements (64 KB).
pub const FRAME_MAX_SENT: usize = 65_536;

/// Longest frame accepted from an enrolled add-on, in bytes. Source: existing servers' read limit (512 KiB).
pub const FRAME_MAX_ACCEPTED: usize = 524_288;

/// The JSON Schema of frames, as it is checked in and published.
pub const SCHEMA: &str = include_str!("../bindings/frames.schema.json");

/// One frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// Add-on → server: alive.
    Heartbeat,
    /// Add-on → server: how far a job is.
    Progress(ProgressFrame),
    /// Add-on → server: a log line.
    Log(LogLine),
    /// Add-on → server: something people may want to be told.
    Notification(Notification),
    /// Server → agent, first frame of a connection.
    Hello(Hello),
    /// Agent → server: all drives it knows; on connect and on each change.
    Drives(Vec<Drive>),
    /// Agent → server: one job's whole present state; all of them on connect, then on each change.
    Job(Box<Job>),
    /// Agent → server, on connect and behind all its jobs: those that are not over. What the server has running beside them, the
    /// agent has lost.
    Unfinished(Vec<JobId>),
    /// Agent → server: something for the event log.
    Event(NewEvent),
    /// Agent → server: the playbooks there are; on connect and on each change.
    Playbooks(Vec<PlaybookInfo>),
    /// Agent → server: a signed certificate, on connect for those the server may lack and when one is signed.
    Certificate(CertificateText),
    /// Server → agent: do this.
    Command(Call),
    /// Agent → server: what that came to.
    Result(Reply),
    /// Any other type, untouched.
    Other {
        /// The type.
        kind: String,
        /// Its payload.
        payload: Value,
    },
}

/// Payload of `progress`: the documented fields, and beside them what our page shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ProgressFrame {
    /// The job.
    #[serde(default)]
    pub job_id: String,
    /// The phase, as a word.
    #[serde(default)]
    pub phase: String,
    /// 0–100.
    #[serde(default)]
    pub percent: f64,
    /// In words.
    #[serde(default)]
    pub message: String,
    /// Time left in words, e.g. `2h13m`; empty when unknown.
    #[serde(default)]
    pub eta: String,
    /// Bytes done of this phase.
    #[serde(default)]
    #[ts(as = "f64")]
    pub bytes_done: i64,
    /// Bytes of this phase in all.
    #[serde(default)]
    #[ts(as = "f64")]
    pub bytes_total: i64,
    /// What our own page shows; absent from foreign add-ons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kiln: Option<Progress>,
}

/// Payload of `log`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct LogLine {
    /// `info`, `warn`, `error` (and `debug`; `warning` is read as `warn`).
    #[serde(default)]
    pub level: String,
    /// The line.
    #[serde(default)]
    pub message: String,
    /// Who says it.
    #[serde(default)]
    pub source: String,
    /// The job it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// RFC 3339; the server's time where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
}

/// Payload of `notification`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Notification {
    /// `job_started`, `phase_complete`, `burnin_passed`, `job_complete`, `job_failed`; other words are relayed.
    #[serde(default)]
    pub event_type: String,
    /// `info`, `warning` or `critical`; an unknown word is read as `info`.
    #[serde(default = "info", deserialize_with = "lenient_severity")]
    pub severity: Severity,
    /// In a sentence.
    #[serde(default)]
    pub message: String,
    /// Host name; may be empty.
    #[serde(default)]
    pub host: String,
    /// Facts, text to text.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub metadata: std::collections::BTreeMap<String, String>,
}

/// Payload of `hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Hello {
    /// Id of the box, made once.
    pub box_id: String,
    /// Public half of the gate key, 64 hexadecimal digits; the agent pins the first that it sees over its
    /// machine's own socket.
    pub gate_key: String,
    /// Whether somebody has claimed the box; nothing destructive before that.
    pub claimed: bool,
    /// Jobs whose certificate the server has: the agent does not send it again. A certificate never changes; what is revoked the job tells.
    #[serde(default)]
    pub known_jobs: Vec<JobId>,
    /// Greatest [`NewEvent::origin`] of this agent that is in the event log; 0 for none. Up to it the agent
    /// sends no event again.
    #[serde(default)]
    #[ts(as = "f64")]
    pub events_seen: u64,
}

fn info() -> Severity {
    Severity::Info
}

fn lenient_severity<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Severity, D::Error> {
    Ok(Severity::of_word(&String::deserialize(from)?).unwrap_or(Severity::Info))
}

/// Why bytes are not a frame.
#[derive(Debug, thiserror::Error)]
pub enum BadFrame {
    /// Not JSON.
    #[error("not JSON: {0}; expected an object like {{\"type\":\"heartbeat\",\"payload\":null}}")]
    Json(#[source] serde_json::Error),
    /// JSON, but no object with a `type`.
    #[error("no frame: expected an object with a text field \"type\"")]
    Shape,
    /// A known type whose payload does not fit.
    #[error("frame \"{kind}\": {source}")]
    Payload {
        /// The type.
        kind: String,
        /// Which field, and what was expected.
        #[source]
        source: serde_json::Error,
    },
    /// A field that cannot be read as what it is meant to be.
    #[error("frame \"{kind}\": {field}: {what}")]
    Field {
        /// The type.
        kind: String,
        /// The field, with its place in the payload: `metrics[3].value`.
        field: String,
        /// What was expected, and what was found.
        what: String,
    },
    /// A notification of something that only a server can know.
    #[error(
        "frame \"notification\": event_type: {event_type:?} is told by the server alone; expected a word of the add-on's own"
    )]
    Reserved {
        /// The event type.
        event_type: String,
    },
}

impl BadFrame {
    fn field(kind: &str, field: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Field {
            kind: kind.to_owned(),
            field: field.into(),
            what: what.into(),
        }
    }
}

impl Frame {
    /// Reads one frame from the bytes of a text or binary message.
    ///
    /// # Errors
    /// Names what is wrong; the connection goes on.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadFrame> {
        let (kind, mut rest) = Self::envelope(bytes)?;
        Self::typed(&kind, rest.remove("payload").unwrap_or(Value::Null))
    }

    /// The type, and everything beside it.
    fn envelope(bytes: &[u8]) -> Result<(String, Map<String, Value>), BadFrame> {
        Self::parts(serde_json::from_slice(bytes).map_err(BadFrame::Json)?)
    }

    /// The same of JSON that was read.
    fn parts(value: Value) -> Result<(String, Map<String, Value>), BadFrame> {
        let Value::Object(mut object) = value else {
            return Err(BadFrame::Shape);
        };
        let Some(Value::String(kind)) = object.remove("type") else {
            return Err(BadFrame::Shape);
        };
        Ok((kind, object))
    }

    fn typed(kind: &str, payload: Value) -> Result<Self, BadFrame> {
        fn read<T: serde::de::DeserializeOwned>(kind: &str, payload: Value) -> Result<T, BadFrame> {
            serde_json::from_value(payload).map_err(|source| BadFrame::Payload {
                kind: kind.to_owned(),
                source,
            })
        }
        // What is asked of add-ons other than the box's own agent, and answered by them.
        let is_action = payload.get("request_id").is_some();
        Ok(match kind {
            "heartbeat" => Self::Heartbeat,
            "progress" => Self::Progress(read(kind, payload)?),
            "log" => Self::Log(read(kind, payload)?),
            "notification" => Self::Notification(read(kind, payload)?),
            "hello" => Self::Hello(read(kind, payload)?),
            "drives" => Self::Drives(read(kind, payload)?),
            "job" => Self::Job(Box::new(read(kind, payload)?)),
            "unfinished" => Self::Unfinished(read(kind, payload)?),
            "event" => Self::Event(read(kind, payload)?),
            "playbooks" => Self::Playbooks(read(kind, payload)?),
            "certificate" => Self::Certificate(read(kind, payload)?),
            "command" if !is_action => Self::Command(read(kind, payload)?),
            "result" if !is_action => Self::Result(read(kind, payload)?),
            _ => Self::Other {
                kind: kind.to_owned(),
                payload,
            },
        })
    }

    /// The frame as JSON text.
    pub fn encode(&self) -> String {
        let payload = |value: Result<Value, serde_json::Error>| value.unwrap_or(Value::Null);
        let (kind, payload) = match self {
            Self::Heartbeat => ("heartbeat", Value::Null),
            Self::Progress(p) => ("progress", payload(serde_json::to_value(p))),
            Self::Log(p) => ("log", payload(serde_json::to_value(p))),
            Self::Notification(p) => ("notification", payload(serde_json::to_value(p))),
            Self::Hello(p) => ("hello", payload(serde_json::to_value(p))),
            Self::Drives(p) => ("drives", payload(serde_json::to_value(p))),
            Self::Job(p) => ("job", payload(serde_json::to_value(p))),
            Self::Unfinished(p) => ("unfinished", payload(serde_json::to_value(p))),
            Self::Event(p) => ("event", payload(serde_json::to_value(p))),
            Self::Playbooks(p) => ("playbooks", payload(serde_json::to_value(p))),
            Self::Certificate(p) => ("certificate", payload(serde_json::to_value(p))),
            Self::Command(p) => ("command", payload(serde_json::to_value(p))),
            Self::Result(p) => ("result", payload(serde_json::to_value(p))),
            Self::Other { kind, payload } => (kind.as_str(), payload.clone()),
        };
        serde_json::json!({ "type": kind, "payload": payload }).to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn documented_frames_read_as_documented() {
        assert_eq!(
            Frame::decode(br#"{"type":"heartbeat","payload":null}"#).unwrap(),
            Frame::Heartbeat
        );
        assert_eq!(Frame::decode(br#"{"type":"heartbeat"}"#).unwrap(), Frame::Heartbeat);
        let Frame::Progress(p) = Frame::decode(
            br#"{"type":"progress","payload":{"job_id":"j","phase":"write","percent":42.5,"message":"Writing to /dev/sda"}}"#,
        )
        .unwrap() else {
            panic!("not a progress frame")
        };
        assert!((p.percent - 42.5).abs() < 1e-9);
        let Frame::Notification(n) = Frame::decode(
            br#"{"type":"notification","payload":{"event_type":"job_complete","severity":"loud","message":"m"}}"#,
        )
        .unwrap() else {
            panic!("not a notification")
        };
        assert_eq!(n.severity, Severity::Info, "an unknown severity is information");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |bytes: &[u8]| Frame::decode(bytes).unwrap_err().to_string();
        assert!(error(b"{").starts_with("not JSON"));
        assert!(error(b"[1]").contains("\"type\""));
        let percent = error(br#"{"type":"progress","payload":{"percent":"50"}}"#);
        assert!(percent.contains("progress") && percent.contains("f64"), "{percent}");
    }

    #[test]
    fn an_unknown_type_is_kept_as_it_came() {
        let text = br#"{"type":"telemetry","payload":{"x":[1,2]}}"#;
        let frame = Frame::decode(text).unwrap();
        assert_eq!(Frame::decode(frame.encode().as_bytes()).unwrap(), frame);
    }

    #[test]
    fn real_frames_of_a_whole_job_decode() {
        let golden = std::env::var("KILN_GOLDEN")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden").into());
        let Ok(text) = std::fs::read_to_string(std::path::Path::new(&golden).join("vigil-full-job.jsonl")) else {
            drop(std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("\nNOT RUN: golden vigil-full-job.jsonl is not there\n"),
            ));
            return;
        };
        let mut known = 0;
        for (number, line) in text.lines().enumerate() {
            let value: Value = serde_json::from_str(line).unwrap();
            if value["kind"] != "ws" || value["dir"] != "c2s" || !value["json"].is_object() {
                continue;
            }
            let text = value["json"].to_string();
            if value["link"] != "addon->server" {
                // Between hub and agent the fields stand beside the type.
                let read = Frame::read(text.as_bytes()).unwrap_or_else(|error| panic!("line {}: {error}", number + 1));
                assert_eq!(read.warnings.len(), 1, "line {}: {:?}", number + 1, read.warnings);
                continue;
            }
            match Frame::decode(text.as_bytes()) {
                Ok(Frame::Other { .. }) | Err(BadFrame::Shape) => {}
                Ok(_) => known += 1,
                Err(error) => panic!("line {}: {error}: {text}", number + 1),
            }
            let read = Frame::read(text.as_bytes()).unwrap_or_else(|error| panic!("line {}: {error}", number + 1));
            assert!(read.warnings.is_empty(), "line {}: {:?}", number + 1, read.warnings);
        }
        assert!(known > 0, "no known frame among the golden ones");
    }

    proptest! {
        #[test]
        fn decode_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Frame::decode(&bytes);
        }

        #[test]
        fn payloads_of_any_shape_never_panic(kind in "heartbeat|progress|log|notification|drives|job|command|result|x", n: f64, s in ".{0,20}") {
            let text = serde_json::json!({ "type": kind, "payload": { "percent": n, "message": s, "id": s } }).to_string();
            let _ = Frame::decode(text.as_bytes());
        }
    }
}
