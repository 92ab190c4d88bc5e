//! Enrolment: `POST /api/addons/connect` with our manifest, answered with our add-on id.
//!
//! An agent over the network asks so for its id, or where it was told that, only brings its manifest once its socket is accepted; the
//! built-in one does not.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use link::{ConnectError, Endpoint};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

/// Longest time for the whole request.
const DEADLINE: Duration = Duration::from_secs(15);

/// Most bytes read of the answer.
const ANSWER_MAX: usize = 1 << 20;

/// Why there is no id.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server cannot be reached.
    #[error("enrolling")]
    Connect(#[from] ConnectError),
    /// HTTP went wrong.
    #[error("enrolling: {0}")]
    Http(String),
    /// The server says no: 401 wrong token, 412 token not bound to an add-on yet (a person still has to), 400 bad manifest.
    #[error("enrolling: the server answered {status}: {body}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// The start of what it said.
        body: String,
    },
    /// It took too long.
    #[error("enrolling: no answer within {} s", DEADLINE.as_secs())]
    Late,
}

#[derive(Deserialize)]
struct Enrolled {
    addon_id: u64,
}

/// Asks the server for our add-on id.
///
/// # Errors
/// As [`Error`]; all of them are worth another try later.
pub async fn enrol(endpoint: &Endpoint, token: &str, manifest: Value) -> Result<u64, Error> {
    timeout(DEADLINE, ask(endpoint, token, manifest))
        .await
        .map_err(|_| Error::Late)?
}

async fn ask(endpoint: &Endpoint, token: &str, manifest: Value) -> Result<u64, Error> {
    let http = |error: &dyn std::fmt::Display| Error::Http(error.to_string());
    let stream = TokioIo::new(endpoint.open().await?);
    let (mut send, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(|e| http(&e))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the enrolment's connection ended");
        }
    });
    let body = json!({ "manifest": manifest }).to_string();
    let request = Request::builder()
        .method(Method::POST)
        .uri("/api/addons/connect")
        .header(header::HOST, endpoint.authority())
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| http(&e))?;
    let response = send.send_request(request).await.map_err(|e| http(&e))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_MAX)
        .collect()
        .await
        .map_err(|e| http(&e))?
        .to_bytes();
    if !status.is_success() {
        let body = String::from_utf8_lossy(&body[..body.len().min(300)]).trim().to_owned();
        return Err(Error::Refused { status, body });
    }
    let enrolled: Enrolled = serde_json::from_slice(&body).map_err(|e| http(&e))?;
    Ok(enrolled.addon_id)
}
