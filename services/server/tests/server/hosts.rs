//! Host agents: the real binary asked by a client in another language; limits, silence and faults in this process.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use crate::box_::{Box_, PASSWORD};
use crate::client::{Answer, Client};
use crate::process::{Server, command};

fn golden() -> PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os("KILN_GOLDEN")
        .map_or_else(|| here.join("../../../shared/golden"), PathBuf::from)
        .join("smart")
}

fn document(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(golden().join(name)).unwrap()).unwrap()
}

#[tokio::test]
async fn an_agent_in_another_language_enrols_reports_and_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = command(dir.path());
    command.env("ADMIN_PASSWORD", PASSWORD);
    let server = Server::start(command, false).ready().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/host_agent.py");
    let base = format!("http://{}", server.address);
    let run = move || {
        Command::new("python3")
            .args([script, &base, "admin", PASSWORD])
            .arg(golden())
            .output()
    };
    let not_run = |why: &str| {
        use std::io::Write;
        let told = format!("\nNOT RUN: a host agent in another language: {why}\n");
        std::io::stderr().write_all(told.as_bytes()).unwrap();
    };
    let Ok(output) = tokio::task::spawn_blocking(run).await.unwrap() else {
        return not_run("python3 is not here");
    };
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    match output.status.code() {
        Some(3) => not_run(&told),
        _ => assert!(output.status.success(), "{told}"),
    }
}

pub(crate) struct Host {
    pub client: Client,
}

impl Host {
    fn form(host: &str, key: u8, token: &str) -> Value {
        let public = STANDARD.encode(SigningKey::from_bytes(&[key; 32]).verifying_key().to_bytes());
        json!({ "token": token, "hostname": host, "fingerprint": format!("mid:{key}"), "public_key": public })
    }

    pub(crate) async fn enrol(made: &Box_, admin: &mut Client, host: &str, key: u8) -> Self {
        let token = admin.post("/api/v1/tokens", &json!({ "name": host })).await.json()["token"].clone();
        let mut client = made.client();
        let body = Self::form(host, key, token.as_str().unwrap());
        let answer = client.post("/api/v1/agents/register", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        client.headers.push((
            "authorization",
            format!("Bearer {}", answer.json()["session_token"].as_str().unwrap()),
        ));
        Self { client }
    }

    async fn report(&mut self, host: &str, drives: Vec<Value>) -> Answer {
        self.client
            .post("/api/report", &json!({ "hostname": host, "drives": drives }))
            .await
    }
}

async fn alerts(admin: &mut Client) -> Vec<String> {
    let events = admin.get("/api/v1/events?limit=1000").await.json();
    let those = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["type"].as_str().unwrap().starts_with("drive.alert"));
    those
        .map(|e| {
            format!(
                "{} {} {}",
                e["type"].as_str().unwrap(),
                e["data"]["alert"].as_str().unwrap(),
                e["severity"].as_str().unwrap()
            )
        })
        .collect()
}

/// Fault 8 of existing servers: a failing drive was seen and nobody was told.
#[tokio::test]
async fn fault_8_a_failing_drive_is_told_of_and_once() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut nas = Host::enrol(&made, &mut admin, "nas", 1).await;
    let mut failing = document("smart-ata.json");
    failing["smart_status"]["passed"] = false.into();
    for _ in 0..3 {
        assert_eq!(nas.report("nas", vec![failing.clone()]).await.status, 200);
    }
    assert_eq!(alerts(&mut admin).await, ["drive.alert smart_failed critical"]);
    assert_eq!(admin.get("/api/health/score").await.json()["score"], 0);
    assert_eq!(nas.report("nas", vec![document("smart-ata.json")]).await.status, 200);
    assert_eq!(
        alerts(&mut admin).await[1..],
        ["drive.alert_resolved smart_failed info"]
    );
}

