//! A tool for file systems, run to its end: a slow one that gets on is told from one that hangs by what it reads and writes.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::boot::medium::said::progress;
use crate::shell::helper::Line;

/// Runs a tool to its end, telling every five seconds how long it has taken; returns its exit status.
pub(in crate::boot) fn run(line: &Line, tool: &str, args: &[&str], what: &str) -> Option<i32> {
    let begun = Instant::now();
    let out = || {
        OpenOptions::new()
            .write(true)
            .open("/dev/kmsg")
            .map_or_else(|_| Stdio::null(), Stdio::from)
    };
    let child = Command::new(tool)
        .args(args)
        .env("PATH", "/usr/sbin:/usr/bin")
        .stdin(Stdio::null())
        .stdout(out())
        .stderr(out())
        .spawn();
    let mut child = match child {
        Ok(c) => c,
        Err(e) => {
            progress(line, format_args!("{tool}: {e}"));
            return None;
        }
    };
    let mut told = 0;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.code(),
            Ok(None) => {}
            Err(_) => return None,
        }
        let seconds = begun.elapsed().as_secs();
        if seconds / 5 > told {
            told = seconds / 5;
            let mib = moved(child.id());
            progress(
                line,
                format_args!("{what}, {seconds} s so far, {mib} MiB read and written"),
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How much a process has read and written, in MiB: a slow tool that gets on is told from one that hangs.
fn moved(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let bytes = |key: &str| {
        let value = text.lines().find_map(|l| l.strip_prefix(key));
        value.and_then(|v| v.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    bytes("rchar:").saturating_add(bytes("wchar:")) >> 20
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_tool_that_gets_on_is_known_by_what_it_reads_and_writes() {
        let dir = tempfile::tempdir().unwrap();
        let before = moved(std::process::id());
        std::fs::write(dir.path().join("x"), vec![1; 2 << 20]).unwrap();
        assert!(moved(std::process::id()) >= before + 2);
    }
}
