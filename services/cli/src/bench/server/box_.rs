//! The server that is measured: the real binary in a cgroup, claimed, with its add-ons registered.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::group::{Group, field};

/// Password of the bench's own server.
const PASSWORD: &str = "correct horse bench";

/// Requests under way at once while add-ons are registered.
const LANES: usize = 16;

/// A server.
pub(super) struct Box_ {
    child: Child,
    group: Group,
    pub(super) address: SocketAddr,
    /// The session.
    pub(super) cookie: String,
    _dir: Scratch,
}

/// A directory that goes with its owner.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Lets this process and its children open as many files as the machine allows; an error if those are fewer than `needed`.
pub(super) fn many_files(needed: usize) -> Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid place for the answer, and the call keeps no pointer.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is a valid rlimit, and the call keeps no pointer.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    if got != 0 || set != 0 || limit.rlim_cur < needed as u64 {
        bail!(
            "this process may open {} files; the bench needs {needed} (ulimit -n)",
            limit.rlim_cur
        );
    }
    Ok(())
}

impl Box_ {
    /// Starts it and logs in.
    pub(super) async fn start(server: Option<PathBuf>) -> Result<Self> {
        let program = match server {
            Some(program) => program,
            None => std::env::current_exe()
                .context("finding this program")?
                .with_file_name("kiln-server"),
        };
        let dir = Scratch(std::env::temp_dir().join(format!("kiln-bench-server-{}", std::process::id())));
        std::fs::create_dir_all(&dir.0).with_context(|| format!("making {}", dir.0.display()))?;
        let group = Group::new(None)?;
        let text = |path: &std::path::Path| path.display().to_string();
        let command: Vec<String> = vec![
            text(&program),
            "--listen".into(),
            "127.0.0.1:0".into(),
            "--data".into(),
            text(&dir.0.join("data")),
        ];
        let mut child = group
            .enter(&command)
            .env("ADMIN_PASSWORD", PASSWORD)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("no output of the server")?).lines();
        let address = loop {
            let Some(line) = lines.next() else {
                bail!("the server ended before it listened")
            };
            if let Some(address) = line
                .context("reading the server's output")?
                .strip_prefix("listening: http://")
            {
                break address.trim().parse().context("the server's address")?;
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        let mut made = Self {
            child,
            group,
            address,
            cookie: String::new(),
            _dir: dir,
        };
        let mut lane = made.lane().await?;
        let answer = lane
            .post("/api/auth/login", &json!({ "username": "admin", "password": PASSWORD }))
            .await?;
        answer["token"]
            .as_str()
            .context("no session")?
            .clone_into(&mut made.cookie);
        Ok(made)
    }

    async fn lane(&self) -> Result<Lane> {
        let stream = TcpStream::connect(self.address)
            .await
            .context("connecting to the server")?;
        Ok(Lane {
            stream,
            address: self.address,
            cookie: self.cookie.clone(),
        })
    }

    /// Registers add-ons; their numbers and tokens.
    pub(super) async fn register(&self, many: usize) -> Result<Vec<(u64, String)>> {
        let mut tasks = Vec::new();
        for lane in 0..LANES {
            let mut line = self.lane().await?;
            tasks.push(tokio::spawn(async move {
                let mut made = Vec::new();
                for n in (lane..many).step_by(LANES) {
                    let name = format!("add-on {n}");
                    let token = line.post("/api/addons/tokens", &json!({ "name": name })).await?;
                    let form = json!({ "name": name, "url": "", "token": token["token"] });
                    let answer = line.post("/api/addons/register", &form).await?;
                    let id = answer["addon"]["id"].as_u64().context("no number")?;
                    made.push((id, answer["token"].as_str().context("no token")?.to_owned()));
                }
                anyhow::Ok(made)
            }));
        }
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.context("registering")??);
        }
        all.sort();
        Ok(all)
    }

    /// CPU seconds of its cgroup so far.
    pub(super) fn cpu(&self) -> Result<f64> {
        self.group.cpu()
    }

    /// Most that was resident, in bytes.
    pub(super) fn resident(&self) -> u64 {
        field(&self.child.id().to_string(), "status", "VmHWM:").unwrap_or(u64::MAX)
    }

    /// Most that the cgroup was charged, with the kernel's share for its sockets; `None` where nothing counts it.
    pub(super) fn cgroup_peak(&self) -> Option<u64> {
        self.group.charged()
    }

    /// Ends it in order.
    pub(super) async fn stop(&mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).context("a process number")?;
        // SAFETY: a signal to a child that has not been waited for.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        for _ in 0..300 {
            if self.child.try_wait().context("waiting for the server")?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the server did not stop within 30 s")
    }
}

impl Drop for Box_ {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection for requests.
struct Lane {
    stream: TcpStream,
    address: SocketAddr,
    cookie: String,
}

impl Lane {
    async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let body = body.to_string();
        let bearer = match self.cookie.as_str() {
            "" => String::new(),
            cookie => format!("Authorization: Bearer {cookie}\r\n"),
        };
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{bearer}Content-Type: application/json\r\nX-Requested-With: XMLHttpRequest\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream
            .write_all(request.as_bytes())
            .await
            .context("asking the server")?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.context("reading an answer")?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")
                    .map(|n| n.trim().to_owned())
            })
            .and_then(|n| n.parse::<usize>().ok())
            .with_context(|| format!("an answer without length: {head}"))?;
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await.context("reading an answer")?;
        if !head.starts_with("HTTP/1.1 2") {
            bail!("{path}: {head}{}", String::from_utf8_lossy(&answer));
        }
        serde_json::from_slice(&answer).context("an answer")
    }
}
