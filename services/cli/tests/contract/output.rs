//! What is told on standard output and error: where it cannot be written, and where it is no text.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use crate::common::{self, Loop, caught, code, kiln, text};

#[test]
fn a_result_that_nobody_could_read_is_not_0() {
    let Some(drive) = Loop::new(32 << 20) else { return };
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = drive.command(&["--playbook", "surface"]);
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!(code(&output), 3, "{}", text(&output));
    assert!(text(&output).contains("could not be written"), "{}", text(&output));
}

/// In words, too: a script may have its exit code alone.
#[test]
fn a_verdict_in_words_that_nobody_could_read_is_told_elsewhere_and_is_not_0() {
    let Some(drive) = Loop::new(32 << 20) else { return };
    let burn = || {
        let mut burn = kiln(&["burn", &drive.node, "--yes-erase", &drive.node, "--allow-loop"]);
        burn.args(["--playbook", "surface", "--state"]).arg(drive.state());
        burn
    };
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = burn().stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    let told = text(&output);
    assert_eq!(code(&output), 3, "{told}");
    let verdict = format!("PASSED  Loop device {0} ({0})", drive.node);
    assert!(
        told.contains("could not be written") && told.contains(&verdict),
        "{told}"
    );
    // Whoever closes a pipe has read what they wanted, as `head` does.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut closed = burn().stdout(writer).spawn().unwrap();
    assert_eq!(closed.wait().unwrap().code(), Some(0));
}

#[test]
fn a_plan_that_nobody_could_read_is_not_0() {
    let Some(drive) = Loop::new(1 << 20) else { return };
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = drive.command(&["--playbook", "surface", "--dry-run"]);
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!(code(&output), 3, "{}", text(&output));
}

#[test]
fn what_nobody_could_read_is_64_whatever_it_came_to() {
    let dir = tempfile::tempdir().unwrap();
    let book = dir.path().join("mine.toml");
    fs::write(&book, common::TEST_FIRST).unwrap();
    let book = book.to_str().unwrap();
    let valid = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/cases/manifest-vigil.json");
    let valid = valid.to_str().unwrap();
    for (args, done) in [
        (&["playbook", "list"][..], 0),
        (&["playbook", "list", "--json"], 0),
        (&["playbook", "show", "standard"], 0),
        (&["playbook", "check", book], 0),
        (&["playbook", "check", book, "--json"], 0),
        (&["addon", "schema"], 0),
        (&["addon", "validate", valid], 0),
        (&["addon", "validate", valid, "--json"], 0),
        (&["addon", "validate", book], 2),
        (&["addon", "validate", book, "--json"], 2),
        (&["cert", "verify", book], 2),
        (&["cert", "verify", book, "--json"], 2),
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = kiln(args).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        assert_eq!(code(&output), 64, "{args:?}: {}", text(&output));
        assert!(text(&output).contains("could not be written"), "{}", text(&output));
        // Whoever closes a pipe has read what they wanted, as `head` does.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut closed = kiln(args).stdout(writer).spawn().unwrap();
        assert_eq!(closed.wait().unwrap().code(), Some(done), "{args:?}");
    }
}

/// A path may hold any bytes.
#[test]
fn how_to_go_on_is_told_also_where_an_argument_is_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let Some(drive) = Loop::new(600 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join(std::ffi::OsStr::from_bytes(b"st\xffate"));
    let (output, told) = caught(|| {
        let node = &drive.node;
        let mut burn = kiln(&[
            "burn",
            node,
            "--yes-erase",
            node,
            "--allow-loop",
            "--playbook",
            "surface",
        ]);
        burn.args(["--io", "sync", "--state"]).arg(&state);
        let log = dir.path().join("log");
        let mut burn = burn.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let told = || fs::read_to_string(&log).unwrap();
        while !told().contains("Write") && burn.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        common::signal(&burn, libc::SIGINT);
        let output = burn.wait_with_output().unwrap();
        (code(&output) != 0).then(|| (output, told()))
    });
    assert_eq!(code(&output), 3, "{told}");
    assert!(told.contains("to go on: kiln burn --resume "), "{told}");
    assert!(told.contains(r"st\xffate'"), "{told}");
}
