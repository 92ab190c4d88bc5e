//! Twenty-four drives at once through real worker processes: two hang, one dies, one worker is killed, one is stopped,
//! and the other nineteen notice nothing. While all run, their memory is looked at.
//!
//! The drives are loop devices over files in RAM. One "hangs" by a cgroup that gives it one byte a second: its accesses
//! lie in the kernel as those of a drive that does not answer. Needs root; told as not run where that is missing.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use burnin::evidence::{Evidence, Stop};
use burnin::hand_over::hand_over;
use burnin::pattern::JobKey;
use burnin::worker::{Input, Io, Limits, Order, Report};
use burnin::{Playbook, device};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::NamedTempFile;

const DRIVES: usize = 24;
const BYTES: u64 = 24 << 20;

/// Bytes a second of each: writing and verifying takes six seconds, in which all run at once.
const PACE: u64 = 8 << 20;

/// Longest run of the whole, on a machine that does ten other things.
const PATIENCE: Duration = Duration::from_mins(5);

const HANGS_AND_IS_TOLD: usize = 3;
const HANGS: usize = 7;
const DIES: usize = 11;
const KILLED: usize = 13;
const STOPPED: usize = 17;
const BAD: [usize; 5] = [HANGS_AND_IS_TOLD, HANGS, DIES, KILLED, STOPPED];

/// Most memory of a worker, and of all of them: 110 MiB less what the agent may take. Code that is not optimised is larger, and
/// how much of it counts for whom goes by who has read which page first: the goals are for the shipped build (`kiln bench`).
const WORKER_MIB: f64 = if cfg!(debug_assertions) { 6.0 } else { 4.5 };
const ALL_MIB: f64 = if cfg!(debug_assertions) { 125.0 } else { 90.0 };

/// A loop device over a file in RAM; both are gone when it is dropped.
struct Drive {
    device: rig::Loop,
    file: NamedTempFile,
}

impl Drive {
    fn new() -> Result<Self, String> {
        let file = tempfile::Builder::new().prefix("kiln-many-").tempfile_in("/dev/shm");
        let file = file.unwrap();
        file.as_file().set_len(BYTES).unwrap();
        let device = rig::Loops::default().direct_io().over(file.path())?;
        Ok(Self { device, file })
    }

    fn open(&self) -> File {
        let flags = libc::O_DIRECT | libc::O_EXCL | libc::O_CLOEXEC;
        let mut how = OpenOptions::new();
        how.read(true)
            .write(true)
            .custom_flags(flags)
            .open(&self.device.node)
            .unwrap()
    }

    /// The file behind it shrinks to nothing, as a drive that falls off the bus.
    fn die(&self) {
        self.file.as_file().set_len(0).unwrap();
        self.device.resized();
    }
}

/// A cgroup whose processes get one byte a second of some devices.
struct Slow(PathBuf);

impl Slow {
    fn new(drives: &[&Drive]) -> Option<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let v2 = root.join("cgroup.controllers").exists();
        let parent = if v2 { root.to_owned() } else { root.join("blkio") };
        let slow = Self(parent.join(format!("kiln-many-{}", std::process::id())));
        fs::create_dir(&slow.0).ok()?;
        if v2 {
            let _ = fs::write(root.join("cgroup.subtree_control"), "+io");
        }
        for drive in drives {
            slow.rate(drive, 1).ok()?;
        }
        Some(slow)
    }

    /// 0: as fast as it goes.
    fn rate(&self, drive: &Drive, rate: u64) -> std::io::Result<()> {
        let number = fs::metadata(&drive.device.node)?.rdev();
        let (major, minor) = (libc::major(number), libc::minor(number));
        if self.0.join("io.max").exists() {
            let rate = if rate == 0 { "max".to_owned() } else { rate.to_string() };
            return fs::write(
                self.0.join("io.max"),
                format!("{major}:{minor} rbps={rate} wbps={rate}"),
            );
        }
        for way in ["read", "write"] {
            let file = self.0.join(format!("blkio.throttle.{way}_bps_device"));
            fs::write(file, format!("{major}:{minor} {rate}"))?;
        }
        Ok(())
    }
}

