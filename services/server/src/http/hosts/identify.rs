//! Asks a host's agent to light a bay: the one call that this server makes to a host.
//!
//! The agent says where it listens, but only its port is believed: the address is the one that its last report came
//! from, so that nobody with an agent's session can make this server talk to third parties.

use std::net::SocketAddr;
use std::time::Duration;

use health::tables::Host;
use http::Request;
use http::header::{CONTENT_TYPE, HOST};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use crate::http::Refusal;

/// Longest time for the whole call: ledctl takes seconds on large backplanes.
const PATIENCE: Duration = Duration::from_secs(15);

/// Longest answer in bytes.
const ANSWER_MAX: usize = 64 << 10;

/// Where a host's agent listens.
fn address(host: &Host) -> Option<SocketAddr> {
    let port: u16 = host.listen_addr.rsplit_once(':')?.1.parse().ok()?;
    (host.led_identify && port > 0).then_some(SocketAddr::new(host.address?, port))
}

/// Asks it.
pub(in crate::http) async fn ask(host: &Host, device: &str, mode: &str) -> Result<Value, Refusal> {
    let address = address(host).ok_or_else(|| {
        Refusal::new("identify-absent", 409, "This host's agent cannot light a bay")
            .with("it needs ledctl, and has to listen (AGENT_LISTEN)")
    })?;
    let odd = |what: String| Refusal::new("agent-odd", 502, "The host's agent did not do it").with(what);
    let body = json!({ "device": device, "mode": mode }).to_string();
    let talk = async {
        let stream = tokio::net::TcpStream::connect(address)
            .await
            .map_err(|e| odd(format!("{address}: {e}")))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| odd(e.to_string()))?;
        let driving = tokio::spawn(connection);
        let request = Request::post("/api/identify")
            .header(HOST, address.to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(bytes::Bytes::from(body)))
            .map_err(|e| odd(e.to_string()))?;
        let answer = sender.send_request(request).await.map_err(|e| odd(e.to_string()))?;
        let status = answer.status();
        let bytes = Limited::new(answer.into_body(), ANSWER_MAX)
            .collect()
            .await
            .map_err(|e| odd(e.to_string()))?
            .to_bytes();
        driving.abort();
        let text: String = String::from_utf8_lossy(&bytes).chars().take(500).collect();
        match status.is_success() {
            true => Ok(serde_json::from_slice(&bytes).unwrap_or_else(|_| json!({ "status": "ok", "answer": text }))),
            false => Err(odd(format!("it answered {}: {text}", status.as_u16()))),
        }
    };
    tokio::time::timeout(PATIENCE, talk).await.unwrap_or_else(|_| {
        Err(
            Refusal::new("agent-late", 504, "The host's agent did not answer in time")
                .with(format!("{} s", PATIENCE.as_secs())),
        )
    })
}
