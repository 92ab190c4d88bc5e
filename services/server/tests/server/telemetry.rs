//! An add-on's frames for a page that wants those of one drive alone.

use serde_json::{Value, json};
use server::auth::vault::session::SESSION;

use crate::box_::Box_;
use crate::client::Events;
use crate::shed::{Shed, received, send, send_text, warned};

/// The numbers of the next three frames.
async fn three(page: &mut Events) -> Vec<Value> {
    let mut numbers = Vec::new();
    for _ in 0..3 {
        numbers.push(page.named("telemetry").await.data["payload"]["n"].take());
    }
    numbers
}

#[tokio::test]
async fn a_page_of_one_drive_gets_its_frames_as_they_come_and_again() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let shed = Shed::new(&mut admin, "").await;
    let mut by_drive = admin.events(&shed.path("telemetry?drive=S1")).await;
    by_drive.named("connected").await;
    let mut by_serial = admin.events(&shed.path("telemetry?serial=S1&color=blue")).await;
    by_serial.named("connected").await;
    let mut by_job = admin.events(&shed.path("telemetry?job=j&drive=S1")).await;
    by_job.named("connected").await;

    let mut socket = shed.socket(&made).await;
    for payload in [
        json!({ "n": 1, "serial": "S2" }),
        json!({ "n": 2, "serial": "S1", "job_id": "j" }),
        json!({ "n": 3, "target": "S2", "job_id": "j" }),
        json!({ "n": 4, "metadata": { "serial": "S1" } }),
        json!({ "n": 5 }),
    ] {
        send(&mut socket, &json!({ "type": "telemetry", "payload": payload })).await;
    }
    let want = [json!(2), json!(4), json!(5)];
    assert_eq!(three(&mut by_drive).await, want);
    assert_eq!(three(&mut by_serial).await, want);
    assert_eq!(three(&mut by_job).await, want);

    let mut back = admin.clone();
    back.headers.push(("last-event-id", "0".to_owned()));
    let mut again = back.events(&shed.path("telemetry?drive=S1")).await;
    assert_eq!(
        three(&mut again).await,
        want,
        "what is told again goes through the same sieve"
    );
    let bad = admin.get(&shed.path("telemetry?drive=a&drive=b")).await;
    assert_eq!(bad.problem(), "bad-query");
}

#[tokio::test]
async fn a_page_whose_session_is_over_is_given_no_more_frames() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let shed = Shed::new(&mut admin, "").await;
    // Its day is nearly over.
    made.clock
        .advance(SESSION.saturating_sub(std::time::Duration::from_secs(30)));
    let mut page = admin.events(&shed.path("telemetry")).await;
    page.named("connected").await;
    let mut socket = shed.socket(&made).await;
    made.clock.advance(std::time::Duration::from_secs(61));
    // It waited for this one already; before the next the session is looked at.
    send(&mut socket, &json!({ "type": "telemetry", "payload": { "n": 1 } })).await;
    assert_eq!(page.named("telemetry").await.data["payload"]["n"], 1);
    send(&mut socket, &json!({ "type": "telemetry", "payload": { "n": 2 } })).await;
    while let Some(sent) = page.next().await {
        assert_ne!(sent.data["payload"]["n"], 2, "told to a session that is over");
    }
}

/// What is not taken goes back to who sent it, in words, and stands in its log; the next frame is taken.
#[tokio::test]
async fn a_sender_is_told_what_of_its_frames_was_not_taken() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let shed = Shed::new(&mut admin, "").await;
    let mut page = admin.events(&shed.path("telemetry")).await;
    page.named("connected").await;
    let mut socket = shed.socket(&made).await;
    for (sent, told) in [
        ("{", "not JSON"),
        (r#"{"type":"progress","payload":{"percent":"half"}}"#, "percent"),
        (
            r#"{"type":"notification","payload":{"event_type":"addon_online","message":"x"}}"#,
            "addon_online",
        ),
        (r#"{"type":"log","payload":{"level":"loud","message":"x"}}"#, "loud"),
        (r#"{"type":"result","payload":{"request_id":"nobody"}}"#, "result"),
    ] {
        // About one a second is told.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        send_text(&mut socket, sent).await;
        let answer = received(&mut socket, "error").await;
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(told), "{sent}: {message}");
        assert_eq!(warned(&mut page, told).await, message);
    }
    send(&mut socket, &json!({ "type": "telemetry", "payload": { "n": 1 } })).await;
    assert_eq!(page.named("telemetry").await.data["payload"]["n"], 1);
}

/// Forged tokens and manifests that come another way are answered where they came, and stand in the log of whose number was used.
#[tokio::test]
async fn what_is_refused_before_there_is_a_frame_stands_in_the_add_ons_log_too() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let shed = Shed::new(&mut admin, "").await;
    let other = Shed::new(&mut admin, "").await;
    let mut page = shed.page(&admin).await;
    let mut socket = shed.socket(&made).await;
    assert_eq!(crate::addon::raw(&made, shed.id, "forged").await.err(), Some(401));
    warned(&mut page, "missing or wrong").await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(crate::addon::raw(&made, shed.id, &other.token).await.err(), Some(401));
    warned(&mut page, "belongs to another add-on").await;
    let mut daemon = made.client();
    daemon.headers.push(("authorization", format!("Bearer {}", shed.token)));
    for (manifest, word) in [
        (json!({ "name": 5 }), "name: 5"),
        (json!({ "name": "x".repeat(300_000) }), "262144"),
    ] {
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let refused = daemon
            .post("/api/addons/connect", &json!({ "manifest": manifest }))
            .await;
        assert_eq!(refused.problem(), "bad-manifest");
        warned(&mut page, word).await;
    }
    // Who sent none of it is not told.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    send_text(&mut socket, "{").await;
    let told = received(&mut socket, "error").await;
    assert!(told["message"].as_str().unwrap().contains("not JSON"), "{told}");
}
