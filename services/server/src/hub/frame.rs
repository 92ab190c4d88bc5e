//! What each frame of an add-on comes to; those of the built-in agent are taken as the box's own word.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use wire::frame::{Frame, LogLine, ProgressFrame};

use super::effect::cut;
use super::history::Unkept;
use super::{AGENT, Effect, Hub, history};
use crate::clock::Now;

/// How often the built-in agent is greeted again, which tells it what the log has of its events: until then it keeps them, and
/// of a connection that stands for weeks they would be more than it has room for.
const RECEIPT: Duration = Duration::from_mins(10);

/// Types of unknown frames that are told of one add-on.
const UNKNOWN: usize = 20;

/// Types of frames that the built-in agent does not send, and that are relayed by their own name.
const RELAYED: [&str; 6] = ["chart", "metric", "smart", "attributes", "telemetry", "manifest"];

impl Hub {
    /// A type that this server does not know is relayed, and said to be unknown once.
    fn unknown(&mut self, now: Now, addon: u64, kind: &str, out: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get_mut(&addon) else { return };
        let kind = cut(kind);
        if peer.unknown.len() < UNKNOWN && peer.unknown.insert(kind.clone()) {
            let message = format!("frames of type {kind:?} are not known to this server; they are shown as they come");
            self.complain(now, addon, &message, out);
        }
    }

    /// What is not kept of an add-on's frames, each kind of it said once.
    fn unkept(&mut self, now: Now, addon: u64, what: Unkept, out: &mut Vec<Effect>) {
        let share = history::share(self.peers.len());
        if self.peers.get(&addon).is_none_or(|peer| peer.unkept.contains(&what)) {
            return;
        }
        // One that was only counted, among others, is said with the next.
        if let Some(said) = self.note(now, addon, &what.words(share), out) {
            out.push(Effect::Refused { addon, what: said });
            if let Some(peer) = self.peers.get_mut(&addon) {
                peer.unkept.insert(what);
            }
        }
    }

    pub(super) fn frame(
        &mut self,
        now: Now,
        addon: u64,
        connection: u64,
        frame: Frame,
        payload: Arc<str>,
        out: &mut Vec<Effect>,
    ) {
        let Some(peer) = self
            .peers
            .get_mut(&addon)
            .filter(|peer| peer.life.is_current(connection))
        else {
            return;
        };
        peer.life.heard(now, matches!(frame, Frame::Heartbeat));
        let built_in = self.is_built_in(addon);
        let mut unkept = None;
        match frame {
            // Not relayed, as existing servers do not: it says nothing but that the add-on is there.
            Frame::Heartbeat => self.heartbeat(now, addon, out),
            Frame::Progress(progress) => unkept = self.progress_frame(now, addon, progress, payload, out),
            Frame::Log(line) => self.log_frame(now, addon, line, payload, out),
            Frame::Notification(notification) => {
                self.telemetry(addon, "notification", "notification", payload, out);
                // The built-in agent says the same, in more words, in its `event` frames.
                if !built_in {
                    self.foreign_notification(now, addon, notification, out);
                }
            }
            Frame::Drives(drives) if built_in => self.drives_told(now, drives, out),
            Frame::Job(job) if built_in => self.job(now, *job, out),
            Frame::Unfinished(jobs) if built_in => self.unfinished_told(now, &jobs, out),
            Frame::Event(event) if built_in => self.agent_event(event, out),
            Frame::Playbooks(playbooks) if built_in => self.playbooks_told(playbooks, out),
            Frame::Certificate(certificate) if built_in => Self::certificate_told(certificate, out),
            Frame::Result(reply) if built_in => out.push(Effect::Reply(reply)),
            Frame::Other { kind, payload: value } => {
                unkept = self.other_frame(now, addon, (&kind, value), payload, out);
            }
            Frame::Hello(_)
            | Frame::Command(_)
            | Frame::Drives(_)
            | Frame::Job(_)
            | Frame::Unfinished(_)
            | Frame::Event(_)
            | Frame::Playbooks(_)
            | Frame::Certificate(_)
            | Frame::Result(_) => {
                self.complain(
                    now,
                    addon,
                    "a frame of a type that only the box's own agent and server exchange was not taken",
                    out,
                );
            }
        }
        if let Some(what) = unkept {
            self.unkept(now, addon, what, out);
        }
    }

    /// Whether it is the box's own agent.
    fn is_built_in(&self, addon: u64) -> bool {
        addon == AGENT && self.built_in
    }

    fn heartbeat(&mut self, now: Now, addon: u64, out: &mut Vec<Effect>) {
        if self.is_built_in(addon) && now.mono.saturating_sub(self.greeted) >= RECEIPT {
            out.push(Effect::Hello);
            self.greeted = now.mono;
        }
    }

    fn progress_frame(
        &mut self,
        now: Now,
        addon: u64,
        progress: ProgressFrame,
        payload: Arc<str>,
        out: &mut Vec<Effect>,
    ) -> Option<Unkept> {
        let share = history::share(self.peers.len());
        let peer = self.peers.get_mut(&addon)?;
        let unkept = peer.history.progress(now.wall, &progress.job_id, &payload, share);
        self.telemetry(addon, "progress", "progress", payload, out);
        if self.is_built_in(addon) {
            self.progress(now, progress, out);
        } else {
            self.foreign_phase(now, addon, &progress, out);
        }
        unkept
    }

    fn log_frame(&mut self, now: Now, addon: u64, mut line: LogLine, payload: Arc<str>, out: &mut Vec<Effect>) {
        let share = history::share(self.peers.len());
        if let Some(peer) = self.peers.get_mut(&addon) {
            peer.history.line(now.wall, Arc::clone(&payload), share);
        }
        self.telemetry(addon, "log", "log", payload, out);
        if self.is_built_in(addon) {
            if line.level == "warning" {
                "warn".clone_into(&mut line.level);
            }
            line.timestamp.get_or_insert_with(|| now.wall.to_string());
            let job = line.job_id.as_ref().and_then(|id| id.parse().ok());
            self.line(job, line, out);
        }
    }

    /// Of a type that other add-ons alone send.
    fn other_frame(
        &mut self,
        now: Now,
        addon: u64,
        (kind, value): (&str, Value),
        payload: Arc<str>,
        out: &mut Vec<Effect>,
    ) -> Option<Unkept> {
        if kind == "result" {
            out.push(Effect::Result { addon, payload: value });
            return None;
        }
        let share = history::share(self.peers.len());
        let history = &mut self.peers.get_mut(&addon)?.history;
        let unkept = match kind {
            "chart" | "metric" => history.chart(now.wall, &value, share),
            "smart" | "attributes" => history.rows(now.wall, &value, &payload, share),
            _ => None,
        };
        let name = RELAYED.into_iter().find(|name| *name == kind);
        if name.is_none() && !matches!(kind, "connected" | "status") {
            self.unknown(now, addon, kind, out);
        }
        self.telemetry(addon, name.unwrap_or("other"), &cut(kind), payload, out);
        unkept
    }
}
