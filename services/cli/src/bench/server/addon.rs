//! Add-ons over bare WebSockets: the upgrade by hand, frames made once, masks of zero.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Opens an add-on's socket.
pub(super) async fn connect(address: SocketAddr, id: u64, token: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await.context("connecting an add-on")?;
    stream.set_nodelay(true).context("connecting an add-on")?;
    let request = format!(
        "GET /api/addons/ws?addon_id={id} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream
        .write_all(request.as_bytes())
        .await
        .context("asking for a WebSocket")?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.context("reading the answer to an upgrade")?);
    }
    if !head.starts_with(b"HTTP/1.1 101") {
        bail!("an add-on's socket was refused: {}", String::from_utf8_lossy(&head));
    }
    Ok(stream)
}

/// A masked text message; the mask is zero, so the text stands as it is.
fn message(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x81];
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(short @ ..=0x7d), _) => bytes.push(0x80 | short),
        (_, Ok(length)) => {
            bytes.push(0x80 | 0x7e);
            bytes.extend(length.to_be_bytes());
        }
        (_, Err(_)) => {
            bytes.push(0x80 | 0x7f);
            bytes.extend((text.len() as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(text.as_bytes());
    bytes
}

/// A frame of the size that a burn-in sends.
fn progress(sent: u64, n: usize) -> String {
    format!(
        "{{\"type\":\"progress\",\"payload\":{{\"agent_id\":\"node{n}\",\"job_id\":\"full-sd{n}-20261120T062402\",\"command\":\"burnin\",\
         \"phase\":\"BADBLOCKS\",\"phase_detail\":\"writing pattern 2 of 4\",\"percent\":42.5,\"speed_mbps\":181.5,\"temp_c\":34,\
         \"elapsed_sec\":30,\"eta_sec\":481,\"sent_us\":{sent}}}}}"
    )
}

/// Sends the frames of all add-ons, spread over each second.
pub(super) struct Clock {
    epoch: Instant,
    addons: usize,
    next: Instant,
}

impl Clock {
    pub(super) fn new(epoch: Instant, addons: usize) -> Self {
        Self {
            epoch,
            addons,
            next: Instant::now(),
        }
    }

    /// Sends for so many seconds; `late` becomes the most that a frame was behind its time.
    pub(super) async fn run(&mut self, sockets: &mut [TcpStream], seconds: u64, late: &mut Duration) -> Result<()> {
        let gap = Duration::from_secs(1) / u32::try_from(self.addons).unwrap_or(1);
        for _ in 0..seconds {
            let second = self.next.max(Instant::now());
            for (n, socket) in sockets.iter_mut().enumerate().take(self.addons) {
                let due = second + gap * u32::try_from(n).unwrap_or(0);
                let now = Instant::now();
                if due > now + Duration::from_millis(1) {
                    tokio::time::sleep_until(due.into()).await;
                } else {
                    *late = (*late).max(now.saturating_duration_since(due));
                }
                let sent = u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX);
                let frame = message(&progress(sent, n));
                socket
                    .write_all(&frame)
                    .await
                    .context("an add-on's frame was not taken")?;
            }
            self.next = second + Duration::from_secs(1);
        }
        Ok(())
    }
}

/// Sends as fast as the socket takes it.
pub(super) async fn flood(mut socket: TcpStream, stop: Arc<AtomicBool>, written: Arc<AtomicU64>) {
    let line =
        message(r#"{"type":"log","payload":{"level":"info","message":"again and again and again","source":"flood"}}"#);
    let step = message(&progress(0, 0));
    let many: Vec<u8> = (0..50)
        .flat_map(|n| if n % 2 == 0 { line.clone() } else { step.clone() })
        .collect();
    while !stop.load(Ordering::Relaxed) && socket.write_all(&many).await.is_ok() {
        written.fetch_add(50, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_length_and_mask_of_rfc_6455() {
        assert_eq!(message("hi"), [0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
        assert_eq!(message(&"x".repeat(300))[..8], [0x81, 0xfe, 1, 44, 0, 0, 0, 0]);
        assert_eq!(message(&"x".repeat(70_000))[1], 0xff);
        assert!(
            serde_json::from_str::<serde_json::Value>(&progress(7, 1))
                .is_ok_and(|frame| frame["payload"]["sent_us"] == 7)
        );
    }
}
