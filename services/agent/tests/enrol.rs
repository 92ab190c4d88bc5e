//! Enrolment over a real socket: the id is taken from the answer, and each refusal is told as the server told it.
#![allow(clippy::unwrap_used, reason = "tests")]

use agent::enrol::{Error, enrol};
use link::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

/// Answers one request with `status` and `body`; gives back what was asked.
async fn ask(status: &str, body: &str) -> (Result<u64, Error>, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.ends_with(b"}}") {
            let n = stream.read(&mut buffer).await.unwrap();
            assert!(n > 0, "the request ended early");
            request.extend_from_slice(&buffer[..n]);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    let result = enrol(
        &Endpoint::Unix(path),
        "tok",
        agent::vigil::manifest::manifest(&[], &agent::vigil::Who::here(false)),
    )
    .await;
    (result, serving.await.unwrap())
}

#[tokio::test]
async fn the_id_comes_from_the_server() {
    let (id, request) = ask("200 OK", r#"{"addon_id":7,"session_id":"s","addon":{}}"#).await;
    assert_eq!(id.unwrap(), 7);
    assert!(
        request.starts_with("POST /api/addons/connect HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("authorization: Bearer tok\r\n"), "{request}");
    let manifest: serde_json::Value = serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(manifest["manifest"]["pages"][0]["components"][0]["type"], "progress");
}

#[tokio::test]
async fn a_refusal_is_told_as_the_server_told_it() {
    for (status, code) in [("412 Precondition Failed", 412), ("401 Unauthorized", 401)] {
        let (refused, _) = ask(status, "token not bound").await;
        let Err(Error::Refused { status, body }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!((status.as_u16(), body.as_str()), (code, "token not bound"));
    }
    let (odd, _) = ask("200 OK", r#"{"addon_id":"seven"}"#).await;
    assert!(matches!(odd, Err(Error::Http(_))), "{odd:?}");
}
