//! A server end made from `link`, an agent process, and loop devices: what the process tests share.
#![allow(clippy::unwrap_used, dead_code, reason = "tests; each test binary uses a part")]

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ed25519_dalek::{Signer, SigningKey};
use http::{HeaderMap, HeaderName, HeaderValue};
use link::{Limits, Sender};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wire::command::{Answer, Call, CallOutcome, Command};
use wire::drive::Drive;
use wire::event::NewEvent;
use wire::frame::{Hello, Notification};
use wire::gate::{Armed, Plan, SIGNED_PREFIX, Ticket};
use wire::job::Job;
use wire::{DriveId, Frame, JobId, Problem, Time};

/// Longest wait for anything; the machine may be slow and busy.
const PATIENCE: Duration = Duration::from_secs(240);

pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Says that a test did not run, and why; true when this machine cannot make loop devices.
pub fn not_here() -> bool {
    if nix::unistd::geteuid().is_root() && Path::new("/dev/loop-control").exists() {
        return false;
    }
    drop(std::io::Write::write_fmt(
        &mut std::io::stderr(),
        format_args!("\nNOT RUN: loop devices need root\n"),
    ));
    true
}

/// A loop device over a sparse file; taken down when dropped.
pub struct Loop {
    pub node: PathBuf,
    pub file: PathBuf,
    _dir: TempDir,
}

impl Loop {
    pub fn new(mib: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("disk");
        File::create(&file).unwrap().set_len(mib << 20).unwrap();
        let node = attach(&["-f", "--show"], &file);
        Self { node, file, _dir: dir }
    }

    pub fn id(&self) -> DriveId {
        let bytes = std::fs::metadata(&self.file).unwrap().len();
        DriveId::from_serial("Loop device", self.node.to_str().unwrap(), bytes).unwrap()
    }

    /// Puts a drive of another size into the same place.
    pub fn exchange(&self, mib: u64) {
        detach(&self.node);
        File::create(&self.file).unwrap().set_len(mib << 20).unwrap();
        attach(&[self.node.to_str().unwrap()], &self.file);
    }

