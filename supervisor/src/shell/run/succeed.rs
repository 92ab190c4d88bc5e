//! Handing everything on to a fresh image of PID 1, and taking it over.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;

use wire::event::Severity;

use super::process::Process;
use super::{ROOM, Shell, seed, unread};
use crate::boot::Machine;
use crate::boot::end::record;
use crate::core::{Core, Millis};
use crate::handover::fatal::{self, Snapshot};
use crate::handover::fds::{self, Inherited};
use crate::handover::state::{self, State};
use crate::handover::{Refused, exec, memfd};
use crate::quota::Quota;
use crate::shell::cgroup::Group;
use crate::shell::control::Control;
use crate::shell::credentials::Credentials;
use crate::shell::datagram::{self, Beside};
use crate::shell::desk::Desk;
use crate::shell::fdstore::{Store, Stored};
use crate::shell::helper::Task;
use crate::shell::notify::NotifySocket;
use crate::shell::paths::Paths;
use crate::shell::signals::{Blocked, Signals};
use crate::shell::watchdog::Watchdog;
use crate::shell::{clock, lock, log, sockets};
use crate::unit::{self, Unit, UnitError};

/// A fault so short a time ago is what this image was started for, in milliseconds.
const FAULT_RECENT: Millis = 10_000;

/// What is taken over: the same whether it was written down or looked for.
struct Estate {
    units: Vec<Unit>,
    malformed: Vec<UnitError>,
    core: Core,
    processes: Vec<Process>,
    sockets: Vec<Vec<Option<OwnedFd>>>,
    credentials: Credentials,
    notify: NotifySocket,
    control: Control,
    desk: Desk,
    machine: Option<Machine>,
    watchdog: Option<Watchdog>,
}

impl Shell {
    /// All that is known, as plain data.
    fn state(&self) -> State {
        let (control, clients) = self.control.state();
        let process = |(p, sockets): (&Process, &Vec<Option<OwnedFd>>)| state::Process {
            pid: p.pid,
            leader: p.leader,
            foreign: p.foreign,
            generation: p.generation,
            group: p.group.is_some(),
            sockets: sockets.iter().map(|s| s.as_ref().map(AsRawFd::as_raw_fd)).collect(),
            store: p
                .store
                .entries()
                .iter()
                .map(|s| (s.name.clone(), s.fd.as_raw_fd(), s.polled))
                .collect(),
            shown_since: p.shown_since,
        };
        State {
            units: self.units.clone(),
            malformed: self.malformed.clone(),
            core: self.core.clone(),
            processes: self.processes.iter().zip(&self.sockets).map(process).collect(),
            credentials: self.credentials.0.clone(),
            notify: self.notify.as_fd().as_raw_fd(),
            control,
            clients,
            desk: self.desk.state(),
            machine: self.machine.as_ref().map(Machine::state),
            watchdog: self.watchdog.as_ref().map(Watchdog::state),
            claim: self.claim.clone(),
            fingerprint: self.fingerprint.clone(),
            end: self.end,
            faults: fatal::faults(),
        }
    }

    /// Keeps a copy of the state where a fatal signal finds it.
    pub(super) fn keep_snapshot(&mut self) {
        let state = self.state();
        match state.write(std::process::id(), self.snapshot.spare()) {
            Ok(()) => self.snapshot.show(),
            Err(e) => log::error(&format!("no copy of the state could be made: {e}")),
        }
    }

