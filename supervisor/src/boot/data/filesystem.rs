//! DATA's file system: checked where its last end was not clean, mounted, else repaired, else made. One whose superblock is
//! not there at all is brought back from a copy before anything is made (`lost`).
//!
//! The kernel replays a journal by itself, but mounts a file system that carries an error all the same, and then goes on
//! reading only: services could not start on it, boot after boot. So one that was not left cleanly is shown to `e2fsck`
//! first, and one that is not writable after mounting is repaired. Shown by the power cuts of the boot tests; below over
//! file systems that `mke2fs` made.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount as mount_it, umount2};

use super::lost::{self, Fate};
use super::place::{ASIDE, STATE};
use super::proof::Proof;
use super::superblock::{End, end, superblock};
use super::tool::run;
use super::{reset, wipe};
use crate::boot::medium::said::{Said, progress};
use crate::shell::helper::Line;

/// How long a factory reset writes over what was there; a store of 256 MiB on a stick that takes 3 MB/s.
const WIPES_WITHIN: Duration = Duration::from_mins(2);

const E2FSCK: &str = "/usr/sbin/e2fsck";
const MKE2FS: &str = "/usr/sbin/mke2fs";
/// How DATA is made; the partition follows.
pub(super) const MAKING: [&str; 10] = [
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
];

/// Mounts DATA for writing. What `e2fsck` finds whole is never made anew ([`is_beyond_repair`]). Says how: `plain`, `repaired`,
/// `made` (there was none), `remade` (what was there is lost) or `reset`.
///
/// # Errors
/// In words, where it can neither be mounted nor repaired nor made.
pub(in crate::boot) fn mount(line: &Line, part: &Path) -> Result<&'static str, String> {
    let reset = reset::asked(part);
    let look = || superblock(part).map_err(|e| format!("reading {}: {e}", part.display()));
    // What was there before a reset is of no interest, and is mounted for no service.
    let mut found = if reset { End::None } else { end(&look()?) };
    let node = part.to_string_lossy();
    let (mut repaired, mut anew) = (false, "remade");
    if found == End::None && !reset {
        let mut again = || {
            progress(line, "DATA shows no file system: it is read again");
            lost::ask_again(part);
        };
        match lost::settle(part, &mut again, &mut |options| revive(line, options, &node))? {
            Fate::New => anew = "made",
            Fate::Lost => {}
            // A file system like any other from here on.
            Fate::Revived => (found, repaired) = (End::Faulty, true),
            Fate::There => match end(&look()?) {
                End::None => return Err("DATA's superblock comes and goes; try another port or another stick".into()),
                shown @ (End::Clean | End::Cut | End::Faulty) => found = shown,
            },
        }
    }
    match found {
        End::None => {}
        End::Faulty if repaired => {}
        End::Clean => {}
        // Replays the journal and, where that was all, is done in no time. Status: 1 and 2 repaired, 4 could not by itself.
        End::Cut => {
            progress(line, "DATA was not unmounted at the last end: its journal is replayed");
            // Otherwise mounted all the same: without the tool the kernel's own replay is what there is.
            if let Some(4..8) = run(line, E2FSCK, &["-p", &node], "checking DATA") {
                repaired = repair(line, part).is_some_and(|status| status < 4);
            }
        }
        End::Faulty => repaired = repair(line, part).is_some_and(|status| status < 4),
    }
    let how = if repaired { "repaired" } else { "plain" };
    if found != End::None {
        match for_writing(line, part) {
            Mounted::Yes => return Ok(how),
            // A repair changes nothing about that.
            Mounted::No(Errno::ENODEV) => return Err(unknown()),
            Mounted::ReadOnly(_) | Mounted::No(_) => {}
        }
        let status = repair(line, part);
        match for_writing(line, part) {
            Mounted::Yes => return Ok("repaired"),
            still @ (Mounted::ReadOnly(_) | Mounted::No(_)) => is_beyond_repair(&still, status)?,
        }
    }
    if reset {
        write_over(line, part);
    }
    progress(line, "making DATA");
    // A power cut while it is made must not bring back what was there before.
    lost::forget(part).map_err(|e| format!("taking the old DATA's superblocks away: {e}"))?;
    let mut args = MAKING.to_vec();
    args.push(&node);
    let status = run(line, MKE2FS, &args, "making DATA");
    if reset {
        // Only a file system that was really made anew loses its mark.
        return match (status, reset::done(part), try_mount(part)) {
            (Some(0), Ok(()), Ok(())) => Ok("reset"),
            told => Err(format!(
                "the factory reset did not come to its end: mke2fs, mark, mount: {told:?}"
            )),
        };
    }
    if status == Some(0)
        && let Err(e) = lost::made(part)
    {
        progress(line, format_args!("DATA is made, but still noted as new: {e}"));
    }
    try_mount(part)
        .map(|()| anew)
        .map_err(|e| format!("DATA could not be made (mke2fs status {status:?}) and mounted: {e}"))
}

