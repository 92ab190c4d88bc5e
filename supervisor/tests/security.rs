//! `rootfs/docs/security.md` is made from the unit files, the kernel settings and the command line: what listens, as whom,
//! with which rights, and which roads lead to a block device. `KILN_BLESS=1` writes it; a stale page fails here. That
//! the booted box is as the page says is held by `image/tests/boot/network.rs`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use supervisor::boot::kernel::sysctl;
use supervisor::shell::paths::Paths;
use supervisor::shell::sandbox::Machine;
use supervisor::unit::{Address, CAPABILITIES, Devices, Unit, load};
use wire::update::UPDATE_SOCKET;

/// Sockets that stand in no unit file: where, which unit answers there, what for. Programs open them themselves, but for the
/// first, which PID 1 opens for the server.
const OWN: [(&str, &str, &str); 11] = [
    (
        "tcp (ports of listen in kiln.toml)",
        "server",
        "the network; none unless the owner names some",
    ),
    ("udp :68", "network", "DHCP answers, while a lease is asked for"),
    ("udp :546", "network", "DHCPv6 answers"),
    (
        "udp :5353",
        "mdns",
        "multicast DNS: the box's name; hears and answers the local link alone",
    ),
    (
        "udp (port by chance)",
        "time",
        "NTP answers, and of resolvers; connected to one server each",
    ),
    ("/run/dhcpcd/sock", "network", "dhcpcd's own requests: root (mode 660)"),
    (
        "/run/dhcpcd/unpriv.sock",
        "network",
        "what dhcpcd has been given, read only: every unit (mode 666)",
    ),
    ("raw socket", "network", "ICMP, while a lease is asked for"),
    ("raw6 socket", "network", "ICMPv6: router advertisements and neighbours"),
    (
        "packet socket",
        "network",
        "DHCP and ARP on cards without an address yet",
    ),
    (
        "/run/kiln/time/chronyd.sock",
        "time",
        "chrony's own requests: chrony, root (mode 755, in a folder of theirs)",
    ),
];

/// Sockets that PID 1 and its helpers open, and who reaches them.
fn of_pid_1() -> [(PathBuf, &'static str); 3] {
    let paths = Paths::new(None);
    [
        (
            paths.control(),
            "every unit may watch; requests from root and the server (mode 666)",
        ),
        (paths.notify(), "every unit, known by its process (mode 666)"),
        (
            UPDATE_SOCKET.into(),
            "there while an update is asked for; root and the server, others are hung up on (mode 666)",
        ),
    ]
}

/// Every road to a drive's bytes that we know, and what closes it to everybody but the agent.
const ROADS: [(&str, &str); 17] = [
    (
        "A node in `/dev` (`/dev/sda`, `/dev/nvme0n1`, `/dev/sg0`, `/dev/bsg/…`, `/dev/dm-0`)",
        "Each unit but the agent has a `/dev` of its own in its mount namespace, without any block or SCSI node.",
    ),
    (
        "Making such a node",
        "`CAP_MKNOD` is in no unit's bounding set; state, `/run` and `/tmp` are mounted `nodev`.",
    ),
    (
        "Mounting a file system or another `devtmpfs`",
        "`CAP_SYS_ADMIN` is the agent's alone; user namespaces are off (`user.max_user_namespaces=0`).",
    ),
    (
        "`/dev/mem`, `/dev/port`, `iopl`",
        "`CAP_SYS_RAWIO` is the agent's alone, and the nodes are in no private `/dev`; with Secure Boot the kernel is locked down besides.",
    ),
    (
        "Looking into the agent or PID 1 (ptrace, `/proc/PID/fd`, `/proc/PID/mem`)",
        "`CAP_SYS_PTRACE` is the agent's alone; `kernel.yama.ptrace_scope=2`.",
    ),
    (
        "Looking through another unit's process (`/proc/PID/root`, whose mounts are as they are)",
        "It takes that process's user and all of its capabilities, or `CAP_SYS_PTRACE`. The network, with `CAP_SETUID`, may become dhcpcd's user and no other (a filter of system calls); a burn-in's worker is closed to all but `CAP_SYS_PTRACE` since it changed its user.",
    ),
    (
        "A descriptor handed over",
        "The agent sends none; PID 1 gives a stored descriptor back to the unit that stored it and to nobody else; a worker gets one, of its own drive.",
    ),
    (
        "A kernel module or another kernel",
        "No unit has `CAP_SYS_MODULE` or `CAP_SYS_BOOT`; there is no `modprobe`; `kernel.kexec_load_disabled=1`.",
    ),
    (
        "sysfs (`/sys/block/…/device/delete`, `rescan`)",
        "Root's files; of the other units the network alone is root, and sees `/sys` read-only, cgroups included.",
    ),
    (
        "What root's programs and the kernel read or run (`/init`, `/etc`, `/proc/sys/kernel/core_pattern`, `/proc/sysrq-trigger`)",
        "The network, the only unit of root besides the agent, sees `/` and `/proc` read-only; `/proc/sys/net` alone is its to write. Into PID 1's own view (`/proc/1/root`) only `CAP_SYS_PTRACE` leads.",
    ),
    (
        "Signing a start oneself: the gate's key (`/var/lib/kiln/server/gate.key`), or another one in the agent's store",
        "The key is the server's file, the store root's. The network does not see `/var/lib/kiln`, whatever is mounted there; the journal, chrony and the name service are neither. The server itself has the key: a server that is taken over can erase.",
    ),
    (
        "Being the server to the agent, or the agent to the server (`/run/kiln/server.sock`, `/run/kiln/credentials/…/agent-token`), or taking the note of the boot disk away (`/run/kiln/boot-disk`)",
        "Root's folder and files. The agent takes no server that it reaches by TCP for its own, whatever that says. The network sees of `/run` its own folder, dhcpcd's, chrony's socket and PID 1's notify socket; the other units besides the agent are not root.",
    ),
    (
        "Asking the agent",
        "The server can name drives, not open them: a start needs a plan of the agent's, a person's password and typed serials (the gate).",
    ),
    (
        "Asking PID 1",
        "Its control socket takes from root and the server, and the network does not see it: show a text, update, go back to the other system, reboot, power off, vouch for a system on trial, and reset, which makes the box's own DATA anew and no other disk; from root alone: be replaced by the program on the stick.",
    ),
    (
        "The boot disk itself",
        "PID 1 holds its BIOS-boot partition exclusively, so no exclusive open of the whole disk succeeds; the agent refuses its number.",
    ),
    (
        "A second disk with the same image or labels",
        "The boot disk is the one that GRUB names by GUID and mark; labels are never looked at.",
    ),
    (
        "Who can write to the stick",
        "Nothing closes this: whoever has the stick owns the box. See `boards/README.md`, Secure Boot.",
    ),
];

fn units() -> Vec<Unit> {
    let (mut units, malformed) = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../rootfs/etc/kiln/units"));
    assert!(malformed.is_empty(), "{malformed:?}");
    units.sort_by(|a, b| a.name.cmp(&b.name));
    units
}

fn capabilities(u: &Unit) -> String {
    let held = CAPABILITIES
        .iter()
        .enumerate()
        .filter(|(n, _)| u.capabilities & (1 << n) != 0);
    let names: Vec<String> = held.map(|(_, c)| format!("`{c}`")).collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(" ")
    }
}

