//! The box in a network that it shares with another computer: its address, its name, its clock; and who may what in it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use image::qemu::http::Request;
use image::qemu::probe::Probe;
use image::qemu::{Bus, Machine, Vm};
use probe::Op;

use crate::bench::Bench;
use crate::lab::{BOOT, Lab, SOON, on_boot_partition};
use crate::wire_lab::Wire;

/// A lease or an advertisement, or their absence; the name has to be probed for after that.
const SETTLES: Duration = Duration::from_secs(90);

/// A wire, or why there is none here.
fn wire() -> Option<Wire> {
    match Wire::make() {
        Ok(wire) => Some(wire),
        // Anything else is a fault of this test's.
        Err(why) if why.contains("is not there") || why.contains("Operation not permitted") => {
            rig::not_run(&format!("the box in a network of its own: {why}"));
            None
        }
        Err(why) => panic!("{why}"),
    }
}

fn boot(lab: &Lab, machine: Machine) -> Vm {
    machine.start(lab.path()).unwrap()
}

fn machine(lab: &Lab, wire: &Wire) -> Machine {
    lab.machine(Bus::Virtio, None).tap(&wire.tap())
}

/// The host name that the box has chosen, with `.local`.
fn name(vm: &mut Vm) -> String {
    let line = vm.wait_console("name: http://", BOOT).unwrap();
    let name = line.rsplit("http://").next().unwrap().trim().to_owned();
    assert!(
        name.starts_with("kiln-") && name.ends_with(".local") && name.len() == 15,
        "{name}"
    );
    name
}

#[test]
fn with_dhcp_its_address_is_on_the_console_its_name_opens_and_its_clock_is_right() {
    let Some(mut wire) = wire() else { return };
    wire.address("10.77.0.1/24");
    wire.dnsmasq(&[
        "--dhcp-range=10.77.0.50,10.77.0.60,5m",
        "--dhcp-option=option:ntp-server,10.77.0.1",
        "--dhcp-option=option:dns-server,10.77.0.1",
    ]);
    wire.ntp();
    let lab = Lab::new();
    let mut vm = boot(&lab, machine(&lab, &wire).clock("2019-01-01T00:00:00"));
    vm.wait_console("dashboard: http://10.77.0.5", BOOT).unwrap();
    let name = name(&mut vm);
    wire.found(&["open", &name], "10.77.0.5", SETTLES);
    let own = name.trim_end_matches(".local");
    let service = wire.found(&["browse"], &format!("{own}._kiln._tcp.local. {name}.:80"), SETTLES);
    println!("announced: {service}");

    // From 2019 to the day of the build by PID 1, and to the present by NTP; then the hardware clock, too.
    let probe = vm.probe().unwrap();
    let floor: u64 = probe
        .read("/kiln/board.toml")
        .unwrap()
        .lines()
        .find_map(|l| l.strip_prefix("built = ")?.parse().ok())
        .unwrap();
    let begun = Instant::now();
    loop {
        let date = |probe: &mut Probe, path: &str| -> u64 { probe.read(path).unwrap().trim().parse().unwrap_or(0) };
        let clock = date(probe, "/sys/class/rtc/rtc0/since_epoch");
        let host = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let tracking = probe.run(&["/usr/bin/chronyc", "-h", "/run/kiln/time/chronyd.sock", "tracking"]);
        let synced = tracking.as_ref().is_ok_and(|t| t.contains("Leap status     : Normal"));
        if synced && clock.abs_diff(host) < 5 {
            break;
        }
        assert!(
            floor > 1_700_000_000,
            "the day of the build is not in the image: {floor}"
        );
        assert!(
            begun.elapsed() < Duration::from_mins(3),
            "hardware clock {clock}, here {host}: {tracking:?}"
        );
        std::thread::sleep(Duration::from_secs(2));
    }
    let resolv = vm.probe().unwrap().read("/etc/resolv.conf").unwrap();
    assert_eq!(resolv, "nameserver 10.77.0.1\n");
    // The network may write nothing else of the root: this is where dhcpcd's link leads.
    let kept = Op::List {
        path: "/run/kiln/network/dhcpcd".into(),
    };
    let kept = vm.probe().unwrap().op(kept).unwrap();
    assert!(!kept.as_array().unwrap().is_empty(), "dhcpcd keeps nothing: {kept}");
}

#[test]
fn with_ipv6_alone_its_name_opens() {
    let Some(mut wire) = wire() else { return };
    wire.address("fd77::1/64");
    wire.dnsmasq(&["--enable-ra", "--dhcp-range=fd77::,ra-only,64", "--ra-param=lan,10"]);
    let lab = Lab::new();
    let mut vm = boot(&lab, machine(&lab, &wire));
    vm.wait_console("dashboard: http://[fd77::", BOOT).unwrap();
    let name = name(&mut vm);
    wire.found(&["open", &name], "fd77:", SETTLES);
}

