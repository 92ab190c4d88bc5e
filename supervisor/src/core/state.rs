//! The life of one unit, as the core sees it.

use serde::{Deserialize, Serialize};
use wire::supervisor::{Rung, UnitState};

use super::Text;
use crate::quota::Quota;

/// Milliseconds of the monotonic clock.
pub type Millis = u64;

/// Where a unit is.
///
/// ```text
///             ┌────────────────────── heartbeat is back ───────────────────────┐
///             │             READY=1        silence          still nothing      │
///  Waiting ─► Starting ───────────► Ready ─────────► Late ───────────────► Degraded
///     ▲          │  └─ not in time ───────────────────▲                        │ SIGABRT
///     │          │ exit 0 (one-shot)                                           ▼
///     │          └───────────► Done                 Stopping ──► Killing ◄── Aborting
///     │                                              ▲ SIGTERM      │ nothing helps: abandoned
///     │                        any that runs ────────┘              ▼
///     ├──── at once, or at its time ──── Backoff ◄────── process gone (from any that runs)
///     └──── much later ───────────── Quarantine ◄── too often ──────┘
///                                        └─ critical: reboot
/// ```
/// Ends asked for (restart, a requirement lost) go from `Stopping` straight to `Waiting`; a shutdown ends every unit in
/// `Stopped`. Every deadline is absolute. [`LEGAL`] has every arrow, and nothing else is possible: [`State::may_become`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Wants to run; something it needs is not there yet.
    Waiting,
    /// Its process exists; it must be ready by `until`.
    Starting { until: Millis },
    /// Ready since then.
    Ready { since: Millis },
    /// A deadline has passed.
    Late { until: Millis },
    /// Still nothing; stack and wait channel were dumped.
    Degraded { until: Millis },
    /// SIGABRT was sent.
    Aborting { until: Millis },
    /// SIGTERM was sent.
    Stopping { until: Millis },
    /// SIGKILL was sent to everything in it.
    Killing { until: Millis },
    /// No process; started again at `until`.
    Backoff { until: Millis },
    /// Ended too often; tried again at `until`.
    Quarantine { until: Millis },
    /// A one-shot that did its work.
    Done,
    /// No process, and none wanted.
    Stopped,
}

/// A [`State`] without its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are those of the states")]
pub enum Place {
    Waiting,
    Starting,
    Ready,
    Late,
    Degraded,
    Aborting,
    Stopping,
    Killing,
    Backoff,
    Quarantine,
    Done,
    Stopped,
}

/// Every move of a unit that there is, from one place to the others. The tests show that each of them happens.
pub(super) const LEGAL: [(Place, &[Place]); 12] = {
    use Place::{
        Aborting, Backoff, Degraded, Done, Killing, Late, Quarantine, Ready, Starting, Stopped, Stopping, Waiting,
    };
    [
        (Waiting, &[Starting, Stopped]),
        (Starting, &[Ready, Late, Stopping, Backoff, Quarantine, Done, Stopped]),
        (Ready, &[Late, Stopping, Backoff, Quarantine, Stopped]),
        (Late, &[Ready, Degraded, Stopping, Backoff, Quarantine, Done, Stopped]),
        (
            Degraded,
            &[Ready, Aborting, Stopping, Backoff, Quarantine, Done, Stopped],
        ),
        (Aborting, &[Killing, Waiting, Backoff, Quarantine, Stopped]),
        (Stopping, &[Killing, Waiting, Stopped]),
        (Killing, &[Waiting, Backoff, Quarantine, Stopped]),
        // A process that PID 1's replacement finds is taken in from any of these.
        (Backoff, &[Waiting, Stopped]),
        (Quarantine, &[Waiting, Stopped]),
        (Done, &[Waiting, Stopped]),
        (Stopped, &[Waiting]),
    ]
};

impl State {
    /// Where it is, without times.
    pub fn place(self) -> Place {
        match self {
            Self::Waiting => Place::Waiting,
            Self::Starting { .. } => Place::Starting,
            Self::Ready { .. } => Place::Ready,
            Self::Late { .. } => Place::Late,
            Self::Degraded { .. } => Place::Degraded,
            Self::Aborting { .. } => Place::Aborting,
            Self::Stopping { .. } => Place::Stopping,
            Self::Killing { .. } => Place::Killing,
            Self::Backoff { .. } => Place::Backoff,
            Self::Quarantine { .. } => Place::Quarantine,
            Self::Done => Place::Done,
            Self::Stopped => Place::Stopped,
        }
    }

