//! DATA given up at once, with all that is not on the medium yet: another one lies in its place, or may at any moment, and what is
//! written from here on would go to that.
//!
//! The kernel tells ext4 nothing of a card that is exchanged below its mounted partition. What the journal has committed before is the
//! block device's and not stopped by this: it is written to its place within half a minute, or when the last file is closed, and with
//! it the superblock (`ext4_put_super`). That is what the fence is for (`medium::fence`). Tested: here, over a loop device.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// `EXT4_GOING_FLAGS_NOLOGFLUSH` (fs/ext4/ext4.h): neither data nor journal are written out.
const WITHOUT_FLUSHING: u32 = 2;

// `FS_IOC_SHUTDOWN` (linux/fs.h: `_IOR('X', 125, __u32)`), which reads its argument for all its name.
nix::ioctl_read!(shutdown, b'X', 125, u32);

/// Has the file system at a place take nothing any more, and write none of what its files have in memory. What stands on the medium
/// is as after a power cut; the kernel writes at once that it is so into the journal's superblock, and later what the journal has
/// committed.
///
/// # Errors
/// It cannot be opened, or it is none that can be given up.
pub(in crate::boot) fn shut(at: &Path) -> io::Result<()> {
    let dir = File::open(at)?;
    let mut how = WITHOUT_FLUSHING;
    // SAFETY: the argument is one u32, as the call expects, and outlives it.
    unsafe { shutdown(dir.as_raw_fd(), &raw mut how) }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::fs;
    use std::io::Write;
    use std::process::Command;

    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    use rig::{Loop, not_run};

    use super::*;

    /// Sectors that were ever written to it.
    fn written(disk: &Loop) -> u64 {
        let name = disk.node.file_name().unwrap().to_string_lossy();
        let told = fs::read_to_string(format!("/sys/class/block/{name}/stat")).unwrap();
        told.split_whitespace().nth(6).unwrap().parse().unwrap()
    }

    #[test]
    fn what_is_shut_takes_nothing_and_writes_what_it_has_committed_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (image, at) = (dir.path().join("image"), dir.path().join("at"));
        File::create(&image).unwrap().set_len(32 << 20).unwrap();
        let made = Command::new("mke2fs")
            .args(["-q", "-F", "-t", "ext4"])
            .arg(&image)
            .status();
        assert!(made.unwrap().success());
        fs::create_dir(&at).unwrap();
        let disk = match Loop::over(&image) {
            Ok(disk) => disk,
            Err(why) => return not_run(&why),
        };
        if let Err(e) = mount(
            Some(&disk.node),
            &at,
            Some("ext4"),
            MsFlags::MS_NOATIME,
            Some("noinit_itable"),
        ) {
            return not_run(&format!("mounting ext4: {e}"));
        }
        // As services write: each file to the medium, and nothing else.
        for n in 0..100 {
            let mut file = File::create(at.join(format!("kept-{n}"))).unwrap();
            file.write_all(&[1; 5000]).unwrap();
            file.sync_all().unwrap();
        }
        let before = written(&disk);
        fs::write(at.join("lost"), vec![1; 1 << 20]).unwrap();
        let done = shut(&at);
        let took = fs::write(at.join("more"), "x");
        let at_once = written(&disk) - before;
        umount2(&at, MntFlags::empty()).unwrap();
        let later = written(&disk) - before;
        done.unwrap();
        assert_eq!(took.unwrap_err().raw_os_error(), Some(libc::EIO));
        assert!(at_once <= 8, "{at_once} sectors: more than the journal's superblock");
        // What had been committed, and none of the file that was lost: the reason for a fence.
        assert!((at_once + 1..1 << 11).contains(&later), "{later} sectors");
    }
}
