//! A checkpoint's text: a line of head with a checksum, then rows of packed JSON.
//!
//! Whoever keeps one checkpoint after another on a medium that wears writes only the rows that differ ([`split`]). So what changes
//! together stands in one row, and a finding is written with few of its neighbours.

use std::io::{BufWriter, Read as _, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, TEXT_MAX, VERSION};
use crate::findings::Run;
use crate::playbook::Direction;

/// Longest content once unpacked, of all rows together.
const JSON_MAX: u64 = 32 << 20;

/// Most runs of bad sectors in one row: packed they take less than half a page, up to which LMDB keeps a row with its neighbours,
/// without a page of its own. Tested beside it.
const RUNS: usize = 32;

/// Most incidents in one row, for the same reason: each has a sentence.
pub(super) const INCIDENTS: usize = 16;

/// A checkpoint's text in the rows that are kept of it: what each has anew, then what changes seldom. Together they are the text.
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    // The head changes with each, and stands with what does so, too.
    let head = text.find('\n').map_or(text.len(), |end| end + 1);
    let anew = text[head..].find('\n').map_or(text.len(), |end| head + end + 1);
    let (anew, rest) = text.split_at(anew);
    std::iter::once(anew).chain(rest.split_inclusive('\n'))
}

/// Rows of JSON as a checkpoint's text, whatever they say: the fuzz target begins here.
#[doc(hidden)]
pub fn frame<'r>(rows: impl IntoIterator<Item = &'r [u8]>) -> String {
    join(rows.into_iter().map(|json| pack(|to| to.write_all(json))))
}

/// The text of packed rows.
pub(super) fn join(rows: impl IntoIterator<Item = String>) -> String {
    let mut body = String::new();
    for row in rows {
        if !body.is_empty() {
            body.push('\n');
        }
        body.push_str(&row);
    }
    let sum = crc32c::crc32c(body.as_bytes());
    format!("kiln-checkpoint {VERSION} {sum:08x} {}\n{body}", body.len())
}

/// The packed rows of a text whose head is right.
pub(super) fn unjoin(text: &str) -> Result<std::str::Split<'_, char>, Error> {
    let (head, body) = text
        .get(..TEXT_MAX.min(text.len()))
        .unwrap_or("")
        .split_once('\n')
        .ok_or(Error::Head)?;
    let mut words = head.split(' ');
    if words.next() != Some("kiln-checkpoint") {
        return Err(Error::Head);
    }
    let version = words.next().ok_or(Error::Head)?;
    if version.parse() != Ok(VERSION) {
        return Err(Error::Version(version.chars().take(20).collect()));
    }
    let due = words
        .next()
        .and_then(|w| u32::from_str_radix(w, 16).ok())
        .ok_or(Error::Head)?;
    let length = words.next().and_then(|w| w.parse().ok()).ok_or(Error::Head)?;
    if body.len() != length {
        return Err(Error::Length {
            is: body.len(),
            due: length,
        });
    }
    let is = crc32c::crc32c(body.as_bytes());
    if is != due {
        return Err(Error::Checksum { is, due });
    }
    Ok(body.split('\n'))
}

/// JSON as a row, packed as it is made, so that a worker's memory never holds all of the plain text.
pub(super) fn pack_json(value: &impl Serialize) -> String {
    pack(|to| serde_json::to_writer(to, value).map_err(std::io::Error::other))
}

fn pack(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> String {
    let mut packed = BufWriter::with_capacity(16 << 10, DeflateEncoder::new(Vec::new(), Compression::best()));
    write(&mut packed)
        .and_then(|()| packed.into_inner().map_err(|error| error.into_error()))
        .and_then(DeflateEncoder::finish)
        .map(|bytes| BASE64.encode(bytes))
        .unwrap_or_default()
}

/// Reads rows, as long as all of them together are no longer than [`JSON_MAX`].
pub(super) struct Unpacking {
    left: u64,
}

impl Unpacking {
    pub(super) fn new() -> Self {
        Self { left: JSON_MAX }
    }

    /// A row's JSON; one that is not there, or goes on behind what is left, is none.
    pub(super) fn json<T: DeserializeOwned>(&mut self, row: Option<&str>) -> Result<T, Error> {
        let content = |error: &dyn std::fmt::Display| Error::Content(error.to_string());
        let row = row.ok_or_else(|| Error::Content("a row is missing".to_owned()))?;
        let packed = BASE64.decode(row).map_err(|e| content(&e))?;
        let mut json = Vec::new();
        let read = DeflateDecoder::new(&packed[..]).take(self.left).read_to_end(&mut json);
        self.left -= read.map_err(|e| content(&e))? as u64;
        serde_json::from_slice(&json).map_err(|e| content(&e))
    }
}

/// Runs, sorted, as the rows they are kept in: each step's halved by their place until none has too many, so that a new one changes its
/// own row, wherever it stands; in the order in which the step sweeps, so that what it adds comes last.
pub(super) fn of_runs(runs: &[Run], sectors: u64, order: impl Fn(u16) -> Direction) -> Vec<&[Run]> {
    let mut rows = Vec::new();
    for of_step in runs.chunk_by(|one, next| one.step == next.step) {
        let first = rows.len();
        halve(of_step, (0, sectors), &mut rows);
        if order(of_step[0].step) == Direction::Reverse {
            rows[first..].reverse();
        }
    }
    rows
}

/// Which of these rows the findings of a step that sweeps and has come to `lba` change next, if it has any.
pub(super) fn newest(rows: &[&[Run]], (step, lba): (u16, u64), order: Direction) -> Option<usize> {
    let own = |row: &&[Run]| row.first().is_some_and(|run| run.step == step);
    let first = rows.iter().position(own)?;
    let last = rows.iter().rposition(own)?;
    let behind = rows[first..=last].partition_point(|row| match order {
        Direction::Forward => row.first().is_some_and(|run| run.first < lba),
        Direction::Reverse => row.last().is_some_and(|run| run.first >= lba),
    });
    Some(first + behind.saturating_sub(1))
}

fn halve<'r>(runs: &'r [Run], (from, to): (u64, u64), rows: &mut Vec<&'r [Run]>) {
    let middle = from + to.saturating_sub(from) / 2;
    if runs.len() <= RUNS || middle == from {
        rows.extend((!runs.is_empty()).then_some(runs));
        return;
    }
    let (before, behind) = runs.split_at(runs.partition_point(|run| run.first < middle));
    halve(before, (from, middle), rows);
    halve(behind, (middle, to), rows);
}
