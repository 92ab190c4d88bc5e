//! Flushes: when one is due, what it covers, and what follows when it comes back.

use std::time::Duration;

use wire::job::FaultKind;
use wire::unproven::{NOT_REPRODUCED, NOT_TRIED_AGAIN};

use super::detour::PATIENCE;
use super::incident::is_own_word;
use super::{Content, Kind, Outcome, Pipeline, Request};
use crate::device::{Access, Op, errno_text};

/// What a flush makes durable.
#[derive(Clone, Copy)]
pub(super) struct Flush {
    /// Everything below.
    pub frontier: u64,
    /// Whether that is the whole leg.
    pub complete: bool,
    /// Bytes of writes that had come back, and that no flush before it covers.
    pub covers: u64,
}

/// A flush that failed.
#[derive(Clone, Copy)]
pub(super) struct Balked {
    /// How often it may still fail.
    left: u32,
    /// The silence of the drive that it first failed in.
    silence: u64,
    /// The last error.
    pub errno: i32,
    /// When it is tried again.
    pub due: Duration,
}

impl Balked {
    /// The error in words, and what became of it.
    pub(super) fn text(self, became: &str) -> String {
        format!("flushing the drive's cache: {}; {became}", errno_text(self.errno))
    }
}

impl Pipeline {
    /// A flush, where one is due or the leg is over.
    pub(super) fn next_flush(&mut self, now: Duration, slot: usize) -> Option<Request> {
        let asked = self.checkpoint_due(now) || self.flush_due() || self.balked.is_some();
        let due = asked && !self.opens_headers();
        let free = self.covered().is_none() && !self.rests(now) && !self.flushed;
        if !(self.writes_data() && free && (due || self.swept())) {
            return None;
        }
        let (frontier, complete) = (self.frontier(), self.swept());
        let access = Access {
            slot,
            op: Op::Flush,
            lba: 0,
            sectors: 0,
        };
        let content = Content::Any;
        // What is under way may be stored after the flush.
        let writes = self.flights.values().filter(|f| f.request.access.op == Op::Write);
        let flying = writes.map(|f| self.bytes(f.request.access)).sum();
        let flush = Flush {
            frontier,
            complete,
            covers: self.unflushed.saturating_sub(flying),
        };
        self.unflushed = flying;
        Some(self.fly(now, Request { access, content }, Kind::Flush(flush)))
    }

    /// Whether a write now would be one too many: a flush that takes long, or is tried again, is not outrun, since what is written
    /// meanwhile belongs to the next one. Both together are what a drive may be behind ([`crate::header::recover`]).
    pub(super) fn outruns_flush(&self, now: Duration) -> bool {
        let covered = self.covered();
        let (ahead, rewind) = (self.unflushed, self.limits.rewind_bytes);
        let far = covered.unwrap_or(0) + ahead >= self.limits.checkpoint_bytes.saturating_add(rewind);
        (covered.is_some() || self.rests(now)) && (ahead >= rewind || far) && self.writes_data()
    }

    /// Bytes that the flush under way covers.
    fn covered(&self) -> Option<u64> {
        self.flights.values().find_map(|f| match f.kind {
            Kind::Flush(flush) => Some(flush.covers),
            Kind::Sweep | Kind::Detour(_) => None,
        })
    }

    /// Whether a flush failed and its time has not come again.
    fn rests(&self, now: Duration) -> bool {
        self.balked.is_some_and(|balked| now < balked.due)
    }

    /// Whether so much was written that the drive is to be flushed, whether the medium of the checkpoints takes one or not: what a
    /// drive is believed whose checkpoint is lost ([`crate::header::recover`]) rests on it.
    fn flush_due(&self) -> bool {
        self.unflushed >= self.limits.checkpoint_bytes
    }

    /// Takes what came of a flush.
    pub(super) fn after_flush(&mut self, now: Duration, flush: Flush, outcome: &Outcome) {
        let Flush {
            frontier,
            complete,
            covers,
        } = flush;
        match outcome {
            Outcome::Done
            | Outcome::Differs(_)
            | Outcome::Gone
            | Outcome::Kept(_)
            | Outcome::Failed {
                errno: libc::EOPNOTSUPP,
            } => {
                if let Some(balked) = self.balked.take() {
                    self.incident(FaultKind::Transient, None, 0, balked.text(NOT_REPRODUCED));
                }
                self.durable = self.durable.max(frontier);
                self.flushed = complete;
                if !self.flushed && self.checkpoint_due(now) {
                    self.checkpoint_on_the_way(now);
                }
            }
            Outcome::Failed { errno } => {
                self.errors += 1;
                let (left, silence) = self.balked.map_or_else(
                    || (self.limits.rereads + 1, self.silence.number()),
                    |balked| (balked.left, balked.silence),
                );
                if let Some((left, silence)) = self.tries_left(left, silence).filter(|_| !is_own_word(*errno)) {
                    self.balked = Some(Balked {
                        left,
                        silence,
                        errno: *errno,
                        due: now + PATIENCE,
                    });
                    // The next one has to cover it, too.
                    self.unflushed += covers;
                    self.untold_findings = true;
                    return;
                }
                self.balked = None;
                // Where the job ends while the drive is silent, nobody knows what it would have answered.
                let unknown = self.stopping.is_some() && self.silence.lasts_since(silence);
                let (kind, end) = match unknown {
                    true => (FaultKind::Transient, format!("; {NOT_TRIED_AGAIN}")),
                    false => (FaultKind::WriteError, String::new()),
                };
                let text = format!("flushing the drive's cache: {}{end}", errno_text(*errno));
                self.incident(kind, None, 0, text);
                self.checkpoint_at = now;
                self.checkpoint_bytes = 0;
                self.flushed = complete;
            }
            Outcome::Changed { .. } => {}
        }
    }
}
