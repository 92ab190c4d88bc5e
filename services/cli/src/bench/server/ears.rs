//! Listeners on telemetry streams, and what they have heard.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// What stands before the time in a frame.
const SENT: &[u8] = b"\"sent_us\":";

/// What all listeners have heard together.
#[derive(Debug)]
pub(super) struct Ears {
    epoch: Instant,
    /// Frames written before this many microseconds do not count.
    from: AtomicU64,
    heard: AtomicU64,
    times: Mutex<Vec<u32>>,
    flood_shown: AtomicU64,
    flood_told: AtomicBool,
}

impl Ears {
    pub(super) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            from: AtomicU64::new(u64::MAX),
            heard: AtomicU64::new(0),
            times: Mutex::default(),
            flood_shown: AtomicU64::new(0),
            flood_told: AtomicBool::new(false),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// What is written from now on counts.
    pub(super) fn begin(&self) {
        self.from.store(self.now(), Ordering::Relaxed);
    }

    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    pub(super) fn flood_shown(&self) -> u64 {
        self.flood_shown.load(Ordering::Relaxed)
    }

    pub(super) fn flood_told(&self) -> bool {
        self.flood_told.load(Ordering::Relaxed)
    }

    /// Median, 99th percentile and maximum in milliseconds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share, up to the whole, of how many there are"
    )]
    pub(super) fn times(&self) -> (f64, f64, f64) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.sort_unstable();
        let at = |part: f64| {
            let index = (times.len() as f64 * part).ceil() as usize;
            times
                .get(index.saturating_sub(1))
                .map_or(f64::INFINITY, |us| f64::from(*us) / 1e3)
        };
        (at(0.5), at(0.99), at(1.0))
    }

    /// Takes what has come of a stream, but for the last line when it is not whole; returns how much was taken.
    fn take(&self, text: &[u8]) -> usize {
        let Some(end) = text.iter().rposition(|b| *b == b'\n') else {
            return 0;
        };
        let (now, from) = (self.now(), self.from.load(Ordering::Relaxed));
        for line in text[..end].split(|b| *b == b'\n') {
            let Some(at) = line.windows(SENT.len()).position(|window| window == SENT) else {
                continue;
            };
            let digits = line[at + SENT.len()..].iter().take_while(|b| b.is_ascii_digit());
            let sent = digits.fold(0_u64, |all, digit| all * 10 + u64::from(digit - b'0'));
            if sent >= from {
                self.heard.fetch_add(1, Ordering::Relaxed);
                let took = u32::try_from(now.saturating_sub(sent)).unwrap_or(u32::MAX);
                self.times.lock().unwrap_or_else(PoisonError::into_inner).push(took);
            }
        }
        end + 1
    }

    fn take_flood(&self, text: &[u8]) -> usize {
        let Some(end) = text.iter().rposition(|b| *b == b'\n') else {
            return 0;
        };
        for line in text[..end]
            .split(|b| *b == b'\n')
            .filter(|line| line.starts_with(b"data: "))
        {
            let has = |word: &[u8]| line.windows(word.len()).any(|window| window == word);
            if has(b"frames a second") && has(b"\"source\":\"server\"") {
                self.flood_told.store(true, Ordering::Relaxed);
            } else {
                self.flood_shown.fetch_add(1, Ordering::Relaxed);
            }
        }
        end + 1
    }
}

/// Listens to one add-on until aborted.
pub(super) async fn listen(
    address: SocketAddr,
    cookie: &str,
    id: u64,
    ears: Arc<Ears>,
    floods: bool,
) -> Result<JoinHandle<()>> {
    let mut stream = TcpStream::connect(address).await.context("connecting a listener")?;
    let request =
        format!("GET /api/addons/{id}/telemetry HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {cookie}\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .context("asking for telemetry")?;
    let mut head = vec![0; 4096];
    let length = stream.read(&mut head).await.context("reading telemetry's head")?;
    if !head.starts_with(b"HTTP/1.1 200") {
        bail!("telemetry was refused: {}", String::from_utf8_lossy(&head[..length]));
    }
    Ok(tokio::spawn(async move {
        let mut buffer: Vec<u8> = Vec::with_capacity(1024);
        // Ends when the server closes it, or by abort.
        while stream.read_buf(&mut buffer).await.is_ok_and(|n| n > 0) {
            let taken = if floods {
                ears.take_flood(&buffer)
            } else {
                ears.take(&buffer)
            };
            buffer.drain(..taken);
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_of_the_measured_time_count() {
        let ears = Ears::new(Instant::now());
        assert_eq!(ears.take(b"data: {\"sent_us\":5}\n"), 20);
        assert_eq!(ears.heard(), 0, "before it began");
        ears.from.store(5, Ordering::Relaxed);
        assert_eq!(ears.take(b"data: {\"sent_us\":5}\ndata: {\"sent_us\":7"), 20);
        assert_eq!(ears.heard(), 1);
        assert!(ears.times().2.is_finite());
    }
}
