//! Add-ons over real WebSockets: who may connect, what frames do, and the gate with an agent at the other end.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::Method;
use link::{Closed, Endpoint, Limits};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use wire::boxes::{Liveness, Started};
use wire::command::{Answer, CallOutcome, Command, Reply};
use wire::drive::Content;
use wire::event::{NewEvent, Severity};
use wire::frame::{Hello, LogLine};
use wire::gate::{Armed, PLAN_SECONDS, Plan, PlanDrive, digest, labels};
use wire::options::PlanOptions;
use wire::{Bytes, DriveId, Frame, JobId, PlanId, Problem, Time};

use crate::box_::{Box_, PASSWORD, TOKEN};
use crate::client::{Client, PATIENCE};

fn endpoint(made: &Box_) -> Endpoint {
    Endpoint::Tcp {
        host: "127.0.0.1".into(),
        port: made.address.port(),
    }
}

/// Registers an add-on the documented way; its number and token.
async fn registered(admin: &mut Client) -> (u64, String) {
    let token = admin.post("/api/addons/tokens", &json!({ "name": "shed" })).await;
    assert_eq!(token.status, 201);
    let token = token.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(token.len(), 64);
    let answer = admin
        .post(
            "/api/addons/register",
            &json!({ "name": "shed", "url": "", "token": token }),
        )
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    (answer.json()["addon"]["id"].as_u64().unwrap(), token)
}

fn manifest() -> Value {
    json!({ "manifest": { "name": "burnin", "version": "2.0.1", "pages": [{ "id": "p", "title": "P", "components": [] }] } })
}

/// A bare WebSocket with the add-on's token.
async fn raw(made: &Box_, id: u64, token: &str) -> Result<RawSocket, u16> {
    let stream = tokio::net::TcpStream::connect(made.address).await.unwrap();
    let request = http::Request::builder()
        .uri(format!("ws://{}/api/addons/ws?addon_id={id}", made.address))
        .header("host", made.address.to_string())
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("authorization", format!("Bearer {token}"))
        .body(())
        .unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

type RawSocket = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;

/// The close code with which a socket ends.
async fn close_code(socket: &mut RawSocket) -> u16 {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.unwrap() {
            Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
            Some(Ok(_)) => {}
            other => panic!("no close frame: {other:?}"),
        }
    }
}

#[tokio::test]
async fn enrolment_in_two_phases_answers_as_documented() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let token = admin
        .post("/api/addons/tokens", &json!({ "name": "burnin" }))
        .await
        .json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut addon = made.client();
    assert_eq!(
        addon.post("/api/addons/connect", &manifest()).await.status,
        401,
        "no token"
    );
    addon.headers = vec![("authorization", format!("Bearer {token}"))];
    assert_eq!(
        addon.post("/api/addons/connect", &manifest()).await.status,
        412,
        "not bound yet"
    );

    let form = json!({ "name": "burnin", "url": "http://127.0.0.1:1", "token": token });
    let id = admin.post("/api/addons/register", &form).await.json()["addon"]["id"]
        .as_u64()
        .unwrap();
    assert_eq!(
        admin.post("/api/addons/register", &form).await.status,
        409,
        "bound already"
    );
    let unknown = json!({ "name": "x", "url": "", "token": "0".repeat(64) });
    assert_eq!(admin.post("/api/addons/register", &unknown).await.status, 401);

    let bad = json!({ "manifest": { "name": "burnin", "version": "1", "pages": [] } });
    assert_eq!(addon.post("/api/addons/connect", &bad).await.problem(), "bad-manifest");
    let answer = addon.post("/api/addons/connect", &manifest()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["addon_id"], id);
    assert_eq!(answer.json()["session_id"], token[..16]);
    assert_eq!(answer.json()["addon"]["version"], "2.0.1");
    let listed = admin.get("/api/addons").await.json();
    assert!(
        listed
            .as_array()
            .unwrap()
            .iter()
            .any(|addon| addon["id"] == id && addon["status"] == "offline"),
        "{listed}"
    );
    assert!(!listed.to_string().contains(&token), "secrets are shown once");
}

