//! Alerts through the interface: channels without their secrets, and messages that arrive once, over a restart too.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use notify::kinds::{self, KINDS};
use serde_json::{Value, json};
use wire::event::{Actor, Event, FIRST_PREV_HASH, NewEvent, Severity};

use crate::box_::{Box_, PASSWORD};
use crate::client::{Client, PATIENCE};

/// A webhook's receiver that answers with `status` and keeps what came.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub address: SocketAddr,
    status: Arc<Mutex<u16>>,
    /// The topic that is answered 403.
    dead: &'static str,
    got: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            status: Arc::new(Mutex::new(204)),
            dead: "dead",
            got: Arc::default(),
        };
        let own = receiver.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let own = own.clone();
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let own = own.clone();
                    async move {
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                        let status = if body["topic"] == own.dead {
                            403
                        } else {
                            *own.status.lock().unwrap()
                        };
                        own.got.lock().unwrap().push(body);
                        let answer = http::Response::builder()
                            .status(status)
                            .body(Full::new(Bytes::from("words")));
                        Ok::<_, std::convert::Infallible>(answer.unwrap())
                    }
                });
                tokio::spawn(async move {
                    let http1 = hyper::server::conn::http1::Builder::new();
                    let _ended = http1.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        receiver
    }

    fn answers(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }

    fn got(&self) -> Vec<Value> {
        self.got.lock().unwrap().clone()
    }

    /// Waits until so many messages have come.
    async fn wait(&self, count: usize) -> Vec<Value> {
        until(|| self.got().len() >= count).await;
        self.got()
    }
}

