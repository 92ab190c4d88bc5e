//! An agent at the other end, and what becomes of what it tells.

use link::{Closed, Limits};
use serde_json::{Value, json};
use wire::boxes::Liveness;
use wire::command::{CallOutcome, Command, Reply};
use wire::event::{NewEvent, Severity};
use wire::frame::{Hello, LogLine};
use wire::{DriveId, Frame};

use crate::addon::endpoint;
use crate::box_::{Box_, TOKEN};
use crate::client::PATIENCE;

/// An agent at the other end, that plans and starts what it is told to.
pub struct Agent {
    pub sender: link::Sender,
    receiver: link::Receiver,
    pub hello: Hello,
}

pub fn drive(serial: &str) -> DriveId {
    DriveId::from_serial("M", serial, 1_000).unwrap()
}

impl Agent {
    pub async fn connect(made: &Box_) -> Self {
        let (sender, mut receiver) = endpoint(made).connect(1, TOKEN, Limits::client()).await.unwrap();
        let Frame::Hello(hello) = tokio::time::timeout(PATIENCE, receiver.recv()).await.unwrap().unwrap() else {
            panic!("the first frame is a hello")
        };
        Self {
            sender,
            receiver,
            hello,
        }
    }

    pub async fn next(&mut self) -> Result<Frame, Closed> {
        tokio::time::timeout(PATIENCE, self.receiver.recv()).await.unwrap()
    }

    /// Takes the next command and answers it.
    pub async fn serve(&mut self, answer: impl FnOnce(Command) -> CallOutcome) {
        loop {
            if let Frame::Command(call) = self.next().await.unwrap() {
                let reply = Reply {
                    id: call.id,
                    outcome: answer(call.command),
                };
                self.sender.send(&Frame::Result(reply)).await.unwrap();
                return;
            }
        }
    }
}

#[tokio::test]
async fn what_the_agent_tells_is_kept_once_and_shown() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;
    assert_eq!(agent.hello.events_seen, 0);
    let mut stream = admin.events("/api/v1/stream?after=0").await;
    let event = |origin| {
        Frame::Event(NewEvent {
            kind: "drive.added".into(),
            severity: Severity::Info,
            job: None,
            drive: Some(drive("WD-1234")),
            message: format!("number {origin}"),
            data: Value::Null,
            origin: Some(origin),
        })
    };
    for origin in [1, 2, 2, 1] {
        agent.sender.send(&event(origin)).await.unwrap();
    }
    let line = LogLine {
        level: "warning".into(),
        message: "hot".into(),
        source: "agent".into(),
        ..LogLine::default()
    };
    agent.sender.send(&Frame::Log(line)).await.unwrap();
    let shown = stream.named("log").await;
    assert_eq!(
        (&shown.data["line"]["level"], &shown.data["job"]),
        (&json!("warn"), &Value::Null)
    );
    drop(agent);
    while stream.named("box").await.data["agent"]["state"] != "offline" {}
    let agent = Agent::connect(&made).await;
    assert_eq!(agent.hello.events_seen, 2, "the agent need not send these again");
    let events = admin.get("/api/v1/events").await.json();
    let added = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["type"] == "drive.added")
        .count();
    assert_eq!(added, 2);
    assert_eq!(
        made.app.hub(|hub| hub.agent(made.app.clock.now()).state),
        Liveness::Online
    );
}
