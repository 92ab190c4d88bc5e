//! An existing Vigil server, played by `tests/vigil/existing_server.py`: what it took, and orders for it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command as Process, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{PATIENCE, TOKEN};

/// A running one; ended when dropped.
pub(crate) struct Existing {
    child: Child,
    orders: ChildStdin,
    said: Arc<Mutex<Vec<Value>>>,
    pub port: u16,
}

impl Existing {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Process::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vigil/existing_server.py"))
            .args(arguments)
            .env("VIGIL_TEST_TOKEN", TOKEN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let its = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                its.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        let port = u16::try_from(first["port"].as_u64().unwrap()).unwrap();
        Self {
            child,
            orders,
            said,
            port,
        }
    }

    /// A new one in the place of one that ended.
    pub(crate) fn again(port: u16, arguments: &[&str]) -> Self {
        let port = port.to_string();
        Self::start(&[&["--port", &port], arguments].concat())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        self.orders.flush().unwrap();
    }

    /// Everything it said so far.
    pub(crate) fn said(&self) -> Vec<Value> {
        self.said.lock().unwrap().clone()
    }

    /// All frames that it took, in order.
    pub(crate) fn frames(&self) -> Vec<Value> {
        let said = self.said();
        said.into_iter().filter(|line| line["kind"] == "frame").collect()
    }

    /// Types of the events that it would have sent to people, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        let said = self.said();
        let events = said.iter().filter(|line| line["kind"] == "event");
        events
            .map(|line| line["event_type"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until `found` gives something for what was said.
    pub(crate) async fn until<T>(&self, what: &str, mut found: impl FnMut(&[Value]) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(value) = found(&self.said()) {
                return value;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "waited in vain for {what}: {:#?}",
                self.said()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits for an event of that type.
    pub(crate) async fn event(&self, event_type: &str) {
        self.until(event_type, |said| {
            said.iter()
                .any(|line| line["kind"] == "event" && line["event_type"] == event_type)
                .then_some(())
        })
        .await;
    }

    /// Sends a command, as servers do that know the frame, and gives its result's payload.
    pub(crate) async fn ask(&mut self, action: &str, data: Value) -> Value {
        let id = format!("{action}-{}", self.said().len());
        let payload = serde_json::json!({ "request_id": id, "component_id": "c", "action": action, "data": data });
        self.order(&format!(
            "send {}",
            serde_json::json!({ "type": "command", "payload": payload })
        ));
        self.until("a result", |said| {
            let results = said.iter().filter(|line| line["type"] == "result");
            results
                .map(|line| &line["payload"])
                .find(|payload| payload["request_id"] == id.as_str())
                .cloned()
        })
        .await
    }
}

impl Drop for Existing {
    fn drop(&mut self) {
        // It may have ended.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
