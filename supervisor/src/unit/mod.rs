//! A unit: one program that PID 1 keeps running, as its TOML file describes it.
//!
//! `file` reads one file and `folder` all of them; whatever is wrong is said there, once, with file, line, field and
//! what is expected, and the unit is left out while the others are not touched. From then on a [`Unit`] is trusted.
//! The words are systemd's (`README.md` has the table). Nothing here knows about processes.

mod capability;
mod error;
mod file;
mod folder;
mod listen;
mod measure;
pub mod ports;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use capability::CAPABILITIES;
pub use error::UnitError;
pub(crate) use error::{one_line, place};
pub use folder::{UNITS_MAX, load};

/// When a unit counts as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Ready as soon as its process exists.
    Simple,
    /// Ready when it sends `READY=1`.
    Notify,
    /// Ready when it has exited with 0; not restarted after that.
    Oneshot,
}

/// Which device nodes a unit sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Devices {
    /// A private `/dev` without block devices, and no way to make any.
    None,
    /// The machine's own `/dev`: the agent alone.
    Block,
}

/// One socket that PID 1 opens and keeps for a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listen {
    /// Name in `LISTEN_FDNAMES`.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// Access bits of a path socket.
    pub mode: u32,
    /// Who owns a path socket; root where nobody is named.
    #[serde(default)]
    pub user: Option<String>,
}

/// Where a socket of a unit listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// TCP.
    Tcp(std::net::SocketAddr),
    /// Unix stream socket at this path.
    Stream(PathBuf),
    /// Unix datagram socket at this path.
    Datagram(PathBuf),
}

/// A unit, checked. Times are milliseconds, sizes bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    pub name: String,
    pub description: String,
    pub exec: Vec<String>,
    pub kind: Kind,
    pub after: Vec<String>,
    pub requires: Vec<String>,
    /// Longest silence between two heartbeats; 0 = none expected.
    pub watchdog: u64,
    pub start_timeout: u64,
    pub stop_timeout: u64,
    pub restart: u64,
    pub burst: u32,
    pub critical: bool,
    pub user: String,
    /// Bit mask of `CAP_*` numbers.
    pub capabilities: u64,
    pub memory_max: Option<u64>,
    pub pids_max: Option<u64>,
    pub oom_score_adjust: i32,
    /// Most descriptors of each of its processes.
    #[serde(default = "nofile_default")]
    pub limit_nofile: u64,
    pub devices: Devices,
    pub credentials: Vec<String>,
    pub listen: Vec<Listen>,
    /// Descriptors that PID 1 keeps for it (`FDSTORE=1`), at most so many.
    pub fd_store_max: usize,
    pub state_directory: Option<String>,
    /// A folder of its own below `/run/kiln`.
    #[serde(default)]
    pub runtime_directory: Option<String>,
    /// Users that a unit of root's may become with `CAP_SETUID`, by name.
    #[serde(default)]
    pub becomes: Vec<String>,
    pub environment: BTreeMap<String, String>,
}

/// Descriptors that a process of a unit may have where its file says nothing: four times what the kernel gives its first one.
pub const NOFILE_DEFAULT: u64 = 4_096;

fn nofile_default() -> u64 {
    NOFILE_DEFAULT
}

/// Most arguments of a unit, its program among them.
pub const ARGS_MAX: usize = 128;
/// Most variables of a unit's file: with those of `kiln.toml` and of PID 1 they are no more than a program is started with.
const VARIABLES_MAX: usize = 100;

/// Longest unit name, in bytes; it becomes a cgroup and a folder name.
const NAME_MAX: usize = 48;
const NAME_RULE: &str = "1 to 48 of a-z, 0-9 and -";

fn is_name(s: &str) -> bool {
    (1..=NAME_MAX).contains(&s.len())
        && s.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
