//! Kernel modules by modalias: `modules.alias`, `.dep` and `.softdep` read directly, loaded by `finit_module`.
//!
//! Runs in helpers only: verifying a module's signature costs 80–90 million instructions, and a driver's start may hang.
//! There is no `modprobe` in the image on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, OsStr};
use std::fs;
use std::io;
use std::ops::Bound;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

/// Workers of a cold-plug walk.
const WORKERS_MAX: usize = 4;
/// How often who waits for a module looks whether it is live. Checking its signature alone takes ten times as long.
const LOOK: Duration = Duration::from_millis(2);
/// How long the driver of a network card may take until the next one is loaded all the same: four ports that each wait for their
/// firmware take twenty seconds, and one that hangs must not keep the box out of its network.
const TURN: Duration = Duration::from_secs(30);
/// `MODULE_INIT_COMPRESSED_FILE` (linux/module.h).
const COMPRESSED: u32 = 4;

/// The module files of one kernel.
#[derive(Debug, Default)]
pub struct Modules {
    dir: PathBuf,
    /// Name → file and what must be loaded before, in order.
    deps: BTreeMap<String, (PathBuf, Vec<String>)>,
    /// `modules.alias` as it is: most of its thousands of lines are looked at once, and none is kept.
    aliases: String,
    /// Name → what should be loaded before.
    soft: BTreeMap<String, Vec<String>>,
}

impl Modules {
    /// Reads the tables of the running kernel.
    ///
    /// # Errors
    /// `modules.dep` cannot be read.
    pub fn read() -> io::Result<Modules> {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        Self::below(&Path::new("/lib/modules").join(release.trim()))
    }

    pub(super) fn below(dir: &Path) -> io::Result<Modules> {
        let read = |name: &str| fs::read_to_string(dir.join(name));
        let mut m = Modules {
            dir: dir.to_owned(),
            ..Modules::default()
        };
        for line in read("modules.dep")?.lines() {
            let Some((file, before)) = line.split_once(':') else {
                continue;
            };
            // The file lists the nearest first; the farthest must be loaded first.
            let before = before.split_whitespace().rev().map(name_of).collect();
            m.deps.insert(name_of(file), (PathBuf::from(file), before));
        }
        m.aliases = read("modules.alias").unwrap_or_default();
        for line in read("modules.softdep").unwrap_or_default().lines() {
            let mut words = line.split_whitespace();
            if let (Some("softdep"), Some(name)) = (words.next(), words.next()) {
                let before = words.skip_while(|w| *w != "pre:").skip(1).take_while(|w| *w != "post:");
                m.soft
                    .insert(name.replace('-', "_"), before.map(|w| w.replace('-', "_")).collect());
            }
        }
        Ok(m)
    }

    /// Each pattern, and the module that serves what it matches, as the kernel's build has written it.
    fn aliases(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.aliases.lines();
        lines.filter_map(|l| l.strip_prefix("alias ")?.rsplit_once(' '))
    }

    /// Names of the modules that devices with these modaliases ask for.
    pub fn wanted(&self, modaliases: &BTreeSet<String>) -> BTreeSet<String> {
        self.aliases()
            .filter(|(pattern, _)| {
                let end = pattern.bytes().position(|b| matches!(b, b'*' | b'?' | b'['));
                let literal = &pattern[..end.unwrap_or(pattern.len())];
                // Those that begin with it stand side by side.
                modaliases
                    .range::<str, _>((Bound::Included(literal), Bound::Unbounded))
                    .take_while(|m| m.starts_with(literal))
                    .any(|m| matches(pattern.as_bytes(), m.as_bytes()))
            })
            .map(|(_, name)| name.replace('-', "_"))
            .filter(|n| self.deps.contains_key(n))
            .collect()
    }

    /// Whether a module drives network cards.
    fn is_of_network(&self, name: &str) -> bool {
        let file = self.deps.get(name).map(|(file, _)| file.to_string_lossy());
        file.is_some_and(|file| file.contains(NETWORK))
    }

