//! The hub: everything the server knows of the box at this moment, and what follows from each thing that happens.
//!
//! `step(now, input) → effects` is pure: no sockets, no clock, no medium. The shell ([`crate::app`]) feeds frames,
//! closed connections, words of the supervisor and a tick each second in, and carries the effects out. Two kinds of
//! facts leave it: *events*, which are kept for ever in the hash-chained log, and *streams* (progress, log lines,
//! snapshots), which live in rings and are gone with the process.

mod agent;
mod banner;
mod effect;
mod foreign;
mod frame;
mod input;
mod job;
pub mod liveness;
pub mod ring;
pub mod units;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wire::JobId;
use wire::boxes::{Banner, Liveness};
use wire::drive::Drive;
use wire::event::{Actor, Severity};
use wire::frame::LogLine;
use wire::job::Job;
use wire::playbook::PlaybookInfo;
use wire::supervisor::Status;

use crate::clock::Now;
pub use effect::{Effect, Stream, Telemetry};
use effect::{cut, server_event};
pub use input::Input;
use job::Held;
pub use job::Sample;
use liveness::Life;
use ring::Ring;

/// The number of the built-in agent among the add-ons.
pub const AGENT: u64 = 1;

/// Frames kept of one add-on for its telemetry stream: a minute of a busy one.
const TELEMETRY: usize = 256;

/// Log lines kept that are about no job.
const LINES: usize = 500;

#[derive(Clone, Debug)]
struct Peer {
    name: String,
    life: Life,
    telemetry: Ring<Telemetry>,
    /// Phases of foreign jobs whose end was told: (job, phase).
    phases: BTreeSet<(String, String)>,
}

/// Everything the server knows of the box at this moment.
#[derive(Clone, Debug)]
pub struct Hub {
    name: String,
    version: String,
    claimed: bool,
    built_in: bool,
    started: Duration,
    peers: BTreeMap<u64, Peer>,
    drives: Vec<Drive>,
    playbooks: Vec<PlaybookInfo>,
    jobs: BTreeMap<JobId, Held>,
    lines: Ring<LogLine>,
    supervisor: Option<Status>,
    remembered: Option<units::Remembered>,
    banners: BTreeMap<&'static str, Banner>,
    /// What the banners looked like when they were told last.
    shown: Option<(Vec<Banner>, Liveness)>,
}

/// What is known from before this start.
#[derive(Debug, Default)]
pub struct Past {
    /// The drives as they were told last.
    pub drives: Vec<Drive>,
    /// The playbooks as they were told last.
    pub playbooks: Vec<PlaybookInfo>,
    /// The newest jobs.
    pub jobs: Vec<Job>,
    /// What the supervisor said last.
    pub remembered: Option<units::Remembered>,
}

impl Hub {
    /// The hub of a box called `name`, with what is known from before. `built_in`: whether the box has an agent of its
    /// own.
    pub fn new(now: Now, name: &str, claimed: bool, built_in: bool, past: Past) -> Self {
        let jobs = past.jobs.into_iter().map(|job| (job.id, Held::new(job))).collect();
        Self {
            name: name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            claimed,
            built_in,
            started: now.mono,
            peers: BTreeMap::new(),
            drives: past.drives,
            playbooks: past.playbooks,
            jobs,
            lines: Ring::new(LINES),
            supervisor: None,
            remembered: past.remembered,
            banners: BTreeMap::new(),
            shown: None,
        }
    }

