//! A unit's life between the rungs: ready, heartbeat, restart on request, stop; and the end of the whole box.

use super::text::text;
use super::{Action, Core, Ending, Input, Milestone, Millis, Need, Phase, SHUTDOWN_MAX, State, Text, UnitId};
use crate::quota::Rate;
use crate::unit::Kind;

/// Longest prolongation by `EXTEND_TIMEOUT_USEC`, in milliseconds.
const EXTEND_MAX: Millis = 600_000;
/// Shortest and longest time between heartbeats that a service may choose (`WATCHDOG_USEC`), in milliseconds.
const INTERVAL: std::ops::RangeInclusive<Millis> = 100..=600_000;

/// How often a unit's word that it reloads is told.
const RELOADS: Rate = Rate {
    most: 10,
    within: 60_000,
};

impl Core {
    /// Moves a unit. Every move is in the table of [`State::may_become`].
    pub(super) fn set(&mut self, now: Millis, unit: UnitId, state: State, reason: Option<Text>) {
        let r = &mut self.units[unit];
        debug_assert!(r.state.may_become(state), "{:?} may not become {state:?}", r.state);
        #[cfg(test)]
        super::tests::moved(r.state, state);
        r.state = state;
        r.since = now;
        if let Some(reason) = reason {
            r.reason = reason;
        }
    }

    pub(super) fn log(unit: Option<UnitId>, text: Text, out: &mut Vec<Action>) {
        out.push(Action::Log { unit, text });
    }

    pub(super) fn ready(&mut self, now: Millis, unit: UnitId, out: &mut Vec<Action>) {
        let Some(r) = self.units.get_mut(unit) else { return };
        // A one-shot is over when it has ended, whatever it says.
        if self.specs[unit].kind == Kind::Oneshot {
            return;
        }
        let reloaded = r.reloading.take().is_some();
        match r.state {
            State::Starting { .. } => {}
            State::Late { .. } | State::Degraded { .. } if r.ready_at.is_none() => {}
            State::Late { .. } | State::Degraded { .. } if reloaded => return self.heartbeat(now, unit, out),
            State::Late { .. } | State::Degraded { .. } | State::Ready { .. } => return,
            State::Aborting { .. } | State::Stopping { .. } | State::Killing { .. } => return,
            State::Waiting | State::Backoff { .. } | State::Quarantine { .. } | State::Done | State::Stopped => return,
        }
        r.ready_at = Some(now);
        r.heartbeat = now;
        r.again = false;
        if r.fails == 0 {
            r.rung = None;
        }
        // The reason of the last restart stays, for whoever looks later.
        self.set(now, unit, State::Ready { since: now }, None);
        Self::log(Some(unit), text!("ready"), out);
    }

    pub(super) fn heartbeat(&mut self, now: Millis, unit: UnitId, out: &mut Vec<Action>) {
        let Some(r) = self.units.get_mut(unit) else { return };
        r.heartbeat = r.heartbeat.max(now);
        // It was late for that already.
        r.reloading.take_if(|until| now >= *until);
        match r.state {
            State::Late { .. } | State::Degraded { .. } => {
                if r.ready_at.is_none() {
                    return;
                }
                if r.fails == 0 {
                    r.rung = None;
                }
                self.set(now, unit, State::Ready { since: now }, Some(text!("was late, is back")));
                Self::log(Some(unit), text!("heartbeat is back"), out);
            }
            State::Starting { .. } | State::Ready { .. } => {}
            State::Aborting { .. } | State::Stopping { .. } | State::Killing { .. } => {}
            State::Waiting | State::Backoff { .. } | State::Quarantine { .. } | State::Done | State::Stopped => {}
        }
    }

    /// It is about to end by itself: no heartbeat is expected for as long as an end may take.
    pub(super) fn stopping(&mut self, now: Millis, unit: UnitId) {
        let Some(r) = self.units.get_mut(unit) else { return };
        if matches!(r.state, State::Ready { .. }) {
            r.heartbeat = r.heartbeat.max(now + self.specs[unit].stop_timeout);
        }
    }

