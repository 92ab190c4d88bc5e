//! What PID 1 decides: a pure function of (state, now, input) that yields actions.
//!
//! It owns no descriptor and reads no clock, so every rung of the ladder is tested without sleeping. The shell
//! (`crate::shell`) carries inputs in and actions out, and may run actions late but never twice.
//!
//! The ladder of one unit: late → degraded (stack dumped) → SIGABRT → the whole cgroup killed → abandoned when it is
//! still there (D state) → started again → quarantine → for a critical unit: orderly reboot → hard reboot → the
//! hardware watchdog, which is no longer fed from the moment the reboot is decided (with that it gets, once, the time that
//! an orderly end may take). No rung reboots while the boot medium is absent, nor after [`REBOOTS_MAX`] reboots in a row
//! that did not help.
//!
//! Its whole state can be written down and read again (serde), so that PID 1 can be replaced while everything runs.
//! Nothing between an input and its actions asks for memory. Tests: `tests.rs` (tables and properties), `notified.rs` (what services say) and `schedules.rs`
//! (every short schedule) beside this file.

mod backoff;
mod change;
mod ladder;
mod life;
#[cfg(test)]
mod notified;
#[cfg(test)]
mod schedules;
mod settle;
mod state;
#[cfg(test)]
mod tests;
mod text;

pub use backoff::{BACKOFF_MAX, Jitter};
pub use change::{Action, Ending, Input, Milestone};
pub use state::{Exit, Millis, State};
pub use text::{TEXT_MAX, Text};
pub use wire::supervisor::Rung;

use serde::{Deserialize, Serialize};

use crate::unit::{Kind, Unit};
use state::Record;

/// A run that stays ready this long clears the count of failures, in milliseconds.
pub const STABLE: Millis = 60_000;
/// A run that had been ready this long is started again at once, in milliseconds.
pub const HAD_BEEN_READY: Millis = 1_000;
/// Pause of a quarantined unit before it is tried again, in milliseconds.
pub const QUARANTINE: Millis = 600_000;
/// The same for a critical unit for which no reboot is allowed: the box must come back by itself.
pub const QUARANTINE_CRITICAL: Millis = 30_000;
/// From SIGABRT to the kill of the cgroup: time to write a last message, in milliseconds.
pub const ABORT_GRACE: Millis = 3_000;
/// From the kill to giving a process up as stuck in the kernel, in milliseconds.
pub const KILL_GRACE: Millis = 5_000;
/// All of an orderly shutdown, in milliseconds; then whatever is left is left behind.
pub const SHUTDOWN_MAX: Millis = 45_000;
/// So long before that is over, units that still wait for others to end are told to, so the log, too: it has to write its last
/// lines, and who does not end. In milliseconds.
const LAST_WORDS: Millis = 5_000;
/// Silence of the boot medium's probe while the medium is there, until the box reboots, in milliseconds.
pub const MEDIUM_SILENCE_MAX: Millis = 180_000;
/// Reboots by the ladder in a row, after which it stays up and says so instead.
pub const REBOOTS_MAX: u32 = 3;
/// After this long with every critical unit ready the next reboot is the first in its row again, in milliseconds.
pub const HEALTHY: Millis = 3_600_000;

/// Index of a unit.
pub type UnitId = usize;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Need {
    Unit(UnitId),
    Milestone(Milestone),
    Missing(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Spec {
    name: String,
    kind: Kind,
    after: Vec<Need>,
    requires: Vec<Need>,
    watchdog: Millis,
    start_timeout: Millis,
    stop_timeout: Millis,
    restart: Millis,
    burst: u32,
    critical: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "text is held in place, and there is one phase")]
enum Phase {
    Running,
    Stopping { until: Millis, ending: Ending, why: Text },
    Ended,
}

/// The supervisor's whole state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Core {
    specs: Vec<Spec>,
    units: Vec<Record>,
    milestones: [bool; Milestone::ALL.len()],
    phase: Phase,
    /// The ladder's own decision to reboot; from then on the watchdog is not fed.
    verdict: Option<Text>,
    medium_present: bool,
    medium_silent: bool,
    reboots: u32,
    /// At the last tick, in percent.
    #[serde(default)]
    pressure: u8,
    jitter: Jitter,
}

/// Longest time between two heartbeats that are due every `watchdog`: pressure lengthens it, to three times at the most.
fn silence_allowed(watchdog: Millis, pressure: u8) -> Millis {
    watchdog + watchdog * 2 * u64::from(pressure.min(100)) / 100
}

impl Core {
    /// Begins with every unit waiting. `reboots`: how many times in a row the ladder has rebooted this box.
    pub fn new(now: Millis, units: &[Unit], reboots: u32, seed: u64) -> Core {
        let need = |name: &String| match units.iter().position(|u| u.name == *name) {
            Some(id) => Need::Unit(id),
            None => Milestone::named(name).map_or_else(|| Need::Missing(name.clone()), Need::Milestone),
        };
        let specs = units
            .iter()
            .map(|u| Spec {
                name: u.name.clone(),
                kind: u.kind,
                after: u.after.iter().map(need).collect(),
                requires: u.requires.iter().map(need).collect(),
                watchdog: u.watchdog,
                start_timeout: u.start_timeout,
                stop_timeout: u.stop_timeout,
                restart: u.restart,
                burst: u.burst,
                critical: u.critical,
            })
            .collect::<Vec<_>>();
        Core {
            units: specs.iter().map(|_| Record::new(now)).collect(),
            specs,
            milestones: [false; Milestone::ALL.len()],
            phase: Phase::Running,
            verdict: None,
            medium_present: true,
            medium_silent: false,
            reboots,
            pressure: 0,
            jitter: Jitter::new(seed),
        }
    }

