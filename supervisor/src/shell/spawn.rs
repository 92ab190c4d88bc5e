//! Starting a unit's process: everything is prepared before the fork; the child only makes system calls and execs.
//!
//! In the box the child joins its cgroup and is put into its sandbox (`super::sandbox`). Below `--root` none of that
//! happens: it is an ordinary child. Neither the fork nor what the child does before its sandbox asks for memory, and the
//! child touches as few pages as can be: each is made anew for it, on the way from a death to the next answer.

use std::convert::Infallible;
use std::ffi::{CString, c_char};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::ptr;

use nix::unistd::{ForkResult, Pid, fork};

use super::cgroup::Group;
use super::fdstore::Stored;
use super::sandbox::{Machine, Users};
use super::scratch::Scratch;
use super::users::User;
use super::{limits, sandbox, signals, sockets};
use crate::unit::{ARGS_MAX, Devices, Unit};

/// Exit status of a child whose program could not be run (systemd's `EXIT_EXEC`).
pub const EXIT_EXEC: i32 = 203;
/// Exit status of a child whose surroundings could not be set up (systemd's `EXIT_NAMESPACE`).
pub const EXIT_SETUP: i32 = 226;
/// Variable that tells a process, and PID 1's replacement, which unit it is.
pub const UNIT_VARIABLE: &str = "KILN_UNIT";
/// Most variables of a unit, those that are added for each run included.
const ENV_MAX: usize = 256;
/// Variables that are added for each run.
const OF_EACH_RUN: [&str; ENV_EXTRA] = [
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];
const ENV_EXTRA: usize = 5;
/// Most descriptors that are passed: 16 sockets and 64 stored ones.
const FDS_MAX: usize = 80;
/// The kernel's word on who ends first when memory is short.
const OOM: &str = "/proc/self/oom_score_adj";
/// Variable with the names of the descriptors that are passed.
const LISTEN_FDNAMES: &str = "LISTEN_FDNAMES=";

/// A unit, ready to be forked any number of times.
#[derive(Debug)]
pub struct Prepared {
    /// The unit's.
    name: String,
    argv: Vec<CString>,
    env: Vec<CString>,
    listen: Vec<OwnedFd>,
    listen_names: CString,
    watchdog_usec: u64,
    user: User,
    capabilities: u64,
    private_dev: bool,
    machine: Machine,
    /// Whom it may become; `None`: whomever its capabilities allow.
    users: Option<Users>,
    /// `None`: what it has from PID 1 anyway.
    oom: Option<String>,
    nofile: u64,
    state: Option<PathBuf>,
    runtime: Option<PathBuf>,
    /// Where its standard output goes, and what its end of that is named; inherited when it cannot be connected.
    stdout: Option<(PathBuf, PathBuf)>,
    /// In the box: sandboxed. Below a root: an ordinary child.
    sandbox: bool,
}

/// What `Prepared::new` needs besides the unit.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Environment besides the unit's own, in order; later entries win.
    pub env: Vec<(String, String)>,
    /// Its listening sockets, in the file's order.
    pub listen: Vec<OwnedFd>,
    /// Who it runs as.
    pub user: User,
    /// Its state folder.
    pub state: Option<PathBuf>,
    /// Its folder of runtime files.
    pub runtime: Option<PathBuf>,
    /// Numbers of the users that its file says it becomes.
    pub becomes: Vec<u32>,
    /// The journal's standard-output socket.
    pub stdout: Option<&'a Path>,
    /// Whether this is the box.
    pub sandbox: bool,
}

/// Why a child did not become its unit.
struct Failed {
    what: &'static str,
    status: i32,
    error: io::Error,
}

/// Names the step that failed.
fn step<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Failed {
    move |e| Failed {
        what,
        status: EXIT_SETUP,
        error: e.into(),
    }
}

