//! Each service against a server on loopback that plays its documented interface: it looks at path, headers and body
//! as the service's documentation has them, and answers its documented answers and errors.
#![allow(clippy::unwrap_used, reason = "tests")]

mod receiver;

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use notify::answer::Failed;
use notify::provider::Fields;
use notify::send::{Attempt, Roots};
use notify::{Channel, Message, Sender, url};
use receiver::{Answer, Asked, Receiver, answer};
use serde_json::Value;
use wire::Time;
use wire::event::Severity;

const KEY: &str = "abcdefghij0123456789abcdefghij";

fn message() -> Message {
    Message {
        id: "kiln-7-1".into(),
        title: "FAILED: WD80 …ABCD in bay 3".into(),
        body: "3 sectors could not be read\nBay: 3".into(),
        severity: Severity::Critical,
        event_type: "job.failed".into(),
        time: Time::from_second(1_700_000_000).unwrap(),
        host: "kiln".into(),
        serial: "VGH0ABCD".into(),
        link: Some("http://kiln.local/jobs/7".into()),
        event: None,
    }
}

async fn send(service: &str, fields: &Fields) -> Attempt {
    let channel = Channel::read(service, fields).unwrap();
    let sender = Sender::new(Roots::new(None).unwrap());
    sender
        .send(
            &channel,
            &message(),
            &BTreeSet::new(),
            Time::from_second(1_700_000_100).unwrap(),
        )
        .await
}

async fn sent(service: &str, fields: &[(&str, &str)]) -> String {
    let attempt = send(service, &form(fields)).await;
    assert_eq!(attempt.failed, None);
    attempt.answer
}

async fn failed(service: &str, fields: &[(&str, &str)]) -> Failed {
    send(service, &form(fields)).await.failed.unwrap()
}

