//! `store`: one LMDB environment per service, opened with care and written by one thread.
//!
//! - [`open`] checks the file in a **child process** first, because LMDB maps it into memory and a truncated file is a
//!   SIGBUS, not an error. A file that does not stand the check is renamed (`kiln.mdb.bad-20261120T151500Z`), never
//!   silently written over; [`Opened::set_aside`] says so, for a banner. Of many the last and the largest stay, and a person
//!   removes them ([`clear`]). One of another schema becomes `kiln.mdb.schema-N`, and is `kiln.mdb` again once a program of
//!   schema N opens the store.
//! - [`Table`] is a typed table: keys are `u64`, `String` or `(String, u64)`, values are JSON under a checksum.
//! - [`Store::write`] hands a closure to the writer thread, which runs many of them in one commit (one flush of the
//!   medium) and answers after that commit. The answer is waited for ([`Pending::wait`]) or awaited.
//! - [`Store::read`] runs a closure over a snapshot. Keep it short: an open snapshot keeps old pages from being reused.
//!
//! - [`Store::take_out_unreadable`] takes entries that nothing can read out of the way, and keeps them beside the store.
//! - [`discard`] removes what nobody is to read again, and writes over its bytes before.
//! - [`Store::export`] and [`Store::import`] take the whole content out and put it back, for backups; [`waiting`] makes a
//!   store of a backup's rows at a start, in place of the one that is there.
//!
//! What it does not do: no queries, no migrations (a file of another schema is set aside), no second process (the
//! directory is locked; the lock ends with a process that is killed, even where the kernel holds one of its threads, unless that
//! thread may still write here).
//!
//! Tested by `tests/open.rs` (truncated, corrupt, foreign, other schema), `tests/stuck.rs` (a killed process that the kernel
//! holds), `tests/power_cut.rs` (every subset of a commit's unflushed pages), `tests/full.rs` (a medium without space) and `tests/tables.rs` (tables against a model, order, batching, retention).

#![warn(unreachable_pub)]

pub mod check;
mod discard;
mod error;
mod export;
mod keeper;
mod key;
mod open;
mod pending;
mod predecessor;
mod rehearsal;
mod room;
mod set_aside;
mod store;
mod table;
mod take_out;
mod value;
pub mod waiting;
mod writer;

pub use check::{Check, answer_check};
pub use discard::{WITHIN, discard, discard_all, write_over};
pub use error::{Error, Result};
pub use export::Row;
pub use key::{Key, KeyBytes};
pub use open::{FILE_NAME, Opened, Options, open};
pub use pending::Pending;
pub use room::Room;
pub use set_aside::{Aside, SetAside, asides, clear, earlier};
pub use store::{Health, Read, Store, View, Write};
pub use table::Table;
pub use take_out::{TakenOut, unread};
