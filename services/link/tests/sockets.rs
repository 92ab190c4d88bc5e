//! Both ends over real sockets: a hyper server that upgrades, and [`link::Endpoint`] over TCP, TLS and a Unix socket.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use link::{Closed, ConnectError, Endpoint, Limits, Trust};
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
            let Ok(headers) = link::accept(request.headers()) else {
                return plain(StatusCode::BAD_REQUEST, "not a WebSocket");
            };
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let stream = TokioIo::new(upgrade.await.unwrap());
                served
                    .send(link::serve(stream, Limits::server(), "addon 7", Some(&link::Budget::default())).await)
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
        metadata: BTreeMap::default(),
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

/// A server of this certificate on loopback; its port, and the connections that it took.
async fn by_tls(cert: &rcgen::Certificate, key: &rcgen::KeyPair) -> (u16, mpsc::Receiver<Connection>) {
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (served, connections) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not believe it leaves before a request is read.
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(answer(stream, served.clone()));
            }
        }
    });
    (port, connections)
}

/// What `openssl req -x509` makes may sign others, and ends: in the file itself it is believed for its name all the same.
#[tokio::test]
async fn a_certificate_that_stands_in_the_file_is_believed_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.pem");
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 2, 3);
    let cert = params.self_signed(&key).unwrap();
    std::fs::write(&file, cert.pem()).unwrap();
    let (port, _connections) = by_tls(&cert, &key).await;
    let endpoint: Endpoint = format!("https://localhost:{port}").parse().unwrap();
    endpoint.believing(Trust::File(file.clone())).open().await.unwrap();
    let elsewhere: Endpoint = format!("https://127.0.0.1:{port}").parse().unwrap();
    let error = elsewhere
        .believing(Trust::File(file.clone()))
        .open()
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("not valid for name"), "{error}");

    // One that it signed has to hold to the rules, and its end is told beside this machine's clock.
    let mut leaf = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    leaf.not_before = rcgen::date_time_ymd(2019, 1, 1);
    leaf.not_after = rcgen::date_time_ymd(2020, 2, 3);
    let leaf_key = rcgen::KeyPair::generate().unwrap();
    let leaf = leaf.signed_by(&leaf_key, &rcgen::Issuer::new(params, key)).unwrap();
    let (port, _connections) = by_tls(&leaf, &leaf_key).await;
    let endpoint: Endpoint = format!("https://localhost:{port}").parse().unwrap();
    let error = endpoint.believing(Trust::File(file)).open().await.err().unwrap();
    assert!(
        error
            .to_string()
            .contains("it ended on 2020-02-03, and this machine's clock says 2"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_without_tls_is_told_as_that() {
    use tokio::io::AsyncWriteExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // The other end may be gone before it is written.
            let _gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let endpoint: Endpoint = format!("https://localhost:{port}").parse().unwrap();
    let error = endpoint.open().await.err().unwrap();
    assert!(matches!(error, ConnectError::Plain { .. }), "{error:?}");
}

#[tokio::test]
async fn over_tls_with_the_server_that_is_believed_and_no_other() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let (port, connections) = by_tls(&made.cert, &made.signing_key).await;
    let endpoint: Endpoint = format!("https://localhost:{port}").parse().unwrap();

    let met = |error: ConnectError| match error {
        ConnectError::Stranger { stranger, .. } => stranger,
        other => panic!("{other}"),
    };
    let unknown = met(endpoint.connect(7, "right", Limits::client()).await.unwrap_err());
    assert!(unknown.why.is_some(), "{unknown}");
    let other = Trust::Fingerprint("ab".repeat(32).parse().unwrap());
    let pinned = endpoint.clone().believing(other);
    let stranger = met(pinned.connect(7, "right", Limits::client()).await.unwrap_err());
    assert_eq!((stranger.met, stranger.why), (unknown.met, None));
    // The name must be the certificate's where a signature counts, and may be any where it is pinned.
    let elsewhere: Endpoint = format!("https://127.0.0.1:{port}").parse().unwrap();
    let by_file = elsewhere.clone().believing(Trust::File(file.clone()));
    assert!(
        met(by_file.connect(7, "right", Limits::client()).await.unwrap_err())
            .why
            .is_some()
    );

    endpoint.believing(Trust::File(file)).open().await.unwrap();
    both_ways(elsewhere.believing(Trust::Fingerprint(unknown.met)), connections).await;
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

/// Half messages of many connections together are bounded: the oldest of them go with 1013, and who sends whole messages
/// meanwhile is heard.
#[tokio::test]
async fn slow_senders_of_half_messages_lose_their_connections_and_nobody_else_does() {
    use futures_util::{FutureExt, StreamExt};
    use tokio::io::AsyncWriteExt;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::{Message, protocol::Role};

    const ROOM: usize = 256 << 10;
    /// A text message of 60,000 bytes begins: FIN and text, masked, a length of 16 bits, a mask of zeroes.
    const BEGIN: [u8; 8] = [0x81, 0xfe, 0xea, 0x60, 0, 0, 0, 0];
    let budget = link::Budget::new(ROOM);
    let mut slow = Vec::new();
    for n in 0..20 {
        let (here, mut there) = tokio::io::duplex(128 << 10);
        let connection = link::serve(here, Limits::server(), &format!("slow {n}"), Some(&budget)).await;
        there.write_all(&BEGIN).await.unwrap();
        there.write_all(&vec![b' '; 50_000]).await.unwrap();
        slow.push((connection, there));
    }
    // Until all that they sent has been read or refused: from then on they are slow.
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
    assert!(budget.taken() > ROOM / 2, "{} bytes are held", budget.taken());
    let (here, there) = tokio::io::duplex(128 << 10);
    let (_honest, mut heard) = link::serve(here, Limits::server(), "honest", Some(&budget)).await;
    let mut honest = WebSocketStream::from_raw_socket(there, Role::Client, None).await;
    for n in 0..100 {
        let frame = Frame::Other {
            kind: "big".into(),
            payload: format!("{n}{}", "x".repeat(60_000)).into(),
        };
        futures_util::SinkExt::send(&mut honest, Message::text(frame.encode()))
            .await
            .unwrap();
        assert_eq!(heard.recv().await, Ok(frame), "message {n}");
        assert!(budget.taken() <= ROOM + 64 * 1024, "{} bytes are held", budget.taken());
    }
    let mut ended = 0;
    for ((_sender, mut receiver), there) in slow {
        let mut there = WebSocketStream::from_raw_socket(there, Role::Client, None).await;
        // What was said to them was said before the honest one was heard.
        let Some(Some(Ok(Message::Close(Some(frame))))) = there.next().now_or_never() else {
            continue;
        };
        assert_eq!(u16::from(frame.code), 1013);
        drop(there);
        assert_eq!(receiver.recv().await, Err(Closed::Crowded));
        ended += 1;
    }
    // Twenty times 50,000 bytes do not fit into 256 KiB beside 4 KiB each; five do.
    assert!((13..=19).contains(&ended), "{ended} of 20 were ended");
}
