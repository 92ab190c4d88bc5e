//! What is mounted where nobody else sees it: the new file system, read-only, and a node where there is none.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, mknod};
use nix::sys::statvfs::statvfs;
use wire::options::FileSystem;

use super::request::name;
use super::scrub;

/// Gives this process a mount namespace of its own, from which nothing gets out. To be called while there is one thread.
///
/// # Errors
/// Without the right to (`CAP_SYS_ADMIN`).
pub(super) fn alone() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    Ok(())
}

/// Where it is mounted: a directory that every system has; in this namespace nobody misses what it hides.
fn place() -> PathBuf {
    let places = ["/mnt", "/tmp", "/run"].map(PathBuf::from);
    places.into_iter().find(|p| p.is_dir()).unwrap_or_else(|| "/".into())
}

/// A block device's node on a file system of its own that only this namespace has: containers' `/dev` may have none for a new partition.
///
/// # Errors
/// Without the right to make one (`CAP_MKNOD`, and the container's rules for devices).
pub(super) fn node(name: &str, number: u64) -> io::Result<PathBuf> {
    let place = Path::new("/run");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(Some("nodes"), place, Some("tmpfs"), flags, Some("size=64k,mode=700"))?;
    let node = place.join(name);
    mknod(&node, SFlag::S_IFBLK, Mode::S_IRUSR | Mode::S_IWUSR, number)
        .map_err(|errno| io::Error::other(format!("/dev has no {name}, and making a node for it: {errno}")))?;
    Ok(node)
}

/// Mounts the node read-only, reads its root directory and its size, a btrfs's every copy as well, and unmounts it. Gives what it found,
/// in words.
///
/// # Errors
/// When the kernel cannot mount it, or what is mounted is not as made.
pub(super) fn verify(node: &Path, filesystem: FileSystem, size: u64) -> io::Result<Vec<String>> {
    let place = place();
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let none: Option<&str> = None;
    mount(Some(node), &place, Some(name(filesystem)), flags, none)?;
    let found = look(&place, filesystem, size);
    // The kernel writes nothing on a read-only mount; unmounting lets go of the partition.
    umount2(&place, MntFlags::empty())?;
    found
}

fn look(place: &Path, filesystem: FileSystem, size: u64) -> io::Result<Vec<String>> {
    let told = statvfs(place)?;
    let bytes = told.blocks() as u64 * told.fragment_size() as u64;
    if bytes == 0 || bytes > size || bytes < size / 2 {
        return Err(io::Error::other(format!(
            "it shows {bytes} bytes on a partition of {size}"
        )));
    }
    let names: Vec<String> = fs::read_dir(place)?
        .map(|entry| entry.map(|e| e.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    if let Some(name) = names.iter().find(|name| *name != "lost+found") {
        return Err(io::Error::other(format!("it is not empty: {name:?}")));
    }
    let mut told = vec![format!("mounted read-only: {} of room, empty", wire::Bytes(bytes))];
    if filesystem == FileSystem::Btrfs {
        let scrubbed = File::open(place).and_then(|root| scrub::of(&root));
        told.push(scrubbed.map_err(|error| io::Error::other(format!("scrub: {error}")))?);
    }
    Ok(told)
}
