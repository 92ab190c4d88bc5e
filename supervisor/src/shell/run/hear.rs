//! Inputs: children that ended, notifications, what helpers say.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{BURST, REAPED_MAX, Shell};
use crate::core::{Exit, Input, Millis, UnitId};
use crate::shell::fdstore::{Given, Stored};
use crate::shell::helper::Task;
use crate::shell::notify::{Message, Note};
use crate::shell::{cgroup, log, process};

/// Most descriptors that are kept for all units together: half of what a process may have open.
const STORED_MAX: usize = 512;

impl Shell {
    /// Takes children that have ended, whoever they were.
    pub(super) fn reap(&mut self, now: Millis) {
        self.unreaped = false;
        for n in 0.. {
            if n == REAPED_MAX {
                self.unreaped = true;
                break;
            }
            let status = match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => break,
                Ok(s) => s,
                Err(Errno::EINTR) => continue,
                Err(e) => {
                    log::error(&format!("waiting for children: {e}"));
                    break;
                }
            };
            let (pid, exit) = match status {
                WaitStatus::Exited(pid, code) => (pid.as_raw(), Exit::Code(code)),
                WaitStatus::Signaled(pid, signal, _) => (pid.as_raw(), Exit::Signal(signal as i32)),
                WaitStatus::Stopped(..) | WaitStatus::Continued(_) => continue,
                WaitStatus::PtraceEvent(..) | WaitStatus::PtraceSyscall(_) | WaitStatus::StillAlive => continue,
            };
            let main_of = |s: &Shell| s.processes.iter().position(|p| p.pid == Some(pid));
            if main_of(self).is_some() {
                // What it has said since it was last listened to; that may be which process is the main one now.
                self.read_notes();
            }
            if let Some(unit) = main_of(self) {
                self.main_ended(unit, pid, exit);
            } else if let Some(at) = self.desk.helpers.iter().position(|h| h.pid == pid) {
                self.helper_ended(now, at, exit);
            }
        }
    }

    pub(super) fn main_ended(&mut self, unit: UnitId, pid: i32, exit: Exit) {
        self.kill_rest(unit, pid);
        let p = &mut self.processes[unit];
        (p.pid, p.leader, p.foreign) = (None, None, false);
        self.desk.inputs.push_back(Input::Exited { unit, exit });
    }

    /// A helper is no more: its last words first.
    pub(super) fn helper_ended(&mut self, now: Millis, at: usize, exit: Exit) {
        let h = self.desk.helpers.swap_remove(at);
        while let Some((line, fd)) = h.next() {
            self.heard(now, h.task, &line, fd);
        }
        self.desk.update.ended(h.task, exit == Exit::Code(0));
        if let Some(m) = &mut self.machine {
            m.ended(now, h.task, exit, &mut self.desk);
        }
    }

    /// A helper said something.
    fn heard(&mut self, now: Millis, task: Task, line: &str, fd: Option<OwnedFd>) {
        match &mut self.machine {
            _ if matches!(task, Task::Update | Task::Slots) => self.desk.update.heard(line),
            Some(m) => m.heard(now, task, line, fd, &mut self.desk),
            None => {}
        }
    }

    pub(super) fn read_notes(&mut self) {
        for _ in 0..BURST {
            let Some(message) = self.notify.receive() else {
                return;
            };
            let Message {
                pid,
                notes,
                mut fds,
                wrong,
            } = message;
            let Some(unit) = self.unit_of(pid) else {
                self.complain(
                    None,
                    format_args!("a notification from process {pid}, which belongs to no unit"),
                );
                continue;
            };
            if let Some(wrong) = wrong {
                self.complain(Some(unit), format_args!("{wrong}"));
            }
            for note in notes {
                let input = match note {
                    Note::Ready => Input::Ready { unit },
                    Note::Heartbeat => Input::Heartbeat { unit },
                    Note::Stopping => Input::Stopping { unit },
                    Note::Status(text) => Input::Status { unit, text },
                    Note::Extend(by) => Input::Extend { unit, by },
                    Note::Interval(every) => Input::Interval { unit, every },
                    Note::Trigger => Input::Trigger { unit },
                    Note::Reloading => Input::Reloading { unit },
                    Note::Said(what) => Input::Said { unit, what },
                    Note::Main(pid) => {
                        self.main_named(unit, pid);
                        continue;
                    }
                    Note::Store { name, polled } => {
                        self.keep(unit, &name, polled, std::mem::take(&mut fds));
                        continue;
                    }
                    Note::Unstore { name } => {
                        self.processes[unit].store.remove(&name);
                        continue;
                    }
                };
                self.desk.inputs.push_back(input);
            }
        }
    }

    /// Takes descriptors into a unit's store.
    fn keep(&mut self, unit: UnitId, name: &str, polled: bool, fds: Vec<Given>) {
        for fd in fds {
            let others = self.processes.iter().enumerate().filter(|(n, _)| *n != unit);
            let taken: usize = others.map(|(_, p)| p.store.entries().len()).sum();
            let max = self.units[unit].fd_store_max.min(STORED_MAX.saturating_sub(taken));
            let stored = Stored {
                name: name.to_owned(),
                fd,
                polled,
            };
            if let Err(why) = self.processes[unit].store.add(max, stored) {
                self.complain(Some(unit), format_args!("a descriptor {name:?} was not kept: {why}"));
                // One datagram may carry hundreds, and the store stays full.
                return;
            }
        }
    }

    /// The unit a process belongs to: its main process, or one in its cgroup or session.
    pub(super) fn unit_of(&self, pid: i32) -> Option<UnitId> {
        if let Some(unit) = self.processes.iter().position(|p| p.pid == Some(pid)) {
            return Some(unit);
        }
        if self.paths.is_box() {
            let name = cgroup::unit_of(pid)?;
            return self.units.iter().position(|u| u.name == name);
        }
        let leader = process::session(pid)?;
        let leads = |p: &super::Process| p.leader.or(p.pid) == Some(leader);
        self.processes.iter().position(leads)
    }

    pub(super) fn read_helpers(&mut self, now: Millis) {
        for at in 0..self.desk.helpers.len() {
            for _ in 0..BURST {
                let Some(h) = self.desk.helpers.get(at) else { break };
                let task = h.task;
                let Some((line, fd)) = h.next() else { break };
                self.heard(now, task, &line, fd);
            }
        }
    }
}
