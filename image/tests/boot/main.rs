//! Boots the image in QEMU and shows that what the product promises holds there.
//!
//! One machine a test (those in `calm` share one), each from a fresh overlay of one test image (the product's image and one more archive with the
//! probe). Run by `scripts/test boot`, or alone:
//!
//! ```text
//! cargo test -p image --features boot-tests --test boot -- --test-threads=1 [NAME]
//! ```
//!
//! `KILN_TEST_IMAGE_X86` and `KILN_TEST_IMAGE_ARM64` name images that are there already. `KILN_TEST_KEEP=1` keeps the
//! machine's folder with its console log. Limits are several times what was measured on two slow cores: a limit that
//! is hit means something hangs.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    clippy::unused_self,
    reason = "a test that cannot go on must panic"
)]

mod bench;
mod boot;
mod calm;
mod cards;
mod command_line;
mod console;
mod controllers;
mod cuts;
mod drives;
mod flash;
mod format;
mod gate;
mod guard;
mod images;
mod lab;
mod lights;
mod lost;
mod medium;
mod network;
mod playbooks;
mod played;
mod power;
mod services;
mod signatures;
mod slots;
mod sticks;
mod stuck;
mod supervisor;
mod systemd;
mod trial;
mod update;
mod wire_lab;