/// Writes over what the owner before had. Nothing that hinders it hinders the reset: it is told, and DATA is made anew.
fn write_over(line: &Line, part: &Path) {
    progress(line, "factory reset: what was on DATA is written over");
    let mounted = std::fs::create_dir_all(ASIDE)
        .map_err(|e| e.to_string())
        .and_then(|()| mount_at(part, ASIDE).map_err(|e| e.to_string()));
    if let Err(e) = mounted {
        let why = format!("nothing of DATA was written over, it cannot be mounted: {e}");
        return Said::Unwritten(why).over(line);
    }
    let (begun, mut told) = (Instant::now(), 0);
    let mut go_on = || {
        let seconds = begun.elapsed().as_secs();
        if seconds / 5 > told {
            told = seconds / 5;
            progress(
                line,
                format_args!(
                    "writing over what was on DATA, {seconds} s so far, {} s at most",
                    WIPES_WITHIN.as_secs()
                ),
            );
        }
        begun.elapsed() < WIPES_WITHIN
    };
    let wipe::Wiped {
        files,
        left,
        left_bytes,
    } = wipe::below(Path::new(ASIDE), &mut go_on);
    match left {
        0 => progress(line, format_args!("factory reset: {files} files of DATA were written over")),
        _ => Said::Unwritten(format!(
            "{files} files of DATA were written over, {left} ({} MiB) were removed without that, the time was up or the medium did not take it",
            left_bytes.div_ceil(1 << 20)
        ))
        .over(line),
    }
    // In use, it would not be made anew, and that is told there.
    if let Err(e) = umount2(ASIDE, MntFlags::empty()) {
        progress(line, format_args!("unmounting the old DATA: {e}"));
    }
}

/// Runs `e2fsck` over a DATA without its first superblock.
fn revive(line: &Line, options: &[&str], node: &str) -> Option<i32> {
    progress(line, "DATA has lost its superblock: a copy is looked for");
    let mut args = options.to_vec();
    args.push(node);
    run(line, E2FSCK, &args, "repairing DATA")
}

fn repair(line: &Line, part: &Path) -> Option<i32> {
    progress(line, "repairing DATA");
    run(line, E2FSCK, &["-f", "-y", &part.to_string_lossy()], "repairing DATA")
}

/// How mounting went.
#[derive(Debug, PartialEq, Eq)]
enum Mounted {
    Yes,
    /// It can be mounted, but takes no writes; it is not mounted any more.
    ReadOnly(String),
    /// The kernel refused, with this.
    No(Errno),
}

/// Whether a DATA that is not mounted for writing after a repair with this exit status may be made anew: only where `e2fsck`
/// has come to its end and says itself that faults are left (4).
///
/// What it calls whole (below 4) stays, and so does what it has just repaired (1 to 3), even where the kernel still speaks of
/// damage (EUCLEAN, EINVAL): both read the same metadata, so where they differ it is this kernel or this moment that does not
/// fit, and another system can have it all; what is made anew nobody can. Where it is damage after all, the way out is the
/// person's: `factory_reset = true`, which is looked at before DATA is mounted.
///
/// # Errors
/// Why it stays, in words.
fn is_beyond_repair(mounted: &Mounted, status: Option<i32>) -> Result<(), String> {
    let found = match status {
        Some(0..4) => "is whole",
        Some(4..8 | 12) => "has faults",
        _ => {
            return Err(format!(
                "DATA cannot be mounted and e2fsck could not run (status {status:?})"
            ));
        }
    };
    match mounted {
        // History that can be read is not given up for a stick that is worn out.
        Mounted::ReadOnly(why) if found == "is whole" => {
            Err(format!("the stick has to be replaced, its DATA can be read but {why}"))
        }
        Mounted::No(Errno::ENODEV) => Err(unknown()),
        // No memory is no word about DATA, whatever e2fsck says of it.
        Mounted::No(why) if found == "is whole" || *why == Errno::ENOMEM => Err(format!(
            "DATA {found}, but this system cannot mount it ({why}) and leaves it as it is; restart the box, or let another system have it. `factory_reset = true` in kiln.toml makes it anew"
        )),
        Mounted::Yes | Mounted::ReadOnly(_) | Mounted::No(_) => Ok(()),
    }
}

