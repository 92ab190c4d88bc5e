//! What the kernel tells about a process: where it waits, and which others belong to it.

use std::fs;
use std::os::fd::AsRawFd;

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
        let state = state(&stat).unwrap_or('?');
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

/// Whether the kernel holds a thread of it (state D). The file never blocks.
pub fn is_held(pid: i32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    threads.into_iter().flatten().flatten().any(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat"));
        stat.is_ok_and(|stat| state(&stat) == Some('D'))
    })
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
    each(|pid| {
        if pid != leader && session(pid) == Some(leader) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    });
}

/// Calls `f` with the number of every process there is. Asks for no memory.
pub fn each(mut f: impl FnMut(i32)) {
    /// `linux_dirent64`: inode, offset, length of the record, kind, name.
    const NAME_AT: usize = 19;
    let flags = nix::fcntl::OFlag::O_RDONLY | nix::fcntl::OFlag::O_DIRECTORY | nix::fcntl::OFlag::O_CLOEXEC;
    let Ok(proc) = nix::fcntl::open("/proc", flags, nix::sys::stat::Mode::empty()) else {
        return;
    };
    let mut buf = [0u8; 8192];
    loop {
        // SAFETY: the kernel writes at most `buf.len()` bytes of directory records into a buffer of ours.
        let n = unsafe { libc::syscall(libc::SYS_getdents64, proc.as_raw_fd(), buf.as_mut_ptr(), buf.len()) };
        let Some(mut rest) = usize::try_from(n).ok().filter(|n| *n > 0).and_then(|n| buf.get(..n)) else {
            return;
        };
        while let Some(length) = rest.get(16..18) {
            let length = usize::from(u16::from_ne_bytes([length[0], length[1]]));
            let name = rest.get(NAME_AT..length).unwrap_or_default();
            let digits = name.split(|b| *b == 0).next().unwrap_or_default();
            if let Some(pid) = std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()) {
                f(pid);
            }
            rest = match rest.get(length..) {
                Some(r) if length > 0 => r,
                _ => break,
            };
        }
    }
}

/// What stands in a `stat` file behind the name, which may hold anything: the state letter, the parent, more.
fn fields(stat: &str) -> Option<std::str::SplitWhitespace<'_>> {
    Some(stat.rsplit_once(')')?.1.split_whitespace())
}

fn state(stat: &str) -> Option<char> {
    fields(stat)?.next()?.chars().next()
}

/// Parent of a process, and its state letter.
pub fn parent(pid: i32) -> Option<(i32, char)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some((fields(&stat)?.nth(1)?.parse().ok()?, state(&stat)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn every_process_is_seen_and_known() {
        let mut child = std::process::Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let mut seen = Vec::new();
        each(|p| seen.push(p));
        assert!(seen.contains(&pid) && seen.contains(&i32::try_from(std::process::id()).unwrap()));
        assert_eq!(parent(pid).unwrap().0, i32::try_from(std::process::id()).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(parent(pid), None);
    }
}
