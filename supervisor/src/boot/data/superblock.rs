//! What DATA's first superblock tells: how its file system ended, and its size.
//!
//! What follows from it is decided in `filesystem`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What a superblock tells of its file system's last end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
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
pub(super) fn end(superblock: &[u8; 1024]) -> End {
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

/// Reads the first superblock of a partition.
pub(super) fn superblock(part: &Path) -> io::Result<[u8; 1024]> {
    let mut bytes = [0; 1024];
    File::open(part)?.read_exact_at(&mut bytes, 1024)?;
    Ok(bytes)
}

/// Size of the ext4 file system in bytes, from its superblock.
pub(in crate::boot) fn file_system_bytes(part: &Path) -> Option<u64> {
    let sb = superblock(part).ok()?;
    let at = |o: usize| u64::from(u32::from_le_bytes([sb[o], sb[o + 1], sb[o + 2], sb[o + 3]]));
    Some((at(4) | at(0x150) << 32) << (10 + at(24).min(6)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::process::Command;

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
