//! The conversation with PID 1's writer: a line and bytes out, a line back.

use std::io;
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
const ANSWERS_WITHIN: Duration = Duration::from_mins(5);
/// Longest answer, in bytes: the list of all chunks takes 20 kB.
const ANSWER_MAX: u64 = 64 * 1024;

/// A connection to the writer.
#[derive(Debug)]
pub(super) struct Writer {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

pub(super) fn lost(why: impl std::fmt::Display) -> Problem {
    Problem::new("writer-lost", 503, "The box's writer of updates was lost")
        .with(format!("{why}; begin again, it goes on where it was"))
}

impl Writer {
    /// Connects as soon as it is there.
    pub(super) async fn connect(path: &Path) -> Result<Self, Problem> {
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
    pub(super) async fn ask(&mut self, ask: &Ask, bytes: &[u8]) -> Result<Answer, Problem> {
        within(async {
            say(&mut self.write, ask, bytes).await?;
            answer(&mut self.read).await
        })
        .await
    }

    /// Says that what comes next takes its time. There is no answer.
    pub(super) async fn wait(&mut self) -> io::Result<()> {
        self.write.write_all(b"\n").await
    }

    /// Asks for the end of an update. Where `given_up` comes before the answer, the writer is told that nobody wants it any
    /// more, and its answer says whether that was in time.
    pub(super) async fn finish(&mut self, given_up: impl Future<Output = ()>) -> Result<Answer, Problem> {
        let Self { read, write } = self;
        within(async {
            say(write, &Ask::Finish {}, &[]).await?;
            let mut answered = std::pin::pin!(answer(read));
            tokio::select! {
                answer = &mut answered => return answer,
                () = given_up => {}
            }
            write.shutdown().await?;
            answered.await
        })
        .await
    }
}

async fn say(write: &mut OwnedWriteHalf, ask: &Ask, bytes: &[u8]) -> io::Result<()> {
    let mut line = serde_json::to_vec(ask)?;
    line.push(b'\n');
    write.write_all(&line).await?;
    write.write_all(bytes).await
}

async fn answer(read: &mut BufReader<OwnedReadHalf>) -> io::Result<Answer> {
    let mut text = String::new();
    read.take(ANSWER_MAX).read_line(&mut text).await?;
    if text.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&text)?)
}

async fn within(asked: impl Future<Output = io::Result<Answer>>) -> Result<Answer, Problem> {
    match tokio::time::timeout(ANSWERS_WITHIN, asked).await {
        Ok(answer) => answer.map_err(lost),
        Err(_) => Err(lost(format!("no answer within {} s", ANSWERS_WITHIN.as_secs()))),
    }
}
