//! Programs that we did not write, held against ours: Apprise reads the same URLs and its requests are compared with
//! ours; the `standardwebhooks` package checks our signatures.
//!
//! Needs the Python packages apprise and standardwebhooks (scripts/setup); says NOT RUN where they are missing.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write;
use std::process::{Command, Stdio};

use notify::request::requests;
use notify::{Channel, Message, url};
use serde_json::{Value, json};
use wire::Time;
use wire::event::Severity;

const KEY: &str = "abcdefghij0123456789abcdefghij";

fn message() -> Message {
    Message {
        id: "kiln-7-1".into(),
        title: "the title".into(),
        body: "the body".into(),
        severity: Severity::Info,
        event_type: "test".into(),
        time: Time::from_second(1_700_000_000).unwrap(),
        host: String::new(),
        serial: String::new(),
        link: None,
        event: None,
    }
}

/// The Python that scripts/setup has prepared, else the system's.
fn python() -> String {
    let own = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.kiln/python/bin/python3");
    if own.exists() {
        own.display().to_string()
    } else {
        "python3".to_owned()
    }
}

/// Whether the Python package is there; says so where it is not.
fn has(package: &str) -> bool {
    let found = Command::new(python())
        .args(["-c", &format!("import {package}")])
        .stderr(Stdio::null())
        .status();
    let there = found.is_ok_and(|status| status.success());
    if !there {
        // Not `eprintln!`, which is kept from whoever counts what was not run.
        let _ = writeln!(
            std::io::stderr(),
            "NOT RUN: the Python package {package} is missing; scripts/setup installs it"
        );
    }
    there
}

