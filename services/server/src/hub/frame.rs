//! What each frame of an add-on comes to; those of the built-in agent are taken as the box's own word.

use wire::frame::Frame;

use super::{AGENT, Effect, Hub, Stream};
use crate::clock::Now;

impl Hub {
    pub(super) fn frame(
        &mut self,
        now: Now,
        addon: u64,
        connection: u64,
        frame: Frame,
        payload: serde_json::Value,
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
        match frame {
            Frame::Heartbeat => self.telemetry(addon, "heartbeat", "heartbeat", payload, out),
            Frame::Progress(progress) => {
                self.telemetry(addon, "progress", "progress", payload, out);
                if built_in {
                    self.progress(now, progress, out)
                } else {
                    self.foreign_phase(addon, &progress, out)
                }
            }
            Frame::Log(mut line) => {
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
                    self.foreign_notification(addon, notification, out);
                }
            }
            Frame::Drives(drives) if built_in => {
                if self.drives != drives {
                    out.push(Effect::SaveDrives(drives.clone()));
                    out.push(Effect::Stream(Stream::Drives(drives.clone())));
                    self.drives = drives;
                }
            }
            Frame::Job(job) if built_in => self.job(now, *job, out),
            Frame::Event(event) if built_in => self.agent_event(event, out),
            Frame::Playbooks(playbooks) if built_in => self.playbooks_told(playbooks, out),
            Frame::Certificate(certificate) if built_in => self.certificate_told(certificate, out),
            Frame::Result(reply) if built_in => out.push(Effect::Reply(reply)),
            Frame::Other { kind, .. } => {
                let name = match kind.as_str() {
                    "chart" => "chart",
                    "metric" => "metric",
                    "smart" => "smart",
                    "attributes" => "attributes",
                    "telemetry" => "telemetry",
                    "manifest" => "manifest",
                    _ => "other",
                };
                self.telemetry(addon, name, &kind, payload, out);
            }
            Frame::Hello(_)
            | Frame::Command(_)
            | Frame::Drives(_)
            | Frame::Job(_)
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
    }
}
