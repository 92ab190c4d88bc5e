//! A unit's main process that is not the one PID 1 started: `MAINPID=` of sd_notify(3), for services that fork.
//!
//! A number alone proves nothing: it must be a living process of the unit's own cgroup, else a service could have PID 1 signal
//! whomever it likes. Its end must reach us, too: it is our child already, or the present main process's, and becomes ours as
//! soon as that one has ended. Until then each turn looks whether it is still there.

use super::Shell;
use crate::core::{Exit, UnitId};
use crate::shell::{cgroup, process};

impl Shell {
    /// The unit names its main process.
    pub(super) fn main_named(&mut self, unit: UnitId, pid: i32) {
        if self.processes[unit].pid == Some(pid) || !self.core.state(unit).runs() {
            return;
        }
        match self.fits(unit, pid) {
            Ok(foreign) => {
                // As often as it likes: no more lines than complaints.
                self.complain(Some(unit), format_args!("its main process is {pid} from now on"));
                let p = &mut self.processes[unit];
                (p.pid, p.foreign) = (Some(pid), foreign);
            }
            Err(why) => self.complain(Some(unit), format_args!("MAINPID={pid} is not taken: {why}")),
        }
    }

    /// Whether a process may be a unit's main one; `true`: it is not our child yet.
    fn fits(&self, unit: UnitId, pid: i32) -> Result<bool, &'static str> {
        let me = nix::unistd::getpid().as_raw();
        if pid == me || !self.belongs(unit, pid) {
            return Err("it is no process of this unit");
        }
        match process::parent(pid) {
            None | Some((_, 'Z' | 'X')) => Err("it has ended"),
            Some((parent, _)) if parent == me => Ok(false),
            Some((parent, _)) if self.processes[unit].pid == Some(parent) => Ok(true),
            Some(_) => Err("its parent is neither the supervisor nor the main process before it"),
        }
    }

    /// Whether a process is the unit's: by its cgroup; below a root by its session, or what it was started with.
    pub(super) fn belongs(&self, unit: UnitId, pid: i32) -> bool {
        let (u, p) = (&self.units[unit], &self.processes[unit]);
        if self.paths.is_box() {
            return cgroup::place_of(pid).is_some_and(|(name, n)| name == u.name && n == p.generation);
        }
        let led = process::session(pid).is_some_and(|s| p.leader == Some(s));
        led || super::adopt::variable(pid).is_some_and(|name| name == u.name)
    }

    /// Main processes whose end another would be told of: it has ended, or it is our child by now.
    pub(super) fn watch_foreign(&mut self) {
        let me = nix::unistd::getpid().as_raw();
        for unit in 0..self.processes.len() {
            let p = &self.processes[unit];
            let Some(pid) = p.pid.filter(|_| p.foreign) else {
                continue;
            };
            match process::parent(pid) {
                Some((parent, _)) if parent == me => self.processes[unit].foreign = false,
                Some((_, state)) if state != 'Z' && state != 'X' && self.belongs(unit, pid) => {}
                Some(_) | None => {
                    // As in `reap`.
                    self.read_notes();
                    if self.processes[unit].pid == Some(pid) {
                        self.main_ended(unit, pid, Exit::Gone);
                    }
                }
            }
        }
    }
}
