//! The loop: waits on everything at once, carries inputs to the core and its actions out.
//!
//! One turn: take signals, reap, read every socket until it is empty, tick the core, act, feed the watchdog, publish the
//! status. Heartbeats are read before time is judged, so a PID 1 that was itself stopped for a while blames nobody.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use wire::boxes::Banner;
use wire::event::Severity;
use wire::supervisor::{Status, UnitState, UnitView};

use super::control::{Control, Wish};
use super::credentials::Credentials;
use super::desk::Desk;
use super::helper::Task;
use super::notify::{Note, NotifySocket};
use super::paths::Paths;
use super::signals::Signals;
use super::spawn::{Prepared, Surroundings};
use super::watchdog::Watchdog;
use super::{cgroup, clock, log, pressure, process, sockets, users};
use crate::boot::Machine;
use crate::core::{Action, Core, Ending, Exit, Input, Millis, State, UnitId};
use crate::unit::{self, Unit, UnitError};

/// Longest sleep of the loop, in milliseconds: the watchdog and the milestones want to be looked at.
const TURN_MAX: Millis = 1_000;
/// Datagrams read from one socket in one turn, so that a babbling service cannot keep the loop.
const BURST: usize = 1_024;
/// How long the last writes may take, in milliseconds.
const FAREWELL_MAX: Millis = 10_000;

/// One unit's process.
#[derive(Debug, Default)]
struct Process {
    pid: Option<i32>,
    prepared: Option<Prepared>,
    /// Groups that had to be left behind.
    generation: u32,
    cgroup: Option<PathBuf>,
    /// `since` of the core's record, and the wall-clock time that was shown for it.
    shown_since: Option<(Millis, wire::Time)>,
}

/// Faults of the supervisor itself that are survived: so many within so long.
const PANICS_MAX: usize = 3;
/// In milliseconds.
const PANICS_WITHIN: Millis = 60_000;

/// When the supervisor panicked lately.
#[derive(Debug, Default)]
struct Panics(Vec<Millis>);

impl Panics {
    /// Counts one more; `false` when there were too many for the loop to go on.
    fn again(&mut self, now: Millis) -> bool {
        self.0.retain(|at| now.saturating_sub(*at) < PANICS_WITHIN);
        self.0.push(now);
        self.0.len() <= PANICS_MAX
    }
}

/// PID 1, or an ordinary process below a root.
#[derive(Debug)]
pub struct Shell {
    paths: Paths,
    core: Core,
    units: Vec<Unit>,
    malformed: Vec<UnitError>,
    processes: Vec<Process>,
    sockets: Vec<Vec<Option<std::os::fd::OwnedFd>>>,
    credentials: Credentials,
    signals: Signals,
    notify: NotifySocket,
    control: Control,
    desk: Desk,
    machine: Option<Machine>,
    watchdog: Option<Watchdog>,
    claim: Option<String>,
    status_line: String,
    actions: Vec<Action>,
    /// Pressure, and when it was read.
    pressure: (u8, Millis),
    end: Option<(Ending, Millis, String)>,
}

impl Shell {
    /// Reads the units and opens every socket; nothing is started yet.
    ///
    /// # Errors
    /// The runtime folder, or one of PID 1's own sockets, could not be made.
    pub fn new(paths: Paths, machine: Option<Machine>, desk: Desk, reboots: u32) -> io::Result<Shell> {
        std::fs::create_dir_all(paths.run())?;
        let (mut units, malformed) = unit::load(&paths.units());
        units.retain(|u| !desk.left_out.contains(&u.name));
        for e in &malformed {
            log::warn(&format!("unit left out: {e}"));
        }
        let now = clock::now();
        let seed = now ^ u64::from(std::process::id()) << 32 ^ wire::Time::now().as_nanosecond().unsigned_abs() as u64;
        let core = Core::new(now, &units, reboots, seed);
        let signals = Signals::install()?;
        let notify = NotifySocket::bind(&paths.notify())?;
        let control = Control::bind(&paths.control())?;
        let mut shell = Shell {
            processes: units.iter().map(|_| Process::default()).collect(),
            sockets: units.iter().map(|u| u.listen.iter().map(|_| None).collect()).collect(),
            core,
            units,
            malformed,
            credentials: Credentials::default(),
            signals,
            notify,
            control,
            desk,
            machine,
            watchdog: None,
            claim: None,
            status_line: String::new(),
            actions: Vec::with_capacity(64),
            pressure: (0, 0),
            end: None,
            paths,
        };
        for e in &shell.malformed {
            let text =
                format!("A unit file is malformed and was left out: {e}. Correct it; the others are not affected.");
            shell.desk.banners.push((
                "unit",
                Banner {
                    severity: Severity::Warning,
                    text,
                },
            ));
        }
        for unit in 0..shell.units.len() {
            shell.open_sockets(unit);
        }
        Ok(shell)
    }

