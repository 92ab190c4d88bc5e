//! A dock goes on to answer with its own name when its drive is exchanged while the drive tests itself: nothing of the other
//! one is written over. On real loop devices, whose content is replaced below; needs root, prints `NOT RUN` without.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{
    Loop, PATIENCE, TEST_FIRST, code, foreign_data, interrupted_in, object, resize, slow_medium, text, until_called,
    until_written_down, waiting_smartctl,
};

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

/// Puts another drive's data below while smartctl is asked, and waits for the end: nothing of it was written over.
fn exchange(drive: &Loop, dir: &Path, burn: Child, data: &[u8]) -> Output {
    until_called(dir);
    let mut below = File::options().write(true).open(drive.file()).unwrap();
    below.write_all(data).unwrap();
    below.sync_all().unwrap();
    File::create(dir.join("go")).unwrap();
    let output = burn.wait_with_output().unwrap();
    assert!(
        fs::read(drive.file()).unwrap() == data,
        "the other drive was written to: {}",
        text(&output)
    );
    output
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
    let output = exchange(&drive, dir.path(), burn, &foreign_data(48 << 20));
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

/// A burn-in whose drive cannot be read since it tested itself, what lies below that, and what was on it.
fn silent_after_a_self_test(drive: &Loop, dir: &Path) -> (Child, File, Vec<u8>) {
    silent_in(of(drive, dir, TWO_WRITES), drive, dir, || {})
}

/// The same of this command; `silent`: what is done as soon as it cannot be read.
fn silent_in(mut burn: Command, drive: &Loop, dir: &Path, silent: impl FnOnce()) -> (Child, File, Vec<u8>) {
    waiting_smartctl(dir);
    let burn = burn.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until_called(dir);
    let data = fs::read(drive.file()).unwrap();
    // Reads past the end of what lies below a loop device fail, and a write would make it longer.
    let below = File::options().write(true).open(drive.file()).unwrap();
    below.set_len(0).unwrap();
    silent();
    File::create(dir.join("go")).unwrap();
    (burn, below, data)
}

/// After hours of a self-test its headers cannot be read, as those of a drive that is being exchanged: nobody knows which one would
/// be written to.
#[test]
fn a_drive_that_cannot_show_whose_it_is_after_a_self_test_is_not_written() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (burn, below, _) = silent_after_a_self_test(&drive, dir.path());
    let output = burn.wait_with_output().unwrap();
    assert_eq!(
        below.metadata().unwrap().len(),
        0,
        "it was written to: {}",
        text(&output)
    );
    assert_eq!(code(&output), 3, "{}", text(&output));
    let told = object(&output);
    let summary = told["verdict"]["summary"].as_str().unwrap();
    assert!(summary.contains("could not be read whether"), "{summary}");
}

/// A link that is touched: what is on it cannot be read for some seconds, and can again.
#[test]
fn a_drive_that_is_silent_for_seconds_after_a_self_test_is_gone_on_with() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (burn, mut below, data) = silent_after_a_self_test(&drive, dir.path());
    std::thread::sleep(Duration::from_secs(4));
    below.write_all(&data).unwrap();
    let output = burn.wait_with_output().unwrap();
    let told = object(&output);
    assert_eq!(told["findings"], serde_json::json!([]), "{}", text(&output));
    let stopped = text(&output).contains("could not be read whether");
    assert!(!stopped && told["verdict"]["outcome"] != "FAILED", "{}", text(&output));
    let phases = told["phases"].as_array().unwrap();
    let moved = phases.iter().filter(|phase| phase["status"] == "done").count();
    assert_eq!(moved, 4, "{}", text(&output));
}

