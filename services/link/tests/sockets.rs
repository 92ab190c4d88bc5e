//! Both ends over real sockets: a hyper server that upgrades, and [`link::Endpoint`] over TCP and a Unix socket.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use link::{Closed, ConnectError, Endpoint, Limits};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use wire::Frame;
use wire::frame::Notification;

type Connection = (link::Sender, link::Receiver);

/// Answers one request on `stream` as the server of the box does: 401 without the token, else a WebSocket.
async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, served: mpsc::Sender<Connection>) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        let served = served.clone();
        async move {
            let plain = |status, text: &'static str| {
                let mut response = Response::new(Full::new(Bytes::from(text)));
                *response.status_mut() = status;
                Ok::<_, Infallible>(response)
            };
            assert_eq!(request.uri().to_string(), "/api/addons/ws?addon_id=7");
            if request
                .headers()
                .get("authorization")
                .is_none_or(|value| value != "Bearer right")
            {
                return plain(StatusCode::UNAUTHORIZED, "wrong token");
            }
            let headers = match link::accept(request.headers()) {
                Ok(headers) => headers,
                Err(_) => return plain(StatusCode::BAD_REQUEST, "not a WebSocket"),
            };
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let stream = TokioIo::new(upgrade.await.unwrap());
                served
                    .send(link::serve(stream, Limits::server(), "addon 7").await)
                    .await
                    .unwrap();
            });
            let mut response = Response::new(Full::new(Bytes::new()));
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            *response.headers_mut() = headers;
            Ok(response)
        }
    });
    hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await
        .unwrap();
}

async fn both_ways(endpoint: Endpoint, mut served: mpsc::Receiver<Connection>) {
    let refused = endpoint.connect(7, "wrong", Limits::client()).await.unwrap_err();
    let ConnectError::Refused { status, body, .. } = refused else {
        panic!("{refused}")
    };
    assert_eq!((status, body.as_str()), (401, "wrong token"));

    let (client, mut client_in) = endpoint.connect(7, "right", Limits::client()).await.unwrap();
    let (server, mut server_in) = served.recv().await.unwrap();
    let frame = Frame::Notification(Notification {
        event_type: "job_started".into(),
        severity: wire::event::Severity::Info,
        message: "began".into(),
        host: String::new(),
        metadata: Default::default(),
    });
    client.send(&Frame::Heartbeat).await.unwrap();
    client.send(&frame).await.unwrap();
    assert_eq!(server_in.recv().await, Ok(Frame::Heartbeat));
    assert_eq!(server_in.recv().await.as_ref(), Ok(&frame));
    server.send(&frame).await.unwrap();
    assert_eq!(client_in.recv().await, Ok(frame));
    server.shut_down().await;
    assert_eq!(
        client_in.recv().await,
        Err(Closed::Peer {
            code: 1001,
            reason: "server shutdown".into()
        })
    );
    assert_eq!(server_in.recv().await, Err(Closed::Local(1001)));

    // An add-on that is killed: no close frame.
    let (client, client_in) = endpoint.connect(7, "right", Limits::client()).await.unwrap();
    let (_server, mut server_in) = served.recv().await.unwrap();
    client
        .send(&Frame::Other {
            kind: "big".into(),
            payload: "x".repeat(60_000).into(),
        })
        .await
        .unwrap();
    assert!(matches!(server_in.recv().await, Ok(Frame::Other { .. })));
    drop((client, client_in));
    assert!(server_in.recv().await.is_err());
}

#[tokio::test]
async fn over_tcp() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (served, connections) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, served.clone()));
        }
    });
    both_ways(endpoint, connections).await;
}

#[tokio::test]
async fn over_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("server.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let endpoint = format!("unix:{}", path.display()).parse().unwrap();
    let (served, connections) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, served.clone()));
        }
    });
    both_ways(endpoint, connections).await;
}

#[tokio::test]
async fn nobody_there_is_an_error_that_names_the_place() {
    let endpoint: Endpoint = "unix:/nonexistent/server.sock".parse().unwrap();
    let error = endpoint.connect(1, "t", Limits::client()).await.unwrap_err();
    assert!(error.to_string().contains("unix:/nonexistent/server.sock"), "{error}");
}
