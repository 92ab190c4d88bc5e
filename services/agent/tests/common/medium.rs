//! A small medium for an agent's state, in a mount namespace of its own: it outlives the agent, and goes with the test.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};

/// The medium, for as long as it lives.
pub(crate) struct Medium {
    holder: Child,
    fill: PathBuf,
}

impl Medium {
    /// One of `size` (as `mount` takes it) at `place`, which is made.
    pub(crate) fn new(place: &Path, size: &str) -> Self {
        std::fs::create_dir(place).unwrap();
        let mount = format!(
            "mount -t tmpfs -o size={size} none {} && echo && exec cat",
            place.display()
        );
        let mut holder = Process::new("unshare")
            .args(["--mount", "sh", "-c", &mount])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It says a line once it is there, and ends with its input.
        let mut line = [0];
        std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut line).unwrap();
        let seen = PathBuf::from(format!("/proc/{}/root{}", holder.id(), place.display()));
        Self {
            holder,
            fill: seen.join("fill"),
        }
    }

    /// Behind which words a program sees it.
    pub(crate) fn words(&self) -> Vec<String> {
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.holder.id());
        vec!["nsenter".to_owned(), namespace]
    }

    /// Leaves no room on it.
    pub(crate) fn fill(&self) {
        let mut file = std::fs::File::create(&self.fill).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    /// Makes room again.
    pub(crate) fn free(&self) {
        std::fs::remove_file(&self.fill).unwrap();
    }
}

impl Drop for Medium {
    fn drop(&mut self) {
        // It may have ended.
        let _ended = self.holder.kill();
        let _reaped = self.holder.wait();
    }
}