/// Lets the hanging accesses go on, in whatever way the test ends: their processes cannot be killed before that.
struct Lift<'a>(&'a Slow, [&'a Drive; 2]);

impl Drop for Lift<'_> {
    fn drop(&mut self) {
        for drive in self.1 {
            let _ = self.0.rate(drive, 0);
        }
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        let until = Instant::now() + Duration::from_secs(20);
        while fs::remove_dir(&self.0).is_err() && Instant::now() < until {
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A worker process and what it tells.
struct Worker {
    child: Child,
    /// Closed, it ends.
    _input: ChildStdin,
    reports: Receiver<Report>,
}

impl Worker {
    fn start(n: usize, drive: &Drive, slow: Option<&Slow>) -> Self {
        let file = drive.open();
        let enter = slow.map_or_else(String::new, |slow| {
            format!("echo $$ > {}/cgroup.procs && ", slow.0.display())
        });
        let mut command = Command::new("sh");
        command
            .args(["-c", &(enter + "exec \"$0\" \"$@\"")])
            .args([
                env!("CARGO_BIN_EXE_kiln-agent"),
                "worker",
                &std::process::id().to_string(),
            ])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let fd = file.as_raw_fd();
        // SAFETY: between fork and exec only dup2 and fcntl are called, which are async-signal-safe; `fd` is open until after the
        // spawn.
        unsafe { command.pre_exec(move || hand_over(fd)) };
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let limits = Limits {
            hang_ms: if n == HANGS_AND_IS_TOLD {
                3_000
            } else {
                Limits::default().hang_ms
            },
            ..Limits::default()
        };
        let order = Order {
            key: JobKey([u8::try_from(n).unwrap(); 16]),
            geometry: device::geometry(&file).unwrap(),
            steps: Playbook::named("surface").unwrap().steps().to_vec(),
            header: None,
            limits,
            io: Io::default(),
            resume: None,
            failed_before: false,
            pace: Some(PACE),
            medium: None,
        };
        writeln!(
            input,
            "{}",
            serde_json::to_string(&Input::Order(Box::new(order))).unwrap()
        )
        .unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, reports) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { return };
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            _input: input,
            reports,
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Proportional set size in MiB.
    fn memory(&self) -> Option<f64> {
        rig::pss(self.pid().as_raw())
    }

    /// The evidence, once it has ended by itself; `None`: it ended without, or has not ended by then.
    fn evidence(&self, until: Instant) -> Option<Evidence> {
        while let Ok(report) = self
            .reports
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            if let Report::Done { evidence } = report {
                return Some(*evidence);
            }
        }
        None
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn not_run(why: &str) {
    rig::not_run(&format!("twenty-four drives at once: {why}"));
}

#[test]
fn hanging_dying_killed_and_stopped_ones_change_nothing_for_the_others() {
    let drives: Vec<Drive> = match (0..DRIVES).map(|_| Drive::new()).collect() {
        Ok(drives) => drives,
        Err(why) => return not_run(&format!("loop devices cannot be made here: {why}")),
    };
    let Some(slow) = Slow::new(&[&drives[HANGS_AND_IS_TOLD], &drives[HANGS]]) else {
        return not_run("no cgroup can slow down a device here");
    };
    let began = Instant::now();
    let until = began + PATIENCE;
    let workers: Vec<Worker> = drives
        .iter()
        .enumerate()
        .map(|(n, drive)| {
            let hangs = [HANGS_AND_IS_TOLD, HANGS].contains(&n);
            Worker::start(n, drive, hangs.then_some(&slow))
        })
        .collect();
    // Behind the workers, and so gone before them.
    let lift = Lift(&slow, [&drives[HANGS_AND_IS_TOLD], &drives[HANGS]]);
    // Each of the others is in the middle of it before anything happens.
    let moving = |worker: &Worker| {
        let told = worker.reports.recv_timeout(until - began);
        matches!(told, Ok(Report::Progress { progress, .. }) if progress.done.0 > 0)
    };
    for (n, worker) in workers.iter().enumerate() {
        while ![HANGS_AND_IS_TOLD, HANGS].contains(&n) && !moving(worker) {
            assert!(Instant::now() < until, "drive {n} does not move");
        }
    }
    let memory: Vec<f64> = workers.iter().filter_map(Worker::memory).collect();
    let (most, all) = (memory.iter().copied().fold(0.0, f64::max), memory.iter().sum::<f64>());
    println!("{} workers: {most:.2} MiB at most, {all:.1} MiB together", memory.len());
    assert!(
        memory.len() == DRIVES && most <= WORKER_MIB && all <= ALL_MIB,
        "{memory:?}"
    );

    drives[DIES].die();
    kill(workers[KILLED].pid(), Signal::SIGKILL).unwrap();
    kill(workers[STOPPED].pid(), Signal::SIGSTOP).unwrap();

    for (n, worker) in workers.iter().enumerate().filter(|(n, _)| !BAD.contains(n)) {
        let evidence = worker
            .evidence(until)
            .unwrap_or_else(|| panic!("drive {n} did not end"));
        assert!(
            evidence.stopped.is_none() && evidence.defects.is_empty(),
            "drive {n}: {evidence:?}"
        );
        assert!(evidence.incidents.is_empty(), "drive {n}: {:?}", evidence.incidents);
        assert_eq!(evidence.verified().0, BYTES, "drive {n}");
    }
    // All others are done, and these still are what they were.
    let soon = Instant::now() + Duration::from_millis(500);
    assert!(
        workers[HANGS].evidence(soon).is_none(),
        "the hanging drive came to an end"
    );
    assert!(
        workers[STOPPED].evidence(soon).is_none(),
        "the stopped worker came to an end"
    );
    assert!(
        workers[KILLED].evidence(until).is_none(),
        "a killed worker told a result"
    );

    let hung = workers[HANGS_AND_IS_TOLD]
        .evidence(until)
        .expect("a hanging drive is told");
    assert_eq!((hung.stopped.clone(), hung.verified().0), (Some(Stop::Hung), 0));
    let gone = workers[DIES].evidence(until).expect("a dead drive is told");
    let named = matches!(gone.stopped, Some(Stop::Disconnected | Stop::Resized { .. }));
    assert!(named && gone.verified().0 < BYTES, "{:?}", gone.stopped);

    // What was stopped goes on as if nothing had been.
    kill(workers[STOPPED].pid(), Signal::SIGCONT).unwrap();
    let again = workers[STOPPED].evidence(until).expect("it goes on");
    assert_eq!((again.stopped.clone(), again.verified().0), (None, BYTES));

    // The kernel lets go of the hanging accesses only when they may go on.
    drop(lift);
    drop(workers);
}
