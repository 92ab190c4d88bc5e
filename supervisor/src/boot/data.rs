//! DATA's file system: checked where its last end was not clean, mounted, else repaired, else made.
//!
//! The kernel replays a journal by itself, but mounts a file system that carries an error all the same, and then goes on
//! reading only: services could not start on it, boot after boot. So one that was not left cleanly is shown to `e2fsck`
//! first, and one that is not writable after mounting is repaired. Shown by the power cuts of the boot tests; below over
//! file systems that `mke2fs` made.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount as mount_it, umount2};
use nix::sys::statvfs::{FsFlags, statvfs};

use super::reset;
use crate::shell::helper::Line;

/// Where DATA is mounted.
pub(super) const STATE: &str = "/var/lib/kiln";

const E2FSCK: &str = "/usr/sbin/e2fsck";

/// What a superblock tells of its file system's last end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// No ext superblock.
    None,
    /// Unmounted in order.
    Clean,
    /// Still mounted when it ended: the journal holds the last changes.
    Cut,
    /// The kernel found an error in it.
    Faulty,
}

/// Reads a superblock (1024 bytes). Offsets and bits: ext4's on-disk format.
fn end(superblock: &[u8; 1024]) -> End {
    let u16_at = |at: usize| u16::from_le_bytes([superblock[at], superblock[at + 1]]);
    let (magic, state) = (u16_at(0x38), u16_at(0x3A));
    let needs_recovery = superblock[0x60] & 0x4 != 0;
    match (magic == 0xEF53, state & 2 != 0, state & 1 != 0 && !needs_recovery) {
        (false, ..) => End::None,
        (true, true, _) => End::Faulty,
        (true, false, true) => End::Clean,
        (true, false, false) => End::Cut,
    }
}

fn superblock(part: &Path) -> io::Result<[u8; 1024]> {
    let mut bytes = [0; 1024];
    File::open(part)?.read_exact_at(&mut bytes, 1024)?;
    Ok(bytes)
}

/// Mounts DATA for writing. Says how: `plain`, `repaired`, `made`, `remade` or `reset`.
///
/// # Errors
/// In words, where it can neither be mounted nor repaired nor made.
pub(super) fn mount(line: &Line, part: &Path) -> Result<&'static str, String> {
    let reset = reset::asked(part);
    let found = superblock(part).map_err(|e| format!("reading {}: {e}", part.display()))?;
    // What was there before a reset is of no interest, and is never mounted.
    let found = if reset { End::None } else { end(&found) };
    let node = part.to_string_lossy();
    let mut repaired = false;
    match found {
        End::None | End::Clean => {}
        // Replays the journal and, where that was all, is done in no time. Status: 1 and 2 repaired, 4 could not by itself.
        End::Cut => match run(line, E2FSCK, &["-p", &node], "checking DATA") {
            Some(4..8) => repaired = repair(line, part).is_some_and(|status| status < 4),
            // Mounted all the same: without the tool the kernel's own replay is what there is.
            _ => {}
        },
        End::Faulty => repaired = repair(line, part).is_some_and(|status| status < 4),
    }
    let how = if repaired { "repaired" } else { "plain" };
    if !reset && for_writing(line, part) {
        return Ok(how);
    }
    if found != End::None {
        let status = repair(line, part);
        if for_writing(line, part) {
            return Ok("repaired");
        }
        // Only when the repair really ran and could not help is DATA made anew.
        if status.is_none_or(|s| s >= 8 && s != 12) {
            return Err(format!(
                "DATA cannot be mounted and e2fsck could not run (status {status:?})"
            ));
        }
    }
    line.say("progress making DATA");
    let args = [
        "-q",
        "-F",
        "-t",
        "ext4",
        "-m",
        "0",
        "-L",
        "DATA",
        "-E",
        "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
        &node,
    ];
    let status = run(line, "/usr/sbin/mke2fs", &args, "making DATA");
    if reset {
        // Only a file system that was really made anew loses its mark.
        return match (status, reset::done(part), try_mount(part)) {
            (Some(0), Ok(()), Ok(())) => Ok("reset"),
            told => Err(format!(
                "the factory reset did not come to its end: mke2fs, mark, mount: {told:?}"
            )),
        };
    }
    match (try_mount(part), status) {
        (Ok(()), _) if found != End::None => Ok("remade"),
        (Ok(()), _) => Ok("made"),
        (Err(e), status) => Err(format!(
            "DATA could not be made (mke2fs status {status:?}) and mounted: {e}"
        )),
    }
}

