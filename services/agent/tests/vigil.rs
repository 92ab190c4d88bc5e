//! The agent as an add-on of an existing Vigil server, which `vigil/existing_server.py` plays: both ways of enrolment, a
//! whole job in frames that every implementation takes, a server that is away, commands, and the foreign gate.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{Agent, Existing, Loop, PATIENCE, Stage, TOKEN, all_taken, not_here};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn the_implemented_way_asks_again_while_the_token_is_not_bound_and_takes_its_id_from_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Existing::start(&[]);
    let url = server.url();
    // The older of the two names.
    let environment = [("VIGIL_URL", url.as_str()), ("VIGIL_AGENT_TOKEN", TOKEN)];
    let _agent = Agent::elsewhere(dir.path(), &environment, &["--smartctl", "/bin/false"]);
    let times = server
        .until("three tries", |said| {
            let tries: Vec<f64> = said
                .iter()
                .filter(|l| l["kind"] == "connect")
                .map(|l| l["at"].as_f64().unwrap())
                .collect();
            (tries.len() >= 3).then_some(tries)
        })
        .await;
    // 2 s, then 4 s, each shortened by a fifth at most; a slow machine only lengthens them.
    assert!(times[1] - times[0] >= 1.5 && times[2] - times[1] >= 3.1, "{times:?}");
    server.order("bind");
    let manifest = server
        .until("the manifest", |said| {
            said.iter().find(|l| l["kind"] == "manifest").cloned()
        })
        .await;
    let pages: Vec<&str> = manifest["manifest"]["pages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["id"].as_str().unwrap())
        .collect();
    assert_eq!(pages, ["jobs", "drives", "temperature", "logs"]);
    let upgrade = server
        .until("the upgrade", |said| {
            said.iter().find(|l| l["kind"] == "upgrade").cloned()
        })
        .await;
    assert_eq!(
        (&upgrade["query"], &upgrade["authorization"]),
        (&json!("addon_id=3"), &json!(format!("Bearer {TOKEN}")))
    );
    let first = server
        .until("a frame", |said| said.iter().find(|l| l["kind"] == "frame").cloned())
        .await;
    assert_eq!(first["type"], "heartbeat", "at once, and no manifest again");
}

/// A server that takes each connection, says a word and drops it is none that works: it is not tried each two seconds for ever.
#[tokio::test]
async fn a_server_that_drops_each_connection_is_tried_more_and_more_rarely() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Existing::start(&[]);
    server.order("bind");
    let url = server.url();
    // An empty variable is none, as a compose file leaves one.
    let environment = [
        ("VIGIL_URL", url.as_str()),
        ("VIGIL_AGENT_TOKEN", TOKEN),
        ("VIGIL_ADDON_ID", ""),
    ];
    let _agent = Agent::elsewhere(dir.path(), &environment, &["--smartctl", "/bin/false"]);
    let (mut came, mut dropped) = (Vec::new(), Vec::new());
    for count in 1..=3 {
        server
            .until("a connection", |said| {
                let upgrades = said.iter().filter(|l| l["kind"] == "upgrade").count();
                (upgrades >= count).then_some(())
            })
            .await;
        came.push(std::time::Instant::now());
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.order(r#"send {"type":"welcome","payload":{}}"#);
        tokio::time::sleep(Duration::from_millis(300)).await;
        dropped.push(std::time::Instant::now());
        server.order("kick");
    }
    let wait = |n: usize| (came[n + 1] - dropped[n]).as_secs_f64();
    // 2 s, then 4 s, each shortened by a fifth at most; a slow machine only lengthens them.
    assert!(wait(0) >= 1.5 && wait(1) >= 3.1, "{} s, {} s", wait(0), wait(1));
}

/// An agent that was given an add-on's number beside its token.
fn with_id(data: &Path, server: &Existing, id: &str) -> Agent {
    let url = server.url();
    let environment = [
        ("VIGIL_SERVER_URL", url.as_str()),
        ("VIGIL_ADDON_ID", id),
        ("VIGIL_ADDON_TOKEN", TOKEN),
    ];
    Agent::elsewhere(data, &environment, &["--smartctl", "/bin/false"])
}

