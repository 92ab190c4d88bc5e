//! `kiln-init --root DIR` over real children: readiness, restart, the ladder, reaping, ordered shutdown, bad unit files.
//!
//! Units are small shell scripts; `notify` is a helper of this very test binary (see `helper_notify`), since a shell has
//! no datagram sockets. Nothing here needs root, a cgroup or a mount. Waits are generous: the machine may be slow.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod lab;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Command;
use std::time::{Duration, Instant};

use lab::{Init, PATIENCE, alive, kill, pid_of, service};
use wire::supervisor::{Rung, UnitState};

#[test]
fn helper_notify() {
    lab::helper();
}

#[test]
fn readiness_orders_the_start_and_the_stop() {
    let log = |n: &str| {
        format!(
            "exec = [\"/bin/sh\", \"-c\", \"echo start-{n} >> DIR/log; trap 'echo stop-{n} >> DIR/log; exit 0' TERM; while :; do sleep 0.05; done\"]"
        )
    };
    let mut init = Init::start(&[
        ("base", &service("ready", "")),
        ("middle", &format!("{}\nrequires = [\"base\"]", log("middle"))),
        ("top", &format!("{}\nafter = [\"middle\"]", log("top"))),
        ("once", "exec = [\"/bin/true\"]\ntype = \"oneshot\""),
    ]);
    init.wait("all up", |s| {
        s.units
            .iter()
            .all(|u| matches!(u.state, UnitState::Ready | UnitState::Done))
            && s.units.len() == 4
    });
    let path = init.path("log");
    let begun = Instant::now();
    while std::fs::read_to_string(&path).unwrap_or_default().lines().count() < 2 && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
    }
    init.stop();
    let text = std::fs::read_to_string(&path).unwrap();
    let stops: Vec<_> = text.lines().filter(|l| l.starts_with("stop")).collect();
    assert_eq!(stops, ["stop-top", "stop-middle"], "{text}");
}

