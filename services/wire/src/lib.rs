//! Every message that crosses a process boundary in Kiln, with the ids and quantities it is made of.
//!
//! What a drive, a plan, a job or an event *is* on the wire stands here once; the
//! agent, the server, the command line and the dashboard (through the generated
//! `bindings/wire.ts`) all use these types. There is no I/O in this crate: bytes
//! come in through `parse`/`decode` functions that name what was wrong, and never
//! panic. `tests/bindings.rs` fails when the generated TypeScript is stale.

#![warn(unreachable_pub)]

pub mod attribute;
pub mod boxes;
pub mod canonical;
pub mod certificate;
pub mod command;
pub mod course;
pub mod drive;
pub mod event;
pub mod expression;
pub mod fair;
pub mod frame;
pub mod gate;
pub mod id;
pub mod job;
pub mod manifest;
pub mod meaning;
pub mod meant;
pub mod options;
pub mod playbook;
pub mod problem;
pub mod quantity;
pub mod secret;
pub mod shown;
pub mod supervisor;
pub mod uevent;
pub mod unproven;
pub mod update;

pub use event::Event;
pub use frame::Frame;
pub use id::{DriveId, JobId, PlanId};
pub use problem::Problem;
pub use quantity::{Bytes, Celsius, Lasted, Lba, Left, different};

/// A moment in UTC, written as RFC 3339 with microseconds at most.
pub type Time = jiff::Timestamp;
