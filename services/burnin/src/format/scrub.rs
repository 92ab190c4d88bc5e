//! btrfs's own scrub: the kernel reads every copy of what the file system holds, and each of its superblocks, past the cache.
//!
//! `btrfs check` reads one copy of each block and the first superblock, so that a drive that lost the others shows nothing to it. The
//! program `btrfs scrub` would keep its progress in files of `/var/lib/btrfs`; this is the one call of the kernel that it makes.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// `BTRFS_SCRUB_READONLY`. Source: linux/btrfs.h.
const READ_ONLY: u64 = 1;

/// A file system on one partition has one device, and counts from 1.
const DEVICE: u64 = 1;

/// `struct btrfs_ioctl_scrub_args`: 1 KiB with what is unused. Source: linux/btrfs.h.
#[repr(C)]
struct Args {
    device: u64,
    start: u64,
    end: u64,
    flags: u64,
    progress: Progress,
    unused: [u64; 109],
}

/// `struct btrfs_scrub_progress`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
struct Progress {
    data_extents: u64,
    tree_extents: u64,
    data_bytes: u64,
    tree_bytes: u64,
    read: u64,
    csum: u64,
    verify: u64,
    no_csum: u64,
    csum_discards: u64,
    superblocks: u64,
    malloc: u64,
    uncorrectable: u64,
    corrected: u64,
    last_physical: u64,
    unverified: u64,
}

nix::ioctl_readwrite!(btrfs_scrub, 0x94, 27, Args);

/// Reads all that the mounted file system holds; writes nothing. Gives what was read, in words.
///
/// # Errors
/// When the kernel does not do it, or anything is not as it was written.
pub(super) fn of(root: &File) -> io::Result<String> {
    let mut args = Args {
        device: DEVICE,
        start: 0,
        end: u64::MAX,
        flags: READ_ONLY,
        progress: Progress::default(),
        unused: [0; 109],
    };
    // SAFETY: the descriptor is open; the argument is as large as the kernel takes it, and outlives the call.
    let done = unsafe { btrfs_scrub(root.as_raw_fd(), &raw mut args) };
    // What it had counted by then says more than its error.
    args.progress.judged()?;
    done?;
    if args.progress.tree_bytes == 0 {
        return Err(io::Error::other("nothing was read"));
    }
    let bytes = wire::Bytes(args.progress.tree_bytes + args.progress.data_bytes);
    Ok(format!("every copy and superblock by scrub: {bytes} read, no error"))
}

impl Progress {
    fn judged(self) -> io::Result<()> {
        let counts = [
            ("read", self.read),
            ("csum", self.csum),
            ("verify", self.verify),
            ("super", self.superblocks),
            ("malloc", self.malloc),
            ("uncorrectable", self.uncorrectable),
            ("corrected", self.corrected),
            ("unverified", self.unverified),
        ];
        let found = counts.iter().filter(|(_, count)| *count > 0);
        let words: Vec<String> = found.map(|(name, count)| format!("{name}={count}")).collect();
        if !words.is_empty() {
            return Err(io::Error::other(format!("errors: {}", words.join(" "))));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_kernels_argument_is_one_kibibyte() {
        assert_eq!((size_of::<Args>(), size_of::<Progress>()), (1024, 120));
    }

    #[test]
    fn one_error_of_any_kind_is_an_error() {
        let clean = Progress {
            tree_bytes: 1 << 20,
            ..Progress::default()
        };
        assert!(clean.judged().is_ok());
        let lost = Progress {
            verify: 32,
            superblocks: 1,
            ..clean
        };
        assert_eq!(lost.judged().unwrap_err().to_string(), "errors: verify=32 super=1");
    }
}