#[tokio::test]
async fn with_an_id_the_manifest_goes_as_existing_servers_take_it_and_the_id_that_was_told_counts() {
    let dir = tempfile::tempdir().unwrap();
    let server = Existing::start(&["--documented", "7"]);
    let _agent = with_id(dir.path(), &server, "7");
    let kinds = server
        .until("a frame", |said| {
            let kinds: Vec<String> = said
                .iter()
                .filter(|l| matches!(l["kind"].as_str(), Some("manifest" | "upgrade" | "frame")))
                .map(|l| format!("{}{}{}", l["kind"], l["query"], l["type"]).replace(['"', ' '], ""))
                .collect();
            (kinds.len() >= 3).then_some(kinds)
        })
        .await;
    assert_eq!(
        &kinds[..3],
        ["upgradeaddon_id=7null", "manifestnullnull", "framenullheartbeat"]
    );
    all_taken(&server);
}

#[tokio::test]
async fn with_the_id_of_one_add_on_and_the_token_of_another_no_page_of_the_other_is_replaced_again() {
    let count = |said: &[Value], kind: &str| said.iter().filter(|l| l["kind"] == kind).count();
    for holds in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let other = ["--documented", "10", "--token-of", "9", "--hold"];
        let mut server = Existing::start(if holds { &other } else { &other[..4] });
        let _agent = with_id(dir.path(), &server, "10");
        if !holds {
            // Such a server cannot be asked beforehand whose the token is. The page of the id has its manifest as a frame.
            let its_own = |said: &[Value]| said.iter().any(|l| l["type"] == "manifest").then_some(());
            server.until("a manifest as a frame", its_own).await;
            server.order("kick");
        }
        server
            .until("another connection", |said| (count(said, "upgrade") >= 2).then_some(()))
            .await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(
            count(&server.said(), "manifest"),
            usize::from(!holds),
            "{:?}",
            server.said()
        );
    }
}

#[tokio::test]
async fn where_http_takes_no_manifest_it_is_the_first_frame_then_a_heartbeat_and_pings_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let server = Existing::start(&["--documented", "7", "--ping", "0.5", "--no-connect"]);
    let _agent = with_id(dir.path(), &server, "7");
    let types = server
        .until("two frames", |said| {
            let types: Vec<String> = said
                .iter()
                .filter(|l| l["kind"] == "frame")
                .map(|l| l["type"].to_string())
                .collect();
            (types.len() >= 2).then_some(types)
        })
        .await;
    assert_eq!(&types[..2], ["\"manifest\"", "\"heartbeat\""]);
    let upgrades = server
        .said()
        .iter()
        .filter(|l| l["kind"] == "upgrade" && l["query"] == "addon_id=7")
        .count();
    assert_eq!(upgrades, 1);
    server
        .until("pongs", |said| {
            (said.iter().filter(|l| l["kind"] == "pong").count() >= 2).then_some(())
        })
        .await;
    all_taken(&server);
}

