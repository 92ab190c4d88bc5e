//! `kiln burn --format`, `--cert`, `--playbook`, `--give-up`, `--soak` and going on without a state folder, on loop devices.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use common::{Loop, code, is_written_down, kiln, object, slow_medium, start, text, until, until_written_down};

/// That nothing was formatted, since swap came while the drive was tested.
fn is_left_for_its_swap(output: &Output) {
    let told = object(output);
    assert_eq!(code(output), 3, "{told}");
    let problem = told["formatted"]["problem"].as_str().unwrap();
    assert!(
        problem.contains("swap") && problem.contains("while it was tested"),
        "{problem}"
    );
}

#[test]
fn a_drive_that_came_through_is_formatted_and_certified() {
    let Some(drive) = Loop::new(96 << 20) else { return };
    let cert = drive.state().join("drive.pdf");
    fs::create_dir_all(drive.state()).unwrap();
    let cert = cert.to_str().unwrap();
    let args = [
        "--playbook",
        "surface",
        "--format",
        "ext4",
        "--label",
        "photos",
        "--reserved",
        "2",
        "--cert",
        cert,
    ];
    let output = drive.burn(&args);
    assert_eq!(code(&output), 0, "{}", text(&output));
    let told = object(&output);
    assert_eq!(told["verdict"]["outcome"], "PASSED");
    assert_eq!(told["formatted"]["problem"], serde_json::Value::Null, "{told}");
    assert_eq!(told["formatted"]["table"], "mbr");
    assert_eq!(told["formatted"]["label"], "photos");
    let phases: Vec<(&str, &str)> = told["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["phase"].as_str().unwrap(), p["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        phases,
        [
            ("write", "done"),
            ("verify", "done"),
            ("partition", "done"),
            ("format", "done")
        ]
    );
    assert_eq!(told["options"]["format"]["reserved_percent"], 2);
    let line = told["timeline"].as_array().unwrap();
    assert!(
        line.iter().any(|point| point["step"] == 2),
        "the time line ends before it: {told}"
    );

    let verify = kiln(&["cert", "verify", cert, "--json"]).output().unwrap();
    assert_eq!(code(&verify), 1, "{}", text(&verify));
    let check = object(&verify);
    assert_eq!(check["standing"], "unknown_key");
    assert_eq!(check["says"]["id"], told["certificate"]["id"]);
    assert_eq!(check["key"], told["certificate"]["key"]);
    let trust = drive.state().join("trust");
    fs::write(&trust, format!("key {} my own\n", check["key"].as_str().unwrap())).unwrap();
    let verify = kiln(&["cert", "verify", cert, "--trust", trust.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(code(&verify), 0, "{}", text(&verify));

    // Nobody holds it any more: it can be burned in again.
    let _ = Command::new("partx").args(["-d", &drive.node]).output();
    let again = drive.burn(&["--dry-run"]);
    assert_eq!(code(&again), 0, "{}", text(&again));
}

/// Another program wrote to the drive behind the sweep that reads it back, which sees nothing of that.
#[test]
fn what_somebody_put_on_the_drive_while_it_was_tested_is_not_formatted_over() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let mut burn = start(
        &drive,
        &["--playbook", "surface", "--format", "ext4", "--rate-drive", "8M"],
    );
    until(&mut burn, "Read back");
    std::thread::sleep(Duration::from_secs(3));
    let made = Command::new("mkswap").arg(drive.file()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let output = burn.wait_with_output().unwrap();
    is_left_for_its_swap(&output);
    let found = Command::new("blkid")
        .args(["-p", "-o", "value", "-s", "TYPE"])
        .arg(drive.file())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout).trim(), "swap");
}

/// That it is formatted from now on is written down before it is, and a dock's drive may be exchanged while that medium takes its time.
#[test]
fn what_came_while_the_format_was_written_down_is_not_formatted_over() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let burn = drive.command(&["--playbook", "surface", "--format", "raw"]);
    let mut slow = slow_medium(&burn);
    let mut child = match slow.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => return rig::not_run(&format!("a state folder that is slow: strace: {error}")),
    };
    until_written_down(&drive, &mut child);
    let made = Command::new("mkswap").arg(drive.file()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let output = child.wait_with_output().unwrap();
    is_left_for_its_swap(&output);
    assert!(!drive.has_table());
    assert!(!is_written_down(&drive), "it counts as half formatted");
}