    /// Heartbeats come in this time from now on, until the process ends. A time is bounded: nobody escapes the ladder.
    pub(super) fn interval(&mut self, now: Millis, unit: UnitId, every: Millis) {
        let Some(r) = self.units.get_mut(unit) else { return };
        if self.specs[unit].kind == Kind::Notify && r.state.runs() {
            r.watchdog = Some(every.clamp(*INTERVAL.start(), *INTERVAL.end()));
            r.heartbeat = r.heartbeat.max(now);
        }
    }

    /// It reads its configuration again: it stays ready, and has as long as for a start.
    pub(super) fn reloading(&mut self, now: Millis, unit: UnitId, out: &mut Vec<Action>) {
        let Some(r) = self.units.get_mut(unit) else { return };
        if matches!(r.state, State::Ready { .. }) && self.specs[unit].kind == Kind::Notify {
            r.reloading = Some(now + self.specs[unit].start_timeout);
            let more = r.reloads.left_out(RELOADS, now).unwrap_or(0);
            if r.reloads.takes(RELOADS, now, 1) {
                match more {
                    0 => Self::log(Some(unit), text!("reloading"), out),
                    n => Self::log(
                        Some(unit),
                        text!("reloading, and {n} times before that was not told"),
                        out,
                    ),
                }
            }
        }
    }

    /// Why it fails, in its own words; told with its end.
    pub(super) fn said(&mut self, unit: UnitId, what: &str) {
        if let Some(r) = self.units.get_mut(unit).filter(|r| r.state.runs()) {
            r.said = Text::from(what);
        }
    }

    pub(super) fn extend(&mut self, now: Millis, unit: UnitId, by: Millis) {
        let Some(r) = self.units.get_mut(unit) else { return };
        let longest = now + by.min(EXTEND_MAX);
        match (&mut r.state, &mut r.reloading) {
            (State::Starting { until } | State::Stopping { until }, _) | (State::Ready { .. }, Some(until)) => {
                *until = (*until).max(longest);
            }
            _ => {}
        }
    }

    /// Takes in a process that was there before this PID 1 knew of it, so that nothing is started beside it. `ready`: it
    /// counts as ready. Nothing else moves before the next step.
    pub fn adopt(&mut self, now: Millis, unit: UnitId, ready: bool, out: &mut Vec<Action>) {
        let Some(r) = self.units.get(unit) else { return };
        if r.state.runs() {
            return;
        }
        let spec = &self.specs[unit];
        let (until, simple) = (now + spec.start_timeout, spec.kind == Kind::Simple);
        Self::log(Some(unit), text!("its process was found and is kept"), out);
        self.begin(now, unit, until);
        if ready || simple {
            self.ready(now, unit, out);
        }
    }

    /// The unit has a process from now on.
    pub(super) fn begin(&mut self, now: Millis, unit: UnitId, until: Millis) {
        let r = &mut self.units[unit];
        r.heartbeat = now;
        r.ready_at = None;
        (r.watchdog, r.reloading, r.said) = (None, None, Text::new());
        if r.reason.starts_with("waits for ") {
            r.reason = Text::new();
        }
        if r.state != State::Waiting {
            self.set(now, unit, State::Waiting, None);
        }
        self.set(now, unit, State::Starting { until }, None);
    }

    pub(super) fn restart(&mut self, now: Millis, unit: UnitId, why: &str, out: &mut Vec<Action>) {
        if unit >= self.units.len() || self.phase != Phase::Running {
            return;
        }
        match self.units[unit].state {
            State::Starting { .. } | State::Ready { .. } | State::Late { .. } | State::Degraded { .. } => {
                self.units[unit].again = true;
                self.stop(now, unit, Text::from(why), out);
            }
            State::Stopping { .. } | State::Aborting { .. } | State::Killing { .. } => self.units[unit].again = true,
            State::Backoff { .. } | State::Quarantine { .. } | State::Done | State::Stopped => {
                self.units[unit].fails = 0;
                self.set(now, unit, State::Waiting, Some(Text::from(why)));
            }
            State::Waiting => {}
        }
    }

