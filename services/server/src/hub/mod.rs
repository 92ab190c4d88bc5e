//! The hub: everything the server knows of the box at this moment, and what follows from each thing that happens.
//!
//! `step(now, input) → effects` is pure: no sockets, no clock, no medium. The shell ([`crate::app`]) feeds frames,
//! closed connections, words of the supervisor and a tick each second in, and carries the effects out. Two kinds of
//! facts leave it: *events*, which are kept for ever in the hash-chained log, and *streams* (progress, log lines,
//! snapshots), which live in rings and are gone with the process.

mod agent;
mod banner;
pub mod bucket;
mod drives;
mod effect;
mod foreign;
mod frame;
pub mod history;
mod input;
mod job;
pub mod liveness;
mod phases;
mod presence;
pub mod ring;
pub mod throttle;
pub mod told;
pub mod units;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use wire::boxes::{Banner, Liveness};
use wire::drive::Drive;
use wire::event::{Actor, Severity};
use wire::frame::LogLine;
use wire::job::Job;
use wire::playbook::PlaybookInfo;
use wire::supervisor::Status;
use wire::{DriveId, JobId};

use crate::clock::Now;
use bucket::Bucket;
pub use drives::{SmartWord, SmartWords};
pub use effect::{Effect, Stream, Telemetry};
use effect::{cut, server_event};
use history::{History, Unkept};
pub use input::Input;
use job::Held;
pub(crate) use job::JOBS;
pub use job::Sample;
use liveness::{Life, Watch};
use phases::Phases;
pub use presence::Presence;
use ring::Ring;
use told::Told;

/// The number of the built-in agent among the add-ons.
pub const AGENT: u64 = 1;

/// Words about one add-on in its own log: at once, and a second after that.
const WORDS: (f64, f64) = (50.0, 1.0);

/// Warnings that one add-on from elsewhere may put into the event log: at once, and a second after that. The log keeps a
/// bounded number, and no add-on may push the others' out of it: alone, with all that it may tell, it would need more than a week.
/// Criticals have as many for themselves, so that no chatter before it takes the place of a failure.
const EVENTS: (f64, f64) = (200.0, 1.0 / 60.0);

/// The same of what only informs, and as many ends of phases beside it, for what ends is told as often as its add-on likes: sixty
/// drives that end together, the most that this server is measured with, tell some five things each.
const INFOS: (f64, f64) = (400.0, 1.0 / 60.0);

/// Times that the log is told how an add-on is: at once, and a second after that. One that comes and goes all the time is
/// told of more rarely, and as it is then.
const CHANGES: (f64, f64) = (20.0, 1.0 / 300.0);

/// Manifests that one add-on may bring: at once, and a second after that.
const MANIFEST: (f64, f64) = (10.0, 1.0 / 30.0);

/// The same in words.
pub const MANIFESTS: &str = "an add-on may bring its manifest ten times at once and every 30 s after that";

/// What the page of an add-on that comes and goes is told.
const RESTLESS: &str = "this add-on comes and goes more often than the event log tells (20 times at once, one in five minutes after \
                        that); the log says how it is as soon as there is room";

/// Log lines kept that are about no job.
const LINES: usize = 500;

#[derive(Clone, Debug)]
struct Peer {
    name: String,
    life: Life,
    history: History,
    /// Words in its log that there is room for, and how many there was none for.
    words: Bucket,
    unsaid: u64,
    infos: Bucket,
    ends: Bucket,
    warnings: Bucket,
    criticals: Bucket,
    changes: Bucket,
    /// Whether the log is not told how it is, because that changes too often; the add-on's own page was told.
    restless: bool,
    manifests: Bucket,
    /// Phases of foreign jobs whose end was told.
    phases: Phases,
    /// Types of its frames that were said to be unknown.
    unknown: BTreeSet<String>,
    /// What of its frames was said not to be kept.
    unkept: BTreeSet<Unkept>,
}

