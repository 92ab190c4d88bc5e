//! The loop: waits on everything at once, carries inputs to the core and its actions out.
//!
//! One turn: take signals, reap, read every socket until it is empty, tick the core, act, feed the watchdog, publish the
//! status. Heartbeats are read before time is judged, so a PID 1 that was itself stopped for a while blames nobody.
//!
//! This file has the loop; `hear` carries inputs in, `act` carries actions out, `start` makes processes, `show` tells
//! others, `succeed` and `adopt` replace PID 1 while all of that goes on.

mod act;
mod adopt;
mod complain;
mod hear;
mod main_pid;
mod process;
mod show;
mod start;
mod succeed;
mod unread;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use rustix::event::{PollFd, PollFlags, Timespec};
use wire::boxes::Banner;
use wire::event::Severity;

use super::control::Control;
use super::credentials::Credentials;
use super::datagram::{self, Beside};
use super::desk::Desk;
use super::drain::Drain;
use super::notify::NotifySocket;
use super::paths::Paths;
use super::signals::Signals;
use super::sleep::sleep;
use super::watchdog::Watchdog;
use super::{clock, lock, log, pressure};
use crate::boot::Machine;
use crate::core::{Action, Core, Ending, Input, Millis, State, UnitId};
use crate::handover::fatal::{self, Snapshot};
use crate::quota::Quota;
use crate::unit::{self, Unit, UnitError};
use process::Process;

/// Longest sleep of the loop, in milliseconds: the watchdog and the milestones want to be looked at.
const TURN_MAX: Millis = 1_000;
/// Datagrams read from one socket in one turn, so that a babbling service cannot keep the loop.
const BURST: usize = 1_024;
/// Children taken in one turn: a unit whose processes end as fast as they are made must not keep the loop either.
const REAPED_MAX: usize = 4_096;
/// Malformed unit files that are told one by one.
const MALFORMED_MAX: usize = 5;
/// Inputs and actions for which there is room from the start, so that none of them asks for memory when it matters.
const ROOM: usize = 256;

/// What is expected where a folder or a socket of PID 1's own cannot be made.
const EXPECTED: [(io::ErrorKind, &str); 7] = [
    (io::ErrorKind::ReadOnlyFilesystem, "a folder that can be written"),
    (io::ErrorKind::PermissionDenied, "a folder that can be written"),
    (io::ErrorKind::AlreadyExists, "folders all the way: remove what is none"),
    (io::ErrorKind::NotADirectory, "folders all the way: remove what is none"),
    (io::ErrorKind::AddrInUse, "nothing there: remove it"),
    (io::ErrorKind::StorageFull, "room for it, and for one more file"),
    (
        io::ErrorKind::InvalidInput,
        "a shorter --root: a socket's path has at most 107 bytes",
    ),
];

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
    fingerprint: Option<String>,
    status_line: String,
    actions: Vec<Action>,
    /// Pressure, and when it was read.
    pressure: (u8, Millis),
    end: Option<(Ending, Millis)>,
    /// What the last turn slept on: taking it down is left until there is time.
    slept_on: Option<Epoll>,
    /// Stored descriptors that were found hung up.
    hung_up: Vec<RawFd>,
    /// Children may have ended that this turn has not taken.
    unreaped: bool,
    /// Units whose stack is to be described.
    dumps: Vec<UnitId>,
    snapshot: Snapshot,
    /// The log's own sockets.
    unread: Vec<(UnitId, usize, Drain)>,
    /// Kept, since dropping what stands in them must not ask for memory.
    beside: Beside,
    /// Complaints about those who belong to no unit.
    strangers: Quota,
    /// Somebody has asked for a fresh image of PID 1.
    replace: bool,
    /// Below a root: nobody else supervises there.
    _lock: Option<File>,
}

impl Shell {
    /// Reads the units and opens every socket; nothing is started yet.
    ///
    /// # Errors
    /// The runtime folder, or one of PID 1's own sockets, could not be made.
    pub fn new(paths: Paths, machine: Option<Machine>, desk: Desk, reboots: u32) -> io::Result<Shell> {
        at(&paths.run(), std::fs::create_dir_all(paths.run()))?;
        let lock = lock::take(&paths)?;
        let (mut units, malformed) = unit::load(&paths.units());
        unit::ports::more(&mut units, machine.as_ref().map_or(&[], Machine::ports));
        for e in &malformed {
            log::warn(&format!("unit left out: {e}"));
        }
        let core = Core::new(clock::now(), &units, reboots, seed());
        let unread = unread::of(&units, &paths);
        let mut shell = Shell {
            processes: units.iter().map(|_| Process::default()).collect(),
            sockets: units.iter().map(|u| u.listen.iter().map(|_| None).collect()).collect(),
            core,
            units,
            malformed,
            credentials: Credentials::default(),
            signals: Signals::install()?,
            notify: at(&paths.notify(), NotifySocket::bind(&paths.notify()))?,
            control: at(&paths.control(), Control::bind(&paths.control()))?,
            _lock: lock,
            desk,
            machine,
            watchdog: None,
            claim: None,
            fingerprint: None,
            status_line: String::new(),
            actions: Vec::with_capacity(ROOM),
            pressure: (0, 0),
            end: None,
            slept_on: None,
            hung_up: Vec::new(),
            unreaped: false,
            dumps: Vec::with_capacity(unit::UNITS_MAX),
            snapshot: Snapshot::default(),
            unread,
            beside: Beside::room(datagram::FDS_MAX),
            strangers: Quota::default(),
            replace: false,
            paths,
        };
        shell.desk.inputs.reserve(ROOM);
        shell.tell_malformed();
        for unit in 0..shell.units.len() {
            shell.open_sockets(unit);
        }
        Ok(shell)
    }

