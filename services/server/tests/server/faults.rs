//! Faults of existing servers that this one must not have, numbered as in the add-on protocol's list; the README of this crate
//! says where the others are tested.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use wire::command::{Answer, CallOutcome, Command};

use crate::addon::{raw, registered};
use crate::agent::Agent;
use crate::box_::{Box_, PASSWORD};
use crate::client::Client;
use crate::shed::{Listening, Shed, send, warned};

/// The events of add-ons in the log, oldest first: their kinds.
async fn told(admin: &mut Client) -> Vec<String> {
    let log = admin.get("/api/v1/events?limit=200").await.json();
    let kinds = log
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned());
    kinds
        .filter(|kind| kind.starts_with("addon.") || kind.starts_with("job."))
        .collect()
}

fn line(message: &str) -> Value {
    json!({ "type": "log", "payload": { "level": "info", "message": message } })
}

#[tokio::test]
async fn fault_5_a_job_that_ends_at_a_hundred_percent_is_not_told_as_passed() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let shed = Shed::new(&mut admin, "").await;
    let mut page = shed.page(&admin).await;
    let mut socket = shed.socket(&made).await;
    let complete = json!({ "type": "progress", "payload": { "job_id": "j", "phase": "COMPLETE", "percent": 100 } });
    let failed = json!({ "type": "notification", "payload": { "event_type": "job_failed", "severity": "critical", "message": "bad sectors" } });
    for frame in [&failed, &complete, &complete, &complete, &line("last")] {
        send(&mut socket, frame).await;
    }
    while page.named("log").await.data["payload"]["message"] != "last" {}
    made.app.scribe.kept(Vec::new()).await.unwrap();
    let mut kinds = told(&mut admin).await;
    kinds.retain(|kind| kind == "addon.notification" || kind == "addon.phase_complete" || kind.starts_with("job."));
    kinds.sort();
    assert_eq!(
        kinds,
        ["addon.notification", "addon.phase_complete"],
        "the end of a phase once, the failure once, no success"
    );
}

#[tokio::test]
async fn fault_6_nothing_is_accepted_without_token_password_and_ticks() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let listening = Listening::start().await;
    let shed = Shed::new(&mut admin, &listening.url()).await;
    let mut nobody = made.client();
    assert_eq!(
        nobody.get(&format!("/api/addons/ws?addon_id={}", shed.id)).await.status,
        401,
        "no token"
    );
    let (other, _) = registered(&mut admin).await;
    assert_eq!(
        raw(&made, other, &shed.token).await.unwrap_err(),
        401,
        "another's token"
    );
    let form =
        json!({ "component_id": "controls", "action": "start_job", "data": { "target": "sda", "confirm": true } });
    for (method, path) in [
        (Method::POST, shed.path("action")),
        (Method::POST, shed.path("rotate-token")),
        (Method::POST, shed.path("proxy?path=/api/execute")),
        (Method::GET, shed.path("proxy?path=/api/deploy-info")),
        (Method::DELETE, format!("/api/addons/{}", shed.id)),
        (Method::GET, format!("/api/v1/addons/{}/sources/config", shed.id)),
    ] {
        let body = Some(("application/json", form.to_string().into()));
        let answer = nobody.raw(method.clone(), &path, body).await;
        assert_eq!(answer.problem(), "not-logged-in", "{method} {path}");
    }
    let mut wrong = form.clone();
    (wrong["_password"], wrong["confirm"]) = ("x".into(), "CONFIRM".into());
    assert_eq!(
        admin.post(&shed.path("action"), &wrong).await.problem(),
        "password-wrong"
    );
    (wrong["_password"], wrong["data"]["confirm"]) = (PASSWORD.into(), false.into());
    assert_eq!(admin.post(&shed.path("action"), &wrong).await.problem(), "gate");
    assert_eq!(listening.asked(), []);
    let remove = Some(("application/json", json!({ "password": "x" }).to_string().into()));
    assert_eq!(
        admin
            .raw(Method::DELETE, &format!("/api/addons/{}", shed.id), remove)
            .await
            .problem(),
        "password-wrong"
    );
}