fn ask(script: &str, input: &Value) -> Value {
    let mut child = Command::new(python())
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Sends with Apprise, with what carries its requests out replaced by a notebook.
const APPRISE: &str = r#"
import json, sys, requests
from unittest import mock
import apprise
notes = []
def note(method, url, **kw):
    auth = kw.get("auth")
    headers = {k.lower(): v for k, v in (kw.get("headers") or {}).items()}
    if auth:
        headers["authorization"] = requests.auth._basic_auth_str(*auth)
    data = kw.get("data")
    if isinstance(data, bytes): data = data.decode()
    request = requests.Request(method, url, params=kw.get("params")).prepare()
    notes.append({"method": method, "url": request.url, "headers": headers, "data": data, "json": kw.get("json")})
    answer = mock.Mock(); answer.status_code = 200; answer.content = b'{"ok": true, "status": 1}'; answer.text = "ok"; answer.headers = {}
    return answer
def post(url, **kw): return note("POST", url, **kw)
out = {}
with mock.patch("requests.post", post), mock.patch("requests.put", lambda u, **k: note("PUT", u, **k)), \
     mock.patch("requests.request", note), mock.patch("requests.Session.request", lambda self, m, u, **k: note(m, u, **k)), \
     mock.patch("time.sleep"):
    for url in json.load(sys.stdin):
        notes.clear()
        a = apprise.Apprise()
        ok = a.add(url)
        if ok: a.notify(title="the title", body="the body")
        out[url] = {"ok": bool(ok), "requests": list(notes)}
json.dump(out, sys.stdout)
"#;

fn ours(address: &str) -> Option<Vec<notify::request::Request>> {
    let (service, fields) = url::channel(address).ok()?;
    let channel = Channel::read(service, &fields).ok()?;
    Some(requests(
        &channel,
        &message(),
        Time::from_second(1_700_000_000).unwrap(),
    ))
}

fn header(request: &notify::request::Request, name: &str) -> String {
    let found = request.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

/// The named values of a body, whether JSON or a form.
fn value(body: &str, key: &str) -> Value {
    if let Ok(json) = serde_json::from_str::<Value>(body) {
        return json[key].clone();
    }
    body.split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| *name == key)
        .map_or(Value::Null, |(_, value)| json!(url::decode(&value.replace('+', " "))))
}

#[test]
fn apprise_makes_the_same_requests_of_the_same_urls() {
    if !has("apprise") {
        return;
    }
    let pushover = format!("pover://{KEY}@{KEY}/phone/watch?sound=siren");
    let group = format!(
        "pover://{KEY}@{KEY}/%23{}?url=https://x.test/&url_title=X",
        KEY.replace('a', "z")
    );
    let discord = format!("discord://{}/{}?image=no", "1".repeat(24), "t".repeat(64));
    // Which values of the body have to be the same.
    let cases: Vec<(&str, &[&str])> = vec![
        (&discord, &[]),
        (
            "discord://Kiln@123456789012345678/abcDEF-ghi_jkl?avatar=no&image=no",
            &["username"],
        ),
        (
            "tgram://123456789:AAHabcdefghijklmnopqrstuvwxyz012345/12345/?image=no",
            &["chat_id", "disable_notification"],
        ),
        (
            "tgram://123456789:AAHabcdefghijklmnopqrstuvwxyz012345/12345/6789/?silent=yes",
            &["chat_id", "disable_notification"],
        ),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?image=no", &[]),
        (
            "slack://Kiln@T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/%23alerts?image=no",
            &["channel", "username"],
        ),
        ("slack://xoxb-1234-1234-abc124/%23alerts?image=no", &["channel"]),
        ("slack://xoxb-1234-1234-abc124/+U012345?image=no", &["channel"]),
        (
            "slack://?token=T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ&to=+C012345&image=no",
            &["channel"],
        ),
        (
            "tgram://123456789:AAHabcdefghijklmnopqrstuvwxyz012345/-10012345:55/?image=no",
            &["chat_id", "message_thread_id"],
        ),
        ("ntfy://bench-topic?image=no", &["topic", "title", "message"]),
        (
            "ntfys://user:pass@nas.local:8443/bench?image=no",
            &["topic", "title", "message"],
        ),
        ("ntfy://tk_abcdefg@nas.local/bench?image=no", &["topic"]),
        ("ntfy://nas.local/one/two?image=no", &["topic"]),
        ("ntfy://nas?to=one,two&image=no", &["topic"]),
        // `ntfy://ntfy.sh/…` goes out in plain words there, and by TLS here.
        ("https://ntfy.sh/bench", &["topic"]),
        ("gotify://nas.local:8080/Atoken", &["title", "message"]),
        (
            "gotifys://nas.local/sub/path/Atoken?priority=high",
            &["title", "message", "priority"],
        ),
        (&group, &["token", "user", "device", "url", "url_title"]),
        (&pushover, &["token", "user", "device", "title", "message", "sound"]),
        (
            "json://user:pass@nas.local:9000/a/b?+X-Key=v&-q=1",
            &["version", "title", "message", "type", "attachments"],
        ),
        ("jsons://nas.local/hook?:extra=value", &["title", "message", "extra"]),
        (
            "json://nas.local/hook?:message=content&:title=subject&:type=&:title2=x&retry=1",
            &[
                "version",
                "title",
                "message",
                "type",
                "attachments",
                "content",
                "subject",
                "title2",
            ],
        ),
        (
            "signal://nas.local:8080/+15551234567/+15557654321",
            &["number", "recipients"],
        ),
    ];
    let urls: Vec<&str> = cases.iter().map(|(url, _)| *url).collect();
    let theirs = ask(APPRISE, &json!(urls));
    for (address, keys) in cases {
        let theirs = &theirs[address];
        assert_eq!(theirs["ok"], true, "Apprise does not take {address}");
        let theirs = theirs["requests"].as_array().unwrap();
        let mut ours = ours(address).unwrap_or_else(|| panic!("{address} is not taken"));
        assert_eq!(theirs.len(), ours.len(), "{address}: {theirs:?}");
        // The order of several targets is nobody's business.
        let body = |request: &notify::request::Request| String::from_utf8(request.body.clone()).unwrap();
        let mut theirs: Vec<(String, &Value)> = theirs
            .iter()
            .map(|their| {
                let data = match (&their["data"], &their["json"]) {
                    (Value::String(text), _) => text.clone(),
                    (Value::Null, json) => json.to_string(),
                    (object, _) => object.to_string(),
                };
                (data, their)
            })
            .collect();
        let order = |text: &str| ["topic", "chat_id"].map(|key| value(text, key).to_string());
        theirs.sort_by_key(|(data, _)| order(data));
        ours.sort_by_key(|request| order(&body(request)));
        for ((data, their), our) in theirs.iter().zip(&ours) {
            let place = |text: &str| text.split('?').next().unwrap().trim_end_matches('/').to_owned();
            let own_place = format!("{}{}", our.address.origin(), our.address.target);
            let legacy = their["url"]
                .as_str()
                .unwrap()
                .replace("discordapp.com", "discord.com")
                .replace(":443/", "/");
            assert_eq!(place(&own_place), place(&legacy), "{address}");
            assert_eq!(
                our.method,
                their["method"].as_str().unwrap().to_uppercase(),
                "{address}"
            );
            for name in ["x-gotify-key", "x-key"] {
                assert_eq!(
                    header(our, name),
                    their["headers"][name].as_str().unwrap_or(""),
                    "{address} {name}"
                );
            }
            // Pushover's own documentation has the token in the body alone.
            if !address.starts_with("pover") {
                assert_eq!(
                    header(our, "authorization"),
                    their["headers"]["authorization"].as_str().unwrap_or(""),
                    "{address}"
                );
            }
            for key in keys {
                let (own, their) = (value(&body(our), key), value(data, key));
                assert_eq!(own, their, "{address}: {key} in {} and {data}", body(our));
            }
        }
    }
}

#[test]
fn what_apprise_refuses_is_refused_here() {
    if !has("apprise") {
        return;
    }
    let urls = [
        "discord://",
        "discord://justid",
        "tgram://",
        "tgram://notatoken/123",
        "slack://",
        "slack://T1JJ3T3L2",
        "gotify://",
        "gotify://nas.local",
        "pover://",
        "json://",
        "unknown://x",
        "ntfy://",
    ];
    let theirs = ask(APPRISE, &json!(urls));
    for address in urls {
        let sends = theirs[address]["ok"] == true && !theirs[address]["requests"].as_array().unwrap().is_empty();
        assert!(!sends, "Apprise takes {address}: {}", theirs[address]);
        assert!(ours(address).is_none(), "{address} is taken");
    }
}

const WEBHOOKS: &str = r#"
import json, sys
from standardwebhooks.webhooks import Webhook
case = json.load(sys.stdin)
out = []
for secret, body in case["tries"]:
    try:
        Webhook(secret).verify(body, case["headers"]); out.append(True)
    except Exception:
        out.append(False)
json.dump(out, sys.stdout)
"#;

#[test]
fn the_standard_webhooks_package_takes_our_signature_and_no_other() {
    if !has("standardwebhooks") {
        return;
    }
    let (_, mut fields) = url::channel("https://example.org/hook").unwrap();
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    fields.insert("secret".into(), format!("{secret} whsec_b2xkZXIgc2VjcmV0IG9sZGVy"));
    let channel = Channel::read("generic", &fields).unwrap();
    let request = requests(&channel, &message(), Time::now()).remove(0);
    let headers: serde_json::Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let body = String::from_utf8(request.body).unwrap();
    let tries = json!([
        [secret, body],
        ["whsec_b2xkZXIgc2VjcmV0IG9sZGVy", body],
        ["whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA==", body],
        [secret, body.replace("the body", "The body")],
    ]);
    assert_eq!(
        ask(WEBHOOKS, &json!({ "headers": headers, "tries": tries })),
        json!([true, true, false, false])
    );
}
