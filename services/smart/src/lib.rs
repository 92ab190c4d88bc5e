//! `smart`: what a smartctl document says of a drive, read once for everybody.
//!
//! ```text
//! smartctl --json ─► parse, read ─► Snapshot ─┬─► drive (runs smartctl), burnin (verdict)
//!                                     │       └─► health (readings of hosts: alerts, score, trends)
//!                                     └► delta: what changed between two
//! ```
//!
//! smartctl and its drive database are the field's knowledge; this crate takes from its JSON what a judgement needs,
//! decodes packed raw values ([`wire::attribute`]), and compares ([`delta`]). It runs nothing, opens nothing and gives no
//! verdict.
//!
//! Tested over recorded documents of real drives (`tests/golden.rs`; the verdicts on them stand in
//! `burnin/tests/golden_verdicts.toml`, the alerts in `health/tests/golden.rs`), and fuzzed in `fuzz/`. Attribute changes of
//! a real device have never been seen by it.

#![warn(unreachable_pub)]

mod background_scan;
mod delta;
mod farm;
pub mod known;
mod own_word;
mod parse;
mod self_tests;
mod snapshot;
mod statistics;
mod strange;
pub mod wear;
mod written;

pub use delta::{PENDING_LOG, Row, delta, names};
pub use own_word::{exit, is_heat};
pub use parse::{DOCUMENT_MAX, NotSmart, forget_printed, parse, read};
pub use snapshot::{
    AtThreshold, Attribute, BackgroundScan, ErrorCounters, Farm, FarmErrors, NvmeHealth, Protocol, ScsiException,
    ScsiHealth, SctTemperature, SelfTest, SelfTestAbility, SelfTestLog, Snapshot, SnapshotMessage, Statistic, Switch,
    WriteCounter,
};
pub use statistics::{HEAT_LIMIT_MAX, HEAT_LIMIT_MIN};
pub use strange::HOURS_MAX;
