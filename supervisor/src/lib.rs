//! PID 1 of the box: a pure core (`core`) in a thin shell (`shell`), and the child modes of the same binary.
//!
//! `unit` reads unit files, `core` decides, `shell` acts, `boot` brings the machine up, `handover`
//! replaces PID 1 while all of it runs, `journal` is the log unit, `network` starts dhcpcd and chrony,
//! `update` writes and judges new systems.
//! See `README.md` beside this crate for unit keys, files and how it is tested.

#![warn(unreachable_pub)]
#![allow(clippy::doc_markdown, reason = "systemd's words are not Rust items")]

pub mod boot;
pub mod bpf;
pub mod console;
pub mod core;
pub mod crash;
pub mod handover;
pub mod journal;
pub mod network;
pub(crate) mod quota;
pub(crate) mod remains;
pub mod shell;
pub(crate) mod tar;
pub mod unit;
pub mod update;
pub(crate) mod words;