impl Peer {
    fn new(now: Now, last_seen: Option<wire::Time>, watch: Watch) -> Self {
        // Microseconds: a page that comes back after a restart of the server is never ahead of what happens now.
        let numbers = u64::try_from(now.wall.as_microsecond()).unwrap_or(0);
        Self {
            name: String::new(),
            life: Life::new(now, last_seen, watch),
            history: History::new(numbers),
            words: Bucket::new(now.mono, WORDS.0, WORDS.1),
            unsaid: 0,
            infos: Bucket::new(now.mono, INFOS.0, INFOS.1),
            ends: Bucket::new(now.mono, INFOS.0, INFOS.1),
            warnings: Bucket::new(now.mono, EVENTS.0, EVENTS.1),
            criticals: Bucket::new(now.mono, EVENTS.0, EVENTS.1),
            changes: Bucket::new(now.mono, CHANGES.0, CHANGES.1),
            restless: false,
            manifests: Bucket::new(now.mono, MANIFEST.0, MANIFEST.1),
            phases: Phases::default(),
            unknown: BTreeSet::new(),
            unkept: BTreeSet::new(),
        }
    }

    /// The event of what has changed in how it is.
    fn news(&mut self, now: Now, id: u64) -> Option<Effect> {
        if self.life.has_news(now) && !self.changes.take(now.mono, 1.0) {
            self.restless = true;
            return None;
        }
        let (before, state) = self.life.news(now)?;
        self.restless = false;
        let (kind, severity, message) = match (before, state) {
            // Only who was degraded is told to be online again; to connect is a thing of its own.
            (Liveness::Degraded, Liveness::Online) => {
                ("addon.online", Severity::Info, format!("{} is online again", self.name))
            }
            (_, Liveness::Online) => (
                "addon.connected",
                Severity::Info,
                format!("{} has connected", self.name),
            ),
            (_, Liveness::Degraded) => {
                let missed = self.life.watch().misses;
                (
                    "addon.degraded",
                    Severity::Warning,
                    format!("{} missed {missed} heartbeats", self.name),
                )
            }
            (_, Liveness::Offline) => (
                "addon.offline",
                Severity::Warning,
                format!("{} is not connected", self.name),
            ),
        };
        let data = serde_json::json!({ "addon_id": id, "addon_name": self.name, "last_seen": self.life.last_seen() });
        Some(server_event(kind, severity, message, data))
    }
}

/// Whose state an input may change.
#[derive(Clone, Copy)]
enum Whom {
    One(u64),
    Everybody,
}

impl Whom {
    fn of(input: &Input) -> Self {
        match input {
            Input::Connected { addon, .. }
            | Input::Met { addon }
            | Input::Closed { addon, .. }
            | Input::Frame { addon, .. }
            | Input::Malformed { addon, .. }
            | Input::Word { addon, .. }
            | Input::Noted { addon, .. }
            | Input::Known { addon, .. }
            | Input::Forgotten { addon } => Self::One(*addon),
            Input::Supervisor(_)
            | Input::Contents(_)
            | Input::Recovering
            | Input::Claimed
            | Input::JobGone(_)
            | Input::Amended(_)
            | Input::Recalled(_)
            | Input::Smart { .. }
            | Input::Banner { .. }
            | Input::Tick => Self::Everybody,
        }
    }
}

/// Everything the server knows of the box at this moment.
#[derive(Clone, Debug)]
pub struct Hub {
    name: String,
    version: String,
    /// SHA-256 of the list of what the image is made of.
    contents: Option<String>,
    claimed: bool,
    built_in: bool,
    started: Duration,
    peers: BTreeMap<u64, Peer>,
    drives: Vec<Drive>,
    smart_words: SmartWords,
    /// When they were written down last since this start.
    drives_saved: Option<Duration>,
    playbooks: Vec<PlaybookInfo>,
    jobs: BTreeMap<JobId, Held>,
    /// Drives here whose last words were looked up, whether there were any or not.
    looked_up: BTreeSet<DriveId>,
    lines: Ring<LogLine>,
    supervisor: Option<Status>,
    remembered: Option<units::Remembered>,
    banners: BTreeMap<&'static str, Banner>,
    watch: Watch,
    told: Told,
    /// What the banners looked like when they were told last.
    shown: Option<(Vec<Banner>, Liveness)>,
    /// When the built-in agent was greeted last.
    greeted: Duration,
}

