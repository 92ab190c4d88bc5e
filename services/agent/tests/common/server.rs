//! A server end made from `link`: greets, keeps all that the agent says, asks and arms.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use http::{HeaderMap, HeaderName, HeaderValue};
use link::{Limits, Sender};
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
use wire::options::PlanOptions;
use wire::playbook::PlaybookInfo;
use wire::{DriveId, Frame, JobId, Problem, Time};

use super::{PATIENCE, TOKEN};

/// All that the agent said.
#[derive(Default)]
pub(crate) struct Seen {
    pub connections: u32,
    pub heartbeats: u32,
    pub drives: Vec<Drive>,
    pub jobs: BTreeMap<JobId, Job>,
    /// Which were not over, as each connection told.
    pub unfinished: Vec<Vec<JobId>>,
    /// With their numbers; one that came again stands once.
    pub events: BTreeMap<u64, NewEvent>,
    /// Those without a number, which the agent's medium did not take.
    pub unnumbered: Vec<NewEvent>,
    pub notifications: Vec<Notification>,
    pub progress: u32,
    /// Messages of log lines.
    pub log: Vec<String>,
    pub playbooks: Vec<PlaybookInfo>,
    pub certificates: BTreeMap<JobId, String>,
    pub replies: BTreeMap<String, CallOutcome>,
    /// SMART documents for the histories.
    pub readings: Vec<serde_json::Value>,
}

impl Seen {
    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.events.values().map(|event| event.kind.as_str()).collect()
    }

    pub(crate) fn drive(&self, id: &DriveId) -> Option<&Drive> {
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
pub(crate) struct Server {
    pub key: SigningKey,
    pub box_id: String,
    pub path: PathBuf,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
    calls: std::cell::Cell<u32>,
}

impl Server {
    pub(crate) async fn start(dir: &Path, claimed: bool) -> Self {
        let key = SigningKey::from_bytes(&[9; 32]);
        Self::start_with(dir, key, claimed).await
    }

    pub(crate) async fn start_with(dir: &Path, key: SigningKey, claimed: bool) -> Self {
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
    pub(crate) fn do_not_greet(&self) {
        *self.shared.hello.lock().unwrap() = None;
    }

    pub(crate) async fn claim(&self) {
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
    pub(crate) async fn kill(self) -> SigningKey {
        self.hang_up().await;
        self.key.clone()
    }

    /// Takes no more connections and ends the present one.
    pub(crate) async fn hang_up(&self) {
        self.accepting.abort();
        let sender = self.shared.current.lock().unwrap().take();
        if let Some(sender) = sender {
            sender.shut_down().await;
            sender.over().await;
        }
    }

    pub(crate) fn look<T>(&self, with: impl FnOnce(&Seen) -> T) -> T {
        with(&self.shared.seen.lock().unwrap())
    }

    /// Waits until `found` gives something.
    pub(crate) async fn until<T>(&self, what: &str, mut found: impl FnMut(&Seen) -> Option<T>) -> T {
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
    pub(crate) async fn drive(&self, id: &DriveId) -> Drive {
        self.until("a drive", |seen| {
            seen.drive(id)
                .filter(|drive| drive.content != wire::drive::Content::Unknown)
                .cloned()
        })
        .await
    }

    pub(crate) async fn send(&self, command: Command) -> String {
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

    pub(crate) async fn call(&self, command: Command) -> Result<Answer, Problem> {
        let id = self.send(command).await;
        match self.until("a reply", |seen| seen.replies.get(&id).cloned()).await {
            CallOutcome::Ok(answer) => Ok(answer),
            CallOutcome::Error(problem) => Err(problem),
        }
    }

    pub(crate) async fn try_plan(
        &self,
        drives: &[DriveId],
        playbook: &str,
        options: PlanOptions,
    ) -> Result<Answer, Problem> {
        self.call(Command::Plan {
            drives: drives.to_vec(),
            playbook: playbook.into(),
            options,
        })
        .await
    }

    pub(crate) async fn plan(&self, drives: &[DriveId], playbook: &str) -> Plan {
        self.plan_with(drives, playbook, PlanOptions::default()).await
    }

    pub(crate) async fn plan_with(&self, drives: &[DriveId], playbook: &str, options: PlanOptions) -> Plan {
        match self.try_plan(drives, playbook, options).await {
            Ok(Answer::Planned(plan)) => plan,
            other => panic!("no plan: {other:?}"),
        }
    }

    pub(crate) fn ticket(&self, plan: &Plan) -> Ticket {
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

    pub(crate) fn arm(&self, plan: &Plan) -> Armed {
        sign(&self.key, &self.ticket(plan))
    }

    pub(crate) async fn start_jobs(&self, drives: &[DriveId], playbook: &str) -> Vec<JobId> {
        self.start_jobs_with(drives, playbook, PlanOptions::default()).await
    }

    pub(crate) async fn start_jobs_with(&self, drives: &[DriveId], playbook: &str, options: PlanOptions) -> Vec<JobId> {
        let plan = self.plan_with(drives, playbook, options).await;
        match self.call(Command::Start(self.arm(&plan))).await {
            Ok(Answer::Started { jobs }) => jobs,
            other => panic!("not started: {other:?}"),
        }
    }

    pub(crate) async fn refused(&self, armed: Armed) -> String {
        match self.call(Command::Start(armed)).await {
            Err(problem) => problem.kind,
            Ok(answer) => panic!("it was granted: {answer:?}"),
        }
    }

    /// Waits for the job's first event of that kind.
    pub(crate) async fn event(&self, job: JobId, kind: &str) -> NewEvent {
        self.until(kind, |seen| {
            let mut events = seen.events.values();
            events
                .find(|event| event.job == Some(job) && event.kind == kind)
                .cloned()
        })
        .await
    }

    pub(crate) async fn over(&self, job: JobId) -> Job {
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

pub(crate) fn sign(key: &SigningKey, ticket: &Ticket) -> Armed {
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
    let (sender, mut receiver) = link::serve(stream, Limits::server(), "agent", None).await;
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
            Frame::Unfinished(jobs) => seen.unfinished.push(jobs),
            Frame::Event(event) => match event.origin {
                Some(number) => drop(seen.events.insert(number, event)),
                None => seen.unnumbered.push(event),
            },
            Frame::Notification(notification) => seen.notifications.push(notification),
            Frame::Progress(_) => seen.progress += 1,
            Frame::Result(reply) => drop(seen.replies.insert(reply.id, reply.outcome)),
            Frame::Playbooks(playbooks) => seen.playbooks = playbooks,
            Frame::Certificate(certificate) => drop(seen.certificates.insert(certificate.job, certificate.text)),
            Frame::Other { kind, payload } if kind == "smart_report" => seen.readings.push(payload),
            Frame::Log(line) => seen.log.push(line.message),
            Frame::Hello(_) | Frame::Command(_) | Frame::Other { .. } => {}
        }
        drop(seen);
        shared.changed.notify_waiters();
    }
}
