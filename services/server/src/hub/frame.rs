//! What each frame of an add-on comes to; those of the built-in agent are taken as the box's own word.

use std::sync::Arc;
use std::time::Duration;

use wire::frame::Frame;

use super::effect::cut;
use super::history::Unkept;
use super::{AGENT, Effect, Hub, history};
use crate::clock::Now;

/// How often the built-in agent is greeted again, which tells it what the log has of its events: until then it keeps them, and
/// of a connection that stands for weeks they would be more than it has room for.
const RECEIPT: Duration = Duration::from_mins(10);

/// Types of unknown frames that are told of one add-on.
const UNKNOWN: usize = 20;

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
        let built_in = addon == AGENT && self.built_in;
        let share = history::share(self.peers.len());
        let mut unkept = None;
        match frame {
            // Not relayed, as existing servers do not: it says nothing but that the add-on is there.
            Frame::Heartbeat => {
                if built_in && now.mono.saturating_sub(self.greeted) >= RECEIPT {
                    out.push(Effect::Hello);
                    self.greeted = now.mono;
                }
            }
            Frame::Progress(progress) => {
                if let Some(peer) = self.peers.get_mut(&addon) {
                    unkept = peer.history.progress(now.wall, &progress.job_id, &payload, share);
                }
                self.telemetry(addon, "progress", "progress", payload, out);
                if built_in {
                    self.progress(now, progress, out);
                } else {
                    self.foreign_phase(now, addon, &progress, out);
                }
            }
            Frame::Log(mut line) => {
                if let Some(peer) = self.peers.get_mut(&addon) {
                    peer.history.line(now.wall, Arc::clone(&payload), share);
                }
                self.telemetry(addon, "log", "log", payload, out);
                if built_in {
                    if line.level == "warning" {
                        "warn".clone_into(&mut line.level);
                    }
                    line.timestamp.get_or_insert_with(|| now.wall.to_string());
                    let job = line.job_id.as_ref().and_then(|id| id.parse().ok());
                    self.line(job, line, out);
                }
            }
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
                let history = self.peers.get_mut(&addon).map(|peer| &mut peer.history);
                let name = match (kind.as_str(), history) {
                    ("chart", Some(history)) => {
                        unkept = history.chart(now.wall, &value, share);
                        "chart"
                    }
                    ("metric", Some(history)) => {
                        unkept = history.chart(now.wall, &value, share);
                        "metric"
                    }
                    ("smart", Some(history)) => {
                        unkept = history.rows(now.wall, &value, &payload, share);
                        "smart"
                    }
                    ("attributes", Some(history)) => {
                        unkept = history.rows(now.wall, &value, &payload, share);
                        "attributes"
                    }
                    ("telemetry", _) => "telemetry",
                    ("manifest", _) => "manifest",
                    ("result", _) => {
                        out.push(Effect::Result { addon, payload: value });
                        return;
                    }
                    _ => {
                        if !matches!(kind.as_str(), "connected" | "status") {
                            self.unknown(now, addon, &kind, out);
                        }
                        "other"
                    }
                };
                self.telemetry(addon, name, &cut(&kind), payload, out);
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
}