/// Who does not wait for it ends it like any other burn-in, and goes on with it once it can be read.
#[test]
fn a_signal_while_a_drive_is_silent_is_a_signal() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (burn, mut below, data) = silent_after_a_self_test(&drive, dir.path());
    std::thread::sleep(Duration::from_secs(3));
    // SAFETY: a signal to a child of this process that was not waited for.
    unsafe { libc::kill(i32::try_from(burn.id()).unwrap(), libc::SIGINT) };
    let output = burn.wait_with_output().unwrap();
    let told = object(&output);
    assert_eq!(code(&output), 3, "{}", text(&output));
    assert_eq!(told["state"]["kind"], "aborted", "{}", text(&output));
    let summary = told["verdict"]["summary"].as_str().unwrap();
    assert!(summary.contains("a signal"), "{summary}");
    assert!(text(&output).contains("to go on: "), "{}", text(&output));
    below.write_all(&data).unwrap();
    let output = of(&drive, dir.path(), TWO_WRITES).arg("--resume").output().unwrap();
    assert_eq!(object(&output)["verdict"]["verified"], 48 << 20, "{}", text(&output));
}

/// The same command where the kernel seems to have counted the drive as often as this file says.
fn counted(command: &Command, drive: &Loop, count: &Path) -> Command {
    let name = drive.node.trim_start_matches("/dev/");
    let bind = format!(
        "mount --bind {} /sys/block/{name}/diskseq && exec \"$0\" \"$@\"",
        count.display()
    );
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "sh", "-c", &bind]);
    inside.arg(command.get_program()).args(command.get_args());
    inside.stdin(Stdio::null());
    inside
}

/// A removable drive that is reset once is counted anew, as if another medium had come. Its header and what was written to it tell
/// that none did, also at the end.
#[test]
fn a_drive_that_is_counted_anew_is_gone_on_with_where_it_holds_the_jobs_header_and_data() {
    for (playbook, exchange) in [(TWO_WRITES, false), (TEST_LAST, false), (TWO_WRITES, true)] {
        let Some(drive) = Loop::new(48 << 20) else { return };
        let dir = tempfile::tempdir().unwrap();
        waiting_smartctl(dir.path());
        let count = dir.path().join("diskseq");
        fs::write(&count, "1000001\n").unwrap();
        let mut burn = counted(&of(&drive, dir.path(), playbook), &drive, &count);
        let burn = burn.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until_called(dir.path());
        if exchange {
            let mut below = File::options().write(true).open(drive.file()).unwrap();
            below.write_all(&foreign_data(48 << 20)).unwrap();
        }
        fs::write(&count, "1000002\n").unwrap();
        File::create(dir.path().join("go")).unwrap();
        let output = burn.wait_with_output().unwrap();
        let told = object(&output);
        let summary = told["verdict"]["summary"].as_str().unwrap();
        assert_eq!(summary.contains("came into its place"), exchange, "{summary}");
        assert_eq!(code(&output) == 3, exchange, "{}", text(&output));
        let noted = text(&output) + &told["notes"].to_string();
        assert_eq!(noted.contains("counted the drive anew"), !exchange, "{noted}");
    }
}

/// On a weak port resets come in twos: the drive is counted anew while it cannot be read, and once more before it can.
#[test]
fn a_drive_that_is_counted_anew_and_silent_for_seconds_is_gone_on_with() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    let count = dir.path().join("diskseq");
    let counts = |times: u32| fs::write(&count, format!("{times}\n")).unwrap();
    counts(1_000_001);
    let burn = counted(&of(&drive, dir.path(), TWO_WRITES), &drive, &count);
    let (burn, mut below, data) = silent_in(burn, &drive, dir.path(), || counts(1_000_002));
    std::thread::sleep(Duration::from_secs(2));
    counts(1_000_003);
    std::thread::sleep(Duration::from_secs(2));
    below.write_all(&data).unwrap();
    let output = burn.wait_with_output().unwrap();
    let told = object(&output);
    let summary = told["verdict"]["summary"].as_str().unwrap();
    assert!(!summary.contains("came into its place"), "{summary}");
    assert_eq!(told["findings"], serde_json::json!([]), "{}", text(&output));
    assert!(
        told["notes"].to_string().contains("counted the drive anew"),
        "{}",
        told["notes"]
    );
    let phases = told["phases"].as_array().unwrap();
    let moved = phases.iter().filter(|phase| phase["status"] == "done").count();
    assert_eq!(moved, 4, "{}", text(&output));
}

