//! A loop device over a sparse file: a drive that a test may do anything to.

use std::fs::File;
use std::ops::Deref;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::process::Command as Process;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wire::DriveId;

use super::PATIENCE;

/// A loop device over a sparse file; detached when dropped, before that is removed.
pub(crate) struct Loop {
    pub file: PathBuf,
    device: rig::Loop,
    dir: TempDir,
}

impl Loop {
    pub(crate) fn new(mib: u64) -> Self {
        tempfile::tempdir().and_then(|dir| Self::within(dir, mib)).unwrap()
    }

    /// One over a sparse file in RAM, for what no medium's files can be; `None`, and told, where there is none.
    pub(crate) fn in_ram(mib: u64) -> Option<Self> {
        let made = tempfile::tempdir_in("/dev/shm").and_then(|dir| Self::within(dir, mib));
        made.inspect_err(|error| rig::not_run(&format!("no file of {mib} MiB in /dev/shm: {error}")))
            .ok()
    }

    /// An error is one of the file: that it cannot be attached is none of those that a test may run into.
    fn within(dir: TempDir, mib: u64) -> std::io::Result<Self> {
        let file = dir.path().join("disk");
        File::create(&file)?.set_len(mib << 20)?;
        let device = rig::Loop::over(&file).unwrap();
        Ok(Self { file, device, dir })
    }

    pub(crate) fn id(&self) -> DriveId {
        let bytes = std::fs::metadata(&self.file).unwrap().len();
        DriveId::from_serial("Loop device", self.node.to_str().unwrap(), bytes).unwrap()
    }

    /// Puts a drive of another size into the same place.
    pub(crate) fn exchange(&self, mib: u64) {
        let other = self.dir.path().join("other");
        File::create(&other).unwrap().set_len(mib << 20).unwrap();
        self.device.exchange(&other);
        std::fs::rename(other, &self.file).unwrap();
    }

    /// Puts a drive of the same size that holds `data` into the same place.
    ///
    /// The device stays attached: a number that is free for a moment is taken by another test.
    pub(crate) fn exchange_for(&self, data: &[u8]) {
        let alone = self.alone();
        alone.write_all_at(data, 0).unwrap();
        alone.sync_all().unwrap();
    }

    /// Holds it exclusively.
    pub(crate) fn alone(&self) -> File {
        let begun = Instant::now();
        loop {
            let mut options = File::options();
            match options
                .read(true)
                .write(true)
                .custom_flags(libc::O_EXCL)
                .open(&self.node)
            {
                Ok(alone) => return alone,
                // A worker that was killed lets go of it a moment later.
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{}: {error}", self.node.display()),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether somebody holds it exclusively, as an agent does while it looks whether a job may go on.
    pub(crate) fn is_held(&self) -> bool {
        let mut alone = File::options();
        alone
            .read(true)
            .custom_flags(libc::O_EXCL)
            .open(&self.node)
            .is_err_and(|error| error.raw_os_error() == Some(libc::EBUSY))
    }

    /// Makes an ext4 signature without a file system behind it: the magic number and a plausible superblock come from mkfs.
    pub(crate) fn mkfs(&self) {
        self.mkfs_with(&[]);
    }

    /// The same, with all else left that stands on the drive.
    pub(crate) fn mkfs_beside(&self) {
        self.mkfs_with(&["-E", "nodiscard"]);
    }

    fn mkfs_with(&self, more: &[&str]) {
        let begun = Instant::now();
        loop {
            let done = Process::new("mkfs.ext4")
                .args(["-q", "-F"])
                .args(more)
                .arg(&self.node)
                .output()
                .unwrap();
            if done.status.success() {
                return;
            }
            // The kernel answers EBUSY for a moment after a ring on the device was closed.
            assert!(begun.elapsed() < PATIENCE, "{}", String::from_utf8_lossy(&done.stderr));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether nothing was ever written.
    pub(crate) fn is_blank(&self) -> bool {
        let file = File::open(&self.file).unwrap();
        let mut bytes = vec![0; 1 << 20];
        let size = file.metadata().unwrap().len();
        (0..size).step_by(bytes.len()).all(|at| {
            file.read_exact_at(&mut bytes, at).unwrap();
            bytes.iter().all(|byte| *byte == 0)
        })
    }
}

impl Deref for Loop {
    type Target = rig::Loop;

    fn deref(&self) -> &rig::Loop {
        &self.device
    }
}
