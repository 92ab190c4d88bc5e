//! The devices that are measured: a loop device over a file, and zram, which compresses. Gone when dropped.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};

/// Begins the name of every file behind a loop device of ours.
const BACKING: &str = "kiln-bench-";

/// A loop device with direct I/O.
#[derive(Debug)]
pub(super) struct Loop {
    /// Its node.
    pub node: String,
    /// Its size.
    pub bytes: u64,
    file: PathBuf,
}

impl Loop {
    /// Makes one; the file is sparse and gets its blocks in a first, unmeasured write.
    pub(super) fn new(dir: Option<&Path>, bytes: u64) -> Result<Self> {
        let dir = match dir {
            Some(dir) => dir.to_owned(),
            None if room(Path::new("/dev/shm")) > bytes + (bytes >> 2) => PathBuf::from("/dev/shm"),
            None => std::env::temp_dir(),
        };
        if room(&dir) < bytes {
            bail!(
                "{} has no room for {} MiB: give --dir or a smaller --size",
                dir.display(),
                bytes >> 20
            );
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let file = dir.join(format!("{BACKING}{}-{count}.img", std::process::id()));
        // From here on every way out removes what was made.
        let mut made = Self {
            node: String::new(),
            bytes,
            file,
        };
        File::create(&made.file)
            .and_then(|f| fill(&f, bytes))
            .with_context(|| format!("making {}", made.file.display()))?;
        let out = Command::new("losetup")
            .args(["--find", "--show", "--direct-io=on"])
            .arg(&made.file)
            .output();
        let out = out.context("running losetup")?;
        if !out.status.success() {
            bail!(
                "losetup: {} (this needs root)",
                String::from_utf8_lossy(&out.stderr).trim()
            );
        }
        String::from_utf8_lossy(&out.stdout).trim().clone_into(&mut made.node);
        Ok(made)
    }

    /// Its device number as `MAJOR:MINOR`.
    pub(super) fn number(&self) -> Result<String> {
        number(&self.node)
    }

    /// Puts `content`, repeated, in place of what it holds.
    pub(super) fn refill(&self, content: &[u8]) -> Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .open(&self.file)
            .with_context(|| format!("opening {}", self.file.display()))?;
        let mut left = usize::try_from(self.bytes)?;
        while left > 0 {
            let now = left.min(content.len());
            file.write_all(&content[..now]).context("filling the device")?;
            left -= now;
        }
        file.sync_all().context("filling the device")
    }
}

fn number(node: &str) -> Result<String> {
    let device = fs::metadata(node).with_context(|| format!("looking at {node}"))?.rdev();
    Ok(format!("{}:{}", libc::major(device), libc::minor(device)))
}

/// Whether a device is one of ours: a loop device over a file of ours, or a zram device that holds nothing.
pub(super) fn is_ours(node: &Path) -> bool {
    let name = node.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let read = |file: &str| fs::read_to_string(format!("/sys/block/{name}/{file}")).unwrap_or_default();
    if name.starts_with("loop") {
        let backing = PathBuf::from(read("loop/backing_file").trim());
        return backing
            .file_name()
            .is_some_and(|f| f.to_string_lossy().starts_with(BACKING));
    }
    // mm_stat: bytes before compression come first.
    name.starts_with("zram") && read("mm_stat").split_whitespace().next() == Some("0")
}

/// A compressing device that claims more than it can hold.
#[derive(Debug)]
pub(super) struct Zram {
    pub node: String,
    number: u32,
}

impl Zram {
    /// One that claims `bytes` and keeps at most `kept` bytes of compressed data.
    pub(super) fn new(bytes: u64, kept: u64) -> Result<Self> {
        let text = fs::read_to_string("/sys/class/zram-control/hot_add").context("making a zram device")?;
        let number = text.trim().parse().context("zram gave no number")?;
        let made = Self {
            node: format!("/dev/zram{number}"),
            number,
        };
        for (file, value) in [("disksize", bytes), ("mem_limit", kept)] {
            fs::write(format!("/sys/block/zram{number}/{file}"), value.to_string())
                .with_context(|| format!("setting {file} of {}", made.node))?;
        }
        Ok(made)
    }

    /// Bytes that it keeps now, compressed.
    pub(super) fn kept(&self) -> u64 {
        let stat = fs::read_to_string(format!("/sys/block/zram{}/mm_stat", self.number)).unwrap_or_default();
        stat.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Zram {
    fn drop(&mut self) {
        let _ = fs::write(format!("/sys/block/zram{}/reset", self.number), "1");
        let _ = fs::write("/sys/class/zram-control/hot_remove", self.number.to_string());
    }
}

/// Gives the file its blocks, so that the first tool does not pay for them.
fn fill(mut file: &File, bytes: u64) -> std::io::Result<()> {
    let block = vec![0xa5; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        file.write_all(&block[..now])?;
        left -= now as u64;
    }
    file.sync_all()
}

/// Bytes free in the file system of a directory.
fn room(dir: &Path) -> u64 {
    let out = Command::new("df").args(["--output=avail", "-B1"]).arg(dir).output();
    out.ok()
        .and_then(|out| String::from_utf8_lossy(&out.stdout).lines().nth(1)?.trim().parse().ok())
        .unwrap_or(0)
}

impl Drop for Loop {
    fn drop(&mut self) {
        if !self.node.is_empty() {
            let _ = Command::new("losetup").args(["--detach", &self.node]).status();
        }
        let _ = fs::remove_file(&self.file);
    }
}
