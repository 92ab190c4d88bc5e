//! The end of a session: where programs behind other ports of the same host have cookies of their own, and for a request that it meets
//! on its way.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::box_::{Box_, PASSWORD};
use crate::client::Answer;

/// The names of the cookies that an answer takes out of the browser.
fn taken(answer: &Answer) -> Vec<&str> {
    let set = answer.headers.get_all("set-cookie").iter();
    set.filter_map(|value| value.to_str().unwrap().split_once("=; Path=/; Max-Age=0;"))
        .map(|(name, _)| name)
        .collect()
}

#[tokio::test]
async fn a_logout_takes_vigils_cookie_only_where_it_is_ours() {
    let made = Box_::claimed().await;
    let mut page = made.admin().await;
    let own = page.cookie.take().unwrap();
    page.headers
        .push(("cookie", format!("session=anothers; kiln_session={own}")));
    let out = page.delete("/api/v1/session").await;
    assert_eq!((out.status, taken(&out)), (204, vec!["kiln_session"]));
    assert_eq!(page.get("/api/v1/session").await.status, 401);

    let login = json!({ "username": "admin", "password": PASSWORD });
    for by_bearer in [false, true] {
        let answer = made.client().post("/api/auth/login", &login).await.json();
        let token = answer["token"].as_str().unwrap();
        let mut vigil = made.client();
        vigil
            .headers
            .push(("cookie", format!("session=anothers; session={token}")));
        if by_bearer {
            vigil.headers.push(("authorization", format!("Bearer {token}")));
        }
        let out = vigil.delete("/api/v1/session").await;
        assert_eq!((out.status, taken(&out)), (204, vec!["kiln_session", "session"]));
        assert_eq!(vigil.get("/api/users/me").await.status, 401);
    }
}

/// Whoever holds back a request's last byte until its session is over may have taken it: nothing of it is done.
#[tokio::test]
async fn a_request_whose_session_ends_before_its_body_has_come_is_refused() {
    let made = Box_::claimed().await;
    for (method, path, body) in [
        ("POST", "/api/addons/tokens", json!({ "name": "kept back" })),
        (
            "PUT",
            "/api/v1/playbooks/kept-back",
            json!({ "text": "steps = [\"probe\"]" }),
        ),
        (
            "POST",
            "/api/v1/plans/0/start",
            json!({ "ticket": "", "signature": "" }),
        ),
        ("POST", "/api/v1/update", json!({ "url": "http://127.0.0.1:9/x" })),
    ] {
        let mut page = made.admin().await;
        let token = page.cookie.clone().unwrap();
        let body = body.to_string();
        let mut stream = TcpStream::connect(made.address).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{}",
            made.address,
            body.len(),
            &body[..1]
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // It is under way.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert_eq!(page.delete("/api/v1/session").await.status, 204);
        stream.write_all(&body.as_bytes()[1..]).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 401 ") && answer.contains("not-logged-in"),
            "{path}: {answer}"
        );
    }
    let tokens = made.admin().await.get("/api/addons/tokens").await.json();
    assert_eq!(tokens, json!([]));
}
