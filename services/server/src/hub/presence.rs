//! Whether the built-in agent can be asked, and whether anybody may be at its jobs.
//!
//! ```text
//!  Here ── closed ──► Restarting ── two minutes ──► Silent
//!   ▲                     │                           │
//!   │                     └── PID 1: it does not run ─┴──► Down
//!   └──────────────────── connect ────────────────────────────
//! ```
//!
//! A worker dies with the agent (`agent/src/worker.rs`): where PID 1 says that the agent does not run, its jobs stand still.

use std::time::Duration;

use wire::job::Job;
use wire::supervisor::{Status, UnitState};

use super::{AGENT, Hub};
use crate::clock::Now;

/// How long the agent may be away before that is more than a restart: its start may take 90 s (`agent.toml`), and the
/// ladder before it half a minute.
const RESTART: Duration = Duration::from_mins(2);

/// How long the agent is away before PID 1's word that it does not run is more than a boot in which its turn is to come.
const TURN: Duration = Duration::from_secs(15);

/// How the built-in agent is to whoever wants something of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is connected.
    Here,
    /// It has not been connected for a moment, as while it is restarted.
    Restarting,
    /// It has not been connected for long; it may run all the same, and its workers with it.
    Silent,
    /// It does not run, and is not about to: safe mode, quarantine, a unit that cannot be started. Nobody is at its jobs.
    Down,
}

impl Presence {
    /// By how long it has been away (`None` while it is connected) and what PID 1 says of it.
    fn of(away: Option<Duration>, status: Option<&Status>) -> Self {
        match away {
            None => Self::Here,
            Some(away) if away >= TURN && status.is_some_and(does_not_run) => Self::Down,
            Some(away) if away >= RESTART => Self::Silent,
            Some(_) => Self::Restarting,
        }
    }
}

/// Whether PID 1 says that the agent has no process and gets none within seconds.
fn does_not_run(status: &Status) -> bool {
    let unit = status.units.iter().find(|unit| unit.name == "agent");
    unit.is_some_and(|unit| match unit.state {
        UnitState::Stopped | UnitState::Quarantined | UnitState::Done | UnitState::Failed => true,
        UnitState::Starting | UnitState::Ready | UnitState::Degraded | UnitState::Stopping | UnitState::Backoff => {
            false
        }
    })
}

impl Hub {
    /// How the built-in agent is to whoever wants something of it; `None` where the box has none.
    pub fn presence(&self, now: Now) -> Option<Presence> {
        let away = match self.peers.get(&AGENT) {
            Some(peer) => peer.life.away_for(now),
            None => Some(now.mono.saturating_sub(self.started)),
        };
        self.built_in.then(|| Presence::of(away, self.supervisor.as_ref()))
    }

    /// How many drives are being tested, or may be: jobs of an agent that does not run stand still.
    pub fn testing(&self, now: Now) -> usize {
        match self.presence(now) {
            Some(Presence::Down) => 0,
            Some(Presence::Here | Presence::Restarting | Presence::Silent) | None => self.open_jobs().count(),
        }
    }

    /// Jobs that are not over, whether anybody is at them or not.
    pub fn open_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs().filter(|job| !job.state.is_over())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn status(state: &str) -> Status {
        serde_json::from_value(serde_json::json!({
            "host": "kiln", "addresses": [], "banners": [],
            "boot": {"slot":"","why":"","via":"","kernel":"","medium":"disk","reason":"power on","boot_id":"1"},
            "units": [{"name":"agent","state":state,"rung":null,"reason":"","status":"","restarts":0,"pid":null,"since":"2026-11-20T15:00:00Z"}],
        }))
        .unwrap()
    }

    #[test]
    fn an_agent_is_down_only_by_the_word_of_pid_1_and_not_in_its_first_moments() {
        use Presence::{Down, Here, Restarting, Silent};
        let table = [
            (None, Some("stopped"), Here),
            (Some(1), None, Restarting),
            (Some(1), Some("stopped"), Restarting),
            (Some(14), Some("quarantined"), Restarting),
            (Some(15), Some("quarantined"), Down),
            (Some(15), Some("stopped"), Down),
            (Some(15), Some("failed"), Down),
            (Some(119), Some("backoff"), Restarting),
            (Some(119), Some("degraded"), Restarting),
            (Some(119), None, Restarting),
            (Some(120), Some("backoff"), Silent),
            (Some(900), Some("ready"), Silent),
            (Some(900), None, Silent),
        ];
        for (away, state, want) in table {
            let status = state.map(status);
            let found = Presence::of(away.map(Duration::from_secs), status.as_ref());
            assert_eq!(found, want, "{away:?} {state:?}");
        }
    }
}
