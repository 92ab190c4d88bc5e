//! A store that fills: old events go and it is told, nothing is lost silently, reading goes on, the box says so.

use std::process::Command;
use std::time::Duration;

use futures_util::SinkExt;
use link::{Endpoint, Limits};
use serde_json::{Value, json};
use server::scribe::retain::{self, EVENTS_LEAST};
use server::tables::EVENTS;
use tokio_tungstenite::tungstenite::Message;
use wire::Frame;
use wire::command::{Answer, CallOutcome};
use wire::event::{NewEvent, Severity};

use crate::addon::{pong, raw, registered};
use crate::box_::{Box_, PASSWORD, TOKEN};
use crate::client::{Client, PATIENCE};
use crate::process::{Server, command};
use crate::update::Bench;

async fn banners(client: &mut Client) -> String {
    client.get("/api/v1/box").await.json()["banners"].to_string()
}

/// Waits until the banners say this word, or no longer say it.
async fn until(client: &mut Client, word: &str, said: bool) {
    let reached = async {
        while banners(client).await.contains(word) != said {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
}

#[tokio::test]
async fn the_oldest_events_go_and_the_chain_remembers_where_it_begins() {
    let dir = tempfile::tempdir().unwrap();
    let admin = Some(("admin".into(), PASSWORD.into()));
    let made = Box_::sized(dir.path(), admin, 4 << 20).await;
    for n in 0..20_000 {
        made.app
            .record(
                "box.test",
                Severity::Info,
                format!("{n} {}", "x".repeat(200)),
                json!({ "n": n }),
            )
            .await;
    }
    made.app.scribe.kept(Vec::new()).await.unwrap();
    let events = made.app.store.read(|r| EVENTS.all(r)).unwrap();
    let start = made.app.store.read(|r| retain::start(r)).unwrap().unwrap();
    let (first, last) = (events.first().unwrap(), events.last().unwrap());
    assert!(
        last.0 > 20_000 && events.len() as u64 >= EVENTS_LEAST,
        "{} of {}",
        events.len(),
        last.0
    );
    assert_eq!((first.0, &first.1.prev_hash), (start.seq, &start.prev_hash));
    assert_eq!(start.dropped, start.seq - 1);
    assert_eq!(retain::verify(&made.app.store).unwrap(), None);
    assert!(!made.app.store.room().unwrap().is_tight() || events.len() as u64 <= EVENTS_LEAST + 1000);
    let numbers: Vec<u64> = events
        .iter()
        .filter(|(_, e)| e.kind == "box.test")
        .map(|(_, e)| e.data["n"].as_u64().unwrap())
        .collect();
    assert!(
        numbers.windows(2).all(|two| two[1] == two[0] + 1) && *numbers.last().unwrap() == 19_999,
        "none is missing"
    );
    // It goes on so: what is told of it is an event like others and goes in its turn, the beginning is remembered.
    for n in 0..4_000 {
        made.app
            .record(
                "box.test",
                Severity::Info,
                format!("{n} {}", "y".repeat(400)),
                Value::Null,
            )
            .await;
    }
    made.app.scribe.kept(Vec::new()).await.unwrap();
    let later = made.app.store.read(|r| retain::start(r)).unwrap().unwrap();
    assert!(later.dropped > start.dropped, "{later:?}");
    assert_eq!(retain::verify(&made.app.store).unwrap(), None);
    // A beginning that somebody else took away is found.
    let first = made.app.store.read(|r| EVENTS.all(r)).unwrap()[0].0;
    made.app.store.write(move |w| EVENTS.delete(w, &first)).await.unwrap();
    assert_eq!(retain::verify(&made.app.store).unwrap(), Some(first + 1));
}

/// Fills a small store until it takes nothing any more; gives the number of the last add-on, and how many events were handed
/// in.
async fn fill(made: &Box_, admin: &mut Client) -> (u64, u64) {
    let manifest = |n: usize| json!({ "name": format!("a{n}"), "version": "1", "description": "d".repeat(200_000), "pages": [{ "id": "p", "title": "t" }] });
    let mut last = 0;
    let refused = loop {
        let answer = admin
            .post(
                "/api/addons/register",
                &json!({ "name": "a", "url": "", "manifest": manifest(last as usize) }),
            )
            .await;
        match answer.status {
            201 => last = answer.json()["addon"]["id"].as_u64().unwrap(),
            _ => break answer,
        }
    };
    assert_eq!((refused.status, refused.problem().as_str()), (503, "store"));
    assert!(refused.text.contains("full"), "{refused:?}");
    // What is left fills with events, until nothing is taken any more.
    let trouble = made.app.scribe.trouble();
    let mut recorded = 0;
    while trouble.borrow().is_none() {
        made.app
            .record("box.test", Severity::Info, "x".repeat(900), json!({ "n": recorded }))
            .await;
        recorded += 1;
        if recorded % 64 == 0 {
            let _refused = made.app.scribe.kept(Vec::new()).await;
        }
        assert!(recorded < 50_000, "it never filled");
    }
    (last, recorded)
}

#[tokio::test]
async fn a_store_full_of_what_must_not_go_says_so_and_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let admin = Some(("admin".into(), PASSWORD.into()));
    let made = Box_::sized(dir.path(), admin, 4 << 20).await;
    let mut admin = made.admin().await;
    let (addon, token) = registered(&mut admin).await;
    let mut socket = raw(&made, addon, &token).await.unwrap();
    let (last, mut recorded) = fill(&made, &mut admin).await;
    for _ in 0..50 {
        made.app
            .record("box.test", Severity::Info, "held".into(), json!({ "n": recorded }))
            .await;
        recorded += 1;
    }
    until(&mut admin, "cannot keep", true).await;
    // An add-on gets no answer that it could take as a receipt; the second ping was not read before the first was done with.
    for ping in ["mark-001", "mark-002"] {
        socket.send(Message::Ping(ping.into())).await.unwrap();
        assert_eq!(pong(&mut socket).await, "alive");
    }
    // A library that pings to see whether somebody is there is answered: it would hang up, over and over.
    socket.send(Message::Ping("library".into())).await.unwrap();
    assert_eq!(pong(&mut socket).await, "alive");
    assert_eq!(pong(&mut socket).await, "library");
    for path in ["/api/v1/events", "/api/addons", "/api/v1/jobs", "/health"] {
        assert_eq!(admin.get(path).await.status, 200, "{path}");
    }
    let answer = admin.post("/api/addons/tokens", &json!({ "name": "t" })).await;
    assert!([201, 503].contains(&answer.status), "{answer:?}");
    // A person gets in and makes room.
    let mut other = made.admin().await;
    let body = Some(("application/json", json!({ "password": PASSWORD }).to_string().into()));
    let answer = other
        .raw(http::Method::DELETE, &format!("/api/addons/{last}"), body)
        .await;
    assert_eq!(answer.status, 204, "{answer:?}");
    until(&mut other, "cannot keep", false).await;
    socket.send(Message::Ping("mark-003".into())).await.unwrap();
    assert_eq!(pong(&mut socket).await, "alive");
    assert_eq!(pong(&mut socket).await, "mark-003");
    made.app.scribe.kept(Vec::new()).await.unwrap();
    let events = made.app.store.read(|r| EVENTS.all(r)).unwrap();
    let recovered = events.iter().find(|(_, e)| e.kind == "box.store_recovered").unwrap();
    assert_eq!(recovered.1.data["lost"], 0);
    let numbers: Vec<u64> = events
        .iter()
        .filter(|(_, e)| e.kind == "box.test")
        .map(|(_, e)| e.data["n"].as_u64().unwrap())
        .collect();
    assert_eq!(*numbers.last().unwrap(), recorded - 1);
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "none is missing");
    assert_eq!(retain::verify(&made.app.store).unwrap(), None);
}

