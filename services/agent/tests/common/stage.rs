//! An agent under a played existing Vigil server, with one warm drive and a smartctl that knows it.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Agent, Existing, Loop, PATIENCE, Smartctl, TOKEN, not_here};

/// Longest frame that such a server's other ends take.
const LONGEST: u64 = 65_536;

/// An agent in the documented way, its foreign gate open or not.
pub(crate) struct Stage {
    pub server: Existing,
    pub agent: Agent,
    pub drive: Loop,
    pub smartctl: Smartctl,
    pub dir: tempfile::TempDir,
    pub gate: bool,
    pub rate: &'static str,
}

impl Stage {
    pub(crate) async fn new(mib: u64, gate: bool) -> Option<Self> {
        Self::at(mib, gate, "1G").await
    }

    /// With a drive that is burned in no faster than that.
    pub(crate) async fn at(mib: u64, gate: bool, rate: &'static str) -> Option<Self> {
        if not_here() {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let drive = Loop::new(mib);
        let mut warm = drive.file.clone().into_os_string();
        warm.push(".temperature");
        std::fs::write(&warm, "41").unwrap();
        let smartctl = Smartctl::new(1);
        let server = Existing::start(&["--documented", "7", "--ping", "1"]);
        let agent = start(dir.path(), &server.url(), &smartctl, gate, rate);
        let stage = Self {
            server,
            agent,
            drive,
            smartctl,
            dir,
            gate,
            rate,
        };
        // Its first frame: the server tells of an upgrade a moment before it can send anything.
        stage
            .server
            .until("the connection", |said| {
                said.iter().any(|l| l["kind"] == "frame").then_some(())
            })
            .await;
        Some(stage)
    }

    pub(crate) fn node(&self) -> String {
        self.drive.node.to_str().unwrap().to_owned()
    }

    /// How warm the drive is from now on.
    pub(crate) fn warm(&self, degrees: i32) {
        let mut path = self.drive.file.clone().into_os_string();
        path.push(".temperature");
        std::fs::write(path, degrees.to_string()).unwrap();
    }

    /// Asks for a plan until the drive is listed and looked at.
    pub(crate) async fn plan(&mut self) -> Value {
        let begun = std::time::Instant::now();
        loop {
            let target = self.node();
            let answer = self
                .server
                .ask("execute", json!({ "command": "burnin", "target": target }))
                .await;
            if !["drive-unknown", "content-unknown", "plan-too-often"]
                .contains(&answer["data"]["type"].as_str().unwrap_or(""))
            {
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "{answer}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// The last code that was shown.
    pub(crate) fn code(&self) -> String {
        let console = std::fs::read_to_string(self.dir.path().join("console")).unwrap();
        let line = console
            .lines()
            .rfind(|line| line.contains("give this code"))
            .expect("no code was shown");
        line.rsplit(": ").next().unwrap().trim().to_owned()
    }

    /// Plans and starts a burn-in; gives its id.
    pub(crate) async fn burn(&mut self) -> String {
        assert_eq!(self.plan().await["status"], 428);
        let (code, serials) = (self.code(), self.node());
        let started = self
            .server
            .ask("execute", json!({ "code": code, "serials": serials }))
            .await;
        assert_eq!(started["status"], 202, "{started}");
        started["data"]["job_id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn restart(&mut self) {
        self.agent = start(
            self.dir.path(),
            &self.server.url(),
            &self.smartctl,
            self.gate,
            self.rate,
        );
    }
}

fn start(dir: &Path, url: &str, smartctl: &Smartctl, gate: bool, rate: &str) -> Agent {
    let environment = [
        ("VIGIL_SERVER_URL", url),
        ("VIGIL_ADDON_ID", "7"),
        ("VIGIL_ADDON_TOKEN", TOKEN),
        ("KILN_ALLOW_FOREIGN_GATE", if gate { "1" } else { "0" }),
    ];
    Agent::elsewhere(
        dir,
        &environment,
        &["--rate-drive", rate, "--smartctl", smartctl.program().to_str().unwrap()],
    )
}

/// Every frame was one that such a server takes, and none too long.
pub(crate) fn all_taken(server: &Existing) {
    for frame in server.frames() {
        assert_eq!(frame["dropped"], Value::Null, "{frame}");
        assert!(frame["length"].as_u64().unwrap() <= LONGEST, "{frame}");
    }
}
