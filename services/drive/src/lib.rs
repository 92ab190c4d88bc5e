//! `drive`: what a drive is, what is on it, whether it is in use, and how it feels.
//!
//! ```text
//! /sys, uevents ─► watch ─► Registry (pure) ─► wire::drive::Drive …       what the dashboard shows
//!                    │
//!                    └► probe (a child process): content by libblkid
//!
//! a plan's Identity ─► guard::open_for_erase ─► Opened { file: O_RDWR|O_EXCL|O_DIRECT }   what a job may write
//!                        └ facts (collected) → decide (pure) → Refusal, one sentence
//!
//! smartctl --json ─► the crate smart: Snapshot, delta
//! ```
//!
//! - [`sysfs`]: one block device as the kernel describes it, and its [`Identity`].
//! - [`watch`](mod@watch), [`registry`]: hot-plug without udev.
//! - [`content`], [`probe`]: signatures through libblkid, read-only, in a child that may hang without harm.
//! - [`company`]: the controller that a drive hangs on, and who else is busy behind it.
//! - [`kernel_log`]: resets of a drive, as the kernel tells them.
//! - [`multipath`]: the controllers behind an NVMe drive that several lead to.
//! - [`temperature`]: the kernel's sensors, else SMART.
//! - [`overlay`]: sectors that a setting of the drive hides.
//! - [`lock`]: a password, or encryption of its own, that keeps everybody out.
//! - [`guard`]: refuses every drive that anything uses, on the very descriptor that will be written.
//! - [`smart`]: snapshots and deltas through smartctl.
//! - [`selftest`]: the drive's own tests: started, followed, judged by their own log entry.
//! - [`locate`]: the light of a drive's bay, else a rhythm of reads.
//!
//! What it does not do: write to a drive (but for what a person orders: a light, a self-test), decide about a verdict (that is `burnin`), ask a person (that is the gate).
//!
//! Everything that reads `/sys`, `/proc`, `/dev` and `/run` takes a [`System`], so that tests read made-up trees.

#![warn(unreachable_pub)]

pub mod blkid;
mod chance;
pub mod child;
pub mod company;
pub mod content;
mod extended;
pub mod first;
pub mod guard;
pub mod identity;
pub mod kernel_log;
mod link;
pub mod locate;
pub mod lock;
pub mod medium;
mod member;
pub mod multipath;
pub mod no_size;
mod nvme;
pub mod overlay;
mod partition_type;
mod pass_through;
mod places;
pub mod probe;
pub mod registry;
mod salvage;
pub mod selftest;
mod siblings;
pub mod smart;
mod summary;
pub mod sysfs;
pub mod system;
pub mod temperature;
mod told;
pub mod uevents;
mod unlisted;
mod usage;
pub mod vpd;
pub mod watch;
mod window;

pub use identity::Identity;
pub use registry::Registry;
pub use system::System;

/// Answers as a child of this crate and exits, if this process was started for that; else returns at once.
///
/// To be called first thing in `main` by every program that uses [`watch::watch`], [`probe::probe_with_deadline`] or what reads a sensor
/// in [`temperature`] with [`probe::Prober::Reexec`].
pub fn answer_child() {
    probe::answer();
    temperature::answer();
}

/// Shared with the tests beside this crate.
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "../tests/common/mod.rs"]
mod common;