fn user(u: &Unit) -> String {
    let passwd = include_str!("../../rootfs/etc/passwd");
    let entry = passwd.lines().find_map(|l| {
        let f: Vec<&str> = l.split(':').collect();
        (f[0] == u.user || f[2] == u.user).then(|| format!("{} ({})", f[0], f[2]))
    });
    entry.unwrap_or_else(|| panic!("unit {}: user {:?} is not in rootfs/etc/passwd", u.name, u.user))
}

fn page() -> String {
    let units = units();
    let mut t = String::from(
        "# Who may what on the box\n\nMade from the unit files and settings by `supervisor/tests/security.rs`; a boot test holds the running box against it.\n\n## What listens\n\n| socket | unit | who reaches it |\n|---|---|---|\n",
    );
    for u in &units {
        for l in &u.listen {
            let (socket, who) = match &l.address {
                Address::Tcp(a) => (format!("tcp {a}"), "the network".to_owned()),
                Address::Stream(p) | Address::Datagram(p) => {
                    let owner = l.user.as_deref().unwrap_or("root");
                    let who = if l.mode & 0o006 == 0 && owner == "root" {
                        "root".into()
                    } else if l.mode & 0o006 == 0 {
                        format!("{owner}, root")
                    } else {
                        "every unit".into()
                    };
                    (p.display().to_string(), format!("{who} (mode {:o})", l.mode))
                }
            };
            writeln!(t, "| `{socket}` | {} | {who} |", u.name).unwrap();
        }
    }
    for (socket, unit, what) in OWN {
        writeln!(t, "| `{socket}` | {unit} | {what} |").unwrap();
    }
    for (socket, who) in of_pid_1() {
        writeln!(t, "| `{}` | PID 1 | {who} |", socket.display()).unwrap();
    }
    // The log itself has no such output.
    let stdout = Paths::new(None).stdout();
    let has_one = |u: &&Unit| {
        let mut listens = u.listen.iter();
        !listens.any(|l| matches!(&l.address, Address::Datagram(p) if *p == stdout))
    };
    for u in units.iter().filter(has_one) {
        let output = supervisor::shell::sockets::outputs(&stdout).join(&u.name);
        let what = "what it writes to its standard output leaves there, and nobody reads what comes; root, in a folder of root's";
        writeln!(t, "| `{}` | {} | {what} |", output.display(), u.name).unwrap();
    }
    t.push_str("\nThere is no shell and no SSH in the image.\n\n## Who runs, with which rights\n\nEvery unit: a cgroup and mount namespace of its own, `no_new_privs`, nothing in its bounding set but what stands here.\n\n| unit | user | capabilities | block devices | memory |\n|---|---|---|---|---|\n");
    for u in &units {
        let devices = if u.devices == Devices::Block { "yes" } else { "no" };
        let memory = u.memory_max.map_or("no limit".into(), |b| format!("{} MiB", b >> 20));
        writeln!(
            t,
            "| {} | {} | {} | {devices} | {memory} |",
            u.name,
            user(u),
            capabilities(u)
        )
        .unwrap();
    }
    t.push_str("\nA burn-in's worker is the agent's child: no capabilities, one descriptor, no paths (landlock), few system calls (seccomp).\n\n## Roads to a block device\n\n| road | what closes it |\n|---|---|\n");
    for (road, closed) in ROADS {
        writeln!(t, "| {road} | {closed} |").unwrap();
    }
    t.push_str("\n## Kernel\n\nCommand line:\n\n");
    let base = include_str!("../../boards/base.toml");
    let start = base.find("\ncmdline = [").unwrap();
    let list = &base[start..][..base[start..].find(']').unwrap()];
    for word in list.split('"').skip(1).step_by(2) {
        writeln!(t, "- `{word}`").unwrap();
    }
    t.push_str("\nSettings, made by PID 1 before any unit starts:\n\n| setting | value | why |\n|---|---|---|\n");
    for (name, value, why) in sysctl::SETTINGS {
        let value = value.replace('|', "\\|");
        writeln!(t, "| `{}` | {value} | {why} |", name.replace('/', ".")).unwrap();
    }
    t.push_str("\nMounts: `/proc`, `/sys`, `/run`, `/tmp`, state and the boot partition are `nosuid`, `nodev`, `noexec`; `/system` is read-only,\n`nosuid`, `nodev`; `/dev` is `nosuid`, `noexec`. Programs come from the initramfs and `/system` alone.\n");
    t
}