    /// Whether the hardware watchdog may be fed: always, until the ladder has decided to reboot.
    pub fn feeds_watchdog(&self) -> bool {
        self.verdict.is_none()
    }

    /// Why the ladder has decided to reboot, if it has.
    pub fn verdict(&self) -> Option<&str> {
        self.verdict.as_deref()
    }

    /// Whether a shutdown is under way or done.
    pub fn is_stopping(&self) -> bool {
        self.phase != Phase::Running
    }

    /// When [`Input::Tick`] is due next.
    pub fn next_deadline(&self) -> Option<Millis> {
        let beats = (0..self.units.len()).filter_map(|unit| {
            let (r, watchdog) = (&self.units[unit], self.watchdog_of(unit));
            let heartbeat = (watchdog > 0).then(|| r.heartbeat + silence_allowed(watchdog, self.pressure) + 1);
            match r.state {
                State::Ready { .. } => heartbeat.into_iter().chain(r.reloading).min(),
                State::Starting { .. } | State::Late { .. } | State::Degraded { .. } => r.state.deadline(),
                State::Aborting { .. } | State::Stopping { .. } | State::Killing { .. } => r.state.deadline(),
                State::Backoff { .. } | State::Quarantine { .. } => r.state.deadline(),
                State::Waiting | State::Done | State::Stopped => r.state.deadline(),
            }
        });
        let phase = match self.phase {
            Phase::Stopping { until, .. } if self.units.iter().any(|r| r.state.waits_to_end()) => {
                Some(until - LAST_WORDS)
            }
            Phase::Stopping { until, .. } => Some(until),
            Phase::Running | Phase::Ended => None,
        };
        beats.chain(phase).min()
    }

    /// How many units there are.
    pub fn units(&self) -> usize {
        self.units.len()
    }

    /// State of a unit.
    pub fn state(&self, unit: UnitId) -> State {
        self.units.get(unit).map_or(State::Stopped, |r| r.state)
    }

    /// What others may see of a unit: (state, rung, reason, status, restarts, since).
    pub fn view(&self, unit: UnitId) -> Option<UnitFacts<'_>> {
        self.units.get(unit).map(|r| UnitFacts {
            state: r.state,
            rung: r.rung,
            reason: &r.reason,
            status: &r.status,
            restarts: r.restarts,
            since: r.since,
        })
    }

    /// Longest time between two heartbeats of a unit's present run; 0: none are expected.
    fn watchdog_of(&self, unit: UnitId) -> Millis {
        self.units[unit].watchdog.unwrap_or(self.specs[unit].watchdog)
    }

    /// Reboots by the ladder in a row, before this boot.
    pub fn reboots(&self) -> u32 {
        self.reboots
    }

    /// Whether every critical unit has been ready so long that a reboot would be for something new.
    fn is_healthy(&self, now: Millis) -> bool {
        let long = |r: &Record| matches!(r.state, State::Ready { since } if now.saturating_sub(since) >= HEALTHY);
        let critical = |s: &Spec, r: &Record| !s.critical || r.state == State::Done || long(r);
        self.units.iter().any(long) && self.specs.iter().zip(&self.units).all(|(s, r)| critical(s, r))
    }

    /// Whether a unit has been ready in this boot, and its last heartbeat.
    pub fn beats(&self, unit: UnitId) -> (bool, Millis) {
        self.units.get(unit).map_or((false, 0), |r| {
            (r.ready_at.is_some() || r.restarts > 0 || r.fails > 0, r.heartbeat)
        })
    }

    /// Names of the units that still have a process.
    fn running(&self) -> impl std::fmt::Display + '_ {
        let named = self.specs.iter().zip(&self.units);
        std::fmt::from_fn(move |f| {
            for (n, (spec, _)) in named.clone().filter(|(_, r)| r.state.runs()).enumerate() {
                write!(f, "{}{}", if n > 0 { ", " } else { "" }, spec.name)?;
            }
            Ok(())
        })
    }

    /// Whether the boot medium's probe is conspicuously late.
    pub fn medium_silent(&self) -> bool {
        self.medium_silent
    }
}

/// What others may see of a unit.
#[derive(Debug, Clone, Copy)]
pub struct UnitFacts<'a> {
    /// Where it is.
    pub state: State,
    /// Rung of the ladder it stands on.
    pub rung: Option<Rung>,
    /// Why.
    pub reason: &'a str,
    /// Its own words.
    pub status: &'a str,
    /// Restarts since boot.
    pub restarts: u32,
    /// Since when.
    pub since: Millis,
}