fn repair(line: &Line, part: &Path) -> Option<i32> {
    line.say("progress repairing DATA");
    run(line, E2FSCK, &["-f", "-y", &part.to_string_lossy()], "repairing DATA")
}

/// Mounts it, and keeps it only if it can be written: an error that the kernel meets while mounting leaves it read-only.
fn for_writing(line: &Line, part: &Path) -> bool {
    if try_mount(part).is_err() {
        return false;
    }
    if statvfs(STATE).is_ok_and(|told| !told.flags().contains(FsFlags::ST_RDONLY)) {
        return true;
    }
    line.say("progress DATA came up read-only");
    // What cannot be unmounted is no worse than it was.
    umount2(STATE, MntFlags::empty()).is_err()
}

fn try_mount(part: &Path) -> nix::Result<()> {
    let flags = MsFlags::MS_NOATIME | MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount_it(Some(part), STATE, Some("ext4"), flags, Some("errors=remount-ro"))
}

/// Size of the ext4 file system in bytes, from its superblock.
pub(super) fn file_system_bytes(part: &Path) -> Option<u64> {
    let sb = superblock(part).ok()?;
    let at = |o: usize| u64::from(u32::from_le_bytes([sb[o], sb[o + 1], sb[o + 2], sb[o + 3]]));
    Some((at(4) | at(0x150) << 32) << (10 + at(24).min(6)))
}

/// Runs a tool to its end, telling every five seconds how long it has taken; returns its exit status.
pub(super) fn run(line: &Line, tool: &str, args: &[&str], what: &str) -> Option<i32> {
    let begun = Instant::now();
    let out = || {
        OpenOptions::new()
            .write(true)
            .open("/dev/kmsg")
            .map_or_else(|_| Stdio::null(), Stdio::from)
    };
    let child = Command::new(tool)
        .args(args)
        .env("PATH", "/usr/sbin:/usr/bin")
        .stdin(Stdio::null())
        .stdout(out())
        .stderr(out())
        .spawn();
    let mut child = match child {
        Ok(c) => c,
        Err(e) => {
            line.say(&format!("progress {tool}: {e}"));
            return None;
        }
    };
    let mut told = 0;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.code(),
            Ok(None) => {}
            Err(_) => return None,
        }
        let seconds = begun.elapsed().as_secs();
        if seconds / 5 > told {
            told = seconds / 5;
            line.say(&format!("progress {what}, {seconds} s so far"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn tool(name: &str, args: &[&str], file: &Path) -> bool {
        let done = Command::new(name).args(args).arg(file).output();
        done.is_ok_and(|output| output.status.success())
    }

    #[test]
    fn the_last_end_is_read_from_the_superblock() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("data");
        File::create(&file).unwrap().set_len(16 << 20).unwrap();
        assert_eq!(end(&superblock(&file).unwrap()), End::None);
        assert!(
            tool("mke2fs", &["-q", "-F", "-t", "ext4", "-m", "0"], &file),
            "mke2fs is in e2fsprogs"
        );
        assert_eq!(end(&superblock(&file).unwrap()), End::Clean);
        assert_eq!(file_system_bytes(&file), Some(16 << 20));
        let set = |what: &str| assert!(tool("debugfs", &["-w", "-R", what], &file));
        set("ssv state 2");
        assert_eq!(end(&superblock(&file).unwrap()), End::Faulty);
        set("ssv state 3");
        assert_eq!(end(&superblock(&file).unwrap()), End::Faulty);
        set("ssv state 1");
        set("feature needs_recovery");
        assert_eq!(end(&superblock(&file).unwrap()), End::Cut);
        set("feature -needs_recovery");
        set("ssv state 0");
        assert_eq!(end(&superblock(&file).unwrap()), End::Cut);
    }
}
