//! After PID 1 was replaced: what it knows of its children, and which children there are, made one.
//!
//! A child is a unit's main process if it leads a session and its cgroup (below a root: its environment) names the unit.
//! Where several do, the one that runs the unit's program counts, then the oldest. No child is ever lost: what belongs to
//! no unit any more is ended, and told.

use std::fs;

use super::Shell;
use crate::core::{Exit, Input, Millis, UnitId};
use crate::shell::cgroup::{self, Group};
use crate::shell::spawn::UNIT_VARIABLE;
use crate::shell::{log, process};

/// A child of ours, as the kernel shows it.
#[derive(Debug)]
struct Child {
    pid: i32,
    /// It leads a session, as every unit's main process does.
    leads: bool,
    /// The unit it belongs to, and the generation of its cgroup.
    unit: Option<(String, u32)>,
    /// Its program and arguments.
    argv: Vec<u8>,
}

impl Shell {
    /// Brings state and children together; returns how many units have a process, and how many have lost theirs.
    pub(super) fn adopt(&mut self, now: Millis, cold: bool) -> (usize, usize) {
        let children = children(self.paths.is_box());
        let alive = |pid: i32| children.iter().any(|c| c.pid == pid);
        for unit in 0..self.units.len() {
            let foreign = self.processes[unit].foreign;
            if self.processes[unit]
                .pid
                .is_some_and(|pid| alive(pid) || (foreign && self.belongs(unit, pid)))
            {
                continue;
            }
            let p = &mut self.processes[unit];
            (p.pid, p.leader, p.foreign) = (None, None, false);
            if let Some(child) = self.main_process(unit, &children) {
                let p = &mut self.processes[unit];
                (p.pid, p.leader) = (Some(child.pid), Some(child.pid));
                if self.paths.is_box() {
                    p.generation = child.unit.as_ref().map_or(0, |(_, n)| *n);
                    p.group = Some(Group::of(&self.units[unit].name, p.generation));
                }
                let mut actions = Vec::new();
                self.core.adopt(now, unit, cold, &mut actions);
                for a in actions {
                    self.act(now, a);
                }
            }
        }
        self.end_strangers(now, &children);
        // What was waiting to be told comes first: the end of a process may be among it.
        self.pump(now);
        let mut lost = 0;
        for unit in 0..self.units.len() {
            if self.core.state(unit).runs() && self.processes[unit].pid.is_none() {
                lost += 1;
                self.desk.inputs.push_back(Input::SpawnFailed {
                    unit,
                    why: "its process was lost while PID 1 was replaced".into(),
                });
            }
        }
        (self.processes.iter().filter(|p| p.pid.is_some()).count(), lost)
    }

    /// The child that is this unit's main process, if none is known.
    fn main_process<'a>(&self, unit: UnitId, children: &'a [Child]) -> Option<&'a Child> {
        let u = &self.units[unit];
        let taken = |pid: i32| self.processes.iter().any(|p| p.pid == Some(pid));
        let mut argv = Vec::new();
        for a in &u.exec {
            argv.extend_from_slice(a.as_bytes());
            argv.push(0);
        }
        children
            .iter()
            .filter(|c| c.leads && c.unit.as_ref().is_some_and(|(n, _)| *n == u.name) && !taken(c.pid))
            .min_by_key(|c| (c.argv != argv, c.pid))
    }

    /// Helpers whose end was missed, helpers that nobody knows any more, and processes of units that are no more.
    fn end_strangers(&mut self, now: Millis, children: &[Child]) {
        let missed = |pid: i32| !children.iter().any(|c| c.pid == pid);
        while let Some(at) = self.desk.helpers.iter().position(|h| missed(h.pid)) {
            self.helper_ended(now, at, Exit::Signal(libc::SIGKILL));
        }
        for c in children {
            let known = match &c.unit {
                Some((name, _)) => self.units.iter().any(|u| u.name == *name),
                None => self.desk.helpers.iter().any(|h| h.pid == c.pid),
            };
            if known {
                continue;
            }
            match &c.unit {
                Some((name, generation)) => {
                    log::warn(&format!("process {} of unit {name}, which is no more, is ended", c.pid));
                    if self.paths.is_box() {
                        Group::of(name, *generation).kill();
                    } else {
                        process::kill_session(c.pid);
                    }
                }
                None if self.paths.is_box() => log::info(&format!("process {} belongs to nobody and is ended", c.pid)),
                // Below a root it may be anybody's.
                None => continue,
            }
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(c.pid), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

/// Every child of this process; zombies too, whose end is yet to be taken.
fn children(in_box: bool) -> Vec<Child> {
    let me = nix::unistd::getpid().as_raw();
    let mut found = Vec::new();
    process::each(|pid| {
        if process::parent(pid).is_none_or(|(parent, _)| parent != me) {
            return;
        }
        let unit = if in_box {
            cgroup::place_of(pid)
        } else {
            variable(pid).map(|name| (name, 0))
        };
        found.push(Child {
            pid,
            leads: process::session(pid) == Some(pid),
            unit,
            argv: fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default(),
        });
    });
    found
}

/// The unit that a process's environment names.
pub(super) fn variable(pid: i32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|b| *b == 0).find_map(|v| {
        let value = std::str::from_utf8(v).ok()?.strip_prefix(UNIT_VARIABLE)?;
        value.strip_prefix('=').map(str::to_owned)
    })
}
