//! What the kernel tells about a process: where it waits, and which others belong to it.

use std::fs;

/// Threads of a late unit that are described.
const THREADS_MAX: usize = 6;

/// State, wait channel, system call and kernel stack of a process's threads, in one line.
///
/// These files never block, not even for a process in D state.
pub fn describe(pid: i32) -> String {
    let mut text = String::new();
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    for t in threads.into_iter().flatten().flatten().take(THREADS_MAX) {
        let read = |f: &str| {
            fs::read_to_string(t.path().join(f))
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let stat = read("stat");
        let state = stat
            .rsplit_once(')')
            .and_then(|(_, r)| r.trim().chars().next())
            .unwrap_or('?');
        let syscall = read("syscall").split(' ').next().unwrap_or_default().to_owned();
        let stack: Vec<String> = read("stack")
            .lines()
            .take(6)
            .filter_map(|l| l.split_whitespace().last().map(str::to_owned))
            .collect();
        if !text.is_empty() {
            text.push_str(" | ");
        }
        text.push_str(&format!(
            "{} {} state={state} wchan={} syscall={syscall}",
            t.file_name().to_string_lossy(),
            read("comm"),
            read("wchan")
        ));
        if !stack.is_empty() {
            text.push_str(&format!(" stack={}", stack.join("<")));
        }
    }
    if text.is_empty() {
        format!("process {pid} is gone")
    } else {
        text
    }
}

/// Session of a process; every unit's main process leads its own.
pub fn session(pid: i32) -> Option<i32> {
    nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(pid)))
        .ok()
        .map(nix::unistd::Pid::as_raw)
}

/// Kills every process of a session: the stand-in for `cgroup.kill` where there is no cgroup of our own.
pub fn kill_session(leader: i32) {
    use nix::sys::signal::{Signal, kill, killpg};
    use nix::unistd::Pid;
    let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else {
            continue;
        };
        if pid != leader && session(pid) == Some(leader) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
