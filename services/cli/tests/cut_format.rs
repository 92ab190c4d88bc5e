//! A format that is cut off: by Ctrl-C, or by a kill before its partition table is written. On real loop devices; needs root, prints
//! `NOT RUN` without.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{Loop, PATIENCE, code, object, text};

/// The formatters that this process started, stopped where they are, as on a slow drive.
fn hold_formatters(parent: u32) -> bool {
    let mut held = false;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let told = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if told == Some(parent) && line.split(|byte| *byte == 0).nth(1) == Some(b"internal-formatter") {
            // SAFETY: a signal to a child of a child of this process, which that has not waited for.
            held |= unsafe { libc::kill(pid, libc::SIGSTOP) } == 0;
        }
    }
    held
}

/// Who presses Ctrl-C while the drive is formatted does not wait for hours until mkfs has read it all.
#[test]
fn a_signal_ends_the_formatter_and_the_drive_is_free() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    // The formatter may be done before it is held, or have said so.
    for _ in 0..20 {
        let mut burn = drive.command(&["--playbook", "surface", "--format", "ext4"]);
        let mut burn = burn.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while !hold_formatters(burn.id()) && burn.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        // SAFETY: a signal to a child of this process; one that was waited for is not used again before this test ends.
        unsafe { libc::kill(i32::try_from(burn.id()).unwrap(), libc::SIGINT) };
        let output = burn.wait_with_output().unwrap();
        drive.no_partitions();
        if code(&output) == 0 {
            continue;
        }
        assert_eq!(code(&output), 3, "{}", text(&output));
        let told = object(&output);
        let problem = told["formatted"]["problem"].as_str().unwrap();
        assert!(problem.contains("a signal"), "{problem}");
        assert_eq!(told["state"]["kind"], "aborted", "{told}");
        // Days of a test are not lost to who ends the seconds of a formatter.
        let summary = told["verdict"]["summary"].as_str().unwrap();
        assert!(summary.starts_with("The drive was tested"), "{summary}");
        // The formatter may have written its table by then.
        if drive.has_table() {
            continue;
        }
        assert!(text(&output).contains("to go on: "), "{}", text(&output));
        let resumed = drive.burn(&["--playbook", "surface", "--format", "ext4", "--resume"]);
        assert_eq!(code(&resumed), 0, "{}", text(&resumed));
        let told = object(&resumed);
        assert_eq!(told["formatted"]["problem"], serde_json::Value::Null, "{told}");
        return;
    }
    panic!("no formatter was ever held before its table");
}

/// A burn-in that is killed while its drive is formatted, before the table is written.
fn cut_before_the_table(drive: &Loop) {
    // The formatter may be done before it is held, or have written its table.
    for _ in 0..20 {
        let mut burn = drive.command(&["--playbook", "surface", "--format", "ext4"]);
        let mut burn = burn.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut held = false;
        while !held && burn.try_wait().unwrap().is_none() {
            held = hold_formatters(burn.id());
            std::thread::sleep(Duration::from_millis(1));
        }
        burn.kill().unwrap();
        let through = burn.wait().unwrap().success();
        drive.no_partitions();
        if held && !through && !drive.has_table() {
            return;
        }
    }
    panic!("no formatter was ever held before its table");
}

/// Goes on once what a killed process left behind lets go of the drive.
fn resumed(drive: &Loop, more: &[&str]) -> Output {
    let begun = Instant::now();
    let line = ["--playbook", "surface", "--format", "ext4", "--resume"];
    loop {
        let output = drive.burn(&[&line[..], more].concat());
        if !text(&output).contains("in use") || begun.elapsed() > PATIENCE {
            return output;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Before its table a drive shows the job's pattern, but where the formatter was: that is made anew, and nothing is read back.
#[test]
fn a_format_that_was_cut_before_its_table_is_made_anew() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    cut_before_the_table(&drive);
    // Another cut right behind it changes nothing.
    let mut again = drive.command(&["--playbook", "surface", "--format", "ext4", "--resume"]);
    let mut again = again.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while again.try_wait().unwrap().is_none() && !hold_formatters(again.id()) {
        std::thread::sleep(Duration::from_millis(1));
    }
    again.kill().unwrap();
    let through = again.wait().unwrap().success();
    drive.no_partitions();
    // That it is held is a matter of luck; what came through by then was made anew, too.
    if through || drive.has_table() {
        assert!(drive.has_table());
        return;
    }
    let output = resumed(&drive, &[]);
    let told = object(&output);
    assert_eq!(
        (code(&output), &told["verdict"]["outcome"]),
        (0, &"PASSED".into()),
        "{told}"
    );
    assert_eq!(told["verdict"]["verified"], 48 << 20, "{told}");
    assert_eq!(told["formatted"]["problem"], serde_json::Value::Null, "{told}");
    assert!(drive.has_table());
    assert_eq!(told["resumes"].as_array().unwrap().len(), 2, "{told}");
}

/// What somebody made of the drive meanwhile is neither compared with the pattern nor written over.
#[test]
fn a_format_that_was_cut_is_neither_compared_nor_written_over() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    cut_before_the_table(&drive);
    let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(drive.file()).status();
    assert!(made.unwrap().success());
    let before = fs::read(drive.file()).unwrap();
    let output = resumed(&drive, &[]);
    assert_eq!(code(&output), 4, "{}", text(&output));
    assert!(
        text(&output).contains("while the drive was formatted") && !text(&output).contains("PASSED"),
        "{}",
        text(&output)
    );
    // Days of a test are not lost to the seconds of a formatter.
    let certificate = drive.state().join("cut.json");
    let output = resumed(&drive, &["--cert", certificate.to_str().unwrap()]);
    let told = object(&output);
    assert_eq!(
        (code(&output), &told["verdict"]["outcome"]),
        (3, &"INCONCLUSIVE".into()),
        "{told}"
    );
    assert_eq!(told["verdict"]["verified"], 48 << 20, "{told}");
    assert_eq!(told["formatted"]["table"], "auto", "{told}");
    assert!(certificate.exists(), "{}", text(&output));
    assert!(fs::read(drive.file()).unwrap() == before);
}
