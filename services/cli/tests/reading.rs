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

/// Two of them would take each other's result away, and one that was FAILED with it.
#[test]
fn a_second_scan_of_a_drive_is_refused_while_the_first_one_reads_it() {
    let Some(drive) = Loop::new(BYTES) else { return };
    fs::write(drive.file(), foreign_data(BYTES)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    waiting_smartctl(dir.path());
    let book = dir.path().join("twice.toml");
    fs::write(&book, TWO_SCANS).unwrap();
    let program = dir.path().join("smartctl");
    let mut burn = drive.command(&["--playbook", book.to_str().unwrap()]);
    burn.arg("--smartctl").arg(&program);
    let burn = burn.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until_called(dir.path());
    let files = || {
        let files = fs::read_dir(drive.state()).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|ending| ending == "json"))
    };
    let kept = |path: &std::path::PathBuf| fs::read(path).unwrap();
    let before: Vec<Vec<u8>> = files().map(|path| kept(&path)).collect();
    for more in [&[][..], &["--dry-run"]] {
        let other = drive.burn(&[&["--playbook", "scan"], more].concat());
        let told = text(&other);
        assert_eq!(code(&other), 4, "{told}");
        let refused = &object(&other)["refused"];
        assert_eq!(refused["kind"], "under-way", "{refused}");
        assert!(told.contains("another `kiln burn`") && told.contains("nothing was written"));
        assert!(!told.contains("interrupted"), "{told}");
    }
    assert_eq!(before, files().map(|path| kept(&path)).collect::<Vec<_>>());
    File::create(dir.path().join("go")).unwrap();
    let output = burn.wait_with_output().unwrap();
    assert!(object(&output)["verdict"].is_object(), "{}", text(&output));
    let again = drive.burn(&["--playbook", "scan"]);
    assert!(object(&again)["verdict"].is_object(), "{}", text(&again));
    assert_eq!(fs::read_dir(drive.state()).unwrap().count(), 1, "nothing else is left");
}
