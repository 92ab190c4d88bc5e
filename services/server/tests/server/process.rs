//! The real binary: flags, readiness, what survives a kill, what a corrupt store does.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use link::{Endpoint, Limits};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use wire::frame::LogLine;
use wire::job::Job;
use wire::supervisor::Request;
use wire::{Frame, JobId};

use crate::box_::{PASSWORD, TOKEN};
use crate::client::{Client, PATIENCE};

pub(crate) struct Server {
    child: Child,
    pub address: SocketAddr,
    claim: Option<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

pub(crate) fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiln-server"));
    command
        .env_clear()
        .env("RUST_LOG", "warn")
        .env("KILN_AGENT_TOKEN", TOKEN);
    command
        .args([
            "--listen",
            "127.0.0.1:0",
            "--control",
            "/nonexistent/control.sock",
            "--data",
        ])
        .arg(data);
    command.stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

impl Server {
    /// Starts it and reads where it listens, and the claim code if `unclaimed`.
    pub(crate) fn start(mut command: Command, unclaimed: bool) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut word = |name: &str| {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("it ended before {name:?}"))
                .unwrap();
            line.strip_prefix(name)
                .unwrap_or_else(|| panic!("{line:?}, expected {name:?}"))
                .to_owned()
        };
        let address = word("listening: http://").parse().unwrap();
        let claim = unclaimed.then(|| word("claim: "));
        Self { child, address, claim }
    }

    /// Waits until it serves.
    pub(crate) async fn ready(self) -> Self {
        assert_eq!(Client::new(self.address).get("/health").await.status, 200);
        self
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn history_sessions_and_the_claim_survive_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(command(dir.path()), true);
    let mut client = Client::new(server.address);
    let claim = json!({ "code": server.claim, "username": "ada", "password": PASSWORD });
    assert_eq!(client.post("/api/v1/claim", &claim).await.status, 200);
    let token = client
        .post("/api/addons/tokens", &json!({ "name": "shed" }))
        .await
        .json()["token"]
        .clone();
    let form = json!({ "name": "shed", "url": "", "token": token });
    assert_eq!(client.post("/api/addons/register", &form).await.status, 201);
    let before = client.get("/api/v1/events").await.json();
    server.kill();

    let server = Server::start(command(dir.path()), false);
    let mut again = Client::new(server.address);
    again.cookie = client.cookie.clone();
    let after = again.get("/api/v1/events").await.json();
    let before = before.as_array().unwrap();
    assert_eq!(
        before.as_slice(),
        &after.as_array().unwrap()[..before.len()],
        "nothing of the log is lost"
    );
    assert_eq!(before[0]["type"], "box.claimed");
    let addons = again.get("/api/addons").await.json();
    assert!(addons.as_array().unwrap().iter().any(|addon| addon["name"] == "shed"));
    assert_eq!(again.post("/api/v1/claim", &claim).await.problem(), "claimed");
}

