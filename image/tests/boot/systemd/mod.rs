//! Server and agent under Debian's systemd, in a machine that has nothing of Kiln's PID 1: the same programs as in the image.
//!
//! What they use of a supervisor (READY, WATCHDOG, passed sockets, credentials, the journal) is systemd's own here, so that
//! what our PID 1 gives them is the real interface and not one that both of ours agree on. The root is an initramfs: Debian's
//! systemd with the libraries that it needs, our programs, and the unit files beside this one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use image::board::Board;
use image::cpio::{Archive, Node};
use image::cross::Binaries;
use image::qemu::probe::Probe;
use image::qemu::{Arch, Machine, Vm};
use image::tree;
use image::workspace::Workspace;
use probe::Op;
use serde_json::Value;

use crate::lab::{Lab, SOON};

/// Of Debian's package: what runs, and the units of its journal.
const PROGRAMS: [&str; 8] = [
    "usr/lib/systemd/systemd",
    "usr/lib/systemd/systemd-executor",
    "usr/lib/systemd/systemd-journald",
    "usr/lib/systemd/system/systemd-journald.service",
    "usr/lib/systemd/system/systemd-journald.socket",
    "usr/lib/systemd/system/systemd-journald-dev-log.socket",
    "usr/bin/journalctl",
    "usr/bin/systemctl",
];
/// Our programs.
/// Put beside the image's programs.
const TESTS: [(&str, &str); 2] = [("probe", "kiln-probe"), ("probe", "kiln-racer")];
const UNITS: [(&str, &str); 6] = [
    ("kiln-server.service", include_str!("kiln-server.service")),
    ("kiln-server.socket", include_str!("kiln-server.socket")),
    ("kiln-server-local.socket", include_str!("kiln-server-local.socket")),
    ("kiln-agent.service", include_str!("kiln-agent.service")),
    ("probe.service", include_str!("probe.service")),
    ("default.target", include_str!("default.target")),
];
/// What the helper's port needs.
const MODULES: [&str; 2] = ["virtio_pci", "virtio_console"];
/// Half a minute without a heartbeat is more than `WatchdogSec` allows.
const BEATEN: Duration = Duration::from_secs(30);

/// Kernel and initramfs.
fn root(lab: &Lab) -> (PathBuf, PathBuf) {
    let ws = Workspace::find();
    let board = Board::load(&ws.boards(), "x86-64").unwrap();
    let (vmlinuz, modules) = tree::kernel(&ws, &board).unwrap();
    let trees = tree::unpack(&ws, &board, &["systemd"]).unwrap();
    // The image's own set of programs: any other would compile their dependencies once more.
    let ours = Binaries::build(&ws, &board, false).unwrap();
    Binaries::build_these(&ws, &board, false, &TESTS).unwrap();
    let mut a = Archive::default();
    for dir in ["dev", "proc", "sys", "run", "tmp", "etc", "var/lib", "var/log", "root"] {
        a.add(dir, Node::Dir(0o755));
    }
    tree::add_usr(&mut a);
    tree::add_programs(&mut a, &trees, &PROGRAMS).unwrap();
    let program = |name: &str| Node::File(0o755, std::fs::read(ours.path(name)).unwrap());
    // It mounts, loads the modules and becomes what is written in `race/next`.
    a.add("init", program("kiln-racer"));
    a.add(
        "race/next",
        Node::File(0o644, b"/usr/lib/systemd/systemd:init".to_vec()),
    );
    let mut list = String::new();
    for path in modules.in_order(&MODULES.map(str::to_owned)).unwrap() {
        let name = path.file_name().unwrap().to_str().unwrap();
        a.add(
            &format!("race/{name}"),
            Node::File(0o644, std::fs::read(&path).unwrap()),
        );
        list.push_str(&format!("/race/{name}\n"));
    }
    a.add("race/modules", Node::File(0o644, list.into_bytes()));
    a.add("usr/bin/kiln-server", program("kiln-server"));
    a.add("usr/bin/kiln-agent", program("kiln-agent"));
    a.add("test/kiln-probe", program("kiln-probe"));
    for (name, text) in UNITS {
        a.add(&format!("etc/systemd/system/{name}"), Node::File(0o644, text.into()));
    }
    for name in ["passwd", "group", "hosts", "nsswitch.conf"] {
        let text = std::fs::read(ws.rootfs().join("etc").join(name)).unwrap();
        a.add(&format!("etc/{name}"), Node::File(0o644, text));
    }
    for (path, text) in [
        ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
        ("etc/os-release", "ID=kiln-under-systemd\n"),
        (
            "etc/kiln/agent-token",
            "0123456789abcdef0123456789abcdef0123456789abcdef\n",
        ),
    ] {
        a.add(path, Node::File(0o600, text.into()));
    }
    let initrd = lab.path().join("initrd");
    std::fs::write(&initrd, a.bytes()).unwrap();
    (vmlinuz, initrd)
}

