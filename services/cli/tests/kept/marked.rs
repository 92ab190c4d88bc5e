//! A drive whose burn-in ended at its first fault bears the marks of that end once the fault is kept, and only then: behind them nobody goes
//! on with it, and whoever lost the fault would begin it anew.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Duration;

use burnin::Checkpoint;
use burnin::device::{Geometry, open_plain};
use burnin::header;

use crate::common::{Loop, code, damage, let_go, object, signal, slow_medium, start, text, until};
use crate::{kept, kept_of};

/// How large, in bytes.
const SIZE: u64 = 160 << 20;

const GEOMETRY: Geometry = Geometry {
    sectors: SIZE / 512,
    sector: 512,
    physical: 512,
};

/// Slow enough to be caught.
const LINE: [&str; 5] = ["--playbook", "surface", "--rate-drive", "100M", "--stop-at-first"];

/// A drive whose burn-in was killed as it read back, and that has lost a bit since.
fn spoiled() -> Option<Loop> {
    let drive = Loop::new(SIZE)?;
    let mut child = start(&drive, &LINE);
    let reads_back = || {
        let text = kept_of(&kept(&drive, SIZE))["checkpoint"].as_str().map(str::to_owned);
        text.and_then(|text| Checkpoint::decode(&text).ok())
            .is_some_and(|at| at.step == 1)
    };
    until(&mut child, "Read back and verify");
    while !reads_back() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        std::thread::sleep(Duration::from_millis(1));
    }
    signal(&child, libc::SIGKILL);
    child.wait_with_output().unwrap();
    let_go(&drive);
    damage(&drive.file(), SIZE - (8 << 20));
    Some(drive)
}

/// Whether its headers, which it had, are no burn-in's to go on with any more.
fn is_marked(drive: &Loop) -> bool {
    let mut device = open_plain(File::open(drive.file()).unwrap()).unwrap();
    header::find(device.as_mut(), GEOMETRY).is_none()
}

/// Keeping takes a while, as on a slow medium: the drive is looked at all the time.
#[test]
fn the_drive_of_a_first_fault_is_marked_once_the_fault_is_kept() {
    let Some(drive) = spoiled() else { return };
    assert!(!is_marked(&drive));
    let line = [&LINE[..], &["--resume"]].concat();
    let mut command = slow_medium(&drive.command(&line));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !is_marked(&drive) && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let then = kept_of(&kept(&drive, SIZE));
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 2, "{}", text(&output));
    assert!(is_marked(&drive));
    assert_eq!(then["ended"]["outcome"], "FAILED", "marked before it was kept: {then}");
    // Whoever is killed behind the marks is told what it came to, by these options and by others.
    let output = drive.burn(&["--playbook", "surface", "--resume"]);
    assert_eq!(code(&output), 4, "{}", text(&output));
    assert!(text(&output).contains("ended FAILED at"), "{}", text(&output));
}

/// Killed before its verdict is told, the next one meets the fault again.
#[test]
fn the_drive_of_a_first_fault_that_could_not_be_kept_is_not_marked() {
    let Some(drive) = spoiled() else { return };
    let burn = drive.command(&[&LINE[..], &["--resume"]].concat());
    let mut full = Command::new("strace");
    full.args([
        "-fqqo",
        "/dev/null",
        "-e",
        "trace=fsync",
        "-e",
        "inject=fsync:error=ENOSPC",
    ]);
    let output = full.arg(burn.get_program()).args(burn.get_args()).output().unwrap();
    assert_eq!(code(&output), 2, "{}", text(&output));
    assert!(text(&output).contains("could not be kept"), "{}", text(&output));
    assert_eq!(object(&output)["verdict"]["outcome"], "FAILED");
    assert!(!is_marked(&drive), "nobody knows of the fault, and it was marked");
    assert!(
        !fs::exists(kept(&drive, SIZE)).unwrap(),
        "it knows nothing of the fault"
    );
}
