//! An add-on's frames for a page that wants those of one drive alone.

use serde_json::{Value, json};

use crate::box_::Box_;
use crate::client::Events;
use crate::shed::{Shed, send};

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
