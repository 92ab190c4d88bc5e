//! `host-load`, an example add-on: the computer's load as a chart, and a countdown that is started from its page.
//!
//! It reads `VIGIL_SERVER_URL`, `VIGIL_ADDON_ID` and `VIGIL_ADDON_TOKEN`, sends its manifest, then a heartbeat every 30 s
//! and a point every second; its one action comes as a `command` frame and is answered by a `result`. When the
//! connection ends it comes back, after a while that grows. `tests/example_addons.rs` runs it with the real server.

use std::time::Duration;

use link::{Backoff, Closed, Endpoint, Limits, Sender};
use serde_json::{Value, json};
use wire::frame::{ActionCall, ActionResult, Frame};

/// What the page shows; the server makes the page from it.
const MANIFEST: &str = include_str!("../manifest.json");

/// Heartbeats every so many seconds; the server counts one a minute as alive.
const BEAT: u64 = 30;

/// A countdown under way.
struct Countdown {
    job: String,
    from: u64,
    left: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let word =
        |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set; Add-ons → Add an add-on tells it"));
    let server: Endpoint = word("VIGIL_SERVER_URL")?.parse()?;
    let id: u64 = word("VIGIL_ADDON_ID")?.parse()?;
    let token = word("VIGIL_ADDON_TOKEN")?;
    let mut backoff = Backoff::network();
    loop {
        match server.connect(id, &token, Limits::client()).await {
            Ok((sender, receiver)) => {
                backoff.reset();
                eprintln!("host-load: connected to {server}");
                let why = serve(sender, receiver).await;
                eprintln!("host-load: {why}");
            }
            Err(error) => eprintln!("host-load: {error}"),
        }
        tokio::time::sleep(backoff.wait()).await;
    }
}

/// One connection, to its end.
async fn serve(sender: Sender, mut receiver: link::Receiver) -> Closed {
    let send = async |kind: &str, payload: Value| {
        let frame = Frame::Other {
            kind: kind.to_owned(),
            payload,
        };
        // A connection that is over says so when it is read.
        let _ = sender.send(&frame).await;
    };
    send("manifest", serde_json::from_str(MANIFEST).unwrap_or_default()).await;
    let log = |message: String| json!({ "level": "info", "message": message, "source": "host-load" });
    send("log", log("here".to_owned())).await;
    let (mut second, mut seconds) = (tokio::time::interval(Duration::from_secs(1)), 0);
    let mut running: Option<Countdown> = None;
    loop {
        tokio::select! {
            frame = receiver.recv() => match frame {
                Ok(Frame::Other { kind, payload }) if kind == "command" => {
                    let Ok(call) = ActionCall::read(&payload) else { continue };
                    let from = call.data["seconds"].as_u64().filter(|from| (1..=60).contains(from));
                    let error = match (call.action.as_str(), from, &running) {
                        ("count_down", Some(_), Some(_)) => Some("a countdown is under way already".to_owned()),
                        ("count_down", Some(from), None) => {
                            let job = format!("countdown-{}", call.request_id);
                            running = Some(Countdown { job, from, left: from });
                            let note = call.data["note"].as_str().unwrap_or("nothing in particular");
                            send("log", log(format!("counting down {from} s for {note}"))).await;
                            send("notification", json!({ "event_type": "job_started", "severity": "info", "message": "A countdown began" })).await;
                            None
                        }
                        ("count_down", None, _) => Some("seconds: expected 1 to 60".to_owned()),
                        (other, ..) => Some(format!("there is no action {other:?} here")),
                    };
                    let told = if error.is_none() { json!({ "message": "It began" }) } else { Value::Null };
                    let result = ActionResult { request_id: call.request_id, status: None, data: told, error };
                    let _ = sender.send(&result.frame()).await;
                }
                Ok(_) => {}
                Err(closed) => return closed,
            },
            _ = second.tick() => {
                if seconds % BEAT == 0 {
                    send("heartbeat", Value::Null).await;
                }
                seconds += 1;
                let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
                let loads: Vec<f64> = text.split(' ').filter_map(|word| word.parse().ok()).collect();
                for (key, load) in ["load1", "load5", "load15"].into_iter().zip(loads) {
                    send("chart", json!({ "component_id": "load", "key": key, "value": load })).await;
                }
                if let Some(countdown) = &mut running {
                    countdown.left -= 1;
                    let percent = 100.0 * (countdown.from - countdown.left) as f64 / countdown.from as f64;
                    send("progress", json!({ "job_id": countdown.job, "phase": "counting", "percent": percent,
                        "eta": format!("{}s", countdown.left), "message": format!("{} s left", countdown.left) })).await;
                    if countdown.left == 0 {
                        let facts = json!({ "seconds": countdown.from.to_string() });
                        send("notification", json!({ "event_type": "job_complete", "severity": "info", "message": "The countdown is over", "metadata": facts })).await;
                        running = None;
                    }
                }
            }
        }
    }
}
