//! What is known of a device: collected from `/sys`, `/proc` and `/run`, without touching the device.
//!
//! The kernel's tables are read once ([`Usage`]) and picked apart for each device ([`Facts::of`]); the parsers are pure.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

use super::loops::{Backed, backed};
use super::nodes::{Node, commanding};
use super::open::{self, Writer, writers};
use super::targets::{Export, exports};
use super::together::Together;
use super::unknown::{Reader, Unknown};
use crate::content::Look;
use crate::sysfs::{self, DevNum, Device};
use crate::system::{System, names, text};

/// Longest wait for what others are finding out. Chosen: a computer that needs so long for all of its processes would need longer for
/// each who asks alone, and two such waits leave most of the minute in which a drive has to be open.
const OTHERS: Duration = Duration::from_secs(15);

/// One line of a `mountinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MountLine {
    number: DevNum,
    at: String,
    source: String,
    /// A process that sees it; `None` where this process does.
    pid: Option<u32>,
}

/// The kernel's tables of what is in use, read once for any number of devices.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    mounts: Vec<MountLine>,
    /// Swap areas: path and, where it could be had, device number.
    swaps: Vec<(String, Option<DevNum>)>,
    /// Kernel name of a member → UUID of the mounted btrfs.
    btrfs: BTreeMap<String, String>,
    /// What is behind each loop device.
    loops: Vec<Backed>,
    /// What this kernel exports to other computers.
    exports: Vec<Export>,
    boot_disk: Option<DevNum>,
    /// Drives that leave an access unanswered, where that was watched.
    hanging: BTreeSet<DevNum>,
    drives: Vec<Device>,
    /// Other processes that have a device open for writing.
    writers: Vec<Writer>,
    /// What would tell of a use of any drive, and could not be read.
    unknown: Vec<Unknown>,
}

impl Usage {
    /// Reads the tables.
    pub fn collect(system: &System) -> Self {
        let mut reader = Reader::default();
        let swaps = reader.text(&system.path("proc/swaps")).unwrap_or_default();
        Usage {
            mounts: mounts(system, &mut reader),
            // Where the number cannot be had, the exclusive open is what refuses.
            swaps: parse_swaps(&swaps)
                .into_iter()
                .map(|path| {
                    let number = std::fs::metadata(system.path(&path))
                        .ok()
                        .map(|m| DevNum::from_raw(m.rdev()));
                    (path, number)
                })
                .collect(),
            btrfs: btrfs(system, &mut reader),
            loops: backed(system, &mut reader),
            exports: exports(system, &mut reader),
            boot_disk: boot_disk(system, &mut reader),
            hanging: BTreeSet::new(),
            drives: sysfs::walk(system),
            writers: Vec::new(),
            unknown: reader.unknown,
        }
    }

    /// The same, and who has what open for writing: every descriptor of every process is looked at, which is for the
    /// moment before a drive is written and not for a list that is told every few seconds.
    #[must_use]
    pub fn with_writers(mut self, system: &System) -> Self {
        let (writers, unknown) = writers(system, std::process::id(), open::LONGEST);
        self.unknown.extend(unknown);
        Usage { writers, ..self }
    }

    /// The same, and which drives leave an access unanswered that nobody here waits for.
    #[must_use]
    pub(crate) fn with_hanging(self, hanging: BTreeSet<DevNum>) -> Self {
        Usage { hanging, ..self }
    }

    /// Tables and writers, as they are found after this call. Whoever asks meanwhile gets the next answer, all of them one.
    pub(super) fn now(system: &System) -> Arc<Self> {
        static ASKED: Together<Usage> = Together::new();
        let find = || Self::collect(system).with_writers(system);
        match *system == System::default() {
            true => ASKED.ask(OTHERS, find),
            // Made-up trees have nothing in common.
            false => Arc::new(find()),
        }
    }

    /// The drives that were there, by name.
    pub fn drives(&self) -> &[Device] {
        &self.drives
    }
}

/// A mount of the device or a partition of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Kernel name of the disk or partition.
    pub what: String,
    /// Mount point.
    pub at: String,
    /// A process that sees it, where this one does not.
    pub pid: Option<u32>,
}

