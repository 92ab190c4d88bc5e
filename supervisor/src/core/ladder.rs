//! The ladder: what time and ends of processes do to a unit, rung by rung, up to the decision to reboot.

use super::backoff;
use super::state::{Exit, Millis, State};
use super::text::text;
use super::{
    ABORT_GRACE, Action, Core, HAD_BEEN_READY, KILL_GRACE, Phase, QUARANTINE, QUARANTINE_CRITICAL, REBOOTS_MAX, Rung,
    STABLE, Text, UnitId, silence_allowed,
};
use crate::unit::Kind;

impl Core {
    pub(super) fn tick(&mut self, now: Millis, pressure: u8, out: &mut Vec<Action>) {
        self.pressure = pressure;
        if self.reboots > 0 && self.is_healthy(now) {
            self.reboots = 0;
            Self::log(None, text!("healthy for an hour: earlier reboots no longer count"), out);
        }
        for unit in 0..self.units.len() {
            let spec = &self.specs[unit];
            let r = &self.units[unit];
            match r.state {
                State::Ready { since } => {
                    if r.fails > 0 && now.saturating_sub(since) >= STABLE {
                        self.units[unit].fails = 0;
                        self.units[unit].rung = None;
                    }
                    let silence = now.saturating_sub(self.units[unit].heartbeat);
                    let watchdog = self.watchdog_of(unit);
                    let allowed = silence_allowed(watchdog, pressure);
                    let reloading = self.units[unit].reloading.is_some_and(|until| now >= until);
                    if reloading {
                        let why = text!("not ready {} after it began to reload", secs(spec.start_timeout));
                        self.late(now, unit, why, out);
                    } else if watchdog > 0 && silence > allowed {
                        let why = text!("no heartbeat for {} (allowed {})", secs(silence), secs(allowed));
                        self.late(now, unit, why, out);
                    }
                }
                State::Starting { until } if now >= until => {
                    let why = text!("not ready {} after its start", secs(spec.start_timeout));
                    self.late(now, unit, why, out);
                }
                State::Late { until } if now >= until => {
                    self.degrade(now, unit, out);
                }
                State::Degraded { until } if now >= until => self.abort(now, unit, out),
                State::Aborting { until } | State::Stopping { until } if now >= until => {
                    self.units[unit].rung = Some(Rung::Kill);
                    self.set(
                        now,
                        unit,
                        State::Killing {
                            until: now + KILL_GRACE,
                        },
                        None,
                    );
                    Self::log(Some(unit), text!("did not end: killing its cgroup"), out);
                    out.push(Action::Kill(unit));
                }
                State::Killing { until } if now >= until => {
                    Self::log(
                        Some(unit),
                        text!("survives SIGKILL, stuck in the kernel: abandoned"),
                        out,
                    );
                    out.push(Action::Abandon(unit));
                    self.units[unit].rung = Some(Rung::Abandoned);
                    self.ended(now, unit, text!("stuck in the kernel and abandoned"), out);
                }
                State::Backoff { until } | State::Quarantine { until } if now >= until => {
                    self.set(now, unit, State::Waiting, None);
                }
                // Not yet.
                State::Starting { .. } | State::Late { .. } | State::Degraded { .. } => {}
                State::Aborting { .. } | State::Stopping { .. } | State::Killing { .. } => {}
                State::Backoff { .. } | State::Quarantine { .. } => {}
                State::Waiting | State::Done | State::Stopped => {}
            }
        }
        if let Phase::Stopping { until, ending, why } = &self.phase
            && now >= *until
        {
            let ending = *ending;
            let why = text!("{why}; did not end: {}", self.running());
            self.phase = Phase::Ended;
            out.push(Action::End {
                ending,
                hard: true,
                why,
            });
        }
    }

    fn late(&mut self, now: Millis, unit: UnitId, why: Text, out: &mut Vec<Action>) {
        self.units[unit].rung = Some(Rung::Late);
        Self::log(Some(unit), text!("late: {why}"), out);
        let until = now + grace(self.watchdog_of(unit));
        self.set(now, unit, State::Late { until }, Some(why));
    }

    fn degrade(&mut self, now: Millis, unit: UnitId, out: &mut Vec<Action>) {
        let until = now + grace(self.watchdog_of(unit)) * 2;
        self.units[unit].rung = Some(Rung::Degraded);
        self.set(now, unit, State::Degraded { until }, None);
        out.push(Action::Dump(unit));
        Self::log(Some(unit), text!("degraded: {}", self.units[unit].reason), out);
    }

    fn abort(&mut self, now: Millis, unit: UnitId, out: &mut Vec<Action>) {
        self.units[unit].rung = Some(Rung::Abort);
        let until = now + ABORT_GRACE;
        self.set(now, unit, State::Aborting { until }, None);
        Self::log(Some(unit), text!("SIGABRT: {}", self.units[unit].reason), out);
        out.push(Action::Abort(unit));
    }

