//! How far one worker's session has come: why its worker was asked to end, if it was, and how long it may say nothing.

use std::time::Duration;

use burnin::heat::{Heat, Limits};
use tokio::time::Instant;
use wire::drive::Bus;

use super::hold::Holds;

/// Time for a worker to take a checkpoint and end when asked. It waits ten seconds for a read or write, and longer for a flush.
pub(super) const STOPPING: Duration = Duration::from_secs(20);

/// Time for a worker to end by itself after its drive is gone.
const DISCONNECTING: Duration = Duration::from_secs(10);

/// A worker that says nothing for this long hangs; its own limit for one access is four minutes.
pub(super) const SILENCE: Duration = Duration::from_mins(10);

/// Checkpoint of a session by which its headers are on the drive for certain: one that goes on takes its first before it writes.
const SETTLED: u32 = 2;

/// Why a worker was asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    None,
    Stop,
    Abort,
    Gone,
    Hot,
    Stranger,
    /// Another drive may be in its place: the worker goes on only after it has proved the drive by what it wrote.
    Doubt,
}

/// One worker's session.
#[derive(Debug)]
pub(super) struct Course {
    pub reason: Reason,
    /// Whether another drive is in its place, once that was asked: what the worker saw of that counts for nothing.
    pub strange: Option<bool>,
    /// Until when it may say nothing.
    pub until: Instant,
    pub heat: Heat,
    pub holds: Holds,
    checkpoints: u32,
}

impl Course {
    /// Of a worker that has just been started, of a drive with these limits on this bus.
    pub(super) fn new(limits: Limits, bus: Bus) -> Self {
        Self {
            reason: Reason::None,
            strange: None,
            until: Instant::now() + SILENCE,
            heat: Heat::new(limits),
            holds: Holds::of(bus),
            checkpoints: 0,
        }
    }

    /// Whether its worker was asked to end.
    pub(super) fn ends(&self) -> bool {
        self.reason != Reason::None
    }

    /// Its worker was asked to end.
    pub(super) fn end(&mut self, reason: Reason) {
        self.reason = reason;
        self.wait();
    }

    /// Its worker was asked to end, if there is a reason; whether there is.
    pub(super) fn end_if(&mut self, reason: Option<Reason>) -> bool {
        if let Some(reason) = reason {
            self.end(reason);
        }
        reason.is_some()
    }

    /// Its drive is gone: its worker's accesses fail at once, as a rule, and it ends by itself with what it knows.
    pub(super) fn lose(&mut self) {
        self.reason = Reason::Gone;
        self.until = Instant::now() + DISCONNECTING;
    }

    /// A worker that was asked to end gets its time once more: a sick drive takes long to answer, in which it has said all.
    pub(super) fn wait(&mut self) {
        self.until = Instant::now() + STOPPING;
    }

    /// Its worker lives.
    pub(super) fn live(&mut self) {
        self.until = Instant::now() + SILENCE;
    }

    /// Counts a checkpoint; whether this is the one by which the headers are on the drive.
    pub(super) fn settles(&mut self) -> bool {
        self.checkpoints = self.checkpoints.saturating_add(1);
        self.checkpoints == SETTLED
    }
}
