//! Block devices that other processes have open for writing: what the kernel's exclusive open does not exclude. A mapping outlives
//! the descriptor that it was made of, and counts like one.
//!
//! A virtual machine over a whole disk, a database on a raw device, an iSCSI target in user space or a `dd` under way open
//! without `O_EXCL`, so that only their descriptors tell. They are read from `/proc`, without touching a device; of
//! processes that may not be looked into nothing is known. Descriptors for reading are no use that forbids writing: udev,
//! smartctl and monitors open every drive now and then.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::sysfs::DevNum;
use crate::system::{System, names, text};

/// `O_PATH`: a descriptor through which nothing can be read or written. Source: asm-generic/fcntl.h.
const O_PATH: u32 = 0o10_000_000;

/// Longest line of ancestors that is followed.
const ANCESTORS_MAX: usize = 64;

/// Longest wait for what all processes have mapped; 170 of them take 50 ms of processor time (measured, unoptimised).
const MAPS_LONGEST: Duration = Duration::from_secs(5);

/// A process that has a block device open for writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Writer {
    pub(super) number: DevNum,
    pub(super) pid: u32,
    pub(super) program: String,
}

/// Every block device that another process than `own` and its descendants has open for writing.
pub(super) fn writers(system: &System, own: u32) -> Vec<Writer> {
    let proc = system.path("proc");
    let pids = names(&proc).into_iter().filter_map(|name| name.parse::<u32>().ok());
    let pids: Vec<u32> = pids.filter(|pid| *pid != own).collect();
    let mut maps = maps(proc.clone(), pids.clone());
    let mut all = Vec::new();
    for pid in pids {
        let dir = proc.join(pid.to_string());
        let mounts = OnceCell::new();
        let mut numbers: Vec<DevNum> = names(&dir.join("fd"))
            .into_iter()
            .filter_map(|fd| written_by(&dir, &fd, &mounts))
            .collect();
        numbers.extend(maps.remove(&pid).into_iter().flatten());
        numbers.sort_unstable_by_key(|number| (number.major, number.minor));
        numbers.dedup();
        // Few have one, so that ancestors are asked for rarely.
        if numbers.is_empty() || descends(system, pid, own) {
            continue;
        }
        let program = text(&dir.join("comm")).unwrap_or_else(|| "?".to_owned());
        all.extend(numbers.into_iter().map(|number| Writer {
            number,
            pid,
            program: program.clone(),
        }));
    }
    all
}

/// The block device behind a descriptor that takes writes; `mounts` keeps the process's `mountinfo`, once it is asked for.
///
/// A node may lie anywhere: a container is given a drive by a path of its own.
fn written_by(process: &Path, fd: &str, mounts: &OnceCell<String>) -> Option<DevNum> {
    let link = process.join("fd").join(fd);
    // What is no file (`socket:[7]`) has no path; asking costs no access to what lies behind.
    let target = fs::read_link(&link).ok().filter(|target| target.is_absolute())?;
    let told = fs::read_to_string(process.join("fdinfo").join(fd))
        .ok()
        .filter(|told| takes_writes(told))?;
    let table = || mounts.get_or_init(|| fs::read_to_string(process.join("mountinfo")).unwrap_or_default());
    if !target.starts_with("/dev") && is_remote(&told, table()) {
        return None;
    }
    let node = fs::metadata(&link).ok().filter(|m| m.file_type().is_block_device())?;
    Some(DevNum::from_raw(node.rdev()))
}

/// What each of these processes has mapped so that it can write to it.
///
/// The kernel gives the table of a process only while nothing else changes that, so one that hangs in the middle of it would hold up
/// whoever asks: what is not told in time is passed over, like what may not be looked into.
fn maps(proc: PathBuf, pids: Vec<u32>) -> BTreeMap<u32, Vec<DevNum>> {
    let (tell, told) = channel();
    let asks = move || {
        for pid in pids {
            let numbers = mapped(&proc.join(pid.to_string()));
            if !numbers.is_empty() && tell.send((pid, numbers)).is_err() {
                return;
            }
        }
    };
    // Without the thread nothing is told, and the channel is closed.
    let _thread = std::thread::Builder::new().name("maps".to_owned()).spawn(asks);
    let until = Instant::now() + MAPS_LONGEST;
    let next = || told.recv_timeout(until.saturating_duration_since(Instant::now())).ok();
    std::iter::from_fn(next).collect()
}

