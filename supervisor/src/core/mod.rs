//! What PID 1 decides: a pure function of (state, now, input) that yields actions.
//!
//! It owns no descriptor and reads no clock, so every rung of the ladder is tested without sleeping. The shell
//! (`crate::shell`) carries inputs in and actions out, and may run actions late but never twice.
//!
//! The ladder of one unit: late → degraded (stack dumped) → SIGABRT → the whole cgroup killed → abandoned when it is
//! still there (D state) → started again → quarantine → for a critical unit: orderly reboot → hard reboot → the
//! hardware watchdog, which is no longer fed from the moment the reboot is decided. No rung reboots while the boot
//! medium is absent, nor after [`REBOOTS_MAX`] reboots in a row that did not help.
//!
//! Tests: `tests.rs` beside this file (tables and properties).

mod backoff;
mod ladder;
mod settle;
mod state;
#[cfg(test)]
mod tests;

pub use backoff::{BACKOFF_MAX, Jitter};
pub use state::{Exit, Millis, State};
pub use wire::supervisor::Rung;

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
/// Silence of the boot medium's probe while the medium is there, until the box reboots, in milliseconds.
pub const MEDIUM_SILENCE_MAX: Millis = 180_000;
/// Reboots by the ladder in a row, after which it stays up and says so instead.
pub const REBOOTS_MAX: u32 = 3;
/// Longest reason and status text kept, in bytes.
const TEXT_MAX: usize = 400;

/// Index of a unit.
pub type UnitId = usize;

/// Facts about the box that units can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    /// `/system` is mounted.
    System,
    /// The state folder is settled, on disk or in RAM.
    Data,
    /// Every device that was there at boot has had its driver.
    Modules,
    /// An address is there.
    Network,
}

impl Milestone {
    const ALL: [(&'static str, Milestone); 4] = [
        ("system", Self::System),
        ("data", Self::Data),
        ("modules", Self::Modules),
        ("network", Self::Network),
    ];

    fn named(name: &str) -> Option<Milestone> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, m)| *m)
    }
}

/// What the machine does at the end of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Power off.
    PowerOff,
    /// Boot again.
    Reboot,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time has passed. `pressure`: percent of the last 10 s in which tasks waited for CPU, disk or memory (PSI).
    Tick { pressure: u8 },
    /// The main process of a unit has ended.
    Exited { unit: UnitId, exit: Exit },
    /// The process could not even be made.
    SpawnFailed { unit: UnitId, why: String },
    /// `READY=1`.
    Ready { unit: UnitId },
    /// `WATCHDOG=1`.
    Beat { unit: UnitId },
    /// `STATUS=…`.
    Status { unit: UnitId, text: String },
    /// `EXTEND_TIMEOUT_USEC=…`, in milliseconds.
    Extend { unit: UnitId, by: Millis },
    /// A milestone holds (or no longer).
    Milestone { which: Milestone, holds: bool },
    /// The boot medium came or went.
    Medium { present: bool },
    /// The boot medium's probe has not answered for so long.
    MediumSilent { for_ms: Millis },
    /// So many reboots by the ladder in a row have come before this boot.
    Reboots { in_a_row: u32 },
    /// The unit must start afresh, for this reason.
    Restart { unit: UnitId, why: String },
    /// Somebody wants the box to end.
    Shutdown { ending: Ending, why: String },
}

/// What the shell must do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start the unit's process.
    Spawn(UnitId),
    /// Send SIGTERM to its main process.
    Terminate(UnitId),
    /// Send SIGABRT to its main process.
    Abort(UnitId),
    /// Kill everything in its cgroup.
    Kill(UnitId),
    /// Record stack and wait channel of its threads.
    Dump(UnitId),
    /// Forget its process: it is stuck in the kernel.
    Abandon(UnitId),
    /// Write this to the log.
    Log { unit: Option<UnitId>, text: String },
    /// Everything has stopped, or time is up: end the machine. Given once.
    End { ending: Ending, hard: bool, why: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Need {
    Unit(UnitId),
    Milestone(Milestone),
    Missing(String),
}

#[derive(Debug, Clone)]
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

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Running,
    Stopping { until: Millis, ending: Ending, why: String },
    Ended,
}

