//! The recorded job of an existing server (`vigil-full-job.jsonl`), played to this one: every read of its dashboard is answered with
//! each key of the recorded answer, of the same JSON type.

use std::collections::BTreeMap;
use std::path::PathBuf;

use futures_util::SinkExt;
use http::Method;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::addon::raw;
use crate::alerts::Receiver;
use crate::box_::Box_;
use crate::client::PATIENCE;

/// What was asked and answered, or told by the add-on over its socket.
enum Turn {
    Asked {
        link: String,
        method: Method,
        path: String,
        body: Value,
        bearer: Option<String>,
        status: u16,
        answer: Value,
    },
    Told(Value),
}

fn turns() -> Vec<Turn> {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = std::env::var_os("KILN_GOLDEN").map_or_else(|| here.join("../../../shared/golden"), PathBuf::from);
    let text = std::fs::read_to_string(golden.join("vigil-full-job.jsonl")).unwrap();
    let mut waiting: BTreeMap<(String, u64), Value> = BTreeMap::new();
    let mut turns = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let link = line["link"].as_str().unwrap().to_owned();
        let key = (link.clone(), line["conn"].as_u64().unwrap());
        match (line["kind"].as_str().unwrap(), line["dir"].as_str().unwrap()) {
            ("http", "c2s") => drop(waiting.insert(key, line)),
            ("http", _) => {
                let Some(asked) = waiting.remove(&key) else { continue };
                let start =
                    |line: &Value, n: usize| line["start"].as_str().unwrap().split(' ').nth(n).unwrap().to_owned();
                turns.push(Turn::Asked {
                    link,
                    method: start(&asked, 0).parse().unwrap(),
                    path: start(&asked, 1),
                    bearer: asked["headers"]["authorization"].as_str().map(str::to_owned),
                    body: asked["body"].clone(),
                    status: start(&line, 1).parse().unwrap(),
                    answer: line["body"].clone(),
                });
            }
            ("ws", "c2s") if link == "addon->server" && line["json"]["type"] == "notification" => {
                turns.push(Turn::Told(line["json"].clone()));
            }
            _ => {}
        }
    }
    turns
}

/// What of `golden` is not in `ours`, or of another type.
fn lacks(golden: &Value, ours: &Value, place: &str, out: &mut Vec<String>) {
    match (golden, ours) {
        (Value::Null, _) | (Value::Bool(_), Value::Bool(_)) | (Value::Number(_), Value::Number(_)) => {}
        (Value::String(_), Value::String(_)) => {}
        (Value::Object(golden), Value::Object(ours)) => {
            for (key, golden) in golden {
                match ours.get(key) {
                    None => out.push(format!("{place}.{key} is not there")),
                    Some(ours) => lacks(golden, ours, &format!("{place}.{key}"), out),
                }
            }
        }
        (Value::Array(golden), Value::Array(ours)) => {
            let Some(golden) = golden.first() else { return };
            // Kiln has add-ons of its own before the recorded one.
            let same = |one: &&Value| golden["name"].is_string() && one["name"] == golden["name"];
            match ours.iter().find(same).or(ours.first()) {
                Some(ours) => lacks(golden, ours, &format!("{place}[0]"), out),
                None => out.push(format!("{place} is empty")),
            }
        }
        _ => out.push(format!("{place}: {golden} there, {ours} here")),
    }
}

#[tokio::test]
async fn every_read_of_an_existing_dashboard_is_answered_in_its_shape() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let receiver = Receiver::start().await;
    // What differs from the record: secrets, and where the messages go.
    let mut ours: Vec<(String, String)> = vec![("127.0.0.1:19300".into(), receiver.address.to_string())];
    let mut socket = None;
    let (mut lacking, mut compared) = (Vec::new(), 0);
    for turn in turns() {
        let (link, method, path, body, bearer, status, golden) = match turn {
            Turn::Told(frame) => {
                if let Some(socket) = &mut socket {
                    SinkExt::send(socket, Message::text(frame.to_string())).await.unwrap();
                }
                continue;
            }
            Turn::Asked {
                link,
                method,
                path,
                body,
                bearer,
                status,
                answer,
            } => (link, method, path, body, bearer, status, answer),
        };
        let one_of_ours = matches!(link.as_str(), "ui->server" | "addon->server" | "vigilagent->server");
        // Streams and what goes on to the add-on have tests of their own; a login is not what is compared here; the recorded
        // server failed at its score.
        let elsewhere = ["/telemetry", "/ws?", "/proxy?", "/action", "/login", "/health/score"];
        if !one_of_ours || elsewhere.iter().any(|part| path.contains(part)) {
            continue;
        }
        let swap = |text: &str| {
            ours.iter()
                .fold(text.to_owned(), |text, (was, is)| text.replace(was, is))
        };
        let body = (method != Method::GET).then(|| ("application/json", swap(&body.to_string()).into()));
        let mut client = made.client();
        client
            .headers
            .extend(bearer.map(|bearer| ("authorization", swap(&bearer))));
        let asker = if link == "ui->server" { &mut admin } else { &mut client };
        let mut answer = asker.raw(method.clone(), &path, body).await;
        if path == "/api/notifications/history" {
            let begun = std::time::Instant::now();
            while answer.json()[0]["message"] != golden[0]["message"] || answer.json()[0]["status"] != "sent" {
                assert!(
                    begun.elapsed() < PATIENCE,
                    "{} is not among {}",
                    golden[0]["message"],
                    answer.text
                );
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                answer = asker.raw(method.clone(), &path, None).await;
            }
        }
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let told = answer.json();
        for key in ["token", "session_token"] {
            if let (Some(was), Some(is)) = (golden[key].as_str(), told[key].as_str()) {
                ours.push((was.to_owned(), is.to_owned()));
            }
        }
        if path == "/api/addons/connect" && status == 200 {
            let token = client
                .headers
                .last()
                .unwrap()
                .1
                .trim_start_matches("Bearer ")
                .to_owned();
            socket = Some(raw(&made, told["addon_id"].as_u64().unwrap(), &token).await.unwrap());
        }
        if link == "ui->server" {
            compared += 1;
            lacks(&golden, &told, &format!("{method} {path}"), &mut lacking);
            if path == "/api/addons/register" {
                let heard = "/addon/last_seen";
                assert_eq!(told.pointer(heard), golden.pointer(heard), "nobody has heard it yet");
            }
        }
    }
    assert!(compared > 15, "{compared} answers were compared");
    assert!(lacking.is_empty(), "{lacking:#?}");
}
