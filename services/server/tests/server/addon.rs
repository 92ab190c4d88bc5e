//! Add-ons over real WebSockets: who may connect, and what frames do.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::Method;
use link::Endpoint;
use serde_json::{Value, json};
use server::tables::EVENTS;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::box_::{Box_, PASSWORD, TOKEN};
use crate::client::{Client, PATIENCE};
use crate::shed::warned;

pub(crate) fn endpoint(made: &Box_) -> Endpoint {
    Endpoint::Tcp {
        host: "127.0.0.1".into(),
        port: made.address.port(),
    }
}

/// Registers an add-on the documented way; its number and token.
pub(crate) async fn registered(admin: &mut Client) -> (u64, String) {
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
pub(crate) async fn raw(made: &Box_, id: u64, token: &str) -> Result<RawSocket, u16> {
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

pub(crate) type RawSocket = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;

/// The close code with which a socket ends.
pub(crate) async fn close_code(socket: &mut RawSocket) -> u16 {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.unwrap() {
            Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
            Some(Ok(_)) => {}
            other => panic!("no close frame: {other:?}"),
        }
    }
}

/// The payload of the next pong.
pub(crate) async fn pong(socket: &mut RawSocket) -> String {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.unwrap() {
            Some(Ok(Message::Pong(payload))) => return String::from_utf8(payload.to_vec()).unwrap(),
            Some(Ok(_)) => {}
            other => panic!("no pong: {other:?}"),
        }
    }
}

#[tokio::test]
async fn null_is_as_absent_in_what_existing_clients_send() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let token = admin.post("/api/addons/tokens", &json!({ "name": null })).await;
    assert_eq!(token.status, 201, "{token:?}");
    let form = json!({ "name": "shed", "url": null, "token": null, "manifest": null });
    let answer = admin.post("/api/addons/register", &form).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.json()["addon"]["id"].as_u64().unwrap();
    let act = json!({ "component_id": "c", "action": "go", "data": null });
    let answer = admin.post(&format!("/api/addons/{id}/action"), &act).await;
    assert_ne!(answer.status, 400, "{answer:?}");
}