fn form(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn limited(seconds: &'static str, body: &'static str) -> Answer {
    Answer {
        status: 429,
        retry_after: Some(seconds),
        body,
    }
}

fn is_json(asked: &Asked) -> bool {
    asked.method == "POST" && asked.header("content-type").starts_with("application/json")
}

#[tokio::test]
async fn discord() {
    // Execute Webhook: POST /webhooks/{id}/{token}?wait=true → 200 with the message.
    let server = Receiver::start(|asked| {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let embed = &body["embeds"][0];
        match asked.target.split('?').next().unwrap() {
            "/api/webhooks/123/tok" if !is_json(asked) => answer(
                400,
                r#"{"code": 50109, "message": "The request body contains invalid JSON."}"#,
            ),
            "/api/webhooks/123/tok"
                if embed["title"].as_str().is_some_and(|t| t.len() <= 256) && embed["color"].is_u64() =>
            {
                answer(200, r#"{"id": "1", "type": 0, "content": ""}"#)
            }
            "/api/webhooks/123/tok" => answer(400, r#"{"code": 50006, "message": "Cannot send an empty message"}"#),
            _ => answer(404, r#"{"message": "Unknown Webhook", "code": 10015}"#),
        }
    })
    .await;
    let hook = format!("{}/api/webhooks/123/tok", server.url());
    sent(
        "discord",
        &[("webhook_url", &hook), ("username", "Kiln"), ("thread_id", "77")],
    )
    .await;
    let asked = server.take();
    assert_eq!(asked.target, "/api/webhooks/123/tok?wait=true&thread_id=77");
    let body = asked.json();
    assert_eq!(body["username"], "Kiln");
    assert_eq!(body["allowed_mentions"]["parse"], serde_json::json!([]));
    assert_eq!(body["embeds"][0]["url"], "http://kiln.local/jobs/7");
    assert_eq!(body["embeds"][0]["timestamp"], "2023-11-14T22:13:20Z");

    let wrong = failed("discord", &[("webhook_url", &hook.replace("tok", "gone"))]).await;
    assert_eq!(
        (wrong.words.as_str(), wrong.retry),
        ("answered 404: Unknown Webhook", false)
    );
    server.put(limited(
        "3",
        r#"{"message": "You are being rate limited.", "retry_after": 2.5, "global": false}"#,
    ));
    let wait = failed("discord", &[("webhook_url", &hook)]).await;
    assert_eq!((wait.retry, wait.after), (true, Some(Duration::from_secs(3))));
}

#[tokio::test]
async fn telegram() {
    let server = Receiver::start(|asked| {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        match asked.target.as_str() {
            "/bot123:AbC/sendMessage" if !is_json(asked) => answer(
                400,
                r#"{"ok":false,"error_code":400,"description":"Bad Request: message text is empty"}"#,
            ),
            "/bot123:AbC/sendMessage" if body["chat_id"] == "@nobody" => answer(
                400,
                r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#,
            ),
            "/bot123:AbC/sendMessage"
                if body["text"]
                    .as_str()
                    .is_some_and(|t| (1..=4096).contains(&t.chars().count())) =>
            {
                answer(200, r#"{"ok":true,"result":{"message_id":1}}"#)
            }
            _ => answer(401, r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#),
        }
    })
    .await;
    let of = |token: &'static str, chats: &'static str| {
        let url = server.url();
        async move {
            let fields = form(&[
                ("server_url", &url),
                ("bot_token", token),
                ("chat_id", chats),
                ("silent", "true"),
                ("thread_id", "5"),
            ]);
            send("telegram", &fields).await
        }
    };
    let both = of("123:AbC", "@bench,-100200").await;
    assert_eq!(both.failed, None);
    let asked = server.asked();
    assert_eq!(asked.len(), 2, "one message a chat");
    let body = asked[1].json();
    assert_eq!(
        (
            &body["chat_id"],
            &body["disable_notification"],
            &body["message_thread_id"]
        ),
        (&(-100_200).into(), &true.into(), &5.into())
    );
    assert!(body.get("parse_mode").is_none(), "nothing in a drive's name is a mark");

    let partly = of("123:AbC", "@bench,@nobody").await;
    assert!(partly.done.contains("@bench"), "it is not told twice");
    assert_eq!(
        partly.failed.unwrap().words,
        "@nobody: answered 400: Bad Request: chat not found"
    );
    assert_eq!(
        of("999:bad", "1").await.failed.unwrap().words,
        "1: answered 401: Unauthorized"
    );
    server.put(answer(429, r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}"#));
    assert_eq!(
        of("123:AbC", "1").await.failed.unwrap().after,
        Some(Duration::from_secs(7))
    );
}

#[tokio::test]
async fn slack_by_webhook_and_by_bot() {
    let server = Receiver::start(|asked| {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        match asked.target.as_str() {
            "/services/T/B/C" if body["text"].is_string() => answer(200, "ok"),
            "/services/T/B/C" => answer(400, "no_text"),
            "/api/chat.postMessage" if asked.header("authorization") != "Bearer xoxb-1" => {
                answer(200, r#"{"ok":false,"error":"invalid_auth"}"#)
            }
            "/api/chat.postMessage" if body["channel"] == "#alerts" => answer(200, r#"{"ok":true,"ts":"1.2"}"#),
            "/api/chat.postMessage" => answer(200, r#"{"ok":false,"error":"channel_not_found"}"#),
            _ => answer(404, "no_service"),
        }
    })
    .await;
    let hook = format!("{}/services/T/B/C", server.url());
    assert_eq!(
        sent(
            "slack",
            &[("webhook_url", &hook), ("bot_name", "Kiln"), ("icon_emoji", ":fire:")]
        )
        .await,
        "200 ok"
    );
    let body = server.take().json();
    assert_eq!(
        (&body["username"], &body["icon_emoji"]),
        (&"Kiln".into(), &":fire:".into())
    );
    assert_eq!(body["attachments"][0]["title_link"], "http://kiln.local/jobs/7");
    let gone = failed("slack", &[("webhook_url", &hook.replace("/C", "/X"))]).await;
    assert_eq!((gone.words.as_str(), gone.retry), ("answered 404: no_service", false));

    let api = server.url();
    sent(
        "slack",
        &[("server_url", &api), ("bot_token", "xoxb-1"), ("channel", "#alerts")],
    )
    .await;
    let refused = failed(
        "slack",
        &[("server_url", &api), ("bot_token", "xoxb-1"), ("channel", "#none")],
    )
    .await;
    assert_eq!(
        (refused.words.as_str(), refused.retry),
        ("#none: answered 200: channel_not_found", false)
    );
    let refused = failed(
        "slack",
        &[("server_url", &api), ("bot_token", "xoxb-2"), ("channel", "#alerts")],
    )
    .await;
    assert!(refused.words.contains("invalid_auth"));
    server.put(limited("30", r#"{"ok":false,"error":"ratelimited"}"#));
    let wait = failed("slack", &[("webhook_url", &hook)]).await;
    assert_eq!((wait.retry, wait.after), (true, Some(Duration::from_secs(30))));
}

#[tokio::test]
async fn ntfy() {
    let server = Receiver::start(|asked| {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let basic = format!("Basic {}", STANDARD.encode("me:pw"));
        let known = ["Bearer tk_good", basic.as_str()].contains(&asked.header("authorization"));
        match (asked.method.as_str(), asked.target.as_str()) {
            ("POST", "/") if !known => answer(403, r#"{"code":40301,"http":403,"error":"forbidden","link":"https://ntfy.sh/docs/publish/#authentication"}"#),
            ("POST", "/") if body["topic"].is_string() && (1..=5).contains(&body["priority"].as_i64().unwrap()) => {
                answer(200, r#"{"id":"x","event":"message","topic":"t"}"#)
            }
            _ => answer(400, r#"{"code":40009,"http":400,"error":"invalid request: topic invalid"}"#),
        }
    })
    .await;
    let api = server.url();
    sent(
        "ntfy",
        &[
            ("server_url", &api),
            ("topic", "bench"),
            ("token", "tk_good"),
            ("tags", "floppy_disk"),
        ],
    )
    .await;
    let body = server.take().json();
    assert_eq!((&body["topic"], &body["priority"]), (&"bench".into(), &5.into()));
    assert_eq!(body["tags"], serde_json::json!(["rotating_light", "floppy_disk"]));
    assert_eq!(body["click"], "http://kiln.local/jobs/7");
    sent(
        "ntfy",
        &[
            ("server_url", &api),
            ("topic", "bench"),
            ("username", "me"),
            ("password", "pw"),
            ("priority", "2"),
        ],
    )
    .await;
    assert_eq!(server.take().json()["priority"], 2);
    let refused = failed("ntfy", &[("server_url", &api), ("topic", "bench"), ("token", "tk_bad")]).await;
    assert_eq!(
        (refused.words.as_str(), refused.retry),
        ("bench: answered 403: forbidden", false)
    );
    server.put(limited(
        "60",
        r#"{"code":42901,"http":429,"error":"limit reached: too many requests"}"#,
    ));
    let wait = failed(
        "ntfy",
        &[("server_url", &api), ("topic", "bench"), ("token", "tk_good")],
    )
    .await;
    assert_eq!((wait.retry, wait.after), (true, Some(Duration::from_mins(1))));
}

#[tokio::test]
async fn gotify() {
    let server = Receiver::start(|asked| {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        match (asked.target.as_str(), asked.header("x-gotify-key")) {
            ("/sub/message", "Agood") if body["message"].is_string() && body["priority"].is_i64() => answer(200, r#"{"id":25,"appid":5}"#),
            ("/sub/message", "Agood") => answer(400, r#"{"error":"Bad Request","errorCode":400,"errorDescription":"Field 'message' is required"}"#),
            ("/sub/message", _) => answer(401, r#"{"error":"Unauthorized","errorCode":401,"errorDescription":"you need to provide a valid access token or user credentials to access this api"}"#),
            _ => answer(404, r#"{"error":"Not Found","errorCode":404,"errorDescription":"page not found"}"#),
        }
    })
    .await;
    let api = format!("{}/sub/", server.url());
    sent("gotify", &[("server_url", &api), ("app_token", "Agood")]).await;
    let body = server.take().json();
    assert_eq!(body["priority"], 8);
    assert_eq!(
        body["extras"]["client::notification"]["click"]["url"],
        "http://kiln.local/jobs/7"
    );
    let refused = failed("gotify", &[("server_url", &api), ("app_token", "Abad")]).await;
    assert!(
        refused.words.contains("valid access token") && !refused.retry,
        "{refused:?}"
    );
    server.put(answer(502, "<html>nginx</html>"));
    let away = failed("gotify", &[("server_url", &api), ("app_token", "Agood")]).await;
    assert_eq!((away.words.as_str(), away.retry), ("answered 502 Bad Gateway", true));
}

#[tokio::test]
async fn pushover() {
    let server = Receiver::start(|asked| {
        let pairs: Vec<(String, String)> = String::from_utf8_lossy(&asked.body)
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), url::decode(value)))
            .collect();
        let get = |name: &str| pairs.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str());
        if asked.target != "/1/messages.json" || asked.header("content-type") != "application/x-www-form-urlencoded" {
            return answer(404, r#"{"status":0,"errors":["not found"]}"#);
        }
        match (get("token"), get("user"), get("message"), get("priority"), get("retry")) {
            (token, ..) if token != KEY => answer(400, r#"{"token":"invalid","errors":["application token is invalid"],"status":0,"request":"r"}"#),
            (_, user, ..) if user != KEY => answer(400, r#"{"user":"invalid","errors":["user identifier is not a valid user, group, or subscribed user key"],"status":0,"request":"r"}"#),
            (_, _, "", ..) => answer(400, r#"{"message":"cannot be blank","errors":["message cannot be blank"],"status":0,"request":"r"}"#),
            (_, _, _, "2", "") => answer(400, r#"{"errors":["retry must be supplied with priority=2"],"status":0}"#),
            _ => answer(200, r#"{"status":1,"request":"647d2300-702c-4b38-8b2f-d56326ae460b"}"#),
        }
    })
    .await;
    let api = server.url();
    sent(
        "pushover",
        &[
            ("server_url", &api),
            ("user_key", KEY),
            ("api_token", KEY),
            ("devices", "phone,watch"),
            ("sound", "siren"),
        ],
    )
    .await;
    let body = server.take().text();
    for pair in [
        "priority=1",
        "device=phone%2Cwatch",
        "sound=siren",
        "url=http%3A%2F%2Fkiln.local%2Fjobs%2F7",
        "timestamp=1700000000",
    ] {
        assert!(body.split('&').any(|p| p == pair), "{pair} in {body}");
    }
    sent(
        "pushover",
        &[
            ("server_url", &api),
            ("user_key", KEY),
            ("api_token", KEY),
            ("priority", "2"),
            ("retry", "30"),
            ("expire", "90"),
        ],
    )
    .await;
    let other = KEY.replace('a', "b");
    let refused = failed(
        "pushover",
        &[("server_url", &api), ("user_key", KEY), ("api_token", &other)],
    )
    .await;
    assert_eq!(
        (refused.words.as_str(), refused.retry),
        ("answered 400: application token is invalid", false)
    );
    server.put(answer(
        429,
        r#"{"status":0,"errors":["application token has exceeded its monthly message limit"]}"#,
    ));
    assert!(
        failed(
            "pushover",
            &[("server_url", &api), ("user_key", KEY), ("api_token", KEY)]
        )
        .await
        .retry
    );
}

#[tokio::test]
async fn signal() {
    let server = Receiver::start(|asked| {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        match asked.target.as_str() {
            "/v2/send" if body["number"] == "+491" && body["recipients"].is_array() => {
                answer(201, r#"{"timestamp":"1"}"#)
            }
            "/v2/send" => answer(
                400,
                r#"{"error":"Couldn't process request - number is not registered"}"#,
            ),
            _ => answer(404, "404 page not found"),
        }
    })
    .await;
    // A server may be given without http://, as in Vigil's form.
    let place = server.address.to_string();
    sent(
        "signal",
        &[("host", &place), ("number", "+491"), ("recipients", "+492, +493")],
    )
    .await;
    assert_eq!(server.take().json()["recipients"], serde_json::json!(["+492", "+493"]));
    let refused = failed(
        "signal",
        &[("host", &place), ("number", "+499"), ("recipients", "+492")],
    )
    .await;
    assert!(refused.words.contains("not registered"), "{refused:?}");
}

#[tokio::test]
async fn a_webhook_in_each_format() {
    let server = Receiver::start(|_| answer(204, "")).await;
    let hook = format!("{}/hook?x=1", server.url());
    sent(
        "generic",
        &[
            ("webhook_url", &hook),
            ("headers", "X-Api-Key: k\nX-B: 2"),
            ("username", "u"),
            ("password", "p"),
        ],
    )
    .await;
    let asked = server.take();
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/hook?x=1"));
    assert_eq!((asked.header("x-api-key"), asked.header("x-b")), ("k", "2"));
    assert_eq!(
        asked.header("authorization"),
        format!("Basic {}", STANDARD.encode("u:p"))
    );
    let body = asked.json();
    assert_eq!(
        (&body["severity"], &body["event_type"], &body["serial"]),
        (&"critical".into(), &"job.failed".into(), &"VGH0ABCD".into())
    );
    sent(
        "generic",
        &[("webhook_url", &hook), ("format", "text"), ("method", "PUT")],
    )
    .await;
    let asked = server.take();
    assert_eq!(asked.method, "PUT");
    assert!(asked.header("content-type").starts_with("text/plain"));
    assert!(
        asked.text().starts_with("[critical] [kiln] FAILED: WD80"),
        "{}",
        asked.text()
    );
    sent(
        "generic",
        &[
            ("webhook_url", &hook),
            ("format", "simple"),
            ("title_key", "t"),
            ("message_key", "m"),
            ("extra", "k: v"),
        ],
    )
    .await;
    let body = server.take().json();
    assert_eq!(
        (&body["t"], &body["k"]),
        (&"FAILED: WD80 …ABCD in bay 3".into(), &"v".into())
    );
    sent("generic", &[("webhook_url", &hook), ("method", "GET")]).await;
    let asked = server.take();
    assert!(
        asked.target.starts_with("/hook?x=1&title=FAILED%3A"),
        "{}",
        asked.target
    );
    assert!(asked.body.is_empty());
}

#[tokio::test]
async fn a_webhooks_failures_are_tried_again_but_for_gone_and_moved() {
    let server = Receiver::start(|_| answer(204, "")).await;
    let hook = server.url();
    for (status, retry, gone) in [
        (404, true, false),
        (500, true, false),
        (302, false, false),
        (410, false, true),
    ] {
        server.put(answer(status, "no"));
        let failed = failed("generic", &[("webhook_url", &hook)]).await;
        assert_eq!((failed.retry, failed.gone), (retry, gone), "{status}: {failed:?}");
    }
    assert_eq!(server.asked().len(), 4, "a redirect is not followed");
}

#[tokio::test]
async fn a_service_that_is_not_there_or_says_nothing_is_told_in_words() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let failed_ = failed("generic", &[("webhook_url", &nobody)]).await;
    assert!(
        failed_.retry && failed_.words.contains("connecting to 127.0.0.1"),
        "{failed_:?}"
    );
    let lost = failed("generic", &[("webhook_url", "http://no-such-host.invalid/")]).await;
    assert!(
        lost.retry && lost.words.contains("no-such-host.invalid was not found"),
        "{lost:?}"
    );
    // A server that speaks no TLS.
    let server = Receiver::start(|_| answer(204, "")).await;
    let tls = failed("generic", &[("webhook_url", &server.url().replace("http:", "https:"))]).await;
    assert!(tls.retry && tls.words.contains("TLS with 127.0.0.1"), "{tls:?}");
    assert!(server.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_never_answers_is_left_after_fifteen_seconds() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook = format!("http://{}", listener.local_addr().unwrap());
    let failed = failed("generic", &[("webhook_url", &hook)]).await;
    assert_eq!((failed.words.as_str(), failed.retry), ("no answer within 15 s", true));
}

/// It has the message: told so, and not sent again.
#[tokio::test]
async fn an_answer_whose_body_never_ends_counts_by_its_head() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _asked = stream.read(&mut [0; 8192]).await;
                let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                let _sent = stream.write_all(head).await;
                // A byte now and then.
                while stream.write_all(b"1\r\nx\r\n").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            });
        }
    });
    let hook = format!("http://{place}");
    assert_eq!(sent("generic", &[("webhook_url", &hook)]).await, "200");
    // Its answer is in the body.
    let pushover = [("user_key", KEY), ("api_token", KEY), ("server_url", &hook)];
    let failed = failed("pushover", &pushover).await;
    assert!(failed.retry && failed.words.contains("no end"), "{failed:?}");
}

/// Some look through a mail before they take it; given up sooner, it would come twice.
#[tokio::test(start_paused = true)]
async fn a_mail_server_has_minutes_for_its_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let to = [
        ("from", "kiln@example.org"),
        ("to", "bench@example.org"),
        ("security", "none"),
    ];
    let failed = failed("email", &[&to[..], &[("host", "127.0.0.1"), ("port", &port)]].concat()).await;
    assert!(failed.retry && failed.words.contains("90 s"), "{failed:?}");
}

#[tokio::test]
async fn a_name_that_leads_to_a_metadata_address_is_refused_on_the_way() {
    // As a number of its own, the address passes the form as a name; the resolver makes the address of it.
    let refused = failed("generic", &[("webhook_url", "http://2852039166/latest/meta-data/")]).await;
    assert!(
        refused.words.contains("link-local or metadata address") && !refused.retry,
        "{refused:?}"
    );
    assert!(Channel::read("generic", &form(&[("webhook_url", "http://169.254.169.254/")])).is_err());
}
