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

/// A file system for an agent's state that a test may freeze: what is read from it comes, and nothing is written.
pub(crate) struct Freezer(PathBuf);

impl Freezer {
    /// One at `place`, which is made; `None`, and told, where none can be.
    pub(crate) fn new(place: &Path) -> Option<Self> {
        let image = place.with_extension("image");
        std::fs::File::create(&image).unwrap().set_len(128 << 20).unwrap();
        std::fs::create_dir(place).unwrap();
        let (image, at) = (image.to_str().unwrap(), place.to_str().unwrap());
        for call in [&["mkfs.ext4", "-q", image][..], &["mount", "-o", "loop", image, at]] {
            let done = Process::new(call[0]).args(&call[1..]).output();
            if !done.as_ref().is_ok_and(|done| done.status.success()) {
                rig::not_run(&format!("no file system that freezes: {call:?}: {done:?}"));
                return None;
            }
        }
        Some(Self(place.to_owned()))
    }

    pub(crate) fn freeze(&self) {
        assert!(self.run("fsfreeze", "--freeze"), "it does not freeze");
    }

    pub(crate) fn thaw(&self) {
        assert!(self.run("fsfreeze", "--unfreeze"), "it does not thaw");
    }

    fn run(&self, program: &str, option: &str) -> bool {
        let done = Process::new(program).arg(option).arg(&self.0).output();
        done.is_ok_and(|done| done.status.success())
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        // It may be thawed; and who is killed a little later has it open still.
        let _thawed = self.run("fsfreeze", "--unfreeze");
        let _gone = self.run("umount", "--lazy");
    }
}