    /// These modules, by the place of the first of these devices that asks for each; those that none asks for are last.
    fn by_place(&self, mut names: Vec<String>, devices: &[(PathBuf, String)]) -> Vec<String> {
        let first = |name: &String| {
            let own = self.aliases().filter(|(_, of)| of.replace('-', "_") == *name);
            let patterns: Vec<&str> = own.map(|(pattern, _)| pattern).collect();
            let asks = |alias: &str| patterns.iter().any(|p| matches(p.as_bytes(), alias.as_bytes()));
            let places = devices.iter().filter(|(_, alias)| asks(alias)).map(|(at, _)| place(at));
            places.min()
        };
        names.sort_by_cached_key(|name| {
            let first = first(name);
            (first.is_none(), first)
        });
        names
    }

    /// Whether this kernel has such a module file.
    pub fn has(&self, name: &str) -> bool {
        self.deps.contains_key(&name.replace('-', "_"))
    }

    /// Loads a module and what it needs; one that is there already is fine.
    ///
    /// # Errors
    /// The name of the module that failed, and why.
    pub fn load(&self, name: &str) -> Result<(), String> {
        let name = name.replace('-', "_");
        let Some((file, before)) = self.deps.get(&name) else {
            return Err(format!("{name}: no such module"));
        };
        for n in before.iter().chain(std::iter::once(&name)) {
            for soft in self
                .soft
                .get(n)
                .into_iter()
                .flatten()
                .filter(|s| self.deps.contains_key(*s))
            {
                if let Some((soft_file, soft_before)) = self.deps.get(soft) {
                    for b in soft_before {
                        let _ = self.deps.get(b).map(|(f, _)| insert(&self.dir.join(f)));
                    }
                    let _ = insert(&self.dir.join(soft_file));
                }
            }
            let path = if n == &name {
                Some(file)
            } else {
                self.deps.get(n).map(|(f, _)| f)
            };
            if let Some(path) = path {
                insert(&self.dir.join(path)).map_err(|e| format!("{n}: {e}"))?;
            }
        }
        Ok(())
    }
}

/// `live`, `coming` or `going` where such a module is in the kernel.
fn state(name: &str) -> Option<String> {
    fs::read_to_string(format!("/sys/module/{name}/initstate")).ok()
}

/// What a module is told. Loop devices are made when they are asked for: eight that are empty would be eight events. `ramoops`
/// keeps oopses and panics (`KMSG_DUMP_OOPS`) in the memory that the kernel's command line reserves; where a boot loader of before
/// passes no such word, it finds none and does nothing.
fn parameters(name: &str) -> &'static CStr {
    match name {
        "loop" => c"max_loop=0",
        "ramoops" => c"mem_name=oops max_reason=2",
        _ => c"",
    }
}

/// Whether such a module works: its start is over.
fn is_live(name: &str) -> bool {
    state(name).is_some_and(|s| s.trim() == "live")
}

/// Loads one module file, in a helper; one that is there already is fine.
///
/// It is there once it is live. The kernel comes back later: when every device that it is just looking at has been looked at, and a
/// disk that will not start takes 100 s. So a child calls it, and is left behind where the module is live before.
///
/// # Errors
/// What the kernel says.
pub fn insert(path: &Path) -> io::Result<()> {
    let name = name_of(&path.to_string_lossy());
    // The kernel checks the signature before it looks whether the module is there.
    if is_live(&name) {
        return Ok(());
    }
    let (file, begun) = (fs::File::open(path)?, Instant::now());
    let has_a_turn = path.to_string_lossy().contains(NETWORK);
    let compressed = path.extension().is_some_and(|x| x != "ko");
    // SAFETY: a helper has one thread.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let code = finish(&file, parameters(&name), compressed);
            // SAFETY: ends the child without running destructors.
            unsafe { libc::_exit(code) }
        }
        ForkResult::Parent { child } => loop {
            match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) if is_live(&name) => return Ok(()),
                Ok(WaitStatus::StillAlive) if has_a_turn && begun.elapsed() > TURN => {
                    return Err(io::Error::other(format!(
                        "it has not started within {TURN:?}, and is left to it"
                    )));
                }
                Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => std::thread::sleep(LOOK),
                Ok(WaitStatus::Exited(_, 0 | libc::EEXIST)) => return Ok(()),
                Ok(WaitStatus::Exited(_, code)) => return Err(io::Error::from_raw_os_error(code)),
                Ok(other) => return Err(io::Error::other(format!("who loaded it ended: {other:?}"))),
                Err(e) => return Err(e.into()),
            }
        },
    }
}

