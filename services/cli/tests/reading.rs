//! A burn-in that only reads leaves nothing on its drive: what stands there tells whether it may be gone on with.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::{self, File};
use std::process::{Output, Stdio};

use common::{Loop, code, foreign_data, object, text, until_called, waiting_smartctl};

const BYTES: u64 = 48 << 20;

const TWO_SCANS: &str = r#"
name = "twice"
about = "a self-test between two scans"
[[step]]
do = "scan"
[[step]]
do = "self_test_short"
[[step]]
do = "scan"
"#;

/// Stopped by Ctrl-C between two scans of a drive with this data, and gone on with once it holds the other.
fn gone_on_with(before: &[u8], after: &[u8]) -> Option<Output> {
    let drive = Loop::new(BYTES)?;
    fs::write(drive.file(), before).unwrap();
    let dir = tempfile::tempdir().unwrap();
    waiting_smartctl(dir.path());
    let book = dir.path().join("twice.toml");
    fs::write(&book, TWO_SCANS).unwrap();
    let program = dir.path().join("smartctl");
    let arguments = [
        "--playbook",
        book.to_str().unwrap(),
        "--smartctl",
        program.to_str().unwrap(),
    ];
    let mut burn = drive.command(&arguments);
    let burn = burn.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until_called(dir.path());
    // SAFETY: a signal to a child of this process that has not been waited for.
    unsafe { libc::kill(i32::try_from(burn.id()).unwrap(), libc::SIGINT) };
    File::create(dir.path().join("go")).unwrap();
    let output = burn.wait_with_output().unwrap();
    assert_eq!(code(&output), 3, "{}", text(&output));
    assert!(text(&output).contains("--resume"), "{}", text(&output));
    fs::write(drive.file(), after).unwrap();
    Some(drive.burn(&[&arguments[..], &["--resume"]].concat()))
}

#[test]
fn only_the_drive_that_was_read_is_gone_on_with() {
    let data = foreign_data(BYTES);
    let other: Vec<u8> = data.iter().map(|byte| !byte).collect();
    let Some(output) = gone_on_with(&data, &data) else {
        return;
    };
    let told = object(&output);
    assert_eq!(told["resumes"].as_array().map(Vec::len), Some(1), "{told}");

    let Some(output) = gone_on_with(&data, &other) else {
        return;
    };
    assert_eq!(code(&output), 4, "{}", text(&output));
    let reason = object(&output)["refused"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("something else than when this job began"), "{reason}");

    // Blank drives look alike: it begins anew.
    let blank = vec![0; usize::try_from(BYTES).unwrap()];
    let Some(output) = gone_on_with(&blank, &blank) else {
        return;
    };
    let told = object(&output);
    assert_eq!(told["resumes"].as_array().map(Vec::len), Some(0), "{told}");
    assert!(text(&output).contains("it begins anew"), "{}", text(&output));
}
