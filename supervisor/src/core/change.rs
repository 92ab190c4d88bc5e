//! What comes into the core and what goes out of it.

use serde::{Deserialize, Serialize};

use super::{Exit, Millis, Text, UnitId};

/// Facts about the box that units can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Milestone {
    /// `/system` is mounted.
    System,
    /// The state folder is settled, on disk or in RAM.
    Data,
    /// Every device that was there at boot has had its driver.
    Modules,
    /// An address is there.
    Network,
    /// The critical units answer, or have had their time: what listening does not need may begin.
    Listening,
    /// The box is not in safe mode: burn-ins may run.
    Normal,
}

impl Milestone {
    /// All of them, with the names that unit files use.
    pub const ALL: [(&'static str, Milestone); 6] = [
        ("system", Self::System),
        ("data", Self::Data),
        ("modules", Self::Modules),
        ("network", Self::Network),
        ("listening", Self::Listening),
        ("normal", Self::Normal),
    ];

    pub(super) fn named(name: &str) -> Option<Milestone> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, m)| *m)
    }

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, m)| *m == self).map_or("", |(n, _)| n)
    }
}

/// What the machine does at the end of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Power off.
    PowerOff,
    /// Boot again.
    Reboot,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// Time has passed. `pressure`: percent of the last 10 s in which tasks waited for CPU, disk or memory (PSI).
    Tick { pressure: u8 },
    /// The main process of a unit has ended.
    Exited { unit: UnitId, exit: Exit },
    /// The process could not even be made, or it was lost.
    SpawnFailed { unit: UnitId, why: String },
    /// `READY=1`.
    Ready { unit: UnitId },
    /// `WATCHDOG=1`. An earlier image hands it on as `Beat`.
    #[serde(rename = "Beat")]
    Heartbeat { unit: UnitId },
    /// `STOPPING=1`.
    Stopping { unit: UnitId },
    /// `STATUS=…`.
    Status { unit: UnitId, text: String },
    /// `EXTEND_TIMEOUT_USEC=…`, in milliseconds.
    Extend { unit: UnitId, by: Millis },
    /// `WATCHDOG_USEC=…`: heartbeats come in this time from now on, in milliseconds.
    Interval { unit: UnitId, every: Millis },
    /// `WATCHDOG=trigger`: it knows itself that it has failed.
    Trigger { unit: UnitId },
    /// `RELOADING=1`: until its next `READY=1` it reads its configuration again.
    Reloading { unit: UnitId },
    /// `ERRNO=…` or `BUSERROR=…`, in words.
    Said { unit: UnitId, what: String },
    /// A milestone holds (or no longer).
    Milestone { which: Milestone, holds: bool },
    /// The boot medium came or went.
    Medium { present: bool },
    /// The boot medium's probe has not answered for so long.
    MediumSilent { for_ms: Millis },
    /// So many reboots by the ladder in a row have come before this boot.
    Reboots { in_a_row: u32 },
    /// The unit must start afresh, for this reason.
    Restart { unit: UnitId, why: String },
    /// Somebody wants the box to end.
    Shutdown { ending: Ending, why: String },
}

/// What the shell must do now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "text is held in place so that no action asks for memory"
)]
pub enum Action {
    /// Start the unit's process.
    Spawn(UnitId),
    /// Send SIGTERM to its main process.
    Terminate(UnitId),
    /// Send SIGABRT to its main process.
    Abort(UnitId),
    /// Kill everything in its cgroup.
    Kill(UnitId),
    /// Record stack and wait channel of its threads.
    Dump(UnitId),
    /// Forget its process: it is stuck in the kernel.
    Abandon(UnitId),
    /// Write this to the log.
    Log { unit: Option<UnitId>, text: Text },
    /// The ladder has decided to reboot: the hardware watchdog is fed a last time, for as long as an orderly end may take.
    Verdict,
    /// Everything has stopped, or time is up: end the machine. Given once.
    End { ending: Ending, hard: bool, why: Text },
}
