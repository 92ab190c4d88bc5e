//! Request bodies: JSON of a bounded size that arrives within a bounded time.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;

use super::Refusal;

/// Longest body in bytes. Source: Vigil, request body cap.
pub const LONGEST: usize = 1 << 20;

/// Longest time for a body to arrive: a megabyte over a bad Wi-Fi link; a client that drips bytes is cut off.
const ARRIVAL: Duration = Duration::from_secs(30);

/// Longest body in bytes of who has shown nothing yet: a name, a password, a key.
pub const SHORT: usize = 16 << 10;

/// A JSON body of at most `MOST` bytes.
#[derive(Debug)]
pub struct Json<T, const MOST: usize = LONGEST>(pub T);

impl<T: DeserializeOwned, S: Send + Sync, const MOST: usize> FromRequest<S> for Json<T, MOST> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let kind = request
            .headers()
            .get(CONTENT_TYPE)
            .map(|value| value.to_str().unwrap_or("").to_owned());
        let is_json = kind.as_deref().is_none_or(|kind| {
            let essence = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
            essence == "application/json" || essence.ends_with("+json")
        });
        if !is_json {
            return Err(Refusal::new("not-json", 415, "The body must be JSON").with(format!(
                "Content-Type is {:?}; expected application/json",
                kind.unwrap_or_default()
            )));
        }
        let bytes = read(request, MOST).await?;
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Self(value)),
            Err(error) => {
                Err(Refusal::new("bad-json", 400, "The body is not what was expected").with(error.to_string()))
            }
        }
    }
}

/// A body of text that may be JSON.
#[derive(Debug)]
pub struct Text(pub String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        String::from_utf8(read(request, LONGEST).await?.into())
            .map(Self)
            .map_err(|_| Refusal::new("bad-body", 400, "The body is no text").with("expected UTF-8"))
    }
}

async fn read(request: Request, most: usize) -> Result<bytes::Bytes, Refusal> {
    let too_long =
        || Refusal::new("too-long", 413, "The body is too long").with(format!("at most {most} bytes are taken"));
    if axum::body::HttpBody::size_hint(request.body()).lower() > most as u64 {
        return Err(too_long());
    }
    match tokio::time::timeout(ARRIVAL, Limited::new(request.into_body(), most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_long()),
        Ok(Err(error)) => Err(Refusal::new("bad-body", 400, "The body broke off").with(error.to_string())),
        Err(_) => {
            Err(Refusal::new("slow", 408, "The body did not arrive in time").with(format!("{} s", ARRIVAL.as_secs())))
        }
    }
}
