//! The NBD server against QEMU's own client, `qemu-io`: what it writes it reads, and lies come through.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::Command;

use image::nbd::{Disk, Fault, Plan, Server};

/// Runs `qemu-io` commands on the socket; its output, or `None` where qemu-utils is not installed.
fn qemu_io(server: &Server, commands: &[&str]) -> Option<String> {
    let mut command = Command::new("qemu-io");
    command.args(["-f", "raw"]);
    for c in commands {
        command.args(["-c", c]);
    }
    command.arg(format!("nbd+unix:///?socket={}", server.path().display()));
    match command.output() {
        Ok(output) => Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()),
        Err(_) => {
            rig::not_run("qemu-io is not installed (scripts/setup installs qemu-utils)");
            None
        }
    }
}

#[test]
fn qemu_reads_what_it_wrote_and_its_flush_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::bind(&dir.path().join("s"), Disk::blank(8).unwrap().with_volatile_cache()).unwrap();
    let Some(out) = qemu_io(
        &server,
        &[
            "write -P 0x5a 1M 64k",
            "flush",
            "read -P 0x5a 1M 64k",
            "read -P 0 2M 4k",
        ],
    ) else {
        return;
    };
    assert!(!out.contains("failed"), "{out}");
    let counters = server.disk().counters();
    assert!(counters.flushes >= 1 && counters.sectors_written == 128, "{counters:?}");
    assert_eq!(server.disk().medium(2048, 1).unwrap(), [0x5a; 512]);
}

#[test]
fn qemu_sees_the_flipped_bit_and_the_read_error() {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan::honest()
        .with(Fault::FlipBit { sector: 16, bit: 0 })
        .with(Fault::ReadError(100..101));
    let server = Server::bind(&dir.path().join("s"), Disk::blank(8).unwrap().with_plan(plan)).unwrap();
    let Some(out) = qemu_io(&server, &["write -P 0 0 128k", "read -P 0 8k 512"]) else {
        return;
    };
    assert!(out.contains("Pattern verification failed"), "{out}");
    let out = qemu_io(&server, &["read 51200 512"]).unwrap();
    assert!(out.contains("Input/output error"), "{out}");
}

#[test]
fn a_forced_write_of_qemu_survives_the_cut() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::bind(&dir.path().join("s"), Disk::blank(8).unwrap().with_volatile_cache()).unwrap();
    let Some(out) = qemu_io(&server, &["write -f -P 1 0 4k"]) else {
        return;
    };
    assert!(!out.contains("failed"), "{out}");
    server.cut(1).unwrap();
    assert_eq!(server.disk().medium(0, 8).unwrap(), [1; 4096]);
    assert!(server.disk().counters().fua >= 1);
}
