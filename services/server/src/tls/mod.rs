//! TLS with a certificate that the box made itself: nobody else vouches for a box on a bench.
//!
//! ```text
//!  first start ─► P-256 key, certificate (box's names, 820 days) ─► fingerprint on the console
//!  30 days before the end, or another host name ─► a new certificate for the same key
//! ```
//!
//! Whoever compares the fingerprint in the browser with the one on the console knows that nobody stands between. Every
//! TCP listener takes both: a TLS connection begins with the byte 22, no HTTP request does ([`is_tls`]). What it does
//! not do: no client certificates, no HSTS (a box whose certificate nobody vouches for would lock people out).

mod identity;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

pub use identity::{Error, Identity, Shown};

/// First byte of a TLS connection: a handshake record. Source: RFC 8446 §5.1.
const HANDSHAKE: u8 = 22;

/// Longest time for the first byte and the handshake.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Which way a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In clear.
    Plain,
    /// In clear, on a server that speaks TLS too.
    PlainBesideTls,
    /// By TLS.
    Tls,
}

/// Whether the other end has begun a TLS handshake; waits for its first byte, and leaves it there.
///
/// # Errors
/// When the connection ends before.
pub async fn is_tls(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0];
    let got = stream.peek(&mut first).await?;
    Ok(got == 1 && first[0] == HANDSHAKE)
}

/// What shakes hands for `identity`.
pub fn acceptor(identity: &Identity) -> TlsAcceptor {
    TlsAcceptor::from(Arc::clone(&identity.config))
}
