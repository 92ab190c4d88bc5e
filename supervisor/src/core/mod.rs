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
    const ALL: [(&'static str, Milestone); 4] =
        [("system", Self::System), ("data", Self::Data), ("modules", Self::Modules), ("network", Self::Network)];

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
            self.decide(now, format!("the boot medium has not answered for {} s", for_ms / 1000), out);
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
                self.phase = Phase::Stopping { until: now + SHUTDOWN_MAX, ending, why: clip(why) };
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

    fn tick(&mut self, now: Millis, pressure: u8, out: &mut Vec<Action>) {
        for unit in 0..self.units.len() {
            let spec = &self.specs[unit];
            let r = &self.units[unit];
            match r.state {
                State::Ready { since } => {
                    if r.fails > 0 && now.saturating_sub(since) >= STABLE {
                        self.units[unit].fails = 0;
                        self.units[unit].rung = None;
                    }
                    let silence = now.saturating_sub(self.units[unit].beat);
                    // Pressure lengthens the deadline, to three times at the most.
                    let allowed = spec.watchdog + spec.watchdog * 2 * u64::from(pressure.min(100)) / 100;
                    if spec.watchdog > 0 && silence > allowed {
                        let why = format!("no heartbeat for {} (allowed {})", secs(silence), secs(allowed));
                        self.late(now, unit, why, out);
                    }
                }
                State::Starting { until } if now >= until => {
                    let why = format!("not ready {} after its start", secs(spec.start_timeout));
                    self.late(now, unit, why, out);
                }
                State::Late { until } if now >= until => {
                    let next = now + grace(spec.watchdog) * 2;
                    self.units[unit].rung = Some(Rung::Degraded);
                    self.set(now, unit, State::Degraded { until: next }, None);
                    out.push(Action::Dump(unit));
                    self.log(Some(unit), format!("degraded: {}", self.units[unit].reason), out);
                }
                State::Degraded { until } if now >= until => {
                    self.units[unit].rung = Some(Rung::Abort);
                    self.set(now, unit, State::Aborting { until: now + ABORT_GRACE }, None);
                    self.log(Some(unit), format!("SIGABRT: {}", self.units[unit].reason), out);
                    out.push(Action::Abort(unit));
                }
                State::Aborting { until } | State::Stopping { until } if now >= until => {
                    self.units[unit].rung = Some(Rung::Kill);
                    self.set(now, unit, State::Killing { until: now + KILL_GRACE }, None);
                    self.log(Some(unit), "did not end: killing its cgroup".into(), out);
                    out.push(Action::Kill(unit));
                }
                State::Killing { until } if now >= until => {
                    self.log(Some(unit), "survives SIGKILL, stuck in the kernel: abandoned".into(), out);
                    out.push(Action::Abandon(unit));
                    self.units[unit].rung = Some(Rung::Abandoned);
                    self.ended(now, unit, "stuck in the kernel and abandoned", out);
                }
                State::Backoff { until } | State::Quarantine { until } if now >= until => {
                    self.set(now, unit, State::Waiting, None);
                }
                _ => {}
            }
        }
        if let Phase::Stopping { until, ending, why } = &self.phase
            && now >= *until
        {
            let (ending, why) = (*ending, why.clone());
            self.phase = Phase::Ended;
            out.push(Action::End { ending, hard: true, why });
        }
    }

    fn late(&mut self, now: Millis, unit: UnitId, why: String, out: &mut Vec<Action>) {
        self.units[unit].rung = Some(Rung::Late);
        self.log(Some(unit), format!("late: {why}"), out);
        let until = now + grace(self.specs[unit].watchdog);
        self.set(now, unit, State::Late { until }, Some(why));
    }

    fn exited(&mut self, now: Millis, unit: UnitId, exit: Exit, out: &mut Vec<Action>) {
        let Some(r) = self.units.get(unit) else { return };
        if !r.state.runs() {
            return;
        }
        let starting = matches!(r.state, State::Starting { .. } | State::Late { .. } | State::Degraded { .. });
        if self.specs[unit].kind == Kind::Oneshot && starting && exit == Exit::Code(0) {
            self.set(now, unit, State::Done, Some(String::new()));
            self.log(Some(unit), "done".into(), out);
            return;
        }
        let climbed = matches!(r.state, State::Aborting { .. } | State::Killing { .. }) && !r.reason.is_empty();
        let why = if climbed { format!("{}; ended with {exit}", r.reason) } else { format!("ended with {exit}") };
        self.ended(now, unit, &why, out);
    }

    /// The unit has no process any more: decides what becomes of it.
    fn ended(&mut self, now: Millis, unit: UnitId, why: &str, out: &mut Vec<Action>) {
        if unit >= self.units.len() {
            return;
        }
        self.log(Some(unit), why.to_owned(), out);
        let r = &mut self.units[unit];
        let was_ready = r.ready_at.take().map(|at| now.saturating_sub(at));
        let again = std::mem::take(&mut r.again);
        r.status.clear();
        if self.phase != Phase::Running {
            self.set(now, unit, State::Stopped, Some(why.to_owned()));
            return;
        }
        if again {
            r.restarts += 1;
            self.set(now, unit, State::Waiting, None);
            return;
        }
        r.fails = if was_ready.is_some_and(|t| t >= STABLE) { 1 } else { r.fails + 1 };
        let (fails, spec) = (r.fails, &self.specs[unit]);
        if fails > spec.burst {
            self.quarantine(now, unit, why, out);
            return;
        }
        r.restarts += 1;
        r.rung = r.rung.max(Some(Rung::Restart));
        let pause = match was_ready {
            Some(t) if t >= HAD_BEEN_READY => 0,
            _ => backoff::pause(spec.restart, fails, &mut self.jitter),
        };
        let text = if pause == 0 { format!("{why}; started again at once") } else { format!("{why}; started again in {}", secs(pause)) };
        self.set(now, unit, State::Backoff { until: now + pause }, Some(text));
        if pause == 0 {
            self.set(now, unit, State::Waiting, None);
        }
    }

    fn quarantine(&mut self, now: Millis, unit: UnitId, why: &str, out: &mut Vec<Action>) {
        let critical = self.specs[unit].critical;
        let burst = self.specs[unit].burst;
        let r = &mut self.units[unit];
        r.rung = Some(Rung::Quarantine);
        // One more failed run brings it back here.
        r.fails = burst;
        let pause = if critical { QUARANTINE_CRITICAL } else { QUARANTINE };
        let reason = format!("failed {} times in a row, last: {why}", burst + 1);
        self.log(Some(unit), format!("quarantine: {reason}"), out);
        self.set(now, unit, State::Quarantine { until: now + pause }, Some(reason));
        if !critical {
            return;
        }
        if self.may_reboot() {
            self.units[unit].rung = Some(Rung::Reboot);
            let name = &self.specs[unit].name;
            self.decide(now, format!("unit {name} {why}, {} times in a row", burst + 1), out);
        } else if !self.medium_present {
            self.log(Some(unit), "critical, but the boot medium is absent: no reboot".into(), out);
        } else if self.reboots >= REBOOTS_MAX {
            self.log(Some(unit), format!("critical, but {REBOOTS_MAX} reboots in a row did not help: no reboot"), out);
        }
    }

    /// Moves every unit that can move without waiting: starts what has what it needs, stops what must not run.
    fn settle(&mut self, now: Millis, out: &mut Vec<Action>) {
        match self.phase {
            Phase::Running => self.settle_running(now, out),
            Phase::Stopping { .. } => self.settle_stopping(now, out),
            Phase::Ended => {}
        }
    }

    fn settle_running(&mut self, now: Millis, out: &mut Vec<Action>) {
        // A unit that becomes ready by being started lets others start: repeat until nothing moves.
        loop {
            let mut moved = false;
            for unit in 0..self.units.len() {
                match self.units[unit].state {
                    State::Waiting => {
                        if let Some(what) = self.lacks(unit) {
                            if self.units[unit].reason != what {
                                self.units[unit].reason = clip(what);
                            }
                        } else {
                            self.start(now, unit, out);
                            moved = true;
                        }
                    }
                    State::Starting { .. } | State::Ready { .. } => {
                        let gone = self.specs[unit].requires.iter().find_map(|n| match n {
                            Need::Unit(id) if matches!(self.units[*id].state, State::Quarantine { .. }) => Some(*id),
                            Need::Unit(_) | Need::Milestone(_) | Need::Missing(_) => None,
                        });
                        if let Some(id) = gone {
                            self.units[unit].again = true;
                            let why = format!("{}, which it requires, is in quarantine", self.specs[id].name);
                            self.stop(now, unit, why, out);
                            moved = true;
                        }
                    }
                    _ => {}
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn start(&mut self, now: Millis, unit: UnitId, out: &mut Vec<Action>) {
        let spec = &self.specs[unit];
        let until = now + spec.start_timeout;
        let simple = spec.kind == Kind::Simple;
        out.push(Action::Spawn(unit));
        let r = &mut self.units[unit];
        r.beat = now;
        r.ready_at = None;
        let reason = std::mem::take(&mut r.reason);
        let reason = if reason.starts_with("waits for ") { String::new() } else { reason };
        self.set(now, unit, State::Starting { until }, Some(reason));
        if simple {
            self.ready(now, unit, out);
        }
    }

    /// What a waiting unit still waits for.
    fn lacks(&self, unit: UnitId) -> Option<String> {
        let spec = &self.specs[unit];
        for need in &spec.requires {
            match need {
                Need::Missing(name) => return Some(format!("waits for {name}, which is not there")),
                Need::Milestone(m) if !self.milestones[*m as usize] => return Some(format!("waits for {}", milestone_name(*m))),
                Need::Unit(id) if !self.is_up(*id) => return Some(format!("waits for {}", self.specs[*id].name)),
                Need::Milestone(_) | Need::Unit(_) => {}
            }
        }
        for need in &spec.after {
            match need {
                Need::Milestone(m) if !self.milestones[*m as usize] => return Some(format!("waits for {}", milestone_name(*m))),
                Need::Unit(id) if !self.start_is_over(*id) => return Some(format!("waits for {}", self.specs[*id].name)),
                Need::Missing(_) | Need::Milestone(_) | Need::Unit(_) => {}
            }
        }
        None
    }

    fn is_up(&self, unit: UnitId) -> bool {
        match self.units[unit].state {
            State::Ready { .. } | State::Done => true,
            State::Late { .. } | State::Degraded { .. } => self.units[unit].ready_at.is_some(),
            _ => false,
        }
    }

    /// Whether a unit's first start has come to an end, good or bad: what `after` waits for.
    fn start_is_over(&self, unit: UnitId) -> bool {
        let r = &self.units[unit];
        self.is_up(unit) || r.restarts > 0 || r.fails > 0 || matches!(r.state, State::Stopped)
            || (r.state == State::Waiting && self.specs[unit].requires.iter().any(|n| matches!(n, Need::Missing(_))))
    }

    fn settle_stopping(&mut self, now: Millis, out: &mut Vec<Action>) {
        for unit in 0..self.units.len() {
            if !self.units[unit].state.runs() && self.units[unit].state != State::Stopped {
                self.set(now, unit, State::Stopped, None);
            }
        }
        for unit in 0..self.units.len() {
            let runs = matches!(
                self.units[unit].state,
                State::Starting { .. } | State::Ready { .. } | State::Late { .. } | State::Degraded { .. }
            );
            // Whoever was started after it must be gone first.
            let needed = self.specs.iter().zip(&self.units).any(|(s, r)| {
                r.state.runs() && s.after.iter().chain(&s.requires).any(|n| *n == Need::Unit(unit))
            });
            if runs && !needed {
                self.stop(now, unit, "the box is shutting down".into(), out);
            }
        }
        if self.units.iter().all(|r| !r.state.runs())
            && let Phase::Stopping { ending, why, .. } = &self.phase
        {
            let (ending, why) = (*ending, why.clone());
            self.phase = Phase::Ended;
            out.push(Action::End { ending, hard: false, why });
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

fn milestone_name(m: Milestone) -> &'static str {
    Milestone::ALL.iter().find(|(_, x)| *x == m).map_or("", |(n, _)| n)
}

/// How long a rung waits for the next one: a quarter of the heartbeat's deadline, half a second to five seconds.
fn grace(watchdog: Millis) -> Millis {
    if watchdog == 0 { 5_000 } else { (watchdog / 4).clamp(50, 5_000) }
}

fn secs(ms: Millis) -> String {
    if ms.is_multiple_of(1000) { format!("{} s", ms / 1000) } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) }
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