#[tokio::test]
async fn the_socket_is_refused_before_the_upgrade_with_the_documented_status() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let mut addon = made.client();
    addon.headers = vec![("authorization", format!("Bearer {token}"))];
    for (path, want) in [
        ("/api/addons/ws", 400),
        ("/api/addons/ws?addon_id=", 400),
        ("/api/addons/ws?addon_id=x", 400),
        ("/api/addons/ws?addon_id=99", 404),
        ("/api/addons/ws?addon_id=1", 401),
    ] {
        assert_eq!(addon.get(path).await.status, want, "{path}");
    }
    assert_eq!(
        addon.get(&format!("/api/addons/ws?addon_id={id}")).await.status,
        400,
        "no upgrade asked for"
    );
    assert_eq!(raw(&made, id, "wrong").await.unwrap_err(), 401);
    assert_eq!(
        raw(&made, id, TOKEN).await.unwrap_err(),
        401,
        "the agent's token opens the agent's door only"
    );
    let disable = json!({ "enabled": false, "password": PASSWORD });
    let path = format!("/api/addons/{id}/enabled");
    let body = |value: &Value| Some(("application/json", value.to_string().into()));
    assert_eq!(admin.raw(Method::PUT, &path, body(&disable)).await.status, 200);
    assert_eq!(raw(&made, id, &token).await.unwrap_err(), 403);
    let enable = json!({ "enabled": true, "password": "wrong horse" });
    assert_eq!(
        admin.raw(Method::PUT, &path, body(&enable)).await.problem(),
        "password-wrong"
    );
    let enable = json!({ "enabled": true, "password": PASSWORD });
    assert_eq!(admin.raw(Method::PUT, &path, body(&enable)).await.status, 200);
    raw(&made, id, &token).await.unwrap();
    let in_query = made
        .client()
        .get(&format!("/api/addons/ws?addon_id={id}&token={token}"))
        .await;
    assert_eq!(
        in_query.problem(),
        "not-websocket",
        "the token was taken, only the upgrade is missing"
    );
}

#[tokio::test]
async fn guessing_tokens_is_limited() {
    let made = Box_::claimed().await;
    for _ in 0..10 {
        assert_eq!(raw(&made, 1, "wrong").await.unwrap_err(), 401);
    }
    assert_eq!(raw(&made, 1, "wrong").await.unwrap_err(), 429);
    made.clock.advance(Duration::from_secs(61));
    raw(&made, 1, TOKEN).await.unwrap();
}

#[tokio::test]
async fn oversize_frames_end_with_1009_at_the_limit_of_their_enrolment() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let mut documented = raw(&made, id, &token).await.unwrap();
    documented.send(Message::text("x".repeat(65_537))).await.unwrap();
    assert_eq!(close_code(&mut documented).await, 1009);

    let mut client = made.client();
    client.headers = vec![("authorization", format!("Bearer {token}"))];
    assert_eq!(client.post("/api/addons/connect", &manifest()).await.status, 200);
    let mut enrolled = raw(&made, id, &token).await.unwrap();
    let mut telemetry = admin.events(&format!("/api/addons/{id}/telemetry")).await;
    assert_eq!(telemetry.next().await.unwrap().name, "connected");
    let long = json!({ "type": "chart", "payload": "x".repeat(500_000) }).to_string();
    enrolled.send(Message::text(long)).await.unwrap();
    assert_eq!(
        telemetry.named("chart").await.data["payload"].as_str().unwrap().len(),
        500_000
    );
    // The server hangs up while the rest is still on its way, which may fail the sending.
    let _hung_up = enrolled.send(Message::text("x".repeat(524_289))).await;
    assert_eq!(close_code(&mut enrolled).await, 1009);
}

