//! An add-on from elsewhere, played: registered, with a manifest, over its socket or at an address of its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::addon::{RawSocket, raw};
use crate::box_::Box_;
use crate::client::{Client, Events, PATIENCE};

/// A manifest with everything that can be asked of an add-on.
pub(crate) fn manifest() -> Value {
    json!({ "name": "shed", "version": "1.0.0", "pages": [{ "id": "main", "title": "Main", "components": [
        { "type": "form", "id": "controls", "title": "Controls", "config": { "action": "start_job", "fields": [
            { "name": "target", "label": "Target", "type": "select", "required": true, "options": [{ "value": "sda", "label": "sda" }] },
            { "name": "passes", "label": "Passes", "type": "number", "min": 1, "max": 4 },
            { "name": "confirm", "label": "I understand", "type": "checkbox", "security_gate": true } ] } },
        { "type": "form", "id": "tune", "title": "Tune", "config": { "action": "set_rate", "fields": [
            { "name": "rate", "label": "Rate", "type": "number", "required": true, "min": 1, "max": 10 } ] } },
        { "type": "progress", "id": "jobs", "title": "Jobs", "config": { "cancel": { "enabled": true, "endpoint": "/api/jobs", "method": "DELETE" } } },
        { "type": "log-viewer", "id": "logs", "title": "Logs" } ] }] })
}

/// One request that reached the add-on's own address.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub method: String,
    pub path: String,
    pub authorization: Option<String>,
    pub body: String,
}

/// The add-on's own address: keeps what it was asked and answers as told.
#[derive(Clone)]
pub(crate) struct Listening {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Listening {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let made = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
        };
        let asked = Arc::clone(&made.asked);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let asked = Arc::clone(&asked);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, Arc::clone(&asked)));
                    let served = hyper::server::conn::http1::Builder::new();
                    // A client that hangs up early is no matter here.
                    let _ended = served.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        made
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked since this was looked at last.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

async fn answer(
    request: http::Request<hyper::body::Incoming>,
    asked: Arc<Mutex<Vec<Asked>>>,
) -> Result<http::Response<Full<Bytes>>, std::convert::Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    asked.lock().unwrap().push(Asked {
        method: parts.method.to_string(),
        path: path.clone(),
        authorization: parts
            .headers
            .get("authorization")
            .map(|value| value.to_str().unwrap().to_owned()),
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    let (status, text) = match path.as_str() {
        "/api/jobs/active" => (200, json!({ "jobs": [{ "job_id": "from-address" }] }).to_string()),
        "/api/start_job" => (202, json!({ "status": "accepted", "job_id": "j1" }).to_string()),
        "/api/busy" => (409, json!({ "error": "busy" }).to_string()),
        "/api/away" => (302, String::new()),
        "/api/odd" => (999, String::new()),
        "/api/long" => (200, "x".repeat(3 << 20)),
        "/api/page" => (200, "<script>alert(1)</script>".to_owned()),
        _ => (200, "{}".to_owned()),
    };
    let kind = if path == "/api/page" {
        "text/html"
    } else {
        "application/json"
    };
    let response = http::Response::builder()
        .status(status)
        .header("content-type", kind)
        .header("location", "http://127.0.0.1:1/");
    Ok(response.body(Full::new(text.into())).unwrap())
}

/// A registered add-on.
pub(crate) struct Shed {
    pub id: u64,
    pub token: String,
}

impl Shed {
    /// Registered with a manifest, the documented way.
    pub(crate) async fn new(admin: &mut Client, url: &str) -> Self {
        let form = json!({ "name": "shed", "url": url, "manifest": manifest() });
        let answer = admin.post("/api/addons/register", &form).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let body = answer.json();
        Self {
            id: body["addon"]["id"].as_u64().unwrap(),
            token: body["token"].as_str().unwrap().to_owned(),
        }
    }

    pub(crate) async fn socket(&self, made: &Box_) -> RawSocket {
        raw(made, self.id, &self.token).await.unwrap()
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/addons/{}/{rest}", self.id)
    }

    /// The add-on's page.
    pub(crate) async fn page(&self, admin: &Client) -> Events {
        let mut page = admin.events(&self.path("telemetry")).await;
        page.named("connected").await;
        page
    }
}

/// The next line of the server's own on an add-on's page that has this word.
pub(crate) async fn warned(page: &mut Events, word: &str) -> String {
    loop {
        let line = page.named("log").await.data["payload"].take();
        let message = line["message"].as_str().unwrap_or("").to_owned();
        if line["source"] == "server" && message.contains(word) {
            assert_eq!(line["level"], "warn");
            return message;
        }
    }
}

/// The next frame of this type that the server sends an add-on.
pub(crate) async fn received(socket: &mut RawSocket, kind: &str) -> Value {
    loop {
        let message = tokio::time::timeout(PATIENCE, socket.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let Message::Text(text) = message else { continue };
        let mut frame: Value = serde_json::from_str(&text).unwrap();
        if frame["type"] == kind {
            return frame["payload"].take();
        }
    }
}

pub(crate) async fn send(socket: &mut RawSocket, frame: &Value) {
    send_text(socket, &frame.to_string()).await;
}

pub(crate) async fn send_text(socket: &mut RawSocket, frame: &str) {
    socket.send(Message::text(frame)).await.unwrap();
}