#[tokio::test]
async fn fault_7_what_the_agent_is_asked_comes_only_from_this_server_and_in_one_form() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    assert_eq!(agent.hello.gate_key.len(), 64, "what it checks signatures with");
    let mut asker = admin.clone();
    let asking = tokio::spawn(async move {
        let form = json!({ "action": "pause", "data": { "job_id": "01990000-0000-7000-8000-000000000000" } });
        asker.post("/api/addons/1/action", &form).await
    });
    agent
        .serve(|command| match command {
            Command::Pause { actor, .. } if actor == "admin" => CallOutcome::Ok(Answer::Aborted),
            other => panic!("{other:?}"),
        })
        .await;
    assert_eq!(asking.await.unwrap().status, 200);
    // A start that nobody armed never leaves the server, whatever it is signed with.
    let plan = "01990000-0000-7000-8000-000000000000";
    let answer = admin
        .post(
            &format!("/api/v1/plans/{plan}/start"),
            &json!({ "signature": "00".repeat(64) }),
        )
        .await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
}

/// Existing servers end each stream at the first write after 15 s; this takes a little longer on purpose.
#[tokio::test]
async fn fault_10_sse_is_not_killed_and_replays() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let shed = Shed::new(&mut admin, "").await;
    let mut page = shed.page(&admin).await;
    let mut socket = shed.socket(&made).await;
    tokio::time::sleep(Duration::from_secs(17)).await;
    send(&mut socket, &line("after 17 s")).await;
    let seen = page.named("log").await;
    assert_eq!(
        seen.data["payload"]["message"], "after 17 s",
        "the same stream still stands"
    );
    drop(page);
    for n in 0..20 {
        send(&mut socket, &line(&format!("missed {n}"))).await;
    }
    let mut back = admin.clone();
    back.headers.push(("last-event-id", seen.id.unwrap().to_string()));
    let mut page = back.events(&shed.path("telemetry")).await;
    page.named("connected").await;
    let last = seen.id.unwrap();
    for (n, next) in (last + 1..=last + 20).enumerate() {
        let sent = page.next().await.unwrap();
        assert_eq!(sent.data["payload"]["message"], format!("missed {n}"));
        assert_eq!(sent.id, Some(next), "no number is left out");
    }
    // A type cannot write into the stream, and who leaves in the middle of a sending breaks nothing.
    for kind in ["log\ndata: {\"forged\":1}", "log\r\n\r\nevent: log", "connected"] {
        send(&mut socket, &json!({ "type": kind, "payload": { "n": 1 } })).await;
        let sent = page.named("other").await;
        assert_eq!(
            (&sent.data["type"], &sent.data["payload"]),
            (&json!(kind), &json!({ "n": 1 }))
        );
    }
    for n in 0..30 {
        let leaving = shed.page(&admin).await;
        send(&mut socket, &line(&format!("left {n}"))).await;
        drop(leaving);
    }
    while page.named("log").await.data["payload"]["message"] != "left 29" {}
    // One job's frames alone, and those of none.
    let mut one = admin.events(&shed.path("telemetry?job=a")).await;
    one.named("connected").await;
    for job in ["b", "a"] {
        send(
            &mut socket,
            &json!({ "type": "log", "payload": { "message": job, "job_id": job } }),
        )
        .await;
    }
    assert_eq!(one.named("log").await.data["payload"]["message"], "a");
}