    pub(super) fn stop(&mut self, now: Millis, unit: UnitId, why: Text, out: &mut Vec<Action>) {
        let until = now + self.specs[unit].stop_timeout;
        Self::log(Some(unit), text!("stopping: {why}"), out);
        self.set(now, unit, State::Stopping { until }, Some(why));
        out.push(Action::Terminate(unit));
    }

    /// Safe mode may begin late, when units that must not run in it do: the driver that knows why the box was reset is not
    /// always first. What else falls takes nobody along.
    fn milestone(&mut self, now: Millis, which: Milestone, holds: bool, out: &mut Vec<Action>) {
        let held = std::mem::replace(&mut self.milestones[which as usize], holds);
        if !held || holds || which != Milestone::Normal || self.phase != Phase::Running {
            return;
        }
        for unit in 0..self.units.len() {
            let needs = self.specs[unit]
                .requires
                .iter()
                .any(|n| matches!(n, Need::Milestone(m) if *m == which));
            if needs && self.units[unit].state.waits_to_end() {
                self.units[unit].again = true;
                self.stop(now, unit, text!("safe mode"), out);
            }
        }
    }

    pub(super) fn medium(&mut self, now: Millis, for_ms: Millis, out: &mut Vec<Action>) {
        self.medium_silent = for_ms >= super::MEDIUM_SILENCE_MAX / 6;
        if for_ms >= super::MEDIUM_SILENCE_MAX && self.may_reboot() {
            let why = text!("the boot medium has not answered for {} s", for_ms / 1000);
            self.decide(now, why, out);
        }
    }

    pub(super) fn may_reboot(&self) -> bool {
        self.medium_present
            && self.reboots < super::REBOOTS_MAX
            && self.verdict.is_none()
            && self.phase == Phase::Running
    }

    /// The ladder's last word, given once: but for what belongs to it, the watchdog is not fed from here on.
    pub(super) fn decide(&mut self, now: Millis, why: Text, out: &mut Vec<Action>) {
        self.verdict = Some(why.clone());
        out.push(Action::Verdict);
        self.shut_down(now, Ending::Reboot, why, out);
    }

    pub(super) fn shut_down(&mut self, now: Millis, ending: Ending, why: Text, out: &mut Vec<Action>) {
        match &mut self.phase {
            Phase::Running => {
                Self::log(None, text!("shutting down: {why}"), out);
                self.phase = Phase::Stopping {
                    until: now + SHUTDOWN_MAX,
                    ending,
                    why,
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

    /// Takes one input and appends what must be done, in order. Asks for no memory while `out` has room.
    pub fn step(&mut self, now: Millis, input: Input, out: &mut Vec<Action>) {
        match input {
            Input::Tick { pressure } => self.tick(now, pressure, out),
            Input::Exited { unit, exit } => self.exited(now, unit, exit, out),
            Input::SpawnFailed { unit, why } => {
                // Only what was to run can have failed to.
                if self.state(unit).runs() {
                    self.ended(now, unit, text!("could not be started: {why}"), out);
                }
            }

            Input::Ready { unit } => self.ready(now, unit, out),
            Input::Heartbeat { unit } => self.heartbeat(now, unit, out),
            Input::Stopping { unit } => self.stopping(now, unit),
            Input::Status { unit, text } => {
                if let Some(r) = self.units.get_mut(unit) {
                    r.status = Text::from(text.as_str());
                }
            }
            Input::Extend { unit, by } => self.extend(now, unit, by),
            Input::Interval { unit, every } => self.interval(now, unit, every),
            Input::Trigger { unit } => self.trigger(now, unit, out),
            Input::Reloading { unit } => self.reloading(now, unit, out),
            Input::Said { unit, what } => self.said(unit, &what),
            Input::Milestone { which, holds } => self.milestone(now, which, holds, out),
            Input::Medium { present } => self.medium_present = present,
            Input::MediumSilent { for_ms } => self.medium(now, for_ms, out),
            Input::Reboots { in_a_row } => self.reboots = in_a_row,
            Input::Restart { unit, why } => self.restart(now, unit, &why, out),
            Input::Shutdown { ending, why } => self.shut_down(now, ending, Text::from(why.as_str()), out),
        }
        self.settle(now, out);
    }
}
