//! The burn-in agent: the only process of the box that opens drives for writing.
//!
//! ```text
//!  kernel ─► registry ─┐                            ┌─► job (task) ─► worker (process, one descriptor)
//!                      ├─► controller: gate, jobs ──┤      │
//!  server ◄─► uplink ──┘        ▲                   └─► job …
//!               ▲               └──────────── everything is told through ────────┐
//!               └──────────────────────────── outbox (LMDB spool) ◄──────────────┘
//! ```
//!
//! - [`gate`]: which plans stand, whether a signed ticket may start one. Pure.
//! - [`record`], [`events`]: what is kept and told of a job. Pure.
//! - [`controller`]: one task that owns the gate and the jobs. [`books`]: the playbooks. [`bays`]: where drives are.
//! - [`job`]: one task a job, from holding the drive to the verdict; [`worker`], [`sandbox`], [`cgroup`] are its process.
//!   [`pacing`]: how fast each may go. [`notary`]: signs its certificate. [`ends`]: writes its end down and tells it.
//! - [`jobs`], [`outbox`]: LMDB; [`opened`]: as it is found, [`unread`]: what of it cannot be read. [`fit`]: lists that are longer than a frame. [`uplink`], [`enrol`], [`vigil`]: the server, also a foreign one. [`hands`],
//!   [`registry`]: the drives.
//! - [`heartbeat`], [`cli`]: life as a service.
//!
//! The runtime has one thread, the main one: workers are children of it (the kernel kills them with it), and a
//! heartbeat from it says that everything else turned, too. Whatever may block on a drive runs elsewhere.
//!
//! Tested beside the code, and as processes over loop devices in `tests/`.

#![warn(unreachable_pub)]

pub mod backup;
pub mod bays;
pub mod books;
pub mod cgroup;
pub mod cli;
pub mod controller;
pub mod ends;
pub mod enrol;
pub mod events;
pub mod fingerprints;
pub mod fit;
pub mod gate;
pub mod hands;
pub mod heartbeat;
pub mod histories;
pub mod job;
pub mod jobs;
pub mod names;
pub mod notary;
pub mod opened;
pub mod outbox;
pub mod pacing;
pub mod record;
pub mod registry;
pub mod run;
pub mod sandbox;
pub mod stop;
pub mod unread;
pub mod uplink;
pub mod verdict;
pub mod vigil;
pub mod worker;
