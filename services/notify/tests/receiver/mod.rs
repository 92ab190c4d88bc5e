//! A server on loopback that answers as it is told and keeps what it was asked.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub method: String,
    pub target: String,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// An answer: status, `Retry-After`, body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub retry_after: Option<&'static str>,
    pub body: &'static str,
}

pub(crate) fn answer(status: u16, body: &'static str) -> Answer {
    Answer {
        status,
        retry_after: None,
        body,
    }
}

type Play = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;

/// See the module.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Answers that come before what the play says.
    next: Arc<Mutex<VecDeque<Answer>>>,
}

impl Receiver {
    /// A server that plays a service: `play` answers each request, after the answers that were put before it.
    pub(crate) async fn start(play: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
            next: Arc::default(),
        };
        let (play, own): (Play, Self) = (Arc::new(play), receiver.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (play, own) = (Arc::clone(&play), own.clone());
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (play, own) = (Arc::clone(&play), own.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let asked = Asked {
                            method: parts.method.to_string(),
                            target: parts.uri.to_string(),
                            headers: parts.headers,
                            body: body.collect().await.unwrap().to_bytes(),
                        };
                        let put = own.next.lock().unwrap().pop_front();
                        let answer = put.unwrap_or_else(|| play(&asked));
                        own.asked.lock().unwrap().push(asked);
                        let mut response = http::Response::builder().status(answer.status);
                        if let Some(seconds) = answer.retry_after {
                            response = response.header("Retry-After", seconds);
                        }
                        Ok::<_, std::convert::Infallible>(response.body(Full::new(Bytes::from(answer.body))).unwrap())
                    }
                });
                tokio::spawn(async move {
                    let _ended = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        receiver
    }

    /// What the next request is answered, whatever it says.
    pub(crate) fn put(&self, answer: Answer) {
        self.next.lock().unwrap().push_back(answer);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The one request that came since the last look.
    pub(crate) fn take(&self) -> Asked {
        let mut all = std::mem::take(&mut *self.asked.lock().unwrap());
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