/// A drive that went is forgotten on a person's word; one that is still reported is not.
#[tokio::test]
async fn a_drive_of_a_host_can_be_forgotten_once_it_is_gone() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut nas = Host::enrol(&made, &mut admin, "nas", 1).await;
    assert_eq!(nas.report("nas", vec![document("smart-ata.json")]).await.status, 200);
    let id = admin.get("/api/smart/health/all").await.json()["drives"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/hosts/nas/drives/{id}");
    assert_eq!(admin.delete(&path).await.problem(), "drive-present");
    assert_eq!(admin.delete("/api/hosts/nas/drives/..").await.status, 404);
    let mut other = document("smart-ata.json");
    other["serial_number"] = "ANOTHER".into();
    assert_eq!(nas.report("nas", vec![other]).await.status, 200);
    assert_eq!(admin.delete(&path).await.status, 200);
    assert_eq!(admin.delete(&path).await.problem(), "drive-unknown");
    assert_eq!(admin.get("/api/smart/health/all").await.json()["count"], 1);
}

/// Fault 9 of existing servers: a fresh database answered 500.
#[tokio::test]
async fn fault_9_a_fresh_box_answers_200_everywhere() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    for path in [
        "/api/health/score",
        "/api/reports/health",
        "/api/history",
        "/api/hosts",
        "/api/v1/hosts",
        "/api/stats",
        "/api/version",
        "/api/auth/status",
        "/api/aliases",
        "/api/zfs/pools",
        "/api/zfs/summary",
        "/api/zfs/health",
        "/api/smart/attributes",
        "/api/smart/attributes/history",
        "/api/smart/attributes/trend",
        "/api/smart/health/summary",
        "/api/smart/health/all",
        "/api/smart/health/issues",
        "/api/smart/critical-attributes",
        "/api/smart/temperature/history",
        "/api/wearout/drive",
        "/api/wearout/all",
        "/api/wearout/history",
        "/api/wearout/trend",
        "/api/wearout/specs",
        "/api/v1/agents",
        "/api/v1/tokens",
        "/api/v1/server/pubkey",
        "/api/v1/alerts",
        "/api/settings/agents/report_interval",
    ] {
        assert_eq!(admin.get(path).await.status, 200, "{path}");
    }
    assert_eq!(
        admin.get("/api/health/score").await.json()["score"],
        Value::Null,
        "nothing is known, nothing is claimed"
    );
}

#[tokio::test]
async fn a_rating_of_what_is_no_model_is_unknown_and_no_fault_of_the_medium() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    for model in ["", " ", "a\0b", &"x".repeat(600)] {
        let body = Some(("application/json", json!({ "model": model }).to_string().into()));
        let answer = admin.raw(http::Method::DELETE, "/api/wearout/specs", body).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (404, "spec-unknown"),
            "{model:?}"
        );
    }
}

#[tokio::test]
async fn ten_registrations_a_minute_from_one_address_whatever_a_header_says() {
    let made = Box_::claimed().await;
    let mut client = made.client();
    for n in 0..10_u8 {
        client.headers.retain(|(name, _)| *name != "x-forwarded-for");
        client.headers.push(("x-forwarded-for", format!("10.1.1.{n}")));
        assert_eq!(
            client
                .post("/api/v1/agents/register", &Host::form("nas", 1, "x"))
                .await
                .problem(),
            "token-wrong"
        );
    }
    for path in ["/api/v1/agents/register"] {
        let answer = client.post(path, &Host::form("nas", 1, "x")).await;
        assert_eq!((answer.status, answer.problem().as_str()), (429, "too-many-tries"));
        assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 61);
    }
    let auth = json!({ "agent_id": 1, "fingerprint": "f", "timestamp": 0, "signature": "" });
    assert_eq!(
        client.post("/api/v1/agents/auth", &auth).await.problem(),
        "clock-off",
        "it is counted apart"
    );
    made.clock.advance(Duration::from_secs(61));
    assert_eq!(
        client
            .post("/api/v1/agents/register", &Host::form("nas", 1, "x"))
            .await
            .problem(),
        "token-wrong"
    );
}