/// All properties of a unit.
fn show(probe: &mut Probe, unit: &str) -> BTreeMap<String, String> {
    let text = probe.run(&["/usr/bin/systemctl", "show", unit]).unwrap();
    let pairs = text.lines().filter_map(|l| l.split_once('='));
    pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Waits until a unit's properties are as `wanted`.
fn until(
    vm: &mut Vm,
    unit: &str,
    what: &str,
    wanted: impl Fn(&BTreeMap<String, String>) -> bool,
) -> BTreeMap<String, String> {
    let deadline = Instant::now() + SOON * 2;
    loop {
        let now = show(vm.probe().unwrap(), unit);
        if wanted(&now) {
            return now;
        }
        assert!(
            Instant::now() < deadline,
            "no {unit} that {what}: {now:#?}\n{}",
            vm.probe()
                .unwrap()
                .run(&["/usr/bin/journalctl", "--no-pager", "-n", "60"])
                .unwrap_or_default()
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn is(properties: &BTreeMap<String, String>, name: &str, value: &str) -> bool {
    properties.get(name).is_some_and(|v| v == value)
}

/// The journal's entries of a unit, as other programs read them.
fn journal(probe: &mut Probe, unit: &str) -> Vec<Value> {
    let text = probe
        .run(&["/usr/bin/journalctl", "--no-pager", "-o", "json", "-u", unit])
        .unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn server_and_agent_run_under_systemd_with_its_notify_watchdog_sockets_credentials_and_journal() {
    let lab = Lab::new();
    let (vmlinuz, initrd) = root(&lab);
    let machine = Machine::new(Arch::X86_64).memory(1024).with_probe().kernel(
        &vmlinuz,
        &initrd,
        "console=ttyS0 quiet rootfstype=ramfs panic=-1 systemd.show_status=no",
    );
    let mut vm = machine.start(lab.path()).unwrap();

    // READY: both are of type notify. Online: the agent's credential is the one that the server was given.
    let server = until(&mut vm, "kiln-server.service", "knows its agent", |p| {
        is(p, "ActiveState", "active") && p.get("StatusText").is_some_and(|s| s.ends_with("agent Online"))
    });
    until(&mut vm, "kiln-agent.service", "is ready", |p| {
        is(p, "ActiveState", "active")
    });
    let pid: i32 = server["MainPID"].parse().unwrap();

    let probe = vm.probe().unwrap();
    let environment = probe.read(&format!("/proc/{pid}/environ")).unwrap().replace('\0', "\n");
    for wanted in [
        "LISTEN_FDS=2",
        "CREDENTIALS_DIRECTORY=/run/credentials/kiln-server.service",
        "WATCHDOG_USEC=20000000",
    ] {
        assert!(
            environment.lines().any(|l| l == wanted),
            "{wanted} is not in {environment}"
        );
    }
    // In which order is systemd's choice.
    let names = environment.lines().find_map(|l| l.strip_prefix("LISTEN_FDNAMES="));
    assert!(matches!(names, Some("http:local" | "local:http")), "{environment}");
    let status = probe.read(&format!("/proc/{pid}/status")).unwrap();
    assert!(status.lines().any(|l| l.starts_with("Uid:\t900")), "{status}");

    // LISTEN_FDS: it answers on a socket that systemd bound; and who asks while it is dead is answered by the next one.
    let ask = || Op::Ask {
        socket: "/run/kiln/server.sock".into(),
        line: "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r".into(),
    };
    assert_eq!(probe.op(ask()).unwrap().as_str(), Some("HTTP/1.1 200 OK"));
    probe.signal(pid, 9).unwrap();
    assert_eq!(probe.op(ask()).unwrap().as_str(), Some("HTTP/1.1 200 OK"));
    let server = until(&mut vm, "kiln-server.service", "was started again", |p| {
        is(p, "ActiveState", "active") && is(p, "NRestarts", "1")
    });

    // WATCHDOG: beats keep it running, and come when there is something to tell; silence ends it.
    std::thread::sleep(BEATEN);
    for unit in ["kiln-server.service", "kiln-agent.service"] {
        let now = show(vm.probe().unwrap(), unit);
        let beat = |p: &BTreeMap<String, String>| p["WatchdogTimestampMonotonic"].parse::<u64>().unwrap();
        assert!(is(&now, "ActiveState", "active"), "{now:#?}");
        assert!(
            beat(&now) > now["ActiveEnterTimestampMonotonic"].parse::<u64>().unwrap(),
            "{now:#?}"
        );
    }
    let now = show(vm.probe().unwrap(), "kiln-server.service");
    assert_eq!(
        now["MainPID"], server["MainPID"],
        "it was ended though it beats: {now:#?}"
    );
    let pid: i32 = now["MainPID"].parse().unwrap();
    vm.probe().unwrap().signal(pid, 19).unwrap();
    until(&mut vm, "kiln-server.service", "was ended for its silence", |p| {
        is(p, "ActiveState", "active") && is(p, "NRestarts", "2")
    });

    // The journal: fields of ours beside those that journald adds, each a field of its own.
    let probe = vm.probe().unwrap();
    let entries = journal(probe, "kiln-server.service");
    let field = |e: &Value, name: &str| e[name].as_str().unwrap_or_default().to_owned();
    let told = entries
        .iter()
        .find(|e| field(e, "MESSAGE") == "listening" && field(e, "F_NAME") == "http")
        .unwrap_or_else(|| panic!("{entries:#?}"));
    for (name, value) in [
        ("_TRANSPORT", "journal"),
        ("SYSLOG_IDENTIFIER", "kiln-server"),
        ("PRIORITY", "5"),
        ("_SYSTEMD_UNIT", "kiln-server.service"),
        ("_UID", "900"),
        ("TARGET", "kiln_server"),
    ] {
        assert_eq!(field(told, name), value, "{name}: {told:#?}");
    }
    assert!(
        entries.iter().any(|e| field(e, "MESSAGE").contains("Watchdog timeout")),
        "systemd itself does not tell of the silence: {entries:#?}"
    );
    let agent = journal(probe, "kiln-agent.service");
    assert!(
        agent
            .iter()
            .any(|e| field(e, "SYSLOG_IDENTIFIER") == "kiln-agent" && field(e, "_TRANSPORT") == "journal"),
        "{agent:#?}"
    );
}