/// A person gets the state out, and the box off, restarted, back or reset; what was done is in the log once there is room.
#[tokio::test]
async fn a_full_store_shuts_no_way_out_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let ada = Some(("admin".into(), PASSWORD.into()));
    let made = Box_::sized(dir.path(), ada, 4 << 20).await;
    let mut bench = Bench::of(made, wire::update::SlotState::Good).await;
    let (last, _) = fill(&bench._box, &mut bench.admin).await;
    let bundle = bench.admin.send(http::Method::GET, "/api/v1/debug-bundle", None).await;
    assert_eq!(bundle.status(), 200);
    let mut agent = crate::agent::Agent::connect(&bench._box).await;
    let giving = agent.serve(|_| {
        CallOutcome::Ok(Answer::Records {
            rows: vec![],
            next: None,
        })
    });
    let ask = json!({ "password": PASSWORD, "passphrase": "a long passphrase" });
    let body = Some(("application/json", ask.to_string().into()));
    let (backup, ()) = tokio::join!(bench.admin.send(http::Method::POST, "/api/v1/backup", body), giving);
    assert_eq!(backup.status(), 200);
    // What somebody has done stands, and is told as done.
    let doing = agent.serve(|_| CallOutcome::Ok(Answer::Done { told: "saved".into() }));
    let text = json!({ "text": "name = \"mine\"" });
    let (saved, ()) = tokio::join!(bench.admin.put("/api/v1/playbooks/mine", &text), doing);
    assert_eq!(saved.status, 200, "{saved:?}");
    for (path, form, order) in [
        ("update/back", json!({}), "back"),
        ("update/reboot", json!({}), "reboot"),
        ("power-off", json!({ "confirm": "kiln" }), "power_off"),
        ("reset", json!({ "confirm": "kiln", "password": PASSWORD }), "reset"),
    ] {
        let answer = bench.admin.post(&format!("/api/v1/{path}"), &form).await;
        assert_eq!(answer.status, 202, "{path}: {answer:?}");
        let asked = async {
            while !bench
                .asked
                .lock()
                .unwrap()
                .iter()
                .any(|asked| asked.get(order).is_some())
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap();
    }
    let body = Some(("application/json", json!({ "password": PASSWORD }).to_string().into()));
    let answer = bench
        .admin
        .raw(http::Method::DELETE, &format!("/api/addons/{last}"), body)
        .await;
    assert_eq!(answer.status, 204, "{answer:?}");
    until(&mut bench.admin, "cannot keep", false).await;
    let events = bench._box.app.store.read(|r| EVENTS.all(r)).unwrap();
    for kind in ["debug_bundle", "backed_up", "back", "reboot", "power_off", "reset"]
        .map(|kind| format!("box.{kind}"))
        .into_iter()
        .chain(["person.saved_playbook".to_owned()])
    {
        let found = events.iter().find(|(_, e)| e.kind == kind);
        assert!(found.is_some_and(|(_, e)| e.actor.name == "admin"), "{kind}");
    }
}

