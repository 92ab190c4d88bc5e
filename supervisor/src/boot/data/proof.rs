//! Whether DATA still takes what is written to it, and how full it is.
//!
//! A stick seldom dies with a bang: the kernel makes the file system read-only after an error, or shuts it down (since 6.12,
//! without saying so in its mount options), or a worn-out stick answers every write with success and keeps none. So each look
//! opens a file, and once a minute a block is written past every cache and read back.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::statvfs::{FsFlags, Statvfs, statvfs};

/// Between two blocks that are written: 6 MB a day, which no stick minds.
const WRITE_EVERY: Duration = Duration::from_mins(1);
/// Share of DATA that everybody together should stay below, in percent.
pub(crate) const SHARE_MAX: u8 = 80;
/// From here on it counts as full, in percent.
pub(crate) const SHARE_FULL: u8 = 97;
/// The file's name, and where it is below the state folder: in PID 1's own.
pub(crate) const NAME: &str = "proof";
const FILE: &str = "supervisor/proof";

/// A block that direct I/O takes.
#[repr(align(4096))]
struct Block([u8; 4096]);

/// What is known of DATA.
#[derive(Debug)]
pub(in crate::boot) struct Proof {
    file: PathBuf,
    state: PathBuf,
    written: Option<Instant>,
    count: u64,
}

impl Proof {
    pub(in crate::boot) fn new(state: &Path) -> Proof {
        Proof {
            file: state.join(FILE),
            state: state.to_owned(),
            written: None,
            count: 0,
        }
    }

    /// Looks: how much of DATA is used, in percent.
    ///
    /// # Errors
    /// In words, why nothing can be kept on it any more.
    pub(in crate::boot) fn look(&mut self) -> Result<u8, String> {
        let told = statvfs(&self.state).map_err(|e| format!("DATA does not answer ({e})"))?;
        if told.flags().contains(FsFlags::ST_RDONLY) {
            return Err("the kernel made DATA read-only after an error".into());
        }
        let fresh = self.written.is_some_and(|at| at.elapsed() < WRITE_EVERY) && self.file.try_exists().unwrap_or(true);
        match if fresh {
            File::open(&self.file).map(drop)
        } else {
            self.write()
        } {
            Ok(()) => {}
            // No room is not no medium.
            Err(e) if e.kind() == io::ErrorKind::StorageFull => {}
            Err(e) => return Err(format!("DATA takes no writes ({e})")),
        }
        Ok(used(&told))
    }

    /// Writes a block that was never there before and reads it back from the medium.
    fn write(&mut self) -> io::Result<()> {
        self.count += 1;
        let mut block = Box::new(Block([0; 4096]));
        for (n, word) in block.0.chunks_exact_mut(8).enumerate() {
            // Another block each time: an old one must not pass for this.
            word.copy_from_slice(&(self.count << 32 | n as u64 ^ u64::from(std::process::id()) << 9).to_le_bytes());
        }
        let open = |flags| {
            let mut o = OpenOptions::new();
            o.read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .custom_flags(flags)
                .open(&self.file)
        };
        if let Some(dir) = self.file.parent() {
            fs::create_dir_all(dir)?;
        }
        let file = match open(libc::O_DIRECT | libc::O_DSYNC) {
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => open(libc::O_DSYNC),
            other => other,
        }?;
        file.write_all_at(&block.0, 0)?;
        let mut back = Box::new(Block([0; 4096]));
        file.read_exact_at(&mut back.0, 0)?;
        if back.0 != block.0 {
            return Err(io::Error::other(
                "it confirms what is written and does not keep it: replace the stick",
            ));
        }
        self.written = Some(Instant::now());
        Ok(())
    }
}

/// Bytes that the file system of a folder has, and how much of them is used, in percent. One that tells nothing has room.
pub(crate) fn usage(dir: &Path) -> (u64, u8) {
    statvfs(dir).map_or((u64::MAX, 0), |told| {
        (told.blocks().saturating_mul(told.fragment_size()), used(&told))
    })
}

fn used(told: &Statvfs) -> u8 {
    share(
        told.blocks().saturating_sub(told.blocks_free()),
        told.blocks_available(),
    )
}

/// How much of a file system is used, in percent, rounded up; what is reserved for others counts for nothing.
pub(crate) fn share(used: u64, available: u64) -> u8 {
    let percent = (u128::from(used) * 100).div_ceil(u128::from(used.saturating_add(available)).max(1));
    u8::try_from(percent.min(100)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_folder_that_takes_writes_is_proven_by_a_block_and_one_that_is_gone_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut p = Proof::new(dir.path());
        assert!(p.look().unwrap() <= 100);
        let file = dir.path().join(FILE);
        let first = fs::read(&file).unwrap();
        assert_eq!(first.len(), 4096);
        p.look().unwrap();
        assert_eq!(fs::read(&file).unwrap(), first, "once a minute is enough");
        fs::remove_file(&file).unwrap();
        p.look().unwrap();
        p.look().unwrap();
        assert!(
            fs::read(&file).unwrap() != first,
            "what was removed is written again, anew"
        );
        let mut nowhere = Proof::new(Path::new("/proc/1/nowhere"));
        assert!(nowhere.look().is_err());
        let mut read_only = Proof::new(Path::new("/proc"));
        assert!(read_only.look().unwrap_err().contains("takes no writes"));
    }

    #[test]
    fn the_share_is_rounded_up_and_bounded() {
        for (used, available, percent) in [
            (0, 100, 0),
            (1, 999, 1),
            (80, 20, 80),
            (100, 0, 100),
            (0, 0, 0),
            (u64::MAX, 9, 100),
        ] {
            assert_eq!(share(used, available), percent, "{used} used, {available} available");
        }
    }
}
