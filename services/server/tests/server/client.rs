//! A small HTTP client that keeps a cookie, and reads server-sent events.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;

/// Longest time anything here may take: the machine that runs this may be slow and busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    /// Where it asks from; the system chooses where nothing is said.
    pub from: Option<std::net::IpAddr>,
    pub cookie: Option<String>,
    /// Sent with every request; a name that is here twice is sent twice.
    pub headers: Vec<(&'static str, String)>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The stable word of a problem, after a look at its form.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], self.status, "{self:?}");
        let title = body["title"].as_str().unwrap();
        assert!(!title.is_empty());
        // Where Vigil's clients look.
        assert!(body["error"].as_str().unwrap().starts_with(title), "{body}");
        body["type"].as_str().unwrap().to_owned()
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            from: None,
            cookie: None,
            headers: vec![("x-requested-with", "XMLHttpRequest".into())],
        }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Bytes)>,
    ) -> http::Response<Incoming> {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        if let Some(from) = self.from {
            socket.bind(SocketAddr::new(from, 0)).unwrap();
        }
        let stream = socket.connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection.with_upgrades());
        let mut request = Request::builder().method(method).uri(path);
        if !self.headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", self.address.to_string());
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", format!("kiln_session={cookie}"));
        }
        if let Some((kind, _)) = body {
            request = request.header("content-type", kind);
        }
        let bytes = body.map(|(_, bytes)| bytes).unwrap_or_default();
        let answer = sender.send_request(request.body(Full::new(bytes)).unwrap());
        tokio::time::timeout(PATIENCE, answer).await.unwrap().unwrap()
    }

    pub(crate) async fn raw(&mut self, method: Method, path: &str, body: Option<(&str, Bytes)>) -> Answer {
        let answer = self.send(method, path, body).await;
        let (parts, body) = answer.into_parts();
        let bytes = tokio::time::timeout(PATIENCE, body.collect())
            .await
            .unwrap()
            .unwrap()
            .to_bytes();
        if let Some(cookie) = parts.headers.get("set-cookie").and_then(|value| value.to_str().ok()) {
            let value = cookie
                .strip_prefix("kiln_session=")
                .and_then(|rest| rest.split(';').next())
                .unwrap_or("");
            self.cookie = (!value.is_empty()).then(|| value.to_owned());
        }
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.raw(Method::GET, path, None).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.raw(Method::POST, path, Some(("application/json", body.to_string().into())))
            .await
    }

    pub(crate) async fn put(&mut self, path: &str, body: &Value) -> Answer {
        let body = Bytes::from(body.to_string());
        self.raw(Method::PUT, path, Some(("application/json", body))).await
    }

    pub(crate) async fn delete(&mut self, path: &str) -> Answer {
        self.raw(Method::DELETE, path, None).await
    }

    /// Opens a stream of server-sent events.
    pub(crate) async fn events(&self, path: &str) -> Events {
        let answer = self.send(Method::GET, path, None).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Events {
            body: answer.into_body(),
            text: String::new(),
        }
    }
}

/// A stream of server-sent events.
pub(crate) struct Events {
    body: Incoming,
    text: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    pub id: Option<u64>,
    pub name: String,
    pub data: Value,
    /// The data as it came.
    pub text: String,
}

impl Events {
    /// The next event; comments and `retry:` are passed over. `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Sent> {
        tokio::time::timeout(PATIENCE, self.wait())
            .await
            .unwrap_or_else(|_| panic!("no event came; so far: {:?}", self.text))
    }

    /// The next event with this name.
    pub(crate) async fn named(&mut self, name: &str) -> Sent {
        loop {
            let sent = self
                .next()
                .await
                .unwrap_or_else(|| panic!("the stream ended before a {name}"));
            if sent.name == name {
                return sent;
            }
        }
    }

    /// The next event of the log with this type.
    pub(crate) async fn logged(&mut self, kind: &str) -> Sent {
        loop {
            let sent = self.named("event").await;
            if sent.data["type"] == kind {
                return sent;
            }
        }
    }

    /// As [`Events::next`], for as long as it takes.
    pub(crate) async fn wait(&mut self) -> Option<Sent> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    block
                        .lines()
                        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
                };
                if let (Some(name), Some(data)) = (field("event"), field("data")) {
                    let id = field("id").map(|id| id.parse().unwrap());
                    return Some(Sent {
                        id,
                        name,
                        data: serde_json::from_str(&data).unwrap(),
                        text: data,
                    });
                }
            }
            let frame = self.body.frame().await?.ok()?;
            self.text.push_str(std::str::from_utf8(frame.data_ref()?).unwrap());
        }
    }
}