impl Prepared {
    /// Turns a unit into C strings and descriptors, so that starting it needs no more than a fork.
    ///
    /// # Errors
    /// A NUL byte in an argument or variable, or too many of them.
    pub fn new(unit: &Unit, around: Surroundings<'_>) -> io::Result<Prepared> {
        let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
        let c = |s: &str| CString::new(s).map_err(|_| wrong(format!("NUL byte in {s:?}")));
        let mut vars = std::collections::BTreeMap::new();
        vars.insert("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
        vars.insert("HOME".to_owned(), "/".to_owned());
        vars.insert("TMPDIR".to_owned(), "/tmp".to_owned());
        vars.extend(around.env);
        vars.insert(UNIT_VARIABLE.to_owned(), unit.name.clone());
        // Each run's own come last, and a program would take the first.
        vars.retain(|k, _| !OF_EACH_RUN.contains(&k.as_str()));
        if vars.len() + ENV_EXTRA > ENV_MAX || unit.exec.len() > ARGS_MAX {
            return Err(wrong(format!(
                "{} arguments and {} variables: expected at most {ARGS_MAX} and {}",
                unit.exec.len(),
                vars.len(),
                ENV_MAX - ENV_EXTRA
            )));
        }
        let names: Vec<&str> = unit.listen.iter().map(|l| l.name.as_str()).collect();
        let machine = Machine::of(around.user.uid, unit.capabilities, unit.devices);
        Ok(Prepared {
            name: unit.name.clone(),
            argv: unit.exec.iter().map(|a| c(a)).collect::<io::Result<_>>()?,
            env: vars
                .iter()
                .map(|(k, v)| c(&format!("{k}={v}")))
                .collect::<io::Result<_>>()?,
            listen: around.listen,
            listen_names: c(&format!("{LISTEN_FDNAMES}{}", names.join(":")))?,
            watchdog_usec: unit.watchdog * 1000,
            user: around.user,
            capabilities: unit.capabilities,
            private_dev: unit.devices == Devices::None,
            machine,
            users: Users::of(machine, unit.capabilities, &around.becomes),
            oom: Some(unit.oom_score_adjust.to_string()).filter(|wanted| *wanted != own_oom()),
            nofile: unit.limit_nofile,
            state: around.state,
            runtime: around.runtime,
            stdout: around
                .stdout
                .map(|p| (p.to_owned(), sockets::outputs(p).join(&unit.name))),
            sandbox: around.sandbox,
        })
    }

    /// Starts it, with what it has stored passed after its sockets; returns its process.
    ///
    /// # Errors
    /// No process could be made. What fails in the child is its exit status.
    pub fn start(&self, group: Option<&Group>, stored: &[Stored]) -> io::Result<i32> {
        let connect = |(path, name): &(PathBuf, PathBuf)| sockets::connected(path, name).ok();
        let stdout = self.stdout.as_ref().and_then(connect);
        let blocked = signals::Blocked::all();
        // SAFETY: PID 1 has one thread, so the child may use everything that the parent could.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => {
                drop(blocked);
                // The new process first: on one processor it would else wait for the rest of our turn.
                std::thread::yield_now();
                Ok(child.as_raw())
            }
            ForkResult::Child => {
                signals::reset_in_child();
                let status = match self.become_unit(group, stdout.as_ref(), stored) {
                    Ok(never) => match never {},
                    Err(failed) => {
                        let mut text = Scratch::<512>::new();
                        let program = self.argv.first().map(|p| p.to_string_lossy()).unwrap_or_default();
                        let (unit, Failed { what, error, .. }) = (&self.name, &failed);
                        let _ = writeln!(text, "kiln-init: unit {unit}, program {program}: {what}: {error}");
                        let _ = io::stderr().write_all(text.bytes());
                        failed.status
                    }
                };
                // SAFETY: ends the child without running the parent's destructors.
                unsafe { libc::_exit(status) }
            }
        }
    }

    fn become_unit(
        &self,
        group: Option<&Group>,
        stdout: Option<&OwnedFd>,
        stored: &[Stored],
    ) -> Result<Infallible, Failed> {
        nix::unistd::setsid().map_err(step("setsid"))?;
        if !self.sandbox {
            // Below a root: nothing outlives the supervisor, however it ends.
            nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(step("death signal"))?;
        }
        if let Some(group) = group {
            group.enter().map_err(step("joining its cgroup"))?;
        }
        if let Some(oom) = &self.oom {
            let _ = fs::write(OOM, oom);
        }
        let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
        for dir in [&self.state, &self.runtime].into_iter().flatten() {
            fs::create_dir_all(dir).map_err(step("making its folder"))?;
            if self.sandbox {
                sandbox::own(dir, self.user).map_err(step("giving its folder to its user"))?;
            }
        }
        let null = fs::OpenOptions::new()
            .read(true)
            .open("/dev/null")
            .map_err(step("opening /dev/null"))?;
        // Its number is given up here: `pass` closes every descriptor above the passed ones.
        dup(null.into_raw_fd(), 0).map_err(step("standard input"))?;
        if let Some(fd) = stdout {
            dup(fd.as_raw_fd(), 1)
                .and_then(|()| dup(fd.as_raw_fd(), 2))
                .map_err(step("standard output"))?;
        }
        if self.sandbox {
            sandbox::own_mounts().map_err(step("mount namespace"))?;
            if self.private_dev {
                sandbox::private_dev().map_err(step("private /dev"))?;
            }
            self.machine
                .make(self.runtime.as_deref())
                .map_err(step("read-only root, /proc and /sys, hidden /run and state"))?;
        }
        let passed = self.pass(stored).map_err(step("passing descriptors"))?;
        // Not before: what is passed goes over higher numbers than the unit may have.
        limits::set(self.nofile).map_err(step("its number of descriptors"))?;
        if self.sandbox {
            sandbox::drop_privileges(self.user, self.capabilities).map_err(step("dropping privileges"))?;
            if let Some(users) = &self.users {
                users.confine().map_err(step("confining it to its users"))?;
            }
        }
        if stored.is_empty() {
            self.execute(passed, self.listen_names.as_ptr())
        } else {
            self.execute_with(passed, stored)
        }
    }

    /// [`Prepared::execute`] with stored descriptors. Their names want a large frame, every page of which a call touches:
    /// no other start pays for that.
    #[inline(never)]
    fn execute_with(&self, passed: usize, stored: &[Stored]) -> Result<Infallible, Failed> {
        let mut text = Scratch::<32_768>::new();
        let names = std::fmt::from_fn(|f| {
            f.write_str(self.listen_names.to_str().unwrap_or(LISTEN_FDNAMES))?;
            for (n, s) in stored.iter().enumerate() {
                let colon = if n == 0 && self.listen.is_empty() { "" } else { ":" };
                write!(f, "{colon}{}", s.name)?;
            }
            Ok(())
        });
        let names = text.string(format_args!("{names}"));
        self.execute(passed, names.unwrap_or_else(|| self.listen_names.as_ptr()))
    }

    /// The last step: argument and variable lists on the stack, then the program.
    fn execute(&self, passed: usize, names: *const c_char) -> Result<Infallible, Failed> {
        let pid = Pid::this();
        let mut argv: [*const c_char; ARGS_MAX + 1] = [ptr::null(); ARGS_MAX + 1];
        for (to, from) in argv.iter_mut().zip(&self.argv) {
            *to = from.as_ptr();
        }
        let mut env: [*const c_char; ENV_MAX + 1] = [ptr::null(); ENV_MAX + 1];
        let mut text = Scratch::<160>::new();
        let mut extra = [None; ENV_EXTRA];
        if passed > 0 {
            extra[0] = text.string(format_args!("LISTEN_FDS={passed}"));
            extra[1] = text.string(format_args!("LISTEN_PID={pid}"));
            extra[2] = Some(names);
        }
        if self.watchdog_usec > 0 {
            extra[3] = text.string(format_args!("WATCHDOG_USEC={}", self.watchdog_usec));
            extra[4] = text.string(format_args!("WATCHDOG_PID={pid}"));
        }
        let all = self.env.iter().map(|v| v.as_ptr()).chain(extra.into_iter().flatten());
        for (to, from) in env.iter_mut().take(ENV_MAX).zip(all) {
            *to = from;
        }
        let Some(program) = self.argv.first() else {
            return Err(Failed {
                what: "running nothing",
                status: EXIT_EXEC,
                error: io::Error::from(io::ErrorKind::NotFound),
            });
        };
        // SAFETY: both lists end with a null pointer, and what they point to lives in `self` and `text` until the call.
        unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
        Err(Failed {
            what: "running its program",
            status: EXIT_EXEC,
            error: io::Error::last_os_error(),
        })
    }

    /// Puts sockets and stored descriptors on 3, 4, … and closes everything above; returns how many there are.
    fn pass(&self, stored: &[Stored]) -> io::Result<usize> {
        let all = self
            .listen
            .iter()
            .map(AsRawFd::as_raw_fd)
            .chain(stored.iter().map(|s| s.fd.as_raw_fd()))
            .take(FDS_MAX);
        let mut high: [RawFd; FDS_MAX] = [-1; FDS_MAX];
        let mut count = 0;
        for (slot, fd) in high.iter_mut().zip(all) {
            // SAFETY: duplicates an open descriptor to a number that is free and above all that are passed.
            *slot = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 128) };
            if *slot < 0 {
                return Err(io::Error::last_os_error());
            }
            count += 1;
        }
        let mut first_free = 3;
        for fd in &high[..count] {
            dup(*fd, first_free)?;
            first_free += 1;
        }
        // SAFETY: the child forgets every object that owned a descriptor above these; execve follows.
        unsafe { libc::syscall(libc::SYS_close_range, first_free, u32::MAX, 0u32) };
        Ok(count)
    }
}

/// What PID 1 gives to its children.
fn own_oom() -> String {
    fs::read_to_string(OOM).unwrap_or_default().trim().to_owned()
}

fn dup(from: RawFd, to: RawFd) -> io::Result<()> {
    // SAFETY: duplicates one open descriptor onto a number of this child.
    if unsafe { libc::dup2(from, to) } < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