#[test]
fn what_cannot_be_formatted_is_told_before_anything_is_written() {
    let Some(drive) = Loop::new(32 << 20) else { return };
    for (args, part) in [
        (
            vec!["--format", "ext4", "--label", "far too long a label"],
            "at most 16",
        ),
        (vec!["--format", "xfs", "--reserved", "2"], "keeps nothing back"),
        (vec!["--format", "ext4", "--reserved", "51"], "whole per cents, 0 to 50"),
        (
            vec!["--format", "ext4", "--reserved", "0.5"],
            "whole per cents, 0 to 50",
        ),
        (vec!["--format", "ntfs"], "ext4"),
        (vec!["--label", "x"], "--format"),
        (vec!["--format", "ext4", "--playbook", "quick"], "every block"),
        (vec!["--soak", "0"], "1 to 720"),
        (vec!["--playbook", "/nowhere/mine.toml"], "/nowhere/mine.toml"),
        (vec!["--give-up", "WD-OTHER"], "WD-OTHER"),
        (vec!["--cert", "/nowhere/x.pdf"], "/nowhere"),
        (vec!["--cert", "x.txt"], ".pdf"),
    ] {
        let output = drive.burn(&args);
        assert_eq!(code(&output), 64, "{args:?}: {}", text(&output));
        assert!(text(&output).contains(part), "{args:?}: {}", text(&output));
    }
    let small = Loop::new(4 << 20).unwrap();
    let output = small.burn(&["--format", "ext4", "--playbook", "surface"]);
    assert_eq!(code(&output), 4, "{}", text(&output));
    assert!(fs::read(drive.file()).unwrap().iter().all(|b| *b == 0));
}

#[test]
fn the_digest_covers_the_options() {
    let Some(drive) = Loop::new(64 << 20) else { return };
    let digest = |more: &[&str]| {
        let output = drive.burn(&[&["--dry-run", "--playbook", "surface"], more].concat());
        assert_eq!(code(&output), 0, "{}", text(&output));
        object(&output)["digest"].as_str().unwrap().to_owned()
    };
    let plain = digest(&[]);
    let formatted = digest(&["--format", "ext4"]);
    assert_ne!(plain, formatted);
    assert_ne!(formatted, digest(&["--format", "ext4", "--label", "x"]));
    let output = drive.burn(&[
        "--dry-run",
        "--playbook",
        "surface",
        "--format",
        "ext4",
        "--reserved",
        "2",
        "--label",
        "x",
        "--table",
        "gpt",
    ]);
    let told = text(&output);
    let behind = format!("behind it, on {}: ", drive.node);
    assert!(
        told.contains(&format!("{behind}GPT, ext4 \"x\", 2 % kept for root")),
        "{told}"
    );
    // Where no table is chosen, the one that this drive gets.
    let told = text(&drive.burn(&["--dry-run", "--playbook", "surface", "--format", "ext4"]));
    assert!(told.contains(&format!("{behind}MBR, ext4")), "{told}");
    let output = drive.burn(&["--playbook", "surface", "--format", "ext4", "--plan-digest", &plain]);
    assert_eq!(code(&output), 4, "{}", text(&output));
}

#[test]
fn a_playbook_of_ones_own_is_checked_and_run() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("mine.toml");
    fs::write(
        &good,
        "name = \"mine\"\nabout = \"Two passes.\"\n[[step]]\ndo = \"write\"\n[[step]]\ndo = \"verify\"\n[[step]]\ndo = \
         \"write\"\npattern = \"complement\"\norder = \"reverse\"\n[[step]]\ndo = \"verify\"\norder = \"reverse\"\n",
    )
    .unwrap();
    let bad = dir.path().join("bad.toml");
    fs::write(&bad, "name = \"bad\"\nabout = \"\"\n[[step]]\ndo = \"wirte\"\n").unwrap();
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());
    let check = |file: &str| kiln(&["playbook", "check", file]).output().unwrap();
    assert_eq!(code(&check(good)), 0, "{}", text(&check(good)));
    let told = check(bad);
    assert_eq!(code(&told), 64);
    assert!(
        text(&told).contains("wirte") && text(&told).contains("bad.toml"),
        "{}",
        text(&told)
    );
    assert_eq!(code(&check("/nowhere")), 64);
    // A script is told what is wrong where it reads.
    for (file, part) in [(bad, "wirte"), ("/nowhere", "No such file")] {
        let told = kiln(&["playbook", "check", "--json", file]).output().unwrap();
        assert_eq!(code(&told), 64);
        assert!(
            object(&told)["problem"].as_str().unwrap().contains(part),
            "{}",
            text(&told)
        );
    }

    let list = kiln(&["playbook", "list", "--json"]).output().unwrap();
    assert_eq!(code(&list), 0);
    let names: Vec<String> = object(&list)
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["name"].as_str().unwrap().to_owned())
        .collect();
    for name in [
        "quick",
        "surface",
        "standard",
        "thorough",
        "badblocks",
        "ssd",
        "erase",
        "scan",
        "preclear",
    ] {
        assert!(names.iter().any(|n| n == name), "{name} is not in {names:?}");
        let show = kiln(&["playbook", "show", name]).output().unwrap();
        assert_eq!(code(&show), 0);
    }

    let Some(drive) = Loop::new(24 << 20) else { return };
    let output = drive.burn(&["--playbook", good]);
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert_eq!(object(&output)["phases"].as_array().unwrap().len(), 4);
}

