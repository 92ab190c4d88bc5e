//! A format that is cut off: by Ctrl-C, or by a kill before its partition table is written. On real loop devices; needs root, prints
//! `NOT RUN` without.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{Loop, PATIENCE, code, object, text};

/// The formatters that this process started, stopped where they are, as on a slow drive.
fn hold_formatters(parent: u32) -> bool {
    signal_formatters(parent, libc::SIGSTOP)
}

fn signal_formatters(parent: u32, signal: i32) -> bool {
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
            held |= unsafe { libc::kill(pid, signal) } == 0;
        }
    }
    held
}

/// Each checker takes memory, and the drives of one command end together.
#[test]
fn drives_that_end_together_wait_for_their_turns_to_be_formatted() {
    let (Some(one), Some(other)) = (Loop::new(48 << 20), Loop::new(48 << 20)) else {
        return;
    };
    // The formatter may be done before it is held.
    for _ in 0..20 {
        let mut burn = one.command(&["--playbook", "surface", "--format", "ext4", "--formats", "1"]);
        burn.args([&other.node, "--yes-erase", &other.node]);
        let mut burn = burn.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (lines, told) = std::sync::mpsc::channel();
        let errors = BufReader::new(burn.stderr.take().unwrap()).lines();
        let reader =
            std::thread::spawn(move || errors.map_while(Result::ok).for_each(|line| lines.send(line).unwrap()));
        while !hold_formatters(burn.id()) && burn.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let begun = || [&one, &other].map(Loop::has_table) != [false; 2];
        let mut said = Vec::new();
        let waits = |said: &[String]| {
            said.iter()
                .any(|line| line.contains("waits for its turn to be formatted"))
        };
        while !waits(&said) && !begun() && burn.try_wait().unwrap().is_none() {
            said.extend(told.recv_timeout(Duration::from_millis(20)));
        }
        let held = waits(&said) && !begun();
        signal_formatters(burn.id(), libc::SIGCONT);
        let ended = burn.wait().unwrap();
        reader.join().unwrap();
        one.no_partitions();
        other.no_partitions();
        if !held {
            continue;
        }
        said.extend(told);
        assert_eq!(ended.code(), Some(0), "{said:#?}");
        assert_eq!([&one, &other].map(Loop::has_table), [true; 2]);
        return;
    }
    panic!("no formatter was ever held before the other drive ended");
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
    let resumes = told["resumes"].as_array().unwrap();
    assert_eq!(resumes.len(), 2, "{told}");
    assert!(
        resumes
            .iter()
            .all(|resume| resume["phase"] == "partition" && resume["from"] == 0),
        "{told}"
    );
}

/// A second try may come through where the drive spoils what is written only sometimes.
#[test]
fn a_format_that_the_drive_failed_is_not_made_anew() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let file = fs::File::options().write(true).open(drive.file()).unwrap();
    let mut came_to = Vec::new();
    // The formatter may be done before it is held.
    for _ in 0..20 {
        let mut burn = drive.command(&["--playbook", "surface", "--format", "ext4"]);
        let mut burn = burn.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while !hold_formatters(burn.id()) && burn.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let held = fs::read(drive.file()).unwrap();
        // What lies behind the end of its file the device cannot read, and a write there moves the end: it is cut off again and again.
        file.set_len(2 << 20).unwrap();
        signal_formatters(burn.id(), libc::SIGCONT);
        while burn.try_wait().unwrap().is_none() {
            file.set_len(2 << 20).unwrap();
        }
        let output = burn.wait_with_output().unwrap();
        drive.no_partitions();
        // Nothing is lost of what it held.
        fs::write(drive.file(), &held).unwrap();
        drop_cache(&drive);
        if code(&output) != 3 || drive.has_table() {
            came_to.push((code(&output), text(&output)));
            continue;
        }
        assert!(!object(&output)["formatted"]["problem"].is_null(), "{}", text(&output));
        let before = fs::read(drive.file()).unwrap();
        let again = resumed(&drive, &[]);
        assert_eq!(code(&again), 4, "{}", text(&again));
        assert!(fs::read(drive.file()).unwrap() == before);
        return;
    }
    panic!("no formatter failed: {came_to:?}");
}

/// Of other steps nothing was asked of the drive whose test is over: it is not begun anew for them.
#[test]
fn a_format_that_was_cut_is_over_for_other_steps() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    cut_before_the_table(&drive);
    let before = fs::read(drive.file()).unwrap();
    for line in [
        &["--resume"][..],
        &["--playbook", "surface", "--resume"],
        &["--playbook", "surface", "--format", "raw", "--resume"],
    ] {
        let output = drive.burn(line);
        assert_eq!(code(&output), 4, "{}", text(&output));
        // By its own options it is made anew.
        let its_own = "give `--resume --playbook surface --format ext4`";
        assert!(text(&output).contains(its_own), "{}", text(&output));
        assert!(fs::read(drive.file()).unwrap() == before);
    }
    // Where nothing is kept of it the mark tells that its test had come to its end, and nothing is begun anew over that.
    let elsewhere = tempfile::tempdir().unwrap();
    let output = common::kiln(&["burn", &drive.node, "--allow-loop", "--yes-erase", &drive.node])
        .args(["--playbook", "surface", "--resume", "--state"])
        .arg(elsewhere.path())
        .output()
        .unwrap();
    assert_eq!(code(&output), 4, "{}", text(&output));
    // Before the mark nothing tells whose pattern it is.
    let why = match before.starts_with(b"KILNEND1") {
        true => "was being formatted",
        false => "data of no known kind",
    };
    assert!(text(&output).contains(why), "{}", text(&output));
    assert!(fs::read(drive.file()).unwrap() == before);
}

