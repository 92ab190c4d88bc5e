//! The server's answer to a request that wants a WebSocket.

use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderValue};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A request that does not ask for a WebSocket as RFC 6455 says; to be answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a WebSocket request: header {0}")]
pub struct NotWebSocket(&'static str);

/// Headers of the `101 Switching Protocols` that answers a request with these headers.
///
/// The caller answers with them and hands the upgraded stream to [`crate::serve`].
///
/// # Errors
/// Names the header that is missing or wrong, with what is expected.
pub fn accept(request: &HeaderMap) -> Result<HeaderMap, NotWebSocket> {
    let has = |name, word: &str| {
        request
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
    };
    if !has(&CONNECTION, "upgrade") {
        return Err(NotWebSocket("Connection must contain Upgrade"));
    }
    if !has(&UPGRADE, "websocket") {
        return Err(NotWebSocket("Upgrade must contain websocket"));
    }
    if !has(&SEC_WEBSOCKET_VERSION, "13") {
        return Err(NotWebSocket("Sec-WebSocket-Version must be 13"));
    }
    let key = request
        .get(SEC_WEBSOCKET_KEY)
        .filter(|key| key.len() == 24)
        .ok_or(NotWebSocket("Sec-WebSocket-Key must have 24 characters"))?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .map_err(|_| NotWebSocket("Sec-WebSocket-Key must be base64"))?;
    let mut answer = HeaderMap::new();
    answer.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn request() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("WebSocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        headers
    }

    #[test]
    fn the_example_of_the_rfc_is_answered_as_there() {
        // RFC 6455 §1.3.
        assert_eq!(
            accept(&request()).unwrap()[SEC_WEBSOCKET_ACCEPT],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn each_missing_header_is_named() {
        for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_VERSION, SEC_WEBSOCKET_KEY] {
            let mut headers = request();
            headers.remove(&name);
            let error = accept(&headers).unwrap_err().to_string();
            assert!(error.to_lowercase().contains(name.as_str()), "{name}: {error}");
        }
    }
}