#[test]
fn a_scan_changes_nothing_and_needs_no_consent() {
    let Some(drive) = Loop::new(24 << 20) else { return };
    let made = Command::new("mkfs.ext4").args(["-q", &drive.node]).output().unwrap();
    assert!(made.status.success());
    let before = fs::read(drive.file()).unwrap();
    let output = kiln(&[
        "burn",
        &drive.node,
        "--allow-loop",
        "--playbook",
        "scan",
        "--json",
        "--state",
    ])
    .arg(drive.state())
    .output()
    .unwrap();
    assert_eq!(
        code(&output),
        1,
        "what was only read is never PASSED: {}",
        text(&output)
    );
    let told = object(&output);
    assert_eq!(told["verdict"]["outcome"], "WARN");
    assert_eq!(fs::read(drive.file()).unwrap(), before);
}

#[test]
fn preclear_leaves_zeros_and_a_partition() {
    let Some(drive) = Loop::new(40 << 20) else { return };
    let output = drive.burn(&["--playbook", "preclear"]);
    let told = object(&output);
    assert_eq!(told["formatted"]["problem"], serde_json::Value::Null, "{told}");
    assert_eq!(told["formatted"]["filesystem"], "raw");
    assert_eq!(
        told["verdict"]["outcome"], "WARN",
        "zeros alone prove no addresses: {told}"
    );
    let bytes = fs::read(drive.file()).unwrap();
    assert!(bytes[1 << 20..].iter().all(|b| *b == 0), "behind the table all is zero");
    assert_eq!(&bytes[510..512], [0x55, 0xaa]);
    let _ = Command::new("partx").args(["-d", &drive.node]).output();
}

/// The header sectors are on the drive and are found; so little as a test can write is below what has to be written again.
#[test]
fn without_kept_progress_the_drive_itself_is_asked() {
    let Some(drive) = Loop::new(600 << 20) else { return };
    let mut child = drive
        .command(&["--playbook", "surface", "--io", "sync"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let mut lines = stderr.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("Write")));
    child.kill().unwrap();
    child.wait().unwrap();
    let _ = fs::remove_dir_all(drive.state());
    let output = drive.burn(&["--playbook", "surface", "--resume"]);
    assert_eq!(code(&output), 1, "{}", text(&output));
    let told = object(&output);
    let note = told["notes"][0].as_str().unwrap();
    assert!(
        note.contains("nothing is kept here") && note.contains("begins anew"),
        "{note}"
    );
    // What the session saw of which the header tells, nobody knows.
    assert_eq!(told["verdict"]["rules"][0]["id"], "evidence-lost", "{told}");
    assert_eq!(told["verdict"]["verified"], 600 << 20);
}

#[test]
fn an_inactive_member_is_refused_unless_it_is_given_up_by_name() {
    let Some(drive) = Loop::new(40 << 20) else { return };
    let made = Command::new("cryptsetup")
        .args([
            "luksFormat",
            "-q",
            "--type",
            "luks1",
            "--pbkdf-force-iterations",
            "1000",
            "--key-file=/etc/hostname",
        ])
        .arg(&drive.node)
        .output();
    if !made.as_ref().is_ok_and(|m| m.status.success()) {
        return rig::not_run(&format!("no LUKS container: {made:?}"));
    }
    let before = fs::read(drive.file()).unwrap();
    let refused = drive.burn(&["--playbook", "surface"]);
    assert_eq!(code(&refused), 4, "{}", text(&refused));
    let how = format!("--give-up {}", drive.node);
    let told = text(&refused);
    assert!(told.contains("LUKS") && told.contains(&how), "{told}");
    assert_eq!(fs::read(drive.file()).unwrap(), before);

    let node = drive.node.clone();
    let plan = drive.burn(&["--playbook", "surface", "--dry-run", "--give-up", &node]);
    assert_eq!(code(&plan), 0, "{}", text(&plan));
    assert!(text(&plan).contains("given up: LUKS container"), "{}", text(&plan));
    assert_eq!(object(&plan)["drives"][0]["given_up"][0], "LUKS container");
    let output = drive.burn(&["--playbook", "surface", "--give-up", &node]);
    assert_eq!(code(&output), 0, "{}", text(&output));
}