/// A process that has the device, a partition of it or a node that takes commands for it open for writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opener {
    /// Kernel name of the disk, partition or node.
    pub what: String,
    /// The process.
    pub pid: u32,
    /// Its program.
    pub program: String,
    /// Whether it was killed, and is still there because the kernel holds it.
    pub killed: bool,
}

/// What kind of device sits on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolderKind {
    /// md array.
    Md,
    /// LVM volume.
    Lvm,
    /// dm-crypt mapping.
    Crypt,
    /// Other device-mapper target.
    DeviceMapper,
    /// bcache.
    Bcache,
    /// Anything else.
    Other,
}

/// A device on top of the device or a partition of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Kernel name of the disk or partition.
    pub what: String,
    /// Array, volume or mapping.
    pub name: String,
    /// What it is.
    pub kind: HolderKind,
}

/// Everything the decision needs of one device.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The device as the kernel describes it now.
    pub device: Device,
    /// Whether the box was booted from it.
    pub boot_disk: bool,
    /// Kernel names of other devices with its identity.
    pub same_identity: Vec<String>,
    /// Mounts of it and its partitions, in any namespace.
    pub mounts: Vec<Mount>,
    /// Kernel names of the disk or partitions that are swapped to.
    pub swaps: Vec<String>,
    /// What sits on top.
    pub holders: Vec<Holder>,
    /// Kernel names of the disk or partitions in a mounted btrfs, with its UUID.
    pub btrfs: Vec<(String, String)>,
    /// Kernel names of the disk or partitions behind a loop device, with the loop device.
    pub loops: Vec<(String, String)>,
    /// The block device that this loop device stands over: its kernel name, else its path.
    pub over: Option<String>,
    /// Kernel names of other loop devices over the same file.
    pub same_file: Vec<String>,
    /// Kernel names of the disk or partitions that a target of this kernel exports, with the target in words.
    pub exports: Vec<(String, String)>,
    /// Whether it leaves an access unanswered that nobody here waits for, where that was watched.
    pub hangs: bool,
    /// Other processes that have it open for writing, where that was asked for.
    pub openers: Vec<Opener>,
    /// Whether another process holds its lock; nobody asked without a descriptor.
    pub locked: bool,
    /// What would tell of a use of it, and could not be read.
    pub unknown: Vec<Unknown>,
    /// What stands on it; `None` where nobody looked.
    pub look: Option<Look>,
}