    /// Becomes a fresh image of PID 1; `newest`: of the program that lies at its path now. Comes back with the error
    /// when that fails.
    pub(super) fn succeed_self(&mut self, newest: bool) -> io::Error {
        log::warn("PID 1 is replaced by a fresh image of itself; units go on");
        // Blocked signals wait until the fresh image can take them.
        let _blocked = Blocked::all();
        let asked = self.signals.take();
        self.asked_to_end(asked);
        let written = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut bytes = Vec::new();
            self.state().write(std::process::id(), &mut bytes)?;
            memfd::write(&bytes).map_err(|e| Refused(io::Error::from_raw_os_error(e).to_string()))
        }));
        let heir = match written {
            Ok(Ok(fd)) => Some(fd),
            Ok(Err(e)) => {
                log::error(&format!("the state could not be written down: {e}"));
                None
            }
            Err(_) => None,
        };
        let e = exec::replace(newest, heir, &fatal::faults());
        if let Some(fd) = heir {
            let _ = nix::unistd::close(fd);
        }
        io::Error::from_raw_os_error(e)
    }

    /// Takes over from an earlier image: by its state in memory file `heir`, else by what can be found.
    ///
    /// # Errors
    /// PID 1's own sockets could neither be taken over nor made.
    pub fn succeed(paths: Paths, heir: Option<RawFd>, mut fds: Inherited) -> io::Result<Shell> {
        let now = clock::now();
        let read = heir
            .ok_or_else(|| Refused("none was handed over".into()))
            .and_then(|fd| fds.take(fd))
            .and_then(|fd| memfd::read(&fd))
            .and_then(|bytes| State::read(&bytes, std::process::id()));
        let (estate, (claim, fingerprint), end, kept) = match read {
            Ok(s) => {
                let (shown, end) = ((s.claim.clone(), s.fingerprint.clone()), s.end);
                (Estate::of(&paths, s, &mut fds)?, shown, end, true)
            }
            Err(why) => {
                log::error(&format!(
                    "PID 1's state cannot be used: {why}; taking over what can be found"
                ));
                (Estate::found(&paths, now, &mut fds)?, (None, None), None, false)
            }
        };
        // Closes what nobody has taken.
        drop(fds);
        let mut shell = Shell {
            // The image before had it until its last call; who was quicker than this is none that units depend on.
            _lock: lock::take(&paths).ok().flatten(),
            unread: unread::of(&estate.units, &paths),
            paths,
            core: estate.core,
            units: estate.units,
            malformed: estate.malformed,
            processes: estate.processes,
            sockets: estate.sockets,
            credentials: estate.credentials,
            signals: Signals::install()?,
            notify: estate.notify,
            control: estate.control,
            desk: estate.desk,
            machine: estate.machine,
            watchdog: estate.watchdog,
            claim,
            fingerprint,
            status_line: String::new(),
            actions: Vec::with_capacity(ROOM),
            pressure: (0, 0),
            end,
            slept_on: None,
            hung_up: Vec::new(),
            // Some may have ended in between, whose signal the image before has taken.
            unreaped: true,
            dumps: Vec::with_capacity(unit::UNITS_MAX),
            snapshot: Snapshot::default(),
            beside: Beside::room(datagram::FDS_MAX),
            strangers: Quota::default(),
            replace: false,
        };
        shell.desk.inputs.reserve(ROOM);
        shell.feed(now);
        let (adopted, lost) = shell.adopt(now, !kept);
        let how = if kept { "with its state" } else { "without its state" };
        log::warn(&format!(
            "PID 1 goes on {how}: {adopted} units' processes kept, {lost} lost"
        ));
        if !kept {
            shell.tell_malformed();
            shell.desk.banner(
                "notes",
                Severity::Warning,
                "PID 1 restarted and could not read its saved state: services keep running, restart counts and reasons since boot are lost."
                    .into(),
            );
        }
        if now.saturating_sub(fatal::faults().0.into_iter().max().unwrap_or(0)) < FAULT_RECENT {
            shell.tell_fault();
        }
        let kept = if kept { "state" } else { "found" };
        // Before anybody is told that it goes on: a fault right behind that loses nothing either.
        shell.keep_snapshot();
        shell
            .control
            .answer_asked(&format!("{{\"reexec\":{{\"kept\":\"{kept}\"}}}}"));
        // The answer is given once.
        shell.keep_snapshot();
        Ok(shell)
    }

    pub(super) fn tell_fault(&mut self) {
        self.desk.banner(
            "panic",
            Severity::Critical,
            "The supervisor has met a fault of its own and goes on. Its log has the place; report it.".into(),
        );
        if self.machine.is_some() && self.desk.boot.medium == wire::supervisor::Medium::Disk {
            // One that is met while state is in memory comes to DATA with it (`boot::keeper::comeback`).
            self.desk.start(Task::Faults, |_| {
                match record::keep_faults_now(Path::new(record::FOLDER)) {
                    Ok(()) => 0,
                    Err(e) => {
                        log::error(&format!("keeping the fault on DATA: {e}"));
                        1
                    }
                }
            });
        }
    }
}