async fn until(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

async fn channel(box_: &Box_, receiver: &Receiver) -> u64 {
    named(box_, receiver, "hook", 0).await
}

/// A channel of the first line, or of the second where `after` is not 0.
async fn named(box_: &Box_, receiver: &Receiver, name: &str, after: i64) -> u64 {
    let mut admin = box_.admin().await;
    let body = json!({ "name": name, "escalate_after_secs": after, "service_type": "generic",
        "config_fields": { "webhook_url": format!("http://{}/hook?key=geheim", receiver.address), "secret": "whsec_geheim" } });
    let made = admin.post("/api/notifications/services", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(!made.text.contains("geheim"), "{made:?}");
    made.json()["id"].as_u64().unwrap()
}

async fn happen(box_: &Box_, kind: &str, severity: Severity) {
    box_.app
        .record(kind, severity, format!("{kind} happened"), json!({}))
        .await;
}

#[tokio::test]
async fn a_channel_is_made_shown_without_secrets_changed_and_removed() {
    let box_ = Box_::claimed().await;
    let receiver = Receiver::start().await;
    let mut admin = box_.admin().await;
    let id = channel(&box_, &receiver).await;
    let path = format!("/api/notifications/services/{id}");
    let shown = admin.get(&path).await;
    assert!(!shown.text.contains("geheim"), "{shown:?}");
    let fields = shown.json()["service"]["config_fields"].clone();
    assert_eq!(fields["secret"], "********");

    // What is shown masked may be sent back: it stays.
    let renamed = admin
        .put(&path, &json!({ "name": "other", "config_fields": fields }))
        .await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    let tried = admin
        .post("/api/notifications/test", &json!({ "service_id": id }))
        .await
        .json();
    assert_eq!(tried["success"], true, "{tried}");
    assert_eq!(receiver.wait(1).await[0]["event_type"], "test");

    // But to no other server.
    let mut stolen = fields.clone();
    stolen["webhook_url"] = json!("http://127.0.0.1:9/hook");
    let refused = admin.put(&path, &json!({ "config_fields": stolen })).await;
    assert_eq!((refused.status, refused.problem().as_str()), (422, "bad-setting"));

    for (what, body, word) in [
        (
            "rules",
            json!([{ "event_type": "job.failed", "cooldown_secs": -2 }]),
            "rules[0].cooldown_secs",
        ),
        (
            "quiet-hours",
            json!({ "start_time": "25:00", "end_time": "07:00" }),
            "quiet_hours.start_time",
        ),
        ("digest", json!({ "send_at": "8 o'clock" }), "digest.send_at"),
    ] {
        let refused = admin.put(&format!("{path}/{what}"), &body).await;
        assert_eq!(refused.status, 422, "{what}: {refused:?}");
        assert!(refused.text.contains(word), "{what}: {refused:?}");
    }
    for (what, body) in [
        (
            "rules",
            json!([{ "event_type": "job_failed", "enabled": true, "cooldown_secs": 300 }]),
        ),
        (
            "quiet-hours",
            json!({ "enabled": false, "start_time": "22:00", "end_time": "07:00", "timezone": "+01:00" }),
        ),
        (
            "digest",
            json!({ "enabled": false, "send_at": "08:00", "every": "weekly", "weekday": 1 }),
        ),
        (
            "group-rules/3",
            json!({ "name": "spares", "drives": ["S1"], "rules": [{ "event_type": "*", "enabled": false }] }),
        ),
    ] {
        let set = admin.put(&format!("{path}/{what}"), &body).await;
        assert_eq!(set.status, 200, "{what}: {set:?}");
    }
    let shown = admin.get(&path).await.json();
    assert_eq!(shown["event_rules"][0]["cooldown_secs"], 300);
    assert_eq!(shown["quiet_hours"]["timezone"], "+01:00");
    assert_eq!(shown["digest"]["every"], "weekly");
    let groups = admin.get(&format!("{path}/group-rules")).await.json();
    assert_eq!(groups["3"][0]["enabled"], false);
    assert_eq!(admin.delete(&format!("{path}/group-rules/3")).await.status, 200);
    assert_eq!(admin.delete(&path).await.status, 200);
    assert_eq!(admin.get(&path).await.problem(), "service-unknown");
    assert_eq!(
        admin.get("/api/notifications/history").await.json()[0]["service_name"],
        "other"
    );
    assert_eq!(box_.client().get("/api/notifications/services").await.status, 401);
}

#[tokio::test]
async fn a_form_that_is_older_than_its_channel_changes_nothing_and_a_newer_one_all_at_once() {
    let box_ = Box_::claimed().await;
    let receiver = Receiver::start().await;
    let mut admin = box_.admin().await;
    let path = format!("/api/notifications/services/{}", channel(&box_, &receiver).await);
    let opened = admin.get(&path).await.json();
    let rule = |kind: &str| json!([{ "event_type": kind, "enabled": true, "cooldown_secs": 0 }]);
    // Somebody else adds a rule meanwhile; the clock need not have moved.
    let set = admin.put(&format!("{path}/rules"), &rule("job.failed")).await;
    assert_eq!(set.status, 200, "{set:?}");
    let mut form = json!({ "name": "door", "config_fields": opened["service"]["config_fields"], "event_rules": [],
        "quiet_hours": { "enabled": true, "start_time": "22:00", "end_time": "07:00" }, "digest": { "enabled": true, "send_at": "08:00" },
        "updated_at": opened["service"]["updated_at"] });
    let refused = admin.put(&path, &form).await;
    assert_eq!((refused.status, refused.problem().as_str()), (409, "changed-since"));
    let now = admin.get(&path).await.json();
    assert_eq!(
        (
            &now["service"]["name"],
            &now["event_rules"][0]["event_type"],
            &now["quiet_hours"]
        ),
        (&json!("hook"), &json!("job.failed"), &Value::Null)
    );
    form["updated_at"] = now["service"]["updated_at"].clone();
    form["event_rules"] = rule("job.passed");
    form["digest"]["send_at"] = json!("8 o'clock");
    assert_eq!(admin.put(&path, &form).await.problem(), "bad-setting");
    assert_eq!(admin.get(&path).await.json(), now, "nothing of it");
    form["digest"]["send_at"] = json!("08:00");
    assert_eq!(admin.put(&path, &form).await.status, 200);
    let now = admin.get(&path).await.json();
    assert_eq!(
        (&now["service"]["name"], &now["event_rules"][0]["event_type"]),
        (&json!("door"), &json!("job.passed"))
    );
    assert_eq!(
        (&now["quiet_hours"]["enabled"], &now["digest"]["enabled"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        admin.put(&path, &form).await.problem(),
        "changed-since",
        "by the form itself"
    );
}

#[tokio::test]
async fn a_form_that_is_open_is_kept_though_its_channel_was_switched_and_a_group_renamed_meanwhile() {
    let box_ = Box_::claimed().await;
    let receiver = Receiver::start().await;
    let mut admin = box_.admin().await;
    let path = format!("/api/notifications/services/{}", channel(&box_, &receiver).await);
    let group = admin.post("/api/drive-groups", &json!({ "name": "spares" })).await;
    assert!(group.status < 300, "{group:?}");
    let group = format!("{}", group.json()["id"]);
    let rules = json!([{ "event_type": "*", "enabled": false, "cooldown_secs": 0 }]);
    assert_eq!(
        admin.put(&format!("{path}/group-rules/{group}"), &rules).await.status,
        200
    );
    let opened = admin.get(&path).await.json();
    for enabled in [false, true] {
        assert_eq!(admin.put(&path, &json!({ "enabled": enabled })).await.status, 200);
    }
    let renamed = admin
        .put(&format!("/api/drive-groups/{group}"), &json!({ "name": "old" }))
        .await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    let form = json!({ "name": "door", "event_rules": [], "updated_at": opened["service"]["updated_at"] });
    let kept = admin.put(&path, &form).await;
    assert_eq!(kept.status, 200, "{kept:?}");
    let now = admin.get(&path).await.json();
    assert_eq!(
        (&now["service"]["name"], &now["service"]["enabled"]),
        (&json!("door"), &json!(true))
    );
    assert_eq!(now["groups"][0]["name"], "old");
    assert_eq!(admin.put(&path, &form).await.problem(), "changed-since");
}

#[tokio::test]
async fn a_url_is_tried_before_it_is_kept_and_errors_are_in_the_services_words() {
    let box_ = Box_::claimed().await;
    let receiver = Receiver::start().await;
    let mut admin = box_.admin().await;
    let url = format!("json://{}/hook", receiver.address);
    let good = admin
        .post(
            "/api/notifications/test-url",
            &json!({ "url": url, "message": "hello" }),
        )
        .await
        .json();
    assert_eq!(good["success"], true, "{good}");
    assert_eq!(receiver.wait(1).await[0]["message"], "hello");
    receiver.answers(500);
    let bad = admin
        .post("/api/notifications/test-url", &json!({ "url": url }))
        .await
        .json();
    assert_eq!(
        (&bad["success"], &bad["error"]),
        (&json!(false), &json!("answered 500: words"))
    );
    let history = admin.get("/api/notifications/history?limit=1").await.json();
    assert_eq!(
        (&history[0]["status"], &history[0]["error_message"]),
        (&json!("failed"), &bad["error"])
    );
    for (url, word) in [
        ("foo://x", "scheme"),
        ("discord://1", "path"),
        ("http://169.254.169.254/latest", "metadata"),
    ] {
        let refused = admin.post("/api/notifications/test-url", &json!({ "url": url })).await;
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (422, "bad-url"),
            "{refused:?}"
        );
        assert!(refused.text.contains(word), "{refused:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_told_in_the_history_once_and_without_the_secret() {
    let box_ = Box_::claimed().await;
    let mut client = box_.admin().await;
    let receiver = Receiver::start().await;
    let id = channel(&box_, &receiver).await;
    receiver.answers(302);
    happen(&box_, "job.waiting", Severity::Warning).await;
    receiver.wait(1).await;
    let mut line = Value::Null;
    for _ in 0..600 {
        let history = client.get(&format!("/api/notifications/history?service_id={id}")).await;
        line = history.json()[0].clone();
        if line["status"] == "failed" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        (&line["status"], &line["attempts"]),
        (&"failed".into(), &1.into()),
        "{line}"
    );
    let why = line["error_message"].as_str().unwrap();
    assert!(why.contains("302") && why.contains("is not followed"), "{why}");
    assert_eq!(line.get("next_at"), None, "it is not tried again: {line}");
}

/// Waits until the newest line of the history is like this, and gives it.
async fn newest(admin: &mut Client, like: impl Fn(&Value) -> bool) -> Value {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let line = admin.get("/api/notifications/history").await.json()[0].clone();
        if like(&line) {
            return line;
        }
        assert!(std::time::Instant::now() < until, "{line}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A proxy answers so while what is behind it restarts, a hotel's page for as long as nobody has logged in.
#[tokio::test]
async fn a_critical_that_is_refused_comes_once_the_receiver_takes_it() {
    let box_ = Box_::claimed().await;
    let mut admin = box_.admin().await;
    let receiver = Receiver::start().await;
    channel(&box_, &receiver).await;
    receiver.answers(302);
    happen(&box_, "job.failed", Severity::Critical).await;
    newest(&mut admin, |line| line["status"] == "retrying").await;
    receiver.answers(204);
    box_.clock.advance(Duration::from_mins(6));
    box_.app.alerts.engine.wake();
    let line = newest(&mut admin, |line| line["status"] == "sent").await;
    assert_eq!(line["attempts"], 2, "{line}");
    box_.clock.advance(Duration::from_hours(12));
    box_.app.alerts.engine.wake();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(receiver.got().len(), 2, "once it was taken, it is not sent again");
}

#[tokio::test]
async fn a_critical_is_held_while_its_channel_is_off_and_goes_when_it_is_on_again() {
    let box_ = Box_::claimed().await;
    let mut admin = box_.admin().await;
    let receiver = Receiver::start().await;
    let path = format!("/api/notifications/services/{}", channel(&box_, &receiver).await);
    receiver.answers(503);
    happen(&box_, "job.failed", Severity::Critical).await;
    newest(&mut admin, |line| line["attempts"] == 1).await;
    assert_eq!(admin.put(&path, &json!({ "enabled": false })).await.status, 200);
    receiver.answers(204);
    box_.clock.advance(Duration::from_hours(9));
    box_.app.alerts.engine.wake();
    let line = newest(&mut admin, |line| line["attempts"] == 2).await;
    assert_eq!(line["status"], "retrying", "{line}");
    assert_eq!(receiver.got().len(), 1, "it is off");
    assert_eq!(admin.put(&path, &json!({ "enabled": true })).await.status, 200);
    newest(&mut admin, |line| line["status"] == "sent").await;
    assert_eq!(receiver.got().len(), 2);
}

/// As the page of a form does: it acts, and then leads on.
#[tokio::test]
async fn a_receiver_that_acts_and_redirects_gets_a_critical_four_times_and_that_is_told() {
    let box_ = Box_::claimed().await;
    let receiver = Receiver::start().await;
    let path = format!("/api/notifications/services/{}", channel(&box_, &receiver).await);
    receiver.answers(303);
    happen(&box_, "job.failed", Severity::Critical).await;
    let line = || {
        let history = box_.app.alerts.engine.history(None, 9).unwrap();
        history.into_iter().find(|line| line.event_type == "job.failed")
    };
    for (attempts, hours) in (1..).zip([1, 11, 11, 12]) {
        until(|| line().is_some_and(|line| line.attempts == attempts)).await;
        box_.clock.advance(Duration::from_hours(hours));
        box_.app.alerts.engine.wake();
    }
    assert_eq!(line().unwrap().status, notify::engine::Status::Failed);
    let mut admin = box_.admin().await;
    let why = "a redirect is not followed: set the channel to the address";
    let until = std::time::Instant::now() + PATIENCE;
    for (path, says) in [("/api/v1/box", "reached nobody"), ("/api/v1/events", why)] {
        while !admin.get(path).await.text.contains(says) {
            assert!(std::time::Instant::now() < until, "nobody is told: {path}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(admin.delete(&path).await.status, 200);
    while admin.get("/api/v1/box").await.text.contains("reached nobody") {
        assert!(std::time::Instant::now() < until, "the channel was removed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_critical_that_nobody_took_for_five_days_is_told_in_the_log_and_on_the_page() {
    let box_ = Box_::claimed().await;
    let receiver = Receiver::start().await;
    let path = format!("/api/notifications/services/{}", channel(&box_, &receiver).await);
    receiver.answers(404);
    happen(&box_, "job.failed", Severity::Critical).await;
    for attempts in 1..18 {
        let mut admin = box_.admin().await;
        newest(&mut admin, |line| {
            (&line["attempts"], &line["status"]) == (&attempts.into(), &"retrying".into())
        })
        .await;
        box_.clock.advance(Duration::from_hours(10));
        box_.app.alerts.engine.wake();
    }
    let mut admin = box_.admin().await;
    let until = std::time::Instant::now() + PATIENCE;
    for (path, says) in [("/api/v1/box", "reached nobody"), ("/api/v1/events", "alerts.given_up")] {
        while !admin.get(path).await.text.contains(says) {
            assert!(std::time::Instant::now() < until, "nobody is told: {path}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    // Whoever switches the channel off knows that it tells nobody; nor does it tell of what was mended once it is on again.
    for enabled in [false, true] {
        receiver.answers(204);
        assert_eq!(admin.put(&path, &json!({ "enabled": enabled })).await.status, 200);
        while admin.get("/api/v1/box").await.text.contains("reached nobody") {
            assert!(std::time::Instant::now() < until, "enabled: {enabled}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_clock_that_comes_years_late_switches_no_channel_off() {
    let box_ = Box_::claimed().await;
    let mut admin = box_.admin().await;
    let receiver = Receiver::start().await;
    let id = channel(&box_, &receiver).await;
    receiver.answers(302);
    let path = format!("/api/notifications/services/{id}");
    let failed = async |admin: &mut Client, count: usize| {
        let wait = async {
            loop {
                let history = admin.get("/api/notifications/history").await.json();
                let lines = history.as_array().unwrap();
                if lines.iter().filter(|line| line["status"] == "failed").count() >= count {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();
    };
    for (count, by) in [(1, 0), (2, 6 * 365 * 86_400), (3, -6 * 365 * 86_400)] {
        box_.clock.set(by);
        happen(&box_, "job.waiting", Severity::Warning).await;
        failed(&mut admin, count).await;
        let service = admin.get(&path).await.json();
        assert_eq!(service["service"]["enabled"], true, "{by}: {service}");
    }
    // Five days are five days.
    box_.clock.advance(Duration::from_mins(7201));
    let mut admin = box_.admin().await;
    happen(&box_, "job.waiting", Severity::Warning).await;
    failed(&mut admin, 4).await;
    let wait = async {
        while admin.get(&path).await.json()["service"]["enabled"] == true {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

#[tokio::test]
async fn a_channel_of_which_one_target_is_gone_stays_on() {
    let box_ = Box_::claimed().await;
    let receiver = Receiver::start().await;
    let server = format!("http://{}", receiver.address);
    let body = json!({ "name": "bench", "service_type": "ntfy", "config_fields": { "server_url": server, "topic": "dead,bench" } });
    let made = box_.admin().await.post("/api/notifications/services", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    // The third finds the channel switched off where the second, five days after the first, was taken for hopeless.
    for told in 1..=3 {
        happen(&box_, "job.failed", Severity::Critical).await;
        let to_bench = || receiver.got().iter().filter(|body| body["topic"] == "bench").count();
        until(|| to_bench() == told).await;
        until(|| {
            let lines = box_.app.alerts.engine.history(None, 10).unwrap();
            lines
                .iter()
                .filter(|line| line.error_message.starts_with("dead: "))
                .count()
                == told
        })
        .await;
        box_.clock.advance(Duration::from_mins(7201));
    }
    let listed = box_.admin().await.get("/api/notifications/services").await.json();
    assert_eq!(listed[0]["enabled"], true, "{listed}");
}

#[tokio::test]
async fn an_event_is_told_once_also_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let first = Box_::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
    channel(&first, &receiver).await;
    happen(&first, "unit.failed", Severity::Critical).await;
    let told = receiver.wait(1).await;
    assert_eq!(told[0]["event_type"], "unit.failed");
    assert_eq!(told[0]["link"], "http://kiln.local/events");
    // The receiver is away: what happens now waits on the medium.
    receiver.answers(503);
    happen(&first, "job.waiting", Severity::Warning).await;
    happen(&first, "person.did_something", Severity::Info).await;
    receiver.wait(2).await;
    until(|| first.app.alerts.engine.history(None, 1).unwrap()[0].attempts == 1).await;
    let waits = first.app.alerts.engine.history(None, 1).unwrap().remove(0);
    assert_eq!(waits.error_message, "answered 503: words");
    first.app.shut_down().await;
    drop(first);

    receiver.answers(204);
    let second = Box_::at_once_free(dir.path()).await;
    second.clock.advance(Duration::from_secs(6));
    second.app.alerts.engine.wake();
    let told = receiver.wait(3).await;
    assert_eq!(told[1]["id"], told[2]["id"], "the same message under the same id");
    happen(&second, "unit.quarantined", Severity::Critical).await;
    let kinds: Vec<Value> = receiver
        .wait(4)
        .await
        .iter()
        .map(|body| body["event_type"].clone())
        .collect();
    assert_eq!(kinds, ["unit.failed", "job.waiting", "job.waiting", "unit.quarantined"]);
    until(|| {
        let lines = second.app.alerts.engine.history(None, 10).unwrap();
        lines.len() == 3 && lines.iter().all(|line| line.sent_at.is_some())
    })
    .await;
}

#[tokio::test]
async fn a_digest_collects_survives_a_restart_and_is_really_sent() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let first = Box_::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
    let id = channel(&first, &receiver).await;
    let mut admin = first.admin().await;
    let due = first.app.clock.now().wall.strftime("%H:%M").to_string();
    let set = json!({ "enabled": true, "send_at": due, "every": "daily" });
    assert_eq!(
        admin
            .put(&format!("/api/notifications/services/{id}/digest"), &set)
            .await
            .status,
        200
    );
    happen(&first, "job.waiting", Severity::Warning).await;
    happen(&first, "job.too_hot", Severity::Warning).await;
    // A critical waits for nothing, and when it has come, the two before it were looked at.
    happen(&first, "unit.failed", Severity::Critical).await;
    assert_eq!(receiver.wait(1).await[0]["event_type"], "unit.failed");
    first.app.shut_down().await;
    drop(first);

    let second = Box_::at_once_free(dir.path()).await;
    second.clock.advance(Duration::from_hours(24));
    second.app.alerts.engine.wake();
    let told = receiver.wait(2).await;
    assert_eq!(told[1]["event_type"], "digest");
    let text = told[1]["message"].as_str().unwrap();
    assert!(
        text.contains("job.waiting happened") && text.contains("job.too_hot happened"),
        "{text}"
    );
    assert!(!text.contains("unit.failed"), "{text}");
    second.clock.advance(Duration::from_hours(24));
    happen(&second, "unit.failed", Severity::Critical).await;
    assert_eq!(receiver.wait(3).await.len(), 3, "an empty digest is not sent");
}

#[tokio::test]
async fn a_digest_that_was_put_off_under_a_clock_that_was_ahead_comes_in_time() {
    let box_ = Box_::claimed().await;
    let receiver = Receiver::start().await;
    let id = channel(&box_, &receiver).await;
    box_.clock.set(5 * 86_400);
    let due = box_.app.clock.now().wall.strftime("%H:%M").to_string();
    let set = json!({ "enabled": true, "send_at": due, "every": "daily" });
    let path = format!("/api/notifications/services/{id}/digest");
    assert_eq!(box_.admin().await.put(&path, &set).await.status, 200);
    happen(&box_, "job.waiting", Severity::Warning).await;
    // When it has come, the one before it was looked at.
    happen(&box_, "unit.failed", Severity::Critical).await;
    receiver.wait(1).await;
    box_.clock.set(-5 * 86_400);
    happen(&box_, "unit.failed", Severity::Critical).await;
    receiver.wait(2).await;
    box_.clock.advance(Duration::from_hours(24));
    box_.app.alerts.engine.wake();
    let told = receiver.wait(3).await;
    assert!(told[2]["message"].as_str().unwrap().contains("job.waiting"), "{told:?}");
}

#[tokio::test]
async fn a_clock_that_is_set_takes_from_nobody_the_time_to_acknowledge() {
    for by in [5 * 86_400, -5 * 86_400] {
        let box_ = Box_::claimed().await;
        let (hook, boss) = (Receiver::start().await, Receiver::start().await);
        channel(&box_, &hook).await;
        named(&box_, &boss, "boss", 3600).await;
        happen(&box_, "unit.failed", Severity::Critical).await;
        hook.wait(1).await;
        box_.clock.set(by);
        box_.app.alerts.engine.wake();
        // When it has come, the clock was looked at.
        happen(&box_, "job.failed", Severity::Critical).await;
        hook.wait(2).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(boss.got().len(), 0, "{by}: an hour has not passed");
        box_.clock.advance(Duration::from_mins(61));
        box_.app.alerts.engine.wake();
        boss.wait(2).await;
    }
}

#[tokio::test]
async fn a_channel_that_is_gone_switches_itself_off_and_the_log_tells() {
    let box_ = Box_::claimed().await;
    let receiver = Receiver::start().await;
    let id = channel(&box_, &receiver).await;
    let mut stream = box_.admin().await.events("/api/v1/stream").await;
    receiver.answers(410);
    happen(&box_, "unit.failed", Severity::Critical).await;
    let told = stream.logged("alerts.channel_disabled").await;
    assert_eq!(told.data["data"]["service_id"], id);
    let shown = box_
        .admin()
        .await
        .get(&format!("/api/notifications/services/{id}"))
        .await
        .json();
    assert_eq!(shown["service"]["enabled"], false);
    assert!(
        shown["service"]["disabled_why"].as_str().unwrap().contains("410"),
        "{shown}"
    );
    let mut admin = box_.admin().await;
    let until = std::time::Instant::now() + PATIENCE;
    while !admin.get("/api/v1/box").await.text.contains("has switched itself off") {
        assert!(std::time::Instant::now() < until, "nobody is told on the page");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Switched on again by a person, it begins anew, with what was held meanwhile.
    receiver.answers(200);
    let before = receiver.got().len();
    assert_eq!(
        admin
            .put(
                &format!("/api/notifications/services/{id}"),
                &json!({ "enabled": true })
            )
            .await
            .status,
        200
    );
    let shown = admin.get(&format!("/api/notifications/services/{id}")).await.json();
    assert_eq!(
        (&shown["service"]["disabled_why"], &shown["service"]["failing_since"]),
        (&Value::Null, &Value::Null)
    );
    receiver.wait(before + 1).await;
}

#[tokio::test]
async fn what_nobody_acknowledges_in_time_goes_on_to_the_second_line_once_also_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (hook, boss) = (Receiver::start().await, Receiver::start().await);
    let first = Box_::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
    channel(&first, &hook).await;
    named(&first, &boss, "boss", 300).await;
    happen(&first, "unit.failed", Severity::Critical).await;
    // What nobody has to look after opens nothing.
    happen(&first, "person.did_something", Severity::Info).await;
    let text = hook.wait(1).await[0]["message"].as_str().unwrap().to_owned();
    assert!(
        text.contains("goes on to boss after 5 min") && text.ends_with("http://kiln.local/settings/alerts"),
        "{text}"
    );
    let mut admin = first.admin().await;
    let open = admin.get("/api/notifications/alerts?open=true").await.json();
    assert_eq!(open.as_array().unwrap().len(), 1, "{open}");
    assert_eq!(open[0]["event_type"], "unit.failed");
    assert_eq!(
        (&open[0]["steps"][0]["service_name"], &open[0]["steps"][0]["told_at"]),
        (&json!("boss"), &Value::Null)
    );
    first.app.shut_down().await;
    drop((first, admin));

    let second = Box_::at_once_free(dir.path()).await;
    let mut admin = second.admin().await;
    until(|| {
        second.app.hub(|hub| {
            hub.banners(second.app.clock.now())
                .iter()
                .any(|b| b.text.contains("not acknowledged"))
        })
    })
    .await;
    second.clock.advance(Duration::from_secs(299));
    second.app.alerts.engine.wake();
    happen(&second, "unit.quarantined", Severity::Critical).await;
    hook.wait(2).await;
    second.clock.advance(Duration::from_secs(2));
    second.app.alerts.engine.wake();
    let told = boss.wait(1).await;
    assert_eq!(told.len(), 1, "the other one has five minutes of its own");
    assert_eq!(told[0]["event_type"], "unit.failed");
    assert!(
        told[0]["title"].as_str().unwrap().starts_with("Not acknowledged: "),
        "{}",
        told[0]
    );
    assert!(
        told[0]["message"]
            .as_str()
            .unwrap()
            .starts_with("Nobody acknowledged this for 5 min.")
    );
    second.clock.advance(Duration::from_mins(5));
    second.app.alerts.engine.wake();
    let kinds: Vec<Value> = boss
        .wait(2)
        .await
        .iter()
        .map(|body| body["event_type"].clone())
        .collect();
    assert_eq!(kinds, ["unit.failed", "unit.quarantined"], "each once");
    let all = admin.get("/api/notifications/alerts").await.json();
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .all(|alert| alert["steps"][0]["told_at"].is_string()),
        "{all}"
    );
    let logged = async {
        while admin
            .get("/api/v1/events")
            .await
            .text
            .matches("alerts.escalated")
            .count()
            != 2
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, logged).await.unwrap();
}

#[tokio::test]
async fn an_acknowledged_alert_goes_on_to_nobody_and_says_who_took_it() {
    let box_ = Box_::claimed().await;
    let (hook, boss) = (Receiver::start().await, Receiver::start().await);
    channel(&box_, &hook).await;
    let second = named(&box_, &boss, "boss", 60).await;
    let mut admin = box_.admin().await;
    let short = json!({ "escalate_after_secs": 30 });
    let refused = admin
        .put(&format!("/api/notifications/services/{second}"), &short)
        .await;
    assert_eq!(
        (refused.status, refused.text.contains("escalate_after_secs")),
        (422, true),
        "{refused:?}"
    );
    // What the second line was never told of does not use up its cool-down.
    let once = json!({ "cooldown_secs": -1 });
    let kept = admin.put(&format!("/api/notifications/services/{second}"), &once).await;
    assert_eq!(kept.status, 200, "{kept:?}");
    happen(&box_, "unit.failed", Severity::Critical).await;
    hook.wait(1).await;
    let id = admin.get("/api/notifications/alerts").await.json()[0]["id"]
        .as_u64()
        .unwrap();
    let path = format!("/api/notifications/alerts/{id}/ack");
    assert_eq!(box_.client().post(&path, &json!({})).await.status, 401);
    for _ in 0..2 {
        let taken = admin.post(&path, &json!({})).await;
        assert_eq!(taken.status, 200, "{taken:?}");
        assert_eq!(taken.json()["acknowledged_by"], "admin");
    }
    let unknown = admin.post("/api/notifications/alerts/999999/ack", &json!({})).await;
    assert_eq!((unknown.status, unknown.problem().as_str()), (404, "alert-unknown"));
    assert_eq!(admin.get("/api/notifications/alerts?open=true").await.json(), json!([]));
    assert_eq!(
        admin
            .get("/api/v1/events")
            .await
            .text
            .matches("person.acknowledged_alert")
            .count(),
        1,
        "told once"
    );
    // Whatever is due after it comes, so what was not due is known not to come.
    box_.clock.advance(Duration::from_secs(61));
    for told in [2, 3] {
        happen(&box_, "unit.failed", Severity::Critical).await;
        hook.wait(told).await;
    }
    box_.clock.advance(Duration::from_secs(61));
    box_.app.alerts.engine.wake();
    assert_eq!(boss.wait(1).await[0]["event_type"], "unit.failed");
    // The second of the burst cools down with the first, though both opened before anybody was told.
    let settled = async {
        loop {
            let open = admin.get("/api/notifications/alerts?open=true").await.json();
            let steps: Vec<&Value> = open
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|a| a["steps"].as_array().unwrap())
                .collect();
            if steps.iter().all(|step| step["told_at"].is_string()) {
                return (open.as_array().unwrap().len(), steps.len());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, settled).await.unwrap(), (2, 1));
    assert_eq!(boss.got().len(), 1);
}

/// What PID 1 hands over of `kiln.toml` tells from the first start on; what is wrong in it is shown, and no secret is logged.
#[tokio::test]
async fn channels_of_the_owners_file_tell_and_its_mistakes_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let (credentials, log) = (dir.path().join("credentials"), dir.path().join("log"));
    std::fs::create_dir(&credentials).unwrap();
    let receiver = Receiver::start().await;
    let url = format!("json://user:geheim@{}/hook", receiver.address);
    let section = json!({
        "urls": ["discord://geheim"],
        "bench": { "url": url, "severities": ["warning"], "rules": [{ "event_type": "geheim", "cooldown_secs": -2 }] },
    });
    std::fs::write(credentials.join("alerts"), section.to_string()).unwrap();
    let mut command = crate::process::command(&dir.path().join("data"));
    command
        .env("ADMIN_PASSWORD", PASSWORD)
        .env("CREDENTIALS_DIRECTORY", &credentials)
        .stderr(std::fs::File::create(&log).unwrap());
    let server = crate::process::Server::start(command, false).ready().await;

    let mut admin = Client::new(server.address);
    let login = json!({ "username": "admin", "password": PASSWORD });
    assert_eq!(admin.post("/api/v1/session", &login).await.status, 200);
    let shown = admin.get("/api/notifications/services").await;
    let services = shown.json();
    let named = |name: &str| {
        let mut all = services.as_array().unwrap().iter();
        all.find(|service| service["name"] == name).unwrap().clone()
    };
    let (bench, broken) = (named("bench"), named("discord (kiln.toml)"));
    assert_eq!((&bench["locked"], &bench["enabled"]), (&json!(true), &json!(true)));
    assert_eq!(
        (&broken["enabled"], broken["disabled_why"].is_string()),
        (&json!(false), true)
    );
    let path = format!("/api/notifications/services/{}", bench["id"]);
    assert_eq!(admin.put(&path, &json!({ "enabled": false })).await.problem(), "locked");

    let banners = admin.get("/api/v1/box").await;
    for words in ["[alerts] urls[0]", "[alerts.bench] rules[0] cooldown_secs: expected"] {
        assert!(banners.text.contains(words), "{words}: {banners:?}");
    }
    // A refused login is an event of severity warning, which this channel wants.
    let wrong = json!({ "username": "admin", "password": "not this one" });
    assert_eq!(admin.post("/api/v1/session", &wrong).await.status, 401);
    receiver.wait(1).await;

    // It switches itself off, and a person switches it on again, which is all that is taken of it here.
    receiver.answers(410);
    assert_eq!(admin.post("/api/v1/session", &wrong).await.status, 401);
    let until = std::time::Instant::now() + PATIENCE;
    while admin.get(&path).await.json()["service"]["disabled_why"].is_null() {
        assert!(std::time::Instant::now() < until, "it stays on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let renamed = json!({ "enabled": true, "name": "door" });
    assert_eq!(admin.put(&path, &renamed).await.problem(), "locked");
    assert_eq!(admin.put(&path, &json!({ "enabled": true })).await.status, 200);
    let back = admin.get(&path).await.json();
    assert_eq!(
        (&back["service"]["enabled"], &back["service"]["disabled_why"]),
        (&json!(true), &Value::Null)
    );
    drop(server);
    let logged = std::fs::read_to_string(log).unwrap();
    assert!(logged.contains("a setting of alerts is not used"), "{logged}");
    for text in [logged, shown.text, banners.text] {
        assert!(!text.contains("geheim"), "{text}");
    }
}

/// Rules, and dashboards that exist, say these names: each alert of a drive has one that is listed.
#[test]
fn a_rule_by_vigils_name_of_a_drives_trouble_is_for_it() {
    use health::alert::Kind::{
        AttributeFailing, CriticalWarning, MediaErrors, Pending, Reallocated, SelfTestFailed, SmartFailed, SpareLow,
        Temperature, Uncorrectable, Wear,
    };
    let smart = [
        AttributeFailing,
        CriticalWarning,
        MediaErrors,
        Pending,
        SelfTestFailed,
        SmartFailed,
        Uncorrectable,
    ];
    let names = smart.map(|kind| (kind, "smart_warning", "smart_critical"));
    let others = [
        (Reallocated, "reallocated_sectors", "reallocated_sectors"),
        (SpareLow, "wearout_warning", "wearout_critical"),
        (Temperature, "temp_alert", "temp_critical"),
        (Wear, "wearout_warning", "wearout_critical"),
    ];
    for (kind, warning, critical) in names.into_iter().chain(others) {
        for (severity, want) in [(Severity::Warning, warning), (Severity::Critical, critical)] {
            let told = NewEvent::new("drive.alert", severity, "m".into(), json!({ "alert": kind }));
            let event = Event::seal(
                told,
                1,
                wire::Time::UNIX_EPOCH,
                Actor::new("server", "server"),
                FIRST_PREV_HASH,
            );
            assert_eq!(kinds::names(&event), ["drive.alert", want]);
            assert!(KINDS.iter().any(|kind| kind.name == want), "{want}");
        }
    }
}
