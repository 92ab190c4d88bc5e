//! Descriptors that a unit has given away come back to its next process, with systemd's words.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod lab;

use std::io::Read;
use std::os::unix::net::UnixListener;

use lab::{Init, PATIENCE, kill, pid_of, service};

#[test]
fn helper_notify() {
    lab::helper();
}

#[test]
fn stored_descriptors_come_back_after_the_sockets_bounded_and_without_those_that_hung_up() {
    let dir = tempfile::tempdir().unwrap();
    let peer = UnixListener::bind(dir.path().join("peer.sock")).unwrap();
    let more = "fd_store_max = 4\nlisten = [{ name = \"http\", stream = \"/run/a.sock\" }]";
    let mut init = Init::start_in(dir, &[("a", &service("stores", more))]);
    let (mut other, _) = peer.accept().unwrap();
    other.set_read_timeout(Some(PATIENCE)).unwrap();
    let s = init.wait("everything stored", |s| s.units[0].status == "stored");
    let first = pid_of(&s, "a");
    // The store outlives the unit's process, and the supervisor's image.
    assert_eq!(init.replace(), r#"{"reexec":{"kept":"state"}}"#);
    kill(first, libc::SIGKILL);
    // `dies` hangs up with the process that held its other end; `too-many` was one more than four.
    let s = init.wait("a new process with what was kept", |s| {
        s.units[0].restarts == 1 && s.units[0].status.starts_with("http ")
    });
    let status = &s.units[0].status;
    assert!(
        ["http file alive stored 13", "http file alive dies stored 13"].contains(&status.as_str()),
        "{status}"
    );
    let mut text = [0; 10];
    other.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"still here", "the connection is the same one");
    // Once more: by now the hang-up has been seen, if it was not seen in time for the first restart.
    kill(pid_of(&s, "a"), libc::SIGKILL);
    init.wait("no dead connection among them", |s| {
        s.units[0].restarts == 2 && s.units[0].status == "http file alive stored 13"
    });
}

#[test]
fn a_unit_without_a_store_keeps_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let peer = UnixListener::bind(dir.path().join("peer.sock")).unwrap();
    let more = "listen = [{ name = \"http\", stream = \"/run/a.sock\" }]";
    let mut init = Init::start_in(dir, &[("a", &service("stores", more))]);
    let s = init.wait("everything offered", |s| s.units[0].status == "stored");
    std::fs::remove_file(init.path("kept")).unwrap();
    kill(pid_of(&s, "a"), libc::SIGKILL);
    // It offers everything again, since it got nothing back.
    init.wait("everything offered again", |s| {
        s.units[0].restarts == 1 && s.units[0].status == "stored"
    });
    drop(peer);
}
