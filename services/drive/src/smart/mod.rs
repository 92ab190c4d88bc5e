//! SMART: what a drive says about its own health, asked through `smartctl --json` in time ([`run`]) by the way that
//! worked before ([`remembered`]), and believed where it is of that drive (`accept`). What its documents say is read by the crate [`smart`](::smart), whose types stand here, too.
//!
//! Tested with a smartctl that hangs, lies or is missing (`tests/smart_run.rs`).

mod accept;
mod meanwhile;
mod own_serial;
pub mod remembered;
pub mod run;

pub use ::smart::{
    AtThreshold, Attribute, BackgroundScan, ErrorCounters, Farm, FarmErrors, HEAT_LIMIT_MAX, HEAT_LIMIT_MIN, HOURS_MAX,
    NotSmart, NvmeHealth, PENDING_LOG, Protocol, Row, ScsiException, ScsiHealth, SctTemperature, SelfTest,
    SelfTestAbility, SelfTestLog, Snapshot, SnapshotMessage, Statistic, Switch, WriteCounter, delta, exit, known,
    parse, wear,
};
pub use meanwhile::Meanwhile;
pub use own_serial::own_serial;
pub use run::{Answer, Smartctl, Unreadable, words};
