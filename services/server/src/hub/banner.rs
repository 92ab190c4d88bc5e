//! Banners that follow from how units and the agent are.

use std::time::Duration;

use wire::boxes::{AgentView, Banner, Liveness};
use wire::event::Severity;
use wire::supervisor::{Status, UnitState};

/// How long after its start the server waits for the agent before it says that there is none.
const FIRST: Duration = Duration::from_secs(15);

/// How long the agent may be away before everybody is told.
const AWAY: Duration = Duration::from_secs(5);

/// What is to be said of the agent. `away`: for how long it has not been connected.
pub(super) fn of_agent(agent: AgentView, away: Option<Duration>, up_for: Duration) -> Option<Banner> {
    match agent.state {
        Liveness::Online => None,
        Liveness::Degraded => Some(Banner {
            severity: Severity::Warning,
            text: "The burn-in agent does not answer in time. Drives and progress may be out of date; it is restarted when it stays silent"
                .to_owned(),
        }),
        Liveness::Offline => {
            let grace = if agent.last_seen.is_none() { FIRST } else { AWAY };
            (away.unwrap_or(up_for) >= grace).then(|| Banner {
                severity: Severity::Critical,
                text: "The burn-in agent is not connected. Drives and jobs are shown as they were; no job can be started. Running jobs go on \
                       when it is back"
                    .to_owned(),
            })
        }
    }
}

/// What is to be said of units that do not run.
pub(super) fn of_units(status: &Status) -> Vec<Banner> {
    status
        .units
        .iter()
        .filter_map(|unit| {
            let (severity, what) = match unit.state {
                UnitState::Failed => (Severity::Critical, "cannot be started"),
                UnitState::Quarantined => (Severity::Critical, "ended too often and rests for a while"),
                // The agent has a banner of its own.
                UnitState::Degraded if unit.name != "agent" => (Severity::Warning, "does not answer in time"),
                UnitState::Degraded
                | UnitState::Stopped
                | UnitState::Starting
                | UnitState::Ready
                | UnitState::Stopping
                | UnitState::Backoff
                | UnitState::Done => return None,
            };
            let why = if unit.reason.is_empty() {
                String::new()
            } else {
                format!(": {}", unit.reason)
            };
            Some(Banner {
                severity,
                text: format!("Service {} {what}{why}", unit.name),
            })
        })
        .collect()
}