#[tokio::test]
async fn two_daemons_with_one_number_are_told_on_its_page() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let mut page = admin.events(&format!("/api/addons/{id}/telemetry")).await;
    let mut first = raw(&made, id, &token).await.unwrap();
    first.send(Message::text(r#"{"type":"heartbeat"}"#)).await.unwrap();
    page.named("status").await;
    let _second = raw(&made, id, &token).await.unwrap();
    let line = page.named("log").await.data["payload"]["message"].to_string();
    assert!(
        line.contains("two daemons") && line.matches("127.0.0.1").count() == 2,
        "{line}"
    );
    assert_eq!(close_code(&mut first).await, 1001);
}

#[tokio::test]
async fn what_was_sent_before_a_ping_is_stored_when_its_answer_comes() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let mut socket = raw(&made, id, &token).await.unwrap();
    for round in 1..=20_usize {
        for n in 0..5 {
            let payload = json!({ "event_type": "job_complete", "metadata": { "event_id": format!("{round}-{n}") } });
            let frame = json!({ "type": "notification", "payload": payload });
            socket.send(Message::text(frame.to_string())).await.unwrap();
        }
        // As long as a mark is.
        let answer = format!("{round:08}");
        socket.send(Message::Ping(answer.clone().into())).await.unwrap();
        while pong(&mut socket).await != answer {}
        let events = made.app.store.read(|r| EVENTS.all(r)).unwrap();
        let stored = events.iter().filter(|(_, event)| event.kind == "addon.notification");
        assert_eq!(stored.count(), 5 * round);
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
    let registered = admin.post("/api/addons/register", &form).await.json()["addon"].clone();
    let id = registered["id"].as_u64().unwrap();
    // As existing servers answer, so that a dashboard has something to read.
    let stub: Value = serde_json::from_str(registered["manifest_json"].as_str().unwrap()).unwrap();
    assert_eq!(
        stub,
        json!({ "name": "burnin", "version": "0.0.0", "description": "Awaiting connection",
            "pages": [{ "id": "default", "title": "Status", "components": [] }] })
    );
    assert_eq!(registered["has_manifest"], false);
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
    assert_eq!(answer.json()["addon"]["has_manifest"], true);
    // As existing servers answer: it is there.
    assert_eq!(answer.json()["addon"]["status"], "online");
    assert!(answer.json()["addon"]["last_seen"].is_string(), "{answer:?}");
    let listed = admin.get("/api/addons").await.json();
    assert!(
        listed
            .as_array()
            .unwrap()
            .iter()
            .any(|addon| addon["id"] == id && addon["status"] == "online" && addon["connected"] == false),
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
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    for _ in 0..10 {
        assert_eq!(raw(&made, 1, "wrong").await.unwrap_err(), 401);
    }
    assert_eq!(raw(&made, 1, "wrong").await.unwrap_err(), 429);
    let mut addon = made.client();
    assert_eq!(addon.post("/api/addons/connect", &manifest()).await.status, 429);

    // All of these have the address of the one that guesses.
    raw(&made, 1, TOKEN).await.unwrap();
    raw(&made, id, &token).await.unwrap();
    addon.headers = vec![("authorization", format!("Bearer {token}"))];
    assert_eq!(addon.post("/api/addons/connect", &manifest()).await.status, 200);
    assert_eq!(
        raw(&made, 1, "wrong").await.unwrap_err(),
        429,
        "a right one frees no wrong one"
    );
    made.clock.advance(Duration::from_secs(61));
    assert_eq!(raw(&made, 1, "wrong").await.unwrap_err(), 401);
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
    let long = json!({ "type": "telemetry", "payload": "x".repeat(500_000) }).to_string();
    enrolled.send(Message::text(long)).await.unwrap();
    assert_eq!(
        telemetry.named("telemetry").await.data["payload"]
            .as_str()
            .unwrap()
            .len(),
        500_000
    );
    // The server hangs up while the rest is still on its way, which may fail the sending.
    let _hung_up = enrolled.send(Message::text("x".repeat(524_289))).await;
    assert_eq!(close_code(&mut enrolled).await, 1009);
    warned(&mut telemetry, "longer than 524288 bytes").await;
}

#[tokio::test]
async fn what_ends_a_connection_is_a_line_in_that_add_ons_own_log() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let (other, _) = registered(&mut admin).await;
    let mut page = admin.events(&format!("/api/addons/{id}/telemetry")).await;
    page.named("connected").await;
    let frame = |data: &'static [u8], kind| Message::Frame(Frame::message(data, OpCode::Data(kind), true));
    for (message, code, word) in [
        (Message::text("x".repeat(300_000)), 1009, "longer than 263168 bytes"),
        (frame(b"\xff\xfe", Data::Text), 1007, "not UTF-8"),
        (frame(b"of what", Data::Continue), 1002, "WebSocket protocol"),
        (frame(b"?", Data::Reserved(3)), 1002, "WebSocket protocol"),
    ] {
        let mut socket = raw(&made, id, &token).await.unwrap();
        // The server hangs up while the rest is still on its way, which may fail the sending.
        let _hung_up = socket.send(message).await;
        assert_eq!(close_code(&mut socket).await, code, "{word}");
        let line = warned(&mut page, word).await;
        assert!(line.starts_with("the connection was closed"), "{line}");
    }
    let log = admin.get(&format!("/api/v1/addons/{other}/sources/log_history")).await;
    assert_eq!(log.json()["items"], json!([]), "nobody else's");
}

#[tokio::test]
async fn an_existing_manifest_enrols_without_what_cannot_be_read_and_both_sides_are_told() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let old = json!({ "name": "shed", "version": "1.0.0", "pages": [{ "id": "p", "title": "P", "components": [
        { "type": "form", "id": "f", "source": "", "config": { "action": "go", "fields": [
            { "name": "secret", "type": "password", "depends_on": "" },
            { "name": "serial", "type": "text", "security_gate": true }] } },
        { "type": "chart", "id": "c", "config": { "maxPoints": 0, "time_range": "1w" } }] }] });
    let mut page = admin.events(&format!("/api/addons/{id}/telemetry")).await;
    let mut addon = made.client();
    addon.headers = vec![("authorization", format!("Bearer {token}"))];
    let answer = addon.post("/api/addons/connect", &json!({ "manifest": old })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let warnings = answer.json()["warnings"].as_array().unwrap().clone();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    for warning in warnings {
        let line = page.named("log").await.data["payload"].clone();
        assert_eq!((&line["message"], &line["level"]), (&warning, &json!("warn")));
    }
    let shown = admin.get(&format!("/api/addons/{id}")).await.json();
    let form = &shown["manifest"]["pages"][0]["components"][0];
    assert_eq!(form["config"]["fields"][0], json!({ "name": "secret" }));
    assert_eq!(form.get("source"), None);
    // What cannot be ticked is no way around the password and the word.
    let go = json!({ "component_id": "f", "action": "go", "data": { "secret": "s", "serial": "WD-1" } });
    let answer = admin.post(&format!("/api/addons/{id}/action"), &go).await;
    assert_eq!(
        (answer.status, answer.problem()),
        (403, "gate".to_owned()),
        "{answer:?}"
    );
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("_password") && detail.contains("CONFIRM") && !detail.contains("ticked"),
        "{detail}"
    );

    let mut socket = raw(&made, id, &token).await.unwrap();
    let frame = json!({ "type": "manifest", "payload": old }).to_string();
    socket.send(Message::text(frame)).await.unwrap();
    while !page.named("log").await.data["payload"]["message"]
        .to_string()
        .contains("fields[0].type")
    {}
    page.named("manifest").await;
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
        line.data["payload"]["message"]
            .as_str()
            .unwrap()
            .contains("pages: 7; expected a list of 1 to 20"),
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
        complaints.contains("progress") && complaints.contains("percent"),
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
    socket
        .send(Message::text(
            r#"{"type":"log","payload":{"level":"info","message":"here"}}"#,
        ))
        .await
        .unwrap();
    let beat = loop {
        let line = page.named("log").await;
        if line.data["payload"]["message"] == "here" {
            break line;
        }
    };
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
            r#"{"type":"notification","payload":{"event_type":"too_hot","message":"hot"}}"#,
        ))
        .await
        .unwrap();
    let event = log.logged("addon.notification").await;
    assert_eq!(event.data["data"]["event_type"], "too_hot");

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
    let mut shown: Vec<(String, Value)> = shown
        .split("\n\n")
        .filter_map(|block| {
            let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
            let mut data: Value = serde_json::from_str(field("data: ")?).ok()?;
            data["addon_id"].take();
            Some((field("event: ")?.to_owned(), data))
        })
        .filter(|(name, _)| name != "connected")
        .collect();
    // The one word that is put into ours: existing add-ons say `warning`, and every page's filter knows `warn`.
    let ours = |frame: &mut Value| {
        let level = frame.pointer_mut("/payload/level");
        level
            .filter(|level| **level == "warning")
            .map(|level| *level = "warn".into())
            .is_some()
    };
    let mut expected: Vec<Value> = frames.clone();
    let put = expected
        .iter_mut()
        .filter_map(|frame| ours(frame).then_some(()))
        .count();
    assert!(put > 0, "the recording has none");
    for (_, data) in &mut shown {
        ours(data);
    }
    assert!(
        frames.len() > 100 && shown.len() > 50,
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
    for frame in &frames {
        socket.send(Message::text(frame.to_string())).await.unwrap();
    }
    shown.reverse();
    for frame in expected.iter().filter(|frame| frame["type"] != "heartbeat") {
        let mut sent = page.next().await.unwrap();
        assert_eq!(sent.data["addon_id"].take(), id);
        assert_eq!(
            (&sent.data["type"], &sent.data["payload"]),
            (&frame["type"], &frame["payload"]),
            "relayed as it came but for that word, in order, heartbeats left out"
        );
        if shown
            .last()
            .is_some_and(|(name, data)| *name == sent.name && *data == sent.data)
        {
            shown.pop();
        }
    }
    // What the existing server lost at its time-outs is not in the recording; what is in it, ours tells in that order.
    assert!(
        shown.is_empty(),
        "told by the existing server and not by ours: {shown:?}"
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
    second
        .send(Message::text(r#"{"type":"log","payload":{"message":"here"}}"#))
        .await
        .unwrap();
    page.named("log").await;
    assert_eq!(admin.get(&format!("/api/addons/{id}")).await.json()["status"], "online");
}

#[tokio::test]
async fn an_heir_of_the_same_name_inherits_nothing() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let manifest = json!({ "name": "shed", "version": "1", "pages": [{ "id": "p", "title": "P" }] });
    let upsert = json!({ "manifest": manifest });
    let first = admin.post("/api/addons", &upsert).await;
    assert_eq!(first.status, 201, "{first:?}");
    let id = first.json()["id"].as_u64().unwrap();
    let rotate = admin.post(&format!("/api/addons/{id}/rotate-token"), &json!({})).await;
    let token = rotate.json()["token"].as_str().unwrap().to_owned();
    let mut socket = raw(&made, id, &token).await.unwrap();
    let mut page = admin.events(&format!("/api/addons/{id}/telemetry")).await;
    let line = json!({ "type": "log", "payload": { "level": "info", "message": "of the first" } });
    socket.send(Message::text(line.to_string())).await.unwrap();
    page.named("log").await;
    let off = json!({ "enabled": false, "password": PASSWORD }).to_string();
    let path = format!("/api/addons/{id}/enabled");
    let off = admin
        .raw(Method::PUT, &path, Some(("application/json", off.into())))
        .await;
    assert_eq!(off.status, 200, "{off:?}");
    let gone = json!({ "password": PASSWORD }).to_string();
    let gone = admin
        .raw(
            Method::DELETE,
            &format!("/api/addons/{id}"),
            Some(("application/json", gone.into())),
        )
        .await;
    assert_eq!(gone.status, 204, "{gone:?}");
    // Whoever looked at it is told by the end of the stream.
    while page.next().await.is_some() {}

    let heir = admin.post("/api/addons", &upsert).await;
    assert_eq!(heir.status, 201, "a new one: {heir:?}");
    let (heir, view) = (heir.json()["id"].as_u64().unwrap(), heir.json());
    assert!(
        heir > id && view["enabled"] == true && view["last_seen"].is_null(),
        "{view}"
    );
    for id in [id, heir] {
        assert_eq!(
            raw(&made, id, &token).await.err(),
            Some(401),
            "the old token opens nothing"
        );
    }
    let mut add_on = made.client();
    add_on.headers.push(("authorization", format!("Bearer {token}")));
    assert_eq!(
        add_on.post("/api/addons/connect", &upsert).await.problem(),
        "token-wrong"
    );
    let log = admin
        .get(&format!("/api/v1/addons/{heir}/sources/log_history"))
        .await
        .text;
    assert!(!log.contains("of the first"), "{log}");
    assert_eq!(admin.get(&format!("/api/addons/{id}")).await.status, 404);
}

#[tokio::test]
async fn a_page_that_comes_back_from_a_later_time_gets_all_there_is() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let mut page = admin.events(&format!("/api/addons/{id}/telemetry")).await;
    let mut socket = raw(&made, id, &token).await.unwrap();
    let line = json!({ "type": "log", "payload": { "level": "info", "message": "since the start" } });
    socket.send(Message::text(line.to_string())).await.unwrap();
    page.named("log").await;
    // Its last number is of a process whose clock was years ahead, or is none.
    for last in [u64::MAX.to_string(), "abc".to_owned()] {
        let mut later = admin.clone();
        later.headers.push(("last-event-id", last));
        let mut page = later.events(&format!("/api/addons/{id}/telemetry")).await;
        assert_eq!(page.named("log").await.data["payload"]["message"], "since the start");
    }
}

#[tokio::test]
async fn three_missed_heartbeats_degrade_an_add_on() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let mut stream = admin.events("/api/v1/stream").await;
    let mut socket = raw(&made, id, &token).await.unwrap();
    stream.logged("addon.connected").await;
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
async fn an_add_on_that_came_over_http_alone_is_online_and_degrades_once() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let path = format!("/api/addons/{id}");
    let mut stream = admin.events("/api/v1/stream").await;
    let mut add_on = made.client();
    add_on.headers.push(("authorization", format!("Bearer {token}")));
    let answer = add_on.post("/api/addons/connect", &manifest()).await;
    assert_eq!(answer.json()["addon"]["status"], "online", "{answer:?}");
    stream.logged("addon.connected").await;
    let kept = admin.get(&path).await.json();
    assert_eq!((&kept["status"], &kept["connected"]), (&json!("online"), &json!(false)));
    assert_eq!(kept["last_seen"], answer.json()["addon"]["last_seen"]);
    made.clock.advance(Duration::from_secs(181));
    stream.logged("addon.degraded").await;
    assert_eq!(admin.get(&path).await.json()["status"], "degraded");
    made.clock.advance(Duration::from_mins(10));
    // Its socket comes at last: what the log has by then is all there was.
    let _socket = raw(&made, id, &token).await.unwrap();
    stream.logged("addon.online").await;
    let events = admin.get("/api/v1/events?limit=100").await.json();
    let degraded = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["type"] == "addon.degraded");
    assert_eq!(degraded.count(), 1, "{events}");
}

#[tokio::test]
async fn stopping_says_1001_to_add_ons_and_ends_streams() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let mut socket = raw(&made, id, &token).await.unwrap();
    let mut stream = admin.events("/api/v1/stream?after=0").await;
    stream.logged("addon.connected").await;
    made.app.shut_down().await;
    assert_eq!(close_code(&mut socket).await, 1001);
    while stream.next().await.is_some() {}
}