    fn tell_malformed(&mut self) {
        for e in self.malformed.iter().take(MALFORMED_MAX) {
            let text =
                format!("A unit file is malformed and was left out: {e}. Correct it; the others are not affected.");
            let severity = Severity::Warning;
            self.desk.banners.push(("unit".into(), Banner { severity, text }));
        }
        if let Some(more) = self.malformed.len().checked_sub(MALFORMED_MAX).filter(|n| *n > 0) {
            let text = format!("{more} more unit files are malformed and were left out; the log names them.");
            let severity = Severity::Warning;
            self.desk.banners.push(("unit".into(), Banner { severity, text }));
        }
    }

    /// Runs until the end of the machine, or of the process below a root; returns how it ended.
    ///
    /// # Errors
    /// The loop failed too often.
    pub fn run(&mut self) -> io::Result<Ending> {
        let mut now = clock::now();
        loop {
            // Whatever a bug does in one turn: children, sockets and state stay, and a fresh image goes on with them.
            let turn = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.turn(&mut now)));
            match turn {
                Ok(Ok(Some(ending))) => return Ok(ending),
                Ok(Ok(None)) => {}
                Ok(Err(e)) => self.failed(&format!("the loop failed: {e}"))?,
                Err(_) => self.failed("the loop panicked")?,
            }
        }
    }

    /// A fault of our own: a fresh image takes over. Comes back when that could not be made, to go on with this one.
    fn failed(&mut self, why: &str) -> io::Result<()> {
        log::error(why);
        if !fatal::again(clock::now()) {
            log::error("the supervisor's faults do not stop: hard reboot");
            return Err(io::Error::other(format!("{why}, again and again")));
        }
        let e = self.succeed_self(false);
        log::error(&format!(
            "no fresh image of PID 1 could be started ({e}): going on with this one"
        ));
        self.tell_fault();
        Ok(())
    }

    /// One turn of the loop; the ending when it was the last.
    fn turn(&mut self, now: &mut Millis) -> io::Result<Option<Ending>> {
        self.wait(*now)?;
        *now = clock::now();
        let now = *now;
        self.bury(now);
        self.listen(now);
        self.judge(now);
        self.tell(now);
        if std::mem::take(&mut self.replace) {
            let e = self.succeed_self(true);
            log::error(&format!("no fresh image of PID 1 could be started: {e}"));
            self.control
                .answer_asked(&serde_json::json!({ "error": format!("reexec: {e}") }).to_string());
        }
        Ok(self.farewell(now))
    }

    /// Takes the dead and starts again what may start at once. Asks for no memory, but for what was still said.
    pub fn bury(&mut self, now: Millis) {
        // Before any number can pass to another descriptor.
        self.drop_hung_up();
        // First what they have said, which belongs to the next process: a descriptor stored at the very end.
        self.read_notes();
        self.reap(now);
        self.watch_foreign();
        self.pump(now);
    }

    /// Reads whatever anybody has to say, before time is judged.
    pub fn listen(&mut self, now: Millis) {
        #[cfg(debug_assertions)]
        self.provoked();
        let asked = self.signals.take();
        self.asked_to_end(asked);
        self.read_notes();
        self.drain(now);
        self.read_helpers(now);
        self.desk.stateful_run =
            (0..self.units.len()).any(|u| self.units[u].state_directory.is_some() && self.core.state(u).runs());
        self.desk.served = self.core.has_served();
        self.desk.reboots = self.core.reboots();
        if let Some(m) = &mut self.machine {
            m.turn(now, &mut self.desk);
        }
        self.take_desk();
        if self.machine.is_some() && now.saturating_sub(self.pressure.1) >= TURN_MAX {
            self.pressure = (pressure::percent(), now);
        }
        self.pump(now);
    }

    /// Lets the core see the time: deadlines, the ladder, kills and restarts. Asks for no memory.
    pub fn judge(&mut self, now: Millis) {
        let pressure = self.pressure.0;
        self.desk.inputs.push_back(Input::Tick { pressure });
        self.pump(now);
    }

    /// Feeds the watchdog, tells others, and keeps a copy of all that is known.
    pub fn tell(&mut self, now: Millis) {
        self.tell_all_left_out(now);
        fatal::remember(self.core.reboots(), &self.desk.boot.slot);
        self.feed(now);
        self.describe();
        self.publish(now);
    }

    /// Tests see a panic survived.
    #[cfg(debug_assertions)]
    fn provoked(&self) {
        assert!(!self.signals.provoked(), "a panic was asked for");
    }

    fn asked_to_end(&mut self, (stop, power): (bool, bool)) {
        if !stop && !power {
            return;
        }
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

    /// Sleeps until something happens or the next deadline.
    ///
    /// # Errors
    /// `epoll` itself failed.
    pub fn wait(&mut self, now: Millis) -> io::Result<()> {
        /// Marks a stored descriptor; the number is in the lower half.
        const STORED: u64 = 1 << 32;
        let due = self.core.next_deadline().map_or(TURN_MAX, |at| at.saturating_sub(now));
        let ms = if self.desk.inputs.is_empty() && !self.unreaped {
            due.min(self.drain_due().unwrap_or(TURN_MAX))
        } else {
            0
        };
        drop(self.slept_on.take());
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut fds: Vec<(BorrowedFd<'_>, bool)> = self.signals.fds().into_iter().map(|f| (f, false)).collect();
        fds.push((self.notify.as_fd(), false));
        fds.extend(self.control.fds());
        fds.extend(self.desk.helpers.iter().map(|h| (h.as_fd(), false)));
        if let Some(m) = &self.machine {
            fds.extend(m.fds().map(|f| (f, false)));
        }
        for (fd, writes) in fds {
            let mut flags = EpollFlags::EPOLLIN;
            flags.set(EpollFlags::EPOLLOUT, writes);
            epoll.add(fd, EpollEvent::new(flags, 0))?;
        }
        for fd in self.processes.iter().flat_map(|p| p.store.polled()) {
            // Only hang-ups, which are always told. What cannot be polled (a regular file) never hangs up.
            let number = u64::from(fd.as_raw_fd().unsigned_abs());
            let _ = epoll.add(fd, EpollEvent::new(EpollFlags::empty(), STORED | number));
        }
        let epoll = &*self.slept_on.insert(epoll);
        if ms > 0 {
            let at_most = Timespec::try_from(Duration::from_millis(ms)).unwrap_or_default();
            match sleep(&mut [PollFd::new(&epoll.0, PollFlags::IN)], Some(&at_most)) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        let mut events = [EpollEvent::empty(); 32];
        match epoll.wait(&mut events, EpollTimeout::ZERO) {
            Ok(n) => {
                let marked = events[..n].iter().map(EpollEvent::data).filter(|d| d & STORED != 0);
                self.hung_up
                    .extend(marked.filter_map(|d| RawFd::try_from(d & (STORED - 1)).ok()));
                Ok(())
            }
            Err(Errno::EINTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    fn drop_hung_up(&mut self) {
        while let Some(fd) = self.hung_up.pop() {
            for unit in 0..self.processes.len() {
                if let Some(s) = self.processes[unit].store.hung_up(fd) {
                    self.complain(
                        Some(unit),
                        format_args!("stored descriptor {:?} hung up and is dropped", s.name),
                    );
                }
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
        let (ending, at) = self.end?;
        if let Some(m) = &mut self.machine
            && !m.may_end(now >= at, &mut self.desk)
        {
            return None;
        }
        if let Some(w) = self.watchdog.take() {
            match ending {
                Ending::PowerOff => w.disarm(),
                Ending::Reboot => {
                    let mut w = w;
                    w.lengthen_for_reboot();
                    w.leave_armed();
                }
            }
        }
        Some(ending)
    }
}

/// A failure with the path at which something could not be made, and what is expected there.
fn at<T>(path: &Path, made: io::Result<T>) -> io::Result<T> {
    made.map_err(|e| {
        let expected = EXPECTED.iter().find(|(kind, _)| *kind == e.kind());
        let expected = expected
            .map(|(_, words)| format!("; expected {words}"))
            .unwrap_or_default();
        io::Error::new(e.kind(), format!("{}: {e}{expected}", path.display()))
    })
}

/// For the jitter of back-off times.
fn seed() -> u64 {
    let wall = wire::Time::now().as_nanosecond().unsigned_abs();
    clock::now() ^ u64::from(std::process::id()) << 32 ^ u64::try_from(wall & u128::from(u64::MAX)).unwrap_or(1)
}
