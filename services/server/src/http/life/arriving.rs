//! A backup as it arrives: one at a time, bounded in size and time.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use futures_util::StreamExt;
use http::header::CONTENT_LENGTH;
use tokio::sync::OwnedMutexGuard;

use super::file::PIECE;
use crate::app::App;
use crate::http::Refusal;
use crate::http::door::arrival::{Stopped, steadily};
use crate::http::task::blocking;
use crate::life::backup::{self, Held, Spool};

/// Longest time for a backup to arrive, from who goes on sending: the longest one by a line of a megabit and a half.
pub(in crate::http) const ARRIVAL: Duration = Duration::from_hours(1);

/// Held by who makes, brings or puts back a backup.
pub(super) type Seat = OwnedMutexGuard<()>;

/// The one seat for who makes, brings or puts back a backup: each may take as much of the medium as a backup has, and what is
/// laid down for the next start has one place.
pub(in crate::http) fn seat(app: &App) -> Result<Seat, Refusal> {
    Arc::clone(&app.life.bringing).try_lock_owned().map_err(|_| {
        Refusal::new("busy", 503, "Another backup is just being made, brought or put back")
            .with("try again in a moment")
    })
}

/// A backup as it arrives, at most so long as one can be.
pub(super) struct Arriving {
    spool: Spool,
    dir: PathBuf,
    /// What has come and was not written yet.
    piece: Vec<u8>,
}

impl Arriving {
    /// From its first byte on, where so many are announced.
    pub(in crate::http) fn new(app: &App, announced: Option<u64>) -> Result<Self, Refusal> {
        let dir = app.life.data.clone();
        let spool = Spool::new(&dir, backup::BYTES_MAX).map_err(backup::Error::of(&dir))?;
        if let Some(announced) = announced {
            spool.expect(announced).map_err(backup::Error::from)?;
        }
        let piece = Vec::new();
        Ok(Self { spool, dir, piece })
    }

    /// Takes more.
    pub(in crate::http) async fn push(mut self, bytes: &[u8]) -> Result<Self, Refusal> {
        self.piece.extend_from_slice(bytes);
        match self.piece.len() < PIECE {
            true => Ok(self),
            false => self.write().await,
        }
    }

    async fn write(mut self) -> Result<Self, Refusal> {
        blocking(move || {
            let written = self.spool.write_all(&self.piece);
            written.map_err(backup::Error::of(&self.dir))?;
            self.piece.clear();
            Ok(self)
        })
        .await?
    }

    /// No more comes.
    pub(in crate::http) async fn finish(self) -> Result<Held, Refusal> {
        Ok(self.write().await?.spool.finish())
    }
}

/// How long what is sent of a refused backup is read on: who sends all of it before reading would not hear the refusal else.
const LINGER: Duration = Duration::from_secs(10);

/// Silence after which nothing more is sent.
const LINGERS: Duration = Duration::from_millis(500);

/// How many bytes a request says that its body has.
pub(super) fn announced(request: &Request) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A backup that is a request's body.
pub(super) async fn arrived(app: &App, request: Request) -> Result<Held, Refusal> {
    let announced = announced(&request);
    let mut body = std::pin::pin!(steadily(request.into_body()));
    let read = async {
        let mut arriving = Arriving::new(app, announced)?;
        let mut came = 0;
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|why| stopped(why, announced.map(|all| (came, all))))?;
            came += bytes.len() as u64;
            arriving = arriving.push(&bytes).await?;
        }
        arriving.finish().await
    };
    let late = |_| slow(format!("it takes more than {} s", ARRIVAL.as_secs()));
    let arrived = tokio::time::timeout(ARRIVAL, read).await.map_err(late).flatten();
    if arrived.is_err() {
        let rest = async { while let Ok(Some(Ok(_))) = tokio::time::timeout(LINGERS, body.next()).await {} };
        let _enough = tokio::time::timeout(LINGER, rest).await;
    }
    arrived
}

/// Why no more of a backup came.
pub(in crate::http) fn stopped(why: Stopped, at: Option<(u64, u64)>) -> Refusal {
    match (why, at) {
        (Stopped::Slow(why), _) => slow(why),
        (Stopped::Broken(error), None) => broke_off(&error),
        (Stopped::Broken(error), Some((came, all))) => broke_off(&format!("after {came} of {all} bytes: {error}")),
    }
}

pub(in crate::http) fn broke_off(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new("bad-body", 400, "The body broke off").with(error.to_string())
}

pub(in crate::http) fn slow(why: String) -> Refusal {
    Refusal::new("slow", 408, "The backup did not arrive in time").with(why)
}
