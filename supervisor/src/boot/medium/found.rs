//! The boot medium once it is found: its nodes, what the kernel tells of it, and what keeps others off it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::said::Said;
use crate::boot::table::gpt::Gpt;
use crate::shell::helper::Line;

/// Why it is gone, as a person would say it.
pub(in crate::boot) const PULLED: &str = "the boot medium was pulled";
/// Why it is gone where a reader goes on under its name.
pub(in crate::boot) const EXCHANGED: &str = "another medium was put in the boot medium's place";

/// The medium's nodes.
#[derive(Debug)]
pub(crate) struct Found {
    /// Whole disk, e.g. `sda`.
    pub(in crate::boot) disk: String,
    /// `/sys/devices/…/block/sda`
    pub(in crate::boot) sys: PathBuf,
    /// The kernel's count of it (`diskseq`): a reader goes on under one name with whatever card is put into it.
    pub(super) count: String,
}

// `BLKFLSBUF` (linux/fs.h).
nix::ioctl_none!(give_up_cache, 0x12, 97);

/// Has what was read of a block device come from it once more; of what is none, nothing is forgotten.
pub(in crate::boot) fn forget_cache(device: &File) {
    // SAFETY: the request takes no argument. What is no block device does not know it.
    let _ = unsafe { give_up_cache(device.as_raw_fd()) };
}

/// Whether an error says that there is no disk any more: it was pulled, or its reader has no card.
pub(in crate::boot) fn is_gone(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error(),
        Some(libc::ENXIO | libc::ENODEV | libc::ENOENT | libc::ENOMEDIUM)
    )
}

impl Found {
    /// A disk as it is now.
    pub(crate) fn now(disk: String, sys: PathBuf) -> Self {
        let mut found = Self::before(disk, sys);
        found.count = found.told("diskseq");
        found
    }

    /// A disk that somebody else has found, in whose place anything may lie by now: it counts as counted anew.
    pub(in crate::boot) fn before(disk: String, sys: PathBuf) -> Self {
        Self {
            disk,
            sys,
            count: String::new(),
        }
    }

    /// Whether the kernel counts another medium in its place by now, or it was reset; the kernel is made to look.
    pub(crate) fn is_recounted(&self) -> bool {
        self.counted() != self.count
    }

    /// The kernel's count of what is in its place now.
    pub(super) fn counted(&self) -> String {
        // Opening it is what lets a reader's other card be counted before the kernel asks by itself.
        drop(File::open(self.node()));
        self.told("diskseq")
    }

    pub(in crate::boot) fn node(&self) -> PathBuf {
        Path::new("/dev").join(&self.disk)
    }

    /// Node of a partition: `sda3`, `nvme0n1p3`.
    pub(in crate::boot) fn partition(&self, number: u32) -> PathBuf {
        let p = if self.disk.ends_with(|c: char| c.is_ascii_digit()) {
            "p"
        } else {
            ""
        };
        Path::new("/dev").join(format!("{}{p}{number}", self.disk))
    }

    /// Whether it has not left. A card reader stays when its card is pulled.
    pub(in crate::boot) fn present(&self) -> bool {
        self.sys.exists() && !File::open(self.node()).is_err_and(|e| is_gone(&e))
    }

    /// Size, model and serial number, as far as the medium has them: a copy with the same partitions differs in one.
    pub(in crate::boot) fn identity(&self) -> String {
        let read = |p: PathBuf| fs::read_to_string(p).unwrap_or_default().trim().to_owned();
        let told = [
            "size",
            "device/vendor",
            "device/model",
            "device/cid",
            "wwid",
            "device/wwid",
        ];
        let mut words = told.map(|attribute| self.told(attribute)).to_vec();
        // A stick's own number is its USB device's, some folders up.
        let serial = self.sys.ancestors().take(10).map(|dir| read(dir.join("serial")));
        words.extend(serial.filter(|s| !s.is_empty()).take(1));
        words.join("|")
    }

    /// Node of its DATA partition.
    pub(in crate::boot) fn data(&self) -> Result<PathBuf, String> {
        let node = self.node();
        let gpt = self
            .gpt()
            .map_err(|e| format!("partition table of {}: {e}", node.display()))?;
        let data = gpt
            .data()
            .ok_or_else(|| format!("{} has no DATA partition", node.display()))?;
        Ok(self.partition(data.number))
    }

    /// What the kernel tells of it; empty where it tells nothing.
    fn told(&self, attribute: &str) -> String {
        fs::read_to_string(self.sys.join(attribute))
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    fn gpt(&self) -> io::Result<Gpt> {
        File::open(self.node()).and_then(|f| Gpt::read(&f, self.told("size").parse().unwrap_or(0)))
    }
}

/// Tells PID 1 the disk, with a descriptor that keeps it from being opened exclusively, and what it is known by.
pub(in crate::boot) fn guard(line: &Line, found: &Found) {
    let held = found
        .gpt()
        .ok()
        .and_then(|gpt| gpt.bios_boot().cloned())
        .map(|p| found.partition(p.number))
        .and_then(|p| OpenOptions::new().read(true).custom_flags(libc::O_EXCL).open(&p).ok());
    let about = Said::Disk(format!("{} {}", found.told("dev"), found.sys.display()));
    match &held {
        Some(f) => drop(line.give(&about.to_string(), f.as_fd())),
        None => about.over(line),
    }
    Said::Same(found.identity()).over(line);
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use rig::{Loop, not_run};

    use super::*;

    /// A loop device as a reader: the disk as it is now.
    pub(crate) fn of(reader: &Loop) -> Found {
        let disk = reader.node.file_name().unwrap().to_string_lossy().into_owned();
        let sys = fs::canonicalize(Path::new("/sys/class/block").join(&disk)).unwrap();
        Found::now(disk, sys)
    }

    #[test]
    fn another_medium_under_the_same_name_is_counted_anew() {
        let dir = tempfile::tempdir().unwrap();
        let [one, copy] = ["one", "copy"].map(|name| dir.path().join(name));
        for file in [&one, &copy] {
            File::create(file).unwrap().set_len(1 << 20).unwrap();
        }
        let reader = match Loop::over(&one) {
            Ok(reader) => reader,
            Err(why) => return not_run(&why),
        };
        let found = of(&reader);
        assert!(!found.is_recounted());
        reader.exchange(&copy);
        assert!(found.present() && found.is_recounted());
    }

    #[test]
    fn a_reader_without_a_card_is_empty_and_not_faulty() {
        for code in [libc::ENOMEDIUM, libc::ENXIO, libc::ENODEV, libc::ENOENT] {
            assert!(is_gone(&io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(!is_gone(&io::Error::from_raw_os_error(libc::EIO)));
    }
}
