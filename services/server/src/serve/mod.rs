//! The accept loop: connections in, requests to the router, an orderly end.
//!
//! hyper speaks HTTP/1.1 with time-outs for headers and upgrades to WebSocket; heads that have come in part have a budget
//! ([`heads`]), and whoever takes nothing of its answer is cut off. On the way out listening stops first, then idle
//! connections close, requests under way are finished, and what is left after five seconds is cut.

pub mod heads;
pub mod listen;
pub mod seats;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use self::heads::{Counted, Head};
use self::seats::Seats;
use crate::http::Peer;
use crate::tls::{self, PATIENCE, Way};

/// Longest time for a request's headers, and for an idle connection to send the next one.
const HEADERS: Duration = Duration::from_secs(30);

/// Time for requests under way to end once the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Pause after an accept that failed (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Pause until a handshake that found no room looks again.
const CROWDED: Duration = Duration::from_millis(200);

/// Most bytes that TLS holds for a client that does not take them: one record. Source: RFC 8446 §5.1.
const UNSENT: usize = 16 << 10;

/// Who is at the other end, and what it holds of the heads' budget.
type Remote = (Peer, Arc<Head>);

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// Across a network.
    Tcp(TcpListener),
    /// On this machine.
    Unix(UnixListener),
}

impl Listener {
    /// Where this very machine reaches it, where it is on a network.
    pub fn own_address(&self) -> Option<SocketAddr> {
        let Self::Tcp(listener) = self else { return None };
        let mut own = listener.local_addr().ok()?;
        if own.ip().is_unspecified() {
            // An IPv6 socket of the box takes IPv4, too.
            own.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        Some(own)
    }
}

/// Serves `listener` until `stopping` turns true, then drains. With `tls` a TCP listener takes TLS and plain HTTP.
pub async fn serve(
    listener: Listener,
    seats: Seats,
    router: Router,
    tls: Option<TlsAcceptor>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let seat = tokio::select! {
            seat = seats.one() => seat,
            () = crate::app::stopped(&mut stopping) => break,
        };
        let Ok(seat) = seat else { break };
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = crate::app::stopped(&mut stopping) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (router, tls, stopping) = (router.clone(), tls.clone(), stopping.clone());
                let Some(head) = seats.heads.of(peer.key()) else {
                    tracing::debug!(
                        from = peer.key(),
                        "a connection was closed: too many of its address wait"
                    );
                    continue;
                };
                let peer = (peer, head);
                connections.spawn(async move {
                    match (stream, tls) {
                        (Stream::Tcp(stream), Some(tls)) => either(stream, peer, tls, router, stopping).await,
                        (Stream::Tcp(stream), None) => one(stream, (peer, Way::Plain), router, stopping).await,
                        (Stream::Unix(stream), _) => one(stream, (peer, Way::Plain), router, stopping).await,
                    }
                    drop(seat);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let drained = tokio::time::timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::info!(left = connections.len(), "connections were cut after the drain time");
    }
}

enum Stream {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

async fn accept(listener: &Listener) -> std::io::Result<(Stream, Peer)> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, address) = listener.accept().await?;
            // Small frames (progress) must not wait for each other.
            stream.set_nodelay(true)?;
            Ok((Stream::Tcp(stream), Peer::Tcp(address)))
        }
        Listener::Unix(listener) => Ok((Stream::Unix(listener.accept().await?.0), Peer::Local)),
    }
}

/// A connection whose first byte tells whether it is TLS.
async fn either(
    stream: tokio::net::TcpStream,
    from: Remote,
    tls: TlsAcceptor,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let begun = async {
        if !tls::is_tls(&stream).await? {
            return Ok((None, Some(stream)));
        }
        let _room = loop {
            // Those of one address wait for each other.
            match from.1.handshake() {
                Some(room) => break room,
                None => tokio::time::sleep(CROWDED).await,
            }
        };
        let accepted = tls.accept_with(stream, |tls| tls.set_buffer_limit(Some(UNSENT)));
        accepted.await.map(|shaken| (Some(shaken), None))
    };
    let begun = tokio::select! {
        begun = tokio::time::timeout(PATIENCE, begun) => begun,
        // Nothing was asked yet.
        () = crate::app::stopped(&mut stopping) => return,
    };
    match begun {
        Ok(Ok((Some(shaken), _))) => one(shaken, (from, Way::Tls), router, stopping).await,
        Ok(Ok((None, Some(plain)))) => one(plain, (from, Way::PlainBesideTls), router, stopping).await,
        Ok(Ok((None, None))) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection ended before its first request"),
        Err(_) => tracing::debug!("a connection said nothing"),
    }
}

async fn one<S>(stream: S, ((peer, head), way): (Remote, Way), router: Router, mut stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (came, answered) = (Arc::clone(&head), Arc::clone(&head));
    let service = router.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
        came.is_whole();
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(way);
        request.map(axum::body::Body::new)
    });
    let service = service.map_response(move |answer: axum::response::Response| {
        match answer.status() {
            http::StatusCode::SWITCHING_PROTOCOLS => answered.is_upgraded(),
            _ => answered.is_awaited(),
        }
        answer
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_headers(64)
        .max_buf_size(heads::LONGEST)
        .serve_connection(
            TokioIo::new(Counted::new(stream, head)),
            TowerToHyperService::new(service),
        )
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = crate::app::stopped(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction, reason = "tests")]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use self::heads::{Heads, STALLED};
    use super::*;

    /// What an answer has here, in bytes: more than the connection holds.
    const LONG: usize = 10_000;

    /// A connection that holds 1000 bytes, to a server of long answers; its request is sent.
    async fn asked() -> (
        tokio::io::DuplexStream,
        tokio::task::JoinHandle<()>,
        watch::Sender<bool>,
    ) {
        let router = Router::new().fallback(|| async { vec![b'x'; LONG] });
        let (mut client, server) = tokio::io::duplex(1000);
        let (stop, stopping) = watch::channel(false);
        let head = Heads::default().of("a".to_owned()).unwrap();
        let serving = tokio::spawn(one(server, ((Peer::Local, head), Way::Plain), router, stopping));
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        (client, serving, stop)
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_and_does_not_read_is_cut_off() {
        let (client, serving, _stop) = asked().await;
        let begun = Instant::now();
        serving.await.unwrap();
        assert_eq!(begun.elapsed(), STALLED);
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_gets_all_of_it() {
        let (mut client, serving, _stop) = asked().await;
        let begun = Instant::now();
        let mut came = Vec::new();
        while came.len() < LONG {
            tokio::time::sleep(STALLED - Duration::from_secs(1)).await;
            let mut some = [0; 500];
            let read = client.read(&mut some).await.unwrap();
            assert!(read > 0, "cut off after {} bytes", came.len());
            came.extend_from_slice(&some[..read]);
        }
        assert!(begun.elapsed() > 10 * STALLED);
        drop(client);
        serving.await.unwrap();
    }
}