fn job() -> Job {
    let value = json!({
        "id": JobId::now(), "drive": "wwn-5000c500a1b2c3d4", "model": "M", "serial": "WD-1234", "capacity": 1, "sector": 512,
        "playbook": "surface", "actor": "ada", "state": { "kind": "running" }, "phases": [], "progress": null, "findings": [],
        "bad_sectors": 0, "verdict": null, "resumes": [], "surface": [], "smart": [], "started": "2026-11-20T15:00:00Z", "ended": null,
    });
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn what_the_agent_told_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let with = || claimed(dir.path());
    let server = Server::start(with(), false).ready().await;
    let endpoint = Endpoint::Tcp {
        host: "127.0.0.1".into(),
        port: server.address.port(),
    };
    let (sender, _receiver) = endpoint.connect(1, TOKEN, Limits::client()).await.unwrap();
    let job = job();
    sender.send(&Frame::Job(Box::new(job.clone()))).await.unwrap();
    let line = LogLine {
        level: "info".into(),
        message: "Phase Write begins".into(),
        job_id: Some(job.id.to_string()),
        ..LogLine::default()
    };
    sender.send(&Frame::Log(line)).await.unwrap();
    let login = json!({ "username": "admin", "password": PASSWORD });
    let mut client = Client::new(server.address);
    assert_eq!(client.post("/api/v1/session", &login).await.status, 200);
    let path = format!("/api/v1/jobs/{}/log", job.id);
    let end = std::time::Instant::now() + PATIENCE;
    // The line comes from the medium: once it is there, the job is.
    while client.get(&path).await.text.len() < 10 {
        assert!(std::time::Instant::now() < end, "the line was never stored");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    server.kill();

    let server = Server::start(with(), false).ready().await;
    let mut again = Client::new(server.address);
    again.cookie = client.cookie;
    let jobs: Vec<Job> = serde_json::from_str(&again.get("/api/v1/jobs").await.text).unwrap();
    assert_eq!(jobs, [job]);
    assert!(again.get(&path).await.text.contains("Phase Write begins"));
    assert_eq!(again.get("/api/v1/box").await.json()["agent"]["state"], "offline");
}

/// A supervisor's control socket of which the test holds the other end.
#[tokio::test]
async fn the_supervisor_is_watched_and_shows_the_claim_code() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let socket = tokio::net::UnixListener::bind(&path).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiln-server"));
    command
        .env_clear()
        .args(["--listen", "127.0.0.1:0", "--control"])
        .arg(&path)
        .arg("--data")
        .arg(dir.path().join("data"));
    command.stdout(Stdio::piped());
    let server = Server::start(command, false);

    let patient = |future| tokio::time::timeout(PATIENCE, future);
    let (stream, _) = patient(socket.accept()).await.unwrap().unwrap();
    let (read, mut write) = stream.into_split();
    let mut lines = tokio::io::BufReader::new(read).lines();
    let mut next = async || {
        let line = tokio::time::timeout(PATIENCE, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        serde_json::from_str::<Request>(&line).unwrap()
    };
    assert_eq!(next().await, Request::Watch {});
    let Request::Screen { claim: Some(code), .. } = next().await else {
        panic!("the code goes to the console")
    };

    let mut client = Client::new(server.address);
    let claim = json!({ "code": code, "username": "ada", "password": PASSWORD });
    assert_eq!(client.post("/api/v1/claim", &claim).await.status, 200);
    let taken_off = loop {
        match next().await {
            // Told again once the certificate is there.
            Request::Screen { claim: Some(_), .. } => {}
            other => break other,
        }
    };
    assert!(
        matches!(&taken_off, Request::Screen { claim: None, fingerprint: Some(f) } if f.len() == 95),
        "the code is taken off the screen: {taken_off:?}"
    );

    let unit = |state: &str, restarts: u32| {
        let status = json!({
            "host": "bench", "addresses": ["10.0.0.7"], "banners": [{ "severity": "warning", "text": "no medium" }],
            "boot": { "slot": "a", "why": "", "via": "bios", "kernel": "6", "medium": "ram", "reason": "hardware watchdog", "boot_id": "1" },
            "units": [{ "name": "agent", "state": state, "rung": null, "reason": "no heartbeat for 20 s", "status": "",
                "restarts": restarts, "pid": 7, "since": "2026-11-20T15:00:00Z" }],
        });
        format!("{status}\n")
    };
    let mut stream = client.events("/api/v1/stream?after=0").await;
    for (state, restarts, want) in [
        ("ready", 0, "box.booted"),
        ("degraded", 0, "unit.degraded"),
        ("starting", 1, "unit.restarted"),
        ("ready", 1, ""),
    ] {
        // In two parts: a line need not come in one piece.
        let line = unit(state, restarts);
        write.write_all(&line.as_bytes()[..30]).await.unwrap();
        write.flush().await.unwrap();
        write.write_all(&line.as_bytes()[30..]).await.unwrap();
        if !want.is_empty() {
            let event = stream.logged(want).await;
            assert!(event.data["message"].as_str().unwrap().len() > 10);
        }
    }
    let view = client.get("/api/v1/box").await.json();
    assert_eq!(
        (&view["name"], &view["supervisor"]["boot"]["reason"]),
        (&json!("bench"), &json!("hardware watchdog"))
    );
    assert!(view["banners"].to_string().contains("no medium"));

    // It comes back after the supervisor was re-executed.
    drop((write, lines));
    let (stream, _) = patient(socket.accept()).await.unwrap().unwrap();
    let mut lines = tokio::io::BufReader::new(stream).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), Request::Watch {});
}

