//! What is taken away as a file: its name, and its bytes as they leave.

use std::io::Read;

use axum::body::Body as AnswerBody;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use wire::Time;

use crate::life::backup::Held;

/// Bytes of a backup that go to or come from the medium in one go.
pub(super) const PIECE: usize = 256 << 10;

pub(in crate::http) fn file(name: &str, kind: &'static str, bytes: Vec<u8>) -> Response {
    // Names are of letters, digits and hyphens; see `plain`.
    let disposition = format!("attachment; filename=\"{name}\"");
    (
        [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)],
        bytes,
    )
        .into_response()
}

/// A backup as a file, read as it leaves.
pub(super) fn held_file(name: &str, held: &Held) -> Response {
    let pieces = futures_util::stream::unfold(Some(held.reader()), async |reader| {
        let mut reader = reader?;
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = Vec::with_capacity(PIECE);
            let read = (&mut reader).take(PIECE as u64).read_to_end(&mut piece);
            read.map(|_| (piece, reader))
        });
        match read.await.map_err(std::io::Error::other).and_then(|read| read) {
            Ok((piece, reader)) => (!piece.is_empty()).then_some((Ok(piece), Some(reader))),
            Err(error) => Some((Err(error), None)),
        }
    });
    let mut answer = file(name, "application/octet-stream", Vec::new());
    answer.headers_mut().insert(CONTENT_LENGTH, held.len().into());
    *answer.body_mut() = AnswerBody::from_stream(pieces);
    answer
}

/// The box's name as part of a file's name.
pub(super) fn plain(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' })
        .collect();
    if plain.is_empty() { "box".to_owned() } else { plain }
}

pub(super) fn day(now: Time) -> String {
    now.strftime("%Y-%m-%d").to_string()
}
