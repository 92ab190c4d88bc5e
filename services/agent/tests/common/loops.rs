//! A loop device over a sparse file: a drive that a test may do anything to.

use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wire::DriveId;

use super::PATIENCE;

/// A loop device over a sparse file; taken down when dropped.
pub(crate) struct Loop {
    pub node: PathBuf,
    pub file: PathBuf,
    _dir: TempDir,
}

impl Loop {
    pub(crate) fn new(mib: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("disk");
        File::create(&file).unwrap().set_len(mib << 20).unwrap();
        let node = attach(&["-f", "--show"], &file);
        Self { node, file, _dir: dir }
    }

    /// One over a sparse file in RAM, for what no medium's files can be; `None`, and told, where there is none.
    pub(crate) fn in_ram(mib: u64) -> Option<Self> {
        let dir = tempfile::tempdir_in("/dev/shm");
        let made = dir.and_then(|dir| {
            let file = dir.path().join("disk");
            File::create(&file)?.set_len(mib << 20)?;
            Ok((dir, file))
        });
        match made {
            Ok((dir, file)) => {
                let node = attach(&["-f", "--show"], &file);
                Some(Self { node, file, _dir: dir })
            }
            Err(error) => {
                let why = format!("\nNOT RUN: no file of {mib} MiB in /dev/shm: {error}\n");
                drop(std::io::Write::write_all(&mut std::io::stderr(), why.as_bytes()));
                None
            }
        }
    }

    pub(crate) fn id(&self) -> DriveId {
        let bytes = std::fs::metadata(&self.file).unwrap().len();
        DriveId::from_serial("Loop device", self.node.to_str().unwrap(), bytes).unwrap()
    }

    /// Puts a drive of another size into the same place.
    pub(crate) fn exchange(&self, mib: u64) {
        detach(&self.node);
        File::create(&self.file).unwrap().set_len(mib << 20).unwrap();
        attach(&[self.node.to_str().unwrap()], &self.file);
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
        let begun = Instant::now();
        loop {
            let done = Process::new("mkfs.ext4")
                .args(["-q", "-F"])
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

fn attach(before: &[&str], file: &Path) -> PathBuf {
    let output = Process::new("losetup").args(before).arg(file).output().unwrap();
    assert!(
        output.status.success(),
        "losetup: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

fn detach(node: &Path) {
    // It may be detached already.
    let _gone = Process::new("losetup")
        .arg("-d")
        .arg(node)
        .stderr(Stdio::null())
        .status();
}

impl Drop for Loop {
    fn drop(&mut self) {
        detach(&self.node);
    }
}
