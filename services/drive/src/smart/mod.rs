//! SMART: what a drive says about its own health, read through `smartctl --json`, and what changed between two readings.
//!
//! smartctl and its drive database are the field's knowledge; this module runs it in time ([`run`]), takes from its JSON
//! what a verdict needs ([`Snapshot`]), decodes packed raw values ([`wire::attribute`]), and compares ([`delta`]). It gives no
//! verdict: that is `burnin`.
//!
//! Tested over recorded documents of real drives (`tests/smart_golden.rs`), with a smartctl that hangs, lies or is
//! missing (`tests/smart_run.rs`), and fuzzed in `fuzz/`. Attribute changes of a real device have never been seen by it.

mod delta;
mod farm;
mod parse;
pub mod run;
mod self_tests;
mod snapshot;
mod statistics;
mod strange;
mod written;

pub use delta::{Row, delta};
pub use parse::{NotSmart, parse};
pub use run::{Answer, Smartctl, Unreadable, words};
pub use snapshot::{
    AtThreshold, Attribute, ErrorCounters, Farm, NvmeHealth, Protocol, ScsiException, ScsiHealth, SctTemperature,
    SelfTest, SelfTestAbility, Snapshot, SnapshotMessage, Statistic, WriteCounter,
};
