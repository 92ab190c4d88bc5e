//! Runs a program in a cgroup of its own and measures its process tree.
//!
//! Works with cgroup v2 (`cpu.stat`) and with v1 (`cpuacct.usage`), whichever the machine has.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// What a program did.
#[derive(Debug)]
pub(super) struct Done {
    pub exit: Option<i32>,
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub peak_bytes: u64,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// A cgroup, removed when dropped.
#[derive(Debug)]
struct Group {
    dir: PathBuf,
    v2: bool,
}

impl Group {
    fn new() -> Result<Self> {
        let name = format!("kiln-bench-{}", std::process::id());
        let root = Path::new("/sys/fs/cgroup");
        let v2 = root.join("cgroup.controllers").exists();
        let dir = if v2 {
            root.join(name)
        } else {
            root.join("cpuacct").join(name)
        };
        fs::create_dir_all(&dir).with_context(|| format!("making the cgroup {} (this needs root)", dir.display()))?;
        Ok(Self { dir, v2 })
    }

    /// CPU time of everything that ever ran in it, in seconds.
    fn cpu(&self) -> Result<f64> {
        let file = self.dir.join(if self.v2 { "cpu.stat" } else { "cpuacct.usage" });
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let number = if self.v2 {
            text.lines().find_map(|l| l.strip_prefix("usage_usec "))
        } else {
            Some(text.trim())
        };
        let number: f64 = number
            .and_then(|n| n.parse().ok())
            .with_context(|| format!("{} has no number", file.display()))?;
        Ok(if self.v2 { number / 1e6 } else { number / 1e9 })
    }

    /// Sum of the peak resident sizes of the processes in it now.
    fn memory(&self) -> u64 {
        let procs = fs::read_to_string(self.dir.join("cgroup.procs")).unwrap_or_default();
        let peak = |pid: &str| -> Option<u64> {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
            line.trim()
                .strip_suffix("kB")?
                .trim()
                .parse::<u64>()
                .ok()
                .map(|kib| kib << 10)
        };
        procs.lines().filter_map(peak).sum()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel lets go of the last process a moment after it ended.
        for _ in 0..50 {
            if fs::remove_dir(&self.dir).is_ok() {
                return;
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Runs `command` (program and arguments) to its end; killed when `asked` becomes true.
pub(super) fn measure(command: &[String], asked: &AtomicBool) -> Result<Done> {
    let group = Group::new()?;
    let began = Instant::now();
    // The shell enters the group and becomes the program, so nothing of the program is missed.
    let mut child = Command::new("sh")
        .args(["-c", "echo $$ > \"$0\"/cgroup.procs && exec \"$@\""])
        .arg(&group.dir)
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting a shell")?;
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let read_out = std::thread::spawn(move || read(out.as_mut()));
    let read_err = std::thread::spawn(move || read(err.as_mut()));
    let mut peak = 0;
    let status = loop {
        if let Some(status) = child.try_wait().context("waiting for the program")? {
            break status;
        }
        if asked.load(Ordering::Relaxed) {
            let _ = child.kill();
            let _ = child.wait();
            bail!("ended by a signal");
        }
        peak = peak.max(group.memory());
        std::thread::sleep(LOOK);
    };
    let seconds = began.elapsed().as_secs_f64();
    let stdout = read_out.join().unwrap_or_default();
    let stderr = String::from_utf8_lossy(&read_err.join().unwrap_or_default()).into_owned();
    Ok(Done {
        exit: status.code(),
        seconds,
        cpu_seconds: group.cpu()?,
        peak_bytes: peak,
        stdout,
        stderr,
    })
}

fn read(from: Option<&mut impl Read>) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(from) = from {
        let _ = from.read_to_end(&mut all);
    }
    all
}
