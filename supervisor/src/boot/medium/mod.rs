//! The boot medium as a device: which disk it is, and what it is known by.
//!
//! `search` looks at every disk, each asked in a process of its own (`ask`), for the boot loader's partition and for its `mark`,
//! which is read past the driver (`fat`). What it finds is `found`: the nodes, the identity, the guard against erasing; `known` tells
//! whether it is still what lies there, and `fence` keeps what is not from being written to. `said` is how all who work at the medium tell PID 1. What is on it is `data`'s; who does it
//! all is the `keeper`.

mod ask;
pub(super) mod fat;
pub(super) mod fence;
pub(crate) mod found;
pub(super) mod known;
pub mod mark;
pub(super) mod said;
pub(super) mod search;
