//! A process that SIGKILL does not end is left behind and replaced: shown with a process that the kernel's freezer
//! (cgroup v1) holds, which, like one in D state, dies only when it is let go.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod lab;

use std::path::{Path, PathBuf};

use lab::{Init, alive, pid_of, service};
use wire::supervisor::{Rung, UnitState};

#[test]
fn helper_notify() {
    lab::helper();
}

/// A frozen group that is thawed and removed whatever happens.
struct Freezer(PathBuf);

impl Freezer {
    fn set(&self, state: &str) {
        std::fs::write(self.0.join("freezer.state"), state).unwrap();
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        let _ = std::fs::write(self.0.join("freezer.state"), "THAWED");
        for _ in 0..500 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// A freezer of this test's own; `None`, and told, where there is none.
fn freezer(what: &str) -> Option<Freezer> {
    let name = format!("kiln-test-{}-{}", std::process::id(), what.len());
    let dir = Path::new("/sys/fs/cgroup/freezer").join(name);
    match std::fs::create_dir(&dir) {
        Ok(()) => Some(Freezer(dir)),
        Err(e) => {
            rig::not_run(&format!("{what}: no cgroup v1 freezer here ({}: {e})", dir.display()));
            None
        }
    }
}

#[test]
fn a_process_that_the_kernel_holds_is_known_and_one_that_only_waits_is_not() {
    let Some(freezer) = freezer("a held process") else {
        return;
    };
    let mut child = std::process::Command::new("sleep").arg("300").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let is_held = || supervisor::shell::process::is_held(pid);
    assert!(!is_held());
    std::fs::write(freezer.0.join("cgroup.procs"), pid.to_string()).unwrap();
    freezer.set("FROZEN");
    let until = |held: bool| {
        let begun = std::time::Instant::now();
        while is_held() != held {
            assert!(begun.elapsed() < lab::PATIENCE * 10, "held: {}", !held);
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    };
    until(true);
    freezer.set("THAWED");
    until(false);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!is_held(), "it is gone");
}

#[test]
fn what_survives_sigkill_is_abandoned_and_replaced_and_reaped_once_it_is_let_go() {
    let Some(freezer) = freezer("the abandoned process") else {
        return;
    };
    let mut init = Init::start(&[
        ("stuck", &service("beats", "watchdog_sec = 1")),
        ("other", &service("beats", "watchdog_sec = 20")),
    ]);
    let s = init.wait("both ready", |s| s.units.iter().all(|u| u.state == UnitState::Ready));
    let (old, other) = (pid_of(&s, "stuck"), pid_of(&s, "other"));
    std::fs::write(freezer.0.join("cgroup.procs"), old.to_string()).unwrap();
    freezer.set("FROZEN");
    // From silence to the kill some five seconds, five more until it is given up.
    let s = init.wait("a new process beside the old one", |s| {
        let u = s.units.iter().find(|u| u.name == "stuck").unwrap();
        u.restarts == 1 && u.state == UnitState::Ready
    });
    let u = s.units.iter().find(|u| u.name == "stuck").unwrap();
    assert_eq!(u.rung, Some(Rung::Restart).max(Some(Rung::Abandoned)), "{u:?}");
    assert!(u.reason.contains("stuck in the kernel and abandoned"), "{u:?}");
    assert!(alive(old), "it should not have died");
    // What it is to be sent once it is let go: a core would have been waited for. Source: proc_pid_status(5).
    let status = std::fs::read_to_string(format!("/proc/{old}/status")).unwrap();
    let pending = status.lines().find_map(|line| line.strip_prefix("ShdPnd:")).unwrap();
    let pending = u64::from_str_radix(pending.trim(), 16).unwrap();
    let is_sent = |signal: i32| pending >> (signal - 1) & 1 == 1;
    assert!(is_sent(libc::SIGKILL) && !is_sent(libc::SIGABRT), "{status}");
    assert_ne!(u.pid, Some(old));
    assert_eq!(pid_of(&s, "other"), other, "the others go on");
    freezer.set("THAWED");
    init.until("its end once it is let go", || {
        !Path::new(&format!("/proc/{old}")).exists()
    });
    let begun = std::time::Instant::now();
    init.lines = None;
    let later = init.wait("nothing else moved", |_| begun.elapsed() < lab::PATIENCE);
    assert_eq!(pid_of(&later, "stuck"), u.pid.unwrap());
    init.stop();
}