#[tokio::test]
async fn a_password_in_the_environment_claims_the_box_once() {
    let dir = tempfile::tempdir().unwrap();
    let with = |password: &str| {
        let mut command = command(dir.path());
        command.env("ADMIN_PASSWORD", password).env("ADMIN_USER", "root");
        command
    };
    Server::start(with(PASSWORD), false).ready().await.kill();
    let server = Server::start(with("another password"), false);
    let mut client = Client::new(server.address);
    let login = |password: &str| json!({ "username": "root", "password": password });
    assert_eq!(
        client.post("/api/v1/session", &login("another password")).await.status,
        401,
        "a claimed box stays as it is"
    );
    assert_eq!(client.post("/api/v1/session", &login(PASSWORD)).await.status, 200);
}

/// A server whose box claims itself.
fn claimed(dir: &Path) -> Command {
    let mut command = command(dir);
    command.env("ADMIN_PASSWORD", PASSWORD);
    command
}

#[tokio::test]
async fn a_corrupt_store_is_set_aside_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let with = || claimed(dir.path());
    Server::start(with(), false).ready().await.kill();
    let file = dir.path().join(store::FILE_NAME);
    let length = std::fs::metadata(&file).unwrap().len();
    std::fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_len(length / 2)
        .unwrap();

    let server = Server::start(with(), false);
    let mut client = Client::new(server.address);
    let public = client.get("/api/v1/box").await.json();
    assert_eq!(
        public["banners"].as_array().unwrap().len(),
        1,
        "there is something, and no more is told: {public}"
    );
    let login = json!({ "username": "admin", "password": PASSWORD });
    assert_eq!(client.post("/api/v1/session", &login).await.status, 200);
    let banner = client.get("/api/v1/box").await.json()["banners"][0]["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(banner.contains(".bad-"), "{banner}");
    assert!(client.get("/api/v1/events").await.text.contains("box.store_set_aside"));
    let aside = store::earlier(dir.path());
    assert_eq!(
        std::fs::metadata(&aside[0].path).unwrap().len(),
        length / 2,
        "kept as it was"
    );
    // A person takes it away, by their password alone.
    let listed = client.get("/api/v1/set-aside").await.json();
    assert_eq!(listed[0]["bytes"], length / 2);
    assert!(listed[0]["name"].as_str().unwrap().contains(".bad-"), "{listed}");
    let wrong = json!({ "password": "another" });
    assert_eq!(
        client
            .raw(
                http::Method::DELETE,
                "/api/v1/set-aside",
                Some(("application/json", wrong.to_string().into()))
            )
            .await
            .status,
        403
    );
    assert!(aside[0].path.exists());
    let own = json!({ "password": PASSWORD });
    assert_eq!(
        client
            .raw(
                http::Method::DELETE,
                "/api/v1/set-aside",
                Some(("application/json", own.to_string().into()))
            )
            .await
            .status,
        204
    );
    assert!(!aside[0].path.exists() && store::earlier(dir.path()).is_empty());
    let after = client.get("/api/v1/box").await.json();
    assert_eq!(after["banners"], json!([]), "the banner is taken back");
    assert_eq!(client.get("/api/v1/set-aside").await.json(), json!([]));
    assert!(
        client
            .get("/api/v1/events")
            .await
            .text
            .contains("box.set_aside_removed")
    );
}

#[tokio::test]
async fn records_of_another_form_are_set_aside_and_the_server_starts() {
    let dir = tempfile::tempdir().unwrap();
    let with = || claimed(dir.path());
    Server::start(with(), false).ready().await.kill();
    // As a newer system might have left them, before the older slot was booted again.
    {
        let options = store::Options {
            check: store::Check::InProcess,
            schema: 1,
            ..store::Options::new(&["addons", "alert-services", "credentials", "jobs"])
        };
        let store = store::open(dir.path(), &options).unwrap().store;
        let other = json!({ "form": "newer" });
        let strange = other.clone();
        store
            .write(move |w| {
                for n in 500..520 {
                    store::Table::<u64, serde_json::Value>::new("addons").put(w, &n, &strange)?;
                }
                store::Table::<u64, serde_json::Value>::new("alert-services").put(w, &7, &strange)?;
                // More than a few, beside the one that opens this box.
                (0..30).try_for_each(|n| {
                    let key = format!("user:bob{n}");
                    store::Table::<String, serde_json::Value>::new("credentials").put(w, &key, &strange)
                })
            })
            .wait()
            .unwrap();
    }

    for start in 0..2 {
        let server = Server::start(with(), false).ready().await;
        let mut client = Client::new(server.address);
        let login = json!({ "username": "admin", "password": PASSWORD });
        assert_eq!(
            client.post("/api/v1/session", &login).await.status,
            200,
            "start {start}"
        );
        let banners = client.get("/api/v1/box").await.text;
        assert!(banners.contains(".unread-"), "{banners}");
        assert!(
            client
                .get("/api/v1/events")
                .await
                .text
                .contains("box.records_set_aside")
        );
        server.kill();
    }
    assert_eq!(store::unread(dir.path()).len(), 3, "one a table");
    let kept: usize = store::unread(dir.path())
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap().lines().count())
        .sum();
    assert!(kept >= 51, "{kept}");
}

