//! What one sender may take of the box: manifests, reports, request bodies.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::box_::Box_;
use crate::client::PATIENCE;
use crate::shed::{Shed, manifest, send, warned};

#[tokio::test]
async fn manifests_of_one_add_on_are_throttled_with_an_answer_and_a_line() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let shed = Shed::new(&mut admin, "").await;
    let mut page = shed.page(&admin).await;
    let mut addon = made.client();
    addon.headers.push(("authorization", format!("Bearer {}", shed.token)));
    let of = |n: u32| {
        let mut manifest = manifest();
        manifest["version"] = format!("1.0.{n}").into();
        json!({ "manifest": manifest })
    };
    for n in 0..10 {
        assert_eq!(addon.post("/api/addons/connect", &of(n)).await.status, 200);
    }
    let answer = addon.post("/api/addons/connect", &of(10)).await;
    assert_eq!((answer.status, answer.problem().as_str()), (429, "too-often"));
    let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((25..=31).contains(&wait), "{wait}");
    warned(&mut page, "every 30 s").await;
    // Down the socket it is the same room.
    let mut socket = shed.socket(&made).await;
    send(
        &mut socket,
        &json!({ "type": "manifest", "payload": of(11)["manifest"] }),
    )
    .await;
    warned(&mut page, "send it again in").await;
    assert_eq!(
        admin.get(&shed.path("")[..shed.path("").len() - 1]).await.json()["version"],
        "1.0.9"
    );
    made.clock.advance(Duration::from_secs(31));
    assert_eq!(addon.post("/api/addons/connect", &of(12)).await.status, 200);
}

#[tokio::test]
async fn bodies_of_one_address_leave_room_for_others_and_are_given_back() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let cookie = admin.cookie.clone().unwrap();
    let length = 1 << 20;
    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(made.address).await.unwrap();
        let head = format!(
            "POST /api/addons HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {cookie}\r\ncontent-length: {length}\r\n\r\n",
            made.address
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // All but the last byte: the server waits for it.
        stream.write_all(&vec![b' '; length - 1]).await.unwrap();
        streams.push(stream);
    }
    let held = |want: usize| {
        let app = &made.app;
        let reached = async move {
            while app.bodies.held() != want {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, reached)
    };
    held(8 * (length - 1)).await.unwrap();
    let answer = admin
        .post("/api/addons/tokens", &json!({ "name": "x".repeat(100) }))
        .await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "busy"));
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(admin.get("/api/addons").await.status, 200, "what has no body goes on");
    // One is finished and answered; the others break off.
    let mut first = streams.remove(0);
    first.write_all(b" ").await.unwrap();
    let mut status = [0; 12];
    first.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 400");
    drop(streams);
    held(0).await.unwrap();
    assert_eq!(
        admin.post("/api/addons/tokens", &json!({ "name": "x" })).await.status,
        201
    );
}

#[tokio::test]
async fn heads_that_never_end_leave_room_for_other_addresses_and_for_who_is_there() {
    let made = Box_::claimed().await;
    let admin = made.admin().await;
    let mut stream = admin.events("/api/v1/stream").await;
    stream.named("box").await;
    let half = [b"GET / HTTP/1.1\r\nx: ".as_slice(), &[b'x'; 60_000]].concat();
    let mut halves = Vec::new();
    let mut closed = 0;
    for _ in 0..150 {
        let mut half_sent = TcpStream::connect(made.address).await.unwrap();
        // The server may hang up in the middle: that is what is tested.
        let _closed = half_sent.write_all(&half).await;
        halves.push(half_sent);
    }
    let judged = async {
        while closed == 0 {
            for half_sent in &halves {
                closed += usize::from(matches!(half_sent.try_read(&mut [0]), Ok(0)));
                closed += usize::from(
                    half_sent
                        .try_read(&mut [0])
                        .is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock),
                );
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, judged).await.unwrap();
    // Who is there already hears on, and another address is answered.
    made.app
        .record("test.one", wire::event::Severity::Info, "live".into(), json!(null))
        .await;
    stream.logged("test.one").await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(made.address).await.unwrap();
    let whole = format!("GET /health HTTP/1.1\r\nhost: {}\r\n\r\n", made.address);
    other.write_all(whole.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    tokio::time::timeout(PATIENCE, other.read_exact(&mut status))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    // What was half is given back.
    drop(halves);
    let mut again = made.client();
    assert_eq!(again.get("/health").await.status, 200);
}
