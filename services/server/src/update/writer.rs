//! The conversation with PID 1's writer: a line and bytes out, a line back.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use wire::Problem;
use wire::update::{Answer, Ask};

/// How long the writer may take to appear after it was asked for.
const APPEARS_WITHIN: Duration = Duration::from_secs(15);
/// How long it may take for an answer: comparing a whole slot on a slow stick.
const ANSWERS_WITHIN: Duration = Duration::from_secs(300);
/// Longest answer, in bytes: the list of all chunks takes 20 kB.
const ANSWER_MAX: u64 = 64 * 1024;

/// A connection to the writer.
#[derive(Debug)]
pub struct Writer {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

fn lost(why: impl std::fmt::Display) -> Problem {
    Problem::new("writer-lost", 503, "The box's writer of updates was lost")
        .with(format!("{why}; begin again, it goes on where it was"))
}

impl Writer {
    /// Connects as soon as it is there.
    pub async fn connect(path: &Path) -> Result<Self, Problem> {
        let begun = Instant::now();
        loop {
            match UnixStream::connect(path).await {
                Ok(stream) => {
                    let (read, write) = stream.into_split();
                    let read = BufReader::new(read);
                    return Ok(Self { read, write });
                }
                Err(error) if begun.elapsed() >= APPEARS_WITHIN => return Err(lost(error)),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Asks, with the bytes that belong to it, and waits for the answer.
    pub async fn ask(&mut self, ask: &Ask, bytes: &[u8]) -> Result<Answer, Problem> {
        let asked = async {
            let mut line = serde_json::to_vec(ask)?;
            line.push(b'\n');
            self.write.write_all(&line).await?;
            self.write.write_all(bytes).await?;
            let mut text = String::new();
            (&mut self.read).take(ANSWER_MAX).read_line(&mut text).await?;
            if text.is_empty() {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            Ok::<Answer, std::io::Error>(serde_json::from_str(&text)?)
        };
        match tokio::time::timeout(ANSWERS_WITHIN, asked).await {
            Ok(answer) => answer.map_err(lost),
            Err(_) => Err(lost(format!("no answer within {} s", ANSWERS_WITHIN.as_secs()))),
        }
    }
}