/// The kernel's call; what it says, 0 where all is well.
fn finish(file: &fs::File, parameters: &CStr, compressed: bool) -> i32 {
    let flags = if compressed { COMPRESSED } else { 0 };
    // SAFETY: an open descriptor and a NUL-terminated parameter string that outlives the call.
    let r = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), parameters.as_ptr(), flags) };
    if r == 0 { 0 } else { Errno::last_raw() }
}

/// Every modalias of the devices that are there: each is on a bus or in a class, or the machine's own.
///
/// Walking `/sys/devices` finds the same ones behind ten times as many folders.
pub fn present() -> BTreeSet<String> {
    let below = |dir: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|e| e.path()).collect()
    };
    let buses = below(Path::new("/sys/bus")).into_iter().map(|b| b.join("devices"));
    let places = buses.chain(below(Path::new("/sys/class")));
    places
        .chain([PathBuf::from("/sys/devices/system")])
        .flat_map(|place| below(&place))
        .filter_map(|device| fs::read_to_string(device.join("modalias")).ok())
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}

/// Loads what these modaliases ask for, and `extra`, in parallel; returns what failed. Where not `whole`, what no medium
/// can need is left out.
pub fn load_for(modules: &Modules, modaliases: &BTreeSet<String>, extra: &[String], whole: bool) -> Vec<String> {
    let of = |n: &String| modules.deps.get(n).map_or(2, |(f, _)| rank(f));
    let mut names: Vec<String> = modules.wanted(modaliases).into_iter().collect();
    names.sort_by_key(of);
    names.extend(extra.iter().map(|n| n.replace('-', "_")).filter(|n| modules.has(n)));
    names.retain(|n| whole || of(n) < LATER);
    if names.is_empty() {
        return Vec::new();
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = cores.min(WORKERS_MAX).min(names.len());
    let (mut net, others): (Vec<String>, _) = names.into_iter().partition(|n| modules.is_of_network(n));
    if net.len() > 1 {
        net = modules.by_place(net, &devices());
    }
    let mut shares = shares(others, net, workers).into_iter();
    let own = shares.next().unwrap_or_default();
    let mut children = Vec::new();
    for share in shares {
        // SAFETY: a helper has one thread.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => {
                report(&load_every(modules, &share));
                // SAFETY: ends the child without running destructors.
                unsafe { libc::_exit(0) }
            }
            Ok(ForkResult::Parent { child }) => children.push(child),
            Err(_) => report(&load_every(modules, &share)),
        }
    }
    let failed = load_every(modules, &own);
    for child in children {
        let _ = waitpid(child, None);
    }
    failed
}

/// What each worker loads. Who drives a network card is loaded by one of them, and by that one alone where there are more: cards
/// get their names in the order in which their drivers come, and workers that race would name them anew at each start.
fn shares(others: Vec<String>, net: Vec<String>, workers: usize) -> Vec<Vec<String>> {
    let mut shares = vec![Vec::new(); workers];
    let spread = if net.is_empty() || workers < 2 {
        workers
    } else {
        workers - 1
    };
    for (n, name) in others.into_iter().enumerate() {
        shares[n % spread].push(name);
    }
    if let Some(last) = shares.last_mut() {
        last.extend(net);
    }
    shares
}

/// Every device that asks for a module: its path below `/sys`, and its modalias.
fn devices() -> Vec<(PathBuf, String)> {
    let below = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let links = below("/sys/bus".into()).flat_map(|bus| below(bus.join("devices")));
    links
        .filter_map(|link| {
            let modalias = fs::read_to_string(link.join("modalias")).ok()?;
            Some((fs::read_link(link).ok()?, modalias.trim().to_owned()))
        })
        .collect()
}

/// Where a device is among those that may be network cards: those of the chip itself (ARM) come first, then those on PCI by their
/// address, as the kernel goes through it, and last those on USB, which come and go.
fn place(device: &Path) -> (bool, Option<&str>, &Path) {
    let parts = || device.iter().filter_map(OsStr::to_str);
    // Domain, bus, device, function.
    let is_address = |part: &&str| part.split([':', '.']).count() == 4;
    let is_usb = parts().any(|part| part.strip_prefix("usb").is_some_and(|n| n.parse::<u16>().is_ok()));
    (is_usb, parts().rfind(is_address), device)
}

