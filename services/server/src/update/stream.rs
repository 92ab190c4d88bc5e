//! A whole bundle that comes in one piece: its head begins the update, the chunks that the box lacks are passed on, the others
//! are passed over.

use std::time::Duration;

use bundle::{Refused, head_len};
use tokio::time::Instant;
use wire::Problem;
use wire::update::{HEAD_MAX, UpdateChunk};

use super::{Owner, refused};
use crate::app::App;

/// Fewest bytes in [`MINUTE`] of who sends a bundle: a wire that carries less would hold the writer for days.
const LEAST: u64 = 64 << 10;
/// The stretch over which that is looked at.
const MINUTE: Duration = Duration::from_secs(60);

/// Whether bytes come fast enough. Pure; the time is passed in.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    since: Instant,
    bytes: u64,
}

impl Pace {
    /// From now on.
    pub fn new(now: Instant) -> Self {
        Self { since: now, bytes: 0 }
    }

    /// Takes note of bytes that came.
    ///
    /// # Errors
    /// In words, when fewer than [`LEAST`] came in a minute.
    pub fn took(&mut self, now: Instant, bytes: usize) -> Result<(), String> {
        self.bytes += bytes as u64;
        if now.saturating_duration_since(self.since) < MINUTE {
            return Ok(());
        }
        let came = std::mem::replace(self, Self::new(now)).bytes;
        match came < LEAST {
            true => Err(format!("only {came} bytes in a minute; at least {LEAST} are expected")),
            false => Ok(()),
        }
    }
}

/// A bundle on its way in.
#[derive(Debug)]
pub struct Incoming {
    downgrade: bool,
    person: String,
    owner: Owner,
    buffer: Vec<u8>,
    /// Where the buffer begins in the bundle.
    at: u64,
    /// What is lacking, in order; `None` until the head was taken.
    need: Option<std::collections::VecDeque<UpdateChunk>>,
}

impl Incoming {
    /// From its first byte on.
    pub fn new(downgrade: bool, person: &str, owner: Owner) -> Self {
        Self {
            downgrade,
            person: person.to_owned(),
            owner,
            buffer: Vec::new(),
            at: 0,
            need: None,
        }
    }

    /// What comes after byte `at` of a bundle whose head was taken already.
    pub(super) fn from(at: u64, need: Vec<UpdateChunk>, owner: Owner) -> Self {
        Self {
            downgrade: false,
            person: String::new(),
            owner,
            buffer: Vec::new(),
            at,
            need: Some(need.into()),
        }
    }

    /// The next stretch that is lacking, from byte to byte; `None` while not even the head has come.
    pub(super) fn run(&self) -> Option<(u64, u64)> {
        super::download::first_run(self.need.iter().flatten())
    }

    /// Whether the head was taken.
    pub(super) fn knows_head(&self) -> bool {
        self.need.is_some()
    }

    /// The bundle comes from its first byte once more: what was taken already is passed over.
    pub(super) fn rewind(&mut self) {
        self.buffer.clear();
        self.at = 0;
    }

    /// Whether everything that is lacking has come.
    pub fn is_whole(&self) -> bool {
        self.need.as_ref().is_some_and(std::collections::VecDeque::is_empty)
    }

    /// What is still lacking.
    pub fn lacking(self) -> Vec<UpdateChunk> {
        self.need.map(Vec::from).unwrap_or_default()
    }

    /// Takes more bytes.
    ///
    /// # Errors
    /// Why the bundle is not taken.
    pub async fn push(&mut self, app: &App, bytes: &[u8]) -> Result<(), Problem> {
        self.buffer.extend_from_slice(bytes);
        if self.need.is_none() {
            let len = head_len(&self.buffer).map_err(|why| refused(why.kind(), why.to_string()))?;
            if len.is_some_and(|len| len > HEAD_MAX as usize) {
                return Err(refused("malformed", format!("its head has more than {HEAD_MAX} bytes")));
            }
            let Some(len) = len.filter(|len| *len <= self.buffer.len()) else {
                return Ok(());
            };
            let head: Vec<u8> = self.buffer.drain(..len).collect();
            self.at = len as u64;
            let needs = app
                .begin_update(&head, self.downgrade, &self.person, &self.owner)
                .await?;
            self.need = Some(needs.need.into());
        }
        let Some(need) = &mut self.need else { return Ok(()) };
        loop {
            let Some(next) = need.front().copied() else {
                self.at += self.buffer.len() as u64;
                self.buffer.clear();
                return Ok(());
            };
            // What the box has already is passed over.
            let skip = usize::try_from(next.offset.saturating_sub(self.at)).unwrap_or(usize::MAX);
            let skip = skip.min(self.buffer.len());
            self.buffer.drain(..skip);
            self.at += skip as u64;
            let len = next.len as usize;
            if self.at < next.offset || self.buffer.len() < len {
                return Ok(());
            }
            app.update_chunk(next.number, &self.buffer[..len], &self.owner).await?;
            self.buffer.drain(..len);
            self.at += len as u64;
            need.pop_front();
        }
    }

    /// No more bytes come.
    ///
    /// # Errors
    /// Something is lacking.
    pub fn finish(&self) -> Result<(), Problem> {
        if self.is_whole() {
            return Ok(());
        }
        let expected = self
            .need
            .iter()
            .flatten()
            .next_back()
            .map_or(0, |c| c.offset + u64::from(c.len));
        let why = Refused::Truncated {
            got: self.at + self.buffer.len() as u64,
            expected,
        };
        Err(refused(why.kind(), why.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_drips_is_cut_off_and_who_is_slow_is_not() {
        let begin = Instant::now();
        let mut drips = Pace::new(begin);
        let after = |drips: &mut Pace, every: u64, bytes| {
            (1..=10_000).find(|n| drips.took(begin + Duration::from_secs(n * every), bytes).is_err())
        };
        assert_eq!(
            after(&mut drips, 29, 1),
            Some(3),
            "a byte in half a minute is no silence, and not enough"
        );
        let mut slow = Pace::new(begin);
        assert_eq!(after(&mut slow, 10, 12_000), None);
        assert!(
            drips
                .took(begin + Duration::from_secs(1_000_000), 10)
                .is_err_and(|why| why.contains("10 bytes"))
        );
    }
}
