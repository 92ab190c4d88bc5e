//! The agent and a Kiln server as two real programs: as an add-on in both ways of enrolment, over the server's death, and what
//! the box's own drives say in the server's histories.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{Agent, Bench, Loop, PATIENCE, Smartctl, TOKEN, not_here};
use rig::{LoggedIn, PASSWORD, Server};
use serde_json::{Value, json};

/// Any free port.
const ANY: &str = "127.0.0.1:0";

/// Over `dir`, without an agent of its own.
fn served(dir: &Path, listen: &str) -> LoggedIn {
    Server::over(&dir.join("server")).listening_at(listen).login()
}

/// One action of the agent's form, as the dashboard sends it.
fn act(kiln: &LoggedIn, addon: u64, action: &str, data: Value, more: Value) -> (u16, Value) {
    let mut body = json!({ "component_id": action, "action": action, "data": data });
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    kiln.ask("POST", &format!("/api/addons/{addon}/action"), &body)
}

/// How often each type of event of this add-on stands in the event log.
fn told(kiln: &LoggedIn, addon: u64) -> BTreeMap<String, usize> {
    let (_, events) = kiln.ask("GET", "/api/v1/events?limit=500", &Value::Null);
    let mut told = BTreeMap::new();
    let events = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["type"] == "addon.notification");
    for event in events.filter(|event| event["data"]["addon_id"] == addon) {
        let metadata = &event["data"]["metadata"];
        let name = format!("{} {}", event["data"]["event_type"], metadata["event_id"]);
        *told.entry(name).or_default() += 1;
    }
    told
}

