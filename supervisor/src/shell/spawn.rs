//! Starting a unit's process: everything is prepared before the fork; the child only makes system calls and execs.
//!
//! In the box the child joins its cgroup, gets a mount namespace with a private `/dev`, loses every capability that its
//! file does not name, and becomes its user. Below `--root` none of that happens: it is an ordinary child.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::{ForkResult, Pid, fork};

use super::users::User;
use super::{signals, sockets};
use crate::unit::{Devices, Unit};

/// Exit status of a child whose program could not be run (systemd's `EXIT_EXEC`).
pub const EXIT_EXEC: i32 = 203;
/// Exit status of a child whose surroundings could not be set up (systemd's `EXIT_NAMESPACE`).
pub const EXIT_SETUP: i32 = 226;
/// Where a private `/dev` is put together before it is moved.
const DEV_STAGING: &str = "/run/kiln/dev";
/// Character devices of a private `/dev`: name, major, minor, mode (devices.txt of the kernel).
const NODES: [(&str, u64, u64, u32); 8] = [
    ("null", 1, 3, 0o666),
    ("zero", 1, 5, 0o666),
    ("full", 1, 7, 0o666),
    ("random", 1, 8, 0o666),
    ("urandom", 1, 9, 0o666),
    ("kmsg", 1, 11, 0o600),
    ("tty", 5, 0, 0o666),
    ("console", 5, 1, 0o600),
];

/// A unit, ready to be forked any number of times.
#[derive(Debug)]
pub struct Prepared {
    argv: Vec<CString>,
    env: Vec<CString>,
    listen: Vec<OwnedFd>,
    listen_names: String,
    watchdog_usec: u64,
    user: User,
    capabilities: u64,
    private_dev: bool,
    oom: i32,
    state: Option<PathBuf>,
    /// Where its standard output goes; inherited when it cannot be connected.
    stdout: Option<PathBuf>,
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
    /// The journal's standard-output socket.
    pub stdout: Option<&'a std::path::Path>,
    /// Whether this is the box.
    pub sandbox: bool,
}

