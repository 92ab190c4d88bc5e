//! Other users of a drive: a mount in a namespace of its own, a loop device, a btrfs member made known.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};

/// First argument of a helper process that holds a mount.
pub(crate) const HOLD: &str = "hold-mount";

/// `LOOP_CTL_GET_FREE` and `LOOP_SET_FD` (linux/loop.h), `BTRFS_IOC_SCAN_DEV` (linux/btrfs.h).
const LOOP_GET_FREE: libc::c_ulong = 0x4c82;
const LOOP_SET_FD: libc::c_ulong = 0x4c00;
const BTRFS_SCAN: libc::c_ulong = 0x5000_9404;

/// Starts a process that mounts `source` where nobody else sees it, and holds it; its id.
pub(crate) fn mount_elsewhere(source: &str, target: &str, kind: &str) -> io::Result<u32> {
    let mut child = Command::new("/proc/self/exe")
        .arg0("kiln-probe")
        .args([HOLD, source, target, kind])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut said)?;
    }
    if said.trim() == "mounted" {
        return Ok(child.id());
    }
    child.wait()?;
    Err(io::Error::other(format!("mounting {source} elsewhere: {said}")))
}

/// The helper process: never returns when the mount is there.
pub(crate) fn hold(source: &str, target: &str, kind: &str) -> io::Result<()> {
    let none = None::<&str>;
    let mounted = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none))
        .map_err(io::Error::from)
        .and_then(|()| fs::create_dir_all(target))
        .and_then(|()| Ok(mount(Some(source), target, Some(kind), MsFlags::empty(), none)?));
    match &mounted {
        Ok(()) => println!("mounted"),
        Err(e) => println!("{e}"),
    }
    mounted?;
    loop {
        std::thread::park();
    }
}

/// Puts a loop device over a block device; its path.
pub(crate) fn loop_over(path: &str) -> io::Result<String> {
    let control = File::options().read(true).write(true).open("/dev/loop-control")?;
    // SAFETY: takes no argument and returns a number.
    let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_GET_FREE as _) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    let device = format!("/dev/loop{number}");
    let over = File::options().read(true).write(true).open(&device)?;
    let backing = File::options().read(true).write(true).open(path)?;
    // SAFETY: the argument is a descriptor that is open for the call.
    if unsafe { libc::ioctl(over.as_raw_fd(), LOOP_SET_FD as _, backing.as_raw_fd()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(device)
}

/// Tells btrfs of a member, so that a mount of another member finds it.
pub(crate) fn btrfs_scan(path: &str) -> io::Result<()> {
    let mut argument = [0_u8; 4096];
    let name = argument
        .get_mut(8..8 + path.len())
        .ok_or_else(|| io::Error::other("the path is too long"))?;
    name.copy_from_slice(path.as_bytes());
    let control = File::options().read(true).write(true).open("/dev/btrfs-control")?;
    // SAFETY: the argument is a `btrfs_ioctl_vol_args` of 4096 bytes with an ended name, and outlives the call.
    if unsafe { libc::ioctl(control.as_raw_fd(), BTRFS_SCAN as _, argument.as_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