#[test]
fn a_killed_unit_is_started_again_at_once_and_its_children_die_with_it() {
    let mut init = Init::start(&[(
        "a",
        "exec = [\"/bin/sh\", \"-c\", \"sleep 1000 & echo $! > DIR/kid; wait\"]",
    )]);
    let status = init.wait_state("a", UnitState::Ready);
    let first = pid_of(&status, "a");
    let kid = {
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(init.path("kid")).unwrap_or_default();
            if let Ok(pid) = text.trim().parse::<i32>() {
                break pid;
            }
            assert!(begun.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    kill(first, libc::SIGKILL);
    let status = init.wait("a restarted", |s| {
        s.units[0].state == UnitState::Ready && s.units[0].restarts == 1
    });
    assert_ne!(pid_of(&status, "a"), first);
    let begun = Instant::now();
    while alive(kid) {
        assert!(begun.elapsed() < PATIENCE, "a child of the dead unit lives on");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(status.units[0].reason.contains("SIGKILL"), "{}", status.units[0].reason);
}

#[test]
fn a_stopped_unit_climbs_the_ladder_and_comes_back() {
    let mut init = Init::start(&[("a", &service("beats", "watchdog_sec = 2"))]);
    let status = init.wait("a at work", |s| s.units[0].status == "at work");
    let first = pid_of(&status, "a");
    kill(first, libc::SIGSTOP);
    let s = init.wait("late", |s| {
        s.units[0].state == UnitState::Degraded && s.units[0].rung == Some(Rung::Late)
    });
    assert!(s.units[0].reason.contains("no heartbeat for"), "{}", s.units[0].reason);
    init.wait("degraded", |s| s.units[0].rung == Some(Rung::Degraded));
    init.wait("killed", |s| s.units[0].rung == Some(Rung::Kill));
    let s = init.wait("back", |s| {
        s.units[0].state == UnitState::Ready && s.units[0].restarts == 1
    });
    assert_ne!(pid_of(&s, "a"), first);
    assert!(!alive(first));
}

#[test]
fn ten_thousand_children_that_exit_at_once_leave_none_behind() {
    // Each subshell starts a process and exits, so that the process becomes an orphan and ours.
    let script = "i=0; while [ $i -lt 10000 ]; do (: & ) ; i=$((i+1)); done; echo done > DIR/done; sleep 1000";
    let mut init = Init::start(&[("many", &format!("exec = [\"/bin/sh\", \"-c\", {script:?}]"))]);
    let begun = Instant::now();
    while !init.path("done").exists() {
        assert!(begun.elapsed() < PATIENCE * 4, "the children were not even made");
        std::thread::sleep(Duration::from_millis(50));
    }
    let me = init.child.id();
    let children = || {
        let mut n = 0;
        for e in std::fs::read_dir("/proc").unwrap().flatten() {
            let stat = std::fs::read_to_string(e.path().join("stat")).unwrap_or_default();
            let parent = stat
                .rsplit_once(')')
                .and_then(|(_, r)| r.split_whitespace().nth(1)?.parse::<u32>().ok());
            n += usize::from(parent == Some(me));
        }
        n
    };
    while children() > 1 {
        assert!(begun.elapsed() < PATIENCE * 5, "{} children are left", children());
        std::thread::sleep(Duration::from_millis(50));
    }
    init.wait_state("many", UnitState::Ready);
    init.stop();
}

#[test]
fn a_malformed_unit_is_told_and_the_others_run() {
    let mut init = Init::start(&[
        ("good", "exec = [\"/bin/sleep\", \"1000\"]"),
        ("bad", "exec = [\"/bin/sleep\", \"1000\"]\nwatchdog_sec = \"soon\""),
        ("needs", "exec = [\"/bin/sleep\", \"1000\"]\nrequires = [\"bad\"]"),
        (
            "gone",
            "exec = [\"/no/such/program\"]\nrestart_sec = 0.01\nstart_limit_burst = 2",
        ),
    ]);
    let s = init.wait("gone in quarantine", |s| {
        s.units
            .iter()
            .any(|u| u.name == "gone" && u.state == UnitState::Quarantined)
    });
    let unit = |n: &str| s.units.iter().find(|u| u.name == n).unwrap();
    assert_eq!(unit("good").state, UnitState::Ready);
    assert_eq!(unit("bad").state, UnitState::Failed);
    assert!(
        unit("bad").reason.contains("bad.toml line 2, field `watchdog_sec`"),
        "{}",
        unit("bad").reason
    );
    assert!(
        s.banners.iter().any(|b| b.text.contains("bad.toml line 2")),
        "{:?}",
        s.banners
    );
    assert_eq!(
        (unit("needs").state, unit("needs").reason.as_str()),
        (UnitState::Stopped, "waits for bad, which is not there")
    );
    assert!(
        unit("gone")
            .reason
            .contains("could not run its program (the log has why)"),
        "{}",
        unit("gone").reason
    );
}

#[test]
fn sockets_and_credentials_are_passed_and_survive_a_kill() {
    let more = "credentials = [\"agent-token\"]\nlisten = [{ name = \"http\", stream = \"/run/a.sock\" }, { name = \"log\", datagram = \"/run/b.sock\" }]";
    let mut init = Init::start(&[("a", &service("sockets", more))]);
    let s = init.wait("sockets passed", |s| s.units[0].status == "2 http:log 64");
    // The socket outlives the process: a connection made while it is dead waits in the backlog.
    kill(pid_of(&s, "a"), libc::SIGKILL);
    let _waiting = UnixStream::connect(init.path("run/a.sock")).unwrap();
    init.wait("back", |s| {
        s.units[0].restarts == 1 && s.units[0].status == "2 http:log 64"
    });
}

#[test]
fn a_notification_of_a_stranger_is_not_believed() {
    let mut init = Init::start(&[(
        "a",
        "exec = [\"/bin/sleep\", \"1000\"]\ntype = \"notify\"\nstart_timeout_sec = 3600",
    )]);
    init.wait_state("a", UnitState::Starting);
    let s = UnixDatagram::unbound().unwrap();
    s.connect(init.path("run/kiln/notify.sock")).unwrap();
    for _ in 0..50 {
        s.send(b"READY=1").unwrap();
    }
    // A request that is answered after the datagrams were read.
    let status = {
        init.lines = None;
        init.wait("an answer", |_| true)
    };
    std::thread::sleep(Duration::from_millis(300));
    init.lines = None;
    let later = init.wait("an answer", |_| true);
    assert_eq!(
        (status.units[0].state, later.units[0].state),
        (UnitState::Starting, UnitState::Starting)
    );
}

#[test]
fn a_unit_that_ignores_sigterm_does_not_hold_up_the_end() {
    let mut init = Init::start(&[(
        "deaf",
        "exec = [\"/bin/sh\", \"-c\", \"trap '' TERM; echo up > DIR/up; while :; do sleep 0.1; done\"]\nstop_timeout_sec = 1",
    )]);
    let begun = Instant::now();
    while !init.path("up").exists() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
    let s = init.wait_state("deaf", UnitState::Ready);
    let took = init.stop();
    assert!(took >= Duration::from_millis(900), "it was given its second: {took:?}");
    assert!(!alive(pid_of(&s, "deaf")));
}

#[test]
fn who_floods_the_control_socket_holds_up_no_restart() {
    let unit = "exec = [\"/bin/sh\", \"-c\", \"echo $$ >> DIR/runs; exec sleep 1000\"]\nstart_limit_burst = 100";
    let mut init = Init::start(&[("a", unit)]);
    init.wait_state("a", UnitState::Ready);
    let runs = || -> Vec<i32> {
        let text = std::fs::read_to_string(init.path("runs")).unwrap_or_default();
        text.lines().filter_map(|l| l.parse().ok()).collect()
    };
    init.until("the first run", || runs().len() == 1);
    let (path, over) = (
        init.path("run/kiln/control.sock"),
        std::sync::atomic::AtomicBool::new(false),
    );
    let restarted = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    drop(UnixStream::connect(&path));
                }
            });
        }
        // Each time in the middle of it; the flood ends only behind all of them.
        let restarted = (1..=3).all(|n| {
            kill(runs()[n - 1], libc::SIGKILL);
            let begun = Instant::now();
            while runs().len() == n && begun.elapsed() < Duration::from_secs(15) {
                std::thread::sleep(Duration::from_millis(10));
            }
            runs().len() > n
        });
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        restarted
    });
    assert!(
        restarted,
        "a unit that was killed is started again only when the flood is over"
    );
}

