//! Passwords: changed by their owner, lost and found again by whoever stands before the box.

use std::sync::Arc;

use http::{Method, Request};
use serde_json::{Value, json};
use server::http::{Hosts, Peer, router};
use server::tls::Way;
use tower::ServiceExt;

use crate::box_::{Box_, PASSWORD};

/// What the box answers to whoever has this address: status, and the session's value where it gives one.
async fn from(server: &Box_, address: &str, way: (Method, &str), body: &Value, session: &str) -> (u16, Option<String>) {
    let mut request = Request::builder().method(way.0).uri(way.1);
    request = request
        .header("host", "kiln.local")
        .header("content-type", "application/json");
    if !session.is_empty() {
        request = request.header("authorization", format!("Bearer {session}"));
    }
    let mut request = request.body(axum::body::Body::from(body.to_string())).unwrap();
    let at = std::net::SocketAddr::new(address.parse().unwrap(), 50_000);
    request.extensions_mut().insert(Peer::Tcp(at));
    request.extensions_mut().insert(Way::Plain);
    let router = router(Arc::clone(&server.app), Hosts::default());
    let answer = router.oneshot(request).await.unwrap();
    let cookie = answer.headers().get("set-cookie").map(|value| {
        let (_, rest) = value.to_str().unwrap().split_once('=').unwrap();
        rest.split(';').next().unwrap().to_owned()
    });
    (answer.status().as_u16(), cookie)
}

async fn log_in(server: &Box_, address: &str, password: &str) -> (u16, Option<String>) {
    let form = json!({ "username": "admin", "password": password });
    from(server, address, (Method::POST, "/api/v1/session"), &form, "").await
}

#[tokio::test]
async fn a_neighbour_who_guesses_locks_nobody_out_who_was_right_before() {
    const OWN: &str = "2001:db8::1";
    let server = Box_::claimed().await;
    let (status, session) = log_in(&server, OWN, PASSWORD).await;
    assert_eq!(status, 200);
    for _ in 0..5 {
        assert_eq!(log_in(&server, "2001:db8::bad", "wrong horse").await.0, 401);
    }
    for stranger in ["2001:db8::bad", "2001:db8::2"] {
        let refused = log_in(&server, stranger, PASSWORD).await.0;
        assert_eq!(refused, 429, "one network, one count: {stranger}");
    }
    assert_eq!(log_in(&server, OWN, PASSWORD).await.0, 200);
    // Who is in goes on, also from an address that nobody knows.
    let change = (Method::PUT, "/api/v1/session/password");
    let form = |old: &str| json!({ "old": old, "new": PASSWORD });
    let session = session.unwrap();
    let changed = from(&server, "2001:db8::3", change.clone(), &form(PASSWORD), &session).await;
    assert_eq!(changed.0, 204);
    // An address that was right has five tries as every other.
    for _ in 0..5 {
        assert_eq!(log_in(&server, OWN, "wrong horse").await.0, 401);
    }
    assert_eq!(log_in(&server, OWN, PASSWORD).await.0, 429);
    // One's own password is counted by the person, wherever the tries come from.
    for n in 0..6 {
        let address = format!("10.0.0.{n}");
        let wrong = from(&server, &address, change.clone(), &form("wrong"), &session).await;
        assert_eq!(wrong.0, if n < 5 { 403 } else { 429 }, "try {n}");
    }
    assert_eq!(log_in(&server, "10.0.0.9", PASSWORD).await.0, 200);
}