impl Estate {
    /// What was written down.
    fn of(paths: &Paths, s: State, fds: &mut Inherited) -> io::Result<Estate> {
        let notify = match fds.take(s.notify) {
            Ok(fd) => NotifySocket::of(UnixDatagram::from(fd)),
            Err(_) => NotifySocket::bind(&paths.notify())?,
        };
        let control = match fds.take(s.control) {
            Ok(fd) => Control::of(UnixListener::from(fd), s.clients, fds),
            Err(_) => Control::bind(&paths.control())?,
        };
        let (mut processes, mut sockets) = (Vec::new(), Vec::new());
        for (p, u) in s.processes.into_iter().zip(&s.units) {
            sockets.push(p.sockets.iter().map(|s| s.and_then(|fd| fds.take(fd).ok())).collect());
            let stored = |(name, fd, polled)| {
                let fd = fds.take(fd).ok()?.into();
                Some(Stored { name, fd, polled })
            };
            processes.push(Process {
                pid: p.pid,
                // An earlier image knew no other.
                leader: p.leader.or(p.pid),
                foreign: p.foreign,
                held: None,
                generation: p.generation,
                group: p.group.then(|| Group::of(&u.name, p.generation)),
                store: p.store.into_iter().filter_map(stored).collect::<Store>(),
                prepared: None,
                shown_since: p.shown_since,
                complaints: Quota::default(),
            });
        }
        Ok(Estate {
            units: s.units,
            malformed: s.malformed,
            core: s.core,
            processes,
            sockets,
            credentials: Credentials(s.credentials),
            notify,
            control,
            desk: Desk::of(s.desk, fds),
            machine: s.machine.map(|m| Machine::of(m, fds)),
            watchdog: s.watchdog.and_then(|w| Some(Watchdog::of(fds.take(w.fd).ok()?, w))),
        })
    }

    /// What is there: sockets by their addresses, credentials by their files; processes follow (`adopt`).
    fn found(paths: &Paths, now: Millis, fds: &mut Inherited) -> io::Result<Estate> {
        let (desk, machine) = if paths.is_box() {
            let mut desk = Desk::default();
            let machine = Machine::look_around(now, &mut desk, fds);
            (desk, Some(machine))
        } else {
            (Desk::below_root(), None)
        };
        let (mut units, malformed) = unit::load(&paths.units());
        unit::ports::more(&mut units, machine.as_ref().map_or(&[], Machine::ports));
        let at = |path: std::path::PathBuf, listens: bool| {
            move |fd: std::os::fd::BorrowedFd<'_>| {
                fds::unix_path(fd) == Some(path.clone()) && fds::listens(fd) == listens
            }
        };
        let notify = match fds.find(at(paths.notify(), false)) {
            Some(fd) => NotifySocket::of(UnixDatagram::from(fd)),
            None => NotifySocket::bind(&paths.notify())?,
        };
        let control = match fds.find(at(paths.control(), true)) {
            Some(fd) => Control::of(UnixListener::from(fd), Vec::new(), fds),
            None => Control::bind(&paths.control())?,
        };
        let sockets = units
            .iter()
            .map(|u| {
                u.listen
                    .iter()
                    .map(|l| fds.find(|fd| sockets::is(fd, l, paths)))
                    .collect()
            })
            .collect();
        let mut credentials = Credentials::default();
        for u in &units {
            credentials.read_back(&paths.run(), u);
        }
        Ok(Estate {
            core: Core::new(now, &units, 0, seed()),
            processes: units.iter().map(|_| Process::default()).collect(),
            sockets,
            units,
            malformed,
            credentials,
            notify,
            control,
            desk,
            machine,
            watchdog: fds.find(Watchdog::is_one).map(Watchdog::found),
        })
    }
}
