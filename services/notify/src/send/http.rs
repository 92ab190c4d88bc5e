//! One HTTP/1.1 request on a connection of its own, to an address that was checked.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use wire::Time;

use super::tls::with_way_out;
use super::{Roots, TIME_OUT, resolve};
use crate::answer::{Failed, Head, judge};
use crate::channel::Channel;
use crate::request::Request;

/// Most of an answer that is read, in bytes: error texts are short.
const ANSWER_MAX: usize = 64 << 10;

/// Longest time for an answer's body once its head has come: well within [`TIME_OUT`], so that the head still counts. Chosen.
const BODY_TIME_OUT: Duration = Duration::from_secs(5);

pub(super) async fn send(roots: &Roots, channel: &Channel, request: &Request, now: Time) -> Result<String, Failed> {
    let address = &request.address;
    let places = resolve(&address.host, address.port).await?;
    let stream = link::reach(places, TIME_OUT)
        .await
        .map_err(|error| Failed::passing(format!("connecting to {}: {error}", address.host)))?;
    over(roots, channel, request, stream, now).await
}

async fn over(
    roots: &Roots,
    channel: &Channel,
    request: &Request,
    stream: TcpStream,
    now: Time,
) -> Result<String, Failed> {
    if !request.address.tls {
        return speak(channel, request, stream, now).await;
    }
    let config = if request.insecure { &roots.lax } else { &roots.strict };
    let name = ServerName::try_from(request.address.host.clone())
        .map_err(|_| Failed::lasting(format!("{} cannot be a server's name", request.address.host)))?;
    let stream = tokio_rustls::TlsConnector::from(config.clone())
        .connect(name, stream)
        .await
        .map_err(|error| {
            let words = format!("TLS with {}: {error}", request.address.host);
            Failed::passing(with_way_out(words))
        })?;
    speak(channel, request, stream, now).await
}

async fn speak<S>(channel: &Channel, request: &Request, stream: S, now: Time) -> Result<String, Failed>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let lost =
        |error: hyper::Error| Failed::passing(format!("{}: the connection failed: {error}", request.address.host));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let driving = tokio::spawn(connection);
    let mut builder = http::Request::builder()
        .method(request.method.as_str())
        .uri(request.address.target.as_str())
        .header("Host", request.address.authority())
        .header("User-Agent", concat!("kiln/", env!("CARGO_PKG_VERSION")))
        .header("Accept", "*/*");
    for (name, value) in &request.headers {
        builder = builder.header(name.as_str(), value.as_str());
    }
    let asked = builder
        .body(Full::new(Bytes::from(request.body.clone())))
        .map_err(|error| Failed::lasting(format!("this cannot be sent: {error}")))?;
    let answer = async {
        let answer = sender.send_request(asked).await.map_err(lost)?;
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        // An answer that is too long, breaks off or never ends still has its status.
        let body = Limited::new(answer.into_body(), ANSWER_MAX).collect();
        let (body, late) = match tokio::time::timeout(BODY_TIME_OUT, body).await {
            Ok(body) => (body.map(|body| body.to_bytes()).unwrap_or_default(), false),
            Err(_) => (Bytes::new(), true),
        };
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &http::HeaderValue| value.to_str().ok())
        };
        let head = Head {
            status,
            retry_after: text("retry-after"),
            date: text("date"),
            location: text("location"),
        };
        judge(channel, head, &body, now).map_err(|failed| match late && (200..300).contains(&status) {
            // This service says in the body whether it took it.
            true => Failed::passing(format!("the answer had no end within {} s", BODY_TIME_OUT.as_secs())),
            false => failed,
        })
    }
    .await;
    driving.abort();
    answer
}