#[tokio::test]
async fn a_changed_password_ends_all_other_sessions() {
    let server = Box_::claimed().await;
    let (mut first, mut other) = (server.admin().await, server.admin().await);
    let wrong = json!({ "old": "not this one", "new": "battery staple" });
    assert_eq!(first.put("/api/v1/session/password", &wrong).await.status, 403);
    let short = json!({ "old": PASSWORD, "new": "short" });
    assert_eq!(first.put("/api/v1/session/password", &short).await.status, 422);
    assert_eq!(other.get("/api/v1/session").await.status, 200);
    let right = json!({ "old": PASSWORD, "new": "battery staple" });
    assert_eq!(first.put("/api/v1/session/password", &right).await.status, 204);
    assert_eq!(first.get("/api/v1/session").await.status, 200);
    assert_eq!(other.get("/api/v1/session").await.status, 401);
    let login = |password: &str| json!({ "username": "admin", "password": password });
    assert_eq!(
        server.client().post("/api/v1/session", &login(PASSWORD)).await.status,
        401
    );
    assert_eq!(
        server
            .client()
            .post("/api/v1/session", &login("battery staple"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn ones_own_sessions_are_listed_and_each_is_ended_by_itself() {
    let server = Box_::claimed().await;
    let mut first = server.admin().await;
    let mut phone = server.client();
    phone.headers.push(("user-agent", "Phone/1".into()));
    let login = json!({ "username": "admin", "password": PASSWORD });
    assert_eq!(phone.post("/api/v1/session", &login).await.status, 200);
    let all = first.get("/api/v1/sessions").await;
    let list = all.json();
    let find = |own: bool| {
        list.as_array()
            .unwrap()
            .iter()
            .find(|one| one["own"] == own)
            .unwrap()
            .clone()
    };
    let (own, other) = (find(true), find(false));
    assert_eq!(list.as_array().unwrap().len(), 2, "{list}");
    assert_eq!(
        (&other["program"], &other["address"]),
        (&json!("Phone/1"), &json!("127.0.0.1"))
    );
    for cookie in [&first.cookie, &phone.cookie] {
        assert!(!all.text.contains(cookie.as_deref().unwrap()), "{all:?}");
    }
    let path = |one: &Value| format!("/api/v1/sessions/{}", one["id"].as_str().unwrap());
    assert_eq!(first.delete(&path(&other)).await.status, 204);
    assert_eq!(phone.get("/api/v1/session").await.status, 401);
    let again = first.delete(&path(&other)).await;
    assert_eq!((again.status, again.problem().as_str()), (404, "session-unknown"));
    assert_eq!(first.get("/api/v1/sessions").await.json(), json!([own]));
    assert_eq!(server.client().get("/api/v1/sessions").await.status, 401);
}

#[tokio::test]
async fn a_clock_that_is_set_by_years_locks_nobody_out_and_keeps_nobody_in() {
    const YEARS: i64 = 8 * 365 * 86_400;
    let server = Box_::claimed().await;
    let mut admin = server.admin().await;
    for by in [YEARS, -2 * YEARS, YEARS] {
        server.clock.set(by);
        let session = admin.get("/api/v1/session").await;
        assert_eq!(session.status, 200, "{by}");
        let until: wire::Time = session.json()["expires"].as_str().unwrap().parse().unwrap();
        let left = until.duration_since(server.clock.now().wall).as_secs();
        assert!(
            (86_000..=86_400).contains(&left),
            "it ends in {left} s by the clock as it is"
        );
        // Nobody waits for years after wrong passwords, and a fresh login is good at once.
        let wrong = json!({ "username": "admin", "password": "not this one" });
        for _ in 0..6 {
            server.client().post("/api/v1/session", &wrong).await;
        }
        server.clock.advance(std::time::Duration::from_secs(61));
        assert_eq!(server.admin().await.get("/api/v1/session").await.status, 200);
    }
    server.clock.advance(std::time::Duration::from_hours(24));
    server.clock.set(-YEARS);
    assert_eq!(admin.get("/api/v1/session").await.status, 401, "a day is over");
}

#[tokio::test]
async fn a_name_is_changed_with_the_password_and_the_session_goes_on() {
    let server = Box_::claimed().await;
    let mut admin = server.admin().await;
    let form = |name: &str, password: &str| json!({ "new_username": name, "current_password": password });
    let path = "/api/users/username";
    assert_eq!(admin.post(path, &form("a b", PASSWORD)).await.problem(), "bad-username");
    assert_eq!(
        admin.post(path, &form("ada", "wrong")).await.problem(),
        "password-wrong"
    );
    let done = admin.post(path, &form("ada", PASSWORD)).await;
    assert_eq!(
        (done.status, done.json()),
        (200, json!({ "status": "username_updated", "new_username": "ada" }))
    );
    assert_eq!(admin.get("/api/users/me").await.json()["username"], "ada");
    let login = |name: &str| json!({ "username": name, "password": PASSWORD });
    assert_eq!(
        server.client().post("/api/auth/login", &login("admin")).await.status,
        401
    );
    assert_eq!(server.client().post("/api/auth/login", &login("ada")).await.status, 200);
    // In other letters it is the same person.
    assert_eq!(admin.post(path, &form("Ada", PASSWORD)).await.status, 200);
    assert_eq!(admin.get("/api/users/me").await.json()["username"], "Ada");
}

#[tokio::test]
async fn whoever_stands_before_the_box_gets_in_again() {
    let dir = tempfile::tempdir().unwrap();
    let code = |server: &Box_| server.app.claim(|claim| claim.code().map(|code| code.text()));
    let server = Box_::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
    server.app.recover("boot", 0).await;
    assert_eq!(code(&server), None);
    // Typed while the server was still opening its store, or before it ended: it hears of it first of all.
    server.app.recover("boot", 1).await;
    let before = code(&server).unwrap();
    let again = async |server: Box_| {
        server.app.shut_down().await;
        drop(server);
        crate::gate::reopen(dir.path(), None).await
    };
    let server = again(server).await;
    let mut old = server.admin().await;
    assert_eq!(code(&server), None, "until PID 1 is heard");
    server.app.recover("boot", 1).await;
    let code_now = code(&server).unwrap();
    assert_ne!(code_now, before);
    let of_box = server.client().get("/api/v1/box").await;
    assert_eq!(of_box.json()["claimed"], false, "the page asks for the code");
    let claim = json!({ "code": code_now, "username": "admin", "password": "battery staple" });
    assert_eq!(server.client().post("/api/v1/claim", &claim).await.status, 200);
    assert_eq!(old.get("/api/v1/session").await.status, 401, "who was in is out");
    let login = |password: &str| json!({ "username": "admin", "password": password });
    assert_eq!(
        server.client().post("/api/v1/session", &login(PASSWORD)).await.status,
        401
    );
    assert_eq!(
        server
            .client()
            .post("/api/v1/session", &login("battery staple"))
            .await
            .status,
        200
    );
    assert_eq!(
        server.client().post("/api/v1/claim", &claim).await.status,
        409,
        "the code is used up"
    );
    let server = again(server).await;
    server.app.recover("boot", 1).await;
    assert_eq!(code(&server), None, "an answered wish opens nothing again");
    server.app.recover("boot", 2).await;
    assert!(code(&server).is_some());
}

/// Nobody could see or remove the account whose password was lost.
#[tokio::test]
async fn who_gets_in_again_under_another_name_is_the_only_owner() {
    let dir = tempfile::tempdir().unwrap();
    let server = Box_::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
    let mut before = server.admin().await;
    server.app.recover("boot", 1).await;
    let code = server.app.claim(|claim| claim.code().map(|code| code.text())).unwrap();
    let claim = json!({ "code": code, "username": "ada", "password": "battery staple" });
    assert_eq!(server.client().post("/api/v1/claim", &claim).await.status, 200);
    assert_eq!(before.get("/api/v1/session").await.status, 401);
    let login = |name: &str, password: &str| json!({ "username": name, "password": password });
    let enters = async |server: &Box_, login| server.client().post("/api/v1/session", &login).await.status;
    assert_eq!(enters(&server, login("admin", PASSWORD)).await, 401);
    assert_eq!(enters(&server, login("ada", "battery staple")).await, 200);
    server.app.shut_down().await;
    drop(server);
    let server = crate::gate::reopen(dir.path(), None).await;
    assert_eq!(enters(&server, login("admin", PASSWORD)).await, 401);
    assert_eq!(enters(&server, login("ada", "battery staple")).await, 200);
    let mut still = server.client();
    still.cookie = before.cookie;
    assert_eq!(still.get("/api/v1/session").await.status, 401);
}
