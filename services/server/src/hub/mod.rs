//! The hub: everything the server knows of the box at this moment, and what follows from each thing that happens.
//!
//! `step(now, input) → effects` is pure: no sockets, no clock, no medium. The shell ([`crate::app`]) feeds frames,
//! closed connections, words of the supervisor and a tick each second in, and carries the effects out. Two kinds of
//! facts leave it: *events*, which are kept for ever in the hash-chained log, and *streams* (progress, log lines,
//! snapshots), which live in rings and are gone with the process.

mod banner;
pub mod liveness;
pub mod ring;
pub mod units;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use wire::boxes::{AgentView, Banner, BoxView, Liveness};
use wire::command::Reply;
use wire::drive::Drive;
use wire::event::{Actor, NewEvent, Severity};
use wire::frame::{Frame, LogLine, Notification, ProgressFrame};
use wire::job::{Job, Progress};
use wire::supervisor::Status;
use wire::{DriveId, JobId, Time};

use crate::clock::Now;
use liveness::Life;
use ring::Ring;

/// The number of the built-in agent among the add-ons.
pub const AGENT: u64 = 1;

/// Frames kept of one add-on for its telemetry stream: a minute of a busy one.
const TELEMETRY: usize = 256;

/// Samples of progress kept of one job: at most one each [`SAMPLE`], so ten minutes at least.
const SAMPLES: usize = 600;

/// Least time between two kept samples of one job's progress.
const SAMPLE: Duration = Duration::from_secs(1);

/// Log lines kept that are about no job.
const LINES: usize = 500;

/// Jobs held in memory; older ones are on the medium only.
const JOBS: usize = 200;

/// Longest text taken from an add-on's frame into an event, in characters.
const TEXT: usize = 1000;

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
        /// Its payload as it came, for those who look at the add-on.
        payload: serde_json::Value,
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
    /// The box was claimed.
    Claimed,
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
    },
    /// An add-on was taken away.
    Forgotten {
        /// Its number.
        addon: u64,
    },
    /// A second has gone by.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Append this to the event log, then tell everybody.
    Event(NewEvent, Actor),
    /// Keep this job's state.
    SaveJob(Box<Job>),
    /// Keep the list of drives.
    SaveDrives(Vec<Drive>),
    /// Keep a line of a job's log.
    SaveLine {
        /// The job.
        job: JobId,
        /// The line.
        line: LogLine,
    },
    /// Keep what the supervisor said last.
    Remember(units::Remembered),
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
    pub kind: String,
    /// The payload.
    pub payload: serde_json::Value,
}

/// One sample of a job's progress.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// When.
    pub at: Time,
    /// How far it was.
    pub progress: Progress,
}

#[derive(Clone, Debug)]
struct Peer {
    name: String,
    life: Life,
    telemetry: Ring<Telemetry>,
    /// Phases of foreign jobs whose end was told: (job, phase).
    phases: BTreeSet<(String, String)>,
}

#[derive(Clone, Debug)]
struct Held {
    job: Job,
    samples: Ring<Sample>,
    sampled: Option<Duration>,
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

