//! Logging out, where programs behind other ports of the same host have cookies of their own.

use serde_json::json;

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
