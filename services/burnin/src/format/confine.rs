//! A program that touches one drive: landlock leaves it the system's files for reading and that drive's partition.
//!
//! The programs are confined, not the process that calls them: landlock forbids mounting to whoever is
//! under it, and the file system has to be mounted to be verified.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
};
use nix::libc;

/// What a program of ours may read: itself, its libraries, its configuration, the kernel's facts.
const READ: [&str; 9] = [
    "/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/proc", "/sys", "/system",
];

/// The kernel's word on who ends first when memory is short, from −1000 to 1000. Source: `proc_pid_oom_score_adj(5)`.
const OOM: &str = "/proc/self/oom_score_adj";

/// Leaves this process, which is about to become a program of its own, as likely to be ended for memory as any other: its parents are spared
/// for what they know, and it is what takes the memory. One that is likelier stays that. To be called between fork and exec.
pub(super) fn unspared() {
    let spared = std::fs::read_to_string(OOM).is_ok_and(|told| told.trim().starts_with('-'));
    // Where that is refused it runs as it is.
    let _told = spared.then(|| std::fs::write(OOM, "0"));
}

/// Confines this process, which is about to become the program, to `node`. To be called between fork and exec.
///
/// # Errors
/// When a kernel that has landlock refuses the rules. One without it leaves the program as it is.
pub(super) fn to_node(node: &Path) -> io::Result<()> {
    let abi = ABI::V5;
    let reading = AccessFs::from_read(abi);
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .and_then(Ruleset::create)
        .map_err(io::Error::other)?;
    let files = READ.iter().map(|path| (Path::new(path), reading));
    for (path, access) in files.chain([(node, device), (Path::new("/dev/null"), device)]) {
        // What is not there needs no rule.
        let Ok(open) = PathFd::new(path) else { continue };
        rules = rules
            .add_rule(PathBeneath::new(open, access))
            .map_err(io::Error::other)?;
    }
    rules.restrict_self().map_err(io::Error::other)?;
    die_with_parent()
}

/// The program is killed when the process that started it goes.
pub(super) fn die_with_parent() -> io::Result<()> {
    // SAFETY: a plain prctl call with integers.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    /// An agent that is spared must not have its host lose other services for a checker's memory.
    #[test]
    fn a_program_is_not_spared_as_its_parents_are() {
        for (parents, its) in [("-500", "0"), ("0", "0"), ("300", "300")] {
            let mut cat = Command::new("cat");
            cat.arg(OOM);
            // SAFETY: the child writes and reads a file; the C library's allocator is usable behind its fork.
            unsafe {
                cat.pre_exec(move || {
                    std::fs::write(OOM, parents)?;
                    unspared();
                    Ok(())
                });
            }
            let Ok(told) = cat.output() else {
                eprintln!("NOT RUN: only root may spare a process");
                return;
            };
            assert_eq!(String::from_utf8(told.stdout).unwrap().trim(), its, "{parents}");
        }
    }
}