/// Writes `kiln.toml` and restarts the box; returns where the console is from then on.
fn restart_with(vm: &mut Vm, toml: &str) -> usize {
    on_boot_partition(vm, false, |probe, boot| probe.write(&format!("{boot}/kiln.toml"), toml)).unwrap();
    vm.probe().unwrap().op(Op::Sync {}).unwrap();
    let mark = vm.mark();
    vm.reset().unwrap();
    mark
}

/// Where dhcpcd leaves IPv6 alone the kernel would still do as a router says that advertises itself.
#[test]
fn a_card_without_ipv6_has_no_address_of_it_beside_a_router() {
    let Some(mut wire) = wire() else { return };
    wire.address("10.77.0.1/24");
    wire.address("fd77::1/64");
    wire.dnsmasq(&[
        "--dhcp-range=10.77.0.50,10.77.0.60,5m",
        "--enable-ra",
        "--dhcp-range=fd77::,ra-only,64",
        "--ra-param=lan,10",
    ]);
    let lab = Lab::new();
    let mut vm = boot(&lab, machine(&lab, &wire));
    vm.wait_console("kiln: unit server is ready", BOOT).unwrap();
    // The kernel's own list: address, number, prefix, scope, flags, interface.
    let addresses = |vm: &mut Vm| vm.probe().unwrap().read("/proc/net/if_inet6").unwrap();
    let begun = Instant::now();
    while !addresses(&mut vm).contains("fd77") {
        assert!(
            begun.elapsed() < SETTLES,
            "no address by the router: {}",
            addresses(&mut vm)
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    let mark = restart_with(&mut vm, "[network]\nipv6 = false\n");
    vm.wait_console_after(mark, "dashboard: http://10.77.0.5", BOOT)
        .unwrap();
    // One more round of the router's, which come every ten seconds.
    std::thread::sleep(Duration::from_secs(15));
    let left = addresses(&mut vm);
    assert!(left.lines().all(|l| l.ends_with(" lo")), "{left}");
}

#[test]
fn without_dhcp_it_takes_a_link_local_address_and_its_name_opens() {
    let Some(wire) = wire() else { return };
    wire.address("169.254.1.1/16");
    let lab = Lab::new();
    let mut vm = boot(&lab, machine(&lab, &wire));
    vm.wait_console("dashboard: http://169.254.", BOOT).unwrap();
    let first = name(&mut vm);
    wire.found(&["open", &first], "169.254.", SETTLES);
}

#[test]
fn the_page_of_rights_is_what_the_running_box_has() {
    let lab = Lab::new();
    let mut vm = lab.up(&lab.machine(Bus::Virtio, None));
    vm.wait_console("kiln: unit mdns is ready", SOON).unwrap();
    vm.wait_console("kiln: unit agent is ready", SOON).unwrap();
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../rootfs/docs/security.md")).unwrap();
    let probe = vm.probe().unwrap();

    // Who listens on the network: everything stands on the page.
    let mut seen = Vec::new();
    for (file, kind) in [("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp")] {
        for line in probe.read(&format!("/proc/net/{file}")).unwrap().lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            // State 0A: listening; an unconnected UDP socket has 07 and no peer.
            let open = if kind == "tcp" {
                words[3] == "0A"
            } else {
                words[3] == "07"
            };
            let port = u16::from_str_radix(words[1].rsplit(':').next().unwrap(), 16).unwrap();
            if open {
                seen.push(format!("{kind} {port}"));
            }
        }
    }
    assert!(
        seen.contains(&"tcp 80".to_owned()) && seen.contains(&"udp 5353".to_owned()),
        "{seen:?}"
    );
    for s in &seen {
        let (kind, port) = s.split_once(' ').unwrap();
        let stands = page
            .lines()
            .any(|l| l.starts_with(&format!("| `{kind} ")) && l.contains(&format!(":{port}`")));
        // Ports by chance are the kernel's choice (net.ipv4.ip_local_port_range).
        let by_chance = kind == "udp" && port.parse::<u16>().unwrap() >= 32_768;
        assert!(stands || by_chance, "{s} listens and is not on the page");
    }

    // Sockets of paths, and of raw packets: everything stands on the page, too.
    let stands = |socket: &str| page.lines().any(|l| l.starts_with(&format!("| `{socket}`")));
    let text = probe.read("/proc/net/unix").unwrap();
    let mut paths: Vec<&str> = text
        .lines()
        .skip(1)
        .filter_map(|l| l.split_whitespace().nth(7))
        .collect();
    paths.sort_unstable();
    paths.dedup();
    assert!(paths.contains(&"/run/kiln/control.sock"), "{paths:?}");
    let unknown: Vec<&&str> = paths
        .iter()
        .filter(|p| p.starts_with(['/', '@']) && !stands(p))
        // The output of the test's own unit.
        .filter(|p| **p != "/run/kiln/out/probe")
        .collect();
    assert!(unknown.is_empty(), "{unknown:?} are open and not on the page");
    // Whoever is kept out by a socket's mode on the page is kept out by that of the running box.
    let mut other = Vec::new();
    for line in page.lines().filter(|l| l.starts_with("| `/") && l.contains("(mode ")) {
        let path = Path::new(line.trim_start_matches("| `").split('`').next().unwrap());
        if !paths.contains(&path.to_str().unwrap()) {
            continue;
        }
        let folder = Op::List {
            path: path.parent().unwrap().display().to_string(),
        };
        let folder = probe.op(folder).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is = folder.as_array().unwrap().iter().find(|f| f["name"] == name);
        let mode = is.and_then(|f| f["mode"].as_u64()).unwrap_or_default();
        if !line.contains(&format!("(mode {mode:o}")) {
            other.push(format!("{}: {mode:o}", path.display()));
        }
    }
    assert!(other.is_empty(), "{other:?} are the modes of the box");
    for file in ["raw", "raw6", "packet"] {
        let text = probe.read(&format!("/proc/net/{file}")).unwrap();
        println!("{file}: {text}");
        assert!(
            text.lines().count() <= 1 || stands(&format!("{file} socket")),
            "{file}: {text}"
        );
    }

    // Who runs: each unit's processes have the user of the page, and no right beyond it.
    let rows: Vec<Vec<String>> = page
        .lines()
        .skip_while(|l| !l.starts_with("| unit | user"))
        .skip(2)
        .take_while(|l| l.starts_with('|'))
        .map(|l| l.split('|').map(|c| c.trim().replace('`', "")).collect())
        .collect();
    assert!(rows.len() >= 6, "{page}");
    let mut processes = 0;
    for row in &rows {
        let (unit, user, rights) = (&row[1], &row[2], &row[3]);
        let uid = user.rsplit('(').next().unwrap().trim_end_matches(')');
        let list = probe.read(&format!("/sys/fs/cgroup/kiln/{unit}/cgroup.procs")).unwrap();
        assert!(!list.trim().is_empty(), "unit {unit} has no process");
        for pid in list.lines() {
            let Ok(status) = probe.read(&format!("/proc/{pid}/status")) else {
                continue;
            };
            let field = |name: &str| {
                status
                    .lines()
                    .find_map(|l| l.strip_prefix(name))
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            };
            let bounding = u64::from_str_radix(&field("CapBnd:"), 16).unwrap();
            let allowed = rights
                .split_whitespace()
                .filter_map(number)
                .fold(0, |all, n| all | 1 << n);
            assert_eq!(
                bounding & !allowed,
                0,
                "{unit} ({pid}) may more than {rights}: {bounding:x}"
            );
            assert_eq!(field("NoNewPrivs:"), "1", "{unit} ({pid})");
            // dhcpcd's own helpers are of a user of their own; nobody becomes root who is not.
            let is = field("Uid:").split_whitespace().next().unwrap_or_default().to_owned();
            assert!(
                is == uid || (uid == "0" && is != "0"),
                "{unit} ({pid}) is user {is}, not {user}"
            );
            let block = row[4] == "yes";
            let mounts = probe.read(&format!("/proc/{pid}/mounts")).unwrap_or_default();
            let dev = mounts
                .lines()
                .rfind(|l| l.split(' ').nth(1) == Some("/dev"))
                .unwrap_or_default()
                .to_owned();
            assert!(
                block || dev.is_empty() || dev.starts_with("tmpfs "),
                "{unit} ({pid}) sees the machine's own /dev: {dev}"
            );
            let read_only = |at: &str| {
                let line = mounts.lines().rfind(|l| l.split(' ').nth(1) == Some(at));
                line.and_then(|l| l.split(' ').nth(3))
                    .is_some_and(|options| options.split(',').any(|o| o == "ro"))
            };
            assert!(
                block
                    || is != "0"
                    || ["/", "/proc", "/sys", "/sys/fs/cgroup", "/run", "/tmp"]
                        .into_iter()
                        .all(read_only),
                "{unit} ({pid}) can write root's files: {mounts}"
            );
            if !matches!(unit.as_str(), "agent" | "server") {
                no_road_past_the_gate(probe, unit, pid);
            }
            processes += 1;
        }
    }
    assert!(processes >= 6);

    // The kernel's settings and command line.
    for line in page
        .lines()
        .skip_while(|l| !l.starts_with("| setting"))
        .skip(2)
        .take_while(|l| l.starts_with("| `"))
    {
        let cells: Vec<String> = line.split(" | ").map(|cell| cell.replace("\\|", "|")).collect();
        let name = cells[0].trim_matches(['|', '`', ' ']).replace('.', "/");
        if let Ok(value) = probe.read(&format!("/proc/sys/{name}")) {
            assert_eq!(value.trim(), cells[1].trim(), "{name}");
        }
    }
    let line = probe.read("/proc/cmdline").unwrap();
    for word in page.lines().filter_map(|l| l.strip_prefix("- `")?.strip_suffix('`')) {
        assert!(line.split_whitespace().any(|w| w == word), "{word} is not in {line}");
    }
    memory(probe);
}

/// A unit's process gets neither at the gate's key nor at the agent's store, nor at what the agent and the server know each
/// other by, nor at PID 1's notes.
fn no_road_past_the_gate(probe: &mut Probe, unit: &str, pid: &str) {
    for (act, path) in [
        ("read", "/var/lib/kiln/server/gate.key"),
        ("write", "/var/lib/kiln/agent/kiln.mdb"),
        ("read", "/run/kiln/credentials/agent/agent-token"),
        ("read", "/run/kiln/credentials/server/agent-token"),
        ("remove", "/run/kiln/server.sock"),
        ("remove", "/run/kiln/boot-disk"),
        ("remove", "/var/lib/kiln/supervisor/running"),
    ] {
        let at = Path::new(path);
        let folder = Op::List {
            path: at.parent().unwrap().display().to_string(),
        };
        let there = probe.op(folder).unwrap();
        let name = at.file_name().unwrap().to_str().unwrap();
        assert!(
            there.as_array().unwrap().iter().any(|f| f["name"] == name),
            "{path} is not there: {there}"
        );
        let within = Op::Within {
            pid: pid.parse().unwrap(),
            act: act.into(),
            path: path.into(),
        };
        let told = probe.op(within).unwrap();
        let told = told.as_str().unwrap_or_default();
        let refused = ["Permission denied", "No such file", "Read-only"]
            .iter()
            .any(|e| told.starts_with(e));
        assert!(refused, "{unit} ({pid}) to {act} {path}: {told}");
    }
}

/// The goal of RAM in use at rest, in KiB: a board with 1 GiB burns eight drives.
const AT_REST_KIB: u64 = 150 << 10;

fn memory(probe: &mut Probe) {
    // What the kernel keeps of the loader's, no part of its total: the system lies in it, not copied.
    let firmware = Op::List {
        path: "/sys/firmware".into(),
    };
    let firmware = probe.op(firmware).unwrap();
    let initrd = firmware.as_array().unwrap().iter().find(|f| f["name"] == "initrd");
    let kept = initrd.and_then(|f| f["bytes"].as_u64()).expect("the initramfs is kept") >> 10;
    let source = probe.read("/proc/mounts").unwrap();
    let source = source.lines().find(|l| l.split(' ').nth(1) == Some("/system"));
    assert!(source.is_some_and(|l| l.starts_with("/dev/loop")), "{source:?}");
    let begun = Instant::now();
    loop {
        let text = probe.read("/proc/meminfo").unwrap();
        let kib = |name: &str| -> u64 {
            let line = text.lines().find_map(|l| l.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").trim().parse().unwrap()
        };
        let used = kib("MemTotal:") - kib("MemAvailable:");
        if used < AT_REST_KIB {
            println!("RAM in use at rest: {used} KiB of the kernel's total, {kept} KiB of initramfs below it");
            return;
        }
        assert!(begun.elapsed() < SOON, "{used} KiB in use at rest; {text}");
        std::thread::sleep(Duration::from_secs(3));
    }
}

/// Number of a capability (linux/capability.h), for those that units have.
fn number(name: &str) -> Option<u32> {
    const NUMBERS: [(&str, u32); 19] = [
        ("CAP_CHOWN", 0),
        ("CAP_DAC_OVERRIDE", 1),
        ("CAP_DAC_READ_SEARCH", 2),
        ("CAP_FOWNER", 3),
        ("CAP_KILL", 5),
        ("CAP_SETGID", 6),
        ("CAP_SETUID", 7),
        ("CAP_SETPCAP", 8),
        ("CAP_NET_BIND_SERVICE", 10),
        ("CAP_NET_ADMIN", 12),
        ("CAP_NET_RAW", 13),
        ("CAP_IPC_LOCK", 14),
        ("CAP_SYS_RAWIO", 17),
        ("CAP_SYS_CHROOT", 18),
        ("CAP_SYS_PTRACE", 19),
        ("CAP_SYS_ADMIN", 21),
        ("CAP_SYS_NICE", 23),
        ("CAP_SYS_RESOURCE", 24),
        ("CAP_SYS_TIME", 25),
    ];
    NUMBERS
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, n)| *n)
        .or((name == "CAP_SYSLOG").then_some(34))
}