impl Facts {
    /// Picks out what concerns `device`.
    pub fn of(system: &System, usage: &Usage, device: Device, look: Option<Look>) -> Self {
        let mut parts: Vec<(String, DevNum)> = vec![(device.name.clone(), device.number)];
        parts.extend(device.partitions.iter().map(|p| (p.name.clone(), p.number)));
        let name_of = |number: DevNum, path: &str| {
            // The number says it; the path says it where the number is not the disk's (btrfs) or could not be had.
            let by_number = parts.iter().find(|(_, n)| *n == number);
            let by_path = || parts.iter().find(|(name, _)| path.strip_prefix("/dev/") == Some(name));
            by_number.or_else(by_path).map(|(name, _)| name.clone())
        };
        const NONE: DevNum = DevNum { major: 0, minor: 0 };
        let mounts = usage
            .mounts
            .iter()
            .filter_map(|mount| {
                let what = name_of(mount.number, &mount.source)?;
                Some(Mount {
                    what,
                    at: mount.at.clone(),
                    pid: mount.pid,
                })
            })
            .collect();
        let swaps = usage
            .swaps
            .iter()
            .filter_map(|(path, number)| name_of(number.unwrap_or(NONE), path))
            .collect();
        let btrfs = parts
            .iter()
            .filter_map(|(name, _)| Some((name.clone(), usage.btrfs.get(name)?.clone())))
            .collect();
        let loops = usage
            .loops
            .iter()
            .filter_map(|backed| {
                let what = name_of(backed.number.unwrap_or(NONE), &backed.path)?;
                Some((what, backed.name.clone()))
            })
            .collect();
        let own = usage.loops.iter().find(|backed| backed.name == device.name);
        let over = own.and_then(|backed| {
            let number = backed.number.filter(|number| *number != NONE)?;
            let drive = usage.drives.iter().find(|drive| drive.number == number);
            Some(drive.map_or_else(|| backed.path.clone(), |drive| drive.name.clone()))
        });
        let same_file = usage
            .loops
            .iter()
            .filter(|backed| {
                own.is_some_and(|own| backed.name != own.name && own.file.is_some() && backed.file == own.file)
            })
            .map(|backed| backed.name.clone())
            .collect();
        let mut reader = Reader::default();
        let mut nodes: Vec<(String, Node)> = parts.iter().map(|(name, n)| (name.clone(), Node::Block(*n))).collect();
        // For a list that is told every few seconds only where something may be there.
        if !usage.writers.is_empty() || !usage.exports.is_empty() {
            nodes.extend(commanding(system, &device, &mut reader));
        }
        let exported = |export: &Export| {
            let by_node = nodes.iter().find(|(_, node)| Some(*node) == export.node);
            let by_path = || {
                nodes
                    .iter()
                    .find(|(name, _)| export.path.strip_prefix("/dev/") == Some(name))
            };
            by_node.or_else(by_path).map(|(name, _)| name.clone())
        };
        let exports = usage.exports.iter();
        let exports = exports
            .filter_map(|export| Some((exported(export)?, export.target.clone())))
            .collect();
        let mut unknown = usage.unknown.clone();
        unknown.extend(reader.unknown);
        let is_unknown = |number: Option<DevNum>, path: &str| number.is_none() && name_of(NONE, path).is_none();
        unknown.extend(
            usage
                .loops
                .iter()
                .filter(|&backed| is_unknown(backed.number, &backed.path))
                .map(|backed| Unknown::Loop {
                    device: backed.name.clone(),
                    path: backed.path.clone(),
                }),
        );
        unknown.extend(usage.exports.iter().filter_map(|export| {
            // A description that is no path names nothing that could be looked for.
            let is_path = export.path.starts_with('/');
            (is_path && !export.is_there && exported(export).is_none()).then(|| Unknown::Export {
                target: export.target.clone(),
                path: export.path.clone(),
            })
        }));
        let openers = usage
            .writers
            .iter()
            .filter_map(|writer| {
                let (what, _) = nodes.iter().find(|(_, node)| *node == writer.node)?;
                Some(Opener {
                    what: what.clone(),
                    pid: writer.pid,
                    program: writer.program.clone(),
                    killed: writer.killed,
                })
            })
            .collect();
        let same_identity = usage
            .drives
            .iter()
            .filter(|other| {
                other.number != device.number && other.identity.id.is_some() && other.identity.id == device.identity.id
            })
            .map(|other| other.name.clone())
            .collect();
        Facts {
            boot_disk: usage.boot_disk == Some(device.number),
            same_identity,
            mounts,
            swaps,
            holders: parts
                .iter()
                .flat_map(|(name, number)| holders(system, name, *number))
                .collect(),
            btrfs,
            loops,
            over,
            same_file,
            exports,
            hangs: usage.hanging.contains(&device.number),
            openers,
            locked: false,
            unknown,
            look,
            device,
        }
    }
}

/// Devices on top of disk or partition `what`.
fn holders(system: &System, what: &str, number: DevNum) -> Vec<Holder> {
    names(&system.path(format!("sys/dev/block/{number}/holders")))
        .into_iter()
        .map(|holder| {
            let dm = |attribute: &str| text(&system.path(format!("sys/block/{holder}/dm/{attribute}")));
            let starts = |prefix: &str| {
                holder
                    .strip_prefix(prefix)
                    .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '_'))
            };
            let (kind, name) = if starts("md") {
                (HolderKind::Md, holder)
            } else if starts("bcache") {
                (HolderKind::Bcache, holder)
            } else if starts("dm-") {
                // LVM, cryptsetup and others prefix the UUIDs of their mappings.
                let kind = match dm("uuid") {
                    Some(uuid) if uuid.starts_with("LVM-") => HolderKind::Lvm,
                    Some(uuid) if uuid.starts_with("CRYPT-") => HolderKind::Crypt,
                    Some(_) | None => HolderKind::DeviceMapper,
                };
                (kind, dm("name").unwrap_or(holder))
            } else {
                (HolderKind::Other, holder)
            };
            Holder {
                what: what.to_owned(),
                name,
                kind,
            }
        })
        .collect()
}