/// What is known from before this start.
#[derive(Debug, Default)]
pub struct Past {
    /// The drives as they were told last.
    pub drives: Vec<Drive>,
    /// How hot drives may be by their SMART; what spoke against them stands with [`Past::drives`].
    pub smart_words: SmartWords,
    /// When the agent was heard last.
    pub heard: Option<wire::Time>,
    /// The playbooks as they were told last.
    pub playbooks: Vec<PlaybookInfo>,
    /// The newest jobs, and those with the last word on each drive that was here.
    pub jobs: Vec<Job>,
    /// What the supervisor said last.
    pub remembered: Option<units::Remembered>,
    /// How heartbeats are watched.
    pub watch: Watch,
    /// What add-ons told.
    pub told: Told,
}

impl Hub {
    /// The hub of a box called `name`, with what is known from before. `built_in`: whether the box has an agent of its
    /// own.
    pub fn new(now: Now, name: &str, claimed: bool, built_in: bool, past: Past) -> Self {
        let jobs = past.jobs.into_iter().map(|job| (job.id, Held::new(job))).collect();
        let mut drives = past.drives;
        drives::recalled(&mut drives, past.heard);
        let mut smart_words = past.smart_words;
        smart_words.recall(&drives);
        smart_words.tell(&mut drives);
        let here = drives.iter().filter(|drive| drive.present);
        let looked_up = here.filter_map(|drive| drive.id.clone()).collect();
        Self {
            name: name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            contents: None,
            claimed,
            built_in,
            started: now.mono,
            peers: BTreeMap::new(),
            drives,
            smart_words,
            drives_saved: None,
            told: past.told,
            playbooks: past.playbooks,
            jobs,
            looked_up,
            lines: Ring::new(LINES),
            supervisor: None,
            remembered: past.remembered,
            banners: BTreeMap::new(),
            watch: past.watch,
            shown: None,
            greeted: now.mono,
        }
    }

