//! Descriptors that a unit has given away come back to its next process, with systemd's words.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod lab;

use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixListener};

use lab::{Init, PATIENCE, kill, pid_of, service};
use wire::supervisor::UnitState;

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

#[test]
fn what_a_process_says_at_its_very_end_is_heard_before_the_next_one_starts() {
    let mut init = Init::start(&[("a", &service("parts", "fd_store_max = 1"))]);
    let first = pid_of(&init.wait_state("a", UnitState::Ready), "a");
    // The supervisor finds both at once: the notification, and the end of who sent it.
    kill(init.pid(), libc::SIGSTOP);
    std::fs::write(init.path("go"), "").unwrap();
    init.until("its end", || !lab::alive(first));
    kill(init.pid(), libc::SIGCONT);
    let s = init.wait("the next one", |s| {
        s.units[0].restarts == 1 && !s.units[0].status.is_empty()
    });
    assert_eq!(s.units[0].status, "last");
}

/// Whoever may notify could otherwise fill the supervisor's table of descriptors, which is the end of the machine.
#[test]
fn descriptors_that_nobody_asked_for_do_not_stay() {
    let mut init = Init::start(&[("a", &service("ready", ""))]);
    init.wait_state("a", UnitState::Ready);
    let open = |init: &Init| std::fs::read_dir(format!("/proc/{}/fd", init.pid())).unwrap().count();
    let before = open(&init);
    let anybody = UnixDatagram::unbound().unwrap();
    anybody.connect(init.path("run/kiln/notify.sock")).unwrap();
    let file = tempfile::tempfile().unwrap();
    for count in [1, 64, 65, 100, 253, 253, 253] {
        lab::carry(&anybody, "FDSTORE=1", &vec![file.as_raw_fd(); count]);
    }
    // Whoever connects after that is answered by a turn that has taken them.
    for _ in 0..3 {
        init.lines = None;
        init.wait_state("a", UnitState::Ready);
    }
    // Nothing is left but what a turn has open for itself.
    init.until("all of them closed", || open(&init) <= before + 3);
    assert!(init.replace().contains("kept"), "it goes on");
    init.wait_state("a", UnitState::Ready);
}

#[test]
fn a_descriptor_that_hung_up_takes_no_other_along_that_has_its_number() {
    let mut init = Init::start(&[("a", &service("swaps", "fd_store_max = 2"))]);
    let first = pid_of(&init.wait_state("a", UnitState::Ready), "a");
    // The supervisor finds all of it in one turn.
    kill(init.pid(), libc::SIGSTOP);
    std::fs::write(init.path("go"), "").unwrap();
    init.until("the swap", || init.path("swapped").exists());
    kill(init.pid(), libc::SIGCONT);
    for _ in 0..2 {
        init.lines = None;
        init.wait_state("a", UnitState::Ready);
    }
    let sockets = |pid: i32| -> Vec<std::path::PathBuf> {
        let listed = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        // What both were started with may be the same, too.
        let own = listed.filter(|e| e.file_name().to_string_lossy().parse::<i32>().is_ok_and(|n| n > 2));
        let links = own.filter_map(|e| std::fs::read_link(e.path()).ok());
        links.filter(|l| l.to_string_lossy().starts_with("socket:")).collect()
    };
    let (kept, has) = (sockets(init.pid()), sockets(first));
    let both = has.iter().filter(|l| kept.contains(l)).count();
    assert_eq!(both, 1, "the new one is the supervisor's, too");
}

#[test]
fn what_all_units_store_together_is_bounded() {
    let unit = service("hoards", "fd_store_max = 64");
    let names: Vec<String> = (0..10).map(|n| format!("u{n}")).collect();
    let units: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), unit.as_str())).collect();
    let mut init = Init::start(&units);
    init.wait("all ready", |s| s.units.iter().all(|u| u.state == UnitState::Ready));
    let open = std::fs::read_dir(format!("/proc/{}/fd", init.pid())).unwrap().count();
    assert!((512..600).contains(&open), "{open}");
    assert_eq!(init.replace(), r#"{"reexec":{"kept":"state"}}"#);
}
