//! Tries a file as a unit's process would: with its mounts, its user and its capabilities, in a process of its own.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, setns};

/// First argument of the helper process.
pub(crate) const WITHIN: &str = "within";

/// What the kernel answered whoever tried: `done`, or its error.
pub(crate) fn attempt(pid: i32, act: &str, path: &str) -> io::Result<String> {
    let out = Command::new("/proc/self/exe")
        .arg0("kiln-probe")
        .args([WITHIN, &pid.to_string(), act, path])
        .stdin(Stdio::null())
        .output()?;
    match out.status.success() {
        true => Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned()),
        false => Err(io::Error::other(String::from_utf8_lossy(&out.stderr).into_owned())),
    }
}

/// The helper process.
pub(crate) fn tried(pid: &str, act: &str, path: &str) -> io::Result<()> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name));
        line.and_then(|l| l.split_whitespace().next()).unwrap_or_default()
    };
    let uid: u32 = field("Uid:").parse().map_err(io::Error::other)?;
    let held = u64::from_str_radix(field("CapPrm:"), 16).map_err(io::Error::other)?;
    setns(File::open(format!("/proc/{pid}/ns/mnt"))?, CloneFlags::CLONE_NEWNS)?;
    become_it(uid, held)?;
    let done = match act {
        "read" => File::open(path).map(drop),
        "write" => File::options().write(true).open(path).map(drop),
        "remove" => fs::remove_file(path),
        _ => return Err(io::Error::other(format!("no such act: {act}"))),
    };
    println!("{}", done.map_or_else(|e| e.to_string(), |()| "done".into()));
    Ok(())
}

/// Its user, and its capabilities (linux/capability.h, version 3).
fn become_it(uid: u32, held: u64) -> io::Result<()> {
    let check = |r: i64| if r < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    let half = |n: u32| u32::try_from(held >> (32 * n) & 0xffff_ffff).unwrap_or(0);
    let header = [0x2008_0522_u32, 0];
    let data = [half(0), half(0), 0, half(1), half(1), 0];
    // SAFETY: plain numbers: capabilities stay over the change of user.
    check(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) }.into())?;
    // SAFETY: an empty group list.
    check(unsafe { libc::setgroups(0, std::ptr::null()) }.into())?;
    // SAFETY: plain numbers.
    check(unsafe { libc::setresgid(uid, uid, uid) }.into())?;
    // SAFETY: plain numbers.
    check(unsafe { libc::setresuid(uid, uid, uid) }.into())?;
    // SAFETY: both have the layout of version 3 and outlive the call.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) })
}