#[tokio::test]
async fn a_manifest_may_come_as_the_first_frame_and_be_longer_than_others() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let mut long = manifest()["manifest"].take();
    long["description"] = "x".repeat(200_000).into();
    let frame = json!({ "type": "manifest", "payload": long }).to_string();
    let mut page = admin.events(&format!("/api/addons/{id}/telemetry")).await;
    let mut socket = raw(&made, id, &token).await.unwrap();
    socket.send(Message::text(frame.clone())).await.unwrap();
    page.named("manifest").await;
    let shown = admin.get(&format!("/api/addons/{id}")).await.json();
    assert_eq!(
        (&shown["name"], &shown["version"]),
        (&json!("shed"), &json!("2.0.1")),
        "the person's name stays"
    );
    // The server hangs up while the rest is still on its way, which may fail the sending.
    let _hung_up = socket.send(Message::text(frame)).await;
    assert_eq!(close_code(&mut socket).await, 1009, "only the first frame");

    let mut socket = raw(&made, id, &token).await.unwrap();
    socket
        .send(Message::text(
            r#"{"type":"manifest","payload":{"name":"x","version":"1","pages":7}}"#,
        ))
        .await
        .unwrap();
    let line = loop {
        let line = page.named("log").await;
        if line.data["payload"]["message"].as_str().unwrap().contains("manifest") {
            break line;
        }
    };
    assert!(
        line.data["payload"]["message"].as_str().unwrap().contains("sequence"),
        "what was expected is told: {line:?}"
    );
}

#[tokio::test]
async fn frames_reach_the_page_and_bad_ones_do_no_harm() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let mut page = admin.events(&format!("/api/addons/{id}/telemetry")).await;
    assert_eq!(page.next().await.unwrap().data, json!({ "addon_id": id }));
    let mut socket = raw(&made, id, &token).await.unwrap();
    for bad in [
        "{",
        "[]",
        "{\"type\":7}",
        "\u{0}",
        "{\"type\":\"progress\",\"payload\":{\"percent\":{}}}",
    ] {
        socket.send(Message::text(bad)).await.unwrap();
    }
    let mut complaints = String::new();
    for _ in 0..5 {
        let line = page.named("log").await;
        assert_eq!(line.data["payload"]["level"], "warn");
        complaints.push_str(line.data["payload"]["message"].as_str().unwrap());
    }
    assert!(
        complaints.contains("progress") && complaints.contains("f64"),
        "the field is named: {complaints}"
    );
    socket
        .send(Message::text("{\"type\":\"log\\ndata: forged\",\"payload\":1}"))
        .await
        .unwrap();
    let other = page.named("other").await;
    assert_eq!(
        other.data,
        json!({ "addon_id": id, "type": "log\ndata: forged", "payload": 1 }),
        "no way into the stream's syntax"
    );
    socket.send(Message::text(r#"{"type":"heartbeat"}"#)).await.unwrap();
    let beat = page.named("heartbeat").await;
    socket
        .send(Message::binary(
            r#"{"type":"progress","payload":{"job_id":"j","phase":"write","percent":100.0}}"#,
        ))
        .await
        .unwrap();
    assert_eq!(page.named("progress").await.data["payload"]["phase"], "write");
    let mut log = admin.events("/api/v1/stream?after=0").await;
    assert!(
        log.logged("addon.phase_complete").await.data["message"]
            .as_str()
            .unwrap()
            .contains("write")
    );
    socket
        .send(Message::text(
            r#"{"type":"notification","payload":{"event_type":"","message":"hot"}}"#,
        ))
        .await
        .unwrap();
    let event = log.logged("addon.notification").await;
    assert_eq!(event.data["data"]["event_type"], "addon_degraded");

    let mut back = admin.clone();
    back.headers.push(("last-event-id", beat.id.unwrap().to_string()));
    let mut page = back.events(&format!("/api/addons/{id}/telemetry")).await;
    page.named("connected").await;
    assert_eq!(
        page.next().await.unwrap().name,
        "progress",
        "replay goes on after the last one seen"
    );
}

/// Bytes of a whole job between an existing add-on and an existing server: the frames go in here, and what comes out
/// must be what that server told its dashboard.
#[tokio::test]
async fn a_recorded_job_of_an_existing_add_on_reaches_the_page_as_recorded() {
    let golden = std::env::var("KILN_GOLDEN")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden").into());
    let golden = std::path::Path::new(&golden);
    let (Ok(frames), Ok(shown)) = (
        std::fs::read_to_string(golden.join("vigil-full-job.jsonl")),
        std::fs::read_to_string(golden.join("vigil-full-job.sse.txt")),
    ) else {
        drop(std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("\nNOT RUN: golden vigil-full-job is not there\n"),
        ));
        return;
    };
    let frames: Vec<Value> = frames
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|row| {
            row["kind"] == "ws" && row["link"] == "addon->server" && row["dir"] == "c2s" && row["json"].is_object()
        })
        .map(|mut row| row["json"].take())
        .collect();
    let shown: Vec<Value> = shown
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|mut data| data.get_mut("payload").map(Value::take))
        .collect();
    assert!(
        frames.len() > 10 && shown.len() > 10,
        "{} {}",
        frames.len(),
        shown.len()
    );

    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let mut page = admin.events(&format!("/api/addons/{id}/telemetry")).await;
    page.named("connected").await;
    let mut socket = raw(&made, id, &token).await.unwrap();
    page.named("status").await;
    let mut told = Vec::new();
    for frame in &frames {
        socket.send(Message::text(frame.to_string())).await.unwrap();
        let sent = page.next().await.unwrap();
        assert_eq!(
            (&sent.data["type"], &sent.data["payload"]),
            (&frame["type"], &frame["payload"]),
            "relayed as it came"
        );
        told.push(sent.data["payload"].clone());
    }
    let missing: Vec<_> = shown.iter().filter(|payload| !told.contains(payload)).collect();
    assert!(
        missing.is_empty(),
        "told by the existing server and not by ours: {missing:?}"
    );
}

