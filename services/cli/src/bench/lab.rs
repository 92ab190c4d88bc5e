//! A loop device over a file, both gone when dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

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
    pub fn new(dir: Option<&Path>, bytes: u64) -> Result<Self> {
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
        let file = dir.join(format!("kiln-bench-{}.img", std::process::id()));
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
        made.node = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        Ok(made)
    }
}

/// Gives the file its blocks, so that the first tool does not pay for them.
fn fill(mut file: &File, bytes: u64) -> std::io::Result<()> {
    use std::io::Write;
    let block = vec![0xa5; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(block.len() as u64);
        file.write_all(&block[..now as usize])?;
        left -= now;
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
        let _ = std::fs::remove_file(&self.file);
    }
}
