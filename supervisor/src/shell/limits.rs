//! How many descriptors a process may have (`RLIMIT_NOFILE`).
//!
//! The kernel gives its first process 1024, which a box with many drives, units' sockets and stored descriptors can reach, and
//! which 5,000 connections do. PID 1 takes more for itself, and gives each unit what its file says: never its own.

use std::io;

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// Of PID 1: 64 units with 16 sockets and their cgroups' files, 512 stored descriptors, clients and helpers.
const OWN: rlim_t = 8_192;

/// Sets both bounds of this process. Without the right to raise the upper one, as far as that goes.
///
/// # Errors
/// The kernel refused.
pub fn set(wanted: u64) -> io::Result<()> {
    let wanted: rlim_t = wanted;
    if setrlimit(Resource::RLIMIT_NOFILE, wanted, wanted).is_ok() {
        return Ok(());
    }
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let most = wanted.min(most);
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

/// PID 1's own.
///
/// # Errors
/// The kernel refused.
pub fn own() -> io::Result<()> {
    set(OWN)
}
