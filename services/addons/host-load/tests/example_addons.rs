//! The two example add-ons against the real server: enrolled the documented way, their pages, frames, actions, and that
//! they come back after the server was killed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rig::{LoggedIn, Running, Server};
use serde_json::{Value, json};

fn started(mut command: Command, server: &LoggedIn, id: u64, token: &str) -> Running {
    command
        .env("VIGIL_SERVER_URL", format!("http://{}", server.address))
        .env("VIGIL_ADDON_ID", id.to_string())
        .env("VIGIL_ADDON_TOKEN", token);
    Running(command.spawn().unwrap())
}

/// What both examples have to do, given the action of their form, values for it, and a line of their log about it.
fn works(name: &str, command: impl Fn() -> Command, form: &str, action: &str, data: &Value, line: &str) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::over(dir.path()).listening().login();
    let (id, token) = server.register(name, "");
    let _addon = started(command(), &server, id, &token);

    let of = format!("/api/addons/{id}");
    let row = server.online(id);
    let shown: Value = serde_json::from_str(row["manifest_json"].as_str().unwrap()).unwrap();
    let file = std::fs::read_to_string(here().join(name).join("manifest.json")).unwrap();
    assert_eq!(shown, serde_json::from_str::<Value>(&file).unwrap());

    let logs = format!("/api/v1/addons/{id}/sources/log_history");
    let has = |log: &Value, words: &str| {
        log["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|line| line["message"].as_str().unwrap().contains(words))
    };
    let log = server.wait(&logs, |log| has(log, "here"));
    assert!(
        log["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|line| line["level"] == "info"),
        "the server has nothing to complain of: {log}"
    );

    let act = |action: &str, data: &Value| {
        server.ask(
            "POST",
            &format!("{of}/action"),
            &json!({ "component_id": form, "action": action, "data": data }),
        )
    };
    let (status, answer) = act(action, data);
    assert_eq!(status, 200, "{answer}");
    server.wait(&logs, |log| has(log, line));
    let told = |event: &str| {
        server.wait("/api/v1/events", |events| {
            events
                .as_array()
                .unwrap()
                .iter()
                .any(|happened| happened["data"]["addon_id"] == id && happened["data"]["event_type"] == event)
        })
    };
    told("job_started");
    told("job_complete");
    let (status, answer) = act("not_declared", data);
    assert_eq!(status, 403, "{answer}");

    // The server is killed and starts again on the same port: the add-on comes back by itself.
    let address = server.address.clone();
    drop(server);
    let server = Server::over(dir.path()).listening_at(&address).login();
    server.wait(&of, |row| row["status"] == "online");
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_example_in_rust_works_with_the_real_server() {
    let command = || Command::new(env!("CARGO_BIN_EXE_host-load"));
    works(
        "host-load",
        command,
        "countdown",
        "count_down",
        &json!({ "seconds": 1, "note": "tea" }),
        "counting down 1 s for tea",
    );
}

#[test]
fn the_example_in_python_works_with_the_real_server() {
    let can = |python: &&str| {
        let asked = Command::new(python)
            .args(["-c", "import websockets"])
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    };
    let Some(python) = ["python3", "/usr/bin/python3"].into_iter().find(can) else {
        writeln!(
            std::io::stderr(),
            "\nNOT RUN: the example in Python: the package websockets is not here"
        )
        .unwrap();
        return;
    };
    let command = || {
        let mut command = Command::new(python);
        command.arg("-B").arg(here().join("disk-usage/disk_usage.py"));
        command
    };
    let folder = here().join("..").canonicalize().unwrap();
    works(
        "disk-usage",
        command,
        "measure-form",
        "measure",
        &json!({ "folder": folder, "limit": 600 }),
        ": 600 files, ",
    );
}

#[test]
fn the_examples_are_short() {
    for file in ["host-load/src/main.rs", "disk-usage/disk_usage.py"] {
        let lines = std::fs::read_to_string(here().join(file)).unwrap().lines().count();
        assert!(lines < 120, "{file} has {lines} lines");
    }
}