    /// What follows from `input`.
    pub fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        match input {
            Input::Connected { addon, connection } => self.connected(now, addon, connection, &mut out),
            Input::Closed { addon, connection, why } => self.closed(now, addon, connection, &why, &mut out),
            Input::Frame {
                addon,
                connection,
                frame,
                payload,
            } => {
                self.frame(now, addon, connection, frame, payload, &mut out);
            }
            Input::Malformed {
                addon,
                connection,
                what,
            } => {
                if let Some(peer) = self
                    .peers
                    .get_mut(&addon)
                    .filter(|peer| peer.life.is_current(connection))
                {
                    peer.life.heard(now, false);
                    self.complain(now, addon, &format!("a frame was not taken: {}", cut(&what)), &mut out);
                }
            }
            Input::Supervisor(status) => self.supervisor(status, &mut out),
            Input::Claimed => {
                self.claimed = true;
                out.push(Effect::Stream(Stream::Box));
                out.push(Effect::Hello);
            }
            Input::Banner { key, banner } => {
                match banner {
                    Some(banner) => self.banners.insert(key, banner),
                    None => self.banners.remove(key),
                };
            }
            Input::Known { addon, name, last_seen } => match self.peers.get_mut(&addon) {
                Some(peer) => peer.name = name,
                None => {
                    let peer = Peer {
                        name,
                        life: Life::new(now, last_seen),
                        telemetry: Ring::new(TELEMETRY),
                        phases: BTreeSet::new(),
                    };
                    self.peers.insert(addon, peer);
                }
            },
            Input::Forgotten { addon } => {
                if let Some(peer) = self.peers.remove(&addon) {
                    out.extend(peer.life.connection().map(Effect::Replace));
                }
            }
            Input::Tick => {}
        }
        self.settle(now, &mut out);
        out
    }

    /// What time alone, or the input just taken, brings to light.
    fn settle(&mut self, now: Now, out: &mut Vec<Effect>) {
        for (id, peer) in &mut self.peers {
            let Some(state) = peer.life.news(now) else { continue };
            let (kind, severity, message) = match state {
                Liveness::Online => ("addon.online", Severity::Info, format!("{} is online", peer.name)),
                Liveness::Degraded => (
                    "addon.degraded",
                    Severity::Warning,
                    format!("{} missed three heartbeats", peer.name),
                ),
                Liveness::Offline => (
                    "addon.offline",
                    Severity::Warning,
                    format!("{} is not connected", peer.name),
                ),
            };
            let data =
                serde_json::json!({ "addon_id": id, "addon_name": peer.name, "last_seen": peer.life.last_seen() });
            out.push(server_event(kind, severity, message, data));
        }
        let shown = (self.banners(now), self.agent(now).state);
        if self.shown.as_ref() != Some(&shown) {
            self.shown = Some(shown);
            if !out.contains(&Effect::Stream(Stream::Box)) {
                out.push(Effect::Stream(Stream::Box));
            }
        }
    }

    fn connected(&mut self, now: Now, addon: u64, connection: u64, out: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get_mut(&addon) else {
            out.push(Effect::Replace(connection));
            return;
        };
        out.extend(peer.life.connected(now, connection).map(Effect::Replace));
        if addon == AGENT {
            // Replies to calls of the connection before cannot come any more.
            out.push(Effect::AgentGone);
            out.push(Effect::Hello);
        }
        let payload = serde_json::json!({ "connection": connection });
        self.telemetry(addon, "status", "connected", payload, out);
    }

    fn closed(&mut self, now: Now, addon: u64, connection: u64, why: &str, out: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get_mut(&addon) else { return };
        if !peer.life.closed(now, connection) {
            return;
        }
        if addon == AGENT {
            out.push(Effect::AgentGone);
        }
        self.telemetry(
            addon,
            "status",
            "disconnected",
            serde_json::json!({ "reason": why }),
            out,
        );
    }

    fn telemetry(
        &mut self,
        addon: u64,
        name: &'static str,
        kind: &str,
        payload: serde_json::Value,
        out: &mut Vec<Effect>,
    ) {
        if let Some(peer) = self.peers.get_mut(&addon) {
            let item = Telemetry {
                name,
                kind: kind.to_owned(),
                payload,
            };
            let number = peer.telemetry.push(item.clone());
            out.push(Effect::Telemetry { addon, number, item });
        }
    }

    /// A line at `warn` on the add-on's own page: what it sends wrong is never passed over in silence.
    fn complain(&mut self, now: Now, addon: u64, message: &str, out: &mut Vec<Effect>) {
        let payload =
            serde_json::json!({ "level": "warn", "source": "server", "timestamp": now.wall, "message": message });
        self.telemetry(addon, "log", "log", payload, out);
    }

    fn supervisor(&mut self, status: Option<Status>, out: &mut Vec<Effect>) {
        if let Some(status) = &status {
            let actor = Actor::new("supervisor", "supervisor");
            for event in units::news(self.remembered.as_ref(), status) {
                out.push(Effect::Event(event, actor.clone()));
            }
            let remembered = units::Remembered::from(status);
            if self.remembered.as_ref() != Some(&remembered) {
                out.push(Effect::Remember(remembered.clone()));
                self.remembered = Some(remembered);
            }
            if !status.host.is_empty() {
                self.name.clone_from(&status.host);
            }
        }
        if self.supervisor != status {
            self.supervisor = status;
            out.push(Effect::Stream(Stream::Box));
        }
    }
}

#[cfg(test)]
mod tests;