/// Nothing is written over where the drive's first sector is neither the job's nor its formatter's, as whoever uses a drive whole leaves
/// it, nor where its partition was mounted, which the kernel shows until the computer is started again.
#[test]
fn a_drive_that_somebody_has_used_since_is_not_formatted_anew() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let archive = || {
        let file = fs::File::options().write(true).open(drive.file()).unwrap();
        file.write_all_at(&vec![b'x'; 300 << 10], 0).unwrap();
    };
    let in_the_partition = || {
        let inside = format!("{}?offset={}", drive.file().display(), 1 << 20);
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F", "-E", "offset=1048576"])
            .arg(drive.file())
            .arg("46M")
            .status();
        assert!(made.unwrap().success());
        let mounted = Command::new("tune2fs").args(["-C", "1", &inside]).output().unwrap();
        assert!(mounted.status.success(), "{mounted:?}");
    };
    // Whatever else was made in the partition that the kernel goes on to show.
    let other_in_the_partition = || {
        let file = fs::File::options().write(true).open(drive.file()).unwrap();
        file.write_all_at(&vec![b'x'; 300 << 10], 1 << 20).unwrap();
        let shown = Command::new("addpart")
            .args([&drive.node, "1", "2048", "94208"])
            .status();
        assert!(shown.unwrap().success());
    };
    for used in [&archive as &dyn Fn(), &in_the_partition, &other_in_the_partition] {
        cut_before_the_table(&drive);
        used();
        drop_cache(&drive);
        let before = fs::read(drive.file()).unwrap();
        let output = resumed(&drive, &[]);
        drive.no_partitions();
        assert_eq!(code(&output), 4, "{}", text(&output));
        assert!(
            text(&output).contains("while the drive was formatted"),
            "{}",
            text(&output)
        );
        assert!(fs::read(drive.file()).unwrap() == before);
        fs::remove_dir_all(drive.state()).unwrap();
    }
}

/// What was written to the file is what the device over it reads.
fn drop_cache(drive: &Loop) {
    fs::File::open(drive.file()).unwrap().sync_all().unwrap();
    let flushed = Command::new("blockdev").args(["--flushbufs", &drive.node]).status();
    assert!(flushed.unwrap().success());
}

/// A state from before the format, as on a stick that was pulled or full: what the formatter wrote is no fault of the drive.
#[test]
fn an_older_state_is_not_gone_on_with_once_the_format_had_begun() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let older = interrupted(&drive);
    let mut begun = false;
    for _ in 0..20 {
        fs::remove_dir_all(drive.state()).unwrap();
        copy(&older, &drive.state());
        let mut burn = drive.command(&["--playbook", "surface", "--format", "ext4", "--resume"]);
        let mut burn = burn.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !begun && burn.try_wait().unwrap().is_none() {
            begun = has_the_mark(&drive) && hold_formatters(burn.id());
        }
        burn.kill().unwrap();
        burn.wait().unwrap();
        drive.no_partitions();
        begun |= has_the_mark(&drive);
        if begun || drive.has_table() {
            break;
        }
    }
    if !begun {
        rig::not_run("no formatter was held before its table");
        return;
    }
    refused_as_past(&drive, &older);
}

/// The same of a drive whose format is long done, and whose table's signature somebody has wiped.
#[test]
fn an_older_state_is_not_gone_on_with_where_the_formatted_drive_was_used() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let older = interrupted(&drive);
    let whole = resumed(&drive, &[]);
    assert_eq!(code(&whole), 0, "{}", text(&whole));
    drive.no_partitions();
    let file = fs::File::options().write(true).open(drive.file()).unwrap();
    file.write_all_at(&[0, 0], 510).unwrap();
    drop_cache(&drive);
    refused_as_past(&drive, &older);
}

/// A burn-in that was interrupted while it swept; a copy of what it kept.
fn interrupted(drive: &Loop) -> PathBuf {
    let mut burn = drive.command(&["--playbook", "surface", "--format", "ext4", "--rate-drive", "16M"]);
    let file = fs::File::open(drive.file()).unwrap();
    // No header stands there, which comes before the sweep.
    let word = || {
        let mut word = [0; 8];
        file.read_exact_at(&mut word, (16 << 20) + 77 * 512).unwrap();
        word
    };
    let before = word();
    let mut burn = burn.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while word() == before && burn.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(100));
    }
    // SAFETY: a signal to a child of this process, which it has not waited for.
    unsafe { libc::kill(i32::try_from(burn.id()).unwrap(), libc::SIGINT) };
    assert_eq!(burn.wait().unwrap().code(), Some(3));
    let older = drive.state().with_extension("older");
    copy(&drive.state(), &older);
    older
}

/// With the older state put back nothing is read back as if it were the pattern, and nothing is written.
fn refused_as_past(drive: &Loop, older: &Path) {
    fs::remove_dir_all(drive.state()).unwrap();
    copy(older, &drive.state());
    let before = fs::read(drive.file()).unwrap();
    let output = resumed(drive, &[]);
    assert_eq!(code(&output), 4, "{}", text(&output));
    // The second where the sweep was still far from its end.
    let why = ["was being formatted", "begins with data that is not this burn-in's"];
    assert!(why.iter().any(|why| text(&output).contains(why)), "{}", text(&output));
    assert!(fs::read(drive.file()).unwrap() == before);
}

fn copy(from: &Path, to: &Path) {
    assert!(
        Command::new("cp")
            .arg("-a")
            .arg(from)
            .arg(to)
            .status()
            .unwrap()
            .success()
    );
}

/// Whether the drive's first sector tells that its format was begun.
fn has_the_mark(drive: &Loop) -> bool {
    let mut start = [0; 8];
    fs::File::open(drive.file())
        .unwrap()
        .read_exact_at(&mut start, 0)
        .unwrap();
    start == *b"KILNEND1"
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