#[test]
fn the_page_is_what_the_files_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rootfs/docs/security.md");
    let page = page();
    if std::env::var_os("KILN_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let stands = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stands == page,
        "{} is stale: KILN_BLESS=1 cargo test -p supervisor --test security",
        path.display()
    );
}

#[test]
fn only_the_agent_has_what_leads_to_drives() {
    let number = |name: &str| CAPABILITIES.iter().position(|c| *c == name).unwrap();
    for u in units() {
        let has = |name: &str| u.capabilities & (1 << number(name)) != 0;
        let agent = u.name == "agent";
        assert_eq!(u.devices == Devices::Block, agent, "{}", u.name);
        for c in ["CAP_SYS_ADMIN", "CAP_SYS_RAWIO", "CAP_SYS_PTRACE"] {
            assert_eq!(has(c), agent, "{} {c}", u.name);
        }
        for c in [
            "CAP_MKNOD",
            "CAP_SYS_MODULE",
            "CAP_SYS_BOOT",
            "CAP_BPF",
            "CAP_MAC_ADMIN",
        ] {
            assert!(!has(c), "{} {c}", u.name);
        }
        if u.listen.iter().any(|l| matches!(l.address, Address::Tcp(_))) {
            assert!(
                user(&u) != "root (0)" && u.capabilities == 0,
                "{} is reached by the network",
                u.name
            );
        }
    }
}

#[test]
fn no_unit_of_root_but_the_agent_can_write_the_root_proc_or_sys() {
    for u in units() {
        let uid = if user(&u) == "root (0)" { 0 } else { 900 };
        let wanted = match u.name.as_str() {
            "network" => Machine::ButNetwork,
            _ => Machine::AsItIs,
        };
        let sees = Machine::of(uid, u.capabilities, u.devices);
        assert_eq!(sees, wanted, "{}", u.name);
        assert!(uid != 0 || u.name == "agent" || sees != Machine::AsItIs, "{}", u.name);
    }
}

/// What is hidden from a unit of root's has to be nothing of its own.
#[test]
fn no_unit_of_root_but_the_agent_has_state_or_credentials_or_becomes_anothers_user() {
    let all = units();
    for u in all.iter().filter(|u| user(u) == "root (0)" && u.name != "agent") {
        assert!(u.state_directory.is_none() && u.credentials.is_empty(), "{}", u.name);
        for name in &u.becomes {
            assert!(all.iter().all(|other| other.user != *name), "{} and {name}", u.name);
        }
    }
    let users: Vec<String> = all.iter().filter(|u| u.name != "agent").map(user).collect();
    let apart = users.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!(apart, users.len(), "each has a user of its own: {users:?}");
}