/// What waits for a full store goes with the process. The next one says so, with the number, and once.
#[tokio::test]
async fn what_waited_when_the_process_ended_is_told_as_lost_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let ada = Some(("admin".into(), PASSWORD.into()));
    let made = Box_::sized(dir.path(), ada, 4 << 20).await;
    let mut admin = made.admin().await;
    let (_, mut recorded) = fill(&made, &mut admin).await;
    for _ in 0..50 {
        made.app
            .record("box.test", Severity::Info, "held".into(), json!({ "n": recorded }))
            .await;
        recorded += 1;
    }
    // As at the end of the process: a last try.
    assert!(made.app.scribe.kept(Vec::new()).await.is_err());
    made.app.shut_down().await;
    drop(made);

    let of = async |admin: &mut Client, kind: &str| -> Vec<Value> {
        let log = admin.get("/api/v1/events?limit=1000").await.json();
        let those = log.as_array().unwrap().iter().filter(|e| e["type"] == kind);
        those.cloned().collect()
    };
    // The store has room now.
    let again = Box_::at_once_free(dir.path()).await;
    let mut admin = again.admin().await;
    let told = of(&mut admin, "box.entries_lost").await;
    assert_eq!(told.len(), 1, "{told:?}");
    let events = again.app.store.read(|r| EVENTS.all(r)).unwrap();
    let numbers = events.iter().filter(|(_, e)| e.kind == "box.test");
    let after_kept = numbers
        .map(|(_, e)| e.data["n"].as_u64().unwrap() + 1)
        .max()
        .unwrap_or(0);
    // Beside the test's own there may wait what the server has to say itself.
    let lost = told[0]["data"]["entries"].as_u64().unwrap();
    assert!(
        (50..recorded - after_kept + 10).contains(&lost),
        "{lost}; {after_kept} of {recorded} are kept"
    );
    assert_eq!(told[0]["severity"], "warning");
    assert_eq!(retain::verify(&again.app.store).unwrap(), None);
    again.app.shut_down().await;
    drop(again);

    let third = Box_::at_once_free(dir.path()).await;
    let mut admin = third.admin().await;
    assert_eq!(of(&mut admin, "box.entries_lost").await.len(), 1, "told once");
}

