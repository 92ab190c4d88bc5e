//! Runs a program in a cgroup of its own and measures its process tree, or slows down its way to a device.
//!
//! Works with cgroup v2 (`cpu.stat`, `io.max`) and with v1 (`cpuacct.usage`, `blkio.throttle`), whichever the machine has.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Where cgroups are mounted.
const ROOT: &str = "/sys/fs/cgroup";

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

/// What is to be run, and how.
#[derive(Debug, Default)]
pub(super) struct Run<'a> {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Environment besides this process's.
    pub env: Vec<(&'static str, String)>,
    /// A device (`MAJOR:MINOR`) and the bytes a second that it gets, each way.
    pub throttle: Option<(&'a str, u64)>,
}

/// A cgroup, removed when dropped.
#[derive(Debug)]
pub(super) struct Group {
    /// One directory in v2, one for each controller in v1; the first one counts CPU time.
    dirs: Vec<PathBuf>,
    v2: bool,
}

impl Group {
    /// A new one, with or without a slow device.
    pub(super) fn new(throttle: Option<(&str, u64)>) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "kiln-bench-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let root = Path::new(ROOT);
        let v2 = root.join("cgroup.controllers").exists();
        let wanted: &[&str] = match (v2, throttle) {
            (true, _) => &["."],
            // The last one counts memory, where the machine has it.
            (false, None) if root.join("memory").is_dir() => &["cpuacct", "memory"],
            (false, None) => &["cpuacct"],
            (false, Some(_)) => &["cpuacct", "blkio"],
        };
        let group = Self {
            dirs: wanted.iter().map(|place| root.join(place).join(&name)).collect(),
            v2,
        };
        for dir in &group.dirs {
            fs::create_dir_all(dir)
                .with_context(|| format!("making the cgroup {} (this needs root)", dir.display()))?;
        }
        if let Some((device, rate)) = throttle {
            group.throttle(device, rate)?;
        }
        Ok(group)
    }

    fn throttle(&self, device: &str, rate: u64) -> Result<()> {
        let write = |path: PathBuf, text: String| {
            fs::write(&path, &text).with_context(|| format!("writing {text:?} to {}", path.display()))
        };
        if self.v2 {
            // Already on where anything else uses it; a refusal shows in the next write.
            let _ = fs::write(Path::new(ROOT).join("cgroup.subtree_control"), "+io");
            return write(self.dirs[0].join("io.max"), format!("{device} rbps={rate} wbps={rate}"));
        }
        for way in ["read", "write"] {
            let file = format!("blkio.throttle.{way}_bps_device");
            write(self.dirs[1].join(file), format!("{device} {rate}"))?;
        }
        Ok(())
    }

    /// A command that enters the group and becomes the program, so nothing of the program is missed.
    pub(super) fn enter(&self, command: &[String]) -> Command {
        let enter: Vec<String> = self
            .dirs
            .iter()
            .map(|dir| format!("echo $$ > {}/cgroup.procs && ", dir.display()))
            .collect();
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(enter.concat() + "exec \"$@\"")
            .arg("sh")
            .args(command);
        shell
    }

    /// CPU time of everything that ever ran in it, in seconds.
    pub(super) fn cpu(&self) -> Result<f64> {
        let file = self.dirs[0].join(if self.v2 { "cpu.stat" } else { "cpuacct.usage" });
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

    /// Most that was charged to it, with what the kernel holds for it; `None` where nothing counts it.
    pub(super) fn charged(&self) -> Option<u64> {
        let file = if self.v2 {
            "memory.peak"
        } else {
            "memory.max_usage_in_bytes"
        };
        fs::read_to_string(self.dirs.last()?.join(file))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// Sum of the peak resident sizes of the processes in it now.
    fn memory(&self) -> u64 {
        let procs = fs::read_to_string(self.dirs[0].join("cgroup.procs")).unwrap_or_default();
        procs.lines().filter_map(|pid| field(pid, "status", "VmHWM:")).sum()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel lets go of the last process a moment after it ended.
        for dir in &self.dirs {
            for _ in 0..50 {
                if fs::remove_dir(dir).is_ok() {
                    break;
                }
                std::thread::sleep(LOOK);
            }
        }
    }
}

/// A size in kB from a file of /proc/PID, in bytes.
pub(super) fn field(pid: &str, file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// Runs a program to its end; killed when `asked` becomes true.
pub(super) fn measure(run: &Run<'_>, asked: &AtomicBool) -> Result<Done> {
    let group = Group::new(run.throttle)?;
    let began = Instant::now();
    let mut child = group
        .enter(&run.command)
        .envs(run.env.iter().map(|(name, value)| (*name, value)))
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
