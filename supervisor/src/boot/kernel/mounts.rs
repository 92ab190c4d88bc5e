//! The kernel's own file systems, and those that hold runtime files.

use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use super::grace;
use super::retained;

/// Files of the network's that programs look for on the root, which the network cannot write to, and where they are.
const RUNTIME: [(&str, &str); 2] = [
    ("/etc/resolv.conf", crate::network::RESOLVER),
    ("/var/lib/dhcpcd", "/run/kiln/network/dhcpcd"),
];

/// Mounts them in order; what is there already is left alone. Returns what could not be mounted.
pub fn kernel() -> Vec<String> {
    let tight = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let table: [(&str, &str, MsFlags, Option<&str>); 8] = [
        (
            "devtmpfs",
            "/dev",
            MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
            Some("mode=755"),
        ),
        ("proc", "/proc", tight, None),
        ("sysfs", "/sys", tight, None),
        ("tmpfs", "/run", tight, Some("mode=755,size=10%")),
        ("tmpfs", "/tmp", tight, Some("mode=1777,size=10%")),
        (
            "cgroup2",
            "/sys/fs/cgroup",
            tight, // favordynmods: a process changes its group without waiting for every processor, which every start of a unit does.
            Some("nsdelegate,favordynmods"),
        ),
        ("pstore", "/sys/fs/pstore", tight, None),
        (
            "devpts",
            "/dev/pts",
            MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
            Some("mode=620,ptmxmode=666"),
        ),
    ];
    let mut failed = Vec::new();
    for (kind, at, flags, data) in table {
        let _ = std::fs::create_dir_all(at);
        match mount(Some(kind), at, Some(kind), flags, data) {
            Ok(()) | Err(nix::errno::Errno::EBUSY) => {}
            Err(e) => failed.push(format!("{kind} on {at}: {e}")),
        }
        if kind == "sysfs" {
            // The group file system is the first that waits for them.
            failed.extend(grace::hurry(Path::new("/"), true).err().map(|e| e.to_string()));
        }
    }
    // Units get namespaces that follow what PID 1 mounts later.
    if let Err(e) = mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_SHARED,
        None::<&str>,
    ) {
        failed.push(format!("sharing mounts: {e}"));
    }
    for dir in [
        "/run/kiln/dev",
        "/run/kiln/time",
        "/run/systemd/journal",
        "/dev/shm",
        "/run/kiln/network/dhcpcd",
        "/run/kiln/network/ntp",
        "/run/dhcpcd",
        "/var/lib/kiln",
        "/system",
    ] {
        if let Err(e) = std::fs::create_dir_all(dir) {
            failed.push(format!("{dir}: {e}"));
        }
    }
    for (at, to) in RUNTIME {
        if let Err(e) = lead(Path::new(at), Path::new(to)) {
            failed.push(format!("{at}: {e}"));
        }
    }
    failed
}

/// Makes a link; that it is there already is fine, and that something else is there is not.
fn lead(at: &Path, to: &Path) -> io::Result<()> {
    match std::os::unix::fs::symlink(to, at) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && std::fs::read_link(at).is_ok_and(|now| now == to) => {
            Ok(())
        }
        made => made,
    }
}

/// Mounts the EROFS image that the boot loader brought: where it lies, or the copy that the kernel made of it.
///
/// # Errors
/// There is neither, or the kernel refused.
pub fn system() -> io::Result<()> {
    // A loader's older configuration names it so that the kernel makes a file of it, which needs no loop device.
    let copy = Path::new("/system.erofs");
    let (source, _device) = match copy.is_file() {
        true => (copy.to_owned(), None),
        false => retained::device().map(|(node, open)| (node, Some(open)))?,
    };
    mount(
        Some(&source),
        "/system",
        Some("erofs"),
        MsFlags::MS_RDONLY | MsFlags::MS_NODEV | MsFlags::MS_NOSUID,
        None::<&str>,
    )?;
    Ok(())
}

/// Writes out all that the file system at a place has in the cache, and nothing of any other: a drive that hangs under test
/// would hold up the end.
///
/// # Errors
/// It does not take it.
pub fn flush(at: &Path) -> io::Result<()> {
    let dir = std::fs::File::open(at)?;
    Ok(nix::unistd::syncfs(&dir)?)
}

/// The device that is mounted at a place.
///
/// # Errors
/// Nothing is, or the kernel's list cannot be read.
pub fn source(at: &str) -> io::Result<std::path::PathBuf> {
    // Of this thread: in tests one has mounts of its own.
    let mounts = std::fs::read_to_string("/proc/thread-self/mounts")?;
    let mut found = mounts.lines().filter_map(|l| {
        let mut words = l.split(' ');
        let device = words.next()?;
        (words.next() == Some(at)).then_some(device)
    });
    // The topmost one.
    let device = found
        .next_back()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("nothing is mounted on {at}")))?;
    Ok(device.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_link_is_made_once_and_nothing_else_in_its_place_passes_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let (link, folder) = (dir.path().join("link"), dir.path().join("folder"));
        let to = Path::new("/run/kiln/there");
        for _ in 0..2 {
            lead(&link, to).unwrap();
        }
        assert_eq!(std::fs::read_link(&link).unwrap(), to);
        std::fs::create_dir(&folder).unwrap();
        for (at, to) in [(&folder, to), (&link, Path::new("/run/kiln/elsewhere"))] {
            let e = lead(at, to).unwrap_err();
            assert_eq!(e.kind(), io::ErrorKind::AlreadyExists);
        }
    }
}