    /// Runs until the end of the machine, or of the process below a root; returns how it ended.
    ///
    /// # Errors
    /// `epoll` itself failed.
    pub fn run(&mut self) -> io::Result<Ending> {
        let mut now = clock::now();
        if let Some(m) = &mut self.machine {
            m.begin(now, &mut self.desk);
        }
        let mut panics = Panics::default();
        loop {
            // Whatever a bug does in one turn, children, sockets and state stay, and the next turn goes on with them.
            let turn = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.turn(&mut now)));
            match turn {
                Ok(result) => {
                    if let Some(ending) = result? {
                        return Ok(ending);
                    }
                }
                Err(_) if panics.again(clock::now()) => {
                    self.desk.banner(
                        "panic",
                        Severity::Critical,
                        "The supervisor has met a fault of its own and goes on. Its log has the place; report it."
                            .into(),
                    );
                }
                Err(_) => {
                    log::error("the supervisor's faults do not stop: hard reboot");
                    return Err(io::Error::other("the supervisor panicked again and again"));
                }
            }
        }
    }

    /// One turn of the loop; the ending when it was the last.
    fn turn(&mut self, now: &mut Millis) -> io::Result<Option<Ending>> {
        self.wait(*now)?;
        *now = clock::now();
        let now = *now;
        self.reap(now);
        let (stop, power) = self.signals.take();
        if stop || power {
            let ending = if stop && !power && self.paths.is_box() {
                Ending::Reboot
            } else {
                Ending::PowerOff
            };
            self.desk.inputs.push_back(Input::Shutdown {
                ending,
                why: "asked for by a signal".into(),
            });
        }
        self.read_notes();
        self.read_helpers(now);
        self.desk.stateful_run =
            (0..self.units.len()).any(|u| self.units[u].state_directory.is_some() && self.core.state(u).runs());
        if let Some(m) = &mut self.machine {
            m.turn(now, &mut self.desk);
        }
        self.take_desk();
        if self.machine.is_some() && now.saturating_sub(self.pressure.1) >= TURN_MAX {
            self.pressure = (pressure::percent(), now);
        }
        self.desk.inputs.push_back(Input::Tick {
            pressure: self.pressure.0,
        });
        self.pump(now);
        self.feed(now);
        self.publish(now);
        Ok(self.farewell(now))
    }

    /// Sleeps until something happens or the next deadline.
    fn wait(&mut self, now: Millis) -> io::Result<()> {
        let due = self.core.next_deadline().map_or(TURN_MAX, |at| at.saturating_sub(now));
        let ms = if self.desk.inputs.is_empty() {
            due.min(TURN_MAX)
        } else {
            0
        };
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let read = || EpollEvent::new(EpollFlags::EPOLLIN, 0);
        let mut fds: Vec<(BorrowedFd<'_>, bool)> = self.signals.fds().into_iter().map(|f| (f, false)).collect();
        fds.push((self.notify.as_fd(), false));
        fds.extend(self.control.fds());
        fds.extend(self.desk.helpers.iter().map(|h| (h.as_fd(), false)));
        if let Some(m) = &self.machine {
            fds.extend(m.fds().map(|f| (f, false)));
        }
        for (fd, writes) in fds {
            let event = if writes {
                EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT, 0)
            } else {
                read()
            };
            epoll.add(fd, event)?;
        }
        let mut events = [EpollEvent::empty(); 32];
        let timeout = EpollTimeout::try_from(u16::try_from(ms).unwrap_or(1_000)).unwrap_or(EpollTimeout::ZERO);
        match epoll.wait(&mut events, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Takes every child that has ended, whoever it was.
    fn reap(&mut self, now: Millis) {
        loop {
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
                _ => continue,
            };
            if let Some(unit) = self.processes.iter().position(|p| p.pid == Some(pid)) {
                self.processes[unit].pid = None;
                self.kill_rest(unit, pid);
                self.desk.inputs.push_back(Input::Exited { unit, exit });
            } else if let Some(at) = self.desk.helpers.iter().position(|h| h.pid == pid) {
                // Its last words first.
                let h = self.desk.helpers.swap_remove(at);
                while let Some((line, fd)) = h.next() {
                    if let Some(m) = &mut self.machine {
                        m.heard(now, h.task, &line, fd, &mut self.desk);
                    }
                }
                if let Some(m) = &mut self.machine {
                    m.ended(now, h.task, exit, &mut self.desk);
                }
            }
        }
    }

    /// Kills what a unit's main process has left behind.
    fn kill_rest(&self, unit: UnitId, leader: i32) {
        match &self.processes[unit].cgroup {
            Some(dir) => {
                cgroup::kill(dir);
            }
            None => process::kill_session(leader),
        }
    }

    fn read_notes(&mut self) {
        for _ in 0..BURST {
            let Some((pid, notes)) = self.notify.next() else { return };
            let Some(unit) = self.unit_of(pid) else {
                log::info(&format!("a notification from process {pid}, which belongs to no unit"));
                continue;
            };
            for note in notes {
                self.desk.inputs.push_back(match note {
                    Note::Ready => Input::Ready { unit },
                    Note::Beat => Input::Beat { unit },
                    Note::Status(text) => Input::Status { unit, text },
                    Note::Extend(by) => Input::Extend { unit, by },
                });
            }
        }
    }

    /// The unit a process belongs to: its main process, or one in its cgroup or session.
    fn unit_of(&self, pid: i32) -> Option<UnitId> {
        if let Some(unit) = self.processes.iter().position(|p| p.pid == Some(pid)) {
            return Some(unit);
        }
        if self.paths.is_box() {
            let name = cgroup::unit_of(pid)?;
            return self.units.iter().position(|u| u.name == name);
        }
        let leader = process::session(pid)?;
        self.processes.iter().position(|p| p.pid == Some(leader))
    }

    fn read_helpers(&mut self, now: Millis) {
        let Some(m) = &mut self.machine else { return };
        for at in 0..self.desk.helpers.len() {
            for _ in 0..BURST {
                let Some(h) = self.desk.helpers.get(at) else { break };
                let task = h.task;
                let Some((line, fd)) = h.next() else { break };
                m.heard(now, task, &line, fd, &mut self.desk);
            }
        }
    }

    fn take_desk(&mut self) {
        if std::mem::take(&mut self.desk.env_changed) {
            for p in &mut self.processes {
                p.prepared = None;
            }
        }
        if let Some(why) = self.desk.state_moved.take() {
            for (unit, u) in self.units.iter().enumerate() {
                if u.state_directory.is_some()
                    && (self.core.state(unit).runs() || !matches!(self.core.state(unit), State::Waiting))
                {
                    self.desk.inputs.push_back(Input::Restart { unit, why: why.clone() });
                }
            }
        }
    }

    /// Steps the core with every waiting input and does what it says, until nothing is left.
    fn pump(&mut self, now: Millis) {
        while let Some(input) = self.desk.inputs.pop_front() {
            let mut actions = std::mem::take(&mut self.actions);
            self.core.step(now, input, &mut actions);
            for action in actions.drain(..) {
                self.act(now, action);
            }
            self.actions = actions;
        }
    }

    fn act(&mut self, now: Millis, action: Action) {
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
            Action::Abort(unit) => self.signal(unit, Signal::SIGABRT),
            Action::Kill(unit) => {
                if let Some(pid) = self.processes[unit].pid {
                    self.kill_rest(unit, pid);
                    self.signal(unit, Signal::SIGKILL);
                }
            }
            Action::Dump(unit) => {
                if let Some(pid) = self.processes[unit].pid {
                    log::warn(&format!("{}: {}", self.units[unit].name, process::describe(pid)));
                }
            }
            Action::Abandon(unit) => {
                let p = &mut self.processes[unit];
                p.pid = None;
                p.generation += 1;
                p.cgroup = None;
            }
            Action::Log { unit, text } => match unit {
                Some(unit) => log::info(&format!("{}: {text}", self.units[unit].name)),
                None => log::warn(&text),
            },
            Action::End { ending, hard, why } => {
                log::warn(&format!(
                    "end of the machine ({ending:?}{}): {why}",
                    if hard { ", hard" } else { "" }
                ));
                let at = now + if hard { FAREWELL_MAX / 3 } else { FAREWELL_MAX };
                if let Some(m) = &mut self.machine {
                    m.farewell(&why, self.core.verdict().is_some(), &mut self.desk);
                }
                self.end = Some((ending, at, why));
            }
        }
    }

    fn signal(&self, unit: UnitId, signal: Signal) {
        if let Some(pid) = self.processes[unit].pid {
            let _ = kill(Pid::from_raw(pid), signal);
            if signal == Signal::SIGTERM {
                // A stopped process would sleep through it.
                let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
            }
        }
    }

    fn spawn(&mut self, unit: UnitId) -> io::Result<()> {
        self.open_sockets(unit);
        if self.processes[unit].prepared.is_none() {
            self.processes[unit].prepared = Some(self.prepare(unit)?);
        }
        if self.paths.is_box() && self.processes[unit].cgroup.is_none() {
            let dir = cgroup::path(&self.units[unit].name, self.processes[unit].generation);
            cgroup::make(&dir, &self.units[unit])?;
            self.processes[unit].cgroup = Some(dir);
        }
        let p = &mut self.processes[unit];
        if let Some(prepared) = &p.prepared {
            p.pid = Some(prepared.start(p.cgroup.as_deref())?);
        }
        Ok(())
    }

    fn prepare(&mut self, unit: UnitId) -> io::Result<Prepared> {
        let u = &self.units[unit];
        let passwd = self.paths.at(std::path::Path::new("/etc/passwd"));
        let user = users::find(&passwd, &u.user).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("user {:?} is not in {}", u.user, passwd.display()),
            )
        })?;
        let owner = self.paths.is_box().then_some(user);
        let mut env: Vec<(String, String)> = vec![("NOTIFY_SOCKET".into(), self.paths.notify().display().to_string())];
        if let Some(dir) = self.credentials.provide(&self.paths.run(), u, owner)? {
            env.push(("CREDENTIALS_DIRECTORY".into(), dir.display().to_string()));
        }
        let state = u.state_directory.as_ref().map(|d| self.paths.state().join(d));
        if let Some(dir) = &state {
            env.push(("STATE_DIRECTORY".into(), dir.display().to_string()));
        }
        env.push(("KILN_CONTROL_SOCKET".into(), self.paths.control().display().to_string()));
        env.extend(u.environment.iter().map(|(k, v)| (k.clone(), v.clone())));
        env.extend(self.desk.env.iter().cloned());
        let mut listen = Vec::with_capacity(u.listen.len());
        for (l, fd) in u.listen.iter().zip(&self.sockets[unit]) {
            match fd {
                Some(fd) => listen.push(fd.try_clone()?),
                None => {
                    return Err(io::Error::new(
                        io::ErrorKind::AddrNotAvailable,
                        format!("socket {:?} could not be opened", l.name),
                    ));
                }
            }
        }
        let stdout = self.paths.stdout();
        // Whoever reads that socket must not write to it.
        let reads_it = u
            .listen
            .iter()
            .any(|l| matches!(&l.address, unit::Address::Datagram(p) if self.paths.at(p) == stdout));
        Prepared::new(
            u,
            Surroundings {
                env,
                listen,
                user,
                state,
                stdout: (!reads_it && self.paths.is_box()).then_some(stdout.as_path()),
                sandbox: self.paths.is_box(),
            },
        )
    }

    fn open_sockets(&mut self, unit: UnitId) {
        for (l, slot) in self.units[unit].listen.iter().zip(&mut self.sockets[unit]) {
            if slot.is_none() {
                match sockets::open(l, &self.paths) {
                    Ok(fd) => *slot = Some(fd),
                    Err(e) => log::error(&format!("{}: socket {:?}: {e}", self.units[unit].name, l.name)),
                }
            }
        }
    }

    fn feed(&mut self, now: Millis) {
        if self.machine.is_none() {
            return;
        }
        if self.watchdog.is_none() {
            self.watchdog = Watchdog::open(now);
            if let (Some(w), Some(m)) = (&self.watchdog, &mut self.machine) {
                log::info(&format!("watchdog {:?} armed, {} s", w.name, w.timeout()));
                m.watchdog_found(w.reset_us, &mut self.desk);
            }
        }
        if let Some(w) = &mut self.watchdog
            && self.core.feeds_watchdog()
        {
            w.feed(now);
        }
    }

    fn publish(&mut self, now: Millis) {
        let status = self.status(now);
        let line = serde_json::to_string(&status).unwrap_or_default();
        if line != self.status_line && line.len() < wire::supervisor::LINE_MAX {
            self.status_line = line;
            self.control.publish(&self.status_line);
            if let Some(m) = &mut self.machine {
                m.show(&status, self.claim.as_deref(), &self.desk);
            }
        }
        for wish in self.control.serve(&self.status_line) {
            match wish {
                Wish::Claim { code, uid } => self.show_claim(code, uid, &status),
            }
        }
    }

    /// Only root and the server may put something on the console.
    fn show_claim(&mut self, code: Option<String>, uid: Option<u32>, status: &Status) {
        let mine = nix::unistd::getuid().as_raw();
        let servers = self
            .units
            .iter()
            .filter(|u| u.critical)
            .filter_map(|u| users::find(&self.paths.at(std::path::Path::new("/etc/passwd")), &u.user));
        if uid != Some(0) && uid != Some(mine) && !servers.map(|u| u.uid).any(|u| uid == Some(u)) {
            log::warn(&format!("a process of user {uid:?} wanted to show a claim code"));
            return;
        }
        let code = code.filter(|c| c.len() <= 32 && c.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        if self.claim == code {
            return;
        }
        self.claim = code;
        if let Some(m) = &mut self.machine {
            m.show(status, self.claim.as_deref(), &self.desk);
        } else if let Some(code) = &self.claim {
            log::info(&format!("claim: {code}"));
        }
    }

    fn status(&mut self, now: Millis) -> Status {
        let mut units = Vec::with_capacity(self.units.len());
        for (id, u) in self.units.iter().enumerate() {
            let Some(facts) = self.core.view(id) else { continue };
            let p = &mut self.processes[id];
            let since = match p.shown_since {
                Some((ms, at)) if ms == facts.since => at,
                _ => {
                    let ago = i64::try_from(now.saturating_sub(facts.since)).unwrap_or(0);
                    let at = wire::Time::from_millisecond(wire::Time::now().as_millisecond() - ago).unwrap_or_default();
                    p.shown_since = Some((facts.since, at));
                    at
                }
            };
            units.push(UnitView {
                name: u.name.clone(),
                state: facts.state.view(),
                rung: facts.rung,
                reason: facts.reason.to_owned(),
                status: facts.status.to_owned(),
                restarts: facts.restarts,
                pid: p.pid,
                since,
            });
        }
        for e in &self.malformed {
            units.push(UnitView {
                name: e.file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                state: UnitState::Failed,
                rung: None,
                reason: e.to_string(),
                status: String::new(),
                restarts: 0,
                pid: None,
                since: wire::Time::UNIX_EPOCH,
            });
        }
        units.sort_by(|a, b| a.name.cmp(&b.name));
        Status {
            host: self.desk.host.clone(),
            addresses: self.desk.addresses.clone(),
            units,
            boot: self.desk.boot.clone(),
            banners: self.desk.banners.iter().map(|(_, b)| b.clone()).collect(),
        }
    }

    /// Whether the end has come: the last writes are done, or their time is up.
    fn farewell(&mut self, now: Millis) -> Option<Ending> {
        let (ending, at, _) = self.end.as_ref()?;
        if self.desk.runs(Task::Farewell) && now < *at {
            return None;
        }
        let ending = *ending;
        if let Some(w) = self.watchdog.take() {
            match ending {
                Ending::PowerOff => w.disarm(),
                Ending::Reboot => {
                    let mut w = w;
                    w.lengthen_for_reboot();
                    // Stays armed: the descriptor is never closed by us.
                    std::mem::forget(w);
                }
            }
        }
        Some(ending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_faults_are_survived_and_a_stream_of_them_is_not() {
        let mut p = Panics::default();
        assert!((0..10).all(|n| p.again(n * PANICS_WITHIN)));
        let now = 100 * PANICS_WITHIN;
        assert!((0..3).all(|n| p.again(now + n)));
        assert!(!p.again(now + 4));
    }
}
