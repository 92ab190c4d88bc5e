//! What can be seen of the hub.

use wire::Time;
use wire::boxes::{AgentView, Banner, BoxView, Liveness};
use wire::frame::LogLine;

use super::history::History;
use super::{AGENT, Hub, Telemetry, banner, units};
use crate::clock::Now;

impl Hub {
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
            state @ (Liveness::Online | Liveness::Degraded | Liveness::Offline) => state,
        };
        AgentView {
            state,
            last_seen: peer.life.last_seen(),
        }
    }

    /// How an add-on is, and when it was last heard.
    pub fn addon(&self, now: Now, addon: u64) -> (Liveness, Option<Time>) {
        match self.peers.get(&addon) {
            Some(peer) => (peer.life.status(now), peer.life.last_seen()),
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
            sbom: self.contents.clone().filter(|_| logged_in),
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

    /// The name under which the network knows the box, as the unit that announces it says: another box may have this one's.
    pub fn local_name(&self) -> Option<&str> {
        let units = &self.supervisor.as_ref()?.units;
        let name = units.iter().find(|unit| unit.name == "mdns")?.status.as_str();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        (name.ends_with(".local") && name.chars().all(is_plain)).then_some(name)
    }

    /// Whether the box has an agent of its own.
    pub fn has_agent(&self) -> bool {
        self.built_in
    }

    /// Whether a supervisor is heard.
    pub fn is_supervised(&self) -> bool {
        self.supervisor.is_some()
    }

    /// Whether the box is claimed.
    pub fn is_claimed(&self) -> bool {
        self.claimed
    }

    /// What the supervisor said last; `None` where there is none.
    pub fn status(&self) -> Option<&wire::supervisor::Status> {
        self.supervisor.as_ref()
    }

    /// Log lines about no job, oldest first.
    pub fn lines(&self) -> Vec<LogLine> {
        self.lines.iter().cloned().collect()
    }

    /// Frames of an add-on after number `after`, oldest first.
    pub fn telemetry_after(&self, addon: u64, after: u64) -> Vec<(u64, Telemetry)> {
        let Some(peer) = self.peers.get(&addon) else {
            return Vec::new();
        };
        peer.history
            .after(after)
            .map(|(number, item)| (number, item.clone()))
            .collect()
    }

    /// What is remembered of an add-on.
    pub fn history(&self, addon: u64) -> Option<&History> {
        self.peers.get(&addon).map(|peer| &peer.history)
    }

    /// When each add-on was heard last.
    pub fn seen(&self) -> Vec<(u64, Time)> {
        let seen = |(id, peer): (&u64, &super::Peer)| Some((*id, peer.life.last_seen()?));
        self.peers.iter().filter_map(seen).collect()
    }

    /// Whether an add-on has a connection.
    pub fn is_connected(&self, addon: u64) -> bool {
        self.peers
            .get(&addon)
            .is_some_and(|peer| peer.life.connection().is_some())
    }
}