/// Block devices that a process has mapped in common with others, by a file that takes writes.
fn mapped(process: &Path) -> Vec<DevNum> {
    let table = fs::read_to_string(process.join("maps")).unwrap_or_default();
    let shared: Vec<Mapping<'_>> = table.lines().filter_map(Mapping::read).collect();
    if shared.is_empty() {
        return Vec::new();
    }
    let mounts = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
    let node = |mapping: &Mapping<'_>| {
        if !mapping.path.starts_with("/dev/") && kind_of(&mounts, 2, mapping.device).is_some_and(is_remote_kind) {
            return None;
        }
        let link = process.join("map_files").join(&mapping.range);
        // The link's own mode is that of the file it was made of: what is mapped for reading may be made writable by such a one.
        let writes = mapping.writes || fs::symlink_metadata(&link).is_ok_and(|link| link.mode() & 0o200 != 0);
        let node = fs::metadata(&link).ok().filter(|_| writes)?;
        node.file_type()
            .is_block_device()
            .then(|| DevNum::from_raw(node.rdev()))
    };
    shared.iter().filter_map(node).collect()
}

/// A mapping of a file that is shared, so that what is stored reaches the file.
struct Mapping<'a> {
    /// Its name in `map_files`.
    range: String,
    writes: bool,
    /// Number of the file system that the file lies on; in `maps` in hexadecimal.
    device: DevNum,
    path: &'a str,
}

impl<'a> Mapping<'a> {
    /// `7f0000-7f1000 rw-s 00000000 00:05 77    /dev/sdb`; `None` for all others. Source: `proc_pid_maps(5)`.
    fn read(line: &'a str) -> Option<Self> {
        let (range, rest) = line.split_once(' ')?;
        let (mode, rest) = rest.split_once(' ')?;
        let path = &rest[rest.find('/')?..];
        let device = rest.split(' ').nth(1)?;
        let (major, minor) = device.split_once(':')?;
        let number = |text| u32::from_str_radix(text, 16).ok();
        let (from, to) = range.split_once('-')?;
        // Short addresses are filled up with zeros here and not there.
        let name = |address: &str| address.trim_start_matches('0').to_owned();
        mode.ends_with('s').then_some(Self {
            range: format!("{}-{}", name(from), name(to)),
            writes: mode.contains('w'),
            device: DevNum {
                major: number(major)?,
                minor: number(minor)?,
            },
            path,
        })
    }
}

/// Whether a descriptor's file lies on a file system that somebody else answers for, and maybe not any more: asking what it
/// is could wait for ever. Those have no node that opens a drive of this computer.
fn is_remote(fdinfo: &str, mountinfo: &str) -> bool {
    let id = fdinfo.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    let kind = id.and_then(|id| kind_of(mountinfo, 0, id.trim()));
    kind.is_some_and(is_remote_kind)
}

fn is_remote_kind(kind: &str) -> bool {
    const KINDS: [&str; 9] = ["nfs", "cifs", "smb", "fuse", "9p", "ceph", "afs", "coda", "lustre"];
    KINDS.iter().any(|remote| kind.starts_with(remote))
}

/// Kind of the mounted file system of which this field (0: id, 2: number) is told.
fn kind_of<'a>(mountinfo: &'a str, field: usize, is: impl ToString) -> Option<&'a str> {
    let is = is.to_string();
    // `36 35 98:0 /root /mount options [fields] - type source super-options`. Source: proc_pid_mountinfo(5).
    mountinfo
        .lines()
        .find(|line| line.split(' ').nth(field) == Some(&is))
        .and_then(|line| line.split_once(" - ")?.1.split(' ').next())
}

