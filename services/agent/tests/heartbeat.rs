//! What a supervisor hears of a real agent: READY, heartbeats after committed writes, none while it is stopped, STOPPING.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The next message that has `line`; panics when none comes.
fn hear(socket: &UnixDatagram, line: &str) {
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut buffer = [0; 4096];
    while Instant::now() < deadline {
        if let Ok(n) = socket.recv(&mut buffer)
            && String::from_utf8_lossy(&buffer[..n]).lines().any(|heard| heard == line)
        {
            return;
        }
    }
    panic!("{line} was not heard");
}

#[test]
fn a_heartbeat_says_that_the_loop_turned() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // There is no server at all: an agent is ready and alive without one.
    let mut agent = Command::new(env!("CARGO_BIN_EXE_kiln-agent"))
        .args(["--server", "unix:/nonexistent/server.sock", "--addon-id", "1"])
        .arg("--data")
        .arg(dir.path().join("data"))
        .arg("--run")
        .arg(dir.path().join("run"))
        .env("VIGIL_ADDON_TOKEN", common::TOKEN)
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "2000000")
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(agent.id()).unwrap());
    hear(&socket, "READY=1");
    hear(&socket, "WATCHDOG=1");
    hear(&socket, "WATCHDOG=1");
    kill(pid, Signal::SIGSTOP).unwrap();
    // What was sent before the stop.
    let mut buffer = [0; 4096];
    while socket.recv(&mut buffer).is_ok() {}
    socket.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    assert!(socket.recv(&mut buffer).is_err(), "a stopped agent sends no heartbeat");
    kill(pid, Signal::SIGCONT).unwrap();
    hear(&socket, "WATCHDOG=1");
    kill(pid, Signal::SIGTERM).unwrap();
    hear(&socket, "STOPPING=1");
    assert!(agent.wait().unwrap().success());
}
