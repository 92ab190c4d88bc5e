//! SCSI devices that tests play to a kernel in QEMU, where QEMU's own drives know too little: SATA disks behind a SAS
//! controller with SMART, self-tests, heat and hidden areas; SAS disks; the shelf that they sit in.
//!
//! ```text
//!  guest's sd, sg ── virtio-scsi ── transport (vhost-user) ── Unit: command in, reply out
//!     ses ── QEMU's mptsas1068 ──── iscsi (TCP) ─────────────┘ ├ sata: SAT over ata (SMART, self-tests, logs)
//!                                                              ├ sas:  log and mode pages, self-tests
//!                                                              └ shelf: slots, their lights, who sits in them
//!                                        inquiry, block ─ medium: what both kinds of disk tell and store
//! ```
//!
//! Linux tells which disk sits in which slot of a shelf only behind a controller whose transport is SAS, which virtio-scsi's is
//! not: so disks whose lights are looked at are served by iSCSI.
//!
//! A test holds each unit behind the same lock as the transport does, and changes it while the guest runs: a temperature,
//! an attribute, what a self-test will find. What a unit does is pure, time is an argument; only the transport does I/O.
//! The devices are made by the standards that each file names; no real one was met.

#![allow(
    clippy::cast_possible_truncation,
    reason = "lengths of one command on a machine of 64 bits"
)]

mod ata;
pub mod block;
mod inquiry;
pub mod iscsi;
pub mod medium;
mod own_test;
mod request;
pub mod sas;
pub mod sata;
pub mod sense;
pub mod shelf;
pub mod starting;
pub mod transport;
pub mod unit;

pub use own_test::Verdict;
pub use starting::Starting;
pub use transport::{Controller, Shared};
pub use unit::{Reply, Unit};
