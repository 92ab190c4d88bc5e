//! Loop devices, and `kiln` over them.
#![allow(clippy::unwrap_used, dead_code, reason = "tests")]

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A loop device over a file; detached when dropped.
pub struct Loop {
    pub node: String,
    dir: tempfile::TempDir,
}

impl Loop {
    /// `None` where the kernel or the user cannot make one.
    pub fn new(bytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        File::create(dir.path().join("drive")).unwrap().set_len(bytes).unwrap();
        let out = Command::new("losetup")
            .args(["--find", "--show", "--direct-io=on"])
            .arg(dir.path().join("drive"))
            .output()
            .ok()?;
        if !out.status.success() {
            drop(std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!(
                    "\nNOT RUN: no loop device: {}\n",
                    String::from_utf8_lossy(&out.stderr).trim()
                ),
            ));
            return None;
        }
        Some(Self {
            node: String::from_utf8(out.stdout).unwrap().trim().to_owned(),
            dir,
        })
    }

    pub fn file(&self) -> PathBuf {
        self.dir.path().join("drive")
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// `kiln burn` of this device with everything that agrees, and `more`.
    pub fn command(&self, more: &[&str]) -> Command {
        let mut command = kiln(&["burn", &self.node, "--yes-erase", &self.node, "--allow-loop", "--json"]);
        command.arg("--state").arg(self.state()).args(more);
        command
    }

    pub fn burn(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.node]).status();
    }
}

pub fn kiln(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
    command.args(args).stdin(Stdio::null());
    command
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn object(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(output)))
}

/// A smartctl that says by a file that it was called, and then waits for `go`; it never knows a drive.
pub fn waiting_smartctl(dir: &std::path::Path) {
    let text = format!(
        "#!/bin/sh\n: > {0}/called\nwhile [ ! -e {0}/go ]; do sleep 0.05; done\nexit 1\n",
        dir.display()
    );
    let program = dir.join("smartctl");
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

/// What a bare dm-crypt looks like: no signature, and nowhere zero.
pub fn foreign_data(bytes: u64) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut data = Vec::new();
    while (data.len() as u64) < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        data.extend_from_slice(&(state | 1).to_le_bytes());
    }
    data
}