#[tokio::test]
async fn a_host_that_falls_silent_is_told_of_and_sessions_end_after_an_hour() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut nas = Host::enrol(&made, &mut admin, "nas", 1).await;
    let body = json!({ "value": 900 });
    let answer = admin
        .raw(
            http::Method::PUT,
            "/api/settings/agents/report_interval",
            Some(("application/json", body.to_string().into())),
        )
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(nas.report("nas", vec![]).await.json()["report_interval_seconds"], 900);
    let listed = admin.get("/api/settings/agents").await.json();
    assert_eq!(
        (&listed[0]["key"], &listed[0]["value"], &listed[1]),
        (&json!("report_interval"), &json!("900"), &Value::Null)
    );
    assert_eq!(admin.get("/api/settings/temperature").await.json(), json!([]));
    for (path, value, status) in [
        ("agents/report_interval", json!("1800"), 200),
        ("agents/report_interval", json!("901"), 422),
        ("agents/report_interval", json!("soon"), 422),
        ("agents/report_interval", json!([900]), 400),
        ("agents/report_interval", json!(900), 200),
        ("agents/other", json!("1"), 404),
        ("system/timezone", json!("UTC"), 404),
    ] {
        let body = json!({ "value": value }).to_string();
        let path = format!("/api/settings/{path}");
        let answer = admin
            .raw(http::Method::PUT, &path, Some(("application/json", body.into())))
            .await;
        assert_eq!(answer.status, status, "{path} {value}: {answer:?}");
    }
    made.clock.advance(Duration::from_secs(2600));
    made.app.look_for_silence().await.unwrap();
    assert!(alerts(&mut admin).await.is_empty());
    made.clock.advance(Duration::from_secs(200));
    for _ in 0..2 {
        made.app.look_for_silence().await.unwrap();
    }
    assert_eq!(alerts(&mut admin).await, ["drive.alert host_silent critical"]);
    assert_eq!(admin.get("/api/v1/hosts").await.json()["hosts"][0]["silent"], true);
    assert_eq!(nas.report("nas", vec![]).await.status, 200);
    assert_eq!(alerts(&mut admin).await[1..], ["drive.alert_resolved host_silent info"]);
    made.clock.advance(Duration::from_mins(15));
    assert_eq!(nas.report("nas", vec![]).await.problem(), "session-wrong");
}

async fn choose(admin: &mut Client, seconds: u64) {
    let body = json!({ "value": seconds }).to_string();
    let path = "/api/settings/agents/report_interval";
    let answer = admin
        .raw(http::Method::PUT, path, Some(("application/json", body.into())))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn a_host_is_held_to_the_interval_that_it_was_told_and_not_to_one_that_was_chosen_since() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut nas = Host::enrol(&made, &mut admin, "nas", 1).await;
    assert_eq!(nas.report("nas", vec![]).await.json()["report_interval_seconds"], 3600);
    made.clock.advance(Duration::from_mins(20));
    choose(&mut admin, 60).await;
    made.clock.advance(Duration::from_secs(30));
    made.app.look_for_silence().await.unwrap();
    assert_eq!(alerts(&mut admin).await, [""; 0], "it comes when it was told to");
    made.clock.advance(Duration::from_mins(39));
    assert_eq!(nas.report("nas", vec![]).await.json()["report_interval_seconds"], 60);
    // Nor does it get longer for one that has died meanwhile.
    choose(&mut admin, 86_400).await;
    made.clock.advance(Duration::from_mins(11));
    made.app.look_for_silence().await.unwrap();
    assert_eq!(alerts(&mut admin).await, ["drive.alert host_silent critical"]);
}

#[tokio::test]
async fn what_a_host_was_told_counts_after_a_restart_of_the_server() {
    let dir = tempfile::tempdir().unwrap();
    {
        let made = Box_::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
        let mut admin = made.admin().await;
        Host::enrol(&made, &mut admin, "nas", 1)
            .await
            .report("nas", vec![])
            .await;
        choose(&mut admin, 60).await;
        made.app.shut_down().await;
    }
    let made = Box_::at_once_free(dir.path()).await;
    let mut admin = made.admin().await;
    made.clock.advance(Duration::from_mins(20));
    made.app.look_for_silence().await.unwrap();
    assert_eq!(alerts(&mut admin).await, [""; 0]);
    made.clock.advance(Duration::from_hours(3));
    made.app.look_for_silence().await.unwrap();
    assert_eq!(alerts(&mut admin).await, ["drive.alert host_silent critical"]);
}

