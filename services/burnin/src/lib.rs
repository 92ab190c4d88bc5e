//! What a burn-in is: pattern, pipeline, evidence, checkpoint, verdict.
//!
//! ```text
//!  Order ─► Pipeline (pure: decides) ─► Request ─► Runner (shell) ─► dyn Device
//!              ▲   │                                                 io_uring
//!              │   └─► Report: progress, checkpoint, findings, done  plain read/write
//!              └────── Outcome, with the time ◄──────────────────────simulated, with faults
//! ```
//!
//! [`pattern`] says which bytes belong to which sector, [`pipeline`] which request
//! comes next and what a result means, [`device`] carries requests to a drive, [`worker`]
//! is the process around it, [`verdict`] turns [`evidence`] and SMART into a word with
//! its reasons, [`job`] is what its two callers decide alike. Nothing here opens a drive by name or reads SMART: the caller hands in a
//! descriptor that has passed the guard. `README.md` beside this crate tells what each
//! fault looks like; `tests/faults.rs` proves it against an independent oracle.

#![warn(unreachable_pub)]

pub mod checkpoint;
pub mod device;
pub mod evidence;
pub mod findings;
pub mod format;
pub mod hand_over;
pub mod header;
pub mod heat;
pub mod job;
mod medium;
pub mod memory;
mod ours;
pub mod pace;
pub mod pattern;
pub mod pipeline;
pub mod platters;
pub mod playbook;
pub mod runner;
pub mod sheet;
pub mod sim;
pub mod stretches;
pub mod timeline;
pub mod verdict;
pub mod worker;

/// This engine: the package's number, and a sum over what it burns in and judges by (`services/version.rs`), `0.1.0+1f0c3a9e`. In records of
/// older ones the number stands alone.
pub const ENGINE: &str = env!("KILN_ENGINE");

pub use checkpoint::Checkpoint;
pub use evidence::Evidence;
pub use ours::{
    Blank, Fingerprint, Front, Headers, Look, Proof, Proves, Shown, Still, Unread, begins_with_others, is_as_left,
    rests_on_a_constant, stranger_to, written_over, wrote_the_beginning,
};
pub use pattern::{JobKey, Pattern};
pub use playbook::Playbook;