#[tokio::test]
async fn it_tells_its_supervisor_when_it_serves_and_that_it_lives() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = command(&dir.path().join("data"));
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000000");
    let mut server = Server::start(command, true);
    let (mut ready, mut beats, mut buffer) = (false, 0, [0; 4096]);
    while beats < 3 {
        let read = socket.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
        ready |= text.contains("READY=1");
        beats += usize::from(text.contains("WATCHDOG=1"));
        assert!(ready, "a beat before it was ready: {text}");
    }
    assert_eq!(Client::new(server.address).get("/health").await.status, 200);
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(server.child.id() as i32),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    assert!(server.child.wait().unwrap().success(), "an orderly end");
}

#[tokio::test]
async fn it_beats_on_while_no_file_is_free() {
    const FILES: usize = 220;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    let (data, few) = (
        dir.path().join("data"),
        format!("ulimit -n {FILES}; exec \"$0\" \"$@\""),
    );
    let plain = command(&data);
    let mut command = Command::new("sh");
    command
        .args(["-c", &few])
        .arg(plain.get_program())
        .args(plain.get_args());
    command.env_clear().stdout(Stdio::piped());
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000000");
    let server = Server::start(command, true);
    let (mut buffer, mut crowd) = ([0; 4096], Vec::new());
    let mut heard = |within: std::time::Duration| {
        socket.set_read_timeout(Some(within)).unwrap();
        socket.recv(&mut buffer).is_ok()
    };
    assert!(heard(PATIENCE), "it serves");
    let open = || std::fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap().count();
    let end = std::time::Instant::now() + PATIENCE;
    while open() < FILES {
        assert!(std::time::Instant::now() < end, "{} are open", open());
        use std::io::Write;
        let mut half = std::net::TcpStream::connect(server.address).unwrap();
        // A head that has begun has half a minute.
        half.write_all(b"GET /").unwrap();
        crowd.push(half);
    }
    // What was sent before they were all taken.
    while heard(std::time::Duration::from_millis(1)) {}
    for beat in 0..6 {
        assert!(
            heard(std::time::Duration::from_secs(10)),
            "silence after {beat} messages of {} open files",
            open()
        );
    }
    assert!(open() >= FILES - 1, "{} are open", open());
}

#[tokio::test]
async fn passed_sockets_are_served_and_the_unix_one_is_open_to_any_host() {
    use std::os::fd::AsRawFd;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.sock");
    let (tcp, unix) = (
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        std::os::unix::net::UnixListener::bind(&path).unwrap(),
    );
    let address = tcp.local_addr().unwrap();
    let sources = [tcp.as_raw_fd(), unix.as_raw_fd()];
    // The shell gives the server its own process id, which LISTEN_PID has to name.
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "export LISTEN_PID=$$; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_kiln-server"),
        ])
        .args(["--control", "/nonexistent", "--data"])
        .arg(dir.path().join("data"))
        .env_clear()
        .env("LISTEN_FDS", "2")
        .env("LISTEN_FDNAMES", "http:local");
    // SAFETY: only fcntl and dup2 are called between fork and exec, on descriptors that are open in the parent.
    unsafe { command.pre_exec(move || passed_from_3(sources)) };
    let mut child = command.spawn().unwrap();
    let mut client = Client::new(address);
    assert_eq!(client.get("/health").await.status, 200);
    client.headers.push(("host", "evil.example".into()));
    assert_eq!(client.get("/health").await.status, 403);
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::Write;
        let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
        stream
            .write_all(b"GET /health HTTP/1.1\r\nhost: anything\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 200"));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Puts two descriptors at 3 and 4; first out of each other's way.