#[tokio::test]
async fn secrets_of_agents_are_kept_as_hashes_only() {
    let dir = tempfile::tempdir().unwrap();
    let made = Box_::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
    let mut admin = made.admin().await;
    let token = admin.post("/api/v1/tokens", &json!({})).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let answer = made
        .client()
        .post("/api/v1/agents/register", &Host::form("nas", 1, &token))
        .await
        .json();
    let session = answer["session_token"].as_str().unwrap().to_owned();
    let bytes = std::fs::read(dir.path().join(store::FILE_NAME)).unwrap();
    for secret in [token, session] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

/// What ends does so by the clock that only goes forward.
#[tokio::test]
async fn a_token_for_a_host_agent_lives_no_longer_when_the_clock_is_set_back() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let hour = json!({ "name": "nas", "expires_in": 3600 });
    let token = admin.post("/api/v1/tokens", &hour).await.json()["token"].clone();
    let form = |key| Host::form("nas", key, token.as_str().unwrap());
    made.clock.set(-86_400);
    made.clock.advance(Duration::from_hours(1));
    let late = made.client().post("/api/v1/agents/register", &form(1)).await;
    assert_eq!((late.status, late.problem().as_str()), (401, "token-wrong"));

    let mut admin = made.admin().await;
    let token = admin.post("/api/v1/tokens", &hour).await.json()["token"].clone();
    let form = |key| Host::form("nas", key, token.as_str().unwrap());
    made.clock.advance(Duration::from_secs(3500));
    let early = made.client().post("/api/v1/agents/register", &form(2)).await;
    assert_eq!(early.status, 200, "{early:?}");
}

/// An agent's session is no person's, and a person's no agent's.
#[tokio::test]
async fn sessions_of_agents_open_nothing_else() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut nas = Host::enrol(&made, &mut admin, "nas", 1).await;
    assert_eq!(nas.client.get("/api/v1/drives").await.problem(), "not-logged-in");
    assert_eq!(nas.client.get("/api/hosts").await.problem(), "not-logged-in");
    let mut person = made.client();
    person
        .headers
        .push(("authorization", format!("Bearer {}", admin.cookie.clone().unwrap())));
    assert_eq!(
        person
            .post("/api/report", &json!({ "hostname": "nas" }))
            .await
            .problem(),
        "session-wrong"
    );
}

/// An agent that reports more often than any interval asks for is told when the next report is taken.
#[tokio::test]
async fn reports_of_one_agent_are_throttled() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut nas = Host::enrol(&made, &mut admin, "nas", 1).await;
    let mut other = Host::enrol(&made, &mut admin, "other", 2).await;
    for _ in 0..20 {
        assert_eq!(nas.report("nas", vec![]).await.status, 200);
    }
    let answer = nas.report("nas", vec![]).await;
    assert_eq!((answer.status, answer.problem().as_str()), (429, "too-often"));
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(other.report("other", vec![]).await.status, 200);
    made.clock.advance(Duration::from_secs(61));
    assert_eq!(nas.report("nas", vec![]).await.status, 200);
}

/// A drive that fails and heals with every report fills the log only to the host's share, and what was left out is told.
#[tokio::test]
async fn a_host_cannot_push_the_event_log_out() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut nas = Host::enrol(&made, &mut admin, "nas", 1).await;
    let rack = |failing: bool| -> Vec<Value> {
        let drive = |n: u32| {
            let mut drive = document("smart-ata.json");
            drive["smart_status"]["passed"] = (!failing).into();
            drive["serial_number"] = format!("S{n:04}").into();
            drive["device"]["name"] = format!("/dev/sd{n}").into();
            // As long as a report with many drives may be.
            drive.as_object_mut().unwrap().retain(|key, _| {
                ["device", "model_name", "serial_number", "smart_status", "user_capacity"].contains(&key.as_str())
            });
            drive
        };
        (0..60).map(drive).collect()
    };
    let mut taken = 0;
    for round in 0..15 {
        let answer = nas.report("nas", rack(round % 2 == 0)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        taken += answer.json()["drives"].as_u64().unwrap();
        // `taken` changes, each an alert or its end.
    }
    assert!(taken >= 700, "{taken}");
    let told = || made.app.store.read(|r| server::tables::EVENTS.all(r)).unwrap();
    let of_drives = |kind: &str| told().iter().filter(|(_, event)| event.kind.starts_with(kind)).count();
    assert_eq!(of_drives("drive.alert"), 600);
    made.clock.advance(Duration::from_secs(61));
    assert_eq!(nas.report("nas", rack(false)).await.status, 200);
    assert!(of_drives("host.too_many_events") >= 1);
}