#[tokio::test]
async fn the_newer_connection_wins_and_the_older_gets_1001() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let mut first = raw(&made, id, &token).await.unwrap();
    let mut page = admin.events(&format!("/api/addons/{id}/telemetry")).await;
    page.named("connected").await;
    let mut second = raw(&made, id, &token).await.unwrap();
    assert_eq!(close_code(&mut first).await, 1001);
    second.send(Message::text(r#"{"type":"heartbeat"}"#)).await.unwrap();
    page.named("heartbeat").await;
    assert_eq!(admin.get(&format!("/api/addons/{id}")).await.json()["status"], "online");
}

#[tokio::test]
async fn three_missed_heartbeats_degrade_an_add_on() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let mut stream = admin.events("/api/v1/stream").await;
    let mut socket = raw(&made, id, &token).await.unwrap();
    stream.logged("addon.online").await;
    made.clock.advance(Duration::from_secs(181));
    let event = stream.logged("addon.degraded").await;
    assert_eq!(
        (&event.data["data"]["addon_id"], &event.data["severity"]),
        (&json!(id), &json!("warning"))
    );
    assert_eq!(
        admin.get(&format!("/api/addons/{id}")).await.json()["status"],
        "degraded"
    );
    socket.send(Message::text(r#"{"type":"heartbeat"}"#)).await.unwrap();
    stream.logged("addon.online").await;
}

#[tokio::test]
async fn stopping_says_1001_to_add_ons_and_ends_streams() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let mut socket = raw(&made, id, &token).await.unwrap();
    let mut stream = admin.events("/api/v1/stream?after=0").await;
    stream.logged("addon.online").await;
    made.app.shut_down().await;
    assert_eq!(close_code(&mut socket).await, 1001);
    while stream.next().await.is_some() {}
}

/// An agent at the other end, that plans and starts what it is told to.
struct Agent {
    sender: link::Sender,
    receiver: link::Receiver,
    hello: Hello,
}

fn drive(serial: &str) -> DriveId {
    DriveId::from_serial("M", serial, 1_000).unwrap()
}

impl Agent {
    async fn connect(made: &Box_) -> Self {
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

    async fn next(&mut self) -> Result<Frame, Closed> {
        tokio::time::timeout(PATIENCE, self.receiver.recv()).await.unwrap()
    }

    /// Takes the next command and answers it.
    async fn serve(&mut self, answer: impl FnOnce(Command) -> CallOutcome) {
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

fn plan(serials: &[&str]) -> Plan {
    let drives: Vec<PlanDrive> = serials
        .iter()
        .zip(labels(serials))
        .map(|(serial, label)| PlanDrive {
            id: drive(serial),
            model: "M".into(),
            serial: (*serial).into(),
            capacity: Bytes(1_000),
            sector: 512,
            content: Content::Empty,
            given_up: Vec::new(),
            label,
        })
        .collect();
    Plan {
        id: PlanId::now(),
        playbook: "surface".into(),
        options: PlanOptions::default(),
        digest: digest("surface", &PlanOptions::default(), &drives),
        drives,
        nonce: "cd".repeat(32),
        seconds: PLAN_SECONDS,
        made: Time::now(),
    }
}

/// Asks for a plan and answers as the agent.
async fn planned(admin: &Client, agent: &mut Agent) -> Plan {
    let made = plan(&["WD-1234", "ST-9F2K"]);
    let mut asker = admin.clone();
    let body = json!({ "drives": [drive("WD-1234"), drive("ST-9F2K")], "playbook": "surface" });
    let asked = tokio::spawn(async move { asker.post("/api/v1/plans", &body).await });
    let answer = made.clone();
    agent
        .serve(move |command| {
            assert!(matches!(command, Command::Plan { playbook, .. } if playbook == "surface"));
            CallOutcome::Ok(Answer::Planned(answer))
        })
        .await;
    let answer = asked.await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(serde_json::from_str::<Plan>(&answer.text).unwrap(), made);
    made
}

fn confirm(plan: &Plan, password: &str) -> Value {
    let typed: serde_json::Map<String, Value> = plan
        .drives
        .iter()
        .map(|drive| (drive.id.to_string(), drive.label.to_lowercase().into()))
        .collect();
    json!({ "password": password, "confirm": typed })
}

#[tokio::test]
async fn the_gate_from_plan_to_jobs_and_each_way_around_it() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    assert!(agent.hello.claimed);
    let plan = planned(&admin, &mut agent).await;
    let (arm, start) = (
        format!("/api/v1/plans/{}/arm", plan.id),
        format!("/api/v1/plans/{}/start", plan.id),
    );

    let none = json!({ "ticket": "{}", "signature": "00" });
    assert_eq!(made.client().post(&start, &none).await.problem(), "not-logged-in");
    assert_eq!(admin.post(&start, &none).await.problem(), "not-armed");
    assert_eq!(
        admin.post(&arm, &confirm(&plan, "wrong horse")).await.problem(),
        "password-wrong"
    );
    let mut half = confirm(&plan, PASSWORD);
    half["confirm"][drive("ST-9F2K").as_str()] = "0000".into();
    let refused = admin.post(&arm, &half).await;
    assert_eq!((refused.status, refused.problem().as_str()), (422, "label-wrong"));
    assert!(refused.text.contains("ST-9F2K"));
    assert_eq!(admin.post(&start, &none).await.problem(), "not-armed");

    let answer = admin.post(&arm, &confirm(&plan, PASSWORD)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let armed: Armed = serde_json::from_str(&answer.text).unwrap();
    let key = hex::decode(&agent.hello.gate_key).unwrap();
    let key = ed25519_dalek::VerifyingKey::from_bytes(key.as_slice().try_into().unwrap()).unwrap();
    let signature = ed25519_dalek::Signature::from_slice(&hex::decode(&armed.signature).unwrap()).unwrap();
    key.verify_strict(
        &[wire::gate::SIGNED_PREFIX, armed.ticket.as_bytes()].concat(),
        &signature,
    )
    .unwrap();

    let other = planned(&admin, &mut agent).await;
    let other_start = format!("/api/v1/plans/{}/start", other.id);
    assert_eq!(
        admin.post(&other_start, &json!(armed)).await.problem(),
        "not-armed",
        "another plan's ticket"
    );
    let forged = json!({ "ticket": armed.ticket.replace("WD-1234", "ZZ-0000"), "signature": armed.signature });
    assert_eq!(admin.post(&start, &forged).await.problem(), "ticket-wrong");

    let job = JobId::now();
    let mut starter = admin.clone();
    let (path, body) = (start.clone(), json!(armed));
    let started = tokio::spawn(async move { starter.post(&path, &body).await });
    let sent = armed.clone();
    agent
        .serve(move |command| {
            assert_eq!(command, Command::Start(sent), "byte for byte what was signed");
            CallOutcome::Ok(Answer::Started { jobs: vec![job] })
        })
        .await;
    let answer = started.await.unwrap();
    assert_eq!(serde_json::from_str::<Started>(&answer.text).unwrap().jobs, [job]);
    assert_eq!(admin.post(&start, &json!(armed)).await.problem(), "ticket-used");

    let arm_other = format!("/api/v1/plans/{}/arm", other.id);
    made.clock.advance(Duration::from_secs(121));
    assert_eq!(
        admin.post(&arm_other, &confirm(&other, PASSWORD)).await.problem(),
        "plan-expired"
    );
    let events = admin.get("/api/v1/events").await.text;
    for kind in ["gate.refused", "gate.armed", "gate.started"] {
        assert!(events.contains(kind), "{kind}: {events}");
    }
}

#[tokio::test]
async fn a_server_restarted_between_arm_and_start_knows_the_plan_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let user = Some(("admin".to_owned(), PASSWORD.to_owned()));
    let first = Box_::at(dir.path(), user.clone()).await;
    let mut admin = first.admin().await;
    let cookie = admin.cookie.clone();
    let mut agent = Agent::connect(&first).await;
    let plan = planned(&admin, &mut agent).await;
    let armed = admin
        .post(&format!("/api/v1/plans/{}/arm", plan.id), &confirm(&plan, PASSWORD))
        .await
        .json();
    first.app.shut_down().await;
    let hello = agent.hello.clone();
    drop((first, agent));

    let second = reopen(dir.path(), user).await;
    let mut admin = second.client();
    admin.cookie = cookie;
    let mut agent = Agent::connect(&second).await;
    assert_eq!(
        (&agent.hello.gate_key, &agent.hello.box_id),
        (&hello.gate_key, &hello.box_id),
        "the same box to the agent"
    );
    let refused = admin.post(&format!("/api/v1/plans/{}/start", plan.id), &armed).await;
    assert_eq!(refused.problem(), "plan-unknown");
    let silent = tokio::time::timeout(Duration::from_millis(300), agent.next()).await;
    assert!(silent.is_err(), "the agent was asked nothing: {silent:?}");
}

/// Opens a box again once the one before has let go of its directory.
async fn reopen(dir: &std::path::Path, user: Option<(String, String)>) -> Box_ {
    let lock = dir.join("kiln.lock");
    let end = std::time::Instant::now() + PATIENCE;
    while std::time::Instant::now() < end {
        let file = std::fs::File::open(&lock).unwrap();
        if file.try_lock().is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Box_::at(dir, user).await
}

#[tokio::test]
async fn nothing_is_planned_on_an_unclaimed_box_or_without_an_agent() {
    let made = Box_::unclaimed().await;
    let mut agent = Agent::connect(&made).await;
    assert!(!agent.hello.claimed);
    let code = made.app.console.borrow().clone().unwrap();
    let mut client = made.client();
    let body = json!({ "drives": [drive("WD-1234")], "playbook": "surface" });
    assert_eq!(client.post("/api/v1/plans", &body).await.problem(), "not-logged-in");
    let form = json!({ "code": code, "username": "ada", "password": PASSWORD });
    assert_eq!(client.post("/api/v1/claim", &form).await.status, 200);
    let Frame::Hello(hello) = agent.next().await.unwrap() else {
        panic!("the agent is told of the claim")
    };
    assert!(hello.claimed);
    drop(agent);
    let mut stream = client.events("/api/v1/stream").await;
    while stream.named("box").await.data["agent"]["state"] != "offline" {}
    assert_eq!(client.post("/api/v1/plans", &body).await.problem(), "agent-away");
}

#[tokio::test]
async fn the_agents_refusal_reaches_the_person_and_a_lost_agent_does_not_hang_them() {
    let made = Box_::claimed().await;
    let admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    let body = json!({ "drives": [drive("WD-1234")], "playbook": "surface" });
    let ask = |body: Value| {
        let mut asker = admin.clone();
        tokio::spawn(async move { asker.post("/api/v1/plans", &body).await })
    };
    let asked = ask(body.clone());
    agent
        .serve(|_| CallOutcome::Error(Problem::new("mounted", 409, "The drive is in use").with("mounted at /mnt")))
        .await;
    let answer = asked.await.unwrap();
    assert_eq!((answer.status, answer.problem().as_str()), (409, "mounted"));
    assert!(answer.text.contains("/mnt"));

    let asked = ask(body);
    assert!(matches!(agent.next().await.unwrap(), Frame::Command(_)));
    drop(agent);
    assert_eq!(asked.await.unwrap().problem(), "agent-away");
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