/// Whether an `fdinfo` is of a descriptor that takes writes. Source: `proc_pid_fdinfo(5)`: the flags are octal.
fn takes_writes(fdinfo: &str) -> bool {
    let flags = fdinfo.lines().find_map(|line| line.strip_prefix("flags:"));
    let Some(flags) = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()) else {
        return false;
    };
    let access = flags & libc::O_ACCMODE.unsigned_abs();
    flags & O_PATH == 0 && access != libc::O_RDONLY.unsigned_abs()
}

/// Whether `pid` was started by `own`, or by what that started.
fn descends(system: &System, mut pid: u32, own: u32) -> bool {
    for _ in 0..ANCESTORS_MAX {
        let Some(parent) = system.text(format!("proc/{pid}/stat")).and_then(|stat| parent(&stat)) else {
            return false;
        };
        match parent {
            found if found == own => return true,
            0 | 1 => return false,
            next => pid = next,
        }
    }
    false
}

/// The parent of a process by its `stat`, whose second field is a name in brackets that may hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_descriptor_takes_writes_by_its_access_mode() {
        for (flags, writes) in [
            ("0100000", false),
            ("0100001", true),
            ("0100002", true),
            ("02140202", true),
            ("012000000", false),
            ("010000002", false),
            ("x", false),
        ] {
            assert_eq!(
                takes_writes(&format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t3\n")),
                writes,
                "{flags}"
            );
        }
        assert!(!takes_writes("pos:\t0\n"));
    }

    #[test]
    fn what_somebody_else_answers_for_is_not_asked() {
        let mounts = "21 1 254:0 / / rw - ext4 /dev/vda rw\n\
                      36 21 0:40 / /srv/far rw shared:9 - nfs4 box:/far rw\n\
                      37 21 0:41 / /mnt/x rw - fuse.sshfs a:/ rw\n";
        for (id, remote) in [("21", false), ("36", true), ("37", true), ("3", false), ("99", false)] {
            let told = format!("pos:\t0\nflags:\t0100002\nmnt_id:\t{id}\n");
            assert_eq!(is_remote(&told, mounts), remote, "{id}");
        }
        assert!(!is_remote("pos:\t0\n", mounts));
    }

    #[test]
    fn a_shared_mapping_is_read_with_its_name_and_file_system() {
        let mapping = Mapping::read("00400000-7f0000452000 rw-s 00000000 00:2a 173521      /dev/my disk").unwrap();
        assert_eq!((mapping.range.as_str(), mapping.writes), ("400000-7f0000452000", true));
        assert_eq!(
            (mapping.device, mapping.path),
            (DevNum { major: 0, minor: 42 }, "/dev/my disk")
        );
        assert!(
            !Mapping::read("7f00-7f01 r--s 00000000 00:05 77 /dev/sdb")
                .unwrap()
                .writes
        );
        for other in [
            "7f00-7f01 rw-p 00000000 00:05 77 /dev/sdb",
            "7f00-7f01 rw-s 00000000 00:05 0 ",
            "7f00",
            "",
        ] {
            assert!(Mapping::read(other).is_none(), "{other}");
        }
        let mounts = "36 21 0:42 / /srv/far rw shared:9 - nfs4 box:/far rw\n";
        assert!(kind_of(mounts, 2, DevNum { major: 0, minor: 42 }).is_some_and(is_remote_kind));
    }

    #[test]
    fn a_parent_is_read_whatever_the_program_is_called() {
        assert_eq!(parent("77 (a) S 5) R 42 77 77 0"), Some(42));
        assert_eq!(parent("77 (sh"), None);
    }

    #[test]
    fn processes_that_cannot_be_looked_into_are_passed_over() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/12")).unwrap();
        fs::create_dir_all(root.path().join("proc/self/fd")).unwrap();
        assert_eq!(writers(&System::at(root.path()), 1), []);
    }
}
