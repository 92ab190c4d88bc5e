//! Block devices that other processes have open for writing: what the kernel's exclusive open does not exclude.
//!
//! A virtual machine over a whole disk, a database on a raw device, an iSCSI target in user space or a `dd` under way open
//! without `O_EXCL`, so that only their descriptors tell. They are read from `/proc`, without touching a device; of
//! processes that may not be looked into nothing is known. Descriptors for reading are no use that forbids writing: udev,
//! smartctl and monitors open every drive now and then.

use std::cell::OnceCell;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::sysfs::DevNum;
use crate::system::{System, names, text};

/// `O_PATH`: a descriptor through which nothing can be read or written. Source: asm-generic/fcntl.h.
const O_PATH: u32 = 0o10_000_000;

/// Longest line of ancestors that is followed.
const ANCESTORS_MAX: usize = 64;

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
    let mut all = Vec::new();
    for pid in pids.filter(|pid| *pid != own) {
        let dir = proc.join(pid.to_string());
        let mounts = OnceCell::new();
        let mut numbers: Vec<DevNum> = names(&dir.join("fd"))
            .into_iter()
            .filter_map(|fd| written_by(&dir, &fd, &mounts))
            .collect();
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

/// Whether a descriptor's file lies on a file system that somebody else answers for, and maybe not any more: asking what it
/// is could wait for ever. Those have no node that opens a drive of this computer.
fn is_remote(fdinfo: &str, mountinfo: &str) -> bool {
    const KINDS: [&str; 9] = ["nfs", "cifs", "smb", "fuse", "9p", "ceph", "afs", "coda", "lustre"];
    let Some(id) = fdinfo.lines().find_map(|line| line.strip_prefix("mnt_id:")) else {
        return false;
    };
    // `36 35 98:0 /root /mount options [fields] - type source super-options`. Source: proc_pid_mountinfo(5).
    let kind = mountinfo
        .lines()
        .find(|line| line.split(' ').next() == Some(id.trim()))
        .and_then(|line| line.split_once(" - ")?.1.split(' ').next());
    kind.is_some_and(|kind| KINDS.iter().any(|remote| kind.starts_with(remote)))
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
