//! The server from outside: its real router on a clock that tests move, add-ons over real WebSockets, and the real
//! binary as a process that is killed.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod acknowledged;
mod acts;
mod addon;
mod agent;
mod alerts;
mod bearer;
mod bounds;
mod box_;
mod certificate;
mod client;
mod faults;
mod full;
mod gate;
mod golden;
mod groups;
mod hosts;
mod http;
mod life;
mod manifest;
mod openapi;
mod people;
mod process;
mod roads;
mod session;
mod shed;
mod telemetry;
mod tls;
mod update;
mod zfs;
