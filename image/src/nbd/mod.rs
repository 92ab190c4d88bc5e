//! A drive that lies: an NBD server whose disk follows a fault plan.
//!
//! QEMU attaches it like any other drive, so the guest sees a plain SATA, SCSI or NVMe disk that flips a bit, drops a
//! write, wraps around at half its claimed capacity, or loses what was in its cache when the power goes. Boot tests
//! and `kiln-image run` use it; one tool instead of a stack of block filters, because only here a test can ask
//! afterwards what the medium really holds ([`Disk::medium`]) and how often it was flushed ([`Disk::counters`]).
//!
//! | file | what |
//! |---|---|
//! | [`fault`] | the plan: pure, says for each sector where it goes and what happens to it |
//! | [`medium`] | the bytes: a sparse file over an optional read-only base |
//! | [`disk`] | plan + volatile cache + medium: read, write, flush, power cut |
//! | [`protocol`] | newstyle negotiation and transmission, as `doc/proto.md` of NBD says |
//! | [`server`] | a Unix socket and one thread a connection |
//!
//! Not here: TRIM, structured replies, TLS, several exports. Requests are answered one after another, as a drive with
//! one head does: a hanging sector holds up the whole drive.
//! Tested in each file and, against QEMU's own client, in `tests/nbd.rs`.

pub mod disk;
pub mod fault;
pub mod medium;
pub mod protocol;
pub mod server;

pub use disk::{Counters, Cut, Disk};
pub use fault::{Fault, Plan, Sectors};
pub use medium::Medium;
pub use server::Server;

/// Bytes of the unit in which the disk stores, lies and loses: the logical sector of every drive it plays.
pub const SECTOR: usize = 512;