/// Why a kernel without ext4 does not mount DATA.
fn unknown() -> String {
    "this system's kernel has no ext4 (a module is missing, or was refused), so DATA is left as it is; the other system, or another version of this one, can use it".into()
}

/// Mounts it, and keeps it only if it can be written: an error that the kernel meets while mounting leaves it read-only.
fn for_writing(line: &Line, part: &Path) -> Mounted {
    if let Err(why) = try_mount(part) {
        progress(line, format_args!("DATA was not mounted: {why}"));
        return Mounted::No(why);
    }
    let Err(why) = Proof::new(Path::new(STATE)).look() else {
        return Mounted::Yes;
    };
    progress(line, format_args!("DATA was mounted, but {why}"));
    // What cannot be unmounted is no worse than it was.
    if umount2(STATE, MntFlags::empty()).is_err() {
        return Mounted::Yes;
    }
    Mounted::ReadOnly(why)
}

fn try_mount(part: &Path) -> nix::Result<()> {
    mount_at(part, STATE)
}

/// Mounts DATA at a place. A write that the medium refuses, be it only a file's content, ends all writing, which is noticed
/// (`proof`); without that it would be lost without a word.
///
/// # Errors
/// The kernel refused.
pub(in crate::boot) fn mount_at(part: &Path, at: &str) -> nix::Result<()> {
    let flags = MsFlags::MS_NOATIME | MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let mount = |options| mount_it(Some(part), at, Some("ext4"), flags, Some(options));
    match mount("errors=remount-ro,data_err=abort") {
        // A DATA of a few MiB has no journal that could be aborted.
        Err(Errno::EINVAL) => mount("errors=remount-ro"),
        done => done,
    }
}