/// The supervisor's whole state.
#[derive(Debug, Clone)]
pub struct Core {
    specs: Vec<Spec>,
    units: Vec<Record>,
    milestones: [bool; 4],
    phase: Phase,
    /// The ladder's own decision to reboot; from then on the watchdog is not fed.
    verdict: Option<String>,
    medium_present: bool,
    medium_silent: bool,
    reboots: u32,
    jitter: Jitter,
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
            milestones: [false; 4],
            phase: Phase::Running,
            verdict: None,
            medium_present: true,
            medium_silent: false,
            reboots,
            jitter: Jitter::new(seed),
        }
    }

    /// Takes one input and appends what must be done, in order.
    pub fn step(&mut self, now: Millis, input: Input, out: &mut Vec<Action>) {
        match input {
            Input::Tick { pressure } => self.tick(now, pressure, out),
            Input::Exited { unit, exit } => self.exited(now, unit, exit, out),
            Input::SpawnFailed { unit, why } => self.ended(now, unit, &format!("could not be started: {why}"), out),
            Input::Ready { unit } => self.ready(now, unit, out),
            Input::Beat { unit } => self.beat(now, unit, out),
            Input::Status { unit, text } => {
                if let Some(r) = self.units.get_mut(unit) {
                    r.status = clip(text);
                }
            }
            Input::Extend { unit, by } => self.extend(now, unit, by),
            Input::Milestone { which, holds } => self.milestones[which as usize] = holds,
            Input::Medium { present } => self.medium_present = present,
            Input::MediumSilent { for_ms } => self.medium(now, for_ms, out),
            Input::Reboots { in_a_row } => self.reboots = in_a_row,
            Input::Restart { unit, why } => self.restart(now, unit, why, out),
            Input::Shutdown { ending, why } => self.shut_down(now, ending, why, out),
        }
        self.settle(now, out);
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
        let beats = self.specs.iter().zip(&self.units).filter_map(|(s, r)| match r.state {
            State::Ready { .. } if s.watchdog > 0 => Some(r.beat + s.watchdog),
            _ => r.state.deadline(),
        });
        let phase = match self.phase {
            Phase::Stopping { until, .. } => Some(until),
            Phase::Running | Phase::Ended => None,
        };
        beats.chain(phase).min()
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

    /// Whether every unit has been ready long enough that the last reboot can be called a success.
    pub fn is_stable(&self, now: Millis) -> bool {
        self.units.iter().all(|r| match r.state {
            State::Ready { since } => now.saturating_sub(since) >= STABLE,
            State::Done => true,
            _ => false,
        })
    }

    fn set(&mut self, now: Millis, unit: UnitId, state: State, reason: Option<String>) {
        let r = &mut self.units[unit];
        r.state = state;
        r.since = now;
        if let Some(reason) = reason {
            r.reason = clip(reason);
        }
    }

    fn log(&self, unit: Option<UnitId>, text: String, out: &mut Vec<Action>) {
        out.push(Action::Log { unit, text: clip(text) });
    }

    fn ready(&mut self, now: Millis, unit: UnitId, out: &mut Vec<Action>) {
        let Some(r) = self.units.get_mut(unit) else { return };
        match r.state {
            State::Starting { .. } => {}
            State::Late { .. } | State::Degraded { .. } if r.ready_at.is_none() => {}
            _ => return,
        }
        r.ready_at = Some(now);
        r.beat = now;
        r.again = false;
        if r.fails == 0 {
            r.rung = None;
        }
        // The reason of the last restart stays, for whoever looks later.
        self.set(now, unit, State::Ready { since: now }, None);
        self.log(Some(unit), "ready".into(), out);
    }

    fn beat(&mut self, now: Millis, unit: UnitId, out: &mut Vec<Action>) {
        let Some(r) = self.units.get_mut(unit) else { return };
        r.beat = now;
        match r.state {
            State::Late { .. } | State::Degraded { .. } if r.ready_at.is_some() => {
                if r.fails == 0 {
                    r.rung = None;
                }
                self.set(now, unit, State::Ready { since: now }, Some("was late, is back".into()));
                self.log(Some(unit), "heartbeat is back".into(), out);
            }
            _ => {}
        }
    }

    fn extend(&mut self, now: Millis, unit: UnitId, by: Millis) {
        let Some(r) = self.units.get_mut(unit) else { return };
        let longest = now + by.min(600_000);
        match &mut r.state {
            State::Starting { until } | State::Stopping { until } => *until = (*until).max(longest),
            _ => {}
        }
    }

    fn medium(&mut self, now: Millis, for_ms: Millis, out: &mut Vec<Action>) {
        self.medium_silent = for_ms >= MEDIUM_SILENCE_MAX / 6;
        if for_ms >= MEDIUM_SILENCE_MAX && self.may_reboot() {
            self.decide(
                now,
                format!("the boot medium has not answered for {} s", for_ms / 1000),
                out,
            );
        }
    }

    /// Whether the boot medium's probe is conspicuously late.
    pub fn medium_silent(&self) -> bool {
        self.medium_silent
    }

    fn may_reboot(&self) -> bool {
        self.medium_present && self.reboots < REBOOTS_MAX && self.verdict.is_none() && self.phase == Phase::Running
    }

    fn decide(&mut self, now: Millis, why: String, out: &mut Vec<Action>) {
        self.verdict = Some(clip(why.clone()));
        self.shut_down(now, Ending::Reboot, why, out);
    }

    fn restart(&mut self, now: Millis, unit: UnitId, why: String, out: &mut Vec<Action>) {
        if unit >= self.units.len() || self.phase != Phase::Running {
            return;
        }
        match self.units[unit].state {
            State::Starting { .. } | State::Ready { .. } | State::Late { .. } | State::Degraded { .. } => {
                self.units[unit].again = true;
                self.stop(now, unit, why, out);
            }
            State::Stopping { .. } | State::Aborting { .. } | State::Killing { .. } => self.units[unit].again = true,
            State::Backoff { .. } | State::Quarantine { .. } | State::Done | State::Stopped => {
                self.units[unit].fails = 0;
                self.set(now, unit, State::Waiting, Some(why));
            }
            State::Waiting => {}
        }
    }

    fn stop(&mut self, now: Millis, unit: UnitId, why: String, out: &mut Vec<Action>) {
        let until = now + self.specs[unit].stop_timeout;
        self.log(Some(unit), format!("stopping: {why}"), out);
        self.set(now, unit, State::Stopping { until }, Some(why));
        out.push(Action::Terminate(unit));
    }

    fn shut_down(&mut self, now: Millis, ending: Ending, why: String, out: &mut Vec<Action>) {
        match &mut self.phase {
            Phase::Running => {
                self.log(None, format!("shutting down: {why}"), out);
                self.phase = Phase::Stopping {
                    until: now + SHUTDOWN_MAX,
                    ending,
                    why: clip(why),
                };
            }
            // The second request may only change what happens at the end, not prolong it.
            Phase::Stopping { ending: e, .. } => {
                if self.verdict.is_none() {
                    *e = ending;
                }
            }
            Phase::Ended => {}
        }
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

fn clip(mut s: String) -> String {
    if s.len() > TEXT_MAX {
        let mut at = TEXT_MAX;
        while !s.is_char_boundary(at) {
            at -= 1;
        }
        s.truncate(at);
    }
    s
}
