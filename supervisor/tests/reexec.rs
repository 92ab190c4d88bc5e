//! The supervisor is replaced by a fresh image of itself while its units run: on request, after a fatal signal, after a
//! panic, and without any usable state.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod lab;

use std::io::Read;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use lab::{Init, PATIENCE, alive, kill, pid_of, service};
use wire::supervisor::{Status, UnitState};

/// Connections that wait in a backlog of 512.
const WAITING: usize = 200;

#[test]
fn helper_notify() {
    lab::helper();
}

/// The arguments of the image that runs now.
fn image(init: &Init) -> String {
    let line = std::fs::read(format!("/proc/{}/cmdline", init.pid())).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

fn unit<'a>(s: &'a Status, name: &str) -> &'a wire::supervisor::UnitView {
    s.units.iter().find(|u| u.name == name).unwrap()
}

/// Replaces the supervisor in some way and checks that nothing that runs has noticed.
fn survives(fault: bool, replace: impl Fn(&Init)) {
    let mut init = Init::start(&[
        ("beats", &service("beats", "watchdog_sec = 2")),
        (
            "accepts",
            &service("accepts", "listen = [{ name = \"http\", stream = \"/run/a.sock\" }]"),
        ),
        ("plain", "exec = [\"/bin/sleep\", \"1000\"]"),
        (
            "fails",
            "exec = [\"/bin/false\"]\nrestart_sec = 0.01\nstart_limit_burst = 2",
        ),
        (
            "once",
            "exec = [\"/bin/sh\", \"-c\", \"echo ran >> DIR/once\"]\ntype = \"oneshot\"",
        ),
    ]);
    let s = init.wait("plain", |s| unit(s, "plain").pid.is_some());
    kill(pid_of(&s, "plain"), libc::SIGKILL);
    let before = init.wait("everything where it stays", |s| {
        unit(s, "plain").restarts == 1
            && unit(s, "plain").state == UnitState::Ready
            && unit(s, "fails").state == UnitState::Quarantined
            && unit(s, "once").state == UnitState::Done
            && ["beats", "accepts"]
                .iter()
                .all(|n| unit(s, n).state == UnitState::Ready)
    });
    let waiting: Vec<UnixStream> = (0..WAITING)
        .map(|_| UnixStream::connect(init.path("run/a.sock")).unwrap())
        .collect();

    replace(&init);
    init.until("a fresh image", || image(&init).contains("--heir"));
    // Longer than two of the heartbeat's deadlines.
    std::thread::sleep(Duration::from_secs(5));
    init.lines = None;
    let after = init.wait("a status of the fresh image", |_| true);
    let told = after.banners.iter().any(|b| b.text.contains("a fault of its own"));
    assert_eq!(told, fault, "{:?}", after.banners);
    for (old, new) in before.units.iter().zip(&after.units) {
        let facts =
            |u: &wire::supervisor::UnitView| (u.name.clone(), u.state, u.pid, u.restarts, u.since, u.reason.clone());
        assert_eq!(facts(old), facts(new));
    }
    std::fs::write(init.path("go"), "").unwrap();
    for mut s in waiting
        .into_iter()
        .chain([UnixStream::connect(init.path("run/a.sock")).unwrap()])
    {
        s.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut text = String::new();
        s.read_to_string(&mut text).unwrap();
        assert_eq!(text, "served");
    }
    assert_eq!(
        std::fs::read_to_string(init.path("once")).unwrap(),
        "ran\n",
        "a one-shot ran again"
    );
    // What is kept is also still supervised.
    kill(pid_of(&after, "beats"), libc::SIGSTOP);
    init.wait("the ladder goes on", |s| {
        unit(s, "beats").restarts == 1 && unit(s, "beats").state == UnitState::Ready
    });
    init.stop();
    for u in &after.units {
        assert!(u.pid.is_none_or(|p| !alive(p)), "{} outlived the shutdown", u.name);
    }
}

