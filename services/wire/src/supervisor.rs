//! What the supervisor and its services say to each other over its control socket: one JSON object a line.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::{Time, boxes::Banner};

/// Where the control socket is in the box.
pub const CONTROL_SOCKET: &str = "/run/kiln/control.sock";

/// Longest line on the control socket in bytes.
pub const LINE_MAX: usize = 262_144;

/// One request line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Send a [`Status`] line now and on each change.
    Watch {},
    /// Show this on the console.
    Screen {
        /// The claim code while the box is unclaimed.
        claim: Option<String>,
        /// SHA-256 of the server's TLS certificate: 32 hexadecimal pairs with colons, as browsers show it.
        #[serde(default)]
        fingerprint: Option<String>,
    },
    /// Factory reset: DATA is marked, then an orderly reboot, after which it is made anew. A medium that does not take the mark is
    /// told by a banner, and the box goes on. The server's user and root may ask.
    Reset {},
    /// Start the writer of updates; it listens on [`crate::update::UPDATE_SOCKET`] then. The server's user and root may ask.
    Update {},
    /// Back to the system in the other slot, which must have proven itself: the next start takes it, and the box restarts. The
    /// server's user and root may ask.
    Back {
        /// Who asks, in a few words: part of what is written down as the reason.
        why: String,
    },
    /// An orderly reboot, with its reason in a few words. The server's user and root may ask.
    Reboot {
        /// What is written down as the reason.
        why: String,
    },
    /// An orderly power-off, likewise; nobody switches the box on again from afar.
    PowerOff {
        /// What is written down as the reason.
        why: String,
    },
    /// What the server has not proven yet while the running slot is on trial; nothing: it answers itself, its store was
    /// written and read, and the agent sees the bus. Said every ten seconds.
    Proof {
        /// In a few words.
        missing: Option<String>,
    },
    /// Replace PID 1 by the program that lies at its path now; children, sockets and state stay. Root alone may ask.
    /// Answered by the new image: `{"reexec":{"kept":"state"}}`, or `"found"` where the state was not usable.
    Reexec {},
}

/// What the supervisor knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Status {
    /// Host name.
    pub host: String,
    /// Addresses that answer, without prefix length; loopback left out.
    pub addresses: Vec<String>,
    /// Its units, by name.
    pub units: Vec<UnitView>,
    /// How the box came up.
    pub boot: BootView,
    /// How often a person at the console has asked, in this boot, to get in without a password.
    #[serde(default)]
    pub recovery: u32,
    /// Slots and updates.
    #[serde(default)]
    pub update: crate::update::UpdateView,
    /// After how many seconds without PID 1 the hardware watchdog resets the box, as its driver took it; nothing while none is armed,
    /// or where the supervisor is of a version that does not tell.
    #[serde(default)]
    pub watchdog: Option<u32>,
    /// What everybody has to know: a malformed unit file, no medium, `kiln.toml` errors …
    pub banners: Vec<Banner>,
}

/// One unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct UnitView {
    /// Its name: the file's without `.toml`.
    pub name: String,
    /// State of its life cycle.
    pub state: UnitState,
    /// Rung of the ladder it stands on, where it stands on one.
    pub rung: Option<Rung>,
    /// Why it is in this state, in a sentence.
    pub reason: String,
    /// Its own status text (`STATUS=`).
    pub status: String,
    /// Restarts since the boot.
    pub restarts: u32,
    /// Main process.
    pub pid: Option<i32>,
    /// Since when it is in this state.
    #[schema(value_type = String, format = DateTime)]
    pub since: Time,
}

/// Life cycle of a unit.
///
/// ```text
///  Stopped ─► Starting ─► Ready ─► Stopping ─► Stopped
///     ▲          │          │ ▲
///     │          │          ▼ │
///     │          │      Degraded ─► (killed)
///     │          ▼          ▼
///     └─────  Backoff ◄─────┘ ─► Starting
///                │
///                ▼
///           Quarantined
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnitState {
    /// Not running, and not asked to.
    Stopped,
    /// Started, not ready yet.
    Starting,
    /// Ready.
    Ready,
    /// Its heartbeat is late.
    Degraded,
    /// Asked to stop.
    Stopping,
    /// Ended; will be started again.
    Backoff,
    /// Ended too often; started again only after a long pause or by hand.
    Quarantined,
    /// A one-shot that did its work.
    Done,
    /// Cannot be started: its file is malformed or its program is not there.
    Failed,
}

/// Rungs of the ladder, from mild to hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// One heartbeat late.
    Late,
    /// Still late: stack and wait channel were dumped.
    Degraded,
    /// SIGABRT was sent.
    Abort,
    /// The whole cgroup was killed.
    Kill,
    /// Still there (D state): left behind.
    Abandoned,
    /// Started again.
    Restart,
    /// Left alone for a long pause.
    Quarantine,
    /// Orderly reboot.
    Reboot,
    /// Reboot without asking anybody.
    HardReboot,
    /// The watchdog is no longer fed.
    Watchdog,
}

/// How the box came up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct BootView {
    /// Slot, `a` or `b`; empty when booted without a boot loader of ours.
    pub slot: String,
    /// Why the boot loader took this slot.
    pub why: String,
    /// `bios`, `efi-x86_64`, `efi-arm64` …
    pub via: String,
    /// Kernel release.
    pub kernel: String,
    /// Where state is kept.
    pub medium: Medium,
    /// Why the box booted this time: power-on, an orderly reboot, the hardware watchdog, a panic …
    pub reason: String,
    /// Identifies this boot.
    pub boot_id: String,
}

/// Where state is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// On the boot medium's DATA partition.
    Disk,
    /// In memory: gone with the power.
    #[default]
    Ram,
}
