//! A server end, an agent process, loop devices, and a bench of all three: what the process tests share.
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    dead_code,
    unused_imports,
    reason = "tests; each test binary uses a part"
)]

mod agent;
mod bench;
pub(crate) mod exchange;
mod existing;
mod loops;
mod medium;
mod server;
mod smart;
mod stage;

use std::path::Path;
use std::time::Duration;

pub(crate) use agent::{Agent, Brake};
pub(crate) use bench::{Bench, outcome};
pub(crate) use existing::Existing;
pub(crate) use loops::Loop;
pub(crate) use medium::{Freezer, Medium};
pub(crate) use server::{Seen, Server, sign};
pub(crate) use smart::Smartctl;
pub(crate) use stage::{Stage, all_taken};

/// MiB that keep a worker busy long enough to be disturbed in the middle.
pub(crate) const LARGE: u64 = 768;

/// Longest wait for anything; the machine may be slow and busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(4);

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Says that a test did not run, and why; true when this machine cannot make loop devices.
pub(crate) fn not_here() -> bool {
    if nix::unistd::geteuid().is_root() && Path::new("/dev/loop-control").exists() {
        return false;
    }
    rig::not_run("loop devices need root");
    true
}
