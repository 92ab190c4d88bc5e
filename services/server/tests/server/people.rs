//! Passwords: changed by their owner, lost and found again by whoever stands before the box.

use serde_json::json;

use crate::box_::{Box_, PASSWORD};

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
    let path = |one: &serde_json::Value| format!("/api/v1/sessions/{}", one["id"].as_str().unwrap());
    assert_eq!(first.delete(&path(&other)).await.status, 204);
    assert_eq!(phone.get("/api/v1/session").await.status, 401);
    let again = first.delete(&path(&other)).await;
    assert_eq!((again.status, again.problem().as_str()), (404, "session-unknown"));
    assert_eq!(first.get("/api/v1/sessions").await.json(), json!([own]));
    assert_eq!(server.client().get("/api/v1/sessions").await.status, 401);
}

#[tokio::test]
async fn whoever_stands_before_the_box_gets_in_again() {
    let server = Box_::claimed().await;
    let mut old = server.admin().await;
    server.app.recover(0).await;
    assert_eq!(
        server.app.claim(|claim| claim.code().cloned()),
        None,
        "the first count is history"
    );
    server.app.recover(1).await;
    let code = server.app.claim(|claim| claim.code().map(|code| code.text())).unwrap();
    let of_box = server.client().get("/api/v1/box").await;
    assert_eq!(of_box.json()["claimed"], false, "the page asks for the code");
    let claim = json!({ "code": code, "username": "admin", "password": "battery staple" });
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
}