impl Prepared {
    /// Turns a unit into C strings and descriptors, so that starting it needs no more than a fork.
    ///
    /// # Errors
    /// A NUL byte in an argument or variable.
    pub fn new(unit: &Unit, around: Surroundings<'_>) -> io::Result<Prepared> {
        let c = |s: &str| {
            CString::new(s).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("NUL byte in {s:?}")))
        };
        let mut vars = std::collections::BTreeMap::new();
        vars.insert("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
        vars.insert("HOME".to_owned(), "/".to_owned());
        vars.insert("TMPDIR".to_owned(), "/tmp".to_owned());
        vars.extend(around.env);
        Ok(Prepared {
            argv: unit.exec.iter().map(|a| c(a)).collect::<io::Result<_>>()?,
            env: vars
                .iter()
                .map(|(k, v)| c(&format!("{k}={v}")))
                .collect::<io::Result<_>>()?,
            listen: around.listen,
            listen_names: unit
                .listen
                .iter()
                .map(|l| l.name.as_str())
                .collect::<Vec<_>>()
                .join(":"),
            watchdog_usec: unit.watchdog * 1000,
            user: around.user,
            capabilities: unit.capabilities,
            private_dev: unit.devices == Devices::None,
            oom: unit.oom_score_adjust,
            state: around.state,
            stdout: around.stdout.map(std::path::Path::to_owned),
            sandbox: around.sandbox,
        })
    }

    /// Starts it; returns its process.
    ///
    /// # Errors
    /// No process could be made. What fails in the child is its exit status.
    pub fn start(&self, cgroup: Option<&std::path::Path>) -> io::Result<i32> {
        let stdout = self.stdout.as_deref().and_then(|p| sockets::connected(p).ok());
        let blocked = signals::Blocked::all();
        // SAFETY: PID 1 has one thread, so the child may use everything that the parent could.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => {
                drop(blocked);
                Ok(child.as_raw())
            }
            ForkResult::Child => {
                signals::reset_in_child();
                let status = match self.become_unit(cgroup, stdout.as_ref()) {
                    Ok(never) => match never {},
                    Err((what, e)) => {
                        let text = format!("kiln-init: {what}: {e}\n");
                        let _ = nix::unistd::write(io::stderr(), text.as_bytes());
                        if what.starts_with("running") {
                            EXIT_EXEC
                        } else {
                            EXIT_SETUP
                        }
                    }
                };
                // SAFETY: ends the child without running the parent's destructors.
                unsafe { libc::_exit(status) }
            }
        }
    }

    fn become_unit(
        &self,
        cgroup: Option<&std::path::Path>,
        stdout: Option<&OwnedFd>,
    ) -> Result<std::convert::Infallible, (String, io::Error)> {
        let step = |what: &str| {
            let what = what.to_owned();
            move |e: nix::errno::Errno| (what, io::Error::from(e))
        };
        nix::unistd::setsid().map_err(step("setsid"))?;
        if !self.sandbox {
            // Below a root: nothing outlives the supervisor, however it ends.
            nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(step("death signal"))?;
        }
        if let Some(dir) = cgroup {
            fs::write(dir.join("cgroup.procs"), "0").map_err(|e| (format!("joining {}", dir.display()), e))?;
        }
        let _ = fs::write("/proc/self/oom_score_adj", self.oom.to_string());
        let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
        if let Some(dir) = &self.state {
            fs::create_dir_all(dir).map_err(|e| (format!("making {}", dir.display()), e))?;
            if self.sandbox {
                own(dir, self.user).map_err(|e| (format!("giving {} to its user", dir.display()), e))?;
            }
        }
        let null = fs::OpenOptions::new()
            .read(true)
            .open("/dev/null")
            .map_err(|e| ("opening /dev/null".to_owned(), e))?;
        // Its number is given up here: `pass_sockets` closes every descriptor above the passed ones.
        let null = std::os::fd::IntoRawFd::into_raw_fd(null);
        dup(null, 0).map_err(|e| ("standard input".to_owned(), e))?;
        if let Some(fd) = stdout {
            dup(fd.as_raw_fd(), 1)
                .and_then(|()| dup(fd.as_raw_fd(), 2))
                .map_err(|e| ("standard output".to_owned(), e))?;
        }
        if self.sandbox {
            unshare(CloneFlags::CLONE_NEWNS).map_err(step("mount namespace"))?;
            mount(
                None::<&str>,
                "/",
                None::<&str>,
                MsFlags::MS_REC | MsFlags::MS_SLAVE,
                None::<&str>,
            )
            .map_err(step("mount propagation"))?;
            if self.private_dev {
                private_dev().map_err(|e| ("private /dev".to_owned(), e))?;
            }
        }
        self.pass_sockets().map_err(|e| ("passing sockets".to_owned(), e))?;
        if self.sandbox {
            self.drop_privileges()
                .map_err(|e| ("dropping privileges".to_owned(), e))?;
        }
        let pid = Pid::this();
        let mut env = self.env.clone();
        let mut add = |k: &str, v: String| env.extend(CString::new(format!("{k}={v}")));
        if !self.listen.is_empty() {
            add("LISTEN_FDS", self.listen.len().to_string());
            add("LISTEN_PID", pid.to_string());
            add("LISTEN_FDNAMES", self.listen_names.clone());
        }
        if self.watchdog_usec > 0 {
            add("WATCHDOG_USEC", self.watchdog_usec.to_string());
            add("WATCHDOG_PID", pid.to_string());
        }
        let Some(program) = self.argv.first() else {
            return Err(("running nothing".into(), io::Error::from(io::ErrorKind::NotFound)));
        };
        let what = format!("running {}", program.to_string_lossy());
        nix::unistd::execve(program, &self.argv, &env).map_err(step(&what))
    }

    /// Puts the listening sockets on 3, 4, … and closes everything above.
    fn pass_sockets(&self) -> io::Result<()> {
        let first_free = 3 + RawFd::try_from(self.listen.len()).unwrap_or(0);
        let mut high = Vec::with_capacity(self.listen.len());
        for fd in &self.listen {
            // SAFETY: duplicates an open descriptor to a number that is free.
            let copy = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, first_free.max(64)) };
            if copy < 0 {
                return Err(io::Error::last_os_error());
            }
            high.push(copy);
        }
        for (n, fd) in (3..).zip(&high) {
            dup(*fd, n)?;
        }
        // SAFETY: the child forgets every object that owned a descriptor above these; execve follows.
        unsafe { libc::syscall(libc::SYS_close_range, first_free, u32::MAX, 0u32) };
        Ok(())
    }

    fn drop_privileges(&self) -> io::Result<()> {
        const SECUREBITS_NONE: libc::c_ulong = 0;
        let check = |r: libc::c_int| if r < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
        for cap in 0..64 {
            if self.capabilities & (1 << cap) == 0 {
                // SAFETY: removes one capability from this process's bounding set; an unknown one is answered with EINVAL.
                let r = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, cap, 0, 0, 0) };
                if r < 0 {
                    break;
                }
            }
        }
        if self.user.uid != 0 {
            // SAFETY: keeps permitted capabilities over the change of user.
            check(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, SECUREBITS_NONE, 0, 0) })?;
        }
        // SAFETY: an empty group list.
        check(unsafe { libc::setgroups(0, std::ptr::null()) })?;
        // SAFETY: plain numbers.
        check(unsafe { libc::setresgid(self.user.gid, self.user.gid, self.user.gid) })?;
        // SAFETY: plain numbers.
        check(unsafe { libc::setresuid(self.user.uid, self.user.uid, self.user.uid) })?;
        set_capabilities(self.capabilities)?;
        if self.user.uid != 0 {
            for cap in (0..64).filter(|c| self.capabilities & (1 << c) != 0) {
                // SAFETY: raises one ambient capability that is permitted and inheritable.
                check(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, cap, 0, 0) })?;
            }
        }
        // SAFETY: a one-way flag of this process.
        check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })
    }
}