#[test]
fn on_request_nothing_restarts_and_no_connection_is_lost() {
    survives(false, |init| {
        assert_eq!(init.replace(), r#"{"reexec":{"kept":"state"}}"#);
    });
}

#[test]
fn after_a_fatal_signal_nothing_restarts_and_no_connection_is_lost() {
    survives(true, |init| kill(init.pid(), libc::SIGSEGV));
}

#[test]
fn after_a_panic_nothing_restarts_and_no_connection_is_lost() {
    if !cfg!(debug_assertions) {
        return rig::not_run("only a debug build can be made to panic");
    }
    // Debug builds panic at this signal (`shell::run::Shell::provoked`).
    survives(true, |init| kill(init.pid(), libc::SIGUSR2));
}

#[test]
fn it_can_be_replaced_again_and_again_and_every_descriptor_is_still_there() {
    let mut init = Init::start(&[
        ("a", &service("beats", "watchdog_sec = 5")),
        (
            "b",
            &service(
                "sockets",
                "credentials = [\"agent-token\"]\nlisten = [{ name = \"x\", stream = \"/run/x.sock\" }]",
            ),
        ),
    ]);
    let before = init.wait("both ready", |s| s.units.iter().all(|u| u.state == UnitState::Ready));
    let count = |init: &Init| std::fs::read_dir(format!("/proc/{}/fd", init.pid())).unwrap().count();
    let mut counts = Vec::new();
    for _ in 0..12 {
        assert_eq!(init.replace(), r#"{"reexec":{"kept":"state"}}"#);
        counts.push(count(&init));
    }
    let after = init.wait("both as they were", |_| true);
    assert_eq!(
        before.units.iter().map(|u| u.pid).collect::<Vec<_>>(),
        after.units.iter().map(|u| u.pid).collect::<Vec<_>>()
    );
    // The loop's own descriptor, a listing's or a client's may be seen in passing.
    assert!(
        counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 4,
        "descriptors leak: {counts:?}"
    );
    // The replaced unit gets the same credential again.
    kill(pid_of(&after, "b"), libc::SIGKILL);
    init.wait("b again", |s| {
        unit(s, "b").restarts == 1 && unit(s, "b").status == "1 x 64"
    });
}

#[test]
fn a_stream_of_faults_ends_it() {
    let mut init = Init::start(&[("a", "exec = [\"/bin/sleep\", \"1000\"]")]);
    init.wait_state("a", UnitState::Ready);
    let mut images = Vec::new();
    for n in 1..=4 {
        kill(init.pid(), libc::SIGSEGV);
        let begun = Instant::now();
        loop {
            let now = image(&init);
            if !images.contains(&now) && now.contains("--heir") {
                images.push(now);
                break;
            }
            if init.child.try_wait().unwrap().is_some() {
                assert_eq!(n, 4, "it gave up after {n} faults: {images:?}");
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "fault {n} was not seen: {images:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        // The status says that it can take the next one.
        init.lines = None;
        init.wait_state("a", UnitState::Ready);
    }
    panic!("it goes on for ever: {images:?}");
}

#[test]
fn only_root_and_its_own_user_may_ask() {
    if !nix::unistd::getuid().is_root() {
        return rig::not_run("asking as another user needs root");
    }
    let mut init = Init::start(&[("a", "exec = [\"/bin/sleep\", \"1000\"]")]);
    init.wait_state("a", UnitState::Ready);
    std::fs::set_permissions(init.dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let socket = init.path("run/kiln/control.sock");
    let answer = Command::new("/usr/bin/env")
        .args(["python3", "-c", "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.settimeout(60)\ns.connect(sys.argv[1])\ns.send(b'{\"reexec\":{}}\\n')\nprint(s.recv(400).decode())"])
        .arg(socket)
        .uid(65_534)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&answer.stdout);
    assert!(text.contains("only root may replace PID 1"), "{answer:?}");
    assert!(!image(&init).contains("--heir"));
}

/// Becomes a supervisor whose predecessor has left this state behind, with children and sockets as the predecessor had
/// them; run as a process of its own, since its children must be the supervisor's.
#[test]
fn helper_predecessor() {
    let (Ok(dir), Ok(state)) = (std::env::var("PREDECESSOR"), std::env::var("STATE")) else {
        return;
    };
    let sleep = |unit: &str, seconds: &str| {
        let mut c = Command::new("/bin/sleep");
        c.arg(seconds).env("KILN_UNIT", unit);
        // SAFETY: two system calls and nothing else.
        unsafe {
            c.pre_exec(|| {
                nix::unistd::setsid()?;
                Ok(nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?)
            })
        };
        c.spawn().unwrap().id()
    };
    std::fs::create_dir_all(format!("{dir}/run/kiln")).unwrap();
    let listener = UnixListener::bind(format!("{dir}/run/a.sock")).unwrap();
    // Not the unit's program, and older: must not be mistaken for the main process.
    let side = sleep("a", "999");
    let main = sleep("a", "1000");
    let gone = sleep("gone", "1000");
    std::fs::write(format!("{dir}/pids"), format!("{main} {side} {gone}")).unwrap();
    let me = std::process::id();
    let mut bytes = vec![0; supervisor::handover::envelope::HEAD];
    bytes.extend_from_slice(b"{}");
    supervisor::handover::envelope::seal(&mut bytes, if state == "foreign" { me + 1 } else { me });
    if state == "damaged" {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
    }
    let fd = match state.as_str() {
        "none" => "-".to_owned(),
        "unsealed" => {
            let fd = nix::sys::memfd::memfd_create(c"x", nix::sys::memfd::MFdFlags::empty()).unwrap();
            nix::unistd::write(&fd, &bytes).unwrap();
            std::os::fd::IntoRawFd::into_raw_fd(fd).to_string()
        }
        _ => supervisor::handover::memfd::write(&bytes).unwrap().to_string(),
    };
    // The predecessor's sockets stay open.
    nix::fcntl::fcntl(&listener, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let e = Command::new(env!("CARGO_BIN_EXE_kiln-init"))
        .args(["--root", &dir, "--heir", &fd, "--faults", "0,0,0,0"])
        .exec();
    panic!("{e}");
}

#[test]
fn without_a_usable_state_every_child_is_found_and_that_is_told() {
    for (state, why) in [
        ("damaged", "its checksum is wrong"),
        ("foreign", "wrote it, expected"),
        ("unsealed", "it is not sealed"),
        ("strange", "it does not fit"),
        ("none", "none was handed over"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let units = root.join("etc/kiln/units");
        std::fs::create_dir_all(&units).unwrap();
        let text = "exec = [\"/bin/sleep\", \"1000\"]\nlisten = [{ name = \"x\", stream = \"/run/a.sock\" }]";
        std::fs::write(units.join("a.toml"), text).unwrap();
        std::fs::write(
            units.join("b.toml"),
            "exec = [\"/bin/sleep\", \"1000\"]\nafter = [\"a\"]",
        )
        .unwrap();
        let log = root.join("log");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["helper_predecessor", "--exact", "--nocapture", "--test-threads=1"])
            .env("PREDECESSOR", &root)
            .env("STATE", state)
            .stderr(std::fs::File::create(&log).unwrap());
        let mut init = Init::run(dir, command);
        let s = init.wait("both units", |s| s.units.iter().all(|u| u.state == UnitState::Ready));
        let pids = std::fs::read_to_string(init.path("pids")).unwrap();
        let pids: Vec<i32> = pids.split(' ').map(|p| p.parse().unwrap()).collect();
        assert_eq!(pid_of(&s, "a"), pids[0], "{state}: the main process was not found");
        assert!(
            s.banners
                .iter()
                .any(|b| b.text.contains("could not read its saved state")),
            "{state}: {:?}",
            s.banners
        );
        // Of the unit that is no more nothing stays; the other's side process stays with it.
        init.until("the stranger's end", || !alive(pids[2]));
        assert!(alive(pids[1]) && alive(pids[0]));
        let text = std::fs::read_to_string(&log).unwrap();
        assert!(text.contains(why), "{state}: {text}");
        // The socket is the old one: nothing was bound anew over it, and the unit's next process gets it.
        UnixStream::connect(init.path("run/a.sock")).unwrap();
        kill(pids[0], libc::SIGKILL);
        init.wait("a again", |s| {
            unit(s, "a").restarts == 1 && unit(s, "a").state == UnitState::Ready
        });
        init.stop();
    }
}
