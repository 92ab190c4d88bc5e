//! An agent process and its workers.

use std::path::Path;
use std::process::{Child, Command as Process};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::TOKEN;

/// The agent that cargo built, or the one that `KILN_TEST_AGENT` names: the image's static one, say.
fn program() -> std::ffi::OsString {
    std::env::var_os("KILN_TEST_AGENT").unwrap_or_else(|| env!("CARGO_BIN_EXE_kiln-agent").into())
}

/// An agent process; killed when dropped.
pub(crate) struct Agent {
    child: Child,
}

impl Agent {
    pub(crate) fn start(dir: &Path) -> Self {
        Self::with(dir, &[])
    }

    pub(crate) fn with(dir: &Path, arguments: &[&str]) -> Self {
        Self::behind(&[], dir, arguments)
    }

    /// The same, started by these words, which end with an `exec` of what follows them.
    pub(crate) fn behind(words: &[String], dir: &Path, arguments: &[&str]) -> Self {
        let mut words = words.iter().map(std::ffi::OsString::from).chain([program()]);
        let child = Process::new(words.next().unwrap())
            .args(words)
            .arg("--server")
            .arg(format!("unix:{}", dir.join("server.sock").display()))
            .args(["--addon-id", "1", "--allow-loop", "--checkpoint-bytes", "8388608"])
            .args(if arguments.contains(&"--smartctl") {
                &[][..]
            } else {
                &["--smartctl", "/bin/false"][..]
            })
            .args(arguments)
            .arg("--data")
            .arg(dir.join("data"))
            .arg("--run")
            .arg(dir.join("run"))
            .env("VIGIL_ADDON_TOKEN", TOKEN)
            .env("KILN_LOG", "info")
            .spawn()
            .unwrap();
        Self { child }
    }

    /// An agent that finds its server by these variables of its environment; what it prints goes to `console` in `dir`.
    pub(crate) fn elsewhere(dir: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let console = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(dir.join("console"))
            .unwrap();
        let child = Process::new(program())
            .args(["--allow-loop", "--checkpoint-bytes", "8388608"])
            .args(arguments)
            .arg("--data")
            .arg(dir.join("data"))
            .arg("--run")
            .arg(dir.join("run"))
            .env("KILN_LOG", "info")
            .envs(environment.iter().copied())
            .stderr(console)
            .spawn()
            .unwrap();
        Self { child }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn terminate(&mut self) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        // The server's end must go on meanwhile: it is told how the jobs stand.
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        assert!(status.success(), "{status}");
    }

    /// Process ids of its workers.
    pub(crate) fn workers(&self) -> Vec<i32> {
        workers_of(self.pid())
    }

    /// Process ids of its formatters.
    pub(crate) fn formatters(&self) -> Vec<i32> {
        helpers_of(self.pid(), b"formatter")
    }
}

fn workers_of(agent: i32) -> Vec<i32> {
    helpers_of(agent, b"worker")
}

/// Processes of the agent that it started as itself, under this name.
fn helpers_of(agent: i32, name: &[u8]) -> Vec<i32> {
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.split(' ').nth(1)?.parse::<i32>().ok());
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let is_one = line.split(|byte| *byte == 0).nth(1) == Some(name);
        if parent == Some(agent) && is_one {
            pids.push(pid);
        }
    }
    pids
}

/// Lets an agent's workers run one moment in ten, so that no machine is too fast for a test that disturbs them.
pub(crate) struct Brake {
    off: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Brake {
    pub(crate) fn on(agent: &Agent) -> Self {
        let (off, agent) = (Arc::new(AtomicBool::new(false)), agent.pid());
        let until = off.clone();
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let held = workers_of(agent);
                let each = |signal| {
                    for pid in &held {
                        // It may have ended.
                        let _gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), signal);
                    }
                };
                each(nix::sys::signal::Signal::SIGSTOP);
                std::thread::sleep(Duration::from_millis(if held.is_empty() { 1 } else { 45 }));
                each(nix::sys::signal::Signal::SIGCONT);
                std::thread::sleep(Duration::from_millis(if held.is_empty() { 0 } else { 5 }));
            }
        });
        Self {
            off,
            thread: Some(thread),
        }
    }
}

impl Drop for Brake {
    fn drop(&mut self) {
        self.off.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