/// `capset(2)` with version 3 of its structures: two words each of effective, permitted, inheritable.
fn set_capabilities(mask: u64) -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let word = |n: u32| {
        let bits = u32::try_from(mask >> (32 * n) & 0xffff_ffff).unwrap_or(0);
        Data {
            effective: bits,
            permitted: bits,
            inheritable: bits,
        }
    };
    let header = Header {
        version: 0x2008_0522,
        pid: 0,
    };
    let data = [word(0), word(1)];
    // SAFETY: both structures have the layout of linux/capability.h version 3 and outlive the call.
    if unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn dup(from: RawFd, to: RawFd) -> io::Result<()> {
    // SAFETY: duplicates one open descriptor onto a number of this child.
    if unsafe { libc::dup2(from, to) } < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Gives a folder to a user; what lies directly in it too, since the user's number may have changed.
fn own(dir: &std::path::Path, user: User) -> io::Result<()> {
    std::os::unix::fs::chown(dir, Some(user.uid), Some(user.gid))?;
    for entry in fs::read_dir(dir)?.flatten() {
        let _ = std::os::unix::fs::lchown(entry.path(), Some(user.uid), Some(user.gid));
    }
    Ok(())
}

/// Puts a `/dev` together that has no block device, and moves it over the machine's.
fn private_dev() -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(
        Some("tmpfs"),
        DEV_STAGING,
        Some("tmpfs"),
        flags,
        Some("mode=755,size=64k,nr_inodes=64"),
    )?;
    let old = nix::sys::stat::umask(Mode::empty());
    let at = |name: &str| format!("{DEV_STAGING}/{name}");
    for (name, major, minor, mode) in NODES {
        mknod(
            at(name).as_str(),
            SFlag::S_IFCHR,
            Mode::from_bits_truncate(mode),
            makedev(major, minor),
        )?;
    }
    for dir in ["pts", "shm"] {
        fs::create_dir(at(dir))?;
    }
    mount(
        Some("devpts"),
        at("pts").as_str(),
        Some("devpts"),
        flags,
        Some("newinstance,ptmxmode=0666,mode=620"),
    )?;
    for (link, to) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ] {
        std::os::unix::fs::symlink(to, at(link))?;
    }
    nix::sys::stat::umask(old);
    mount(Some(DEV_STAGING), "/dev", None::<&str>, MsFlags::MS_MOVE, None::<&str>)?;
    Ok(())
}