/// A card that is exchanged in the midst of a format, where somebody holds the new partition for a moment, is not told as formatted.
/// One that was counted anew before, and proved itself then, is.
#[test]
fn a_drive_that_is_counted_anew_in_the_midst_of_a_format_gets_no_more_of_it() {
    for before in [true, false] {
        let Some(drive) = Loop::new(48 << 20) else { return };
        let dir = tempfile::tempdir().unwrap();
        waiting_smartctl(dir.path());
        let count = dir.path().join("diskseq");
        fs::write(&count, "1000001\n").unwrap();
        let mut burn = counted(&of(&drive, dir.path(), TEST_THEN_PARTITION), &drive, &count);
        let burn = burn.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until_called(dir.path());
        if before {
            fs::write(&count, "1000002\n").unwrap();
        }
        File::create(dir.path().join("go")).unwrap();
        if !before {
            let held = held_partition(&drive);
            fs::write(&count, "1000002\n").unwrap();
            drop(held);
        }
        let output = burn.wait_with_output().unwrap();
        let told = object(&output);
        let problem = told["formatted"]["problem"].as_str().unwrap_or_default();
        assert_eq!(problem.contains("counts another medium"), !before, "{told}");
        assert_eq!(drive.has_table(), before, "{}", text(&output));
        drive.no_partitions();
    }
}

