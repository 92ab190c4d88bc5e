//! The two example add-ons against the real server: enrolled the documented way, their pages, frames, actions, and that
//! they come back after the server was killed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest time anything here may take: the machine that runs this may be slow and busy.
const PATIENCE: Duration = Duration::from_secs(60);

const PASSWORD: &str = "correct horse";

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped_already = self.0.wait();
    }
}

/// The server's program, built as this test was.
fn program() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "-p", "server", "--bin", "kiln-server"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(built.success());
        Path::new(env!("CARGO_BIN_EXE_host-load")).with_file_name("kiln-server")
    });
    built.clone()
}

struct Server {
    process: Running,
    address: String,
    session: String,
}

impl Server {
    /// Starts it over `dir` on this address and logs in.
    fn start(dir: &Path, listen: &str) -> Self {
        let mut child = Command::new(program())
            .args(["--listen", listen, "--control", "/nonexistent/control.sock", "--data"])
            .arg(dir)
            .env_clear()
            .env("RUST_LOG", "warn")
            .env("ADMIN_PASSWORD", PASSWORD)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let process = Running(child);
        let address = loop {
            let line = lines.next().unwrap().unwrap();
            if let Some(address) = line.strip_prefix("listening: http://") {
                break address.to_owned();
            }
        };
        let mut server = Self {
            process,
            address,
            session: String::new(),
        };
        let login = json!({ "username": "admin", "password": PASSWORD });
        let (status, answer) = server.ask("POST", "/api/auth/login", &login);
        assert_eq!(status, 200, "{answer}");
        answer["token"].as_str().unwrap().clone_into(&mut server.session);
        server
    }

    /// One request; the status, and the body as JSON.
    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = if method == "GET" {
            String::new()
        } else {
            body.to_string()
        };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {}\r\nX-Requested-With: XMLHttpRequest\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address, self.session, body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let text = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(text).unwrap_or_else(|_| json!(text)))
    }

    fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, &Value::Null);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Waits until what is read there is as `good` says.
    fn wait(&self, path: &str, good: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let found = self.get(path);
            if good(&found) {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "{path} stays {found}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Registers an add-on as a person does; its number and token.
    fn register(&self, name: &str) -> (u64, String) {
        let (status, answer) = self.ask("POST", "/api/addons/register", &json!({ "name": name, "url": "" }));
        assert_eq!(status, 201, "{answer}");
        (
            answer["addon"]["id"].as_u64().unwrap(),
            answer["token"].as_str().unwrap().to_owned(),
        )
    }
}

fn started(mut command: Command, server: &Server, id: u64, token: &str) -> Running {
    command
        .env("VIGIL_SERVER_URL", format!("http://{}", server.address))
        .env("VIGIL_ADDON_ID", id.to_string())
        .env("VIGIL_ADDON_TOKEN", token);
    Running(command.spawn().unwrap())
}

/// What both examples have to do, given the action of their form, values for it, and a line of their log about it.
fn works(name: &str, command: impl Fn() -> Command, form: &str, action: &str, data: &Value, line: &str) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), "127.0.0.1:0");
    let (id, token) = server.register(name);
    let _addon = started(command(), &server, id, &token);

    let of = format!("/api/addons/{id}");
    let row = server.wait(&of, |row| row["status"] == "online" && row["manifest_json"] != "");
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
    drop(server.process);
    let server = Server::start(dir.path(), &address);
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
