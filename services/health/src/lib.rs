//! `health`: what drives of other computers, and this box's own, say of themselves: read, kept, judged and foretold.
//!
//! ```text
//!  /api/report ─► report ─► reading (one shape for ATA, NVMe, SCSI) ─► alert (what has changed) ─┐
//!                              │                                  ├─► score, wear                 ├─► book (LMDB)
//!                              └─ known (data/known.json)         └─► thin (what history keeps) ──┘      │
//!  /api/v1/agents/… ─► enrol (keys, signatures, sessions)                              outbox ─► event log
//! ```
//!
//! Pure, with time as an argument: all but [`book`], which keeps it through `store`. What it does not do: it opens no
//! drive, runs no smartctl, speaks no HTTP, and never sees a secret, only hashes. Documents are read by the crate [`smart`], as for
//! a burn-in; what that makes of them is `burnin`'s.
//!
//! Tested beside the code, over recorded documents of real drives with the expected score and alerts beside each
//! (`tests/golden.rs`), with properties (`tests/properties.rs`, `tests/alerts.rs`), and fuzzed (`fuzz/`). What no drive here has ever
//! shown it is a real change of a counter: those are made by editing recorded documents.

#![warn(unreachable_pub)]

pub mod alert;
pub mod book;
mod document;
pub mod enrol;
pub mod fault;
pub mod known;
pub mod pool;
pub mod reading;
pub mod report;
pub mod score;
pub mod tables;
pub mod thin;
pub mod trend;
pub mod wear;

pub use book::{Book, Failure, Own, THIS_BOX};
pub use document::document;
pub use reading::{Reading, read};
pub use report::{AHEAD, Flaw, Report, report};