    /// What follows from `input`.
    pub fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        let whom = Whom::of(&input);
        match input {
            Input::Connected { addon, connection } => self.connected(now, addon, connection, &mut out),
            Input::Met { addon } => {
                if let Some(peer) = self.peers.get_mut(&addon) {
                    peer.life.met(now);
                }
            }
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
                    self.complain(now, addon, &format!("a frame was not taken: {what}"), &mut out);
                }
            }
            Input::Supervisor(status) => self.supervisor(status, &mut out),
            Input::Contents(sum) => {
                self.contents = Some(sum);
                out.push(Effect::Stream(Stream::Box));
            }
            Input::Claimed => {
                self.claimed = true;
                out.push(Effect::Stream(Stream::Box));
                out.push(Effect::Hello);
            }
            Input::Recovering => {
                self.claimed = false;
                out.push(Effect::Stream(Stream::Box));
                out.push(Effect::Hello);
            }
            Input::JobGone(job) => self.job_gone(now, *job, &mut out),
            Input::Amended(job) => self.amended(*job, &mut out),
            Input::Smart { drive, serial, word } => self.smart_word(drive, &serial, word, &mut out),
            Input::Recalled(jobs) => self.recalled(jobs, &mut out),
            Input::Banner { key, banner } => {
                match banner {
                    Some(banner) => self.banners.insert(key, banner),
                    None => self.banners.remove(key),
                };
            }
            Input::Word { addon, what } => self.complain(now, addon, &what, &mut out),
            Input::Noted { addon, what } => drop(self.note(now, addon, &what, &mut out)),
            Input::Known {
                addon,
                name,
                last_seen,
                enabled,
            } => {
                let watch = self.watch;
                let peer = self
                    .peers
                    .entry(addon)
                    .or_insert_with(|| Peer::new(now, last_seen, watch));
                peer.name = name;
                peer.life.enable(now, enabled);
            }
            Input::Forgotten { addon } => {
                if let Some(peer) = self.peers.remove(&addon) {
                    let gone = |connection| Effect::Dismiss(connection, "the add-on was taken away");
                    out.extend(peer.life.connection().map(gone));
                }
            }
            Input::Tick => {}
        }
        self.settle(now, whom, &mut out);
        out
    }

    /// What time alone, or the input just taken, brings to light.
    fn settle(&mut self, now: Now, whom: Whom, out: &mut Vec<Effect>) {
        let mut restless = Vec::new();
        let mut look = |id: u64, peer: &mut Peer| {
            let before = peer.restless;
            out.extend(peer.news(now, id));
            if peer.restless && !before {
                restless.push(id);
            }
        };
        match whom {
            Whom::Everybody => self.peers.iter_mut().for_each(|(id, peer)| look(*id, peer)),
            Whom::One(id) => {
                if let Some(peer) = self.peers.get_mut(&id) {
                    look(id, peer);
                }
            }
        }
        for id in restless {
            self.complain(now, id, RESTLESS, out);
        }
        // The box as a whole does not look different for what an add-on from elsewhere said.
        if matches!(whom, Whom::One(id) if id != AGENT) {
            return;
        }
        let shown = (self.banners(now), self.agent(now).state);
        if self.shown.as_ref() != Some(&shown) {
            self.shown = Some(shown);
            if !out.contains(&Effect::Stream(Stream::Box)) {
                out.push(Effect::Stream(Stream::Box));
            }
        }
    }

    /// Whether an add-on may bring its manifest now.
    ///
    /// # Errors
    /// How long to wait.
    pub fn manifest_room(&mut self, now: Duration, addon: u64) -> Result<(), Duration> {
        let Some(peer) = self.peers.get_mut(&addon) else {
            return Ok(());
        };
        match peer.manifests.take(now, 1.0) {
            true => Ok(()),
            false => Err(peer.manifests.until(now, 1.0)),
        }
    }

    fn connected(&mut self, now: Now, addon: u64, connection: u64, out: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get_mut(&addon) else {
            out.push(Effect::Dismiss(connection, "the add-on was taken away"));
            return;
        };
        out.extend(peer.life.connected(now, connection).map(Effect::Replace));
        if addon == AGENT {
            // Replies to calls of the connection before cannot come any more.
            out.push(Effect::AgentGone);
            out.push(Effect::Hello);
            self.greeted = now.mono;
        }
        let payload = serde_json::json!({ "connection": connection }).to_string();
        self.telemetry(addon, "status", "connected", payload.into(), out);
    }

    fn closed(&mut self, now: Now, addon: u64, connection: u64, why: &str, out: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get_mut(&addon) else { return };
        if !peer.life.closed(now, connection) {
            return;
        }
        if addon == AGENT {
            out.push(Effect::AgentGone);
            let heard = peer.life.last_seen();
            self.unwatched(heard, out);
        }
        self.telemetry(
            addon,
            "status",
            "disconnected",
            serde_json::json!({ "reason": why }).to_string().into(),
            out,
        );
    }

    fn telemetry(&mut self, addon: u64, name: &'static str, kind: &str, payload: Arc<str>, out: &mut Vec<Effect>) {
        let share = history::share(self.peers.len());
        if let Some(peer) = self.peers.get_mut(&addon) {
            let item = Telemetry {
                name,
                kind: kind.into(),
                payload,
            };
            let number = peer.history.frame(item.clone(), share);
            out.push(Effect::Telemetry { addon, number, item });
        }
    }

    /// Tells an add-on what of it was not taken, and notes it.
    fn complain(&mut self, now: Now, addon: u64, message: &str, out: &mut Vec<Effect>) {
        if let Some(what) = self.note(now, addon, message, out) {
            out.push(Effect::Refused { addon, what });
        }
    }

    /// Puts a line of the server's own into an add-on's log, about one a second; the line. The others are counted.
    fn note(&mut self, now: Now, addon: u64, message: &str, out: &mut Vec<Effect>) -> Option<String> {
        let share = history::share(self.peers.len());
        let peer = self.peers.get_mut(&addon)?;
        if !peer.words.take(now.mono, 1.0) {
            peer.unsaid += 1;
            return None;
        }
        let mut message = cut(message);
        match std::mem::take(&mut peer.unsaid) {
            0 => {}
            unsaid => message += &format!(" ({unsaid} more like this before)"),
        }
        let line =
            serde_json::json!({ "level": "warn", "source": "server", "timestamp": now.wall, "message": &message });
        let line: Arc<str> = line.to_string().into();
        peer.history.line(now.wall, Arc::clone(&line), share);
        self.telemetry(addon, "log", "log", line, out);
        Some(message)
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
