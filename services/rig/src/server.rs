//! A Kiln server as a process.

use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::{Login, Running};

/// The password of its first user.
pub const PASSWORD: &str = "correct horse";

/// How a server is started.
#[derive(Debug)]
pub struct Server {
    command: Command,
}

impl Server {
    /// Over `data`, on any free port of the loopback, without a supervisor and without a built-in agent.
    #[must_use]
    pub fn over(data: &Path) -> Self {
        let mut command = Command::new(crate::server());
        command
            .args(["--control", "/nonexistent/control.sock", "--data"])
            .arg(data)
            .env_clear()
            .env("RUST_LOG", "warn")
            .env("ADMIN_PASSWORD", PASSWORD)
            .stdout(Stdio::piped());
        Self { command }
    }

    /// The built-in agent's socket and token.
    #[must_use]
    pub fn agent(mut self, socket: PathBuf, token: &str) -> Self {
        self.command.arg("--unix").arg(socket).env("KILN_AGENT_TOKEN", token);
        self
    }

    /// The name of its first user, in place of `admin`.
    #[must_use]
    pub fn user(mut self, name: &str) -> Self {
        self.command.env("ADMIN_USER", name);
        self
    }

    /// Starts it, and waits until it listens.
    #[must_use]
    pub fn listening(self) -> Started {
        self.listening_at("127.0.0.1:0")
    }

    /// The same at this address: the one that a killed server had, say.
    ///
    /// # Panics
    /// When the server cannot be started, or ends before it listens.
    #[must_use]
    pub fn listening_at(mut self, address: &str) -> Started {
        let mut child = self.command.args(["--listen", address]).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let process = Running(child);
        let address = loop {
            let line = lines.next().expect("the server ended before it listened").unwrap();
            if let Some(address) = line.strip_prefix("listening: http://") {
                break address.to_owned();
            }
        };
        // Read on, so that the server never writes into a closed pipe.
        std::thread::spawn(move || lines.count());
        Started { process, address }
    }
}

/// A server that listens; killed when dropped.
#[derive(Debug)]
pub struct Started {
    process: Running,
    /// `HOST:PORT`.
    pub address: String,
}

impl Started {
    /// Logs its first user in, who is `admin`.
    #[must_use]
    pub fn login(self) -> LoggedIn {
        let login = Login::new(self.address.clone(), PASSWORD);
        LoggedIn { server: self, login }
    }

    /// How it ended by itself, once it has.
    ///
    /// # Panics
    /// When the process cannot be asked.
    #[must_use]
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.0.try_wait().unwrap()
    }
}

/// A server with somebody logged in: what [`Login`] can be asked, it can.
#[derive(Debug)]
pub struct LoggedIn {
    /// The process.
    pub server: Started,
    login: Login,
}

impl Deref for LoggedIn {
    type Target = Login;

    fn deref(&self) -> &Login {
        &self.login
    }
}
