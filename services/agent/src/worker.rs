//! A worker process seen from the agent: started on an open drive, ordered, listened to, stopped.
//!
//! It must be started from the main thread: the kernel kills it when the *thread* that started it ends.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use burnin::hand_over::hand_over;
use burnin::worker::{Input, Order, Report};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::warn;
use wire::JobId;

use crate::cgroup::Cgroup;

/// Longest accepted report line in bytes: a checkpoint of the largest size, escaped.
const LINE_MAX: u64 = 3 * burnin::checkpoint::TEXT_MAX as u64;

/// Reports that may wait; a full queue makes the worker wait at its pipe, never drop one.
const REPORTS: usize = 64;

/// Time for a killed worker to be reaped. One in the kernel's hands (a drive that hangs) takes longer and is left.
const REAP: Duration = Duration::from_secs(5);

/// A running worker; killed when dropped.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    reports: mpsc::Receiver<Report>,
    cgroup: Option<Cgroup>,
    held: bool,
}

impl Worker {
    /// Starts one on `drive` and gives it `order`.
    ///
    /// # Errors
    /// When the process cannot be started or does not take the order.
    pub async fn start(job: JobId, drive: &File, order: Order) -> io::Result<Self> {
        // Not current_exe(): its path is gone once an update has replaced the binary.
        let mut command = Command::new(PathBuf::from("/proc/self/exe"));
        command
            .arg("worker")
            .arg(std::process::id().to_string())
            // Tokens and sockets in our environment are none of a worker's business.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        let fd = drive.as_raw_fd();
        // SAFETY: between fork and exec only dup2 and fcntl are called, which are async-signal-safe; `fd` is open until after the
        // spawn.
        unsafe { command.pre_exec(move || hand_over(fd)) };
        let mut child = command.spawn()?;
        let cgroup = child.id().and_then(|pid| Cgroup::of_worker(job, pid));
        let output = child
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("no standard output"))?;
        let input = child
            .stdin
            .take()
            .ok_or_else(|| io::Error::other("no standard input"))?;
        let (sender, reports) = mpsc::channel(REPORTS);
        tokio::spawn(read(job, output, sender));
        let mut worker = Self {
            child,
            input: Some(input),
            reports,
            cgroup,
            held: false,
        };
        worker.say(&Input::Order(Box::new(order))).await?;
        Ok(worker)
    }

    async fn say(&mut self, input: &Input) -> io::Result<()> {
        let pipe = self
            .input
            .as_mut()
            .ok_or_else(|| io::Error::other("standard input is closed"))?;
        let mut line = serde_json::to_vec(input)?;
        line.push(b'\n');
        pipe.write_all(&line).await?;
        pipe.flush().await
    }

    /// Asks for a checkpoint and an end.
    pub async fn stop(&mut self, why: &str) {
        self.ask(&Input::Stop { why: why.to_owned() }).await;
    }

    /// Asks it to begin nothing more until it is released.
    pub async fn hold(&mut self, why: &str) {
        self.held = true;
        self.ask(&Input::Hold { why: why.to_owned() }).await;
    }

    /// Lets it go on, if it was held.
    pub async fn release(&mut self) {
        if std::mem::take(&mut self.held) {
            self.ask(&Input::Release).await;
        }
    }

    /// Lets it write to the medium of this count.
    pub async fn medium(&mut self, count: u64) {
        self.ask(&Input::Medium { count }).await;
    }

    /// Tells it how fast it may go, in bytes a second; `None` for as fast as the drive goes, 0 to wait.
    pub async fn pace(&mut self, bytes_per_s: Option<u64>) {
        self.ask(&Input::Pace { bytes_per_s }).await;
    }

    /// Lets it begin the step that it waits with.
    pub async fn go(&mut self, step: u16) {
        self.ask(&Input::Go { step }).await;
    }

    async fn ask(&mut self, input: &Input) {
        if let Err(error) = self.say(input).await {
            // It is ending by itself, which its reports will tell.
            warn!(%error, ?input, "a worker did not hear what it was told");
        }
    }

    /// The next report; `None` once it has said everything. May be dropped and called again without loss.
    pub async fn report(&mut self) -> Option<Report> {
        self.reports.recv().await
    }

    /// Process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills it if it still runs, and says how it ended.
    pub async fn end(mut self, patience: Duration) -> String {
        drop(self.input.take());
        let status = if let Ok(status) = timeout(patience, self.child.wait()).await {
            status
        } else {
            if let Some(cgroup) = &self.cgroup {
                cgroup.kill();
            }
            if let Err(error) = self.child.start_kill() {
                warn!(%error, "killing a worker");
            }
            match timeout(REAP, self.child.wait()).await {
                Ok(status) => status,
                Err(_) => return "worker cannot be killed: its drive hangs in the kernel".to_owned(),
            }
        };
        match status {
            Ok(status) if status.success() => "worker ended".to_owned(),
            Ok(status) => format!("worker ended ({status})"),
            Err(error) => format!("worker ended (its status is unknown: {error})"),
        }
    }
}

/// Reads reports until the pipe ends or a line is no report.
async fn read(job: JobId, output: ChildStdout, reports: mpsc::Sender<Report>) {
    let mut output = BufReader::with_capacity(64 << 10, output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut output).take(LINE_MAX).read_until(b'\n', &mut line).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                warn!(%job, %error, "reading from a worker");
                return;
            }
        }
        match serde_json::from_slice(&line) {
            Ok(report) => {
                if reports.send(report).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                warn!(%job, %error, length = line.len(), "a worker's line is no report; it counts as ended");
                return;
            }
        }
    }
}