fn load_every(modules: &Modules, names: &[String]) -> Vec<String> {
    names
        .iter()
        // Another helper may be loading it just now; a driver's start may hang, and one that waits for it is enough.
        .filter(|n| state(n).is_none())
        .filter_map(|n| modules.load(n).err())
        .collect()
}

fn report(failed: &[String]) {
    for f in failed {
        crate::shell::log::info(&format!("module {f}"));
    }
}

/// Where the drivers of network cards are.
const NETWORK: &str = "drivers/net/";
/// Rank of drivers that no medium needs: neither it nor its controller can hang on them.
const LATER: u8 = 3;

/// Storage first: the state waits for it. Then what may stand between it and the processor, whatever that is, and last what
/// cannot.
fn rank(file: &Path) -> u8 {
    let path = file.to_string_lossy();
    let last = [
        NETWORK,
        "drivers/hwmon/",
        "drivers/hid/",
        "drivers/input/",
        "drivers/acpi/button.ko",
        "drivers/char/",
        "drivers/scsi/sg.ko",
    ];
    if last.iter().any(|f| path.contains(f)) {
        return LATER;
    }
    let first = [
        "drivers/virtio",
        "drivers/usb",
        "drivers/ata",
        "drivers/nvme",
        "drivers/scsi",
        "drivers/mmc",
        "drivers/block",
    ];
    if first.iter().any(|f| path.contains(f)) { 0 } else { 2 }
}

fn name_of(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or_default();
    base.split(".ko").next().unwrap_or_default().replace('-', "_")
}

/// `fnmatch(3)` without flags: `*`, `?` and `[a-z]`.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            None if t == text.len() => return true,
            None => None,
            Some(_) if t == text.len() => None,
            Some(b'?') => Some(1),
            Some(b'[') => class(&pattern[p..], text[t]),
            Some(c) => (*c == text[t]).then_some(1),
        };
        match (step, star) {
            (Some(n), _) => {
                p += n;
                t += 1;
            }
            (None, Some((sp, st))) if st < text.len() => {
                star = Some((sp, st + 1));
                p = sp + 1;
                t = st + 1;
            }
            (None, _) => return false,
        }
    }
}