#[tokio::test]
async fn a_whole_job_is_told_in_frames_that_every_implementation_takes_each_event_once_and_in_order() {
    let Some(mut stage) = Stage::new(48, true).await else {
        return;
    };
    let id = stage.burn().await;
    stage.server.event("job_complete").await;
    // The console alone has the code.
    let code = stage.code();
    assert!(
        stage
            .server
            .said()
            .iter()
            .all(|line| line["type"] == "result" || !line.to_string().contains(&code))
    );
    assert!(
        !stage
            .server
            .frames()
            .iter()
            .any(|f| f["type"] == "result" && f.to_string().contains(&code))
    );
    let over = |said: &[Value]| {
        let mut told = said.iter().filter(|l| l["type"] == "progress").map(|l| &l["payload"]);
        told.any(|payload| payload["status"] == "completed").then_some(())
    };
    stage.server.until("the last progress", over).await;
    // The drive's own curve: `temp_c` is that of the hottest drive, and another test's may be hotter.
    let own = format!("temp_c_{}", stage.node().replace('/', "_"));
    stage
        .server
        .until("a chart of its temperature", |said| {
            let warm = |l: &Value| l["type"] == "chart" && l["payload"]["key"] == own && l["payload"]["value"] == 41;
            said.iter().any(warm).then_some(())
        })
        .await;
    all_taken(&stage.server);

    let events = stage.server.events();
    let phases = events.iter().filter(|event| *event == "phase_complete").count();
    let mut expected = vec!["job_started"];
    expected.extend(std::iter::repeat_n("phase_complete", phases));
    expected.extend(["burnin_passed", "job_complete"]);
    assert_eq!(
        events, expected,
        "no event twice, none out of order, none by a progress of 100"
    );
    assert_eq!(phases, 5, "SMART, probe, write, verify, SMART");

    let frames = stage.server.frames();
    let of = |kind: &str| {
        frames
            .iter()
            .filter(|f| f["type"] == kind)
            .map(|f| &f["payload"])
            .collect::<Vec<_>>()
    };
    for told in of("notification") {
        assert_eq!(told["metadata"]["job_id"], id.as_str());
        assert!(told["time"].as_str().unwrap().ends_with('Z') && !told["host"].as_str().unwrap().is_empty());
    }
    for told in of("progress") {
        assert!(
            (0.0..100.0).contains(&told["percent"].as_f64().unwrap()) && told.get("kiln").is_none(),
            "{told}"
        );
    }
    let smart = of("smart");
    assert_eq!(smart.last().unwrap()["rows"][0]["delta"], 0, "SMART before and after");
    let hottest = |point: &&Value| point["key"] == "temp_c" && point["value"].as_i64() >= Some(41);
    assert!(of("chart").into_iter().any(|point| hottest(&point)));
    assert!(of("log").iter().all(|line| line["component_id"] == "recent-activity"));
    for ours in [
        "hello",
        "drives",
        "job",
        "unfinished",
        "event",
        "playbooks",
        "certificate",
    ] {
        assert!(of(ours).is_empty(), "{ours}");
    }
}

