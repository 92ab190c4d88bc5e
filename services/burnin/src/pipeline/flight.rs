//! Accesses under way: what each is for, how long the drive is at work on it, and when it has been for too long.
//!
//! What an access waited for flushes is charged neither to it nor to the drive's speed: a flush empties a whole cache, and is judged by
//! itself. Tested in `tests/queue.rs`, and a drive that hangs in `tests/faults.rs`.

use std::time::Duration;

use super::detour::Detour;
use super::flush::Flush;
use super::{Pipeline, Request};
use crate::device::{Access, Op};

/// How long a read or write may be under way where somebody asked for the end: from then on it is told as held by the drive, and waited
/// for no more. Less than the twenty seconds after which the agent kills a worker, which then tells nothing.
const HELD_AT_END: Duration = Duration::from_secs(10);

/// How many times longer than other accesses a trim may take: some drives erase while they do it.
const TRIM_PATIENCE: u32 = 4;

/// An access that the shell was asked for and that has not come back.
pub(super) struct Flight {
    pub request: Request,
    /// When it was asked for.
    pub began: Duration,
    /// Since when the drive may be at work on it: it waits for what was asked before it, and for a flush, which drives do by itself.
    pub served: Duration,
    /// How long a flush that was asked before it was under way beside it.
    flushed: Duration,
    pub kind: Kind,
}

/// What an access is for.
pub(super) enum Kind {
    /// Next piece of the leg.
    Sweep,
    /// A second look at a piece.
    Detour(Detour),
    /// A flush.
    Flush(Flush),
}

impl Pipeline {
    /// Notes that a request is under way from now on.
    pub(super) fn fly(&mut self, now: Duration, request: Request, kind: Kind) -> Request {
        if request.access.op == Op::Write {
            self.unflushed += self.bytes(request.access);
        }
        self.flights.insert(
            request.access.slot,
            Flight {
                request,
                began: now,
                served: now,
                flushed: Duration::ZERO,
                kind,
            },
        );
        request
    }

    /// Notes that the access in `slot` is under way from now on alone: until now it waited for another one, which is no time of its own.
    pub(crate) fn begins_late(&mut self, now: Duration, slot: usize) {
        self.turn(now);
        if let Some(flight) = self.flights.get_mut(&slot) {
            (flight.began, flight.served, flight.flushed) = (now, now, Duration::ZERO);
        }
    }

    /// How long an access that comes back now waited for flushes, and how long the drive was at work on it, without what was asked before
    /// it either; those behind it wait no longer.
    pub(super) fn waited(&mut self, now: Duration, flight: &Flight) -> (Duration, Duration) {
        let flushes = |flight: &Flight| matches!(flight.kind, Kind::Flush(_));
        // Only what was asked behind a flush waits for it: a drive that hangs is told, whatever is flushed meanwhile.
        let behind = |other: &Flight| flushes(other) && other.began <= flight.began;
        // One that comes back before that flush did not wait for its answer, though maybe for the drive: so long that it would be a fault
        // of its own, the time stays the flush's. They cannot both be excused by the other.
        let froze = now.saturating_sub(flight.served) >= Duration::from_millis(self.limits.slow_ms);
        let mut waits = false;
        for flush in self.flights.values_mut().filter(|other| behind(other)) {
            waits = true;
            if !froze {
                // Nor is what the drive did before it the flush's own time.
                flush.served = now;
            }
        }
        if waits {
            return (now.saturating_sub(flight.began), Duration::ZERO);
        }
        for other in self.flights.values_mut().filter(|other| other.began >= flight.began) {
            other.served = now;
            if flushes(flight) {
                other.flushed += now.saturating_sub(other.began);
            }
        }
        (flight.flushed, now.saturating_sub(flight.served))
    }

    /// An access that has been under way for too long, and how long it may be.
    pub(super) fn hung(&self, now: Duration) -> Option<(Access, Duration)> {
        let limit = Duration::from_millis(self.limits.hang_ms);
        let patience = |op| if op == Op::Trim { limit * TRIM_PATIENCE } else { limit };
        let accesses = self.flights.values().map(|f| (f.began, f.request.access));
        accesses
            .map(|(began, access)| (now.saturating_sub(began), access, patience(access.op)))
            .find(|(waited, _, patience)| waited >= patience)
            .map(|(_, access, patience)| (access, patience))
    }

    /// The read or write that is under way for longest, and how long, where that is too long for an end in order. A flush empties
    /// a whole cache and a trim may erase: they are given their time.
    pub(super) fn held_at_end(&self, now: Duration) -> Option<(Access, Duration)> {
        let moves = |f: &&Flight| matches!(f.request.access.op, Op::Read | Op::Write);
        let oldest = self.flights.values().filter(moves).min_by_key(|f| f.began)?;
        let held = now.saturating_sub(oldest.began);
        (held >= HELD_AT_END).then_some((oldest.request.access, held))
    }

    /// Whether an access other than a flush is under way.
    pub(super) fn busy(&self) -> bool {
        self.flights.values().any(|f| !matches!(f.kind, Kind::Flush(_)))
    }
}