/// Length of the class at the start of `pattern` when `c` is in it.
fn class(pattern: &[u8], c: u8) -> Option<usize> {
    let end = pattern.iter().skip(1).position(|b| *b == b']')? + 1;
    let set = &pattern[1..end];
    let (negated, set) = match set.first() {
        Some(b'!' | b'^') => (true, &set[1..]),
        _ => (false, set),
    };
    let mut hit = false;
    let mut i = 0;
    while i < set.len() {
        if i + 2 < set.len() && set[i + 1] == b'-' {
            hit |= (set[i]..=set[i + 2]).contains(&c);
            i += 3;
        } else {
            hit |= set[i] == c;
            i += 1;
        }
    }
    (hit != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn patterns_match_as_fnmatch_does() {
        for (p, t, want) in [
            (
                "pci:v00008086d000010D3sv*sd*bc*sc*i*",
                "pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00",
                true,
            ),
            (
                "pci:v*d*sv*sd*bc0Csc03i30*",
                "pci:v00001B36d0000000Dsv00001AF4sd00001100bc0Csc03i30",
                true,
            ),
            (
                "pci:v*d*sv*sd*bc0Csc03i30*",
                "pci:v00001B36d0000000Dsv00001AF4sd00001100bc0Csc03i20",
                false,
            ),
            ("scsi:t-0x00*", "scsi:t-0x00", true),
            (
                "usb:v*p*d*dc*dsc*dp*ic08isc06ip50in*",
                "usb:v46F4p0001d0000dc00dsc00dp00ic08isc06ip50in00",
                true,
            ),
            ("a[0-3]b", "a2b", true),
            ("a[0-3]b", "a4b", false),
            ("a[!0-3]b", "a4b", true),
            ("a?c*", "abc", true),
            ("*", "", true),
            ("", "", true),
            ("a", "", false),
            ("a*b*c", "aXbYbZc", true),
            ("a[", "a[", false),
        ] {
            assert_eq!(matches(p.as_bytes(), t.as_bytes()), want, "{p} {t}");
        }
    }

    #[test]
    fn tables_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let w = |n: &str, t: &str| fs::write(dir.path().join(n), t).unwrap();
        w(
            "modules.dep",
            "kernel/lib/libcrc32c.ko:\nkernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko kernel/fs/jbd2/jbd2.ko\nkernel/lib/crc16.ko:\nkernel/fs/jbd2/jbd2.ko:\n",
        );
        w(
            "modules.alias",
            "# x\nalias fs-ext4 ext4\nalias pci:v1d* lib-crc32c\nalias pci:v* gone\n",
        );
        w("modules.softdep", "softdep libcrc32c pre: crc32c post: other\n");
        let m = Modules::below(dir.path()).unwrap();
        assert_eq!(m.deps["ext4"].1, ["jbd2", "crc16"]);
        assert_eq!(m.soft["libcrc32c"], ["crc32c"]);
        let wanted = |of: &[&str]| m.wanted(&of.iter().map(|m| (*m).to_owned()).collect());
        assert!(wanted(&["pci:v1d2"]).is_empty(), "lib_crc32c is in no modules.dep");
        assert_eq!(
            wanted(&["acpi:x", "fs-ext4", "fs-ext", "pci:v1d2"])
                .into_iter()
                .collect::<Vec<_>>(),
            ["ext4"]
        );
        assert!(m.load("nothing").unwrap_err().contains("no such module"));
    }

    #[test]
    fn what_no_medium_needs_comes_once_the_server_listens() {
        for (file, later) in [
            ("kernel/drivers/acpi/button.ko", true),
            ("kernel/drivers/input/evdev.ko", true),
            ("kernel/drivers/input/keyboard/gpio_keys.ko", true),
            ("kernel/drivers/ata/ahci.ko", false),
            ("kernel/drivers/usb/host/xhci-pci.ko", false),
        ] {
            assert_eq!(rank(Path::new(file)) == LATER, later, "{file}");
        }
    }

    #[test]
    fn network_cards_are_named_by_their_places_and_by_one_worker() {
        let aliases = "alias pci:v8086d10* e1000e\nalias pci:v8086d15* igb\nalias pci:v10EC* r8169\nalias usb:v0BDA* r8152\nalias of:N*gmac* dwmac-rk\n";
        let m = Modules {
            aliases: aliases.to_owned(),
            ..Modules::default()
        };
        let devices = [
            ("pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0", "usb:v0BDAp8153"),
            ("pci0000:00/0000:00:1c.0/0000:02:00.0", "pci:v10ECd8168"),
            ("pci0000:00/0000:00:1f.6", "pci:v8086d10D3"),
            ("pci0000:80/0000:80:01.0/0000:81:00.0", "pci:v8086d1521"),
            ("pci0000:80/0000:80:01.0/0000:81:00.1", "pci:v8086d10FB"),
            ("platform/fe1c0000.ethernet", "of:NethernetTgmac"),
            ("pci0000:00/0000:00:00.0", "pci:v8086dFFFF"),
        ];
        let devices = devices.map(|(at, alias)| (Path::new("../../../devices").join(at), alias.to_owned()));
        let order = ["dwmac_rk", "e1000e", "r8169", "igb", "r8152", "tun"];
        let mut names = order.map(str::to_owned).to_vec();
        for _ in 0..names.len() {
            names.rotate_left(1);
            assert_eq!(m.by_place(names.clone(), &devices), order);
        }

        let named = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        for (others, net, workers, expected) in [
            (
                named(&["a", "b", "c"]),
                named(&["x", "y"]),
                3,
                [vec!["a", "c"], vec!["b"], vec!["x", "y"]].to_vec(),
            ),
            (named(&["a"]), named(&["x", "y"]), 1, [vec!["a", "x", "y"]].to_vec()),
            (
                named(&["a", "b", "c"]),
                named(&[]),
                2,
                [vec!["a", "c"], vec!["b"]].to_vec(),
            ),
            (named(&[]), named(&["x", "y"]), 2, [vec![], vec!["x", "y"]].to_vec()),
        ] {
            assert_eq!(shares(others, net, workers), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_pattern_never_hangs_or_panics(p in "[a-c*?\\[\\]!-]{0,24}", t in "[a-c-]{0,24}") {
            let _ = matches(p.as_bytes(), t.as_bytes());
        }
    }
}
