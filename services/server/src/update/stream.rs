//! A whole bundle that comes in one piece: its head begins the update, the chunks that the box lacks are passed on, the others
//! are compared with their hashes and passed over. Nothing may be missing at its end, and nothing may follow.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::time::Duration;

use bundle::{Head, Refused, Verifier, head_len};
use tokio::time::Instant;
use wire::Problem;
use wire::update::{HEAD_MAX, UpdateChunk};

use super::{Owner, refused};
use crate::app::App;

/// Fewest bytes in [`MINUTE`] of who sends a bundle: a wire that carries less would hold the writer for days.
const LEAST: u64 = 64 << 10;
/// The stretch over which that is looked at.
const MINUTE: Duration = Duration::from_mins(1);

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

    /// Leaves out a time for which the sender had to wait: the box copies and compares for minutes on a slow stick.
    pub fn waited(&mut self, time: Duration) {
        self.since += time;
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
    /// What has come of the head.
    buffer: Vec<u8>,
    /// Bytes of all that will come, where that is known before.
    size: Option<u64>,
    /// What is known once it was taken.
    taken: Option<Taken>,
}

/// A bundle whose head was taken.
#[derive(Debug)]
struct Taken {
    head: Head,
    /// The head as it came.
    bytes: Vec<u8>,
    /// How much of it has come in this go.
    passed: usize,
    /// Judges what the box has already, too: a file with one damaged byte is no whole update, whoever is sent it next.
    files: Verifier,
    /// What is lacking, in order.
    need: VecDeque<UpdateChunk>,
}

/// Whether a bundle of so many bytes can be whole.
fn fits(got: u64, expected: u64) -> Result<(), Refused> {
    match got.cmp(&expected) {
        Ordering::Less => Err(Refused::Truncated { got, expected }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(Refused::Trailing { end: expected }),
    }
}

fn said(why: &Refused) -> Problem {
    refused(why.kind(), why.to_string())
}

impl Incoming {
    /// From its first byte on.
    pub fn new(downgrade: bool, person: &str, owner: Owner) -> Self {
        Self {
            downgrade,
            person: person.to_owned(),
            owner,
            buffer: Vec::new(),
            size: None,
            taken: None,
        }
    }

    /// So many bytes will come in all, where that is known: what cannot be whole is refused before the other slot is emptied.
    pub(crate) fn will_be(&mut self, size: Option<u64>) {
        self.size = size;
    }

    /// The next stretch that is lacking, from byte to byte; `None` while not even the head has come.
    pub(super) fn run(&self) -> Option<(u64, u64)> {
        super::download::first_run(self.taken.iter().flat_map(|t| &t.need))
    }

    /// Whether the head was taken.
    pub(super) fn knows_head(&self) -> bool {
        self.taken.is_some()
    }

    /// The bundle comes from its first byte once more: what was taken already is passed over.
    pub(super) fn rewind(&mut self) {
        self.buffer.clear();
        if let Some(t) = &mut self.taken {
            (t.passed, t.files) = (0, Verifier::resume(&t.head, 0));
        }
    }

    /// What comes next is what is lacking first.
    pub(super) fn go_on(&mut self) {
        if let Some(t) = &mut self.taken {
            let next = t.need.front().map_or(usize::MAX, |c| c.number as usize);
            (t.passed, t.files) = (t.bytes.len(), Verifier::resume(&t.head, next));
        }
    }

    /// Whether everything that is lacking has come.
    pub fn is_whole(&self) -> bool {
        self.taken.as_ref().is_some_and(|t| t.need.is_empty())
    }

    /// Takes more bytes.
    ///
    /// # Errors
    /// Why the bundle is not taken.
    pub async fn push(&mut self, app: &App, bytes: &[u8]) -> Result<(), Problem> {
        if self.taken.is_some() {
            return self.files(app, bytes).await;
        }
        self.buffer.extend_from_slice(bytes);
        let len = head_len(&self.buffer).map_err(|why| said(&why))?;
        if len.is_some_and(|len| len > HEAD_MAX as usize) {
            return Err(refused("malformed", format!("its head has more than {HEAD_MAX} bytes")));
        }
        let Some(len) = len.filter(|len| *len <= self.buffer.len()) else {
            return Ok(());
        };
        let rest = self.buffer.split_off(len);
        let head = Head::parse(&self.buffer);
        if let (Ok(head), Some(got)) = (&head, self.size) {
            fits(got, head.total()).map_err(|why| said(&why))?;
        }
        let needs = app
            .begin_update(&self.buffer, self.downgrade, &self.person, &self.owner)
            .await?;
        let head = head.map_err(|why| said(&why))?;
        self.taken = Some(Taken {
            files: Verifier::resume(&head, 0),
            head,
            passed: len,
            bytes: std::mem::take(&mut self.buffer),
            need: needs.need.into(),
        });
        self.files(app, &rest).await
    }

    /// What comes after the head.
    async fn files(&mut self, app: &App, bytes: &[u8]) -> Result<(), Problem> {
        let Some(t) = &mut self.taken else { return Ok(()) };
        let (head, rest) = bytes.split_at(bytes.len().min(t.bytes.len() - t.passed));
        if !t.bytes[t.passed..].starts_with(head) {
            return Err(super::download::unfit("the server sends another update than before"));
        }
        t.passed += head.len();
        for piece in t.files.push(rest).map_err(|why| said(&why))? {
            let Some(next) = t.need.front().filter(|c| c.number as usize == piece.chunk) else {
                continue;
            };
            app.update_chunk(next.number, &piece.bytes, &self.owner).await?;
            t.need.pop_front();
        }
        Ok(())
    }

    /// No more bytes come.
    ///
    /// # Errors
    /// The bundle is not whole.
    pub fn finish(&self) -> Result<(), Problem> {
        let judged = match &self.taken {
            Some(t) => t.files.finish(),
            None => Err(Refused::Truncated {
                got: self.buffer.len() as u64,
                expected: 0,
            }),
        };
        judged.map_err(|why| said(&why))
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
        let mut waits = Pace::new(begin);
        waits.waited(Duration::from_mins(5));
        assert_eq!(waits.took(begin + Duration::from_secs(359), 1), Ok(()));
        assert!(waits.took(begin + Duration::from_mins(6), 1).is_err());
        let mut slow = Pace::new(begin);
        assert_eq!(after(&mut slow, 10, 12_000), None);
        assert!(
            drips
                .took(begin + Duration::from_secs(1_000_000), 10)
                .is_err_and(|why| why.contains("10 bytes"))
        );
    }
}