#[tokio::test]
async fn what_happens_while_the_server_is_away_is_told_after_in_order_and_once_also_over_the_agents_end() {
    let Some(mut stage) = Stage::at(48, true, "6M").await else {
        return;
    };
    stage.burn().await;
    stage.server.event("job_started").await;
    let port = stage.server.port;
    // From here on it reads nothing: what is on its way is lost with it.
    stage.server.order("deaf 600");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = stage.server.events();
    stage.server.order("stop");
    let begun = std::time::Instant::now();
    let ended = || {
        let console = std::fs::read_to_string(stage.dir.path().join("console")).unwrap();
        console.lines().any(|line| line.contains("job ended"))
    };
    while !ended() {
        assert!(begun.elapsed() < PATIENCE, "the job did not end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stage.agent.terminate().await;
    stage.server = Existing::again(port, &["--documented", "7", "--ping", "1"]);
    stage.restart();
    stage.server.event("job_complete").await;
    // A third server hears nothing of it: the second has read it all.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = stage.server.events();
    let phases = ["phase_complete"; 5];
    let expected = [&["job_started"][..], &phases, &["burnin_passed", "job_complete"]].concat();
    let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
    assert!(expected.starts_with(&before), "{before:?}");
    assert!(!after.is_empty() && expected.ends_with(&after), "{after:?}");
    // Whether it read what came in its last second, its answer to the next ping would have told: that comes again, and nothing older.
    let twice = (before.len() + after.len()).checked_sub(expected.len());
    assert!(twice.is_some_and(|twice| twice < before.len()), "{before:?} {after:?}");
    all_taken(&stage.server);
    stage.server.order("stop");
    stage.server = Existing::again(port, &["--documented", "7", "--ping", "1"]);
    stage
        .server
        .until("the agent", |said| {
            said.iter().any(|l| l["kind"] == "upgrade").then_some(())
        })
        .await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(stage.server.events(), Vec::<String>::new());
}

/// Its pings go on, as those of a server do whose reader alone hangs, and the agent waits longer than any ping may take.
#[tokio::test]
async fn a_server_that_hangs_for_longer_than_a_minute_and_dies_has_read_nothing() {
    let Some(mut stage) = Stage::at(48, true, "6M").await else {
        return;
    };
    stage.burn().await;
    stage.server.event("job_started").await;
    let port = stage.server.port;
    stage.server.order("deaf 600");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = stage.server.events();
    // A mark may count after 60 s, and is looked at each 30 s.
    tokio::time::sleep(Duration::from_secs(110)).await;
    let console = std::fs::read_to_string(stage.dir.path().join("console")).unwrap();
    assert!(console.lines().any(|line| line.contains("job ended")), "{console}");
    stage.server.order("stop");
    stage.server = Existing::again(port, &["--documented", "7", "--ping", "1"]);
    stage.server.event("job_complete").await;
    let after = stage.server.events();
    let all: Vec<&str> = before.iter().chain(&after).map(String::as_str).collect();
    let phases = ["phase_complete"; 5];
    let expected: Vec<&str> = [&["job_started"][..], &phases, &["burnin_passed", "job_complete"]].concat();
    assert_eq!(all, expected, "before: {before:?}");
    all_taken(&stage.server);
}

#[tokio::test]
async fn on_a_foreign_server_every_command_is_refused_with_a_reason() {
    let Some(mut stage) = Stage::new(24, false).await else {
        return;
    };
    tokio::time::sleep(Duration::from_secs(3)).await;
    let job = wire::JobId::now().to_string();
    let node = stage.node();
    for (action, data, status) in [
        (
            "execute",
            json!({ "command": "burnin", "target": node, "confirm_destructive": true, "_password": "right" }),
            403,
        ),
        ("plan", json!({ "target": node }), 403),
        ("start", json!({ "code": "00000000", "serials": node }), 403),
        ("scan", json!({ "target": node }), 403),
        ("cancel", json!({ "job_id": job }), 403),
        ("pause", json!({ "job_id": job }), 403),
        ("resume", json!({ "job_id": job }), 403),
        ("rotate-psk", json!({}), 404),
        ("execute", json!({ "command": "burnin" }), 422),
    ] {
        let answer = stage.server.ask(action, data).await;
        assert_eq!(answer["status"], status, "{action}: {answer}");
        assert!(answer["error"].as_str().unwrap().len() > 30, "{answer}");
    }
    // The frames of our own server's dialect are no way either.
    let own = json!({ "type": "command", "payload": { "id": "own", "command": { "name": "plan", "args": { "drives": [], "playbook": "surface" } } } });
    stage.server.order(&format!("send {own}"));
    let refused = stage.server.until("its result", |said| {
        said.iter()
            .find(|l| l["type"] == "result" && l["payload"]["request_id"] == "own")
            .cloned()
    });
    assert!(refused.await["payload"]["error"].is_string());
    assert!(stage.agent.workers().is_empty() && stage.drive.is_blank());
    all_taken(&stage.server);
}

#[tokio::test]
async fn a_foreign_start_with_a_forged_step_erases_nothing() {
    let Some(mut stage) = Stage::new(24, true).await else {
        return;
    };
    let node = stage.node();
    // No plan at all.
    let none = stage
        .server
        .ask("start", json!({ "code": "00000000", "serials": node }))
        .await;
    assert_eq!(none["data"]["type"], "plan-unknown");
    let planned = stage.plan().await;
    assert_eq!(
        (&planned["status"], &planned["data"]["status"]),
        (&json!(428), &json!("code-needed"))
    );
    let code = stage.code();
    assert!(
        !planned.to_string().contains(&code),
        "the code goes to the console alone"
    );
    let digit = if code.starts_with('0') { '1' } else { '0' };
    let wrong = format!("{digit}{}", &code[1..]);
    for (code, serials, why) in [
        (&wrong, node.as_str(), "code-wrong"),
        (&code, &node[node.len() - 4..], "serial-wrong"),
        (&code, "/dev/loop999", "serial-wrong"),
        // Three tries, and the right ones come too late.
        (&code, node.as_str(), "plan-closed"),
    ] {
        let answer = stage
            .server
            .ask("start", json!({ "code": code, "serials": serials }))
            .await;
        assert_eq!(answer["data"]["type"], why, "{answer}");
    }
    // The content of the drive changes between plan and start.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(stage.plan().await["status"], 428);
    stage.drive.mkfs();
    let code = stage.code();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let answer = stage
        .server
        .ask("start", json!({ "code": code, "serials": node }))
        .await;
    assert_eq!(answer["data"]["type"], "plan-changed", "{answer}");
    assert!(stage.agent.workers().is_empty());
    // And a start that is right is granted once.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let id = stage.burn().await;
    let again = stage
        .server
        .ask("start", json!({ "code": stage.code(), "serials": node }))
        .await;
    assert_eq!(again["data"]["type"], "ticket-used", "{again}");
    let cancelled = stage.server.ask("cancel", json!({ "job_id": id })).await;
    assert_eq!(cancelled["status"], 200, "{cancelled}");
    // A cancelled job is `job_complete`, and nothing else.
    stage.server.event("job_complete").await;
    let events = stage.server.events();
    assert!(
        !events
            .iter()
            .any(|event| event == "burnin_passed" || event == "job_failed"),
        "{events:?}"
    );
    all_taken(&stage.server);
}

/// One HTTP request; status and body.
async fn http(port: u16, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, Value) {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let authorization = token
        .map(|token| format!("authorization: Bearer {token}\r\n"))
        .unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{authorization}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A body that was refused unread may end in a reset; what was said before counts.
    let _reset = stream.read_to_string(&mut answer).await;
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn the_listener_reads_with_the_token_and_starts_nothing() {
    if not_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let drive = Loop::new(24);
    let server = Existing::start(&["--documented", "7"]);
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = server.url();
    let environment = [
        ("VIGIL_SERVER_URL", url.as_str()),
        ("VIGIL_ADDON_ID", "7"),
        ("VIGIL_ADDON_TOKEN", TOKEN),
    ];
    let listen = format!("127.0.0.1:{port}");
    let agent = Agent::elsewhere(
        dir.path(),
        &environment,
        &["--smartctl", "/bin/false", "--listen", &listen],
    );
    server
        .until("the connection", |said| {
            said.iter().any(|l| l["kind"] == "upgrade").then_some(())
        })
        .await;
    let node = drive.node.to_str().unwrap();
    let begun = std::time::Instant::now();
    loop {
        let (status, agents) = http(port, "GET", "/api/agents", Some(TOKEN), "").await;
        assert_eq!(status, 200);
        if agents[0]["drives"]
            .as_array()
            .unwrap()
            .iter()
            .any(|d| d["path"] == node && d["capacity_bytes"] == 24 << 20)
        {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{agents}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for path in [
        "/api/jobs/active",
        "/api/jobs/history",
        "/api/smart/deltas",
        "/api/chart/history?time_range=6h",
        "/api/logs/history",
        "/api/config",
    ] {
        assert_eq!(http(port, "GET", path, Some(TOKEN), "").await.0, 200, "{path}");
        for token in [None, Some(""), Some("0"), Some(&TOKEN[1..])] {
            assert_eq!(http(port, "GET", path, token, "").await.0, 401, "{path}");
        }
    }
    for (method, path, token, body, status) in [
        ("GET", "/api/jobs/1", Some(TOKEN), "", 404),
        ("GET", "/api/deploy-info", Some(TOKEN), "", 404),
        ("GET", "/api/logs/history?time_range=soon", Some(TOKEN), "", 400),
        ("PUT", "/api/config", Some(TOKEN), "", 405),
        (
            "DELETE",
            "/api/jobs/018f0000-0000-7000-8000-000000000000",
            None,
            "",
            401,
        ),
        (
            "DELETE",
            "/api/jobs/018f0000-0000-7000-8000-000000000000",
            Some(TOKEN),
            "",
            403,
        ),
        ("POST", "/api/cancel", None, "{}", 401),
        ("POST", "/api/execute", Some("wrong"), "{}", 401),
        ("POST", "/api/execute", Some(TOKEN), "[]", 400),
        ("POST", "/api/execute", Some(TOKEN), "{", 400),
        ("POST", "/api/execute", None, "{}", 422),
    ] {
        let answer = http(port, method, path, token, body).await;
        assert_eq!(answer.0, status, "{method} {path}: {answer:?}");
    }
    let execute =
        json!({ "agent_id": "x", "command": "burnin", "target": node, "confirm_destructive": true }).to_string();
    for token in [None, Some(TOKEN)] {
        let (status, answer) = http(port, "POST", "/api/execute", token, &execute).await;
        assert_eq!(
            (status, answer["type"].as_str()),
            (403, Some("foreign-server")),
            "{answer}"
        );
    }
    let (status, _) = http(port, "POST", "/api/execute", Some(TOKEN), &" ".repeat(70_000)).await;
    assert_eq!(status, 413);
    assert!(agent.workers().is_empty() && drive.is_blank());
}