#[tokio::test]
async fn fault_17_a_rotated_token_counts_at_once_everywhere() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let shed = Shed::new(&mut admin, "").await;
    let mut page = shed.page(&admin).await;
    let mut socket = shed.socket(&made).await;
    let answer = admin.post(&shed.path("rotate-token"), &json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(token.len(), 64);
    send(&mut socket, &line("still here")).await;
    while page.named("log").await.data["payload"]["message"] != "still here" {}
    assert_eq!(
        raw(&made, shed.id, &shed.token).await.unwrap_err(),
        401,
        "the old one opens nothing"
    );
    let mut addon = made.client();
    addon.headers = vec![("authorization", format!("Bearer {}", shed.token))];
    let manifest = json!({ "manifest": crate::shed::manifest() });
    assert_eq!(addon.post("/api/addons/connect", &manifest).await.status, 401);
    addon.headers = vec![("authorization", format!("Bearer {token}"))];
    assert_eq!(addon.post("/api/addons/connect", &manifest).await.status, 200);
    raw(&made, shed.id, &token).await.unwrap();
    assert_eq!(
        admin.post("/api/addons/1/rotate-token", &json!({})).await.problem(),
        "built-in"
    );
    let kept = admin.get("/api/addons/tokens").await.text;
    assert!(!kept.contains(&token) && !kept.contains(&shed.token));
}

