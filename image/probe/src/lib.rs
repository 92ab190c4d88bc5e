//! Messages between a boot test and the helper in its guest: one JSON object a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Name of the virtio-serial port.
pub const PORT: &str = "kiln.probe";

/// A request, answered by one [`Line::Done`] or [`Line::Failed`] with its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the asker.
    pub id: u64,
    /// What to do.
    pub op: Op,
}

/// What the helper can do. Results are JSON values; `null` where nothing is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Op {
    /// Answers.
    Ping {},
    /// Runs a program: `{status, stdout, stderr}`; killed after `limit_s` seconds.
    Run { argv: Vec<String>, limit_s: u64 },
    /// Sends one line to a Unix socket and returns the first line of the answer.
    Ask { socket: String, line: String },
    /// Sends a signal to a process.
    Signal { pid: i32, signal: i32 },
    /// Stops a process as a debugger does; works on PID 1, which no signal stops.
    Freeze { pid: i32 },
    /// Lets it go on.
    Thaw { pid: i32 },
    /// A file as text.
    Read { path: String },
    /// Writes a file in one write.
    Write { path: String, text: String },
    /// Writes zeros into a file until there is no room: how many bytes.
    Fill { path: String },
    /// Removes a file.
    Remove { path: String },
    /// What is in a folder, by name: `[{name, bytes, mode}]`, the mode's permission bits alone.
    List { path: String },
    /// Every process: `[{pid, parent, comm, state, argv}]`.
    Processes {},
    /// Opens a block device and keeps it open: its number, for [`Op::Close`].
    Open { path: String, write: bool, exclusive: bool },
    /// Closes it.
    Close { handle: u64 },
    /// Mounts in the helper's own mount namespace.
    Mount {
        source: String,
        target: String,
        kind: String,
        read_only: bool,
    },
    /// Mounts in a mount namespace that a process of its own holds: the process's id.
    MountElsewhere {
        source: String,
        target: String,
        kind: String,
    },
    /// Reads, writes or removes a file (`act`) as a process would, with its mounts, user and capabilities: `done`, or the
    /// kernel's error.
    Within { pid: i32, act: String, path: String },
    /// Puts a loop device over a block device: its path.
    LoopOver { path: String },
    /// Makes a member of a btrfs known to the kernel.
    BtrfsScan { path: String },
    /// Unmounts.
    Unmount { target: String },
    /// Swaps to a device.
    Swapon { path: String },
    /// Stops swapping to it.
    Swapoff { path: String },
    /// Loads a kernel module and what it depends on.
    Module { name: String },
    /// Stacks a device-mapper `linear` target on the whole of a device; `uuid` says whose it is, and may be empty.
    DmCreate { name: String, uuid: String, device: String },
    /// Removes it.
    DmRemove { name: String },
    /// From now on every uevent of the kernel is sent as [`Line::Uevent`].
    Uevents {},
    /// Flushes everything to the disks.
    Sync {},
}

/// What the helper sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The operation is done.
    Done { id: u64, value: Value },
    /// It failed.
    Failed { id: u64, reason: String },
    /// The kernel sent a uevent.
    Uevent(BTreeMap<String, String>),
}