/// A medium without space, in a mount namespace of its own.
#[tokio::test]
async fn a_full_medium_keeps_what_happens_in_memory_until_there_is_space() {
    let can = Command::new("unshare").args(["-rm", "true"]).status();
    if !can.is_ok_and(|status| status.success()) {
        use std::io::Write;
        writeln!(
            std::io::stderr(),
            "\nNOT RUN: a full medium: no mount namespace can be made here"
        )
        .unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let inner = command(dir.path());
    let mut outer = Command::new("unshare");
    outer.args([
        "-rm",
        "sh",
        "-c",
        "mount -t tmpfs -o size=3m none \"$1\" && shift && exec \"$@\"",
        "sh",
    ]);
    outer.arg(dir.path()).arg(inner.get_program()).args(inner.get_args());
    let path = std::env::var_os("PATH").unwrap_or_default();
    outer
        .env_clear()
        .env("PATH", path)
        .env("RUST_LOG", "off")
        .env("KILN_AGENT_TOKEN", TOKEN);
    outer
        .env("ADMIN_PASSWORD", PASSWORD)
        .stdout(std::process::Stdio::piped());
    let server = Server::start(outer, false).ready().await;
    let mut admin = Client::new(server.address);
    let login = json!({ "username": "admin", "password": PASSWORD });
    assert_eq!(admin.post("/api/v1/session", &login).await.status, 200);
    let seen = std::path::PathBuf::from(format!("/proc/{}/root{}", server.id(), dir.path().display()));
    let fill = seen.join("fill");
    {
        use std::io::Write;
        let mut file = std::fs::File::create(&fill).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }
    let endpoint = Endpoint::Tcp {
        host: "127.0.0.1".into(),
        port: server.address.port(),
    };
    let (sender, _receiver) = endpoint.connect(1, TOKEN, Limits::client()).await.unwrap();
    const SENT: u64 = 600;
    for n in 1..=SENT {
        let event = NewEvent {
            origin: Some(n),
            ..NewEvent::new("drive.added", Severity::Info, "x".repeat(900), json!({ "n": n }))
        };
        sender.send(&Frame::Event(event)).await.unwrap();
    }
    until(&mut admin, "cannot keep", true).await;
    assert_eq!(admin.get("/api/v1/events").await.status, 200);
    std::fs::remove_file(&fill).unwrap();
    until(&mut admin, "cannot keep", false).await;
    let kept = async {
        loop {
            let log = admin.get("/api/v1/events?limit=1000").await.json();
            let of = |kind: &str| log.as_array().unwrap().iter().filter(|e| e["type"] == kind).count() as u64;
            if of("drive.added") == SENT && of("box.store_recovered") > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, kept).await.unwrap();
}
