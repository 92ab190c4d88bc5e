//! `kiln-agent worker`: a job's process, which gives up everything but its drive before it reads its order.
//!
//! What it keeps: descriptor 3 (the drive, opened and guarded by the agent), standard input and output (lines to and
//! from the agent), standard error, memory, CPU. What it gives up: every path (landlock), every capability, root, and
//! every system call that a burn-in does not need ([`seccomp`]).
//! It dies with the agent.

mod seccomp;

use std::io;
use std::process::ExitCode;

use burnin::hand_over;
use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Gid, Uid, getppid, setgroups, setresgid, setresuid};

/// User and group of a worker: `nobody`, who owns nothing.
const NOBODY: u32 = 65_534;

/// Locked memory in bytes: `io_uring` counts registered buffers (2 MiB a worker) per user.
const MEMLOCK: u64 = 1 << 30;

/// Runs the worker: `kiln-agent worker PARENT-PID`. Exit code 0 when a job ended or was stopped in order.
pub fn worker(parent: i32) -> ExitCode {
    if let Err(error) = confine(parent) {
        eprintln!("worker: confining itself: {error}");
        return ExitCode::from(70);
    }
    let Some(drive) = hand_over::taken() else {
        eprintln!("worker: no drive was handed over: the agent starts it");
        return ExitCode::from(64);
    };
    match burnin::worker::run(drive, io::stdin(), io::stdout().lock()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            eprintln!("worker: {error}{cause}");
            ExitCode::from(71)
        }
    }
}

/// Gives up everything. To be called while there is one thread.
fn confine(parent: i32) -> io::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    if setrlimit(Resource::RLIMIT_MEMLOCK, MEMLOCK, MEMLOCK).is_err() {
        // Without the right to raise it the hard limit has to do.
        let (_, hard) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
        setrlimit(Resource::RLIMIT_MEMLOCK, hard, hard)?;
    }
    no_paths().map_err(io::Error::other)?;
    for capability in 0..64_u64 {
        // SAFETY: a plain prctl call with integers. An error means that there is no capability of that number.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            break;
        }
    }
    if Uid::effective().is_root() {
        setgroups(&[])?;
        let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)?;
    }
    no_capabilities()?;
    // After the change of user, which clears it.
    // SAFETY: a plain prctl call with integers.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if getppid().as_raw() != parent {
        return Err(io::Error::other("the agent is gone"));
    }
    // Last: it also forbids what was needed up to here.
    seccomp::confine()
}

/// Forbids every path. A kernel without landlock leaves it at the missing rights.
fn no_paths() -> Result<(), landlock::RulesetError> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V5))?
        .create()?
        .restrict_self()?;
    if status.ruleset == RulesetStatus::NotEnforced {
        eprintln!("worker: this kernel has no landlock; paths are closed by missing rights alone");
    }
    Ok(())
}

/// Empties the three sets. Source: `capset(2)`, `_LINUX_CAPABILITY_VERSION_3`.
fn no_capabilities() -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let data = [const {
        Data {
            effective: 0,
            permitted: 0,
            inheritable: 0,
        }
    }; 2];
    // SAFETY: both point to live structures of the layout that version 3 asks for (two data blocks).
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
