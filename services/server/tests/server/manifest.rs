//! Manifests over the wire: the published schema, and that a bad one is answered with every flaw and does no harm.

use serde_json::{Value, json};

use crate::addon::registered;
use crate::box_::Box_;
use crate::client::Client;

fn good() -> Value {
    json!({ "name": "shed", "version": "1", "pages": [{ "id": "main", "title": "Main", "components": [{ "type": "log-viewer", "id": "logs" }] }] })
}

/// Three flaws, of shape and of rule.
fn bad() -> Value {
    json!({ "name": "shed", "pages": [{ "id": "main", "title": "Main", "components": [
        { "type": "gauge", "id": "logs" }, { "type": "log-viewer", "id": "logs" }] }] })
}

fn assert_all_three(detail: &Value) {
    let lines: Vec<&str> = detail.as_str().unwrap().lines().collect();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    for (line, place) in lines.iter().zip([
        "version: ",
        "pages[0].components[0].type: ",
        "pages[0].components[1].id: ",
    ]) {
        assert!(line.starts_with(place), "{line} is not about {place}");
    }
}

#[tokio::test]
async fn the_schema_of_manifests_and_frames_is_read_by_anybody() {
    let made = Box_::unclaimed().await;
    for (path, title) in [
        ("/schemas/manifest.json", "Manifest of an add-on"),
        ("/schemas/frames.json", "Frame of Kiln's add-on protocol"),
    ] {
        let answer = Client::new(made.address).get(path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "application/schema+json");
        assert_eq!(answer.json()["title"], title);
    }
}

#[tokio::test]
async fn a_bad_manifest_is_answered_with_every_flaw_by_each_road() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, token) = registered(&mut admin).await;
    let mut addon = Client::new(made.address);
    addon.headers.push(("authorization", format!("Bearer {token}")));

    let connect = addon.post("/api/addons/connect", &json!({ "manifest": bad() })).await;
    let upsert = admin.post("/api/addons", &json!({ "manifest": bad() })).await;
    let register = admin
        .post("/api/addons/register", &json!({ "name": "other", "manifest": bad() }))
        .await;
    for answer in [connect, upsert, register] {
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.problem(), "bad-manifest");
        assert_all_three(&answer.json()["detail"]);
    }
    let known = admin.get("/api/addons").await.json();
    assert!(
        known.as_array().unwrap().iter().all(|addon| addon["name"] != "other"),
        "nothing was made"
    );

    let connect = addon.post("/api/addons/connect", &json!({ "manifest": good() })).await;
    assert_eq!(connect.status, 200, "{connect:?}");
    assert_eq!(connect.json()["addon_id"], id);
    let refused = addon.post("/api/addons/connect", &json!({ "manifest": bad() })).await;
    assert_eq!(refused.status, 400);
    let kept = admin.get(&format!("/api/addons/{id}")).await.json();
    let kept: Value = serde_json::from_str(kept["manifest_json"].as_str().unwrap()).unwrap();
    assert_eq!(kept, good(), "the one before stays");
}

#[tokio::test]
async fn a_manifest_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (_, token) = registered(&mut admin).await;
    let mut addon = Client::new(made.address);
    addon.headers.push(("authorization", format!("Bearer {token}")));
    for (length, status) in [(262_144, 200), (262_145, 400)] {
        let bare = good().to_string();
        let manifest = format!("{{{}{}", " ".repeat(length - bare.len()), &bare[1..]);
        assert_eq!(manifest.len(), length);
        let body = format!("{{\"manifest\":{manifest}}}");
        let answer = addon
            .raw(
                ::http::Method::POST,
                "/api/addons/connect",
                Some(("application/json", body.into())),
            )
            .await;
        assert_eq!(answer.status, status, "{length}: {answer:?}");
    }
}
