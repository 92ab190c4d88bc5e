//! The token by which an add-on knows its server, where that asks at the add-on's own address.

use serde_json::json;

use crate::addon::raw;
use crate::box_::Box_;
use crate::client::Client;
use crate::shed::{Listening, Shed};

/// Asks on every road that leads to the add-on's address; what came along on each as `Authorization`.
async fn asked(admin: &mut Client, shed: &Shed, listening: &Listening) -> Vec<Option<String>> {
    assert_eq!(admin.get(&shed.path("proxy?path=/api/agents")).await.status, 200);
    let rate = json!({ "rate": 3 });
    let written = admin.post(&shed.path("proxy?path=/api/set_rate"), &rate).await;
    assert_eq!(written.status, 200, "{written:?}");
    let form = json!({ "component_id": "tune", "action": "set_rate", "data": rate });
    assert_eq!(admin.post(&shed.path("action"), &form).await.status, 200);
    let source = format!("/api/v1/addons/{}/sources/active_jobs", shed.id);
    assert_eq!(admin.get(&source).await.json()["items"][0]["job_id"], "from-address");
    let asked = listening.asked();
    assert_eq!(asked.len(), 4);
    asked.into_iter().map(|asked| asked.authorization).collect()
}

#[tokio::test]
async fn an_add_on_is_asked_with_the_token_that_it_connected_with() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let listening = Listening::start().await;
    let shed = Shed::new(&mut admin, &listening.url()).await;
    let elsewhere = Listening::start().await;
    let other = Shed::new(&mut admin, &elsewhere.url()).await;
    let with = |token: &str| vec![Some(format!("Bearer {token}")); 4];
    let without: Vec<Option<String>> = vec![None; 4];
    assert_eq!(
        asked(&mut admin, &shed, &listening).await,
        without,
        "before it connects there is only a hash"
    );

    let mut page = shed.page(&admin).await;
    let first = shed.socket(&made).await;
    page.named("status").await;
    assert_eq!(asked(&mut admin, &shed, &listening).await, with(&shed.token));
    assert_eq!(
        asked(&mut admin, &other, &elsewhere).await,
        without,
        "no other add-on gets it"
    );
    assert_eq!(
        admin.get(&shed.path("proxy?path=/api/away")).await.problem(),
        "addon-redirects"
    );
    assert_eq!(listening.asked().len(), 1, "nor whoever it points to");

    let rotated = admin.post(&shed.path("rotate-token"), &json!({})).await.json();
    let token = rotated["token"].as_str().unwrap();
    assert_eq!(
        asked(&mut admin, &shed, &listening).await,
        with(&shed.token),
        "the add-on has no other yet"
    );
    let second = raw(&made, shed.id, token).await.unwrap();
    page.named("status").await;
    assert_eq!(asked(&mut admin, &shed, &listening).await, with(token));

    drop((first, second));
    while page.named("status").await.data["type"] != "disconnected" {}
    assert_eq!(
        asked(&mut admin, &shed, &listening).await,
        without,
        "kept for no longer than the connection"
    );
}