/// The disk that the box was booted from; none where PID 1 told none, as on a computer of somebody's.
fn boot_disk(system: &System, reader: &mut Reader) -> Option<DevNum> {
    reader.number(&system.path("run/kiln/boot-disk"), DevNum::parse)
}

/// Mounts in every mount namespace that a process lives in, each once.
fn mounts(system: &System, reader: &mut Reader) -> Vec<MountLine> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    let mut read = |process: &str, pid: Option<u32>| {
        let dir = system.path("proc").join(process);
        // Where the namespace cannot be told (the process is ending), its table is read all the same.
        let namespace = std::fs::read_link(dir.join("ns/mnt"));
        if namespace.is_ok_and(|namespace| !seen.insert(namespace)) {
            return;
        }
        let path = dir.join("mountinfo");
        let table = match crate::system::table(&path, usize::MAX) {
            // A process that ended and was not waited for is in no namespace. Source: linux/fs/proc_namespace.c.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return,
            table => reader.kept(&path, table),
        };
        all.extend(parse_mountinfo(
            &String::from_utf8_lossy(&table.unwrap_or_default()),
            pid,
        ));
    };
    read("self", None);
    for process in names(&system.path("proc")) {
        if let Ok(pid) = process.parse() {
            read(&process, Some(pid));
        }
    }
    all
}

/// Reads `mountinfo`. Source: `proc_pid_mountinfo(5)`.
fn parse_mountinfo(table: &str, pid: Option<u32>) -> Vec<MountLine> {
    table
        .lines()
        .filter_map(|line| {
            let (mount, file_system) = line.split_once(" - ")?;
            let mut fields = mount.split(' ');
            let number = DevNum::parse(fields.nth(2)?)?;
            let at = unescape(fields.nth(1)?);
            let source = unescape(file_system.split(' ').nth(1).unwrap_or_default());
            Some(MountLine {
                number,
                at,
                source,
                pid,
            })
        })
        .collect()
}

/// Reads `/proc/swaps`: the paths.
fn parse_swaps(table: &str) -> Vec<String> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| Some(unescape(line.split_whitespace().next()?)))
        .collect()
}

/// Undoes the octal escapes of the kernel's tables (`\040` for a blank).
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let octal = bytes
            .get(at + 1..at + 4)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(value) if byte == b'\\' => {
                out.push(value);
                at += 4;
            }
            Some(_) | None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Members of every mounted btrfs. Source: `/sys/fs/btrfs/UUID/devices`, which exists only while it is mounted.
fn btrfs(system: &System, reader: &mut Reader) -> BTreeMap<String, String> {
    let base = system.path("sys/fs/btrfs");
    let mut members = BTreeMap::new();
    for uuid in reader.names(&base) {
        let devices = reader.names(&base.join(&uuid).join("devices"));
        members.extend(devices.into_iter().map(|name| (name, uuid.clone())));
    }
    members
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mountinfo_is_read_with_its_escapes_and_optional_fields() {
        let table = "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n\
                     41 30 0:42 / /data rw - btrfs /dev/sdb1 rw\n\
                     broken line\n";
        let all = parse_mountinfo(table, Some(7));
        assert_eq!(all.len(), 2);
        assert_eq!(
            (all[0].number, all[0].at.as_str()),
            (DevNum { major: 98, minor: 0 }, "/mnt 2")
        );
        assert_eq!((all[1].source.as_str(), all[1].pid), ("/dev/sdb1", Some(7)));
    }

    #[test]
    fn swaps_are_read() {
        let table =
            "Filename\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/sda2 partition\t1\t0\t-2\n/a\\040b file 1 0 -3\n";
        assert_eq!(parse_swaps(table), ["/dev/sda2", "/a b"]);
    }

    proptest! {
        #[test]
        fn the_kernels_tables_never_panic(text in "[ -~\\\\\n0-9:]{0,200}") {
            let _ = (parse_mountinfo(&text, None), parse_swaps(&text), unescape(&text));
        }
    }
}