/// A USB adapter that comes an hour later, in a test a few seconds: set up as `kiln.toml` says, by its hardware address. Beside it,
/// the dashboard is on the port that `kiln.toml` names, and stays there when the server is replaced.
#[test]
fn an_interface_that_kiln_toml_names_is_told_while_it_is_away_and_set_up_when_it_comes() {
    const MAC: &str = "52:54:00:00:00:77";
    const MORE: u16 = 7000;
    let lab = Lab::new();
    // QEMU tells the guest this hardware address, or with 40 in its first byte, as the guest's driver asks; and of the drivers that take
    // its adapter the one that comes first may ask for none.
    let other = MAC.replacen("52", "40", 1);
    let toml = format!(
        "listen = [{MORE}]\n[network.\"{MAC}\"]\naddress = \"192.0.2.77/24\"\n[network.\"{other}\"]\naddress = \"192.0.2.78/24\"\n\
         [network.usb0]\naddress = \"192.0.2.79/24\"\n"
    );
    let machine = lab.machine(Bus::Virtio, None).with_keyboard();
    let mut vm = lab.up(&machine);
    vm.wait_console("kiln: unit server is ready", BOOT).unwrap();
    let mark = restart_with(&mut vm, &toml);
    vm.wait_console_after(mark, "which is not there, so these settings are not used", BOOT)
        .unwrap();
    vm.wait_http("/api/v1/health", BOOT).unwrap();
    let more = forward(&mut vm, MORE);
    let health = || match Request::new("GET", "/api/v1/health").send(more, Duration::from_secs(5)) {
        Ok(answer) if answer.status == 200 => Ok(()),
        Ok(answer) => Err(format!("status {}", answer.status)),
        Err(error) => Err(error.to_string()),
    };
    Bench::login(&vm).until("answer on the port of kiln.toml", SOON, health);
    let network = |vm: &Vm| {
        let supervisor = Bench::login(vm).status().supervisor.unwrap();
        let unit = supervisor.units.into_iter().find(|u| u.name == "network").unwrap();
        (unit.pid, unit.restarts)
    };
    let before = network(&vm);
    let qmp = vm.qmp();
    qmp.execute("netdev_add", serde_json::json!({ "type": "user", "id": "late" }))
        .unwrap();
    let device =
        serde_json::json!({ "driver": "usb-net", "id": "late-nic", "netdev": "late", "mac": MAC, "bus": "xhci.0" });
    qmp.execute("device_add", device).unwrap();
    let begun = Instant::now();
    loop {
        let routes = vm.probe().unwrap().read("/proc/net/fib_trie").unwrap();
        if ["192.0.2.77", "192.0.2.78", "192.0.2.79"]
            .iter()
            .any(|one| routes.contains(one))
        {
            break;
        }
        assert!(begun.elapsed() < SETTLES, "its address is not there: {routes}");
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(network(&vm), before, "dhcpcd goes on for the other interface");

    let probe = vm.probe().unwrap();
    let server = probe.pids("kiln-server", "").unwrap()[0];
    probe.signal(server, 9).unwrap();
    let bench = Bench::login(&vm);
    bench.until("the next server on both ports", SOON, || {
        let next = vm.probe().unwrap().pids("kiln-server", "").unwrap();
        if next.is_empty() || next.contains(&server) {
            return Err(format!("{next:?}"));
        }
        health()
    });
}

/// A port of this computer that leads to one of the box. It is free for a moment before QEMU takes it: another process may come
/// first.
fn forward(vm: &mut Vm, port: u16) -> SocketAddr {
    let mut told = serde_json::Value::Null;
    for _ in 0..5 {
        let here = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap();
        let line = format!("hostfwd_add net tcp:{here}-:{port}");
        told = vm
            .qmp()
            .execute("human-monitor-command", serde_json::json!({ "command-line": line }))
            .unwrap();
        if told == "" {
            return here;
        }
    }
    panic!("port {port} of the box is not reached: {told}");
}
