//! Actions: what the core has decided, done.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Shell;
use crate::core::{Action, Input, Millis, SHUTDOWN_MAX, UnitId};
use crate::shell::{log, process};

/// How long the last writes may take, in milliseconds.
const FAREWELL_MAX: Millis = 10_000;
/// All of an orderly end, up to the kernel's own, in milliseconds.
const END_MAX: Millis = SHUTDOWN_MAX + FAREWELL_MAX + 5_000;

impl Shell {
    /// Steps the core with every waiting input and does what it says, until nothing is left.
    pub(super) fn pump(&mut self, now: Millis) {
        while let Some(input) = self.desk.inputs.pop_front() {
            let mut actions = std::mem::take(&mut self.actions);
            self.core.step(now, input, &mut actions);
            for action in actions.drain(..) {
                self.act(now, action);
            }
            self.actions = actions;
        }
    }

    pub(super) fn act(&mut self, now: Millis, action: Action) {
        match action {
            Action::Spawn(unit) => {
                if let Err(e) = self.spawn(unit) {
                    self.desk.inputs.push_back(Input::SpawnFailed {
                        unit,
                        why: e.to_string(),
                    });
                }
            }
            Action::Terminate(unit) => self.signal(unit, Signal::SIGTERM),
            // A core is written once every thread has ended. While the kernel holds one, the others wait for it where no SIGKILL
            // reaches them, with all that they hold (a store's lock): then the kill comes next, without a core.
            Action::Abort(unit) => {
                // Asked for in the same step (`WATCHDOG=trigger`), and not late: it has just spoken.
                if self.dumps.contains(&unit) {
                    self.describe();
                }
                let p = &self.processes[unit];
                if p.held.is_none() || p.held != p.pid {
                    self.signal(unit, Signal::SIGABRT);
                } else {
                    let name = &self.units[unit].name;
                    log::of_unit(name, "no SIGABRT: the kernel holds a thread of it; the kill comes next");
                }
            }
            Action::Kill(unit) => {
                if let Some(pid) = self.processes[unit].pid {
                    self.kill_rest(unit, pid);
                    self.signal(unit, Signal::SIGKILL);
                }
            }
            // Describing asks for memory: it comes after everything that is urgent.
            Action::Dump(unit) => self.dumps.push(unit),
            Action::Abandon(unit) => {
                let p = &mut self.processes[unit];
                (p.pid, p.leader, p.foreign) = (None, None, false);
                p.generation += 1;
                p.group = None;
            }
            Action::Log { unit, text } => match unit {
                Some(unit) => log::of_unit(&self.units[unit].name, &text),
                None => log::warn(&text),
            },
            Action::Verdict => {
                if let Some(w) = &mut self.watchdog {
                    w.lengthen_for_end(now, END_MAX);
                }
            }
            Action::End { ending, hard, why } => {
                log::warn(&format!(
                    "end of the machine ({ending:?}{}): {why}",
                    if hard { ", hard" } else { "" }
                ));
                let at = now + if hard { FAREWELL_MAX / 3 } else { FAREWELL_MAX };
                if let Some(m) = &mut self.machine {
                    let in_a_row = self.core.verdict().map(|_| self.core.reboots() + 1);
                    m.farewell(&why, in_a_row, &mut self.desk);
                }
                self.end = Some((ending, at));
            }
        }
    }

    /// Writes down where late units hang.
    pub(super) fn describe(&mut self) {
        while let Some(unit) = self.dumps.pop() {
            if let Some(pid) = self.processes[unit].pid {
                // Now, since nothing asks for memory between a deadline and what is done about it.
                self.processes[unit].held = process::is_held(pid).then_some(pid);
                log::warn(&format!("{}: {}", self.units[unit].name, process::describe(pid)));
            }
        }
    }

    pub(super) fn signal(&self, unit: UnitId, signal: Signal) {
        if let Some(pid) = self.processes[unit].pid {
            let _ = kill(Pid::from_raw(pid), signal);
            if signal == Signal::SIGTERM {
                // A stopped process would sleep through it.
                let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
            }
        }
    }

    /// Kills what a unit's main process has left behind.
    pub(super) fn kill_rest(&self, unit: UnitId, main: i32) {
        let p = &self.processes[unit];
        match &p.group {
            Some(group) => {
                group.kill();
            }
            None => process::kill_session(p.leader.unwrap_or(main)),
        }
    }
}