/// Checks a DATA that was in use when its medium left, and repairs it; it is never made anew here.
///
/// # Errors
/// In words, where it cannot be trusted.
pub(in crate::boot) fn check(line: &Line, part: &Path) -> Result<(), String> {
    let found = superblock(part).map_err(|e| format!("reading {}: {e}", part.display()))?;
    let node = part.to_string_lossy();
    let status = match end(&found) {
        End::None => return Err("there is no file system on DATA any more".into()),
        End::Clean => Some(0),
        End::Cut => run(line, E2FSCK, &["-p", &node], "checking DATA"),
        End::Faulty => repair(line, part),
    };
    match status {
        Some(0..4) => Ok(()),
        _ => Err(format!(
            "DATA has faults that need a restart to be repaired (e2fsck status {status:?})"
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::fs::{File, OpenOptions};
    use std::os::unix::fs::FileExt;
    use std::process::Command;
    use std::thread::sleep;

    use rig::{Loop, not_run};

    use super::*;

    fn tool(name: &str, args: &[&str], file: &Path) -> bool {
        let done = Command::new(name).args(args).arg(file).output();
        done.is_ok_and(|output| output.status.success())
    }

    /// Gives this thread mounts of its own, with an empty place for DATA, and a loop device over a file.
    fn place(file: &Path) -> Result<Loop, String> {
        let told = |e: Errno| format!("mounts of its own: {e}");
        let plain = MsFlags::empty();
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).map_err(told)?;
        let none = None::<&str>;
        mount_it(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(told)?;
        // What the tools say is not for this machine's log.
        let _ = mount_it(Some("/dev/null"), "/dev/kmsg", none, MsFlags::MS_BIND, none);
        for own in ["/var/lib", "/run"] {
            mount_it(Some("none"), own, Some("tmpfs"), plain, none).map_err(told)?;
        }
        std::fs::create_dir(STATE).map_err(|e| e.to_string())?;
        Loop::over(file)
    }

    /// The keeper's own path, mounted for real.
    fn each_beginning(file: &Path) {
        let node = match place(file) {
            Ok(node) => node,
            Err(why) => return not_run(&why),
        };
        let (part, line, kept) = (
            node.node.as_path(),
            Line::unheard().unwrap(),
            Path::new(STATE).join("kept"),
        );
        let begin = || mount(&line, part).unwrap();
        let write = |at: u64, bytes: &[u8]| {
            let disk = OpenOptions::new().write(true).open(part).unwrap();
            disk.write_all_at(bytes, at).unwrap();
            disk.sync_all().unwrap();
        };
        // A process of another test may hold it for a moment.
        let leave = || {
            let mut left = umount2(STATE, MntFlags::empty());
            for _ in 0..100 {
                if left != Err(Errno::EBUSY) {
                    break;
                }
                sleep(Duration::from_millis(50));
                left = umount2(STATE, MntFlags::empty());
            }
            left.unwrap();
        };
        // The file below the loop device: what is on the medium, not what the cache of the device holds.
        let holds = |what: &[u8]| {
            File::open(part).unwrap().sync_all().unwrap();
            let all = std::fs::read(file).unwrap();
            all.windows(what.len()).any(|bytes| bytes == what)
        };
        assert_eq!(begin(), "made", "blank");
        std::fs::write(&kept, "history").unwrap();
        leave();
        assert_eq!(begin(), "plain");
        leave();
        write(1024, &[0; 1024]);
        assert_eq!(begin(), "repaired", "without its superblock");
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), "history");
        leave();
        assert_eq!(begin(), "plain");
        leave();
        write(0, &vec![0; 1 << 20]);
        lost::note_new(part).unwrap();
        assert_eq!(begin(), "made", "flashed again");
        assert!(!kept.exists());
        std::fs::write(&kept, "history").unwrap();
        leave();
        write(0, &vec![0xA5; 40 << 20]);
        assert_eq!(begin(), "remade", "nothing left");
        // Longer than what ext4 could keep in an inode, and on the medium once unmounted.
        let secret = b"the key of the owner before. ".repeat(100);
        std::fs::write(&kept, &secret).unwrap();
        leave();
        assert!(holds(&secret[..64]), "or the next look would prove nothing");
        reset::ask(part).unwrap();
        assert_eq!(begin(), "reset");
        assert!(!kept.exists());
        leave();
        assert!(!holds(&secret[..64]), "it is not on the medium any more");
        // One that cannot be mounted is made anew all the same.
        write(1024, &[0; 1024]);
        reset::ask(part).unwrap();
        assert_eq!(begin(), "reset");
        leave();
        // Whole, but nothing that this kernel can mount: so is one whose module is missing.
        assert!(tool("mke2fs", &["-q", "-F", "-t", "ext4", "-b", "65536"], part));
        let before = std::fs::read(part).unwrap();
        match mount(&line, part) {
            Err(why) => {
                assert!(why.contains("DATA is whole, but this system cannot mount it"), "{why}");
                assert_eq!(end(&superblock(part).unwrap()), End::Clean);
                let after = std::fs::read(part).unwrap();
                let changed = before.chunks(1024).zip(after.chunks(1024)).filter(|(b, a)| b != a);
                // e2fsck notes when it last looked.
                assert!(changed.count() <= 8, "no more than superblocks");
                reset::ask(part).unwrap();
                assert_eq!(begin(), "reset", "the way out");
            }
            Ok(how) => {
                not_run("this kernel mounts blocks of 64 KiB");
                assert_eq!(how, "plain");
            }
        }
        leave();
    }

    #[test]
    fn only_what_a_repair_left_with_faults_is_made_anew() {
        let no = |why| Mounted::No(why);
        let only_read = || Mounted::ReadOnly("it takes no writes".into());
        let stays = |mounted: Mounted, status: Option<i32>| is_beyond_repair(&mounted, status).unwrap_err();
        for status in 0..4 {
            for why in [Errno::EINVAL, Errno::EUCLEAN, Errno::EIO, Errno::ENOMEM] {
                let told = stays(no(why), Some(status));
                assert!(
                    told.starts_with("DATA is whole") && told.contains("factory_reset"),
                    "{told}"
                );
            }
            assert!(stays(only_read(), Some(status)).contains("replaced"));
        }
        for status in [0, 4, 12] {
            assert!(stays(no(Errno::ENODEV), Some(status)).contains("has no ext4"));
        }
        assert!(stays(no(Errno::ENOMEM), Some(4)).starts_with("DATA has faults"));
        for status in [None, Some(8), Some(16), Some(32), Some(127)] {
            assert!(stays(no(Errno::EINVAL), status).contains("could not run"));
            assert!(stays(only_read(), status).contains("could not run"));
        }
        for status in [4, 5, 7, 12] {
            assert_eq!(is_beyond_repair(&no(Errno::EUCLEAN), Some(status)), Ok(()));
            assert_eq!(is_beyond_repair(&only_read(), Some(status)), Ok(()));
        }
    }

    #[test]
    fn each_beginning_of_data_is_told_as_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("data");
        File::create(&file).unwrap().set_len(40 << 20).unwrap();
        // A thread of its own: other tests keep the mounts that they have.
        std::thread::spawn(move || each_beginning(&file)).join().unwrap();
    }
}
