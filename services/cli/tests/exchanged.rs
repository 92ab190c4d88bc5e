//! A dock goes on to answer with its own name when its drive is exchanged while the drive tests itself: nothing of the other
//! one is written over. On real loop devices, whose content is replaced below; needs root, prints `NOT RUN` without.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Loop, code, object, text};

/// Longest wait for a burn-in to come to its self-test.
const PATIENCE: Duration = Duration::from_secs(120);

const TWO_WRITES: &str = r#"
name = "two"
about = "a self-test between two passes"
[[step]]
do = "write"
[[step]]
do = "verify"
[[step]]
do = "self_test_short"
[[step]]
do = "write"
pattern = "complement"
[[step]]
do = "verify"
"#;

const TEST_LAST: &str = r#"
name = "last"
about = "a self-test at the end"
[[step]]
do = "write"
[[step]]
do = "verify"
[[step]]
do = "self_test_extended"
"#;

/// A smartctl that says by a file that it was called, and then waits for `go`; it never knows a drive.
fn waiting_smartctl(dir: &Path) {
    let text = format!(
        "#!/bin/sh\n: > {0}/called\nwhile [ ! -e {0}/go ]; do sleep 0.05; done\nexit 1\n",
        dir.display()
    );
    let program = dir.join("smartctl");
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
}

/// What a bare dm-crypt looks like: no signature, and nowhere zero.
fn foreign_data(bytes: u64) -> Vec<u8> {
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

/// Burns with this playbook, and puts another drive's data below while smartctl is asked.
fn exchanged(playbook: &str, more: &[&str]) -> Option<()> {
    let drive = Loop::new(48 << 20)?;
    let dir = tempfile::tempdir().unwrap();
    waiting_smartctl(dir.path());
    let book = dir.path().join("mine.toml");
    fs::write(&book, playbook).unwrap();
    let program = dir.path().join("smartctl");
    let burn = drive
        .command(&[
            "--playbook",
            book.to_str().unwrap(),
            "--smartctl",
            program.to_str().unwrap(),
        ])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !dir.path().join("called").exists() {
        assert!(begun.elapsed() < PATIENCE, "it did not come to its self-test");
        std::thread::sleep(Duration::from_millis(20));
    }
    let data = foreign_data(48 << 20);
    let mut below = File::options().write(true).open(drive.file()).unwrap();
    below.write_all(&data).unwrap();
    below.sync_all().unwrap();
    File::create(dir.path().join("go")).unwrap();
    let output = burn.wait_with_output().unwrap();
    assert!(
        fs::read(drive.file()).unwrap() == data,
        "the other drive was written to: {}",
        text(&output)
    );
    assert_eq!(code(&output), 3, "{}", text(&output));
    let told = object(&output);
    assert_eq!(told["verdict"]["outcome"], "INCONCLUSIVE");
    let summary = told["verdict"]["summary"].as_str().unwrap();
    assert!(summary.contains("came into its place"), "{summary}");
    Some(())
}

#[test]
fn another_drive_that_comes_during_a_self_test_is_not_written() {
    exchanged(TWO_WRITES, &[]);
}

#[test]
fn another_drive_that_comes_during_the_last_self_test_is_not_formatted() {
    exchanged(TEST_LAST, &["--format", "ext4"]);
}

#[test]
fn what_another_drive_says_in_its_self_test_is_nobodys_verdict() {
    exchanged(TEST_LAST, &[]);
}