#[test]
fn a_second_supervisor_of_the_same_folder_is_refused_also_after_the_first_was_replaced() {
    let mut init = Init::start(&[("a", "exec = [\"/bin/sleep\", \"1000\"]")]);
    let first = pid_of(&init.wait_state("a", UnitState::Ready), "a");
    for _ in 0..2 {
        let second = Command::new(env!("CARGO_BIN_EXE_kiln-init"))
            .arg("--root")
            .arg(init.dir.path())
            .output()
            .unwrap();
        let told = String::from_utf8(second.stderr).unwrap();
        assert!(
            !second.status.success() && told.contains("run/kiln/lock: another kiln-init"),
            "{told}"
        );
        assert!(init.replace().contains("kept"));
    }
    assert_eq!(pid_of(&init.wait_state("a", UnitState::Ready), "a"), first);
}

#[test]
fn who_cannot_start_says_where_and_what_is_expected() {
    let told = |dir: &std::path::Path| {
        let mut init = Command::new(env!("CARGO_BIN_EXE_kiln-init"));
        let ended = init.arg("--root").arg(dir).output().unwrap();
        assert!(!ended.status.success());
        String::from_utf8(ended.stderr).unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("x".repeat(100));
    std::fs::create_dir_all(long.join("etc/kiln/units")).unwrap();
    let text = told(&long);
    assert!(
        text.contains("/run/kiln/notify.sock: ") && text.contains("expected a shorter --root"),
        "{text}"
    );
    std::fs::create_dir_all(dir.path().join("run/kiln/control.sock/x")).unwrap();
    let text = told(dir.path());
    assert!(
        text.contains("/run/kiln/control.sock: ") && text.contains("remove it"),
        "{text}"
    );
    std::fs::remove_dir_all(dir.path().join("run")).unwrap();
    std::fs::write(dir.path().join("run"), "").unwrap();
    let text = told(dir.path());
    assert!(
        text.contains("/run/kiln: ") && text.contains("expected folders all the way"),
        "{text}"
    );
}

#[test]
fn a_wrong_request_is_answered_with_what_is_expected() {
    let mut init = Init::start(&[("a", "exec = [\"/bin/sleep\", \"1000\"]")]);
    init.wait_state("a", UnitState::Ready);
    let mut s = UnixStream::connect(init.path("run/kiln/control.sock")).unwrap();
    s.set_read_timeout(Some(PATIENCE)).unwrap();
    s.write_all(b"{\"reboot\":{}}\n").unwrap();
    let mut line = String::new();
    BufReader::new(s).read_line(&mut line).unwrap();
    assert!(line.contains("expected one of {\\\"watch\\\":{}}"), "{line}");
}

#[test]
fn a_unit_has_as_many_descriptors_as_its_file_says_and_not_the_supervisors() {
    let script = |n: &str, more: &str| {
        format!(
            "exec = [\"/bin/sh\", \"-c\", \"ulimit -Sn > DIR/{n}; ulimit -Hn >> DIR/{n}\"]\ntype = \"oneshot\"\n{more}"
        )
    };
    let socket = "limit_nofile = 64\nlisten = [{ name = \"http\", stream = \"/run/c.sock\" }]";
    let mut init = Init::start(&[
        ("a", &script("a", "limit_nofile = 777")),
        ("b", &script("b", "")),
        ("c", &script("c", socket)),
    ]);
    init.wait("all done", |s| {
        s.units.len() == 3 && s.units.iter().all(|u| u.state == UnitState::Done)
    });
    let told = |n: &str| std::fs::read_to_string(init.path(n)).unwrap();
    assert_eq!(told("a"), "777\n777\n");
    assert_eq!(told("c"), "64\n64\n", "and a socket is passed all the same");
    let (_, most) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    let most = most.min(4096);
    assert_eq!(told("b"), format!("{most}\n{most}\n"));
}

#[test]
fn a_unit_does_not_wait_for_a_log_that_stands() {
    let journal =
        "exec = [\"/bin/sleep\", \"1000\"]\nlisten = [{ name = \"stdout\", datagram = \"/run/kiln/stdout.sock\" }]";
    // More than any queue of datagrams holds.
    let script = "i=0; while [ $i -lt 1500 ]; do echo line $i; i=$((i+1)); done; echo done > DIR/done; sleep 1000";
    let talks = format!("exec = [\"/bin/sh\", \"-c\", {script:?}]\nafter = [\"journal\"]");
    let mut init = Init::start(&[("journal", journal), ("talks", &talks)]);
    let s = init.wait_state("talks", UnitState::Ready);
    let (first, begun) = (pid_of(&s, "talks"), Instant::now());
    while !init.path("done").exists() {
        assert!(begun.elapsed() < PATIENCE * 4, "it waits for the log");
        std::thread::sleep(Duration::from_millis(50));
    }
    init.lines = None;
    let s = init.wait("a status", |_| true);
    assert_eq!(pid_of(&s, "talks"), first, "and it is the same process");
}