    fn frame(
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

    fn progress(&mut self, now: Now, frame: ProgressFrame, out: &mut Vec<Effect>) {
        let Some((id, progress)) = frame.job_id.parse::<JobId>().ok().zip(frame.kiln) else {
            return;
        };
        let Some(held) = self.jobs.get_mut(&id).filter(|held| !held.job.state.is_over()) else {
            return;
        };
        held.sample(now, &progress);
        held.job.progress = Some(progress.clone());
        out.push(Effect::Stream(Stream::Progress(id, progress)));
    }

    fn line(&mut self, job: Option<JobId>, line: LogLine, out: &mut Vec<Effect>) {
        out.push(Effect::Stream(Stream::Line(job, line.clone())));
        match job {
            Some(job) => out.push(Effect::SaveLine { job, line }),
            None => {
                self.lines.push(line);
            }
        }
    }

    fn job(&mut self, now: Now, job: Job, out: &mut Vec<Effect>) {
        if !self.jobs.contains_key(&job.id) && self.jobs.len() >= JOBS {
            let oldest_over = self
                .jobs
                .iter()
                .find(|(_, held)| held.job.state.is_over())
                .map(|(id, _)| *id);
            if let Some(oldest) = oldest_over {
                self.jobs.remove(&oldest);
            }
        }
        let held = self.jobs.entry(job.id).or_insert_with(|| Held::new(job.clone()));
        if let Some(progress) = &job.progress {
            held.sample(now, progress);
        }
        held.job = job;
        out.push(Effect::SaveJob(Box::new(held.job.clone())));
        out.push(Effect::Stream(Stream::Job(Box::new(held.job.clone()))));
    }

    fn agent_event(&mut self, mut event: NewEvent, out: &mut Vec<Effect>) {
        if !["job.", "drive.", "agent."]
            .iter()
            .any(|prefix| event.kind.starts_with(prefix))
        {
            event.data = serde_json::json!({ "type": cut(&event.kind), "data": event.data });
            "agent.said".clone_into(&mut event.kind);
        }
        event.message = cut(&event.message);
        if let Some(what) = event
            .kind
            .strip_prefix("agent.")
            .and_then(|kind| kind.strip_suffix("_set_aside"))
        {
            let key = if what == "store" { "agent.store" } else { "agent.other" };
            self.banners.insert(
                key,
                Banner {
                    severity: Severity::Warning,
                    text: event.message.clone(),
                },
            );
        }
        out.push(Effect::Event(event, agent_actor()));
    }

    fn foreign_phase(&mut self, addon: u64, progress: &ProgressFrame, out: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get_mut(&addon) else { return };
        if progress.percent < 100.0 || progress.phase.is_empty() {
            return;
        }
        let (job, phase) = (cut(&progress.job_id), cut(&progress.phase));
        // A hundred remembered phases are enough to tell each once; past that, telling twice does no harm.
        if peer.phases.len() > 100 {
            peer.phases.clear();
        }
        if peer.phases.insert((job.clone(), phase.clone())) {
            let message = format!("{}: phase {phase:?} completed for job {job}", peer.name);
            let data =
                serde_json::json!({ "addon_id": addon, "addon_name": peer.name, "event_type": "phase_complete" });
            out.push(addon_event(
                &peer.name,
                "addon.phase_complete",
                Severity::Info,
                message,
                data,
            ));
        }
    }

    fn foreign_notification(&mut self, addon: u64, notification: Notification, out: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get(&addon) else { return };
        let event_type = if notification.event_type.is_empty() {
            "addon_degraded".to_owned()
        } else {
            cut(&notification.event_type)
        };
        let metadata: BTreeMap<String, String> = notification
            .metadata
            .iter()
            .take(50)
            .map(|(key, value)| (cut(key), cut(value)))
            .collect();
        let data = serde_json::json!({ "addon_id": addon, "addon_name": peer.name, "event_type": event_type,
            "host": cut(&notification.host), "metadata": metadata });
        let message = format!("{}: {}", peer.name, cut(&notification.message));
        out.push(addon_event(
            &peer.name,
            "addon.notification",
            notification.severity,
            message,
            data,
        ));
    }

    fn supervisor(&mut self, status: Option<Status>, out: &mut Vec<Effect>) {
        if let Some(status) = &status {
            let actor = Actor {
                kind: "supervisor".to_owned(),
                name: "supervisor".to_owned(),
            };
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

    /// How the built-in agent is.
    pub fn agent(&self, now: Now) -> AgentView {
        let Some(peer) = self.peers.get(&AGENT) else {
            return AgentView {
                state: Liveness::Offline,
                last_seen: None,
            };
        };
        let late = self
            .supervisor
            .as_ref()
            .is_some_and(|status| units::is_late(status, "agent"));
        let state = match peer.life.state(now) {
            Liveness::Online if late => Liveness::Degraded,
            state => state,
        };
        AgentView {
            state,
            last_seen: peer.life.last_seen(),
        }
    }

    /// How an add-on is, and when it was last heard.
    pub fn addon(&self, now: Now, addon: u64) -> (Liveness, Option<Time>) {
        match self.peers.get(&addon) {
            Some(peer) => (peer.life.state(now), peer.life.last_seen()),
            None => (Liveness::Offline, None),
        }
    }

    /// What everybody has to know, worst first.
    pub fn banners(&self, now: Now) -> Vec<Banner> {
        let mut banners: Vec<Banner> = self.banners.values().cloned().collect();
        if let Some(status) = &self.supervisor {
            banners.extend(status.banners.iter().cloned());
            banners.extend(banner::of_units(status));
        }
        if self.built_in {
            let up_for = now.mono.saturating_sub(self.started);
            let away = self.peers.get(&AGENT).and_then(|peer| peer.life.away_for(now));
            banners.extend(banner::of_agent(self.agent(now), away, up_for));
        }
        banners.sort_by_key(|banner| std::cmp::Reverse(banner.severity));
        banners
    }

    /// The box at one glance: all of it, or as much as is shown before a login.
    pub fn view(&self, now: Now, logged_in: bool) -> BoxView {
        let all = self.banners(now);
        let banners = match all.first() {
            Some(worst) if !logged_in => {
                let text = "Something about this box needs attention; log in to read what".to_owned();
                vec![Banner {
                    severity: worst.severity,
                    text,
                }]
            }
            _ => all,
        };
        BoxView {
            name: self.name.clone(),
            version: self.version.clone(),
            claimed: self.claimed,
            banners,
            agent: self.agent(now),
            supervisor: self.supervisor.clone().filter(|_| logged_in),
            now: now.wall,
        }
    }

    /// The box's host name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the box is claimed.
    pub fn is_claimed(&self) -> bool {
        self.claimed
    }

    /// The drives, as the agent told them last.
    pub fn drives(&self) -> &[Drive] {
        &self.drives
    }

    /// The jobs held in memory, newest first.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().rev().map(|held| &held.job)
    }

    /// One job.
    pub fn job_of(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id).map(|held| &held.job)
    }

    /// Samples of a job's progress, oldest first.
    pub fn samples(&self, id: JobId) -> Vec<Sample> {
        self.jobs
            .get(&id)
            .map(|held| held.samples.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Log lines about no job, oldest first.
    pub fn lines(&self) -> Vec<LogLine> {
        self.lines.iter().cloned().collect()
    }

    /// Telemetry of an add-on after number `after`, oldest first.
    pub fn telemetry_after(&self, addon: u64, after: u64) -> Vec<(u64, Telemetry)> {
        self.peers
            .get(&addon)
            .map(|peer| {
                peer.telemetry
                    .after(after)
                    .map(|(number, item)| (number, item.clone()))
                    .collect()
            })
            .unwrap_or_default()
    }

    /// The running job of a drive.
    pub fn job_on(&self, drive: &DriveId) -> Option<JobId> {
        self.jobs
            .values()
            .find(|held| held.job.drive == *drive && !held.job.state.is_over())
            .map(|held| held.job.id)
    }
}

impl Held {
    fn new(job: Job) -> Self {
        Self {
            job,
            samples: Ring::new(SAMPLES),
            sampled: None,
        }
    }

    fn sample(&mut self, now: Now, progress: &Progress) {
        let due = self.sampled.is_none_or(|at| now.mono.saturating_sub(at) >= SAMPLE);
        if due && self.samples.last().is_none_or(|last| last.progress != *progress) {
            self.samples.push(Sample {
                at: now.wall,
                progress: progress.clone(),
            });
            self.sampled = Some(now.mono);
        }
    }
}

fn agent_actor() -> Actor {
    Actor {
        kind: "agent".to_owned(),
        name: "agent".to_owned(),
    }
}

fn server_event(kind: &str, severity: Severity, message: String, data: serde_json::Value) -> Effect {
    let event = NewEvent {
        kind: kind.to_owned(),
        severity,
        job: None,
        drive: None,
        message,
        data,
        origin: None,
    };
    Effect::Event(
        event,
        Actor {
            kind: "server".to_owned(),
            name: "server".to_owned(),
        },
    )
}

fn addon_event(name: &str, kind: &str, severity: Severity, message: String, data: serde_json::Value) -> Effect {
    let event = NewEvent {
        kind: kind.to_owned(),
        severity,
        job: None,
        drive: None,
        message,
        data,
        origin: None,
    };
    Effect::Event(
        event,
        Actor {
            kind: "addon".to_owned(),
            name: name.to_owned(),
        },
    )
}

/// Text from outside, cut to [`TEXT`] characters.
fn cut(text: &str) -> String {
    text.chars().take(TEXT).collect()
}

#[cfg(test)]
mod tests;