fn passed_from_3(sources: [i32; 2]) -> std::io::Result<()> {
    let check = |result: i32| {
        if result < 0 {
            Err(std::io::Error::last_os_error())
        } else {
            Ok(result)
        }
    };
    let mut high = [0; 2];
    for (to, from) in high.iter_mut().zip(sources) {
        // SAFETY: plain system call on a number.
        *to = check(unsafe { libc::fcntl(from, libc::F_DUPFD, 100) })?;
    }
    for (to, from) in (3..).zip(high) {
        // SAFETY: plain system call on numbers; what was open at 3 and 4 belongs to the child alone.
        check(unsafe { libc::dup2(from, to) })?;
    }
    Ok(())
}

#[test]
fn a_bad_flag_is_a_usage_error_that_names_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_kiln-server"))
        .args(["--data", "/x", "--listen", "nowhere"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--listen"));
    let output = Command::new(env!("CARGO_BIN_EXE_kiln-server")).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--data"));
}

/// What somebody wrote into kiln.toml on another computer takes nobody the page that says so.
#[tokio::test]
async fn under_the_supervisor_a_bad_variable_is_told_and_its_default_holds() {
    let dir = tempfile::tempdir().unwrap();
    let bad = || {
        let mut command = command(dir.path());
        command
            .env("PORT", "eighty")
            .env("KILN_TLS", "yes")
            .env("KILN_HEARTBEAT_INTERVAL", "0")
            .env("ADMIN_PASSWORD", "short")
            .env("KILN_AGENT_TOKEN", "short");
        command
    };
    let alone = bad().stderr(Stdio::piped()).output().unwrap();
    assert_eq!(
        alone.status.code(),
        Some(64),
        "without a supervisor it is a usage error"
    );

    let mut command = bad();
    command.env("KILN_CONTROL_SOCKET", "/nonexistent/control.sock");
    let server = Server::start(command, true);
    let mut client = Client::new(server.address);
    let claim = json!({ "code": server.claim, "username": "ada", "password": PASSWORD });
    assert_eq!(client.post("/api/v1/claim", &claim).await.status, 200);
    let told = client.get("/api/v1/box").await.json()["banners"].to_string();
    for name in [
        "PORT",
        "KILN_TLS",
        "KILN_HEARTBEAT_INTERVAL",
        "ADMIN_PASSWORD",
        "KILN_AGENT_TOKEN",
    ] {
        assert!(told.contains(name), "{name}: {told}");
    }
}

/// Whoever started it may stop reading what it prints; that ends no server.
#[tokio::test]
async fn nobody_who_reads_its_output_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiln-server"));
    command
        .env_clear()
        .args([
            "--control",
            "/nonexistent/control.sock",
            "--listen",
            &port.to_string(),
            "--data",
        ])
        .arg(dir.path());
    let (closed, out) = std::io::pipe().unwrap();
    drop(closed);
    command.stdout(out.try_clone().unwrap()).stderr(out);
    let mut child = command.spawn().unwrap();
    let answers = async {
        while tokio::net::TcpStream::connect(port).await.is_err() {
            assert!(child.try_wait().unwrap().is_none(), "it ended");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let answered = tokio::time::timeout(PATIENCE, answers).await;
    let health = Client::new(port).get("/health").await.status;
    child.kill().unwrap();
    child.wait().unwrap();
    answered.unwrap();
    assert_eq!(health, 200);
}

/// A password costs 19 MiB, and who types wrong ones is anybody on the network: it must not come near what a box allows its server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_passwords_from_many_addresses_cost_no_memory_that_stays_and_few_words() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(command(dir.path()), true);
    let mut ada = Client::new(server.address);
    let claim = json!({ "code": server.claim, "username": "ada", "password": PASSWORD });
    assert_eq!(ada.post("/api/v1/claim", &claim).await.status, 200);
    let mut tries = tokio::task::JoinSet::new();
    for n in 0..40_u8 {
        let mut client = Client::new(server.address);
        client.from = Some(std::net::Ipv4Addr::new(127, 0, 1, 1 + n / 4).into());
        tries.spawn(async move {
            let form = json!({ "username": "ada", "password": "not this one" });
            client.post("/api/v1/session", &form).await.status
        });
    }
    while let Some(status) = tries.join_next().await {
        assert_eq!(status.unwrap(), 401);
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let of = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let peak = of("VmHWM:") >> 10;
    assert!(peak < 256, "{peak} MiB at the most, of 512 that a box allows");
    let events = ada.get("/api/v1/events").await.json();
    let refused = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["type"] == "session.refused");
    let told: Vec<&str> = refused.filter_map(|event| event["message"].as_str()).collect();
    assert_eq!(told.len(), 20, "{told:?}");
}
