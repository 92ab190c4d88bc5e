//! What can move without waiting: units whose needs are met start, units that must not run stop, in the order of needs.

use super::state::{Millis, State};
use super::text::text;
use super::{Action, Core, LAST_WORDS, Need, Phase, Text, UnitId};
use crate::unit::Kind;

impl Core {
    /// Moves every unit that can move without waiting: starts what has what it needs, stops what must not run.
    pub(super) fn settle(&mut self, now: Millis, out: &mut Vec<Action>) {
        match self.phase {
            Phase::Running => self.settle_running(now, out),
            Phase::Stopping { until, .. } => self.settle_stopping(now, now + LAST_WORDS >= until, out),
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
                                self.units[unit].reason = what;
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
                            let why = text!("{}, which it requires, is in quarantine", self.specs[id].name);
                            self.stop(now, unit, why, out);
                            moved = true;
                        }
                    }
                    State::Late { .. } | State::Degraded { .. } => {}
                    State::Aborting { .. } | State::Stopping { .. } | State::Killing { .. } => {}
                    State::Backoff { .. } | State::Quarantine { .. } | State::Done | State::Stopped => {}
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
        self.begin(now, unit, until);
        if simple {
            self.ready(now, unit, out);
        }
    }

    /// What a waiting unit still waits for.
    fn lacks(&self, unit: UnitId) -> Option<Text> {
        let spec = &self.specs[unit];
        for need in &spec.requires {
            match need {
                Need::Missing(name) => return Some(text!("waits for {name}, which is not there")),
                Need::Milestone(m) if !self.milestones[*m as usize] => {
                    return Some(text!("waits for {}", m.name()));
                }
                Need::Unit(id) if !self.is_up(*id) => return Some(text!("waits for {}", self.specs[*id].name)),
                Need::Milestone(_) | Need::Unit(_) => {}
            }
        }
        for need in &spec.after {
            match need {
                Need::Milestone(m) if !self.milestones[*m as usize] => {
                    return Some(text!("waits for {}", m.name()));
                }
                Need::Unit(id) if !self.start_is_over(*id) => {
                    return Some(text!("waits for {}", self.specs[*id].name));
                }
                Need::Missing(_) | Need::Milestone(_) | Need::Unit(_) => {}
            }
        }
        None
    }

    pub(super) fn is_up(&self, unit: UnitId) -> bool {
        match self.units[unit].state {
            State::Ready { .. } | State::Done => true,
            State::Late { .. } | State::Degraded { .. } => self.units[unit].ready_at.is_some(),
            State::Aborting { .. } | State::Stopping { .. } | State::Killing { .. } => false,
            State::Waiting | State::Starting { .. } | State::Stopped => false,
            State::Backoff { .. } | State::Quarantine { .. } => false,
        }
    }

    /// Whether the first start of every critical unit has come to an end, good or bad.
    pub fn has_served(&self) -> bool {
        (0..self.units.len())
            .filter(|unit| self.specs[*unit].critical)
            .all(|unit| self.start_is_over(unit))
    }

    /// Whether a unit's first start has come to an end, good or bad: what `after` waits for.
    fn start_is_over(&self, unit: UnitId) -> bool {
        let r = &self.units[unit];
        self.is_up(unit)
            || r.restarts > 0
            || r.fails > 0
            || matches!(r.state, State::Stopped)
            || (r.state == State::Waiting && self.specs[unit].requires.iter().any(|n| matches!(n, Need::Missing(_))))
    }

    /// Stops units in the order of needs; `pressed`: the time is nearly over, so all of them.
    fn settle_stopping(&mut self, now: Millis, pressed: bool, out: &mut Vec<Action>) {
        for unit in 0..self.units.len() {
            if !self.units[unit].state.runs() && self.units[unit].state != State::Stopped {
                self.set(now, unit, State::Stopped, None);
            }
        }
        if pressed && self.units.iter().any(|r| r.state.waits_to_end()) {
            let all = self.running();
            Self::log(
                None,
                text!("the end waits no longer for one after another, still running: {all}"),
                out,
            );
        }
        for unit in 0..self.units.len() {
            let runs = self.units[unit].state.waits_to_end();
            // Whoever was started after it must be gone first.
            let needed = self
                .specs
                .iter()
                .zip(&self.units)
                .any(|(s, r)| r.state.runs() && s.after.iter().chain(&s.requires).any(|n| *n == Need::Unit(unit)));
            if runs && (pressed || !needed) {
                self.stop(now, unit, text!("the box is shutting down"), out);
            }
        }
        if self.units.iter().all(|r| !r.state.runs())
            && let Phase::Stopping { ending, why, .. } = &self.phase
        {
            let (ending, why) = (*ending, why.clone());
            self.phase = Phase::Ended;
            out.push(Action::End {
                ending,
                hard: false,
                why,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::core::tests::{World, unit};
    use crate::core::{Exit, Input};

    #[test]
    fn the_critical_units_have_served_once_each_is_ready_or_has_failed() {
        let critical = "type='notify'\ncritical=true";
        let mut w = World::new(vec![
            unit("a", critical),
            unit("b", critical),
            unit("c", "type='notify'"),
            unit("d", "after=['listening']"),
        ]);
        assert!(!w.core.has_served());
        w.step(Input::Ready { unit: 0 });
        assert!(!w.core.has_served());
        w.exit(1, Exit::Code(1));
        assert!(w.core.has_served());
        assert_eq!(w.core.view(3).map(|v| v.reason), Some("waits for listening"));
        assert!(World::new(vec![unit("c", "")]).core.has_served());
    }
}