    /// It says itself that it has failed (`WATCHDOG=trigger`): up the rungs at once, since nobody has to be waited for.
    pub(super) fn trigger(&mut self, now: Millis, unit: UnitId, out: &mut Vec<Action>) {
        let Some(r) = self.units.get(unit) else { return };
        if matches!(r.state, State::Starting { .. } | State::Ready { .. }) {
            self.late(now, unit, text!("it reports its own failure (WATCHDOG=trigger)"), out);
        }
        if matches!(self.state(unit), State::Late { .. }) {
            self.degrade(now, unit, out);
        }
        if matches!(self.state(unit), State::Degraded { .. }) {
            self.abort(now, unit, out);
        }
    }

    pub(super) fn exited(&mut self, now: Millis, unit: UnitId, exit: Exit, out: &mut Vec<Action>) {
        let Some(r) = self.units.get(unit) else { return };
        if !r.state.runs() {
            return;
        }
        let starting = matches!(
            r.state,
            State::Starting { .. } | State::Late { .. } | State::Degraded { .. }
        );
        if self.specs[unit].kind == Kind::Oneshot && starting && exit == Exit::Code(0) {
            self.set(now, unit, State::Done, Some(Text::new()));
            Self::log(Some(unit), text!("done"), out);
            return;
        }
        let climbed = matches!(r.state, State::Aborting { .. } | State::Killing { .. }) && !r.reason.is_empty();
        let why = if climbed {
            text!("{}; {exit}", r.reason)
        } else {
            text!("{exit}")
        };
        self.ended(now, unit, why, out);
    }

    /// The unit has no process any more: decides what becomes of it.
    pub(super) fn ended(&mut self, now: Millis, unit: UnitId, why: Text, out: &mut Vec<Action>) {
        if unit >= self.units.len() {
            return;
        }
        let r = &mut self.units[unit];
        let said = std::mem::take(&mut r.said);
        let why = if said.is_empty() { why } else { text!("{why} ({said})") };
        Self::log(Some(unit), why.clone(), out);
        let r = &mut self.units[unit];
        let was_ready = r.ready_at.take().map(|at| now.saturating_sub(at));
        let again = std::mem::take(&mut r.again);
        r.status = Text::new();
        if self.phase != Phase::Running {
            self.set(now, unit, State::Stopped, Some(why));
            return;
        }
        if again {
            r.restarts += 1;
            self.set(now, unit, State::Waiting, None);
            return;
        }
        r.fails = if was_ready.is_some_and(|t| t >= STABLE) {
            1
        } else {
            r.fails + 1
        };
        let (fails, spec) = (r.fails, &self.specs[unit]);
        if fails > spec.burst {
            self.quarantine(now, unit, &why, out);
            return;
        }
        r.restarts += 1;
        r.rung = r.rung.max(Some(Rung::Restart));
        let pause = match was_ready {
            Some(t) if t >= HAD_BEEN_READY => 0,
            _ => backoff::pause(spec.restart, fails, &mut self.jitter),
        };
        let text = if pause == 0 {
            text!("{why}; started again at once")
        } else {
            text!("{why}; started again in {}", secs(pause))
        };
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
        let reason = text!("failed {} times in a row, last: {why}", burst + 1);
        Self::log(Some(unit), text!("quarantine: {reason}"), out);
        self.set(now, unit, State::Quarantine { until: now + pause }, Some(reason));
        if !critical {
            return;
        }
        if self.may_reboot() {
            self.units[unit].rung = Some(Rung::Reboot);
            let name = &self.specs[unit].name;
            self.decide(now, text!("unit {name} {why}, {} times in a row", burst + 1), out);
        } else if !self.medium_present {
            Self::log(
                Some(unit),
                text!("critical, but the boot medium is absent: no reboot"),
                out,
            );
        } else if self.reboots >= REBOOTS_MAX {
            Self::log(
                Some(unit),
                text!("critical, but {REBOOTS_MAX} reboots in a row did not help: no reboot"),
                out,
            );
        }
    }
}

/// How long a rung waits for the next one: a quarter of the heartbeat's deadline, half a second to five seconds.
fn grace(watchdog: Millis) -> Millis {
    if watchdog == 0 {
        5_000
    } else {
        (watchdog / 4).clamp(50, 5_000)
    }
}

/// Milliseconds as people say them.
fn secs(ms: Millis) -> impl std::fmt::Display {
    std::fmt::from_fn(move |f| {
        if ms.is_multiple_of(1000) {
            write!(f, "{} s", ms / 1000)
        } else {
            write!(f, "{}.{} s", ms / 1000, ms % 1000 / 100)
        }
    })
}