#[tokio::test]
async fn fault_20_a_warning_in_a_log_is_a_line_and_no_event() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let shed = Shed::new(&mut admin, "").await;
    let mut page = shed.page(&admin).await;
    let mut socket = shed.socket(&made).await;
    // One word for it in every answer: the pages' filter knows `warn`.
    for (level, told) in [
        ("warning", "warn"),
        ("WARNING", "warn"),
        ("warn", "warn"),
        ("error", "error"),
    ] {
        send(
            &mut socket,
            &json!({ "type": "log", "payload": { "level": level, "message": "hot" } }),
        )
        .await;
        let shown = page.named("log").await;
        assert_eq!(shown.data["payload"]["message"], "hot");
        assert_eq!(shown.data["payload"]["level"], told, "{level}");
    }
    let lines = admin
        .get(&format!("/api/v1/addons/{}/sources/log_history", shed.id))
        .await
        .text;
    assert_eq!(lines.matches(r#""level":"warn""#).count(), 3, "{lines}");
    assert!(!lines.to_lowercase().contains("warning"), "{lines}");
    made.app.scribe.kept(Vec::new()).await.unwrap();
    let mut kinds = told(&mut admin).await;
    kinds.retain(|kind| kind != "addon.registered" && kind != "addon.connected");
    assert_eq!(kinds, Vec::<String>::new());
}

#[tokio::test]
async fn every_bad_frame_is_answered_with_a_line_that_names_it_and_harms_nothing() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let shed = Shed::new(&mut admin, "").await;
    let mut page = shed.page(&admin).await;
    let mut socket = shed.socket(&made).await;
    for (bytes, word) in [
        ("{", "not JSON"),
        ("", "not JSON"),
        ("nonsense", "not JSON"),
        ("[]", "type"),
        ("{}", "type"),
        ("null", "type"),
        (r#"{"type":7}"#, "type"),
        (r#"{"type":null,"payload":{}}"#, "type"),
        (r#"{"type":"progress","payload":{"percent":{}}}"#, "percent"),
        (r#"{"type":"progress","payload":[]}"#, "progress"),
        (r#"{"type":"progress","payload":{"bytes_done":"many"}}"#, "bytes_done"),
        (r#"{"type":"progress","payload":{"percent":"50"}}"#, "percent"),
        (r#"{"type":"progress","payload":{"percent":200}}"#, "percent"),
        (r#"{"type":"progress","payload":{"eta":90}}"#, "eta"),
        (r#"{"type":"log","payload":"text"}"#, "log"),
        (
            r#"{"type":"notification","payload":{"event_type":"x","metadata":{"n":5}}}"#,
            "metadata",
        ),
        (
            r#"{"type":"notification","payload":{"event_type":"addon_online"}}"#,
            "addon_online",
        ),
        (
            r#"{"type":"result","payload":{"request_id":"never asked"}}"#,
            "request_id",
        ),
        (r#"{"type":"result"}"#, "request_id"),
        (r#"{"type":"job","payload":{}}"#, "job"),
        (r#"{"type":"drives","payload":[]}"#, "drives"),
        (r#"{"type":"manifest","payload":{"name":"x"}}"#, "manifest"),
        (r#"{"type":"something_new","payload":1}"#, "something_new"),
    ] {
        socket.send(Message::text(bytes)).await.unwrap();
        // A bad manifest has a line for each flaw; each of the others one.
        warned(&mut page, word).await;
    }
    let deep = format!(
        r#"{{"type":"chart","payload":{}{}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    socket.send(Message::text(deep)).await.unwrap();
    warned(&mut page, "").await;
    socket.send(Message::binary(vec![0xff_u8, 0xfe, 0x00])).await.unwrap();
    warned(&mut page, "").await;
    // More than there is room for is counted, and the connection and the rest of the box go on.
    for _ in 0..300 {
        socket.send(Message::text("{")).await.unwrap();
    }
    send(&mut socket, &line("still here")).await;
    while page.named("log").await.data["payload"]["message"] != "still here" {}
    assert_eq!(admin.get("/api/v1/health").await.status, 200);
    made.clock.advance(Duration::from_secs(30));
    socket.send(Message::text("{")).await.unwrap();
    assert!(warned(&mut page, "more like this").await.contains("not JSON"));
}

#[tokio::test]
async fn a_flood_is_throttled_and_told_and_the_others_do_not_feel_it() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let flooding = Shed::new(&mut admin, "").await;
    let quiet = Shed::new(&mut admin, "").await;
    let (mut page, mut other) = (flooding.page(&admin).await, quiet.page(&admin).await);
    let mut flood = flooding.socket(&made).await;
    let mut socket = quiet.socket(&made).await;
    let pouring = tokio::spawn(async move {
        for n in 0..20_000_u32 {
            let frame = if n % 2 == 0 {
                format!(r#"{{"type":"progress","payload":{{"job_id":"j","percent":1,"n":{n}}}}}"#)
            } else {
                line("again").to_string()
            };
            // The server may end it while the test ends.
            if flood.feed(Message::text(frame)).await.is_err() {
                break;
            }
        }
        let _flushed = flood.flush().await;
        flood
    });
    warned(&mut page, "frames a second").await;
    for n in 0..20 {
        send(&mut socket, &line(&format!("quiet {n}"))).await;
        assert_eq!(
            other.named("log").await.data["payload"]["message"],
            format!("quiet {n}"),
            "nothing of it is lost"
        );
    }
    assert_eq!(admin.get("/api/addons").await.status, 200);
    pouring.abort();
}

#[tokio::test]
async fn who_may_no_longer_connect_is_closed_with_1008_and_the_reason() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let reason = async |admin: &mut Client, method: Method, path: &dyn Fn(&Shed) -> String, body: Value| {
        let shed = Shed::new(admin, "").await;
        let mut page = shed.page(admin).await;
        let mut socket = shed.socket(&made).await;
        page.named("status").await;
        let path = path(&shed);
        let answer = admin
            .raw(method, &path, Some(("application/json", body.to_string().into())))
            .await;
        assert!(answer.status < 300, "{answer:?}");
        loop {
            match tokio::time::timeout(crate::client::PATIENCE, socket.next())
                .await
                .unwrap()
            {
                Some(Ok(Message::Close(Some(frame)))) => {
                    assert_eq!(u16::from(frame.code), 1008);
                    break frame.reason.to_string();
                }
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let password = json!({ "password": PASSWORD });
    let removed = reason(
        &mut admin,
        Method::DELETE,
        &|shed| format!("/api/addons/{}", shed.id),
        password,
    )
    .await;
    assert!(removed.contains("taken away"), "{removed}");
    let off = json!({ "enabled": false, "password": PASSWORD });
    let disabled = reason(&mut admin, Method::PUT, &|shed| shed.path("enabled"), off).await;
    assert!(disabled.contains("disabled"), "{disabled}");
}
