//! Memory of 24 workers and the agent at once.
//!
//! A worker is the agent's own binary started anew, so the pages of its code are shared by all of them: what one costs
//! is its proportional set size (PSS). The workers burn files, slowed down so that all are in the middle of it.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use burnin::Playbook;
use burnin::device::Geometry;
use burnin::hand_over::hand_over;
use burnin::pattern::JobKey;
use burnin::worker::{Input, Io, Limits, Order};
use serde::Serialize;

use super::group::field;
use super::{Bench, Sink, goal};

/// How many.
const WORKERS: usize = 24;

/// Size of each one's file: sparse, and only its start is ever written.
const BYTES: u64 = 1 << 30;

/// Bytes a second of each, so that none is done before it is measured.
const PACE: u64 = 4 << 20;

/// How long they are watched.
const WATCHED: Duration = Duration::from_secs(6);

/// Most of one worker, and of all and the agent.
const WORKER: f64 = 4.5;
const ALL: f64 = 110.0;

#[derive(Clone, Debug, Serialize)]
struct Row {
    workers: usize,
    /// Highest PSS of a worker, and highest resident size with everything that is shared.
    worker_pss_mib: f64,
    worker_rss_mib: f64,
    agent_pss_mib: f64,
    all_pss_mib: f64,
}

/// Measures and returns the table.
pub(super) fn part(bench: &Bench<'_>, sink: &mut Sink) -> Result<String> {
    if !bench.agent.exists() {
        let text = format!("NOT RUN: memory: {} is not built\n", bench.agent.display());
        eprint!("{text}");
        return Ok(text);
    }
    let mut family = Family::new()?;
    family.agent(bench)?;
    for n in 0..WORKERS {
        family.worker(bench, n)?;
    }
    let mut most: Option<Row> = None;
    let mut watched = Duration::ZERO;
    while watched < WATCHED && !bench.asked.load(Ordering::Relaxed) {
        let step = Duration::from_millis(200);
        std::thread::sleep(step);
        watched += step;
        let row = family.look()?;
        most = Some(match most {
            None => row,
            Some(old) => Row {
                workers: row.workers,
                worker_pss_mib: old.worker_pss_mib.max(row.worker_pss_mib),
                worker_rss_mib: old.worker_rss_mib.max(row.worker_rss_mib),
                agent_pss_mib: old.agent_pss_mib.max(row.agent_pss_mib),
                all_pss_mib: old.all_pss_mib.max(row.all_pss_mib),
            },
        });
    }
    let row = most.context("ended by a signal")?;
    sink.row("memory", &row)?;
    let mut out = format!(
        "{} workers at once: each at most {:.2} MiB PSS ({:.2} MiB resident with shared code), the agent {:.2} MiB, together {:.1} MiB\n\n",
        row.workers, row.worker_pss_mib, row.worker_rss_mib, row.agent_pss_mib, row.all_pss_mib
    );
    out += &goal(&format!("a worker within {WORKER} MiB"), row.worker_pss_mib <= WORKER);
    out += &goal(
        &format!("{WORKERS} workers and the agent under {ALL} MiB"),
        row.all_pss_mib < ALL,
    );
    Ok(out)
}

/// The agent and its like; killed when dropped, with their files.
struct Family {
    folder: PathBuf,
    agent: Option<Child>,
    workers: Vec<Child>,
}

impl Family {
    fn new() -> Result<Self> {
        let folder = PathBuf::from("/dev/shm").join(format!("kiln-bench-memory-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self {
            folder,
            agent: None,
            workers: Vec::new(),
        })
    }

    /// The agent as it is when its server is away: it watches the drives and does nothing to them.
    fn agent(&mut self, bench: &Bench<'_>) -> Result<()> {
        let path = |name: &str| self.folder.join(name);
        let agent = Command::new(&bench.agent)
            .args(["--server", "unix:/nonexistent/kiln.sock", "--addon-id", "1"])
            .arg("--data")
            .arg(path("data"))
            .arg("--run")
            .arg(path("run"))
            .env("VIGIL_ADDON_TOKEN", "a token that no server knows 0123456789")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", bench.agent.display()))?;
        self.agent = Some(agent);
        Ok(())
    }

    fn worker(&mut self, bench: &Bench<'_>, n: usize) -> Result<()> {
        let path = self.folder.join(format!("drive-{n}"));
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path);
        let file = file.with_context(|| format!("making {}", path.display()))?;
        file.set_len(BYTES).context("sizing a file")?;
        let fd = file.as_raw_fd();
        let mut command = Command::new(&bench.agent);
        command
            .arg("worker")
            .arg(std::process::id().to_string())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        // SAFETY: between fork and exec only dup2 and fcntl are called, which are async-signal-safe; `fd` is open until after the
        // spawn.
        unsafe { command.pre_exec(move || hand_over(fd)) };
        let mut child = command.spawn().context("starting a worker")?;
        let order = Order {
            key: JobKey([u8::try_from(n)?; 16]),
            geometry: Geometry {
                sectors: BYTES / 512,
                sector: 512,
                physical: 512,
            },
            steps: Playbook::named("surface")?.steps().to_vec(),
            header: None,
            limits: Limits::default(),
            io: Io::default(),
            resume: None,
            failed_before: false,
            pace: Some(PACE),
            medium: None,
        };
        let line = serde_json::to_string(&Input::Order(Box::new(order))).context("writing an order")?;
        let input = child.stdin.as_mut().context("a worker without standard input")?;
        writeln!(input, "{line}").context("ordering a worker")?;
        self.workers.push(child);
        drop(file);
        Ok(())
    }

    fn look(&mut self) -> Result<Row> {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let pss = |pid: u32| field(&pid.to_string(), "smaps_rollup", "Pss:").map(mib);
        let mut row = Row {
            workers: self.workers.len(),
            worker_pss_mib: 0.0,
            worker_rss_mib: 0.0,
            agent_pss_mib: 0.0,
            all_pss_mib: 0.0,
        };
        for worker in &self.workers {
            let Some(own) = pss(worker.id()) else {
                bail!("a worker ended early")
            };
            row.worker_pss_mib = row.worker_pss_mib.max(own);
            row.all_pss_mib += own;
            let rss = field(&worker.id().to_string(), "smaps_rollup", "Rss:").map_or(0.0, mib);
            row.worker_rss_mib = row.worker_rss_mib.max(rss);
        }
        if let Some(agent) = &self.agent {
            let Some(own) = pss(agent.id()) else {
                bail!("the agent ended early")
            };
            row.agent_pss_mib = own;
            row.all_pss_mib += own;
        }
        Ok(row)
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        for child in self.workers.iter_mut().chain(&mut self.agent) {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