    /// Whether a unit may go from here to there in one move.
    pub fn may_become(self, next: State) -> bool {
        LEGAL
            .iter()
            .any(|(from, to)| *from == self.place() && to.contains(&next.place()))
    }

    /// Whether a process of this unit exists that PID 1 has not given up on.
    pub fn runs(self) -> bool {
        match self {
            Self::Starting { .. } | Self::Ready { .. } | Self::Late { .. } | Self::Degraded { .. } => true,
            Self::Aborting { .. } | Self::Stopping { .. } | Self::Killing { .. } => true,
            Self::Waiting | Self::Backoff { .. } | Self::Quarantine { .. } | Self::Done | Self::Stopped => false,
        }
    }

    /// Whether its process has not been told to end.
    pub(super) fn waits_to_end(self) -> bool {
        matches!(
            self,
            Self::Starting { .. } | Self::Ready { .. } | Self::Late { .. } | Self::Degraded { .. }
        )
    }

    /// When something happens by itself.
    pub fn deadline(self) -> Option<Millis> {
        match self {
            Self::Starting { until }
            | Self::Late { until }
            | Self::Degraded { until }
            | Self::Aborting { until }
            | Self::Stopping { until }
            | Self::Killing { until }
            | Self::Backoff { until }
            | Self::Quarantine { until } => Some(until),
            Self::Waiting | Self::Ready { .. } | Self::Done | Self::Stopped => None,
        }
    }

    /// The plain twin that others see.
    pub fn view(self) -> UnitState {
        match self {
            Self::Waiting | Self::Stopped => UnitState::Stopped,
            Self::Starting { .. } => UnitState::Starting,
            Self::Ready { .. } => UnitState::Ready,
            Self::Late { .. } | Self::Degraded { .. } | Self::Aborting { .. } => UnitState::Degraded,
            Self::Stopping { .. } | Self::Killing { .. } => UnitState::Stopping,
            Self::Backoff { .. } => UnitState::Backoff,
            Self::Quarantine { .. } => UnitState::Quarantined,
            Self::Done => UnitState::Done,
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// Exit status.
    Code(i32),
    /// Signal number.
    Signal(i32),
    /// Nobody told us: its parent, another process of the unit, has taken its status.
    Gone,
}

/// A sentence that lacks its subject: `ended with exit status 1`.
impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(crate::shell::spawn::EXIT_EXEC) => write!(f, "could not run its program (the log has why)"),
            Self::Code(crate::shell::spawn::EXIT_SETUP) => {
                write!(f, "could not set up its surroundings (the log has why)")
            }
            Self::Code(c) => write!(f, "ended with exit status {c}"),
            Self::Signal(s) => match nix::sys::signal::Signal::try_from(*s) {
                Ok(name) => write!(f, "ended with {name}"),
                Err(_) => write!(f, "ended with signal {s}"),
            },
            Self::Gone => write!(f, "ended with an unknown status (its main process was another's child)"),
        }
    }
}

/// What the core keeps of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub state: State,
    /// Hardest rung since it was last ready for a while.
    pub rung: Option<Rung>,
    /// Why it is where it is, in a sentence.
    pub reason: Text,
    /// Failed runs in a row.
    pub fails: u32,
    /// Restarts since boot.
    pub restarts: u32,
    /// Last heartbeat, or the moment of READY. An earlier image hands it on as `beat`.
    #[serde(rename = "beat")]
    pub heartbeat: Millis,
    /// When this run became ready.
    pub ready_at: Option<Millis>,
    /// Set when the end of this run was asked for: it starts again at once and nothing is counted.
    pub again: bool,
    /// What it says about itself (`STATUS=`).
    pub status: Text,
    /// When `state` changed last.
    pub since: Millis,
    /// Longest time between two heartbeats of this run, where it has chosen another (`WATCHDOG_USEC=`).
    #[serde(default)]
    pub watchdog: Option<Millis>,
    /// It reads its configuration again, and must be ready by then (`RELOADING=1`).
    #[serde(default)]
    pub reloading: Option<Millis>,
    /// What it has said of its failure (`ERRNO=`, `BUSERROR=`).
    #[serde(default)]
    pub said: Text,
    /// How often it has told that it reloads.
    #[serde(default)]
    pub reloads: Quota,
}

impl Record {
    pub(super) fn new(now: Millis) -> Record {
        Record {
            state: State::Waiting,
            rung: None,
            reason: Text::new(),
            fails: 0,
            restarts: 0,
            heartbeat: 0,
            ready_at: None,
            again: false,
            status: Text::new(),
            since: now,
            watchdog: None,
            reloading: None,
            said: Text::new(),
            reloads: Quota::default(),
        }
    }
}
