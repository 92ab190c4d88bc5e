//! What services say over the notify socket, `sd_notify(3)`, from real processes: another main process, a failure of one's own.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod lab;

use lab::{Init, alive, kill, pid_of, service};
use wire::supervisor::UnitState;

#[test]
fn helper_notify() {
    lab::helper();
}

#[test]
fn a_service_that_forks_names_its_main_process_and_it_is_kept_over_a_replacement() {
    let mut init = Init::start(&[("a", &service("forks", "watchdog_sec = 30"))]);
    let s = init.wait("the child as main process", |s| {
        let a = &s.units[0];
        a.state == UnitState::Ready && a.pid.is_some_and(|pid| a.status == format!("child {pid}"))
    });
    let child = pid_of(&s, "a");
    let first: i32 = std::fs::read_to_string(init.path("first")).unwrap().parse().unwrap();
    init.until("the end of the one that was started", || !alive(first));
    assert!(init.replace().contains("state"));
    init.lines = None;
    let s = init.wait("the same main process", |s| s.units[0].pid == Some(child));
    assert_eq!((s.units[0].restarts, s.units[0].state), (0, UnitState::Ready));
    kill(child, libc::SIGKILL);
    let s = init.wait("another run", |s| {
        s.units[0].restarts == 1 && s.units[0].state == UnitState::Ready
    });
    assert!(s.units[0].reason.contains("SIGKILL"), "{}", s.units[0].reason);
}

#[test]
fn who_babbles_is_told_a_few_times_and_is_heard_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("etc/kiln/units");
    std::fs::create_dir_all(&folder).unwrap();
    let unit = service("babbles", "watchdog_sec = 2").replace("DIR", dir.path().to_str().unwrap());
    std::fs::write(folder.join("a.toml"), unit).unwrap();
    let log = dir.path().join("log");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kiln-init"));
    command
        .arg("--root")
        .arg(dir.path())
        .stderr(std::fs::File::create(&log).unwrap());
    let mut init = Init::run(dir, command);
    // Its words in between counted.
    let s = init.wait("all said", |s| {
        s.units[0].status == "said" && s.units[0].state == UnitState::Ready
    });
    assert_eq!(s.units[0].restarts, 0);
    init.stop();
    let text = std::fs::read_to_string(&log).unwrap();
    let lines = |what: &str| text.lines().filter(|l| l.contains(what)).count();
    assert!((1..=20).contains(&lines("MAINPID=2")), "{} lines", lines("MAINPID=2"));
    assert!((1..=20).contains(&lines("reloading")), "{} lines", lines("reloading"));
}

#[test]
fn nobody_names_a_main_process_that_is_not_its_own() {
    let sleeper = "exec = [\"/bin/sh\", \"-c\", \"echo $$ > DIR/victim; exec sleep 1000\"]";
    let mut init = Init::start(&[("evil", &service("names", "after = [\"victim\"]")), ("victim", sleeper)]);
    let s = init.wait("all said", |s| s.units.iter().any(|u| u.status == "said"));
    let victim = pid_of(&s, "victim");
    let evil = pid_of(&s, "evil");
    assert_ne!(evil, victim);
    assert!(alive(evil), "its own process is still the main one");
    kill(evil, libc::SIGKILL);
    let s = init.wait("evil anew", |s| {
        s.units.iter().any(|u| u.name == "evil" && u.restarts == 1)
    });
    assert_eq!(pid_of(&s, "victim"), victim);
    assert!(alive(victim) && alive(init.pid()), "nobody else was signalled");
}

#[test]
fn a_service_that_reports_its_own_failure_is_ended_and_told() {
    let mut init = Init::start(&[
        ("errs", &service("errs", "")),
        ("trips", &service("trips", "watchdog_sec = 1000")),
    ]);
    let s = init.wait("both started again", |s| s.units.iter().all(|u| u.restarts > 0));
    let reason = |name: &str| s.units.iter().find(|u| u.name == name).unwrap().reason.clone();
    assert!(reason("errs").contains("errno 5, "), "{}", reason("errs"));
    assert!(
        reason("trips").contains("reports its own failure"),
        "{}",
        reason("trips")
    );
}