/// The public key of an agent is no secret: alone it opens nothing, and what is opened without a signature is told.
#[tokio::test]
async fn a_public_key_alone_gives_no_session() {
    use ed25519_dalek::Signer;
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    Host::enrol(&made, &mut admin, "nas", 1).await;
    let mut client = made.client();
    let mut form = Host::form("nas", 1, "");
    form["fingerprint"] = "mid:stranger".into();
    let answer = client.post("/api/v1/agents/register", &form).await;
    assert_eq!((answer.status, answer.problem().as_str()), (401, "proof-needed"));
    form["token"] = "0".repeat(64).into();
    assert_eq!(
        client.post("/api/v1/agents/register", &form).await.problem(),
        "proof-needed"
    );
    // Signed, it is itself; a signature that is given must be right.
    let second = made.app.clock.now().wall.as_second();
    let sign = |key: u8| {
        let text = format!("1:mid:stranger:{second}");
        STANDARD.encode(SigningKey::from_bytes(&[key; 32]).sign(text.as_bytes()).to_bytes())
    };
    (form["timestamp"], form["signature"]) = (second.into(), sign(2).into());
    assert_eq!(
        client.post("/api/v1/agents/register", &form).await.problem(),
        "signature-wrong"
    );
    form["signature"] = sign(1).into();
    assert_eq!(client.post("/api/v1/agents/register", &form).await.status, 200);
    // What people are told of it is not enough to be it.
    let told = admin.get("/api/v1/agents").await.json()["agents"][0].clone();
    let mut seen = Host::form("nas", 1, "");
    seen["fingerprint"] = told["fingerprint"].clone();
    assert_eq!(seen["public_key"], told["public_key"]);
    assert_eq!(
        client.post("/api/v1/agents/register", &seen).await.problem(),
        "proof-needed"
    );
    let told = |log: &Value| {
        log.as_array()
            .unwrap()
            .iter()
            .filter(|e| e["type"] == "host.readmitted")
            .count()
    };
    assert_eq!(told(&admin.get("/api/v1/events").await.json()), 0);
    // As existing agents do it: same key and fingerprint, no token, no signature.
    let mut form = Host::form("nas", 1, "");
    form["fingerprint"] = "mid:stranger".into();
    assert_eq!(client.post("/api/v1/agents/register", &form).await.status, 200);
    made.app.scribe.kept(Vec::new()).await.unwrap();
    assert_eq!(told(&admin.get("/api/v1/events").await.json()), 1);
}

/// What is asked for stands in the event log: it is a device's name, not a book.
#[tokio::test]
async fn a_light_is_asked_for_by_a_name_of_a_device() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let path = "/api/v1/agents/nas/identify";
    let before = admin.get("/api/v1/events").await.json();
    for (device, mode) in [
        ("x".repeat(256), "on"),
        (String::new(), "on"),
        ("/dev/sda\nand more".into(), "on"),
        ("/dev/sda".into(), ""),
        ("/dev/sda".into(), "on and on"),
    ] {
        let answer = admin.post(path, &json!({ "device": device, "mode": mode })).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (422, "bad-device"),
            "{device:?} {mode:?}"
        );
    }
    for form in [
        json!({ "device": "x".repeat(255) }),
        json!({ "device": "/dev/sda", "mode": "locate_off" }),
    ] {
        assert_eq!(admin.post(path, &form).await.problem(), "host-unknown");
    }
    assert_eq!(admin.get("/api/v1/events").await.json(), before);
}
