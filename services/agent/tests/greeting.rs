//! A server over the network that greets the agent as the box's own does: it is told, and nothing else comes of it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Agent, Server, Stage, all_taken};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

/// Greets the agent as its own server does, with this key, and asks for a plan in that server's words: what came of it.
async fn usurp(stage: &mut Stage, key: u8) -> Value {
    let gate_key = hex::encode(SigningKey::from_bytes(&[key; 32]).verifying_key().to_bytes());
    let hello = json!({ "box_id": "elsewhere", "gate_key": gate_key, "claimed": true });
    stage
        .server
        .order(&format!("send {}", json!({ "type": "hello", "payload": hello })));
    let (id, drive) = (format!("own-{}", stage.server.said().len()), stage.drive.id());
    let plan = json!({ "name": "plan", "args": { "drives": [drive], "playbook": "surface" } });
    let call = json!({ "id": id, "command": plan });
    stage
        .server
        .order(&format!("send {}", json!({ "type": "command", "payload": call })));
    let result = stage.server.until("what came of the plan", |said| {
        let results = said.iter().filter(|line| line["type"] == "result");
        let own = |payload: &&Value| payload["request_id"] == id.as_str() || payload["id"] == id.as_str();
        results.map(|line| &line["payload"]).find(own).cloned()
    });
    result.await
}

/// A server over the network greets late and at once, with another key, on another connection and after the agent's restart.
async fn is_no_way_in(gate: bool) {
    let Some(mut stage) = Stage::new(24, gate).await else {
        return;
    };
    let upgrades = |said: &[Value]| said.iter().filter(|line| line["kind"] == "upgrade").count();
    // It counts as foreign, and has been told the drive.
    let node = stage.node();
    stage
        .server
        .until("the drive", |said| {
            let told = |line: &Value| line["type"] == "attributes" && line.to_string().contains(&node);
            said.iter().any(told).then_some(())
        })
        .await;
    for (when, key) in [
        ("late", 5),
        ("late, with another key", 6),
        ("on another connection", 5),
        ("after a restart", 5),
        ("after a restart, with another key", 6),
    ] {
        let before = upgrades(&stage.server.said());
        match when {
            "on another connection" => stage.server.order("kick"),
            "after a restart" => {
                stage.agent.terminate().await;
                stage.restart();
            }
            _ => {}
        }
        if ["on another connection", "after a restart"].contains(&when) {
            let manifest_behind = |said: &[Value]| {
                let upgrade = said.iter().enumerate().filter(|(_, line)| line["kind"] == "upgrade");
                let last = upgrade.map(|(at, _)| at).next_back()?;
                (upgrades(said) > before && said[last..].iter().any(|line| line["kind"] == "frame")).then_some(())
            };
            stage.server.until("the agent", manifest_behind).await;
        }
        let answer = usurp(&mut stage, key).await;
        // Read as any Vigil server's plan it names no target.
        assert_eq!(answer["data"]["type"], "field-wrong", "{when}: {answer}");
    }
    // It is told once in each run of the agent, there and on the agent's console.
    let told = |said: &[Value]| {
        let about = |line: &&Value| line["type"] == "log" && line["payload"]["level"] == "error";
        let lines = said.iter().filter(about);
        let lines = lines.filter(|line| line["payload"]["message"].to_string().contains("greets as"));
        lines.count()
    };
    stage
        .server
        .until("word of it", |said| (told(said) >= 2).then_some(()))
        .await;
    let console = std::fs::read_to_string(stage.dir.path().join("console")).unwrap();
    assert_eq!(
        console.matches("another server greets as this box's own").count(),
        2,
        "{console}"
    );
    // Nothing is told to it that only the own server hears.
    for ours in ["drives", "job", "unfinished", "event", "playbooks", "certificate"] {
        let told = stage.server.frames().iter().any(|frame| frame["type"] == ours);
        assert!(!told, "{ours}");
    }
    assert!(stage.agent.workers().is_empty() && stage.drive.is_blank());
    all_taken(&stage.server);
    if gate {
        // The way that is left is the agent's own gate.
        let id = stage.burn().await;
        let cancelled = stage.server.ask("cancel", json!({ "job_id": id })).await;
        assert_eq!(cancelled["status"], 200, "{cancelled}");
        return;
    }
    let refused = stage.server.ask("plan", json!({ "target": node })).await;
    assert_eq!(refused["data"]["type"], "foreign-server", "{refused}");
    // The box's own server is obeyed at its first greeting: nothing was pinned.
    stage.agent.terminate().await;
    let server = Server::start(stage.dir.path(), true).await;
    let _agent = Agent::start(stage.dir.path());
    server.drive(&stage.drive.id()).await;
    server.plan(&[stage.drive.id()], "surface").await;
    assert!(!server.look(|seen| seen.kinds().contains(&"agent.gate_key_changed")));
}

#[tokio::test]
async fn a_greeting_over_the_network_makes_no_server_the_boxs_own() {
    is_no_way_in(false).await;
}

#[tokio::test]
async fn with_the_foreign_gate_open_a_greeting_over_the_network_makes_no_server_the_boxs_own() {
    is_no_way_in(true).await;
}