/// That it is formatted is written down before it is; a stick that is reset while that medium takes its time proves itself once more.
#[test]
fn a_drive_that_is_counted_anew_while_its_format_is_written_down_is_formatted() {
    if Command::new("strace").arg("-V").output().is_err() {
        return rig::not_run("a state folder that is slow: no strace");
    }
    let Some(drive) = Loop::new(48 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    let count = dir.path().join("diskseq");
    fs::write(&count, "1000001\n").unwrap();
    let slow = slow_medium(&drive.command(&["--playbook", "surface", "--format", "raw"]));
    let mut burn = counted(&slow, &drive, &count);
    let mut burn = burn.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(until_written_down(&drive, &mut burn), "it ended before");
    fs::write(&count, "1000002\n").unwrap();
    let output = burn.wait_with_output().unwrap();
    let told = object(&output);
    assert_eq!(told["formatted"]["problem"], serde_json::Value::Null, "{told}");
    assert!(drive.has_table(), "{}", text(&output));
    drive.no_partitions();
}

/// A sick drive that is silent for seconds now and then is what a test is to tell of.
#[test]
fn a_drive_that_is_silent_for_seconds_right_before_the_first_write_is_tested() {
    if Command::new("strace").arg("-V").output().is_err() {
        return rig::not_run("a drive that is silent for seconds: no strace");
    }
    let Some(drive) = Loop::new(48 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    waiting_smartctl(dir.path());
    let burn = of(&drive, dir.path(), TEST_FIRST)
        .args(["--io", "sync"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until_called(dir.path());
    // The first read of the drive by each of its threads.
    let mut silent = Command::new("strace");
    silent.args(["-fqqo", "/dev/null", "-P", &drive.node, "-p", &burn.id().to_string()]);
    silent.args(["-e", "trace=pread64", "-e", "inject=pread64:delay_enter=9000000:when=1"]);
    let mut silent = silent.spawn().unwrap();
    let status = format!("/proc/{}/status", burn.id());
    while fs::read_to_string(&status).unwrap().contains("TracerPid:\t0\n") {
        assert!(silent.try_wait().unwrap().is_none(), "strace ended");
        std::thread::sleep(Duration::from_millis(5));
    }
    File::create(dir.path().join("go")).unwrap();
    let output = burn.wait_with_output().unwrap();
    silent.wait().unwrap();
    let told = object(&output);
    assert_eq!(told["verdict"]["verified"], 48 << 20, "{told} {}", text(&output));
}

/// The drive's first partition as somebody holds it, once it is there.
fn held_partition(drive: &Loop) -> File {
    let part = format!("{}p1", drive.node);
    let end = Instant::now() + PATIENCE;
    loop {
        let mut open = File::options();
        open.read(true).custom_flags(libc::O_EXCL);
        match open.open(&part) {
            Ok(file) => return file,
            Err(error) => assert!(Instant::now() < end, "{part}: {error}"),
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// What the other one holds is no fault of the drive that was tested, though it was read before anybody looked.
#[test]
fn what_another_drive_holds_is_held_against_no_drive() {
    for size in [192 << 20, 160 << 20] {
        another_drive_of(size);
    }
}

/// The drive has 192 MiB; what comes into its place, so many bytes.
fn another_drive_of(size: u64) {
    let bytes = 192 << 20;
    let Some(drive) = Loop::new(bytes) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (count, said) = (dir.path().join("diskseq"), dir.path().join("said"));
    fs::write(&count, "1000001\n").unwrap();
    let mut burn = counted(&drive.command(&["--playbook", "surface"]), &drive, &count);
    let burn = burn.stdout(Stdio::piped()).stderr(File::create(&said).unwrap());
    let burn = burn.spawn().unwrap();
    let pid = i32::try_from(burn.id()).unwrap();
    let signal = |signal| {
        // SAFETY: a plain call; the process is a child that nobody has waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    };
    let end = Instant::now() + PATIENCE;
    while !fs::read_to_string(&said).unwrap().contains("Read back") {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(1));
    }
    signal(libc::SIGSTOP);
    let mut below = File::options().write(true).open(drive.file()).unwrap();
    below.write_all(&foreign_data(size)).unwrap();
    resize(&drive, size);
    fs::write(&count, "1000002\n").unwrap();
    signal(libc::SIGCONT);
    let output = burn.wait_with_output().unwrap();
    let told = object(&output);
    let summary = told["verdict"]["summary"].as_str().unwrap();
    assert!(summary.contains("came into its place"), "{summary}");
    assert_eq!(code(&output), 3, "{summary}");
}

/// Blank drives look alike, and a dock gives them one name. Capacity and the kernel's count tell them apart.
#[test]
fn another_blank_drive_that_comes_before_the_first_write_is_not_written() {
    for (larger, words) in [
        (false, "another medium came into its place"),
        (true, "another drive than the plan names"),
    ] {
        let Some(drive) = Loop::new(48 << 20) else { return };
        let dir = tempfile::tempdir().unwrap();
        waiting_smartctl(dir.path());
        let count = dir.path().join("diskseq");
        fs::write(&count, "1000001\n").unwrap();
        let mut burn = counted(&of(&drive, dir.path(), TEST_FIRST), &drive, &count);
        let burn = burn.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until_called(dir.path());
        if larger {
            resize(&drive, (48 << 20) + (64 << 10));
        } else {
            fs::write(&count, "1000002\n").unwrap();
        }
        File::create(dir.path().join("go")).unwrap();
        let output = burn.wait_with_output().unwrap();
        let left = fs::read(drive.file()).unwrap();
        let blank = vec![0; left.len()];
        assert!(left == blank, "it was written to: {}", text(&output));
        assert_eq!(code(&output), 4, "{}", text(&output));
        let summary = object(&output)["verdict"]["summary"].as_str().unwrap().to_owned();
        assert!(summary.contains(words), "{summary}");
    }
}

/// All drives were asked before anything was begun. One that comes after that is refused like any other: nothing was written.
#[test]
fn another_drive_that_comes_between_the_first_look_of_resume_and_the_engines_is_refused() {
    let Some(drive) = Loop::new(200 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    let program = scripted(dir.path(), "");
    let book = dir.path().join("mine.toml");
    fs::write(&book, TEST_FIRST).unwrap();
    let (book, program) = (book.to_str().unwrap(), program.to_str().unwrap());
    let line = [
        "--playbook",
        book,
        "--smartctl",
        program,
        "--checkpoint-bytes",
        "8388608",
    ];
    interrupted_in(&drive, libc::SIGINT, &line);
    let kept = fs::read_dir(drive.state()).unwrap().next().unwrap().unwrap().path();
    let mut saved: serde_json::Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
    // As if its self-test had been cut off, so that it is asked for again.
    saved["own"] = serde_json::json!({});
    fs::write(&kept, saved.to_string()).unwrap();
    let cert = common::earlier_certificate(&drive, dir.path());
    let earlier = fs::read(&cert).unwrap();
    waiting_smartctl(dir.path());
    let mut burn = drive.command(&[&line[..], &["--resume", "--cert", cert.to_str().unwrap()]].concat());
    let burn = burn.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = exchange(&drive, dir.path(), burn, &foreign_data(1 << 20).repeat(200));
    assert_eq!(code(&output), 4, "{}", text(&output));
    let summary = object(&output)["verdict"]["summary"].as_str().unwrap().to_owned();
    assert!(summary.contains("another drive with the same name"), "{summary}");
    assert!(
        fs::read(&cert).unwrap() == earlier,
        "a burn-in that never began replaced a certificate"
    );
}

const TEST_THEN_PARTITION: &str = r#"
name = "part"
about = "a self-test before the partition"
[[step]]
do = "write"
[[step]]
do = "verify"
[[step]]
do = "self_test_short"
[[step]]
do = "partition"
"#;

/// A smartctl that runs this before it answers nothing.
fn scripted(dir: &Path, text: &str) -> std::path::PathBuf {
    let program = dir.join("smartctl");
    fs::write(&program, format!("#!/bin/sh\n{text}\nexit 1\n")).unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    program
}

/// A burn-in of this playbook in this directory, with its smartctl.
fn of(drive: &Loop, dir: &Path, playbook: &str) -> Command {
    let book = dir.join("mine.toml");
    fs::write(&book, playbook).unwrap();
    let program = dir.join("smartctl");
    let arguments = [
        "--playbook",
        book.to_str().unwrap(),
        "--smartctl",
        program.to_str().unwrap(),
    ];
    drive.command(&arguments)
}

/// Many a host's daemons look at a drive; one that does so when the formatter's turn comes costs a moment, not the burn-in.
#[test]
fn a_drive_that_is_busy_for_a_moment_is_formatted_after_it() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    let hold = format!(
        "( setsid sh -c 'exec 3<>{}; sleep 4' >/dev/null 2>&1 </dev/null & )\nsleep 0.3",
        drive.node
    );
    scripted(dir.path(), &hold);
    let output = of(&drive, dir.path(), TEST_THEN_PARTITION).output().unwrap();
    let told = object(&output);
    assert_eq!(told["formatted"]["problem"], serde_json::Value::Null, "{told}");
    assert!(drive.has_table(), "{}", text(&output));
    drive.no_partitions();
}

/// What holds it says nothing about its test; once that lets go, only the format is made.
#[test]
fn a_drive_that_stays_busy_is_tested_and_only_not_formatted() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    let until = dir.path().join("until");
    let hold = format!(
        "( setsid sh -c 'exec 3<>{}; while [ ! -e {} ]; do sleep 0.1; done' >/dev/null 2>&1 </dev/null & )\nsleep 0.3",
        drive.node,
        until.display()
    );
    scripted(dir.path(), &hold);
    let output = of(&drive, dir.path(), TEST_THEN_PARTITION).output().unwrap();
    fs::write(&until, "").unwrap();
    let told = object(&output);
    assert_eq!(told["state"]["kind"], "finished", "{told}");
    assert_eq!(told["verdict"]["verified"], 48 << 20, "{told}");
    let problem = told["formatted"]["problem"].as_str().unwrap();
    assert!(problem.contains("open for writing"), "{problem}");
    assert!(!drive.has_table(), "{}", text(&output));
    scripted(dir.path(), "");
    let again = of(&drive, dir.path(), TEST_THEN_PARTITION)
        .arg("--resume")
        .output()
        .unwrap();
    let told = object(&again);
    assert_eq!(told["resumes"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(told["formatted"]["problem"], serde_json::Value::Null, "{told}");
    assert!(drive.has_table(), "{}", text(&again));
    drive.no_partitions();
}

/// Who presses Ctrl-C in the last self-test does not want the drive formatted, and goes on from there later.
#[test]
fn a_signal_in_the_last_self_test_formats_nothing_and_is_gone_on_from() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    waiting_smartctl(dir.path());
    let mut burn = of(&drive, dir.path(), TEST_THEN_PARTITION);
    let burn = burn.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until_called(dir.path());
    // SAFETY: a signal to a child of this process that has not been waited for.
    unsafe { libc::kill(i32::try_from(burn.id()).unwrap(), libc::SIGINT) };
    File::create(dir.path().join("go")).unwrap();
    let output = burn.wait_with_output().unwrap();
    assert_eq!(code(&output), 3, "{}", text(&output));
    assert!(!drive.has_table(), "{}", text(&output));
    assert!(text(&output).contains("--resume"), "{}", text(&output));
    let again = of(&drive, dir.path(), TEST_THEN_PARTITION)
        .arg("--resume")
        .output()
        .unwrap();
    let told = object(&again);
    assert_eq!(told["resumes"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(told["formatted"]["problem"], serde_json::Value::Null, "{told}");
    assert!(drive.has_table(), "{}", text(&again));
    drive.no_partitions();
}

/// A burn-in that came through has its verdict, and its file system is somebody's by now: also where nothing is kept of it.
#[test]
fn a_drive_that_came_through_is_not_begun_anew_by_resume() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let line = ["--playbook", "surface", "--format", "ext4"];
    let output = drive.burn(&line);
    assert_eq!(code(&output), 0, "{}", text(&output));
    drive.no_partitions();
    let before = fs::read(drive.file()).unwrap();
    for part in ["ended PASSED at", "no header of a burn-in"] {
        let output = drive.burn(&[&line[..], &["--resume"]].concat());
        let told = text(&output);
        assert_eq!(code(&output), 4, "{told}");
        assert!(told.contains("without --resume") && told.contains(part), "{told}");
        assert!(fs::read(drive.file()).unwrap() == before, "it was written: {told}");
        // Nothing is kept of what was not begun.
        let _ = fs::remove_dir_all(drive.state());
    }
}

/// A drive is given up for what a person was shown. What becomes part of something larger afterwards is another matter, also where
/// its content is called the same.
#[test]
fn a_membership_that_came_after_the_look_is_not_given_up() {
    let Some(drive) = Loop::new(128 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    let make = |names: &[&str]| {
        let mut mkfs = Command::new("mkfs.btrfs");
        mkfs.args(["-q", "-f", "-d", "single", "-m", "single", "-L", "pool", "-U"]);
        mkfs.arg(uuid.trim()).current_dir(dir.path());
        for name in names {
            File::create(dir.path().join(name)).unwrap().set_len(128 << 20).unwrap();
        }
        let made = mkfs.args(names).status().is_ok_and(|status| status.success());
        made.then(|| fs::read(dir.path().join(names[0])).unwrap())
    };
    let (Some(alone), Some(joined)) = (make(&["alone"]), make(&["first", "second"])) else {
        return rig::not_run("no mkfs.btrfs");
    };
    let put = |data: &[u8]| {
        let mut below = File::options().write(true).open(drive.file()).unwrap();
        below.write_all(data).unwrap();
        below.sync_all().unwrap();
    };
    put(&alone);
    waiting_smartctl(dir.path());
    let program = dir.path().join("smartctl");
    let mut burn = drive.command(&["--give-up", &drive.node, "--smartctl", program.to_str().unwrap()]);
    let burn = burn.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until_called(dir.path());
    put(&joined);
    File::create(dir.path().join("go")).unwrap();
    let output = burn.wait_with_output().unwrap();
    assert!(
        fs::read(drive.file()).unwrap() == joined,
        "it was written to: {}",
        text(&output)
    );
    assert_eq!(code(&output), 4, "{}", text(&output));
    let told = object(&output);
    let summary = told["verdict"]["summary"].as_str().unwrap();
    assert!(summary.contains("member of a btrfs with several devices"), "{summary}");
}