#[tokio::test]
async fn a_kiln_server_takes_the_agent_in_the_documented_way_and_is_told_each_event_once_over_its_death() {
    if not_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (drive, smartctl) = (Loop::new(48), Smartctl::new(1));
    let mut kiln = served(dir.path(), ANY);
    let (status, made) = kiln.ask("POST", "/api/addons/register", &json!({ "name": "bench", "url": "" }));
    assert_eq!(status, 201, "{made}");
    let (id, token) = (made["addon"]["id"].as_u64().unwrap(), made["token"].as_str().unwrap());
    let (url, number) = (format!("http://{}", kiln.address), id.to_string());
    let environment = [
        ("VIGIL_SERVER_URL", url.as_str()),
        ("VIGIL_ADDON_ID", &number),
        ("VIGIL_ADDON_TOKEN", token),
        ("KILN_ALLOW_FOREIGN_GATE", "1"),
    ];
    let program = smartctl.program();
    let slowly = ["--rate-drive", "6M", "--smartctl", program.to_str().unwrap()];
    let _agent = Agent::elsewhere(dir.path(), &environment, &slowly);
    let row = kiln.online(id);
    assert!(
        row["manifest_json"].as_str().unwrap().contains("\"kiln-burnin\""),
        "{row}"
    );

    // Its drives, for the table and the form's choice.
    let node = drive.node.to_str().unwrap();
    let listed = |found: &Value| {
        let mut items = found["items"].as_array().into_iter().flatten();
        items.any(|item| item["path"] == node && item["capacity_bytes"] == 48 << 20)
    };
    for asks in ["", "?component=drive-inventory", "?component=plan"] {
        kiln.wait(&format!("/api/v1/addons/{id}/sources/agent_drives{asks}"), listed);
    }
    let path = format!("/api/v1/addons/{id}/sources/smart_deltas");
    assert!(!listed(&kiln.wait(&path, |_| true)), "drives are no SMART differences");

    // Both steps of the agent's own gate, by frames: this server has no way to its listener.
    let begun = Instant::now();
    let planned = loop {
        let (status, answer) = act(
            &kiln,
            id,
            "plan",
            json!({ "target": node, "command": "burnin" }),
            json!({}),
        );
        if status == 428 {
            break answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{status} {answer}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let console = std::fs::read_to_string(dir.path().join("console")).unwrap();
    let line = console.lines().rfind(|line| line.contains("give this code")).unwrap();
    let code = line.rsplit(": ").next().unwrap().trim();
    assert!(
        !planned.to_string().contains(code),
        "the code goes to the console alone"
    );
    let form = json!({ "code": code, "serials": node, "confirm_destructive": true });
    let (status, answer) = act(&kiln, id, "start", form.clone(), json!({}));
    assert!(
        (400..500).contains(&status),
        "a gated action needs the password: {answer}"
    );
    let armed = json!({ "_password": PASSWORD, "confirm": "CONFIRM" });
    let (status, answer) = act(&kiln, id, "start", form, armed);
    assert_eq!(status, 202, "{answer}");

    // The server is killed again and again, whatever it has read and not answered yet.
    let mut deaths = 0;
    let told = loop {
        let told = told(&kiln, id);
        if told.keys().any(|name| name.contains("job_complete")) {
            break told;
        }
        assert!(begun.elapsed() < PATIENCE, "{told:?}");
        if told.len() > deaths && deaths < 4 {
            deaths += 1;
            let address = kiln.address.clone();
            drop(kiln);
            kiln = served(dir.path(), &address);
            kiln.online(id);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(deaths >= 2, "{told:?}");
    assert!(told.values().all(|times| *times == 1), "{told:?}");
    let of = |kind: &str| told.keys().filter(|name| name.contains(kind)).count();
    let counts = ["job_started", "phase_complete", "burnin_passed", "job_complete"].map(of);
    assert_eq!(counts, [1, 5, 1, 1], "{told:?}");
}

#[tokio::test]
async fn a_kiln_server_takes_the_agent_in_the_implemented_way_and_nothing_is_obeyed_there() {
    let dir = tempfile::tempdir().unwrap();
    let kiln = served(dir.path(), ANY);
    let (status, token) = kiln.ask("POST", "/api/addons/tokens", &json!({ "name": "bench" }));
    assert_eq!(status, 201, "{token}");
    let token = token["token"].as_str().unwrap();
    let url = format!("http://{}", kiln.address);
    let environment = [("VIGIL_URL", url.as_str()), ("VIGIL_TOKEN", token)];
    let _agent = Agent::elsewhere(dir.path(), &environment, &["--smartctl", "/bin/false"]);
    // It is answered 412 until the token is bound, and asks again.
    let bound = json!({ "name": "bench", "url": "", "token": token });
    let (status, made) = kiln.ask("POST", "/api/addons/register", &bound);
    assert_eq!(status, 201, "{made}");
    let id = made["addon"]["id"].as_u64().unwrap();
    kiln.online(id);
    // Without the foreign gate its manifest offers nothing, and what it does not offer is not passed on.
    for action in ["plan", "execute", "start", "scan"] {
        let (status, answer) = act(&kiln, id, action, json!({ "target": "x" }), json!({}));
        assert!((400..500).contains(&status), "{action}: {status} {answer}");
    }
    // The agent has nothing that this server complains of.
    let (_, log) = kiln.ask("GET", &format!("/api/v1/addons/{id}/sources/log_history"), &Value::Null);
    let lines = log["items"].as_array().unwrap();
    assert!(
        !lines
            .iter()
            .any(|line| line["message"].to_string().contains("corrected")),
        "{log}"
    );
}

#[tokio::test]
async fn commands_go_by_http_to_an_agent_with_an_address_and_by_no_other_way() {
    if not_here() {
        return;
    }
    let (dir, drive) = (tempfile::tempdir().unwrap(), Loop::new(24));
    let kiln = served(dir.path(), ANY);
    let port = || {
        std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port()
    };
    let (here, nobody) = (port(), port());
    let mut agents = Vec::new();
    for (name, at) in [("listens", here), ("is-deaf", nobody)] {
        let form = json!({ "name": name, "url": format!("http://127.0.0.1:{at}") });
        let (status, made) = kiln.ask("POST", "/api/addons/register", &form);
        assert_eq!(status, 201, "{made}");
        let id = made["addon"]["id"].as_u64().unwrap();
        let (url, number) = (format!("http://{}", kiln.address), id.to_string());
        let environment = [
            ("VIGIL_SERVER_URL", url.as_str()),
            ("VIGIL_ADDON_ID", &number),
            ("VIGIL_ADDON_TOKEN", made["token"].as_str().unwrap()),
            ("KILN_ALLOW_FOREIGN_GATE", "1"),
        ];
        let own = dir.path().join(name);
        std::fs::create_dir(&own).unwrap();
        let listen = format!("127.0.0.1:{here}");
        let arguments = match name {
            "listens" => vec!["--smartctl", "/bin/false", "--listen", &listen],
            _ => vec!["--smartctl", "/bin/false"],
        };
        agents.push((id, Agent::elsewhere(&own, &environment, &arguments)));
        kiln.online(id);
    }
    let plan = json!({ "target": drive.node, "command": "burnin" });
    let begun = Instant::now();
    loop {
        let (status, answer) = act(&kiln, agents[0].0, "plan", plan.clone(), json!({}));
        if status == 428 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{status} {answer}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let console = std::fs::read_to_string(dir.path().join("listens/console")).unwrap();
    assert!(console.contains("give this code"), "{console}");
    let (status, answer) = act(&kiln, agents[1].0, "plan", plan, json!({}));
    assert!(
        status >= 500,
        "it is not sent down the socket instead: {status} {answer}"
    );
    assert!(drive.is_blank() && agents.iter().all(|(_, agent)| agent.workers().is_empty()));
}

#[tokio::test]
async fn what_the_boxs_own_drives_say_at_rest_is_in_the_histories() {
    if not_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (drive, smartctl) = (Loop::new(24), Smartctl::new(1));
    let node = drive.node.to_str().unwrap();
    let kiln = Server::over(&dir.path().join("server"))
        .agent(dir.path().join("server.sock"), TOKEN)
        .listening()
        .login();
    let program = smartctl.program();
    let _agent = Agent::with(dir.path(), &["--smartctl", program.to_str().unwrap()]);
    // Nobody has asked for anything: it is read at rest, soon after it appeared.
    let path = format!("/api/smart/attributes?serial={node}");
    let shown = kiln.wait(&path, |shown| shown["count"] == 1);
    let own = &shown["drives"][0];
    assert_eq!((&own["hostname"], &own["present"]), (&json!("this box"), &json!(true)));
    assert_eq!(
        (&own["attributes"][0]["key"], &own["attributes"][0]["raw"]),
        (&json!("5"), &json!(0))
    );
    let health = format!("/api/smart/health/summary?serial={node}");
    assert_eq!(kiln.wait(&health, |_| true)["drives"][0]["score"], 100);
    assert!(
        smartctl.calls().iter().any(|call| call.contains("-n standby,")),
        "{:?}",
        smartctl.calls()
    );
}

#[tokio::test]
async fn the_documents_of_a_jobs_readings_are_told_and_none_beside_them() {
    let smartctl = Smartctl::new(1);
    let program = smartctl.program();
    let Some(bench) = Bench::with(&[48], true, &["--smartctl", program.to_str().unwrap()]).await else {
        return;
    };
    let id = bench.job("standard").await;
    let job = bench.server.over(id).await;
    let both = bench.server.until("both documents", |seen| {
        (seen.readings.len() >= 2).then(|| seen.readings.clone())
    });
    let readings = both.await;
    let own: Vec<&Value> = readings
        .iter()
        .filter(|told| told["drive"] == json!(job.drive))
        .collect();
    assert!(own.len() >= 2, "before and after: {readings:#?}");
    assert!(
        own.iter()
            .all(|told| told["document"]["serial_number"] == job.serial.as_str())
    );
}