    /// Makes an ext4 signature without a file system behind it: the magic number and a plausible superblock come from mkfs.
    pub fn mkfs(&self) {
        let begun = Instant::now();
        loop {
            let done = Process::new("mkfs.ext4")
                .args(["-q", "-F"])
                .arg(&self.node)
                .output()
                .unwrap();
            if done.status.success() {
                return;
            }
            // The kernel answers EBUSY for a moment after a ring on the device was closed.
            assert!(begun.elapsed() < PATIENCE, "{}", String::from_utf8_lossy(&done.stderr));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether nothing was ever written.
    pub fn is_blank(&self) -> bool {
        let file = File::open(&self.file).unwrap();
        let mut bytes = vec![0; 1 << 20];
        let size = file.metadata().unwrap().len();
        (0..size).step_by(bytes.len()).all(|at| {
            file.read_exact_at(&mut bytes, at).unwrap();
            bytes.iter().all(|byte| *byte == 0)
        })
    }
}

fn attach(before: &[&str], file: &Path) -> PathBuf {
    let output = Process::new("losetup").args(before).arg(file).output().unwrap();
    assert!(
        output.status.success(),
        "losetup: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

fn detach(node: &Path) {
    // It may be detached already.
    let _gone = Process::new("losetup")
        .arg("-d")
        .arg(node)
        .stderr(Stdio::null())
        .status();
}

impl Drop for Loop {
    fn drop(&mut self) {
        detach(&self.node);
    }
}

/// All that the agent said.
#[derive(Default)]
pub struct Seen {
    pub connections: u32,
    pub heartbeats: u32,
    pub drives: Vec<Drive>,
    pub jobs: BTreeMap<JobId, Job>,
    /// With their numbers; one that came again stands once.
    pub events: BTreeMap<u64, NewEvent>,
    pub notifications: Vec<Notification>,
    pub progress: u32,
    pub replies: BTreeMap<String, CallOutcome>,
}

impl Seen {
    pub fn kinds(&self) -> Vec<&str> {
        self.events.values().map(|event| event.kind.as_str()).collect()
    }

    pub fn drive(&self, id: &DriveId) -> Option<&Drive> {
        self.drives
            .iter()
            .find(|drive| drive.present && drive.id.as_ref() == Some(id))
    }
}

struct Shared {
    seen: Mutex<Seen>,
    changed: Notify,
    hello: Mutex<Option<Hello>>,
    current: Mutex<Option<Sender>>,
}

/// The server's end.
pub struct Server {
    pub key: SigningKey,
    pub box_id: String,
    pub path: PathBuf,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
    calls: std::cell::Cell<u32>,
}

impl Server {
    pub async fn start(dir: &Path, claimed: bool) -> Self {
        let key = SigningKey::from_bytes(&[9; 32]);
        Self::start_with(dir, key, claimed).await
    }

    pub async fn start_with(dir: &Path, key: SigningKey, claimed: bool) -> Self {
        let path = dir.join("server.sock");
        // A former server's socket may lie there.
        let _none = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let hello = Hello {
            box_id: "test-box".into(),
            gate_key: hex::encode(key.verifying_key().to_bytes()),
            claimed,
            known_jobs: vec![],
            events_seen: 0,
        };
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            changed: Notify::new(),
            hello: Mutex::new(Some(hello)),
            current: Mutex::new(None),
        });
        let its = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&its)));
            }
        });
        Self {
            key,
            box_id: "test-box".into(),
            path,
            shared,
            accepting,
            calls: std::cell::Cell::new(0),
        }
    }

    /// From now on connections are not greeted: a stranger that got hold of the socket.
    pub fn do_not_greet(&self) {
        *self.shared.hello.lock().unwrap() = None;
    }

    pub async fn claim(&self) {
        let hello = {
            let mut hello = self.shared.hello.lock().unwrap();
            let hello = hello.as_mut().unwrap();
            hello.claimed = true;
            hello.clone()
        };
        let sender = self.shared.current.lock().unwrap().clone().unwrap();
        sender.send(&Frame::Hello(hello)).await.unwrap();
    }

    /// Ends as a killed server does, keeping what it has seen for the next one.
    pub async fn kill(self) -> SigningKey {
        self.accepting.abort();
        let sender = self.shared.current.lock().unwrap().take();
        if let Some(sender) = sender {
            sender.shut_down().await;
            sender.over().await;
        }
        self.key.clone()
    }

    pub fn look<T>(&self, with: impl FnOnce(&Seen) -> T) -> T {
        with(&self.shared.seen.lock().unwrap())
    }

    /// Waits until `found` gives something.
    pub async fn until<T>(&self, what: &str, mut found: impl FnMut(&Seen) -> Option<T>) -> T {
        let wait = async {
            loop {
                let changed = self.shared.changed.notified();
                if let Some(value) = self.look(&mut found) {
                    return value;
                }
                // The notification may have come before it was waited for.
                let _later = timeout(Duration::from_millis(200), changed).await;
            }
        };
        match timeout(PATIENCE, wait).await {
            Ok(value) => value,
            Err(_) => {
                let (events, jobs) =
                    self.look(|seen| (seen.events.values().cloned().collect::<Vec<_>>(), seen.jobs.clone()));
                panic!("waited in vain for {what}; events {events:#?}; jobs {jobs:#?}")
            }
        }
    }

    /// Waits for the drive to be listed with its content known.
    pub async fn drive(&self, id: &DriveId) -> Drive {
        self.until("a drive", |seen| {
            seen.drive(id)
                .filter(|drive| drive.content != wire::drive::Content::Unknown)
                .cloned()
        })
        .await
    }

    pub async fn send(&self, command: Command) -> String {
        let id = self.calls.get() + 1;
        self.calls.set(id);
        let id = id.to_string();
        let sender = self.shared.current.lock().unwrap().clone().expect("connected");
        sender
            .send(&Frame::Command(Call {
                id: id.clone(),
                command,
            }))
            .await
            .unwrap();
        id
    }

    pub async fn call(&self, command: Command) -> Result<Answer, Problem> {
        let id = self.send(command).await;
        match self.until("a reply", |seen| seen.replies.get(&id).cloned()).await {
            CallOutcome::Ok(answer) => Ok(answer),
            CallOutcome::Error(problem) => Err(problem),
        }
    }

    pub async fn plan(&self, drives: &[DriveId], playbook: &str) -> Plan {
        match self
            .call(Command::Plan {
                drives: drives.to_vec(),
                playbook: playbook.into(),
                options: wire::options::PlanOptions::default(),
            })
            .await
        {
            Ok(Answer::Planned(plan)) => plan,
            other => panic!("no plan: {other:?}"),
        }
    }

    pub fn ticket(&self, plan: &Plan) -> Ticket {
        Ticket {
            plan: plan.id,
            digest: plan.digest.clone(),
            nonce: plan.nonce.clone(),
            drives: plan.drives.iter().map(|drive| drive.id.clone()).collect(),
            actor: "ann".into(),
            box_id: self.box_id.clone(),
            at: Time::now(),
        }
    }

    pub fn arm(&self, plan: &Plan) -> Armed {
        sign(&self.key, &self.ticket(plan))
    }

    pub async fn start_jobs(&self, drives: &[DriveId], playbook: &str) -> Vec<JobId> {
        let plan = self.plan(drives, playbook).await;
        match self.call(Command::Start(self.arm(&plan))).await {
            Ok(Answer::Started { jobs }) => jobs,
            other => panic!("not started: {other:?}"),
        }
    }

    pub async fn refused(&self, armed: Armed) -> String {
        match self.call(Command::Start(armed)).await {
            Err(problem) => problem.kind,
            Ok(answer) => panic!("it was granted: {answer:?}"),
        }
    }

    pub async fn over(&self, job: JobId) -> Job {
        self.until("a job's end", |seen| {
            seen.jobs.get(&job).filter(|job| job.state.is_over()).cloned()
        })
        .await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

pub fn sign(key: &SigningKey, ticket: &Ticket) -> Armed {
    let ticket = serde_json::to_string(ticket).unwrap();
    let mut signed = SIGNED_PREFIX.to_vec();
    signed.extend_from_slice(ticket.as_bytes());
    Armed {
        signature: hex::encode(key.sign(&signed).to_bytes()),
        ticket,
    }
}

async fn serve(mut stream: UnixStream, shared: Arc<Shared>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("GET /api/addons/ws?addon_id=1 HTTP/1.1"), "{head}");
    assert!(head.contains(&format!("Bearer {TOKEN}")), "{head}");
    let mut headers = HeaderMap::new();
    for line in head.lines().skip(1) {
        if let Some((name, value)) = line.split_once(": ") {
            headers.insert(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
    }
    let mut answer = "HTTP/1.1 101 Switching Protocols\r\n".to_owned();
    for (name, value) in &link::accept(&headers).unwrap() {
        answer.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
    let (sender, mut receiver) = link::serve(stream, Limits::server(), "agent").await;
    let greeting = shared.hello.lock().unwrap().clone();
    if let Some(mut hello) = greeting {
        hello.events_seen = shared.seen.lock().unwrap().events.keys().max().copied().unwrap_or(0);
        sender.send(&Frame::Hello(hello)).await.unwrap();
    }
    *shared.current.lock().unwrap() = Some(sender);
    {
        let mut seen = shared.seen.lock().unwrap();
        seen.connections += 1;
        // What an agent before this one knew says nothing about this one.
        seen.drives.clear();
    }
    while let Ok(frame) = receiver.recv().await {
        let mut seen = shared.seen.lock().unwrap();
        match frame {
            Frame::Heartbeat => seen.heartbeats += 1,
            Frame::Drives(drives) => seen.drives = drives,
            Frame::Job(job) => drop(seen.jobs.insert(job.id, *job)),
            Frame::Event(event) => drop(seen.events.insert(event.origin.unwrap(), event)),
            Frame::Notification(notification) => seen.notifications.push(notification),
            Frame::Progress(_) => seen.progress += 1,
            Frame::Result(reply) => drop(seen.replies.insert(reply.id, reply.outcome)),
            Frame::Playbooks(_)
            | Frame::Certificate(_)
            | Frame::Log(_)
            | Frame::Hello(_)
            | Frame::Command(_)
            | Frame::Other { .. } => {}
        }
        drop(seen);
        shared.changed.notify_waiters();
    }
}

/// An agent process; killed when dropped.
pub struct Agent {
    child: Child,
}

impl Agent {
    pub fn start(dir: &Path) -> Self {
        let child = Process::new(env!("CARGO_BIN_EXE_kiln-agent"))
            .arg("--server")
            .arg(format!("unix:{}", dir.join("server.sock").display()))
            .args(["--addon-id", "1", "--allow-loop", "--checkpoint-bytes", "8388608"])
            .args(["--smartctl", "/bin/false"])
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

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).unwrap();
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and waits for the end.
    pub async fn terminate(&mut self) {
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
    pub fn workers(&self) -> Vec<i32> {
        workers_of(self.pid())
    }
}

fn workers_of(agent: i32) -> Vec<i32> {
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
        let is_worker = line.split(|byte| *byte == 0).nth(1) == Some(b"worker");
        if parent == Some(agent) && is_worker {
            pids.push(pid);
        }
    }
    pids
}

/// Lets an agent's workers run one moment in ten, so that no machine is too fast for a test that disturbs them.
pub struct Brake {
    off: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Brake {
    pub fn on(agent: &Agent) -> Self {
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
