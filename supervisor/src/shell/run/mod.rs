//! The loop: waits on everything at once, carries inputs to the core and its actions out.
//!
//! One turn: take signals, reap, read every socket until it is empty, tick the core, act, feed the watchdog, publish the
//! status. Heartbeats are read before time is judged, so a PID 1 that was itself stopped for a while blames nobody.
//!
//! This file has the loop; `hear` carries inputs in, `act` carries actions out, `start` makes processes, `show` tells
//! others.

mod act;
mod hear;
mod panics;
mod process;
mod show;
mod start;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use wire::boxes::Banner;
use wire::event::Severity;

use super::control::Control;
use super::credentials::Credentials;
use super::desk::Desk;
use super::helper::Task;
use super::notify::NotifySocket;
use super::paths::Paths;
use super::signals::Signals;
use super::watchdog::Watchdog;
use super::{clock, log, pressure};
use crate::boot::Machine;
use crate::core::{Action, Core, Ending, Input, Millis, State};
use crate::unit::{self, Unit, UnitError};
use panics::Panics;
use process::Process;

/// Longest sleep of the loop, in milliseconds: the watchdog and the milestones want to be looked at.
const TURN_MAX: Millis = 1_000;
/// Datagrams read from one socket in one turn, so that a babbling service cannot keep the loop.
const BURST: usize = 1_024;

/// PID 1, or an ordinary process below a root.
#[derive(Debug)]
pub struct Shell {
    paths: Paths,
    core: Core,
    units: Vec<Unit>,
    malformed: Vec<UnitError>,
    processes: Vec<Process>,
    sockets: Vec<Vec<Option<OwnedFd>>>,
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
    end: Option<(Ending, Millis)>,
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

    /// Whether the end has come: the last writes are done, or their time is up.
    fn farewell(&mut self, now: Millis) -> Option<Ending> {
        let (ending, at) = self.end.as_ref()?;
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
